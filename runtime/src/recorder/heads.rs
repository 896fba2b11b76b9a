//! Checkpoints while a ledger is written: signed at most once a second, never under the recorder's lock (ledger-v1 §6.5).

use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use countersign_ledger::appender::Durable;
use countersign_ledger::checkpoint::{self, Checkpoint, CheckpointKeys, UnixSeconds};
use countersign_schemas::number::{Millis, Size};
use countersign_schemas::text::Origin;

use super::{RecordError, Shared};

/// Shortest time between two checkpoints of a ledger at work: what a lost tail can be long before a head shows it.
const INTERVAL: Duration = Duration::from_secs(1);

/// Signs the heads of one ledger.
pub(super) struct Heads {
    origin: Origin,
    keys: CheckpointKeys,
    /// The size signed last. Held while a head is signed and queued, so that they stand in order and none twice.
    signed: Mutex<Size>,
}

/// A signed head on its way to the disk.
pub(super) struct Stored {
    durable: Durable,
}

impl Stored {
    /// Waits until the head, and every entry that it covers, survives a power cut.
    pub(super) async fn durable(self) -> Result<(), RecordError> {
        Ok(self.durable.await?)
    }

    fn wait(self) -> Result<(), RecordError> {
        Ok(self.durable.wait()?)
    }
}

impl Heads {
    /// Heads of the ledger with this origin, of which those up to `size` need no signature any more.
    pub(super) const fn signed_up_to(size: Size, origin: Origin, keys: CheckpointKeys) -> Self {
        Self {
            origin,
            keys,
            signed: Mutex::new(size),
        }
    }
}

impl Shared {
    /// Signs the head as it is and queues it behind everything that was entered; nothing, if that head was signed before.
    pub(super) fn sign_head(&self) -> Result<Option<Stored>, RecordError> {
        let heads = &self.heads;
        let mut signed = heads.signed.lock().unwrap_or_else(PoisonError::into_inner);
        let (head, at) = {
            let mut state = self.lock();
            let head = Checkpoint {
                origin: heads.origin.clone(),
                size: state.law.head().size,
                root: state.tree.root(),
            };
            (head, state.clock.read().at)
        };
        if head.size == *signed {
            return Ok(None);
        }
        // 0.6 ms, in which others enter what they have to say.
        let note = sign(&head, &heads.keys, at)?;
        let durable = self.lock().appender.put_checkpoint(head.size, note);
        *signed = head.size;
        Ok(Some(Stored { durable }))
    }
}

/// Signs `head` at the time `at`.
pub(super) fn sign(head: &Checkpoint, keys: &CheckpointKeys, at: Millis) -> Result<Vec<u8>, RecordError> {
    let seconds =
        UnixSeconds::new(at.get() / 1000).ok_or_else(|| RecordError::Field("the time has no whole seconds".into()))?;
    Ok(checkpoint::sign(head, keys, seconds).into_bytes())
}

/// The thread that signs heads while a ledger is at work. It ends when this is dropped.
pub(super) struct Beat {
    stop: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Beat {
    pub(super) fn start(shared: &Arc<Shared>) -> Result<Self, RecordError> {
        let (stop, stopped) = sync_channel(0);
        let shared = Arc::clone(shared);
        let beat = move || {
            while stopped.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
                let stored = shared
                    .sign_head()
                    .and_then(|stored| stored.map_or(Ok(()), Stored::wait));
                if let Err(error) = stored {
                    // Whoever enters something next learns why the ledger takes nothing any more.
                    tracing::warn!(%error, "no checkpoint");
                }
            }
        };
        let thread = std::thread::Builder::new()
            .name("ledger-heads".to_owned())
            .spawn(beat)
            .map_err(RecordError::Thread)?;
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for Beat {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // If it panicked there is nothing left to wait for.
            let _ = thread.join();
        }
    }
}
