//! An attacker who has the file (K0), the checkpoint keys (K1) or the host's key (K2): no change ends in exit 0, and the
//! entry that was changed is named.

use countersign_ledger::reader::{StoredEntry, StoredPayload};
use countersign_schemas::number::Seq;
use countersign_schemas::record::Record;
use countersign_verifier::audit::{AuditOptions, Verdict};

use crate::support::cast::Who;
use crate::support::story::tell;
use crate::support::writer::{Twist, Writer};
use crate::support::{Told, anchored, audit, codes};

/// Every 97th offset of `len` bytes, beginning at a place that depends on the entry, and the last one.
fn offsets(len: usize, entry: usize) -> impl Iterator<Item = usize> {
    (entry % 97..len).step_by(97).chain(len.checked_sub(1))
}

fn assert_names(told: &Told, entry: usize, what: &str) {
    let report = audit(told, &anchored());
    assert_eq!(report.verdict(), Verdict::Rejected, "{what}");
    let expected = Some(entry as u64);
    let named: Vec<_> = codes(&report)
        .into_iter()
        .filter(|(_, named)| *named != expected)
        .collect();
    assert_eq!(named, [], "{what}: {:#?}", report.findings);
}

#[test]
fn any_flipped_bit_of_a_record_is_named() {
    let honest = Told::from(tell(Twist::honest()));
    for entry in 0..honest.entries.len() {
        for offset in offsets(honest.entries[entry].record.len(), entry) {
            let mut told = honest.clone();
            let bit = (entry + offset) % 8;
            told.entries[entry].record[offset] ^= 1 << bit;
            assert_names(&told, entry, &format!("bit {bit} of byte {offset} of record {entry}"));
        }
    }
}

#[test]
fn any_flipped_bit_of_a_payload_is_named() {
    let honest = Told::from(tell(Twist::honest()));
    for entry in 0..honest.entries.len() {
        for slot in 0..honest.entries[entry].payloads.len() {
            let lengths = [honest.entries[entry].payloads[slot].content.len(), 32];
            for (salted, len) in lengths.into_iter().enumerate() {
                for offset in offsets(len, 0) {
                    let mut told = honest.clone();
                    let payload = &mut told.entries[entry].payloads[slot];
                    let bytes = if salted == 1 {
                        &mut payload.salt
                    } else {
                        &mut payload.content
                    };
                    bytes[offset] ^= 0x10;
                    assert_names(
                        &told,
                        entry,
                        &format!("byte {offset} of payload {slot} of entry {entry}"),
                    );
                }
            }
        }
    }
}

#[test]
fn any_flipped_bit_of_a_checkpoint_is_named() {
    let honest = Told::from(tell(Twist::honest()));
    for place in 0..honest.checkpoints.len() {
        let size = usize::try_from(honest.checkpoints[place].size).unwrap_or_default();
        for offset in (0..honest.checkpoints[place].note.len()).step_by(97) {
            let mut told = honest.clone();
            told.checkpoints[place].note[offset] ^= 0x01;
            assert_names(&told, size - 1, &format!("byte {offset} of checkpoint {place}"));
        }
    }
}

fn rows(told: &Told) -> Vec<StoredEntry> {
    told.entries.clone()
}

fn is_rejected(told: &Told) -> Vec<(String, Option<u64>)> {
    let report = audit(told, &anchored());
    assert_eq!(report.verdict(), Verdict::Rejected, "{:#?}", report.unproven);
    codes(&report)
}

#[test]
fn k0_a_deleted_entry() {
    let honest = Told::from(tell(Twist::honest()));
    for entry in 0..honest.entries.len() - 1 {
        let mut told = honest.clone();
        told.entries.remove(entry);
        let found = is_rejected(&told);
        assert_eq!(
            found.first(),
            Some(&("I4".to_owned(), Some(entry as u64 + 1))),
            "{found:?}"
        );
    }
}

#[test]
fn k0_swapped_entries() {
    let honest = Told::from(tell(Twist::honest()));
    for entry in 0..honest.entries.len() - 1 {
        let mut told = honest.clone();
        let (left, right) = (entry, entry + 1);
        let mut swapped = rows(&told);
        swapped.swap(left, right);
        swapped[left].seq = left as i64;
        swapped[right].seq = right as i64;
        told.entries = swapped;
        let found = is_rejected(&told);
        assert_eq!(found.first(), Some(&("I4".to_owned(), Some(entry as u64))), "{found:?}");
    }
}

#[test]
fn k0_an_entry_that_is_repeated_or_replaced_by_another() {
    let honest = Told::from(tell(Twist::honest()));
    let mut appended = honest.clone();
    let mut copy = honest.entries[20].clone();
    copy.seq = honest.entries.len() as i64;
    appended.entries.push(copy);
    assert_eq!(
        is_rejected(&appended).first(),
        Some(&("I4".to_owned(), Some(honest.entries.len() as u64)))
    );
    let mut replaced = honest.clone();
    replaced.entries[16].record = honest.entries[20].record.clone();
    assert_eq!(is_rejected(&replaced).first(), Some(&("I4".to_owned(), Some(16))));
}

#[test]
fn k0_a_tail_that_is_cut_is_never_verified() {
    let honest = Told::from(tell(Twist::honest()));
    for size in 1..honest.entries.len() {
        let mut told = honest.clone();
        told.entries.truncate(size);
        assert_eq!(
            audit(&told, &anchored()).verdict(),
            Verdict::Rejected,
            "the last checkpoint gives it away"
        );
        told.checkpoints.pop();
        assert_eq!(
            audit(&told, &anchored()).verdict(),
            Verdict::Incomplete,
            "{size} entries"
        );
    }
}

