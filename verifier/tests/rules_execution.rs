//! Approvals and outcomes: rules D5 to D7, broken one at a time.

use std::collections::BTreeMap;

use countersign_identity::credential::{InstanceClaims, InstanceRole, Meaning, OrderClaims};
use countersign_schemas::body::{
    ActionFinished, AdviceRequested, Body, EventCode, FinishOutcome, OrderForm, PolicyLayer, RunEndReason,
    SessionEvent, Verdict,
};
use countersign_schemas::digest::{Commitment, Digest, LedgerId};
use countersign_schemas::number::{Millis, Seq};
use countersign_schemas::text::Name;

use crate::support::aftermath::{end_run, expire, remark};
use crate::support::cast::Who;
use crate::support::credentials::{HOUR, START, approver, budget, child_grant, issue, window};
use crate::support::story::{
    BASH, LAYER1, RUNTIME, adopt, advisor, approve, binding, finish, introduce, lead, tell, turn,
};
use crate::support::writer::{Draft, Twist, Writer};
use crate::support::{anchored, audit, breaks, breaks_first, codes, is_verified, leaves_open, unproven};

/// When the honest story receives the entry with this label: the writer's clock goes on by a second an entry.
fn received(label: &str) -> u64 {
    START + 1_000 * (tell(Twist::honest()).at(label).get() + 1)
}

/// The terms of the credentials of both agents.
fn agents(mut change: impl FnMut(&str, &mut InstanceClaims) + 'static) -> Twist<'static> {
    Twist {
        claims: Some(Box::new(move |called: &str, claims: &mut InstanceClaims| {
            if matches!(called, "lead" | "scout") {
                change(called, claims);
            }
        })),
        ..Twist::default()
    }
}

#[track_caller]
fn is_lawful(twist: Twist<'_>) {
    let writer = tell(twist);
    assert_eq!(writer.refusals, []);
    is_verified(&audit(&writer.into(), &anchored()));
}

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

/// The ask ends before the order does.
fn asked_until(expires: u64) -> Twist<'static> {
    Twist::statement("bash-decision", move |statement| {
        if let Body::DecisionMade(body) = &mut statement.body {
            body.expires = Millis::clamped(expires);
        }
    })
}

/// The last moment counts for the answer and, as the story goes, for the start of the action.
#[test]
fn d5_an_answer_behind_the_end_of_the_ask() {
    breaks_first(asked_until(received("approval") - 1), "D5", "approval");
    is_lawful(asked_until(received("approval")));
}

/// Another answer in the place of the honest one, received when that was.
fn answered(change: impl Fn(&mut OrderClaims) + 'static) -> Twist<'static> {
    let mut written = false;
    Twist {
        draft: Twist::omit("approval").draft,
        before: Some(Box::new(move |at: &str, writer: &mut Writer<'static>| {
            if at == "approval" && !written {
                written = true;
                let (request, decision) = (writer.at("bash"), writer.at("bash-decision"));
                approve(writer, "answer", request, decision, &change);
            }
        })),
        ..Twist::default()
    }
}

#[test]
fn d5_an_answer_behind_the_end_of_the_order() {
    let now = received("approval");
    let until = |ms| answered(move |claims: &mut OrderClaims| claims.context.expires = Millis::clamped(ms));
    breaks(until(now - 1), "D5", "answer");
    is_lawful(until(now));
}

/// The approver signs what it was shown, which is not what would be done.
#[test]
fn d5_a_text_that_was_signed_and_is_not_the_action() {
    let shown = |arguments: &str| format!("tool: {}\nworkspace: /w\narguments:\n{arguments}", BASH.0).into_bytes();
    let harmless = shown(r#"{"command":"true"}"#);
    let text = Digest::sha256(&harmless);
    let twist = Twist {
        payloads: Twist::payloads("answer", move |payloads| payloads[0].clone_from(&harmless)).payloads,
        ..answered(move |claims| claims.context.text = text)
    };
    breaks(twist, "D5", "answer");
}

#[test]
fn d5_what_was_shown_of_absent_arguments_is_unproven() {
    let twist = Twist::draft("bash", |draft: &mut Draft| draft.withheld = vec![0]);
    let writer = tell(twist);
    let approval = writer.at("approval").get();
    let report = audit(&writer.into(), &anchored());
    assert_eq!(codes(&report), []);
    assert!(unproven(&report).contains(&("D5".to_owned(), Some(approval))));
}

#[test]
fn a4_an_approver_whose_time_is_over() {
    let until = received("approval");
    let twist = Twist::statement("approver", move |statement| {
        if let Body::IdentityIntroduced(body) = &mut statement.body {
            let mut claims = approver();
            claims.window = window(START - HOUR, until);
            body.credential = issue(&claims, Who::Principal);
        }
    });
    breaks(twist, "A4", "approval");
}

/// What part 0 and 1 judged at the decision has to hold when the answer arrives (authority-v1 §9).
#[test]
fn d1_an_approval_for_an_agent_whose_time_is_over() {
    let until = received("approval");
    let ended = agents(move |_, claims| claims.window = window(START - HOUR, until));
    breaks_first(ended, "D1", "approval");
}

#[test]
fn g6_an_approval_that_no_call_is_left_for() {
    let spends = |writer: &mut Writer<'_>| {
        let lead = lead(writer);
        assert_eq!(writer.law.calls_left(lead.1).map(|left| left.get()), Some(1));
        turn(writer, ["late-call", "late-answer"], lead, &[]);
    };
    let twist = Twist {
        before: Twist::before("approval", spends).before,
        ..agents(|called, claims| {
            if let InstanceRole::Agent(grant) = &mut claims.role {
                grant.budget = budget(if called == "lead" { 9 } else { 5 }, 50_000);
            }
        })
    };
    breaks_first(twist, "G6", "approval");
}

