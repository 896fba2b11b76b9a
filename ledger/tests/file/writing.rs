//! A ledger appears whole, grows only at its end and by one writer, and closes into one file.

use countersign_ledger::layout::{APPLICATION_ID, FormatFault, TABLES, TRIGGERS};
use countersign_ledger::reader::LedgerReader;
use countersign_ledger::store::{Sqlite, Store, StoreError};
use rusqlite::Connection;
use tempfile::tempdir;

use super::rows::{Anyhow, closed_ledger, count_whole, names, refused, row, rows, seq, size};
use crate::TestResult;

#[test]
fn closed_ledger_is_one_file_in_rollback_mode() -> TestResult {
    let folder = tempdir()?;
    let path = folder.path().join("ledger.db");
    closed_ledger(&path, 100)?;
    assert_eq!(names(folder.path())?, ["ledger.db"]);
    let header = std::fs::read(&path)?;
    assert_eq!(&header[..16], b"SQLite format 3\0");
    assert_eq!(header[18..20], [1, 1], "the header asks for a WAL");
    assert_eq!(header[68..72], APPLICATION_ID.to_be_bytes());
    assert_eq!(header[60..64], 1_i32.to_be_bytes());
    assert_eq!(count_whole(&path)?, 100);
    Ok(())
}

#[test]
fn closed_ledger_can_be_opened_extended_and_closed_again() -> TestResult {
    let folder = tempdir()?;
    let path = folder.path().join("ledger.db");
    closed_ledger(&path, 10)?;
    let mut store = Sqlite::open(&path)?;
    assert_eq!(store.size(), size(10));
    assert_eq!(store.append(size(10), &rows(10..20)?)?, size(20));
    store.close()?;
    assert_eq!(names(folder.path())?, ["ledger.db"]);
    assert_eq!(count_whole(&path)?, 20);
    Ok(())
}

#[test]
fn new_ledger_is_whole_before_it_has_its_name() -> TestResult {
    let folder = tempdir()?;
    let path = folder.path().join("ledger.db");
    let store = Sqlite::create(&path, &rows(0..2)?)?;
    assert_eq!(store.path(), path.canonicalize()?);
    assert!(!names(folder.path())?.iter().any(|name| name.contains("new")));
    // What a power cut right now would leave: the main file without its WAL.
    let alone = folder.path().join("alone.db");
    std::fs::copy(&path, &alone)?;
    assert_eq!(count_whole(&alone)?, 2);
    Ok(())
}

#[test]
fn create_never_replaces_anything() -> TestResult {
    let folder = tempdir()?;
    let file = folder.path().join("file");
    std::fs::write(&file, b"precious")?;
    std::fs::create_dir(folder.path().join("folder"))?;
    std::os::unix::fs::symlink("nowhere", folder.path().join("dangling"))?;
    for name in ["file", "folder", "dangling"] {
        let error = refused(Sqlite::create(&folder.path().join(name), &rows(0..1)?))?;
        assert!(matches!(error, StoreError::Exists { .. }), "{name}: {error}");
    }
    assert_eq!(std::fs::read(&file)?, b"precious");
    assert_eq!(names(folder.path())?, ["dangling", "file", "folder"]);
    Ok(())
}

#[test]
fn create_that_fails_leaves_nothing() -> TestResult {
    let folder = tempdir()?;
    let path = folder.path().join("ledger.db");
    assert!(matches!(refused(Sqlite::create(&path, &[]))?, StoreError::NoGenesis));
    let error = refused(Sqlite::create(&path, &rows(1..3)?))?;
    assert!(matches!(error, StoreError::OutOfSequence { expected, found } if (expected, found) == (seq(0), seq(1))));
    assert!(matches!(
        refused(Sqlite::create(&path.join("x"), &rows(0..1)?))?,
        StoreError::Missing { .. }
    ));
    assert!(matches!(
        refused(Sqlite::create(folder.path(), &rows(0..1)?))?,
        StoreError::Exists { .. }
    ));
    assert_eq!(names(folder.path())?, [""; 0]);
    Ok(())
}

