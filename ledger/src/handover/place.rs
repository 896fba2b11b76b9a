//! Where the socket is, and who is at its other end (handover-v1 §1).

use std::fs::{self, File, Permissions};
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// Longest path that fits a socket's address, without its terminator.
const ADDRESS_BYTES_MAX: usize = 107;

/// Only the user who runs the appender may connect.
const SOCKET_MODE: u32 = 0o600;

/// Why there is no connection, or nobody can connect.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlaceError {
    /// The name of the ledger is too long for a socket beside it.
    #[error("{}: too long for the address of a socket", path.display())]
    TooLong {
        /// Path of the socket.
        path: PathBuf,
    },
    /// The other end belongs to another user.
    #[error("the other end of {} belongs to user {found}, not to {expected}", path.display())]
    OtherUser {
        /// Path of the socket.
        path: PathBuf,
        /// Our own user id.
        expected: u32,
        /// Theirs.
        found: u32,
    },
    /// The socket could not be made, found or asked about its peer.
    #[error("{}: the socket failed", path.display())]
    Io {
        /// Path of the socket.
        path: PathBuf,
        /// The failure.
        #[source]
        source: io::Error,
    },
}

impl PlaceError {
    /// Whether nobody listens there: at the moment, or any more.
    #[must_use]
    pub fn is_nobody(&self) -> bool {
        matches!(self, Self::Io { source, .. } if matches!(
            source.kind(),
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
        ))
    }
}

/// The place of a ledger's socket.
#[derive(Debug, Clone)]
pub(super) struct Place(PathBuf);

impl Place {
    /// The socket beside `ledger`.
    pub(super) fn beside(ledger: &Path) -> Self {
        let mut name = ledger.as_os_str().to_owned();
        name.push("-sock");
        Self(name.into())
    }

    /// Listens there. The caller holds the writer's lock: what lies there now is nobody's.
    pub(super) fn listen(&self) -> Result<UnixListener, PlaceError> {
        self.remove();
        let listener = self.with_address(|address| UnixListener::bind(address))?;
        fs::set_permissions(&self.0, Permissions::from_mode(SOCKET_MODE)).map_err(|error| self.failed(error))?;
        Ok(listener)
    }

    /// Connects to whoever listens there, if it is our own user.
    pub(super) fn connect(&self) -> Result<UnixStream, PlaceError> {
        let stream = self.with_address(|address| UnixStream::connect(address))?;
        self.check_peer(&stream)?;
        Ok(stream)
    }

    /// Refuses a peer of another user.
    pub(super) fn check_peer(&self, stream: &UnixStream) -> Result<(), PlaceError> {
        let found = peer_uid(stream).map_err(|error| self.failed(error))?;
        let expected = rustix::process::geteuid().as_raw();
        if found == expected {
            return Ok(());
        }
        Err(PlaceError::OtherUser {
            path: self.0.clone(),
            expected,
            found,
        })
    }

    /// Takes the socket away.
    pub(super) fn remove(&self) {
        // Nobody can reach anything through a socket that stays behind.
        let _ = fs::remove_file(&self.0);
    }

    /// Gives `use_it` a path to the socket that fits an address.
    fn with_address<T>(&self, use_it: impl Fn(&Path) -> io::Result<T>) -> Result<T, PlaceError> {
        let fits = |path: &Path| path.as_os_str().as_bytes().len() <= ADDRESS_BYTES_MAX;
        if fits(&self.0) {
            return use_it(&self.0).map_err(|error| self.failed(error));
        }
        let (Some(folder), Some(name)) = (self.0.parent(), self.0.file_name()) else {
            return Err(self.too_long());
        };
        let folder = File::open(folder).map_err(|error| self.failed(error))?;
        let through = Path::new("/proc/self/fd")
            .join(folder.as_fd().as_raw_fd().to_string())
            .join(name);
        if !fits(&through) {
            return Err(self.too_long());
        }
        use_it(&through).map_err(|error| self.failed(error))
    }

    fn too_long(&self) -> PlaceError {
        PlaceError::TooLong { path: self.0.clone() }
    }

    fn failed(&self, source: io::Error) -> PlaceError {
        PlaceError::Io {
            path: self.0.clone(),
            source,
        }
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn peer_uid(stream: &UnixStream) -> io::Result<u32> {
    Ok(rustix::net::sockopt::socket_peercred(stream)?.uid.as_raw())
}

/// Nobody is let in unseen.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn peer_uid(_: &UnixStream) -> io::Result<u32> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    type Checked = Result<(), Box<dyn std::error::Error>>;

    #[test]
    fn socket_is_for_its_owner_and_in_place_of_what_a_crash_left() -> Checked {
        let folder = tempfile::tempdir()?;
        let ledger = folder.path().join("ledger.db");
        let place = Place::beside(&ledger);
        drop(place.listen()?);
        let refused = place.connect().err().ok_or("nobody listens")?;
        assert!(refused.is_nobody());
        let listener = place.listen()?;
        let mode = fs::metadata(folder.path().join("ledger.db-sock"))?.permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let ours = place.connect()?;
        let (theirs, _) = listener.accept()?;
        place.check_peer(&ours)?;
        place.check_peer(&theirs)?;
        Ok(())
    }

    #[test]
    fn long_folder_is_reached_through_its_descriptor() -> Checked {
        let folder = tempfile::tempdir()?;
        let deep = folder.path().join("d".repeat(120));
        fs::create_dir(&deep)?;
        let place = Place::beside(&deep.join("ledger.db"));
        let listener = place.listen()?;
        let _ours = place.connect()?;
        listener.accept()?;
        place.remove();
        assert_eq!(fs::read_dir(&deep)?.count(), 0);
        Ok(())
    }

    #[test]
    fn name_too_long_for_any_address_is_refused() -> Checked {
        let folder = tempfile::tempdir()?;
        let place = Place::beside(&folder.path().join("n".repeat(120)));
        assert!(matches!(place.listen(), Err(PlaceError::TooLong { .. })));
        assert!(matches!(place.connect(), Err(PlaceError::TooLong { .. })));
        Ok(())
    }
}
