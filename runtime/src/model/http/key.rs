//! Keys of providers: read from the environment or a file, held in memory that is wiped, sent in one header.

use std::fs::OpenOptions;
use std::io::{self, Read as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use reqwest::header::{self, HeaderName, HeaderValue};
use rustix::fs::OFlags;
use thiserror::Error;
use zeroize::Zeroizing;

/// Longest key, and longest key file. Keys of today have 50 to 200 bytes.
pub const KEY_LEN_BYTES_MAX: usize = 4096;

/// A provider's key; wiped when dropped. No `Debug`, no `Display`, no `Clone`.
pub struct ApiKey(Zeroizing<String>);

/// The header a key is sent in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyHeader {
    /// `x-api-key: KEY`, as Anthropic wants it.
    XApiKey,
    /// `authorization: Bearer KEY` (RFC 6750 §2.1), as OpenAI and servers like it want it.
    Bearer,
}

impl ApiKey {
    /// Takes a key, without the white space around it.
    ///
    /// # Errors
    /// [`KeyError::Empty`], [`KeyError::TooLong`], [`KeyError::NotVisibleAscii`].
    pub fn new(text: Zeroizing<String>) -> Result<Self, KeyError> {
        let key = text.trim_ascii();
        if key.is_empty() {
            return Err(KeyError::Empty);
        }
        if key.len() > KEY_LEN_BYTES_MAX {
            return Err(KeyError::TooLong);
        }
        if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(KeyError::NotVisibleAscii);
        }
        Ok(Self(Zeroizing::new(key.to_owned())))
    }

    /// Reads the key that a file holds and nobody but its owner can read.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let failed = |source| KeyError::Read {
            path: path.to_owned(),
            source,
        };
        // Opening a pipe must not wait for its writer; what was opened is what is asked about.
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed());
        let file = options.open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if !metadata.is_file() {
            return Err(KeyError::NotAFile { path: path.to_owned() });
        }
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(KeyError::Readable {
                path: path.to_owned(),
                mode,
            });
        }
        // All of it at once: a buffer that grows would leave copies behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(KEY_LEN_BYTES_MAX + 1));
        file.take(KEY_LEN_BYTES_MAX as u64 + 1)
            .read_to_end(&mut bytes)
            .map_err(failed)?;
        if bytes.len() > KEY_LEN_BYTES_MAX {
            return Err(KeyError::TooLong);
        }
        let text = std::str::from_utf8(&bytes).map_err(|_| KeyError::NotVisibleAscii)?;
        Self::new(Zeroizing::new(text.to_owned()))
    }

    /// The key itself: for the header of a request, and for teaching a redactor what must never be shown.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// The header that carries the key, marked so that no `Debug` output shows it.
    ///
    /// The copy inside lives as long as the request; the HTTP library does not wipe it.
    pub(super) fn header(&self, header: KeyHeader) -> (HeaderName, HeaderValue) {
        let (name, value) = match header {
            KeyHeader::XApiKey => (
                HeaderName::from_static("x-api-key"),
                HeaderValue::from_str(self.expose()),
            ),
            KeyHeader::Bearer => {
                let text = Zeroizing::new(format!("Bearer {}", self.expose()));
                (header::AUTHORIZATION, HeaderValue::from_str(&text))
            }
        };
        let mut value = value.expect("visible ASCII is a header value");
        value.set_sensitive(true);
        (name, value)
    }
}

