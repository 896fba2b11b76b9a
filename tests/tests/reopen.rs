//! A ledger that is there is gone on with, or refused without an entry; what was lost is told and entered.

use std::fs;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::support::Checked;
use crate::support::child::Running;
use crate::support::programs::{Ran, run};
use crate::support::stored::{Stored, log};
use crate::support::verdict::Verdict;
use crate::support::workshop::{PERMIT_WORK, Workshop};

/// A workshop whose scripted lead writes one file and ends.
fn workshop() -> Checked<Workshop> {
    let workshop = Workshop::new()?;
    workshop.file("policy.cedar", PERMIT_WORK)?;
    write_one_file(&workshop)?;
    Ok(workshop)
}

fn write_one_file(workshop: &Workshop) -> Checked {
    workshop.script(&[("write", json!({ "path": "a.txt", "content": "a" }))])
}

fn go(workshop: &Workshop, more: &[&str]) -> Checked<Ran> {
    workshop.run(&[&["--policy", "policy.cedar"], more].concat())
}

/// A run that ended and left its ledger open.
fn left_open() -> Checked<Workshop> {
    let workshop = workshop()?;
    go(&workshop, &["--keep-open"])?.expect(0);
    Ok(workshop)
}

/// A run that was killed while a permitted command ran.
fn killed() -> Checked<Workshop> {
    let workshop = workshop()?;
    workshop.script(&[("bash", json!({ "command": "touch started; sleep 20" }))])?;
    let mut command = workshop.run_command(&["--policy", "policy.cedar"]);
    let mut running = Running::start(command.stdout(Stdio::null()).stderr(Stdio::null()))?;
    running.wait_for("the command", || workshop.work().join("started").exists())?;
    running.kill()?;
    write_one_file(&workshop)?;
    Ok(workshop)
}

fn recover(workshop: &Workshop, more: &[&str]) -> Checked<Ran> {
    let arguments = ["ledger", "recover", "--ledger", "ledger.db"];
    run(workshop.countersign().args(arguments).args(more))
}

fn beside(workshop: &Workshop, suffix: &str) -> PathBuf {
    workshop.root().join(format!("ledger.db{suffix}"))
}

fn count(entries: &[Value], kind: &str) -> usize {
    entries.iter().filter(|entry| entry["kind"] == kind).count()
}

/// Fails unless nothing is broken and exactly these codes are unproven.
#[track_caller]
fn unproven(verdict: &Verdict, expected: &[&str]) {
    let mut codes = verdict.unproven_codes();
    codes.dedup();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes, expected, "{}", verdict.ran);
    assert!(verdict.finding_codes().is_empty(), "{}", verdict.ran);
}

/// Refused, and the ledger holds what it held.
fn refused(workshop: &Workshop, says: &str) -> Checked {
    let before = Stored::read(&workshop.ledger())?;
    go(workshop, &[])?.expect(4).says(says);
    assert_eq!(before, Stored::read(&workshop.ledger())?);
    Ok(())
}

/// What `verify` says to whoever kept the head.
fn verdict_with_head(workshop: &Workshop) -> Checked<Verdict> {
    let (anchor, head) = (workshop.home().join("principal.did"), beside(workshop, "-head"));
    Verdict::of(
        &workshop.ledger(),
        [Path::new("--trust"), &anchor, Path::new("--head"), &head],
    )
}

#[test]
fn two_runs_stand_in_one_ledger_and_a_head_shows_that_nothing_is_missing_between_them() -> Checked {
    let workshop = left_open()?;
    unproven(&workshop.verdict()?.expect(3), &["C1"]);
    assert!(
        !beside(&workshop, "-wal").exists(),
        "a ledger that was left is one file"
    );
    go(&workshop, &[])?.expect(0);
    // Where nobody ran, the host's key alone could have cut the ledger.
    unproven(&workshop.verdict()?.expect(3), &["C1"]);
    unproven(&verdict_with_head(&workshop)?.expect(0), &[]);
    let entries = log(&workshop.ledger())?;
    assert_eq!((count(&entries, "run.started"), count(&entries, "run.ended")), (2, 2));
    // The built-in policy and the file, once each; who comes second adopts nothing again.
    assert_eq!(count(&entries, "policy.adopted"), 2);
    Ok(())
}

#[test]
fn head_file_holds_the_last_checkpoint() -> Checked {
    let workshop = left_open()?;
    for _ in 0..2 {
        let newest = Stored::read(&workshop.ledger())?
            .checkpoints
            .pop()
            .ok_or("no checkpoint")?;
        assert_eq!(newest.parts, [fs::read(beside(&workshop, "-head"))?]);
        go(&workshop, &["--keep-open"])?.expect(0);
    }
    Ok(())
}