#[test]
fn leftovers_of_a_maker_that_died_are_no_obstacle() -> TestResult {
    let folder = tempdir()?;
    let path = folder.path().join("ledger.db");
    for name in [
        ".ledger.db.countersign-new",
        ".ledger.db.countersign-new-journal",
        "ledger.db-lock",
    ] {
        std::fs::write(folder.path().join(name), b"half-made")?;
    }
    Sqlite::create(&path, &rows(0..2)?)?.close()?;
    assert_eq!(names(folder.path())?, ["ledger.db"]);
    assert_eq!(count_whole(&path)?, 2);
    Ok(())
}

#[test]
fn second_writer_is_refused_and_the_first_goes_on() -> TestResult {
    let folder = tempdir()?;
    let path = folder.path().join("ledger.db");
    let mut first = Sqlite::create(&path, &rows(0..2)?)?;
    assert!(matches!(
        refused(Sqlite::open(&path))?,
        StoreError::LockedByAnotherWriter { .. }
    ));
    first.append(size(2), &rows(2..5)?)?;
    first.close()?;
    Sqlite::open(&path)?.close()?;
    assert_eq!(count_whole(&path)?, 5);
    Ok(())
}

#[test]
fn rows_out_of_their_place_are_refused_and_nothing_is_stored() -> TestResult {
    let folder = tempdir()?;
    let path = folder.path().join("ledger.db");
    let mut store = Sqlite::create(&path, &rows(0..2)?)?;
    for batch in [rows(3..5)?, rows(1..3)?, vec![row(2)?, row(2)?], vec![row(2)?, row(4)?]] {
        assert!(matches!(
            refused(store.append(size(2), &batch))?,
            StoreError::OutOfSequence { .. }
        ));
    }
    let error = refused(store.append(size(3), &rows(3..4)?))?;
    assert!(matches!(error, StoreError::SizeMoved { expected, found } if (expected, found) == (size(3), size(2))));
    assert_eq!(store.append(size(2), &[])?, size(2));
    assert_eq!(store.append(size(2), &rows(2..4)?)?, size(4));
    store.close()?;
    assert_eq!(count_whole(&path)?, 4);
    Ok(())
}

#[test]
fn append_notices_that_somebody_else_extended_the_ledger() -> TestResult {
    let folder = tempdir()?;
    let path = folder.path().join("ledger.db");
    let mut store = Sqlite::create(&path, &rows(0..2)?)?;
    Connection::open(&path)?.execute("INSERT INTO record VALUES (2, x'00')", [])?;
    let error = refused(store.append(size(2), &rows(2..3)?))?;
    assert!(matches!(error, StoreError::SizeMoved { found, .. } if found == size(3)));
    Ok(())
}

#[test]
fn append_fails_while_a_foreign_program_holds_the_write_lock() -> TestResult {
    let folder = tempdir()?;
    let path = folder.path().join("ledger.db");
    let mut store = Sqlite::create(&path, &rows(0..2)?)?;
    let foreign = Connection::open(&path)?;
    foreign.execute_batch("BEGIN IMMEDIATE")?;
    assert!(matches!(
        refused(store.append(size(2), &rows(2..3)?))?,
        StoreError::Busy { .. }
    ));
    foreign.execute_batch("ROLLBACK")?;
    store.append(size(2), &rows(2..3)?)?;
    Ok(())
}

