//! `approval.entered`: rule D5 (authority-v1 §9).

use countersign_identity::credential::{OrderClaims, OrderContext};
use countersign_schemas::body::{ApprovalEntered, OrderForm, Verdict};
use countersign_schemas::digest::Digest;
use countersign_schemas::number::{Millis, Seq};

use super::account::Amount;
use super::action::{Decision, Request, Standing};
use super::entry::Entry;
use super::findings::Findings;
use super::genesis::verified;
use super::instance::Instance;
use super::judge::approval_text;
use super::run::RunTerms;
use super::{Change, Law};
use crate::code::Code;

/// An answer to an ask that is entered.
pub(super) struct Answered {
    decision: Seq,
    received: Millis,
    order: Digest,
    /// Whose grant chain pays, if the answer is yes.
    charged: Option<Seq>,
}

impl Answered {
    pub(super) fn apply(self, law: &mut Law) {
        let standing = if self.charged.is_some() {
            Standing::Permitted
        } else {
            Standing::Lapsed
        };
        law.actions.settle(self.decision, standing);
        law.actions.permit_from(self.decision, self.received);
        law.orders.insert(self.order);
        if let Some(requester) = self.charged {
            law.grants
                .each_account(requester, |account| account.spend(Amount::ONE_CALL));
        }
    }
}

pub(super) fn check(
    law: &Law,
    entry: &Entry<'_>,
    author: &Instance,
    body: &ApprovalEntered,
    out: &mut Findings,
) -> Option<Change> {
    let asking = |decision: &&Decision| decision.standing == Standing::Asking;
    let Some(decision) = law.actions.decisions.get(&body.decision).filter(asking) else {
        out.breach(
            Code::D5,
            "an ask that waits for an answer",
            format_args!("entry {}", body.decision),
        );
        return None;
    };
    let request = law.actions.requests.get(&decision.request)?;
    out.require(
        author.seq == decision.author,
        Code::D5,
        format_args!("by the decider, {}", decision.author),
        author.seq,
    );
    let expires = decision.expires;
    out.require(
        entry.received <= expires,
        Code::D5,
        format_args!("received by {expires}"),
        entry.received,
    );
    let in_force = law.policies_in_force();
    let unchanged = decision.policies == in_force;
    out.require(
        unchanged,
        Code::D5,
        format_args!("policies {:?}", decision.policies),
        format_args!("{in_force:?}"),
    );
    let order = Digest::sha256(body.order.doc.as_bytes());
    out.require(
        !law.orders.contains(&order),
        Code::D5,
        "an order that is new",
        "an order that was entered before",
    );
    if body.order.form == OrderForm::DataIntegrity {
        check_order(law, entry, body, decision, request, out)?;
    } else {
        out.newer(format_args!("an order in the form {}", body.order.form));
    }
    let given = body.verdict == Verdict::Given;
    if given {
        check_authority(law, entry, request, out);
    }
    Some(Change::Approved(Answered {
        decision: body.decision,
        received: entry.received,
        order,
        charged: given.then_some(request.author),
    }))
}

/// `None` where the order is no document that could be judged: then nobody answered.
fn check_order(
    law: &Law,
    entry: &Entry<'_>,
    body: &ApprovalEntered,
    decision: &Decision,
    request: &Request,
    out: &mut Findings,
) -> Option<()> {
    let eligible = decision.eligible.contains(&body.approver);
    let approver = law.instances.get(&body.approver).filter(|_| eligible);
    let Some(approver) = approver else {
        out.breach(
            Code::D5,
            format_args!("one of the approvers {:?}", decision.eligible),
            format_args!("entry {}", body.approver),
        );
        return Some(());
    };
    if let Some(revocation) = law.revocation_of(approver.seq) {
        out.breach(
            Code::D5,
            "an approver that is not revoked",
            format_args!("the revocation of {} at {revocation}", approver.seq),
        );
    }
    let within = approver.window.contains(entry.received);
    out.require(
        within,
        Code::A4,
        format_args!("received within {:?}", approver.window),
        entry.received,
    );
    let mut proofs = Findings::of(entry.seq);
    let order = verified::<OrderClaims>(body.order.doc.as_bytes(), "the approver", &approver.did, &mut proofs);
    for finding in proofs.into_vec() {
        if finding.code == Code::I1 {
            out.push(finding);
            return None;
        }
        // A proof that fails is a matter of the approval here, not of an introduction.
        out.breach(Code::D5, finding.expected, finding.found);
    }
    let Some(order) = order else { return Some(()) };
    let claims = order.into_claims();
    out.require(
        claims.window.contains(entry.received),
        Code::D5,
        format_args!("within {:?}", claims.window),
        entry.received,
    );
    let expires = claims.context.expires;
    out.require(
        entry.received <= expires,
        Code::D5,
        format_args!("received by {expires}, the order's end"),
        entry.received,
    );
    check_context(law, body, decision, request, &claims.context, out);
    check_text(law, entry, request, &claims.context, out);
    Some(())
}

