//! What is taken up again although nobody knows whether it was done: `resumes`, rule A5.

use countersign_schemas::body::{ActionFinished, Body, FinishOutcome, Outcome};
use countersign_schemas::number::{Count, Millis, Seq};
use countersign_verifier::finding::Finding;
use countersign_verifier::projection::{Observed, Place};

use crate::support::aftermath::{LIST, lose_at, start_with, work};
use crate::support::amends::{after_the_crash, amends};
use crate::support::cast::Who;
use crate::support::story::{
    Author, EDIT, RUNTIME, cast, decide, decide_by, finish_by, inside, lead, opening, resume, turn,
};
use crate::support::writer::{Twist, Writer};
use crate::support::{anchored, audit, codes};

fn first(writer: &Writer<'_>) -> Option<(&'static str, Option<Seq>)> {
    let of = |finding: &Finding| (finding.code.as_str(), finding.entry);
    writer.refusals.first().map(of)
}

/// The request that was entered last is refused for what it resumes, and nothing else is wrong.
#[track_caller]
fn refused(writer: Writer<'_>, label: &str) {
    let entry = writer.at(label);
    assert_eq!(first(&writer), Some(("A5", Some(entry))));
    assert_eq!(writer.refusals.len(), 1, "{:#?}", writer.refusals);
    let report = audit(&writer.into(), &anchored());
    assert_eq!(codes(&report), [("A5".to_owned(), Some(entry.get()))]);
}

/// After the crash; `write` gets the process, its lead and the answer that proposes EDIT twice and LIST.
fn told<'t>(write: impl FnOnce(&mut Writer<'t>, Author, Author, Seq)) -> Writer<'t> {
    let mut writer = Writer::new(Twist::honest());
    let (second, lead, cause) = after_the_crash(&mut writer);
    write(&mut writer, second, lead, cause);
    writer
}

#[test]
fn what_was_lost_is_taken_up_decided_and_done() {
    let writer = amends(Twist::honest());
    assert_eq!(writer.refusals, []);
    assert_eq!(writer.outcomes[&writer.at("again-decision")], Outcome::Allow);
    let lost = writer.at("edit-lost").get();
    let report = audit(&writer.into(), &anchored());
    assert_eq!(codes(&report), []);
    // Whether it ran the first time, nobody knows any better.
    let open = report.unproven.iter().map(|it| (it.code.as_str(), it.entry));
    assert!(open.into_iter().any(|it| it == ("C3", Some(Seq::clamped(lost)))));
}

#[test]
fn a_request_that_resumes_is_decided_like_any_other() {
    let writer = told(|writer, second, lead, cause| {
        let lost = writer.at("edit");
        let again = resume(writer, "again", lead, EDIT, cause, lost);
        // That it was allowed before does not matter: by now a link leads to a key.
        let observed = Observed {
            place: Place::Secret,
            real_path: "/w/.ssh/id_rsa".to_owned(),
        };
        decide_by(writer, "again-decision", second, again, observed);
    });
    assert_eq!(writer.refusals, []);
    assert_ne!(writer.outcomes[&writer.at("again-decision")], Outcome::Allow);
}

#[test]
fn a5_the_same_loss_is_taken_up_once() {
    let writer = told(|writer, _, lead, cause| {
        let lost = writer.at("edit");
        resume(writer, "again", lead, EDIT, cause, lost);
        resume(writer, "once-more", lead, EDIT, cause, lost);
    });
    refused(writer, "once-more");
}

#[test]
fn what_was_taken_up_and_lost_again_can_be_taken_up_in_its_turn() {
    let writer = told(|writer, second, lead, cause| {
        let lost = writer.at("edit");
        let again = resume(writer, "again", lead, EDIT, cause, lost);
        let allowed = decide_by(writer, "again-decision", second, again, inside("/w/src/add.sh"));
        lose_at(writer, "again-lost", second, allowed);
        resume(writer, "once-more", lead, EDIT, cause, again);
    });
    assert_eq!(writer.refusals, []);
}