#[test]
fn plain_sql_cannot_change_what_is_stored_by_mistake() -> TestResult {
    let folder = tempdir()?;
    let path = folder.path().join("ledger.db");
    closed_ledger(&path, 5)?;
    let sql = Connection::open(&path)?;
    for statement in [
        "UPDATE record SET bytes = x'00' WHERE seq = 1",
        "DELETE FROM record WHERE seq = 4",
        "INSERT INTO record VALUES (7, x'00')",
        "INSERT INTO record VALUES (-1, x'00')",
        "INSERT OR REPLACE INTO record VALUES (4, x'00')",
        "INSERT INTO record VALUES (5, 'text')",
        "UPDATE payload SET content = x'00'",
        "UPDATE checkpoint SET note = x'00'",
        "DELETE FROM checkpoint",
    ] {
        assert!(sql.execute(statement, []).is_err(), "{statement}");
    }
    // Erasing is how a payload may go.
    assert_eq!(sql.execute("DELETE FROM payload WHERE id = 8", [])?, 1);
    Ok(())
}

#[test]
fn checkpoint_fits_the_ledger_or_is_refused() -> TestResult {
    let folder = tempdir()?;
    let mut store = Sqlite::create(&folder.path().join("ledger.db"), &rows(0..3)?)?;
    store.put_checkpoint(size(1), b"note")?;
    store.put_checkpoint(size(3), &vec![0; 131_072])?;
    assert!(matches!(
        refused(store.put_checkpoint(size(1), b"other"))?,
        StoreError::CheckpointExists { .. }
    ));
    assert!(matches!(
        refused(store.put_checkpoint(size(0), b"note"))?,
        StoreError::CheckpointMisfit { .. }
    ));
    assert!(matches!(
        refused(store.put_checkpoint(size(4), b"note"))?,
        StoreError::CheckpointMisfit { .. }
    ));
    let error = refused(store.put_checkpoint(size(2), &vec![0; 131_073]))?;
    assert!(matches!(error, StoreError::NoteTooLong { bytes: 131_073 }));
    Ok(())
}

#[test]
fn close_beside_a_reader_keeps_everything_and_says_so() -> TestResult {
    let folder = tempdir()?;
    let path = folder.path().join("ledger.db");
    let mut store = Sqlite::create(&path, &rows(0..2)?)?;
    store.append(size(2), &rows(2..9)?)?;
    let reader = LedgerReader::open(&path)?;
    assert!(matches!(refused(store.close())?, StoreError::ReadersRemain { .. }));
    assert_eq!(reader.entries().count(), 9);
    drop(reader);
    assert_eq!(count_whole(&path)?, 9);
    Sqlite::open(&path)?.close()?;
    assert_eq!(names(folder.path())?, ["ledger.db"]);
    Ok(())
}

#[test]
fn housekeeping_keeps_the_wal_from_growing_without_end() -> TestResult {
    let folder = tempdir()?;
    let path = folder.path().join("ledger.db");
    let mut store = Sqlite::create(&path, &rows(0..2)?)?;
    let mut longest = [0, 0];
    for number in 2..1500 {
        store.append(size(number), &rows(number..number + 1)?)?;
        store.tidy()?;
        let half = usize::from(number >= 750);
        longest[half] = longest[half].max(folder.path().join("ledger.db-wal").metadata()?.len());
    }
    assert!(
        longest[1] < longest[0] * 3 / 2,
        "the WAL grew from {} to {} bytes",
        longest[0],
        longest[1]
    );
    store.close()?;
    assert_eq!(count_whole(&path)?, 1500);
    Ok(())
}

