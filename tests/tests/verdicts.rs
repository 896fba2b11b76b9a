//! What `verify` says of sound ledgers, of things that are none, and of wrong arguments.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use rusqlite::Connection;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::Checked;
use crate::support::child::Running;
use crate::support::ledger_copy::LedgerCopy;
use crate::support::namespace::Namespace;
use crate::support::programs::{Ran, run, run_countersign, run_verify, verify, verify_path};
use crate::support::stored::{Stored, log};
use crate::support::story::{Story, other_story, story};
use crate::support::verdict::Verdict;

/// No arguments beside the ledger.
const NONE: [&str; 0] = [];

fn judge(story: &Story, arguments: &[&str]) -> Checked<Verdict> {
    Verdict::of(&story.ledger(), arguments)
}

/// Writes the latest checkpoint of a story's ledger, as a careful person keeps it elsewhere.
fn head_of(story: &Story, folder: &TempDir) -> Checked<String> {
    let ledger = story.ledger();
    let ran = run_countersign([
        "ledger".as_ref(),
        "head".as_ref(),
        "--ledger".as_ref(),
        ledger.as_os_str(),
    ])?
    .expect(0);
    let path = folder.path().join("head");
    fs::write(&path, ran.stdout)?;
    Ok(path.display().to_string())
}

#[test]
fn own_anchor_is_verified_with_nothing_left_unproven() -> Checked {
    let verdict = Verdict::of(&story().ledger(), story().trust())?.expect(0);
    assert_eq!(verdict.document["verdict"], "verified");
    assert!(
        verdict.finding_codes().is_empty() && verdict.unproven_codes().is_empty(),
        "{}",
        verdict.ran
    );
    Ok(())
}

#[test]
fn anchor_is_taken_as_a_file_and_in_long_and_short_form() -> Checked {
    let long = fs::read_to_string(story().anchor())?.trim().to_owned();
    let short = long.rsplit_once(':').ok_or("a long form")?.0;
    judge(story(), &["--trust", &long])?.expect(0);
    judge(story(), &["--trust", short])?.expect(0);
    Ok(())
}

#[test]
fn no_anchor_is_incomplete_and_says_so() -> Checked {
    let verdict = judge(story(), &[])?.expect(3);
    assert_eq!(verdict.document["verdict"], "incomplete");
    assert_eq!(verdict.unproven_codes(), ["C4"]);
    assert!(verdict.finding_codes().is_empty());
    Ok(())
}

#[test]
fn anchor_of_another_demo_is_rejected_at_the_opening() -> Checked {
    let verdict = Verdict::of(&story().ledger(), other_story().trust())?.expect(1);
    assert_eq!(verdict.document["verdict"], "rejected");
    assert!(verdict.finds("A2", 0), "{}", verdict.ran);
    Ok(())
}

#[test]
fn one_matching_anchor_of_several_is_enough() -> Checked {
    let arguments = [other_story().trust(), story().trust()].concat();
    Verdict::of(&story().ledger(), arguments)?.expect(0);
    Ok(())
}

#[test]
fn anchor_that_is_none_is_no_verdict() -> Checked {
    let folder = TempDir::new()?;
    let empty = folder.path().join("empty.did");
    fs::write(&empty, "")?;
    for anchor in [
        "did:peer:4nonsense",
        "/nowhere/principal.did",
        &empty.display().to_string(),
    ] {
        let ledger = story().ledger().display().to_string();
        run_verify([ledger.as_str(), "--trust", anchor])?.expect_one_of(&[2, 4]);
    }
    Ok(())
}

#[test]
fn own_head_is_named_in_the_assurance() -> Checked {
    let folder = TempDir::new()?;
    let head = head_of(story(), &folder)?;
    let verdict = Verdict::of(
        &story().ledger(),
        [&story().trust()[..], &["--head".into(), head]].concat(),
    )?
    .expect(0);
    let size = Stored::read(&story().ledger())?.size();
    assert_eq!(verdict.document["assurance"]["end"], format!("head@{size}"));
    Ok(())
}

