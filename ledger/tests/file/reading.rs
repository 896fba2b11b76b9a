//! The reader hands out what is stored, beside a writer and after a crash, and names what is not a ledger.

use std::path::Path;

use countersign_ledger::layout::FormatFault;
use countersign_ledger::reader::{ItemError, LedgerReader, ReadError, Table};
use countersign_ledger::store::{Sqlite, Store};
use rusqlite::Connection;
use tempfile::tempdir;

use super::rows::{Anyhow, closed_ledger, count_whole, is_whole, names, read_all, rows, seq, size};
use crate::TestResult;

fn refused(path: &Path) -> Anyhow<ReadError> {
    LedgerReader::open(path)
        .err()
        .ok_or_else(|| format!("{} was not refused", path.display()).into())
}

fn fault(error: ReadError) -> Option<FormatFault> {
    match error {
        ReadError::NotALedger { source, .. } | ReadError::Newer { source, .. } => Some(source),
        _ => None,
    }
}

/// Copies a ledger with what lies beside it, as a kill would leave it.
fn copy_as_crashed(from: &Path, to: &Path) -> TestResult {
    for suffix in ["", "-wal"] {
        let name = |path: &Path| format!("{}{suffix}", path.display());
        std::fs::copy(name(from), name(to))?;
    }
    Ok(())
}

#[test]
fn entries_come_in_order_with_their_payloads() -> TestResult {
    let folder = tempdir()?;
    let path = folder.path().join("ledger.db");
    closed_ledger(&path, 1500)?;
    assert_eq!(count_whole(&path)?, 1500);
    let reader = LedgerReader::open(&path)?;
    let checkpoints = reader.checkpoints().collect::<Result<Vec<_>, _>>()?;
    let found: Vec<_> = checkpoints.iter().map(|row| (row.size, row.note.as_slice())).collect();
    assert_eq!(found, [(1, b"first".as_slice()), (1500, b"last")]);
    assert_eq!(reader.last_entry()?.map(|entry| entry.seq), Some(1499));
    assert!(reader.is_one_file());
    Ok(())
}

#[test]
fn reading_goes_on_from_any_entry_and_checkpoint() -> TestResult {
    let folder = tempdir()?;
    let path = folder.path().join("ledger.db");
    closed_ledger(&path, 700)?;
    let reader = LedgerReader::open(&path)?;
    let all: Vec<_> = reader.entries().collect::<Result<_, _>>()?;
    for first in [0, 1, 299, 699, 700, 701] {
        let rest: Vec<_> = reader.entries_from(seq(first)).collect::<Result<_, _>>()?;
        let expected = all.get(usize::try_from(first)?..).unwrap_or_default();
        assert_eq!(rest, expected, "from {first}");
    }
    let sizes = |first| {
        reader
            .checkpoints_from(size(first))
            .flatten()
            .map(|row| row.size)
            .collect::<Vec<_>>()
    };
    assert_eq!((sizes(1), sizes(2), sizes(701)), (vec![1, 700], vec![700], vec![]));
    Ok(())
}

#[test]
fn single_entries_are_found_or_not() -> TestResult {
    let folder = tempdir()?;
    let path = folder.path().join("ledger.db");
    closed_ledger(&path, 60)?;
    let reader = LedgerReader::open(&path)?;
    for number in [0, 1, 2, 51, 59] {
        let entry = reader.entry(seq(number))?.ok_or("the entry is missing")?;
        assert!(is_whole(&entry), "entry {number}");
    }
    assert!(reader.entry(seq(60))?.is_none());
    assert!(reader.entry(seq(u64::MAX))?.is_none());
    Ok(())
}

#[test]
fn a_record_is_read_again_with_the_slots_of_its_payloads() -> TestResult {
    let folder = tempdir()?;
    let path = folder.path().join("ledger.db");
    closed_ledger(&path, 60)?;
    let reader = LedgerReader::open(&path)?;
    for number in [0, 1, 2, 51, 59] {
        let entry = reader.entry(seq(number))?.ok_or("the entry is missing")?;
        let again = reader.record(seq(number))?.ok_or("the record is missing")?;
        let slots: Vec<u8> = entry.payloads.iter().map(|payload| payload.slot).collect();
        assert_eq!((again.record, again.slots), (entry.record, slots), "entry {number}");
    }
    assert!(reader.record(seq(60))?.is_none());
    assert!(reader.record(seq(u64::MAX))?.is_none());
    Ok(())
}