#[test]
fn open_refuses_what_is_not_a_ledger_and_leaves_it_alone() -> TestResult {
    let folder = tempdir()?;
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("empty"), b"")?;
    std::fs::write(path("text"), "no database at all\n".repeat(100))?;
    std::fs::create_dir(path("folder"))?;
    let other = Connection::open(path("other.db"))?;
    other.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t(x); INSERT INTO t VALUES (1)")?;
    closed_ledger(&path("newer.db"), 3)?;
    Connection::open(path("newer.db"))?.execute_batch("PRAGMA user_version = 2")?;
    closed_ledger(&path("older.db"), 3)?;
    Connection::open(path("older.db"))?.execute_batch("PRAGMA user_version = 0")?;
    closed_ledger(&path("loose.db"), 3)?;
    Connection::open(path("loose.db"))?
        .execute_batch("ALTER TABLE payload RENAME TO kept; CREATE TABLE payload(id, salt, content)")?;
    std::os::unix::fs::symlink("nowhere", path("dangling"))?;
    let before = contents(folder.path())?;

    let refusal = |name| refused(Sqlite::open(&path(name)));
    assert!(matches!(refusal("missing")?, StoreError::Missing { .. }));
    assert!(matches!(refusal("folder")?, StoreError::NotAFile { .. }));
    let fault = |error| match error {
        StoreError::NotALedger { source, .. } | StoreError::Newer { source, .. } => Some(source),
        _ => None,
    };
    assert_eq!(fault(refusal("empty")?), Some(FormatFault::Empty));
    assert_eq!(fault(refusal("text")?), Some(FormatFault::NotADatabase));
    assert_eq!(
        fault(refusal("other.db")?),
        Some(FormatFault::OtherApplication { found: 0 })
    );
    assert!(matches!(
        refusal("newer.db")?,
        StoreError::Newer {
            source: FormatFault::Newer { found: 2 },
            ..
        }
    ));
    assert_eq!(
        fault(refusal("older.db")?),
        Some(FormatFault::NoSuchVersion { found: 0 })
    );
    assert!(matches!(
        fault(refusal("loose.db")?),
        Some(FormatFault::TableDiffers { table: "payload", .. })
    ));
    assert!(matches!(refusal("dangling")?, StoreError::Missing { .. }));
    assert_eq!(contents(folder.path())?, before);
    Ok(())
}

#[test]
fn triggers_of_somebody_else_do_not_touch_what_is_appended() -> TestResult {
    let folder = tempdir()?;
    let path = folder.path().join("ledger.db");
    closed_ledger(&path, 5)?;
    Connection::open(&path)?.execute_batch(
        "CREATE TRIGGER t AFTER INSERT ON record BEGIN DELETE FROM payload; END;
         CREATE TRIGGER u BEFORE INSERT ON payload BEGIN SELECT RAISE(IGNORE); END;
         CREATE TRIGGER v BEFORE INSERT ON checkpoint BEGIN SELECT RAISE(ABORT, 'no'); END",
    )?;
    let mut store = Sqlite::open(&path)?;
    store.append(size(5), &rows(5..60)?)?;
    store.put_checkpoint(size(60), b"note")?;
    store.close()?;
    assert_eq!(count_whole(&path)?, 60);
    Ok(())
}

#[test]
fn new_ledger_has_every_mark_of_its_format() -> TestResult {
    let folder = tempdir()?;
    let path = folder.path().join("ledger.db");
    closed_ledger(&path, 3)?;
    let header = std::fs::read(&path)?;
    assert_eq!(header[16..18], 4096_u16.to_be_bytes());
    assert_eq!(header[56..60], 1_u32.to_be_bytes(), "the text encoding is not UTF-8");
    let sql = Connection::open(&path)?;
    let definitions = sql
        .prepare("SELECT sql FROM sqlite_schema ORDER BY rowid")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<Vec<String>, _>>()?;
    let expected: Vec<&str> = TABLES.iter().map(|(_, sql)| *sql).chain(TRIGGERS).collect();
    assert_eq!(definitions, expected);
    let specified = include_str!("../../../schemas/ledger-v1.md");
    for definition in expected {
        assert!(
            specified.lines().any(|line| line == definition),
            "not as specified: {definition}"
        );
    }
    Ok(())
}

/// Names and bytes of all files but SQLite's index of a WAL.
fn contents(folder: &std::path::Path) -> Anyhow<Vec<(String, Vec<u8>)>> {
    let mut contents = Vec::new();
    for name in names(folder)?
        .into_iter()
        .filter(|name| !name.ends_with("-shm") && name != "folder" && name != "dangling")
    {
        contents.push((name.clone(), std::fs::read(folder.join(name))?));
    }
    Ok(contents)
}
