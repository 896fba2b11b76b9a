//! A lying executor (K3): approvals that do not cover the action, actions that run twice or without permission.

use std::sync::Arc;

use countersign_identity::credential::{Meaning, OrderClaims, OrderContext, OrderNonce, Presentation};
use countersign_schemas::body::{Body, FinishOutcome, Order, OrderForm, Outcome, Verdict};
use countersign_schemas::digest::{Commitment, Digest, LedgerId};
use countersign_schemas::kind::Kind;
use countersign_schemas::number::{Millis, Seq};
use countersign_schemas::statement::Statement;

use super::Scale;
use super::base::Base;
use super::case::{Attack, Case, Class, Expected};
use super::identity::without_proof;
use super::lie::{beside, changed};
use super::retelling::insert_at;
use super::support::cast::Who;
use super::support::credentials::{HOUR, START, issue, name, window};
use super::support::story::finish_by;
use super::support::writer::{Draft, Twist};

static STRIP_PROOF: Attack = Attack {
    name: "strip-proof",
    what: "one of the two proofs of an approver's order is taken out",
    rule: "that approval (D5)",
};
static FORGED_ORDER: Attack = Attack {
    name: "order-by-another",
    what: "an approval carries an order that the approver did not sign",
    rule: "that approval (D5)",
};
static TWICE: Attack = Attack {
    name: "approve-twice",
    what: "an approval is entered a second time",
    rule: "the second one (D5)",
};
static LATE: Attack = Attack {
    name: "approve-late",
    what: "an approval is received when the question has expired",
    rule: "that approval (D5)",
};
static REFUSED: Attack = Attack {
    name: "refusal-as-approval",
    what: "a person's refusal is entered as a yes",
    rule: "that approval (D5)",
};
static OTHER_TEXT: Attack = Attack {
    name: "approve-another-text",
    what: "the person was shown another text than the action",
    rule: "that approval (D5)",
};
static NOT_ASKED: Attack = Attack {
    name: "approver-not-asked",
    what: "an approval names an approver who was not asked",
    rule: "that approval (D5)",
};
static AGAIN: Attack = Attack {
    name: "execute-twice",
    what: "in front of an entry, an action that was executed last is executed again",
    rule: "the second outcome (D6)",
};
static UNPERMITTED: Attack = Attack {
    name: "execute-denied",
    what: "in front of an entry, the action that was denied last is executed",
    rule: "that outcome (D7)",
};
static WITHOUT_DECISION: Attack = Attack {
    name: "execute-undecided",
    what: "an outcome names a request, not a decision on it",
    rule: "that outcome (D7)",
};
static ELSEWHERE: Attack = Attack {
    name: "execute-elsewhere",
    what: "a process that joined beside executes what another was allowed to",
    rule: "that outcome (D6)",
};
static TOO_EARLY: Attack = Attack {
    name: "execute-early",
    what: "an action began before it was permitted",
    rule: "that outcome (D7)",
};
static TOO_LATE: Attack = Attack {
    name: "execute-late",
    what: "an action began when its permit had expired",
    rule: "that outcome (D7)",
};
static OVERSPEND: Attack = Attack {
    name: "reserve-beyond-budget",
    what: "a model is called with a reservation that the budget does not hold",
    rule: "that call (G6)",
};
static HIDDEN_SPEND: Attack = Attack {
    name: "hidden-spend",
    what: "a run states less than it has spent",
    rule: "its end (G6)",
};

pub(crate) fn cases(base: &Arc<Base>, _: Scale) -> Vec<Case> {
    if base.tell.is_none() {
        return Vec::new();
    }
    let mut cases = Vec::new();
    for (place, known) in base.entries.iter().enumerate() {
        match known.kind() {
            Kind::ApprovalEntered => cases.extend(approved(base, place)),
            Kind::ActionFinished => cases.extend(finished(base, place)),
            Kind::ModelCalled => cases.push(changed(&OVERSPEND, base, place, "G6", |draft| {
                if let Body::ModelCalled(body) = &mut draft.statement.body {
                    body.reserve = super::support::story::spend(1, 1_000_000);
                }
            })),
            Kind::RunEnded => cases.push(changed(&HIDDEN_SPEND, base, place, "G6", |draft| {
                if let Body::RunEnded(body) = &mut draft.statement.body {
                    body.spend.calls = countersign_schemas::number::Count::ZERO;
                }
            })),
            _ => {}
        }
        cases.extend(inserted(base, place));
    }
    cases
}

/// One thing that an order can be about instead.
struct Other {
    attack: Attack,
    change: fn(&mut OrderClaims),
}

const ORDER: &str = "that approval (D5)";

