//! Key files: a hybrid private key on disk, for principals, hosts and approvers (identity-v1 §10).
//!
//! One JSON object, either plain or encrypted as a whole with age under a passphrase. A file is made aside, made
//! durable and linked to its name, so it appears whole or not at all and never takes the place of another. On Unix
//! it has mode 0600, and a file that others can read is refused.
//!
//! Only the keystore feature has this module: a verifier never holds a secret.

mod error;
mod file;

use std::path::Path;

use age::secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::did::PeerDid;
use crate::jcs;
use crate::keys::{HybridSecret, SEED_LEN, Seed32};
use crate::multibase;
use crate::multikey::{self, MultikeyError};

pub use error::KeyFileError;

/// The value of `schema`.
pub const SCHEMA: &str = "countersign.key/v1";

/// Largest key file in bytes: a credential, a DID, two seeds, and what age puts around them.
pub const FILE_LEN_MAX: usize = 65_536;

/// Multicodec 0x1300 `ed25519-priv` as a varint: the next 32 bytes are an Ed25519 seed.
const ED25519_PRIV_PREFIX: [u8; 2] = [0x80, 0x26];
/// Multicodec 0x131a `mldsa-44-priv-seed` as a varint.
const ML_DSA_44_PRIV_SEED_PREFIX: [u8; 2] = [0x9a, 0x26];

/// Whose key it is; a key made for one purpose is not used for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Purpose {
    /// A principal: certifies hosts and approvers.
    Principal,
    /// A host: certifies instances, without a person; its file is always plain.
    Host,
    /// An approver: signs orders.
    Approver,
}

impl Purpose {
    /// The word in the file.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Principal => "principal",
            Self::Host => "host",
            Self::Approver => "approver",
        }
    }
}

/// A passphrase; zeroized when dropped, without `Debug`.
pub struct Passphrase(SecretString);

impl Passphrase {
    /// Takes over a passphrase.
    ///
    /// # Errors
    /// [`KeyFileError::EmptyPassphrase`].
    pub fn new(text: String) -> Result<Self, KeyFileError> {
        let secret = SecretString::from(text);
        if age::secrecy::ExposeSecret::expose_secret(&secret).is_empty() {
            return Err(KeyFileError::EmptyPassphrase);
        }
        Ok(Self(secret))
    }
}

/// How a key file is kept.
pub enum Protection<'a> {
    /// Readable by whoever can read the file.
    Plain,
    /// Encrypted with age under a passphrase.
    Passphrase(&'a Passphrase, WorkFactor),
}

/// The scrypt work factor log₂ N, 1 to 20; r = 8 and p = 1 (age).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkFactor(u8);

impl WorkFactor {
    /// What age itself takes when it does not measure: 256 MiB and about a second for each passphrase tried.
    ///
    /// A fixed value, not one measured on the machine that writes, so that every machine can read the file.
    pub const DEFAULT: Self = Self(18);

    /// Greatest work factor that is written or read (1 GiB), so that a hostile file cannot occupy the machine.
    pub const MAX: Self = Self(20);

    /// Checks the bounds.
    #[must_use]
    pub const fn new(log_n: u8) -> Option<Self> {
        if log_n == 0 || log_n > Self::MAX.0 {
            None
        } else {
            Some(Self(log_n))
        }
    }
}

/// The content of a key file in memory: no `Debug`, no `Clone`; the seeds are zeroized when dropped.
pub struct KeyFile {
    purpose: Purpose,
    secret: HybridSecret,
    did: PeerDid,
    credential: Option<Box<[u8]>>,
}

/// The JSON object; borrowed, so that reading and writing make no further copies of the seeds.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document<'a> {
    schema: &'a str,
    purpose: Purpose,
    did: &'a str,
    ed25519: &'a str,
    mldsa44: &'a str,
    #[serde(deserialize_with = "required_or_null")]
    credential: Option<Value>,
}

