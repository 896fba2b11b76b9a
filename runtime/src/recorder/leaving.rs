//! The end of a process's part in a ledger: the ledger is closed, left for whoever comes next, or handed on.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use countersign_ledger::handover::Alive;
use countersign_schemas::body::{Body, InstanceStopped, LedgerClosed, StopReason};
use countersign_schemas::digest::Digest;
use countersign_schemas::number::{Count, Seq};
use countersign_schemas::statement::Seen;

use super::fold::Take;
use super::writer::{Own, Writer};
use super::{Entered, RecordError, Recorder, Shared, State};

/// How often, and how many times, to look whether those who have stopped are gone: five seconds in all.
const LEAVERS_LOOK: Duration = Duration::from_millis(10);
const LEAVERS_LOOKS: u32 = 500;

impl Recorder {
    /// Closes the ledger: the last entry, the last checkpoint, one file. Where other processes take part, it is handed on
    /// to them instead, and the last of them closes it.
    ///
    /// # Errors
    /// As [`Recorder::enter`]; [`RecordError::Store`] when folding the file fails, [`RecordError::HeadFile`] when only the
    /// head file could not be written: everything entered is durable then.
    pub async fn close(mut self) -> Result<(), RecordError> {
        self.beat = None;
        for _ in 0..LEAVERS_LOOKS {
            if let Some(last) = self.try_close(Leavers::AreWaitedFor)? {
                return self.let_go(last).await;
            }
            tokio::time::sleep(LEAVERS_LOOK).await;
        }
        let last = self.try_close(Leavers::GoOn)?;
        self.let_go(last.ok_or(RecordError::Bug("a ledger that is not let go of"))?)
            .await
    }

    /// Enters the last word of this process: that of the ledger, if nobody goes on with it. `None` when those who are
    /// there have stopped and are about to go: if the ledger were handed on to them, nobody would close it.
    fn try_close(&self, leavers: Leavers) -> Result<Option<Entered>, RecordError> {
        let runtime = self.runtime.seq();
        let mut alone = self.alone()?;
        let state = &mut *alone.state;
        let is_followed = state.is_followed(&self.shared.path);
        if is_followed && leavers == Leavers::AreWaitedFor && state.is_last_to_stop(runtime) {
            return Ok(None);
        }
        state.says_last_word();
        // Made under the same lock as it is entered: a clock-stepped in between would not be counted.
        let body = if is_followed {
            stopped(state, runtime)
        } else {
            closed(state)
        };
        alone.enter(&self.runtime, body, Vec::new()).map(Some)
    }

    /// Leaves the ledger open for whoever comes next: the runtime instance stops itself, the last checkpoint, one file.
    ///
    /// Everybody whom this instance introduced has to have stopped, else the ledger can never be shown to be complete.
    ///
    /// # Errors
    /// As [`Recorder::close`].
    pub async fn leave(mut self) -> Result<(), RecordError> {
        self.beat = None;
        let runtime = self.runtime.seq();
        let last = self.enter_with(&self.runtime, Vec::new(), |state| {
            state.says_last_word();
            stopped(state, runtime)
        })?;
        self.let_go(last).await
    }

    /// Waits until everything up to `last` and a head over it are durable, and lets go of the ledger.
    async fn let_go(self, last: Entered) -> Result<(), RecordError> {
        let Self { shared, .. } = self;
        let fold = if shared.lock().law.closed().is_some() {
            shared.heads.folds.discard();
            Take::Never
        } else {
            Take::Now
        };
        // Signed while that entry is written; it is written behind it.
        let head = shared.sign_head(fold)?;
        last.durable().await?;
        let kept = match head {
            Some(head) => shared.heads.keep(head).await,
            None => Ok(()),
        };
        let (writer, position, is_followed) = {
            let mut state = shared.lock();
            state.says_last_word();
            let is_followed = state.law.closed().is_none() && state.is_followed(&shared.path);
            let writer = std::mem::replace(&mut state.writer, Writer::Gone);
            (writer, state.law.head(), is_followed)
        };
        match writer {
            // Folding the write-ahead log blocks on the disk, and nothing else is left to do.
            Writer::Own(own) if is_followed => shared.hand_on(own, position)?,
            Writer::Own(own) => shared.fold_up(own)?,
            Writer::Joined(link) => link.leave(),
            Writer::Nobody(_) | Writer::Gone => {}
        }
        kept
    }
}

/// What is done about processes that have stopped and are still there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Leavers {
    /// They are about to go.
    AreWaitedFor,
    /// They hang: the ledger is left to them.
    GoOn,
}

impl State {
    /// Nobody joins any more, and what is handed over waits for the next appender.
    fn says_last_word(&mut self) {
        if let Writer::Own(own) = &mut self.writer {
            own.is_leaving = true;
        }
    }

    /// Whether others go on with the ledger: they are connected, or have not yet come over from the appender before.
    fn is_followed(&mut self, path: &Path) -> bool {
        match &mut self.writer {
            // Who cannot be asked after is not shut out.
            Writer::Own(own) => own.feeds.count() > 0 || Alive::anybody(path).unwrap_or(true),
            Writer::Joined(_) | Writer::Nobody(_) | Writer::Gone => true,
        }
    }

    /// Whether this process appends, and everybody else has stopped.
    fn is_last_to_stop(&self, runtime: Seq) -> bool {
        matches!(self.writer, Writer::Own(_)) && self.law.running().all(|other| other.seq() == runtime)
    }
}

impl Shared {
    /// Everything is durable; one of those who joined goes on.
    fn hand_on(self: &Arc<Self>, own: Own, position: Seen) -> Result<(), RecordError> {
        let mut door = self.take_door();
        if let Some(door) = &mut door {
            // Before the lock is free: the next appender makes its own.
            door.shut();
        }
        drop(own.close()?);
        if let Some(door) = door {
            door.leave(position);
        }
        Ok(())
    }

    /// Nobody goes on: one file remains.
    fn fold_up(self: &Arc<Self>, own: Own) -> Result<(), RecordError> {
        drop(self.take_door());
        own.close()?.close()?;
        Alive::tidy(&self.path);
        Ok(())
    }
}

fn closed(state: &State) -> Body {
    LedgerClosed {
        size: state.law.head().size,
        root: Digest::from_bytes(*state.tree.root().as_bytes()),
        open_items: Count::clamped(state.law.open_items()),
    }
    .into()
}

fn stopped(state: &State, runtime: Seq) -> Body {
    let words = state.law.instance(runtime).map(|instance| instance.last_words());
    let (last_n, last_seq) = words.unwrap_or((Count::ZERO, runtime));
    InstanceStopped {
        instance: runtime,
        reason: StopReason::Done,
        last_n,
        last_seq,
    }
    .into()
}
