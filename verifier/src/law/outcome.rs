//! `action.finished`: rules D6 and D7 (authority-v1 §10).

use countersign_schemas::body::{ActionFinished, FinishOutcome};
use countersign_schemas::number::{Millis, Seq};
use countersign_schemas::text::Name;

use super::action::{Decision, Standing};
use super::entry::Entry;
use super::findings::Findings;
use super::instance::Instance;
use super::{Change, Law};
use crate::code::Code;

/// An outcome that is entered.
pub(super) struct Finished {
    decision: Seq,
    question: Option<Seq>,
    /// Tool and request of an action of which nobody knows what became.
    lost: Option<(Name, Seq)>,
}

impl Finished {
    pub(super) fn apply(self, law: &mut Law) {
        law.actions.settle(self.decision, Standing::Finished);
        if let Some((tool, request)) = self.lost {
            law.lost.insert(tool, request);
        }
        if let Some(question) = self.question {
            law.questions.remove(&question);
        }
    }
}

pub(super) fn check(
    law: &Law,
    entry: &Entry<'_>,
    author: &Instance,
    body: &ActionFinished,
    out: &mut Findings,
) -> Option<Change> {
    let Some(standing) = law.actions.standing(body.decision) else {
        out.breach(
            Code::D7,
            "a decision that permits the action",
            format_args!("entry {}, which is none", body.decision),
        );
        return None;
    };
    match standing {
        Standing::Permitted => {}
        Standing::Finished => {
            out.breach(
                Code::D6,
                format_args!("one outcome of the decision at {}", body.decision),
                "another one",
            );
            return None;
        }
        Standing::Denied => out.breach(Code::D7, "a decision that permits the action", "a denial"),
        Standing::Asking => out.breach(Code::D7, "an approval", "an ask that nobody answered"),
        Standing::Lapsed => out.breach(Code::D7, "an approval", "an ask that was refused or has expired"),
    }
    let decision = law.actions.decisions.get(&body.decision);
    if let Some(decision) = decision {
        check_executor(law, author, body, decision, out);
        check_start(law, entry, body, decision, out);
    }
    if body.outcome == FinishOutcome::Unknown {
        out.unproven(Code::C3, "what became of the action", "an unknown outcome");
    }
    debug_assert!(entry.seq > body.decision || out.first_refusal().is_some());
    Some(Change::Finished(Finished {
        decision: body.decision,
        question: decision.and_then(|decision| decision.question),
        lost: decision
            .filter(|_| body.outcome == FinishOutcome::Unknown)
            .and_then(|decision| lost(law, decision)),
    }))
}

/// Tool and request of a decision.
fn lost(law: &Law, decision: &Decision) -> Option<(Name, Seq)> {
    let request = law.actions.requests.get(&decision.request)?;
    Some((request.tool.clone(), decision.request))
}

/// The decider executes. Whoever took over from it knows only that it does not know what became of the action.
fn check_executor(law: &Law, author: &Instance, body: &ActionFinished, decision: &Decision, out: &mut Findings) {
    if author.seq == decision.author {
        return;
    }
    if !law.stands_for(author, decision.author) {
        let expected = format!("executed by the decider, {}", decision.author);
        out.breach(Code::D6, expected, format_args!("by {}", author.seq));
        return;
    }
    let nothing_claimed = body.outcome == FinishOutcome::Unknown && body.started.is_none();
    let started = body
        .started
        .map_or_else(|| "no start".to_owned(), |at| format!("started {at}"));
    out.require(
        nothing_claimed,
        Code::D6,
        format_args!(
            "of an action that {} may have run, unknown and no start",
            decision.author
        ),
        format_args!("{}, {started}", body.outcome),
    );
}

/// Nothing begins before it was permitted, after the permit's end, after the run's end, or later than its outcome is told.
fn check_start(law: &Law, entry: &Entry<'_>, body: &ActionFinished, decision: &Decision, out: &mut Findings) {
    let (from, expires) = (decision.permitted_at, decision.expires);
    match body.started {
        Some(started) => {
            let told = format!("started from {from} to {}", entry.received);
            out.require(from <= started && started <= entry.received, Code::D7, told, started);
            if let Some(end) = run_end(law, decision) {
                out.require(
                    started <= end,
                    Code::D7,
                    format_args!("started by {end}, the end of its run"),
                    started,
                );
            }
            let in_time = started <= expires;
            out.require(
                in_time,
                Code::D7,
                format_args!("started by {expires}, the end of the permit"),
                started,
            );
        }
        None => {
            let never = matches!(body.outcome, FinishOutcome::Aborted | FinishOutcome::Unknown);
            out.require(
                never,
                Code::D7,
                "an action that never started aborted or unknown",
                body.outcome,
            );
        }
    }
}

/// When the requester's run was ended, if it was.
fn run_end(law: &Law, decision: &Decision) -> Option<Millis> {
    let requester = law
        .instances
        .get(&law.actions.requests.get(&decision.request)?.author)?;
    law.runs.get(&requester.run?)?.ended_at()
}
