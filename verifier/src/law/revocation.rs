//! `grant.revoked`: authority that is withdrawn, with everything below it (authority-v1 §5.8): rules A5 and G7.

use std::collections::BTreeMap;

use countersign_identity::credential::DirectiveAct;
use countersign_schemas::body::{Revoked as Body, Role};
use countersign_schemas::digest::Digest;
use countersign_schemas::number::Seq;

use super::directive;
use super::entry::Entry;
use super::findings::Findings;
use super::grant_chain::GrantState;
use super::instance::Instance;
use super::snapshot_values::kept;
use super::{Change, Law};
use crate::code::Code;

/// What can be revoked, and what was.
#[derive(Debug, Default)]
pub(super) struct Revocations {
    /// Introductions of agents and approvers and every `grant.issued`, with the digest by which an order names the entry.
    revocable: BTreeMap<Seq, Digest>,
    /// What was revoked, by the first entry that did.
    revoked: BTreeMap<Seq, Seq>,
}

kept!(Revocations { revocable, revoked });

impl Revocations {
    /// Notes an entry that can be revoked from now on.
    pub(super) fn offer(&mut self, seq: Seq, digest: Digest) {
        self.revocable.insert(seq, digest);
    }

    fn of(&self, seq: Seq) -> Option<Seq> {
        self.revoked.get(&seq).copied()
    }
}

impl Law {
    /// The `grant.revoked` that withdrew what the entry at `seq` introduced or issued: that itself, or else the nearest
    /// grant above it. An approver has no grant and is withdrawn by name alone.
    #[must_use]
    pub fn revocation_of(&self, seq: Seq) -> Option<Seq> {
        if self.revocations.revoked.is_empty() {
            return None;
        }
        let above = || self.grants.chain(seq).find_map(|state| self.revocations.of(state.seq));
        self.revocations.of(seq).or_else(above)
    }

    /// G7: what the entry at `seq` introduced or issued is not revoked at this position.
    pub(super) fn require_unrevoked(&self, seq: Seq, out: &mut Findings) {
        if let Some(revocation) = self.revocation_of(seq) {
            out.breach(
                Code::G7,
                format_args!("the grant at {seq} in force"),
                format_args!("its revocation at {revocation}"),
            );
        }
    }
}

/// A revocation that is entered.
pub(super) struct Revoked {
    seq: Seq,
    target: Seq,
    order: Option<Digest>,
}

impl Revoked {
    pub(super) fn apply(self, law: &mut Law) {
        law.revocations.revoked.entry(self.target).or_insert(self.seq);
        law.orders.extend(self.order);
    }
}

pub(super) fn check(
    law: &Law,
    entry: &Entry<'_>,
    author: &Instance,
    body: &Body,
    out: &mut Findings,
) -> Option<Change> {
    let Some(digest) = law.revocations.revocable.get(&body.target) else {
        out.breach(
            Code::A5,
            "the introduction of an agent or of an approver, or a grant that was issued",
            format_args!("entry {}", body.target),
        );
        return None;
    };
    let order = match &body.order {
        Some(order) => {
            let by_runtime = author.role == Role::Runtime;
            out.require(by_runtime, Code::A5, "an order entered by a runtime", author.role);
            let carried = directive::read(law, entry, order, out)?;
            let (entry, reason) = (*digest, body.reason);
            carried.require(DirectiveAct::Revoke { entry, reason }, out);
            Some(carried.digest())
        }
        None => {
            check_own_authority(law, author, body.target, out);
            None
        }
    };
    Some(Change::Revoked(Revoked {
        seq: entry.seq,
        target: body.target,
        order,
    }))
}

/// Without an order only agents are revoked, each by who stands above it.
fn check_own_authority(law: &Law, author: &Instance, target: Seq, out: &mut Findings) {
    let Some(agent) = law.instance(target).filter(|it| it.role == Role::Agent) else {
        let found = format!("none for the entry at {target}, which introduces no agent");
        out.breach(Code::A5, "an order of the principal", found);
        return;
    };
    let (holds, expected) = match author.role {
        Role::Runtime => (
            law.stands_for(author, agent.runtime),
            format!(
                "an agent under the runtime at {}, or under one that it succeeded",
                author.seq
            ),
        ),
        Role::Agent | Role::Advisor | Role::Approver => (
            is_below(law, target, author.seq),
            format!("an agent below {}, or an order of the principal", author.seq),
        ),
    };
    out.require(holds, Code::A5, expected, format_args!("the agent at {target}"));
}

/// Whether the grant at `seq` narrows the one at `above`, at once or over others.
fn is_below(law: &Law, seq: Seq, above: Seq) -> bool {
    let parents = law.grants.chain(seq).skip(1);
    parents.map(GrantState::seq).any(|parent| parent == above)
}