#[test]
fn reader_keeps_its_state_while_the_writer_goes_on() -> TestResult {
    let folder = tempdir()?;
    let path = folder.path().join("ledger.db");
    let mut store = Sqlite::create(&path, &rows(0..2)?)?;
    store.append(size(2), &rows(2..300)?)?;
    let reader = LedgerReader::open(&path)?;
    store.append(size(300), &rows(300..600)?)?;
    assert_eq!(reader.entries().count(), 300);
    assert!(!reader.is_one_file());
    assert_eq!(count_whole(&path)?, 600);
    assert!(reader.entry(seq(300))?.is_none());
    Ok(())
}

#[test]
fn wal_that_a_crash_left_is_read_and_neither_file_changes() -> TestResult {
    let folder = tempdir()?;
    let path = folder.path().join("ledger.db");
    let crashed = folder.path().join("crashed.db");
    let mut store = Sqlite::create(&path, &rows(0..2)?)?;
    store.append(size(2), &rows(2..200)?)?;
    copy_as_crashed(&path, &crashed)?;
    let wal = folder.path().join("crashed.db-wal");
    let before = (std::fs::read(&crashed)?, std::fs::read(&wal)?);
    assert_eq!(count_whole(&crashed)?, 200);
    assert!(
        (std::fs::read(&crashed)?, std::fs::read(&wal)?) == before,
        "reading changed a file"
    );
    // Without it the file is a ledger of two entries: that is why it must not be left out.
    std::fs::remove_file(&wal)?;
    assert_eq!(count_whole(&crashed)?, 2);
    Ok(())
}

#[test]
fn writer_takes_the_wal_in_that_a_crash_left() -> TestResult {
    let folder = tempdir()?;
    let path = folder.path().join("ledger.db");
    let crashed = folder.path().join("crashed.db");
    let mut store = Sqlite::create(&path, &rows(0..2)?)?;
    store.append(size(2), &rows(2..200)?)?;
    copy_as_crashed(&path, &crashed)?;
    let mut store = Sqlite::open(&crashed)?;
    store.append(size(200), &rows(200..210)?)?;
    store.close()?;
    assert_eq!(count_whole(&crashed)?, 210);
    assert!(!names(folder.path())?.contains(&"crashed.db-wal".to_owned()));
    Ok(())
}

#[test]
fn wal_that_cannot_be_opened_is_not_overlooked() -> TestResult {
    let folder = tempdir()?;
    let path = folder.path().join("ledger.db");
    drop(Sqlite::create(&path, &rows(0..2)?)?);
    std::fs::create_dir(folder.path().join("ledger.db-wal"))?;
    assert!(matches!(refused(&path)?, ReadError::WalUnreadable { .. }));
    Ok(())
}

#[test]
fn journal_that_would_have_to_be_played_back_is_named() -> TestResult {
    let folder = tempdir()?;
    let path = folder.path().join("ledger.db");
    closed_ledger(&path, 5)?;
    let sql = Connection::open(&path)?;
    // A cache of two pages spills into the file, and then the journal is needed to undo it.
    sql.execute_batch("PRAGMA cache_size = 2; BEGIN; CREATE TABLE cache(x BLOB)")?;
    for _ in 0..100 {
        sql.execute("INSERT INTO cache VALUES (randomblob(4000))", [])?;
    }
    let crashed = folder.path().join("crashed.db");
    std::fs::copy(&path, &crashed)?;
    std::fs::copy(
        folder.path().join("ledger.db-journal"),
        folder.path().join("crashed.db-journal"),
    )?;
    assert!(matches!(refused(&crashed)?, ReadError::InterruptedWrite { .. }));
    // A writer undoes it.
    Sqlite::open(&crashed)?.close()?;
    assert_eq!(count_whole(&crashed)?, 5);
    Ok(())
}

