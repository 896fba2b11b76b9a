//! Arrays with a least and a greatest length, and byte strings with limits.

use std::ops::Deref;

use data_encoding::HEXLOWER;
use serde_json::Value;

use crate::cbor::{DecodeError, Decoder, Encoder};
use crate::field::Field;
use crate::number::Seq;
use crate::payload::PayloadRef;

/// Why a list or a document cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("length {found} is outside {min} to {max}")]
pub struct LengthError {
    /// Length found.
    pub found: usize,
    /// Least length.
    pub min: usize,
    /// Greatest length.
    pub max: usize,
}

const fn check(found: usize, min: usize, max: usize) -> Result<(), LengthError> {
    if found < min || found > max {
        Err(LengthError { found, min, max })
    } else {
        Ok(())
    }
}

/// An array of `MIN..=MAX` items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List<T, const MIN: usize, const MAX: usize>(Vec<T>);

impl<T, const MIN: usize, const MAX: usize> List<T, MIN, MAX> {
    /// Checks the length.
    ///
    /// # Errors
    /// [`LengthError`] outside `MIN..=MAX`.
    pub fn new(items: Vec<T>) -> Result<Self, LengthError> {
        check(items.len(), MIN, MAX)?;
        Ok(Self(items))
    }
}

impl<T, const MIN: usize, const MAX: usize> Deref for List<T, MIN, MAX> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T: Field, const MIN: usize, const MAX: usize> Field for List<T, MIN, MAX> {
    fn encode(&self, to: &mut Encoder) {
        to.array(self.0.len());
        self.0.iter().for_each(|item| item.encode(to));
    }
    fn decode(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let len = from.array(MIN, MAX)?;
        (0..len).map(|_| T::decode(from)).collect::<Result<_, _>>().map(Self)
    }
    fn to_json(&self) -> Value {
        self.0.iter().map(T::to_json).collect()
    }
    fn entries(&self, into: &mut Vec<Seq>) {
        self.0.iter().for_each(|item| item.entries(into));
    }
    fn payloads<'a>(&'a self, into: &mut Vec<&'a PayloadRef>) {
        self.0.iter().for_each(|item| item.payloads(into));
    }
}

/// The greatest length of a document inside a body.
pub const DOC_BYTES_MAX: usize = 16_384;

/// A document carried inline: a credential, an order, a note. 1 to 16,384 bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Doc(Vec<u8>);

impl Doc {
    /// Checks the length; what the document says is not looked at.
    ///
    /// # Errors
    /// [`LengthError`] when empty or longer than 16,384 bytes.
    pub fn new(bytes: Vec<u8>) -> Result<Self, LengthError> {
        check(bytes.len(), 1, DOC_BYTES_MAX)?;
        Ok(Self(bytes))
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Field for Doc {
    fn encode(&self, to: &mut Encoder) {
        to.bytes(&self.0);
    }
    fn decode(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Ok(Self(from.bytes(1, DOC_BYTES_MAX)?.to_vec()))
    }
    fn to_json(&self) -> Value {
        serde_json::from_slice(&self.0).unwrap_or_else(|_| HEXLOWER.encode(&self.0).into())
    }
}

/// A byte string of exactly `N` bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Bytes<const N: usize>(pub Box<[u8; N]>);

impl<const N: usize> Bytes<N> {
    /// Takes the bytes as they are.
    #[must_use]
    pub fn new(bytes: [u8; N]) -> Self {
        Self(Box::new(bytes))
    }
}

impl<const N: usize> Field for Bytes<N> {
    fn encode(&self, to: &mut Encoder) {
        to.bytes(&*self.0);
    }
    fn decode(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        from.array_bytes().map(Self::new)
    }
    fn to_json(&self) -> Value {
        HEXLOWER.encode(&*self.0).into()
    }
}
