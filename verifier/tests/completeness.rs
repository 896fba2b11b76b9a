//! What is left open is incomplete, never verified and never rejected: rules C1 to C4; heads and checkpoints: I7, I8.

use countersign_identity::keys::HybridSecret;
use countersign_identity::trust::Anchor;
use countersign_ledger::checkpoint::{self, Checkpoint, CheckpointKeys, UnixSeconds};
use countersign_ledger::merkle::{Frontier, Root};
use countersign_ledger::reader::StoredCheckpoint;
use countersign_schemas::number::{Seq, Size};
use countersign_schemas::text::Origin;
use countersign_verifier::audit::{AuditOptions, Verdict};

use crate::support::cast::{Who, checkpoint_keys};
use crate::support::credentials::{HOUR, START};
use crate::support::story::{RUNTIME, advisor, call_model, stop, tell};
use crate::support::writer::{Draft, Twist, Writer};
use crate::support::{Told, anchored, audit, codes, leaves_open};

fn origin() -> Origin {
    Origin::new(format!("countersign/{}", "07".repeat(16))).expect("an origin")
}

fn note(keys: &CheckpointKeys, origin: Origin, size: u64, root: Root) -> Vec<u8> {
    let head = Checkpoint {
        origin,
        size: Size::clamped(size),
        root,
    };
    let time = UnixSeconds::new(START / 1_000).expect("a time");
    checkpoint::sign(&head, keys, time).into_bytes()
}

fn root_of(told: &Told, size: usize) -> Root {
    let mut tree = Frontier::new();
    told.entries
        .iter()
        .take(size)
        .for_each(|entry| tree.push(&entry.record));
    tree.root()
}

/// A head as somebody kept it when the ledger had `size` entries.
fn head(told: &Told, size: usize) -> Vec<u8> {
    note(&checkpoint_keys(), origin(), size as u64, root_of(told, size))
}

fn with_head(head: Vec<u8>) -> AuditOptions {
    AuditOptions {
        heads: vec![head],
        ..anchored()
    }
}

#[test]
fn c1_an_open_end_is_incomplete() {
    let writer = tell(Twist::omit("closed"));
    let (last, told) = (writer.at("run-ended").get(), Told::from(writer));
    let report = audit(&told, &anchored());
    assert_eq!(codes(&report), []);
    let unproven: Vec<_> = report.unproven.iter().map(|it| (it.code.as_str(), it.entry)).collect();
    assert_eq!(unproven, [("C2", Some(Seq::ZERO)), ("C1", Some(Seq::clamped(last)))]);
    assert_eq!(report.assurance.pq, "Ed25519-only for 1 author");
    assert_eq!(report.verdict(), Verdict::Incomplete);
}

#[test]
fn c1_a_closed_ledger_without_its_last_checkpoint_is_incomplete() {
    let mut told = Told::from(tell(Twist::honest()));
    told.checkpoints.pop();
    let report = audit(&told, &anchored());
    assert_eq!((codes(&report), report.verdict()), (Vec::new(), Verdict::Incomplete));
}

#[test]
fn c2_an_instance_that_did_not_stop_itself() {
    leaves_open(Twist::omit("advisor-stop"), &[("C2", "advisor")]);
    let declared = Twist {
        draft: Some(Box::new(|at: &str, draft: &mut Draft| {
            draft.omitted |= at == "advisor-stop"
        })),
        before: Some(Box::new(|at: &str, writer: &mut Writer<'_>| {
            if at == "run-ended" {
                let instance = writer.at("advisor");
                stop(writer, "declared", RUNTIME, instance);
            }
        })),
        ..Twist::default()
    };
    leaves_open(declared, &[("C2", "advisor")]);
}

#[test]
fn c3_a_permit_without_an_outcome() {
    leaves_open(Twist::omit("grep-finish"), &[("C3", "grep-decision")]);
    leaves_open(Twist::omit("bash-finish"), &[("C3", "bash-decision")]);
}

