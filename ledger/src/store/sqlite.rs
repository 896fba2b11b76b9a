//! The ledger in one SQLite file (ledger-v1 §2 to §4).

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior, params};

use super::aside::{Appeared, Aside, appear, sync_folder};
use super::lock::WriterLock;
use super::stored::{DamagedRow, Rows};
use super::wal::damage_beside;
use super::{ReadBack, Row, Store, StoreError, check_checkpoint, check_places};
use crate::layout::{self, FormatFault, SQLITE_OLDEST, payload_id};
use crate::reader;
use countersign_schemas::number::{Seq, Size};

/// How long to wait for a lock of SQLite. Ours keeps writers apart, so only a foreign program or,
/// at closing time, a reader can hold one.
const LOCK_WAIT: Duration = Duration::from_secs(5);

/// WAL pages (16 MiB) at which SQLite checkpoints by itself, in the middle of an append, and begins the log anew. Only a
/// writer that is never idle gets there; otherwise [`Store::tidy`] comes first. Bytes that overwrite a file are synced in
/// a third of the time of bytes that make it longer.
const WAL_PAGES_MAX: i32 = 4_096;

/// Appends, and bytes, after which the WAL is worth a checkpoint when nobody waits.
const TIDY_APPENDS: u32 = 256;
const TIDY_BYTES: usize = 4 * 1024 * 1024;

/// A ledger file that is open for appending, by this process alone.
///
/// Dropped without [`Sqlite::close`] nothing acknowledged is lost; the file only keeps the mark of an open one.
pub struct Sqlite {
    // Declared before the lock, so that the connection is gone before another writer may come.
    connection: Connection,
    path: PathBuf,
    size: Size,
    untidy_appends: u32,
    untidy_bytes: usize,
    /// Set by the first write of which it is unknown what is on disk.
    is_poisoned: bool,
    lock: WriterLock,
}

impl Sqlite {
    /// Makes a ledger at `path` that holds `first`, and opens it.
    ///
    /// The file is made aside in the same folder, is durable before it gets its name, and never
    /// replaces anything. A crash leaves either no file at `path` or this one.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when there is anything at `path`; nothing is left at `path` after any error
    /// but those that occur when the finished ledger is opened.
    pub fn create(path: &Path, first: &[Row]) -> Result<Self, StoreError> {
        refuse_old_sqlite()?;
        if first.is_empty() {
            return Err(StoreError::NoGenesis);
        }
        check_places(0, first)?;
        let Appeared { path, lock, .. } = appear(path, |aside| fill(aside, first))?;
        Self::open_locked(path, lock)
    }

