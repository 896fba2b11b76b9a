//! Damaged files: every answer is an entry, a named error or the end, and there is always an end.

use countersign_ledger::reader::{ItemError, LedgerReader, Table};
use tempfile::tempdir;

use super::rows::{closed_ledger, is_whole, read_all};
use crate::TestResult;

const PAGE: usize = 4096;

/// The numbers of the pages that hold rows of `table`, leaves only.
fn leaves(path: &std::path::Path, table: &str) -> Result<Vec<usize>, Box<dyn std::error::Error>> {
    let sql = rusqlite::Connection::open(path)?;
    let mut pages = sql.prepare("SELECT pageno FROM dbstat WHERE name = ?1 AND pagetype = 'leaf' ORDER BY path")?;
    let pages = pages.query_map([table], |row| row.get::<_, i64>(0))?;
    pages.map(|page| Ok(usize::try_from(page?)?)).collect()
}

#[test]
fn page_of_garbage_ends_the_table_with_its_position() -> TestResult {
    let folder = tempdir()?;
    let path = folder.path().join("ledger.db");
    closed_ledger(&path, 400)?;
    let page = leaves(&path, "record")?[3];
    let mut bytes = std::fs::read(&path)?;
    bytes[(page - 1) * PAGE..page * PAGE].fill(0xff);
    std::fs::write(&path, &bytes)?;
    let (numbers, errors) = read_all(&path)?;
    assert!(!numbers.is_empty() && numbers.len() < 400);
    assert_eq!(errors.len(), 1, "{errors:?}");
    let last = numbers.last().copied();
    assert!(matches!(&errors[0], ItemError::Unreadable { table: Table::Record, after, .. } if *after == last));
    assert!(
        !errors[0].is_read_failure(),
        "what is stored is damaged, the disk did not fail"
    );
    Ok(())
}

#[test]
fn payloads_that_cannot_be_read_leave_the_records_readable() -> TestResult {
    let folder = tempdir()?;
    let path = folder.path().join("ledger.db");
    closed_ledger(&path, 400)?;
    let page = leaves(&path, "payload")?[3];
    let mut bytes = std::fs::read(&path)?;
    bytes[(page - 1) * PAGE..page * PAGE].fill(0xff);
    std::fs::write(&path, &bytes)?;
    let (numbers, errors) = read_all(&path)?;
    assert_eq!(numbers, (0..400).collect::<Vec<i64>>());
    assert!(
        matches!(
            errors[..],
            [ItemError::Unreadable {
                table: Table::Payload,
                ..
            }]
        ),
        "{errors:?}"
    );
    Ok(())
}

#[test]
fn tree_that_leads_in_a_circle_comes_to_an_end() -> TestResult {
    let folder = tempdir()?;
    let path = folder.path().join("ledger.db");
    closed_ledger(&path, 2000)?;
    let sql = rusqlite::Connection::open(&path)?;
    let root: i64 = sql.query_row("SELECT rootpage FROM sqlite_schema WHERE name = 'record'", [], |row| {
        row.get(0)
    })?;
    drop(sql);
    let mut bytes = std::fs::read(&path)?;
    let page = &mut bytes[(usize::try_from(root)? - 1) * PAGE..][..PAGE];
    assert_eq!(page[0], 5, "the root is an inner page");
    // All cells point to the child of the first one.
    let cells = usize::from(u16::from_be_bytes([page[3], page[4]]));
    let place = |page: &[u8], cell: usize| usize::from(u16::from_be_bytes([page[12 + 2 * cell], page[13 + 2 * cell]]));
    let first = place(page, 0);
    let child: [u8; 4] = page[first..first + 4].try_into()?;
    for cell in 1..cells {
        let at = place(page, cell);
        page[at..at + 4].copy_from_slice(&child);
    }
    std::fs::write(&path, &bytes)?;
    let (numbers, errors) = read_all(&path)?;
    assert!(numbers.is_sorted() && numbers.len() < 2000);
    assert!(
        matches!(
            errors[..],
            [ItemError::OutOfOrder { .. } | ItemError::Unreadable { .. }, ..]
        ),
        "{errors:?}"
    );
    Ok(())
}

#[test]
fn truncated_files_are_refused_or_read_up_to_their_end() -> TestResult {
    let folder = tempdir()?;
    let path = folder.path().join("ledger.db");
    closed_ledger(&path, 100)?;
    let whole = std::fs::read(&path)?;
    for length in (1..whole.len()).step_by(1999) {
        std::fs::write(&path, &whole[..length])?;
        let Ok(reader) = LedgerReader::open(&path) else {
            continue;
        };
        let read = reader.entries().filter_map(Result::ok).filter(is_whole).count();
        assert!(read <= 100);
    }
    Ok(())
}

#[test]
fn flipped_bits_never_panic_and_reading_always_ends() -> TestResult {
    let folder = tempdir()?;
    let path = folder.path().join("ledger.db");
    closed_ledger(&path, 20)?;
    let mut bytes = std::fs::read(&path)?;
    // Headers of file and pages byte by byte, the rest in steps that meet every bit of a byte.
    let places: Vec<usize> = (0..bytes.len()).filter(|at| at % PAGE < 120 || at % 13 == 0).collect();
    for at in places {
        let flip = 1 << (at % 8);
        bytes[at] ^= flip;
        std::fs::write(&path, &bytes)?;
        if let Ok(reader) = LedgerReader::open(&path) {
            let items = reader.entries().count() + reader.checkpoints().count();
            assert!(items < 10_000, "byte {at}: {items} items out of 20 entries");
        }
        bytes[at] ^= flip;
    }
    Ok(())
}
