//! A conversation: one run and one ledger, a turn for each thing a person says.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::Checked;
use crate::support::child::Running;
use crate::support::programs::Ran;
use crate::support::stored::{Stored, log};
use crate::support::workshop::{PERMIT_WORK, Workshop};

/// `countersign chat` with plain lines for input.
fn chat(workshop: &Workshop, more: &[&str]) -> Command {
    let mut command = workshop.countersign();
    command.args([
        "chat",
        "--model",
        "scripted:script.json",
        "--dir",
        "work",
        "--ledger",
        "ledger.db",
    ]);
    command.args(more);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Says these lines, closes the input and waits for the end.
fn converse(workshop: &Workshop, more: &[&str], lines: &[&str]) -> Checked<Ran> {
    let mut child = chat(workshop, more).spawn()?;
    let mut input = child.stdin.take().ok_or("an input")?;
    for line in lines {
        writeln!(input, "{line}")?;
    }
    drop(input);
    let output = child.wait_with_output()?;
    Ran::of(output, "countersign chat")
}

fn two_turns() -> Checked<Workshop> {
    let workshop = Workshop::new()?;
    workshop.file("work/notes.txt", "The answer is 42.\n")?;
    let look = json!({ "tool": "read", "args": { "path": "notes.txt" } });
    workshop.script_of(&json!({ "lead": [
        { "say": "I look.", "calls": [look] }, { "say": "It is 42." }, { "say": "You are welcome." },
    ] }))?;
    Ok(workshop)
}

fn kinds<'a>(entries: &'a [Value], kind: &str) -> Vec<&'a Value> {
    entries.iter().filter(|entry| entry["kind"] == kind).collect()
}

#[test]
fn each_instruction_is_a_turn_of_one_run_and_an_entry_of_its_ledger() -> Checked {
    let workshop = two_turns()?;
    let ran = converse(&workshop, &[], &["what do the notes say?", "", "thank you"])?.expect(0);
    assert!(
        ran.stdout.contains("It is 42.") && ran.stdout.contains("You are welcome."),
        "{ran}"
    );
    let entries = log(&workshop.ledger())?;
    let instructions = kinds(&entries, "session.event");
    let [instruction] = instructions.as_slice() else {
        return Err(format!("{} events", instructions.len()).into());
    };
    assert_eq!(instruction["body"]["code"], "instruction");
    let seq = instruction["seq"].as_u64().ok_or("a seq")?;
    assert_eq!(
        Stored::read(&workshop.ledger())?.payload(seq, 0),
        Some(&b"thank you"[..])
    );
    assert_eq!(kinds(&entries, "run.started").len(), 1);
    assert_eq!(kinds(&entries, "run.ended")[0]["body"]["reason"], "done");
    workshop.verdict()?.expect(0);
    Ok(())
}

#[test]
fn each_question_enters_only_what_is_new() -> Checked {
    let workshop = two_turns()?;
    converse(&workshop, &[], &["what do the notes say?", "thank you"])?.expect(0);
    let entries = log(&workshop.ledger())?;
    let stored = Stored::read(&workshop.ledger())?;
    let mut before = Value::Null;
    let mut said = Vec::new();
    for call in kinds(&entries, "model.called") {
        let seq = call["seq"].as_u64().ok_or("a seq")?;
        let document: Value = serde_json::from_slice(stored.payload(seq, 0).ok_or("a request")?)?;
        assert_eq!(document["after"], before, "each names the one before it");
        before = seq.into();
        said.extend(document["messages"].as_array().cloned().unwrap_or_default());
    }
    let roles: Vec<_> = said
        .iter()
        .map(|message| message["role"].as_str().unwrap_or_default())
        .collect();
    assert_eq!(
        roles,
        ["user", "tools", "user"],
        "together they are the conversation, once"
    );
    Ok(())
}

#[test]
fn commands_tell_cost_agents_and_ledger_and_reach_no_model() -> Checked {
    let workshop = two_turns()?;
    let lines = [
        "/help",
        "what do the notes say?",
        "/cost",
        "/agents",
        "/ledger",
        "/nonsense",
        "/quit",
    ];
    let ran = converse(&workshop, &[], &lines)?.expect(0);
    for told in [
        "Ctrl-C once stops the turn",
        "in all",
        "did:peer:4",
        "ledger.db",
        "there is no /nonsense",
    ] {
        assert!(ran.stderr.contains(told), "{told:?} is missing\n{ran}");
    }
    let entries = log(&workshop.ledger())?;
    assert!(kinds(&entries, "session.event").is_empty());
    assert_eq!(kinds(&entries, "model.called").len(), 2);
    Ok(())
}

#[test]
fn who_says_nothing_begins_no_run() -> Checked {
    let workshop = two_turns()?;
    for lines in [&[][..], &["/quit"], &["", "/agents"]] {
        converse(&workshop, &[], lines)?.expect(0);
        assert!(!workshop.ledger().exists());
    }
    Ok(())
}

#[test]
fn failed_turn_is_told_and_the_conversation_goes_on() -> Checked {
    let workshop = Workshop::new()?;
    workshop.script_of(&json!({ "lead": [{ "error": "overloaded" }, { "say": "Now it works." }] }))?;
    let ran = converse(&workshop, &[], &["go", "again"])?.expect(0);
    assert!(
        ran.stderr.contains("the turn ended: failed") && ran.stdout.contains("Now it works."),
        "{ran}"
    );
    workshop.verdict()?.expect(0);
    Ok(())
}

#[test]
fn ctrl_c_once_stops_the_turn_and_twice_the_run() -> Checked {
    let workshop = Workshop::new()?;
    let sleep = |number: u8| json!({ "tool": "bash", "args": { "command": format!("touch begun{number}; sleep 20") } });
    workshop.script_of(&json!({ "lead": [
        { "say": "One.", "calls": [sleep(1)] }, { "say": "Two.", "calls": [sleep(2)] }, { "say": "Never said." },
    ] }))?;
    workshop.file("policy.cedar", PERMIT_WORK)?;
    let mut command = chat(&workshop, &["--policy", "policy.cedar"]);
    let mut running = Running::start(command.stdout(Stdio::null()).stderr(Stdio::null()))?;
    let mut input = running.take_input()?;
    writeln!(input, "first")?;
    running.wait_for("the first command", || workshop.work().join("begun1").exists())?;
    running.signal("INT")?;
    writeln!(input, "second")?;
    running.wait_for("the second command", || workshop.work().join("begun2").exists())?;
    running.signal("INT")?;
    running.signal("INT")?;
    assert_eq!(running.end()?.code(), Some(130));

    let entries = log(&workshop.ledger())?;
    let events: Vec<_> = kinds(&entries, "session.event")
        .iter()
        .map(|event| &event["body"]["code"])
        .collect();
    assert_eq!(events[..2], ["interrupted", "instruction"], "{events:?}");
    assert_eq!(
        entries.last().map(|entry| &entry["kind"]),
        Some(&json!("ledger.closed"))
    );
    assert_eq!(kinds(&entries, "run.ended")[0]["body"]["reason"], "interrupted");
    let finished: Vec<_> = kinds(&entries, "action.finished")
        .iter()
        .map(|end| &end["body"]["outcome"])
        .collect();
    assert_eq!(finished, ["aborted", "aborted"]);
    workshop.verdict()?.expect(0);
    Ok(())
}