/// `credential` may be null but not absent, which serde's own reading of an `Option` would allow.
fn required_or_null<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Value>, D::Error> {
    Option::deserialize(from)
}

impl KeyFile {
    /// Puts a key and its credential (canonical JSON bytes), if it has one, together.
    ///
    /// # Errors
    /// [`KeyFileError::Credential`] if the credential is not a canonical document.
    pub fn new(purpose: Purpose, secret: HybridSecret, credential: Option<Vec<u8>>) -> Result<Self, KeyFileError> {
        if let Some(bytes) = &credential {
            jcs::parse_canonical(bytes).map_err(KeyFileError::Credential)?;
        }
        let did = PeerDid::from_keys(secret.public());
        Ok(Self {
            purpose,
            secret,
            did,
            credential: credential.map(Vec::into_boxed_slice),
        })
    }

    /// Whose key it is.
    #[must_use]
    pub fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// The key.
    #[must_use]
    pub fn secret(&self) -> &HybridSecret {
        &self.secret
    }

    /// Gives up the file and keeps the key.
    #[must_use]
    pub fn into_secret(self) -> HybridSecret {
        self.secret
    }

    /// Its DID.
    #[must_use]
    pub fn did(&self) -> &PeerDid {
        &self.did
    }

    /// The credential kept beside the key, as canonical bytes; not verified here.
    #[must_use]
    pub fn credential(&self) -> Option<&[u8]> {
        self.credential.as_deref()
    }

    /// The keys, the DID and the credential, for whoever acts with them; the file's content is gone then.
    #[must_use]
    pub fn into_parts(self) -> (HybridSecret, PeerDid, Option<Vec<u8>>) {
        (self.secret, self.did, self.credential.map(Into::into))
    }

    /// The same key with another credential.
    ///
    /// # Errors
    /// As [`KeyFile::new`].
    pub fn with_credential(self, credential: Vec<u8>) -> Result<Self, KeyFileError> {
        Self::new(self.purpose, self.secret, Some(credential))
    }

    /// Writes a new file at `path`; an existing file is left as it is.
    ///
    /// # Errors
    /// [`KeyFileError::Exists`], [`KeyFileError::Encrypt`], [`KeyFileError::Io`]. Nothing is at `path` then that was not there before.
    pub fn create(&self, path: &Path, protection: &Protection<'_>) -> Result<(), KeyFileError> {
        file::create(path, &self.protected(protection)?)
    }

    /// Writes the file at `path` anew, in one step: a reader sees the old content or the new.
    ///
    /// # Errors
    /// [`KeyFileError::Missing`] if there is none, [`KeyFileError::Encrypt`], [`KeyFileError::Io`].
    pub fn replace(&self, path: &Path, protection: &Protection<'_>) -> Result<(), KeyFileError> {
        file::replace(path, &self.protected(protection)?)
    }

    /// Reads the file at `path`, with a passphrase if it is encrypted.
    ///
    /// # Errors
    /// [`KeyFileError`], one variant a check.
    pub fn open(path: &Path, passphrase: Option<&Passphrase>) -> Result<Self, KeyFileError> {
        let bytes = file::read(path)?;
        if !is_age(&bytes) {
            return Self::from_json(path, &bytes);
        }
        let passphrase = passphrase.ok_or_else(|| KeyFileError::PassphraseNeeded { path: path.into() })?;
        Self::from_json(path, &decrypt(path, &bytes, passphrase)?)
    }

    /// Whether the file at `path` is encrypted, so that [`KeyFile::open`] needs a passphrase.
    ///
    /// # Errors
    /// As reading the file.
    pub fn is_encrypted(path: &Path) -> Result<bool, KeyFileError> {
        Ok(is_age(&file::read(path)?))
    }

    fn protected(&self, protection: &Protection<'_>) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
        let plain = self.to_json()?;
        match protection {
            Protection::Plain => Ok(plain),
            Protection::Passphrase(passphrase, factor) => encrypt(&plain, passphrase, *factor),
        }
    }

