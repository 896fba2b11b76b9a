//! The two cryptosuites, one proof at a time: `eddsa-jcs-2022` and `mldsa44-jcs-2024`.
//!
//! Both hash the same way: SHA-256 of the canonical proof options, then SHA-256 of the canonical document, 64 bytes
//! together, and those bytes are the message that is signed. Sources: W3C vc-di-eddsa §3.3, W3C CCG
//! di-quantum-safe §3.1; checked byte for byte against the published vectors of both.

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::jcs::{self, JcsError};
use crate::keys::{Ed25519Signature, HybridPublic, HybridSecret, MlDsaSignature};
use crate::multibase;
use crate::proof::ProofError;

/// One of the two cryptosuites.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Suite {
    /// `eddsa-jcs-2022`: Ed25519 over JCS, proof value in base58btc.
    EddsaJcs2022,
    /// `mldsa44-jcs-2024`: ML-DSA-44 over JCS, proof value in base64url.
    MlDsa44Jcs2024,
}

impl Suite {
    /// Both, in the order in which a proof set holds them.
    pub const ALL: [Self; 2] = [Self::EddsaJcs2022, Self::MlDsa44Jcs2024];

    /// The name in the member `cryptosuite`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::EddsaJcs2022 => "eddsa-jcs-2022",
            Self::MlDsa44Jcs2024 => "mldsa44-jcs-2024",
        }
    }

    /// Signs and encodes: the value of the member `proofValue`.
    #[must_use]
    pub fn sign(self, key: &HybridSecret, hash_data: &HashData) -> String {
        match self {
            Self::EddsaJcs2022 => multibase::encode_base58btc(key.sign_ed25519(&hash_data.0).as_bytes()),
            Self::MlDsa44Jcs2024 => multibase::encode_base64url(key.sign_ml_dsa(&hash_data.0).as_bytes()),
        }
    }

    /// Decodes and verifies a `proofValue`.
    ///
    /// # Errors
    /// [`ProofError::Encoding`] and [`ProofError::Signature`].
    pub fn verify(self, key: &HybridPublic, hash_data: &HashData, proof_value: &str) -> Result<(), ProofError> {
        let encoding = |source| ProofError::Encoding { suite: self, source };
        let signature = |source| ProofError::Signature { suite: self, source };
        match self {
            Self::EddsaJcs2022 => {
                let bytes = multibase::decode_base58btc(proof_value).map_err(encoding)?;
                let value = Ed25519Signature::try_from(&bytes[..]).map_err(signature)?;
                key.verify_ed25519(&hash_data.0, &value).map_err(signature)
            }
            Self::MlDsa44Jcs2024 => {
                let bytes = multibase::decode_base64url(proof_value).map_err(encoding)?;
                let value = MlDsaSignature::try_from(&bytes[..]).map_err(signature)?;
                key.verify_ml_dsa(&hash_data.0, &value).map_err(signature)
            }
        }
    }
}

/// SHA-256 of a canonical document without its `proof`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentHash([u8; 32]);

impl DocumentHash {
    /// Hashes a document from which `proof` was removed.
    ///
    /// # Errors
    /// [`JcsError::Write`] for a number without canonical form.
    pub fn of(unsecured: &Value) -> Result<Self, JcsError> {
        Ok(Self(Sha256::digest(jcs::canonicalize(unsecured)?).into()))
    }
}

/// The 64 bytes that a suite signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HashData([u8; 64]);

impl HashData {
    /// Joins the hash of the proof options (`proof` without `proofValue`) and that of the document.
    ///
    /// # Errors
    /// [`JcsError::Write`] for a number without canonical form.
    pub fn of(options: &Value, document: &DocumentHash) -> Result<Self, JcsError> {
        let mut bytes = [0; 64];
        bytes[..32].copy_from_slice(&Sha256::digest(jcs::canonicalize(options)?));
        bytes[32..].copy_from_slice(&document.0);
        Ok(Self(bytes))
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }
}

/// The object without one of its members; anything but an object is given back whole.
pub(super) fn without(value: &Value, member: &str) -> Value {
    match value {
        Value::Object(members) => Value::Object(
            members
                .iter()
                .filter(|(name, _)| *name != member)
                .map(clone_pair)
                .collect::<Map<_, _>>(),
        ),
        other => other.clone(),
    }
}

fn clone_pair((name, value): (&String, &Value)) -> (String, Value) {
    (name.clone(), value.clone())
}
