//! Copies are closed ledgers of one moment; they replace nothing and look no sounder than their originals.

use std::path::Path;

use countersign_identity::keys::{HybridSecret, Seed32};
use countersign_ledger::cose::sign;
use countersign_ledger::layout::Slot;
use countersign_ledger::reader::LedgerReader;
use countersign_ledger::store::{Content, CopyError, DamagedRow, Row, Sqlite, Store, StoreError, backup, export};
use countersign_schemas::body::{Body, EventCode, PolicyAdopted, PolicyLayer, SessionEvent};
use countersign_schemas::digest::{LedgerId, Link};
use countersign_schemas::kind::SignatureSet;
use countersign_schemas::number::{Count, Millis, Size};
use countersign_schemas::payload::{PayloadClass, PayloadRef, Salt};
use countersign_schemas::record::Record;
use countersign_schemas::statement::{Seen, Statement};
use countersign_schemas::text::Name;
use rusqlite::Connection;
use tempfile::tempdir;

use super::rows::{Anyhow, closed_ledger, count_whole, names, row, rows, seq, size};
use crate::TestResult;

type Copying = fn(&Path, &Path) -> Result<countersign_ledger::store::Copied, CopyError>;

fn whole(from: &Path, to: &Path) -> Result<countersign_ledger::store::Copied, CopyError> {
    export(from, to, Content::Whole)
}

const BOTH: [Copying; 2] = [backup, whole];

fn is_closed(path: &Path) -> Anyhow<bool> {
    Ok(std::fs::read(path)?[18..20] == [1, 1])
}

#[test]
fn copy_of_a_live_ledger_is_a_closed_one_of_that_moment() -> TestResult {
    let folder = tempdir()?;
    let path = folder.path().join("ledger.db");
    let mut store = Sqlite::create(&path, &rows(0..2)?)?;
    store.append(size(2), &rows(2..300)?)?;
    store.put_checkpoint(size(300), b"note")?;
    for (copying, name) in BOTH.into_iter().zip(["backup.db", "export.db"]) {
        let to = folder.path().join(name);
        let copied = copying(&path, &to)?;
        assert_eq!((copied.size, copied.left_out), (size(300), Count::ZERO));
        assert_eq!(copied.len_bytes, to.metadata()?.len());
        assert_eq!(copied.path, to.canonicalize()?);
        assert!(is_closed(&to)?);
        assert_eq!(count_whole(&to)?, 300);
        assert_eq!(LedgerReader::open(&to)?.checkpoints().count(), 1);
    }
    store.append(size(300), &rows(300..310)?)?;
    store.close()?;
    assert_eq!(names(folder.path())?, ["backup.db", "export.db", "ledger.db"]);
    assert_eq!(count_whole(&path)?, 310);
    Sqlite::open(&folder.path().join("backup.db"))?.close()?;
    Ok(())
}

#[test]
fn copy_never_replaces_anything() -> TestResult {
    let folder = tempdir()?;
    let path = folder.path().join("ledger.db");
    closed_ledger(&path, 5)?;
    std::fs::write(folder.path().join("file"), b"precious")?;
    std::os::unix::fs::symlink("nowhere", folder.path().join("dangling"))?;
    for copying in BOTH {
        for name in ["file", "dangling", "ledger.db"] {
            let error = copying(&path, &folder.path().join(name)).err();
            assert!(
                matches!(error, Some(CopyError::Copy(StoreError::Exists { .. }))),
                "{name}: {error:?}"
            );
        }
    }
    assert_eq!(names(folder.path())?, ["dangling", "file", "ledger.db"]);
    assert_eq!(std::fs::read(folder.path().join("file"))?, b"precious");
    assert_eq!(count_whole(&path)?, 5);
    Ok(())
}

