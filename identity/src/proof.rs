//! Data Integrity proof sets: one Ed25519 and one ML-DSA-44 proof over the same document (identity-v1 §6).
//!
//! A set, not a chain: both proofs cover the document without `proof`. Which suites must be there is said in the
//! signed document itself (`requiredSuites`), so a dropped proof is detected as a downgrade, and the proofs must be
//! the issuer's own: the verification methods are those of the document's `issuer`, never another party's.

pub mod suite;

use countersign_schemas::number::Millis;
use serde_json::{Value, json};
use thiserror::Error;

use crate::did::{PeerDid, ShortDid};
use crate::instant::{self, InstantError};
use crate::jcs::JcsError;
use crate::keys::{HybridSecret, SignatureError};
use crate::member::{MemberError, Members};
use crate::multibase::MultibaseError;
use suite::{DocumentHash, HashData, Suite};

/// Signs `document` under both suites and gives it back with `requiredSuites` and `proof`.
///
/// `document` is an object with the members `@context`, `issuer` (= `did`) and `validFrom` (= `created`), and
/// without `proof`.
///
/// # Errors
/// [`ProofError::NotAnObject`], [`ProofError::AlreadySigned`], [`ProofError::Issuer`], [`ProofError::Created`],
/// [`ProofError::Instant`], [`ProofError::Canonical`]. Nothing is signed then.
pub fn sign_proof_set(
    mut document: Value,
    signer: &HybridSecret,
    did: &ShortDid,
    created: Millis,
) -> Result<Value, ProofError> {
    let members = document.as_object_mut().ok_or(ProofError::NotAnObject)?;
    if members.contains_key("proof") {
        return Err(ProofError::AlreadySigned);
    }
    members.insert("requiredSuites".to_owned(), required_suites());
    let created = instant::format(created)?;
    check_issuer(&document, did)?;
    check_created(&document, &created)?;
    let hash = DocumentHash::of(&document)?;
    let proofs = Suite::ALL.map(|suite| sign_one(suite, &document, &hash, signer, did, &created));
    let proofs = proofs.into_iter().collect::<Result<Vec<_>, _>>()?;
    document["proof"] = Value::Array(proofs);
    Ok(document)
}

/// Verifies the proof set of `document` as `issuer`'s, by the steps P1 to P9 of identity-v1 §6.3.
///
/// # Errors
/// [`ProofError`]: the first step that fails.
pub fn verify_proof_set(document: &Value, issuer: &PeerDid) -> Result<(), ProofError> {
    let proofs = proofs_of(document)?;
    check_issuer(document, issuer.short_did())?;
    for (suite, proof) in Suite::ALL.into_iter().zip(proofs) {
        check_options(suite, proof, document, issuer.short_did())?;
    }
    let hash = DocumentHash::of(&suite::without(document, "proof"))?;
    for (suite, proof) in Suite::ALL.into_iter().zip(proofs) {
        let hash_data = HashData::of(&suite::without(proof, "proofValue"), &hash)?;
        let value = proof["proofValue"].as_str().unwrap_or_default();
        suite.verify(issuer.public(), &hash_data, value)?;
    }
    Ok(())
}

/// The value of `requiredSuites`: both names, in order.
pub(crate) fn required_suites() -> Value {
    json!(Suite::ALL.map(Suite::name))
}

fn sign_one(
    suite: Suite,
    document: &Value,
    hash: &DocumentHash,
    signer: &HybridSecret,
    did: &ShortDid,
    created: &str,
) -> Result<Value, ProofError> {
    let mut proof = json!({
        "@context": document["@context"],
        "created": created,
        "cryptosuite": suite.name(),
        "proofPurpose": "assertionMethod",
        "type": "DataIntegrityProof",
        "verificationMethod": method_of(suite, did),
    });
    let value = suite.sign(signer, &HashData::of(&proof, hash)?);
    proof["proofValue"] = Value::String(value);
    Ok(proof)
}

/// Steps P1 to P3: the two proofs, no fewer and no more, in their order.
fn proofs_of(document: &Value) -> Result<&[Value], ProofError> {
    let members = document.as_object().ok_or(ProofError::NotAnObject)?;
    if members.get("requiredSuites") != Some(&required_suites()) {
        return Err(ProofError::RequiredSuites);
    }
    let proofs = members
        .get("proof")
        .ok_or(ProofError::Unsigned)?
        .as_array()
        .ok_or(ProofError::NotASet)?;
    let found: Vec<&str> = proofs
        .iter()
        .map(|proof| proof["cryptosuite"].as_str().unwrap_or_default())
        .collect();
    if let Some(missing) = Suite::ALL.into_iter().find(|suite| !found.contains(&suite.name())) {
        return Err(ProofError::Downgraded { missing });
    }
    if proofs.len() != Suite::ALL.len() {
        return Err(ProofError::Count { found: proofs.len() });
    }
    if found != Suite::ALL.map(Suite::name) {
        return Err(ProofError::Order);
    }
    Ok(proofs)
}

/// Step P4: the issuer of the document is the party whose keys are used.
fn check_issuer(document: &Value, issuer: &ShortDid) -> Result<(), ProofError> {
    if document["issuer"] == issuer.as_str() {
        return Ok(());
    }
    let found = document["issuer"]
        .as_str()
        .unwrap_or_default()
        .chars()
        .take(64)
        .collect();
    Err(ProofError::Issuer {
        found,
        expected: issuer.clone(),
    })
}

