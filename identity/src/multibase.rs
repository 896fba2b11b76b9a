//! The two multibase encodings in use: base58btc (`z`) and base64url without padding (`u`).
//!
//! Decoding is canonical (one text per byte string: no padding, no non-zero trailing bits, no other alphabet)
//! and bounded before any work is done. Source: draft-multiformats-multibase; identity-v1 §2.2.

use data_encoding::BASE64URL_NOPAD;
use thiserror::Error;

use crate::base58;

/// Longest text that either decoder reads: the limit of a `did` in a statement, and far above any key.
pub const TEXT_LEN_MAX: usize = 8192;

/// Encodes `bytes` as base58btc with the prefix `z`.
#[must_use]
pub fn encode_base58btc(bytes: &[u8]) -> String {
    let mut text = base58::encode(bytes);
    text.insert(0, 'z');
    text
}

/// Encodes `bytes` as base64url without padding, with the prefix `u`.
#[must_use]
pub fn encode_base64url(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(1 + BASE64URL_NOPAD.encode_len(bytes.len()));
    text.push('u');
    BASE64URL_NOPAD.encode_append(bytes, &mut text);
    text
}

/// Decodes a base58btc text with its prefix `z`.
///
/// # Errors
/// Every [`MultibaseError`] variant, with [`MultibaseError::Prefix`] for any other base.
pub fn decode_base58btc(text: &str) -> Result<Vec<u8>, MultibaseError> {
    let digits = strip_prefix(text, 'z')?;
    base58::decode(digits).map_err(|at| MultibaseError::Character { at: at + 1 })
}

/// Decodes a base64url text with its prefix `u`.
///
/// # Errors
/// Every [`MultibaseError`] variant, with [`MultibaseError::Prefix`] for any other base.
pub fn decode_base64url(text: &str) -> Result<Vec<u8>, MultibaseError> {
    let digits = strip_prefix(text, 'u')?;
    BASE64URL_NOPAD
        .decode(digits.as_bytes())
        .map_err(|error| match error.kind {
            data_encoding::DecodeKind::Symbol => MultibaseError::Character { at: error.position + 1 },
            _ => MultibaseError::NotCanonical { at: error.position + 1 },
        })
}

fn strip_prefix(text: &str, expected: char) -> Result<&str, MultibaseError> {
    if text.len() > TEXT_LEN_MAX {
        return Err(MultibaseError::TooLong { len: text.len() });
    }
    text.strip_prefix(expected).ok_or(MultibaseError::Prefix { expected })
}

/// Why a text is not one of the two multibase encodings.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MultibaseError {
    /// Longer than [`TEXT_LEN_MAX`].
    #[error("multibase text of {len} bytes is longer than {TEXT_LEN_MAX}")]
    TooLong {
        /// Length of the text in bytes.
        len: usize,
    },
    /// The first character names another base, or is missing.
    #[error("multibase text does not begin with `{expected}`")]
    Prefix {
        /// The prefix that this place requires.
        expected: char,
    },
    /// A character outside the base's alphabet, padding included.
    #[error("byte {at} of the multibase text is outside the alphabet")]
    Character {
        /// Byte offset in the text, prefix included.
        at: usize,
    },
    /// A length or trailing bits that no encoder produces.
    #[error("multibase text is not the canonical encoding of its bytes (at byte {at})")]
    NotCanonical {
        /// Byte offset in the text, prefix included.
        at: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_bases_round_trip() {
        for bytes in [&b""[..], &[0], &[0, 0, 1], b"countersign"] {
            assert_eq!(decode_base58btc(&encode_base58btc(bytes)).as_deref(), Ok(bytes));
            assert_eq!(decode_base64url(&encode_base64url(bytes)).as_deref(), Ok(bytes));
        }
    }

    #[test]
    fn another_base_or_no_prefix_is_refused() {
        for text in ["", "Z2", "f00", "U", "mAA", "é"] {
            assert_eq!(decode_base58btc(text), Err(MultibaseError::Prefix { expected: 'z' }));
        }
        for text in ["", "z2", "UAA", "mAA"] {
            assert_eq!(decode_base64url(text), Err(MultibaseError::Prefix { expected: 'u' }));
        }
    }

    #[test]
    fn padding_whitespace_and_foreign_alphabets_are_refused() {
        for (text, at) in [("uAA==", 3), ("uA+A", 2), ("uA/A", 2), ("uAA\n", 3), ("u AA", 1)] {
            assert_eq!(
                decode_base64url(text),
                Err(MultibaseError::Character { at }),
                "{text:?}"
            );
        }
        assert_eq!(decode_base58btc("z20"), Err(MultibaseError::Character { at: 2 }));
    }

    #[test]
    fn non_zero_trailing_bits_and_impossible_lengths_are_refused() {
        assert_eq!(decode_base64url("uAB"), Err(MultibaseError::NotCanonical { at: 2 }));
        assert!(matches!(
            decode_base64url("uA"),
            Err(MultibaseError::NotCanonical { .. })
        ));
    }

    #[test]
    fn overlong_text_is_refused_before_decoding() {
        let text = format!("z{}", "2".repeat(TEXT_LEN_MAX));
        assert_eq!(
            decode_base58btc(&text),
            Err(MultibaseError::TooLong { len: TEXT_LEN_MAX + 1 })
        );
    }
}
