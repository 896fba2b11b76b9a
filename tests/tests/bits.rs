//! One flipped bit, anywhere in a record, a payload or a checkpoint, is found and its entry named (attacker K0).
//!
//! A usual run flips bits at chosen offsets of every row. `COUNTERSIGN_TAMPER=full` flips one at *every* offset; that
//! takes long and is for an optimised build: `COUNTERSIGN_TAMPER=full cargo test --release -p countersign-tests bits`.
//! A number instead of `full` is so many times as many flips as usual.

use std::collections::BTreeSet;

use rusqlite::types::Value as SqlValue;

use crate::support::Checked;
use crate::support::judge::Judge;
use crate::support::ledger_copy::LedgerCopy;
use crate::support::rng::Rng;
use crate::support::stored::{Stored, StoredRow};
use crate::support::story::story;
use crate::support::verdict::Verdict;

/// A column whose bytes are flipped, and how it is written back.
struct Column {
    /// `UPDATE` with the bytes as ?1 and the key as ?2.
    update: &'static str,
    part: usize,
    /// Flips in one value of a usual run.
    flips: usize,
    /// From the row's key to the entry that is to be named.
    entry: fn(u64) -> u64,
}

fn offsets(len: usize, flips: usize, rng: &mut Rng) -> BTreeSet<usize> {
    let times = match std::env::var("COUNTERSIGN_TAMPER").as_deref() {
        Ok("full") => return (0..len).collect(),
        Ok(times) => times.parse().expect("COUNTERSIGN_TAMPER is `full` or a number"),
        Err(_) => 1,
    };
    (0..len.min(flips * times))
        .map(|_| usize::try_from(rng.below(len as u64)).unwrap_or(0))
        .collect()
}

/// Flips bits of `column` in each of `rows`, one at a time, and fails unless each is rejected where it is.
fn every_flip_is_named(rows: &[StoredRow], column: &Column) -> Checked {
    let story = story();
    let copy = LedgerCopy::of(&story.ledger())?;
    let judge = Judge::new(&story.anchor())?;
    let mut rng = Rng::seeded(1);
    let mut unnamed = Vec::new();
    for row in rows {
        let sound = &row.parts[column.part];
        let write = |bytes: &[u8]| {
            copy.change(
                column.update,
                [SqlValue::Blob(bytes.to_vec()), SqlValue::Integer(row.key.cast_signed())],
            )
        };
        for offset in offsets(sound.len(), column.flips, &mut rng) {
            let bit = 1 << rng.below(8);
            let mut flipped = sound.clone();
            flipped[offset] ^= bit;
            write(&flipped)?;
            let (entry, judged) = ((column.entry)(row.key), judge.judge(&copy.path())?);
            if judged.code != 1 || !judged.names(entry) {
                unnamed.push(format!(
                    "entry {entry}, byte {offset} of {}, bit {bit:#04x}: {judged}",
                    sound.len()
                ));
            }
        }
        write(sound)?;
    }
    assert!(unnamed.is_empty(), "{} flips:\n{}", unnamed.len(), unnamed.join("\n"));
    let restored = judge.judge(&copy.path())?;
    assert_eq!(restored.code, 0, "restored, the copy is the ledger again: {restored}");
    Ok(())
}

#[test]
fn any_flipped_bit_of_a_record_is_named() -> Checked {
    let update = "UPDATE record SET bytes = ?1 WHERE seq = ?2";
    let stored = Stored::read(&story().ledger())?;
    every_flip_is_named(
        &stored.records,
        &Column {
            update,
            part: 0,
            flips: 4,
            entry: |seq| seq,
        },
    )
}

#[test]
fn any_flipped_bit_of_a_payloads_salt_is_named() -> Checked {
    let update = "UPDATE payload SET salt = ?1 WHERE id = ?2";
    let stored = Stored::read(&story().ledger())?;
    every_flip_is_named(
        &stored.payloads,
        &Column {
            update,
            part: 0,
            flips: 1,
            entry: |id| id / 8,
        },
    )
}

