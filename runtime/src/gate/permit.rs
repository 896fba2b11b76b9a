//! The permit: proof in memory that one exact call was allowed, and that the decision is durable.
//!
//! There is no way round it that compiles. Each example below that has to fail stands beside one that does not, and the
//! two differ in the forbidden line alone, so that it is this line that fails.

use std::path::{Path, PathBuf};

use countersign_schemas::number::{Millis, Seq};
use countersign_schemas::text::Name;
use thiserror::Error;

use crate::tool::Outlet;

/// What a durable decision allowed, field by field. Only the gate can turn it into a [`Permit`].
#[derive(Debug)]
pub(crate) struct PermitTerms {
    /// `seq` of the `decision.made` that allows the call.
    pub(crate) decision: Seq,
    /// Name of the tool, as in the request.
    pub(crate) tool: Name,
    /// The argument bytes the request commits to.
    pub(crate) arguments: Box<[u8]>,
    /// `observed.real_path` of the decision; `None` where the resource is no file.
    pub(crate) path: Option<PathBuf>,
    /// Workspace of the requester's grant.
    pub(crate) workspace: PathBuf,
    /// The requester, named by the `seq` of its introduction.
    pub(crate) agent: Seq,
    /// `expires` of the decision.
    pub(crate) expires: Millis,
}

/// Proof that this exact call was allowed by a decision that is already durable in the ledger.
///
/// Made only by the gate, consumed by the tool: it is not `Clone`, it has no public constructor, and the call it allows
/// can be had only by [`Permit::redeem`], which uses it up (D6).
///
/// It cannot be made outside the gate:
///
/// ```
/// use countersign_runtime::gate::Permit;
///
/// let _ = Permit::redeem;
/// ```
/// ```compile_fail,E0624
/// use countersign_runtime::gate::Permit;
///
/// let _ = Permit::issue;
/// ```
///
/// It cannot be copied:
///
/// ```
/// use countersign_runtime::gate::Permit;
///
/// fn hand_on(permit: Permit) -> (Option<Permit>, Option<Permit>) {
///     (Some(permit), None)
/// }
/// ```
/// ```compile_fail,E0599
/// use countersign_runtime::gate::Permit;
///
/// fn hand_on(permit: Permit) -> (Option<Permit>, Option<Permit>) {
///     (Some(permit.clone()), Some(permit))
/// }
/// ```
///
/// It cannot be used twice:
///
/// ```
/// use countersign_runtime::gate::Permit;
/// use countersign_schemas::number::Millis;
///
/// fn run(permit: Permit, started: Millis) {
///     let first = permit.redeem("bash", started);
///     let second = Some(started);
/// }
/// ```
/// ```compile_fail,E0382
/// use countersign_runtime::gate::Permit;
/// use countersign_schemas::number::Millis;
///
/// fn run(permit: Permit, started: Millis) {
///     let first = permit.redeem("bash", started);
///     let second = permit.redeem("bash", started);
/// }
/// ```
#[derive(Debug)]
#[must_use = "a durable allow without an outcome counts as possibly run"]
pub struct Permit {
    terms: PermitTerms,
    outlet: Outlet,
}

impl Permit {
    /// Makes the permit for a decision. The caller has waited until the decision is durable.
    pub(in crate::gate) fn issue(terms: PermitTerms) -> Self {
        Self {
            terms,
            outlet: Outlet::default(),
        }
    }

    /// Makes a permit without a decision, so that tools can be tested without a ledger.
    #[cfg(test)]
    pub(crate) fn for_test(terms: PermitTerms) -> Self {
        Self::issue(terms)
    }

    /// The `seq` of the decision, which `action.finished` names.
    #[must_use]
    pub fn decision(&self) -> Seq {
        self.terms.decision
    }

    /// The workspace of the requester's grant, where the result is kept if it is long.
    pub(crate) fn workspace(&self) -> &Path {
        &self.terms.workspace
    }

    /// Where the tool puts a result that is long.
    pub(crate) const fn outlet(&self) -> &Outlet {
        &self.outlet
    }

    /// Whether a call that starts at `started` is still covered.
    #[must_use]
    pub fn is_good_at(&self, started: Millis) -> bool {
        started <= self.terms.expires
    }

