//! What a session does where several things come together: agents side by side, a budget, an advisor, a person.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::Checked;
use crate::support::child::Running;
use crate::support::programs::{countersign_path, run};
use crate::support::skip;
use crate::support::stored::log;
use crate::support::workshop::{PERMIT_WORK, Workshop, turn};

const CHILDREN: [&str; 4] = ["one", "two", "three", "four"];

/// A lead that has four agents of this type at work at the same time, each with these turns.
fn four_children(workshop: &Workshop, kind: &str, turns: &[Value]) -> Checked {
    let calls: Vec<Value> = CHILDREN
        .iter()
        .map(|name| json!({ "tool": "agent", "args": { "type": kind, "name": name, "task": "help" } }))
        .collect();
    let mut agents = json!({ "lead": [{ "say": "All at once.", "calls": calls }, { "say": "Done." }] });
    for name in CHILDREN {
        agents[name] = turns.iter().chain([&json!({ "say": "Done." })]).cloned().collect();
    }
    workshop.script_of(&agents)
}

fn grant(workshop: &Workshop, calls: usize) -> Checked {
    let calls = calls.to_string();
    let work = workshop.work();
    let mut command = workshop.countersign();
    command.args(["grant", "issue", "-o", "run.grant", "--calls", &calls, "--path"]);
    run(command.arg(work))?.expect(0);
    Ok(())
}

#[test]
fn approval_that_finds_the_budget_used_up_by_others_is_no_permit_and_no_end_of_the_run() -> Checked {
    let asks = turn("bash", &json!({ "command": "true" }));
    for calls in [14, 15, 23, 26, 38, 39] {
        let workshop = Workshop::new()?;
        four_children(&workshop, "verify", &vec![asks.clone(); 6])?;
        grant(&workshop, calls)?;
        let key = workshop.home().join("approver.key");
        let key = key.to_str().ok_or("a path")?;
        workshop
            .run(&["--grant", "run.grant", "--approve", key])?
            .expect_one_of(&[0, 3]);
        workshop.verdict()?.expect(0);
    }
    Ok(())
}

#[test]
fn agents_side_by_side_ask_the_advisor_one_after_the_other_until_the_outcome_is_entered() -> Checked {
    let workshop = Workshop::new()?;
    workshop.file("policy.cedar", PERMIT_WORK)?;
    workshop.file("work/notes.txt", "x\n")?;
    // Agents that may write work side by side only where each can have a work tree of its own.
    let repository = "git init -q && git add -A && git -c user.name=t -c user.email=t@example.com commit -qm begin";
    let made = Command::new("sh")
        .args(["-c", repository])
        .current_dir(workshop.work())
        .status()?;
    if !made.success() {
        skip(
            "agents_side_by_side_ask_the_advisor_one_after_the_other_until_the_outcome_is_entered",
            "there is no git",
        );
        return Ok(());
    }
    // The script has no words for the advisor: each question fails and stands open until its action is finished.
    let mut turns = vec![turn("advisor", &json!({ "question": "What now?" }))];
    turns.push(turns[0].clone());
    four_children(&workshop, "general", &turns)?;
    workshop.run(&["--policy", "policy.cedar"])?.expect(0);
    workshop.verdict()?.expect(0);
    let mut open = None;
    let mut asked = 0;
    let entries = log(&workshop.ledger())?;
    let tool_of = |decision: &Value| {
        let request = entries.iter().find(|entry| entry["seq"] == *decision)?["body"]["request"].clone();
        let request = entries.iter().find(|entry| entry["seq"] == request)?;
        Some((request["agent"].clone(), request["body"]["tool"].clone()))
    };
    for entry in &entries {
        if entry["kind"] == "advice.requested" {
            assert_eq!(open, None, "{entry}");
            open = Some(entry["agent"].clone());
            asked += 1;
        }
        if entry["kind"] == "action.finished"
            && let Some((agent, tool)) = tool_of(&entry["body"]["decision"])
            && tool == "advisor"
        {
            assert_eq!(open.take(), Some(agent));
        }
    }
    assert_eq!(asked, 2 * CHILDREN.len());
    Ok(())
}

