//! What a lying operator (K3) can reach: ledgers that break no rule. The verdict is
//! that of an honest ledger, with `end: self`; a head that was kept elsewhere tells them apart, and `--require head` says that
//! nobody gave one.

use std::sync::Arc;

use countersign_schemas::body::{Body, RevokeReason, Revoked, Role};
use countersign_schemas::kind::Kind;
use countersign_schemas::number::{Millis, Seq};
use countersign_schemas::payload::{PayloadClass, PayloadRef};

use super::Scale;
use super::base::Base;
use super::case::{Attack, Case, Class, Expected, Given};
use super::contents::CONTROLS;
use super::host::warning;
use super::retelling::{close, end_at, insert_at};
use super::support::Told;
use super::support::credentials::START;
use super::support::story::stop;
use super::support::writer::{Draft, Twist, salt};

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
static FROZEN: Attack = Attack {
    name: "frozen-clock",
    what: "the clock stands still during the whole run",
    rule: "not seen: the time is the host's word (`time: host`); a head of the other telling is broken (I8)",
};
static BACKDATED: Attack = Attack {
    name: "backdated-revocation",
    what: "in front of an entry, an agent that has stopped is revoked, and suspected since before it began",
    rule: "not seen: a revocation takes effect at its own place, `suspected_since` is a remark (§5.8); a head of the other telling is broken (I8)",
};
static REWIND: Attack = Attack {
    name: "cut-and-close",
    what: "the tail is cut off; everybody says its own last words again, and the opener closes",
    rule: "not seen by the anchor alone, where nothing was open (else C3); a head of the whole is broken (I8)",
};
pub(crate) fn cases(base: &Arc<Base>, _: Scale) -> Vec<Case> {
    if base.tell.is_none() {
        return Vec::new();
    }
    let mut cases = vec![fresh(base), frozen(base)];
    for (place, known) in base.entries.iter().enumerate() {
        if matches!(&known.statement.body, Body::ActionFinished(body) if body.result.is_some()) {
            cases.push(resulted(&RESULT, base, place, b"all is well"));
            cases.push(resulted(&CONTROLS_IN_TEXT, base, place, CONTROLS));
        }
        cases.extend(branched(base, place));
        cases.extend(rewound(base, place));
        cases.extend(backdated(base, place));
    }
    cases
}

/// A sound ledger whose lie nobody sees without a head; its number of entries is given.
pub(crate) fn posed(
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

/// A ledger of the same host and principal whose id is another, told by all who told the first.
fn fresh(base: &Arc<Base>) -> Case {
    let kept = ("whole".to_owned(), base.size(), base.unseen());
    posed(&NEW_LEDGER, (Class::K3, base), kept, |from| {
        from.retell(Twist::statement("opened", |statement| {
            statement.at = Millis::clamped(statement.at.get() - 1);
        }))
    })
}

/// The whole story, told while the clock stands still.
fn frozen(base: &Arc<Base>) -> Case {
    let kept = ("whole".to_owned(), base.size(), base.unseen());
    posed(&FROZEN, (Class::K3, base), kept, |from| {
        let stand_still = |_: &str, draft: &mut Draft| {
            draft.received = START;
            draft.statement.at = Millis::clamped(START);
            if let Body::ActionFinished(body) = &mut draft.statement.body {
                body.started = body.started.map(|_| Millis::clamped(START));
            }
        };
        from.retell(Twist {
            draft: Some(Box::new(stand_still)),
            ..Twist::default()
        })
    })
}

/// Other endings that begin in front of the entry at `place`.
fn branched(base: &Arc<Base>, place: usize) -> Vec<Case> {
    let Some(runtime) = base.runtime(place) else {
        return Vec::new();
    };
    let kept = (place.to_string(), base.size() + 1, base.unseen());
    vec![posed(&FORK, (Class::K3, base), kept, move |from| {
        insert_at(from, place, |writer| {
            writer.enter("forged", runtime, &[], |_| warning());
        })
    })]
}

/// An agent that said its last words, revoked by the runtime of the place.
fn backdated(base: &Arc<Base>, place: usize) -> Option<Case> {
    let runtime = base.runtime(place)?;
    let mut stopped = base.instances(place).into_iter().rev();
    let target = stopped.find(|it| it.role == Role::Agent && base.has_stopped(it.author.1, place))?;
    let kept = (place.to_string(), base.size() + 1, base.unseen());
    Some(posed(&BACKDATED, (Class::K3, base), kept, move |from| {
        insert_at(from, place, |writer| {
            writer.enter("forged", runtime, &[], |_| {
                Revoked {
                    target: target.author.1,
                    reason: RevokeReason::Halted,
                    order: None,
                    suspected_since: Some(Millis::clamped(START)),
                }
                .into()
            });
        })
    }))
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