#[test]
fn g8_an_approval_behind_the_end_of_the_run() {
    let ends = |writer: &mut Writer<'_>| {
        end_run(writer, "ended-early", RUNTIME, ("run", "lead"), RunEndReason::Done);
    };
    breaks_first(Twist::before("approval", ends), "G8", "approval");
}

#[test]
fn g8_an_approval_under_a_pinned_policy_that_is_absent_is_unproven() {
    let pins = agents(|_, claims| {
        if let InstanceRole::Agent(grant) = &mut claims.role {
            grant.policy.floor = BTreeMap::from([(PolicyLayer::Organisation, Digest::sha256(LAYER1.as_bytes()))]);
        }
    });
    let twist = Twist {
        draft: Twist::draft("layer1", |draft: &mut Draft| draft.withheld = vec![0]).draft,
        ..pins
    };
    let writer = tell(twist);
    let approval = writer.at("approval").get();
    assert_eq!(writer.refusals, []);
    let report = audit(&writer.into(), &anchored());
    assert_eq!(codes(&report), []);
    assert!(unproven(&report).contains(&("G8".to_owned(), Some(approval))));
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

/// What ran without permission has run: a second outcome is one too many (authority-v1 §6.1).
#[test]
fn d6_d7_an_action_that_runs_twice_without_permission() {
    let twice = |writer: &mut Writer<'_>, decision: &str| {
        let decision = writer.at(decision);
        finish(writer, "once", decision);
        finish(writer, "twice", decision);
    };
    let breaks_both = |writer: Writer<'_>| {
        let place = |code: &str, label: &str| (code.to_owned(), Some(writer.at(label).get()));
        let expected = [place("D7", "once"), place("D6", "twice")];
        assert_eq!(codes(&audit(&writer.into(), &anchored())), expected);
    };
    breaks_both(tell(Twist::before("scout-stop", move |writer| {
        twice(writer, "scout-write-decision");
    })));
    let expires = move |writer: &mut Writer<'_>| {
        expire(writer, "expired", RUNTIME, "bash-decision");
        twice(writer, "bash-decision");
    };
    let unanswered = |at: &str, draft: &mut Draft| draft.omitted |= matches!(at, "approval" | "bash-finish");
    breaks_both(tell(Twist {
        draft: Some(Box::new(unanswered)),
        ..Twist::before("lead-stop", expires)
    }));
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
    // Within its time by the clock, and behind the end of its permit.
    let decided = received("grep-decision");
    let short = move |at: &str, draft: &mut Draft| match &mut draft.statement.body {
        Body::DecisionMade(body) if at == "grep-decision" => body.expires = Millis::clamped(decided + 500),
        Body::ActionFinished(body) if at == "grep-finish" => body.started = Some(Millis::clamped(decided + 501)),
        _ => {}
    };
    let behind = Twist {
        draft: Some(Box::new(short)),
        ..Twist::default()
    };
    breaks(behind, "D7", "grep-finish");
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

#[test]
fn an_action_may_begin_when_its_outcome_is_told() {
    is_lawful(started("edit-finish", received("edit-finish")));
}

/// The outcome of the last action is told behind the end of the run.
fn told_late(between: fn(&mut Writer<'_>)) -> Twist<'static> {
    let late = move |writer: &mut Writer<'_>| {
        between(writer);
        let decision = writer.at("todo-decision");
        finish(writer, "late", decision);
    };
    Twist {
        draft: Twist::omit("todo-finish").draft,
        ..Twist::before("closed", late)
    }
}

/// The writer's actions begin when the entry before their outcome was received.
#[test]
fn d7_an_action_that_began_after_the_end_of_its_run() {
    is_lawful(told_late(|_| {}));
    breaks(told_late(|writer| remark(writer, "remark", RUNTIME)), "D7", "late");
}

/// The scout is introduced at the last moment of the permit, or behind it.
#[test]
fn d7_a_child_that_comes_when_the_permit_has_ended() {
    let until = |expires: u64| {
        let hook = move |at: &str, draft: &mut Draft| match &mut draft.statement.body {
            Body::DecisionMade(body) if at == "spawn-decision" => body.expires = Millis::clamped(expires),
            Body::ActionFinished(body) if at == "spawn-finish" => body.started = Some(Millis::clamped(expires)),
            _ => {}
        };
        Twist {
            draft: Some(Box::new(hook)),
            ..Twist::default()
        }
    };
    is_lawful(until(received("scout")));
    breaks_first(until(received("scout") - 1), "D7", "scout");
}