#[test]
fn c3_a_call_without_an_answer() {
    leaves_open(Twist::omit("answer-3"), &[("C3", "call-3")]);
}

#[test]
fn c3_an_ask_without_an_answer() {
    let drop_both = |at: &str, draft: &mut Draft| draft.omitted |= at == "approval" || at == "bash-finish";
    leaves_open(
        Twist {
            draft: Some(Box::new(drop_both)),
            ..Twist::default()
        },
        &[("C3", "bash-decision")],
    );
}

#[test]
fn c3_a_request_without_a_decision() {
    leaves_open(Twist::omit("scout-write-decision"), &[("C3", "scout-write")]);
}

#[test]
fn a_question_is_closed_by_the_outcome_of_its_action() {
    let no_answer = |at: &str, draft: &mut Draft| {
        draft.omitted |= at == "advice";
        if at == "edit"
            && let countersign_schemas::body::Body::ActionRequested(body) = &mut draft.statement.body
        {
            body.advice = None;
        }
    };
    let writer = tell(Twist {
        draft: Some(Box::new(no_answer)),
        ..Twist::default()
    });
    assert_eq!(writer.refusals, []);
    assert_eq!(audit(&writer.into(), &anchored()).verdict(), Verdict::Verified);
}

/// The permitted action that it is asked in, and the question.
#[test]
fn a_question_counts_among_what_is_open() {
    let mut open = 0;
    tell(Twist::before("advisor-call", |writer| open = writer.law.open_items()));
    assert_eq!(open, 2);
}

#[test]
fn c4_without_an_anchor_nothing_is_verified() {
    let report = audit(&tell(Twist::honest()).into(), &AuditOptions::default());
    let unproven: Vec<_> = report.unproven.iter().map(|it| (it.code.as_str(), it.entry)).collect();
    assert_eq!((codes(&report), unproven), (Vec::new(), vec![("C4", None)]));
    assert_eq!(report.verdict(), Verdict::Incomplete);
}

#[test]
fn a_breach_outweighs_what_is_open_and_what_is_newer() {
    let mut told = Told::from(tell(Twist::omit("closed")));
    told.entries[9].payloads[0].content.push(b' ');
    assert_eq!(audit(&told, &AuditOptions::default()).verdict(), Verdict::Rejected);
    assert!(Verdict::Rejected > Verdict::Unreadable && Verdict::Unreadable > Verdict::Incomplete);
    assert!(Verdict::Incomplete > Verdict::Verified);
}

#[test]
fn an_unfinished_advisor_call_is_named() {
    let calls = |writer: &mut Writer<'_>| {
        let advisor = advisor(writer);
        call_model(writer, "lonely", advisor);
    };
    let writer = tell(Twist::before("closed", calls));
    assert_eq!(writer.refusals.first().map(|refusal| refusal.code.as_str()), Some("A3"));
}

#[test]
fn i7_checkpoints_that_do_not_fit() {
    let told = Told::from(tell(Twist::honest()));
    let last = told.entries.len() as u64 - 1;
    let size = told.entries.len();
    let i7 = |change: &dyn Fn(&mut StoredCheckpoint)| {
        let mut told = told.clone();
        change(&mut told.checkpoints[1]);
        let report = audit(&told, &anchored());
        assert_eq!(
            codes(&report),
            [("I7".to_owned(), Some(last))],
            "{:#?}",
            report.findings
        );
    };
    let other_keys = CheckpointKeys::derive(&HybridSecret::generate().expect("randomness"), &[0; 16]);
    let root = root_of(&told, size);
    i7(&|stored| stored.note = note(&other_keys, origin(), size as u64, root));
    i7(&|stored| stored.note = note(&checkpoint_keys(), origin(), size as u64, Root::of_empty()));
    i7(&|stored| stored.note.truncate(stored.note.len() - 1));
    i7(&|stored| stored.note.clear());
    let other_origin = Origin::new("countersign/other").expect("an origin");
    i7(&|stored| stored.note = note(&checkpoint_keys(), other_origin.clone(), size as u64, root));
}

