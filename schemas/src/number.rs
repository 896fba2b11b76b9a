//! Unsigned integers of at most 2^53 − 1, one type a meaning so that they cannot be swapped.

use std::fmt;

use serde_json::Value;

use crate::cbor::{DecodeError, Decoder, Encoder};
use crate::field::Field;

/// The largest integer the formats hold: every JSON reader represents it exactly.
pub const INTEGER_MAX: u64 = (1 << 53) - 1;

/// Why a number is not one of the formats' integers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} is greater than 2^53 - 1")]
pub struct OutOfRange(pub u64);

macro_rules! integers {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(u64);

        impl $name {
            /// Zero.
            pub const ZERO: Self = Self(0);

            /// Checks the bound.
            ///
            /// # Errors
            /// [`OutOfRange`] above 2^53 − 1.
            pub const fn new(value: u64) -> Result<Self, OutOfRange> {
                if value > INTEGER_MAX { Err(OutOfRange(value)) } else { Ok(Self(value)) }
            }

            /// The value, or the largest one when `value` is greater.
            #[must_use]
            pub const fn clamped(value: u64) -> Self {
                if value > INTEGER_MAX { Self(INTEGER_MAX) } else { Self(value) }
            }

            /// The bare number.
            #[must_use]
            pub const fn get(self) -> u64 {
                self.0
            }

            /// The sum, if it keeps the bound.
            #[must_use]
            pub const fn checked_add(self, other: Self) -> Option<Self> {
                match self.0.checked_add(other.0) {
                    Some(sum) if sum <= INTEGER_MAX => Some(Self(sum)),
                    _ => None,
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

integers! {
    /// The place of an entry in its ledger; the first is 0.
    Seq;
    /// A number of entries.
    Size;
    /// Milliseconds since 1970-01-01T00:00:00Z, or a duration in milliseconds where a field says so.
    Millis;
    /// A plain count: an author's counter, calls, tokens, micro-USD, bytes.
    Count;
}

impl Seq {
    /// The number of entries up to and including this one; saturates at the bound.
    #[must_use]
    pub const fn size(self) -> Size {
        Size::clamped(self.0 + 1)
    }
}

impl Size {
    /// The place of the entry that comes after this many.
    #[must_use]
    pub const fn next_seq(self) -> Seq {
        Seq(self.0)
    }
}

impl Count {
    /// The next count; saturates at the bound.
    #[must_use]
    pub const fn next(self) -> Self {
        Self::clamped(self.0 + 1)
    }
}

impl Field for Seq {
    fn encode(&self, to: &mut Encoder) {
        to.uint(self.0);
    }
    fn decode(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        from.uint53().map(Self)
    }
    fn to_json(&self) -> Value {
        self.0.into()
    }
    fn entries(&self, into: &mut Vec<Seq>) {
        into.push(*self);
    }
}

macro_rules! plain_fields {
    ($($name:ident)*) => {$(
        impl Field for $name {
            fn encode(&self, to: &mut Encoder) {
                to.uint(self.0);
            }
            fn decode(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
                from.uint53().map(Self)
            }
            fn to_json(&self) -> Value {
                self.0.into()
            }
        }
    )*};
}
plain_fields! { Size Millis Count }
