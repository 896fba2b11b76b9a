//! Records written in another way than the one agreed, everything behind them chained anew.

use std::sync::Arc;

use super::Scale;
use super::base::Base;
use super::case::{Attack, Case, Class, Expected};
use super::file::Repair;

/// One way to write a record wrongly.
struct Variant {
    attack: Attack,
    /// The record's bytes, wrong.
    write: fn(&[u8]) -> Vec<u8>,
}

const RULE: &str = "that entry: a record has one encoding, and bounds (I1)";

static VARIANTS: [Variant; 8] = [
    Variant {
        attack: Attack {
            name: "trailing-byte",
            what: "a byte is added behind a record",
            rule: RULE,
        },
        write: |record| [record, &[0]].concat(),
    },
    Variant {
        attack: Attack {
            name: "cut-record",
            what: "the last byte of a record is cut off",
            rule: RULE,
        },
        write: |record| record[..record.len() - 1].to_vec(),
    },
    Variant {
        attack: Attack {
            name: "indefinite-length",
            what: "a record is an array of indefinite length",
            rule: RULE,
        },
        write: |record| [&[0x9f], &record[1..], &[0xff]].concat(),
    },
    Variant {
        attack: Attack {
            name: "long-integer",
            what: "the version of a record is written in two bytes",
            rule: RULE,
        },
        write: |record| [&record[..1], &[0x18], &record[1..]].concat(),
    },
    Variant {
        attack: Attack {
            name: "integer-2-53",
            what: "a record states the number 2^53",
            rule: RULE,
        },
        write: |record| {
            let behind = 2 + head_len(record[2]);
            [&record[..2], &[0x1b, 0, 0x20, 0, 0, 0, 0, 0, 0], &record[behind..]].concat()
        },
    },
    Variant {
        attack: Attack {
            name: "negative-integer",
            what: "a record states a negative number",
            rule: RULE,
        },
        write: |record| {
            let behind = 2 + head_len(record[2]);
            [&record[..2], &[0x20], &record[behind..]].concat()
        },
    },
    Variant {
        attack: Attack {
            name: "one-more-member",
            what: "a record has one member more",
            rule: RULE,
        },
        write: |record| [&[record[0] + 1], &record[1..], &[0xf6]].concat(),
    },
    Variant {
        attack: Attack {
            name: "oversize",
            what: "a record is longer than 65,535 bytes",
            rule: RULE,
        },
        write: |record| [record, &vec![0; 65_536 - record.len()]].concat(),
    },
];

/// Length of the head of an item that begins with this byte (RFC 8949 §3).
pub(crate) fn head_len(first: u8) -> usize {
    match first & 0x1f {
        24 => 2,
        25 => 3,
        26 => 5,
        27 => 9,
        _ => 1,
    }
}

pub(crate) fn cases(base: &Arc<Base>, scale: Scale) -> Vec<Case> {
    let mut classes = vec![(Class::K0, Repair::Chain)];
    classes.extend(base.tell.map(|_| (Class::K1, Repair::Checkpoints)));
    let mut cases = Vec::new();
    for entry in 0..base.size() {
        for (nth, variant) in VARIANTS.iter().enumerate() {
            // Sampled, each entry is written wrongly in one way.
            if scale == Scale::Sampled && nth != entry % VARIANTS.len() {
                continue;
            }
            for (class, repair) in &classes {
                let (from, repair) = (Arc::clone(base), *repair);
                let expected = Expected::rejected(entry as u64, &["I1"]);
                cases.push(Case::new(
                    &variant.attack,
                    *class,
                    base,
                    entry.to_string(),
                    vec![expected],
                    move || {
                        let mut told = from.told.clone();
                        told.entries[entry].record = (variant.write)(&from.told.entries[entry].record);
                        repair.apply(&from, &mut told, entry + 1);
                        told
                    },
                ));
            }
        }
    }
    cases
}
