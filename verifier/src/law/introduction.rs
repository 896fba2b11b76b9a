//! `identity.introduced` and `grant.issued`: who joins, on whose word, with what authority (authority-v1 §5.2, G1–G8).

use std::collections::{BTreeMap, BTreeSet};

use countersign_identity::binding::LedgerBinding;
use countersign_identity::credential::{ApproverClaims, GrantClaims, InstanceClaims, InstanceRole, MayIssue};
use countersign_identity::did::{PeerDid, ShortDid};
use countersign_identity::grant::{Grant, Lineage};
use countersign_identity::instant::Window;
use countersign_identity::keys::HybridPublic;
use countersign_schemas::body::{Body, Granted, Introduced, Newcomer, Role};
use countersign_schemas::digest::Digest;
use countersign_schemas::number::{Count, Millis, Seq};

use super::action::Decision;
use super::entry::Entry;
use super::findings::Findings;
use super::genesis::{Opening, check_subject, check_window, verified};
use super::grant_chain::{GrantState, check_child};
use super::instance::{Instance, Proposals, Stop};
use super::recovery::Arrival;
use super::snapshot_values::kept;
use super::{Change, Law};
use crate::code::Code;

/// Every DID and key that was ever introduced: each of them once (A1).
#[derive(Debug, Default)]
pub(super) struct Known {
    dids: BTreeMap<ShortDid, Seq>,
    /// Ed25519 keys, and SHA-256 of ML-DSA-44 keys.
    keys: BTreeSet<[u8; 32]>,
}

kept!(Known { dids, keys });

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
            out.breach(
                Code::A1,
                "a DID that is new",
                format_args!("the DID introduced at {seq}"),
            );
            return false;
        }
        let is_new = Self::keys_of(did).iter().all(|key| !self.keys.contains(key));
        out.require(is_new, Code::A1, "keys that are new", "a key of another party")
    }
}

/// A newcomer that is entered.
pub(super) struct Joined {
    instance: Instance,
    /// Digest of the entry.
    digest: Digest,
    grant: Option<GrantState>,
    /// The permitted action inside which it was introduced.
    action: Option<Seq>,
    /// The runtime instance that it succeeds.
    succeeds: Option<Seq>,
    /// What it found, if it is a later runtime.
    arrival: Option<Arrival>,
}

impl Joined {
    pub(super) fn apply(self, law: &mut Law) {
        let seq = self.instance.seq;
        if self.arrival.is_some() && self.succeeds.is_none() && law.running.is_empty() {
            law.unattended.insert(seq);
        }
        law.known.insert(&self.instance.did, seq);
        if matches!(self.instance.role, Role::Agent | Role::Approver) {
            law.revocations.offer(seq, self.digest);
        }
        law.begin(self.instance);
        if let Some(before) = self.succeeds {
            law.stop(before, Stop::Succeeded(seq));
        }
        law.arrival = self.arrival.or(law.arrival);
        if let Some(grant) = self.grant {
            law.grants.insert(grant);
        }
        if let Some(decision) = self.action.and_then(|action| law.actions.decisions.get_mut(&action)) {
            decision.introduced = Some(seq);
        }
    }
}

/// The keys of whoever `body` introduces: an author's signatures verify under them, those of its introduction too where
/// it introduces itself. `None` where nobody is introduced, or nobody with a DID in long form.
#[must_use]
pub fn newcomer_keys(body: &Body) -> Option<HybridPublic> {
    let did = match body {
        Body::LedgerOpened(body) => body.dids.get(1)?,
        Body::IdentityIntroduced(body) => match &body.did {
            Newcomer::Did(did) => did,
            Newcomer::Key(..) => return None,
        },
        _ => return None,
    };
    PeerDid::parse_long(did.as_str()).ok().map(|did| did.public().clone())
}

/// Somebody whom `author` introduces.
pub(super) fn check(
    law: &Law,
    entry: &Entry<'_>,
    author: &Instance,
    body: &Introduced,
    out: &mut Findings,
) -> Option<Change> {
    if body.role == Role::Runtime {
        let by_other = format!("one that {} introduces", author.seq);
        out.breach(Code::A5, "a runtime instance that introduces itself", by_other);
        return None;
    }
    if body.succeeds.is_some() {
        out.newer(format_args!("an {} that takes over from another", body.role));
        return None;
    }
    let newcomer = Introduction::read(law, entry, body, out)?;
    match body.role {
        Role::Runtime => None,
        Role::Approver => newcomer.approver(author, out),
        Role::Advisor => newcomer.advisor(author, out),
        Role::Agent if author.role == Role::Runtime => newcomer.lead(author, out),
        Role::Agent => newcomer.child(author, out),
    }
}

