//! Payloads that are absent, or should be: erased on record, or withheld (authority-v1 §5.9: I9).

use std::collections::BTreeMap;

use countersign_ledger::reader::StoredRecord;
use countersign_schemas::body::{Body, PayloadErased};
use countersign_schemas::digest::Commitment;
use countersign_schemas::number::Seq;
use countersign_schemas::payload::PayloadRef;

use super::collected::Collected;
use crate::code::Code;
use crate::finding::Finding;
use crate::law::Named;

/// Reads one record again, wherever the rows come from.
pub(super) type Again<'r> = &'r dyn Fn(Seq) -> Option<StoredRecord>;

/// Absent payloads whose finding is kept, each with the place of that in the list of what is unproven: an erasure stands
/// behind the entry whose payload is gone. There are no more of them than findings.
#[derive(Default)]
pub(super) struct Absent(BTreeMap<(Seq, Commitment), Vec<usize>>);

impl Absent {
    /// Finds that the payload in `slot` of entry `seq` has no row: withheld, as far as is known yet.
    pub(super) fn find(&mut self, seq: Seq, slot: usize, reference: &PayloadRef, findings: &mut Collected) {
        let place = findings.unproven.len();
        let expected = format!("the payload in slot {slot}, {} bytes", reference.length);
        findings.push(Finding::unproven(Code::I9, seq, expected, "no payload: withheld"));
        if findings.unproven.len() > place {
            self.0.entry((seq, reference.commitment)).or_default().push(place);
        }
    }

    /// Says of an absent payload that it was erased.
    fn settle(&mut self, body: &PayloadErased, erased: &str, findings: &mut Collected) {
        let places = self.0.remove(&(body.entry, body.commitment)).unwrap_or_default();
        for place in places {
            if let Some(finding) = findings.unproven.get_mut(place) {
                finding.found = format!("no payload: {erased}");
            }
        }
    }
}

/// The entry that a `payload.erased` names, as it stands in the ledger.
pub(super) struct Target {
    stored: StoredRecord,
    pub(super) named: Named,
}

impl Target {
    /// Reads it again; `None` for every other kind, and where it cannot be read.
    pub(super) fn of(body: &Body, again: Again<'_>) -> Option<Self> {
        let Body::PayloadErased(body) = body else { return None };
        let stored = again(body.entry)?;
        let named = Named::read(&stored.record)?;
        Some(Self { stored, named })
    }

    /// Takes note of the lawful erasure of a payload of it, at `seq`.
    pub(super) fn erased(&self, seq: Seq, body: &PayloadErased, absent: &mut Absent, findings: &mut Collected) {
        let erased = format!("erased at entry {seq} ({})", body.ground);
        absent.settle(body, &erased, findings);
        let is_there = |slot: &usize| self.stored.slots.iter().any(|stored| usize::from(*stored) == *slot);
        for slot in self.named.slots_of(body.commitment).filter(is_there) {
            let expected = format!("no payload in slot {slot}: {erased}");
            findings.push(Finding::unproven(
                Code::I9,
                body.entry,
                expected,
                "the payload, still there",
            ));
        }
    }
}
