//! Checkpoints while a ledger is written: signed at most once a second, never under the recorder's lock (ledger-v1 §6.5).

use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use countersign_ledger::appender::Durable;
use countersign_ledger::checkpoint::{self, Checkpoint, CheckpointKeys, UnixSeconds};
use countersign_ledger::head_file::HeadFile;
use countersign_schemas::number::{Millis, Size};
use countersign_schemas::text::Origin;
use countersign_verifier::fold_file::SealedFold;

use super::fold::{Folds, Take};
use super::writer::Writer;
use super::{RecordError, Recorder, Shared};

/// Shortest time between two checkpoints of a ledger at work: what a lost tail can be long before a head shows it.
const INTERVAL: Duration = Duration::from_secs(1);

/// Signs the heads of one ledger, and keeps the newest of them in its head file.
pub(super) struct Heads {
    origin: Origin,
    keys: CheckpointKeys,
    /// Held while it is written, with the size of the head it holds: none comes in behind a newer one.
    file: Mutex<(HeadFile, Size)>,
    pub(super) folds: Folds,
    /// The size signed last. Held while a head is signed and queued, so that they stand in order and none twice.
    signed: Mutex<Size>,
}

/// A signed head on its way to the disk.
pub(super) struct Stored {
    durable: Durable,
    signed: SignedHead,
}

/// A signed head, with a fold of the same entries if one was taken.
struct SignedHead {
    size: Size,
    note: Vec<u8>,
    fold: Option<SealedFold>,
}

impl Stored {
    pub(super) const fn new(size: Size, note: Vec<u8>, durable: Durable) -> Self {
        let fold = None;
        Self {
            durable,
            signed: SignedHead { size, note, fold },
        }
    }
}

impl Heads {
    /// Heads of the ledger with this origin, of which those up to `size` need no signature any more.
    pub(super) const fn signed_up_to(
        size: Size,
        origin: Origin,
        keys: CheckpointKeys,
        file: HeadFile,
        folds: Folds,
    ) -> Self {
        Self {
            origin,
            keys,
            file: Mutex::new((file, Size::ZERO)),
            folds,
            signed: Mutex::new(size),
        }
    }

    /// The size signed last; no head is signed while this is held. To be locked before the state, as for signing.
    pub(super) fn signed(&self) -> MutexGuard<'_, Size> {
        self.signed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the head, and every entry that it covers, survives a power cut; then keeps it in the head file.
    pub(super) async fn keep(&self, stored: Stored) -> Result<(), RecordError> {
        let Stored { durable, signed } = stored;
        durable.await?;
        self.write(&signed)
    }

    /// As [`Heads::keep`], on a thread that has nothing else to do.
    pub(super) fn keep_blocking(&self, stored: Stored) -> Result<(), RecordError> {
        let Stored { durable, signed } = stored;
        durable.wait()?;
        self.write(&signed)
    }

    fn write(&self, signed: &SignedHead) -> Result<(), RecordError> {
        let mut kept = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let (file, newest) = &mut *kept;
        if signed.size > *newest {
            file.write(&signed.note)?;
            *newest = signed.size;
            if let Some(fold) = &signed.fold {
                self.folds.keep(fold);
            }
        }
        Ok(())
    }
}

impl Shared {
    /// Signs the head as it is and queues it behind everything that was entered; nothing, if that head was signed before.
    pub(super) fn sign_head(&self, take: Take) -> Result<Option<Stored>, RecordError> {
        let heads = &self.heads;
        let mut signed = heads.signed();
        let (head, fold, at) = {
            let mut state = self.lock();
            if !matches!(state.writer, Writer::Own(_)) {
                // Whoever writes the ledger signs its heads.
                return Ok(None);
            }
            let head = Checkpoint {
                origin: heads.origin.clone(),
                size: state.law.head().size,
                root: state.tree.root(),
            };
            if head.size == *signed {
                return Ok(None);
            }
            (head, heads.folds.take(&mut state, take), state.clock.read())
        };
        // 0.6 ms, in which others enter what they have to say.
        let note = sign(&head, &heads.keys, at)?;
        let durable = match &self.lock().writer {
            Writer::Own(own) => own.put_checkpoint(head.size, note.clone()),
            _ => return Ok(None),
        };
        *signed = head.size;
        let mut stored = Stored::new(head.size, note, durable);
        stored.signed.fold = fold;
        Ok(Some(stored))
    }
}

impl Recorder {
    /// Signs the head as it is, and returns when it is durable and kept; nothing, if it is kept already.
    pub(super) fn keep_head(&self) -> Result<(), RecordError> {
        let keep = |stored| self.shared.heads.keep_blocking(stored);
        self.shared.sign_head(Take::WhenDue)?.map_or(Ok(()), keep)
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
                tell(
                    shared
                        .sign_head(Take::WhenDue)
                        .and_then(|stored| stored.map_or(Ok(()), keep)),
                );
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