#[test]
fn older_head_proves_the_entries_that_it_covers() -> Checked {
    let folder = TempDir::new()?;
    let stored = Stored::read(&story().ledger())?;
    let first = stored.checkpoints.first().ok_or("no checkpoint")?;
    let path = folder.path().join("head");
    fs::write(&path, &first.parts[0])?;
    let arguments = [&story().trust()[..], &["--head".into(), path.display().to_string()]].concat();
    let verdict = Verdict::of(&story().ledger(), arguments)?.expect(0);
    assert_eq!(verdict.document["assurance"]["end"], format!("head@{}", first.key));
    Ok(())
}

#[test]
fn head_of_another_ledger_is_rejected() -> Checked {
    let folder = TempDir::new()?;
    let head = head_of(other_story(), &folder)?;
    let verdict = Verdict::of(
        &story().ledger(),
        [&story().trust()[..], &["--head".into(), head]].concat(),
    )?
    .expect(1);
    assert!(verdict.finding_codes().contains(&"I8"), "{}", verdict.ran);
    Ok(())
}

#[test]
fn head_with_one_bit_flipped_is_not_accepted() -> Checked {
    let folder = TempDir::new()?;
    let head = head_of(story(), &folder)?;
    let sound = fs::read(&head)?;
    for offset in (0..sound.len()).step_by(97) {
        let mut flipped = sound.clone();
        flipped[offset] ^= 1;
        fs::write(&head, &flipped)?;
        let ledger = story().ledger().display().to_string();
        let anchor = story().anchor().display().to_string();
        let ran = run_verify([ledger.as_str(), "--trust", &anchor, "--head", &head])?;
        assert!(
            ran.code.is_some_and(|code| [1, 4].contains(&code)),
            "offset {offset}: {ran}"
        );
    }
    Ok(())
}

#[test]
fn first_line_states_the_assurance() -> Checked {
    let ledger = story().ledger();
    let ran = run_verify([ledger.as_os_str(), "--trust".as_ref(), story().anchor().as_os_str()])?.expect(0);
    let first = ran.stdout.lines().next().unwrap_or_default();
    for word in ["end: self", "time: host", "pq: full"] {
        assert!(first.contains(word), "{word:?} is not in the first line of\n{ran}");
    }
    Ok(())
}

#[test]
fn json_verdict_has_the_documented_shape() -> Checked {
    let verdict = Verdict::of(&story().ledger(), other_story().trust())?.expect(1);
    let document = &verdict.document;
    assert_eq!(document["schema"], "countersign.verdict/v1");
    assert_eq!(document["assurance"]["end"], "self");
    assert_eq!(document["assurance"]["time"], "host");
    assert_eq!(document["assurance"]["pq"], "full");
    assert_eq!(document["entries"], Stored::read(&story().ledger())?.size());
    let anchor = fs::read_to_string(story().anchor())?;
    let principal = document["principal"].as_str().unwrap_or_default();
    assert!(!principal.is_empty() && anchor.starts_with(principal), "{principal}");
    let finding = &document["findings"][0];
    for member in ["code", "expected", "found", "text"] {
        assert!(
            finding[member].as_str().is_some_and(|text| !text.is_empty()),
            "{member}: {finding}"
        );
    }
    assert!(finding["entry"].is_u64() || finding["entry"].is_null());
    assert!(document["unproven"].is_array());
    assert!(
        document["policies"][0]["sha256"]
            .as_str()
            .is_some_and(|digest| digest.len() == 64),
        "{document}"
    );
    Ok(())
}

#[test]
fn several_inputs_give_the_worst_verdict() -> Checked {
    let folder = TempDir::new()?;
    let text = folder.path().join("text");
    fs::write(&text, "no ledger")?;
    let [sound, other, text] = [story().ledger(), other_story().ledger(), text].map(|path| path.display().to_string());
    let trust = story().trust();
    let both = other_story().trust();
    let with = |ledgers: &[&String], trust: &[String]| {
        run_verify(
            ledgers
                .iter()
                .copied()
                .chain(trust)
                .map(String::as_str)
                .collect::<Vec<_>>(),
        )
    };
    with(&[&sound, &other], &[&trust[..], &both[..]].concat())?.expect(0);
    with(&[&sound, &other], &trust)?.expect(1);
    with(&[&sound, &text], &trust)?.expect(4);
    with(&[&text, &sound, &other], &trust)?.expect(1);
    with(&[&sound, &other], &[])?.expect(3);
    with(&[&sound, &text], &[])?.expect(4);
    Ok(())
}

