//! Why a credential was not made or not accepted.

use countersign_schemas::number::Millis;
use thiserror::Error;

use crate::did::ShortDid;
use crate::instant::InstantError;
use crate::jcs::JcsError;
use crate::member::MemberError;
use crate::proof::ProofError;

/// Why a credential was not made or not accepted.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CredentialError {
    /// The bytes are not a canonical document.
    #[error(transparent)]
    Document(#[from] JcsError),
    /// A member is missing, unknown, or outside its limits.
    #[error(transparent)]
    Member(#[from] MemberError),
    /// `@context` is not exactly the two contexts.
    #[error("@context is not [\"https://www.w3.org/ns/credentials/v2\",\"urn:countersign:context:v1\"]")]
    Context,
    /// `type` is not exactly that of the expected profile.
    #[error("type is not [\"VerifiableCredential\",\"{expected}\"]")]
    Profile {
        /// The profile that this place requires.
        expected: &'static str,
    },
    /// A time or the window is not acceptable.
    #[error(transparent)]
    Instant(#[from] InstantError),
    /// An agent without a grant, or a grant in another role.
    #[error("an agent has a grant and nobody else has one")]
    GrantOfRole,
    /// A role other than `runtime` bound to a founding digest, or anything bound to any ledger.
    #[error("instance is not bound to one ledger as its role requires")]
    LedgerOfRole,
    /// A runtime that names a model.
    #[error("a runtime instance has no model")]
    ModelOfRole,
    /// A meaning that does not go with the verdict.
    #[error("meaning of the order contradicts its verdict")]
    MeaningOfVerdict,
    /// An order that expires outside its own window.
    #[error("order expires at {expires} ms, outside its window from {from} to {until} ms")]
    Expiry {
        /// The member `expires`.
        expires: Millis,
        /// Beginning of the window.
        from: Millis,
        /// End of the window.
        until: Millis,
    },
    /// The signing key is not that of the issuer's DID.
    #[error("signing key is not a key of {did}")]
    ForeignKey {
        /// The issuer.
        did: ShortDid,
    },
    /// The proof set is not the issuer's, or does not verify.
    #[error(transparent)]
    Proof(#[from] ProofError),
}

impl CredentialError {
    /// Stable code of this refusal, as used by the golden vectors.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Document(error) => error.code(),
            Self::Member(error) => error.code(),
            Self::Context => "context",
            Self::Profile { .. } => "profile",
            Self::Instant(InstantError::Empty { .. }) => "window",
            Self::Instant(_) => "instant",
            Self::GrantOfRole => "grant_of_role",
            Self::LedgerOfRole => "ledger_of_role",
            Self::ModelOfRole => "model_of_role",
            Self::MeaningOfVerdict => "meaning_of_verdict",
            Self::Expiry { .. } => "expiry",
            Self::ForeignKey { .. } => "foreign_key",
            Self::Proof(error) => error.code(),
        }
    }
}
