//! Payloads exchanged, taken out and added; nothing of the chain is touched.

use std::sync::Arc;

use countersign_ledger::reader::StoredPayload;
use countersign_schemas::kind::Kind;

use super::Scale;
use super::base::Base;
use super::case::{Attack, Case, Class, Expected};
use super::support::Told;

static EXCHANGE: Attack = Attack {
    name: "exchange-payloads",
    what: "the payloads of two entries are exchanged",
    rule: "the first of them: neither is what was committed to (I9)",
};
static SLOTS: Attack = Attack {
    name: "exchange-slots",
    what: "the texts of neighbouring slots of one entry are exchanged",
    rule: "that entry (I9)",
};
static SALT: Attack = Attack {
    name: "move-salt",
    what: "the last byte of a salt is moved to the front of the content",
    rule: "that entry: salt and content are committed to apart (I9)",
};
static POLICY: Attack = Attack {
    name: "swap-policy",
    what: "the text of an adopted policy becomes one that permits everything",
    rule: "the entry that adopted it (I9)",
};
static STRAY: Attack = Attack {
    name: "stray-payload",
    what: "a payload is added that no entry committed to",
    rule: "the entry that it is stored under (I9)",
};
static BIDI: Attack = Attack {
    name: "control-characters",
    what: "the content of a payload becomes control characters and marks of writing direction",
    rule: "the entry that committed to it (I9)",
};
static WITHHOLD: Attack = Attack {
    name: "withhold-payload",
    what: "a payload is taken out",
    rule: "nothing is broken; it is unproven what it said (I9)",
};

pub(crate) const PERMIT_ALL: &str = "@id(\"all\")\npermit (principal, action, resource);\n";
/// An escape sequence, a right-to-left override, a zero-width space and a line feed.
pub(crate) const CONTROLS: &[u8] = "\u{1b}[2J\u{202e}detcejer\u{200b}\n\u{7}".as_bytes();

pub(crate) fn cases(base: &Arc<Base>, _: Scale) -> Vec<Case> {
    let mut cases = Vec::new();
    let with_payloads: Vec<usize> = (0..base.size())
        .filter(|entry| !base.told.entries[*entry].payloads.is_empty())
        .collect();
    for pair in with_payloads.windows(2) {
        let (one, other) = (pair[0], pair[1]);
        let (left, right) = (&base.told.entries[one].payloads, &base.told.entries[other].payloads);
        if left.iter().zip(right).any(|(left, right)| left != right) {
            cases.push(posed(&EXCHANGE, base, (one, one.to_string()), move |told| {
                let taken = std::mem::take(&mut told.entries[one].payloads);
                told.entries[one].payloads = std::mem::replace(&mut told.entries[other].payloads, taken);
            }));
        }
    }
    for entry in 0..base.size() {
        cases.push(posed(&STRAY, base, (entry, entry.to_string()), move |told| {
            told.entries[entry].payloads.push(StoredPayload {
                slot: 7,
                salt: vec![0; 32],
                content: b"more".to_vec(),
            });
        }));
    }
    for entry in with_payloads {
        cases.extend(of_slots(base, entry));
    }
    cases
}

fn of_slots(base: &Arc<Base>, entry: usize) -> Vec<Case> {
    let mut cases = Vec::new();
    let payloads = &base.told.entries[entry].payloads;
    for slot in 0..payloads.len() {
        let place = (entry, format!("{entry}-{slot}"));
        if payloads
            .get(slot + 1)
            .is_some_and(|next| next.content != payloads[slot].content)
        {
            cases.push(posed(&SLOTS, base, place.clone(), move |told| {
                let payloads = &mut told.entries[entry].payloads;
                let next = payloads[slot + 1].content.clone();
                payloads[slot + 1].content = std::mem::replace(&mut payloads[slot].content, next);
            }));
        }
        cases.push(posed(&SALT, base, place.clone(), move |told| {
            let payload = &mut told.entries[entry].payloads[slot];
            let byte = payload.salt.pop().unwrap_or_default();
            payload.content.insert(0, byte);
        }));
        cases.push(posed(&BIDI, base, place.clone(), move |told| {
            told.entries[entry].payloads[slot].content = CONTROLS.to_vec();
        }));
        if slot == 0 && base.entries[entry].kind() == Kind::PolicyAdopted {
            cases.push(posed(&POLICY, base, place.clone(), move |told| {
                told.entries[entry].payloads[slot].content = PERMIT_ALL.into();
            }));
        }
        let withheld = posed(&WITHHOLD, base, place, move |told| {
            told.entries[entry].payloads.remove(slot);
        });
        let unproven = Expected::incomplete(&["I9"]);
        cases.push(Case {
            expected: vec![unproven.clone(), unproven.with_head()],
            ..withheld
        });
    }
    cases
}

fn posed(
    attack: &'static Attack,
    base: &Arc<Base>,
    (entry, position): (usize, String),
    change: impl Fn(&mut Told) + Send + Sync + 'static,
) -> Case {
    let from = Arc::clone(base);
    let expected = Expected::rejected(entry as u64, &["I9"]);
    Case::new(attack, Class::K0, base, position, vec![expected], move || {
        let mut told = from.told.clone();
        change(&mut told);
        told
    })
}
