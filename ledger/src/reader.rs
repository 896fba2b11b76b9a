//! Reading a ledger file, hostile or not, in one pass and without changing it (ledger-v1 §7).
//!
//! The reader hands out what is stored, in order, with its payloads; it judges nothing but whether the file can be
//! read. It opens the file read-only, takes a `-wal` beside it into account, and sees one state of the ledger for
//! as long as it lives, also beside a live writer.

mod again;
mod columns;
mod entries;
mod error;
mod pages;

use std::path::{Path, PathBuf};
use std::time::Duration;

use countersign_schemas::number::{Seq, Size};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

pub use again::StoredRecord;
pub use columns::Table;
pub use entries::{Checkpoints, Entries};
pub use error::{ItemError, ReadError};

use crate::layout::{self, SQLITE_OLDEST};
use crate::store::{WalDamage, damage_beside};

/// A writer holds the locks that keep a reader out for moments only: while it folds the WAL at closing time.
const LOCK_WAIT: Duration = Duration::from_secs(5);

/// A ledger file, open for reading in one fixed state.
pub struct LedgerReader {
    connection: Connection,
    path: PathBuf,
}

/// A record as stored, with its payloads in rising order of slots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEntry {
    /// Number of the row. Nothing says that it is the place inside the record, or not negative.
    pub seq: i64,
    /// The record's bytes.
    pub record: Vec<u8>,
    /// The payload rows whose ids name this entry.
    pub payloads: Vec<StoredPayload>,
}

/// A payload row as stored. Nothing says that the entry commits to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredPayload {
    /// Which payload of its entry, 0 to 7.
    pub slot: u8,
    /// The salt; 32 bytes if it is sound.
    pub salt: Vec<u8>,
    /// The content.
    pub content: Vec<u8>,
}

/// A checkpoint row as stored. Nothing says that the note speaks of this size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredCheckpoint {
    /// Number of the row.
    pub size: i64,
    /// The note's bytes.
    pub note: Vec<u8>,
}

impl LedgerReader {
    /// Opens the ledger at `path` and fixes the state that is read.
    ///
    /// Changes neither the file nor a `-wal` beside it. Beside a file that is not closed, SQLite makes a `-shm`
    /// file, so such a ledger cannot be read from a folder that cannot be written.
    ///
    /// # Errors
    /// [`ReadError`] says what the file is instead, or why it cannot be read.
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        let found = rusqlite::version_number();
        if found < SQLITE_OLDEST {
            return Err(ReadError::OldSqlite { found });
        }
        // Absolute, so that SQLite cannot take it for a URI or a name with a meaning of its own. Never opened
        // by other means than SQLite: closing such a handle would drop the locks of a writer in this process.
        let path = std::fs::canonicalize(path).map_err(|error| ReadError::of_io(path, error))?;
        let metadata = path.metadata().map_err(|error| ReadError::of_io(&path, error))?;
        if !metadata.is_file() {
            return Err(ReadError::NotAFile { path });
        }
        if metadata.len() == 0 {
            return Err(ReadError::Empty { path });
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection =
            Connection::open_with_flags(&path, flags).map_err(|error| ReadError::of_opening(&path, error))?;
        begin(&connection).map_err(|error| ReadError::of_sqlite(&path, error))?;
        match layout::fault(&connection) {
            Ok(None) => Ok(Self { connection, path }),
            Ok(Some(fault)) => Err(ReadError::of_format(&path, fault)),
            Err(error) => Err(ReadError::of_sqlite(&path, error)),
        }
    }

    /// The ledger's absolute path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether nothing of the ledger lies in a `-wal`: its header says that it has none (ledger-v1 §4.5).
    #[must_use]
    pub fn is_one_file(&self) -> bool {
        let mode = self
            .connection
            .pragma_query_value(None, "journal_mode", |row| row.get::<_, String>(0));
        mode.is_ok_and(|mode| mode != "wal")
    }

    /// Scans the `-wal` beside the ledger for durable transactions that SQLite no longer sees (ledger-v1 §4.9).
    ///
    /// # Errors
    /// [`ReadError`] when the `-wal` cannot be read.
    pub fn wal_damage(&self) -> Result<Option<WalDamage>, ReadError> {
        damage_beside(&self.path).map_err(|error| ReadError::of_io(&self.path, error))
    }

    /// The connection, inside the transaction that fixes what is read.
    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Iterates over all records in rising order, each with its payload rows.
    ///
    /// Items that are not what a ledger holds, and payload rows without a record, come as [`ItemError`] where
    /// they stand; the iteration goes on behind them, save where SQLite cannot read on. It ends on any input.
    #[must_use]
    pub fn entries(&self) -> Entries<'_> {
        Entries::over(&self.connection)
    }

    /// As [`Self::entries`], from the record at `seq` on. Nothing before it is read, payload rows included.
    #[must_use]
    pub fn entries_from(&self, seq: Seq) -> Entries<'_> {
        Entries::from(&self.connection, key_of(seq.get()))
    }

    /// Iterates over all checkpoints in rising order of their sizes.
    #[must_use]
    pub fn checkpoints(&self) -> Checkpoints<'_> {
        Checkpoints::over(&self.connection)
    }

    /// As [`Self::checkpoints`], from `size` on.
    #[must_use]
    pub fn checkpoints_from(&self, size: Size) -> Checkpoints<'_> {
        Checkpoints::from(&self.connection, key_of(size.get()))
    }

    /// Reads one entry; `None` when there is no such record.
    ///
    /// # Errors
    /// The first [`ItemError`] of its record or of its payload rows.
    pub fn entry(&self, seq: Seq) -> Result<Option<StoredEntry>, ItemError> {
        entries::single(&self.connection, key_of(seq.get()))
    }

    /// Reads one record, and which payloads stand beside it but not what they hold; `None` when there is no such record.
    ///
    /// # Errors
    /// [`ItemError`] of the record, or of a table that cannot be read.
    pub fn record(&self, seq: Seq) -> Result<Option<StoredRecord>, ItemError> {
        again::record(&self.connection, key_of(seq.get()))
    }

    /// Reads the entry with the largest number; `None` when there is none.
    ///
    /// # Errors
    /// As [`Self::entry`].
    pub fn last_entry(&self) -> Result<Option<StoredEntry>, ItemError> {
        entries::last(&self.connection)
    }
}

/// Entries from `first` on, as the writer's own connection sees them.
pub(crate) fn entries_on(connection: &Connection, first: Seq) -> Entries<'_> {
    Entries::from(connection, key_of(first.get()))
}

/// Checkpoints as the writer's own connection sees them.
pub(crate) fn checkpoints_on(connection: &Connection) -> Checkpoints<'_> {
    Checkpoints::over(connection)
}

/// The key of a place or size, as SQLite has it.
fn key_of(number: u64) -> i64 {
    i64::try_from(number).expect("a seq or size is below 2^53")
}

/// Guards the connection and begins the one transaction that everything is read in.
fn begin(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(LOCK_WAIT)?;
    // A hostile schema may not run code, and closing may not fold somebody else's WAL.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.pragma_update(None, "query_only", true)?;
    connection.execute_batch("BEGIN")
}
