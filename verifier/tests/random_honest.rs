//! Whatever honest processes do, in whatever order and wherever they die: their ledger is never rejected and never
//! unreadable, and what stays unproven is exactly what a simple model beside it says.
//!
//! `COUNTERSIGN_HISTORIES` is the number of histories, and has their figures printed; the default keeps the test short.

mod account;
mod acting;
mod command;
mod ending;
mod expected;
mod issued;
mod ordering;
mod people;
mod tally;
mod thinking;
mod world;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::env;

use countersign_schemas::number::Seq;
use countersign_verifier::audit::{AuditOptions, Folded, Report, Verdict};
use proptest::prelude::*;
use proptest::test_runner::{TestCaseError, TestRunner};

use crate::restored::fold;
use crate::support::{Told, anchored, audit};
use command::{History, history};
use expected::Unproven;
use tally::Tally;
use world::World;

/// Histories where nobody asks for more.
const HISTORIES: u32 = 200;

#[test]
#[expect(clippy::print_stderr, reason = "the figures of a run that somebody asked for")]
fn honest_histories_are_never_rejected_and_leave_what_the_model_says() {
    let asked = env::var("COUNTERSIGN_HISTORIES")
        .ok()
        .and_then(|text| text.parse().ok());
    let cases = asked.unwrap_or(HISTORIES);
    let config = ProptestConfig {
        cases,
        max_shrink_iters: 5_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let tally = RefCell::new(Tally::default());
    let run = TestRunner::new(config).run(&history(), |history| judge(&history, &mut tally.borrow_mut()));
    if let Err(failure) = run {
        panic!("{failure}");
    }
    let tally = tally.into_inner();
    if asked.is_some() {
        eprintln!("{tally:#?}");
    }
    tally.assert_reached(cases);
}

/// Tells a history, and compares every judgement on it with the model.
fn judge(history: &History, tally: &mut Tally) -> Result<(), TestCaseError> {
    let mut world = World::begin(history);
    for command in &history.commands {
        let _ = world.take(command);
    }
    world.end(&history.ending);
    prop_assert!(world.writer.refusals.is_empty(), "{:#?}", world.writer.refusals);
    world.agrees_with_the_law();
    let mut told = Told::from_written(&world.writer);
    if world.was_put_away {
        goes_on_alike(&mut world, &told)?;
    }
    let mut absent = withhold(&mut told, &history.withheld);
    absent.append(&mut erase(&mut told, &world));
    let mut expected = world.unproven(&absent);
    if !history.anchored {
        expected.insert(("C4".to_owned(), None));
    }
    let anchors = if history.anchored {
        anchored().anchors
    } else {
        Vec::new()
    };
    let options = AuditOptions {
        anchors,
        heads: std::mem::take(&mut world.heads),
        ..AuditOptions::default()
    };
    let report = audit(&told, &options);
    leaves(&report, &expected)?;
    tally.add(&world.tally);
    tally.count(format!("verdict {}", report.verdict().as_str()));
    for code in expected.iter().map(|(code, _)| code).collect::<BTreeSet<_>>() {
        tally.count(format!("unproven {code}"));
    }
    Ok(())
}

/// The state that was put away and went on is the one that was never put away.
fn goes_on_alike(world: &mut World, told: &Told) -> Result<(), TestCaseError> {
    let (_, whole) = fold(&told.entries, |_| false);
    let resumed = Folded {
        law: std::mem::take(&mut world.writer.law),
        tree: whole.tree.clone(),
    };
    prop_assert!(
        whole.to_snapshot() == resumed.to_snapshot(),
        "another state behind the last entry"
    );
    Ok(())
}

/// Takes out what was erased.
fn erase(told: &mut Told, world: &World) -> BTreeSet<(Seq, u8)> {
    for (seq, slot) in &world.erased {
        let entry = usize::try_from(seq.get()).expect("a short story");
        told.entries[entry].payloads.retain(|payload| payload.slot != *slot);
    }
    world.erased.clone()
}

/// Takes payloads out of a copy; gives entry and slot of each.
fn withhold(told: &mut Told, choices: &[u16]) -> BTreeSet<(Seq, u8)> {
    let mut absent = BTreeSet::new();
    for choice in choices {
        let holders: Vec<usize> = (0..told.entries.len())
            .filter(|entry| !told.entries[*entry].payloads.is_empty())
            .collect();
        let Some(entry) = holders.get(usize::from(*choice) % holders.len().max(1)) else {
            break;
        };
        let payloads = &mut told.entries[*entry].payloads;
        let payload = payloads.remove(usize::from(*choice / 7) % payloads.len());
        absent.insert((Seq::clamped(*entry as u64), payload.slot));
    }
    absent
}

fn leaves(report: &Report, expected: &Unproven) -> Result<(), TestCaseError> {
    prop_assert!(report.findings.is_empty(), "{:#?}", report.findings);
    let found: Unproven = report
        .unproven
        .iter()
        .map(|finding| (finding.code.to_string(), finding.entry.map(Seq::get)))
        .collect();
    prop_assert_eq!(&found, expected, "{:#?}", report.unproven);
    let verdict = if expected.is_empty() {
        Verdict::Verified
    } else {
        Verdict::Incomplete
    };
    prop_assert_eq!(report.verdict(), verdict);
    Ok(())
}
