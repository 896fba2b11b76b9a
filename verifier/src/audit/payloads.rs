//! Step V6: stored payloads against what the entry committed to (I9).

use std::collections::BTreeSet;

use countersign_ledger::reader::StoredPayload;
use countersign_schemas::number::Seq;
use countersign_schemas::payload::{PayloadRef, Salt};
use countersign_schemas::statement::Statement;

use super::collected::Collected;
use super::erasures::Absent;
use crate::code::Code;
use crate::finding::Finding;

/// Payload rows, as entry and slot, that are not handed out because a column holds another type, or too much.
#[derive(Default)]
pub(super) struct Unfit(BTreeSet<(i64, i64)>);

impl Unfit {
    pub(super) fn insert(&mut self, row: i64) {
        self.0.insert((row.div_euclid(8), row.rem_euclid(8)));
    }

    /// Drops what belongs to entries up to `seq`.
    pub(super) fn forget(&mut self, seq: Seq) {
        self.0 = self.0.split_off(&(seq.get().saturating_add(1).cast_signed(), 0));
    }

    fn contains(&self, seq: Seq, slot: usize) -> bool {
        i64::try_from(slot).is_ok_and(|slot| self.0.contains(&(seq.get().cast_signed(), slot)))
    }
}

/// Compares the payload rows of one entry with its references; gives the sound bytes by slot.
pub(super) fn check<'r>(
    seq: Seq,
    statement: &Statement,
    rows: &'r [StoredPayload],
    unfit: &Unfit,
    absent: &mut Absent,
    findings: &mut Collected,
) -> Vec<Option<&'r [u8]>> {
    let references = statement.body.payloads();
    for row in rows.iter().filter(|row| usize::from(row.slot) >= references.len()) {
        let found = format!("a payload in slot {}", row.slot);
        findings.push(Finding::new(
            Code::I9,
            seq,
            format!("{} payloads", references.len()),
            found,
        ));
    }
    let stored = |slot: usize| rows.iter().find(|row| usize::from(row.slot) == slot);
    references
        .iter()
        .enumerate()
        .map(|(slot, reference)| match stored(slot) {
            Some(row) => check_one(seq, slot, reference, row, findings),
            None if unfit.contains(seq, slot) => None,
            None => {
                absent.find(seq, slot, reference, findings);
                None
            }
        })
        .collect()
}

fn check_one<'r>(
    seq: Seq,
    slot: usize,
    reference: &PayloadRef,
    row: &'r StoredPayload,
    findings: &mut Collected,
) -> Option<&'r [u8]> {
    let salt = <[u8; 32]>::try_from(row.salt.as_slice()).ok().map(Salt);
    if salt.is_some_and(|salt| reference.matches(&salt, &row.content)) {
        return Some(&row.content);
    }
    let expected = format!(
        "{} bytes committed to as {} in slot {slot}",
        reference.length, reference.commitment
    );
    findings.push(Finding::new(
        Code::I9,
        seq,
        expected,
        format!("other content or salt, {} bytes", row.content.len()),
    ));
    None
}
