//! `identity.introduced` and `grant.issued`: who joins, on whose word, with what authority (authority-v1 §5.2, G1–G8).

use std::collections::{BTreeMap, BTreeSet};

use countersign_identity::binding::LedgerBinding;
use countersign_identity::credential::{ApproverClaims, GrantClaims, InstanceClaims, InstanceRole, MayIssue};
use countersign_identity::did::{PeerDid, ShortDid};
use countersign_identity::grant::{Grant, Lineage};
use countersign_identity::instant::Window;
use countersign_schemas::body::{Granted, Introduced, Newcomer, Role};
use countersign_schemas::digest::Digest;
use countersign_schemas::number::{Count, Millis, Seq};

use super::action::Decision;
use super::entry::Entry;
use super::findings::Findings;
use super::genesis::{Opening, check_subject, verified};
use super::grant_chain::{GrantState, check_child};
use super::instance::{Instance, Proposals, Stop};
use super::{Change, Law};
use crate::code::Code;

/// Every DID and key that was ever introduced: each of them once (A1).
#[derive(Debug, Default)]
pub(super) struct Known {
    dids: BTreeMap<ShortDid, Seq>,
    /// Ed25519 keys, and SHA-256 of ML-DSA-44 keys.
    keys: BTreeSet<[u8; 32]>,
}

impl Known {
    pub(super) fn insert(&mut self, did: &PeerDid, seq: Seq) {
        self.dids.insert(did.short_did().clone(), seq);
        self.keys.extend(Self::keys_of(did));
    }

    fn keys_of(did: &PeerDid) -> [[u8; 32]; 2] {
        let ml_dsa = Digest::sha256(did.public().ml_dsa_bytes());
        [*did.public().ed25519_bytes(), *ml_dsa.as_bytes()]
    }

    fn check(&self, did: &PeerDid, out: &mut Findings) -> bool {
        if let Some(seq) = self.dids.get(did.short_did()) {
            out.breach(Code::A1, "a DID that is new", format!("the DID introduced at {seq}"));
            return false;
        }
        let is_new = Self::keys_of(did).iter().all(|key| !self.keys.contains(key));
        out.require(is_new, Code::A1, "keys that are new", "a key of another party")
    }
}

/// A newcomer that is entered.
pub(super) struct Joined {
    instance: Instance,
    grant: Option<GrantState>,
    /// The permitted action inside which it was introduced.
    action: Option<Seq>,
}

impl Joined {
    pub(super) fn apply(self, law: &mut Law) {
        let seq = self.instance.seq;
        law.known.insert(&self.instance.did, seq);
        law.instances.insert(seq, self.instance);
        if let Some(grant) = self.grant {
            law.grants.insert(grant);
        }
        if let Some(decision) = self.action.and_then(|action| law.actions.decisions.get_mut(&action)) {
            decision.introduced = Some(seq);
        }
    }
}

pub(super) fn check(
    law: &Law,
    entry: &Entry<'_>,
    author: &Instance,
    body: &Introduced,
    out: &mut Findings,
) -> Option<Change> {
    let opening = law.opening.as_ref()?;
    if body.succeeds.is_some() || body.role == Role::Runtime {
        out.newer("an instance that takes over from another");
        return None;
    }
    let Newcomer::Did(did) = &body.did else {
        out.newer("a newcomer that is a bare key");
        return None;
    };
    let did = match PeerDid::parse_long(did.as_str()) {
        Ok(did) => did,
        Err(error) => {
            out.breach(Code::A1, "a long-form DID", error);
            return None;
        }
    };
    if !law.known.check(&did, out) {
        return None;
    }
    let newcomer = Introduction {
        law,
        entry,
        author,
        body,
        opening,
        did,
    };
    match body.role {
        Role::Runtime => None,
        Role::Approver => newcomer.approver(out),
        Role::Advisor => newcomer.advisor(out),
        Role::Agent if author.role == Role::Runtime => newcomer.lead(out),
        Role::Agent => newcomer.child(out),
    }
}

struct Introduction<'a> {
    law: &'a Law,
    entry: &'a Entry<'a>,
    author: &'a Instance,
    body: &'a Introduced,
    opening: &'a Opening,
    did: PeerDid,
}

