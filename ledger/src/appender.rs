//! Group commit: many callers, one writer thread, one fsync for whatever is queued (ledger-v1 §4.4).
//!
//! Callers [`submit`](Appender::submit) rows in the order of their places and await the [`Durable`]
//! handle that they get back, on a thread or in a future. After the first failure nothing is
//! acknowledged any more: it is unknown what reached the disk, and only opening the ledger anew tells.

mod durable;
mod queue;

use std::sync::Arc;
use std::thread::JoinHandle;

pub use durable::Durable;

use crate::store::{Row, Store, StoreError};
use countersign_schemas::number::{Seq, Size};
use durable::{Promise, promise};
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
    while let Some(jobs) = queue.take_batch() {
        if let Err(cause) = write(&mut store, jobs).and_then(|()| tidy_if_idle(&mut store, queue)) {
            queue.poison(cause);
        }
    }
    store
}

/// Writes jobs in order, rows between two checkpoints as one batch, and answers each.
fn write<S: Store>(store: &mut S, jobs: Vec<Job>) -> Result<(), Arc<StoreError>> {
    let (mut rows, mut promises) = (Vec::new(), Vec::new());
    let mut jobs = jobs.into_iter();
    let failed = loop {
        match jobs.next() {
            Some(Job::Row { row, promise }) => {
                rows.push(row);
                promises.push(promise);
            }
            Some(Job::Checkpoint { size, note, promise }) => {
                if let Err(cause) = append(store, &mut rows, &mut promises) {
                    promises.push(promise);
                    break cause;
                }
                if let Err(cause) = store.put_checkpoint(size, &note) {
                    promises.push(promise);
                    break Arc::new(cause);
                }
                promise.keep();
            }
            None => match append(store, &mut rows, &mut promises) {
                Ok(()) => return Ok(()),
                Err(cause) => break cause,
            },
        }
    };
    let unwritten = promises.into_iter().chain(jobs.map(Job::into_promise));
    unwritten.for_each(|promise| {
        promise.fail(AppendError::Poisoned {
            cause: Arc::clone(&failed),
        })
    });
    Err(failed)
}

/// Appends the rows gathered so far and answers for them; on failure the promises stay to be broken.
fn append<S: Store>(store: &mut S, rows: &mut Vec<Row>, promises: &mut Vec<Promise>) -> Result<(), Arc<StoreError>> {
    store.append(store.size(), rows).map_err(Arc::new)?;
    rows.clear();
    promises.drain(..).for_each(Promise::keep);
    Ok(())
}

fn tidy_if_idle<S: Store>(store: &mut S, queue: &Queue) -> Result<(), Arc<StoreError>> {
    if queue.is_idle() {
        store.tidy().map_err(Arc::new)
    } else {
        Ok(())
    }
}

#[cfg(test)]
#[path = "appender_tests.rs"]
mod tests;
