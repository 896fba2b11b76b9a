//! A person at a terminal is asked, and only a yes is a yes.
//!
//! The terminal is made by `script` (util-linux); where that is missing the tests are skipped by name.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::Checked;
use crate::support::actions::Action;
use crate::support::child::Running;
use crate::support::programs::countersign_path;
use crate::support::skip;
use crate::support::stored::log;
use crate::support::workshop::Workshop;

const QUESTION: &str = "approve? [y/N]";

/// What a run at a terminal came to.
struct Sitting {
    workshop: Workshop,
    code: Option<i32>,
    screen: String,
}

/// Lets the lead write one file, types `answers`, each to one question, and waits for the end.
fn sit(test: &str, answers: &[&str]) -> Checked<Option<Sitting>> {
    let version = Command::new("script").arg("--version").stdout(Stdio::null()).status();
    if !version.is_ok_and(|status| status.success()) {
        skip(test, "there is no `script` to make a terminal with");
        return Ok(None);
    }
    let workshop = Workshop::new()?;
    workshop.script(&[(
        "write",
        json!({ "path": "made.txt", "content": "made\u{202e}\u{1b}[2J" }),
    )])?;
    let screen = workshop.root().join("screen");
    let mut run = Running::start(&mut at_terminal(&workshop, &screen))?;
    let mut keyboard = run.take_input()?;
    for (number, answer) in answers.iter().enumerate() {
        run.wait_for("a question", || shown(&screen).matches(QUESTION).count() > number)?;
        keyboard.write_all(answer.as_bytes())?;
    }
    let code = run.end()?.code();
    Ok(Some(Sitting {
        code,
        screen: shown(&screen),
        workshop,
    }))
}

fn at_terminal(workshop: &Workshop, screen: &Path) -> Command {
    let run = format!(
        "exec {} run 'do the work' --model scripted:script.json --dir work --ledger ledger.db --approve ask",
        countersign_path().display()
    );
    let mut command = Command::new("script");
    command
        .args(["-q", "-e", "-f", "-c", &run])
        .arg(screen)
        .current_dir(workshop.root());
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("COUNTERSIGN_HOME", workshop.home());
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

fn shown(screen: &Path) -> String {
    // Not there yet, or in the middle of a character: nothing of interest stands there.
    std::fs::read_to_string(screen).unwrap_or_default()
}

impl Sitting {
    fn only_action(&self) -> Checked<Action> {
        let [action] = <[Action; 1]>::try_from(self.workshop.actions()?).map_err(|actions| format!("{actions:#?}"))?;
        Ok(action)
    }

    fn has_made_the_file(&self) -> bool {
        self.workshop.work().join("made.txt").exists()
    }

    /// The context of the approver's order.
    fn order(&self) -> Checked<Value> {
        let entries = log(&self.workshop.ledger())?;
        let approval = entries
            .iter()
            .find(|entry| entry["kind"] == "approval.entered")
            .ok_or("no approval")?;
        Ok(approval["body"]["order"]["doc"]["credentialSubject"].clone())
    }
}

#[test]
fn yes_at_the_terminal_permits_what_was_shown() -> Checked {
    let Some(sitting) = sit("yes_at_the_terminal_permits_what_was_shown", &["y\n"])? else {
        return Ok(());
    };
    assert_eq!(sitting.code, Some(0), "{}", sitting.screen);
    let action = sitting.only_action()?;
    assert_eq!(
        (action.outcome.as_deref(), action.verdict.as_deref()),
        (Some("ask"), Some("given")),
        "{action:?}"
    );
    assert!(sitting.has_made_the_file());
    let order = sitting.order()?;
    assert_eq!(
        (&order["verdict"], &order["presentation"]),
        (&"approve".into(), &"terminal".into()),
        "{order}"
    );
    for text in ["tool: write", "made.txt", "\\u{202e}"] {
        assert!(
            sitting.screen.contains(text),
            "{text:?} was not shown:\n{}",
            sitting.screen
        );
    }
    assert!(
        !sitting.screen.contains(['\u{202e}', '\u{1b}']),
        "the question obeys the agent:\n{}",
        sitting.screen
    );
    sitting.workshop.verdict()?.expect(0);
    Ok(())
}

#[test]
fn everything_but_a_yes_is_asked_again_or_a_no() -> Checked {
    for answers in [&["n\n"][..], &["\n"], &["perhaps\n", "N\n"], &["yy\n", " no \n"]] {
        let Some(sitting) = sit("everything_but_a_yes_is_asked_again_or_a_no", answers)? else {
            return Ok(());
        };
        assert_eq!(sitting.code, Some(0), "{answers:?}: {}", sitting.screen);
        let action = sitting.only_action()?;
        assert!(
            action.is_refused() && action.verdict.as_deref() == Some("refused"),
            "{answers:?}: {action:?}"
        );
        assert_eq!(sitting.order()?["verdict"], "refuse");
        assert!(!sitting.has_made_the_file(), "{answers:?}");
        sitting.workshop.verdict()?.expect(0);
    }
    Ok(())
}

#[test]
fn end_of_input_and_interruption_are_no_answer() -> Checked {
    // Ctrl-D and Ctrl-C, as the terminal turns them into an end of input and a signal.
    for (key, code) in [("\u{4}", 0), ("\u{3}", 130)] {
        let Some(sitting) = sit("end_of_input_and_interruption_are_no_answer", &[key])? else {
            return Ok(());
        };
        assert_eq!(sitting.code, Some(code), "{}", sitting.screen);
        let action = sitting.only_action()?;
        assert!(action.is_refused() && action.verdict.is_none(), "{action:?}");
        assert!(!sitting.has_made_the_file());
        let verdict = sitting.workshop.verdict()?;
        assert!([0, 3].contains(&verdict.code()), "{}", verdict.ran);
    }
    Ok(())
}
