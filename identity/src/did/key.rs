//! `did:key`: a DID that is one public key (did:key method, W3C CCG). For interoperability only.
//!
//! A `did:key` holds one key, so it can never be one of our own parties: a second proof would not be authorised
//! by the issuer's document. Only Ed25519 and ML-DSA-44 are read.

use super::{DID_LEN_MAX, DidError};
use crate::multikey::Multikey;

const METHOD: &str = "did:key:";

/// Reads `did:key:MULTIKEY`, or the URL of its verification method, `did:key:MULTIKEY#MULTIKEY`.
///
/// # Errors
/// [`DidError::TooLong`], [`DidError::Method`], [`DidError::Fragment`] if the fragment is not the key again,
/// [`DidError::Key`].
pub fn parse(text: &str) -> Result<Multikey, DidError> {
    if text.len() > DID_LEN_MAX {
        return Err(DidError::TooLong { len: text.len() });
    }
    let rest = text.strip_prefix(METHOD).ok_or(DidError::Method { expected: METHOD })?;
    let multikey = match rest.split_once('#') {
        Some((multikey, fragment)) if multikey != fragment => return Err(DidError::Fragment),
        Some((multikey, _)) => multikey,
        None => rest,
    };
    Ok(Multikey::parse(multikey)?)
}

/// Writes the DID of a key.
#[must_use]
pub fn encode(key: &Multikey) -> String {
    format!("{METHOD}{}", key.to_text())
}
