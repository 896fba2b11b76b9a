//! Group commit: many callers, one writer thread, one fsync for whatever is queued (ledger-v1 §4.4).
//!
//! Callers [`submit`](Appender::submit) rows in the order of their places and await the [`Durable`]
//! handle that they get back, on a thread or in a future. After the first failure nothing is
//! acknowledged any more: it is unknown what reached the disk, and only opening the ledger anew tells.

mod durable;
mod queue;

use std::sync::Arc;
use std::thread::JoinHandle;

pub use durable::{Durable, Promise, promise};

use crate::store::{Row, Store, StoreError};
use countersign_schemas::number::{Seq, Size};
use queue::{Job, Queue};

/// Rows that may wait. A caller beyond that is held back until there is room.
pub const QUEUED_MAX: usize = 4096;

/// Rows that go into one transaction at most: more than that gains nothing over the cost of an fsync.
pub const BATCH_ROWS_MAX: usize = 512;

/// Bytes after which a batch is closed, so that a few large payloads do not hold everybody up.
pub const BATCH_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Why an entry was not acknowledged.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// Writing failed, now or before. Whether this entry is on disk is unknown until the ledger is reopened.
    #[error("the ledger takes no more entries since writing failed")]
    Poisoned {
        /// The first failure.
        #[source]
        cause: Arc<StoreError>,
    },
    /// The writer thread ended without an answer, which is a bug of ours.
    #[error("the ledger's writer stopped without an answer")]
    WriterGone,
    /// The row is not the next one; nothing was queued and the ledger goes on.
    #[error("entry {found} was submitted where entry {expected} belongs")]
    OutOfSequence {
        /// Place that comes next.
        expected: Seq,
        /// Place of the row.
        found: Seq,
    },
    /// The checkpoint does not fit; nothing was stored and the ledger goes on.
    #[error("the checkpoint was refused")]
    CheckpointRefused {
        /// Why it does not fit.
        #[source]
        cause: Arc<StoreError>,
    },
    /// The appender is being closed; nothing was queued.
    #[error("the ledger is being closed")]
    Closing,
}

/// The one way into an open ledger while it runs. Shared by reference between threads and tasks.
pub struct Appender<S: Store + 'static> {
    queue: Arc<Queue>,
    writer: Option<JoinHandle<S>>,
}

impl<S: Store + 'static> Appender<S> {
    /// Starts the writer thread over `store`.
    ///
    /// # Errors
    /// The operating system's, when it gives no thread.
    pub fn start(store: S) -> std::io::Result<Self> {
        let queue = Arc::new(Queue::starting_at(store.size()));
        let writer = {
            let queue = Arc::clone(&queue);
            std::thread::Builder::new()
                .name("ledger-writer".to_owned())
                .spawn(move || write_until_closed(store, &queue))?
        };
        Ok(Self {
            queue,
            writer: Some(writer),
        })
    }

    /// Queues the next row and returns at once, save that it waits while [`QUEUED_MAX`] rows are queued.
    ///
    /// The answer comes through the handle: [`AppendError::OutOfSequence`] and
    /// [`AppendError::Closing`] mean that nothing was queued.
    pub fn submit(&self, row: Row) -> Durable {
        let (promise, durable) = promise();
        self.queue.push(Job::Row { row, promise });
        durable
    }

    /// Queues the checkpoint over the first `size` records, behind everything that is queued already.
    pub fn put_checkpoint(&self, size: Size, note: Vec<u8>) -> Durable {
        let (promise, durable) = promise();
        self.queue.push(Job::Checkpoint { size, note, promise });
        durable
    }

    /// Counts the rows that were taken so far, durable or not: the place of the next one.
    pub fn next(&self) -> Size {
        self.queue.next()
    }

    /// Writes what is queued, stops the thread and hands the store back.
    ///
    /// # Errors
    /// [`AppendError::Poisoned`] when any write failed; the store is dropped then, as in a crash.
    pub fn close(mut self) -> Result<S, AppendError> {
        self.queue.close();
        let writer = self.writer.take().ok_or(AppendError::WriterGone)?;
        let store = writer.join().map_err(|_| AppendError::WriterGone)?;
        match self.queue.cause() {
            Some(cause) => Err(AppendError::Poisoned { cause }),
            None => Ok(store),
        }
    }
}

/// Dropping without [`Appender::close`] drains the queue as well.
impl<S: Store + 'static> Drop for Appender<S> {
    fn drop(&mut self) {
        self.queue.close();
        if let Some(writer) = self.writer.take() {
            // A writer that panicked has broken its promises, and their holders know.
            let _ = writer.join();
        }
    }
}

fn write_until_closed<S: Store>(mut store: S, queue: &Queue) -> S {
    // However this thread ends, nobody may wait for it afterwards.
    let _gone = queue.closes_when_dropped();
    let mut awaited = 0;
    while let Some(jobs) = queue.take_batch(awaited) {
        awaited = match write(&mut store, jobs) {
            Ok(awaited) => awaited,
            Err(Failure { cause, unanswered }) => {
                queue.poison(cause, unanswered);
                continue;
            }
        };
        if let Err(cause) = tidy_if_idle(&mut store, queue) {
            queue.poison(Arc::new(cause), Vec::new());
        }
    }
    store
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

fn tidy_if_idle<S: Store>(store: &mut S, queue: &Queue) -> Result<(), StoreError> {
    if queue.is_idle() { store.tidy() } else { Ok(()) }
}

#[cfg(test)]
#[path = "appender_tests.rs"]
mod tests;