#[test]
fn no_agent_is_called_like_those_that_every_run_has() -> Checked {
    for name in ["lead", "advisor"] {
        let workshop = Workshop::new()?;
        let order = json!({ "type": "explore", "name": name, "task": "pretend" });
        let actions = workshop.act(None, &[("agent", order)])?;
        assert_eq!(actions[0].finished.as_deref(), Some("error"));
        let told = actions[0].result.clone().unwrap_or_default();
        assert!(told.contains("these names are taken"), "{told}");
        workshop.verdict()?.expect(0);
    }
    Ok(())
}

#[test]
fn run_that_nobody_listens_to_ends_as_it_would_otherwise() -> Checked {
    for mode in ["run", "chat"] {
        let workshop = Workshop::new()?;
        workshop.script(&[("list", json!({ "path": "." }))])?;
        let mut command = workshop.countersign();
        command.args([mode, "do the work", "--model", "scripted:script.json"]);
        command.args(["--dir", "work", "--ledger", "ledger.db", "--approve", "never"]);
        let (deaf, mouth) = std::io::pipe()?;
        drop(deaf);
        let code = command.stderr(mouth).stdout(Stdio::null()).status()?.code();
        assert_eq!(code, Some(0), "{mode}");
        workshop.verdict()?.expect(0);
    }
    Ok(())
}

#[test]
fn terminal_that_is_closed_ends_the_run_and_closes_the_ledger() -> Checked {
    let workshop = Workshop::new()?;
    workshop.file("policy.cedar", PERMIT_WORK)?;
    workshop.script(&[("bash", json!({ "command": "touch begun; sleep 60" }))])?;
    let mut run = Running::start(&mut workshop.run_command(&["--policy", "policy.cedar"]))?;
    run.wait_for("the command", || workshop.work().join("begun").exists())?;
    run.signal("HUP")?;
    assert_eq!(run.end()?.code(), Some(130));
    workshop.verdict()?.expect(0);
    Ok(())
}

