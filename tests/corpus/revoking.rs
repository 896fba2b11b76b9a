//! A lying operator (K3) with orders that the principal did not give, or gave for something else; and what the principal's
//! own key cannot order either (K4).

use std::sync::Arc;

use countersign_schemas::body::{Body, Outcome, Role};
use countersign_schemas::kind::Kind;
use countersign_schemas::number::Seq;
use countersign_schemas::statement::Statement;

use super::Scale;
use super::base::Base;
use super::case::{Attack, Case, Class, Expected};
use super::deciding::{all_allow, decision};
use super::lie::{changed, inserted};
use super::support::cast::Who;
use super::support::orders::{
    commitment_of, enter_erasure, enter_revocation, erasure_claims, ordered, revocation_claims, revocation_order,
    revoke_on_order_by,
};
use super::support::story::{Author, call_model};
use super::support::writer::{Twist, Writer};

static NOT_PRINCIPAL: Attack = Attack {
    name: "revoke-on-forged-order",
    what: "in front of an entry, a lead is revoked on an order that the host signed",
    rule: "that revocation (A5)",
};
static WITHOUT_ORDER: Attack = Attack {
    name: "revoke-without-order",
    what: "in front of an entry, a runtime instance revokes an approver on its own word",
    rule: "that revocation (A5)",
};
static OTHER_TARGET: Attack = Attack {
    name: "revoke-other-target",
    what: "in front of an entry, an approver is revoked on the principal's order to revoke a lead",
    rule: "that revocation (A5)",
};
static ORDER_TWICE: Attack = Attack {
    name: "order-twice",
    what: "in front of an entry, an order of the principal is entered twice",
    rule: "the second entry (A5)",
};
static UNDER_REVOKED: Attack = Attack {
    name: "act-after-revocation",
    what: "an agent whose grant was withdrawn calls its model",
    rule: "that call (G7)",
};
static SPAWN_UNDER_REVOKED: Attack = Attack {
    name: "spawn-after-revocation",
    what: "in front of the introduction of a child, its parent is revoked",
    rule: "that introduction (G7)",
};
static RUN_UNDER_REVOKED: Attack = Attack {
    name: "run-after-revocation",
    what: "in front of the run of a lead, that lead is revoked",
    rule: "that run (G7)",
};
static APPROVE_UNDER_REVOKED: Attack = Attack {
    name: "approve-after-revocation",
    what: "between a question and its approval, the agent that wants to act is revoked",
    rule: "that approval (G7)",
};
static ALLOW_UNDER_REVOKED: Attack = Attack {
    name: "allow-after-revocation",
    what: "between a request and its permit, the agent that wants to act is revoked",
    rule: "that decision (G7)",
};
static BY_REVOKED: Attack = Attack {
    name: "approve-by-revoked",
    what: "between a question and its approval, the principal revokes the approver",
    rule: "that approval (D5)",
};
static ASK_REVOKED: Attack = Attack {
    name: "ask-revoked-approver",
    what: "in front of a question, the principal revokes the approver that is asked",
    rule: "that decision: a revoked approver can be asked no more (D4b)",
};
static NOT_LOST: Attack = Attack {
    name: "resume-what-is-not-lost",
    what: "a request claims to take up an action that was not lost",
    rule: "that request (A5)",
};
static FORGED_ERASURE: Attack = Attack {
    name: "erase-on-forged-order",
    what: "in front of an entry, a payload is erased on an order that the host signed",
    rule: "that erasure (A5)",
};
static ERASED_EVIDENCE: Attack = Attack {
    name: "erase-evidence",
    what: "in front of an entry, the principal's key orders the text of a policy erased",
    rule: "that erasure: what a verdict rests on stays (A5)",
};

pub(crate) fn cases(base: &Arc<Base>, _: Scale) -> Vec<Case> {
    if base.tell.is_none() {
        return Vec::new();
    }
    let mut cases = Vec::new();
    for (place, known) in base.entries.iter().enumerate() {
        cases.extend(ordered_wrongly(base, place));
        cases.extend(under_revoked(base, place));
        cases.extend(revoked_in_front(base, place));
        if known.kind() == Kind::ActionRequested {
            cases.extend(not_lost(base, place));
        }
    }
    cases
}

fn ordered_wrongly(base: &Arc<Base>, place: usize) -> Vec<Case> {
    let run = base.first_run();
    let Some(runtime) = (place > run).then(|| base.runtime(place)).flatten() else {
        return Vec::new();
    };
    let approvers = base.of_kind(Kind::IdentityIntroduced).filter(
        |(_, known)| matches!(&known.statement.body, Body::IdentityIntroduced(body) if body.role == Role::Approver),
    );
    let agents = base
        .instances(place)
        .into_iter()
        .find(|instance| instance.role == Role::Agent);
    let (Some(approver), Some(lead)) = (approvers.map(|(seq, _)| Seq::clamped(seq as u64)).next(), agents) else {
        return Vec::new();
    };
    let (lead, task) = (lead.author.1, Seq::clamped(run as u64));
    let operator = (Class::K3, base);
    vec![
        inserted(&NOT_PRINCIPAL, operator, (place, place, &["A5"]), move |writer| {
            let order = ordered(&revocation_claims(writer, lead), Who::Host);
            enter_revocation(writer, "forged", runtime, lead, Some(order));
        }),
        inserted(&WITHOUT_ORDER, operator, (place, place, &["A5"]), move |writer| {
            enter_revocation(writer, "forged", runtime, approver, None);
        }),
        inserted(&OTHER_TARGET, operator, (place, place, &["A5"]), move |writer| {
            let order = revocation_order(writer, lead, |_| {});
            enter_revocation(writer, "forged", runtime, approver, Some(order));
        }),
        inserted(&ORDER_TWICE, operator, (place, place + 1, &["A5"]), move |writer| {
            let order = revocation_order(writer, lead, |_| {});
            enter_revocation(writer, "ordered", runtime, lead, Some(order.clone()));
            enter_revocation(writer, "forged", runtime, lead, Some(order));
        }),
        inserted(&FORGED_ERASURE, operator, (place, place, &["A5"]), move |writer| {
            erase_as(writer, runtime, task, Who::Host)
        }),
        inserted(
            &ERASED_EVIDENCE,
            (Class::K4, base),
            (place, place, &["A5"]),
            move |writer| {
                erase_as(writer, runtime, Seq::clamped(1), Who::Principal);
            },
        ),
    ]
}

