//! What waits to be sent to one joiner: in order, bounded, and cut off where it is too much (handover-v1 §2).

use std::collections::VecDeque;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::frame::write_frame;
use super::message::{FromAppender, encode_entry};
use crate::store::Row;
use countersign_schemas::digest::LedgerId;
use countersign_schemas::statement::Seen;

/// Bytes that may wait for a joiner. A message that comes while fewer wait is taken whatever its size.
pub const WAITING_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The queue of one joiner, and its connection.
pub(super) struct Outbox {
    stream: UnixStream,
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    messages: VecDeque<Arc<[u8]>>,
    bytes: usize,
    /// Nothing more is taken; what waits is still sent.
    is_ended: bool,
    /// The connection is gone.
    is_cut: bool,
}

impl Outbox {
    pub(super) fn new(stream: UnixStream) -> Self {
        Self {
            stream,
            waiting: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    pub(super) fn say(&self, message: &FromAppender) {
        self.push(message.encode().into());
    }

    /// Says it as the last thing.
    pub(super) fn say_last(&self, message: &FromAppender) {
        self.push(message.encode().into());
        self.end();
    }

    /// Queues a message; says whether the joiner is still there.
    fn push(&self, message: Arc<[u8]>) -> bool {
        let mut waiting = self.lock();
        if waiting.is_ended {
            return false;
        }
        if waiting.bytes >= WAITING_BYTES_MAX {
            drop(waiting);
            self.cut();
            return false;
        }
        waiting.bytes += message.len();
        waiting.messages.push_back(message);
        drop(waiting);
        self.changed.notify_all();
        true
    }

    /// Takes nothing more, and hangs up when everything that waits is sent.
    pub(super) fn end(&self) {
        self.lock().is_ended = true;
        self.changed.notify_all();
    }

    /// Hangs up at once, in the middle of whatever is being read or written.
    pub(super) fn cut(&self) {
        {
            let mut waiting = self.lock();
            (waiting.is_ended, waiting.is_cut) = (true, true);
            waiting.messages.clear();
        }
        self.hang_up();
        self.changed.notify_all();
    }

    /// Sends what is queued until there will be nothing more, then hangs up.
    pub(super) fn send_all(&self) {
        while let Some(message) = self.next() {
            if write_frame(&self.stream, &message).is_err() {
                break;
            }
            self.lock().bytes -= message.len();
        }
        self.cut();
    }

    fn next(&self) -> Option<Arc<[u8]>> {
        let mut waiting = self.lock();
        loop {
            if let Some(message) = waiting.messages.pop_front() {
                return Some(message);
            }
            if waiting.is_ended {
                return None;
            }
            waiting = self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn hang_up(&self) {
        // Hanging up twice, or on somebody who did so first, is no failure.
        let _ = self.stream.shutdown(Shutdown::Both);
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One joiner's end of the stream of entries.
pub struct Feed(pub(super) Arc<Outbox>);

/// Everybody who is told of entries, in the hands of whoever admits them.
#[derive(Default)]
pub struct Feeds(Vec<Feed>);

impl Feeds {
    /// Tells this joiner where the ledger stands, and everything from there on.
    pub fn add(&mut self, feed: Feed, ledger: LedgerId, position: Seen) {
        feed.0.say(&FromAppender::Welcome(ledger, position));
        self.0.push(feed);
    }

    /// Counts those who are still there.
    pub fn count(&mut self) -> usize {
        self.0.retain(|feed| !feed.0.lock().is_ended);
        self.0.len()
    }

    /// Queues an admitted entry for everybody and returns at once; forgets who is gone.
    pub fn publish(&mut self, row: &Row) {
        if self.0.is_empty() {
            return;
        }
        let message: Arc<[u8]> = encode_entry(row).into();
        self.0.retain(|feed| feed.0.push(Arc::clone(&message)));
    }
}
