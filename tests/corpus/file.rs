//! What somebody with the file can do to it: change rows, number them anew and chain them again (K0), and sign the
//! checkpoints over that (K1). No statement is signed anew here.

use std::collections::BTreeSet;

use countersign_ledger::checkpoint::{self, Checkpoint, UnixSeconds};
use countersign_ledger::merkle::{Frontier, Root};
use countersign_ledger::reader::{StoredCheckpoint, StoredEntry};
use countersign_schemas::body::Body;
use countersign_schemas::chain::link;
use countersign_schemas::number::{Seq, Size};
use countersign_schemas::record::Record;

use super::base::Base;
use super::support::Told;
use super::support::cast::checkpoint_keys;

/// How far an attacker repairs what it broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repair {
    /// Not at all.
    Nothing,
    /// The rows are numbered and chained anew.
    Chain,
    /// Also, the checkpoints that do not fit any more are taken out.
    ChainWithoutCheckpoints,
    /// Also, all of them are signed anew, over as many entries as before, and one over the whole (K1).
    Checkpoints,
}

impl Repair {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Nothing => "raw",
            Self::Chain => "chained",
            Self::ChainWithoutCheckpoints => "unsigned",
            Self::Checkpoints => "signed",
        }
    }

    /// Repairs `told`, whose entries before `from` are the base's.
    pub(crate) fn apply(self, base: &Base, told: &mut Told, from: usize) {
        if self != Self::Nothing {
            chain(&mut told.entries, from);
        }
        match self {
            Self::Nothing | Self::Chain => {}
            Self::ChainWithoutCheckpoints => keep_checkpoints(told, from),
            Self::Checkpoints => {
                let whole = told.entries.len();
                let sizes = told
                    .checkpoints
                    .iter()
                    .filter_map(|checkpoint| usize::try_from(checkpoint.size).ok());
                let sizes: BTreeSet<usize> = sizes.filter(|size| *size <= whole).chain([whole]).collect();
                let signed = sizes.into_iter().filter_map(|size| sign(base, &told.entries[..size]));
                told.checkpoints = signed.collect();
            }
        }
    }
}

/// Keeps the checkpoints over at most `size` entries.
pub(crate) fn keep_checkpoints(told: &mut Told, size: usize) {
    told.checkpoints
        .retain(|checkpoint| usize::try_from(checkpoint.size).is_ok_and(|of| of <= size));
}

/// Numbers and chains the entries from `from` on; what is no record any more is only numbered.
pub(crate) fn chain(entries: &mut [StoredEntry], from: usize) {
    for place in from..entries.len() {
        let prev = place.checked_sub(1).map(|before| link(&entries[before].record));
        let entry = &mut entries[place];
        entry.seq = i64::try_from(place).unwrap_or(i64::MAX);
        if let Ok(mut record) = Record::decode(&entry.record) {
            record.seq = Seq::clamped(place as u64);
            record.prev = prev.unwrap_or(record.prev);
            entry.record = record.encode();
        }
    }
}

/// The root over the records of these entries.
pub(crate) fn root_of(entries: &[StoredEntry]) -> Root {
    let mut tree = Frontier::new();
    entries.iter().for_each(|entry| tree.push(&entry.record));
    tree.root()
}

/// A checkpoint over these entries by the keys of the base.
pub(crate) fn sign(base: &Base, entries: &[StoredEntry]) -> Option<StoredCheckpoint> {
    let Body::LedgerOpened(opened) = &base.entries.first()?.statement.body else {
        return None;
    };
    let size = entries.len();
    let head = Checkpoint {
        origin: opened.origin.clone(),
        size: Size::clamped(size as u64),
        root: root_of(entries),
    };
    let received = base.entries.last()?.record.received.get();
    let note = checkpoint::sign(&head, &checkpoint_keys(), UnixSeconds::new(received / 1_000)?);
    Some(StoredCheckpoint {
        size: i64::try_from(size).ok()?,
        note: note.into_bytes(),
    })
}
