//! Why a store refuses or fails.

use std::path::{Path, PathBuf};

use super::stored::DamagedRow;
use super::wal::WalDamage;
use crate::fault::SqliteFault;
use crate::layout::FormatFault;
use countersign_schemas::number::{Seq, Size};

/// Why a ledger was not made, opened, extended or closed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The SQLite library is older than a ledger can bear.
    #[error("SQLite {found} is too old for a ledger, 3.51.3 is needed")]
    OldSqlite {
        /// Version number of the library.
        found: i32,
    },
    /// There is something at the path already, and it was left alone.
    #[error("{}: exists already", path.display())]
    Exists {
        /// Path of the new ledger.
        path: PathBuf,
    },
    /// There is no file at the path.
    #[error("{}: no such ledger", path.display())]
    Missing {
        /// Path of the ledger.
        path: PathBuf,
    },
    /// The path does not name a file, or names one without a folder.
    #[error("{}: not a file", path.display())]
    NotAFile {
        /// Path of the ledger.
        path: PathBuf,
    },
    /// The file is not a ledger of this version.
    #[error("{}: not a ledger", path.display())]
    NotALedger {
        /// Path of the file.
        path: PathBuf,
        /// What is wrong with it.
        source: FormatFault,
    },
    /// The ledger was written by a newer program.
    #[error("{}: newer than this program", path.display())]
    Newer {
        /// Path of the ledger.
        path: PathBuf,
        /// Which version was found.
        source: FormatFault,
    },
    /// Another writer has the ledger, in this process or another one.
    #[error("{}: another writer has the ledger open", path.display())]
    LockedByAnotherWriter {
        /// Path of the ledger.
        path: PathBuf,
    },
    /// Some other program holds a lock of SQLite for too long.
    #[error("{}: locked while {doing}", path.display())]
    Busy {
        /// Path of the ledger.
        path: PathBuf,
        /// What was to be done.
        doing: &'static str,
    },
    /// Readers are still at work, so the ledger cannot become one file; every entry is durable.
    #[error("{}: still being read, so it was not folded into one file", path.display())]
    ReadersRemain {
        /// Path of the ledger.
        path: PathBuf,
    },
    /// The file or its folder cannot be written.
    #[error("{}: may not be written; a ledger that is open for appending needs its file and its folder", path.display())]
    ReadOnly {
        /// Path of the ledger.
        path: PathBuf,
    },
    /// The disk is full.
    #[error("{}: no space left on the disk while {doing}", path.display())]
    DiskFull {
        /// Path of the ledger.
        path: PathBuf,
        /// What was to be done.
        doing: &'static str,
    },
    /// Reading or writing failed.
    #[error("{}: input or output failed while {doing}", path.display())]
    Io {
        /// Path of the ledger.
        path: PathBuf,
        /// What was to be done.
        doing: &'static str,
        /// The failure.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// SQLite finds its own structure damaged.
    #[error("{}: damaged, found while {doing}", path.display())]
    Corrupt {
        /// Path of the ledger.
        path: PathBuf,
        /// What was to be done.
        doing: &'static str,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// The `-wal` has lost transactions that were durable: SQLite would drop them without a word.
    #[error(
        "{}-wal: damaged at frame {}, and {} commits from there on are lost",
        path.display(), damage.frame, damage.commits
    )]
    WalDamaged {
        /// Path of the ledger.
        path: PathBuf,
        /// Where it is damaged, and what is lost.
        damage: WalDamage,
    },
    /// A new ledger needs its first entry before it may appear.
    #[error("a ledger cannot be made without its first entry")]
    NoGenesis,
    /// A row does not stand where the next one belongs.
    #[error("entry {found} was given where entry {expected} belongs")]
    OutOfSequence {
        /// Place that comes next.
        expected: Seq,
        /// Place of the row.
        found: Seq,
    },
    /// Somebody else extended or cut the ledger.
    #[error("the ledger has {found} entries where {expected} were expected")]
    SizeMoved {
        /// Size that the caller counted on.
        expected: Size,
        /// Size found.
        found: Size,
    },
    /// The ledger has as many entries as can ever be numbered, or places that cannot be.
    #[error("the last entry has number {last}, which is out of range")]
    SeqOutOfRange {
        /// Largest number found.
        last: i64,
    },
    /// A checkpoint of that size is there already.
    #[error("a checkpoint of size {size} is stored already")]
    CheckpointExists {
        /// Size of the checkpoint.
        size: Size,
    },
    /// The checkpoint speaks of entries that are not there, or of none.
    #[error("a checkpoint of size {size} does not fit a ledger of {ledger} entries")]
    CheckpointMisfit {
        /// Size of the checkpoint.
        size: Size,
        /// Size of the ledger.
        ledger: Size,
    },
    /// The checkpoint note is longer than a ledger may hold.
    #[error("the checkpoint note has {bytes} bytes, the limit is 131072")]
    NoteTooLong {
        /// Length of the note.
        bytes: usize,
    },
    /// The checkpoint note has no bytes.
    #[error("the checkpoint note is empty")]
    NoteEmpty,
    /// A row is not one that a ledger holds.
    #[error("{}: damaged", path.display())]
    Damaged {
        /// Path of the ledger.
        path: PathBuf,
        /// What is wrong with the row.
        source: Box<DamagedRow>,
    },
    /// A write failed before, so it is unknown what is stored.
    #[error("{}: takes no more entries since a write failed", path.display())]
    Poisoned {
        /// Path of the ledger.
        path: PathBuf,
    },
    /// SQLite failed in a way that points to a bug of ours.
    #[error("{}: SQLite failed while {doing}", path.display())]
    Sqlite {
        /// Path of the ledger.
        path: PathBuf,
        /// What was to be done.
        doing: &'static str,
        /// What SQLite says.
        source: rusqlite::Error,
    },
}