#[test]
fn what_is_no_ledger_is_unreadable() -> Checked {
    let folder = TempDir::new()?;
    let path = |name: &str| folder.path().join(name);
    fs::write(path("text"), "Dear auditor, all is well.\n".repeat(100))?;
    fs::write(path("empty"), "")?;
    fs::create_dir(path("folder"))?;
    Connection::open(path("foreign"))?.execute_batch("CREATE TABLE record(seq INTEGER PRIMARY KEY, bytes BLOB)")?;
    fs::write(path("half"), fs::read(story().ledger())?.split_at(2_000).0)?;
    std::os::unix::fs::symlink("nowhere", path("dangling"))?;
    for name in ["text", "empty", "folder", "missing", "foreign", "half", "dangling"] {
        let input = path(name);
        let ran = run_verify([input.as_os_str(), "--trust".as_ref(), story().anchor().as_os_str()])?;
        assert_eq!(ran.code, Some(4), "{name}: {ran}");
        assert!(
            ran.stderr.contains(name) || ran.stdout.contains(name),
            "the input is named: {ran}"
        );
        let verdict = Verdict::of(&input, NONE)?.expect(4);
        assert_eq!(verdict.document["verdict"], "unreadable", "{name}");
    }
    Ok(())
}

#[test]
fn pipes_and_devices_are_unreadable_and_not_waited_for() -> Checked {
    let folder = TempDir::new()?;
    let pipe = folder.path().join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status()?;
    assert!(made.success());
    for input in [pipe.as_path(), Path::new("/dev/zero"), Path::new("/dev/null")] {
        let mut command = verify();
        let mut run = Running::start(command.arg(input).stdout(Stdio::null()).stderr(Stdio::null()))?;
        assert_eq!(run.end()?.code(), Some(4), "{}", input.display());
    }
    Ok(())
}

#[test]
fn ledger_cut_off_inside_the_file_is_never_verified() -> Checked {
    let folder = TempDir::new()?;
    let whole = fs::read(story().ledger())?;
    let path = folder.path().join("ledger.db");
    for part in 1..16 {
        fs::write(&path, whole.split_at(whole.len() * part / 16).0)?;
        let ran = run_verify([path.as_os_str(), "--trust".as_ref(), story().anchor().as_os_str()])?;
        assert!(ran.code.is_some_and(|code| [1, 4].contains(&code)), "{part}/16: {ran}");
    }
    Ok(())
}

#[test]
fn wrong_arguments_are_usage() -> Checked {
    let ledger = story().ledger().display().to_string();
    for arguments in [
        &[][..],
        &["--trust"],
        &[&ledger, "--frobnicate"],
        &[&ledger, "--trust"],
        &[&ledger, "--head"],
        &[&ledger, "--entry", "many"],
    ] {
        let ran = run_verify(arguments)?;
        assert_eq!(ran.code, Some(2), "{arguments:?}: {ran}");
        assert!(ran.stdout.is_empty() && !ran.stderr.is_empty(), "usage is talk: {ran}");
    }
    Ok(())
}

#[test]
fn read_only_file_in_a_read_only_folder_is_verified() -> Checked {
    let folder = TempDir::new()?;
    fs::copy(story().ledger(), folder.path().join("ledger.db"))?;
    // A read-only mount, because root may write into a read-only folder.
    let script = r#"mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" || exit 99
        touch "$1/probe" 2>/dev/null && exit 98
        exec "$2" "$1/ledger.db" --trust "$3""#;
    let arguments = [folder.path().to_owned(), verify_path(), story().anchor()];
    if let Some(ran) = Namespace::Mounts.run("read_only_file_in_a_read_only_folder_is_verified", script, arguments)? {
        ran.expect(0);
    }
    Ok(())
}

#[test]
fn binary_and_file_alone_are_enough() -> Checked {
    let folder = TempDir::new()?;
    fs::copy(story().ledger(), folder.path().join("ledger.db"))?;
    // By a process of its own: a program that this one had open for writing could be busy still in a child that another test
    // forked just then (ETXTBSY).
    run(Command::new("cp").arg(verify_path()).arg(folder.path().join("verify")))?.expect(0);
    let anchor = fs::read_to_string(story().anchor())?;
    let mut command = Command::new("./verify");
    command
        .env_clear()
        .current_dir(folder.path())
        .args(["ledger.db", "--trust", anchor.trim()]);
    run(&mut command)?.expect(0);
    let left = fs::read_dir(folder.path())?.count();
    assert_eq!(left, 2, "verify leaves nothing behind");
    Ok(())
}

