//! Folding a ledger for a writer that opens it again: steps V1 to V7 of authority-v1 §6, up to the first breach.
//!
//! Unlike [`audit`](super::audit) this may begin behind a state that the same host folded before, and it asks for no
//! anchor and no completeness: what is unproven is no reason not to go on with a ledger.

use countersign_ledger::merkle::Frontier;
use countersign_ledger::reader::LedgerReader;
use countersign_schemas::cbor::DecodeError;
use countersign_schemas::number::{Seq, Size};
use thiserror::Error;

use super::heads::Heads;
use super::row::Row;
use super::{Audit, Until, genesis_of};
use crate::code::Class;
use crate::finding::Finding;
use crate::law::{Law, snapshot};

/// A ledger up to some entry: the state of the law, and the tree over the same records.
#[derive(Debug, Default)]
pub struct Folded {
    /// The state behind the last entry.
    pub law: Law,
    /// The tree over all records up to that entry.
    pub tree: Frontier,
}

impl Folded {
    /// The number of entries.
    #[must_use]
    pub fn size(&self) -> Size {
        self.tree.size()
    }

    /// Writes the state for the same version of the program, which alone can read it.
    #[must_use]
    pub fn to_snapshot(&self) -> Vec<u8> {
        snapshot::encode(&self.law, &self.tree)
    }

    /// Reads a snapshot. It is believed, so the caller must know that the bytes are its own.
    ///
    /// # Errors
    /// [`SnapshotError`] where the bytes are of another version, or no snapshot at all.
    pub fn from_snapshot(bytes: &[u8]) -> Result<Self, SnapshotError> {
        let (law, tree) = snapshot::decode(bytes).map_err(SnapshotError)?;
        Ok(Self { law, tree })
    }
}

/// Why bytes are not a snapshot that this version of the program can go on from.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("not a snapshot of this version of the program")]
pub struct SnapshotError(#[source] DecodeError);

/// Why a ledger must not be gone on with. Entry, code and text are those that `verify` would give first.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// A rule is broken.
    #[error("{}{}", place(.0), .0.text())]
    Broken(Finding),
    /// The ledger, or an entry of it, cannot be read, or is of a newer form.
    #[error("{}{}", place(.0), .0.text())]
    Unreadable(Finding),
}

impl ReplayError {
    /// What is wrong, and where.
    #[must_use]
    pub fn finding(&self) -> &Finding {
        match self {
            Self::Broken(finding) | Self::Unreadable(finding) => finding,
        }
    }

    fn of(finding: Finding) -> Self {
        match finding.class {
            Class::Unreadable => Self::Unreadable(finding),
            Class::Written | Class::Denied | Class::Unproven => Self::Broken(finding),
        }
    }
}

fn place(finding: &Finding) -> String {
    let code = finding.code;
    finding
        .entry
        .map_or_else(|| format!("{code}: "), |entry| format!("entry {entry}: {code}: "))
}

/// Verifies and folds every entry behind `from`, or all of them, with their signatures, payloads and checkpoints.
///
/// `from` is trusted: it must be what the same host folded from the same records. Behind it nothing is.
///
/// # Errors
/// [`ReplayError`] for the first thing that is broken or cannot be judged. What is unproven is none.
pub fn replay(reader: &LedgerReader, from: Option<Folded>) -> Result<Folded, ReplayError> {
    let from = from.unwrap_or_default();
    let (next, size) = (from.law.next_seq(), from.size());
    let genesis = genesis_of(reader).and_then(Row::read);
    let again = |seq| super::again(reader, seq);
    let (entries, checkpoints) = if next == Seq::ZERO {
        (reader.entries(), reader.checkpoints())
    } else {
        (reader.entries_from(next), reader.checkpoints_from(size))
    };
    let mut audit = Audit::behind(from, Heads::read(genesis.as_ref(), checkpoints, &[]), &again);
    audit.read(entries, Until::Breach);
    audit.folded().map_err(ReplayError::of)
}
