//! Files that only their owner can read, and that appear whole or not at all.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::{FILE_LEN_MAX, KeyFileError};
use crate::keys::Seed32;

/// Writes a file that was not there. `hard_link` fails where a name exists, which `rename` would not.
pub(super) fn create(path: &Path, content: &[u8]) -> Result<(), KeyFileError> {
    let aside = Aside::write(path, content)?;
    fs::hard_link(&aside.path, path).map_err(|source| KeyFileError::of_io(path, source))?;
    drop(aside);
    sync_folder(path)
}

/// Puts new content in the place of a file that is there.
pub(super) fn replace(path: &Path, content: &[u8]) -> Result<(), KeyFileError> {
    fs::symlink_metadata(path).map_err(|source| KeyFileError::of_io(path, source))?;
    let aside = Aside::write(path, content)?;
    fs::rename(&aside.path, path).map_err(|source| KeyFileError::of_io(path, source))?;
    sync_folder(path)
}

/// Reads a whole file after checking who else could have.
pub(super) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    let io_error = |source| KeyFileError::of_io(path, source);
    let file = File::open(path).map_err(io_error)?;
    check_permissions(path, &file.metadata().map_err(io_error)?)?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(FILE_LEN_MAX + 1));
    file.take(FILE_LEN_MAX as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(io_error)?;
    if bytes.len() > FILE_LEN_MAX {
        return Err(KeyFileError::TooLong { path: path.into() });
    }
    Ok(bytes)
}

/// A durable file beside its final place; removed when dropped, unless it was renamed.
struct Aside {
    path: PathBuf,
}

impl Aside {
    fn write(target: &Path, content: &[u8]) -> Result<Self, KeyFileError> {
        let io_error = |source| KeyFileError::Io {
            path: target.into(),
            source,
        };
        let path = aside_of(target)?;
        let mut file = options().open(&path).map_err(io_error)?;
        let aside = Self { path };
        file.write_all(content)
            .and_then(|()| file.sync_all())
            .map_err(io_error)?;
        Ok(aside)
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        // Gone already after a rename; otherwise a leftover is only untidy, since nobody else can read it.
        let _ = fs::remove_file(&self.path);
    }
}

/// A name in the same folder that nobody can foresee.
fn aside_of(target: &Path) -> Result<PathBuf, KeyFileError> {
    let io_error = |source| KeyFileError::Io {
        path: target.into(),
        source,
    };
    let name = target
        .file_name()
        .ok_or_else(|| io_error(io::Error::from(io::ErrorKind::InvalidInput)))?;
    let random = Seed32::generate().map_err(|error| io_error(io::Error::other(error)))?;
    let mut aside = OsString::from(".");
    aside.push(name);
    aside.push(format!(
        ".{}.new",
        data_encoding::HEXLOWER.encode(&random.expose()[..8])
    ));
    Ok(target.with_file_name(aside))
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

#[cfg(unix)]
fn check_permissions(path: &Path, metadata: &fs::Metadata) -> Result<(), KeyFileError> {
    let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777;
    if metadata.is_file() && mode & 0o077 == 0 {
        return Ok(());
    }
    Err(KeyFileError::Permissions {
        path: path.into(),
        mode,
    })
}

#[cfg(not(unix))]
fn check_permissions(path: &Path, metadata: &fs::Metadata) -> Result<(), KeyFileError> {
    if metadata.is_file() {
        Ok(())
    } else {
        Err(KeyFileError::Permissions {
            path: path.into(),
            mode: 0,
        })
    }
}

/// Makes the name itself durable.
fn sync_folder(path: &Path) -> Result<(), KeyFileError> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    // Windows cannot open a folder like this; there the name is durable with the file.
    if cfg!(unix) {
        synced.map_err(|source| KeyFileError::Io {
            path: path.into(),
            source,
        })
    } else {
        Ok(())
    }
}
