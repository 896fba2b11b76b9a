//! Entries taken out, repeated, exchanged and moved, without a key of their authors.

use std::collections::BTreeMap;
use std::sync::Arc;

use countersign_schemas::body::Body;
use countersign_schemas::kind::Kind;
use countersign_schemas::number::Seq;

use super::Scale;
use super::base::Base;
use super::case::{Attack, Case, Class, Expected, Named};
use super::file::Repair;

static DELETE: Attack = Attack {
    name: "delete",
    what: "an entry is taken out",
    rule: "left as it is: the entry behind the gap (I4); numbered and chained anew: the first statement whose signed history, counter or author does not fit any more",
};
static DUPLICATE: Attack = Attack {
    name: "duplicate",
    what: "an entry is repeated right behind itself",
    rule: "the repetition",
};
static REPEAT_AT_END: Attack = Attack {
    name: "repeat-at-end",
    what: "an entry is repeated behind the last one",
    rule: "the repetition: nothing follows `ledger.closed` (I4)",
};
static SWAP: Attack = Attack {
    name: "swap",
    what: "two neighbouring entries are exchanged",
    rule: "the place of the first of them",
};
static MOVE: Attack = Attack {
    name: "move",
    what: "an entry is moved three places back",
    rule: "the place that it was moved to",
};
static REPLACE: Attack = Attack {
    name: "replace",
    what: "the entry behind an entry is put in its place as well",
    rule: "the place where it does not belong",
};

pub(crate) fn cases(base: &Arc<Base>, _: Scale) -> Vec<Case> {
    let size = base.size();
    let mut cases = Vec::new();
    for entry in 0..size {
        // Without the last entry the ledger is not in disorder, but cut: see `tail`.
        if entry + 1 < size {
            let rest: Vec<usize> = (0..size).filter(|place| *place != entry).collect();
            cases.extend(posed(&DELETE, base, entry, rest));
            let mut swapped: Vec<usize> = (0..size).collect();
            swapped.swap(entry, entry + 1);
            cases.extend(posed(&SWAP, base, entry, swapped));
            let mut replaced: Vec<usize> = (0..size).collect();
            replaced[entry] = entry + 1;
            cases.extend(posed(&REPLACE, base, entry, replaced));
        }
        let twice: Vec<usize> = (0..=entry).chain(entry..size).collect();
        cases.extend(posed(&DUPLICATE, base, entry, twice));
        let again: Vec<usize> = (0..size).chain([entry]).collect();
        cases.extend(posed(&REPEAT_AT_END, base, entry, again));
        if entry >= 4 {
            let mut moved: Vec<usize> = (0..size).collect();
            let one = moved.remove(entry);
            moved.insert(entry - 3, one);
            cases.extend(posed(&MOVE, base, entry, moved));
        }
    }
    cases
}

/// The base's entries in this order, with every repair that an attacker can make.
fn posed(attack: &'static Attack, base: &Arc<Base>, entry: usize, order: Vec<usize>) -> Vec<Case> {
    let order = Arc::new(order);
    let mut repairs = vec![(Class::K0, Repair::Nothing), (Class::K0, Repair::Chain)];
    repairs.extend(base.tell.map(|_| (Class::K1, Repair::Checkpoints)));
    let pose = |(class, repair): (Class, Repair)| {
        let named = match repair {
            Repair::Nothing => disorder(&order),
            _ => first_breach(base, &order.iter().copied().map(Some).collect::<Vec<_>>()),
        };
        let expected = Expected {
            named: Some(named?),
            ..Expected::rejected(0, &[])
        };
        let (from, order) = (Arc::clone(base), Arc::clone(&order));
        let position = format!("{entry}-{}", repair.word());
        Some(Case::new(attack, class, base, position, vec![expected], move || {
            let mut told = from.told.clone();
            told.entries = order.iter().map(|place| from.told.entries[*place].clone()).collect();
            let is_longer_or_same = order.len() >= from.size();
            for (place, stored) in told.entries.iter_mut().enumerate() {
                // A row keeps its record's number, or takes the place of another.
                if is_longer_or_same {
                    stored.seq = i64::try_from(place).unwrap_or(i64::MAX);
                }
            }
            let changed = order.iter().zip(0..).take_while(|(from, place)| *from == place).count();
            repair.apply(&from, &mut told, changed);
            told
        }))
    };
    repairs.into_iter().filter_map(pose).collect()
}

