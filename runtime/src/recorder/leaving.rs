//! The end of a process's part in a ledger: the ledger is closed, or left for whoever comes next.

use std::sync::{Arc, PoisonError};

use countersign_schemas::body::{InstanceStopped, LedgerClosed, StopReason};
use countersign_schemas::digest::Digest;
use countersign_schemas::number::Count;

use super::{Entered, RecordError, Recorder, Shared, State};

impl Recorder {
    /// Closes the ledger: the last entry, the last checkpoint, one file.
    ///
    /// # Errors
    /// As [`Recorder::enter`]; [`RecordError::Store`] when folding the file fails, [`RecordError::HeadFile`] when only the
    /// head file could not be written: everything entered is durable then.
    pub async fn close(self) -> Result<(), RecordError> {
        // Made under the same lock as it is entered: a clock-stepped in between would not be counted.
        let closing = |state: &State| {
            LedgerClosed {
                size: state.law.head().size,
                root: Digest::from_bytes(*state.tree.root().as_bytes()),
                open_items: Count::clamped(state.law.open_items()),
            }
            .into()
        };
        let closed = self.enter_with(&self.runtime, Vec::new(), closing)?;
        self.let_go(closed).await
    }

    /// Leaves the ledger open for whoever comes next: the runtime instance stops itself, the last checkpoint, one file.
    ///
    /// Everybody whom this instance introduced has to have stopped, else the ledger can never be shown to be complete.
    ///
    /// # Errors
    /// As [`Recorder::close`].
    pub async fn leave(self) -> Result<(), RecordError> {
        let runtime = self.runtime.seq();
        let stopping = |state: &State| {
            let words = state.law.instance(runtime).map(|instance| instance.last_words());
            let (last_n, last_seq) = words.unwrap_or((Count::ZERO, runtime));
            InstanceStopped {
                instance: runtime,
                reason: StopReason::Done,
                last_n,
                last_seq,
            }
            .into()
        };
        let stopped = self.enter_with(&self.runtime, Vec::new(), stopping)?;
        self.let_go(stopped).await
    }

    /// Waits until everything up to `last` and a head over it are durable, and folds the ledger into one file.
    async fn let_go(self, last: Entered) -> Result<(), RecordError> {
        let Self { beat, shared, .. } = self;
        // Its thread shares the ledger, and would sign heads that nobody needs any more.
        drop(beat);
        // Signed while that entry is written; it is written behind it.
        let head = shared.sign_head()?;
        last.durable().await?;
        let kept = match head {
            Some(head) => shared.heads.keep(head).await,
            None => Ok(()),
        };
        let Some(Shared { state, .. }) = Arc::into_inner(shared) else {
            return Err(RecordError::Bug("the ledger is still in use at the end"));
        };
        let state = state.into_inner().unwrap_or_else(PoisonError::into_inner);
        // Folding the write-ahead log blocks on the disk, and nothing else is left to do.
        state.appender.close()?.close()?;
        kept
    }
}