/// A later runtime instance, which introduces itself: the host's credential is the word of another about it.
pub(super) fn check_own(law: &Law, entry: &Entry<'_>, body: &Introduced, out: &mut Findings) -> Option<Change> {
    if body.role != Role::Runtime {
        let found = format!("an {} that introduces itself", body.role);
        out.breach(Code::A1, "an author that was introduced", found);
        return None;
    }
    Introduction::read(law, entry, body, out)?.runtime(out)
}

struct Introduction<'a> {
    law: &'a Law,
    entry: &'a Entry<'a>,
    body: &'a Introduced,
    opening: &'a Opening,
    did: PeerDid,
}

impl<'a> Introduction<'a> {
    /// Reads the newcomer, whose DID and keys have to be new (A1).
    fn read(law: &'a Law, entry: &'a Entry<'a>, body: &'a Introduced, out: &mut Findings) -> Option<Self> {
        let opening = law.opening.as_ref()?;
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
        law.known.check(&did, out).then_some(Self {
            law,
            entry,
            body,
            opening,
            did,
        })
    }
}

impl Introduction<'_> {
    fn runtime(self, out: &mut Findings) -> Option<Change> {
        let (claims, _) = self.instance_claims(None, out)?;
        let n = self.entry.statement.n;
        out.require(n == Count::ZERO, Code::I6, "n 0", format_args!("n {n}"));
        check_window(claims.window, self.entry, out);
        self.require_no_grant(out);
        self.require_run(None, out);
        let before = self.succeeded(out);
        let arrival = Arrival {
            seq: self.entry.seq,
            root: self.entry.tree.root(),
        };
        let (succeeds, line) = (before.map(Instance::seq), before.map(|before| before.line));
        let mut joined = self.joined(None, claims.name.as_str(), claims.window, None, None);
        joined.instance.line = line.unwrap_or(joined.instance.seq);
        joined.succeeds = succeeds;
        joined.arrival = Some(arrival);
        Some(Change::Joined(Box::new(joined)))
    }

    /// The runtime instance that `succeeds` names, if it may be succeeded.
    fn succeeded(&self, out: &mut Findings) -> Option<&Instance> {
        let seq = self.body.succeeds?;
        let expected = "a runtime instance that runs and was not succeeded";
        let Some(before) = self.law.instances.get(&seq).filter(|it| it.role == Role::Runtime) else {
            out.breach(Code::A5, expected, format_args!("entry {seq}, which introduces none"));
            return None;
        };
        let found = match before.stop {
            Stop::Running => return Some(before),
            Stop::Own => format!("{seq}, which stopped itself"),
            Stop::Declared => format!("{seq}, whose stop another declared"),
            Stop::Succeeded(by) => format!("{seq}, which {by} succeeded"),
        };
        out.breach(Code::A5, expected, found);
        None
    }

    fn approver(self, author: &Instance, out: &mut Findings) -> Option<Change> {
        let by_runtime = author.role == Role::Runtime;
        out.require(by_runtime, Code::A5, "an approver introduced by a runtime", author.role)
            .then_some(())?;
        let doc = self.body.credential.as_bytes();
        let claims = verified::<ApproverClaims>(doc, "the principal", &self.opening.principal, out)?.into_claims();
        let own = claims.approver == *self.did.short_did();
        out.require(
            own,
            Code::A2,
            format_args!("a credential of {}", self.did.short()),
            &claims.approver,
        );
        self.require_no_grant(out);
        self.require_run(None, out);
        Some(self.enter(author, claims.name.as_str(), claims.window, None, None))
    }

    fn advisor(self, author: &Instance, out: &mut Findings) -> Option<Change> {
        let by_runtime = author.role == Role::Runtime;
        let (claims, _) = self.instance_claims(if by_runtime { None } else { Some(author) }, out)?;
        self.require_no_grant(out);
        let (run, action) = if by_runtime {
            (None, None)
        } else {
            self.inside(author, "advisor", out)
        };
        self.require_run(run, out);
        Some(self.enter(author, claims.name.as_str(), claims.window, None, action))
    }

    fn lead(self, author: &Instance, out: &mut Findings) -> Option<Change> {
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
            self.law.require_unrevoked(parent.seq, out);
        }
        let state = GrantState::new(
            self.entry.seq,
            parent.map(GrantState::seq),
            grant,
            claims.window,
            digest,
        );
        Some(self.enter(author, claims.name.as_str(), claims.window, Some(state), None))
    }

    fn child(self, author: &Instance, out: &mut Findings) -> Option<Change> {
        let (claims, digest) = self.instance_claims(Some(author), out)?;
        let held = self.body.parent_grant == Some(author.seq);
        let named = self
            .body
            .parent_grant
            .map_or_else(|| "none".to_owned(), |seq| format!("the grant at {seq}"));
        out.require(
            held,
            Code::G1,
            format_args!("the author's own grant, at {}", author.seq),
            named,
        );
        let parent = self.law.grants.at(author.seq)?;
        let grant = self.grant_of(&claims, out)?;
        check_child(&grant, claims.window, parent, out);
        self.law.require_unrevoked(author.seq, out);
        let (run, action) = self.inside(author, "agent", out);
        self.require_run(run, out);
        let state = GrantState::new(self.entry.seq, Some(author.seq), grant, claims.window, digest);
        Some(self.enter(author, claims.name.as_str(), claims.window, Some(state), action))
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
            format_args!("role {}", self.body.role),
            role,
        );
        let bound = claims.ledger == LedgerBinding::Id(self.opening.this.id);
        out.require(
            bound,
            Code::A2,
            format_args!("bound to ledger {}", self.opening.this.id),
            format_args!("{:?}", claims.ledger),
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
                format_args!("within the window of {party}, {outer:?}"),
                format_args!("{:?}", claims.window),
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
            out.breach(Code::G1, "a grant issued to the host", format_args!("entry {seq}"));
        }
        issued
    }

    /// The active run of the author, and its permitted action with `tool` that introduced nobody yet (D7).
    fn inside(&self, author: &Instance, tool: &str, out: &mut Findings) -> (Option<Seq>, Option<Seq>) {
        let run = self.law.active_run_of(author.seq);
        let free = |decision: &Decision| decision.introduced.is_none();
        let action = self
            .law
            .actions
            .permitted_for(author.seq, tool, self.entry.received, free);
        let expected = format!("an allowed {tool} action of the author that introduced nobody yet");
        out.require(action.is_some(), Code::D7, expected, "none");
        (run, action)
    }

    fn require_no_grant(&self, out: &mut Findings) {
        if let Some(seq) = self.body.parent_grant {
            out.breach(
                Code::A5,
                format_args!("no grant for an {}", self.body.role),
                format_args!("the grant at {seq}"),
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

    fn enter(
        self,
        author: &Instance,
        name: &str,
        window: Window,
        grant: Option<GrantState>,
        action: Option<Seq>,
    ) -> Change {
        Change::Joined(Box::new(self.joined(Some(author), name, window, grant, action)))
    }

    /// The newcomer, introduced by `author` or by itself.
    fn joined(
        self,
        author: Option<&Instance>,
        name: &str,
        window: Window,
        grant: Option<GrantState>,
        action: Option<Seq>,
    ) -> Joined {
        let seq = self.entry.seq;
        let agent = author.filter(|author| author.role == Role::Agent);
        let instance = Instance {
            seq,
            role: self.body.role,
            did: self.did,
            name: name.to_owned(),
            window,
            introduced_by: author.map_or(seq, Instance::seq),
            runtime: author.map_or(seq, Instance::runtime),
            line: seq,
            // What it has to be, also where the entry says otherwise and G8 names it.
            run: agent.and_then(|agent| self.law.active_run_of(agent.seq)),
            next_n: Count::ZERO,
            last_seq: None,
            last_at: Millis::ZERO,
            stop: Stop::Running,
            proposals: Proposals::default(),
            open_call: None,
        };
        Joined {
            instance,
            digest: self.entry.statement_digest,
            grant,
            action,
            succeeds: None,
            arrival: None,
        }
    }
}

fn check_grant(grant: &Grant, opening: &Opening, out: &mut Findings) {
    let ours = grant.principal == *opening.principal.short_did();
    out.require(
        ours,
        Code::G2,
        format_args!("principal {}", opening.principal.short()),
        &grant.principal,
    );
    let here = opening.this.is_bound_by(grant.ledger);
    out.require(
        here,
        Code::G8,
        format_args!("a grant for ledger {}", opening.this.id),
        format_args!("{:?}", grant.ledger),
    );
}

/// A grant of the principal that is entered.
pub(super) struct Issued {
    grant: GrantState,
    /// Digest of the entry.
    digest: Digest,
}

impl Issued {
    pub(super) fn apply(self, law: &mut Law) {
        law.revocations.offer(self.grant.seq, self.digest);
        law.grants.insert(self.grant);
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
            format_args!("the grant that entry {earlier} carries"),
        );
        return None;
    }
    let claims = credential.into_claims();
    let to_host = claims.host == *opening.host.short_did();
    out.require(
        to_host,
        Code::A2,
        format_args!("a grant to {}", opening.host.short()),
        &claims.host,
    );
    out.require(
        claims.grant.lineage == Lineage::Root,
        Code::G2,
        "a root grant",
        "a grant with a parent",
    );
    check_grant(&claims.grant, opening, out);
    Some(Change::Issued(Box::new(Issued {
        grant: GrantState::new(entry.seq, None, claims.grant, claims.window, digest),
        digest: entry.statement_digest,
    })))
}
