//! `ledger.opened`: the whole start of trust (authority-v1 §5.1).

use std::fmt::Display;

use countersign_identity::binding::LedgerBinding;
use countersign_identity::credential::{
    Claims, Credential, CredentialError, HostClaims, HostCredential, InstanceClaims, InstanceCredential, InstanceRole,
    MayIssue,
};
use countersign_identity::did::PeerDid;
use countersign_identity::instant::Window;
use countersign_ledger::checkpoint::CheckpointPublicKeys;
use countersign_schemas::body::{Opened, Role};
use countersign_schemas::digest::{Digest, LedgerId};
use countersign_schemas::number::{Count, Millis, Seq};
use countersign_schemas::text::Origin;
use data_encoding::HEXLOWER;

use super::entry::Entry;
use super::findings::Findings;
use super::grant_chain::ThisLedger;
use super::instance::{Instance, Proposals, Stop};
use super::snapshot_values::kept;
use super::{Change, Law};
use crate::code::Code;

/// What the first entry fixes for the whole ledger.
#[derive(Debug, Clone)]
pub struct Opening {
    pub(super) this: ThisLedger,
    pub(super) origin: Origin,
    pub(super) principal: PeerDid,
    pub(super) host: PeerDid,
    pub(super) host_claims: HostClaims,
    pub(super) checkpoint_keys: CheckpointPublicKeys,
}

kept!(Opening {
    this,
    origin,
    principal,
    host,
    host_claims,
    checkpoint_keys
});

impl Opening {
    /// The id of the ledger.
    #[must_use]
    pub fn ledger(&self) -> LedgerId {
        self.this.id
    }

    /// The origin line of its checkpoints.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// On whose behalf agents act.
    #[must_use]
    pub fn principal(&self) -> &PeerDid {
        &self.principal
    }

    /// The installation that certified the opener.
    #[must_use]
    pub fn host(&self) -> &PeerDid {
        &self.host
    }

    /// What the principal says about the host.
    #[must_use]
    pub fn host_claims(&self) -> &HostClaims {
        &self.host_claims
    }

    /// The keys that sign checkpoints.
    #[must_use]
    pub fn checkpoint_keys(&self) -> &CheckpointPublicKeys {
        &self.checkpoint_keys
    }
}

/// A genesis that is entered.
pub(super) struct Genesis {
    opening: Opening,
    opener: Instance,
}

impl Genesis {
    pub(super) fn apply(self, law: &mut Law) {
        for did in [&self.opening.principal, &self.opening.host, &self.opener.did] {
            law.known.insert(did, Seq::ZERO);
        }
        law.begin(self.opener);
        law.opening = Some(self.opening);
    }
}

pub(super) fn check(entry: &Entry<'_>, body: &Opened, out: &mut Findings) -> Option<Change> {
    let statement = entry.statement;
    out.require(
        statement.by == Seq::ZERO,
        Code::A1,
        "by 0",
        format_args!("by {}", statement.by),
    );
    out.require(
        statement.n == Count::ZERO,
        Code::I6,
        "n 0",
        format_args!("n {}", statement.n),
    );
    let [principal, host, opener] = parties(body, out)?;
    let origin = format!("countersign/{}", HEXLOWER.encode(&*body.nonce.0));
    out.require(
        body.origin.as_str() == origin,
        Code::A2,
        format_args!("origin {origin}"),
        &body.origin,
    );
    let host_claims = check_host(body, &principal, &host, out)?;
    let founding = body.founding();
    let claims = check_opener(body, &principal, &host, &opener, founding, out)?;
    let (inner, outer) = (claims.window, host_claims.window);
    out.require(
        inner.is_within(&outer),
        Code::A4,
        format_args!("within {outer:?}"),
        format_args!("{inner:?}"),
    );
    check_window(inner, entry, out);
    let checkpoint_keys = checkpoint_keys(body, out)?;
    let id = LedgerId::from_bytes(*entry.statement_digest.as_bytes());
    let this = ThisLedger { id, founding };
    Some(Change::Opened(Box::new(Genesis {
        opener: opener_instance(opener, &claims),
        opening: Opening {
            this,
            origin: body.origin.clone(),
            principal,
            host,
            host_claims,
            checkpoint_keys,
        },
    })))
}

/// Principal, host and opener: three long forms with six different keys.
fn parties(body: &Opened, out: &mut Findings) -> Option<[PeerDid; 3]> {
    let mut parsed = Vec::new();
    for (who, did) in [
        ("principal", &body.principal),
        ("host", &body.dids[0]),
        ("opener", &body.dids[1]),
    ] {
        match PeerDid::parse_long(did.as_str()) {
            Ok(did) => parsed.push(did),
            Err(error) => out.breach(Code::A1, format_args!("a long-form DID of the {who}"), error),
        }
    }
    let parties: [PeerDid; 3] = parsed.try_into().ok()?;
    let pairs = [(0, 1), (0, 2), (1, 2)];
    let distinct = pairs.iter().all(|(a, b)| !share_a_key(&parties[*a], &parties[*b]));
    out.require(distinct, Code::A1, "six different keys", "a key that two parties share")
        .then_some(parties)
}

