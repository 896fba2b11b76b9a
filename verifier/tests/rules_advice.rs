//! Advisors and what they are asked: authority-v1 §5.2 and §5.4, broken one at a time (A5, D7, G8).

use countersign_identity::credential::InstanceRole;
use countersign_schemas::body::{AdviceForm, AdviceGiven, AdviceRequested, Body, RunEndReason};
use countersign_schemas::number::Seq;
use countersign_verifier::projection::Observed;

use crate::support::aftermath::{end_run, remark, start_with};
use crate::support::cast::Who;
use crate::support::story::{
    Author, CONSULT, RUNTIME, advisor, decide, finish, introduce, lead, request, stop, tell, turn,
};
use crate::support::writer::{Twist, Writer};
use crate::support::{anchored, audit, breaks, breaks_first, is_verified};

fn ask(writer: &mut Writer<'_>, label: &'static str, author: Author, advisor: Seq) -> Seq {
    writer.enter(label, author, &[b"?"], |refs| {
        AdviceRequested {
            advisor,
            question: refs[0].clone(),
        }
        .into()
    })
}

fn give(writer: &mut Writer<'_>, label: &'static str, author: Author, (question, answer): (Seq, Seq)) -> Seq {
    writer.enter(label, author, &[b"Neither."], |refs| {
        AdviceGiven {
            question,
            answer,
            form: AdviceForm::Readable,
            content: refs[0].clone(),
        }
        .into()
    })
}

/// An advisor of the lead, or one of the runtime.
fn introduce_advisor(writer: &mut Writer<'_>, label: &'static str, by: Author, run: Option<Seq>) -> Author {
    let role = InstanceRole::Advisor;
    let issuer = if by == RUNTIME { Who::Host } else { by.0 };
    introduce(writer, label, by, Who::Stranger, role, (issuer, run, None)).0
}

/// Another permitted `advisor` action of the lead; gives its decision.
fn consult_again(writer: &mut Writer<'_>) -> Seq {
    let lead = lead(writer);
    let cause = turn(writer, ["call-again", "answer-again"], lead, &[CONSULT]);
    let consult = request(writer, "consult-again", lead, CONSULT, cause, &[]);
    decide(writer, "consult-again-decision", consult, Observed::nothing())
}

/// The lead introduces an advisor inside an allowed action, is advised by it, and lets it speak as long as it wants.
#[test]
fn an_agent_asks_an_advisor_of_its_own() {
    let consults = |writer: &mut Writer<'_>| {
        let (lead, run) = (lead(writer), writer.at("run"));
        let decision = consult_again(writer);
        let own = introduce_advisor(writer, "own-advisor", lead, Some(run));
        let question = ask(writer, "own-question", lead, own.1);
        let answer = turn(writer, ["own-call", "own-answer"], own, &[]);
        give(writer, "own-advice", own, (question, answer));
        finish(writer, "consult-again-finish", decision);
    };
    let leaves = |writer: &mut Writer<'_>| {
        let own = (Who::Stranger, writer.at("own-advisor"));
        remark(writer, "own-remark", own);
        stop(writer, "own-stop", own, own.1);
    };
    let writer = tell(Twist {
        before: Some(Box::new(move |at: &str, writer: &mut Writer<'_>| match at {
            "lead-stop" => consults(writer),
            "closed" => leaves(writer),
            _ => {}
        })),
        ..Twist::default()
    });
    assert_eq!(writer.refusals, []);
    is_verified(&audit(&writer.into(), &anchored()));
}

#[test]
fn d7_an_advisor_without_an_allowed_action() {
    let unasked = |writer: &mut Writer<'_>| {
        let (lead, run) = (lead(writer), writer.at("run"));
        introduce_advisor(writer, "unasked", lead, Some(run));
    };
    breaks(Twist::before("consult", unasked), "D7", "unasked");
}

#[test]
fn g8_an_advisor_of_another_run_or_of_one_too_few() {
    let outside = |writer: &mut Writer<'_>| {
        let lead = lead(writer);
        introduce_advisor(writer, "outside", lead, None);
    };
    breaks(Twist::before("question", outside), "G8", "outside");
    let inside = |writer: &mut Writer<'_>| {
        let run = writer.at("run");
        introduce_advisor(writer, "inside", RUNTIME, Some(run));
    };
    breaks(Twist::before("question", inside), "G8", "inside");
}

#[test]
fn a5_a_question_to_somebody_else_than_an_advisor() {
    for whom in ["approver", "scout"] {
        let asks = move |writer: &mut Writer<'_>| {
            let (lead, whom) = (lead(writer), writer.at(whom));
            ask(writer, "asks", lead, whom);
        };
        breaks(Twist::before("question", asks), "A5", "asks");
    }
}

#[test]
fn a5_a_question_to_an_advisor_that_has_stopped() {
    let asks = |writer: &mut Writer<'_>| {
        let lead = lead(writer);
        let other = introduce_advisor(writer, "other-advisor", RUNTIME, None);
        stop(writer, "other-stop", other, other.1);
        ask(writer, "asks", lead, other.1);
    };
    breaks_first(Twist::before("question", asks), "A5", "asks");
}

#[test]
fn a5_a_question_to_the_advisor_of_another_agent() {
    let asks = |writer: &mut Writer<'_>| {
        let (lead, run) = (lead(writer), writer.at("run"));
        let own = introduce_advisor(writer, "own-advisor", lead, Some(run));
        let (other, _) = start_with(writer, ["lead-2", "run-2"], RUNTIME, Who::SecondLead);
        ask(writer, "asks", other, own.1);
    };
    breaks_first(Twist::before("question", asks), "A5", "asks");
}

#[test]
fn d7_two_questions_inside_one_action() {
    let asks = |writer: &mut Writer<'_>| {
        let (lead, advisor) = (lead(writer), advisor(writer));
        ask(writer, "asks", lead, advisor.1);
    };
    breaks(Twist::before("consult-finish", asks), "D7", "asks");
}

#[test]
fn a5_advice_by_an_advisor_that_was_not_asked() {
    let gives = |writer: &mut Writer<'_>| {
        let other = introduce_advisor(writer, "other-advisor", RUNTIME, None);
        let about = (writer.at("question"), writer.at("advisor-answer"));
        give(writer, "gives", other, about);
    };
    breaks(Twist::before("advice", gives), "A5", "gives");
}

#[test]
fn a5_advice_from_before_the_question() {
    let gives = |writer: &mut Writer<'_>| {
        let (lead, advisor) = (lead(writer), advisor(writer));
        let decision = consult_again(writer);
        let question = ask(writer, "question-again", lead, advisor.1);
        let answer = writer.at("advisor-answer");
        give(writer, "gives", advisor, (question, answer));
        finish(writer, "consult-again-finish", decision);
    };
    breaks(Twist::before("lead-stop", gives), "A5", "gives");
}

/// The run of whoever asked pays for the answer (authority-v1 §5.5).
#[test]
fn a5_an_advisors_call_behind_the_end_of_the_run() {
    let ends = |writer: &mut Writer<'_>| {
        end_run(writer, "ended-early", RUNTIME, ("run", "lead"), RunEndReason::Done);
    };
    breaks_first(Twist::before("advisor-call", ends), "A5", "advisor-call");
}

#[test]
fn a5_an_advisor_with_a_grant() {
    let twist = Twist::statement("advisor", |statement| {
        if let Body::IdentityIntroduced(body) = &mut statement.body {
            body.parent_grant = Some(Seq::ZERO);
        }
    });
    breaks(twist, "A5", "advisor");
}