#[test]
fn what_is_not_a_ledger_is_named() -> TestResult {
    let folder = tempdir()?;
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("empty"), b"")?;
    std::fs::write(
        path("text"),
        "# A text that is long enough to be a header, and is none.\n".repeat(50),
    )?;
    std::fs::write(path("short"), b"SQLite format 3\0")?;
    std::fs::create_dir(path("folder"))?;
    Connection::open(path("other.db"))?.execute_batch("PRAGMA application_id = 7; CREATE TABLE t(x)")?;
    assert!(matches!(refused(&path("missing"))?, ReadError::Missing { .. }));
    assert!(matches!(refused(&path("folder"))?, ReadError::NotAFile { .. }));
    assert!(matches!(refused(&path("empty"))?, ReadError::Empty { .. }));
    assert_eq!(fault(refused(&path("text"))?), Some(FormatFault::NotADatabase));
    assert_eq!(fault(refused(&path("short"))?), Some(FormatFault::NotADatabase));
    assert_eq!(
        fault(refused(&path("other.db"))?),
        Some(FormatFault::OtherApplication { found: 7 })
    );
    Ok(())
}

#[test]
fn other_versions_and_other_tables_are_named() -> TestResult {
    let folder = tempdir()?;
    let path = folder.path().join("ledger.db");
    closed_ledger(&path, 3)?;
    let sql = Connection::open(&path)?;
    let after = |change: &str| -> Anyhow<ReadError> {
        sql.execute_batch(change)?;
        refused(&path)
    };
    assert!(matches!(
        after("PRAGMA user_version = 2")?,
        ReadError::Newer {
            source: FormatFault::Newer { found: 2 },
            ..
        }
    ));
    assert_eq!(
        fault(after("PRAGMA user_version = 0")?),
        Some(FormatFault::NoSuchVersion { found: 0 })
    );
    assert_eq!(
        fault(after("PRAGMA user_version = -1")?),
        Some(FormatFault::NoSuchVersion { found: -1 })
    );
    let missing = after("PRAGMA user_version = 1; ALTER TABLE payload RENAME TO kept")?;
    assert_eq!(fault(missing), Some(FormatFault::TableMissing { table: "payload" }));
    // A view could make up rows without end.
    let view = after("CREATE VIEW payload AS SELECT 0 AS id, x'00' AS salt, x'00' AS content")?;
    assert!(matches!(
        fault(view),
        Some(FormatFault::TableDiffers { table: "payload", .. })
    ));
    let loose = after("DROP VIEW payload; CREATE TABLE payload(id INTEGER PRIMARY KEY, salt, content)")?;
    assert!(matches!(
        fault(loose),
        Some(FormatFault::TableDiffers { table: "payload", .. })
    ));
    Ok(())
}

#[test]
fn further_tables_and_lost_triggers_alter_nothing() -> TestResult {
    let folder = tempdir()?;
    let path = folder.path().join("ledger.db");
    closed_ledger(&path, 30)?;
    Connection::open(&path)?.execute_batch(
        "DROP TRIGGER record_no_update; CREATE TABLE cache(x); CREATE INDEX by_bytes ON record(bytes, seq);
         CREATE VIEW v AS SELECT * FROM record",
    )?;
    assert_eq!(count_whole(&path)?, 30);
    Ok(())
}

/// Opens a ledger for changes that its triggers and types would refuse.
fn unguarded(path: &Path) -> Anyhow<Connection> {
    let sql = Connection::open(path)?;
    sql.execute_batch(
        "DROP TRIGGER record_in_order; DROP TRIGGER record_no_update; DROP TRIGGER record_no_delete;
         DROP TRIGGER payload_no_update; DROP TRIGGER checkpoint_no_update;
         PRAGMA writable_schema = ON;
         UPDATE sqlite_schema SET sql = replace(sql, ' STRICT', '') WHERE type = 'table';
         PRAGMA writable_schema = RESET;",
    )?;
    Ok(sql)
}

/// Makes the tables look as they should again.
fn disguise(sql: Connection) -> TestResult {
    sql.execute_batch(
        "PRAGMA writable_schema = ON;
         UPDATE sqlite_schema SET sql = sql || ' STRICT' WHERE type = 'table';
         PRAGMA writable_schema = RESET;",
    )?;
    Ok(())
}

