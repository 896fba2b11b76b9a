//! The permit: proof in memory that one exact call was allowed, and that the decision is durable.

use std::fmt;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// An agent instance, named by the `seq` of its introduction (authority-v1 §1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AgentId(u64);

impl AgentId {
    /// Names the agent whose introduction is entry `seq`.
    #[must_use]
    pub fn introduced_at(seq: u64) -> Self {
        Self(seq)
    }

    /// The `seq` of the introduction.
    #[must_use]
    pub fn seq(self) -> u64 {
        self.0
    }
}

impl fmt::Display for AgentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "agent {}", self.0)
    }
}

/// Milliseconds since 1970-01-01T00:00:00Z, as every `ms` field of statement-v1 counts them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UnixMillis(u64);

impl UnixMillis {
    /// The moment `millis` milliseconds after the epoch.
    #[must_use]
    pub fn new(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub fn as_millis(self) -> u64 {
        self.0
    }
}

impl fmt::Display for UnixMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms", self.0)
    }
}

/// What a durable decision allowed, field by field. Only the gate can turn it into a [`Permit`].
#[derive(Debug)]
pub(crate) struct PermitTerms {
    /// `seq` of the `decision.made` that allows the call.
    pub(crate) decision: u64,
    /// Name of the tool, as in the request.
    pub(crate) tool: String,
    /// The argument bytes the request commits to.
    pub(crate) arguments: Box<[u8]>,
    /// `observed.real_path` of the decision; `None` where the resource is no file.
    pub(crate) path: Option<PathBuf>,
    /// Workspace of the requester's grant.
    pub(crate) workspace: PathBuf,
    /// The requester.
    pub(crate) agent: AgentId,
    /// `expires` of the decision.
    pub(crate) expires: UnixMillis,
}

/// Proof that this exact call was allowed by a decision that is already durable in the ledger.
///
/// Made only by the gate, consumed by the tool: it is not `Clone`, it has no public constructor, and its content can
/// be had only by [`Permit::redeem`], which uses it up (D6).
#[derive(Debug)]
#[must_use = "a durable allow without an outcome counts as possibly run"]
pub struct Permit(PermitTerms);

impl Permit {
    /// Makes the permit for a decision. The caller has waited until the decision is durable.
    #[cfg_attr(not(test), expect(dead_code, reason = "called by the decision flow of the gate"))]
    pub(in crate::gate) fn issue(terms: PermitTerms) -> Self {
        Self(terms)
    }

    /// Makes a permit without a decision, so that tools can be tested without a ledger.
    #[cfg(test)]
    pub(crate) fn for_test(terms: PermitTerms) -> Self {
        Self::issue(terms)
    }

    /// The `seq` of the decision, which `action.finished` names.
    #[must_use]
    pub fn decision(&self) -> u64 {
        self.0.decision
    }

    /// Uses the permit up: gives the call to `tool`, which starts at `started`.
    ///
    /// # Errors
    /// [`PermitError::OtherTool`] and [`PermitError::Expired`]; the permit is gone in every case.
    pub fn redeem(self, tool: &str, started: UnixMillis) -> Result<PermittedCall, PermitError> {
        let terms = self.0;
        if terms.tool != tool {
            return Err(PermitError::OtherTool {
                permitted: terms.tool,
                used_by: tool.to_owned(),
            });
        }
        if started > terms.expires {
            return Err(PermitError::Expired {
                expires: terms.expires,
                started,
            });
        }
        Ok(PermittedCall { terms })
    }
}

/// The call a redeemed permit allows. It lives as long as the tool runs.
#[derive(Debug)]
pub struct PermittedCall {
    terms: PermitTerms,
}

impl PermittedCall {
    /// The argument bytes that were requested, decided and committed to.
    #[must_use]
    pub fn arguments(&self) -> &[u8] {
        &self.terms.arguments
    }

    /// The path that was decided, every symbolic link followed.
    ///
    /// # Errors
    /// [`PermitError::NoPath`] if the decision was about something that is no file.
    pub fn path(&self) -> Result<&Path, PermitError> {
        self.terms.path.as_deref().ok_or(PermitError::NoPath)
    }

    /// The workspace of the requester's grant.
    #[must_use]
    pub fn workspace(&self) -> &Path {
        &self.terms.workspace
    }

    /// The requester.
    #[must_use]
    pub fn agent(&self) -> AgentId {
        self.terms.agent
    }
}

/// Why a permit does not cover what a tool was about to do. Each is a fault of the runtime, not of the agent,
/// except for [`PermitError::Expired`].
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum PermitError {
    /// The permit is for another tool.
    #[error("the permit is for `{permitted}`, not for `{used_by}`")]
    OtherTool {
        /// Tool that was decided.
        permitted: String,
        /// Tool that tried to use the permit.
        used_by: String,
    },
    /// The call would start after the end of the permit.
    #[error("the permit expired at {expires}, the call would have started at {started}")]
    Expired {
        /// End of the permit.
        expires: UnixMillis,
        /// When the tool was started.
        started: UnixMillis,
    },
    /// The decision named no path.
    #[error("the permit names no path")]
    NoPath,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permit() -> Permit {
        Permit::for_test(PermitTerms {
            decision: 7,
            tool: "read".to_owned(),
            arguments: br#"{"path":"a"}"#.as_slice().into(),
            path: None,
            workspace: PathBuf::from("/w"),
            agent: AgentId::introduced_at(3),
            expires: UnixMillis::new(1_000),
        })
    }

    #[test]
    fn permit_is_refused_to_another_tool() {
        let refused = permit().redeem("write", UnixMillis::new(1)).err();
        assert_eq!(
            refused,
            Some(PermitError::OtherTool {
                permitted: "read".to_owned(),
                used_by: "write".to_owned()
            })
        );
    }

    #[test]
    fn permit_is_refused_after_its_end() {
        let refused = permit().redeem("read", UnixMillis::new(1_001)).err();
        assert_eq!(
            refused,
            Some(PermitError::Expired {
                expires: UnixMillis::new(1_000),
                started: UnixMillis::new(1_001)
            })
        );
    }

    #[test]
    fn permit_is_good_at_its_last_millisecond() -> Result<(), PermitError> {
        let call = permit().redeem("read", UnixMillis::new(1_000))?;
        assert_eq!(call.arguments(), br#"{"path":"a"}"#);
        assert_eq!(call.agent().seq(), 3);
        Ok(())
    }

    #[test]
    fn permit_without_path_gives_no_path() -> Result<(), PermitError> {
        let call = permit().redeem("read", UnixMillis::new(1))?;
        assert_eq!(call.path(), Err(PermitError::NoPath));
        Ok(())
    }
}
