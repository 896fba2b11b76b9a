//! Whether somebody who had joined is still there, as the kernel knows it (handover-v1 §1).

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// A joiner's sign of life: a shared lock on `NAME-joined`, which the kernel takes away when the process ends.
pub struct Alive {
    _held: File,
}

impl Alive {
    /// Shows that this process has a part in `ledger` until it is dropped.
    ///
    /// # Errors
    /// The operating system's, when there is no such lock on this file system or the folder cannot be written.
    pub fn show(ledger: &Path) -> io::Result<Self> {
        let file = open(&path(ledger))?;
        // Somebody who looks holds it for a moment only.
        file.lock_shared()?;
        Ok(Self { _held: file })
    }

    /// Whether anybody who had joined `ledger` is still there. Asked by whoever holds the writer's lock.
    ///
    /// # Errors
    /// The operating system's.
    pub fn anybody(ledger: &Path) -> io::Result<bool> {
        let path = path(ledger);
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            opened => opened?,
        };
        match file.try_lock() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Removes the file when the ledger is let go and nobody is left.
    pub fn tidy(ledger: &Path) {
        if matches!(Self::anybody(ledger), Ok(false)) {
            // Left behind it says nothing: only a lock on it does.
            let _ = std::fs::remove_file(path(ledger));
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).truncate(false).write(true).open(path)
}

fn path(ledger: &Path) -> PathBuf {
    let mut name = ledger.as_os_str().to_owned();
    name.push("-joined");
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn somebody_is_there_until_the_last_one_is_gone() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let ledger = folder.path().join("l.db");
        assert!(!Alive::anybody(&ledger)?);
        let (first, second) = (Alive::show(&ledger)?, Alive::show(&ledger)?);
        assert!(Alive::anybody(&ledger)?);
        drop(first);
        Alive::tidy(&ledger);
        assert!(Alive::anybody(&ledger)?);
        drop(second);
        assert!(!Alive::anybody(&ledger)?);
        Alive::tidy(&ledger);
        assert_eq!(std::fs::read_dir(folder.path())?.count(), 0);
        Ok(())
    }
}
