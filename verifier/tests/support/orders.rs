//! What the principal orders, and what is entered on it.

use countersign_identity::binding::LedgerBinding;
use countersign_identity::credential::{DirectiveAct, DirectiveClaims, GrantClaims, InstanceRole, OrderNonce};
use countersign_identity::grant::Lineage;
use countersign_ledger::cose::Unverified;
use countersign_ledger::reader::StoredEntry;
use countersign_schemas::body::{
    ErasureGround, Granted, Order, OrderForm, PayloadErased, PolicyLayer, RevokeReason, Revoked,
};
use countersign_schemas::digest::{Commitment, Digest};
use countersign_schemas::number::{Millis, Seq};
use countersign_schemas::record::Record;
use countersign_schemas::statement::Statement;

use super::cast::Who;
use super::credentials::{HOUR, START, issue, root_grant, window};
use super::story::{Author, RUNTIME, adopt_with, binding, introduce};
use super::writer::Writer;

/// The claims of an order that can be entered all day long; no two places of a ledger have the same.
pub(crate) fn directive(writer: &Writer<'_>, act: DirectiveAct) -> DirectiveClaims {
    let until = START + 12 * HOUR;
    let mut nonce = [0x0d; 16];
    nonce[..8].copy_from_slice(&writer.next_seq().get().to_be_bytes());
    DirectiveClaims {
        window: window(START - HOUR, until),
        ledger: writer.ledger.expect("an opened ledger"),
        act,
        expires: Millis::clamped(until),
        nonce: OrderNonce::from_bytes(nonce),
    }
}

/// An order that `signer` signed.
pub(crate) fn ordered(claims: &DirectiveClaims, signer: Who) -> Order {
    Order {
        form: OrderForm::DataIntegrity,
        doc: issue(claims, signer),
    }
}

/// How an order names the entry at `seq`.
pub(crate) fn digest_of(writer: &Writer<'_>, seq: Seq) -> Digest {
    let digest = writer.digests.get(&seq).copied();
    digest.unwrap_or_else(|| Digest::sha256(b"no such entry"))
}

/// A revocation on the author's own authority.
pub(crate) fn revoke(writer: &mut Writer<'_>, label: &'static str, author: Author, target: Seq) -> Seq {
    enter_revocation(writer, label, author, target, None)
}

/// A revocation that the principal ordered, entered by the first runtime.
pub(crate) fn revoke_on_order(writer: &mut Writer<'_>, label: &'static str, target: Seq) -> Seq {
    revoke_on_order_by(writer, label, RUNTIME, target)
}

/// As [`revoke_on_order`], entered by any runtime.
pub(crate) fn revoke_on_order_by(writer: &mut Writer<'_>, label: &'static str, author: Author, target: Seq) -> Seq {
    let order = revocation_order(writer, target, |_| {});
    enter_revocation(writer, label, author, target, Some(order))
}

/// The principal's order to revoke what stands at `target`; `change` may alter what is signed.
pub(crate) fn revocation_order(writer: &Writer<'_>, target: Seq, change: impl FnOnce(&mut DirectiveClaims)) -> Order {
    let mut claims = revocation_claims(writer, target);
    change(&mut claims);
    ordered(&claims, Who::Principal)
}

/// What the principal signs to have the entry at `target` revoked.
pub(crate) fn revocation_claims(writer: &Writer<'_>, target: Seq) -> DirectiveClaims {
    let entry = digest_of(writer, target);
    let reason = RevokeReason::Halted;
    directive(writer, DirectiveAct::Revoke { entry, reason })
}

/// A revocation with any order, or none.
pub(crate) fn enter_revocation(
    writer: &mut Writer<'_>,
    label: &'static str,
    author: Author,
    target: Seq,
    order: Option<Order>,
) -> Seq {
    writer.enter(label, author, &[], |_| {
        Revoked {
            target,
            reason: RevokeReason::Halted,
            order,
            suspected_since: None,
        }
        .into()
    })
}

/// A root grant that the principal made beforehand and the host passes on; `change` may alter what is signed.
pub(crate) fn issue_to_host(
    writer: &mut Writer<'_>,
    issuer: Who,
    change: impl FnOnce(&mut GrantClaims),
) -> (Seq, Digest) {
    let mut claims = GrantClaims {
        window: window(START - HOUR, START + 20 * HOUR),
        host: Who::Host.did().short_did().clone(),
        grant: root_grant(LedgerBinding::Any),
    };
    claims.grant.depth = 3;
    change(&mut claims);
    let credential = issue(&claims, issuer);
    let digest = Digest::sha256(credential.as_bytes());
    let seq = writer.enter("issued", RUNTIME, &[], |_| {
        Granted {
            holder: Seq::ZERO,
            credential,
            parent_grant: Seq::ZERO,
            spent_in: None,
        }
        .into()
    });
    (seq, digest)
}