/// The order is over exactly this decision.
fn check_context(
    law: &Law,
    body: &ApprovalEntered,
    decision: &Decision,
    request: &Request,
    context: &OrderContext,
    out: &mut Findings,
) {
    let ledger = law
        .opening
        .as_ref()
        .map_or_else(String::new, |opening| opening.this.id.to_string());
    let pairs = [
        ("ledger", ledger, context.ledger.to_string()),
        ("request", request.digest.to_string(), context.request.to_string()),
        ("decision", decision.digest.to_string(), context.decision.to_string()),
        ("tool", request.tool.to_string(), context.tool.to_string()),
        (
            "arguments",
            request.arguments_ref.commitment.to_string(),
            context.arguments.to_string(),
        ),
        ("verdict", body.verdict.to_string(), context.verdict.to_string()),
    ];
    for (member, expected, found) in pairs {
        out.require(
            expected == found,
            Code::D5,
            format_args!("an order over {member} {expected}"),
            found,
        );
    }
}

/// D5: what the approver was shown is the rendering of the action.
fn check_text(law: &Law, entry: &Entry<'_>, request: &Request, context: &OrderContext, out: &mut Findings) {
    let Some(text) = entry.payload(0) else {
        out.unproven(Code::D5, "the text that was shown", "its bytes are absent");
        return;
    };
    let digest = Digest::sha256(text);
    out.require(
        context.text == digest,
        Code::D5,
        format_args!("an order over text {digest}"),
        context.text,
    );
    let workspace = law
        .grants
        .at(request.author)
        .map_or("", |state| state.grant.workspace.as_str());
    match &request.arguments {
        Some(arguments) => {
            let expected = approval_text(request.tool.as_str(), workspace, arguments);
            let (shown, expected_text) = (String::from_utf8_lossy(text), String::from_utf8_lossy(&expected));
            out.require(text == expected, Code::D5, expected_text, shown);
        }
        None => out.unproven(Code::D5, "the arguments that were shown", "their bytes are absent"),
    }
}

/// What part 0 and 1 judged at the decision still holds when the answer arrives.
fn check_authority(law: &Law, entry: &Entry<'_>, request: &Request, out: &mut Findings) {
    match law.run_terms(request.author) {
        RunTerms::Hold => {}
        RunTerms::Broken => out.breach(
            Code::G8,
            "an active run of the requester under its pinned policies",
            "none",
        ),
        RunTerms::Unknown(seq) => out.unproven(
            Code::G8,
            format_args!("the policies adopted at {seq}"),
            "their texts are absent",
        ),
    }
    for state in law.grants.chain(request.author) {
        let within = state.window.contains(entry.received);
        out.require(
            within,
            Code::D1,
            format_args!("received within {:?}", state.window),
            entry.received,
        );
    }
    law.require_unrevoked(request.author, out);
    if let Some((grant, dimension)) = law.grants.refusing(request.author, Amount::ONE_CALL) {
        out.breach(
            Code::G6,
            format_args!("{dimension} left in the grant at {grant}"),
            "none",
        );
    }
}
