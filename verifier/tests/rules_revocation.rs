//! Authority that is withdrawn: `grant.revoked`, the orders behind it, and rule G7, broken one at a time.

use std::collections::BTreeSet;

use countersign_identity::credential::{DirectiveAct, DirectiveClaims, Meaning, OrderClaims};
use countersign_schemas::body::{
    Body, Check, DecisionMade, ErasureGround, Order, OrderForm, Outcome, Part, PartOutcome, PolicyLayer, RevokeReason,
    Verdict,
};
use countersign_schemas::digest::{Commitment, Digest, LedgerId};
use countersign_schemas::list::{Doc, List};
use countersign_schemas::number::{Millis, Seq};
use countersign_schemas::text::Name;
use countersign_verifier::projection::Observed;

use crate::support::aftermath::{crash, side_by_side};
use crate::support::cast::Who;
use crate::support::credentials::{HOUR, START, issue, window};
use crate::support::orders::{
    digest_of, directive, enter_revocation, introduce_under, issue_to_host, ordered, revocation_claims,
    revocation_order, revoke, revoke_on_order,
};
use crate::support::story::{
    BASH, GREP, RUNTIME, SPAWN, advisor, approve, cast, close, decide, inside, lead, opening, request, scout,
    spawn_scout, stop, tell, turn,
};
use crate::support::writer::{Draft, Twist, Writer};
use crate::support::{anchored, audit, breaks, breaks_first, codes, rules_of};

/// Writes something in front of `label` and leaves out the last turn of the lead, which no revoked lead can take.
fn without_last_turn<'t>(label: &'static str, mut write: impl FnMut(&mut Writer<'t>) + 't) -> Twist<'t> {
    Twist {
        draft: Some(Box::new(|at: &str, draft: &mut Draft| {
            draft.omitted |= matches!(at, "call-3" | "answer-3");
        })),
        ..Twist::before(label, move |writer| write(writer))
    }
}

/// The runtime revokes the lead in front of `label`.
fn lead_revoked(label: &'static str) -> Twist<'static> {
    without_last_turn(label, |writer| {
        let target = writer.at("lead");
        revoke(writer, "revoke", RUNTIME, target);
    })
}

/// An entry in front of the end of the lead.
fn at_the_end<'t>(write: impl FnMut(&mut Writer<'t>) + 't) -> Twist<'t> {
    Twist::before("lead-stop", write)
}

#[track_caller]
fn is_verified(writer: Writer<'_>) {
    assert_eq!(writer.refusals, []);
    let report = audit(&writer.into(), &anchored());
    assert_eq!((codes(&report), report.unproven.len()), (Vec::new(), 0), "{report:#?}");
    assert_eq!(report.verdict().exit_code(), 0);
}

#[test]
fn a_runtime_revokes_a_lead_and_everything_it_asks_for_is_denied() {
    let writer = tell(lead_revoked("edit-decision"));
    for label in [
        "edit-decision",
        "bash-decision",
        "fetch-decision",
        "stray-decision",
        "todo-decision",
    ] {
        assert_eq!(writer.outcomes[&writer.at(label)], Outcome::Deny, "{label}");
        assert!(
            rules_of(&writer, label, Check::Grant).contains(&"G7".to_owned()),
            "{label}"
        );
    }
    assert_eq!(rules_of(&writer, "edit-decision", Check::Grant), ["G7"]);
    assert_eq!(rules_of(&writer, "stray-decision", Check::Grant), ["G3.host", "G7"]);
    is_verified(writer);
}

#[test]
fn what_was_permitted_before_a_revocation_may_be_finished_behind_it() {
    for label in ["edit-finish", "bash-finish", "todo-finish"] {
        is_verified(tell(lead_revoked(label)));
    }
}

#[test]
fn a_revocation_of_the_lead_reaches_its_scout_and_not_the_other_way_round() {
    let scouting = tell(without_last_turn("grep-decision", |writer| {
        let target = writer.at("scout");
        revoke(writer, "revoke", RUNTIME, target);
    }));
    assert_eq!(scouting.outcomes[&scouting.at("grep-decision")], Outcome::Deny);
    assert_eq!(scouting.outcomes[&scouting.at("edit-decision")], Outcome::Allow);
    is_verified(scouting);
    let mut cascade = Writer::new(lead_revoked("grep-decision"));
    until_the_grep(&mut cascade);
    assert_eq!(cascade.refusals, []);
    assert_eq!(cascade.outcomes[&cascade.at("grep-decision")], Outcome::Deny);
    assert_eq!(rules_of(&cascade, "grep-decision", Check::Grant), ["G7"]);
}

