//! A principal, its host and its approver, made together: for `init` on disk, for `demo` in memory.

use std::collections::BTreeSet;

use countersign_identity::credential::{
    ApproverClaims, ApproverCredential, CredentialError, HostClaims, HostCredential, MayIssue,
};
use countersign_identity::did::PeerDid;
use countersign_identity::instant::{InstantError, Window};
use countersign_identity::keys::{HybridSecret, RandomnessError};
use countersign_schemas::number::Millis;
use countersign_schemas::text::{Name, TextError};
use thiserror::Error;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;
/// How long a host credential holds: short enough that a forgotten machine loses its authority by itself.
pub(super) const HOST_DAYS: u64 = 30;
/// How long an approver stays enrolled.
const APPROVER_DAYS: u64 = 365;

/// Fresh keys and the credentials that bind them to the principal.
pub(super) struct Household {
    pub(super) principal: HybridSecret,
    pub(super) host: HybridSecret,
    pub(super) host_credential: Vec<u8>,
    pub(super) approver: HybridSecret,
    pub(super) approver_credential: Vec<u8>,
}

/// Why a household could not be made.
#[derive(Debug, Error)]
pub(crate) enum HouseholdError {
    #[error(transparent)]
    Randomness(#[from] RandomnessError),
    #[error(transparent)]
    Credential(#[from] CredentialError),
    #[error(transparent)]
    Time(#[from] InstantError),
    #[error(transparent)]
    Name(#[from] TextError),
}

impl Household {
    /// Makes three key pairs and two credentials, valid from `now`.
    pub(super) fn make(now: Millis) -> Result<Self, HouseholdError> {
        let (principal, host, approver) = (
            HybridSecret::generate()?,
            HybridSecret::generate()?,
            HybridSecret::generate()?,
        );
        let host_credential = certify_host(&principal, &PeerDid::from_keys(host.public()), now)?;
        let principal_did = PeerDid::from_keys(principal.public());
        let claims = ApproverClaims {
            window: window(now, APPROVER_DAYS)?,
            approver: PeerDid::from_keys(approver.public()).short_did().clone(),
            name: Name::new("approver")?,
        };
        let approver_credential = ApproverCredential::issue(&claims, &principal, &principal_did)?;
        Ok(Self {
            principal,
            host,
            host_credential,
            approver,
            approver_credential,
        })
    }

    pub(super) fn principal_did(&self) -> PeerDid {
        PeerDid::from_keys(self.principal.public())
    }
}

/// The principal's word that `host` may start runs, for [`HOST_DAYS`] from `now`.
pub(crate) fn certify_host(principal: &HybridSecret, host: &PeerDid, now: Millis) -> Result<Vec<u8>, HouseholdError> {
    let claims = HostClaims {
        window: window(now, HOST_DAYS)?,
        host: host.short_did().clone(),
        site: Name::new("local")?,
        may_issue: BTreeSet::from([MayIssue::Instance, MayIssue::RootGrant]),
    };
    Ok(HostCredential::issue(
        &claims,
        principal,
        &PeerDid::from_keys(principal.public()),
    )?)
}

fn window(now: Millis, days: u64) -> Result<Window, InstantError> {
    let from = now.get() / 1000 * 1000;
    Window::new(Millis::clamped(from), Millis::clamped(from + days * DAY_MS))
}
