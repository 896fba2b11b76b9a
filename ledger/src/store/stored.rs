//! From rows as they are stored, perhaps damaged, to rows that a ledger holds.

use countersign_schemas::number::Seq;
use countersign_schemas::payload::Salt;

use super::{Row, RowError};
use crate::layout::Slot;
use crate::reader::{ItemError, StoredEntry};

/// Why what is stored is not the row that belongs there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DamagedRow {
    /// The row cannot be read, or its columns hold something else than they may.
    #[error(transparent)]
    Item(#[from] ItemError),
    /// Records are missing, or have numbers that none may have.
    #[error("entry {found} stands where entry {expected} belongs")]
    OutOfPlace {
        /// Place that is due.
        expected: Seq,
        /// Number of the row.
        found: i64,
    },
    /// The row is outside the limits of a ledger.
    #[error(transparent)]
    Row(#[from] RowError),
    /// A payload has no salt of 32 bytes.
    #[error("entry {seq}: the salt of payload {slot} has {bytes} bytes instead of 32")]
    Salt {
        /// Its entry.
        seq: Seq,
        /// Its slot.
        slot: u8,
        /// Length of the salt.
        bytes: usize,
    },
}

/// Rows in order from a first one on; ends behind the first that is damaged.
pub(super) struct Rows<E> {
    entries: E,
    next: Option<Seq>,
}

impl<E> Rows<E> {
    pub(super) fn from(first: Seq, entries: E) -> Self {
        let next = Some(first);
        Self { entries, next }
    }
}

impl<E: Iterator<Item = Result<StoredEntry, ItemError>>> Iterator for Rows<E> {
    type Item = Result<Row, DamagedRow>;

    fn next(&mut self) -> Option<Self::Item> {
        let expected = self.next.take()?;
        let row = self.entries.next()?.map_err(DamagedRow::Item);
        let row = row.and_then(|entry| row_at(expected, entry));
        if row.is_ok() {
            self.next = Some(expected.size().next_seq());
        }
        Some(row)
    }
}

fn row_at(expected: Seq, entry: StoredEntry) -> Result<Row, DamagedRow> {
    if u64::try_from(entry.seq).ok() != Some(expected.get()) {
        let found = entry.seq;
        return Err(DamagedRow::OutOfPlace { expected, found });
    }
    let payloads = entry.payloads.into_iter().map(|payload| {
        let (slot, bytes) = (payload.slot, payload.salt.len());
        let damaged = DamagedRow::Salt {
            seq: expected,
            slot,
            bytes,
        };
        let salt = payload.salt.try_into().map_err(|_| damaged)?;
        let slot = Slot::new(slot).expect("the reader gives slots below 8");
        Ok((slot, Salt(salt), payload.content))
    });
    let payloads = payloads.collect::<Result<Vec<_>, DamagedRow>>()?;
    Ok(Row::new(expected, entry.record, payloads)?)
}