fn until_the_grep(writer: &mut Writer<'_>) {
    opening(writer);
    cast(writer);
    let lead = lead(writer);
    let cause = turn(writer, ["call-1", "answer-1"], lead, &[SPAWN]);
    let spawn = request(writer, "spawn", lead, SPAWN, cause, &[]);
    decide(writer, "spawn-decision", spawn, Observed::nothing());
    spawn_scout(writer);
    let scout = scout(writer);
    let cause = turn(writer, ["scout-call", "scout-answer"], scout, &[GREP]);
    let grep = request(writer, "grep", scout, GREP, cause, &[]);
    decide(writer, "grep-decision", grep, inside("/w/src"));
}

#[test]
fn the_principal_revokes_on_order_what_a_runtime_cannot() {
    for label in ["lead", "scout", "approver"] {
        is_verified(tell(at_the_end_without_turn(move |writer| {
            let target = writer.at(label);
            revoke_on_order(writer, "revoke", target);
        })));
    }
    is_verified(tell(at_the_end_without_turn(|writer| {
        let (issued, _) = issue_to_host(writer, Who::Principal, |_| {});
        revoke_on_order(writer, "revoke", issued);
    })));
}

fn at_the_end_without_turn<'t>(write: impl FnMut(&mut Writer<'t>) + 't) -> Twist<'t> {
    without_last_turn("lead-stop", write)
}

#[test]
fn an_agent_revokes_what_it_introduced_and_a_revocation_can_be_repeated() {
    is_verified(tell(Twist::before("scout-write", |writer| {
        let (lead, scout) = (lead(writer), scout(writer));
        revoke(writer, "revoke", lead, scout.1);
        revoke(writer, "revoke-again", RUNTIME, scout.1);
        revoke_on_order(writer, "revoke-on-order", scout.1);
    })));
}

#[test]
fn a_suspicion_and_a_reason_change_nothing() {
    let twist = Twist {
        draft: Some(Box::new(|label: &str, draft: &mut Draft| {
            if let Body::GrantRevoked(body) = &mut draft.statement.body {
                body.suspected_since = Some(Millis::clamped(START));
                body.reason = RevokeReason::KeyCompromise;
            }
            draft.omitted |= matches!(label, "call-3" | "answer-3");
        })),
        ..lead_revoked("edit-finish")
    };
    is_verified(tell(twist));
}

#[test]
fn whoever_took_over_revokes_the_agents_of_the_one_before() {
    let told = crash(Twist::before("scout-lost", |writer| {
        let target = writer.at("scout");
        revoke(writer, "revoke", (Who::Second, writer.at("second")), target);
    }));
    assert_eq!(told.refusals, []);
}

#[test]
fn a5_a_target_that_carries_no_grant() {
    for label in ["opened", "layer1", "advisor", "run", "answer-1", "edit-decision"] {
        let own = at_the_end(move |writer| {
            let target = writer.at(label);
            revoke(writer, "revoke", RUNTIME, target);
        });
        breaks(own, "A5", "revoke");
        let ordered = at_the_end(move |writer| {
            let target = writer.at(label);
            revoke_on_order(writer, "revoke", target);
        });
        breaks(ordered, "A5", "revoke");
    }
}

#[test]
fn a5_what_only_the_principal_can_revoke() {
    breaks(
        at_the_end_without_turn(|writer| {
            let approver = writer.at("approver");
            revoke(writer, "revoke", RUNTIME, approver);
        }),
        "A5",
        "revoke",
    );
    breaks(
        at_the_end_without_turn(|writer| {
            let (issued, _) = issue_to_host(writer, Who::Principal, |_| {});
            revoke(writer, "revoke", RUNTIME, issued);
        }),
        "A5",
        "revoke",
    );
}

