//! Making a ledger aside, so that it appears whole or not at all (ledger-v1 §4.2).

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::lock::beside;
use super::sqlite::insert_rows;
use super::{Row, StoreError};
use crate::layout;

/// A half-made ledger under another name in the same folder; removed when dropped.
pub(super) struct Aside {
    path: PathBuf,
}

impl Aside {
    /// Names the aside file of `ledger` and clears away what a dead maker left there.
    ///
    /// Only the holder of the ledger's writer lock may do so.
    pub(super) fn clear(ledger: &Path) -> Result<Self, StoreError> {
        let (Some(folder), Some(name)) = (ledger.parent(), ledger.file_name()) else {
            return Err(StoreError::NotAFile {
                path: ledger.to_path_buf(),
            });
        };
        let mut hidden = std::ffi::OsString::from(".");
        hidden.push(name);
        hidden.push(".countersign-new");
        let aside = Self {
            path: folder.join(hidden),
        };
        aside.remove();
        Ok(aside)
    }

    /// Fills the file with the layout and the first rows, and makes it durable under its own name.
    pub(super) fn fill(&self, first: &[Row]) -> Result<(), StoreError> {
        create_private(&self.path).map_err(|error| StoreError::of_io(&self.path, "making the ledger", error))?;
        self.write(first)
            .map_err(|error| StoreError::of_sqlite(&self.path, "making the ledger", error))?;
        // The connection is closed, so no lock of SQLite's hangs on this file any more.
        File::open(&self.path)
            .and_then(|file| file.sync_all())
            .map_err(|error| StoreError::of_io(&self.path, "making the ledger", error))
    }

    fn write(&self, first: &[Row]) -> rusqlite::Result<()> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        let mut connection = Connection::open_with_flags(&self.path, flags)?;
        // Nobody sees this file before it is synced as a whole, so journal and syncs would be idle.
        connection.pragma_update(None, "synchronous", "OFF")?;
        connection.pragma_update_and_check(None, "journal_mode", "OFF", |_| Ok(()))?;
        let transaction = connection.transaction()?;
        layout::lay_out(&transaction)?;
        insert_rows(&transaction, first)?;
        transaction.commit()?;
        // The mark in the header that a WAL belongs to it; setting it later would be a write in place.
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
        connection.close().map_err(|(_, error)| error)
    }

    /// Gives the finished file its final name, unless something has that name already.
    pub(super) fn appear_as(self, ledger: &Path) -> Result<(), StoreError> {
        let doing = "giving the new ledger its name by a hard link";
        std::fs::hard_link(&self.path, ledger).map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists | ErrorKind::StorageFull => StoreError::of_io(ledger, doing, error),
            // A file system without hard links says "not permitted", which is not "read-only".
            _ => StoreError::Io {
                path: ledger.to_path_buf(),
                doing,
                source: error.into(),
            },
        })
    }

    fn remove(&self) {
        // What cannot be removed is either not there or shows up as an error in the next step.
        for suffix in ["", "-journal", "-wal", "-shm"] {
            let _ = std::fs::remove_file(beside(&self.path, suffix));
        }
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        self.remove();
    }
}

/// Makes an empty file that only its owner reads, and follows no link to make it: a ledger holds prompts, file contents
/// and results. SQLite gives its `-wal` and `-shm` the same mode.
fn create_private(path: &Path) -> std::io::Result<()> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

/// Makes the names in a folder durable.
pub(super) fn sync_folder(ledger: &Path) -> Result<(), StoreError> {
    let folder = ledger.parent().unwrap_or(Path::new("/"));
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|error| StoreError::of_io(folder, "making the file's name durable", error))
}
