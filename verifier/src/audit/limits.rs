//! What the auditor knows of a principal and its hosts: from when until when it is trusted, and since when a key may be
//! in other hands (authority-v1 §6.4, `--trust`: A2, A4, C4).

use std::borrow::Cow;

use countersign_identity::did::{PeerDid, ShortDid};
use countersign_identity::trust::{Anchor, TrustEntry};
use countersign_schemas::body::Body;
use countersign_schemas::list::Doc;
use countersign_schemas::number::{Millis, Seq, Size};
use serde::Deserialize;

use super::asked::shown;
use crate::code::Code;
use crate::finding::Finding;
use crate::law::{Entry, Law, Opening};

/// The limits of the given anchors, and how a ledger keeps to them.
#[derive(Default)]
pub(super) struct Limits {
    anchors: Vec<Anchor>,
    as_of: Option<Millis>,
    /// Principal and host of the ledger, as far as anything is known of them that documents have to keep to.
    parties: Vec<Party>,
}

/// One who signs documents, and what is known of its key.
struct Party {
    name: &'static str,
    did: ShortDid,
    from: Option<Millis>,
    until: Option<Millis>,
    compromised_since: Option<Millis>,
    /// The last entry that carries a document of this key.
    last: Option<Seq>,
    /// Whether an entry with one was named that came when the key was compromised.
    is_named: bool,
}

impl Limits {
    pub(super) fn new(anchors: &[Anchor], as_of: Option<Millis>) -> Self {
        Self {
            anchors: anchors.to_vec(),
            as_of,
            parties: Vec::new(),
        }
    }

    /// Looks at an entry that was folded.
    pub(super) fn look_at(&mut self, law: &Law, entry: &Entry<'_>, findings: &mut impl Extend<Finding>) {
        if let (Seq::ZERO, Some(opening)) = (entry.seq, law.opening()) {
            findings.extend(self.open(opening));
        }
        if self.parties.is_empty() {
            return;
        }
        for issuer in issuers(&entry.statement.body) {
            for party in self.parties.iter_mut().filter(|party| party.did.as_str() == issuer) {
                party.signed(entry, findings);
            }
        }
    }

    /// Takes up what is known of the parties of this ledger. Should a caller name a principal several times, all of it holds.
    fn open(&mut self, opening: &Opening) -> Vec<Finding> {
        let (principal, host) = (opening.principal(), opening.host());
        let own = self.anchors.iter().filter(|anchor| anchor.matches(principal));
        let entries: Vec<&TrustEntry> = own.filter_map(Anchor::entry).collect();
        let is_known = |at: &Millis| self.as_of.is_none_or(|as_of| *at <= as_of);
        let since = entries.iter().filter_map(|entry| entry.compromised_since());
        let until = entries.iter().filter_map(|entry| entry.valid_until());
        let principal = Party {
            from: entries.iter().filter_map(|entry| entry.valid_from()).max(),
            until: until.filter(is_known).min(),
            compromised_since: since.filter(is_known).min(),
            ..Party::new("principal", principal)
        };
        let hosts = entries.iter().filter_map(|entry| entry.hosts());
        let (known, foreign): (Vec<_>, Vec<_>) = hosts
            .map(|hosts| (hosts, hosts.iter().find(|known| known.did() == host.short_did())))
            .partition(|(_, found)| found.is_some());
        let marks = known
            .iter()
            .filter_map(|(_, found)| found.and_then(|it| it.compromised_since()));
        let host = Party {
            compromised_since: marks.filter(is_known).min(),
            ..Party::new("host", host)
        };
        let findings = foreign.iter().map(|(hosts, _)| {
            let dids: Vec<&str> = hosts.iter().map(|host| host.did().as_str()).collect();
            Finding::new(
                Code::A2,
                Seq::ZERO,
                format!("host {}", dids.join(" or ")),
                host.did.as_str(),
            )
        });
        let findings = findings.collect();
        self.parties = [principal, host].into_iter().filter(Party::is_limited).collect();
        findings
    }

