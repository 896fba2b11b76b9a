//! Opens exactly the file that was decided.
//!
//! A canonical path holds no symbolic link. Walking it from the root, one component at a time and each with
//! `O_NOFOLLOW`, either opens the file the decision was about or fails: a link that somebody puts in place between the
//! decision and the call is never followed, however well timed. Nothing is opened without the call that was decided, and
//! nothing beside or above what it covers.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags};
use rustix::io::Errno;
use thiserror::Error;

use super::lossy::Lossy;
use super::results::ResultsFolder;
use crate::gate::PermittedCall;

/// Largest file that is read whole.
pub(super) const FILE_LEN_BYTES_MAX: u64 = 8 << 20;

/// What to do where a folder of the path does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    Refuse,
    Create,
}

/// Enough of a folder to open what is in it. `O_PATH` asks for search permission only, as an ordinary open does.
#[cfg(target_os = "linux")]
pub(super) const FOLDER: OFlags = OFlags::PATH
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);
#[cfg(not(target_os = "linux"))]
pub(super) const FOLDER: OFlags = OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// A folder that can be listed and synced.
pub(super) const LISTING: OFlags = OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// `O_NONBLOCK` keeps a named pipe from holding the call until somebody writes into it.
const READING: OFlags = OFlags::NOFOLLOW
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::CLOEXEC);

/// Mode of new folders, before the umask.
const NEW_FOLDER: Mode = Mode::from_bits_retain(0o777);

/// An open folder and the name of something in it.
pub(super) struct Place {
    pub(super) folder: OwnedFd,
    pub(super) name: OsString,
}

/// Opens the folder around the last component of `canonical`.
pub(super) fn place(call: &PermittedCall, canonical: &Path, missing: Missing) -> Result<Place, FileError> {
    check_covered(call, canonical)?;
    let (Some(parent), Some(name)) = (canonical.parent(), canonical.file_name()) else {
        return Err(FileError::NotRegular {
            path: canonical.to_owned(),
        });
    };
    Ok(Place {
        folder: walk(parent, missing)?,
        name: name.to_owned(),
    })
}

/// Opens a regular file for reading.
pub(super) fn regular_file(call: &PermittedCall, canonical: &Path) -> Result<File, FileError> {
    let place = place(call, canonical, Missing::Refuse)?;
    let fd = rustix::fs::openat(&place.folder, &place.name, READING, Mode::empty())
        .map_err(|errno| FileError::from_errno(canonical, errno))?;
    let stat = rustix::fs::fstat(&fd).map_err(|errno| FileError::from_errno(canonical, errno))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(FileError::NotRegular {
            path: canonical.to_owned(),
        });
    }
    Ok(File::from(fd))
}

/// Opens a folder for listing.
pub(super) fn listing(call: &PermittedCall, canonical: &Path) -> Result<OwnedFd, FileError> {
    check_covered(call, canonical)?;
    let folder = walk(canonical, Missing::Refuse)?;
    rustix::fs::openat(&folder, c".", LISTING, Mode::empty()).map_err(|errno| FileError::from_errno(canonical, errno))
}

/// Opens the workspace of a permitted call, for the runtime's own folder in it.
pub(super) fn workspace(results: &ResultsFolder) -> Result<OwnedFd, FileError> {
    walk(results.workspace(), Missing::Refuse)
}

/// The beginning of a text file, and how much there is.
pub(super) struct Beginning {
    pub(super) text: String,
    pub(super) file_len_bytes: u64,
}

impl Beginning {
    pub(super) fn is_whole(&self) -> bool {
        self.text.len() as u64 == self.file_len_bytes
    }
}

/// Reads the first `len_max` bytes of a text file, UTF-8 without zero bytes, or one character less.
pub(super) fn beginning(call: &PermittedCall, canonical: &Path, len_max: usize) -> Result<Beginning, FileError> {
    let file = regular_file(call, canonical)?;
    let failed = |source| FileError::Io {
        path: canonical.to_owned(),
        source,
    };
    let file_len_bytes = file.metadata().map_err(failed)?.len();
    let mut bytes = Vec::new();
    file.take(len_max as u64).read_to_end(&mut bytes).map_err(failed)?;
    let file_len_bytes = file_len_bytes.max(bytes.len() as u64);
    let is_whole = bytes.len() as u64 == file_len_bytes;
    let text = String::from_utf8(bytes).or_else(|error| match error.utf8_error().error_len() {
        // Cut in a character.
        None if !is_whole => Ok(Lossy::default().push(error.as_bytes())),
        _ => Err(error),
    });
    let text = text.ok().filter(|text| !text.contains('\0'));
    let text = text.ok_or_else(|| FileError::NotText {
        path: canonical.to_owned(),
    })?;
    Ok(Beginning { text, file_len_bytes })
}

