//! Opening a ledger again: all of it, or what lies behind a fold that was kept.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use countersign_identity::keys::{HybridSecret, Seed32};
use countersign_ledger::reader::LedgerReader;
use countersign_schemas::number::{Millis, Size};
use countersign_verifier::audit::{Folded, ReplayError, replay};
use countersign_verifier::fold_file::{FoldFile, FoldKey};
use tempfile::TempDir;

use crate::support::file::store;
use crate::support::story::tell;
use crate::support::writer::Twist;
use crate::support::{Told, anchored, audit, codes, honest};

type Outcome = Result<(), Box<dyn Error>>;

/// The first `entries` of a ledger, with the checkpoints over them.
fn beginning(told: &Told, entries: usize) -> Told {
    let mut told = told.clone();
    told.entries.truncate(entries);
    let fits = |size: i64| usize::try_from(size).is_ok_and(|size| size <= entries);
    told.checkpoints.retain(|checkpoint| fits(checkpoint.size));
    told
}

/// A folder with one ledger.
struct Kept {
    folder: TempDir,
}

impl Kept {
    fn new(told: &Told) -> Result<Self, Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        let kept = Self { folder };
        store(told, &kept.path())?;
        Ok(kept)
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("ledger.db")
    }

    fn reader(&self) -> Result<LedgerReader, Box<dyn Error>> {
        Ok(LedgerReader::open(&self.path())?)
    }

    fn fold_file(&self) -> Result<FoldFile, Box<dyn Error>> {
        Ok(FoldFile::beside(&self.path().canonicalize()?))
    }
}

fn folded(told: &Told) -> Result<Folded, Box<dyn Error>> {
    Ok(replay(&Kept::new(told)?.reader()?, None)?)
}

fn host(seed: u8) -> HybridSecret {
    HybridSecret::from_seeds(Seed32::new([seed; 32]), Seed32::new([seed; 32]))
}

fn key(seed: u8) -> FoldKey {
    FoldKey::derive(&host(seed), &[7; 16])
}

fn copied(folded: &Folded) -> Result<Folded, Box<dyn Error>> {
    Ok(Folded::from_snapshot(&folded.to_snapshot())?)
}

/// The place and code of what a replay stumbled over.
fn stumbled(result: Result<Folded, ReplayError>) -> Option<(String, Option<u64>)> {
    let error = result.err()?;
    let finding = error.finding();
    Some((finding.code.to_string(), finding.entry.map(|entry| entry.get())))
}

#[test]
fn a_replay_behind_any_fold_ends_where_a_whole_one_does() -> Outcome {
    let told = honest();
    let kept = Kept::new(&told)?;
    let whole = replay(&kept.reader()?, None)?;
    assert_eq!(whole.size(), Size::clamped(told.entries.len() as u64));
    assert!(whole.law.closed().is_some());
    for entries in [1, 2, 9, 30, told.entries.len() - 1, told.entries.len()] {
        let from = folded(&beginning(&told, entries))?;
        let rest = replay(&kept.reader()?, Some(from))?;
        assert!(rest.to_snapshot() == whole.to_snapshot(), "behind {entries} entries");
    }
    Ok(())
}

#[test]
fn what_is_open_or_withheld_is_no_error() -> Outcome {
    let mut told = beginning(&honest(), 40);
    assert!(!told.entries[20].payloads.is_empty());
    told.entries[20].payloads.clear();
    assert_eq!(folded(&told)?.size().get(), 40);
    Ok(())
}

#[test]
fn the_first_breach_is_the_one_that_verify_names_first() -> Outcome {
    let honest = honest();
    for entry in [0, 1, 7, 23, honest.entries.len() - 1] {
        let mut told = honest.clone();
        let last = told.entries[entry].record.len() - 1;
        told.entries[entry].record[last] ^= 1;
        let expected = codes(&audit(&told, &anchored())).into_iter().next();
        assert!(expected.is_some());
        assert_eq!(
            stumbled(replay(&Kept::new(&told)?.reader()?, None)),
            expected,
            "entry {entry}"
        );
    }
    Ok(())
}

#[test]
fn behind_a_fold_nothing_is_believed() -> Outcome {
    let honest = honest();
    let from = folded(&beginning(&honest, 20))?;
    for entry in 20..honest.entries.len() {
        let mut signature = honest.clone();
        let last = signature.entries[entry].record.len() - 1;
        signature.entries[entry].record[last] ^= 1;
        let mut payload = honest.clone();
        let contents = payload.entries[entry].payloads.iter_mut();
        let changed = contents.map(|stored| stored.content.push(b'x')).count();
        for (what, told, harmless) in [("signature", signature, false), ("payload", payload, changed == 0)] {
            let result = replay(&Kept::new(&told)?.reader()?, Some(copied(&from)?));
            assert_eq!(result.is_ok(), harmless, "{what} of entry {entry}");
        }
    }
    Ok(())
}

