//! What a lying operator (K3) and a thief of the principal's key (K4) can reach: ledgers that break no rule. The verdict is
//! that of an honest ledger, with `end: self`; a head that was kept elsewhere tells them apart, and `--require head` says that
//! nobody gave one.

use std::sync::Arc;

use countersign_identity::credential::InstanceRole;
use countersign_ledger::checkpoint::{self, Checkpoint, UnixSeconds};
use countersign_ledger::merkle::Frontier;
use countersign_ledger::reader::StoredCheckpoint;
use countersign_schemas::body::{Body, LedgerClosed};
use countersign_schemas::kind::Kind;
use countersign_schemas::list::Bytes;
use countersign_schemas::number::{Millis, Seq};
use countersign_schemas::payload::{PayloadClass, PayloadRef};

use super::Scale;
use super::base::Base;
use super::case::{Attack, Case, Class, Expected, Given};
use super::contents::CONTROLS;
use super::host::{introduce_approver, warning};
use super::retelling::{close, end_at, insert_at};
use super::support::Told;
use super::support::cast::Who;
use super::support::credentials::START;
use super::support::orders::revoke_on_order_by;
use super::support::story::stop;
use super::support::writer::{Draft, Twist, Writer, salt};

static NEW_LEDGER: Attack = Attack {
    name: "fresh-genesis",
    what: "another ledger with another id takes the place of the ledger, told by the same host and the same principal",
    rule: "not seen by the anchor alone; a head of the ledger is broken (I8)",
};
static RESULT: Attack = Attack {
    name: "invent-result",
    what: "an executor enters another result than the action had",
    rule: "not seen: that content is true is not proven (§12); a head of the other telling is broken (I8)",
};
static CONTROLS_IN_TEXT: Attack = Attack {
    name: "control-characters",
    what: "the result of an action is control characters and marks of writing direction",
    rule: "lawful: content may be any bytes; whoever shows it escapes them",
};
static FORK: Attack = Attack {
    name: "fork",
    what: "from an entry on, the ledger goes on otherwise: one more remark stands in front of it",
    rule: "not seen by the anchor alone; a head of the other branch is broken (I8)",
};
static REWIND: Attack = Attack {
    name: "cut-and-close",
    what: "the tail is cut off; everybody says its own last words again, and the opener closes",
    rule: "not seen by the anchor alone, where nothing was open (else C3); a head of the whole is broken (I8)",
};
static OWN_APPROVER: Attack = Attack {
    name: "approver-by-principal",
    what: "in front of an entry, the principal's key names an approver",
    rule: "not seen: the principal may; a head of the other telling is broken (I8)",
};
static OWN_REVOCATION: Attack = Attack {
    name: "revoke-by-principal",
    what: "in front of the end, the principal's key revokes the first lead",
    rule: "not seen: the principal may; a head of the other telling is broken (I8)",
};

pub(crate) fn cases(base: &Arc<Base>, _: Scale) -> Vec<Case> {
    if base.tell.is_none() {
        return Vec::new();
    }
    let mut cases = vec![fresh(base, Class::K2), fresh(base, Class::K3)];
    for (place, known) in base.entries.iter().enumerate() {
        if matches!(&known.statement.body, Body::ActionFinished(body) if body.result.is_some()) {
            cases.push(resulted(&RESULT, base, place, b"all is well"));
            cases.push(resulted(&CONTROLS_IN_TEXT, base, place, CONTROLS));
        }
        cases.extend(branched(base, place));
        cases.extend(rewound(base, place));
    }
    cases
}

/// A sound ledger whose lie nobody sees without a head; its number of entries is given.
fn posed(
    attack: &'static Attack,
    (class, base): (Class, &Arc<Base>),
    (position, size, alone): (String, usize, Expected),
    make: impl Fn(&Base) -> Told + Send + Sync + 'static,
) -> Case {
    let from = Arc::clone(base);
    let required = Expected {
        given: Given::RequiredHead,
        ..Expected::incomplete(&["C1"])
    };
    let expected = vec![alone, required, base.told_by_head(size)];
    Case::new(attack, class, base, position, expected, move || make(&from))
}

fn resulted(attack: &'static Attack, base: &Arc<Base>, place: usize, bytes: &'static [u8]) -> Case {
    let kept = (place.to_string(), base.size(), base.unseen());
    posed(attack, (Class::K3, base), kept, move |from| {
        from.retell(Twist::draft(from.label(place), |draft: &mut Draft| {
            let reference = PayloadRef::new(&salt(draft.seq, 0), bytes, PayloadClass::Content);
            draft.payloads[0] = bytes.to_vec();
            if let Body::ActionFinished(body) = &mut draft.statement.body {
                body.result = Some(reference);
            }
        }))
    })
}

/// A ledger of the same host and principal whose nonce, and so whose id, is another.
fn fresh(base: &Arc<Base>, class: Class) -> Case {
    // The host's thief has no key of the old instances, and tells with a new one: an opening and an end.
    let (size, alone) = if class == Class::K2 {
        (2, Expected::unseen())
    } else {
        (base.size(), base.unseen())
    };
    posed(
        &NEW_LEDGER,
        (class, base),
        ("whole".to_owned(), size, alone),
        move |from| match class {
            Class::K2 => short_ledger(),
            _ => from.retell(Twist::statement("opened", |statement| {
                statement.at = Millis::clamped(statement.at.get() - 1);
            })),
        },
    )
}

