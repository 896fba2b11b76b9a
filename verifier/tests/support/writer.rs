//! Writes entries as a runtime would, except that a twist may change anything before it is signed.

use std::collections::{BTreeMap, BTreeSet};

use countersign_identity::credential::InstanceClaims;
use countersign_ledger::checkpoint::{self, Checkpoint, UnixSeconds};
use countersign_ledger::cose::{self, AadLedger};
use countersign_ledger::merkle::Frontier;
use countersign_ledger::reader::{StoredCheckpoint, StoredEntry, StoredPayload};
use countersign_schemas::body::{Body, Outcome, Predecessor};
use countersign_schemas::chain::{self, GENESIS_PREV};
use countersign_schemas::digest::{Digest, LedgerId, Link};
use countersign_schemas::kind::SignatureSet;
use countersign_schemas::number::{Count, Millis, Seq, Size};
use countersign_schemas::payload::{PayloadClass, PayloadRef, Salt};
use countersign_schemas::record::Record;
use countersign_schemas::statement::{Seen, Statement};
use countersign_schemas::text::Origin;
use countersign_verifier::finding::Finding;
use countersign_verifier::law::{Entry, Law, Named};

use super::cast::{Who, checkpoint_keys};
use super::credentials::START;

/// One entry before it is signed.
pub(crate) struct Draft {
    pub(crate) seq: u64,
    pub(crate) received: u64,
    pub(crate) prev: Link,
    pub(crate) statement: Statement,
    pub(crate) signer: Who,
    pub(crate) set: SignatureSet,
    pub(crate) ledger: AadLedger,
    pub(crate) payloads: Vec<Vec<u8>>,
    /// Payload slots that are not stored.
    pub(crate) withheld: Vec<usize>,
    /// The entry is left out.
    pub(crate) omitted: bool,
    /// The next `n` of every author.
    pub(crate) counters: BTreeMap<Seq, u64>,
    /// Writes the statement's bytes.
    pub(crate) encode: Box<Encode>,
    /// Signs them, and gives the envelope.
    pub(crate) seal: Box<Seal>,
}

/// Writes a statement's bytes.
pub(crate) type Encode = dyn Fn(&Statement) -> Vec<u8>;

/// Signs a statement's bytes, and gives the envelope.
pub(crate) type Seal = dyn Fn(&[u8], SignatureSet, AadLedger, Who) -> Vec<u8>;

/// Signs as every author does.
fn seal(statement: &[u8], set: SignatureSet, ledger: AadLedger, signer: Who) -> Vec<u8> {
    cose::sign(statement, set, ledger, signer.secret())
}

type Hook<'t, T> = Option<Box<dyn FnMut(&str, &mut T) + 't>>;

/// What an attacker changes in the story.
#[derive(Default)]
pub(crate) struct Twist<'t> {
    /// Before a credential of an instance is issued; the text is its name.
    pub(crate) claims: Hook<'t, InstanceClaims>,
    /// Who issues the credential of an instance.
    pub(crate) issuer: Hook<'t, Who>,
    /// Before payloads are committed to.
    pub(crate) payloads: Hook<'t, Vec<Vec<u8>>>,
    /// Before an entry is signed.
    pub(crate) draft: Hook<'t, Draft>,
    /// Before an entry is made: writes further entries in front of it.
    pub(crate) before: Hook<'t, Writer<'t>>,
}

impl<'t> Twist<'t> {
    pub(crate) fn honest() -> Self {
        Self::default()
    }

    pub(crate) fn draft(label: &'static str, mut change: impl FnMut(&mut Draft) + 't) -> Self {
        let hook = move |at: &str, draft: &mut Draft| {
            if at == label {
                change(draft);
            }
        };
        Self {
            draft: Some(Box::new(hook)),
            ..Self::default()
        }
    }

    /// As [`Twist::draft`], for the statement alone.
    pub(crate) fn statement(label: &'static str, mut change: impl FnMut(&mut Statement) + 't) -> Self {
        Self::draft(label, move |draft| change(&mut draft.statement))
    }

    /// Leaves an entry out.
    pub(crate) fn omit(label: &'static str) -> Self {
        Self::draft(label, |draft| draft.omitted = true)
    }

    pub(crate) fn claims(called: &'static str, mut change: impl FnMut(&mut InstanceClaims) + 't) -> Self {
        let hook = move |at: &str, claims: &mut InstanceClaims| {
            if at == called {
                change(claims);
            }
        };
        Self {
            claims: Some(Box::new(hook)),
            ..Self::default()
        }
    }

