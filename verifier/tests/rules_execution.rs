//! Approvals and outcomes: rules D5 to D7, broken one at a time.

use countersign_identity::credential::{InstanceRole, Meaning, OrderClaims};
use countersign_schemas::body::{
    ActionFinished, AdviceRequested, Body, EventCode, FinishOutcome, OrderForm, PolicyLayer, SessionEvent, Verdict,
};
use countersign_schemas::digest::{Commitment, Digest, LedgerId};
use countersign_schemas::number::{Millis, Seq};
use countersign_schemas::text::Name;

use crate::support::cast::Who;
use crate::support::credentials::{HOUR, START, child_grant, window};
use crate::support::story::{RUNTIME, adopt, advisor, approve, binding, finish, introduce, lead, tell};
use crate::support::writer::{Twist, Writer};
use crate::support::{anchored, audit, breaks, breaks_first, leaves_open};

/// The approval with another order in its place.
fn ordered(change: fn(&mut OrderClaims)) -> Twist<'static> {
    let mut written = false;
    Twist {
        before: Some(Box::new(move |at: &str, writer: &mut Writer<'static>| {
            if at == "approval" && !written {
                written = true;
                let (request, decision) = (writer.at("bash"), writer.at("bash-decision"));
                approve(writer, "forged", request, decision, change);
            }
        })),
        ..Twist::default()
    }
}

/// The first approval is forged; the second, honest one answers an ask that is answered already.
#[track_caller]
fn forged(change: fn(&mut OrderClaims)) {
    breaks_first(ordered(change), "D5", "forged");
}

#[test]
fn d5_an_order_over_something_else() {
    forged(|claims| claims.context.ledger = LedgerId::from_bytes([1; 32]));
    forged(|claims| claims.context.request = Digest::sha256(b"x"));
    forged(|claims| claims.context.decision = Digest::sha256(b"x"));
    forged(|claims| claims.context.tool = Name::new("read").expect("a name"));
    forged(|claims| claims.context.arguments = Commitment::from_bytes([1; 32]));
    forged(|claims| claims.context.text = Digest::sha256(b"x"));
}

#[test]
fn d5_an_order_that_is_not_valid_now() {
    forged(|claims| claims.window = window(START + HOUR / 2, START + HOUR));
    forged(|claims| {
        claims.window = window(START - HOUR, START + 10_000);
        claims.context.expires = Millis::clamped(START + 10_000);
    });
    forged(|claims| claims.context.expires = Millis::clamped(START + 1_000));
}

#[test]
fn d5_an_order_of_somebody_else() {
    breaks_first(Twist::issuer("order", Who::Stranger), "D5", "approval");
    breaks_first(Twist::issuer("order", Who::Lead), "D5", "approval");
    breaks_first(Twist::issuer("order", Who::Principal), "D5", "approval");
}

fn approval(change: fn(&mut countersign_schemas::body::ApprovalEntered)) -> Twist<'static> {
    Twist::statement("approval", move |statement| {
        if let Body::ApprovalEntered(body) = &mut statement.body {
            change(body);
        }
    })
}

#[test]
fn d5_a_verdict_that_the_approver_did_not_give() {
    breaks_first(approval(|body| body.verdict = Verdict::Refused), "D5", "approval");
}

#[test]
fn d5_an_approver_that_was_not_asked() {
    breaks_first(approval(|body| body.approver = Seq::clamped(4)), "D5", "approval");
    breaks_first(approval(|body| body.approver = Seq::ZERO), "D5", "approval");
}

#[test]
fn d5_an_approval_of_what_was_not_asked() {
    breaks_first(approval(|body| body.decision = Seq::clamped(31)), "D5", "approval");
    breaks_first(approval(|body| body.decision = Seq::clamped(18)), "D5", "approval");
}

#[test]
fn d5_a_text_that_is_not_the_action() {
    let twist = Twist::payloads("approval", |payloads| payloads[0].extend_from_slice(b" "));
    breaks_first(twist, "D5", "approval");
}

#[test]
fn d5_an_answer_that_comes_too_late() {
    let late = |writer: &mut Writer<'_>| writer.clock += 2 * HOUR;
    breaks_first(Twist::before("approval", late), "D5", "approval");
}

#[test]
fn d5_policies_that_changed_in_between() {
    let restrict = |writer: &mut Writer<'_>| {
        adopt(
            writer,
            "layer5",
            PolicyLayer::File,
            "permit(principal, action, resource);",
        );
    };
    breaks_first(Twist::before("approval", restrict), "D5", "approval");
}

#[test]
fn d5_an_ask_is_answered_once() {
    let again = |writer: &mut Writer<'_>| {
        let (request, decision) = (writer.at("bash"), writer.at("bash-decision"));
        approve(writer, "again", request, decision, |_| {});
    };
    breaks(Twist::before("bash-finish", again), "D5", "again");
    let expired = |writer: &mut Writer<'_>| {
        let about = Some(writer.at("bash-decision"));
        writer.enter("expired", RUNTIME, &[], |_| {
            SessionEvent {
                code: EventCode::ApprovalExpired,
                about,
                detail: None,
            }
            .into()
        });
    };
    breaks_first(Twist::before("approval", expired), "D5", "approval");
}

#[test]
fn u2_orders_in_a_form_that_is_not_judged() {
    let writer = tell(approval(|body| body.order.form = OrderForm::SshSig));
    assert_eq!(writer.refusals.first().map(|refusal| refusal.code.as_str()), Some("U2"));
    assert_eq!(audit(&writer.into(), &anchored()).verdict().exit_code(), 4);
}

