//! Ledgers of several processes: what stays unproven, and what the state tells the next process. What is refused stands in
//! the golden vectors.

use countersign_ledger::merkle::{Frontier, Root};
use countersign_schemas::body::{Body, RunEndReason};
use countersign_schemas::number::Seq;
use countersign_verifier::audit::{AuditOptions, Verdict};
use countersign_verifier::law::{Stop, Unfinished};

use crate::support::aftermath::{
    crash, end_run, expire, handover, head, join, lose, recovery, side_by_side, unattended,
};
use crate::support::cast::Who;
use crate::support::story::{RUNTIME, close_by, stop};
use crate::support::writer::{Draft, Twist, Writer};
use crate::support::{Told, anchored, audit, codes};

/// Asserts that a story was written without refusal, is not rejected, and leaves exactly this unproven.
#[track_caller]
fn leaves(writer: &Writer<'_>, expected: &[(&str, &str)]) {
    assert_eq!(
        (writer.refusals.as_slice(), writer.findings.as_slice()),
        (&[][..], &[][..])
    );
    let report = audit(&Told::from_written(writer), &anchored());
    assert_eq!(codes(&report), [], "{:#?}", report.findings);
    let mut expected: Vec<_> = expected
        .iter()
        .map(|(code, label)| (*code, Some(writer.at(label))))
        .collect();
    let mut found: Vec<_> = report.unproven.iter().map(|it| (it.code.as_str(), it.entry)).collect();
    expected.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, expected, "{:#?}", report.unproven);
    let verdict = if expected.is_empty() {
        Verdict::Verified
    } else {
        Verdict::Incomplete
    };
    assert_eq!(report.verdict(), verdict);
}

/// What a death leaves unproven, whoever cleans up.
const AFTER_THE_CRASH: [(&str, &str); 8] = [
    ("C2", "opened"),
    ("C2", "advisor"),
    ("C2", "lead"),
    ("C2", "scout"),
    ("C3", "todo"),
    ("C3", "call-2"),
    ("C3", "spawn-lost"),
    ("C3", "edit-lost"),
];

fn after_the_crash(more: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
    AFTER_THE_CRASH.iter().chain(more).copied().collect()
}

#[test]
fn a_hand_over_between_two_that_run_costs_nothing() {
    leaves(&handover(Twist::honest()), &[]);
}

#[test]
fn c1_a_ledger_that_lay_unattended_unless_a_head_covers_it() {
    let writer = unattended(Twist::honest());
    leaves(&writer, &[("C1", "second")]);
    let found = writer.at("second").get();
    for (size, verdict) in [(found - 1, Verdict::Incomplete), (found, Verdict::Verified)] {
        let mut tree = Frontier::new();
        let covered = writer
            .entries
            .iter()
            .take(usize::try_from(size).expect("a short story"));
        covered.for_each(|entry| tree.push(&entry.record));
        let options = AuditOptions {
            heads: vec![head(size, tree.root()).as_bytes().to_vec()],
            ..anchored()
        };
        let report = audit(&Told::from_written(&writer), &options);
        assert_eq!((codes(&report), report.verdict()), (Vec::new(), verdict));
    }
}

#[test]
fn two_processes_side_by_side_are_verified() {
    leaves(&side_by_side(Twist::honest()), &[]);
}

#[test]
fn c1_c2_c3_a_crash_and_its_succession() {
    leaves(&crash(Twist::honest()), &after_the_crash(&[("C1", "closed")]));
}

#[test]
fn c1_a_recovery_with_and_without_a_head() {
    let expected = after_the_crash(&[("C1", "recovered"), ("C1", "closed")]);
    leaves(&recovery(Twist::honest()), &expected);
    let change = |to: fn(u64) -> Option<countersign_schemas::list::Doc>| {
        Twist::statement("recovered", move |statement| {
            if let Body::LedgerRecovered(body) = &mut statement.body {
                body.lost_head = to(body.size.get());
            }
        })
    };
    leaves(&recovery(change(|_| None)), &expected);
    leaves(
        &recovery(change(|found| Some(head(found, Root::of_empty())))),
        &expected,
    );
}

#[test]
fn c1_names_what_the_head_says_and_what_was_found() {
    let writer = recovery(Twist::honest());
    let found = writer.at("second").get();
    let report = audit(&Told::from_written(&writer), &anchored());
    let told = report
        .unproven
        .iter()
        .find(|it| it.entry == Some(writer.at("recovered")));
    let told = told.map(|it| {
        (
            it.expected.clone(),
            it.found.starts_with(&format!("{found} records, root ")),
        )
    });
    assert_eq!(told, Some((format!("{} records, as the head says", found + 5), true)));
}

