//! Multikey: a public key as one self-describing text (W3C Controlled Identifiers 1.0 §2.2.2; identity-v1 §2.3).
//!
//! The text is the multibase encoding of the multicodec varint followed by the raw key. Each algorithm has
//! exactly one base here, as in the W3C vectors: Ed25519 base58btc, ML-DSA-44 base64url.

use thiserror::Error;

use crate::keys::{self, ED25519_PUBLIC_LEN, ML_DSA_PUBLIC_LEN, PublicKeyError};
use crate::multibase::{self, MultibaseError};

/// Multicodec 0xed `ed25519-pub` as a varint.
pub const ED25519_PUB_PREFIX: [u8; 2] = [0xed, 0x01];
/// Multicodec 0x1210 `mldsa-44-pub` as a varint.
pub const ML_DSA_44_PUB_PREFIX: [u8; 2] = [0x90, 0x24];

/// One public key of an algorithm that this crate verifies.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Multikey {
    /// An Ed25519 key that passed the strict checks.
    Ed25519([u8; ED25519_PUBLIC_LEN]),
    /// An ML-DSA-44 key.
    MlDsa44(Box<[u8; ML_DSA_PUBLIC_LEN]>),
}

impl Multikey {
    /// Parses a Multikey text of either algorithm, each in its own base only.
    ///
    /// # Errors
    /// [`MultikeyError`], one variant a check.
    pub fn parse(text: &str) -> Result<Self, MultikeyError> {
        if text.starts_with('u') {
            decode_ml_dsa(text).map(Self::MlDsa44)
        } else {
            decode_ed25519(text).map(Self::Ed25519)
        }
    }

    /// The text of this key; [`Multikey::parse`] gives the key back.
    #[must_use]
    pub fn to_text(&self) -> String {
        match self {
            Self::Ed25519(key) => encode_ed25519(key),
            Self::MlDsa44(key) => encode_ml_dsa(key),
        }
    }
}

/// Writes an Ed25519 public key: `z`, base58btc of `ed 01` and the key (48 characters).
#[must_use]
pub fn encode_ed25519(key: &[u8; ED25519_PUBLIC_LEN]) -> String {
    multibase::encode_base58btc(&[&ED25519_PUB_PREFIX[..], key].concat())
}

/// Writes an ML-DSA-44 public key: `u`, base64url of `90 24` and the key (1753 characters).
#[must_use]
pub fn encode_ml_dsa(key: &[u8; ML_DSA_PUBLIC_LEN]) -> String {
    multibase::encode_base64url(&[&ML_DSA_44_PUB_PREFIX[..], key].concat())
}

/// Reads an Ed25519 public key and applies the strict key checks.
///
/// # Errors
/// [`MultikeyError`], one variant a check.
pub fn decode_ed25519(text: &str) -> Result<[u8; ED25519_PUBLIC_LEN], MultikeyError> {
    let bytes = multibase::decode_base58btc(text)?;
    let key = strip_codec(&bytes, ED25519_PUB_PREFIX)?;
    keys::parse_ed25519(&key)?;
    Ok(key)
}

/// Reads an ML-DSA-44 public key.
///
/// # Errors
/// [`MultikeyError`], one variant a check.
pub fn decode_ml_dsa(text: &str) -> Result<Box<[u8; ML_DSA_PUBLIC_LEN]>, MultikeyError> {
    let bytes = multibase::decode_base64url(text)?;
    strip_codec(&bytes, ML_DSA_44_PUB_PREFIX).map(Box::new)
}

/// Takes the codec's two bytes off and demands exactly `N` bytes of key.
pub(crate) fn strip_codec<const N: usize>(bytes: &[u8], codec: [u8; 2]) -> Result<[u8; N], MultikeyError> {
    let key = bytes.strip_prefix(&codec).ok_or_else(|| MultikeyError::Codec {
        found: bytes.iter().copied().take(2).collect(),
        expected: codec,
    })?;
    key.try_into().map_err(|_| MultikeyError::Length {
        len: key.len(),
        expected: N,
    })
}