    pub(crate) fn issuer(called: &'static str, issuer: Who) -> Self {
        let hook = move |at: &str, who: &mut Who| {
            if at == called {
                *who = issuer;
            }
        };
        Self {
            issuer: Some(Box::new(hook)),
            ..Self::default()
        }
    }

    pub(crate) fn payloads(label: &'static str, mut change: impl FnMut(&mut Vec<Vec<u8>>) + 't) -> Self {
        let hook = move |at: &str, payloads: &mut Vec<Vec<u8>>| {
            if at == label {
                change(payloads);
            }
        };
        Self {
            payloads: Some(Box::new(hook)),
            ..Self::default()
        }
    }

    pub(crate) fn before(label: &'static str, mut write: impl FnMut(&mut Writer<'t>) + 't) -> Self {
        let hook = move |at: &str, writer: &mut Writer<'t>| {
            if at == label {
                write(writer);
            }
        };
        Self {
            before: Some(Box::new(hook)),
            ..Self::default()
        }
    }
}

/// A ledger in the making.
pub(crate) struct Writer<'t> {
    pub(crate) twist: Twist<'t>,
    pub(crate) law: Law,
    /// What the law said while the story was written.
    pub(crate) findings: Vec<Finding>,
    /// What a runtime would have refused to append.
    pub(crate) refusals: Vec<Finding>,
    pub(crate) labels: BTreeMap<&'static str, Seq>,
    pub(crate) digests: BTreeMap<Seq, Digest>,
    /// What the law said about a request, by decision.
    pub(crate) outcomes: BTreeMap<Seq, Outcome>,
    pub(crate) entries: Vec<StoredEntry>,
    pub(crate) checkpoints: Vec<StoredCheckpoint>,
    pub(crate) ledger: Option<LedgerId>,
    origin: Option<Origin>,
    tree: Frontier,
    head: Link,
    next: u64,
    counters: BTreeMap<Seq, u64>,
    fronted: BTreeSet<&'static str>,
    /// The ledger that this one continues.
    pub(crate) predecessor: Option<Predecessor>,
    pub(crate) clock: u64,
}

impl<'t> Writer<'t> {
    pub(crate) fn new(twist: Twist<'t>) -> Self {
        Self {
            twist,
            law: Law::new(),
            findings: Vec::new(),
            refusals: Vec::new(),
            labels: BTreeMap::new(),
            digests: BTreeMap::new(),
            outcomes: BTreeMap::new(),
            entries: Vec::new(),
            checkpoints: Vec::new(),
            ledger: None,
            origin: None,
            tree: Frontier::new(),
            head: GENESIS_PREV,
            next: 0,
            counters: BTreeMap::new(),
            fronted: BTreeSet::new(),
            predecessor: None,
            clock: START,
        }
    }

    /// The entry with this label.
    pub(crate) fn at(&self, label: &str) -> Seq {
        *self.labels.get(label).unwrap_or_else(|| panic!("no entry {label}"))
    }

    pub(crate) fn next_seq(&self) -> Seq {
        Seq::clamped(self.next)
    }

    /// The root over everything written so far.
    pub(crate) fn root(&self) -> Digest {
        Digest::from_bytes(*self.tree.root().as_bytes())
    }

    /// Lets the twist write what stands in front of `label`, once.
    pub(crate) fn in_front_of(&mut self, label: &'static str) {
        if self.fronted.insert(label)
            && let Some(mut before) = self.twist.before.take()
        {
            before(label, self);
            self.twist.before = Some(before);
        }
    }

    /// As [`Writer::in_front_of`]; gives the place of what comes next, for those who introduce themselves.
    pub(crate) fn in_front_of_next(&mut self, label: &'static str) -> Seq {
        self.in_front_of(label);
        self.next_seq()
    }

