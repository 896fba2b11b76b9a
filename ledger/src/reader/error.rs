//! Why a file cannot be read as a ledger, and what is wrong with single rows.

use std::path::{Path, PathBuf};

use rusqlite::ffi;

use super::columns::Table;
use crate::fault::SqliteFault;
use crate::layout::FormatFault;

/// Why a file cannot be read as a ledger.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The SQLite library is older than a ledger can bear.
    #[error("SQLite {found} is too old for a ledger, 3.51.3 is needed")]
    OldSqlite {
        /// Version number of the library.
        found: i32,
    },
    /// There is nothing at the path.
    #[error("{}: no such file", path.display())]
    Missing {
        /// The path.
        path: PathBuf,
    },
    /// The path names a folder or something else that is not a file.
    #[error("{}: not a file", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// The file is empty.
    #[error("{}: the file is empty", path.display())]
    Empty {
        /// The path.
        path: PathBuf,
    },
    /// The file is something else.
    #[error("{}: not a ledger", path.display())]
    NotALedger {
        /// The path.
        path: PathBuf,
        /// What is wrong with it.
        source: FormatFault,
    },
    /// The ledger was written by a newer program.
    #[error("{}: newer than this program", path.display())]
    Newer {
        /// The path.
        path: PathBuf,
        /// Which version was found.
        source: FormatFault,
    },
    /// The ledger was not closed, and the `-wal` beside it cannot be taken in.
    ///
    /// Mostly the folder cannot be written, or the `-wal` cannot be read. A copy of both files in a folder that
    /// can be written is readable.
    #[error("{}: not closed, and the -wal beside it cannot be read here", path.display())]
    WalUnreadable {
        /// The path.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// Some program broke off in the middle of a write and left a journal, which reading would have to play back.
    #[error("{}: an interrupted write has to be undone before the file can be read", path.display())]
    InterruptedWrite {
        /// The path.
        path: PathBuf,
    },
    /// Another program keeps the file locked.
    #[error("{}: locked by another program", path.display())]
    Busy {
        /// The path.
        path: PathBuf,
    },
    /// The file may not be read.
    #[error("{}: reading is not permitted", path.display())]
    NotPermitted {
        /// The path.
        path: PathBuf,
    },
    /// Reading failed.
    #[error("{}: reading failed", path.display())]
    Io {
        /// The path.
        path: PathBuf,
        /// The failure.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The structure of the database is damaged so early that nothing can be read.
    #[error("{}: the database is damaged", path.display())]
    Corrupt {
        /// The path.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
}

impl ReadError {
    pub(super) fn of_io(path: &Path, source: std::io::Error) -> Self {
        let path = path.to_path_buf();
        match source.kind() {
            std::io::ErrorKind::NotFound => Self::Missing { path },
            std::io::ErrorKind::PermissionDenied => Self::NotPermitted { path },
            _ => Self::Io {
                path,
                source: source.into(),
            },
        }
    }

    /// SQLite opens the file itself here and nothing beside it.
    pub(super) fn of_opening(path: &Path, source: rusqlite::Error) -> Self {
        match SqliteFault::of(&source) {
            SqliteFault::CannotOpen | SqliteFault::ReadOnly => Self::NotPermitted {
                path: path.to_path_buf(),
            },
            _ => Self::of_sqlite(path, source),
        }
    }

    pub(super) fn of_sqlite(path: &Path, source: rusqlite::Error) -> Self {
        let path = path.to_path_buf();
        let extended = source.sqlite_error().map(|error| error.extended_code);
        match SqliteFault::of(&source) {
            SqliteFault::NotADatabase => Self::NotALedger {
                path,
                source: FormatFault::NotADatabase,
            },
            SqliteFault::Corrupt => Self::Corrupt { path, source },
            SqliteFault::Locked => Self::Busy { path },
            SqliteFault::ReadOnly if extended == Some(ffi::SQLITE_READONLY_ROLLBACK) => Self::InterruptedWrite { path },
            // The file itself was found and is not empty, so what cannot be opened is its WAL or the index of it.
            SqliteFault::ReadOnly | SqliteFault::CannotOpen => Self::WalUnreadable { path, source },
            SqliteFault::Io | SqliteFault::DiskFull | SqliteFault::Unexpected => Self::Io {
                path,
                source: source.into(),
            },
        }
    }

    pub(super) fn of_format(path: &Path, source: FormatFault) -> Self {
        let path = path.to_path_buf();
        match source {
            FormatFault::Newer { .. } => Self::Newer { path, source },
            _ => Self::NotALedger { path, source },
        }
    }
}

/// What is wrong with a row, or between two rows.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ItemError {
    /// A column holds another type than bytes.
    #[error("{table} {row}: column {column} holds {found} instead of bytes")]
    WrongType {
        /// The table.
        table: Table,
        /// Number of the row.
        row: i64,
        /// The column.
        column: &'static str,
        /// The type found.
        found: String,
    },
    /// A column holds more bytes than a ledger may.
    #[error("{table} {row}: column {column} holds {bytes} bytes, the limit is {limit}")]
    TooLong {
        /// The table.
        table: Table,
        /// Number of the row.
        row: i64,
        /// The column.
        column: &'static str,
        /// Length found.
        bytes: u64,
        /// Greatest length.
        limit: usize,
    },
    /// A payload row belongs to no record.
    #[error("payload {row} belongs to entry {seq}, which does not exist")]
    Orphan {
        /// Number of the payload row.
        row: i64,
        /// The entry that it would belong to.
        seq: i64,
        /// The slot that it would have.
        slot: u8,
    },
    /// Rows do not come in rising order, which a sound database cannot do. The table is not read further.
    #[error("{table} {row} stands behind {after}")]
    OutOfOrder {
        /// The table.
        table: Table,
        /// Number of the row.
        row: i64,
        /// Number of the row before.
        after: i64,
    },
    /// SQLite cannot read on. The table is not read further.
    #[error("{table}: unreadable {}", Position(*after))]
    Unreadable {
        /// The table.
        table: Table,
        /// Number of the last row that was read, if any.
        after: Option<i64>,
        /// What SQLite says.
        source: rusqlite::Error,
    },
}

impl ItemError {
    /// The table that the error is about.
    #[must_use]
    pub const fn table(&self) -> Table {
        match self {
            Self::WrongType { table, .. }
            | Self::TooLong { table, .. }
            | Self::OutOfOrder { table, .. }
            | Self::Unreadable { table, .. } => *table,
            Self::Orphan { .. } => Table::Payload,
        }
    }

    /// Whether the database failed, rather than what is stored in it.
    #[must_use]
    pub fn is_read_failure(&self) -> bool {
        matches!(self, Self::Unreadable { source, .. } if !matches!(SqliteFault::of(source), SqliteFault::Corrupt))
    }
}

struct Position(Option<i64>);

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(row) => write!(f, "behind row {row}"),
            None => f.write_str("from the first row on"),
        }
    }
}