#[test]
fn a5_an_agent_that_revokes_itself_or_who_stands_above_it() {
    let by_scout = |target: &'static str| {
        without_last_turn("scout-stop", move |writer| {
            let (scout, target) = (scout(writer), writer.at(target));
            revoke(writer, "revoke", scout, target);
        })
    };
    breaks(by_scout("scout"), "A5", "revoke");
    let writer = tell(by_scout("lead"));
    assert_eq!(
        writer.refusals.first().map(|it| (it.code.as_str(), it.entry)),
        Some(("A5", Some(writer.at("revoke"))))
    );
    breaks(
        at_the_end_without_turn(|writer| {
            let lead = lead(writer);
            revoke(writer, "revoke", lead, lead.1);
        }),
        "A5",
        "revoke",
    );
}

#[test]
fn a5_an_agent_of_another_runtime() {
    let writer = side_by_side(Twist::before("lead-2-stop", |writer| {
        let target = writer.at("lead");
        revoke(writer, "revoke", (Who::Second, writer.at("second")), target);
    }));
    assert_breaks(writer, "A5");
    let writer = side_by_side(Twist::before("lead-2-stop", |writer| {
        let target = writer.at("lead-2");
        revoke(writer, "revoke", RUNTIME, target);
    }));
    assert_breaks(writer, "A5");
}

/// As `breaks`, for a story that is told already.
#[track_caller]
fn assert_breaks(writer: Writer<'_>, code: &str) {
    let entry = Some(writer.at("revoke").get());
    let refused = writer
        .refusals
        .first()
        .map(|it| (it.code.to_string(), it.entry.map(Seq::get)));
    assert_eq!(refused, Some((code.to_owned(), entry)));
    let found: BTreeSet<_> = codes(&audit(&writer.into(), &anchored())).into_iter().collect();
    assert_eq!(found, BTreeSet::from([(code.to_owned(), entry)]));
}

#[test]
fn a5_an_order_that_an_agent_enters() {
    breaks(
        at_the_end(|writer| {
            let (lead, scout) = (lead(writer), writer.at("scout"));
            let order = revocation_order(writer, scout, |_| {});
            enter_revocation(writer, "revoke", lead, scout, Some(order));
        }),
        "A5",
        "revoke",
    );
}

#[test]
fn a5_an_advisor_revokes_nobody() {
    breaks(
        at_the_end(|writer| {
            let (advisor, scout) = (advisor(writer), writer.at("scout"));
            revoke(writer, "revoke", advisor, scout);
        }),
        "A5",
        "revoke",
    );
}

/// The scout, revoked with an order that `make` makes.
fn with_order(mut make: impl FnMut(&Writer<'_>, Seq) -> Order + 'static) -> Twist<'static> {
    at_the_end(move |writer| {
        let scout = writer.at("scout");
        let order = make(writer, scout);
        enter_revocation(writer, "revoke", RUNTIME, scout, Some(order));
    })
}

