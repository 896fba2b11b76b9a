//! Extensions: text keys that are hashed, signed and shown, and decide nothing (statement-v1 §7).

use serde_json::{Map, Value};

use crate::cbor::{DecodeError, Decoder, Encoder, Major, Problem};
use crate::field::Field;
use crate::number::INTEGER_MAX;

/// Greatest nesting below the extension map.
pub const EXT_DEPTH_MAX: usize = 4;
/// Greatest encoded length.
pub const EXT_BYTES_MAX: usize = 4_096;

/// A checked extension map, kept as its canonical bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ext(Vec<u8>);

impl Ext {
    /// Checks that `bytes` are a canonical, non-empty map with text keys within the limits.
    ///
    /// # Errors
    /// [`DecodeError`] at the first byte that is wrong.
    pub fn new(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut from = Decoder::new(bytes);
        let ext = Self::decode(&mut from)?;
        from.finish()?;
        Ok(ext)
    }
}

impl Field for Ext {
    fn encode(&self, to: &mut Encoder) {
        to.raw(&self.0);
    }

    fn decode(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let start = from.offset();
        let len = from.map(EXT_BYTES_MAX)?;
        if len == 0 {
            return Decoder::error(
                start,
                Problem::Length {
                    min: 1,
                    max: EXT_BYTES_MAX,
                },
            );
        }
        pairs(from, len, 1)?;
        let bytes = from.since(start);
        if bytes.len() > EXT_BYTES_MAX {
            return Decoder::error(
                start,
                Problem::Length {
                    min: 1,
                    max: EXT_BYTES_MAX,
                },
            );
        }
        Ok(Self(bytes.to_vec()))
    }

    fn to_json(&self) -> Value {
        item(&mut Decoder::new(&self.0), 0).unwrap_or(Value::Null)
    }
}

fn item(from: &mut Decoder<'_>, depth: usize) -> Result<Value, DecodeError> {
    let start = from.offset();
    if depth > EXT_DEPTH_MAX {
        return Decoder::error(start, Problem::Depth(EXT_DEPTH_MAX));
    }
    let mut ahead = from.clone();
    let (major, value) = ahead.head()?;
    let len = usize::try_from(value).unwrap_or(usize::MAX);
    match major {
        Major::Uint => from.uint53().map(Value::from),
        Major::Negative if value >= INTEGER_MAX => Decoder::error(start, Problem::IntegerTooLarge),
        Major::Negative => {
            *from = ahead;
            Ok(Value::from(-1 - i64::try_from(value).unwrap_or(i64::MAX - 1)))
        }
        Major::Bytes => Ok(data_encoding::HEXLOWER.encode(from.bytes(0, EXT_BYTES_MAX)?).into()),
        Major::Text => from.text(EXT_BYTES_MAX).map(Value::from),
        Major::Array => {
            *from = ahead;
            (0..len).map(|_| item(from, depth + 1)).collect()
        }
        Major::Map => {
            *from = ahead;
            pairs(from, len, depth + 1)
        }
        Major::Tag => Decoder::error(start, Problem::Tag),
        Major::Simple => {
            *from = ahead;
            Ok(match value {
                20 => Value::Bool(false),
                21 => Value::Bool(true),
                _ => Value::Null,
            })
        }
    }
}

/// Text keys in bytewise order of their encodings: shorter first, then by bytes (RFC 8949 §4.2.1 over encoded keys).
fn pairs(from: &mut Decoder<'_>, len: usize, depth: usize) -> Result<Value, DecodeError> {
    let mut object = Map::new();
    let mut last: Option<Vec<u8>> = None;
    for _ in 0..len {
        let start = from.offset();
        let key = from.text(EXT_BYTES_MAX)?;
        let encoded = from.since(start).to_vec();
        match last {
            Some(last) if last == encoded => return Decoder::error(start, Problem::DuplicateKey),
            Some(last) if last > encoded => return Decoder::error(start, Problem::UnsortedKeys),
            _ => last = Some(encoded),
        }
        object.insert(key.to_owned(), item(from, depth)?);
    }
    Ok(object.into())
}