    /// C4 for each key whose thief could have dated back what it signed, as far as no head that fits is over it.
    pub(super) fn unproven(&self, head: Option<Size>) -> impl Iterator<Item = Finding> {
        self.parties.iter().filter_map(move |party| party.unproven(head))
    }
}

impl Party {
    fn new(name: &'static str, did: &PeerDid) -> Self {
        Self {
            name,
            did: did.short_did().clone(),
            from: None,
            until: None,
            compromised_since: None,
            last: None,
            is_named: false,
        }
    }

    fn is_limited(&self) -> bool {
        self.from.is_some() || self.until.is_some() || self.compromised_since.is_some()
    }

    /// Judges an entry that carries a document of this party.
    fn signed(&mut self, entry: &Entry<'_>, findings: &mut impl Extend<Finding>) {
        let (name, received) = (self.name, entry.received);
        self.last = Some(entry.seq);
        let breach = |code, expected: String| Finding::new(code, entry.seq, expected, received.to_string());
        if let Some(from) = self.from.filter(|from| received < *from) {
            let expected = format!("documents of the {name} from {} ({from}) on", shown(from));
            findings.extend([breach(Code::A4, expected)]);
        }
        if let Some(until) = self.until.filter(|until| received >= *until) {
            let expected = format!("documents of the {name} before {} ({until})", shown(until));
            findings.extend([breach(Code::A4, expected)]);
        }
        if let Some(since) = self.compromised_since.filter(|since| received >= *since) {
            self.is_named = true;
            let expected = format!(
                "none of the {name}, whose key may be another's since {} ({since})",
                shown(since)
            );
            findings.extend([breach(Code::A2, expected)]);
        }
    }

    fn unproven(&self, head: Option<Size>) -> Option<Finding> {
        let since = self.compromised_since.filter(|_| !self.is_named)?;
        let last = self
            .last
            .filter(|last| head.is_none_or(|head| head.get() <= last.get()))?;
        let (name, size) = (self.name, last.get() + 1);
        let expected = format!("a head over {size} entries, kept since before {}", shown(since));
        let found = head.map_or_else(|| "none".to_owned(), |head| format!("head@{head}"));
        let found = format!("{found}: whoever took the key of the {name} can date back");
        Some(Finding::whole(Code::C4, expected, found))
    }
}

/// The parties that an entry carries documents of, in the order of these. Of an order in another form than a credential none
/// is known, and an entry with one is not folded.
fn issuers(body: &Body) -> impl Iterator<Item = Cow<'_, str>> {
    documents(body).into_iter().filter_map(|doc| {
        let issued: Issued<'_> = serde_json::from_slice(doc.as_bytes()).ok()?;
        Some(issued.issuer)
    })
}

/// What all documents have.
#[derive(Deserialize)]
struct Issued<'d> {
    #[serde(borrow)]
    issuer: Cow<'d, str>,
}

fn documents(body: &Body) -> Vec<&Doc> {
    match body {
        Body::LedgerOpened(body) => body.credentials.iter().collect(),
        Body::IdentityIntroduced(body) => vec![&body.credential],
        Body::GrantIssued(body) => vec![&body.credential],
        Body::GrantRevoked(body) => body.order.iter().map(|order| &order.doc).collect(),
        Body::PolicyAdopted(body) => body.order.iter().map(|order| &order.doc).collect(),
        Body::ApprovalEntered(body) => vec![&body.order.doc],
        Body::PayloadErased(body) => vec![&body.order.doc],
        Body::RunStarted(_)
        | Body::RunEnded(_)
        | Body::ModelCalled(_)
        | Body::ModelAnswered(_)
        | Body::AdviceRequested(_)
        | Body::AdviceGiven(_)
        | Body::ActionRequested(_)
        | Body::DecisionMade(_)
        | Body::ActionFinished(_)
        | Body::SessionEvent(_)
        | Body::InstanceStopped(_)
        | Body::LedgerClosed(_)
        | Body::LedgerRecovered(_)
        | Body::PeerNoted(_) => Vec::new(),
    }
}