fn with_claims(change: impl Fn(&mut DirectiveClaims) + 'static) -> Twist<'static> {
    with_order(move |writer, scout| revocation_order(writer, scout, &change))
}

#[test]
fn a5_an_order_over_something_else() {
    let acts: [DirectiveAct; 5] = [
        DirectiveAct::Revoke {
            entry: Digest::sha256(b"another entry"),
            reason: RevokeReason::Halted,
        },
        DirectiveAct::Erase {
            entry: Digest::sha256(b"another entry"),
            payload: Commitment::from_bytes([1; 32]),
            reason: ErasureGround::Request,
        },
        DirectiveAct::Adopt {
            layer: PolicyLayer::Organisation,
            policies: Digest::sha256(b"policy"),
        },
        DirectiveAct::Adopt {
            layer: PolicyLayer::User,
            policies: Digest::sha256(b"policy"),
        },
        DirectiveAct::Erase {
            entry: Digest::sha256(b"another entry"),
            payload: Commitment::from_bytes([1; 32]),
            reason: ErasureGround::Unspecified,
        },
    ];
    for act in acts {
        breaks(with_claims(move |claims| claims.act = act), "A5", "revoke");
    }
    let another_reason = with_order(|writer, scout| {
        let entry = digest_of(writer, scout);
        let reason = RevokeReason::Ceased;
        ordered(
            &directive(writer, DirectiveAct::Revoke { entry, reason }),
            Who::Principal,
        )
    });
    breaks(another_reason, "A5", "revoke");
    let another_target = with_order(|writer, _| revocation_order(writer, writer.at("lead"), |_| {}));
    breaks(another_target, "A5", "revoke");
}

#[test]
fn a5_an_order_for_another_ledger() {
    breaks(
        with_claims(|claims| claims.ledger = LedgerId::from_bytes([1; 32])),
        "A5",
        "revoke",
    );
}

#[test]
fn a5_an_order_outside_its_time() {
    let early = with_claims(|claims| {
        claims.window = window(START + HOUR, START + 2 * HOUR);
        claims.expires = Millis::clamped(START + 2 * HOUR);
    });
    breaks(early, "A5", "revoke");
    let late = with_claims(|claims| {
        claims.window = window(START - HOUR, START + 1_000);
        claims.expires = Millis::clamped(START + 1_000);
    });
    breaks(late, "A5", "revoke");
    let expired = with_claims(|claims| claims.expires = Millis::clamped(START + 1_000));
    breaks(expired, "A5", "revoke");
    let entered = START + 1_000 * (tell(Twist::honest()).at("lead-stop").get() + 1);
    is_verified(tell(with_claims(move |claims| {
        claims.expires = Millis::clamped(entered)
    })));
}

#[test]
fn a5_an_order_that_the_principal_did_not_sign() {
    for signer in [Who::Host, Who::Approver, Who::Opener, Who::Stranger, Who::Lead] {
        let twist = with_order(move |writer, scout| ordered(&revocation_claims(writer, scout), signer));
        breaks(twist, "A5", "revoke");
    }
    let forged = with_order(|writer, scout| {
        let order = revocation_order(writer, scout, |_| {});
        let text = String::from_utf8(order.doc.as_bytes().to_vec()).expect("text");
        // Another nonce under the same two signatures.
        let changed = text.replacen(r#""nonce":"0"#, r#""nonce":"1"#, 1);
        assert_ne!(text, changed);
        Order {
            doc: Doc::new(changed.into_bytes()).expect("a document"),
            ..order
        }
    });
    breaks(forged, "A5", "revoke");
}

#[test]
fn a5_a_document_of_another_profile() {
    let twist = with_order(|_, _| ordered_approver());
    breaks(twist, "A5", "revoke");
}

/// Signed by the principal, and no order at all.
fn ordered_approver() -> Order {
    Order {
        form: OrderForm::DataIntegrity,
        doc: issue(&crate::support::credentials::approver(), Who::Principal),
    }
}

#[test]
fn a5_an_order_that_is_entered_twice() {
    let twist = at_the_end(|writer| {
        let scout = writer.at("scout");
        let order = revocation_order(writer, scout, |_| {});
        enter_revocation(writer, "revoke-first", RUNTIME, scout, Some(order.clone()));
        enter_revocation(writer, "revoke", RUNTIME, scout, Some(order));
    });
    breaks(twist, "A5", "revoke");
}

#[test]
fn i1_an_order_that_is_not_canonical() {
    let twist = with_order(|writer, scout| {
        let order = revocation_order(writer, scout, |_| {});
        let mut bytes = order.doc.as_bytes().to_vec();
        bytes.push(b'\n');
        Order {
            doc: Doc::new(bytes).expect("a document"),
            ..order
        }
    });
    breaks(twist, "I1", "revoke");
}

#[test]
fn u2_orders_in_a_form_that_is_not_judged() {
    for form in [OrderForm::SshSig, OrderForm::WebAuthn, OrderForm::Cose] {
        let writer = tell(with_order(move |writer, scout| Order {
            form,
            ..revocation_order(writer, scout, |_| {})
        }));
        let entry = writer.at("revoke").get();
        assert_eq!(writer.refusals.first().map(|refusal| refusal.code.as_str()), Some("U2"));
        let report = audit(&writer.into(), &anchored());
        assert_eq!(codes(&report), [("U2".to_owned(), Some(entry))]);
        assert_eq!(report.verdict().exit_code(), 4);
    }
}

/// Makes the decision at `label` permit what the law denies.
fn permitting(label: &'static str, outcome: Outcome) -> impl FnMut(&str, &mut Draft) {
    move |at: &str, draft: &mut Draft| {
        draft.omitted |= matches!(at, "call-3" | "answer-3");
        if let (true, Body::DecisionMade(body)) = (at == label, &mut draft.statement.body) {
            permit(body, outcome);
        }
    }
}

fn permit(body: &mut DecisionMade, outcome: Outcome) {
    let parts = body.parts.iter().map(|part| match part.check {
        Check::Grant => Part {
            check: Check::Grant,
            outcome: PartOutcome::Allow,
            rules: List::new(Vec::<Name>::new()).expect("no rules"),
        },
        _ => part.clone(),
    });
    body.parts = List::new(parts.collect()).expect("few parts");
    body.outcome = outcome;
    body.expires = Millis::clamped(START + HOUR);
}

#[test]
fn g7_an_action_of_a_revoked_agent_that_is_allowed() {
    for label in ["edit-decision", "fetch-decision", "todo-decision"] {
        let twist = Twist {
            draft: Some(Box::new(permitting(label, Outcome::Allow))),
            ..lead_revoked("edit-decision")
        };
        breaks(twist, "G7", label);
    }
}

#[test]
fn g7_an_approval_behind_a_revocation() {
    let writer = tell(lead_revoked("approval"));
    let (entry, refused) = (writer.at("approval"), writer.refusals.first());
    assert_eq!(
        refused.map(|it| (it.code.as_str(), it.entry)),
        Some(("G7", Some(entry)))
    );
    let report = audit(&writer.into(), &anchored());
    assert_eq!(codes(&report), [("G7".to_owned(), Some(entry.get()))]);
}

/// A lead that asks for a command, and is revoked before anybody answers.
fn revoked_while_asking<'t>(twist: Twist<'t>, change: fn(&mut OrderClaims)) -> Writer<'t> {
    let mut writer = Writer::new(twist);
    opening(&mut writer);
    cast(&mut writer);
    let lead = lead(&writer);
    let cause = turn(&mut writer, ["call-1", "answer-1"], lead, &[BASH]);
    let bash = request(&mut writer, "bash", lead, BASH, cause, &[]);
    let asked = decide(&mut writer, "bash-decision", bash, Observed::unknown());
    revoke(&mut writer, "revoke", RUNTIME, lead.1);
    approve(&mut writer, "approval", bash, asked, change);
    writer
}