#[test]
fn checkpoints_of_the_replayed_part_are_verified() -> Outcome {
    let honest = honest();
    let size = honest.entries.len() as u64;
    let mut told = honest.clone();
    let last = told.checkpoints.len() - 1;
    told.checkpoints[last].note = told.checkpoints[0].note.clone();
    let kept = Kept::new(&told)?;
    for entries in [1, 20, honest.entries.len()] {
        let from = folded(&beginning(&honest, entries))?;
        let (code, _) = stumbled(replay(&kept.reader()?, Some(from))).ok_or("it was believed")?;
        assert_eq!(code, "I7");
    }
    // A note of the right size whose signature was changed is named where it stands.
    told.checkpoints[last].note = honest.checkpoints[last].note.clone();
    let middle = told.checkpoints[last].note.len() / 2;
    told.checkpoints[last].note[middle] ^= 1;
    let found = stumbled(replay(
        &Kept::new(&told)?.reader()?,
        Some(folded(&beginning(&honest, 20))?),
    ));
    assert_eq!(found, Some(("I7".to_owned(), Some(size - 1))));
    Ok(())
}

#[test]
fn a_fold_that_was_written_is_read() -> Outcome {
    let told = honest();
    let kept = Kept::new(&told)?;
    let (file, reader) = (kept.fold_file()?, kept.reader()?);
    assert!(file.read(&key(2), &reader).is_none(), "there is none yet");
    for entries in [30, told.entries.len()] {
        let from = folded(&beginning(&told, entries))?;
        file.write(&key(2), &from)?;
        let read = file.read(&key(2), &reader).ok_or("not read")?;
        assert!(read.to_snapshot() == from.to_snapshot());
    }
    let names: Vec<_> = fs::read_dir(kept.folder.path())?
        .map(|entry| entry.map(|entry| entry.file_name()))
        .collect::<Result<_, _>>()?;
    assert_eq!(names.len(), 2, "{names:?}");
    Ok(())
}

#[cfg(unix)]
#[test]
fn a_fold_is_for_its_owner_alone() -> Outcome {
    use std::os::unix::fs::PermissionsExt as _;
    let kept = Kept::new(&honest())?;
    let file = kept.fold_file()?;
    file.write(&key(2), &replay(&kept.reader()?, None)?)?;
    assert_eq!(fs::metadata(file.path())?.permissions().mode() & 0o777, 0o600);
    Ok(())
}

#[test]
fn the_key_comes_from_the_host_and_the_ledgers_nonce() -> Outcome {
    let kept = Kept::new(&honest())?;
    let (file, reader) = (kept.fold_file()?, kept.reader()?);
    file.write(&key(2), &replay(&reader, None)?)?;
    let own = FoldKey::of_ledger(&host(2), &reader).ok_or("no key")?;
    assert!(file.read(&own, &reader).is_some());
    assert!(file.read(&key(3), &reader).is_none());
    assert!(file.read(&FoldKey::derive(&host(2), &[8; 16]), &reader).is_none());
    Ok(())
}

fn assert_ignored(file: &FoldFile, reader: &LedgerReader, bytes: &[u8], what: &str) -> Outcome {
    fs::write(file.path(), bytes)?;
    assert!(file.read(&key(2), reader).is_none(), "{what}");
    Ok(())
}

#[test]
fn a_fold_that_was_changed_or_cut_is_ignored() -> Outcome {
    let kept = Kept::new(&honest())?;
    let (file, reader) = (kept.fold_file()?, kept.reader()?);
    file.write(&key(2), &replay(&reader, None)?)?;
    let good = fs::read(file.path())?;
    for place in (0..good.len()).step_by(61) {
        let mut bad = good.clone();
        bad[place] ^= 0x04;
        assert_ignored(&file, &reader, &bad, &format!("byte {place}"))?;
    }
    for len in [0, 1, 31, 32, 103, 104, good.len() - 1] {
        assert_ignored(&file, &reader, &good[..len], &format!("cut to {len}"))?;
    }
    assert_ignored(&file, &reader, &[good.as_slice(), b"x"].concat(), "longer")?;
    fs::remove_file(file.path())?;
    fs::create_dir(file.path())?;
    assert!(file.read(&key(2), &reader).is_none(), "a folder");
    Ok(())
}

#[test]
fn a_fold_of_another_history_is_ignored() -> Outcome {
    let honest = honest();
    let whole = folded(&honest)?;
    let fork = Told::from(tell(Twist::draft("edit", |draft| draft.received += 1)));
    let shorter = beginning(&honest, 30);
    let other_ledger = Told::from(tell(Twist::draft("opened", |draft| {
        draft.statement.at = Millis::clamped(draft.statement.at.get() + 1)
    })));
    for (what, told) in [
        ("a fork", fork),
        ("a shorter one", shorter),
        ("another ledger", other_ledger),
    ] {
        let kept = Kept::new(&told)?;
        let file = kept.fold_file()?;
        file.write(&key(2), &whole)?;
        assert!(file.read(&key(2), &kept.reader()?).is_none(), "{what}");
    }
    Ok(())
}

#[test]
fn nothing_is_written_of_nothing() -> Outcome {
    let folder = tempfile::tempdir()?;
    let file = FoldFile::beside(&folder.path().join("ledger.db"));
    assert!(file.write(&key(2), &Folded::default()).is_err());
    assert!(!Path::exists(file.path()));
    Ok(())
}
