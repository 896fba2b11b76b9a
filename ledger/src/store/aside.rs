//! Making a file aside, so that it appears whole or not at all (ledger-v1 §4.2).

use std::ffi::OsString;
use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::StoreError;
use super::lock::{WriterLock, beside};
use crate::layout::PAGE_BYTES;

/// A half-made file under another name in the same folder; removed when dropped.
pub(super) struct Aside {
    path: PathBuf,
}

/// A file that has just appeared under its name, and the writer's place for it.
pub(super) struct Appeared<T> {
    pub(super) path: PathBuf,
    pub(super) lock: WriterLock,
    pub(super) made: T,
}

/// Makes a new file at `path` by `fill`, which gets the file's other name; it never replaces anything.
///
/// A crash leaves either nothing at `path` or the whole file. Nothing is left there after an error, save when
/// the folder could not be synced.
pub(super) fn appear<T, E: From<StoreError>>(
    path: &Path,
    fill: impl FnOnce(&Aside) -> Result<T, E>,
) -> Result<Appeared<T>, E> {
    let path = future_path(path)?;
    if path.symlink_metadata().is_ok() {
        return Err(StoreError::Exists { path }.into());
    }
    let lock = WriterLock::take(&path)?;
    let made = Aside::clear(&path).map_err(E::from).and_then(|aside| {
        let made = fill(&aside)?;
        aside.sync()?;
        aside.appear_as(&path)?;
        Ok(made)
    });
    match made {
        Ok(made) => {
            sync_folder(&path)?;
            Ok(Appeared { path, lock, made })
        }
        Err(error) => {
            lock.remove();
            Err(error)
        }
    }
}

impl Aside {
    /// Names the aside file of `path`, which is absolute, and clears away what a dead maker left there.
    ///
    /// Only the holder of the writer's lock for `path` may do so.
    pub(super) fn clear(path: &Path) -> Result<Self, StoreError> {
        let aside = Self { path: hidden(path)? };
        aside.remove();
        Ok(aside)
    }

    /// Makes an empty database under the other name.
    ///
    /// Nobody sees this file before it is synced as a whole, so journal and syncs would be idle.
    pub(super) fn connect(&self) -> Result<Connection, StoreError> {
        create_private(&self.path).map_err(|error| StoreError::of_io(&self.path, "making the file", error))?;
        self.connect_again().and_then(|connection| {
            let set_up = connection
                .pragma_update(None, "page_size", PAGE_BYTES)
                .and_then(|()| connection.pragma_update(None, "synchronous", "OFF"))
                .and_then(|()| connection.pragma_update_and_check(None, "journal_mode", "OFF", |_| Ok(())));
            set_up.map_err(|error| self.failed(error))?;
            Ok(connection)
        })
    }

    /// Opens the database under the other name once more.
    pub(super) fn connect_again(&self) -> Result<Connection, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        Connection::open_with_flags(&self.path, flags).map_err(|error| self.failed(error))
    }

    /// What a failure of SQLite on this file means.
    pub(super) fn failed(&self, error: rusqlite::Error) -> StoreError {
        StoreError::of_sqlite(&self.path, "making the file", error)
    }

    /// Makes the content durable. No connection may be open: closing this handle would drop its locks.
    fn sync(&self) -> Result<(), StoreError> {
        File::open(&self.path)
            .and_then(|file| file.sync_all())
            .map_err(|error| StoreError::of_io(&self.path, "making the file", error))
    }

    /// Gives the finished file its final name, unless something has that name already.
    fn appear_as(self, path: &Path) -> Result<(), StoreError> {
        let doing = "giving the new file its name by a hard link";
        std::fs::hard_link(&self.path, path).map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists | ErrorKind::StorageFull => StoreError::of_io(path, doing, error),
            // A file system without hard links says "not permitted", which is not "read-only".
            _ => StoreError::Io {
                path: path.to_path_buf(),
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

/// The other name of a file while it is made: `.NAME.countersign-new` in the same folder.
fn hidden(path: &Path) -> Result<PathBuf, StoreError> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(StoreError::NotAFile {
            path: path.to_path_buf(),
        });
    };
    let mut hidden = OsString::from(".");
    hidden.push(name);
    hidden.push(".countersign-new");
    Ok(folder.join(hidden))
}

/// Puts `content` in the place of what the file at `path` held, if there was one. When this returns, it survives a power cut.
///
/// At any moment the file holds what it held before, or `content`, whole. It is new, of mode 0600. `doing` says in an error
/// what could not be done. Nobody else may write the file at the same time.
///
/// # Errors
/// [`StoreError`]; which of the two contents a power cut leaves is open then.
pub fn replace_file(path: &Path, content: &[u8], doing: &'static str) -> Result<(), StoreError> {
    let aside = hidden(path)?;
    let failed = |error| StoreError::of_io(path, doing, error);
    match std::fs::remove_file(&aside) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let written = create_private(&aside)
        .and_then(|mut file| file.write_all(content).and_then(|()| file.sync_all()))
        .and_then(|()| std::fs::rename(&aside, path));
    if let Err(error) = written {
        let _ = std::fs::remove_file(&aside);
        return Err(failed(error));
    }
    sync_folder(path)
}

/// The absolute path of a file that is not there yet.
fn future_path(path: &Path) -> Result<PathBuf, StoreError> {
    let name = path.file_name().ok_or_else(|| StoreError::NotAFile {
        path: path.to_path_buf(),
    })?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    std::fs::canonicalize(folder)
        .map(|folder| folder.join(name))
        .map_err(|error| StoreError::of_io(folder, "finding the folder", error))
}

/// Makes an empty file that only its owner reads, and follows no link to make it: a ledger holds prompts, file contents
/// and results. SQLite gives its `-wal` and `-shm` the same mode.
fn create_private(path: &Path) -> std::io::Result<File> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Makes the names in a folder durable.
pub(super) fn sync_folder(file: &Path) -> Result<(), StoreError> {
    let folder = file.parent().unwrap_or(Path::new("/"));
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|error| StoreError::of_io(folder, "making the file's name durable", error))
}