impl Introduction<'_> {
    fn approver(self, out: &mut Findings) -> Option<Change> {
        self.require_runtime(out)?;
        let doc = self.body.credential.as_bytes();
        let claims = verified::<ApproverClaims>(doc, "the principal", &self.opening.principal, out)?.into_claims();
        let own = claims.approver == *self.did.short_did();
        out.require(
            own,
            Code::A2,
            format!("a credential of {}", self.did.short()),
            &claims.approver,
        );
        self.require_no_grant(out);
        self.require_run(None, out);
        Some(self.joined(claims.name.as_str(), claims.window, None, None))
    }

    fn advisor(self, out: &mut Findings) -> Option<Change> {
        let by_runtime = self.author.role == Role::Runtime;
        let (claims, _) = self.instance_claims(if by_runtime { None } else { Some(self.author) }, out)?;
        self.require_no_grant(out);
        let (run, action) = if by_runtime {
            (None, None)
        } else {
            self.inside("advisor", out)
        };
        self.require_run(run, out);
        Some(self.joined(claims.name.as_str(), claims.window, None, action))
    }

    fn lead(self, out: &mut Findings) -> Option<Change> {
        let (claims, digest) = self.instance_claims(None, out)?;
        let may = self.opening.host_claims.may_issue.contains(&MayIssue::RootGrant);
        out.require(may, Code::A2, "a host that may issue root grants", "one that may not");
        self.require_run(None, out);
        let grant = self.grant_of(&claims, out)?;
        let parent = match self.body.parent_grant {
            None => {
                let is_root = grant.lineage == Lineage::Root;
                out.require(
                    is_root,
                    Code::G2,
                    "a root grant",
                    "a grant with a parent that the entry does not name",
                );
                None
            }
            Some(seq) => Some(self.issued_grant(seq, out)?),
        };
        if let Some(parent) = parent {
            check_child(&grant, claims.window, parent, out);
        }
        let state = GrantState::new(
            self.entry.seq,
            parent.map(GrantState::seq),
            grant,
            claims.window,
            digest,
        );
        Some(self.joined(claims.name.as_str(), claims.window, Some(state), None))
    }

    fn child(self, out: &mut Findings) -> Option<Change> {
        let (claims, digest) = self.instance_claims(Some(self.author), out)?;
        let held = self.body.parent_grant == Some(self.author.seq);
        let named = self
            .body
            .parent_grant
            .map_or_else(|| "none".to_owned(), |seq| format!("the grant at {seq}"));
        out.require(
            held,
            Code::G1,
            format!("the author's own grant, at {}", self.author.seq),
            named,
        );
        let parent = self.law.grants.at(self.author.seq)?;
        let grant = self.grant_of(&claims, out)?;
        check_child(&grant, claims.window, parent, out);
        let (run, action) = self.inside("agent", out);
        self.require_run(run, out);
        let state = GrantState::new(self.entry.seq, Some(self.author.seq), grant, claims.window, digest);
        Some(self.joined(claims.name.as_str(), claims.window, Some(state), action))
    }

    /// The credential of an instance, issued by the host or by the agent that introduces it.
    fn instance_claims(&self, issuer: Option<&Instance>, out: &mut Findings) -> Option<(InstanceClaims, Digest)> {
        let (party, did, outer) = match issuer {
            None => ("the host", &self.opening.host, self.opening.host_claims.window),
            Some(agent) => ("the agent that introduces it", &agent.did, agent.window),
        };
        let credential = verified::<InstanceClaims>(self.body.credential.as_bytes(), party, did, out)?;
        let (claims, digest) = (credential.claims().clone(), credential.digest());
        check_subject(&claims, &self.did, &self.opening.principal, out);
        let role = claims.role.as_str();
        out.require(
            role == self.body.role.as_str(),
            Code::A2,
            format!("role {}", self.body.role),
            role,
        );
        let bound = claims.ledger == LedgerBinding::Id(self.opening.this.id);
        out.require(
            bound,
            Code::A2,
            format!("bound to ledger {}", self.opening.this.id),
            format!("{:?}", claims.ledger),
        );
        let within = claims.window.is_within(&outer);
        // For a child agent G5 says the same about the grants.
        let code = if issuer.is_some() && self.body.role == Role::Agent {
            None
        } else {
            Some(Code::A4)
        };
        if let (Some(code), false) = (code, within) {
            out.breach(
                code,
                format!("within the window of {party}, {outer:?}"),
                format!("{:?}", claims.window),
            );
        }
        Some((claims, digest))
    }

    /// The grant of an agent's credential: for this principal and this ledger.
    fn grant_of(&self, claims: &InstanceClaims, out: &mut Findings) -> Option<Grant> {
        let InstanceRole::Agent(grant) = &claims.role else {
            return None;
        };
        let grant = Grant::clone(grant);
        check_grant(&grant, self.opening, out);
        Some(grant)
    }

    /// A `grant.issued`, which is the only grant that a host can pass on.
    fn issued_grant(&self, seq: Seq, out: &mut Findings) -> Option<&GrantState> {
        let issued = self
            .law
            .grants
            .at(seq)
            .filter(|_| !self.law.instances.contains_key(&seq));
        if issued.is_none() {
            out.breach(Code::G1, "a grant issued to the host", format!("entry {seq}"));
        }
        issued
    }

    /// The active run of the author, and its permitted action with `tool` that introduced nobody yet (D7).
    fn inside(&self, tool: &str, out: &mut Findings) -> (Option<Seq>, Option<Seq>) {
        let run = self.law.active_run_of(self.author.seq);
        let free = |decision: &Decision| decision.introduced.is_none();
        let action = self
            .law
            .actions
            .permitted_for(self.author.seq, tool, self.entry.received, free);
        let expected = format!("an allowed {tool} action of the author that introduced nobody yet");
        out.require(action.is_some(), Code::D7, expected, "none");
        (run, action)
    }

    fn require_runtime(&self, out: &mut Findings) -> Option<()> {
        let holds = self.author.role == Role::Runtime;
        out.require(holds, Code::A5, "an approver introduced by a runtime", self.author.role)
            .then_some(())
    }

    fn require_no_grant(&self, out: &mut Findings) {
        if let Some(seq) = self.body.parent_grant {
            out.breach(
                Code::A5,
                format!("no grant for an {}", self.body.role),
                format!("the grant at {seq}"),
            );
        }
    }

    fn require_run(&self, expected: Option<Seq>, out: &mut Findings) {
        let shown = |run: Option<Seq>| run.map_or_else(|| "no run".to_owned(), |seq| format!("run {seq}"));
        out.require(
            self.body.run == expected,
            Code::G8,
            shown(expected),
            shown(self.body.run),
        );
    }

    fn joined(self, name: &str, window: Window, grant: Option<GrantState>, action: Option<Seq>) -> Change {
        let runtime = if self.author.role == Role::Runtime {
            self.author.seq
        } else {
            self.author.runtime
        };
        let instance = Instance {
            seq: self.entry.seq,
            role: self.body.role,
            did: self.did,
            name: name.to_owned(),
            window,
            introduced_by: self.author.seq,
            runtime,
            run: self.body.run,
            next_n: Count::ZERO,
            last_seq: None,
            last_at: Millis::ZERO,
            stop: Stop::Running,
            proposals: Proposals::default(),
            open_call: None,
        };
        Change::Joined(Box::new(Joined {
            instance,
            grant,
            action,
        }))
    }
}