#[test]
fn export_leaves_out_what_is_not_the_ledger_and_a_backup_does_not() -> TestResult {
    let folder = tempdir()?;
    let (path, at) = (folder.path().join("ledger.db"), |name| folder.path().join(name));
    closed_ledger(&path, 40)?;
    let sql = Connection::open(&path)?;
    sql.execute_batch("CREATE TABLE cache(x); INSERT INTO cache VALUES ('remembered'); CREATE TABLE gone AS SELECT randomblob(9999); DROP TABLE gone")?;
    drop(sql);
    backup(&path, &at("backup.db"))?;
    whole(&path, &at("export.db"))?;
    let holds = |name| -> Anyhow<bool> {
        Ok(std::fs::read(at(name))?
            .windows(10)
            .any(|window| window == b"remembered"))
    };
    assert!(holds("backup.db")?);
    assert!(!holds("export.db")?);
    let sql = Connection::open(at("export.db"))?;
    assert_eq!(
        sql.pragma_query_value(None, "freelist_count", |row| row.get::<_, i64>(0))?,
        0
    );
    assert_eq!(count_whole(&at("export.db"))?, 40);
    Ok(())
}

#[test]
fn damaged_ledger_is_backed_up_as_it_is_and_not_exported() -> TestResult {
    let folder = tempdir()?;
    for (name, change) in [
        ("cut out", "DELETE FROM record WHERE seq = 3"),
        ("orphan", "DELETE FROM record WHERE seq >= 8"),
        ("salt", "UPDATE payload SET salt = x'00' WHERE id = 8"),
        ("negative", "INSERT INTO record VALUES (-1, x'00')"),
    ] {
        let path = folder.path().join(format!("{name}.db"));
        closed_ledger(&path, 9)?;
        let sql = Connection::open(&path)?;
        sql.execute_batch(
            "DROP TRIGGER record_no_delete; DROP TRIGGER payload_no_update; DROP TRIGGER record_in_order",
        )?;
        sql.execute(change, [])?;
        let to = folder.path().join(format!("{name} copy.db"));
        let error = whole(&path, &to).err();
        let is_named = match name {
            "orphan" => matches!(error, Some(CopyError::Damaged(DamagedRow::Item(_)))),
            "salt" => matches!(
                error,
                Some(CopyError::Damaged(DamagedRow::Salt { slot: 0, bytes: 1, .. }))
            ),
            _ => matches!(error, Some(CopyError::Damaged(DamagedRow::OutOfPlace { .. }))),
        };
        assert!(is_named, "{name}: {error:?}");
        assert!(!to.exists(), "{name}");
        backup(&path, &to)?;
        let count = |path: &Path| -> Anyhow<i64> {
            Ok(Connection::open(path)?.query_row("SELECT count(*) FROM record", [], |row| row.get(0))?)
        };
        assert_eq!(count(&to)?, count(&path)?, "{name}");
    }
    Ok(())
}

#[test]
fn checkpoint_beyond_a_cut_ledger_is_exported_because_it_shows_the_cut() -> TestResult {
    let folder = tempdir()?;
    let path = folder.path().join("ledger.db");
    closed_ledger(&path, 9)?;
    let sql = Connection::open(&path)?;
    sql.execute_batch(
        "DROP TRIGGER record_no_delete; DELETE FROM record WHERE seq = 8; DELETE FROM payload WHERE id >= 64",
    )?;
    drop(sql);
    let to = folder.path().join("copy.db");
    assert_eq!(whole(&path, &to)?.size, size(8));
    let sizes: Vec<i64> = LedgerReader::open(&to)?
        .checkpoints()
        .map(|row| Ok(row?.size))
        .collect::<Anyhow<_>>()?;
    assert_eq!(sizes, [1, 9]);
    Ok(())
}

#[test]
fn what_is_not_a_ledger_is_not_copied() -> TestResult {
    let folder = tempdir()?;
    std::fs::write(folder.path().join("text"), "no database at all\n".repeat(100))?;
    for copying in BOTH {
        for name in ["text", "missing"] {
            let error = copying(&folder.path().join(name), &folder.path().join("copy.db")).err();
            assert!(matches!(error, Some(CopyError::Original(_))), "{name}: {error:?}");
        }
    }
    assert_eq!(names(folder.path())?, ["text"]);
    Ok(())
}