#[test]
fn an_agent_of_another_process_takes_up_what_was_lost() {
    let writer = told(|writer, second, _, _| {
        let (other, _) = start_with(writer, ["lead-3", "run-3"], second, Who::Third);
        let cause = turn(writer, ["call-3", "answer-3"], other, &[EDIT]);
        let lost = writer.at("edit");
        resume(writer, "again", other, EDIT, cause, lost);
    });
    assert_eq!(writer.refusals, []);
}

#[test]
fn a5_another_tool() {
    refused(
        told(|writer, _, lead, cause| {
            let lost = writer.at("edit");
            resume(writer, "again", lead, LIST, cause, lost);
        }),
        "again",
    );
}

#[test]
fn a5_what_is_no_lost_request() {
    // An ask that expired, a request without decision, a decision, an outcome, an introduction, a model answer.
    for label in [
        "bash",
        "todo",
        "edit-decision",
        "edit-lost",
        "lead",
        "answer-b",
        "opened",
    ] {
        let writer = told(|writer, _, lead, cause| {
            let named = writer.at(label);
            resume(writer, "again", lead, EDIT, cause, named);
        });
        refused(writer, "again");
    }
}

#[test]
fn a5_an_action_whose_outcome_is_known() {
    let writer = told(|writer, second, lead, _| {
        work(writer, second, lead);
        let cause = turn(writer, ["call-c", "answer-c"], lead, &[LIST]);
        let done = writer.at("list");
        resume(writer, "again", lead, LIST, cause, done);
    });
    assert_eq!(first(&writer), Some(("A5", Some(writer.at("again")))));
}

/// A lead whose EDIT ends with an outcome that `conclude` writes, and that asks for it again.
fn ended(conclude: impl FnOnce(&mut Writer<'_>, Seq)) -> Writer<'static> {
    let mut writer = Writer::new(Twist::honest());
    opening(&mut writer);
    cast(&mut writer);
    let lead = lead(&writer);
    let cause = turn(&mut writer, ["call-1", "answer-1"], lead, &[EDIT, EDIT]);
    let edit = crate::support::story::request(&mut writer, "edit", lead, EDIT, cause, &[]);
    let allowed = decide(&mut writer, "edit-decision", edit, inside("/w/src/add.sh"));
    conclude(&mut writer, allowed);
    resume(&mut writer, "again", lead, EDIT, cause, edit);
    writer
}

fn finished(writer: &mut Writer<'_>, decision: Seq, outcome: FinishOutcome) {
    let started = matches!(outcome, FinishOutcome::Error | FinishOutcome::Timeout);
    let started = started.then(|| Millis::clamped(writer.clock));
    writer.enter("edit-finish", RUNTIME, &[], |_| {
        ActionFinished {
            decision,
            outcome,
            result: None,
            started,
            duration: None,
            sandbox: Count::ZERO,
        }
        .into()
    });
}

#[test]
fn only_an_unknown_outcome_can_be_resumed() {
    let unknown = ended(|writer, decision| finished(writer, decision, FinishOutcome::Unknown));
    assert_eq!(unknown.refusals, []);
    for outcome in [FinishOutcome::Error, FinishOutcome::Timeout, FinishOutcome::Aborted] {
        refused(ended(|writer, decision| finished(writer, decision, outcome)), "again");
    }
    refused(
        ended(|writer, decision| {
            finish_by(writer, "edit-finish", RUNTIME, decision);
        }),
        "again",
    );
    refused(ended(|_, _| {}), "again");
}

#[test]
fn i5_a_lost_request_that_its_author_has_not_seen() {
    let mut writer = Writer::new(Twist::draft("again", |draft| {
        let Body::ActionRequested(body) = &mut draft.statement.body else {
            return;
        };
        body.resumes = Some(Seq::clamped(draft.seq));
    }));
    let (_, lead, cause) = after_the_crash(&mut writer);
    let lost = writer.at("edit");
    resume(&mut writer, "again", lead, EDIT, cause, lost);
    assert_eq!(first(&writer), Some(("I5", Some(writer.at("again")))));
}
