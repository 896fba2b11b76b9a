//! What scripts rely on: versions, help, JSON, exit codes, and no terminal codes where there is no terminal.

use serde_json::{Value, json};

use crate::support::Checked;
use crate::support::programs::{Ran, countersign, run, run_countersign, run_verify, verify};
use crate::support::stored::{Stored, log};
use crate::support::story::story;
use crate::support::workshop::Workshop;

/// Runs `countersign ledger …` over the demo.
fn ledger(arguments: &[&str]) -> Checked<Ran> {
    run(countersign()
        .arg("ledger")
        .args(arguments)
        .arg("--ledger")
        .arg(story().ledger()))
}

#[test]
fn both_programs_state_one_version() -> Checked {
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        run_countersign(["--version"])?.expect(0).stdout,
        format!("countersign {version}\n")
    );
    assert_eq!(
        run_verify(["--version"])?.expect(0).stdout,
        format!("verify {version}\n")
    );
    Ok(())
}

#[test]
fn help_is_a_result_and_names_every_command() -> Checked {
    let help = run_countersign(["--help"])?.expect(0).stdout;
    for command in ["demo", "init", "run", "chat", "verify", "ledger", "tools"] {
        assert!(help.contains(command), "{command} is not in\n{help}");
    }
    let help = run_verify(["--help"])?.expect(0).stdout;
    for option in ["--trust", "--head", "--explain", "--json"] {
        assert!(help.contains(option), "{option} is not in\n{help}");
    }
    for command in ["demo", "init", "run", "ledger", "tools"] {
        run_countersign([command, "--help"])?.expect(0);
    }
    Ok(())
}

#[test]
fn nothing_but_a_terminal_gets_terminal_codes() -> Checked {
    let workshop = Workshop::without_principal()?;
    for no_color in [true, false] {
        let mut commands = [countersign(), countersign(), countersign(), verify(), verify()];
        commands[0].arg("--help");
        commands[1]
            .args(["run", "task", "--model", "nonsense"])
            .env("COUNTERSIGN_HOME", workshop.home());
        commands[2].args(["ledger", "log", "--ledger"]).arg(story().ledger());
        commands[3].arg(story().ledger()).arg("--explain");
        commands[4].arg("/nowhere");
        for command in &mut commands {
            command.env("TERM", "xterm-256color").current_dir(workshop.root());
            if no_color {
                command.env("NO_COLOR", "1");
            }
            let ran = run(command)?;
            assert!(!ran.stdout.contains('\x1b') && !ran.stderr.contains('\x1b'), "{ran}");
        }
    }
    Ok(())
}

/// A model's words can tell a terminal to hide what happens.
#[test]
fn terminal_codes_of_a_model_are_never_printed() -> Checked {
    let workshop = Workshop::new()?;
    let evil = "\u{1b}[2J\u{1b}]0;all is well\u{7}\u{202e}\u{9b}31m\r";
    let calls = json!([
        { "tool": "bash", "args": { "command": format!("true {evil}") } },
        { "tool": "read", "args": { "path": format!("no{evil}.txt") } }
    ]);
    workshop.script_of(&json!({ "lead": [{ "say": format!("Look: {evil}"), "calls": calls }, { "say": evil }] }))?;
    let mut shown = vec![workshop.run(&["--approve", "home/approver.key"])?.expect(0)];
    workshop.verdict()?.expect(0);
    let ledger = workshop.ledger();
    let entries = log(&ledger)?.len();
    shown.push(run(countersign().args(["ledger", "log", "--ledger"]).arg(&ledger))?.expect(0));
    for entry in 0..entries {
        let entry = entry.to_string();
        shown.push(
            run(countersign()
                .args(["ledger", "show", entry.as_str(), "--ledger"])
                .arg(&ledger))?
            .expect(0),
        );
    }
    shown.push(run(verify().arg(&ledger).arg("--explain"))?.expect(3));
    for ran in shown {
        for code in ['\u{1b}', '\u{7}', '\u{202e}', '\u{9b}', '\r'] {
            assert!(
                !ran.stdout.contains(code) && !ran.stderr.contains(code),
                "{code:?} in {:?} {:?}",
                ran.stdout,
                ran.stderr
            );
        }
    }
    Ok(())
}

#[test]
fn log_lines_have_the_documented_members_in_order() -> Checked {
    let entries = log(&story().ledger())?;
    assert_eq!(entries.len() as u64, Stored::read(&story().ledger())?.size());
    for (seq, entry) in entries.iter().enumerate() {
        assert_eq!(entry["schema"], "countersign.entry/v1");
        assert_eq!(entry["seq"], seq, "seq runs without gap");
        assert!(entry["kind"].as_str().is_some_and(|kind| kind.contains('.')), "{entry}");
        assert!(
            entry["by"]
                .as_str()
                .is_some_and(|did| did.starts_with("did:peer:4zQm") && did.len() < 100),
            "{entry}"
        );
        assert!(entry["agent"].is_string() && entry["body"].is_object(), "{entry}");
        let at = entry["at"].as_str().unwrap_or_default();
        assert!(at.len() == 24 && at.ends_with('Z') && at.as_bytes()[19] == b'.', "{at}");
    }
    Ok(())
}