    /// Opens the ledger at `path` for appending; a `-wal` that a crash left beside it is taken in.
    ///
    /// Whether what is in there is sound is the verifier's matter.
    ///
    /// # Errors
    /// Whatever is not a ledger, or has lost durable transactions ([`StoreError::WalDamaged`]), is refused and left
    /// unchanged.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let (path, lock) = take_place(path)?;
        let scanned = damage_beside(&path).map_err(|error| StoreError::of_io(&path, "reading the -wal", error));
        match scanned {
            Ok(None) => Self::open_locked(path, lock),
            Ok(Some(damage)) => {
                lock.remove();
                Err(StoreError::WalDamaged { path, damage })
            }
            Err(error) => {
                lock.remove();
                Err(error)
            }
        }
    }

    /// Opens the ledger at `path` without looking for lost transactions in its `-wal`, and makes it final that they
    /// are lost: the `-wal` is emptied.
    ///
    /// Only for the recovery of a ledger, which has to enter what was lost. Nothing may still read the ledger.
    ///
    /// # Errors
    /// As [`Sqlite::open`], and [`StoreError::ReadersRemain`].
    pub fn open_shortened(path: &Path) -> Result<Self, StoreError> {
        let (path, lock) = take_place(path)?;
        let store = Self::open_locked(path, lock)?;
        let sql = "PRAGMA wal_checkpoint(TRUNCATE)";
        let is_blocked = store.connection.query_row(sql, [], |row| row.get::<_, bool>(0));
        match is_blocked.map_err(|error| StoreError::of_sqlite(&store.path, "emptying the -wal", error))? {
            false => Ok(store),
            true => Err(StoreError::ReadersRemain { path: store.path }),
        }
    }

    fn open_locked(path: PathBuf, lock: WriterLock) -> Result<Self, StoreError> {
        match connect(&path) {
            Ok((connection, size)) => Ok(Self {
                connection,
                path,
                size,
                untidy_appends: 0,
                untidy_bytes: 0,
                is_poisoned: false,
                lock,
            }),
            Err(error) => {
                lock.remove();
                Err(error)
            }
        }
    }

    /// Folds everything into the one file and gives the writer's place up (ledger-v1 §4.5).
    ///
    /// Afterwards the file needs no `-wal` beside it and can be read from read-only media.
    ///
    /// # Errors
    /// [`StoreError::ReadersRemain`] when a reader does not finish within five seconds. Every entry is
    /// durable in any case, and opening and closing again completes what is missing.
    pub fn close(self) -> Result<(), StoreError> {
        let Self {
            connection, path, lock, ..
        } = self;
        let folded = fold(&connection, &path);
        let closed = connection
            .close()
            .map_err(|(_, error)| StoreError::of_sqlite(&path, "closing the ledger", error));
        lock.remove();
        folded.and(closed)?;
        sync_folder(&path)
    }

    /// The ledger's absolute path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the disk full at `pages` pages, for tests of what happens then.
    #[cfg(test)]
    pub(crate) fn limit_pages(&self, pages: u32) -> rusqlite::Result<()> {
        self.connection.pragma_update(None, "max_page_count", pages)
    }

    fn damaged(&self, source: DamagedRow) -> StoreError {
        StoreError::Damaged {
            path: self.path.clone(),
            source: Box::new(source),
        }
    }

    fn write<T>(
        &mut self,
        doing: &'static str,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, WriteError>,
    ) -> Result<T, StoreError> {
        if self.is_poisoned {
            let path = self.path.clone();
            return Err(StoreError::Poisoned { path });
        }
        let transact = || {
            let transaction = self
                .connection
                .transaction_with_behavior(TransactionBehavior::Immediate)?;
            let done = work(&transaction)?;
            transaction.commit()?;
            Ok(done)
        };
        let done = transact().map_err(|error: WriteError| error.of(&self.path, doing));
        self.is_poisoned = done.as_ref().is_err_and(StoreError::poisons);
        done
    }
}

impl Store for Sqlite {
    fn size(&self) -> Size {
        self.size
    }

    fn append(&mut self, expected: Size, batch: &[Row]) -> Result<Size, StoreError> {
        check_places(expected.get(), batch)?;
        if batch.is_empty() {
            return Ok(expected);
        }
        self.size = self.write("appending", |transaction| {
            let found = size_of(transaction)?;
            if found != expected {
                return Err(WriteError::Refused(StoreError::SizeMoved { expected, found }));
            }
            insert_rows(transaction, batch)?;
            size_of(transaction)
        })?;
        self.untidy_appends += 1;
        self.untidy_bytes += batch.iter().map(Row::weight_bytes).sum::<usize>();
        Ok(self.size)
    }

    fn put_checkpoint(&mut self, size: Size, note: &[u8]) -> Result<(), StoreError> {
        check_checkpoint(size, note, self.size())?;
        self.write("storing a checkpoint", |transaction| {
            let insert = "INSERT INTO checkpoint(size, note) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
            let stored = transaction.execute(insert, params![size.get() as i64, note])?;
            if stored == 0 {
                return Err(WriteError::Refused(StoreError::CheckpointExists { size }));
            }
            Ok(())
        })
    }

    fn tidy(&mut self) -> Result<(), StoreError> {
        if self.untidy_appends < TIDY_APPENDS && self.untidy_bytes < TIDY_BYTES {
            return Ok(());
        }
        checkpoint_wal(&self.connection, "PASSIVE")
            .map_err(|error| StoreError::of_sqlite(&self.path, "tidying the WAL", error))?;
        (self.untidy_appends, self.untidy_bytes) = (0, 0);
        Ok(())
    }
}

impl ReadBack for Sqlite {
    fn rows(&self, first: Seq) -> impl Iterator<Item = Result<Row, StoreError>> {
        let rows = Rows::from(first, reader::entries_on(&self.connection, first));
        rows.map(|row| row.map_err(|damaged| self.damaged(damaged)))
    }