fn check_grant(grant: &Grant, opening: &Opening, out: &mut Findings) {
    let ours = grant.principal == *opening.principal.short_did();
    out.require(
        ours,
        Code::G2,
        format!("principal {}", opening.principal.short()),
        &grant.principal,
    );
    let here = opening.this.is_bound_by(grant.ledger);
    out.require(
        here,
        Code::G8,
        format!("a grant for ledger {}", opening.this.id),
        format!("{:?}", grant.ledger),
    );
}

/// A grant of the principal that is entered.
pub(super) struct Issued(GrantState);

impl Issued {
    pub(super) fn apply(self, law: &mut Law) {
        law.grants.insert(self.0);
    }
}

pub(super) fn check_issued(law: &Law, entry: &Entry<'_>, body: &Granted, out: &mut Findings) -> Option<Change> {
    let opening = law.opening.as_ref()?;
    if body.holder != Seq::ZERO || body.parent_grant != Seq::ZERO || body.spent_in.is_some() {
        out.newer("a grant that is not the principal's to the host for this ledger");
        return None;
    }
    let doc = body.credential.as_bytes();
    let credential = verified::<GrantClaims>(doc, "the principal", &opening.principal, out)?;
    let digest = credential.digest();
    if let Some(earlier) = law.grants.of_credential(digest) {
        out.breach(
            Code::G6,
            "a grant that is new",
            format!("the grant that entry {earlier} carries"),
        );
        return None;
    }
    let claims = credential.into_claims();
    let to_host = claims.host == *opening.host.short_did();
    out.require(
        to_host,
        Code::A2,
        format!("a grant to {}", opening.host.short()),
        &claims.host,
    );
    out.require(
        claims.grant.lineage == Lineage::Root,
        Code::G2,
        "a root grant",
        "a grant with a parent",
    );
    check_grant(&claims.grant, opening, out);
    Some(Change::Issued(Box::new(Issued(GrantState::new(
        entry.seq,
        None,
        claims.grant,
        claims.window,
        digest,
    )))))
}
