//! Where what is queued is written: on the writer's thread, or on that of a caller who is alone.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use countersign_schemas::number::Size;

use super::AppendError;
use super::durable::{Promise, Scribe};
use super::queue::{Job, Queue};
use crate::store::{Row, Store, StoreError};

/// The queue and the store. Whoever has taken a batch out of the queue is the only one who writes, until it says that it
/// has done so.
pub(super) struct Desk<S> {
    pub(super) queue: Queue,
    /// None once the store was handed back.
    store: Mutex<Option<S>>,
}

impl<S: Store> Desk<S> {
    pub(super) fn of(store: S) -> Self {
        Self {
            queue: Queue::starting_at(store.size()),
            store: Mutex::new(Some(store)),
        }
    }

    /// The writer's thread.
    pub(super) fn write_until_closed(&self) {
        // However this thread ends, nobody may wait for it afterwards.
        let _gone = self.queue.closes_when_dropped();
        while let Some(jobs) = self.queue.take_batch() {
            self.write(jobs);
        }
    }

    /// Takes the store away; none if a thread panicked over it.
    pub(super) fn clear(&self) -> Option<S> {
        self.store.lock().ok()?.take()
    }

    /// Writes a batch that was taken out of the queue, and lets the next one be taken.
    fn write(&self, jobs: Vec<Job>) {
        let mut turn = self.queue.ends_turn_when_dropped();
        let mut store = self.store();
        let Some(store) = store.as_mut() else { return };
        match write(store, jobs) {
            Ok(awaited) => turn.awaited = awaited,
            Err(Failure { cause, unanswered }) => return self.queue.poison(cause, unanswered),
        }
        if self.queue.is_idle()
            && let Err(cause) = store.tidy()
        {
            self.queue.poison(Arc::new(cause), Vec::new());
        }
    }

    /// Nobody gets here any more once somebody panicked: the queue is closed then.
    fn store(&self) -> MutexGuard<'_, Option<S>> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Store> Scribe for Desk<S> {
    fn write_here(&self) {
        if let Some(jobs) = self.queue.take_batch_now() {
            self.write(jobs);
        }
    }

    fn call_writer(&self) {
        self.queue.call_writer();
    }
}

/// Why writing stopped, and who has no answer yet. They get it when the queue takes nothing more: whoever
/// learns of the failure finds the ledger poisoned.
struct Failure {
    cause: Arc<StoreError>,
    unanswered: Vec<Promise>,
}

/// Writes jobs in order, rows between two checkpoints as one batch, and answers each that is durable; gives how many
/// rows somebody waited for.
fn write<S: Store>(store: &mut S, jobs: Vec<Job>) -> Result<usize, Failure> {
    let mut batch = Batch::default();
    let mut jobs = jobs.into_iter();
    let mut written = Ok(());
    while let (Ok(()), Some(job)) = (&written, jobs.next()) {
        match job {
            Job::Row { row, promise } => batch.add(row, promise),
            Job::Checkpoint { size, note, promise } => {
                written = batch
                    .append_to(store)
                    .and_then(|()| checkpoint(store, size, &note, promise));
            }
        }
    }
    written
        .and_then(|()| batch.append_to(store))
        .map(|()| batch.awaited)
        .map_err(|Failure { cause, mut unanswered }| {
            unanswered.extend(batch.promises.drain(..).chain(jobs.map(Job::into_promise)));
            Failure { cause, unanswered }
        })
}

/// Rows that go into one transaction, and those who wait for them.
#[derive(Default)]
struct Batch {
    rows: Vec<Row>,
    promises: Vec<Promise>,
    /// Rows written that somebody waited for.
    awaited: usize,
}

impl Batch {
    fn add(&mut self, row: Row, promise: Promise) {
        self.rows.push(row);
        self.promises.push(promise);
    }

    fn append_to<S: Store>(&mut self, store: &mut S) -> Result<(), Failure> {
        let appended = store.append(store.size(), &self.rows);
        self.rows.clear();
        let promises = std::mem::take(&mut self.promises);
        match appended {
            Ok(_) => {
                let kept = promises.into_iter().map(Promise::keep);
                self.awaited += kept.filter(|was_awaited| *was_awaited).count();
            }
            Err(cause) => {
                return Err(Failure {
                    cause: Arc::new(cause),
                    unanswered: promises,
                });
            }
        }
        Ok(())
    }
}

/// A checkpoint that does not fit is its caller's mistake and harms nobody else.
fn checkpoint<S: Store>(store: &mut S, size: Size, note: &[u8], promise: Promise) -> Result<(), Failure> {
    use StoreError::{CheckpointExists, CheckpointMisfit, NoteEmpty, NoteTooLong};
    match store.put_checkpoint(size, note).map_err(Arc::new) {
        Ok(()) => {
            promise.keep();
        }
        Err(cause)
            if matches!(
                *cause,
                CheckpointExists { .. } | CheckpointMisfit { .. } | NoteEmpty | NoteTooLong { .. }
            ) =>
        {
            promise.fail(AppendError::CheckpointRefused { cause });
        }
        Err(cause) => {
            return Err(Failure {
                cause,
                unanswered: vec![promise],
            });
        }
    }
    Ok(())
}