#[test]
fn verifying_does_not_change_the_file() -> Checked {
    let before = fs::read(story().ledger())?;
    Verdict::of(&story().ledger(), story().trust())?.expect(0);
    assert!(before == fs::read(story().ledger())?);
    Ok(())
}

#[test]
fn explanation_names_every_action_with_its_decision() -> Checked {
    let ledger = story().ledger();
    let ran: Ran = run_verify([
        ledger.as_os_str(),
        "--trust".as_ref(),
        story().anchor().as_os_str(),
        "--explain".as_ref(),
    ])?
    .expect(0);
    for entry in log(&ledger)? {
        if entry["kind"] != "decision.made" {
            continue;
        }
        let (decision, request) = (&entry["seq"], &entry["body"]["request"]);
        let names = |number: &Value| {
            let number = number.to_string();
            ran.stdout
                .split(|c: char| !c.is_ascii_digit())
                .any(|word| word == number)
        };
        assert!(
            names(decision) && names(request),
            "{request} and {decision} are not in\n{ran}"
        );
    }
    Ok(())
}

#[test]
fn countersign_verify_says_the_same() -> Checked {
    let ledger = story().ledger().display().to_string();
    let [flag, anchor] = story().trust();
    let arguments = [ledger.as_str(), &flag, &anchor, "--json"];
    let alone = run_verify(arguments)?.expect(0);
    let within = run_countersign(["verify"].into_iter().chain(arguments))?.expect(0);
    assert_eq!(alone.stdout, within.stdout);
    run_countersign(["verify", &ledger])?.expect(3);
    run_countersign(["verify", "--frobnicate"])?.expect(2);
    Ok(())
}

#[test]
fn caches_and_guards_alter_no_verdict() -> Checked {
    let copy = LedgerCopy::of(&story().ledger())?;
    copy.change_if_any("CREATE TABLE cache(note TEXT)", [])?;
    copy.change("INSERT INTO cache VALUES ('anything')", [])?;
    copy.verdict(story().trust())?.expect(0);
    Ok(())
}

#[test]
fn ledger_of_another_layout_version_is_unreadable() -> Checked {
    for sql in [
        "PRAGMA user_version = 2",
        "PRAGMA user_version = 0",
        "PRAGMA application_id = 7",
    ] {
        let copy = LedgerCopy::of(&story().ledger())?;
        copy.change_if_any(sql, [])?;
        copy.verdict(story().trust())?.expect(4);
    }
    Ok(())
}

#[test]
fn missing_payloads_are_unproven_and_named() -> Checked {
    let stored = Stored::read(&story().ledger())?;
    for row in stored.payloads.iter().step_by(5) {
        let copy = LedgerCopy::of(&story().ledger())?;
        copy.change("DELETE FROM payload WHERE id = ?1", [row.key.cast_signed()])?;
        let verdict = copy.verdict(story().trust())?;
        assert_eq!(verdict.code(), 3, "entry {}: {}", row.key / 8, verdict.ran);
        let unproven = verdict.document["unproven"].as_array().cloned().unwrap_or_default();
        let named = unproven
            .iter()
            .any(|item| item["code"] == "I9" && item["entry"] == json!(row.key / 8));
        assert!(named, "entry {}: {}", row.key / 8, verdict.ran);
    }
    Ok(())
}

#[test]
fn trust_file_with_a_second_line_is_refused() -> Checked {
    let folder = TempDir::new()?;
    let path = folder.path().join("two.did");
    let anchors = [
        fs::read_to_string(story().anchor())?,
        fs::read_to_string(other_story().anchor())?,
    ]
    .concat();
    fs::write(&path, anchors)?;
    let ledger = story().ledger();
    let ran = run_verify([ledger.as_os_str(), "--trust".as_ref(), Path::new(&path).as_os_str()])?;
    ran.expect_one_of(&[2, 4]);
    Ok(())
}