#[test]
fn a_refusal_is_lawful_and_nothing_runs_on_it() {
    let refused = ordered(|claims| {
        claims.context.verdict = Verdict::Refused;
        claims.context.meaning = Meaning::Refuse;
    });
    let without_approval = Twist::omit("approval");
    breaks(
        Twist {
            draft: without_approval.draft,
            ..refused
        },
        "D7",
        "bash-finish",
    );
}

#[test]
fn an_ask_that_nobody_answers_is_complete() {
    let gives_up = Twist {
        draft: Some(Box::new(|at: &str, draft: &mut crate::support::writer::Draft| {
            draft.omitted |= at == "bash-finish";
            if at == "approval" {
                let about = Some(Seq::clamped(draft.seq - 1));
                draft.statement.body = SessionEvent {
                    code: EventCode::ApprovalExpired,
                    about,
                    detail: None,
                }
                .into();
                draft.payloads.clear();
            }
        })),
        ..Twist::default()
    };
    let writer = tell(gives_up);
    assert_eq!(writer.refusals, []);
    assert_eq!(audit(&writer.into(), &anchored()).verdict().exit_code(), 0);
}

#[test]
fn d6_an_action_that_runs_twice() {
    for label in ["grep-decision", "bash-decision"] {
        let again = move |writer: &mut Writer<'_>| {
            let decision = writer.at(label);
            finish(writer, "again", decision);
        };
        breaks(Twist::before("closed", again), "D6", "again");
    }
}

#[test]
fn d7_an_action_without_permission() {
    let denied = |writer: &mut Writer<'_>| {
        let decision = writer.at("scout-write-decision");
        finish(writer, "against", decision);
    };
    breaks(Twist::before("scout-stop", denied), "D7", "against");
    let unasked = |writer: &mut Writer<'_>| {
        let decision = writer.at("bash-decision");
        finish(writer, "against", decision);
    };
    breaks_first(Twist::before("approval", unasked), "D7", "against");
    breaks(Twist::omit("approval"), "D7", "bash-finish");
    let of_nothing = |writer: &mut Writer<'_>| {
        let run = writer.at("run");
        finish(writer, "against", run);
    };
    breaks(Twist::before("call-1", of_nothing), "D7", "against");
}

fn finished(label: &'static str, change: fn(&mut ActionFinished)) -> Twist<'static> {
    Twist::statement(label, move |statement| {
        if let Body::ActionFinished(body) = &mut statement.body {
            change(body);
        }
    })
}

#[test]
fn d7_an_action_that_starts_after_its_permit() {
    let late = finished("grep-finish", |body| {
        body.started = Some(Millis::clamped(START + 2 * HOUR))
    });
    breaks(late, "D7", "grep-finish");
    breaks(finished("grep-finish", |body| body.started = None), "D7", "grep-finish");
    let never = finished("grep-finish", |body| {
        body.started = None;
        body.outcome = FinishOutcome::Aborted;
    });
    assert_eq!(audit(&tell(never).into(), &anchored()).verdict().exit_code(), 0);
}

#[test]
fn d7_a_child_without_an_allowed_action() {
    let unasked = |writer: &mut Writer<'_>| {
        let (lead, run) = (lead(writer), writer.at("run"));
        let state = writer.law.grant_of(lead.1).expect("the lead's grant");
        let grant = child_grant(binding(writer), state.digest(), state.root_digest());
        let role = InstanceRole::Agent(Box::new(grant));
        introduce(
            writer,
            "unasked",
            lead,
            Who::Stranger,
            role,
            (Who::Lead, Some(run), Some(lead.1)),
        );
    };
    breaks(Twist::before("spawn", unasked), "D7", "unasked");
    // One action introduces one child.
    breaks(Twist::before("scout-call", unasked), "D7", "unasked");
    breaks(Twist::before("call-2", unasked), "D7", "unasked");
}

#[test]
fn d7_a_question_without_an_allowed_action() {
    let asks = |writer: &mut Writer<'_>| {
        let (lead, advisor) = (lead(writer), advisor(writer));
        writer.enter("unasked", lead, &[b"?"], |refs| {
            AdviceRequested {
                advisor: advisor.1,
                question: refs[0].clone(),
            }
            .into()
        });
    };
    breaks(Twist::before("consult", asks), "D7", "unasked");
    breaks(Twist::before("call-3", asks), "D7", "unasked");
}

#[test]
fn c3_an_outcome_that_nobody_knows() {
    let unknown = finished("grep-finish", |body| {
        body.started = None;
        body.outcome = FinishOutcome::Unknown;
    });
    leaves_open(unknown, &[("C3", "grep-finish")]);
}

fn started(label: &'static str, at: u64) -> Twist<'static> {
    Twist::statement(label, move |statement| {
        if let Body::ActionFinished(body) = &mut statement.body {
            body.started = Some(Millis::clamped(at));
        }
    })
}

#[test]
fn d7_an_action_that_began_before_it_was_permitted() {
    breaks(started("edit-finish", START), "D7", "edit-finish");
    // An approved ask permits from its approval, not from the decision that asked.
    let asked = tell(Twist::honest()).at("bash-decision").get();
    // The writer's clock goes on by a second an entry.
    breaks(started("bash-finish", START + 1_000 * (asked + 1)), "D7", "bash-finish");
}

#[test]
fn d7_an_action_that_began_after_its_outcome_was_told() {
    breaks(started("edit-finish", START + HOUR / 4), "D7", "edit-finish");
}