#[test]
fn any_flipped_bit_of_a_payloads_content_is_named() -> Checked {
    let update = "UPDATE payload SET content = ?1 WHERE id = ?2";
    let stored = Stored::read(&story().ledger())?;
    every_flip_is_named(
        &stored.payloads,
        &Column {
            update,
            part: 1,
            flips: 2,
            entry: |id| id / 8,
        },
    )
}

#[test]
fn any_flipped_bit_of_a_checkpoint_is_named() -> Checked {
    let update = "UPDATE checkpoint SET note = ?1 WHERE size = ?2";
    let stored = Stored::read(&story().ledger())?;
    every_flip_is_named(
        &stored.checkpoints,
        &Column {
            update,
            part: 0,
            flips: 40,
            entry: |size| size - 1,
        },
    )
}

#[test]
fn any_flipped_bit_is_rejected_by_the_program_too() -> Checked {
    let story = story();
    let stored = Stored::read(&story.ledger())?;
    let copy = LedgerCopy::of(&story.ledger())?;
    let mut rng = Rng::seeded(2);
    for row in stored.records.iter().step_by(11) {
        let mut flipped = row.parts[0].clone();
        let offset = usize::try_from(rng.below(flipped.len() as u64))?;
        flipped[offset] ^= 1 << rng.below(8);
        let key = row.key.cast_signed();
        copy.change("UPDATE record SET bytes = ?1 WHERE seq = ?2", (&flipped, key))?;
        let verdict = copy.verdict(story.trust())?.expect(1);
        assert!(
            verdict.names(row.key),
            "entry {}, byte {offset}: {}",
            row.key,
            verdict.ran
        );
        copy.change("UPDATE record SET bytes = ?1 WHERE seq = ?2", (&row.parts[0], key))?;
    }
    copy.verdict(story.trust())?.expect(0);
    Ok(())
}

/// A byte added or taken is no flip, but as little a sound ledger.
#[test]
fn longer_and_shorter_values_are_named() -> Checked {
    let story = story();
    let stored = Stored::read(&story.ledger())?;
    let copy = LedgerCopy::of(&story.ledger())?;
    let judge = Judge::new(&story.anchor())?;
    for row in stored.records.iter().step_by(7) {
        let sound = &row.parts[0];
        for changed in [&[sound.as_slice(), b"\0"].concat(), &sound[..sound.len() - 1], &[]] {
            let key = row.key.cast_signed();
            copy.change("UPDATE record SET bytes = ?1 WHERE seq = ?2", (changed, key))?;
            let judged = judge.judge(&copy.path())?;
            assert!(judged.code == 1 && judged.names(row.key), "entry {}: {judged}", row.key);
            copy.change("UPDATE record SET bytes = ?1 WHERE seq = ?2", (sound, key))?;
        }
    }
    Ok(())
}

/// SQLite's own bytes carry no meaning of ours: a change there is harmless, or the file cannot be read any more.
#[test]
fn any_flipped_bit_of_the_file_is_harmless_or_found() -> Checked {
    let story = story();
    let sound = Stored::read(&story.ledger())?;
    let whole = std::fs::read(story.ledger())?;
    let folder = tempfile::TempDir::new()?;
    let path = folder.path().join("ledger.db");
    let mut rng = Rng::seeded(4);
    for _ in 0..40 {
        let mut flipped = whole.clone();
        let offset = usize::try_from(rng.below(whole.len() as u64))?;
        flipped[offset] ^= 1 << rng.below(8);
        std::fs::write(&path, flipped)?;
        let verdict = Verdict::of(&path, story.trust())?;
        match verdict.code() {
            0 => assert!(
                Stored::read(&path)? == sound,
                "byte {offset}: verified, but not the same"
            ),
            code => assert!([1, 3, 4].contains(&code), "byte {offset}: {}", verdict.ran),
        }
    }
    Ok(())
}