#[test]
fn head_file_lies_where_it_is_wanted_and_is_found_there_again() -> Checked {
    let workshop = workshop()?;
    fs::create_dir(workshop.root().join("elsewhere"))?;
    let there = ["--head-file", "elsewhere/head"];
    go(&workshop, &[["--keep-open"].as_slice(), &there].concat())?.expect(0);
    assert!(!beside(&workshop, "-head").exists());
    fs::write(workshop.root().join("elsewhere/head"), "no head")?;
    go(&workshop, &there)?.expect(4).says("does not fit its head");
    recover(&workshop, &there)?.expect(0);
    go(&workshop, &there)?.expect(0);
    workshop.verdict()?.expect(3);
    // A second ledger cannot have the same file, and no folder means no run.
    for other in ["elsewhere/head", "nowhere/head"] {
        go(&workshop, &["--ledger", "other.db", "--head-file", other])?.expect(4);
        assert!(!workshop.root().join("other.db").exists());
    }
    Ok(())
}

#[test]
fn ledger_of_a_killed_run_is_gone_on_with_and_what_it_left_is_told() -> Checked {
    let workshop = killed()?;
    let before = log(&workshop.ledger())?;
    go(&workshop, &[])?.expect(0);
    let after = log(&workshop.ledger())?;
    assert_eq!(after.get(..before.len()), Some(before.as_slice()));
    let verdict = workshop.verdict()?.expect(3);
    unproven(&verdict, &["C1", "C2", "C3"]);
    let told = |kind: &str, member: &str, value: &str| {
        let told = |entry: &&Value| entry["kind"] == kind && entry["body"][member] == value;
        after.iter().filter(told).count()
    };
    assert_eq!(told("action.finished", "outcome", "unknown"), 1);
    assert_eq!(told("instance.stopped", "reason", "crashed"), 2, "lead and advisor");
    assert_eq!(
        (
            told("run.ended", "reason", "other"),
            told("run.ended", "reason", "done")
        ),
        (1, 1)
    );
    assert_eq!(after.last().map(|entry| &entry["kind"]), Some(&"ledger.closed".into()));
    Ok(())
}

#[test]
fn recovering_after_a_mere_crash_loses_nothing_and_a_second_time_does_nothing() -> Checked {
    let workshop = killed()?;
    recover(&workshop, &[])?.expect(0).says("crashed");
    let entries = log(&workshop.ledger())?;
    assert_eq!(count(&entries, "ledger.recovered"), 0);
    let stored = Stored::read(&workshop.ledger())?;
    recover(&workshop, &[])?.expect(0).says("nothing to recover");
    assert_eq!(stored, Stored::read(&workshop.ledger())?);
    go(&workshop, &[])?.expect(0);
    // Who closes it took over from nobody: the instance that recovered it left in order.
    unproven(&verdict_with_head(&workshop)?.expect(3), &["C2", "C3"]);
    recover(&workshop, &[])?.expect(0).says("nothing to recover");
    Ok(())
}

#[test]
fn recover_closes_a_ledger_where_it_is_told_to() -> Checked {
    let workshop = killed()?;
    let ran = recover(&workshop, &["--close", "--json"])?.expect(0);
    let told: Value = serde_json::from_str(&ran.stdout)?;
    assert_eq!(
        (&told["recovered"], &told["closed"]),
        (&json!(true), &json!(true)),
        "{ran}"
    );
    let entries = log(&workshop.ledger())?;
    assert_eq!(
        entries.last().map(|entry| &entry["kind"]),
        Some(&"ledger.closed".into())
    );
    workshop.verdict()?.expect(3);
    refused(&workshop, "closed")
}

#[test]
fn closed_ledger_takes_no_further_run() -> Checked {
    let workshop = workshop()?;
    go(&workshop, &[])?.expect(0);
    refused(&workshop, "closed")?;
    workshop.verdict()?.expect(0);
    Ok(())
}

/// Puts an old copy of the ledger in the place of one that went on.
fn cut() -> Checked<Workshop> {
    let workshop = left_open()?;
    let old = fs::read(workshop.ledger())?;
    go(&workshop, &["--keep-open"])?.expect(0);
    fs::write(workshop.ledger(), old)?;
    Ok(workshop)
}

#[test]
fn ledger_shorter_than_its_head_is_refused_until_the_loss_is_entered() -> Checked {
    let workshop = cut()?;
    let found = log(&workshop.ledger())?.len();
    refused(&workshop, "ledger recover")?;
    recover(&workshop, &[])?
        .expect(0)
        .says(&format!("{found} entries"))
        .says("at least");
    let entries = log(&workshop.ledger())?;
    let recovered = entries
        .iter()
        .find(|entry| entry["kind"] == "ledger.recovered")
        .ok_or("no ledger.recovered")?;
    assert_eq!(recovered["body"]["size"], found);
    assert!(!recovered["body"]["lost_head"].is_null());
    go(&workshop, &[])?.expect(0);
    let verdict = workshop.verdict()?.expect(3);
    unproven(&verdict, &["C1"]);
    Ok(())
}

