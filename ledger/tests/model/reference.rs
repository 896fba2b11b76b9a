//! What must be in the ledger: a list in memory of what was submitted, and how much of it was acknowledged.

use countersign_ledger::layout::Slot;
use countersign_ledger::merkle::{Frontier, Root};
use countersign_ledger::reader::{LedgerReader, StoredEntry};
use countersign_ledger::store::Row;
use countersign_schemas::number::{Seq, Size};
use countersign_schemas::payload::Salt;

use super::Anyhow;
use super::operation::RowPlan;

/// An entry as it was submitted.
#[derive(Clone)]
struct Kept {
    record: Vec<u8>,
    payloads: Vec<(u8, [u8; 32], Vec<u8>)>,
}

/// A checkpoint as it was submitted.
#[derive(Clone)]
struct KeptNote {
    size: u64,
    note: Vec<u8>,
    is_acknowledged: bool,
}

/// The reference.
#[derive(Clone, Default)]
pub(super) struct Reference {
    entries: Vec<Kept>,
    acknowledged: u64,
    notes: Vec<KeptNote>,
    /// Rows that were ever made: two rows for one place differ, so that a lost one cannot pass for its successor.
    made: u64,
}

impl Reference {
    /// Counts the entries that were submitted.
    pub(super) fn submitted(&self) -> u64 {
        self.entries.len() as u64
    }

    /// Makes rows for the places from `first` on, without submitting them.
    pub(super) fn rows(&mut self, first: u64, plans: &[RowPlan]) -> Anyhow<Vec<Row>> {
        (first..)
            .zip(plans)
            .map(|(place, plan)| self.row(place, plan))
            .collect()
    }

    fn row(&mut self, place: u64, plan: &RowPlan) -> Anyhow<Row> {
        self.made += 1;
        let mark = [place.to_be_bytes(), self.made.to_be_bytes()].concat();
        let fill = |len: usize| mark.iter().copied().cycle().take(len).collect::<Vec<u8>>();
        let payloads = plan.payloads.iter().map(|(slot, length)| {
            let slot = Slot::new(*slot).ok_or("no such slot")?;
            Ok((slot, Salt([self.made as u8; 32]), fill(*length)))
        });
        let payloads = payloads.collect::<Anyhow<_>>()?;
        Ok(Row::new(Seq::clamped(place), fill(plan.record_bytes), payloads)?)
    }

    /// Notes that `row` was submitted for the next place.
    pub(super) fn submit(&mut self, row: &Row) {
        let payloads = row.payloads().iter();
        self.entries.push(Kept {
            record: row.record().to_vec(),
            payloads: payloads
                .map(|(slot, salt, bytes)| (slot.get(), salt.0, bytes.clone()))
                .collect(),
        });
    }

    /// Notes that the first `size` entries were acknowledged.
    pub(super) fn acknowledge(&mut self, size: u64) {
        self.acknowledged = self.acknowledged.max(size);
    }

    /// Whether a checkpoint of `size` was submitted.
    pub(super) fn has_note(&self, size: u64) -> bool {
        self.notes.iter().any(|kept| kept.size == size)
    }

    /// Notes that a checkpoint was submitted.
    pub(super) fn submit_note(&mut self, size: u64, note: Vec<u8>) {
        self.notes.push(KeptNote {
            size,
            note,
            is_acknowledged: false,
        });
    }

    /// Notes that the checkpoint of `size` was acknowledged.
    pub(super) fn acknowledge_note(&mut self, size: u64) {
        for kept in self.notes.iter_mut().filter(|kept| kept.size == size) {
            kept.is_acknowledged = true;
        }
    }

    /// After a crash: what was not acknowledged may be gone, what is found is durable from now on.
    pub(super) fn settle(&mut self, found: Found) -> Anyhow<()> {
        self.expect_between(found.entries)?;
        self.entries.truncate(usize::try_from(found.entries)?);
        self.acknowledged = found.entries;
        self.notes.retain(|kept| found.notes.contains(&kept.size));
        self.notes.iter_mut().for_each(|kept| kept.is_acknowledged = true);
        Ok(())
    }

    /// Root over the first `size` entries.
    pub(super) fn root(&self, size: u64) -> Root {
        let mut tree = Frontier::new();
        for kept in self.entries.iter().take(usize::try_from(size).unwrap_or(usize::MAX)) {
            tree.push(&kept.record);
        }
        tree.root()
    }

    /// Reads everything and fails unless it is a prefix of what was submitted that holds everything acknowledged.
    pub(super) fn check(&self, reader: &LedgerReader) -> Anyhow<Found> {
        let mut found = Found::default();
        for entry in reader.entries() {
            let entry = entry?;
            let kept = usize::try_from(entry.seq)
                .ok()
                .and_then(|place| self.entries.get(place));
            let is_kept = kept.is_some_and(|kept| kept.is_stored_as(&entry));
            if u64::try_from(entry.seq) != Ok(found.entries) || !is_kept {
                return Err(format!("entry {} is not what was submitted for {}", entry.seq, found.entries).into());
            }
            found.entries += 1;
        }
        self.expect_between(found.entries)?;
        for stored in reader.checkpoints() {
            let stored = stored?;
            let size = u64::try_from(stored.size)?;
            let kept = self.notes.iter().find(|kept| kept.size == size);
            if kept.is_none_or(|kept| kept.note != stored.note) || size > found.entries {
                return Err(format!("the checkpoint over {size} is not what was submitted").into());
            }
            found.notes.push(size);
        }
        match self
            .notes
            .iter()
            .find(|kept| kept.is_acknowledged && !found.notes.contains(&kept.size))
        {
            Some(lost) => Err(format!("the checkpoint over {} was acknowledged and is lost", lost.size).into()),
            None => Ok(found),
        }
    }

    fn expect_between(&self, found: u64) -> Anyhow<()> {
        if (self.acknowledged..=self.submitted()).contains(&found) {
            return Ok(());
        }
        let (acknowledged, submitted) = (self.acknowledged, self.submitted());
        Err(format!("{found} entries, {acknowledged} were acknowledged and {submitted} submitted").into())
    }
}

/// How much of what was submitted is there.
#[derive(Default)]
pub(super) struct Found {
    pub(super) entries: u64,
    notes: Vec<u64>,
}

impl Found {
    /// As a size.
    pub(super) fn size(&self) -> Size {
        Size::clamped(self.entries)
    }
}

impl Kept {
    fn is_stored_as(&self, entry: &StoredEntry) -> bool {
        let payloads = self.payloads.iter().zip(&entry.payloads);
        entry.record == self.record
            && entry.payloads.len() == self.payloads.len()
            && payloads.into_iter().all(|((slot, salt, bytes), stored)| {
                stored.slot == *slot && stored.salt == salt && stored.content == *bytes
            })
    }
}