fn check_created(document: &Value, created: &str) -> Result<(), ProofError> {
    if document["validFrom"] == created {
        Ok(())
    } else {
        Err(ProofError::Created)
    }
}

/// Steps P5 to P7: exact members, their only values, the issuer's own verification method.
fn check_options(suite: Suite, proof: &Value, document: &Value, issuer: &ShortDid) -> Result<(), ProofError> {
    let mut members = Members::of("proof", proof)?;
    let context = members.required("@context")?;
    let created = members.required("created")?.text()?;
    members.required("cryptosuite")?;
    let purpose = members.required("proofPurpose")?;
    members.required("proofValue")?.text()?;
    let kind = members.required("type")?;
    let method = members.required("verificationMethod")?.text()?;
    members.finish()?;
    kind.constant(&json!("DataIntegrityProof"), "`DataIntegrityProof`")?;
    purpose.constant(&json!("assertionMethod"), "`assertionMethod`")?;
    if *context.value != document["@context"] {
        return Err(ProofError::Context { suite });
    }
    check_created(document, created)?;
    if method != method_of(suite, issuer) {
        let found = method.chars().take(80).collect();
        return Err(ProofError::Method { suite, found });
    }
    Ok(())
}

fn method_of(suite: Suite, did: &ShortDid) -> String {
    match suite {
        Suite::EddsaJcs2022 => did.ed25519_method(),
        Suite::MlDsa44Jcs2024 => did.ml_dsa_method(),
    }
}

/// Why a proof set was not made or not accepted.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ProofError {
    /// The document is not a JSON object.
    #[error("signed document is not an object")]
    NotAnObject,
    /// The document to be signed already has a proof.
    #[error("document to be signed has a proof already")]
    AlreadySigned,
    /// `requiredSuites` is not the list of both suites in order.
    #[error("requiredSuites is not [\"eddsa-jcs-2022\",\"mldsa44-jcs-2024\"]")]
    RequiredSuites,
    /// The document has no proof.
    #[error("document has no proof")]
    Unsigned,
    /// `proof` is not an array.
    #[error("proof is not a set of proofs")]
    NotASet,
    /// The proof of a required suite is not there: somebody took it off.
    #[error("document is downgraded: the required proof {} is missing", missing.name())]
    Downgraded {
        /// The missing suite.
        missing: Suite,
    },
    /// More proofs than the two.
    #[error("document has {found} proofs instead of 2")]
    Count {
        /// Proofs found.
        found: usize,
    },
    /// Both proofs, in the wrong order.
    #[error("proofs are not in the order of requiredSuites")]
    Order,
    /// The document's issuer is not the party whose keys are to be used.
    #[error("issuer is `{found}` instead of {expected}")]
    Issuer {
        /// The document's issuer, shortened.
        found: String,
        /// The controller of the keys.
        expected: ShortDid,
    },
    /// A member of a proof is missing, unknown or has another value than the only one.
    #[error(transparent)]
    Member(#[from] MemberError),
    /// A proof's `@context` is not that of the document.
    #[error("@context of the {} proof is not that of the document", suite.name())]
    Context {
        /// The proof.
        suite: Suite,
    },
    /// `created` is not the document's `validFrom`.
    #[error("created is not the validFrom of the document")]
    Created,
    /// The verification method is not the issuer's own for this suite.
    #[error("verification method `{found}` of the {} proof is not the issuer's", suite.name())]
    Method {
        /// The proof.
        suite: Suite,
        /// The method found, shortened.
        found: String,
    },
    /// `proofValue` is not the multibase encoding of its suite.
    #[error("proofValue of the {} proof is malformed", suite.name())]
    Encoding {
        /// The proof.
        suite: Suite,
        /// What is wrong with it.
        #[source]
        source: MultibaseError,
    },
    /// The signature does not verify.
    #[error("the {} proof does not verify", suite.name())]
    Signature {
        /// The proof.
        suite: Suite,
        /// What is wrong with it.
        #[source]
        source: SignatureError,
    },
    /// The time of signing cannot be written.
    #[error(transparent)]
    Instant(#[from] InstantError),
    /// The document has no canonical form.
    #[error(transparent)]
    Canonical(#[from] JcsError),
}

impl ProofError {
    /// Stable code of this refusal, as used by the golden vectors.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotAnObject => "not_an_object",
            Self::AlreadySigned => "already_signed",
            Self::RequiredSuites => "required_suites",
            Self::Unsigned => "unsigned",
            Self::NotASet => "not_a_proof_set",
            Self::Downgraded { .. } => "downgraded",
            Self::Count { .. } => "proof_count",
            Self::Order => "proof_order",
            Self::Issuer { .. } => "issuer",
            Self::Member(error) => error.code(),
            Self::Context { .. } => "proof_context",
            Self::Created => "proof_created",
            Self::Method { .. } => "proof_method",
            Self::Encoding { .. } => "proof_encoding",
            Self::Signature { .. } => "signature",
            Self::Instant(_) => "instant",
            Self::Canonical(error) => error.code(),
        }
    }
}

#[cfg(test)]
#[path = "proof_tests.rs"]
mod tests;
