//! Payloads: content beside the chain, committed to by a salted hash so that it can be erased.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::cbor::{DecodeError, Decoder, Encoder};
use crate::code::codes;
use crate::digest::Commitment;
use crate::field::Field;
use crate::number::Count;

/// Domain separation of commitments (statement-v1 §6), followed by one zero byte.
pub const PAYLOAD_CONTEXT: &[u8] = b"countersign/1 payload\0";

/// The number of payloads one body can carry; a payload row is named by `seq × 8 + slot`.
pub const SLOTS_MAX: usize = 8;

/// The salt of one payload. It is erased together with the bytes; without it a guess cannot be tested.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Salt(pub [u8; 32]);

codes! {
    /// What may happen to a payload.
    PayloadClass 1 {
        /// Content: erasable on the principal's order.
        Content = 0 "content",
        /// Evidence that a verdict rests on (policies, schemas, entities): not erasable.
        Evidence = 1 "evidence",
    }
}

/// A payload as an entry refers to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayloadRef {
    /// Salted hash of the bytes.
    pub commitment: Commitment,
    /// Length of the bytes.
    pub length: Count,
    /// What may happen to it.
    pub class: PayloadClass,
}

impl PayloadRef {
    /// Commits to `bytes`.
    #[must_use]
    pub fn new(salt: &Salt, bytes: &[u8], class: PayloadClass) -> Self {
        Self {
            commitment: commit(salt, bytes),
            length: Count::clamped(bytes.len() as u64),
            class,
        }
    }

    /// Whether `bytes` under `salt` are what was committed to.
    #[must_use]
    pub fn matches(&self, salt: &Salt, bytes: &[u8]) -> bool {
        self.length.get() == bytes.len() as u64 && self.commitment == commit(salt, bytes)
    }
}

/// SHA-256(`"countersign/1 payload"` ‖ 0x00 ‖ salt ‖ bytes).
#[must_use]
pub fn commit(salt: &Salt, bytes: &[u8]) -> Commitment {
    let mut hash = Sha256::new();
    hash.update(PAYLOAD_CONTEXT);
    hash.update(salt.0);
    hash.update(bytes);
    Commitment::from_bytes(hash.finalize().into())
}

impl Field for PayloadRef {
    fn encode(&self, to: &mut Encoder) {
        to.array(3);
        self.commitment.encode(to);
        self.length.encode(to);
        self.class.encode(to);
    }
    fn decode(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        from.array(3, 3)?;
        Ok(Self {
            commitment: Field::decode(from)?,
            length: Field::decode(from)?,
            class: Field::decode(from)?,
        })
    }
    fn to_json(&self) -> Value {
        json!({
            "commitment": self.commitment.to_string(),
            "length": self.length.get(),
            "class": self.class.as_str(),
        })
    }
    fn payloads<'a>(&'a self, into: &mut Vec<&'a PayloadRef>) {
        into.push(self);
    }
}
