//! Credentials: W3C Verifiable Credentials 2.0 in six closed profiles (identity-v1 §7).
//!
//! What was received and what was verified are two types. [`Credential::parse`] reads bytes into an
//! [`Unverified`] credential, which tells who claims to have issued it and nothing else;
//! [`Unverified::verify`] checks both proofs with that party's keys and gives the [`Credential`].
//!
//! Not decided here: whether the issuer had the right to issue it, whether it is valid now, and for which ledger it
//! counts. Those are rules of the law (authority-v1 §5).

mod approver;
mod directive;
mod error;
mod grant;
mod host;
mod instance;
mod order;

use countersign_schemas::digest::Digest;
use serde_json::{Value, json};

pub use approver::ApproverClaims;
pub use directive::{DirectiveAct, DirectiveClaims};
pub use error::CredentialError;
pub use grant::GrantClaims;
pub use host::{HostClaims, MayIssue};
pub use instance::{InstanceClaims, InstanceRole, RuntimeBuild};
pub use order::{Meaning, OrderClaims, OrderContext, OrderNonce, Presentation};

use crate::did::{PeerDid, ShortDid};
use crate::instant::{self, Window};
use crate::jcs;
use crate::keys::HybridSecret;
use crate::member::{Member, MemberError, Members};
use crate::proof;

/// The context of VCDM 2.0.
pub const CREDENTIALS_CONTEXT: &str = "https://www.w3.org/ns/credentials/v2";
/// Our own context, bundled as `schemas/contexts/countersign-v1.jsonld`; it is never fetched.
pub const COUNTERSIGN_CONTEXT: &str = "urn:countersign:context:v1";

/// Principal → host: this installation may issue instance credentials.
pub type HostCredential = Credential<HostClaims>;
/// Host or parent agent → instance: who speaks, and an agent's grant.
pub type InstanceCredential = Credential<InstanceClaims>;
/// Principal → approver: this person may answer what policy leaves open.
pub type ApproverCredential = Credential<ApproverClaims>;
/// Principal → host: a root grant made beforehand.
pub type GrantCredential = Credential<GrantClaims>;
/// Approver → one decision: the answer to an ask.
pub type Order = Credential<OrderClaims>;
/// Principal → one act in one ledger that is no approval: a revocation, an erasure, a policy.
pub type Directive = Credential<DirectiveClaims>;

/// What one profile claims about its subject.
pub trait Claims: sealed::Sealed + Sized {
    /// The second entry of `type`, which names the profile.
    const PROFILE: &'static str;

    /// From when until when the claims hold.
    fn window(&self) -> Window;

    /// The `credentialSubject`.
    fn to_subject(&self) -> Value;

    /// Reads a `credentialSubject` that holds for `window`.
    ///
    /// # Errors
    /// [`CredentialError`], one variant a check.
    fn from_subject(subject: &Value, window: Window) -> Result<Self, CredentialError>;
}

mod sealed {
    /// The profiles are closed: a document of another type is refused.
    pub trait Sealed {}

    impl Sealed for super::ApproverClaims {}
    impl Sealed for super::DirectiveClaims {}
    impl Sealed for super::GrantClaims {}
    impl Sealed for super::HostClaims {}
    impl Sealed for super::InstanceClaims {}
    impl Sealed for super::OrderClaims {}
}

/// A credential whose two proofs verify under its issuer's keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential<C> {
    claims: C,
    issuer: ShortDid,
    digest: Digest,
}

impl<C: Claims> Credential<C> {
    /// Reads a document: canonical bytes, exact members, every limit; nothing about its proofs yet.
    ///
    /// # Errors
    /// [`CredentialError`]: the first of steps V1 to V6 of identity-v1 §7.2 that fails.
    pub fn parse(bytes: &[u8]) -> Result<Unverified<Self>, CredentialError> {
        let document = jcs::parse_canonical(bytes)?;
        let (claims, issuer) = read_document::<C>(&document)?;
        Ok(Unverified {
            credential: Self {
                claims,
                issuer,
                digest: Digest::sha256(bytes),
            },
            document,
        })
    }