#[test]
fn a_refusal_behind_a_revocation_is_an_answer() {
    let refused = revoked_while_asking(Twist::honest(), |claims| {
        claims.context.verdict = Verdict::Refused;
        claims.context.meaning = Meaning::Refuse;
    });
    assert_eq!(refused.refusals, []);
    let given = revoked_while_asking(Twist::honest(), |_| {});
    assert_eq!(given.refusals.first().map(|it| it.code.as_str()), Some("G7"));
}

#[test]
fn g7_a_model_call_of_a_revoked_agent() {
    breaks(
        Twist::before("call-3", |writer| {
            let target = writer.at("lead");
            revoke(writer, "revoke", RUNTIME, target);
        }),
        "G7",
        "call-3",
    );
    // What an advisor asks its model is charged to whoever asked the advisor.
    breaks(lead_revoked("advisor-call"), "G7", "advisor-call");
}

#[test]
fn an_answer_behind_a_revocation_is_lawful() {
    is_verified(tell(Twist::before("answer-3", |writer| {
        let target = writer.at("lead");
        revoke(writer, "revoke", RUNTIME, target);
    })));
}

#[test]
fn g7_a_child_of_a_revoked_agent() {
    breaks_first(lead_revoked("scout"), "G7", "scout");
    // It is the parent's grant that is withdrawn: a sibling's changes nothing.
    is_verified(tell(Twist::before("scout-stop", |writer| {
        let (lead, scout) = (lead(writer), scout(writer));
        revoke(writer, "revoke", lead, scout.1);
    })));
}

#[test]
fn g7_a_run_of_a_revoked_lead() {
    breaks_first(lead_revoked("run"), "G7", "run");
}

