//! How the entries of this process get into the ledger: it appends itself, or hands over to the process that does.

use std::io;

use countersign_ledger::appender::{AppendError, Appender, Durable};
use countersign_ledger::handover::{Alive, Feeds};
use countersign_ledger::store::{Row, Sqlite};
use countersign_schemas::number::Size;

use super::joined::Link;

/// Who writes the ledger's file.
pub(super) enum Writer {
    /// This process: it holds the writer's lock.
    Own(Own),
    /// Another one, which this process joined.
    Joined(Link),
    /// Nobody just now: the one that did has left, and one of those that had joined it takes its place. The sign of life
    /// keeps newcomers from taking those for dead.
    Nobody(Alive),
    /// This process has no part in the ledger any more: it let go, or lost the one that wrote it.
    Gone,
}

/// The writer's place, and those who are told of every entry.
pub(super) struct Own {
    appender: Appender<Sqlite>,
    /// Everybody who joined.
    pub(super) feeds: Feeds,
    /// This process has said its last word: what is handed over now waits for the next one.
    pub(super) is_leaving: bool,
}

impl Own {
    /// Starts the thread that writes.
    pub(super) fn start(store: Sqlite) -> io::Result<Self> {
        Ok(Self {
            appender: Appender::start(store)?,
            feeds: Feeds::default(),
            is_leaving: false,
        })
    }

    /// Queues an admitted row and tells everybody of it.
    pub(super) fn submit(&mut self, row: Row) -> Durable {
        self.feeds.publish(&row);
        self.appender.submit(row)
    }

    /// Queues a checkpoint behind everything that was submitted.
    pub(super) fn put_checkpoint(&self, size: Size, note: Vec<u8>) -> Durable {
        self.appender.put_checkpoint(size, note)
    }

    /// Writes what is queued, and gives the file back.
    pub(super) fn close(self) -> Result<Sqlite, AppendError> {
        self.appender.close()
    }
}
