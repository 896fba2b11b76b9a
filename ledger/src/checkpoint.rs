//! Checkpoints: the ledger's own signatures over the root of its tree (ledger-v1 §6).
//!
//! A checkpoint is a C2SP tlog-checkpoint note without extension lines. Two signatures are required, first
//! Ed25519 over the text, then an ML-DSA-44 cosignature with its time; further lines, such as those of
//! witnesses, are left to whoever knows their keys. Whether the root is the right one is not decided here.

mod keys;

use countersign_identity::keys::{Ed25519Signature, MlDsaSignature, SignatureError};
use countersign_schemas::number::Size;
use countersign_schemas::text::Origin;
use data_encoding::BASE64;

pub use keys::{CheckpointKeys, CheckpointPublicKeys};

use crate::merkle::Root;
use crate::note::{KeyId, Note, NoteError, SignatureLine, signature_line};

/// The head of a tree: which ledger, how many records, and the root over them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The origin that `ledger.opened` names; also the name of both keys.
    pub origin: Origin,
    /// Number of records, at least 1.
    pub size: Size,
    /// Root of the tree over them.
    pub root: Root,
}

/// Seconds since 1970-01-01T00:00:00Z, at most 2^63 − 1 (C2SP tlog-cosignature).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnixSeconds(u64);

impl UnixSeconds {
    /// Takes seconds that fit into 63 bits.
    #[must_use]
    pub const fn new(seconds: u64) -> Option<Self> {
        if seconds > i64::MAX as u64 {
            None
        } else {
            Some(Self(seconds))
        }
    }

    /// The seconds.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// Which of the two required signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Required {
    /// The Ed25519 signature, on the first line.
    Ed25519,
    /// The ML-DSA-44 cosignature, on the second line.
    MlDsa44,
}

impl std::fmt::Display for Required {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Ed25519 => "Ed25519",
            Self::MlDsa44 => "ML-DSA-44",
        })
    }
}

/// Why a note is not a checkpoint of these keys.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The bytes are not a signed note.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The text has fewer than three lines.
    #[error("the checkpoint has {lines} lines of text instead of 3")]
    MissingLine {
        /// Lines found.
        lines: usize,
    },
    /// The text has more than three lines. ML-DSA-44 would not cover them.
    #[error("the checkpoint has {lines} lines of text instead of 3")]
    ExtensionLine {
        /// Lines found.
        lines: usize,
    },
    /// The first line is not an origin.
    #[error("the checkpoint's origin is malformed")]
    Origin,
    /// The second line is not a size in shortest decimal form, or above 2^53 − 1.
    #[error("the checkpoint's size is malformed")]
    Size,
    /// A checkpoint over no record says nothing.
    #[error("the checkpoint is over an empty tree")]
    EmptyTree,
    /// The third line is not 32 bytes in canonical base64.
    #[error("the checkpoint's root is malformed")]
    Root,
    /// A required signature is missing: no line has the origin as name and the id of the key.
    #[error("the {0} signature is missing")]
    Missing(Required),
    /// A required signature stands on another line than its own.
    #[error("the {required} signature stands on line {line}")]
    Misplaced {
        /// The signature.
        required: Required,
        /// Where it stands, from 1.
        line: usize,
    },
    /// A required signature is given again.
    #[error("the {required} signature is given again on line {line}")]
    Repeated {
        /// The signature.
        required: Required,
        /// Where it stands again, from 1.
        line: usize,
    },
    /// A required signature is too long or too short for its algorithm.
    #[error("the {required} signature has {bytes} bytes")]
    SignatureLength {
        /// The signature.
        required: Required,
        /// Bytes found, without the key id.
        bytes: usize,
    },
    /// The time of the ML-DSA-44 signature is above 2^63 − 1.
    #[error("the time {0} of the ML-DSA-44 signature is out of range")]
    TimeOutOfRange(u64),
    /// A required signature does not verify.
    #[error("the checkpoint is not signed by the ledger's keys")]
    Signature(#[source] SignatureError),
}

impl CheckpointError {
    /// A stable word for vectors and reports.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Note(error) => error.code(),
            Self::MissingLine { .. } => "missing-line",
            Self::ExtensionLine { .. } => "extension-line",
            Self::Origin => "origin",
            Self::Size => "size",
            Self::EmptyTree => "empty-tree",
            Self::Root => "root",
            Self::Missing(Required::Ed25519) => "missing-ed25519",
            Self::Missing(Required::MlDsa44) => "missing-ml-dsa-44",
            Self::Misplaced { .. } => "misplaced-signature",
            Self::Repeated { .. } => "repeated-signature",
            Self::SignatureLength { .. } => "signature-length",
            Self::TimeOutOfRange(_) => "time-out-of-range",
            Self::Signature(SignatureError::MlDsa44) => "signature-ml-dsa-44",
            Self::Signature(_) => "signature-ed25519",
        }
    }
}

impl Checkpoint {
    /// The text of the note: origin, size and root, each with a newline.
    #[must_use]
    pub fn text(&self) -> String {
        format!(
            "{}\n{}\n{}\n",
            self.origin,
            self.size,
            BASE64.encode(self.root.as_bytes())
        )
    }