    fn checkpoints(&self) -> impl Iterator<Item = Result<(Size, Vec<u8>), StoreError>> {
        reader::checkpoints_on(&self.connection).map(|checkpoint| {
            let checkpoint = checkpoint.map_err(|damaged| self.damaged(damaged.into()))?;
            let size = u64::try_from(checkpoint.size).unwrap_or_default();
            check_checkpoint(Size::clamped(size), &checkpoint.note, self.size)?;
            Ok((Size::clamped(size), checkpoint.note))
        })
    }

    fn close(self) -> Result<(), StoreError> {
        Self::close(self)
    }
}

/// A transaction ends without effect because SQLite failed, or because we refuse.
enum WriteError {
    Sqlite(rusqlite::Error),
    Refused(StoreError),
}

impl WriteError {
    fn of(self, path: &Path, doing: &'static str) -> StoreError {
        match self {
            Self::Refused(refusal) => refusal,
            Self::Sqlite(error) => StoreError::of_sqlite(path, doing, error),
        }
    }
}

impl From<rusqlite::Error> for WriteError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

pub(super) fn insert_rows(transaction: &Transaction<'_>, rows: &[Row]) -> rusqlite::Result<()> {
    let mut record = transaction.prepare_cached("INSERT INTO record(seq, bytes) VALUES (?1, ?2)")?;
    let mut payload = transaction.prepare_cached("INSERT INTO payload(id, salt, content) VALUES (?1, ?2, ?3)")?;
    for row in rows {
        record.execute(params![row.seq().get() as i64, row.record()])?;
        for (slot, salt, content) in row.payloads() {
            payload.execute(params![payload_id(row.seq(), *slot), salt.0, content])?;
        }
    }
    Ok(())
}

pub(super) fn refuse_old_sqlite() -> Result<(), StoreError> {
    let found = rusqlite::version_number();
    if found < SQLITE_OLDEST {
        Err(StoreError::OldSqlite { found })
    } else {
        Ok(())
    }
}

/// Finds the ledger and takes the writer's place for it.
fn take_place(path: &Path) -> Result<(PathBuf, WriterLock), StoreError> {
    refuse_old_sqlite()?;
    let path = std::fs::canonicalize(path).map_err(|error| StoreError::of_io(path, "opening the ledger", error))?;
    let metadata = path
        .metadata()
        .map_err(|error| StoreError::of_io(&path, "opening the ledger", error))?;
    if !metadata.is_file() {
        return Err(StoreError::NotAFile { path });
    }
    if metadata.len() == 0 {
        return Err(StoreError::of_format(&path, FormatFault::Empty));
    }
    let lock = WriterLock::take(&path)?;
    drop(Aside::clear(&path)?);
    Ok((path, lock))
}

/// Fills a new file with the layout and the first rows.
fn fill(aside: &Aside, first: &[Row]) -> Result<(), StoreError> {
    let mut connection = aside.connect()?;
    let mut write = || {
        let transaction = connection.transaction()?;
        layout::lay_out(&transaction)?;
        insert_rows(&transaction, first)?;
        transaction.commit()?;
        // The mark in the header that a WAL belongs to it; setting it later would be a write in place.
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))
    };
    write().map_err(|error| aside.failed(error))?;
    connection.close().map_err(|(_, error)| aside.failed(error))
}

/// `path` is absolute, so SQLite cannot take it for a URI or for a name with a meaning of its own.
fn connect(path: &Path) -> Result<(Connection, Size), StoreError> {
    let failed = |error| StoreError::of_sqlite(path, "opening the ledger", error);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.busy_timeout(LOCK_WAIT).map_err(failed)?;
    if connection.is_readonly("main").map_err(failed)? {
        return Err(StoreError::ReadOnly {
            path: path.to_path_buf(),
        });
    }
    guard(&connection).map_err(failed)?;
    if let Some(fault) = layout::fault(&connection).map_err(failed)? {
        return Err(StoreError::of_format(path, fault));
    }
    set_up(&connection).map_err(failed)?;
    let size = size_of(&connection).map_err(|error| error.of(path, "opening the ledger"))?;
    Ok((connection, size))
}