/// Why there is no key where one was to be. None of them repeats what was found.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Nothing but white space.
    #[error("the key is empty")]
    Empty,
    /// Longer than [`KEY_LEN_BYTES_MAX`].
    #[error("the key has more than {KEY_LEN_BYTES_MAX} bytes")]
    TooLong,
    /// Something in it could not stand in a header, or a second line follows.
    #[error("the key holds something other than letters, digits and visible signs of ASCII")]
    NotVisibleAscii,
    /// The file cannot be read.
    #[error("cannot read the key file {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// A folder, a pipe or a device.
    #[error("the key file {} is not a regular file", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// Others could have read it.
    #[error("the key file {} can be read by others (mode {mode:03o}); `chmod 600` it", path.display())]
    Readable {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use tempfile::TempDir;

    type TestResult = Result<(), Box<dyn std::error::Error>>;

    fn key(text: &str) -> Result<ApiKey, KeyError> {
        ApiKey::new(Zeroizing::new(text.to_owned()))
    }

    /// A key file with these bytes and permissions.
    fn file(folder: &TempDir, bytes: &[u8], mode: u32) -> io::Result<PathBuf> {
        let path = folder.path().join(format!("key-{mode:o}-{}", bytes.len()));
        fs::write(&path, bytes)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
        Ok(path)
    }

    #[test]
    fn white_space_around_a_key_is_no_part_of_it() -> TestResult {
        assert_eq!(key("  sk-ant-1 \r\n")?.expose(), "sk-ant-1");
        let folder = TempDir::new()?;
        assert_eq!(ApiKey::read(&file(&folder, b"sk-2\n", 0o600)?)?.expose(), "sk-2");
        assert_eq!(ApiKey::read(&file(&folder, b"sk-3", 0o400)?)?.expose(), "sk-3");
        Ok(())
    }

    #[test]
    fn what_could_not_stand_in_a_header_is_refused() {
        for text in ["a b", "a\nb", "a\tb", "schl\u{fc}ssel", "a\u{0}b", "a\u{7f}"] {
            assert!(matches!(key(text), Err(KeyError::NotVisibleAscii)), "{text:?}");
        }
        assert!(matches!(key(" \n"), Err(KeyError::Empty)));
        assert!(matches!(
            key(&"x".repeat(KEY_LEN_BYTES_MAX + 1)),
            Err(KeyError::TooLong)
        ));
        assert!(key(&"x".repeat(KEY_LEN_BYTES_MAX)).is_ok());
    }

    #[test]
    fn file_that_others_can_read_is_refused_with_what_to_do() -> TestResult {
        let folder = TempDir::new()?;
        for mode in [0o640, 0o604, 0o666, 0o620, 0o601] {
            let refused = ApiKey::read(&file(&folder, b"sk-1", mode)?).err().ok_or("refused")?;
            assert!(matches!(refused, KeyError::Readable { .. }), "{mode:o}");
            assert!(refused.to_string().ends_with("`chmod 600` it"), "{refused}");
        }
        Ok(())
    }

    #[test]
    fn what_is_no_small_file_is_refused() -> TestResult {
        let folder = TempDir::new()?;
        assert!(matches!(ApiKey::read(folder.path()), Err(KeyError::NotAFile { .. })));
        assert!(matches!(
            ApiKey::read(Path::new("/dev/null")),
            Err(KeyError::NotAFile { .. })
        ));
        let gone = folder.path().join("gone");
        assert!(matches!(ApiKey::read(&gone), Err(KeyError::Read { .. })));
        let large = file(&folder, &[b'x'; KEY_LEN_BYTES_MAX + 1], 0o600)?;
        assert!(matches!(ApiKey::read(&large), Err(KeyError::TooLong)));
        let binary = file(&folder, b"\xff\xfe", 0o600)?;
        assert!(matches!(ApiKey::read(&binary), Err(KeyError::NotVisibleAscii)));
        Ok(())
    }

    #[test]
    fn reading_a_pipe_does_not_wait_for_its_writer() -> TestResult {
        let folder = TempDir::new()?;
        let pipe = folder.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0)?;
        assert!(matches!(ApiKey::read(&pipe), Err(KeyError::NotAFile { .. })));
        Ok(())
    }

    #[test]
    fn header_shows_no_key() -> TestResult {
        let key = key("sk-secret")?;
        for (header, name, value) in [
            (KeyHeader::XApiKey, "x-api-key", "sk-secret"),
            (KeyHeader::Bearer, "authorization", "Bearer sk-secret"),
        ] {
            let sent = key.header(header);
            assert_eq!((sent.0.as_str(), sent.1.to_str()?), (name, value));
            assert!(!format!("{sent:?}").contains("secret"));
        }
        Ok(())
    }
}