/// A lead under the grant that was issued at `parent`.
pub(crate) fn introduce_under(
    writer: &mut Writer<'_>,
    label: &'static str,
    who: Who,
    (parent, digest): (Seq, Digest),
) -> Author {
    let mut grant = root_grant(binding(writer));
    grant.lineage = Lineage::Child {
        parent: digest,
        root: digest,
    };
    let role = InstanceRole::Agent(Box::new(grant));
    introduce(writer, label, RUNTIME, who, role, (Who::Host, None, Some(parent))).0
}

/// An erasure of the payload in `slot` of the entry at `target`: entered on the principal's order, and done.
pub(crate) fn erase(writer: &mut Writer<'_>, label: &'static str, author: Author, (target, slot): (Seq, usize)) -> Seq {
    let seq = record_erasure(writer, label, author, (target, slot), |_| {});
    drop_payload(writer, target, slot);
    seq
}

/// As [`erase`], with the payload left where it is; `change` may alter what is signed.
pub(crate) fn record_erasure(
    writer: &mut Writer<'_>,
    label: &'static str,
    author: Author,
    (target, slot): (Seq, usize),
    change: impl FnOnce(&mut DirectiveClaims),
) -> Seq {
    let payload = commitment_of(writer, target, slot);
    let mut claims = erasure_claims(writer, target, payload);
    change(&mut claims);
    enter_erasure(
        writer,
        label,
        author,
        (target, payload),
        ordered(&claims, Who::Principal),
    )
}

/// An erasure with any order; the payload stays.
pub(crate) fn enter_erasure(
    writer: &mut Writer<'_>,
    label: &'static str,
    author: Author,
    (entry, commitment): (Seq, Commitment),
    order: Order,
) -> Seq {
    writer.enter(label, author, &[], |_| {
        PayloadErased {
            entry,
            commitment,
            ground: ErasureGround::Request,
            order,
        }
        .into()
    })
}

/// What the principal signs to have a payload of the entry at `target` erased.
pub(crate) fn erasure_claims(writer: &Writer<'_>, target: Seq, payload: Commitment) -> DirectiveClaims {
    let entry = digest_of(writer, target);
    let reason = ErasureGround::Request;
    directive(writer, DirectiveAct::Erase { entry, payload, reason })
}

/// The commitment to the payload in `slot` of the entry at `target`; of none, where there is none or nothing can be read.
pub(crate) fn commitment_of(writer: &Writer<'_>, target: Seq, slot: usize) -> Commitment {
    let row = usize::try_from(target.get())
        .ok()
        .and_then(|place| writer.entries.get(place));
    let statement = row.and_then(read);
    let commitment = statement.and_then(|it| it.body.payloads().get(slot).map(|payload| payload.commitment));
    commitment.unwrap_or(Commitment::from_bytes([0; 32]))
}

/// Deletes a payload row.
pub(crate) fn drop_payload(writer: &mut Writer<'_>, target: Seq, slot: usize) {
    let row = usize::try_from(target.get())
        .ok()
        .and_then(|place| writer.entries.get_mut(place));
    if let Some(row) = row {
        row.payloads.retain(|payload| usize::from(payload.slot) != slot);
    }
}

/// A policy that the principal ordered; `change` may alter what is signed. The label begins with `layer`.
pub(crate) fn adopt_on_order(
    writer: &mut Writer<'_>,
    label: &'static str,
    layer: PolicyLayer,
    text: &str,
    change: impl FnOnce(&mut DirectiveClaims),
) -> Seq {
    let policies = Digest::sha256(text.as_bytes());
    let mut claims = directive(writer, DirectiveAct::Adopt { layer, policies });
    change(&mut claims);
    let order = ordered(&claims, Who::Principal);
    adopt_with(writer, label, layer, text, Some(order))
}

/// The statement that a row holds.
pub(crate) fn statement_of(row: &StoredEntry) -> Statement {
    read(row).expect("a statement")
}

fn read(row: &StoredEntry) -> Option<Statement> {
    let record = Record::decode(&row.record).ok()?;
    Statement::decode(Unverified::parse(&record.statement).ok()?.payload()).ok()
}
