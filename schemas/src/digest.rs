//! 32-byte values, one type a meaning.

use std::fmt;
use std::str::FromStr;

use data_encoding::HEXLOWER;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::cbor::{DecodeError, Decoder, Encoder};
use crate::field::Field;

/// Why a text is not a 32-byte value in hex.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not 64 lower-case hex digits")]
pub struct NotHex;

macro_rules! values {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 32]);

        impl $name {
            /// Takes the bytes as they are.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// The bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&HEXLOWER.encode(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = NotHex;

            fn from_str(text: &str) -> Result<Self, NotHex> {
                let bytes = HEXLOWER.decode(text.as_bytes()).map_err(|_| NotHex)?;
                bytes.try_into().map(Self).map_err(|_| NotHex)
            }
        }

        impl Field for $name {
            fn encode(&self, to: &mut Encoder) {
                to.bytes(&self.0);
            }
            fn decode(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
                from.array_bytes().map(Self)
            }
            fn to_json(&self) -> Value {
                self.to_string().into()
            }
        }
    )*};
}

values! {
    /// The chain hash of an entry: BLAKE3 over its record (statement-v1 §3).
    Link;
    /// The salted SHA-256 of a payload.
    Commitment;
    /// A plain SHA-256.
    Digest;
    /// The identity of a ledger: SHA-256 of its genesis statement.
    LedgerId;
}

impl Digest {
    /// SHA-256 of `bytes` (FIPS 180-4).
    #[must_use]
    pub fn sha256(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

/// A SHA-256 of bytes that come piece by piece.
#[derive(Clone, Default)]
pub struct DigestStream(Sha256);

impl DigestStream {
    /// Takes the next piece.
    pub fn push(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// SHA-256 of all pieces, one after the other.
    #[must_use]
    pub fn finish(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

impl LedgerId {
    /// The id of the ledger whose genesis statement (COSE payload) is `statement`.
    #[must_use]
    pub fn of_genesis(statement: &[u8]) -> Self {
        Self(Sha256::digest(statement).into())
    }
}
