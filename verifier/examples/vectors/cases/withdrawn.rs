//! One way to break each rule about what is withdrawn, and about the orders behind it (authority-v1 §5.4, §5.7 to §5.9).

use countersign_identity::credential::{DirectiveAct, DirectiveClaims};
use countersign_schemas::body::{
    Body, Check, ErasureGround, Order, Outcome, Part, PartOutcome, PolicyLayer, RevokeReason,
};
use countersign_schemas::digest::{Digest, LedgerId};
use countersign_schemas::list::{Doc, List};
use countersign_schemas::number::{Millis, Seq};

use super::broken::{Broken, case};
use super::ledger::AMENDS;
use crate::support::cast::Who;
use crate::support::credentials::{HOUR, START, window};
use crate::support::orders::{
    adopt_on_order, commitment_of, enter_erasure, enter_revocation, erasure_claims, introduce_under, issue_to_host,
    ordered, record_erasure, revocation_claims, revocation_order, revoke, revoke_on_order,
};
use crate::support::story::{EDIT, LAYER1, RUNTIME, lead, resume, scout};
use crate::support::writer::{Draft, Twist, Writer};

pub(super) fn broken() -> Vec<Broken> {
    [
        revocations(),
        orders(),
        authority(),
        approvers(),
        resumptions(),
        erasures(),
        adoptions(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The runtime revokes the lead in front of `label`.
fn lead_revoked(label: &'static str) -> Twist<'static> {
    Twist::before(label, |writer| {
        let target = writer.at("lead");
        revoke(writer, "revoke", RUNTIME, target);
    })
}

/// The principal has the approver revoked in front of `label`.
fn approver_revoked(label: &'static str) -> Twist<'static> {
    Twist::before(label, |writer| {
        let target = writer.at("approver");
        revoke_on_order(writer, "revoke", target);
    })
}

fn revocations() -> Vec<Broken> {
    let of_advisor = |writer: &mut Writer<'_>| {
        let target = writer.at("advisor");
        revoke_on_order(writer, "revoke", target);
    };
    let of_approver = |writer: &mut Writer<'_>| {
        let target = writer.at("approver");
        revoke(writer, "revoke", RUNTIME, target);
    };
    let of_issued = |writer: &mut Writer<'_>| {
        let (target, _) = issue_to_host(writer, Who::Principal, |_| {});
        revoke(writer, "revoke", RUNTIME, target);
    };
    let upwards = |writer: &mut Writer<'_>| {
        let (scout, target) = (scout(writer), writer.at("lead"));
        revoke(writer, "revoke", scout, target);
    };
    let own = |writer: &mut Writer<'_>| {
        let lead = lead(writer);
        revoke(writer, "revoke", lead, lead.1);
    };
    let carried = |writer: &mut Writer<'_>| {
        let (lead, scout) = (lead(writer), writer.at("scout"));
        let order = revocation_order(writer, scout, |_| {});
        enter_revocation(writer, "revoke", lead, scout, Some(order));
    };
    let at = |name, why, label, write: fn(&mut Writer<'static>)| {
        case("A5", name, why, "revoke", Twist::before(label, write))
    };
    vec![
        at(
            "revoked_advisor",
            "an advisor carries no grant",
            "lead-stop",
            of_advisor,
        ),
        at(
            "revoked_approver",
            "an approver is revoked by the principal's order alone",
            "lead-stop",
            of_approver,
        ),
        at(
            "revoked_issued",
            "what the principal granted is revoked by the principal's order alone",
            "lead-stop",
            of_issued,
        ),
        at("revoked_upwards", "a scout revokes its lead", "scout-stop", upwards),
        at("revoked_own", "an agent revokes itself", "lead-stop", own),
        at("revoked_by_agent", "an agent enters an order", "lead-stop", carried),
    ]
}

