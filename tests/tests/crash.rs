//! A run killed at any moment leaves no ledger, or one that `verify` calls incomplete; what happened had been allowed.

use std::fs;
use std::io::Read;
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::disk::effects_are_permitted;
use crate::support::Checked;
use crate::support::child::Running;
use crate::support::rng::Rng;
use crate::support::stored::log;
use crate::support::workshop::{PERMIT_WORK, Workshop};

/// Moments at which a run is killed.
const KILLS: u32 = 25;

/// Thirty turns, each with an effect of its own.
fn calls() -> Vec<(&'static str, Value)> {
    let call = |number: u32| match number % 3 {
        0 => ("bash", json!({ "command": format!("echo {number} > {number}.txt") })),
        _ => (
            "write",
            json!({ "path": format!("{number}.txt"), "content": number.to_string() }),
        ),
    };
    (0..30).map(call).collect()
}

/// Starts a run, kills it after `delay`, and gives what it had printed.
fn kill_after(workshop: &Workshop, delay: Duration) -> Checked<String> {
    let mut command = workshop.run_command(&["--policy", "policy.cedar", "--json"]);
    let mut run = Running::start(command.stdout(Stdio::piped()).stderr(Stdio::null()))?;
    sleep(delay);
    run.kill()?;
    let mut printed = String::new();
    run.take_output()?.read_to_string(&mut printed)?;
    Ok(printed)
}

/// Counts the events of a kind in what was printed; the last line may be cut.
fn count(printed: &str, event: &str) -> usize {
    let lines = printed
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["event"] == event).count()
}

/// What was printed is in the ledger.
///
/// Only the outcome of the last turn may be missing: it is durable before the next call of a model, not before it is
/// told, and its action then counts as possibly run (C3).
fn everything_acknowledged_is_there(printed: &str, entries: &[Value]) {
    let entered = |kind: &str| entries.iter().filter(|entry| entry["kind"] == kind).count();
    for (event, kind, late) in [
        ("run.started", "run.started", 0),
        ("decided", "decision.made", 0),
        ("finished", "action.finished", 1),
    ] {
        let (told, found) = (count(printed, event), entered(kind));
        assert!(
            told <= found + late,
            "{told} times {event} was told, {found} times {kind} is there\n{printed}"
        );
    }
}

#[test]
fn run_killed_at_any_moment_leaves_no_ledger_or_an_incomplete_one() -> Checked {
    let workshop = Workshop::new()?;
    workshop.script(&calls())?;
    workshop.file("policy.cedar", PERMIT_WORK)?;
    let begun = Instant::now();
    workshop.run(&["--policy", "policy.cedar", "--json"])?.expect(0);
    let whole = begun.elapsed();
    let mut rng = Rng::seeded(3);
    let (mut without, mut incomplete, mut closed) = (0, 0, 0);
    for kill in 0..KILLS {
        clear(&workshop)?;
        // One moment in each part of the run, so that beginning and end are met.
        let part = whole.as_micros() as u64 / u64::from(KILLS);
        let delay = Duration::from_micros(part * u64::from(kill) + rng.below(part.max(1)));
        let printed = kill_after(&workshop, delay)?;
        if !workshop.ledger().exists() {
            without += 1;
            assert_eq!(
                fs::read_dir(workshop.work())?.count(),
                0,
                "after {delay:?}: no ledger, no effect"
            );
            assert!(printed.is_empty(), "after {delay:?}: {printed}");
            continue;
        }
        let verdict = workshop.verdict()?;
        assert!(
            [0, 3].contains(&verdict.code()),
            "killed after {delay:?}: {}",
            verdict.ran
        );
        let entries = log(&workshop.ledger())?;
        let is_closed = entries.last().is_some_and(|entry| entry["kind"] == "ledger.closed");
        assert!(
            verdict.code() == 3 || is_closed,
            "killed after {delay:?}: {}",
            verdict.ran
        );
        if verdict.code() == 3 {
            incomplete += 1
        } else {
            closed += 1
        }
        everything_acknowledged_is_there(&printed, &entries);
        effects_are_permitted(&workshop.work(), &workshop.actions()?)?;
    }
    assert!(
        incomplete >= KILLS / 3,
        "{without} without ledger, {incomplete} incomplete, {closed} closed in {whole:?}"
    );
    Ok(())
}

/// Removes what a run left, but nothing hidden beside the ledger: that must not hinder the next one.
fn clear(workshop: &Workshop) -> Checked {
    fs::remove_dir_all(workshop.work())?;
    fs::create_dir(workshop.work())?;
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let path = workshop.root().join(format!("ledger.db{suffix}"));
        if path.exists() {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

#[test]
fn leftovers_of_killed_runs_do_not_hinder_the_next() -> Checked {
    let workshop = Workshop::new()?;
    workshop.script(&calls())?;
    workshop.file("policy.cedar", PERMIT_WORK)?;
    for delay_ms in [1, 5, 10, 20, 30, 40, 60, 80] {
        kill_after(&workshop, Duration::from_millis(delay_ms))?;
        clear(&workshop)?;
    }
    workshop.run(&["--policy", "policy.cedar"])?.expect(0);
    workshop.verdict()?.expect(0);
    Ok(())
}

#[test]
fn verifier_looks_on_while_a_run_goes_on_and_names_what_a_kill_leaves_open() -> Checked {
    let workshop = Workshop::new()?;
    workshop.script(&[("bash", json!({ "command": "touch started; sleep 20" }))])?;
    workshop.file("policy.cedar", PERMIT_WORK)?;
    let mut command = workshop.run_command(&["--policy", "policy.cedar"]);
    let mut run = Running::start(command.stdout(Stdio::null()).stderr(Stdio::null()))?;
    run.wait_for("the command", || workshop.work().join("started").exists())?;
    let beside = workshop.verdict()?;
    assert_eq!(beside.code(), 3, "{}", beside.ran);
    run.kill()?;
    let verdict = workshop.verdict()?.expect(3);
    for code in ["C1", "C2", "C3"] {
        assert!(verdict.unproven_codes().contains(&code), "{code}: {}", verdict.ran);
    }
    Ok(())
}