    /// Uses the permit up: gives the call to `tool`, which starts at `started`.
    ///
    /// # Errors
    /// [`PermitError::OtherTool`] and [`PermitError::Expired`]; the permit is gone in every case.
    pub fn redeem(self, tool: &str, started: Millis) -> Result<PermittedCall, PermitError> {
        let Self { terms, outlet } = self;
        if terms.tool.as_str() != tool {
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
        Ok(PermittedCall { terms, outlet })
    }
}

/// The call a redeemed permit allows. It lives as long as the tool runs, and every primitive that has an effect asks
/// for it, or for something that is made from it.
///
/// It comes from a permit alone, and neither its fields nor those of another call make one:
///
/// ```
/// use countersign_runtime::gate::PermittedCall;
///
/// fn another(call: PermittedCall) -> PermittedCall {
///     call
/// }
/// ```
/// ```compile_fail,E0451
/// use countersign_runtime::gate::PermittedCall;
///
/// fn another(call: PermittedCall) -> PermittedCall {
///     PermittedCall { ..call }
/// }
/// ```
#[derive(Debug)]
pub struct PermittedCall {
    terms: PermitTerms,
    outlet: Outlet,
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

    /// Whether `path` is what was decided, or lies below it. Both are canonical; without a decided path nothing is.
    #[must_use]
    pub fn covers(&self, path: &Path) -> bool {
        self.terms
            .path
            .as_deref()
            .is_some_and(|decided| path.starts_with(decided))
    }

    /// The workspace of the requester's grant.
    #[must_use]
    pub fn workspace(&self) -> &Path {
        &self.terms.workspace
    }

    /// The `seq` of the decision.
    #[must_use]
    pub fn decision(&self) -> Seq {
        self.terms.decision
    }

    /// Where a result goes that is too long to be held in memory.
    pub(crate) const fn outlet(&self) -> &Outlet {
        &self.outlet
    }

    /// The requester, named by the `seq` of its introduction.
    #[must_use]
    pub fn agent(&self) -> Seq {
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
        permitted: Name,
        /// Tool that tried to use the permit.
        used_by: String,
    },
    /// The call would start after the end of the permit.
    #[error("the permit expired at {expires} ms, the call would have started at {started} ms")]
    Expired {
        /// End of the permit.
        expires: Millis,
        /// When the tool was started.
        started: Millis,
    },
    /// The decision named no path.
    #[error("the permit names no path")]
    NoPath,
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::*;

    type TestResult = Result<(), Box<dyn Error>>;

    fn permit() -> Result<Permit, Box<dyn Error>> {
        Ok(Permit::for_test(PermitTerms {
            decision: Seq::new(7)?,
            tool: Name::new("read")?,
            arguments: br#"{"path":"a"}"#.as_slice().into(),
            path: None,
            workspace: PathBuf::from("/w"),
            agent: Seq::new(3)?,
            expires: Millis::new(1_000)?,
        }))
    }

    #[test]
    fn permit_is_refused_to_another_tool() -> TestResult {
        let refused = permit()?.redeem("write", Millis::new(1)?).err();
        let expected = PermitError::OtherTool {
            permitted: Name::new("read")?,
            used_by: "write".to_owned(),
        };
        assert_eq!(refused, Some(expected));
        Ok(())
    }

    #[test]
    fn permit_is_refused_after_its_end() -> TestResult {
        let refused = permit()?.redeem("read", Millis::new(1_001)?).err();
        assert_eq!(
            refused,
            Some(PermitError::Expired {
                expires: Millis::new(1_000)?,
                started: Millis::new(1_001)?
            })
        );
        Ok(())
    }

    #[test]
    fn permit_is_good_at_its_last_millisecond() -> TestResult {
        assert!(permit()?.is_good_at(Millis::new(1_000)?) && !permit()?.is_good_at(Millis::new(1_001)?));
        let call = permit()?.redeem("read", Millis::new(1_000)?)?;
        assert_eq!(call.arguments(), br#"{"path":"a"}"#);
        assert_eq!(call.agent(), Seq::new(3)?);
        Ok(())
    }

    #[test]
    fn permit_without_path_gives_no_path() -> TestResult {
        let call = permit()?.redeem("read", Millis::new(1)?)?;
        assert_eq!(call.path(), Err(PermitError::NoPath));
        assert!(!call.covers(Path::new("/w/a")) && !call.covers(Path::new("/")));
        Ok(())
    }
}