/// Opened and closed by a new instance of the host.
fn short_ledger() -> Told {
    use countersign_identity::binding::LedgerBinding;
    use countersign_schemas::list::List;
    use countersign_schemas::number::{Count, Size};
    use countersign_schemas::text::{Did, Origin};

    use super::support::credentials::{host, instance, issue};
    use super::support::story::founding_terms;

    let opener = Who::Extra(32);
    let mut body = founding_terms();
    body.nonce = Bytes::new([8; 16]);
    body.origin = Origin::new(format!("countersign/{}", "08".repeat(16))).expect("an origin");
    let dids = vec![
        body.dids[0].clone(),
        Did::new(opener.did().long()).expect("a long form"),
    ];
    body.dids = List::new(dids).expect("two");
    let claims = instance(
        opener,
        "runtime",
        InstanceRole::Runtime,
        LedgerBinding::Founding(body.founding()),
    );
    // The host's own credential is in the ledger that was found.
    let documents = vec![issue(&host(), Who::Principal), issue(&claims, Who::Host)];
    body.credentials = List::new(documents).expect("two");
    let origin = body.origin.clone();
    let mut writer = Writer::new(Twist::honest());
    writer.enter("opened", (opener, Seq::ZERO), &[], |_| body.into());
    let (size, root) = (Size::clamped(1), writer.root());
    writer.enter("closed", (opener, Seq::ZERO), &[], |_| {
        LedgerClosed {
            size,
            root,
            open_items: Count::ZERO,
        }
        .into()
    });
    let mut told = Told::from_written(&writer);
    let mut tree = Frontier::new();
    told.entries.iter().for_each(|entry| tree.push(&entry.record));
    let head = Checkpoint {
        origin,
        size: Size::clamped(2),
        root: tree.root(),
    };
    let keys = super::support::cast::checkpoint_keys();
    let note = checkpoint::sign(&head, &keys, UnixSeconds::new(START / 1_000).expect("a time")).into_bytes();
    told.checkpoints.push(StoredCheckpoint { size: 2, note });
    told
}

/// Other endings that begin in front of the entry at `place`.
fn branched(base: &Arc<Base>, place: usize) -> Vec<Case> {
    let Some(runtime) = base.runtime(place) else {
        return Vec::new();
    };
    let kept = (place.to_string(), base.size() + 1, base.unseen());
    let mut cases = vec![posed(&FORK, (Class::K3, base), kept.clone(), move |from| {
        insert_at(from, place, |writer| {
            writer.enter("forged", runtime, &[], |_| warning());
        })
    })];
    cases.push(posed(&OWN_APPROVER, (Class::K4, base), kept.clone(), move |from| {
        insert_at(from, place, |writer| {
            introduce_approver(writer, runtime, Who::Principal);
        })
    }));
    let lead = base
        .of_kind(Kind::RunStarted)
        .find_map(|(_, known)| match &known.statement.body {
            Body::RunStarted(body) => Some(body.root_grant),
            _ => None,
        });
    if let Some(lead) = lead.filter(|_| base.entries[place].kind() == Kind::LedgerClosed) {
        cases.push(posed(&OWN_REVOCATION, (Class::K4, base), kept, move |from| {
            insert_at(from, place, |writer| {
                revoke_on_order_by(writer, "forged", runtime, lead);
            })
        }));
    }
    cases
}

/// The ledger cut in front of `place` and ended by those who run, as they would have.
fn rewound(base: &Arc<Base>, place: usize) -> Option<Case> {
    // In front of its own end a ledger that is ended like that is the ledger.
    let runtime = base
        .runtime(place)
        .filter(|_| base.entries[place].kind() != Kind::LedgerClosed)?;
    let others: Vec<_> = base
        .living(place)
        .into_iter()
        .map(|it| it.author)
        .filter(|it| *it != runtime)
        .collect();
    let size = place + others.len() + 1;
    // Where a process died before, the ledger is incomplete without any attack.
    let alone = match (base.has_crashed(place), base.open_at(place)) {
        (true, _) => Expected::incomplete(&["C1"]),
        (false, 0) => Expected::unseen(),
        (false, _) => Expected::incomplete(&["C3"]),
    };
    Some(posed(
        &REWIND,
        (Class::K3, base),
        (place.to_string(), size, alone),
        move |from| {
            end_at(from, place, |writer| {
                for (nth, author) in others.iter().enumerate() {
                    const LABELS: [&str; 6] = ["last-0", "last-1", "last-2", "last-3", "last-4", "last-5"];
                    stop(writer, LABELS[nth], *author, author.1);
                }
                close(writer, runtime);
            })
        },
    ))
}

impl Base {
    /// Whether a process was succeeded before `place`.
    fn has_crashed(&self, place: usize) -> bool {
        self.entries[..place]
            .iter()
            .any(|known| matches!(&known.statement.body, Body::IdentityIntroduced(body) if body.succeeds.is_some()))
    }

    /// How many items are open at `place` (authority-v1 §3). A question is open only as long as the action it was asked in.
    fn open_at(&self, place: usize) -> usize {
        use countersign_schemas::body::{EventCode, Outcome};
        let mut open = std::collections::BTreeSet::new();
        for (seq, known) in self.entries[..place].iter().enumerate() {
            let seq = Seq::clamped(seq as u64);
            match &known.statement.body {
                Body::ActionRequested(_) | Body::ModelCalled(_) => {
                    open.insert(seq);
                }
                Body::DecisionMade(body) => {
                    open.remove(&body.request);
                    if matches!(body.outcome, Outcome::Allow | Outcome::Ask) {
                        open.insert(seq);
                    }
                }
                Body::ModelAnswered(body) => {
                    open.remove(&body.call);
                }
                Body::ActionFinished(body) => {
                    open.remove(&body.decision);
                }
                Body::SessionEvent(body) if body.code == EventCode::ApprovalExpired => {
                    body.about.map(|about| open.remove(&about));
                }
                _ => {}
            }
        }
        open.len()
    }
}
