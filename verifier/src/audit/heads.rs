//! Steps V7 and V8: stored checkpoints and given heads against the tree (I7, I8).

use std::collections::{BTreeMap, BTreeSet};

use countersign_ledger::checkpoint::{self, Checkpoint, CheckpointPublicKeys};
use countersign_ledger::merkle::Root;
use countersign_ledger::reader::{ItemError, StoredCheckpoint};
use countersign_schemas::body::Body;
use countersign_schemas::number::{Seq, Size};
use countersign_schemas::text::Origin;

use super::row::Row;
use crate::code::Code;
use crate::finding::Finding;

/// A signed statement about the tree that has to be compared once the tree is known.
struct Claim {
    code: Code,
    /// The size it is filed under: the key of its row; none for a head that was handed in.
    filed: Option<i64>,
    checkpoint: Result<Checkpoint, String>,
}

/// All checkpoints and heads, and the roots at their sizes.
#[derive(Default)]
pub(super) struct Heads {
    claims: Vec<Claim>,
    sizes: BTreeSet<Size>,
    roots: BTreeMap<Size, Root>,
    /// Rows of the checkpoint table that could not be read.
    failures: Vec<Finding>,
}

impl Heads {
    /// Verifies the signatures of everything, under the keys that `genesis` names.
    pub(super) fn read(
        genesis: Option<&Row>,
        stored: impl Iterator<Item = Result<StoredCheckpoint, ItemError>>,
        given: &[Vec<u8>],
    ) -> Self {
        let keys = genesis.and_then(keys_of);
        let mut heads = Self::default();
        for row in stored {
            match row {
                Ok(row) => heads.add(Code::I7, Some(row.size), verify(&row.note, keys.as_ref())),
                Err(error) => heads.failures.push(unreadable(&error)),
            }
        }
        for note in given {
            heads.add(Code::I8, None, verify(note, keys.as_ref()));
        }
        heads
    }

    fn add(&mut self, code: Code, filed: Option<i64>, checkpoint: Result<Checkpoint, String>) {
        self.sizes
            .extend(checkpoint.as_ref().ok().map(|checkpoint| checkpoint.size));
        self.claims.push(Claim {
            code,
            filed,
            checkpoint,
        });
    }

    /// Remembers the root over the first `size` records, if anything is claimed about it.
    pub(super) fn note_root(&mut self, size: Size, root: impl FnOnce() -> Root) {
        if self.sizes.contains(&size) {
            self.roots.insert(size, root());
        }
    }

    /// Whether a checkpoint over `size` records is stored and signed; what its root is worth, [`Self::judge`] says.
    pub(super) fn covers(&self, size: Size) -> bool {
        self.claims.iter().any(|claim| {
            let stated = claim.checkpoint.as_ref().ok().map(|checkpoint| checkpoint.size);
            claim.code == Code::I7 && stated == Some(size)
        })
    }

    /// Compares everything with a ledger of `size` records; gives the largest head that fits.
    ///
    /// `is_known` says over how many records a root can be right: none is, over a record that is named already, and is
    /// neither named again nor fits.
    pub(super) fn judge(
        self,
        size: Size,
        is_known: impl Fn(Size) -> bool,
        findings: &mut impl Extend<Finding>,
    ) -> Option<Size> {
        findings.extend(self.failures);
        let mut largest = None;
        for claim in &self.claims {
            let root = |size: Size| self.roots.get(&size).filter(|_| is_known(size));
            let finding = claim.judge(size, root);
            if let (Code::I8, None, Ok(checkpoint)) = (claim.code, &finding, &claim.checkpoint) {
                largest = largest.max(Some(checkpoint.size).filter(|size| is_known(*size)));
            }
            findings.extend(finding);
        }
        largest
    }
}

impl Claim {
    fn judge<'r>(&self, size: Size, root: impl Fn(Size) -> Option<&'r Root>) -> Option<Finding> {
        let last = Seq::clamped(size.get().saturating_sub(1));
        let checkpoint = match &self.checkpoint {
            Ok(checkpoint) => checkpoint,
            Err(error) => {
                let filed = self.filed.and_then(|filed| u64::try_from(filed).ok());
                let entry = filed.map_or(last, |filed| Seq::clamped(filed.saturating_sub(1)));
                return Some(Finding::new(
                    self.code,
                    entry,
                    "a checkpoint signed by both keys of this ledger",
                    error,
                ));
            }
        };
        let stated = checkpoint.size;
        let entry = Seq::clamped(stated.get().saturating_sub(1));
        if let Some(filed) = self
            .filed
            .filter(|filed| u64::try_from(*filed).ok() != Some(stated.get()))
        {
            return Some(Finding::new(
                self.code,
                entry,
                format!("a checkpoint of size {filed}"),
                format!("size {stated}"),
            ));
        }
        if stated > size {
            let entry = if self.code == Code::I8 { last } else { entry };
            let found = format!("{size} records: the ledger was cut");
            return Some(Finding::new(
                self.code,
                entry,
                format!("at least {stated} records"),
                found,
            ));
        }
        let root = root(stated).filter(|root| **root != checkpoint.root)?;
        let expected = format!("root {}", checkpoint.root);
        Some(Finding::new(self.code, entry, expected, format!("root {root}")))
    }
}

/// Origin and checkpoint keys of a decoded genesis.
fn keys_of(genesis: &Row) -> Option<(Origin, CheckpointPublicKeys)> {
    let Body::LedgerOpened(body) = &genesis.statement.as_ref().ok()?.statement.body else {
        return None;
    };
    let keys = &body.checkpoint_keys;
    let keys = CheckpointPublicKeys::from_bytes(&keys.ed25519.0, &keys.ml_dsa_44.0).ok()?;
    Some((body.origin.clone(), keys))
}

fn verify(note: &[u8], keys: Option<&(Origin, CheckpointPublicKeys)>) -> Result<Checkpoint, String> {
    let Some((origin, keys)) = keys else {
        return Err("no checkpoint keys: entry 0 cannot be read".to_owned());
    };
    let checkpoint = checkpoint::verify(note, keys).map_err(|error| with_sources(&error))?;
    if checkpoint.origin == *origin {
        Ok(checkpoint)
    } else {
        Err(format!("a checkpoint of {}, not of {origin}", checkpoint.origin))
    }
}

fn with_sources(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

fn unreadable(error: &ItemError) -> Finding {
    let row = match error {
        ItemError::WrongType { row, .. } | ItemError::TooLong { row, .. } => Some(*row),
        _ => None,
    };
    let code = if error.is_read_failure() { Code::U1 } else { Code::I7 };
    let entry = row
        .and_then(|size| u64::try_from(size).ok())
        .map(|size| Seq::clamped(size.saturating_sub(1)));
    match entry {
        Some(entry) => Finding::new(code, entry, "a checkpoint", error.to_string()),
        None => Finding::whole(code, "a checkpoint", error.to_string()),
    }
}
