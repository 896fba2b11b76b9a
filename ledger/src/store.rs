//! The seam between the ledger and what keeps it: rows in, durability out (ledger-v1 §2 to §4).
//!
//! A store knows bytes and places only. It does not look into records, and it refuses whatever would
//! not extend the ledger by exactly the next rows. [`Sqlite`] is the store of version 1, [`Memory`] one for embedding.
//! Another implementation shows that it is one by the suite in `conformance` (cargo feature `conformance`).
//!
//! Whoever appends needs [`Store`] alone; what gives its content back is [`ReadBack`] as well.

mod aside;
mod copy;
mod error;
mod lock;
mod memory;
mod sqlite;
mod stored;
mod wal;

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;

pub use aside::replace_file;
pub use copy::{Content, Copied, CopyError, backup, export};
pub use error::StoreError;
pub use memory::Memory;
pub use sqlite::Sqlite;
pub use stored::DamagedRow;
pub use wal::{WalDamage, scan as scan_wal};

pub(crate) use wal::damage_beside;

use crate::layout::{NOTE_BYTES_MAX, PAYLOAD_BYTES_MAX, Slot};
use countersign_schemas::number::{Seq, Size};
use countersign_schemas::payload::Salt;
use countersign_schemas::record::RECORD_BYTES_MAX;

/// Keeps records, payloads and checkpoints, and answers only when they are durable.
pub trait Store: Send {
    /// Counts the records that are durable.
    fn size(&self) -> Size;

    /// Appends `batch` as a whole, if the ledger still has `expected` records, and returns its new size.
    ///
    /// The rows' places are `expected`, `expected` + 1 and so on. When this returns, they survive a
    /// power cut. An empty batch changes nothing.
    ///
    /// # Errors
    /// Nothing of the batch is stored, save after an error that [`StoreError::poisons`]: then it is unknown whether
    /// all of it or nothing is, every later call gives [`StoreError::Poisoned`], and only opening the ledger anew
    /// settles the question.
    fn append(&mut self, expected: Size, batch: &[Row]) -> Result<Size, StoreError>;

    /// Stores the checkpoint over the first `size` records.
    ///
    /// # Errors
    /// As [`Store::append`]; a second checkpoint of one size, or one beyond the ledger, is refused.
    fn put_checkpoint(&mut self, size: Size, note: &[u8]) -> Result<(), StoreError>;

    /// Does housekeeping that would slow down an append. Called when nobody waits.
    ///
    /// # Errors
    /// As [`Store::append`], though nothing acknowledged is in doubt.
    fn tidy(&mut self) -> Result<(), StoreError>;
}

/// A store that gives back what it keeps, and can be closed.
pub trait ReadBack: Store + Sized {
    /// Iterates over the rows from `first` on, in order and in bounded memory; none if there is no such place.
    ///
    /// It ends behind the first error.
    fn rows(&self, first: Seq) -> impl Iterator<Item = Result<Row, StoreError>>;

    /// Iterates over all checkpoints, in rising order of their sizes.
    ///
    /// It ends behind the first error.
    fn checkpoints(&self) -> impl Iterator<Item = Result<(Size, Vec<u8>), StoreError>>;

    /// Gives the writer's place up in good order. Dropping does so as well, and loses nothing acknowledged.
    ///
    /// # Errors
    /// Everything acknowledged is durable in any case.
    fn close(self) -> Result<(), StoreError>;
}

/// One record and its payloads, ready to be stored.
#[derive(Clone, PartialEq, Eq)]
pub struct Row {
    seq: Seq,
    record: Vec<u8>,
    payloads: Vec<(Slot, Salt, Vec<u8>)>,
}

/// Why bytes cannot become a [`Row`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RowError {
    /// The record has no bytes.
    #[error("entry {seq}: the record is empty")]
    RecordEmpty {
        /// Place of the row.
        seq: Seq,
    },
    /// The record is longer than a ledger may hold.
    #[error("entry {seq}: the record has {bytes} bytes, the limit is 65535")]
    RecordTooLong {
        /// Place of the row.
        seq: Seq,
        /// Length of the record.
        bytes: usize,
    },
    /// A payload is longer than a ledger may hold.
    #[error("entry {seq}: payload {slot} has {bytes} bytes, the limit is 16777216")]
    PayloadTooLong {
        /// Place of the row.
        seq: Seq,
        /// Slot of the payload.
        slot: u8,
        /// Length of its content.
        bytes: usize,
    },
    /// Slots have to rise strictly.
    #[error("entry {seq}: payload slot {slot} stands after slot {after}")]
    SlotsOutOfOrder {
        /// Place of the row.
        seq: Seq,
        /// Slot found.
        slot: u8,
        /// Slot before it.
        after: u8,
    },
}

