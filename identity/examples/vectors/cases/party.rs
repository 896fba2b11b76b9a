//! The parties of the story, and the documents that the other cases change.

use countersign_identity::binding::LedgerBinding;
use countersign_identity::credential::{
    ApproverClaims, Claims, Credential, DirectiveAct, DirectiveClaims, GrantClaims, HostClaims, InstanceClaims,
    InstanceRole, MayIssue, Meaning, OrderClaims, OrderContext, OrderNonce, Presentation, RuntimeBuild,
};
use countersign_identity::did::{PeerDid, ShortDid};
use countersign_identity::grant::{AbsolutePath, Budget, Grant, HostScope, Lineage, PolicyTerms, Purpose};
use countersign_identity::instant::{self, Window};
use countersign_identity::jcs;
use countersign_identity::keys::{HybridSecret, Seed32};
use countersign_schemas::body::{Effects, ErasureGround, PolicyLayer, RevokeReason, Verdict};
use countersign_schemas::digest::{Commitment, Digest, LedgerId};
use countersign_schemas::number::{Count, Millis};
use countersign_schemas::text::Name;
use serde_json::Value;

pub(super) type Made<T> = Result<T, Box<dyn std::error::Error>>;

/// A party whose Ed25519 seed is 32 times `n` and whose ML-DSA seed is 32 times 0x80 + `n`.
pub(super) struct Party {
    pub(super) secret: HybridSecret,
    pub(super) did: PeerDid,
}

impl Party {
    fn new(n: u8) -> Self {
        let secret = HybridSecret::from_seeds(Seed32::new([n; 32]), Seed32::new([0x80 + n; 32]));
        let did = PeerDid::from_keys(secret.public());
        Self { secret, did }
    }

    pub(super) fn short(&self) -> ShortDid {
        self.did.short_did().clone()
    }

    /// The text of a credential by this party.
    pub(super) fn issue<C: Claims>(&self, claims: &C) -> Made<String> {
        Ok(String::from_utf8(Credential::<C>::issue(
            claims,
            &self.secret,
            &self.did,
        )?)?)
    }

    /// Signs whatever is in `document`, right or wrong, after taking off proofs it may have.
    pub(super) fn sign(&self, mut document: Value) -> Made<Value> {
        let members = document.as_object_mut().ok_or("not an object")?;
        members.remove("proof");
        members.insert("issuer".to_owned(), self.did.short().into());
        let created = instant::parse(document["validFrom"].as_str().unwrap_or_default())?;
        Ok(countersign_identity::proof::sign_proof_set(
            document,
            &self.secret,
            self.did.short_did(),
            created,
        )?)
    }
}

pub(super) fn principal() -> Party {
    Party::new(1)
}

pub(super) fn host() -> Party {
    Party::new(2)
}

pub(super) fn runtime() -> Party {
    Party::new(3)
}

pub(super) fn lead() -> Party {
    Party::new(4)
}

pub(super) fn child() -> Party {
    Party::new(5)
}

pub(super) fn advisor() -> Party {
    Party::new(6)
}

pub(super) fn approver() -> Party {
    Party::new(7)
}

pub(super) fn stranger() -> Party {
    Party::new(8)
}

pub(super) fn ledger_id() -> LedgerId {
    LedgerId::from_bytes([0x1d; 32])
}

fn window(from: &str, until: &str) -> Made<Window> {
    Ok(Window::new(instant::parse(from)?, instant::parse(until)?)?)
}

fn run_window() -> Made<Window> {
    window("2026-11-21T08:00:00Z", "2026-11-21T20:00:00Z")
}

pub(super) fn name(text: &str) -> Made<Name> {
    Ok(Name::new(text)?)
}

pub(super) fn host_claims() -> Made<HostClaims> {
    Ok(HostClaims {
        window: window("2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z")?,
        host: host().short(),
        site: name("workstation-7")?,
        may_issue: [MayIssue::Instance, MayIssue::RootGrant].into(),
    })
}

pub(super) fn runtime_claims() -> Made<InstanceClaims> {
    Ok(InstanceClaims {
        window: run_window()?,
        instance: runtime().short(),
        role: InstanceRole::Runtime,
        name: name("runtime")?,
        operator: principal().short(),
        runtime: RuntimeBuild {
            name: name("countersign")?,
            version: name("0.1.0")?,
        },
        model: None,
        ledger: LedgerBinding::Founding(Digest::from_bytes([0xf0; 32])),
    })
}

pub(super) fn root_grant() -> Made<Grant> {
    Ok(Grant {
        tools: ["agent", "bash", "edit", "read"]
            .map(name)
            .into_iter()
            .collect::<Made<_>>()?,
        effects: Effects::READ
            .union(Effects::WRITE)
            .union(Effects::EXECUTE)
            .union(Effects::NETWORK)
            .union(Effects::DELEGATE),
        workspace: AbsolutePath::new("/home/kim/project")?,
        paths: [AbsolutePath::new("/home/kim/project")?, AbsolutePath::new("/tmp")?].into(),
        hosts: [HostScope::new("example.com")?].into(),
        budget: Budget {
            calls: Count::new(200)?,
            tokens_in: Count::new(2_000_000)?,
            tokens_out: Count::new(200_000)?,
            cost_micro_usd: Count::new(5_000_000)?,
        },
        depth: 3,
        may_delegate: true,
        ledger: LedgerBinding::Id(ledger_id()),
        purpose: Purpose::new("repair the failing test")?,
        policy: PolicyTerms {
            adopt: true,
            floor: [(PolicyLayer::Organisation, Digest::from_bytes([0x0f; 32]))].into(),
        },
        lineage: Lineage::Root,
        principal: principal().short(),
    })
}