static OTHERS: [Other; 7] = [
    Other {
        attack: Attack {
            name: "approve-other-ledger",
            what: "the order is about another ledger",
            rule: ORDER,
        },
        change: |claims| claims.context.ledger = LedgerId::from_bytes([1; 32]),
    },
    Other {
        attack: Attack {
            name: "approve-other-request",
            what: "the order is about another request",
            rule: ORDER,
        },
        change: |claims| claims.context.request = Digest::sha256(b"x"),
    },
    Other {
        attack: Attack {
            name: "approve-other-decision",
            what: "the order is about another decision",
            rule: ORDER,
        },
        change: |claims| claims.context.decision = Digest::sha256(b"x"),
    },
    Other {
        attack: Attack {
            name: "approve-other-tool",
            what: "the order is about another tool",
            rule: ORDER,
        },
        change: |claims| claims.context.tool = name("read"),
    },
    Other {
        attack: Attack {
            name: "approve-other-arguments",
            what: "the order is about other arguments",
            rule: ORDER,
        },
        change: |claims| claims.context.arguments = Commitment::from_bytes([1; 32]),
    },
    Other {
        attack: Attack {
            name: "approve-expired",
            what: "the order had expired",
            rule: ORDER,
        },
        change: |claims| claims.context.expires = Millis::clamped(START + 1_000),
    },
    Other {
        attack: Attack {
            name: "approve-outside-window",
            what: "the order's window was over",
            rule: ORDER,
        },
        change: |claims| {
            claims.window = window(START - HOUR, START + 5_000);
            claims.context.expires = Millis::clamped(START + 5_000);
        },
    },
];

/// The order over the approval at `place`, as the approver would sign it: what stands before is the same in every telling.
fn order_at(base: &Base, place: usize) -> Option<OrderClaims> {
    let Body::ApprovalEntered(approval) = &base.entries[place].statement.body else {
        return None;
    };
    let at = |seq: Seq| usize::try_from(seq.get()).ok().and_then(|seq| base.entries.get(seq));
    let decision = at(approval.decision)?;
    let Body::DecisionMade(decided) = &decision.statement.body else {
        return None;
    };
    let request = at(decided.request)?;
    let Body::ActionRequested(requested) = &request.statement.body else {
        return None;
    };
    let text = &base.told.entries[place].payloads.first()?.content;
    let digest = |statement: &Statement| Statement::digest(&statement.encode());
    Some(OrderClaims {
        window: window(START, START + HOUR),
        context: OrderContext {
            ledger: base.ledger(),
            request: digest(&request.statement),
            decision: digest(&decision.statement),
            tool: requested.tool.clone(),
            arguments: requested.arguments.commitment,
            text: Digest::sha256(text),
            verdict: Verdict::Given,
            meaning: Meaning::Approve,
            presentation: Presentation::Terminal,
            expires: Millis::clamped(START + HOUR),
            nonce: OrderNonce::from_bytes([7; 16]),
        },
    })
}

/// The approval at `place` with another order.
fn ordered(
    attack: &'static Attack,
    base: &Arc<Base>,
    place: usize,
    change: fn(&mut OrderClaims),
    signer: Who,
) -> Option<Case> {
    let mut claims = order_at(base, place)?;
    change(&mut claims);
    Some(changed(attack, base, place, "D5", move |draft| {
        if let Body::ApprovalEntered(body) = &mut draft.statement.body {
            body.order = Order {
                form: OrderForm::DataIntegrity,
                doc: issue(&claims, signer),
            };
        }
    }))
}

fn approved(base: &Arc<Base>, place: usize) -> Vec<Case> {
    let of_others = OTHERS
        .iter()
        .filter_map(|other| ordered(&other.attack, base, place, other.change, Who::Approver));
    let mut cases: Vec<Case> = of_others.collect();
    cases.extend([Who::Stranger, Who::Host, Who::Lead].into_iter().filter_map(|signer| {
        let case = ordered(&FORGED_ORDER, base, place, |_| {}, signer)?;
        Some(Case {
            position: format!("{place}-{signer:?}"),
            ..case
        })
    }));
    cases.extend(ordered(
        &REFUSED,
        base,
        place,
        |claims| {
            claims.context.verdict = Verdict::Refused;
            claims.context.meaning = Meaning::Refuse;
        },
        Who::Approver,
    ));
    let approval = |change: fn(&mut countersign_schemas::body::ApprovalEntered)| {
        move |draft: &mut Draft| {
            if let Body::ApprovalEntered(body) = &mut draft.statement.body {
                change(body);
            }
        }
    };
    cases.extend((0..2).map(|proof| {
        let case = changed(&STRIP_PROOF, base, place, "D5", move |draft| {
            if let Body::ApprovalEntered(body) = &mut draft.statement.body {
                body.order.doc = without_proof(&body.order.doc, proof);
            }
        });
        Case {
            position: format!("{place}-{proof}"),
            ..case
        }
    }));
    cases.push(changed(
        &NOT_ASKED,
        base,
        place,
        "D5",
        approval(|body| body.approver = Seq::ZERO),
    ));
    let label = base.label(place);
    let shown = Arc::clone(base);
    let expected = vec![Expected::rejected(place as u64, &["D5"])];
    cases.push(Case::new(
        &OTHER_TEXT,
        Class::K3,
        base,
        place.to_string(),
        expected.clone(),
        move || shown.retell(Twist::payloads(label, |payloads| payloads[0].push(b' '))),
    ));
    let late = Arc::clone(base);
    cases.push(Case::new(
        &LATE,
        Class::K3,
        base,
        place.to_string(),
        expected,
        move || insert_at(&late, place, |writer| writer.clock += 2 * HOUR),
    ));
    cases.push(repeated(base, place));
    cases
}