impl StoreError {
    /// Whether it is unknown, after this error of a write, what of it is stored.
    ///
    /// A refusal, and a lock of somebody else's, leave the ledger as it was.
    #[must_use]
    pub const fn poisons(&self) -> bool {
        matches!(
            self,
            Self::DiskFull { .. }
                | Self::Io { .. }
                | Self::Corrupt { .. }
                | Self::ReadOnly { .. }
                | Self::Sqlite { .. }
        )
    }

    pub(crate) fn of_sqlite(path: &Path, doing: &'static str, source: rusqlite::Error) -> Self {
        let path = path.to_path_buf();
        match SqliteFault::of(&source) {
            SqliteFault::NotADatabase => Self::NotALedger {
                path,
                source: FormatFault::NotADatabase,
            },
            SqliteFault::Corrupt => Self::Corrupt { path, doing, source },
            SqliteFault::Locked => Self::Busy { path, doing },
            SqliteFault::ReadOnly => Self::ReadOnly { path },
            SqliteFault::DiskFull => Self::DiskFull { path, doing },
            SqliteFault::CannotOpen | SqliteFault::Io => Self::Io {
                path,
                doing,
                source: source.into(),
            },
            SqliteFault::Unexpected => Self::Sqlite { path, doing, source },
        }
    }

    pub(crate) fn of_io(path: &Path, doing: &'static str, source: std::io::Error) -> Self {
        let path = path.to_path_buf();
        match source.kind() {
            std::io::ErrorKind::NotFound => Self::Missing { path },
            std::io::ErrorKind::AlreadyExists => Self::Exists { path },
            std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly { path },
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Self::DiskFull { path, doing },
            _ => Self::Io {
                path,
                doing,
                source: source.into(),
            },
        }
    }

    pub(crate) fn of_format(path: &Path, source: FormatFault) -> Self {
        let path = path.to_path_buf();
        match source {
            FormatFault::Newer { .. } => Self::Newer { path, source },
            _ => Self::NotALedger { path, source },
        }
    }
}
