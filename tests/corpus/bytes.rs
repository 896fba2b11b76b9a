//! One changed bit: in a record, a payload, a salt or a checkpoint.

use std::sync::Arc;

use countersign_ledger::cose::Unverified;
use countersign_schemas::record::Record;

use super::Scale;
use super::base::Base;
use super::case::{Attack, Case, Class, Expected};
use super::file::Repair;
use super::support::Told;

static RECORD: Attack = Attack {
    name: "flip-record",
    what: "one bit of a record",
    rule: "the changed entry; the one behind it where only that one's `prev` tells, and its author had not seen the changed one (§6.1)",
};
static STATEMENT: Attack = Attack {
    name: "flip-statement",
    what: "one bit of a signed statement, everything behind it chained anew",
    rule: "the changed entry: its signature is not its author's any more (V1, V4)",
};
static PAYLOAD: Attack = Attack {
    name: "flip-payload",
    what: "one bit of a payload's content or salt",
    rule: "the entry that committed to it (V6)",
};
static CHECKPOINT: Attack = Attack {
    name: "flip-checkpoint",
    what: "one bit of a stored checkpoint",
    rule: "the last entry that it covers (V7)",
};

pub(crate) fn cases(base: &Arc<Base>, scale: Scale) -> Vec<Case> {
    let mut all = records(base, scale);
    all.extend(statements(base, scale));
    all.extend(payloads(base, scale));
    all.extend(checkpoints(base, scale));
    all
}

/// Which of `len` bytes are changed, and which bit of each.
fn places(len: usize, samples: usize, seed: usize, scale: Scale) -> Vec<(usize, u8)> {
    let bit = |offset: usize| 1 << ((seed + offset) % 8);
    let samples = match scale {
        Scale::All => return (0..len).map(|offset| (offset, bit(offset))).collect(),
        Scale::Sampled => samples.min(len),
    };
    // One byte of each of equal parts, at a place in it that differs from row to row.
    let part = |nth: usize| {
        let (from, to) = (len * nth / samples, len * (nth + 1) / samples);
        let offset = from + (seed * 31 + nth * 7) % (to - from).max(1);
        (offset, bit(offset))
    };
    (0..samples).map(part).collect()
}

/// A change of the file and nothing else.
fn posed(
    attack: &'static Attack,
    base: &Arc<Base>,
    position: String,
    expected: Expected,
    change: impl Fn(&mut Told) + Send + Sync + 'static,
) -> Case {
    let from = Arc::clone(base);
    Case::new(attack, Class::K0, base, position, vec![expected], move || {
        let mut told = from.told.clone();
        change(&mut told);
        told
    })
}

fn records(base: &Arc<Base>, scale: Scale) -> Vec<Case> {
    let mut cases = Vec::new();
    for (entry, stored) in base.told.entries.iter().enumerate() {
        for (offset, bit) in places(stored.record.len(), 3, entry, scale) {
            let mut changed = stored.record.clone();
            changed[offset] ^= bit;
            let expected = Expected::rejected(
                flipped(base, entry, &changed),
                &["I1", "I2", "I3", "I4", "A1", "U2", "I7"],
            );
            cases.push(posed(
                &RECORD,
                base,
                format!("{entry}-{offset}"),
                expected,
                move |told| {
                    told.entries[entry].record.clone_from(&changed);
                },
            ));
        }
    }
    cases
}

/// Which entry is named for a changed record (§6.1).
fn flipped(base: &Base, entry: usize, changed: &[u8]) -> u64 {
    let honest = &base.entries[entry].record;
    let Some(next) = base.entries.get(entry + 1) else {
        return entry as u64;
    };
    // Only a change of `received` leaves the entry itself sound: `seq`, `prev` and everything signed are judged in it.
    let only_received = Record::decode(changed).is_ok_and(|record| {
        record.seq == honest.seq && record.prev == honest.prev && record.statement == honest.statement
    });
    let attested = next.statement.seen.size.get() == entry as u64 + 1;
    (entry + usize::from(only_received && !attested)) as u64
}

fn statements(base: &Arc<Base>, scale: Scale) -> Vec<Case> {
    let mut cases = Vec::new();
    let mut classes = vec![(Class::K0, Repair::Chain)];
    classes.extend(base.tell.map(|_| (Class::K1, Repair::Checkpoints)));
    for (entry, known) in base.entries.iter().enumerate() {
        let Ok(envelope) = Unverified::parse(&known.record.statement) else {
            continue;
        };
        // What is signed, and the signatures: a key id in the unprotected header is part of neither, and judged by I1.
        let len = known.record.statement.len().max(envelope.payload().len());
        for (offset, bit) in places(len, 1, entry + 3, scale) {
            for (class, repair) in &classes {
                let (repair, from) = (*repair, Arc::clone(base));
                let expected = Expected::rejected(entry as u64, &["I1", "I2", "A1", "U2"]);
                let position = format!("{entry}-{offset}");
                cases.push(Case::new(
                    &STATEMENT,
                    *class,
                    base,
                    position,
                    vec![expected],
                    move || {
                        let mut told = from.told.clone();
                        let mut record = from.entries[entry].record.clone();
                        record.statement[offset] ^= bit;
                        told.entries[entry].record = record.encode();
                        repair.apply(&from, &mut told, entry + 1);
                        told
                    },
                ));
            }
        }
    }
    cases
}

/// What is changed of a payload.
#[derive(Clone, Copy)]
enum Half {
    Salt,
    Content,
}

impl Half {
    const fn word(self) -> &'static str {
        match self {
            Self::Salt => "salt",
            Self::Content => "content",
        }
    }

    fn of(self, told: &mut Told, entry: usize, payload: usize) -> &mut Vec<u8> {
        let payload = &mut told.entries[entry].payloads[payload];
        match self {
            Self::Salt => &mut payload.salt,
            Self::Content => &mut payload.content,
        }
    }
}

fn payloads(base: &Arc<Base>, scale: Scale) -> Vec<Case> {
    let mut cases = Vec::new();
    let mut told = base.told.clone();
    for entry in 0..base.size() {
        for payload in 0..base.told.entries[entry].payloads.len() {
            for (half, samples) in [(Half::Salt, 1), (Half::Content, 1)] {
                let len = half.of(&mut told, entry, payload).len();
                for (offset, bit) in places(len, samples, entry + payload, scale) {
                    let expected = Expected::rejected(entry as u64, &["I9"]);
                    let position = format!("{entry}-{payload}-{}-{offset}", half.word());
                    cases.push(posed(&PAYLOAD, base, position, expected, move |told| {
                        half.of(told, entry, payload)[offset] ^= bit;
                    }));
                }
            }
        }
    }
    cases
}

fn checkpoints(base: &Arc<Base>, scale: Scale) -> Vec<Case> {
    let mut cases = Vec::new();
    for (place, checkpoint) in base.told.checkpoints.iter().enumerate() {
        let last = checkpoint.size.unsigned_abs() - 1;
        for (offset, bit) in places(checkpoint.note.len(), 12, place, scale) {
            let expected = Expected::rejected(last, &["I7"]);
            let position = format!("{}-{offset}", checkpoint.size);
            cases.push(posed(&CHECKPOINT, base, position, expected, move |told| {
                told.checkpoints[place].note[offset] ^= bit;
            }));
        }
    }
    cases
}
