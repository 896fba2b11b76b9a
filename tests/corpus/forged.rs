//! Entries changed or signed by somebody who holds none of the instances' keys, everything behind them chained anew.

use std::sync::Arc;

use countersign_ledger::cose::{self, AadLedger, Unverified};
use countersign_schemas::body::{Body, Outcome};
use countersign_schemas::cbor::{Decoder, Encoder};
use countersign_schemas::kind::SignatureSet;
use countersign_schemas::number::{Count, Millis, Seq};
use countersign_schemas::record::Record;
use countersign_schemas::statement::Statement;
use countersign_schemas::text::Name;

use super::Scale;
use super::base::Base;
use super::case::{Attack, Case, Class, Expected, Given, Named};
use super::file::{Repair, chain};
use super::support::Told;
use super::support::cast::Who;
use super::support::story::tell;
use super::support::writer::Twist;

static OTHER_KEY: Attack = Attack {
    name: "sign-by-another-key",
    what: "an entry is signed anew by a key that nobody introduced",
    rule: "that entry (I2)",
};
static ALL_OTHER_KEYS: Attack = Attack {
    name: "sign-all-by-another-key",
    what: "every entry, the opening too, is signed anew by a key that nobody introduced",
    rule: "the opening (I2): nothing behind it can be told then",
};
static OTHER_PRINCIPAL: Attack = Attack {
    name: "other-principal",
    what: "a sound ledger of another principal takes the place of the ledger",
    rule: "the opening: its principal is not the anchor (A2)",
};
static GENESIS: Attack = Attack {
    name: "substitute-genesis",
    what: "the opening of another ledger of the same principal takes the place of the opening",
    rule: "entry 0 by the first checkpoint (I7), or where that was signed anew, entry 1: it was signed for another ledger (I2)",
};
static REATTRIBUTE: Attack = Attack {
    name: "re-attribute",
    what: "the author that a statement names is exchanged for another one that is introduced",
    rule: "that entry: the other did not sign it (I2)",
};
static DENY_TO_ALLOW: Attack = Attack {
    name: "deny-to-allow",
    what: "the outcome in a decision is changed",
    rule: "that entry (I2)",
};
static STRIP: Attack = Attack {
    name: "strip-signature",
    what: "one of the two signatures of a statement is taken out",
    rule: "that entry: fewer than its kind asks for (I2)",
};
static MOVE_TEXT: Attack = Attack {
    name: "move-text",
    what: "a letter is moved from one text to the one behind it",
    rule: "that entry: what is signed is not the letters but the fields (I2)",
};
static RECEIVED: Attack = Attack {
    name: "change-received",
    what: "the time at which an entry was received, which no author signs, is changed",
    rule: "whatever first covers the old record: a statement (I5), or a checkpoint (I7)",
};

pub(crate) fn cases(base: &Arc<Base>, _: Scale) -> Vec<Case> {
    let mut cases = Vec::new();
    for entry in 0..base.size() {
        cases.extend(signed_by(&OTHER_KEY, base, entry, Clone::clone));
        cases.extend(reattributed(base, entry));
        cases.extend(stripped(base, entry));
        cases.extend(edited(&DENY_TO_ALLOW, base, entry, allow));
        cases.extend(edited(&MOVE_TEXT, base, entry, move_letter));
        cases.extend(received(base, entry));
    }
    cases.extend(all_signed(base));
    cases.push(other_principal(base));
    cases.extend(genesis(base));
    cases
}

/// The attackers of a statement: the chain and, with the keys of the checkpoints, those too are made to fit.
fn repairs(base: &Base) -> Vec<(Class, Repair)> {
    let mut repairs = vec![(Class::K0, Repair::Chain)];
    repairs.extend(base.tell.map(|_| (Class::K1, Repair::Checkpoints)));
    repairs
}

