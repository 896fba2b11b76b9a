//! A folded ledger in a file of its own, so that opening a ledger again need not replay it (ledger-v1 §6.9).
//!
//! The file is a cache: whatever is wrong with it, it is as if it were not there. It is believed only under a key that
//! nobody but the ledger's host can derive, and only where the ledger still holds the record that it ends with. A
//! verifier never reads it.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use countersign_identity::keys::{DerivationContext, HybridSecret, Seed32};
use countersign_ledger::cose::Unverified;
use countersign_ledger::reader::LedgerReader;
use countersign_ledger::store::{StoreError, replace_file};
use countersign_schemas::body::Body;
use countersign_schemas::chain;
use countersign_schemas::digest::{LedgerId, Link};
use countersign_schemas::number::{Seq, Size};
use countersign_schemas::record::Record;
use countersign_schemas::statement::Statement;
use thiserror::Error;

use crate::audit::Folded;

/// Names the derivation of the key from a host's keys (ledger-v1 §6.8).
const CONTEXT: DerivationContext = DerivationContext::new("countersign/1 fold snapshot");

/// Longest file that is written or read, in bytes: room for some ten thousand agents. Folding again is slower than reading
/// that much, but bounded memory is worth more.
pub const FOLD_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Bytes of the authentication code, which stands first.
const CODE_LEN: usize = 32;
/// Bytes of ledger id, size and link, which stand behind it.
const PLACE_LEN: usize = 32 + 8 + 32;

/// The key that authenticates the folds of one ledger; zeroized when dropped.
pub struct FoldKey(Seed32);

impl FoldKey {
    /// Derives the key for the ledger with this `nonce` from the keys of the host that opened it.
    #[must_use]
    pub fn derive(host: &HybridSecret, nonce: &[u8; 16]) -> Self {
        Self(host.derive(CONTEXT, nonce).0)
    }

    /// Derives the key for the ledger behind `reader`; `None` if its first entry cannot be read.
    #[must_use]
    pub fn of_ledger(host: &HybridSecret, reader: &LedgerReader) -> Option<Self> {
        let opened = opened(reader)?;
        match Statement::decode(&opened).ok()?.body {
            Body::LedgerOpened(body) => Some(Self::derive(host, &body.nonce.0)),
            _ => None,
        }
    }

    /// The fold as the file holds it.
    ///
    /// # Errors
    /// [`FoldFileError::Empty`], [`FoldFileError::TooLong`].
    pub fn seal(&self, folded: &Folded) -> Result<SealedFold, FoldFileError> {
        let ledger = folded.law.opening().ok_or(FoldFileError::Empty)?.ledger();
        let seen = folded.law.head();
        let place = place(ledger, seen.size, seen.link);
        let content = [place.as_slice(), &folded.to_snapshot()].concat();
        let found = CODE_LEN + content.len();
        if found > FOLD_BYTES_MAX {
            return Err(FoldFileError::TooLong { found });
        }
        let code = self.code(&content);
        Ok(SealedFold([code.as_bytes().as_slice(), &content].concat()))
    }

    fn code(&self, content: &[u8]) -> blake3::Hash {
        blake3::keyed_hash(self.0.expose(), content)
    }
}

/// A fold that is authenticated, and not written yet.
pub struct SealedFold(Vec<u8>);

/// Where the fold of one ledger is kept. Only the ledger's writer writes it, so there is nothing to lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoldFile {
    path: PathBuf,
}

/// Why a fold was not written. A file that was there before is still there, unchanged; without it opening takes longer.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FoldFileError {
    /// There is no first entry yet.
    #[error("nothing was folded yet")]
    Empty,
    /// The state is larger than [`FOLD_BYTES_MAX`].
    #[error("a fold of {found} bytes, at most {FOLD_BYTES_MAX} are kept")]
    TooLong {
        /// Bytes that would have been written.
        found: usize,
    },
    /// The disk or the file system refuses.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl FoldFile {
    /// The fold file in its place: beside the ledger, `-fold` after its name.
    ///
    /// `ledger` is a path in which links are resolved, as [`LedgerReader::path`] gives it.
    #[must_use]
    pub fn beside(ledger: &Path) -> Self {
        let mut path = OsString::from(ledger);
        path.push("-fold");
        Self { path: path.into() }
    }

    /// The path of the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Puts `fold` in the place of what the file held. All entries that it is over have to be durable.
    ///
    /// # Errors
    /// [`FoldFileError::Store`].
    pub fn put(&self, SealedFold(file): &SealedFold) -> Result<(), FoldFileError> {
        Ok(replace_file(&self.path, file, "writing the fold file")?)
    }

    /// Seals `folded` and puts it there.
    ///
    /// # Errors
    /// Any [`FoldFileError`].
    pub fn write(&self, key: &FoldKey, folded: &Folded) -> Result<(), FoldFileError> {
        self.put(&key.seal(folded)?)
    }

    /// Reads the fold, if it is the host's own, of this version of the program, and of the ledger behind `reader` up to a
    /// record that it still holds.
    #[must_use]
    pub fn read(&self, key: &FoldKey, reader: &LedgerReader) -> Option<Folded> {
        let file = self.read_bytes()?;
        let (code, content) = file.split_first_chunk::<CODE_LEN>()?;
        // Equality of two `Hash` takes the same time whatever they are.
        if key.code(content) != blake3::Hash::from_bytes(*code) {
            return None;
        }
        let (stated, snapshot) = content.split_first_chunk::<PLACE_LEN>()?;
        let folded = Folded::from_snapshot(snapshot).ok()?;
        let size = folded.size();
        let here = place(LedgerId::of_genesis(&opened(reader)?), size, last_link(reader, size)?);
        let seen = folded.law.head();
        let ledger = folded.law.opening()?.ledger();
        (*stated == here && here == place(ledger, seen.size, seen.link)).then_some(folded)
    }

    fn read_bytes(&self) -> Option<Vec<u8>> {
        // Asked before opening: a pipe of that name would keep us waiting.
        let metadata = self.path.metadata().ok()?;
        if !metadata.is_file() || metadata.len() > FOLD_BYTES_MAX as u64 {
            return None;
        }
        let mut bytes = Vec::new();
        let file = File::open(&self.path).ok()?;
        file.take(FOLD_BYTES_MAX as u64).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    }
}

/// What the fold is bound to.
fn place(ledger: LedgerId, size: Size, link: Link) -> [u8; PLACE_LEN] {
    let mut place = [0; PLACE_LEN];
    place[..32].copy_from_slice(ledger.as_bytes());
    place[32..40].copy_from_slice(&size.get().to_be_bytes());
    place[40..].copy_from_slice(link.as_bytes());
    place
}

/// The statement of entry 0, as it stands there; nothing is verified.
fn opened(reader: &LedgerReader) -> Option<Vec<u8>> {
    let stored = reader.entry(Seq::ZERO).ok().flatten()?;
    let record = Record::decode(&stored.record).ok()?;
    let envelope = Unverified::parse(&record.statement).ok()?;
    Some(envelope.payload().to_vec())
}

/// The link of the last of `size` records.
fn last_link(reader: &LedgerReader, size: Size) -> Option<Link> {
    let last = Seq::clamped(size.get().checked_sub(1)?);
    let stored = reader.entry(last).ok().flatten()?;
    Some(chain::link(&stored.record))
}