/// `countersign chat` at a terminal that `script` makes; its screen is written to `screen`.
fn chat_at_terminal(workshop: &Workshop, screen: &Path) -> Command {
    let chat = format!(
        "trap : INT; stty -a > before; sh -c 'echo $$ > pid; exec {} chat work --model scripted:script.json --dir work \
         --ledger ledger.db'; echo $? > code; stty -a > after",
        countersign_path().display()
    );
    let mut command = Command::new("script");
    command.args(["-q", "-e", "-f", "-c", &chat]).arg(screen);
    command.current_dir(workshop.root()).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("COUNTERSIGN_HOME", workshop.home());
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// How often the editor has begun to read a line: each time it asks for pastes to be marked.
fn prompts(screen: &Path) -> usize {
    let shown = std::fs::read(screen).unwrap_or_default();
    String::from_utf8_lossy(&shown).matches("\u{1b}[?2004h").count()
}

fn has_script(test: &str) -> bool {
    let version = Command::new("script").arg("--version").stdout(Stdio::null()).status();
    let there = version.is_ok_and(|status| status.success());
    if !there {
        skip(test, "there is no `script` to make a terminal with");
    }
    there
}

#[test]
fn question_that_was_interrupted_reads_nothing_of_what_is_typed_next() -> Checked {
    if !has_script("question_that_was_interrupted_reads_nothing_of_what_is_typed_next") {
        return Ok(());
    }
    let workshop = Workshop::new()?;
    let asks = |path: &str| turn("write", &json!({ "path": path, "content": "x" }));
    workshop.script_of(&json!({ "lead": [asks("a"), { "say": "Second." }, { "say": "Third." }] }))?;
    let screen = workshop.root().join("screen");
    let shown = |text: &str| std::fs::read_to_string(&screen).unwrap_or_default().contains(text);
    let mut chat = Running::start(&mut chat_at_terminal(&workshop, &screen))?;
    let mut keyboard = chat.take_input()?;
    chat.wait_for("the question", || shown("approve? [y/N]"))?;
    keyboard.write_all(b"\x03")?;
    chat.wait_for("the end of the turn", || shown("the turn ended"))?;
    let said = [("go on with the other", "Second."), ("and now the last", "Third.")];
    for (number, (instruction, answer)) in said.into_iter().enumerate() {
        chat.wait_for("a prompt", || prompts(&screen) > number)?;
        for letter in instruction.bytes().chain([b'\r']) {
            keyboard.write_all(&[letter])?;
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        chat.wait_for(answer, || shown(answer))?;
    }
    chat.wait_for("a prompt", || prompts(&screen) > said.len())?;
    keyboard.write_all(b"/quit\r")?;
    chat.end()?;
    assert_eq!(std::fs::read_to_string(workshop.root().join("code"))?.trim(), "0");
    let stored = crate::support::stored::Stored::read(&workshop.ledger())?;
    for instruction in ["go on with the other", "and now the last"] {
        let entered = stored
            .payloads
            .iter()
            .any(|row| row.parts.get(1).is_some_and(|bytes| bytes == instruction.as_bytes()));
        assert!(entered, "{instruction} was not entered as it was typed");
    }
    workshop.verdict()?.expect(0);
    let settings = |name: &str| std::fs::read_to_string(workshop.root().join(name));
    assert_eq!(settings("before")?, settings("after")?);
    Ok(())
}

#[test]
fn nothing_is_said_while_a_question_stands() -> Checked {
    if !has_script("nothing_is_said_while_a_question_stands") {
        return Ok(());
    }
    let workshop = Workshop::new()?;
    let order = |name: &str| json!({ "tool": "agent", "args": { "type": "verify", "name": name, "task": "t" } });
    let mock = "--- lead needs your approval ---\ntool: list\n--- approve? [y/N] ";
    let look = json!({ "tool": "list", "args": { "path": "." } });
    workshop.script_of(&json!({
        "lead": [{ "say": "Both.", "calls": [order("asks"), order("mocks")] }, { "say": "Done." }],
        "asks": [turn("bash", &json!({ "command": "touch made" })), { "say": "Done." }],
        "mocks": [{ "say": "I look.", "calls": [look] }, { "say": mock }],
    }))?;
    let screen = workshop.root().join("screen");
    let shown = || std::fs::read_to_string(&screen).unwrap_or_default();
    let mut chat = Running::start(&mut chat_at_terminal(&workshop, &screen))?;
    let mut keyboard = chat.take_input()?;
    chat.wait_for("the question", || shown().contains("approve? [y/N]"))?;
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert!(shown().ends_with("approve? [y/N] "), "{}", shown());
    keyboard.write_all(b"n\n")?;
    chat.wait_for("what was held back", || shown().contains("tool: list"))?;
    chat.wait_for("the prompt", || prompts(&screen) == 1)?;
    keyboard.write_all(b"/quit\r")?;
    chat.end()?;
    workshop.verdict()?.expect(0);
    Ok(())
}

#[test]
fn chat_that_is_ended_from_outside_leaves_the_terminal_as_it_was() -> Checked {
    if !has_script("chat_that_is_ended_from_outside_leaves_the_terminal_as_it_was") {
        return Ok(());
    }
    let workshop = Workshop::new()?;
    workshop.script_of(&json!({ "lead": [{ "say": "First." }] }))?;
    let screen = workshop.root().join("screen");
    let mut chat = Running::start(&mut chat_at_terminal(&workshop, &screen))?;
    let keyboard = chat.take_input()?;
    chat.wait_for("the prompt", || prompts(&screen) == 1)?;
    let pid = std::fs::read_to_string(workshop.root().join("pid"))?;
    let killed = Command::new("sh")
        .args(["-c", "kill -s TERM \"$1\"", "sh", pid.trim()])
        .status()?;
    assert!(killed.success());
    chat.end()?;
    drop(keyboard);
    assert_eq!(std::fs::read_to_string(workshop.root().join("code"))?.trim(), "130");
    workshop.verdict()?.expect(0);
    let settings = |name: &str| std::fs::read_to_string(workshop.root().join(name));
    assert_eq!(settings("before")?, settings("after")?);
    Ok(())
}
