//! The fold of a ledger as it is written: kept now and then, so that opening it again is quick (ledger-v1 §6.9).

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use countersign_identity::keys::HybridSecret;
use countersign_schemas::number::Size;
use countersign_verifier::audit::Folded;
use countersign_verifier::fold_file::{FoldFile, FoldKey, SealedFold};

use super::State;

/// Entries after which a ledger at work is worth a new fold: so many are verified again, in some seconds, after a crash.
const FOLD_ENTRIES: u64 = 100_000;

/// Where the fold of one ledger is kept, and under which key.
pub(super) struct Folds {
    file: FoldFile,
    key: FoldKey,
    /// The size that was folded last.
    newest: Mutex<Size>,
}

/// When a fold is taken together with a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Take {
    /// If many entries came since the last.
    WhenDue,
    /// In any case: the ledger is left.
    Now,
    /// Not at all: nobody will open the ledger again.
    Never,
}

impl Folds {
    /// Folds of the ledger at `ledger`, where links are resolved, of which one of `size` entries is kept.
    pub(super) fn kept_up_to(size: Size, ledger: &Path, host: &HybridSecret, nonce: &[u8; 16]) -> Self {
        Self {
            file: FoldFile::beside(ledger),
            key: FoldKey::derive(host, nonce),
            newest: Mutex::new(size),
        }
    }

    /// Folds `state` if that is wanted. It takes a moment in which nobody enters anything, once in many entries.
    pub(super) fn take(&self, state: &mut State, take: Take) -> Option<SealedFold> {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let size = state.law.head().size;
        let is_due = size.get() - newest.get() >= FOLD_ENTRIES;
        if take == Take::Never || (take == Take::WhenDue && !is_due) {
            return None;
        }
        *newest = size;
        let folded = Folded {
            law: std::mem::take(&mut state.law),
            tree: std::mem::take(&mut state.tree),
        };
        let sealed = self.key.seal(&folded);
        (state.law, state.tree) = (folded.law, folded.tree);
        told(sealed)
    }

    /// Keeps a fold all of whose entries are durable.
    pub(super) fn keep(&self, fold: &SealedFold) {
        told(self.file.put(fold));
    }

    /// Removes what is kept: a ledger that is closed is not opened again.
    pub(super) fn discard(&self) {
        // Whatever stays is a cache that nobody reads.
        let _ = std::fs::remove_file(self.file.path());
    }
}

/// Without a fold opening only takes longer.
fn told<T>(result: Result<T, impl std::error::Error + 'static>) -> Option<T> {
    result
        .inspect_err(|error| tracing::warn!(%error, "no fold of the ledger is kept"))
        .ok()
}