    /// Makes and signs a credential; its bytes are canonical and at most [`jcs::DOCUMENT_LEN_MAX`] long.
    ///
    /// # Errors
    /// [`CredentialError::ForeignKey`] if `issuer` is not the key of `issuer_did`; otherwise what [`Self::parse`]
    /// would refuse. Nothing is signed then.
    pub fn issue(claims: &C, issuer: &HybridSecret, issuer_did: &PeerDid) -> Result<Vec<u8>, CredentialError> {
        if issuer.public() != issuer_did.public() {
            return Err(CredentialError::ForeignKey {
                did: issuer_did.short_did().clone(),
            });
        }
        let window = claims.window();
        let subject = claims.to_subject();
        C::from_subject(&subject, window)?;
        let unsigned = json!({
            "@context": [CREDENTIALS_CONTEXT, COUNTERSIGN_CONTEXT],
            "type": ["VerifiableCredential", C::PROFILE],
            "issuer": issuer_did.short(),
            "validFrom": instant::format(window.from())?,
            "validUntil": instant::format(window.until())?,
            "credentialSubject": subject,
        });
        let signed = proof::sign_proof_set(unsigned, issuer, issuer_did.short_did(), window.from())?;
        let bytes = jcs::canonicalize(&signed)?;
        if bytes.len() > jcs::DOCUMENT_LEN_MAX {
            return Err(jcs::JcsError::TooLong {
                len: bytes.len(),
                max: jcs::DOCUMENT_LEN_MAX,
            }
            .into());
        }
        Ok(bytes)
    }

    /// What it claims.
    #[must_use]
    pub fn claims(&self) -> &C {
        &self.claims
    }

    /// Who issued it.
    #[must_use]
    pub fn issuer(&self) -> &ShortDid {
        &self.issuer
    }

    /// From when until when it holds.
    #[must_use]
    pub fn window(&self) -> Window {
        self.claims.window()
    }

    /// SHA-256 of its bytes.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Gives up the evidence and keeps the claims.
    #[must_use]
    pub fn into_claims(self) -> C {
        self.claims
    }
}

/// A credential as received: well-formed, trusted for nothing.
#[derive(Debug, Clone)]
pub struct Unverified<T> {
    credential: T,
    document: Value,
}

impl<C: Claims> Unverified<Credential<C>> {
    /// Who claims to have issued it: the party whose DID [`Self::verify`] needs.
    #[must_use]
    pub fn issuer(&self) -> &ShortDid {
        &self.credential.issuer
    }

    /// SHA-256 of its bytes.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.credential.digest
    }

    /// Verifies both proofs as `issuer`'s.
    ///
    /// # Errors
    /// [`CredentialError::Proof`]: the first step of identity-v1 §6.3 that fails.
    pub fn verify(self, issuer: &PeerDid) -> Result<Credential<C>, CredentialError> {
        proof::verify_proof_set(&self.document, issuer)?;
        Ok(self.credential)
    }
}

/// Steps V2 to V6: the envelope that all profiles share, then the subject.
fn read_document<C: Claims>(document: &Value) -> Result<(C, ShortDid), CredentialError> {
    let mut members = Members::of("credential", document)?;
    let context = members.required("@context")?;
    let profile = members.required("type")?;
    let issuer = members.required("issuer")?;
    let (from, until) = (members.required("validFrom")?, members.required("validUntil")?);
    let suites = members.required("requiredSuites")?;
    let subject = members.required("credentialSubject")?;
    members.required("proof")?;
    members.finish()?;
    if *context.value != json!([CREDENTIALS_CONTEXT, COUNTERSIGN_CONTEXT]) {
        return Err(CredentialError::Context);
    }
    if *profile.value != json!(["VerifiableCredential", C::PROFILE]) {
        return Err(CredentialError::Profile { expected: C::PROFILE });
    }
    if *suites.value != proof::required_suites() {
        return Err(proof::ProofError::RequiredSuites.into());
    }
    let issuer = issuer.short_did()?;
    let window = Window::new(read_instant(from)?, read_instant(until)?)?;
    Ok((C::from_subject(subject.value, window)?, issuer))
}

fn read_instant(member: Member<'_>) -> Result<countersign_schemas::number::Millis, CredentialError> {
    Ok(instant::parse(member.text()?)?)
}

/// The members of a subject, under the name that errors show.
fn subject_members(subject: &Value) -> Result<Members<'_>, MemberError> {
    Members::of("credentialSubject", subject)
}

#[cfg(test)]
#[path = "credential_tests.rs"]
mod tests;