/// Enters an erasure of the first payload of the entry at `target`, on an order by `signer`.
fn erase_as(writer: &mut Writer<'_>, author: Author, target: Seq, signer: Who) {
    let commitment = commitment_of(writer, target, 0);
    let claims = erasure_claims(writer, target, commitment);
    enter_erasure(writer, "forged", author, (target, commitment), ordered(&claims, signer));
}

/// A call of a model by an agent that runs at `place` though its grant is withdrawn.
fn under_revoked(base: &Arc<Base>, place: usize) -> Option<Case> {
    let withdrawn = |instance: Seq| {
        base.entries[..place]
            .iter()
            .any(|known| matches!(&known.statement.body, Body::GrantRevoked(body) if body.target == instance))
    };
    let agent = base
        .living(place)
        .into_iter()
        .find(|instance| withdrawn(instance.author.1))?;
    Some(inserted(
        &UNDER_REVOKED,
        (Class::K3, base),
        (place, place, &["G7"]),
        move |writer| {
            call_model(writer, "forged", agent.author);
        },
    ))
}

/// The entry at `place`, and in front of it the revocation of somebody that it needs.
fn revoked_in_front(base: &Arc<Base>, place: usize) -> Vec<Case> {
    let Some(runtime) = base.runtime(place) else {
        return Vec::new();
    };
    let statement = |seq: Seq| usize::try_from(seq.get()).ok().map(|seq| &base.entries[seq].statement);
    let requester = |decision: &Statement| match &decision.body {
        Body::DecisionMade(body) => statement(body.request).map(|request| request.by),
        _ => None,
    };
    let own = &base.entries[place].statement;
    let pose = |attack, target: Option<Seq>, codes: &[&'static str]| {
        let target = target?;
        let named = (place, place + 1, codes);
        Some(inserted(attack, (Class::K3, base), named, move |writer| {
            revoke_on_order_by(writer, "revoked-in-front", runtime, target);
        }))
    };
    let posed = match &own.body {
        Body::IdentityIntroduced(body) if body.role == Role::Agent => {
            vec![pose(&SPAWN_UNDER_REVOKED, body.parent_grant, &["G7"])]
        }
        Body::RunStarted(body) => vec![pose(&RUN_UNDER_REVOKED, Some(body.root_grant), &["G7"])],
        Body::ApprovalEntered(body) => vec![
            pose(
                &APPROVE_UNDER_REVOKED,
                statement(body.decision).and_then(requester),
                &["G7"],
            ),
            pose(&BY_REVOKED, Some(body.approver), &["D5"]),
        ],
        Body::DecisionMade(body) => {
            let asked = body.ask.as_ref().and_then(|ask| ask.eligible.first().copied());
            vec![
                pose(&ASK_REVOKED, asked, &["D4b"]),
                permitted(base, place, runtime, requester(own)),
            ]
        }
        _ => Vec::new(),
    };
    posed.into_iter().flatten().collect()
}

/// A permit at `place`, and in front of it the revocation of the agent that wants to act.
fn permitted(base: &Arc<Base>, place: usize, runtime: Author, requester: Option<Seq>) -> Option<Case> {
    let target = requester?;
    let own = &base.entries[place].statement;
    if !matches!(&own.body, Body::DecisionMade(body) if body.outcome == Outcome::Allow) {
        return None;
    }
    let from = Arc::clone(base);
    let expected = vec![Expected::rejected(place as u64 + 1, &["G7"])];
    let make = move || {
        let label = from.label(place);
        let revoke = Twist::before(label, move |writer| {
            revoke_on_order_by(writer, "revoked-in-front", runtime, target);
        });
        from.retell(Twist {
            before: revoke.before,
            ..Twist::draft(label, |draft| decision(draft, all_allow))
        })
    };
    let position = place.to_string();
    Some(Case::new(
        &ALLOW_UNDER_REVOKED,
        Class::K3,
        base,
        position,
        expected,
        make,
    ))
}

/// The request at `place` with an earlier one that it cannot take up.
fn not_lost(base: &Arc<Base>, place: usize) -> Option<Case> {
    let (earlier, _) = base
        .of_kind(Kind::ActionRequested)
        .next()
        .filter(|(earlier, _)| *earlier < place)?;
    Some(changed(&NOT_LOST, base, place, "A5", move |draft| {
        if let Body::ActionRequested(body) = &mut draft.statement.body {
            body.resumes = Some(Seq::clamped(earlier as u64));
        }
    }))
}