/// The scout is revoked with an order that `make` makes.
fn with_order(make: fn(&Writer<'_>, Seq) -> Order) -> Twist<'static> {
    Twist::before("lead-stop", move |writer| {
        let scout = writer.at("scout");
        let order = make(writer, scout);
        enter_revocation(writer, "revoke", RUNTIME, scout, Some(order));
    })
}

/// As [`with_order`], with claims that `change` changed.
fn with_claims(change: fn(&mut DirectiveClaims)) -> Twist<'static> {
    Twist::before("lead-stop", move |writer| {
        let scout = writer.at("scout");
        let order = revocation_order(writer, scout, change);
        enter_revocation(writer, "revoke", RUNTIME, scout, Some(order));
    })
}

fn orders() -> Vec<Broken> {
    let of_host = |writer: &Writer<'_>, scout| ordered(&revocation_claims(writer, scout), Who::Host);
    let of_lead = |writer: &Writer<'_>, _| revocation_order(writer, writer.at("lead"), |_| {});
    let spaced = |writer: &Writer<'_>, scout| {
        let order = revocation_order(writer, scout, |_| {});
        let mut bytes = order.doc.as_bytes().to_vec();
        bytes.push(b'\n');
        Order {
            doc: Doc::new(bytes).expect("a document"),
            ..order
        }
    };
    let twice = |writer: &mut Writer<'_>| {
        let scout = writer.at("scout");
        let order = revocation_order(writer, scout, |_| {});
        enter_revocation(writer, "revoke-first", RUNTIME, scout, Some(order.clone()));
        enter_revocation(writer, "revoke", RUNTIME, scout, Some(order));
    };
    let at = |code, name, why, twist| case(code, name, why, "revoke", twist);
    vec![
        at(
            "A5",
            "order_signer",
            "the host signs in the principal's place",
            with_order(of_host),
        ),
        at(
            "A5",
            "order_entry",
            "an order to revoke somebody else",
            with_order(of_lead),
        ),
        at(
            "A5",
            "order_ledger",
            "an order for another ledger",
            with_claims(|claims| claims.ledger = LedgerId::from_bytes([1; 32])),
        ),
        at(
            "A5",
            "order_reason",
            "an order for another reason",
            with_claims(for_another_reason),
        ),
        at(
            "A5",
            "order_expired",
            "an order that is entered too late",
            with_claims(|claims| claims.expires = Millis::clamped(START + 1_000)),
        ),
        at(
            "A5",
            "order_early",
            "an order that is entered before its window",
            with_claims(|claims| claims.window = window(START + HOUR, START + 13 * HOUR)),
        ),
        at(
            "A5",
            "order_twice",
            "one order, entered twice",
            Twist::before("lead-stop", twice),
        ),
        at(
            "I1",
            "order",
            "an order with a line end is not canonical",
            with_order(spaced),
        ),
    ]
}

fn for_another_reason(claims: &mut DirectiveClaims) {
    if let DirectiveAct::Revoke { reason, .. } = &mut claims.act {
        *reason = RevokeReason::Ceased;
    }
}

fn authority() -> Vec<Broken> {
    let allowed = Twist {
        draft: Some(Box::new(|at: &str, draft: &mut Draft| {
            if at == "edit-decision" {
                permit(draft);
            }
        })),
        ..lead_revoked("edit-decision")
    };
    let issued = |writer: &mut Writer<'_>| {
        let issued = issue_to_host(writer, Who::Principal, |_| {});
        revoke_on_order(writer, "revoke", issued.0);
        introduce_under(writer, "other-lead", Who::Stranger, issued);
    };
    vec![
        case(
            "G7",
            "allowed",
            "an action of a revoked agent is allowed",
            "edit-decision",
            allowed,
        ),
        case(
            "G7",
            "approved",
            "an approval behind the revocation of who asked",
            "approval",
            lead_revoked("approval"),
        ),
        case(
            "G7",
            "call",
            "a revoked agent calls a model",
            "call-3",
            lead_revoked("call-3"),
        ),
        case(
            "G7",
            "advisor_call",
            "an advisor calls a model for a revoked agent",
            "advisor-call",
            lead_revoked("advisor-call"),
        ),
        case(
            "G7",
            "child",
            "a revoked agent introduces another",
            "scout",
            lead_revoked("scout"),
        ),
        case("G7", "run", "a run of a revoked lead", "run", lead_revoked("run")),
        case(
            "G7",
            "lead",
            "a lead under a grant that was revoked",
            "other-lead",
            Twist::before("lead-stop", issued),
        ),
    ]
}

/// Makes a decision allow what part 0 denies.
fn permit(draft: &mut Draft) {
    let Body::DecisionMade(body) = &mut draft.statement.body else {
        return;
    };
    let parts = body.parts.iter().map(|part| match part.check {
        Check::Grant => Part {
            check: Check::Grant,
            outcome: PartOutcome::Allow,
            rules: List::new(Vec::new()).expect("no rules"),
        },
        _ => part.clone(),
    });
    body.parts = List::new(parts.collect()).expect("few parts");
    body.outcome = Outcome::Allow;
    body.expires = Millis::clamped(START + HOUR);
}