#[test]
fn c2_whoever_is_open_when_another_closes() {
    let open = side_by_side(Twist::omit("second-stop"));
    leaves(&open, &[("C2", "second")]);
    let declared = Twist {
        draft: Some(Box::new(|at: &str, draft: &mut Draft| {
            draft.omitted |= at == "second-stop"
        })),
        before: Some(Box::new(|at: &str, writer: &mut Writer<'_>| {
            if at == "lead-stop" {
                let instance = writer.at("second");
                stop(writer, "declared", RUNTIME, instance);
            }
        })),
        ..Twist::default()
    };
    leaves(&side_by_side(declared), &[("C2", "second")]);
}

#[test]
fn c2_names_who_took_over() {
    let writer = crash(Twist::honest());
    let report = audit(&Told::from_written(&writer), &anchored());
    let second = writer.at("second");
    let expected = format!("the instance at {second}, which took over from it");
    assert!(
        report
            .unproven
            .iter()
            .any(|it| it.entry == Some(Seq::ZERO) && it.found == expected)
    );
    assert_eq!(
        writer.law.instance(Seq::ZERO).map(|it| it.stop()),
        Some(Stop::Succeeded(second))
    );
}

/// The second process dies before it has cleaned up; a third stands for both.
#[test]
fn a_successor_stands_for_everybody_in_its_line() {
    let third = |writer: &mut Writer<'_>| {
        let second = writer.at("second");
        let third = join(writer, "third", Who::Third, Some(second));
        lose(writer, "spawn-lost", third, "spawn-decision");
        lose(writer, "edit-lost", third, "edit-decision");
        expire(writer, "bash-expired", third, "bash-decision");
        end_run(writer, "run-lost", third, ("run", "lead"), RunEndReason::Other);
        for (label, instance) in [("a", "scout"), ("b", "lead"), ("c", "advisor")] {
            let instance = writer.at(instance);
            stop(writer, label, third, instance);
        }
        assert!(writer.law.unfinished(third.1).is_empty());
        close_by(writer, third);
    };
    let mut writer = Writer::new(Twist::honest());
    crate::support::aftermath::until_the_crash(&mut writer);
    join(&mut writer, "second", Who::Second, Some(Seq::ZERO));
    third(&mut writer);
    leaves(&writer, &after_the_crash(&[("C2", "second"), ("C1", "closed")]));
}

/// One that joins beside a crashed one and its successor is no part of it: its close says nothing about theirs.
#[test]
fn c1_is_silent_where_the_closer_took_over_from_nobody() {
    let closes = Twist {
        draft: Some(Box::new(|at: &str, draft: &mut Draft| draft.omitted |= at == "closed")),
        ..Twist::default()
    };
    let mut writer = crash(closes);
    writer.twist = Twist::default();
    writer.checkpoints.truncate(1);
    let second = (Who::Second, writer.at("second"));
    let third = join(&mut writer, "third", Who::Third, None);
    stop(&mut writer, "second-stop", second, second.1);
    close_by(&mut writer, third);
    leaves(&writer, &AFTER_THE_CRASH);
}

#[test]
fn the_state_tells_who_runs_and_what_is_left() {
    let mut writer = Writer::new(Twist::honest());
    crate::support::aftermath::until_the_crash(&mut writer);
    let running = |writer: &Writer<'_>| writer.law.running().map(|it| it.seq()).collect::<Vec<_>>();
    assert_eq!(running(&writer), [Seq::ZERO]);
    let at = |label: &str| writer.at(label);
    let expected = Unfinished {
        permitted: vec![at("spawn-decision"), at("edit-decision")],
        asking: vec![at("bash-decision")],
        runs: vec![at("run")],
        instances: vec![at("advisor"), at("lead"), at("scout")],
    };
    assert_eq!(writer.law.unfinished(Seq::ZERO), expected);
    // And the request without decision, and the model call without answer.
    assert_eq!(writer.law.open_items(), 3 + 2);
    assert!(writer.law.unfinished(at("lead")).is_empty() && writer.law.unfinished(Seq::clamped(99)).is_empty());
    let beside = join(&mut writer, "third", Who::Third, None);
    assert!(writer.law.unfinished(beside.1).is_empty());
    let second = join(&mut writer, "second", Who::Second, Some(Seq::ZERO));
    assert_eq!(running(&writer), [beside.1, second.1]);
    assert_eq!(writer.law.unfinished(second.1), expected);
    assert!(writer.law.instance(second.1).is_some_and(|it| it.took_over()));
    assert!(writer.law.instance(beside.1).is_some_and(|it| !it.took_over()));
}
