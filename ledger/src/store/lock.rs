//! One writer at a time: an advisory lock that the kernel drops when its holder dies (ledger-v1 §4.1).

use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::StoreError;

/// Holds the writer's place for one ledger until it is dropped.
///
/// The lock stands on a file of its own, `NAME-lock`. POSIX forgets all of a process's locks on a file as soon
/// as the process closes any handle to it, so opening the database itself a second time would take SQLite's
/// own locks away.
pub(super) struct WriterLock {
    path: PathBuf,
    _held: File,
}

impl WriterLock {
    /// Takes the writer's place for `ledger`, an absolute path, without waiting.
    pub(super) fn take(ledger: &Path) -> Result<Self, StoreError> {
        let path = beside(ledger, "-lock");
        loop {
            let file = OpenOptions::new()
                .create(true)
                .truncate(false)
                .write(true)
                .open(&path)
                .map_err(|error| StoreError::of_io(&path, "taking the writer's lock", error))?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    return Err(StoreError::LockedByAnotherWriter {
                        path: ledger.to_path_buf(),
                    });
                }
                Err(TryLockError::Error(error)) => {
                    return Err(StoreError::of_io(&path, "taking the writer's lock", error));
                }
            }
            // The last holder may have removed the file between opening and locking it: then what
            // is locked here is a file that nobody else will find.
            if same_file(&file, &path) {
                return Ok(Self { path, _held: file });
            }
        }
    }

    /// Gives the place up and leaves no file behind.
    pub(super) fn remove(self) {
        // Without the file nothing is lost: it carries no content, and a leftover locks nobody out.
        let _ = std::fs::remove_file(&self.path);
    }
}

fn same_file(file: &File, path: &Path) -> bool {
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(held), Ok(found)) => (held.dev(), held.ino()) == (found.dev(), found.ino()),
        _ => false,
    }
}

/// The path of `ledger` with `suffix` after its name, as SQLite names its own companions.
pub(super) fn beside(ledger: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(ledger);
    name.push(suffix);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn second_writer_is_refused_until_the_first_is_gone() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let ledger = folder.path().join("ledger.db");
        let first = WriterLock::take(&ledger)?;
        let second = WriterLock::take(&ledger);
        assert!(matches!(second, Err(StoreError::LockedByAnotherWriter { .. })));
        drop(first);
        WriterLock::take(&ledger)?.remove();
        assert_eq!(
            std::fs::read_dir(folder.path())?.count(),
            0,
            "the lock file was left behind"
        );
        Ok(())
    }

    #[test]
    fn lock_file_left_by_a_crash_locks_nobody_out() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let ledger = folder.path().join("ledger.db");
        std::fs::write(beside(&ledger, "-lock"), b"")?;
        WriterLock::take(&ledger)?;
        Ok(())
    }
}
