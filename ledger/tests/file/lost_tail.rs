//! A ledger that lost entries it had acknowledged is told from one that merely crashed.

use std::path::{Path, PathBuf};

use countersign_identity::keys::Seed32;
use countersign_ledger::checkpoint::{Checkpoint, CheckpointKeys, UnixSeconds, sign};
use countersign_ledger::head_file::{HeadError, HeadFile, check};
use countersign_ledger::merkle::{Frontier, Root};
use countersign_ledger::reader::LedgerReader;
use countersign_ledger::store::{CopyError, Sqlite, Store, StoreError, backup};
use countersign_schemas::number::Size;
use countersign_schemas::text::Origin;
use tempfile::{TempDir, tempdir};

use super::rows::{Anyhow, count_whole, names, record, refused, rows, size};
use crate::TestResult;

/// Bytes of a header and of a frame in front of the page it carries.
const WAL_HEADER: usize = 32;
const FRAME_HEADER: usize = 24;

/// Twelve entries in six transactions after the first, as a kill leaves them: ledger and `-wal`.
fn crashed() -> Anyhow<(TempDir, PathBuf, PathBuf)> {
    let folder = tempdir()?;
    let (live, crashed) = (folder.path().join("live.db"), folder.path().join("crashed.db"));
    let mut store = Sqlite::create(&live, &rows(0..2)?)?;
    for number in (2..14).step_by(2) {
        store.append(size(number), &rows(number..number + 2)?)?;
    }
    let wal = folder.path().join("crashed.db-wal");
    std::fs::copy(&live, &crashed)?;
    std::fs::copy(folder.path().join("live.db-wal"), &wal)?;
    store.close()?;
    std::fs::remove_file(live)?;
    Ok((folder, crashed, wal))
}

/// Flips a bit in the page of the first frame.
fn damage(wal: &Path) -> Anyhow<Vec<u8>> {
    let mut bytes = std::fs::read(wal)?;
    bytes[WAL_HEADER + FRAME_HEADER + 2000] ^= 4;
    std::fs::write(wal, &bytes)?;
    Ok(bytes)
}

#[test]
fn flipped_bit_in_the_wal_stops_writer_and_copy_and_the_reader_names_it() -> TestResult {
    let (folder, ledger, wal) = crashed()?;
    assert_eq!(count_whole(&ledger)?, 14);
    let damaged = damage(&wal)?;
    let error = refused(Sqlite::open(&ledger))?;
    assert!(
        matches!(&error, StoreError::WalDamaged { damage, .. } if (damage.frame, damage.commits) == (1, 6)),
        "{error:?}"
    );
    assert!(
        error
            .to_string()
            .contains("crashed.db-wal: damaged at frame 1, and 6 commits"),
        "{error}"
    );
    // SQLite sees nothing wrong, only fewer entries.
    let reader = LedgerReader::open(&ledger)?;
    assert_eq!(reader.entries().count(), 2);
    assert_eq!(reader.wal_damage()?.map(|damage| damage.commits), Some(6));
    let copied = backup(&ledger, &folder.path().join("copy.db")).err();
    assert!(matches!(copied, Some(CopyError::WalDamaged { .. })), "{copied:?}");
    assert_eq!(std::fs::read(&wal)?, damaged, "something wrote to the -wal");
    assert!(
        !names(folder.path())?
            .iter()
            .any(|name| name.ends_with("-lock") || name == "copy.db")
    );
    Ok(())
}

#[test]
fn shortened_ledger_is_sound_again_and_its_wal_gone() -> TestResult {
    let (_folder, ledger, wal) = crashed()?;
    damage(&wal)?;
    let mut store = Sqlite::open_shortened(&ledger)?;
    assert_eq!(store.size(), size(2));
    assert_eq!(wal.metadata()?.len(), 0);
    store.append(size(2), &rows(2..3)?)?;
    drop(store);
    Sqlite::open(&ledger)?.close()?;
    assert_eq!(count_whole(&ledger)?, 3);
    Ok(())
}

#[test]
fn shortening_beside_a_reader_is_refused() -> TestResult {
    let (_folder, ledger, wal) = crashed()?;
    let reader = LedgerReader::open(&ledger)?;
    let before = std::fs::read(&wal)?;
    assert!(matches!(
        refused(Sqlite::open_shortened(&ledger))?,
        StoreError::ReadersRemain { .. }
    ));
    assert_eq!(reader.entries().count(), 14);
    assert_eq!(std::fs::read(&wal)?, before);
    Ok(())
}

fn keys() -> CheckpointKeys {
    CheckpointKeys::from_seeds(Seed32::new([1; 32]), Seed32::new([2; 32]))
}

fn root(size: Size) -> Root {
    let mut tree = Frontier::new();
    (0..size.get()).for_each(|number| tree.push(&record(number)));
    tree.root()
}

#[test]
fn wal_that_is_gone_shows_in_the_head_file() -> TestResult {
    let (_folder, ledger, wal) = crashed()?;
    let origin = Origin::new("ours").map_err(|_| "not an origin")?;
    let head = HeadFile::beside(&ledger);
    let time = UnixSeconds::new(1_800_000_000).ok_or("no such time")?;
    let checkpoint = Checkpoint {
        origin: origin.clone(),
        size: size(13),
        root: root(size(13)),
    };
    head.write(sign(&checkpoint, &keys(), time).as_bytes())?;
    let judge = || -> Anyhow<Result<Checkpoint, HeadError>> {
        let note = head.read()?.ok_or("no head file")?;
        let entries = size(count_whole(&ledger)?);
        Ok(check(&note, &keys().public(), &origin, entries, |size| {
            Some(root(size))
        }))
    };
    assert_eq!(judge()?, Ok(checkpoint));
    assert_eq!(
        std::fs::read(&ledger)?[18..20],
        [2, 2],
        "the header does not ask for a -wal"
    );
    // What a tool does that takes the ledger for one file. SQLite opens what is left, and finds nothing wrong.
    std::fs::remove_file(&wal)?;
    assert_eq!(Sqlite::open(&ledger)?.size(), size(2));
    let lost = HeadError::TailLost {
        ledger: size(2),
        head: size(13),
    };
    assert_eq!(judge()?, Err(lost));
    Ok(())
}