/// An entry with a body as real as the store can tell, with `contents` as its payloads.
fn entry(number: u64, body: Body, contents: &[&[u8]]) -> Anyhow<Row> {
    let seen = Seen {
        size: Size::ZERO,
        link: Link::from_bytes([0; 32]),
    };
    let (by, n, at) = (seq(0), Count::clamped(number), Millis::ZERO);
    let statement = Statement {
        by,
        n,
        at,
        seen,
        body,
        ext: None,
    };
    let signer = HybridSecret::from_seeds(Seed32::new([1; 32]), Seed32::new([2; 32]));
    let ledger = LedgerId::from_bytes([3; 32]);
    let record = Record {
        seq: seq(number),
        received: at,
        prev: seen.link,
        statement: sign(&statement.encode(), SignatureSet::Ed25519, ledger, &signer),
    };
    let payloads = (0_u8..)
        .zip(contents)
        .map(|(slot, content)| Ok((Slot::new(slot).ok_or("no such slot")?, SALT, content.to_vec())));
    Ok(Row::new(
        seq(number),
        record.encode(),
        payloads.collect::<Anyhow<_>>()?,
    )?)
}

const SALT: Salt = Salt([7; 32]);

fn event(detail: &[u8]) -> Body {
    SessionEvent {
        code: EventCode::Review,
        about: None,
        detail: Some(PayloadRef::new(&SALT, detail, PayloadClass::Content)),
    }
    .into()
}

fn policy(contents: [&[u8]; 3]) -> Anyhow<Body> {
    let [policies, schema, entities] = contents.map(|content| PayloadRef::new(&SALT, content, PayloadClass::Evidence));
    let language = Name::new("cedar-4").map_err(|_| "not a name")?;
    Ok(PolicyAdopted {
        layer: PolicyLayer::Builtin,
        policies,
        schema,
        entities,
        language,
        order: None,
    }
    .into())
}

#[test]
fn export_without_erasable_payloads_keeps_the_evidence_alone() -> TestResult {
    let folder = tempdir()?;
    let (path, to) = (folder.path().join("ledger.db"), folder.path().join("copy.db"));
    let contents: [&[u8]; 3] = [b"permit", b"schema", b"[]"];
    let mut store = Sqlite::create(&path, &[entry(0, event(b"a secret"), &[b"a secret"])?])?;
    store.append(size(1), &[entry(1, policy(contents)?, &contents)?])?;
    store.append(size(2), &[entry(2, event(b"another secret"), &[b"another secret"])?])?;
    let copied = export(&path, &to, Content::WithoutErasable)?;
    assert_eq!((copied.size, copied.left_out), (size(3), Count::clamped(2)));
    let entries = LedgerReader::open(&to)?.entries().collect::<Result<Vec<_>, _>>()?;
    let kept: Vec<usize> = entries.iter().map(|entry| entry.payloads.len()).collect();
    assert_eq!(kept, [0, 3, 0]);
    assert!(!std::fs::read(&to)?.windows(6).any(|window| window == b"secret"));
    let original = LedgerReader::open(&path)?.entries().collect::<Result<Vec<_>, _>>()?;
    assert!(
        original
            .iter()
            .zip(&entries)
            .all(|(original, copy)| original.record == copy.record)
    );
    assert_eq!(original[1], entries[1]);
    Ok(())
}

#[test]
fn payload_whose_class_nothing_tells_stops_an_export_without_erasable_payloads() -> TestResult {
    let folder = tempdir()?;
    let to = folder.path().join("copy.db");
    let unreadable = folder.path().join("unreadable.db");
    Sqlite::create(
        &unreadable,
        &[row(1)?]
            .map(|row| Row::new(seq(0), vec![0], row.payloads().to_vec()))
            .into_iter()
            .collect::<Result<Vec<_>, _>>()?,
    )?
    .close()?;
    let error = export(&unreadable, &to, Content::WithoutErasable).err();
    assert!(matches!(error, Some(CopyError::ClassUnknown { .. })), "{error:?}");
    let unnamed = folder.path().join("unnamed.db");
    Sqlite::create(&unnamed, &[entry(0, event(b"one"), &[b"one", b"two"])?])?.close()?;
    let error = export(&unnamed, &to, Content::WithoutErasable).err();
    assert!(
        matches!(error, Some(CopyError::NoReference { slot: 1, .. })),
        "{error:?}"
    );
    assert!(!to.exists());
    Ok(())
}
