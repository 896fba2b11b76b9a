//! Copies of a ledger, made beside a writer and after it, and ledgers that follow one another.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::Checked;
use crate::support::child::Running;
use crate::support::ledger_copy::LedgerCopy;
use crate::support::programs::{Ran, run, run_verify};
use crate::support::stored::{Stored, log};
use crate::support::story::story;
use crate::support::verdict::Verdict;
use crate::support::workshop::{PERMIT_WORK, Workshop};

/// A workshop whose lead writes a file and waits until another one is there.
fn waiting_workshop() -> Checked<Workshop> {
    let workshop = Workshop::new()?;
    workshop.script(&[
        (
            "write",
            json!({ "path": "note.txt", "content": "the secret of the house" }),
        ),
        (
            "bash",
            json!({ "command": "touch started; until [ -e go ]; do sleep 0.02; done" }),
        ),
    ])?;
    workshop.file("policy.cedar", PERMIT_WORK)?;
    Ok(workshop)
}

/// A workshop with a closed ledger.
fn worked_workshop() -> Checked<Workshop> {
    let workshop = waiting_workshop()?;
    fs::write(workshop.work().join("go"), "")?;
    workshop.run(&["--policy", "policy.cedar"])?.expect(0);
    Ok(workshop)
}

/// `countersign ledger WORD -o COPY --ledger LEDGER` and more.
fn copy(workshop: &Workshop, word: &str, from: &str, to: &str, more: &[&str]) -> Checked<Ran> {
    let mut command = workshop.countersign();
    command.args(["ledger", word, "-o", to, "--ledger", from]).args(more);
    run(&mut command)
}

fn document(ran: &Ran) -> Checked<Value> {
    Ok(serde_json::from_str(&ran.stdout)?)
}

fn judge(workshop: &Workshop, name: &str) -> Checked<Verdict> {
    let anchor = workshop.home().join("principal.did");
    Verdict::of(&workshop.root().join(name), [Path::new("--trust"), &anchor])
}

#[test]
fn backup_beside_a_running_writer_is_a_prefix_that_verifies() -> Checked {
    let workshop = waiting_workshop()?;
    let mut command = workshop.run_command(&["--policy", "policy.cedar"]);
    let mut running = Running::start(command.stdout(Stdio::null()).stderr(Stdio::null()))?;
    running.wait_for("the command", || workshop.work().join("started").exists())?;
    let made = copy(&workshop, "backup", "ledger.db", "during.db", &["--json"])?.expect(0);
    let beside: Vec<_> = fs::read_dir(workshop.root())?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.starts_with("during.db") && name != "during.db")
        .collect();
    assert!(beside.is_empty(), "a copy is one file: {beside:?}");
    let verdict = judge(&workshop, "during.db")?.expect(3);
    assert!(verdict.finding_codes().is_empty(), "{}", verdict.ran);
    assert!(verdict.unproven_codes().contains(&"C1"), "{}", verdict.ran);
    fs::write(workshop.work().join("go"), "")?;
    assert!(running.end()?.success());
    workshop.verdict()?.expect(0);
    let (during, whole) = (log(&workshop.root().join("during.db"))?, log(&workshop.ledger())?);
    assert!(during.len() < whole.len());
    assert_eq!(during, whole[..during.len()]);
    assert_eq!(document(&made)?["entries"], during.len());
    Ok(())
}

#[test]
fn backup_and_export_of_a_closed_ledger_hold_what_it_holds() -> Checked {
    let workshop = worked_workshop()?;
    let original = Stored::read(&workshop.ledger())?;
    for word in ["backup", "export"] {
        let name = format!("{word}.db");
        let made = copy(&workshop, word, "ledger.db", &name, &["--json"])?.expect(0);
        assert!(made.stderr.contains("holds every"), "{made}");
        let path = workshop.root().join(&name);
        assert!(Stored::read(&path)? == original, "{word}: not the same rows");
        judge(&workshop, &name)?.expect(0);
        let document = document(&made)?;
        assert_eq!(document["schema"], "countersign.copy/v1");
        assert_eq!(
            (&document["copy"], &document["content"]),
            (&json!(word), &json!("whole"))
        );
        assert_eq!(document["entries"], original.records.len());
        assert_eq!(document["left_out"], 0);
        assert_eq!(document["bytes"], fs::metadata(&path)?.len());
        assert!(document["root"].as_str().is_some_and(|root| root.len() == 64), "{made}");
    }
    Ok(())
}