/// The first place whose record states another one, or that is missing (V2).
fn disorder(order: &[usize]) -> Option<Named> {
    let place = order.iter().zip(0..).position(|(from, place)| *from != place)?;
    let is_gap = order.len() > place && order.windows(2).all(|pair| pair[0] < pair[1]);
    let entry = if is_gap { order[place] } else { place };
    Some(Named {
        entry: entry as u64,
        codes: vec!["I4"],
    })
}

/// What V2, V4 and V5 say first of entries in this order, numbered and chained anew, every statement signed as it was.
/// `None` stands for an entry of somebody else that is sound by itself.
pub(crate) fn first_breach(base: &Base, order: &[Option<usize>]) -> Option<Named> {
    let same = order
        .iter()
        .zip(0..)
        .take_while(|(from, place)| **from == Some(*place))
        .count();
    let mut scene = Scene::default();
    for (place, from) in order.iter().enumerate() {
        let Some(from) = from else {
            // An author, but none that an entry of the base could mean.
            scene.introduced.insert(place, usize::MAX);
            continue;
        };
        let codes = scene.judge(base, (place, *from), same);
        if !codes.is_empty() {
            let entry = place as u64;
            return Some(Named { entry, codes });
        }
    }
    None
}

/// Who was introduced where, and what each author said last.
#[derive(Default)]
struct Scene {
    /// Place of an introduction, and the entry of the base that stands there.
    introduced: BTreeMap<usize, usize>,
    /// Last place and counter of an author.
    last: BTreeMap<usize, (usize, u64)>,
    /// Greatest `received`, and `at` of each author.
    received: u64,
    at: BTreeMap<usize, u64>,
    closed: bool,
}

impl Scene {
    fn judge(&mut self, base: &Base, (place, from): (usize, usize), same: usize) -> Vec<&'static str> {
        let known = &base.entries[from];
        let statement = &known.statement;
        let by = usize::try_from(statement.by.get()).unwrap_or(usize::MAX);
        let is_opening = known.kind() == Kind::LedgerOpened;
        if is_opening != (place == 0) || self.closed {
            return vec!["I4"];
        }
        let introduces_itself = known.begins_an_author() && by == place;
        if !introduces_itself {
            match self.introduced.get(&by) {
                None => return vec!["A1"],
                Some(author) if *author != by => return vec!["I2"],
                Some(_) => {}
            }
        }
        let mut codes = Vec::new();
        let seen = usize::try_from(statement.seen.size.get()).unwrap_or(usize::MAX);
        let named = statement.body.named_entries().into_iter().max().map(Seq::get);
        let before = self.last.get(&by).map(|(place, _)| *place);
        let must_see = [
            named.and_then(|seq| usize::try_from(seq).ok()),
            before,
            (!introduces_itself).then_some(by),
        ];
        let least = must_see.into_iter().flatten().max().map_or(0, |seq| seq + 1);
        let is_whole = match &statement.body {
            Body::InstanceStopped(_) | Body::LedgerClosed(_) => true,
            Body::IdentityIntroduced(body) => body.succeeds.is_some(),
            _ => false,
        };
        let least = if is_whole { place } else { least };
        // A link is the same as long as nothing before it was changed.
        if place > 0 && (seen < least || seen > place || seen > same) {
            codes.push("I5");
        }
        if statement.n.get() != self.last.get(&by).map_or(0, |(_, n)| n + 1) {
            codes.push("I6");
        }
        let at = self.at.entry(by).or_default();
        if known.record.received.get() < self.received || statement.at.get() < *at {
            codes.push("I10");
        }
        *at = (*at).max(statement.at.get());
        self.received = self.received.max(known.record.received.get());
        self.last.insert(by, (place, statement.n.get()));
        if known.begins_an_author() {
            self.introduced.insert(place, from);
        }
        self.closed = known.kind() == Kind::LedgerClosed;
        codes
    }
}