/// Why a text is not a Multikey of the expected algorithm.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MultikeyError {
    /// Not the multibase encoding that this algorithm uses.
    #[error(transparent)]
    Multibase(#[from] MultibaseError),
    /// Another multicodec than the one this place requires.
    #[error("multicodec {found:02x?} instead of {expected:02x?}")]
    Codec {
        /// The first two bytes found, fewer if there are fewer.
        found: Vec<u8>,
        /// The varint of the required codec.
        expected: [u8; 2],
    },
    /// The key has not the length of its algorithm.
    #[error("key has {len} bytes instead of {expected}")]
    Length {
        /// Bytes found after the codec.
        len: usize,
        /// Bytes of a key of that algorithm.
        expected: usize,
    },
    /// The Ed25519 key fails the strict checks.
    #[error(transparent)]
    Key(#[from] PublicKeyError),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{HybridSecret, Seed32};

    fn public() -> crate::keys::HybridPublic {
        HybridSecret::from_seeds(Seed32::new([1; 32]), Seed32::new([2; 32]))
            .public()
            .clone()
    }

    #[test]
    fn both_algorithms_round_trip_with_their_usual_prefix() -> Result<(), MultikeyError> {
        let key = public();
        let ed = encode_ed25519(key.ed25519_bytes());
        let ml = encode_ml_dsa(key.ml_dsa_bytes());
        assert!(ed.starts_with("z6Mk") && ed.len() == 48, "{ed}");
        assert!(ml.starts_with("ukCQ") || ml.starts_with("ukCR") || ml.starts_with("ukCS") || ml.starts_with("ukCT"));
        assert_eq!(ml.len(), 1753);
        assert_eq!(Multikey::parse(&ed)?.to_text(), ed);
        assert_eq!(Multikey::parse(&ml)?.to_text(), ml);
        Ok(())
    }

    #[test]
    fn another_codec_is_refused() {
        let x25519 = multibase::encode_base58btc(&[&[0xec, 0x01][..], &[9; 32]].concat());
        assert!(matches!(Multikey::parse(&x25519), Err(MultikeyError::Codec { .. })));
        let ml_dsa_65 = multibase::encode_base64url(&[&[0x91, 0x24][..], &[0; 1312]].concat());
        assert!(matches!(Multikey::parse(&ml_dsa_65), Err(MultikeyError::Codec { .. })));
        assert!(matches!(Multikey::parse("z"), Err(MultikeyError::Codec { .. })));
    }

    #[test]
    fn each_algorithm_has_one_base_only() {
        let key = public();
        let ed_in_base64 = multibase::encode_base64url(&[&ED25519_PUB_PREFIX[..], key.ed25519_bytes()].concat());
        assert!(matches!(
            Multikey::parse(&ed_in_base64),
            Err(MultikeyError::Codec { .. })
        ));
        let ml_in_base58 = multibase::encode_base58btc(&[&ML_DSA_44_PUB_PREFIX[..], key.ml_dsa_bytes()].concat());
        assert!(matches!(
            Multikey::parse(&ml_in_base58),
            Err(MultikeyError::Codec { .. })
        ));
    }

    #[test]
    fn a_short_long_or_weak_key_is_refused() {
        let text = |key: &[u8]| multibase::encode_base58btc(&[&ED25519_PUB_PREFIX[..], key].concat());
        assert!(matches!(
            decode_ed25519(&text(&[9; 31])),
            Err(MultikeyError::Length { len: 31, expected: 32 })
        ));
        assert!(matches!(
            decode_ed25519(&text(&[9; 33])),
            Err(MultikeyError::Length { len: 33, expected: 32 })
        ));
        assert_eq!(
            decode_ed25519(&text(&[0; 32])),
            Err(MultikeyError::Key(PublicKeyError::SmallOrder))
        );
    }
}
