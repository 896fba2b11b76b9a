//! A run that is interrupted ends in order: the ledger is closed and says what happened.

use std::process::Stdio;

use serde_json::json;

use crate::support::Checked;
use crate::support::child::Running;
use crate::support::stored::log;
use crate::support::workshop::{PERMIT_WORK, Workshop};

/// Interrupts a run while a command sleeps, and gives its exit code.
fn interrupt(workshop: &Workshop, name: &str) -> Checked<Option<i32>> {
    workshop.script(&[
        ("bash", json!({ "command": "touch started; sleep 20; touch slept" })),
        ("write", json!({ "path": "later.txt", "content": "too late" })),
    ])?;
    workshop.file("policy.cedar", PERMIT_WORK)?;
    let mut command = workshop.run_command(&["--policy", "policy.cedar"]);
    let mut run = Running::start(command.stdout(Stdio::null()).stderr(Stdio::null()))?;
    run.wait_for("the command", || workshop.work().join("started").exists())?;
    run.signal(name)?;
    Ok(run.end()?.code())
}

#[test]
fn interrupted_run_exits_130_with_a_closed_ledger() -> Checked {
    for name in ["INT", "TERM"] {
        let workshop = Workshop::new()?;
        assert_eq!(interrupt(&workshop, name)?, Some(130), "SIG{name}");
        let entries = log(&workshop.ledger())?;
        assert_eq!(
            entries.last().map(|entry| &entry["kind"]),
            Some(&"ledger.closed".into()),
            "SIG{name}"
        );
        let ended = entries
            .iter()
            .find(|entry| entry["kind"] == "run.ended")
            .ok_or("the run has no end")?;
        assert_eq!(ended["body"]["reason"], "interrupted");
        assert!(
            !workshop.work().join("later.txt").exists(),
            "nothing happens after the interruption"
        );
        let verdict = workshop.verdict()?;
        assert!([0, 3].contains(&verdict.code()), "SIG{name}: {}", verdict.ran);
    }
    Ok(())
}

#[test]
fn interrupted_command_does_not_go_on() -> Checked {
    let workshop = Workshop::new()?;
    interrupt(&workshop, "INT")?;
    let [bash] = workshop.actions()?.try_into().map_err(|_| "one action")?;
    assert_ne!(bash.finished.as_deref(), Some("ok"), "{bash:?}");
    assert!(
        bash.finished.is_some(),
        "an interrupted command has an outcome: {bash:?}"
    );
    assert!(!workshop.work().join("slept").exists());
    Ok(())
}
