//! A statement: what one instance says, before it is signed (statement-v1 §4).

use serde_json::Value;

use crate::body::Body;
use crate::cbor::{DecodeError, Decoder, Encoder, Keys, Problem, check_canonical};
use crate::digest::{Digest, Link};
use crate::ext::Ext;
use crate::field::Field;
use crate::kind::Kind;
use crate::number::{Count, Millis, Seq, Size};

/// Content type in the protected header of every statement.
pub const CONTENT_TYPE: &str = "application/countersign-statement+cbor";

/// The head of the ledger that an author had seen when it signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Number of entries seen.
    pub size: Size,
    /// Link of the last of them; 32 zero bytes when there was none.
    pub link: Link,
}

impl Field for Seen {
    fn encode(&self, to: &mut Encoder) {
        to.array(2);
        self.size.encode(to);
        self.link.encode(to);
    }
    fn decode(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        from.array(2, 2)?;
        Ok(Self {
            size: Field::decode(from)?,
            link: Field::decode(from)?,
        })
    }
    fn to_json(&self) -> Value {
        serde_json::json!({ "size": self.size.get(), "link": self.link.to_string() })
    }
}

/// One statement in decoded form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Introduction of the author; 0 is the opener.
    pub by: Seq,
    /// The author's own counter, from 0, without gaps.
    pub n: Count,
    /// When the author made it, by the host's clock.
    pub at: Millis,
    /// The head it had seen.
    pub seen: Seen,
    /// What it says.
    pub body: Body,
    /// Extensions: signed and shown, never decisive.
    pub ext: Option<Ext>,
}

impl Statement {
    /// The kind of its body.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.body.kind()
    }

    /// The canonical encoding: the COSE payload.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut to = Encoder::new();
        to.map(6 + usize::from(self.ext.is_some()));
        to.uint(1);
        self.kind().encode(&mut to);
        to.uint(2);
        self.by.encode(&mut to);
        to.uint(3);
        self.n.encode(&mut to);
        to.uint(4);
        self.at.encode(&mut to);
        to.uint(5);
        self.seen.encode(&mut to);
        to.uint(6);
        self.body.encode(&mut to);
        if let Some(ext) = &self.ext {
            to.uint(7);
            ext.encode(&mut to);
        }
        to.finish()
    }

    /// Reads the canonical encoding.
    ///
    /// # Errors
    /// [`DecodeError`] at the first byte that is wrong; [`DecodeError::is_newer`] tells a newer format from damage.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        Self::decode_known(bytes).or_else(|error| {
            if error.is_newer() {
                // What follows the unknown part was not read: only canonical bytes can be a newer format.
                check_canonical(bytes)?;
            }
            Err(error)
        })
    }

    fn decode_known(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut from = Decoder::new(bytes);
        let mut keys = Keys::begin(&mut from, 16)?;
        let kind = {
            expect_key(&mut keys, &mut from, 1)?;
            decode_kind(&mut from)?
        };
        expect_key(&mut keys, &mut from, 2)?;
        let by = Field::decode(&mut from)?;
        expect_key(&mut keys, &mut from, 3)?;
        let n = Field::decode(&mut from)?;
        expect_key(&mut keys, &mut from, 4)?;
        let at = Field::decode(&mut from)?;
        expect_key(&mut keys, &mut from, 5)?;
        let seen = Field::decode(&mut from)?;
        expect_key(&mut keys, &mut from, 6)?;
        let body = Body::decode(kind, &mut from)?;
        let start = from.offset();
        let ext = match keys.next(&mut from)? {
            None => None,
            Some(7) => Some(Ext::decode(&mut from)?),
            Some(key) => return Decoder::error(start, Problem::NewerKey(key)),
        };
        let start = from.offset();
        if let Some(key) = keys.next(&mut from)? {
            return Decoder::error(start, Problem::NewerKey(key));
        }
        from.finish()?;
        Ok(Self {
            by,
            n,
            at,
            seen,
            body,
            ext,
        })
    }

    /// SHA-256 of the encoding: how orders name an entry.
    #[must_use]
    pub fn digest(encoded: &[u8]) -> Digest {
        Digest::sha256(encoded)
    }
}

fn expect_key(keys: &mut Keys, from: &mut Decoder<'_>, expected: u64) -> Result<(), DecodeError> {
    let start = from.offset();
    match keys.next(from)? {
        Some(key) if key == expected => Ok(()),
        Some(key) if key == 0 || key > 7 => Decoder::error(start, Problem::NewerKey(key)),
        _ => Decoder::error(start, Problem::MissingKey(expected)),
    }
}

fn decode_kind(from: &mut Decoder<'_>) -> Result<Kind, DecodeError> {
    let offset = from.offset();
    let code = from.uint53()?;
    Kind::from_code(code).ok_or(DecodeError {
        offset,
        problem: Problem::NewerKind(code),
    })
}

#[cfg(test)]
#[path = "statement_tests.rs"]
mod tests;
