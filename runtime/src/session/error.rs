//! Why a run could not go on, as opposed to a task that failed.

use countersign_identity::credential::CredentialError;
use countersign_identity::grant::TooWide;
use countersign_identity::instant::InstantError;
use countersign_verifier::code::Code;
use countersign_verifier::policy::PolicyError;
use thiserror::Error;

use crate::gate::{GateError, SurroundingsError};
use crate::recorder::RecordError;

/// What [`SessionError::OutOfWindow`] calls the credential that a person renews with `countersign init --renew-host`.
pub(crate) const HOST_CREDENTIAL: &str = "this host's credential";

/// Why a run could not begin or go on. What is in the ledger by then stays; it is open, and `verify` says so.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SessionError {
    /// The ledger did not take an entry.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The gate could not decide.
    #[error(transparent)]
    Gate(#[from] GateError),
    /// The run cannot work in its folder.
    #[error(transparent)]
    Surroundings(#[from] SurroundingsError),
    /// A credential could not be made, or one that was given is refused.
    #[error("a credential is refused")]
    Credential(#[from] CredentialError),
    /// The policy cannot be used, so nothing could be permitted.
    #[error("the policy is refused")]
    Policy(#[from] PolicyError),
    /// The policy file holds no policy and would deny everything.
    #[error("the policy holds no rule: it would deny everything")]
    EmptyPolicy,
    /// The ledger that is gone on with has another policy of layer 1, or none where one was given.
    #[error(
        "the policies that may permit are fixed once a ledger holds a run, and those of this ledger are not those of this run"
    )]
    PolicyFixed,
    /// The ledger that is gone on with has another built-in policy.
    #[error("the ledger was begun by a version with another built-in policy")]
    OtherBuiltin,
    /// The grant that was given does not cover this run.
    #[error("the grant does not cover this run: {}", too_wide(.0))]
    GrantTooNarrow(Vec<TooWide>),
    /// The grant that was given is for another host.
    #[error("the grant was given to another host")]
    GrantOfOther,
    /// The grant that was given names another principal, or a parent.
    #[error("the grant does not begin with this principal")]
    GrantOfOtherChain,
    /// A credential is not valid now.
    #[error("{what} is valid {window}, and now is not in it")]
    OutOfWindow {
        /// Which one.
        what: &'static str,
        /// From when until when.
        window: String,
    },
    /// A time cannot be written.
    #[error("a time cannot be written into a credential")]
    Time(#[from] InstantError),
    /// No shell on this machine.
    #[error("no shell to run commands with")]
    Shell(#[source] std::io::Error),
    /// Our own bug.
    #[error("internal fault: {0}")]
    Bug(&'static str),
}

impl SessionError {
    /// Whether an entry was refused because the authority for it was withdrawn (G7).
    pub(super) fn is_revocation(&self) -> bool {
        matches!(self, Self::Record(RecordError::Unlawful { finding, .. }) if finding.code == Code::G7)
    }
}

/// An error in one line, with everything behind it.
pub(super) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        let reason = source.to_string();
        if !text.ends_with(&reason) {
            text.push_str(": ");
            text.push_str(&reason);
        }
        cause = source.source();
    }
    text
}

/// The JCS form of a document of ours.
pub(super) fn canonical(document: &serde_json::Value) -> Result<Vec<u8>, SessionError> {
    countersign_identity::jcs::canonicalize(document).map_err(|_| SessionError::Bug("a document has no JCS form"))
}

fn too_wide(findings: &[TooWide]) -> String {
    findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl From<countersign_schemas::text::TextError> for SessionError {
    fn from(error: countersign_schemas::text::TextError) -> Self {
        Self::Record(error.into())
    }
}

impl From<countersign_schemas::list::LengthError> for SessionError {
    fn from(error: countersign_schemas::list::LengthError) -> Self {
        Self::Record(error.into())
    }
}

impl From<countersign_identity::keys::RandomnessError> for SessionError {
    fn from(error: countersign_identity::keys::RandomnessError) -> Self {
        Self::Record(error.into())
    }
}
