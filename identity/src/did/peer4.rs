//! The general encoding of `did:peer:4`: any JSON document, as the method's specification has it.
//!
//! Long form: `did:peer:4` ‖ hash ‖ `:` ‖ encoded document. The encoded document is base58btc over the varint of
//! multicodec 0x0200 (`80 04`) and the JSON bytes; the hash is base58btc over `12 20` and the SHA-256 of the
//! encoded document's *text*. The short form stops after the hash. Source: Peer DID Method Specification,
//! numalgo 4 (decentralized-identity/did-peer-4).

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{DID_LEN_MAX, DidError, ShortDid};
use crate::multibase;

const METHOD: &str = "did:peer:4";
const JSON_CODEC: [u8; 2] = [0x80, 0x04];
const SHA256_MULTIHASH: [u8; 2] = [0x12, 0x20];

/// A long-form DID taken apart: its short form and its document as JSON bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    /// The short form, whose hash is that of the document.
    pub short: ShortDid,
    /// The document exactly as encoded; no particular JSON spelling is required here.
    pub document: Vec<u8>,
}

/// Makes the long-form DID of a document, given as JSON bytes in whatever spelling shall be kept.
#[must_use]
pub fn encode(document: &[u8]) -> String {
    encode_parts(document).0
}

/// Takes a long-form DID apart and checks its hash and that the document is a JSON object.
///
/// # Errors
/// [`DidError`], one variant a check.
pub fn decode(long: &str) -> Result<Decoded, DidError> {
    let decoded = decode_hashed(long)?;
    match serde_json::from_slice(&decoded.document) {
        Ok(Value::Object(_)) => Ok(decoded),
        _ => Err(DidError::Json),
    }
}

pub(super) fn encode_parts(document: &[u8]) -> (String, ShortDid) {
    let encoded = multibase::encode_base58btc(&[&JSON_CODEC[..], document].concat());
    let short = format!("{METHOD}{}", hash_of(&encoded));
    (format!("{short}:{encoded}"), ShortDid(short.into()))
}

/// Checks everything but the document's content.
pub(super) fn decode_hashed(long: &str) -> Result<Decoded, DidError> {
    let (hash, encoded) = strip_method(long)?
        .split_once(':')
        .ok_or(DidError::Form { expected: "long" })?;
    check_multihash(hash)?;
    let expected = hash_of(encoded);
    if hash != expected {
        return Err(DidError::Hash {
            found: hash.to_owned(),
            expected,
        });
    }
    let bytes = multibase::decode_base58btc(encoded)?;
    let document = bytes.strip_prefix(&JSON_CODEC).ok_or(DidError::Codec)?;
    Ok(Decoded {
        short: ShortDid(format!("{METHOD}{hash}").into()),
        document: document.to_vec(),
    })
}

pub(super) fn strip_method(text: &str) -> Result<&str, DidError> {
    if text.len() > DID_LEN_MAX {
        return Err(DidError::TooLong { len: text.len() });
    }
    text.strip_prefix(METHOD).ok_or(DidError::Method { expected: METHOD })
}

pub(super) fn check_multihash(hash: &str) -> Result<(), DidError> {
    let bytes = multibase::decode_base58btc(hash)?;
    match bytes.strip_prefix(&SHA256_MULTIHASH) {
        Some(digest) if digest.len() == 32 => Ok(()),
        _ => Err(DidError::Multihash),
    }
}

fn hash_of(encoded: &str) -> String {
    let digest = Sha256::digest(encoded.as_bytes());
    multibase::encode_base58btc(&[&SHA256_MULTIHASH[..], &digest].concat())
}
