//! Checkpoints while a ledger is written: signed at most once a second, never under the recorder's lock (ledger-v1 §6.5).

use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use countersign_ledger::appender::Durable;
use countersign_ledger::checkpoint::{self, Checkpoint, CheckpointKeys, UnixSeconds};
use countersign_ledger::head_file::HeadFile;
use countersign_schemas::number::{Millis, Size};
use countersign_schemas::text::Origin;

use super::{RecordError, Recorder, Shared};

/// Shortest time between two checkpoints of a ledger at work: what a lost tail can be long before a head shows it.
const INTERVAL: Duration = Duration::from_secs(1);

/// Signs the heads of one ledger, and keeps the newest of them in its head file.
pub(super) struct Heads {
    origin: Origin,
    keys: CheckpointKeys,
    /// Held while it is written, with the size of the head it holds: none comes in behind a newer one.
    file: Mutex<(HeadFile, Size)>,
    /// The size signed last. Held while a head is signed and queued, so that they stand in order and none twice.
    signed: Mutex<Size>,
}

/// A signed head on its way to the disk.
pub(super) struct Stored {
    size: Size,
    note: Vec<u8>,
    durable: Durable,
}

impl Stored {
    pub(super) const fn new(size: Size, note: Vec<u8>, durable: Durable) -> Self {
        Self { size, note, durable }
    }
}

impl Heads {
    /// Heads of the ledger with this origin, of which those up to `size` need no signature any more.
    pub(super) const fn signed_up_to(size: Size, origin: Origin, keys: CheckpointKeys, file: HeadFile) -> Self {
        Self {
            origin,
            keys,
            file: Mutex::new((file, Size::ZERO)),
            signed: Mutex::new(size),
        }
    }

    /// Waits until the head, and every entry that it covers, survives a power cut; then keeps it in the head file.
    pub(super) async fn keep(&self, Stored { size, note, durable }: Stored) -> Result<(), RecordError> {
        durable.await?;
        self.write(size, &note)
    }

    /// As [`Heads::keep`], on a thread that has nothing else to do.
    pub(super) fn keep_blocking(&self, Stored { size, note, durable }: Stored) -> Result<(), RecordError> {
        durable.wait()?;
        self.write(size, &note)
    }

    fn write(&self, size: Size, note: &[u8]) -> Result<(), RecordError> {
        let mut kept = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let (file, newest) = &mut *kept;
        if size > *newest {
            file.write(note)?;
            *newest = size;
        }
        Ok(())
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
        let durable = self.lock().appender.put_checkpoint(head.size, note.clone());
        *signed = head.size;
        Ok(Some(Stored::new(head.size, note, durable)))
    }
}

impl Recorder {
    /// Signs the head as it is, and returns when it is durable and kept; nothing, if it is kept already.
    pub(super) fn keep_head(&self) -> Result<(), RecordError> {
        let keep = |stored| self.shared.heads.keep_blocking(stored);
        self.shared.sign_head()?.map_or(Ok(()), keep)
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
    /// `first` is a head that is on its way already.
    pub(super) fn start(shared: &Arc<Shared>, first: Option<Stored>) -> Result<Self, RecordError> {
        let (stop, stopped) = sync_channel(0);
        let shared = Arc::clone(shared);
        let beat = move || {
            let keep = |stored| shared.heads.keep_blocking(stored);
            tell(first.map_or(Ok(()), keep));
            while stopped.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
                tell(shared.sign_head().and_then(|stored| stored.map_or(Ok(()), keep)));
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

/// Whoever enters something next learns why the ledger takes nothing any more; that its head file lags behind is told at
/// the end, if it could not be written then either.
fn tell(kept: Result<(), RecordError>) {
    if let Err(error) = kept {
        tracing::warn!(%error, "the head of the ledger was not kept");
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