pub(super) fn lead_claims() -> Made<InstanceClaims> {
    Ok(InstanceClaims {
        instance: lead().short(),
        role: InstanceRole::Agent(Box::new(root_grant()?)),
        name: name("lead")?,
        model: Some(name("anthropic/model-1")?),
        ledger: LedgerBinding::Id(ledger_id()),
        ..runtime_claims()?
    })
}

/// The child's grant: narrower in every respect, and naming the lead's credential as parent and root.
pub(super) fn child_grant() -> Made<Grant> {
    let parent = Digest::sha256(host().issue(&lead_claims()?)?.as_bytes());
    Ok(Grant {
        tools: [name("read")?].into(),
        effects: Effects::READ,
        workspace: AbsolutePath::new("/home/kim/project/tests")?,
        paths: [AbsolutePath::new("/home/kim/project/tests")?].into(),
        hosts: [].into(),
        budget: Budget {
            calls: Count::new(20)?,
            tokens_in: Count::new(100_000)?,
            tokens_out: Count::new(10_000)?,
            cost_micro_usd: Count::new(250_000)?,
        },
        depth: 0,
        may_delegate: false,
        purpose: Purpose::new("find the failing test")?,
        policy: PolicyTerms {
            adopt: false,
            ..root_grant()?.policy
        },
        lineage: Lineage::Child { parent, root: parent },
        ..root_grant()?
    })
}

pub(super) fn child_claims() -> Made<InstanceClaims> {
    Ok(InstanceClaims {
        window: window("2026-11-21T08:05:00Z", "2026-11-21T09:05:00Z")?,
        instance: child().short(),
        role: InstanceRole::Agent(Box::new(child_grant()?)),
        name: name("scout")?,
        ..lead_claims()?
    })
}

pub(super) fn advisor_claims() -> Made<InstanceClaims> {
    Ok(InstanceClaims {
        instance: advisor().short(),
        role: InstanceRole::Advisor,
        name: name("advisor")?,
        model: Some(name("anthropic/model-2")?),
        ..lead_claims()?
    })
}

pub(super) fn approver_claims() -> Made<ApproverClaims> {
    Ok(ApproverClaims {
        window: window("2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z")?,
        approver: approver().short(),
        name: name("release-manager")?,
    })
}

pub(super) fn grant_claims() -> Made<GrantClaims> {
    let grant = Grant {
        ledger: LedgerBinding::Any,
        ..root_grant()?
    };
    Ok(GrantClaims {
        window: window("2026-11-20T00:00:00Z", "2026-11-27T00:00:00Z")?,
        host: host().short(),
        grant,
    })
}

pub(super) fn order_claims() -> Made<OrderClaims> {
    Ok(OrderClaims {
        window: window("2026-11-21T08:10:00Z", "2026-11-21T08:15:00Z")?,
        context: OrderContext {
            ledger: ledger_id(),
            request: Digest::from_bytes([0xa1; 32]),
            decision: Digest::from_bytes([0xa2; 32]),
            tool: name("bash")?,
            arguments: Commitment::from_bytes([0xa3; 32]),
            text: Digest::sha256(b"tool: bash\nworkspace: /home/kim/project\narguments:\n{\"command\":\"make test\"}"),
            verdict: Verdict::Given,
            meaning: Meaning::Approve,
            presentation: Presentation::Terminal,
            expires: Millis::new(1_795_248_900_000)?,
            nonce: OrderNonce::from_bytes([0x42; 16]),
        },
    })
}

/// The lead is withdrawn.
pub(super) fn revoke_claims() -> Made<DirectiveClaims> {
    directive(DirectiveAct::Revoke {
        entry: Digest::from_bytes([0xb1; 32]),
        reason: RevokeReason::Halted,
    })
}

/// A payload is erased because the time of keeping is over.
pub(super) fn erase_claims() -> Made<DirectiveClaims> {
    directive(DirectiveAct::Erase {
        entry: Digest::from_bytes([0xb2; 32]),
        payload: Commitment::from_bytes([0xb3; 32]),
        reason: ErasureGround::Retention,
    })
}

/// The organisation's policy is replaced.
pub(super) fn adopt_claims() -> Made<DirectiveClaims> {
    directive(DirectiveAct::Adopt {
        layer: PolicyLayer::Organisation,
        policies: Digest::sha256(b"permit (principal, action, resource);\n"),
    })
}

fn directive(act: DirectiveAct) -> Made<DirectiveClaims> {
    Ok(DirectiveClaims {
        window: window("2026-11-21T08:10:00Z", "2026-11-21T08:15:00Z")?,
        ledger: ledger_id(),
        act,
        expires: Millis::new(1_795_248_900_000)?,
        nonce: OrderNonce::from_bytes([0x43; 16]),
    })
}

/// A valid credential as a value, to be changed: the lead's, which has every kind of member.
pub(super) fn lead_document() -> Made<Value> {
    Ok(serde_json::from_str(&host().issue(&lead_claims()?)?)?)
}

/// The canonical text of a document.
pub(super) fn text(document: &Value) -> Made<String> {
    Ok(String::from_utf8(jcs::canonicalize(document)?)?)
}