#[test]
fn columns_of_other_types_and_lengths_are_told_and_the_rest_is_read() -> TestResult {
    let folder = tempdir()?;
    let path = folder.path().join("ledger.db");
    closed_ledger(&path, 12)?;
    let sql = unguarded(&path)?;
    sql.execute_batch(
        "UPDATE record SET bytes = 'text' WHERE seq = 3;
         UPDATE record SET bytes = 1.5 WHERE seq = 4;
         UPDATE record SET bytes = zeroblob(65536) WHERE seq = 5;
         UPDATE record SET bytes = CAST(x'ff' AS TEXT) WHERE seq = 6;
         UPDATE payload SET content = 7 WHERE id = 8;
         UPDATE payload SET salt = zeroblob(33) WHERE id = 16;
         UPDATE payload SET content = zeroblob(16777217) WHERE id = 19;
         UPDATE checkpoint SET note = 'text' WHERE size = 1;",
    )?;
    disguise(sql)?;
    let (numbers, errors) = read_all(&path)?;
    assert_eq!(numbers, [0, 1, 2, 7, 8, 9, 10, 11]);
    let told: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "payload 8: column content holds integer instead of bytes",
            "payload 16: column salt holds 33 bytes, the limit is 32",
            "payload 19: column content holds 16777217 bytes, the limit is 16777216",
            "record 3: column bytes holds text instead of bytes",
            "record 4: column bytes holds real instead of bytes",
            "record 5: column bytes holds 65536 bytes, the limit is 65535",
            "record 6: column bytes holds text instead of bytes",
        ]
    );
    let reader = LedgerReader::open(&path)?;
    let checkpoints: Vec<_> = reader.checkpoints().collect();
    assert!(matches!(
        &checkpoints[0],
        Err(ItemError::WrongType {
            table: Table::Checkpoint,
            row: 1,
            ..
        })
    ));
    assert!(checkpoints[1].is_ok());
    assert!(matches!(
        reader.entry(seq(1)),
        Err(ItemError::WrongType {
            table: Table::Payload,
            row: 8,
            ..
        })
    ));
    // What a payload holds is not looked at where only the record is read again.
    let again = reader.record(seq(1))?.ok_or("the record is missing")?;
    assert!(again.slots.contains(&0));
    assert!(matches!(
        reader.record(seq(3)),
        Err(ItemError::WrongType {
            table: Table::Record,
            row: 3,
            ..
        })
    ));
    assert!(matches!(
        reader.entry(seq(3)),
        Err(ItemError::WrongType {
            table: Table::Record,
            row: 3,
            ..
        })
    ));
    Ok(())
}

#[test]
fn payload_rows_without_a_record_are_told_wherever_they_stand() -> TestResult {
    let folder = tempdir()?;
    let path = folder.path().join("ledger.db");
    closed_ledger(&path, 6)?;
    let sql = unguarded(&path)?;
    sql.execute("DELETE FROM record WHERE seq = 2", [])?;
    for id in [i64::MIN, -1, 48, i64::MAX] {
        sql.execute("INSERT INTO payload VALUES (?1, x'00', x'00')", [id])?;
    }
    disguise(sql)?;
    let (numbers, errors) = read_all(&path)?;
    assert_eq!(numbers, [0, 1, 3, 4, 5]);
    let orphans: Vec<_> = errors
        .iter()
        .map(|error| match error {
            ItemError::Orphan { row, seq, slot } => Some((*row, *seq, *slot)),
            _ => None,
        })
        .collect();
    assert_eq!(
        orphans,
        [
            Some((i64::MIN, i64::MIN / 8, 0)),
            Some((-1, -1, 7)),
            Some((16, 2, 0)),
            Some((19, 2, 3)),
            Some((48, 6, 0)),
            Some((i64::MAX, i64::MAX / 8, 7)),
        ]
    );
    Ok(())
}

#[test]
fn numbers_are_handed_out_as_they_are_stored() -> TestResult {
    let folder = tempdir()?;
    let path = folder.path().join("ledger.db");
    closed_ledger(&path, 3)?;
    let sql = unguarded(&path)?;
    for number in [i64::MIN, -1, 5, i64::MAX] {
        sql.execute("INSERT INTO record VALUES (?1, x'00')", [number])?;
    }
    sql.execute("INSERT INTO payload VALUES (-8, x'01', x'02')", [])?;
    disguise(sql)?;
    let reader = LedgerReader::open(&path)?;
    let entries = reader.entries().collect::<Result<Vec<_>, _>>()?;
    let numbers: Vec<i64> = entries.iter().map(|entry| entry.seq).collect();
    assert_eq!(numbers, [i64::MIN, -1, 0, 1, 2, 5, i64::MAX]);
    assert_eq!(entries[1].payloads.len(), 1);
    Ok(())
}
