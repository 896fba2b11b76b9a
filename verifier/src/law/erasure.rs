//! `payload.erased`: a payload is gone from the file, on the principal's order (authority-v1 §5.9): rule A5.
//!
//! The fold keeps no bodies, however long a ledger is. Whoever hands in the entry reads the one that it names again.

use countersign_identity::credential::DirectiveAct;
use countersign_ledger::cose::Unverified;
use countersign_schemas::body::PayloadErased;
use countersign_schemas::digest::{Commitment, Digest};
use countersign_schemas::payload::{PayloadClass, PayloadRef};
use countersign_schemas::record::Record;
use countersign_schemas::statement::Statement;

use super::directive;
use super::entry::Entry;
use super::findings::Findings;
use super::{Change, Law};
use crate::code::Code;

/// What a `payload.erased` needs of the entry that it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    digest: Digest,
    payloads: Vec<PayloadRef>,
}

impl Named {
    /// Reads a record that was folded before: its signatures are not looked at again. `None` for bytes that are none.
    #[must_use]
    pub fn read(record: &[u8]) -> Option<Self> {
        let record = Record::decode(record).ok()?;
        let envelope = Unverified::parse(&record.statement).ok()?;
        let statement = Statement::decode(envelope.payload()).ok()?;
        Some(Self {
            digest: Statement::digest(envelope.payload()),
            payloads: statement.body.payloads().into_iter().cloned().collect(),
        })
    }

    /// The slots whose payload has this commitment; one, unless somebody used a salt twice.
    pub fn slots_of(&self, commitment: Commitment) -> impl Iterator<Item = usize> {
        let fits = move |(_, payload): &(usize, &PayloadRef)| payload.commitment == commitment;
        self.payloads.iter().enumerate().filter(fits).map(|(slot, _)| slot)
    }
}

/// An erasure that is entered.
pub(super) struct Erased {
    order: Digest,
}

impl Erased {
    pub(super) fn apply(self, law: &mut Law) {
        law.orders.insert(self.order);
    }
}

pub(super) fn check(law: &Law, entry: &Entry<'_>, body: &PayloadErased, out: &mut Findings) -> Option<Change> {
    let named = entry.named.filter(|_| body.entry < entry.seq);
    let payload = |slot: usize| named.and_then(|named| named.payloads.get(slot));
    let slots = named.into_iter().flat_map(|named| named.slots_of(body.commitment));
    let classes: Vec<PayloadClass> = slots.filter_map(payload).map(|payload| payload.class).collect();
    let (Some(named), false) = (named, classes.is_empty()) else {
        out.breach(
            Code::A5,
            format_args!("a payload of entry {} with commitment {}", body.entry, body.commitment),
            "none",
        );
        return None;
    };
    let may_go = classes.iter().all(|class| *class == PayloadClass::Content);
    out.require(
        may_go,
        Code::A5,
        "the erasure of content",
        "evidence, on which a verdict rests",
    );
    let carried = directive::read(law, entry, &body.order, out)?;
    let act = DirectiveAct::Erase {
        entry: named.digest,
        payload: body.commitment,
        reason: body.ground,
    };
    carried.require(act, out);
    Some(Change::Erased(Erased {
        order: carried.digest(),
    }))
}