#[test]
fn i7_a_checkpoint_filed_under_another_size() {
    let mut told = Told::from(tell(Twist::honest()));
    let last = told.entries.len() as u64 - 1;
    told.checkpoints[1].size = 5;
    let report = audit(&told, &anchored());
    assert_eq!(codes(&report), [("I7".to_owned(), Some(last))]);
    told.checkpoints[1].size = -5;
    assert_eq!(audit(&told, &anchored()).verdict(), Verdict::Rejected);
}

#[test]
fn i7_a_checkpoint_over_more_than_there_is_shows_the_cut() {
    let mut told = Told::from(tell(Twist::honest()));
    let last = told.entries.len() as u64 - 1;
    told.entries.truncate(20);
    let report = audit(&told, &anchored());
    assert_eq!(codes(&report), [("I7".to_owned(), Some(last))]);
}

#[test]
fn i8_a_head_that_fits_is_part_of_the_assurance() {
    let told = Told::from(tell(Twist::honest()));
    for size in [1, 20, told.entries.len()] {
        let report = audit(&told, &with_head(head(&told, size)));
        assert_eq!(report.verdict(), Verdict::Verified);
        assert_eq!(report.assurance.end, format!("head@{size}"));
    }
    let heads = vec![head(&told, 30), head(&told, 10)];
    let report = audit(&told, &AuditOptions { heads, ..anchored() });
    assert_eq!(report.assurance.end, "head@30");
}

#[test]
fn i8_a_head_does_not_make_an_open_end_complete() {
    let told = Told::from(tell(Twist::omit("closed")));
    let report = audit(&told, &with_head(head(&told, told.entries.len())));
    assert_eq!(report.verdict(), Verdict::Incomplete);
}

#[test]
fn i8_a_ledger_shorter_than_a_head_was_cut() {
    let told = Told::from(tell(Twist::honest()));
    let kept = head(&told, told.entries.len());
    let mut cut = told.clone();
    cut.entries.truncate(30);
    cut.checkpoints.pop();
    let report = audit(&cut, &with_head(kept));
    assert_eq!(codes(&report), [("I8".to_owned(), Some(29))]);
    assert_eq!(report.assurance.end, "self");
}

#[test]
fn i8_a_head_of_another_ledger_or_another_history() {
    let told = Told::from(tell(Twist::honest()));
    let size = told.entries.len();
    let last = Some(size as u64 - 1);
    let other_history = Told::from(tell(Twist::payloads("edit-finish", |payloads| {
        payloads[0] = b"else".to_vec()
    })));
    let other_keys = CheckpointKeys::derive(&HybridSecret::generate().expect("randomness"), &[0; 16]);
    for (head, entry) in [
        (head(&other_history, size), last),
        (head(&other_history, 34), Some(33)),
        (note(&other_keys, origin(), size as u64, root_of(&told, size)), last),
        (b"not a checkpoint".to_vec(), last),
        (Vec::new(), last),
    ] {
        let report = audit(&told, &with_head(head));
        assert_eq!(codes(&report), [("I8".to_owned(), entry)], "{:#?}", report.findings);
        assert_eq!(report.assurance.end, "self");
    }
}

#[test]
fn an_anchor_alone_does_not_hide_what_comes_late() {
    let late = |writer: &mut Writer<'_>| writer.clock += 13 * HOUR;
    let options = AuditOptions {
        anchors: vec![Anchor::Long(Who::Principal.did().clone())],
        ..AuditOptions::default()
    };
    let report = audit(&tell(Twist::before("run-ended", late)).into(), &options);
    assert!(codes(&report).iter().all(|(code, _)| code == "A4"));
    assert_eq!(report.verdict(), Verdict::Rejected);
}
