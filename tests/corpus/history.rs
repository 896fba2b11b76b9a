//! A lying operator (K3) who signs another history, counter, time or signature set than the law asks for.

use std::sync::Arc;

use countersign_schemas::body::Body;
use countersign_schemas::chain::link;
use countersign_schemas::digest::Link;
use countersign_schemas::kind::SignatureSet;
use countersign_schemas::number::{Count, Millis, Seq, Size};
use countersign_schemas::statement::Seen;

use super::Scale;
use super::base::Base;
use super::case::{Attack, Case, Class, Expected};
use super::host::warning;
use super::lie::changed;
use super::retelling::insert_at;
use super::support::cast::Who;
use super::support::credentials::{HOUR, START};

static LAZY: Attack = Attack {
    name: "lazy-seen",
    what: "an author signs that it has seen nothing but the opening",
    rule: "that entry: it must have seen what it said before, what it names and its own introduction (I5)",
};
static OTHER_HISTORY: Attack = Attack {
    name: "other-history",
    what: "an author signs a link that the ledger does not have",
    rule: "that entry (I5)",
};
static FUTURE: Attack = Attack {
    name: "seen-ahead",
    what: "an author signs that it has seen an entry that is not there yet",
    rule: "that entry (I5)",
};
static SKIP: Attack = Attack {
    name: "skip-counter",
    what: "an author leaves out a number of its counter",
    rule: "that entry (I6)",
};
static REPEAT: Attack = Attack {
    name: "repeat-counter",
    what: "an author uses a number of its counter again",
    rule: "that entry (I6)",
};
static RECEIVED_BACK: Attack = Attack {
    name: "clock-back",
    what: "an entry is received before the one in front of it",
    rule: "that entry (I10)",
};
static AT_BACK: Attack = Attack {
    name: "author-clock-back",
    what: "an author states an earlier time than it stated before",
    rule: "that entry (I10)",
};
static AHEAD: Attack = Attack {
    name: "clock-ahead",
    what: "the clock steps behind the window of every credential",
    rule: "that entry (A4)",
};
static FEWER: Attack = Attack {
    name: "other-signature-set",
    what: "an author signs with one key where its kind asks for two, or with two where it asks for one",
    rule: "that entry (I2)",
};
static UNKNOWN: Attack = Attack {
    name: "never-introduced",
    what: "a statement in front of an entry names as its author an entry that introduces nobody",
    rule: "that statement (A1)",
};
static AFTER_STOP: Attack = Attack {
    name: "speak-after-stop",
    what: "an instance that stopped speaks again in front of an entry",
    rule: "that statement (A3)",
};

pub(crate) fn cases(base: &Arc<Base>, _: Scale) -> Vec<Case> {
    if base.tell.is_none() {
        return Vec::new();
    }
    let mut cases = Vec::new();
    for place in 0..base.size() {
        cases.extend(seen(base, place));
        cases.extend(counters(base, place));
        cases.extend(times(base, place));
        cases.push(changed(&FEWER, base, place, "I2", |draft| {
            draft.set = match draft.set {
                SignatureSet::Ed25519 => SignatureSet::Hybrid,
                SignatureSet::Hybrid => SignatureSet::Ed25519,
            };
        }));
        cases.extend(inserted(base, place));
    }
    cases
}

fn seen(base: &Arc<Base>, place: usize) -> Vec<Case> {
    let introduces_itself = base.entries[place].statement.by.get() == place as u64;
    let opening = link(&base.told.entries[0].record);
    let mut cases = Vec::new();
    // The opener has seen the opening when it speaks for the first time after it.
    if place > 1 && !is_guest(base, place) {
        cases.push(changed(&LAZY, base, place, "I5", move |draft| {
            draft.statement.seen = Seen {
                size: Size::clamped(1),
                link: opening,
            };
        }));
    }
    if place > 0 || !introduces_itself {
        cases.push(changed(&OTHER_HISTORY, base, place, "I5", |draft| {
            draft.statement.seen.link = Link::from_bytes([1; 32]);
        }));
    }
    cases.push(changed(&FUTURE, base, place, "I5", |draft| {
        draft.statement.seen.size = Size::clamped(draft.statement.seen.size.get() + 1);
    }));
    cases
}

/// Whether a runtime instance joins here that succeeds nobody: it need not have seen anything but the opening.
fn is_guest(base: &Base, place: usize) -> bool {
    let known = &base.entries[place].statement;
    matches!(&known.body, Body::IdentityIntroduced(body) if known.by.get() == place as u64 && body.succeeds.is_none())
}

fn counters(base: &Arc<Base>, place: usize) -> Vec<Case> {
    let mut cases = vec![changed(&SKIP, base, place, "I6", |draft| {
        draft.statement.n = Count::clamped(draft.statement.n.get() + 1);
    })];
    if base.entries[place].statement.n.get() > 0 {
        cases.push(changed(&REPEAT, base, place, "I6", |draft| {
            draft.statement.n = Count::clamped(draft.statement.n.get() - 1);
        }));
    }
    cases
}

fn times(base: &Arc<Base>, place: usize) -> Vec<Case> {
    let mut cases = Vec::new();
    if let Some(before) = place
        .checked_sub(1)
        .map(|before| base.entries[before].record.received.get())
    {
        cases.push(changed(&RECEIVED_BACK, base, place, "I10", move |draft| {
            draft.received = before - 1
        }));
    }
    let author = base.entries[place].statement.by;
    let own = base.entries[..place]
        .iter()
        .rev()
        .find(|known| known.statement.by == author);
    if let Some(at) = own.map(|known| known.statement.at.get()) {
        cases.push(changed(&AT_BACK, base, place, "I10", move |draft| {
            draft.statement.at = Millis::clamped(at - 1);
        }));
    }
    cases.push(changed(&AHEAD, base, place, "A4", |draft| {
        draft.received = START + 25 * HOUR;
        draft.statement.at = Millis::clamped(draft.received);
    }));
    cases
}

fn inserted(base: &Arc<Base>, place: usize) -> Vec<Case> {
    let mut cases = Vec::new();
    let statement = |attack, author: (Who, Seq), code| {
        let from = Arc::clone(base);
        let expected = vec![Expected::rejected(place as u64, &[code])];
        Case::new(attack, Class::K3, base, place.to_string(), expected, move || {
            insert_at(&from, place, |writer| {
                writer.enter("forged", author, &[], |_| warning());
            })
        })
    };
    // Entry 1 adopts a policy.
    if place > 1 {
        cases.push(statement(&UNKNOWN, (Who::Stranger, Seq::clamped(1)), "A1"));
    }
    let stopped = base
        .instances(place)
        .into_iter()
        .rev()
        .find(|it| base.has_stopped(it.author.1, place));
    cases.extend(stopped.map(|instance| statement(&AFTER_STOP, instance.author, "A3")));
    cases
}
