//! The credentials of the story, before anybody changes them.

use std::collections::{BTreeMap, BTreeSet};

use countersign_identity::binding::LedgerBinding;
use countersign_identity::credential::{
    ApproverClaims, Claims, Credential, HostClaims, InstanceClaims, InstanceRole, MayIssue, RuntimeBuild,
};
use countersign_identity::grant::{AbsolutePath, Budget, Grant, HostScope, Lineage, PolicyTerms, Purpose};
use countersign_identity::instant::Window;
use countersign_schemas::body::Effects;
use countersign_schemas::digest::Digest;
use countersign_schemas::list::Doc;
use countersign_schemas::number::{Count, Millis};
use countersign_schemas::text::Name;
use countersign_verifier::projection::TOOLS;

use super::cast::Who;

/// 2025-11-21T08:00:00Z, when the story begins.
pub(crate) const START: u64 = 1_763_712_000_000;
pub(crate) const HOUR: u64 = 3_600_000;

pub(crate) fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

pub(crate) fn window(from: u64, until: u64) -> Window {
    Window::new(Millis::clamped(from), Millis::clamped(until)).expect("whole seconds")
}

pub(crate) fn path(text: &str) -> AbsolutePath {
    AbsolutePath::new(text).expect("a path")
}

pub(crate) fn host() -> HostClaims {
    HostClaims {
        window: window(START - HOUR, START + 24 * HOUR),
        host: Who::Host.did().short_did().clone(),
        site: name("laptop"),
        may_issue: BTreeSet::from([MayIssue::Instance, MayIssue::RootGrant]),
    }
}

pub(crate) fn approver() -> ApproverClaims {
    ApproverClaims {
        window: window(START - HOUR, START + 24 * HOUR),
        approver: Who::Approver.did().short_did().clone(),
        name: name("alice"),
    }
}

pub(crate) fn instance(who: Who, called: &str, role: InstanceRole, ledger: LedgerBinding) -> InstanceClaims {
    let is_runtime = role == InstanceRole::Runtime;
    InstanceClaims {
        window: window(START - HOUR, START + 12 * HOUR),
        instance: who.did().short_did().clone(),
        role,
        name: name(called),
        operator: Who::Principal.did().short_did().clone(),
        runtime: RuntimeBuild {
            name: name("countersign"),
            version: name("0.1.0"),
        },
        model: (!is_runtime).then(|| name("scripted")),
        ledger,
    }
}

pub(crate) fn root_grant(ledger: LedgerBinding) -> Grant {
    Grant {
        tools: TOOLS.iter().map(|tool| name(tool.name)).collect(),
        effects: all_effects(),
        workspace: path("/w"),
        paths: BTreeSet::from([path("/w")]),
        hosts: BTreeSet::from([HostScope::new("example.com").expect("a host")]),
        budget: budget(50, 100_000),
        depth: 2,
        may_delegate: true,
        ledger,
        purpose: Purpose::default(),
        policy: PolicyTerms {
            adopt: true,
            floor: BTreeMap::new(),
        },
        lineage: Lineage::Root,
        principal: Who::Principal.did().short_did().clone(),
    }
}

pub(crate) fn child_grant(ledger: LedgerBinding, parent: Digest, root: Digest) -> Grant {
    Grant {
        tools: ["grep", "list", "read"].map(name).into(),
        effects: Effects::READ,
        workspace: path("/w"),
        paths: BTreeSet::from([path("/w/src")]),
        hosts: BTreeSet::new(),
        budget: budget(10, 10_000),
        depth: 0,
        may_delegate: false,
        lineage: Lineage::Child { parent, root },
        ..root_grant(ledger)
    }
}

pub(crate) fn budget(calls: u64, others: u64) -> Budget {
    let others = Count::clamped(others);
    Budget {
        calls: Count::clamped(calls),
        tokens_in: others,
        tokens_out: others,
        cost_micro_usd: others,
    }
}

pub(crate) fn all_effects() -> Effects {
    Effects::WORDS
        .into_iter()
        .fold(Effects::default(), |all, (effect, _)| all.union(effect))
}

pub(crate) fn issue<C: Claims>(claims: &C, issuer: Who) -> Doc {
    let bytes = Credential::<C>::issue(claims, issuer.secret(), issuer.did()).expect("claims within their limits");
    Doc::new(bytes).expect("a document within its limit")
}