/// Before anything is read: what is in the file may not be ours, or not mean well.
fn guard(connection: &Connection) -> rusqlite::Result<()> {
    // Closing would otherwise fold the WAL of a database that may turn out not to be a ledger.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    // A trigger of somebody else's could change what is appended. Ours guard against other programs, not against us.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    Ok(())
}

fn set_up(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    // On macOS alone these are more than a word: fsync(2) there leaves the bytes in the disk's cache.
    connection.pragma_update(None, "fullfsync", true)?;
    connection.pragma_update(None, "checkpoint_fullfsync", true)?;
    connection.pragma_update(None, "wal_autocheckpoint", WAL_PAGES_MAX)?;
    enter_wal(connection)
}

/// Marks in the header that a WAL belongs to the file.
///
/// The mark lies in the first sector and is written in place, hence the detour over `MEMORY`: with a journal on
/// disk, a kill in between would leave one that a read-only reader cannot play back.
fn enter_wal(connection: &Connection) -> rusqlite::Result<()> {
    let mode: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
    if mode == "wal" {
        return Ok(());
    }
    set_journal(connection, "memory")?;
    set_journal(connection, "wal")
}

pub(super) fn set_journal(connection: &Connection, mode: &'static str) -> rusqlite::Result<()> {
    let taken: String = connection.pragma_update_and_check(None, "journal_mode", mode, |row| row.get(0))?;
    if taken == mode {
        return Ok(());
    }
    let busy = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY);
    Err(rusqlite::Error::SqliteFailure(
        busy,
        Some(format!("journal mode stays {taken}")),
    ))
}

fn fold(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let failed = |error| match StoreError::of_sqlite(path, "closing the ledger", error) {
        StoreError::Busy { path, .. } => StoreError::ReadersRemain { path },
        other => other,
    };
    checkpoint_wal(connection, "TRUNCATE").map_err(failed)?;
    set_journal(connection, "memory").map_err(failed)
}

fn checkpoint_wal(connection: &Connection, how: &str) -> rusqlite::Result<()> {
    connection.query_row(&format!("PRAGMA wal_checkpoint({how})"), [], |_| Ok(()))
}

/// Counts the records by the largest number, and refuses numbers that no ledger has.
fn size_of(connection: &Connection) -> Result<Size, WriteError> {
    let sql = "SELECT coalesce(max(seq), -1) FROM record NOT INDEXED";
    let last: i64 = connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
    u64::try_from(last.saturating_add(1))
        .ok()
        .and_then(|size| Size::new(size).ok())
        .ok_or(WriteError::Refused(StoreError::SeqOutOfRange { last }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn genesis() -> Row {
        Row::new(Seq::ZERO, vec![1], Vec::new()).expect("a row within the limits")
    }

    #[test]
    fn connection_syncs_as_far_as_the_system_can_and_runs_nothing_of_the_file() -> Result<(), Box<dyn std::error::Error>>
    {
        let folder = tempfile::tempdir()?;
        let store = Sqlite::create(&folder.path().join("ledger.db"), &[genesis()])?;
        let on = |name| {
            store
                .connection
                .pragma_query_value(None, name, |row| row.get::<_, i64>(0))
        };
        assert_eq!(on("synchronous")?, 2, "not FULL");
        assert_eq!((on("fullfsync")?, on("checkpoint_fullfsync")?), (1, 1));
        assert_eq!(on("trusted_schema")?, 0);
        let config = |config| store.connection.db_config(config);
        assert!(config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE)?);
        assert!(!config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER)?);
        assert!(!config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE)?);
        Ok(())
    }

    #[test]
    fn store_whose_write_failed_takes_nothing_until_it_is_opened_again() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let mut store = Sqlite::create(&folder.path().join("ledger.db"), &[genesis()])?;
        store.limit_pages(4)?;
        let note = vec![0; 100_000];
        let full = store.put_checkpoint(Size::clamped(1), &note);
        assert!(matches!(full, Err(StoreError::DiskFull { .. })), "{full:?}");
        store.limit_pages(1000)?;
        let refused = store.put_checkpoint(Size::clamped(1), &note);
        assert!(matches!(refused, Err(StoreError::Poisoned { .. })), "{refused:?}");
        Ok(())
    }
}
