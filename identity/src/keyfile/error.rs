//! Why a key file was not written or not read.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::jcs::JcsError;
use crate::multikey::MultikeyError;

/// Why a key file was not written or not read. No variant shows a secret.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// There is no file.
    #[error("{} does not exist", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// There is a file already; it was left as it is.
    #[error("{} exists already", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// Group or others may read or write the file, or it is not a regular file.
    #[error("{} must be a regular file that only its owner can read (mode {mode:03o}, expected 600)", path.display())]
    Permissions {
        /// The file.
        path: PathBuf,
        /// Its mode bits.
        mode: u32,
    },
    /// Longer than [`super::FILE_LEN_MAX`].
    #[error("{} is longer than a key file can be", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
    },
    /// The file is encrypted and no passphrase was given.
    #[error("{} is encrypted and needs a passphrase", path.display())]
    PassphraseNeeded {
        /// The file.
        path: PathBuf,
    },
    /// The passphrase does not open the file.
    #[error("passphrase does not open {}", path.display())]
    WrongPassphrase {
        /// The file.
        path: PathBuf,
    },
    /// An empty passphrase protects nothing.
    #[error("passphrase is empty")]
    EmptyPassphrase,
    /// The file is encrypted in another way, demands too much work, or was changed.
    #[error("{} cannot be decrypted", path.display())]
    Decrypt {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: age::DecryptError,
    },
    /// The file is not the JSON object of a key file.
    #[error("{} is not a key file", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: serde_json::Error,
    },
    /// Another format, or a newer one.
    #[error("{} has schema `{found}` instead of `{}`", path.display(), super::SCHEMA)]
    Schema {
        /// The file.
        path: PathBuf,
        /// The schema found, shortened.
        found: String,
    },
    /// A seed is malformed.
    #[error("{} holds a malformed seed", path.display())]
    Seed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: MultikeyError,
    },
    /// The DID is not that of the seeds.
    #[error("DID in {} is not that of its keys", path.display())]
    ForeignDid {
        /// The file.
        path: PathBuf,
    },
    /// The credential beside the key is not a canonical document.
    #[error("credential of the key is not a canonical document")]
    Credential(#[source] JcsError),
    /// The content could not be encrypted.
    #[error("key file could not be encrypted")]
    Encrypt(#[source] age::EncryptError),
    /// The content could not be written as JSON.
    #[error("key file could not be written as JSON")]
    Write(#[source] serde_json::Error),
    /// The operating system refused.
    #[error("{}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What it said.
        #[source]
        source: io::Error,
    },
}

impl KeyFileError {
    pub(super) fn of_io(path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::NotFound => Self::Missing { path: path.into() },
            io::ErrorKind::AlreadyExists => Self::Exists { path: path.into() },
            _ => Self::Io {
                path: path.into(),
                source,
            },
        }
    }

    pub(super) fn of_decryption(path: &Path, source: age::DecryptError) -> Self {
        match source {
            // With scrypt, a wrong passphrase shows as a file key that does not open.
            age::DecryptError::DecryptionFailed | age::DecryptError::KeyDecryptionFailed => {
                Self::WrongPassphrase { path: path.into() }
            }
            source => Self::Decrypt {
                path: path.into(),
                source,
            },
        }
    }
}
