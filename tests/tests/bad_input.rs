//! Bad input ends a run before it begins, with a word about it and the right exit code: no tool runs, nothing is lost.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::support::Checked;
use crate::support::namespace::Namespace;
use crate::support::programs::{Ran, countersign_path};
use crate::support::story::story;
use crate::support::workshop::{PERMIT_WORK, Workshop};

/// A workshop whose script makes a file as soon as it may.
fn eager_workshop() -> Checked<Workshop> {
    let workshop = Workshop::new()?;
    eager_script(&workshop)?;
    Ok(workshop)
}

fn eager_script(workshop: &Workshop) -> Checked {
    workshop.file("permit.cedar", PERMIT_WORK)?;
    workshop.script(&[
        ("list", json!({ "path": "." })),
        ("write", json!({ "path": "made.txt", "content": "made" })),
    ])
}

/// Fails unless nothing happened: no tool ran and nothing lies where the ledger was to be.
#[track_caller]
fn nothing_happened(workshop: &Workshop, ran: &Ran) -> Checked {
    assert!(!workshop.work().join("made.txt").exists(), "a tool ran: {ran}");
    for entry in fs::read_dir(workshop.root())? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        assert!(!name.contains("ledger.db"), "{name} was left behind: {ran}");
    }
    assert!(!ran.stderr.is_empty(), "no word about it: {ran}");
    assert!(!ran.stderr.contains("panicked"), "{ran}");
    Ok(())
}

#[test]
fn no_principal_names_the_command_that_makes_one() -> Checked {
    let workshop = Workshop::without_principal()?;
    eager_script(&workshop)?;
    let ran = workshop
        .run(&["--policy", "permit.cedar"])?
        .expect(4)
        .says("countersign init");
    nothing_happened(&workshop, &ran)
}

#[test]
fn damaged_keys_are_an_environment_error() -> Checked {
    for name in ["host.key", "principal.did"] {
        for content in ["", "{}", "not a key"] {
            let workshop = eager_workshop()?;
            fs::write(workshop.home().join(name), content)?;
            let ran = workshop.run(&["--policy", "permit.cedar"])?;
            assert_eq!(ran.code, Some(4), "{name} {content:?}: {ran}");
            nothing_happened(&workshop, &ran)?;
        }
    }
    Ok(())
}

#[test]
fn unknown_models_are_refused() -> Checked {
    let workshop = eager_workshop()?;
    workshop.file(
        "broken.json",
        "{\"schema\": \"countersign.script/v1\", \"agents\": {\"lead\": [",
    )?;
    workshop.file(
        "other.json",
        "{\"schema\": \"countersign.script/v9\", \"agents\": {\"lead\": []}}",
    )?;
    workshop.file("nobody.json", "{\"schema\": \"countersign.script/v1\", \"agents\": {}}")?;
    workshop.file("empty.json", "")?;
    for model in [
        "nonsense",
        "",
        "scripted:",
        "scripted:missing.json",
        "scripted:broken.json",
        "scripted:other.json",
        "scripted:nobody.json",
        "scripted:empty.json",
        "scripted:work",
    ] {
        let mut command = workshop.countersign();
        command.args([
            "run",
            "task",
            "--model",
            model,
            "--dir",
            "work",
            "--ledger",
            "ledger.db",
            "--approve",
            "never",
        ]);
        let ran = crate::support::programs::run(&mut command)?;
        assert!(ran.code.is_some_and(|code| [2, 4].contains(&code)), "{model:?}: {ran}");
        nothing_happened(&workshop, &ran)?;
    }
    Ok(())
}

#[test]
fn policies_that_cannot_be_taken_are_an_environment_error() -> Checked {
    let workshop = eager_workshop()?;
    workshop.file("empty.cedar", "")?;
    workshop.file("comment.cedar", "// permit (principal, action, resource);\n")?;
    workshop.file("invalid.cedar", "permit everything")?;
    workshop.file(
        "unknown.cedar",
        "permit (principal, action == Action::\"teleport\", resource);",
    )?;
    workshop.file("half.cedar", PERMIT_WORK.split_at(PERMIT_WORK.len() / 2).0)?;
    workshop.file("binary.cedar", b"permit (principal, action, resource); // \xff\xfe")?;
    for policy in [
        "missing.cedar",
        "empty.cedar",
        "comment.cedar",
        "invalid.cedar",
        "unknown.cedar",
        "half.cedar",
        "binary.cedar",
        "work",
    ] {
        let ran = workshop.run(&["--policy", policy])?;
        assert_eq!(ran.code, Some(4), "{policy}: {ran}");
        assert!(ran.stderr.contains(policy), "the file is named: {ran}");
        nothing_happened(&workshop, &ran)?;
    }
    Ok(())
}

#[test]
fn grants_that_are_none_are_an_environment_error() -> Checked {
    let workshop = eager_workshop()?;
    workshop.file("empty.grant", "")?;
    workshop.file("object.grant", "{}")?;
    workshop.file("text.grant", "let them do as they please")?;
    let host_key = fs::read(workshop.home().join("host.key"))?;
    workshop.file("key.grant", host_key)?;
    for grant in [
        "missing.grant",
        "empty.grant",
        "object.grant",
        "text.grant",
        "key.grant",
        "work",
    ] {
        let ran = workshop.run(&["--policy", "permit.cedar", "--grant", grant])?;
        assert_eq!(ran.code, Some(4), "{grant}: {ran}");
        nothing_happened(&workshop, &ran)?;
    }
    Ok(())
}

