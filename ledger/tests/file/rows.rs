//! Rows whose content follows from their place, so that any of them can be checked alone.

use std::path::Path;

use countersign_ledger::layout::Slot;
use countersign_ledger::reader::{ItemError, LedgerReader, StoredEntry};
use countersign_ledger::store::{Row, Sqlite, Store, StoreError};
use countersign_schemas::number::{Seq, Size};
use countersign_schemas::payload::Salt;

pub(crate) type Anyhow<T> = Result<T, Box<dyn std::error::Error>>;

pub(crate) fn seq(number: u64) -> Seq {
    Seq::clamped(number)
}

pub(crate) fn size(number: u64) -> Size {
    Size::clamped(number)
}

pub(crate) fn record(number: u64) -> Vec<u8> {
    let length = 200 + (number * 37 % 500) as usize;
    number.to_be_bytes().into_iter().cycle().take(length).collect()
}

/// Every third row has no payload, the others one or two; every fiftieth is large.
fn payload_bytes(number: u64) -> Vec<(u8, usize)> {
    match number % 3 {
        0 => Vec::new(),
        1 => vec![(0, if number % 50 == 1 { 100_000 } else { 300 })],
        _ => vec![(0, 10), (3, 0)],
    }
}

pub(crate) fn row(number: u64) -> Anyhow<Row> {
    let payloads = payload_bytes(number).into_iter().map(|(slot, bytes)| {
        let slot = Slot::new(slot).ok_or("no such slot")?;
        Ok((slot, Salt([number as u8; 32]), vec![number as u8; bytes]))
    });
    Ok(Row::new(seq(number), record(number), payloads.collect::<Anyhow<_>>()?)?)
}

pub(crate) fn rows(numbers: std::ops::Range<u64>) -> Anyhow<Vec<Row>> {
    numbers.map(row).collect()
}

/// Whether a stored entry is what [`row`] made for its number.
pub(crate) fn is_whole(entry: &StoredEntry) -> bool {
    let Ok(number) = u64::try_from(entry.seq) else {
        return false;
    };
    let expected = payload_bytes(number);
    entry.record == record(number)
        && entry.payloads.len() == expected.len()
        && entry.payloads.iter().zip(expected).all(|(payload, (slot, bytes))| {
            payload.slot == slot && payload.salt == [number as u8; 32] && payload.content == vec![number as u8; bytes]
        })
}

/// Makes a closed ledger of `entries` rows.
pub(crate) fn closed_ledger(path: &Path, entries: u64) -> Anyhow<()> {
    let mut store = Sqlite::create(path, &rows(0..2)?)?;
    store.put_checkpoint(size(1), b"first")?;
    store.append(size(2), &rows(2..entries)?)?;
    store.put_checkpoint(size(entries), b"last")?;
    Ok(store.close()?)
}

/// Reads everything and expects nothing wrong: the number of entries, which are contiguous and whole.
pub(crate) fn count_whole(path: &Path) -> Anyhow<u64> {
    let mut count = 0;
    for entry in LedgerReader::open(path)?.entries() {
        let entry = entry?;
        if entry.seq != count || !is_whole(&entry) {
            return Err(format!("entry {} stands where {count} belongs, or is not whole", entry.seq).into());
        }
        count += 1;
    }
    Ok(u64::try_from(count)?)
}

/// Reads everything: the numbers of the entries, and what is wrong.
pub(crate) fn read_all(path: &Path) -> Anyhow<(Vec<i64>, Vec<ItemError>)> {
    let (mut numbers, mut errors) = (Vec::new(), Vec::new());
    for item in LedgerReader::open(path)?.entries() {
        match item {
            Ok(entry) => numbers.push(entry.seq),
            Err(error) => errors.push(error),
        }
    }
    Ok((numbers, errors))
}

/// The error of a call that has to fail.
pub(crate) fn refused<T>(result: Result<T, StoreError>) -> Anyhow<StoreError> {
    result.err().ok_or_else(|| "was not refused".into())
}

/// Names in a folder, sorted.
pub(crate) fn names(folder: &Path) -> Anyhow<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}
