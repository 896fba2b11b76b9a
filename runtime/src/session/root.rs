//! The root grant of a run: the host's own, or one narrowed from what the principal gave.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use countersign_identity::binding::LedgerBinding;
use countersign_identity::credential::GrantCredential;
use countersign_identity::did::{PeerDid, ShortDid};
use countersign_identity::grant::{AbsolutePath, Budget, Grant, HostScope, Lineage, PolicyTerms, Purpose};
use countersign_identity::instant::{self, Window};
use countersign_schemas::body::{Effects, PolicyLayer};
use countersign_schemas::digest::{Digest, LedgerId};
use countersign_schemas::number::{Count, Millis};
use countersign_schemas::text::Name;

use super::SessionError;
use crate::tool::BUILTIN;

/// What a run may use unless a grant says less.
const DEFAULT_BUDGET: Budget = Budget {
    calls: Count::clamped(1_000),
    tokens_in: Count::clamped(20_000_000),
    tokens_out: Count::clamped(2_000_000),
    cost_micro_usd: Count::clamped(20_000_000),
};
/// A lead may have agents of its own, and these none.
const DEFAULT_DEPTH: u8 = 1;
/// How long a run may take: the window of its credentials.
pub(super) const RUN_MS: u64 = 24 * 60 * 60 * 1000;

/// A grant of the principal to this host, checked.
pub(super) struct GivenGrant {
    pub(super) credential: GrantCredential,
    pub(super) bytes: Vec<u8>,
}

impl GivenGrant {
    /// Checks signature, holder, chain and time.
    pub(super) fn open(
        bytes: Vec<u8>,
        principal: &PeerDid,
        host: &ShortDid,
        now: Millis,
    ) -> Result<Self, SessionError> {
        let credential = GrantCredential::parse(&bytes)?.verify(principal)?;
        if credential.claims().host != *host {
            return Err(SessionError::GrantOfOther);
        }
        let grant = &credential.claims().grant;
        if grant.principal != *principal.short_did() || grant.lineage != Lineage::Root {
            return Err(SessionError::GrantOfOtherChain);
        }
        check_window("the grant", credential.window(), now)?;
        Ok(Self { credential, bytes })
    }

    /// The policy that it demands in `layer`, if it does.
    pub(super) fn pinned(&self, layer: PolicyLayer) -> Option<Digest> {
        self.grant().policy.floor.get(&layer).copied()
    }

    fn grant(&self) -> &Grant {
        &self.credential.claims().grant
    }
}

/// The layer that `--policy` becomes (authority-v1 §8.1).
pub(super) fn layer_of_policy_file(given: Option<&GivenGrant>) -> PolicyLayer {
    let terms = given.map(|given| &given.grant().policy);
    match terms {
        Some(terms) if !terms.adopt || terms.floor.contains_key(&PolicyLayer::Organisation) => PolicyLayer::File,
        _ => PolicyLayer::Organisation,
    }
}

/// The grant of the lead agent.
pub(super) fn root_grant(
    given: Option<&GivenGrant>,
    workspace: &Path,
    hosts: &BTreeSet<HostScope>,
    principal: &ShortDid,
    ledger: LedgerId,
) -> Result<Grant, SessionError> {
    let workspace = workspace.to_str().and_then(|path| AbsolutePath::new(path).ok());
    let workspace = workspace.ok_or(SessionError::Bug("the workspace is no absolute path of a grant"))?;
    let Some(given) = given else {
        return Ok(default_grant(workspace, hosts.clone(), principal.clone(), ledger));
    };
    let parent = given.grant();
    let digest = given.credential.digest();
    let grant = Grant {
        paths: BTreeSet::from([workspace.clone()]),
        workspace,
        // `--host` asks for no more than the grant names.
        hosts: if hosts.is_empty() {
            parent.hosts.clone()
        } else {
            hosts.clone()
        },
        depth: parent.depth.saturating_sub(1),
        ledger: LedgerBinding::Id(ledger),
        lineage: Lineage::Child {
            parent: digest,
            root: digest,
        },
        ..parent.clone()
    };
    grant.check_narrows(parent).map_err(SessionError::GrantTooNarrow)?;
    Ok(grant)
}

fn default_grant(workspace: AbsolutePath, hosts: BTreeSet<HostScope>, principal: ShortDid, ledger: LedgerId) -> Grant {
    Grant {
        tools: BUILTIN.iter().filter_map(|spec| Name::new(spec.name).ok()).collect(),
        effects: BUILTIN
            .iter()
            .fold(Effects::default(), |all, spec| all.union(spec.effects)),
        paths: BTreeSet::from([workspace.clone()]),
        workspace,
        hosts,
        budget: DEFAULT_BUDGET,
        depth: DEFAULT_DEPTH,
        may_delegate: true,
        ledger: LedgerBinding::Id(ledger),
        purpose: Purpose::default(),
        policy: PolicyTerms {
            adopt: true,
            floor: BTreeMap::new(),
        },
        lineage: Lineage::Root,
        principal,
    }
}

pub(super) fn words(window: Window) -> String {
    let time = |at| instant::format(at).unwrap_or_else(|_| "the far future".to_owned());
    format!("from {} until {}", time(window.from()), time(window.until()))
}

/// What is not valid now is told before a ledger exists.
pub(super) fn check_window(what: &'static str, window: Window, now: Millis) -> Result<(), SessionError> {
    if window.contains(now) {
        return Ok(());
    }
    Err(SessionError::OutOfWindow {
        what,
        window: words(window),
    })
}

/// From now for the length of a run, within `outer`.
pub(super) fn run_window(now: Millis, outer: Window) -> Result<Window, SessionError> {
    let from = Millis::clamped(now.get() / 1000 * 1000).max(outer.from());
    let until = Millis::clamped(from.get() + RUN_MS).min(outer.until());
    Ok(Window::new(from, until)?)
}