    fn to_json(&self) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
        let (ed25519, ml_dsa) = self.secret.seeds();
        let ed25519 = Zeroizing::new(multibase::encode_base64url(&tagged(ED25519_PRIV_PREFIX, &ed25519)[..]));
        let mldsa44 = Zeroizing::new(multibase::encode_base64url(
            &tagged(ML_DSA_44_PRIV_SEED_PREFIX, &ml_dsa)[..],
        ));
        let credential = self
            .credential()
            .map(jcs::parse_canonical)
            .transpose()
            .map_err(KeyFileError::Credential)?;
        let document = Document {
            schema: SCHEMA,
            purpose: self.purpose,
            did: self.did.long(),
            ed25519: &ed25519,
            mldsa44: &mldsa44,
            credential,
        };
        // Room for everything at once: a growing buffer would leave copies of the seeds behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(FILE_LEN_MAX));
        serde_json::to_writer(&mut *bytes, &document).map_err(KeyFileError::Write)?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    fn from_json(path: &Path, bytes: &[u8]) -> Result<Self, KeyFileError> {
        let malformed = |source| KeyFileError::Malformed {
            path: path.into(),
            source,
        };
        let document: Document<'_> = serde_json::from_slice(bytes).map_err(malformed)?;
        if document.schema != SCHEMA {
            let found = document.schema.chars().take(64).collect();
            return Err(KeyFileError::Schema {
                path: path.into(),
                found,
            });
        }
        let seed = |source| KeyFileError::Seed {
            path: path.into(),
            source,
        };
        let ed25519 = multibase::decode_base64url(document.ed25519)
            .map(Zeroizing::new)
            .map_err(|e| seed(e.into()))?;
        let ml_dsa = multibase::decode_base64url(document.mldsa44)
            .map(Zeroizing::new)
            .map_err(|e| seed(e.into()))?;
        let secret = HybridSecret::from_seeds(
            untagged(ED25519_PRIV_PREFIX, &ed25519).map_err(seed)?,
            untagged(ML_DSA_44_PRIV_SEED_PREFIX, &ml_dsa).map_err(seed)?,
        );
        let credential = document
            .credential
            .as_ref()
            .map(jcs::canonicalize)
            .transpose()
            .map_err(KeyFileError::Credential)?;
        let key_file = Self::new(document.purpose, secret, credential)?;
        if key_file.did.long() != document.did {
            return Err(KeyFileError::ForeignDid { path: path.into() });
        }
        Ok(key_file)
    }
}

fn tagged(codec: [u8; 2], seed: &Seed32) -> Zeroizing<[u8; SEED_LEN + 2]> {
    let mut bytes = Zeroizing::new([0; SEED_LEN + 2]);
    bytes[..2].copy_from_slice(&codec);
    bytes[2..].copy_from_slice(seed.expose());
    bytes
}

fn untagged(codec: [u8; 2], bytes: &[u8]) -> Result<Seed32, MultikeyError> {
    multikey::strip_codec(bytes, codec).map(Seed32::new)
}

fn is_age(bytes: &[u8]) -> bool {
    bytes.starts_with(b"age-encryption.org/")
}

fn encrypt(plain: &[u8], passphrase: &Passphrase, factor: WorkFactor) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    let mut recipient = age::scrypt::Recipient::new(passphrase.0.clone());
    recipient.set_work_factor(factor.0);
    age::encrypt(&recipient, plain)
        .map(Zeroizing::new)
        .map_err(KeyFileError::Encrypt)
}

fn decrypt(path: &Path, bytes: &[u8], passphrase: &Passphrase) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    let mut identity = age::scrypt::Identity::new(passphrase.0.clone());
    identity.set_max_work_factor(WorkFactor::MAX.0);
    age::decrypt(&identity, bytes)
        .map(Zeroizing::new)
        .map_err(|error| KeyFileError::of_decryption(path, error))
}

#[cfg(test)]
#[path = "keyfile_tests.rs"]
mod tests;
