//! The newest checkpoint in a file of its own: what a ledger that lost its tail is compared with (ledger-v1 §6.7).
//!
//! [`HeadFile`] reads and writes the file and takes its content for bytes; [`check`] is pure and says whether a
//! ledger still holds what its head speaks of. Whether to append then is the caller's matter, and so is writing a
//! note only when the entries that it covers are durable.

use std::ffi::OsString;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use countersign_schemas::number::Size;
use countersign_schemas::text::Origin;

use crate::checkpoint::{self, Checkpoint, CheckpointError, CheckpointPublicKeys};
use crate::layout::NOTE_BYTES_MAX;
use crate::merkle::Root;
use crate::store::{StoreError, replace_file};

/// Where the head of one ledger is kept.
///
/// Only the ledger's writer writes it, so there is nothing to lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeadFile {
    path: PathBuf,
}

/// Why a head file was not read or written. A file that was there before is still there, unchanged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HeadFileError {
    /// The file is no checkpoint note: longer than one may be.
    #[error("{}: longer than a checkpoint note may be, which is 131072 bytes", path.display())]
    TooLong {
        /// Path of the head file.
        path: PathBuf,
    },
    /// The folder of the file is not there: for instance a disk that is not mounted.
    #[error("{}: the folder of the head file is not there", path.display())]
    FolderMissing {
        /// Path of the head file.
        path: PathBuf,
    },
    /// The disk or the file system refuses.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a ledger is not the one, or no longer the one, that its head speaks of. Nothing may be appended to it then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeadError {
    /// The note is not signed by this ledger's checkpoint keys, or is no note.
    #[error("the head is not a checkpoint of this ledger's keys")]
    NotSigned(#[source] CheckpointError),
    /// The note is one of another ledger.
    #[error("the head is one of {found}, the ledger is {expected}")]
    OtherLedger {
        /// Origin of the ledger.
        expected: Origin,
        /// Origin in the note.
        found: Origin,
    },
    /// The ledger has lost entries: it had more when the note was signed.
    #[error("the ledger has {ledger} entries, and had {head} when its head was signed")]
    TailLost {
        /// Entries found.
        ledger: Size,
        /// Entries that the note is over.
        head: Size,
    },
    /// The ledger holds other entries than it did.
    #[error("the first {size} entries have root {ledger}, and had {head} when the head was signed")]
    OtherRoot {
        /// Entries that the note is over.
        size: Size,
        /// Root over them in the ledger.
        ledger: Root,
        /// Root in the note.
        head: Root,
    },
    /// Nobody computed the root to compare with, which is a bug of ours.
    #[error("the root over the first {size} entries is not known")]
    RootUnknown {
        /// Entries that the note is over.
        size: Size,
    },
}

impl HeadFile {
    /// The head file in its usual place: beside the ledger, `-head` after its name.
    ///
    /// `ledger` is the path that [`crate::store::Sqlite::path`] gives, where links are resolved.
    #[must_use]
    pub fn beside(ledger: &Path) -> Self {
        let mut path = OsString::from(ledger);
        path.push("-head");
        Self::at(Path::new(&path))
    }

    /// A head file in another place, for instance on another disk. No two ledgers may share one.
    #[must_use]
    pub fn at(path: &Path) -> Self {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
        Self { path }
    }

    /// The absolute path of the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Puts `note` in the place of what the file held. When this returns, it survives a power cut.
    ///
    /// At any moment the file holds the note before or this one, whole.
    ///
    /// # Errors
    /// Any [`HeadFileError`]. Which of the two notes a power cut leaves is open then.
    pub fn write(&self, note: &[u8]) -> Result<(), HeadFileError> {
        if note.len() > NOTE_BYTES_MAX {
            return Err(self.too_long());
        }
        self.expect_folder()?;
        Ok(replace_file(&self.path, note, "writing the head file")?)
    }

    /// Reads the note; `None` when there is no such file, which proves nothing.
    ///
    /// # Errors
    /// Any [`HeadFileError`]. A link that leads nowhere is an error, and not a file that is not there.
    pub fn read(&self) -> Result<Option<Vec<u8>>, HeadFileError> {
        self.expect_folder()?;
        let failed = |error| StoreError::of_io(&self.path, "reading the head file", error);
        match self.path.symlink_metadata() {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            found => found.map_err(failed)?,
        };
        // Asked before opening: a pipe of that name would keep us waiting.
        if !self.path.metadata().map_err(failed)?.is_file() {
            let path = self.path.clone();
            return Err(StoreError::NotAFile { path }.into());
        }
        let mut note = Vec::new();
        File::open(&self.path)
            .and_then(|file| file.take(NOTE_BYTES_MAX as u64 + 1).read_to_end(&mut note))
            .map_err(failed)?;
        if note.len() > NOTE_BYTES_MAX {
            return Err(self.too_long());
        }
        Ok(Some(note))
    }

    fn expect_folder(&self) -> Result<(), HeadFileError> {
        match self.path.parent() {
            Some(folder) if !folder.is_dir() => Err(HeadFileError::FolderMissing {
                path: self.path.clone(),
            }),
            _ => Ok(()),
        }
    }

    fn too_long(&self) -> HeadFileError {
        HeadFileError::TooLong {
            path: self.path.clone(),
        }
    }
}

/// Checks that a ledger of `size` records still begins with those that `note` is over (ledger-v1 §6.7, H1 to H4).
///
/// `keys` and `origin` are those of `ledger.opened`; `root_at` gives the root over as many records as it is asked for,
/// at most `size`. The checkpoint that comes back holds for the ledger: a prefix of it, never its end.
///
/// # Errors
/// [`HeadError`] names the first step that failed.
pub fn check(
    note: &[u8],
    keys: &CheckpointPublicKeys,
    origin: &Origin,
    size: Size,
    root_at: impl FnOnce(Size) -> Option<Root>,
) -> Result<Checkpoint, HeadError> {
    let head = checkpoint::verify(note, keys).map_err(HeadError::NotSigned)?;
    if head.origin != *origin {
        let (expected, found) = (origin.clone(), head.origin);
        return Err(HeadError::OtherLedger { expected, found });
    }
    if head.size > size {
        let (ledger, head) = (size, head.size);
        return Err(HeadError::TailLost { ledger, head });
    }
    let root = root_at(head.size).ok_or(HeadError::RootUnknown { size: head.size })?;
    if root != head.root {
        let (size, head) = (head.size, head.root);
        return Err(HeadError::OtherRoot {
            size,
            ledger: root,
            head,
        });
    }
    Ok(head)
}

#[cfg(test)]
#[path = "head_file_tests.rs"]
mod tests;
