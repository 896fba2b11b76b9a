//! Opens the file a log goes to: readable by its owner only, and never by way of a link that somebody put there.

use std::ffi::OsStr;
use std::fs::{DirBuilder, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use thiserror::Error;

/// A folder to make a file in. `O_NOFOLLOW` refuses one that is a symbolic link.
const FOLDER: OFlags = OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// `O_NONBLOCK` keeps a named pipe that nobody reads from holding the program.
const APPENDING: OFlags = OFlags::WRONLY
    .union(OFlags::APPEND)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::CLOEXEC);

/// Mode of a new log: its owner reads and writes it, nobody else does either.
const NEW_FILE: Mode = Mode::from_bits_retain(0o600);

/// The bits of a mode that let others in.
const OTHERS: u32 = 0o077;

/// Why a log could not be opened.
#[derive(Debug, Error)]
#[non_exhaustive]
pub(super) enum LogFileError {
    /// The path has no last component.
    #[error("{} names no file", path.display())]
    NoName {
        /// The path.
        path: PathBuf,
    },
    /// The folder is a symbolic link, or a file.
    #[error("{} is no folder; a symbolic link to one is not followed", path.display())]
    NoFolder {
        /// The folder.
        path: PathBuf,
    },
    /// The file is a symbolic link.
    #[error("{} is a symbolic link and is not followed", path.display())]
    Link {
        /// The file.
        path: PathBuf,
    },
    /// Something else than a file has the name.
    #[error("{} is not a regular file", path.display())]
    NotRegular {
        /// The path.
        path: PathBuf,
    },
    /// Another name leads to the same file, which is perhaps no log.
    #[error("{} has {links} names; a log has one", path.display())]
    Linked {
        /// The path.
        path: PathBuf,
        /// How many hard links.
        links: u64,
    },
    /// Whoever can read the folder can read the log.
    #[error("{} can be read or written by others (mode {mode:03o}); a log may have mode 600", path.display())]
    Open {
        /// The path.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The system refused.
    #[error("{}", path.display())]
    Io {
        /// What was to be opened or made.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
}

/// Makes a file in a folder of the home, and the folder with mode 0700 where there is none.
pub(super) fn create_in(folder: &Path, name: &str) -> Result<File, LogFileError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    // Where something is in the way, opening it says what.
    if let Err(source) = made
        && folder.symlink_metadata().is_err()
    {
        return Err(io_error(folder, source));
    }
    create(&open_folder(folder)?, &folder.join(name))
}

/// Makes the file at `path`, or appends to a log that is there.
pub(super) fn create_or_append(path: &Path) -> Result<File, LogFileError> {
    let folder = match path.parent() {
        None => return Err(LogFileError::NoName { path: path.into() }),
        Some(folder) if folder.as_os_str().is_empty() => Path::new("."),
        Some(folder) => folder,
    };
    let folder = open_folder(folder)?;
    match create(&folder, path) {
        Err(LogFileError::Io { source, .. }) if source.kind() == io::ErrorKind::AlreadyExists => append(&folder, path),
        other => other,
    }
}

fn open_folder(path: &Path) -> Result<OwnedFd, LogFileError> {
    rustix::fs::open(path, FOLDER, Mode::empty()).map_err(|errno| match errno {
        Errno::LOOP | Errno::NOTDIR => LogFileError::NoFolder { path: path.into() },
        errno => io_error(path, errno.into()),
    })
}

fn create(folder: &OwnedFd, path: &Path) -> Result<File, LogFileError> {
    let flags = APPENDING | OFlags::CREATE | OFlags::EXCL;
    rustix::fs::openat(folder, name(path)?, flags, NEW_FILE)
        .map(File::from)
        .map_err(|errno| io_error(path, errno.into()))
}

fn append(folder: &OwnedFd, path: &Path) -> Result<File, LogFileError> {
    let file = rustix::fs::openat(folder, name(path)?, APPENDING, Mode::empty()).map_err(|errno| match errno {
        Errno::LOOP => LogFileError::Link { path: path.into() },
        // A named pipe without a reader, or a folder.
        Errno::NXIO | Errno::ISDIR => LogFileError::NotRegular { path: path.into() },
        errno => io_error(path, errno.into()),
    })?;
    let file = File::from(file);
    let metadata = file.metadata().map_err(|source| io_error(path, source))?;
    let (links, mode) = (metadata.nlink(), metadata.mode() & 0o777);
    let path = path.into();
    if !metadata.is_file() {
        Err(LogFileError::NotRegular { path })
    } else if links != 1 {
        Err(LogFileError::Linked { path, links })
    } else if mode & OTHERS != 0 {
        Err(LogFileError::Open { path, mode })
    } else {
        Ok(file)
    }
}

fn name(path: &Path) -> Result<&OsStr, LogFileError> {
    path.file_name()
        .ok_or_else(|| LogFileError::NoName { path: path.into() })
}

fn io_error(path: &Path, source: io::Error) -> LogFileError {
    LogFileError::Io {
        path: path.into(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::error::Error;
    use std::fs;
    use std::io::Write;
    use std::os::unix::fs::{PermissionsExt, symlink};

    type TestResult = Result<(), Box<dyn Error>>;

    fn mode(path: &Path) -> io::Result<u32> {
        Ok(fs::metadata(path)?.permissions().mode() & 0o777)
    }

    #[test]
    fn a_new_log_is_its_owners_alone() -> TestResult {
        let root = tempfile::TempDir::new()?;
        let folder = root.path().join("home/logs");
        create_in(&folder, "1.log")?.write_all(b"x\n")?;
        assert_eq!((mode(&folder)?, mode(&folder.join("1.log"))?), (0o700, 0o600));
        create_in(&folder, "2.log")?;
        let again = create_in(&folder, "1.log").err();
        assert!(
            matches!(again, Some(LogFileError::Io { .. })),
            "a log of the home is never another's"
        );
        Ok(())
    }

    #[test]
    fn a_named_log_is_made_once_and_appended_to() -> TestResult {
        let root = tempfile::TempDir::new()?;
        let path = root.path().join("log");
        create_or_append(&path)?.write_all(b"one\n")?;
        create_or_append(&path)?.write_all(b"two\n")?;
        assert_eq!(
            (fs::read_to_string(&path)?.as_str(), mode(&path)?),
            ("one\ntwo\n", 0o600)
        );
        Ok(())
    }

    #[test]
    fn no_link_is_followed() -> TestResult {
        let root = tempfile::TempDir::new()?;
        let at = |name: &str| root.path().join(name);
        fs::create_dir(at("folder"))?;
        fs::write(at("target"), "")?;
        fs::set_permissions(at("target"), fs::Permissions::from_mode(0o600))?;
        symlink(at("target"), at("link"))?;
        symlink(at("nowhere"), at("dangling"))?;
        symlink(at("folder"), at("folder-link"))?;
        for path in ["link", "dangling"] {
            let refused = create_or_append(&at(path)).err();
            assert!(
                matches!(refused, Some(LogFileError::Link { .. })),
                "{path}: {refused:?}"
            );
        }
        let refused = create_or_append(&at("folder-link/log")).err();
        assert!(matches!(refused, Some(LogFileError::NoFolder { .. })), "{refused:?}");
        let refused = create_in(&at("folder-link"), "log").err();
        assert!(matches!(refused, Some(LogFileError::NoFolder { .. })), "{refused:?}");
        fs::hard_link(at("target"), at("second"))?;
        let refused = create_or_append(&at("target")).err();
        assert!(
            matches!(refused, Some(LogFileError::Linked { links: 2, .. })),
            "{refused:?}"
        );
        assert_eq!(fs::read_dir(at("folder"))?.count(), 0);
        assert!(!at("nowhere").exists() && fs::read(at("target"))?.is_empty());
        Ok(())
    }

    #[test]
    fn what_others_can_read_is_no_log() -> TestResult {
        let root = tempfile::TempDir::new()?;
        let path = root.path().join("log");
        for bits in [0o644, 0o640, 0o620, 0o604] {
            fs::write(&path, "")?;
            fs::set_permissions(&path, fs::Permissions::from_mode(bits))?;
            let refused = create_or_append(&path).err();
            assert!(
                matches!(refused, Some(LogFileError::Open { mode, .. }) if mode == bits),
                "{refused:?}"
            );
        }
        Ok(())
    }

    #[test]
    fn what_is_no_file_is_refused_without_waiting() -> TestResult {
        let root = tempfile::TempDir::new()?;
        let at = |name: &str| root.path().join(name);
        fs::create_dir(at("folder"))?;
        rustix::fs::mkfifoat(rustix::fs::CWD, at("pipe"), NEW_FILE)?;
        for path in [at("folder"), at("pipe"), PathBuf::from("/dev/null")] {
            let refused = create_or_append(&path).err();
            assert!(matches!(refused, Some(LogFileError::NotRegular { .. })), "{refused:?}");
        }
        for path in ["/", "..", ""] {
            let refused = create_or_append(Path::new(path)).err();
            assert!(
                matches!(refused, Some(LogFileError::NoName { .. })),
                "{path:?}: {refused:?}"
            );
        }
        let refused = create_or_append(&at("missing/log")).err();
        assert!(matches!(refused, Some(LogFileError::Io { .. })), "{refused:?}");
        fs::write(at("plain"), "")?;
        let refused = create_in(&at("plain"), "log").err();
        assert!(matches!(refused, Some(LogFileError::NoFolder { .. })), "{refused:?}");
        Ok(())
    }
}
