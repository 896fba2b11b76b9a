//! Group commit: many callers, one writer at a time, one sync for whatever is queued (ledger-v1 §4.4).
//!
//! In a crowd the writer is a thread of its own, to which everybody leaves what is to be written. Who is alone writes on its
//! own thread as soon as it waits: two switches of threads cost a lone caller a third of the time that an entry takes.
//!
//! Callers [`submit`](Appender::submit) rows in the order of their places and await the [`Durable`]
//! handle that they get back, on a thread or in a future. After the first failure nothing is
//! acknowledged any more: it is unknown what reached the disk, and only opening the ledger anew tells.

mod desk;
mod durable;
mod queue;

use std::sync::Arc;
use std::thread::JoinHandle;

pub use durable::{Durable, Promise, promise};

use crate::store::{Row, Store, StoreError};
use countersign_schemas::number::{Seq, Size};
use desk::Desk;
use durable::Scribe;
use queue::{Job, Pushed};

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
    desk: Arc<Desk<S>>,
    writer: Option<JoinHandle<()>>,
}

impl<S: Store + 'static> Appender<S> {
    /// Starts the writer thread over `store`.
    ///
    /// # Errors
    /// The operating system's, when it gives no thread.
    pub fn start(store: S) -> std::io::Result<Self> {
        let desk = Arc::new(Desk::of(store));
        let writer = {
            let desk = Arc::clone(&desk);
            std::thread::Builder::new()
                .name("ledger-writer".to_owned())
                .spawn(move || desk.write_until_closed())?
        };
        Ok(Self {
            desk,
            writer: Some(writer),
        })
    }

    /// Queues the next row and returns at once, save that it waits while [`QUEUED_MAX`] rows are queued.
    ///
    /// The answer comes through the handle: [`AppendError::OutOfSequence`] and
    /// [`AppendError::Closing`] mean that nothing was queued.
    pub fn submit(&self, row: Row) -> Durable {
        let (promise, durable) = promise();
        match self.desk.queue.push(Job::Row { row, promise }) {
            Pushed::Alone => durable.written_by(Arc::clone(&self.desk) as Arc<dyn Scribe>),
            Pushed::Announced => durable,
        }
    }

    /// Queues the checkpoint over the first `size` records, behind everything that is queued already.
    pub fn put_checkpoint(&self, size: Size, note: Vec<u8>) -> Durable {
        let (promise, durable) = promise();
        self.desk.queue.push(Job::Checkpoint { size, note, promise });
        durable
    }

    /// Counts the rows that were taken so far, durable or not: the place of the next one.
    pub fn next(&self) -> Size {
        self.desk.queue.next()
    }

    /// Writes what is queued, stops the thread and hands the store back.
    ///
    /// # Errors
    /// [`AppendError::Poisoned`] when any write failed; the store is dropped then, as in a crash.
    pub fn close(mut self) -> Result<S, AppendError> {
        self.desk.queue.close();
        let writer = self.writer.take().ok_or(AppendError::WriterGone)?;
        writer.join().map_err(|_| AppendError::WriterGone)?;
        match self.desk.queue.cause() {
            Some(cause) => Err(AppendError::Poisoned { cause }),
            None => self.desk.clear().ok_or(AppendError::WriterGone),
        }
    }
}

/// Dropping without [`Appender::close`] drains the queue as well.
impl<S: Store + 'static> Drop for Appender<S> {
    fn drop(&mut self) {
        self.desk.queue.close();
        if let Some(writer) = self.writer.take() {
            // A writer that panicked has broken its promises, and their holders know.
            let _ = writer.join();
        }
    }
}

#[cfg(test)]
#[path = "appender_tests.rs"]
mod tests;
