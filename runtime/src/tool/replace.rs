//! Replaces a file in one step: afterwards it is the old or the new one, whole.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{Access, AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::open::{FileError, LISTING, Missing, Place, place};
use crate::gate::PermittedCall;

const CREATING: OFlags = OFlags::WRONLY
    .union(OFlags::CREATE)
    .union(OFlags::EXCL)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// Mode of new files, before the umask.
const NEW_FILE: Mode = Mode::from_bits_retain(0o666);

/// Permission bits that a replaced file hands on. Set-user-id and set-group-id are not among them.
const PERMISSIONS: u32 = 0o777;

/// What stood there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Before {
    Nothing,
    File(Mode),
}

/// Writes `content` beside `canonical`, syncs it and renames it into place. Permissions are kept, a hard link is
/// broken. Nothing is changed when it fails, except that missing folders may have been created.
pub(super) fn replace(
    call: &PermittedCall,
    canonical: &Path,
    content: &[u8],
    missing: Missing,
) -> Result<Before, FileError> {
    let place = place(call, canonical, missing)?;
    let before = inspect(canonical, &place)?;
    let failed = |source| FileError::Io {
        path: canonical.to_owned(),
        source,
    };
    let temporary = temporary_name().map_err(failed)?;
    let written = write_new(&place.folder, &temporary, content, before).and_then(|()| {
        Ok(rustix::fs::renameat(
            &place.folder,
            &temporary,
            &place.folder,
            &place.name,
        )?)
    });
    if let Err(source) = written {
        // The first failure is the one to report; a left-over hidden file harms nobody.
        let _ = rustix::fs::unlinkat(&place.folder, &temporary, AtFlags::empty());
        return Err(failed(source));
    }
    sync_folder(&place.folder).map_err(failed)?;
    Ok(before)
}

fn inspect(canonical: &Path, place: &Place) -> Result<Before, FileError> {
    let path = || canonical.to_owned();
    let stat = match rustix::fs::statat(&place.folder, &place.name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => stat,
        Err(Errno::NOENT) => return Ok(Before::Nothing),
        Err(errno) => return Err(FileError::from_errno(canonical, errno)),
    };
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => {}
        FileType::Symlink => return Err(FileError::Link { path: path() }),
        _ => return Err(FileError::NotRegular { path: path() }),
    }
    // A rename needs no permission on the file itself, yet a file that is read-only is meant to stay.
    rustix::fs::accessat(&place.folder, &place.name, Access::WRITE_OK, AtFlags::empty())
        .map_err(|errno| FileError::from_errno(canonical, errno))?;
    Ok(Before::File(Mode::from_raw_mode(stat.st_mode & PERMISSIONS)))
}

fn temporary_name() -> io::Result<OsString> {
    let random = getrandom::u64().map_err(io::Error::other)?;
    Ok(format!(".countersign-{random:016x}").into())
}

fn write_new(folder: &OwnedFd, name: &OsString, content: &[u8], before: Before) -> io::Result<()> {
    let fd = rustix::fs::openat(folder, name, CREATING, NEW_FILE)?;
    if let Before::File(mode) = before {
        rustix::fs::fchmod(&fd, mode)?;
    }
    let mut file = File::from(fd);
    file.write_all(content)?;
    file.sync_all()
}

fn sync_folder(folder: &OwnedFd) -> io::Result<()> {
    let folder = rustix::fs::openat(folder, c".", LISTING, Mode::empty())?;
    Ok(rustix::fs::fsync(folder)?)
}
