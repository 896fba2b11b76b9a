use std::cell::RefCell;

use super::*;
use crate::store::{Memory, Sqlite, Store};
use countersign_schemas::number::{Seq, Size};

/// A folder that goes when the place does.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder for the test"))
    }

    fn ledger(&self) -> std::path::PathBuf {
        self.0.path().join("ledger.db")
    }
}

impl Place for Folder {
    type Store = Sqlite;

    fn create(&self, first: &[Row]) -> Result<Sqlite, StoreError> {
        Sqlite::create(&self.ledger(), first)
    }

    fn open(&self) -> Result<Sqlite, StoreError> {
        Sqlite::open(&self.ledger())
    }

    fn break_writes(&self, store: &mut Sqlite) -> bool {
        store.limit_pages(100).is_ok()
    }
}

/// A handle that the place keeps, as a file system keeps a file.
struct Kept(RefCell<Option<Memory>>);

impl Place for Kept {
    type Store = Memory;

    fn create(&self, first: &[Row]) -> Result<Memory, StoreError> {
        let made = Memory::create(first)?;
        *self.0.borrow_mut() = Some(made.reopen());
        Ok(made)
    }

    fn open(&self) -> Result<Memory, StoreError> {
        let kept = self.0.borrow();
        let path = std::path::PathBuf::from("(memory)");
        kept.as_ref().map(Memory::reopen).ok_or(StoreError::Missing { path })
    }

    /// Memory has no input and output that could fail.
    fn break_writes(&self, _: &mut Memory) -> bool {
        false
    }
}

#[test]
fn sqlite_is_a_store() -> Result<(), Nonconformity> {
    run(Folder::new)
}

#[test]
fn memory_is_a_store() -> Result<(), Nonconformity> {
    run(|| Kept(RefCell::new(None)))
}

/// What a store could get wrong.
#[derive(Clone, Copy, Debug)]
enum Mistake {
    AppendsWhateverTheSize,
    KeepsPartOfARefusedBatch,
    LosesTheLastRow,
    ReadsFromTheBeginning,
    TakesAnyCheckpoint,
    ForgetsCheckpoints,
}

const MISTAKES: [Mistake; 6] = [
    Mistake::AppendsWhateverTheSize,
    Mistake::KeepsPartOfARefusedBatch,
    Mistake::LosesTheLastRow,
    Mistake::ReadsFromTheBeginning,
    Mistake::TakesAnyCheckpoint,
    Mistake::ForgetsCheckpoints,
];

/// A store that does all right but for one mistake.
struct Mistaken(Memory, Mistake);

impl Store for Mistaken {
    fn size(&self) -> Size {
        self.0.size()
    }

    fn append(&mut self, expected: Size, batch: &[Row]) -> Result<Size, StoreError> {
        let size = self.size();
        match self.1 {
            Mistake::AppendsWhateverTheSize if !batch.is_empty() => {
                let moved = (size.get()..)
                    .zip(batch)
                    .map(|(place, row)| Row::new(Seq::clamped(place), row.record().to_vec(), row.payloads().to_vec()));
                self.0
                    .append(size, &moved.collect::<Result<Vec<_>, _>>().expect("sound rows"))
            }
            Mistake::KeepsPartOfARefusedBatch => self.0.append(expected, batch).inspect_err(|_| {
                let _ = self.0.append(size, &batch[..1]);
            }),
            Mistake::LosesTheLastRow if batch.len() > 1 => {
                self.0.append(expected, &batch[..batch.len() - 1])?;
                Ok(Size::clamped(size.get() + batch.len() as u64))
            }
            _ => self.0.append(expected, batch),
        }
    }

    fn put_checkpoint(&mut self, size: Size, note: &[u8]) -> Result<(), StoreError> {
        match self.1 {
            Mistake::TakesAnyCheckpoint => self.0.put_checkpoint(size, note).or(Ok(())),
            Mistake::ForgetsCheckpoints => Ok(()),
            _ => self.0.put_checkpoint(size, note),
        }
    }

    fn tidy(&mut self) -> Result<(), StoreError> {
        self.0.tidy()
    }
}

impl ReadBack for Mistaken {
    fn rows(&self, first: Seq) -> impl Iterator<Item = Result<Row, StoreError>> {
        let first = match self.1 {
            Mistake::ReadsFromTheBeginning => Seq::ZERO,
            _ => first,
        };
        self.0.rows(first)
    }

    fn checkpoints(&self) -> impl Iterator<Item = Result<(Size, Vec<u8>), StoreError>> {
        self.0.checkpoints()
    }

    fn close(self) -> Result<(), StoreError> {
        self.0.close()
    }
}

struct MistakenPlace(Kept, Mistake);

impl Place for MistakenPlace {
    type Store = Mistaken;

    fn create(&self, first: &[Row]) -> Result<Mistaken, StoreError> {
        Ok(Mistaken(self.0.create(first)?, self.1))
    }

    fn open(&self) -> Result<Mistaken, StoreError> {
        Ok(Mistaken(self.0.open()?, self.1))
    }

    fn break_writes(&self, _: &mut Mistaken) -> bool {
        false
    }
}

#[test]
fn store_that_makes_any_mistake_does_not_pass() {
    for mistake in MISTAKES {
        let outcome = run(|| MistakenPlace(Kept(RefCell::new(None)), mistake));
        assert!(outcome.is_err(), "{mistake:?} is overlooked");
    }
}
