//! A store that the test can look at between two transactions while a writer thread has it.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use countersign_ledger::store::{Row, Sqlite, Store, StoreError};
use countersign_schemas::number::Size;

use super::Anyhow;
use super::snapshot::Snapshot;

/// The store under test, shared between its appender and the test.
#[derive(Clone)]
pub(super) struct Shared(Arc<Mutex<Inside>>);

struct Inside {
    store: Sqlite,
    watch: Watch,
}

/// Whether the next commit is to be seen from both sides.
enum Watch {
    Idle,
    Next,
    Seen { before: Snapshot, after: Snapshot },
}

impl Shared {
    pub(super) fn new(store: Sqlite) -> Self {
        let watch = Watch::Idle;
        Self(Arc::new(Mutex::new(Inside { store, watch })))
    }

    /// Does something to the store between two transactions.
    pub(super) fn between<T>(&self, work: impl FnOnce(&mut Sqlite) -> T) -> T {
        work(&mut self.lock().store)
    }

    /// The files as a kill right now would leave them.
    pub(super) fn snapshot(&self) -> Anyhow<Snapshot> {
        let inside = self.lock();
        Snapshot::take(inside.store.path())
    }

    /// Has the next commit photographed.
    pub(super) fn watch_next(&self) {
        self.lock().watch = Watch::Next;
    }

    /// The files before and after the commit that was watched.
    pub(super) fn seen(&self) -> Option<(Snapshot, Snapshot)> {
        match std::mem::replace(&mut self.lock().watch, Watch::Idle) {
            Watch::Seen { before, after } => Some((before, after)),
            Watch::Idle | Watch::Next => None,
        }
    }

    /// The store itself, once nobody else has it.
    pub(super) fn into_store(self) -> Option<Sqlite> {
        let inside = Arc::into_inner(self.0)?.into_inner();
        Some(inside.unwrap_or_else(PoisonError::into_inner).store)
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for Shared {
    fn size(&self) -> Size {
        self.lock().store.size()
    }

    fn append(&mut self, expected: Size, batch: &[Row]) -> Result<Size, StoreError> {
        let mut inside = self.lock();
        let is_watched = matches!(inside.watch, Watch::Next) && !batch.is_empty();
        let before = is_watched.then(|| photograph(inside.store.path()));
        let appended = inside.store.append(expected, batch);
        if let Some(before) = before {
            let after = photograph(inside.store.path());
            inside.watch = Watch::Seen { before, after };
        }
        appended
    }

    fn put_checkpoint(&mut self, size: Size, note: &[u8]) -> Result<(), StoreError> {
        self.lock().store.put_checkpoint(size, note)
    }

    fn tidy(&mut self) -> Result<(), StoreError> {
        self.lock().store.tidy()
    }
}

fn photograph(ledger: &Path) -> Snapshot {
    Snapshot::take(ledger).expect("the files of an open ledger can be read")
}