#[test]
fn log_bodies_use_the_words_of_the_specification() -> Checked {
    let entries = log(&story().ledger())?;
    let with = |kind: &'static str| entries.iter().filter(move |entry| entry["kind"] == kind);
    assert!(with("action.requested").all(|entry| entry["body"]["tool"].is_string()));
    let outcomes = ["allow", "deny", "ask", "could-not-evaluate"];
    for decision in with("decision.made") {
        assert!(decision["body"]["request"].is_u64(), "{decision}");
        assert!(
            outcomes.iter().any(|outcome| decision["body"]["outcome"] == *outcome),
            "{decision}"
        );
    }
    for finished in with("action.finished") {
        assert!(
            finished["body"]["decision"].is_u64() && finished["body"]["outcome"].is_string(),
            "{finished}"
        );
    }
    let kinds: std::collections::BTreeSet<&str> = entries.iter().filter_map(|entry| entry["kind"].as_str()).collect();
    for kind in [
        "ledger.opened",
        "policy.adopted",
        "identity.introduced",
        "run.started",
        "model.called",
        "model.answered",
        "action.requested",
        "decision.made",
        "approval.entered",
        "action.finished",
        "advice.requested",
        "advice.given",
        "instance.stopped",
        "run.ended",
        "ledger.closed",
    ] {
        assert!(kinds.contains(kind), "{kind} is not in {kinds:?}");
    }
    Ok(())
}

#[test]
fn log_for_people_has_a_line_for_every_entry() -> Checked {
    let lines = ledger(&["log"])?.expect(0).stdout.lines().count() as u64;
    assert!(lines >= Stored::read(&story().ledger())?.size());
    Ok(())
}

#[test]
fn show_prints_an_entry_with_its_payloads() -> Checked {
    let entries = log(&story().ledger())?;
    let request = entries
        .iter()
        .find(|entry| entry["body"]["tool"] == "bash")
        .ok_or("no command")?;
    let number = request["seq"].to_string();
    ledger(&["show", &number])?
        .expect(0)
        .says("action.requested")
        .says("command");
    let shown: Value = serde_json::from_str(&ledger(&["show", &number, "--json"])?.expect(0).stdout)?;
    assert!(shown["schema"].is_string());
    assert!(shown.to_string().contains("command"), "{shown}");
    Ok(())
}

#[test]
fn show_of_no_entry_fails() -> Checked {
    ledger(&["show", "999999"])?.expect_one_of(&[1, 2, 4]);
    ledger(&["show", "-1"])?.expect(2);
    ledger(&["show", "ten"])?.expect(2);
    Ok(())
}

#[test]
fn head_is_the_last_checkpoint_byte_by_byte() -> Checked {
    let stored = Stored::read(&story().ledger())?;
    let last = stored.checkpoints.last().ok_or("no checkpoint")?;
    assert_eq!(last.key, stored.size(), "the last checkpoint covers everything");
    assert_eq!(ledger(&["head"])?.expect(0).stdout.as_bytes(), last.parts[0]);
    let head: Value = serde_json::from_str(&ledger(&["head", "--json"])?.expect(0).stdout)?;
    assert!(head["schema"].is_string());
    Ok(())
}

#[test]
fn ledger_commands_refuse_what_is_no_ledger() -> Checked {
    let workshop = Workshop::without_principal()?;
    let text = workshop.file("text", "no ledger")?;
    for command in [&["log"][..], &["log", "--json"], &["show", "0"], &["head"]] {
        run(countersign().arg("ledger").args(command).arg("--ledger").arg(&text))?.expect(4);
        run(countersign().arg("ledger").args(command).args(["--ledger", "/nowhere"]))?.expect(4);
    }
    Ok(())
}

#[test]
fn tools_are_listed_with_their_effects() -> Checked {
    let listed = run_countersign(["tools"])?.expect(0).stdout;
    let document: Value = serde_json::from_str(&run_countersign(["tools", "--json"])?.expect(0).stdout)?;
    assert!(document["schema"].is_string());
    let tools = document["tools"].as_array().ok_or("no list of tools")?;
    let names: Vec<&str> = tools.iter().filter_map(|tool| tool["name"].as_str()).collect();
    let expected = "read list glob grep write edit bash agent advisor web_fetch bash_start bash_read bash_stop merge todo \
                    ask_user tool_schema";
    assert_eq!(names.join(" "), expected);
    assert!(names.iter().all(|name| listed.contains(name)), "{listed}");
    let without = |tool: &&Value| tool["effects"].as_array().is_some_and(Vec::is_empty);
    let harmless: Vec<&str> = tools
        .iter()
        .filter(without)
        .filter_map(|tool| tool["name"].as_str())
        .collect();
    assert_eq!(harmless, ["todo", "tool_schema"]);
    Ok(())
}

#[test]
fn closed_output_is_no_panic() -> Checked {
    let script = r#""$1" ledger log --ledger "$2" | head -n 1"#;
    let mut command = std::process::Command::new("sh");
    command
        .args(["-c", script, "sh"])
        .arg(crate::support::programs::countersign_path())
        .arg(story().ledger());
    let ran = run(&mut command)?;
    assert!(!ran.stderr.contains("panicked"), "{ran}");
    Ok(())
}