    /// Writes one entry; `body` gets the references of the payloads.
    pub(crate) fn enter(
        &mut self,
        label: &'static str,
        (signer, by): (Who, Seq),
        payloads: &[&[u8]],
        body: impl FnOnce(&[PayloadRef]) -> Body,
    ) -> Seq {
        self.in_front_of(label);
        let mut payloads: Vec<Vec<u8>> = payloads.iter().map(|payload| payload.to_vec()).collect();
        if let Some(change) = &mut self.twist.payloads {
            change(label, &mut payloads);
        }
        let seq = Seq::clamped(self.next);
        let class = if label.starts_with("layer") {
            PayloadClass::Evidence
        } else {
            PayloadClass::Content
        };
        let reference = |(slot, bytes): (usize, &Vec<u8>)| PayloadRef::new(&salt(seq.get(), slot), bytes, class);
        let references: Vec<PayloadRef> = payloads.iter().enumerate().map(reference).collect();
        let body = body(&references);
        self.clock += 1_000;
        let mut draft = Draft {
            seq: seq.get(),
            received: self.clock,
            prev: self.head,
            set: body.kind().signatures(),
            statement: Statement {
                by,
                n: Count::clamped(self.counters.get(&by).copied().unwrap_or(0)),
                at: Millis::clamped(self.clock),
                seen: Seen {
                    size: Size::clamped(self.next),
                    link: self.head,
                },
                body,
                ext: None,
            },
            signer,
            ledger: self.ledger.map_or(AadLedger::Genesis, AadLedger::Of),
            payloads,
            withheld: Vec::new(),
            omitted: false,
            counters: self.counters.clone(),
            encode: Box::new(Statement::encode),
            seal: Box::new(seal),
        };
        if let Some(change) = &mut self.twist.draft {
            change(label, &mut draft);
        }
        if !draft.omitted {
            self.labels.insert(label, seq);
            self.append(draft);
        }
        seq
    }

    /// What an erasure needs of the entry that it names.
    fn named(&self, seq: Seq) -> Option<Named> {
        let row = self.entries.get(usize::try_from(seq.get()).ok()?)?;
        Named::read(&row.record)
    }

    fn append(&mut self, draft: Draft) {
        let encoded = (draft.encode)(&draft.statement);
        let envelope = (draft.seal)(&encoded, draft.set, draft.ledger, draft.signer);
        let (seq, received) = (Seq::clamped(draft.seq), Millis::clamped(draft.received));
        let record = Record {
            seq,
            received,
            prev: draft.prev,
            statement: envelope,
        }
        .encode();
        let digest = Statement::digest(&encoded);
        let link = chain::link(&record);
        let shown: Vec<Option<&[u8]>> = draft.payloads.iter().map(|payload| Some(payload.as_slice())).collect();
        let place = Seq::clamped(self.next);
        let named = match &draft.statement.body {
            Body::PayloadErased(body) => self.named(body.entry),
            _ => None,
        };
        let entry = Entry {
            seq: place,
            received,
            prev: draft.prev,
            link,
            tree: &self.tree,
            statement: &draft.statement,
            statement_digest: digest,
            payloads: &shown,
            named: named.as_ref(),
        };
        // What a runtime would refuse to write, a verifier finds; a refusal leaves the state as it was.
        if let Err(refusal) = self.law.admit(&entry) {
            self.refusals.push(refusal);
            self.findings.extend(self.law.fold(&entry));
        }
        if let (Body::LedgerOpened(body), None) = (&draft.statement.body, self.ledger) {
            self.ledger = Some(LedgerId::of_genesis(&encoded));
            self.origin = Some(body.origin.clone());
        }
        self.digests.insert(place, digest);
        *self.counters.entry(draft.statement.by).or_default() = draft.statement.n.get() + 1;
        let payloads = draft
            .payloads
            .into_iter()
            .enumerate()
            .filter(|(slot, _)| !draft.withheld.contains(slot));
        self.entries.push(StoredEntry {
            seq: i64::try_from(self.next).expect("a short story"),
            payloads: payloads
                .map(|(slot, content)| StoredPayload {
                    slot: u8::try_from(slot).expect("few slots"),
                    salt: salt(place.get(), slot).0.to_vec(),
                    content,
                })
                .collect(),
            record: record.clone(),
        });
        self.tree.push(&record);
        self.head = link;
        self.next += 1;
    }

    /// Signs the tree as it stands.
    pub(crate) fn checkpoint(&self) -> StoredCheckpoint {
        let origin = self.origin.clone().expect("an opened ledger");
        let head = Checkpoint {
            origin,
            size: Size::clamped(self.next),
            root: self.tree.root(),
        };
        let time = UnixSeconds::new(self.clock / 1_000).expect("a time before the end of days");
        let note = checkpoint::sign(&head, &checkpoint_keys(), time).into_bytes();
        StoredCheckpoint {
            size: i64::try_from(self.next).expect("a short story"),
            note,
        }
    }
}

/// Every payload has its own salt; a story is the same each time it is told.
pub(crate) fn salt(seq: u64, slot: usize) -> Salt {
    let mut salt = [0x5a; 32];
    salt[..8].copy_from_slice(&seq.to_be_bytes());
    salt[8] = u8::try_from(slot).expect("few slots");
    Salt(salt)
}
