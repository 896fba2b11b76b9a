//! Texts of the chain: ASCII, bounded, without anything a terminal or a reader could be deceived with.

use std::fmt;

use serde_json::Value;

use crate::cbor::{DecodeError, Decoder, Encoder, Problem};
use crate::field::Field;

/// Why a text is not what its type promises.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Shorter or longer than the type allows.
    #[error("{what} is {len_bytes} bytes long, allowed are {min} to {max}")]
    Length {
        /// The type's name in the specification.
        what: &'static str,
        /// Length found.
        len_bytes: usize,
        /// Least length.
        min: usize,
        /// Greatest length.
        max: usize,
    },
    /// A character outside the type's alphabet.
    #[error("{what} contains a character that is not allowed")]
    Alphabet {
        /// The type's name in the specification.
        what: &'static str,
    },
}

macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident, $what:literal, $min:literal..=$max:literal, $alphabet:expr, $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// Checks length and alphabet.
            ///
            /// # Errors
            /// [`TextError`] names what is wrong.
            pub fn new(text: impl Into<String>) -> Result<Self, TextError> {
                let text = text.into();
                if text.len() < $min || text.len() > $max {
                    return Err(TextError::Length { what: $what, len_bytes: text.len(), min: $min, max: $max });
                }
                let allowed: fn(u8) -> bool = $alphabet;
                if !text.bytes().all(allowed) || !text.starts_with($prefix) {
                    return Err(TextError::Alphabet { what: $what });
                }
                Ok(Self(text))
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Field for $name {
            fn encode(&self, to: &mut Encoder) {
                to.text(&self.0);
            }
            fn decode(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
                let offset = from.offset();
                let text = from.text($max)?;
                Self::new(text).map_err(|_| DecodeError { offset, problem: Problem::Text($what) })
            }
            fn to_json(&self) -> Value {
                self.0.clone().into()
            }
        }
    )*};
}

texts! {
    /// A name: `[A-Za-z0-9._:/@+-]{1,64}`.
    Name, "name", 1..=64, |byte| byte.is_ascii_alphanumeric() || b"._:/@+-".contains(&byte), "";
    /// A decentralised identifier (W3C DID Core), short or long: 8 to 8,192 characters `[A-Za-z0-9._:%-]`, beginning with `did:`.
    Did, "did", 8..=8192, |byte| byte.is_ascii_alphanumeric() || b"._:%-".contains(&byte), "did:";
    /// The origin line of a ledger's checkpoints: `[A-Za-z0-9._/-]{1,128}`.
    Origin, "origin", 1..=128, |byte| byte.is_ascii_alphanumeric() || b"._/-".contains(&byte), "";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_refuse_spaces_controls_and_excess() {
        for bad in ["", "a b", "a\n", "é", "a\u{202e}b", &"x".repeat(65)] {
            assert!(Name::new(bad).is_err(), "{bad:?}");
        }
        assert!(Name::new("anthropic/claude-x:1.0@eu+a_".replace('_', "")).is_ok());
    }

    #[test]
    fn dids_begin_with_did() {
        assert!(Did::new("peer:4zQmabc").is_err());
        assert!(Did::new("did:peer:4zQmabc").is_ok());
    }
}
