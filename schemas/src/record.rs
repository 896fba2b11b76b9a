//! A record: a signed statement at its place in the chain.

use crate::cbor::{DecodeError, Decoder, Encoder, Problem};
use crate::digest::Link;
use crate::field::Field;
use crate::number::{Millis, Seq};

/// Greatest length of an encoded record (C2SP tile entries carry a 16-bit length).
pub const RECORD_BYTES_MAX: usize = 65_535;
/// Greatest length of a signed statement.
pub const STATEMENT_BYTES_MAX: usize = 65_000;
/// First item of a record.
const VERSION: u64 = 1;

/// `[1, seq, received, prev, statement]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Place in the ledger.
    pub seq: Seq,
    /// When the writer took the statement in, by its own clock.
    pub received: Millis,
    /// Link of the record before.
    pub prev: Link,
    /// The signed statement: a COSE message.
    pub statement: Vec<u8>,
}

impl Record {
    /// The canonical encoding.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut to = Encoder::new();
        to.array(5);
        to.uint(VERSION);
        self.seq.encode(&mut to);
        self.received.encode(&mut to);
        self.prev.encode(&mut to);
        to.bytes(&self.statement);
        to.finish()
    }

    /// Reads the canonical encoding.
    ///
    /// # Errors
    /// [`DecodeError`] at the first byte that is wrong.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.len() > RECORD_BYTES_MAX {
            return Decoder::error(
                0,
                Problem::Length {
                    min: 1,
                    max: RECORD_BYTES_MAX,
                },
            );
        }
        let mut from = Decoder::new(bytes);
        from.array(5, 5)?;
        let offset = from.offset();
        if from.uint53()? != VERSION {
            return Decoder::error(offset, Problem::Constant("version 1"));
        }
        let record = Self {
            seq: Field::decode(&mut from)?,
            received: Field::decode(&mut from)?,
            prev: Field::decode(&mut from)?,
            statement: from.bytes(1, STATEMENT_BYTES_MAX)?.to_vec(),
        };
        from.finish()?;
        Ok(record)
    }
}