/// The approval at `place` again, right behind itself.
fn repeated(base: &Arc<Base>, place: usize) -> Case {
    let from = Arc::clone(base);
    let expected = vec![Expected::rejected(place as u64 + 1, &["D5"])];
    Case::new(&TWICE, Class::K3, base, place.to_string(), expected, move || {
        let known = &from.entries[place].statement;
        let text = from.told.entries[place].payloads[0].content.clone();
        insert_at(&from, place + 1, |writer| {
            let signer = from.holder(known.by).expect("a runtime of the base");
            writer.enter("forged", (signer, known.by), &[&text], |refs| {
                let mut body = known.body.clone();
                if let Body::ApprovalEntered(approval) = &mut body {
                    approval.text = refs[0].clone();
                }
                body
            });
        })
    })
}

fn finished(base: &Arc<Base>, place: usize) -> Vec<Case> {
    let Body::ActionFinished(body) = &base.entries[place].statement.body else {
        return Vec::new();
    };
    if body.outcome == FinishOutcome::Unknown {
        return Vec::new();
    }
    let decision = body.decision;
    let request = usize::try_from(decision.get())
        .ok()
        .and_then(|seq| match &base.entries[seq].statement.body {
            Body::DecisionMade(body) => Some(body.request),
            _ => None,
        });
    let finish = |change: Arc<dyn Fn(&mut countersign_schemas::body::ActionFinished) + Send + Sync>| {
        move |draft: &mut Draft| {
            if let Body::ActionFinished(body) = &mut draft.statement.body {
                change(body);
            }
        }
    };
    let mut cases = vec![
        changed(
            &TOO_EARLY,
            base,
            place,
            "D7",
            finish(Arc::new(|body| body.started = Some(Millis::clamped(START)))),
        ),
        changed(
            &TOO_LATE,
            base,
            place,
            "D7",
            finish(Arc::new(|body| body.started = Some(Millis::clamped(START + 3 * HOUR)))),
        ),
    ];
    cases.extend(request.map(|request| {
        changed(
            &WITHOUT_DECISION,
            base,
            place,
            "D7",
            finish(Arc::new(move |body| body.decision = request)),
        )
    }));
    cases.push(beside(&ELSEWHERE, base, place, "D6", move |writer, guest| {
        finish_by(writer, "forged", guest, decision);
    }));
    cases
}

fn inserted(base: &Arc<Base>, place: usize) -> Vec<Case> {
    let Some(runtime) = base.runtime(place) else {
        return Vec::new();
    };
    let by_it = |seq: &Seq| {
        let place = usize::try_from(seq.get()).ok()?;
        (base.entries[place].statement.by == runtime.1).then_some(*seq)
    };
    let before = base.entries[..place].iter().enumerate().rev();
    let executed = before.clone().find_map(|(_, known)| match &known.statement.body {
        Body::ActionFinished(body) => by_it(&body.decision),
        _ => None,
    });
    let denied = before.clone().find_map(|(seq, known)| match &known.statement.body {
        Body::DecisionMade(body) if body.outcome == Outcome::Deny => by_it(&Seq::clamped(seq as u64)),
        _ => None,
    });
    let pose = |attack, decision: Seq, code| {
        let from = Arc::clone(base);
        let expected = vec![Expected::rejected(place as u64, &[code])];
        Case::new(attack, Class::K3, base, place.to_string(), expected, move || {
            insert_at(&from, place, |writer| {
                finish_by(writer, "forged", runtime, decision);
            })
        })
    };
    let again = executed.map(|decision| pose(&AGAIN, decision, "D6"));
    again
        .into_iter()
        .chain(denied.map(|decision| pose(&UNPERMITTED, decision, "D7")))
        .collect()
}