    fn parse_text(text: &str) -> Result<Self, CheckpointError> {
        let lines: Vec<&str> = text.strip_suffix('\n').unwrap_or(text).split('\n').collect();
        let [origin, size, root] = lines[..] else {
            let lines = lines.len();
            return Err(if lines < 3 {
                CheckpointError::MissingLine { lines }
            } else {
                CheckpointError::ExtensionLine { lines }
            });
        };
        let origin = Origin::new(origin).map_err(|_| CheckpointError::Origin)?;
        let size = parse_size(size).ok_or(CheckpointError::Size)?;
        if size == Size::ZERO {
            return Err(CheckpointError::EmptyTree);
        }
        let root = BASE64
            .decode(root.as_bytes())
            .ok()
            .and_then(|root| root.try_into().ok());
        let root = Root::from_bytes(root.ok_or(CheckpointError::Root)?);
        Ok(Self { origin, size, root })
    }

    /// `cosigned_message` of C2SP tlog-cosignature, for the whole tree and with the ledger itself as cosigner.
    ///
    /// An origin has at most 128 characters, so its length fits the one byte.
    fn cosigned_message(&self, time: UnixSeconds) -> Vec<u8> {
        let name = self.origin.as_str().as_bytes();
        let length = [name.len() as u8];
        [
            b"subtree/v1\n\0".as_slice(),
            &length,
            name,
            &time.0.to_be_bytes(),
            &length,
            name,
            &0_u64.to_be_bytes(),
            &self.size.get().to_be_bytes(),
            self.root.as_bytes(),
        ]
        .concat()
    }
}

/// Decimal digits without sign or leading zero.
fn parse_size(text: &str) -> Option<Size> {
    let is_shortest = text == "0" || !text.starts_with('0');
    let is_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_shortest || !is_digits {
        return None;
    }
    text.parse().ok().and_then(|size| Size::new(size).ok())
}

/// Signs `checkpoint` with both keys and gives the note as text.
///
/// The caller answers for never signing two heads that contradict each other (C2SP tlog-checkpoint).
#[must_use]
pub fn sign(checkpoint: &Checkpoint, keys: &CheckpointKeys, time: UnixSeconds) -> String {
    let public = keys.public();
    let text = checkpoint.text();
    let name = checkpoint.origin.as_str();
    let ed25519 = keys.secret().sign_ed25519(text.as_bytes());
    let ml_dsa = keys.secret().sign_ml_dsa(&checkpoint.cosigned_message(time));
    let first = signature_line(name, public.key_id(name, Required::Ed25519), &[ed25519.as_bytes()]);
    let second = signature_line(
        name,
        public.key_id(name, Required::MlDsa44),
        &[&time.0.to_be_bytes(), ml_dsa.as_bytes()],
    );
    format!("{text}\n{first}{second}")
}

/// Verifies both signatures of a note and gives the checkpoint (ledger-v1 §6.4).
///
/// The caller compares [`Checkpoint::origin`] with the origin of the ledger at hand, and the root with the tree.
///
/// # Errors
/// [`CheckpointError`] names the first check that failed.
pub fn verify(note: &[u8], keys: &CheckpointPublicKeys) -> Result<Checkpoint, CheckpointError> {
    let note = Note::parse(note)?;
    let checkpoint = Checkpoint::parse_text(note.text())?;
    let (ed25519, ml_dsa) = required_lines(&note, checkpoint.origin.as_str(), keys)?;
    let ed25519 = Ed25519Signature::try_from(ed25519.signature()).map_err(|_| CheckpointError::SignatureLength {
        required: Required::Ed25519,
        bytes: ed25519.signature().len(),
    })?;
    let (time, ml_dsa) = timed_signature(ml_dsa)?;
    keys.public()
        .verify_ed25519(note.text().as_bytes(), &ed25519)
        .map_err(CheckpointError::Signature)?;
    keys.public()
        .verify_ml_dsa(&checkpoint.cosigned_message(time), &ml_dsa)
        .map_err(CheckpointError::Signature)?;
    Ok(checkpoint)
}

/// Finds the two required lines, which come first and once.
fn required_lines<'l, 'n>(
    note: &'l Note<'n>,
    name: &str,
    keys: &CheckpointPublicKeys,
) -> Result<(&'l SignatureLine<'n>, &'l SignatureLine<'n>), CheckpointError> {
    let find = |place: usize, required: Required| {
        let key_id = keys.key_id(name, required);
        let mut known = note
            .signatures()
            .iter()
            .enumerate()
            .filter(|(_, line)| is_from(line, name, key_id));
        let (found, line) = known.next().ok_or(CheckpointError::Missing(required))?;
        if found != place {
            return Err(CheckpointError::Misplaced {
                required,
                line: found + 1,
            });
        }
        match known.next() {
            Some((again, _)) => Err(CheckpointError::Repeated {
                required,
                line: again + 1,
            }),
            None => Ok(line),
        }
    };
    Ok((find(0, Required::Ed25519)?, find(1, Required::MlDsa44)?))
}

fn is_from(line: &SignatureLine<'_>, name: &str, key_id: KeyId) -> bool {
    line.name() == name && line.key_id() == key_id
}

/// Splits `timestamped_signature` of C2SP tlog-cosignature: eight bytes of time, then the signature.
fn timed_signature(line: &SignatureLine<'_>) -> Result<(UnixSeconds, MlDsaSignature), CheckpointError> {
    let bytes = line.signature().len();
    let wrong_length = || CheckpointError::SignatureLength {
        required: Required::MlDsa44,
        bytes,
    };
    let (time, signature) = line.signature().split_first_chunk::<8>().ok_or_else(wrong_length)?;
    let signature = MlDsaSignature::try_from(signature).map_err(|_| wrong_length())?;
    let time = u64::from_be_bytes(*time);
    Ok((
        UnixSeconds::new(time).ok_or(CheckpointError::TimeOutOfRange(time))?,
        signature,
    ))
}

#[cfg(test)]
#[path = "checkpoint_tests.rs"]
mod tests;