#[test]
fn approver_keys_that_are_none_are_an_environment_error() -> Checked {
    let workshop = eager_workshop()?;
    workshop.file("empty.key", "")?;
    for key in ["missing.key", "empty.key", "permit.cedar", "home/host.key", "work"] {
        let ran = workshop.run(&["--approve", key])?;
        assert!(ran.code.is_some_and(|code| [2, 4].contains(&code)), "{key}: {ran}");
        nothing_happened(&workshop, &ran)?;
    }
    Ok(())
}

#[test]
fn existing_files_are_never_made_a_ledger() -> Checked {
    let workshop = eager_workshop()?;
    let junk = workshop.file("junk", "my only copy")?;
    let empty = workshop.file("empty", "")?;
    let closed = workshop.root().join("closed");
    fs::copy(story().ledger(), &closed)?;
    for path in [junk, empty, closed] {
        let before = fs::read(&path)?;
        let name = path.display().to_string();
        let ran = workshop
            .run(&["--policy", "permit.cedar", "--ledger", &name])?
            .expect_one_of(&[2, 4]);
        assert!(before == fs::read(&path)?, "{name} was changed: {ran}");
        nothing_happened(&workshop, &ran)?;
    }
    Ok(())
}

#[test]
fn places_where_no_ledger_can_be_made_are_an_environment_error() -> Checked {
    let workshop = eager_workshop()?;
    workshop.file("file", "no folder")?;
    for ledger in ["file/ledger", "no/such/folder/ledger", "work", "/proc/ledger"] {
        let ran = workshop.run(&["--policy", "permit.cedar", "--ledger", ledger])?;
        assert!(ran.code.is_some_and(|code| [2, 4].contains(&code)), "{ledger}: {ran}");
        nothing_happened(&workshop, &ran)?;
    }
    Ok(())
}

#[test]
fn read_only_folder_for_the_ledger_is_an_environment_error() -> Checked {
    let workshop = eager_workshop()?;
    let folder = workshop.root().join("read-only");
    fs::create_dir(&folder)?;
    // A read-only mount, because root may write into a read-only folder.
    let script = r#"mount --bind "$1/read-only" "$1/read-only" && mount -o remount,bind,ro "$1/read-only" || exit 99
        cd "$1" && COUNTERSIGN_HOME=home exec "$2" run task --model scripted:script.json --dir work \
            --policy permit.cedar --approve never --ledger read-only/ledger.db"#;
    let arguments = [workshop.root().to_owned(), countersign_path()];
    let name = "read_only_folder_for_the_ledger_is_an_environment_error";
    if let Some(ran) = Namespace::Mounts.run(name, script, arguments)? {
        let ran = ran.expect(4);
        nothing_happened(&workshop, &ran)?;
        assert_eq!(fs::read_dir(folder)?.count(), 0);
    }
    Ok(())
}

#[test]
fn workspaces_that_are_none_are_refused() -> Checked {
    let workshop = eager_workshop()?;
    for folder in ["missing", "script.json"] {
        let mut command = workshop.countersign();
        command.args([
            "run",
            "task",
            "--model",
            "scripted:script.json",
            "--dir",
            folder,
            "--ledger",
            "ledger.db",
        ]);
        let ran = crate::support::programs::run(&mut command)?;
        assert!(ran.code.is_some_and(|code| [2, 4].contains(&code)), "{folder}: {ran}");
        nothing_happened(&workshop, &ran)?;
    }
    Ok(())
}

#[test]
fn wrong_arguments_are_usage() -> Checked {
    let workshop = eager_workshop()?;
    for arguments in [
        &[][..],
        &["frobnicate"],
        &["run"],
        &["run", "task", "--frobnicate"],
        &["ledger"],
        &["ledger", "show"],
    ] {
        let ran = crate::support::programs::run(workshop.countersign().args(arguments))?;
        assert_eq!(ran.code, Some(2), "{arguments:?}: {ran}");
        nothing_happened(&workshop, &ran)?;
    }
    Ok(())
}

/// Six good turns, then one that the model cannot deliver.
#[test]
fn error_in_turn_seven_fails_the_run_and_closes_the_ledger() -> Checked {
    let workshop = Workshop::new()?;
    let mut turns: Vec<_> = (1..=6)
        .map(|turn| crate::support::workshop::turn("write", &json!({ "path": format!("{turn}.txt"), "content": "x" })))
        .collect();
    turns.push(json!({ "error": "the model is overloaded" }));
    workshop.script_of(&json!({ "lead": turns }))?;
    workshop.file("policy.cedar", PERMIT_WORK)?;
    let ran = workshop.run(&["--policy", "policy.cedar"])?.expect(1);
    assert!(!ran.stderr.is_empty(), "{ran}");
    for turn in 1..=6 {
        assert!(
            workshop.work().join(format!("{turn}.txt")).is_file(),
            "turn {turn}: {ran}"
        );
    }
    let entries = crate::support::stored::log(&workshop.ledger())?;
    assert_eq!(
        entries.last().map(|entry| &entry["kind"]),
        Some(&"ledger.closed".into())
    );
    let ended = entries
        .iter()
        .find(|entry| entry["kind"] == "run.ended")
        .ok_or("the run has no end")?;
    assert_eq!(ended["body"]["reason"], "failed");
    let verdict = workshop.verdict()?;
    assert!([0, 3].contains(&verdict.code()), "{}", verdict.ran);
    assert!(!Path::new(&format!("{}-wal", workshop.ledger().display())).exists());
    Ok(())
}
