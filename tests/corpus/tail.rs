//! The end cut off, and a new end put in its place.

use std::sync::Arc;

use countersign_ledger::cose;
use countersign_schemas::body::LedgerClosed;
use countersign_schemas::chain::link;
use countersign_schemas::digest::{Digest, LedgerId};
use countersign_schemas::number::{Count, Millis, Seq, Size};
use countersign_schemas::record::Record;
use countersign_schemas::statement::{Seen, Statement};

use super::Scale;
use super::base::Base;
use super::case::{Attack, Case, Class, Expected, Given};
use super::file::{Repair, keep_checkpoints, root_of};
use super::support::Told;
use super::support::cast::Who;

static CUT: Attack = Attack {
    name: "truncate",
    what: "the tail is cut off, with the checkpoints over it",
    rule: "nothing is broken, the end is open (C1); a head of the whole is broken at the last entry that is left (I8)",
};
static CUT_UNDER: Attack = Attack {
    name: "truncate-under-checkpoint",
    what: "the tail is cut off, the checkpoints stay",
    rule: "the last entry that the checkpoint covers (I7)",
};
static TO_HEAD: Attack = Attack {
    name: "truncate-to-head",
    what: "the tail is cut off exactly behind a checkpoint that the auditor holds",
    rule: "that head proves what it covers, and no end (C1)",
};
static ROLL_BACK: Attack = Attack {
    name: "roll-back",
    what: "an older copy of the file takes the place of the ledger",
    rule: "as for a tail that is cut off: C1; with a head of the whole I8",
};
static CLOSE_AGAIN: Attack = Attack {
    name: "truncate-and-close",
    what: "the tail is cut off, and the opener's `ledger.closed` written behind it by a key that is not its own",
    rule: "the forged end: the key of its author is gone (I2)",
};

pub(crate) fn cases(base: &Arc<Base>, _: Scale) -> Vec<Case> {
    let mut cases = Vec::new();
    for size in 1..base.size() {
        cases.push(cut(&CUT, base, size));
        cases.extend(under_checkpoint(base, size));
        cases.extend(closed_again(base, size));
    }
    for checkpoint in &base.told.checkpoints {
        let size = usize::try_from(checkpoint.size).unwrap_or(usize::MAX);
        if size < base.size() {
            cases.push(cut(&ROLL_BACK, base, size));
            let older = Expected {
                given: Given::Older(size),
                ..Expected::incomplete(&["C1"])
            };
            let to_head = cut(&TO_HEAD, base, size);
            cases.push(Case {
                expected: vec![older],
                ..to_head
            });
        }
    }
    cases
}

/// The first `size` entries, and the checkpoints over them.
pub(crate) fn prefix(base: &Base, size: usize) -> Told {
    let mut told = base.told.clone();
    told.entries.truncate(size);
    keep_checkpoints(&mut told, size);
    told
}

fn cut(attack: &'static Attack, base: &Arc<Base>, size: usize) -> Case {
    let last = size as u64 - 1;
    let expected = vec![
        Expected::incomplete(&["C1"]),
        Expected::rejected(last, &["I8"]).with_head(),
    ];
    let from = Arc::clone(base);
    Case::new(attack, Class::K0, base, size.to_string(), expected, move || {
        prefix(&from, size)
    })
}

fn under_checkpoint(base: &Arc<Base>, size: usize) -> Option<Case> {
    let too_large = |size_of: &i64| size_of.unsigned_abs() > size as u64;
    let sizes = base.told.checkpoints.iter().map(|checkpoint| checkpoint.size);
    let first = sizes.filter(too_large).min()?;
    let expected = Expected::rejected(first.unsigned_abs() - 1, &["I7"]);
    let from = Arc::clone(base);
    Some(Case::new(
        &CUT_UNDER,
        Class::K0,
        base,
        size.to_string(),
        vec![expected],
        move || {
            let mut told = from.told.clone();
            told.entries.truncate(size);
            told
        },
    ))
}

fn closed_again(base: &Arc<Base>, size: usize) -> Vec<Case> {
    let mut classes = vec![(Class::K0, Repair::ChainWithoutCheckpoints)];
    classes.extend(base.tell.map(|_| (Class::K1, Repair::Checkpoints)));
    let pose = |(class, repair): (Class, Repair)| {
        let from = Arc::clone(base);
        let expected = Expected::rejected(size as u64, &["I2"]);
        Case::new(&CLOSE_AGAIN, class, base, size.to_string(), vec![expected], move || {
            let mut told = prefix(&from, size);
            let closed = end(&from, &told);
            told.entries.push(closed);
            repair.apply(&from, &mut told, size);
            told
        })
    };
    classes.into_iter().map(pose).collect()
}

/// An end that would be right, had its author signed it.
fn end(base: &Base, told: &Told) -> countersign_ledger::reader::StoredEntry {
    let size = told.entries.len();
    let last = &base.entries[size - 1];
    let spoken = base.entries[..size]
        .iter()
        .filter(|entry| entry.statement.by == Seq::ZERO)
        .count();
    let seen = Seen {
        size: Size::clamped(size as u64),
        link: link(&told.entries[size - 1].record),
    };
    let received = Millis::clamped(last.record.received.get() + 1);
    let body = LedgerClosed {
        size: seen.size,
        root: Digest::from_bytes(*root_of(&told.entries).as_bytes()),
        open_items: Count::ZERO,
    };
    let statement = Statement {
        by: Seq::ZERO,
        n: Count::clamped(spoken as u64),
        at: received,
        seen,
        body: body.into(),
        ext: None,
    };
    let set = statement.kind().signatures();
    let envelope = cose::sign(&statement.encode(), set, base.ledger(), Who::Stranger.secret());
    let record = Record {
        seq: Seq::clamped(size as u64),
        received,
        prev: seen.link,
        statement: envelope,
    };
    countersign_ledger::reader::StoredEntry {
        seq: i64::try_from(size).unwrap_or(i64::MAX),
        record: record.encode(),
        payloads: Vec::new(),
    }
}

impl Base {
    /// The id of the ledger.
    pub(crate) fn ledger(&self) -> LedgerId {
        LedgerId::of_genesis(&self.entries[0].statement.encode())
    }
}