/// Reads a text file whole: at most [`FILE_LEN_BYTES_MAX`] bytes of UTF-8 without zero bytes.
pub(super) fn text(call: &PermittedCall, canonical: &Path) -> Result<String, FileError> {
    let file = regular_file(call, canonical)?;
    let mut bytes = Vec::new();
    file.take(FILE_LEN_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|source| FileError::Io {
            path: canonical.to_owned(),
            source,
        })?;
    if bytes.len() as u64 > FILE_LEN_BYTES_MAX {
        return Err(FileError::TooLarge {
            path: canonical.to_owned(),
        });
    }
    String::from_utf8(bytes)
        .ok()
        .filter(|text| !text.contains('\0'))
        .ok_or_else(|| FileError::NotText {
            path: canonical.to_owned(),
        })
}

/// A fault of the runtime is caught here: a tool that opens something else than what was decided.
pub(super) fn check_covered(call: &PermittedCall, canonical: &Path) -> Result<(), FileError> {
    if call.covers(canonical) {
        return Ok(());
    }
    Err(FileError::NotDecided {
        path: canonical.to_owned(),
    })
}

fn walk(folder: &Path, missing: Missing) -> Result<OwnedFd, FileError> {
    let failed = |errno| FileError::from_errno(folder, errno);
    let mut here = rustix::fs::openat(CWD, c"/", FOLDER, Mode::empty()).map_err(failed)?;
    for component in folder.components() {
        here = match component {
            Component::RootDir => continue,
            Component::Normal(name) => enter(&here, name, missing).map_err(failed)?,
            Component::CurDir | Component::ParentDir | Component::Prefix(_) => {
                return Err(FileError::NotCanonical {
                    path: folder.to_owned(),
                });
            }
        };
    }
    Ok(here)
}

fn enter(folder: &OwnedFd, name: &OsStr, missing: Missing) -> Result<OwnedFd, Errno> {
    let open = || rustix::fs::openat(folder, name, FOLDER, Mode::empty());
    match open() {
        Err(Errno::NOENT) if missing == Missing::Create => match rustix::fs::mkdirat(folder, name, NEW_FOLDER) {
            Ok(()) | Err(Errno::EXIST) => open(),
            Err(errno) => Err(errno),
        },
        other => other,
    }
}

/// Why a decided file could not be opened or read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FileError {
    /// A component has become a symbolic link, or is no folder.
    #[error("{} leads through a symbolic link or something that is no folder", path.display())]
    Link {
        /// The decided path.
        path: PathBuf,
    },
    /// A folder, device, pipe or socket where a file is needed.
    #[error("{} is not a regular file", path.display())]
    NotRegular {
        /// The decided path.
        path: PathBuf,
    },
    /// It is neither what the decision was about nor below it: a fault of the runtime.
    #[error("{} is not covered by the decision", path.display())]
    NotDecided {
        /// The path that was to be opened.
        path: PathBuf,
    },
    /// A path with `.` or `..` came from the gate: a fault of the runtime.
    #[error("{} is not canonical", path.display())]
    NotCanonical {
        /// The decided path.
        path: PathBuf,
    },
    /// More than 8 MiB.
    #[error("{} is larger than {FILE_LEN_BYTES_MAX} bytes", path.display())]
    TooLarge {
        /// The decided path.
        path: PathBuf,
    },
    /// A `.gitignore` or `.ignore` that is no regular file, or larger than 64 KiB.
    #[error("{} cannot be used for a search: it is no regular file, or too large", path.display())]
    NotRules {
        /// The file of rules.
        path: PathBuf,
    },
    /// Not UTF-8, or with zero bytes.
    #[error("{} is not UTF-8 text", path.display())]
    NotText {
        /// The decided path.
        path: PathBuf,
    },
    /// The system refused.
    #[error("cannot open {}", path.display())]
    Io {
        /// The decided path.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: std::io::Error,
    },
}