fn approvers() -> Vec<Broken> {
    vec![
        case(
            "D4b",
            "revoked_approver",
            "a revoked approver is asked",
            "bash-decision",
            approver_revoked("bash-decision"),
        ),
        case(
            "D5",
            "revoked_approver",
            "a revoked approver answers",
            "approval",
            approver_revoked("approval"),
        ),
    ]
}

/// A request that takes up again what it cannot, in front of the end of the lead.
fn resumed(name: &'static str, why: &'static str, call: (&'static str, &'static str), of: &'static str) -> Broken {
    let write = move |writer: &mut Writer<'static>| {
        let (author, cause, named) = (writer.at("lead-2"), writer.at("answer-b"), writer.at(of));
        resume(writer, "resumes", (Who::SecondLead, author), call, cause, named);
    };
    Broken {
        of: &AMENDS,
        ..case("A5", name, why, "resumes", Twist::before("lead-2-stop", write))
    }
}

fn resumptions() -> Vec<Broken> {
    vec![
        resumed("resumes_twice", "a lost action is taken up a second time", EDIT, "edit"),
        resumed(
            "resumes_tool",
            "a lost action is taken up with another tool",
            EDIT,
            "spawn",
        ),
        resumed(
            "resumes_done",
            "an action with a known outcome is taken up",
            EDIT,
            "edit-again",
        ),
        resumed("resumes_asked", "an ask that nobody answered is taken up", EDIT, "bash"),
    ]
}

fn erasures() -> Vec<Broken> {
    let of_evidence = |writer: &mut Writer<'_>| {
        let target = writer.at("layer1");
        record_erasure(writer, "erase", RUNTIME, (target, 0), |_| {});
    };
    let of_another = |writer: &mut Writer<'_>| {
        let (target, other) = (writer.at("edit-finish"), writer.at("bash-finish"));
        let payload = commitment_of(writer, other, 0);
        let order = ordered(&erasure_claims(writer, target, payload), Who::Principal);
        enter_erasure(writer, "erase", RUNTIME, (target, payload), order);
    };
    let on_revocation = |writer: &mut Writer<'_>| {
        let (target, scout) = (writer.at("edit-finish"), writer.at("scout"));
        let payload = commitment_of(writer, target, 0);
        let order = revocation_order(writer, scout, |_| {});
        enter_erasure(writer, "erase", RUNTIME, (target, payload), order);
    };
    let on_another_ground = |writer: &mut Writer<'_>| {
        let target = writer.at("edit-finish");
        record_erasure(writer, "erase", RUNTIME, (target, 0), |claims| {
            if let DirectiveAct::Erase { reason, .. } = &mut claims.act {
                *reason = ErasureGround::Retention;
            }
        });
    };
    let by_lead = |writer: &mut Writer<'_>| {
        let (lead, target) = (lead(writer), writer.at("edit-finish"));
        record_erasure(writer, "erase", lead, (target, 0), |_| {});
    };
    let at =
        |name, why, write: fn(&mut Writer<'static>)| case("A5", name, why, "erase", Twist::before("lead-stop", write));
    vec![
        at("erased_evidence", "a policy text is erased", of_evidence),
        at("erased_other", "an entry has no such payload", of_another),
        at("erased_order", "an order to revoke erases nothing", on_revocation),
        at(
            "erased_ground",
            "an erasure on another ground than ordered",
            on_another_ground,
        ),
        at("erased_by_agent", "an agent erases", by_lead),
    ]
}

fn adoptions() -> Vec<Broken> {
    let adopt = |change: fn(&mut DirectiveClaims)| {
        Twist::before("lead-stop", move |writer: &mut Writer<'_>| {
            adopt_on_order(writer, "layer1-ordered", PolicyLayer::Organisation, LAYER1, change);
        })
    };
    let at = |name, why, twist| case("A5", name, why, "layer1-ordered", twist);
    vec![
        at(
            "adopted_text",
            "an order for another policy text",
            adopt(|claims| {
                if let DirectiveAct::Adopt { policies, .. } = &mut claims.act {
                    *policies = Digest::sha256(b"another text");
                }
            }),
        ),
        at(
            "adopted_layer",
            "an order for another layer",
            adopt(|claims| {
                if let DirectiveAct::Adopt { layer, .. } = &mut claims.act {
                    *layer = PolicyLayer::File;
                }
            }),
        ),
        at(
            "adopted_expired",
            "a policy that is adopted too late",
            adopt(|claims| claims.expires = Millis::clamped(START + 1_000)),
        ),
    ]
}