impl Row {
    /// Checks the limits of ledger-v1 §3; payloads come in rising order of their slots.
    ///
    /// # Errors
    /// [`RowError`] names the limit.
    pub fn new(seq: Seq, record: Vec<u8>, payloads: Vec<(Slot, Salt, Vec<u8>)>) -> Result<Self, RowError> {
        if record.is_empty() {
            return Err(RowError::RecordEmpty { seq });
        }
        if record.len() > RECORD_BYTES_MAX {
            return Err(RowError::RecordTooLong {
                seq,
                bytes: record.len(),
            });
        }
        for (slot, _, content) in &payloads {
            if content.len() > PAYLOAD_BYTES_MAX {
                let (slot, bytes) = (slot.get(), content.len());
                return Err(RowError::PayloadTooLong { seq, slot, bytes });
            }
        }
        for pair in payloads.windows(2) {
            if let [(before, ..), (slot, ..)] = pair
                && slot <= before
            {
                let (slot, after) = (slot.get(), before.get());
                return Err(RowError::SlotsOutOfOrder { seq, slot, after });
            }
        }
        Ok(Self { seq, record, payloads })
    }

    /// Place of the row in the ledger.
    pub fn seq(&self) -> Seq {
        self.seq
    }

    /// The record's exact bytes.
    pub fn record(&self) -> &[u8] {
        &self.record
    }

    /// Slot, salt and content of each payload, in rising order of slots.
    pub fn payloads(&self) -> &[(Slot, Salt, Vec<u8>)] {
        &self.payloads
    }

    /// Salt and content of each payload, in rising order of slots.
    pub fn into_payloads(self) -> Vec<(Salt, Vec<u8>)> {
        let stored = self.payloads.into_iter();
        stored.map(|(_, salt, content)| (salt, content)).collect()
    }

    /// Bytes that this row brings, for sizing batches.
    pub(crate) fn weight_bytes(&self) -> usize {
        self.record.len() + self.payloads.iter().map(|(.., content)| content.len()).sum::<usize>()
    }
}

/// Rows have to stand at `first`, `first` + 1 and so on.
fn check_places(first: u64, rows: &[Row]) -> Result<(), StoreError> {
    for (expected, row) in (first..).zip(rows) {
        if row.seq().get() != expected {
            let last = i64::try_from(expected).unwrap_or(i64::MAX);
            let expected = Seq::new(expected).map_err(|_| StoreError::SeqOutOfRange { last })?;
            return Err(StoreError::OutOfSequence {
                expected,
                found: row.seq(),
            });
        }
    }
    Ok(())
}

/// A checkpoint has to be over records that are there, and within its limits.
fn check_checkpoint(size: Size, note: &[u8], ledger: Size) -> Result<(), StoreError> {
    if note.is_empty() {
        return Err(StoreError::NoteEmpty);
    }
    if note.len() > NOTE_BYTES_MAX {
        return Err(StoreError::NoteTooLong { bytes: note.len() });
    }
    if size == Size::ZERO || size > ledger {
        return Err(StoreError::CheckpointMisfit { size, ledger });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Seq {
        Seq::new(7).expect("7 is a seq")
    }

    fn payload(slot: u8, bytes: usize) -> (Slot, Salt, Vec<u8>) {
        (Slot::new(slot).expect("a slot below 8"), Salt([0; 32]), vec![0; bytes])
    }

    #[test]
    fn row_at_every_limit_is_taken() {
        let payloads = (0..8).map(|slot| payload(slot, 0)).collect();
        assert!(Row::new(place(), vec![0; RECORD_BYTES_MAX], payloads).is_ok());
        assert!(Row::new(place(), vec![0], vec![payload(7, PAYLOAD_BYTES_MAX)]).is_ok());
    }

    #[test]
    fn row_without_a_record_is_refused() {
        let refused = Row::new(place(), Vec::new(), Vec::new()).err();
        assert_eq!(refused, Some(RowError::RecordEmpty { seq: place() }));
    }

    #[test]
    fn record_of_one_byte_too_many_is_refused() {
        let refused = Row::new(place(), vec![0; RECORD_BYTES_MAX + 1], Vec::new()).err();
        assert_eq!(
            refused,
            Some(RowError::RecordTooLong {
                seq: place(),
                bytes: 65_536
            })
        );
    }

    #[test]
    fn payload_of_one_byte_too_many_is_refused() {
        let refused = Row::new(place(), vec![0], vec![payload(0, PAYLOAD_BYTES_MAX + 1)]).err();
        assert!(matches!(refused, Some(RowError::PayloadTooLong { slot: 0, .. })));
    }

    #[test]
    fn slot_given_twice_is_refused() {
        let refused = Row::new(place(), vec![0], vec![payload(1, 0), payload(1, 0)]).err();
        assert_eq!(
            refused,
            Some(RowError::SlotsOutOfOrder {
                seq: place(),
                slot: 1,
                after: 1
            })
        );
    }

    #[test]
    fn slots_that_fall_are_refused() {
        let refused = Row::new(place(), vec![0], vec![payload(2, 0), payload(1, 0)]).err();
        assert_eq!(
            refused,
            Some(RowError::SlotsOutOfOrder {
                seq: place(),
                slot: 1,
                after: 2
            })
        );
    }
}