/// Exchanges the envelope of `entry`.
fn enveloped(
    attack: &'static Attack,
    base: &Arc<Base>,
    (entry, position): (usize, String),
    codes: &[&'static str],
    envelope: impl Fn(&Base) -> Option<Vec<u8>> + Clone + Send + Sync + 'static,
) -> Vec<Case> {
    let pose = |(class, repair): (Class, Repair)| {
        let (from, envelope) = (Arc::clone(base), envelope.clone());
        let expected = Expected::rejected(entry as u64, codes);
        Case::new(attack, class, base, position.clone(), vec![expected], move || {
            let mut told = from.told.clone();
            if let Some(envelope) = envelope(&from) {
                let record = from.entries[entry].record.clone();
                told.entries[entry].record = Record {
                    statement: envelope,
                    ..record
                }
                .encode();
            }
            repair.apply(&from, &mut told, entry + 1);
            told
        })
    };
    repairs(base).into_iter().map(pose).collect()
}

fn signed_by(
    attack: &'static Attack,
    base: &Arc<Base>,
    entry: usize,
    change: fn(&Statement) -> Statement,
) -> Vec<Case> {
    enveloped(attack, base, (entry, entry.to_string()), &["I2"], move |from| {
        Some(foreign(from, entry, &change(&from.entries[entry].statement)))
    })
}

/// A statement signed by the stranger.
fn foreign(base: &Base, entry: usize, statement: &Statement) -> Vec<u8> {
    let ledger = if entry == 0 {
        AadLedger::Genesis
    } else {
        base.ledger().into()
    };
    cose::sign(
        &statement.encode(),
        statement.kind().signatures(),
        ledger,
        Who::Stranger.secret(),
    )
}

/// A changed statement under the signatures of the old one.
fn edited(
    attack: &'static Attack,
    base: &Arc<Base>,
    entry: usize,
    change: fn(&Statement) -> Option<Statement>,
) -> Vec<Case> {
    if change(&base.entries[entry].statement).is_none() {
        return Vec::new();
    }
    enveloped(attack, base, (entry, entry.to_string()), &["I2"], move |from| {
        let known = &from.entries[entry];
        let changed = change(&known.statement)?;
        with_payload(&known.record.statement, &changed.encode())
    })
}

/// The message with another statement in it.
fn with_payload(message: &[u8], statement: &[u8]) -> Option<Vec<u8>> {
    let payload = Unverified::parse(message).ok()?.payload();
    let start = message.windows(payload.len()).position(|window| window == payload)?;
    let mut own = Encoder::new();
    own.bytes(payload);
    let head = own.finish().len() - payload.len();
    let mut other = Encoder::new();
    other.bytes(statement);
    Some(
        [
            &message[..start - head],
            &other.finish(),
            &message[start + payload.len()..],
        ]
        .concat(),
    )
}

fn allow(statement: &Statement) -> Option<Statement> {
    let mut changed = statement.clone();
    let Body::DecisionMade(body) = &mut changed.body else {
        return None;
    };
    if body.outcome != Outcome::Deny {
        return None;
    }
    body.outcome = Outcome::Allow;
    body.expires = Millis::clamped(statement.at.get() + 1_000);
    Some(changed)
}

fn move_letter(statement: &Statement) -> Option<Statement> {
    let mut changed = statement.clone();
    let Body::ModelCalled(body) = &mut changed.body else {
        return None;
    };
    let text = format!("{}{}", body.provider.as_str(), body.model.as_str());
    let border = body.provider.as_str().len() - 1;
    body.provider = Name::new(&text[..border]).ok()?;
    body.model = Name::new(&text[border..]).ok()?;
    Some(changed)
}

fn reattributed(base: &Arc<Base>, entry: usize) -> Vec<Case> {
    let known = &base.entries[entry];
    let begun = base.entries[..entry]
        .iter()
        .enumerate()
        .filter(|(_, before)| before.begins_an_author());
    let others = begun
        .map(|(place, _)| place as u64)
        .filter(|place| *place != known.statement.by.get());
    let pose = |other: u64| {
        enveloped(
            &REATTRIBUTE,
            base,
            (entry, format!("{entry}-to-{other}")),
            &["I2"],
            move |from| {
                let known = &from.entries[entry];
                let spoken = from.entries[..entry]
                    .iter()
                    .filter(|before| before.statement.by.get() == other);
                let changed = Statement {
                    by: Seq::clamped(other),
                    n: Count::clamped(spoken.count() as u64),
                    ..known.statement.clone()
                };
                with_payload(&known.record.statement, &changed.encode())
            },
        )
    };
    // The one introduced last stands for the others: the signature is none of theirs.
    others.max().map(pose).unwrap_or_default()
}

fn stripped(base: &Arc<Base>, entry: usize) -> Vec<Case> {
    let hybrid = base.entries[entry].kind().signatures() == SignatureSet::Hybrid;
    let pose = |kept: usize| {
        enveloped(
            &STRIP,
            base,
            (entry, format!("{entry}-keeps-{kept}")),
            &["I2"],
            move |from| keep_one(&from.entries[entry].record.statement, kept),
        )
    };
    (0..2).filter(|_| hybrid).flat_map(pose).collect()
}

/// A COSE_Sign message with only one of its signatures.
fn keep_one(message: &[u8], kept: usize) -> Option<Vec<u8>> {
    let mut from = Decoder::new(message);
    from.tag(98).ok()?;
    from.array(4, 4).ok()?;
    from.bytes(0, usize::MAX).ok()?;
    from.map(0).ok()?;
    from.bytes(0, usize::MAX).ok()?;
    let list = from.offset();
    from.array(2, 2).ok()?;
    let mut signatures = Vec::new();
    for _ in 0..2 {
        let start = from.offset();
        from.array(3, 3).ok()?;
        from.bytes(0, usize::MAX).ok()?;
        from.map(0).ok()?;
        from.bytes(0, usize::MAX).ok()?;
        signatures.push(from.since(start));
    }
    let mut one = Encoder::new();
    one.array(1);
    one.raw(signatures.get(kept)?);
    Some([&message[..list], &one.finish()].concat())
}

fn received(base: &Arc<Base>, entry: usize) -> Vec<Case> {
    let pose = |(class, repair): (Class, Repair)| {
        let from = Arc::clone(base);
        let expected = Expected {
            named: Some(later_told(base, entry, repair)),
            ..Expected::rejected(0, &[])
        };
        Case::new(&RECEIVED, class, base, entry.to_string(), vec![expected], move || {
            let mut told = from.told.clone();
            let mut record = from.entries[entry].record.clone();
            record.received = Millis::clamped(record.received.get() + 1);
            told.entries[entry].record = record.encode();
            repair.apply(&from, &mut told, entry + 1);
            told
        })
    };
    repairs(base).into_iter().map(pose).collect()
}

/// Who tells that `entry` was received at another time: the first that signed something over its record.
fn later_told(base: &Base, entry: usize, repair: Repair) -> Named {
    let mut later = base.entries.iter().enumerate().skip(entry + 1);
    let author = later
        .clone()
        .find(|(_, known)| known.statement.seen.size.get() > entry as u64);
    let (place, codes) = author.map_or((entry, vec!["I7"]), |(place, _)| (place, vec!["I5", "D7", "I10"]));
    // Where the next was received in the same millisecond, time runs backwards there.
    let next = later
        .next()
        .filter(|(_, next)| next.record.received <= base.entries[entry].record.received);
    let place = next.map_or(place, |(next, _)| next.min(place));
    // A checkpoint whose key the attacker has not may cover it before any author does.
    let sizes = base
        .told
        .checkpoints
        .iter()
        .filter_map(|checkpoint| usize::try_from(checkpoint.size).ok());
    let covering = sizes.filter(|size| repair == Repair::Chain && *size > entry).min();
    match covering.map(|size| size - 1) {
        Some(last) if last < place => Named {
            entry: last as u64,
            codes: vec!["I7"],
        },
        _ => Named {
            entry: place as u64,
            codes,
        },
    }
}

fn all_signed(base: &Arc<Base>) -> Vec<Case> {
    let pose = |(class, repair): (Class, Repair)| {
        let from = Arc::clone(base);
        let expected = Expected::rejected(0, &["I2"]);
        Case::new(&ALL_OTHER_KEYS, class, base, "whole", vec![expected], move || {
            let mut told = from.told.clone();
            for (entry, stored) in told.entries.iter_mut().enumerate() {
                let known = &from.entries[entry];
                let statement = foreign(&from, entry, &known.statement);
                stored.record = Record {
                    statement,
                    ..known.record.clone()
                }
                .encode();
            }
            repair.apply(&from, &mut told, 1);
            told
        })
    };
    repairs(base).into_iter().map(pose).collect()
}

/// The story of the verifier's tests is another principal's to the demo, and the demo's to nobody: so it is told with an
/// anchor that is not its own.
fn other_principal(base: &Arc<Base>) -> Case {
    let expected = Expected {
        given: Given::OtherAnchor,
        ..Expected::rejected(0, &["A2"])
    };
    let told = base.told.clone();
    Case::new(&OTHER_PRINCIPAL, Class::K0, base, "whole", vec![expected], move || {
        told.clone()
    })
}

/// The opening of a ledger that was opened a millisecond earlier.
fn other_opening() -> Told {
    tell(Twist::statement("opened", |statement| {
        statement.at = Millis::clamped(statement.at.get() - 1)
    }))
    .into()
}

fn genesis(base: &Arc<Base>) -> Vec<Case> {
    let own = base.tell.is_some();
    // Of the demo's principal there is no other ledger here: its opening is that of another principal. The first checkpoint
    // covers the opening alone.
    let expected = move |repair: Repair| match (own, repair) {
        (false, _) => Expected::rejected(0, &["A2"]),
        (true, Repair::Checkpoints) => Expected::rejected(1, &["I2", "I3"]),
        (true, _) => Expected::rejected(0, &["I7"]),
    };
    let mut repairs = vec![(Class::K0, Repair::Nothing), (Class::K0, Repair::Chain)];
    repairs.extend(base.tell.map(|_| (Class::K1, Repair::Checkpoints)));
    let pose = |(class, repair): (Class, Repair)| {
        let from = Arc::clone(base);
        Case::new(
            &GENESIS,
            class,
            base,
            repair.word(),
            vec![expected(repair)],
            move || {
                let mut told = from.told.clone();
                told.entries[0] = other_opening().entries.remove(0);
                if repair != Repair::Nothing {
                    chain(&mut told.entries, 1);
                }
                repair.apply(&from, &mut told, 1);
                told
            },
        )
    };
    repairs.into_iter().map(pose).collect()
}
