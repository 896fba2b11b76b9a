//! A ledger in memory: for embedding where nothing has to last, and the reference that other stores are tested against.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use countersign_schemas::number::{Seq, Size};

use super::{ReadBack, Row, Store, StoreError, check_checkpoint, check_places};

/// A ledger that lives as long as its last handle. Here *durable* means: seen by every handle.
///
/// Handles of one ledger are writers beside each other, of which the one that counts on the right size may append.
pub struct Memory {
    kept: Arc<Mutex<Kept>>,
}

struct Kept {
    rows: Vec<Row>,
    checkpoints: BTreeMap<Size, Vec<u8>>,
}

impl Memory {
    /// Makes a ledger that holds `first`.
    ///
    /// # Errors
    /// [`StoreError::NoGenesis`] and [`StoreError::OutOfSequence`].
    pub fn create(first: &[Row]) -> Result<Self, StoreError> {
        if first.is_empty() {
            return Err(StoreError::NoGenesis);
        }
        check_places(0, first)?;
        let rows = first.to_vec();
        let checkpoints = BTreeMap::new();
        Ok(Self::over(Arc::new(Mutex::new(Kept { rows, checkpoints }))))
    }

    /// Another handle of the same ledger: as if it were opened again.
    #[must_use]
    pub fn reopen(&self) -> Self {
        Self::over(Arc::clone(&self.kept))
    }

    fn over(kept: Arc<Mutex<Kept>>) -> Self {
        Self { kept }
    }

    /// Nothing is changed before everything is checked, so a panic of another holder does not spoil what is kept.
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn size(&self) -> Size {
        Size::clamped(self.rows.len() as u64)
    }
}

impl Store for Memory {
    fn size(&self) -> Size {
        self.lock().size()
    }

    fn append(&mut self, expected: Size, batch: &[Row]) -> Result<Size, StoreError> {
        check_places(expected.get(), batch)?;
        if batch.is_empty() {
            return Ok(expected);
        }
        let mut kept = self.lock();
        let found = kept.size();
        if found != expected {
            return Err(StoreError::SizeMoved { expected, found });
        }
        kept.rows.extend_from_slice(batch);
        Ok(kept.size())
    }

    fn put_checkpoint(&mut self, size: Size, note: &[u8]) -> Result<(), StoreError> {
        let mut kept = self.lock();
        check_checkpoint(size, note, kept.size())?;
        if kept.checkpoints.contains_key(&size) {
            return Err(StoreError::CheckpointExists { size });
        }
        kept.checkpoints.insert(size, note.to_vec());
        Ok(())
    }

    /// There is nothing to tidy.
    fn tidy(&mut self) -> Result<(), StoreError> {
        Ok(())
    }
}

impl ReadBack for Memory {
    fn rows(&self, first: Seq) -> impl Iterator<Item = Result<Row, StoreError>> {
        // One row at a time: whoever reads may append meanwhile through another handle.
        (first.get()..).map_while(|place| {
            let place = usize::try_from(place).ok()?;
            self.lock().rows.get(place).cloned().map(Ok)
        })
    }

    fn checkpoints(&self) -> impl Iterator<Item = Result<(Size, Vec<u8>), StoreError>> {
        let checkpoints = self.lock().checkpoints.clone();
        checkpoints.into_iter().map(Ok)
    }

    fn close(self) -> Result<(), StoreError> {
        Ok(())
    }
}