#[test]
fn export_without_content_keeps_policies_alone_and_is_unproven_where_content_counts() -> Checked {
    let workshop = worked_workshop()?;
    let original = Stored::read(&workshop.ledger())?;
    let made = copy(
        &workshop,
        "export",
        "ledger.db",
        "bare.db",
        &["--without-content", "--json"],
    )?
    .expect(0);
    let bare = Stored::read(&workshop.root().join("bare.db"))?;
    assert!(bare.records == original.records, "records are whole");
    assert!(bare.checkpoints == original.checkpoints, "checkpoints are whole");
    let left_out = original.payloads.len() - bare.payloads.len();
    assert!(!bare.payloads.is_empty() && left_out > 0, "{made}");
    let document = document(&made)?;
    assert_eq!(
        (&document["left_out"], &document["content"]),
        (&json!(left_out), &json!("evidence"))
    );
    for told in ["prompts", "incomplete", "I9", &left_out.to_string()] {
        assert!(made.stderr.contains(told), "{told}: {made}");
    }
    let whole_file = fs::read(workshop.root().join("bare.db"))?;
    let secret = b"the secret of the house";
    assert!(
        !whole_file.windows(secret.len()).any(|window| window == secret),
        "the content is in the file"
    );
    let verdict = judge(&workshop, "bare.db")?.expect(3);
    assert!(verdict.finding_codes().is_empty(), "{}", verdict.ran);
    // What rests on content, and nothing of what a closed ledger shows without it.
    let absent = ["I9", "D4a", "D10"];
    assert!(verdict.unproven_codes().contains(&"I9"), "{}", verdict.ran);
    assert!(
        verdict.unproven_codes().iter().all(|code| absent.contains(code)),
        "{}",
        verdict.ran
    );
    Ok(())
}

#[test]
fn copies_replace_nothing_and_need_a_ledger() -> Checked {
    let workshop = worked_workshop()?;
    let before = fs::read(workshop.ledger())?;
    workshop.file("precious.txt", "precious")?;
    for word in ["backup", "export"] {
        copy(&workshop, word, "ledger.db", "precious.txt", &[])?
            .expect(1)
            .says("exists already");
        copy(&workshop, word, "ledger.db", "ledger.db", &[])?
            .expect(1)
            .says("exists already");
        copy(&workshop, word, "missing.db", "copy.db", &[])?
            .expect(4)
            .says("missing.db");
        copy(&workshop, word, "precious.txt", "copy.db", &[])?
            .expect(4)
            .says("not a ledger");
        copy(&workshop, word, "ledger.db", "no/such/folder/copy.db", &[])?.expect(4);
        run(workshop.countersign().args(["ledger", word, "--ledger", "ledger.db"]))?.expect(2);
    }
    assert_eq!(fs::read(workshop.root().join("precious.txt"))?, b"precious");
    assert_eq!(fs::read(workshop.ledger())?, before);
    assert!(!workshop.root().join("copy.db").exists());
    Ok(())
}

#[test]
fn damaged_ledger_is_backed_up_as_it_is_and_not_exported() -> Checked {
    let workshop = worked_workshop()?;
    let damaged = LedgerCopy::of(&workshop.ledger())?;
    damaged.change("DELETE FROM record WHERE seq = 3", [])?;
    let path = damaged.path();
    let path = path.to_str().ok_or("a path in Unicode")?;
    copy(&workshop, "export", path, "export.db", &[])?
        .expect(1)
        .says("damaged")
        .says("backup");
    assert!(!workshop.root().join("export.db").exists());
    copy(&workshop, "backup", path, "backup.db", &[])?.expect(0);
    judge(&workshop, "backup.db")?.expect(1);
    Ok(())
}

/// `countersign run --after OLD --ledger NEW`.
fn run_after(workshop: &Workshop, old: &Path, new: &str) -> Checked<Ran> {
    let old = old.to_str().ok_or("a path in Unicode")?;
    workshop.run(&["--policy", "policy.cedar", "--after", old, "--ledger", new])
}