impl FileError {
    pub(super) fn from_errno(path: &Path, errno: Errno) -> Self {
        let path = path.to_owned();
        match errno {
            Errno::LOOP | Errno::NOTDIR => Self::Link { path },
            _ => Self::Io {
                path,
                source: errno.into(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tool::test_support::{TestResult, permitted};
    use std::os::unix::fs::symlink;
    use tempfile::TempDir;

    fn folder() -> Result<(TempDir, PathBuf), std::io::Error> {
        let folder = TempDir::new()?;
        let path = folder.path().canonicalize()?;
        Ok((folder, path))
    }

    #[test]
    fn link_in_the_last_place_is_not_followed() -> TestResult {
        let (_guard, root) = folder()?;
        let call = permitted("/")?;
        std::fs::write(root.join("secret"), "s")?;
        symlink(root.join("secret"), root.join("link"))?;
        assert!(matches!(
            regular_file(&call, &root.join("link")),
            Err(FileError::Link { .. })
        ));
        Ok(())
    }

    #[test]
    fn link_in_the_middle_is_not_followed() -> TestResult {
        let (_guard, root) = folder()?;
        let call = permitted("/")?;
        std::fs::create_dir(root.join("real"))?;
        std::fs::write(root.join("real/file"), "x")?;
        symlink(root.join("real"), root.join("link"))?;
        assert_eq!(text(&call, &root.join("real/file"))?, "x");
        assert!(matches!(
            text(&call, &root.join("link/file")),
            Err(FileError::Link { .. })
        ));
        assert!(matches!(
            listing(&call, &root.join("link")),
            Err(FileError::Link { .. })
        ));
        assert!(matches!(
            place(&call, &root.join("link/new"), Missing::Create),
            Err(FileError::Link { .. })
        ));
        Ok(())
    }

    #[test]
    fn what_is_no_text_file_is_refused() -> TestResult {
        let (_guard, root) = folder()?;
        let call = permitted("/")?;
        std::fs::write(root.join("latin1"), b"caf\xe9")?;
        std::fs::write(root.join("zero"), b"a\0b")?;
        std::fs::File::create(root.join("large"))?.set_len(FILE_LEN_BYTES_MAX + 1)?;
        assert!(matches!(
            text(&call, &root.join("latin1")),
            Err(FileError::NotText { .. })
        ));
        assert!(matches!(
            text(&call, &root.join("zero")),
            Err(FileError::NotText { .. })
        ));
        assert!(matches!(
            text(&call, &root.join("large")),
            Err(FileError::TooLarge { .. })
        ));
        assert!(matches!(text(&call, &root), Err(FileError::NotRegular { .. })));
        assert!(matches!(text(&call, Path::new("/")), Err(FileError::NotRegular { .. })));
        assert!(matches!(text(&call, &root.join("missing")), Err(FileError::Io { .. })));
        assert!(matches!(
            text(&call, &root.join("missing/file")),
            Err(FileError::Io { .. })
        ));
        Ok(())
    }

    #[test]
    fn beginning_ends_with_a_whole_character_and_knows_the_length() -> TestResult {
        let (_guard, root) = folder()?;
        let call = permitted("/")?;
        std::fs::write(root.join("euro"), "a\u{20ac}b")?;
        for (len_max, text, is_whole) in [(3, "a", false), (4, "a\u{20ac}", false), (5, "a\u{20ac}b", true)] {
            let beginning = beginning(&call, &root.join("euro"), len_max)?;
            assert_eq!((beginning.text.as_str(), beginning.is_whole()), (text, is_whole));
            assert_eq!(beginning.file_len_bytes, 5);
        }
        for rubbish in [b"a\xff".as_slice(), b"a\0b", b"abc\xe2"] {
            std::fs::write(root.join("rubbish"), rubbish)?;
            let refused = beginning(&call, &root.join("rubbish"), 100).err().ok_or("read")?;
            assert!(matches!(refused, FileError::NotText { .. }), "{refused:?}");
        }
        Ok(())
    }

    #[test]
    fn device_and_pipe_are_refused_without_waiting() -> TestResult {
        let (_guard, root) = folder()?;
        let call = permitted("/")?;
        rustix::fs::mkfifoat(CWD, root.join("pipe"), Mode::from_bits_retain(0o600))?;
        assert!(matches!(
            text(&call, &root.join("pipe")),
            Err(FileError::NotRegular { .. })
        ));
        assert!(matches!(
            text(&call, Path::new("/dev/zero")),
            Err(FileError::NotRegular { .. })
        ));
        Ok(())
    }

    #[test]
    fn nothing_is_opened_beside_or_above_what_was_decided() -> TestResult {
        let (_guard, root) = folder()?;
        for path in ["decided", "beside", "decided-not"] {
            std::fs::write(root.join(path), "")?;
        }
        let call = permitted(root.join("decided"))?;
        assert!(text(&call, &root.join("decided")).is_ok());
        for path in [&root.join("beside"), &root.join("decided-not"), &root, Path::new("/")] {
            let refused = text(&call, path).err().ok_or("opened")?;
            assert!(matches!(refused, FileError::NotDecided { .. }), "{refused:?}");
            assert!(matches!(listing(&call, path), Err(FileError::NotDecided { .. })));
        }
        let refused = place(&call, &root.join("beside"), Missing::Create)
            .err()
            .ok_or("opened")?;
        assert!(matches!(refused, FileError::NotDecided { .. }), "{refused:?}");
        Ok(())
    }

    #[test]
    fn path_with_parent_steps_is_refused() -> TestResult {
        let (_guard, root) = folder()?;
        let call = permitted("/")?;
        assert!(matches!(
            text(&call, &root.join("../x")),
            Err(FileError::NotCanonical { .. })
        ));
        Ok(())
    }

    #[test]
    fn folders_are_created_only_when_asked() -> TestResult {
        let (_guard, root) = folder()?;
        let call = permitted("/")?;
        assert!(place(&call, &root.join("a/b/c"), Missing::Refuse).is_err());
        assert!(!root.join("a").exists());
        place(&call, &root.join("a/b/c"), Missing::Create)?;
        assert!(root.join("a/b").is_dir());
        Ok(())
    }
}