/// A second lead, under a grant that the principal issued.
fn under_an_issued_grant<'t>(revoked: &'static str) -> Twist<'t> {
    at_the_end(move |writer| {
        let issued = issue_to_host(writer, Who::Principal, |_| {});
        if revoked == "before" {
            revoke_on_order(writer, "revoke", issued.0);
        }
        let other = introduce_under(writer, "other", Who::Stranger, issued);
        if revoked == "behind" {
            revoke_on_order(writer, "revoke", issued.0);
            let run = writer.law.revocation_of(other.1);
            assert_eq!(run, Some(writer.at("revoke")));
        }
        stop(writer, "other-stop", other, other.1);
    })
}

#[test]
fn g7_a_lead_under_a_grant_that_was_revoked() {
    breaks(under_an_issued_grant("before"), "G7", "other");
    is_verified(tell(under_an_issued_grant("behind")));
}

#[test]
fn an_issued_grant_takes_every_lead_under_it_along() {
    let mut writer = Writer::new(Twist::honest());
    opening(&mut writer);
    cast(&mut writer);
    let issued = issue_to_host(&mut writer, Who::Principal, |_| {});
    let other = introduce_under(&mut writer, "other", Who::Stranger, issued);
    revoke_on_order(&mut writer, "revoke", issued.0);
    let at = Some(writer.at("revoke"));
    assert_eq!(writer.law.revocation_of(other.1), at);
    assert_eq!(writer.law.revocation_of(issued.0), at);
    assert_eq!(writer.law.revocation_of(writer.at("lead")), None);
    // A second revocation, closer by, is named instead; the first one of the same grant stays.
    revoke(&mut writer, "revoke-own", RUNTIME, other.1);
    revoke_on_order(&mut writer, "revoke-again", issued.0);
    assert_eq!(writer.law.revocation_of(other.1), Some(writer.at("revoke-own")));
    assert_eq!(writer.law.revocation_of(issued.0), at);
    assert_eq!(writer.refusals, []);
}

#[test]
fn d4b_an_ask_to_a_revoked_approver() {
    let twist = Twist {
        draft: Some(Box::new(|at: &str, draft: &mut Draft| {
            draft.omitted |= matches!(at, "approval" | "bash-finish");
        })),
        ..Twist::before("bash-decision", |writer| {
            let target = writer.at("approver");
            revoke_on_order(writer, "revoke", target);
        })
    };
    breaks(twist, "D4b", "bash-decision");
}

#[test]
fn d5_an_approval_of_a_revoked_approver() {
    breaks(
        Twist::before("approval", |writer| {
            let target = writer.at("approver");
            revoke_on_order(writer, "revoke", target);
        }),
        "D5",
        "approval",
    );
    // What was approved before stands.
    is_verified(tell(Twist::before("bash-finish", |writer| {
        let target = writer.at("approver");
        revoke_on_order(writer, "revoke", target);
    })));
}

#[test]
fn a_revoked_lead_can_end_and_the_ledger_close() {
    let mut writer = Writer::new(Twist::honest());
    opening(&mut writer);
    cast(&mut writer);
    let lead = lead(&writer);
    revoke(&mut writer, "revoke", RUNTIME, lead.1);
    stop(&mut writer, "lead-stop", lead, lead.1);
    let advisor = advisor(&writer);
    stop(&mut writer, "advisor-stop", advisor, advisor.1);
    crate::support::aftermath::end_run(
        &mut writer,
        "run-ended",
        RUNTIME,
        ("run", "lead"),
        countersign_schemas::body::RunEndReason::Interrupted,
    );
    close(&mut writer);
    is_verified(writer);
}

#[test]
fn i2_a_revocation_with_one_signature() {
    let twist = Twist {
        draft: Some(Box::new(|at: &str, draft: &mut Draft| {
            if at == "revoke" {
                draft.set = countersign_schemas::kind::SignatureSet::Ed25519;
            }
        })),
        ..at_the_end(|writer| {
            let scout = writer.at("scout");
            revoke(writer, "revoke", RUNTIME, scout);
        })
    };
    crate::support::breaks_bytes(twist, "I2", "revoke");
}