#[test]
fn k0_a_payload_row_nobody_committed_to() {
    let mut told = Told::from(tell(Twist::honest()));
    told.entries[6].payloads.push(StoredPayload {
        slot: 7,
        salt: vec![0; 32],
        content: b"more".to_vec(),
    });
    assert_eq!(is_rejected(&told), [("I9".to_owned(), Some(6))]);
}

#[test]
fn k0_payloads_of_two_entries_exchanged() {
    let mut told = Told::from(tell(Twist::honest()));
    let (edit, bash) = (30, 33);
    let other = told.entries[bash].payloads.clone();
    told.entries[bash].payloads = std::mem::replace(&mut told.entries[edit].payloads, other);
    assert_eq!(
        is_rejected(&told),
        [
            ("I9".to_owned(), Some(edit as u64)),
            ("I9".to_owned(), Some(bash as u64))
        ]
    );
}

#[test]
fn k0_rows_before_the_first() {
    let mut told = Told::from(tell(Twist::honest()));
    let mut stray = told.entries[3].clone();
    stray.seq = -1;
    told.entries.insert(0, stray);
    assert_eq!(is_rejected(&told), [("I4".to_owned(), None)]);
}

#[test]
fn k1_a_changed_record_under_a_new_checkpoint() {
    let honest = Told::from(tell(Twist::honest()));
    // The time of receipt is the one thing in a record that no statement signs.
    for entry in 0..honest.entries.len() - 1 {
        let mut told = honest.clone();
        let mut record = Record::decode(&told.entries[entry].record).expect("a record");
        record.received = countersign_schemas::number::Millis::clamped(record.received.get() + 1);
        told.entries[entry].record = record.encode();
        told.checkpoints.pop();
        assert_names(&told, entry, &format!("received of entry {entry}"));
    }
}

#[test]
fn k1_the_last_records_time_under_a_new_checkpoint() {
    let honest = Told::from(tell(Twist::honest()));
    let last = honest.entries.len() - 1;
    let mut told = honest;
    let mut record = Record::decode(&told.entries[last].record).expect("a record");
    record.received = countersign_schemas::number::Millis::clamped(record.received.get() + 1);
    told.entries[last].record = record.encode();
    told.checkpoints.pop();
    assert_names(&told, last, "received of the last entry");
}

/// Truncate, stop everybody "on their behalf" and close again: the opener's own key is gone after the run.
#[test]
fn k2_a_ledger_that_is_cut_and_closed_again() {
    let forged = Twist {
        draft: Some(Box::new(|at: &str, draft: &mut crate::support::writer::Draft| {
            if matches!(at, "run-ended" | "closed") {
                draft.signer = Who::Host;
            }
        })),
        ..Twist::default()
    };
    let writer = tell(forged);
    let entry = writer.at("run-ended").get();
    assert_eq!(
        is_rejected(&writer.into()).first(),
        Some(&("I2".to_owned(), Some(entry)))
    );
}

#[test]
fn k2_a_new_ledger_has_another_id() {
    let another = Twist::statement("opened", |statement| {
        statement.at = countersign_schemas::number::Millis::clamped(statement.at.get() - 1);
    });
    let options = anchored();
    let (honest, other) = (
        audit(&tell(Twist::honest()).into(), &options),
        audit(&tell(another).into(), &options),
    );
    assert_eq!(
        (honest.verdict(), other.verdict()),
        (Verdict::Verified, Verdict::Verified)
    );
    assert_ne!(honest.ledger, other.ledger);
}

#[test]
fn a_genesis_of_another_ledger_carries_nothing_over() {
    let honest = Told::from(tell(Twist::honest()));
    let another = Twist::statement("opened", |statement| {
        statement.at = countersign_schemas::number::Millis::clamped(statement.at.get() - 1);
    });
    let mut told = Told::from(tell(another));
    told.entries[1..].clone_from_slice(&honest.entries[1..]);
    told.checkpoints = honest.checkpoints;
    assert_eq!(audit(&told, &anchored()).verdict(), Verdict::Rejected);
}

#[test]
fn damage_everywhere_ends_and_is_counted() {
    let mut told = Told::from(tell(Twist::honest()));
    let template = told.entries[7].clone();
    for seq in told.entries.len()..5_000 {
        told.entries.push(StoredEntry {
            seq: seq as i64,
            record: vec![0xff; 3],
            payloads: template.payloads.clone(),
        });
    }
    let report = audit(&told, &AuditOptions::default());
    assert_eq!(report.verdict(), Verdict::Rejected);
    assert!(report.findings.len() <= 1_000 && report.omitted > 3_000);
    assert_eq!(report.entries, 5_000);
}

#[test]
fn a_gap_of_any_width_is_one_finding() {
    for seq in [44, 1_000_000, 9_007_199_254_740_990_i64, i64::MAX] {
        let mut told = Told::from(tell(Twist::honest()));
        if let Some(last) = told.entries.last_mut() {
            last.seq = seq;
        }
        let report = audit(&told, &anchored());
        assert_eq!(report.verdict(), Verdict::Rejected);
        assert!(report.findings.len() <= 2, "{:#?}", report.findings);
    }
}

/// Only keys make a story; without a twist it is told the same way each time.
#[test]
fn the_story_is_deterministic() {
    let tellings = [tell(Twist::honest()), tell(Twist::honest())].map(|writer: Writer<'_>| Told::from(writer));
    assert!(tellings[0].entries == tellings[1].entries && tellings[0].checkpoints == tellings[1].checkpoints);
    assert_eq!(tellings[0].entries.len() as u64, Seq::clamped(51).get());
}