/// Whether two DIDs hold the same key; equal DIDs hold two.
pub(super) fn share_a_key(a: &PeerDid, b: &PeerDid) -> bool {
    let (a, b) = (a.public(), b.public());
    a.ed25519_bytes() == b.ed25519_bytes() || a.ml_dsa_bytes() == b.ml_dsa_bytes()
}

fn check_host(body: &Opened, principal: &PeerDid, host: &PeerDid, out: &mut Findings) -> Option<HostClaims> {
    let credential = verified::<HostClaims>(body.credentials[0].as_bytes(), "the principal", principal, out)?;
    let claims = HostCredential::into_claims(credential);
    out.require(
        claims.host == *host.short_did(),
        Code::A2,
        format_args!("a credential of {host}", host = host.short()),
        &claims.host,
    );
    let may = claims.may_issue.contains(&MayIssue::Instance);
    out.require(
        may,
        Code::A2,
        "a host that may issue instance credentials",
        "one that may not",
    );
    Some(claims)
}

fn check_opener(
    body: &Opened,
    principal: &PeerDid,
    host: &PeerDid,
    opener: &PeerDid,
    founding: Digest,
    out: &mut Findings,
) -> Option<InstanceClaims> {
    let credential = verified::<InstanceClaims>(body.credentials[1].as_bytes(), "the host", host, out)?;
    let claims = InstanceCredential::into_claims(credential);
    check_subject(&claims, opener, principal, out);
    let is_runtime = matches!(claims.role, InstanceRole::Runtime);
    out.require(is_runtime, Code::A2, "role runtime", claims.role.as_str());
    let bound = claims.ledger == LedgerBinding::Founding(founding);
    out.require(
        bound,
        Code::A2,
        format_args!("bound to founding {founding}"),
        format_args!("{:?}", claims.ledger),
    );
    Some(claims)
}

/// Subject and operator of an instance credential.
pub(super) fn check_subject(claims: &InstanceClaims, subject: &PeerDid, principal: &PeerDid, out: &mut Findings) {
    let own = claims.instance == *subject.short_did();
    out.require(
        own,
        Code::A2,
        format_args!("a credential of {}", subject.short()),
        &claims.instance,
    );
    let ours = claims.operator == *principal.short_did();
    out.require(
        ours,
        Code::A2,
        format_args!("operator {}", principal.short()),
        &claims.operator,
    );
}

/// Reads a credential and verifies it as `issuer`'s; anything else breaks A2.
pub(super) fn verified<C: Claims>(
    bytes: &[u8],
    party: impl Display,
    issuer: &PeerDid,
    out: &mut Findings,
) -> Option<Credential<C>> {
    let expected = format!("a {} issued by {party}", C::PROFILE);
    let unverified = match Credential::<C>::parse(bytes) {
        Ok(unverified) => unverified,
        Err(error) => {
            // Documents have one canonical encoding, as records have (I1).
            let code = if matches!(error, CredentialError::Document(_)) {
                Code::I1
            } else {
                Code::A2
            };
            out.breach(code, expected, error);
            return None;
        }
    };
    if unverified.issuer() != issuer.short_did() {
        out.breach(
            Code::A2,
            format_args!("{expected}, {}", issuer.short()),
            unverified.issuer(),
        );
        return None;
    }
    match unverified.verify(issuer) {
        Ok(credential) => Some(credential),
        Err(error) => {
            out.breach(Code::A2, expected, error);
            None
        }
    }
}

/// A4: `at` and `received` lie in the author's window.
pub(super) fn check_window(window: Window, entry: &Entry<'_>, out: &mut Findings) {
    for (name, time) in [("at", entry.statement.at), ("received", entry.received)] {
        out.require(
            window.contains(time),
            Code::A4,
            format_args!("{name} within {window:?}"),
            time,
        );
    }
}

fn checkpoint_keys(body: &Opened, out: &mut Findings) -> Option<CheckpointPublicKeys> {
    let keys = &body.checkpoint_keys;
    match CheckpointPublicKeys::from_bytes(&keys.ed25519.0, &keys.ml_dsa_44.0) {
        Ok(keys) => Some(keys),
        Err(error) => {
            out.breach(Code::A2, "two sound checkpoint keys", error);
            None
        }
    }
}

fn opener_instance(did: PeerDid, claims: &InstanceClaims) -> Instance {
    Instance {
        seq: Seq::ZERO,
        role: Role::Runtime,
        did,
        name: claims.name.as_str().to_owned(),
        window: claims.window,
        introduced_by: Seq::ZERO,
        runtime: Seq::ZERO,
        line: Seq::ZERO,
        run: None,
        next_n: Count::ZERO,
        last_seq: None,
        last_at: Millis::ZERO,
        stop: Stop::Running,
        proposals: Proposals::default(),
        open_call: None,
    }
}