/// The documents of `verify --json` over several ledgers.
fn judge_all(workshop: &Workshop, ledgers: &[&Path], code: i32) -> Checked<Vec<Value>> {
    let anchor = workshop.home().join("principal.did");
    let ledgers = ledgers.iter().map(|path| path.as_os_str());
    let arguments = ledgers.chain(["--trust".as_ref(), anchor.as_os_str(), "--json".as_ref()]);
    let ran = run_verify(arguments)?.expect(code);
    Ok(ran.stdout.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
}

#[test]
fn ledger_that_follows_another_is_verified_with_it() -> Checked {
    let workshop = worked_workshop()?;
    let (old, new) = (workshop.ledger(), workshop.root().join("second.db"));
    run_after(&workshop, &old, "second.db")?.expect(0);
    let stated = &log(&new)?[0]["body"]["predecessor"];
    assert_eq!(stated["size"], Stored::read(&old)?.records.len());
    let documents = judge_all(&workshop, &[&old, &new], 0)?;
    assert_eq!(documents[1]["predecessor"]["checked"], true, "{documents:?}");
    assert_eq!(documents[1]["predecessor"]["ledger"], documents[0]["ledger"]);
    // Alone it is as good, and says what it was not shown.
    let alone = judge_all(&workshop, &[&new], 0)?;
    assert_eq!(alone[0]["predecessor"]["checked"], false);
    Ok(())
}

#[test]
fn predecessor_that_was_cut_or_changed_is_named() -> Checked {
    let workshop = worked_workshop()?;
    let (old, new) = (workshop.ledger(), workshop.root().join("second.db"));
    run_after(&workshop, &old, "second.db")?.expect(0);
    let cut = LedgerCopy::of(&old)?;
    cut.change("DELETE FROM record WHERE seq = (SELECT max(seq) FROM record)", [])?;
    let documents = judge_all(&workshop, &[&cut.path(), &new], 1)?;
    let findings = documents[1]["findings"].as_array().ok_or("findings")?;
    assert!(
        findings
            .iter()
            .any(|finding| finding["code"] == "I8" && finding["entry"] == 0),
        "{documents:?}"
    );
    let changed = LedgerCopy::of(&old)?;
    changed.change(
        "UPDATE record SET bytes = zeroblob(octet_length(bytes)) WHERE seq = 4",
        [],
    )?;
    judge_all(&workshop, &[&changed.path(), &new], 1)?;
    Ok(())
}

#[test]
fn only_a_closed_and_sound_ledger_of_the_same_principal_is_followed() -> Checked {
    let workshop = worked_workshop()?;
    let old = workshop.ledger();
    let cut = LedgerCopy::of(&old)?;
    cut.change("DELETE FROM record WHERE seq = (SELECT max(seq) FROM record)", [])?;
    run_after(&workshop, &cut.path(), "second.db")?.expect(1);
    let changed = LedgerCopy::of(&old)?;
    changed.change(
        "UPDATE record SET bytes = zeroblob(octet_length(bytes)) WHERE seq = 4",
        [],
    )?;
    run_after(&workshop, &changed.path(), "second.db")?
        .expect(1)
        .says("entry 4")
        .says("verify");
    let other = story().ledger();
    run_after(&workshop, &other, "second.db")?
        .expect(1)
        .says("another principal");
    run_after(&workshop, &workshop.root().join("missing.db"), "second.db")?
        .expect(4)
        .says("missing.db");
    run_after(&workshop, &workshop.root().join("policy.cedar"), "second.db")?
        .expect(4)
        .says("not a ledger");
    assert!(!workshop.root().join("second.db").exists(), "nothing was begun");
    run_after(&workshop, &old, "ledger.db")?
        .expect(2)
        .says("exists already");
    workshop.verdict()?.expect(0);
    Ok(())
}

#[test]
fn ledger_that_is_still_open_is_not_followed() -> Checked {
    let workshop = waiting_workshop()?;
    let mut command = workshop.run_command(&["--policy", "policy.cedar"]);
    let mut running = Running::start(command.stdout(Stdio::null()).stderr(Stdio::null()))?;
    running.wait_for("the command", || workshop.work().join("started").exists())?;
    run_after(&workshop, &workshop.ledger(), "second.db")?
        .expect(1)
        .says("still open")
        .says("--ledger");
    running.kill()?;
    run_after(&workshop, &workshop.ledger(), "second.db")?
        .expect(1)
        .says("still open");
    assert!(!workshop.root().join("second.db").exists());
    Ok(())
}