#[test]
fn missing_head_file_hinders_nobody() -> Checked {
    let workshop = left_open()?;
    fs::remove_file(beside(&workshop, "-head"))?;
    go(&workshop, &[])?.expect(0);
    verdict_with_head(&workshop)?.expect(0);
    Ok(())
}

#[test]
fn head_file_that_is_garbage_or_of_another_ledger_is_refused_and_set_aside_by_recovery() -> Checked {
    let other = left_open()?;
    for note in [b"no head".to_vec(), fs::read(beside(&other, "-head"))?] {
        let workshop = left_open()?;
        fs::write(beside(&workshop, "-head"), &note)?;
        refused(&workshop, "ledger recover")?;
        recover(&workshop, &[])?.expect(0);
        assert_eq!(set_aside(&workshop, "ledger.db-head.damaged-")?, [note]);
        go(&workshop, &[])?.expect(0);
        unproven(&workshop.verdict()?.expect(3), &["C1"]);
    }
    Ok(())
}

/// Contents of the files that were set aside under names that begin so.
fn set_aside(workshop: &Workshop, prefix: &str) -> Checked<Vec<Vec<u8>>> {
    let mut found = Vec::new();
    for file in fs::read_dir(workshop.root())? {
        let file = file?;
        if file.file_name().to_string_lossy().starts_with(prefix) {
            found.push(fs::read(file.path())?);
        }
    }
    Ok(found)
}

#[test]
fn flipped_bit_in_the_wal_is_noticed_and_the_damaged_file_is_kept() -> Checked {
    let workshop = killed()?;
    let wal = beside(&workshop, "-wal");
    // In the page of the first frame: everything behind it is dropped by SQLite.
    flip(&wal, 32 + 24 + 100)?;
    let damaged = fs::read(&wal)?;
    go(&workshop, &[])?.expect(4).says("recover");
    assert_eq!(fs::read(&wal)?, damaged);
    recover(&workshop, &[])?.expect(0).says("-wal.damaged-");
    assert_eq!(set_aside(&workshop, "ledger.db-wal.damaged-")?, [damaged]);
    assert_eq!(count(&log(&workshop.ledger())?, "ledger.recovered"), 1);
    go(&workshop, &[])?.expect(0);
    let verdict = workshop.verdict()?.expect(3);
    assert!(verdict.finding_codes().is_empty(), "{}", verdict.ran);
    Ok(())
}

fn flip(file: &Path, place: u64) -> Checked {
    let mut file = fs::OpenOptions::new().read(true).write(true).open(file)?;
    let mut byte = [0];
    file.seek(SeekFrom::Start(place))?;
    file.read_exact(&mut byte)?;
    file.seek(SeekFrom::Start(place))?;
    file.write_all(&[byte[0] ^ 1])?;
    Ok(())
}

#[test]
fn ledger_of_another_host_is_refused() -> Checked {
    let (workshop, other) = (left_open()?, workshop()?);
    fs::copy(workshop.ledger(), other.ledger())?;
    refused(&other, "another host")?;
    recover(&other, &[])?.expect(4).says("another host");
    Ok(())
}

#[test]
fn ledger_with_a_broken_rule_is_neither_gone_on_with_nor_recovered() -> Checked {
    let workshop = left_open()?;
    let connection = Connection::open(workshop.ledger())?;
    connection.execute_batch("DROP TRIGGER payload_no_update; UPDATE payload SET content = CAST(content || 'x' AS BLOB) WHERE id = (SELECT max(id) FROM payload)")?;
    drop(connection);
    // Only a fold from the first entry on looks at old payloads again.
    fs::remove_file(beside(&workshop, "-fold"))?;
    refused(&workshop, "verify")?;
    let before = Stored::read(&workshop.ledger())?;
    recover(&workshop, &[])?.expect(1).says("I9");
    assert_eq!(before, Stored::read(&workshop.ledger())?);
    Ok(())
}

#[test]
fn tampered_fold_file_is_as_good_as_none() -> Checked {
    let workshop = left_open()?;
    let fold = beside(&workshop, "-fold");
    let sound = fs::read(&fold)?;
    for place in [0, 40, 100, sound.len() as u64 - 1] {
        fs::write(&fold, &sound)?;
        flip(&fold, place)?;
        go(&workshop, &["--keep-open"])?.expect(0);
    }
    go(&workshop, &[])?.expect(0);
    verdict_with_head(&workshop)?.expect(0);
    Ok(())
}

#[test]
fn other_policies_than_those_of_the_ledger_are_refused_before_anything_is_entered() -> Checked {
    let workshop = left_open()?;
    workshop.file(
        "other.cedar",
        format!("{PERMIT_WORK}\n@id(\"more\") forbid (principal, action, resource) when {{ false }};"),
    )?;
    let before = Stored::read(&workshop.ledger())?;
    for policy in [[].as_slice(), &["--policy", "other.cedar"]] {
        workshop.run(policy)?.expect(4).says("--policy");
        assert_eq!(before, Stored::read(&workshop.ledger())?);
    }
    Ok(())
}
