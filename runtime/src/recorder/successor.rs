//! The process that appended has left: one of those that had joined it takes its place, the others join that one
//! (handover-v1 §4).

use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use countersign_ledger::handover::{Ear, GoneReason, HandoverError, Joined, join};
use countersign_ledger::reader::LedgerReader;
use countersign_ledger::store::{Sqlite, Store, StoreError};
use countersign_schemas::chain;
use countersign_schemas::number::{Seq, Size};
use countersign_schemas::statement::Seen;
use countersign_verifier::audit::{Folded, replay};

use super::joined::Link;
use super::writer::{Own, Writer};
use super::{RecordError, Shared, State};

/// Longest time until somebody writes again.
const HAND_ON_WAIT: Duration = Duration::from_secs(30);

/// Rest between two looks at the lock, the socket or the file.
pub(super) const LOOK: Duration = Duration::from_millis(3);

impl Shared {
    /// Takes the place of the appender that left at `position`, or joins whoever does; gives the connection to listen to.
    ///
    /// Nobody enters anything meanwhile. If it does not come to anything the ledger is gone for this process.
    pub(super) fn come_after(self: &Arc<Self>, position: Seen) -> Option<Ear> {
        let followed = {
            // Whoever signs heads locks this first as well.
            let mut signed = self.heads.signed();
            let mut state = self.lock();
            let followed = self
                .orphan(&mut state, position)
                .and_then(|()| self.follow(&mut state, &mut signed))
                .unwrap_or_else(|error| {
                    tracing::warn!(error = &error as &dyn std::error::Error, "the ledger was not handed on");
                    state.writer = Writer::Gone;
                    None
                });
            if matches!(state.writer, Writer::Own(_)) {
                // Under the lock: this process may be about to end, and would hand on before its door was open.
                self.open_door();
            }
            followed
        };
        self.changed.notify_all();
        followed
    }

    /// Nobody writes from here on; everything that was entered is on disk.
    fn orphan(&self, state: &mut State, position: Seen) -> Result<(), RecordError> {
        if state.law.head() != position {
            return Err(RecordError::Handover);
        }
        state.all_durable();
        match std::mem::replace(&mut state.writer, Writer::Gone) {
            Writer::Joined(link) => {
                state.writer = Writer::Nobody(link.into_alive());
                Ok(())
            }
            _ => Err(RecordError::Handover),
        }
    }

    fn follow(&self, state: &mut State, signed: &mut Size) -> Result<Option<Ear>, RecordError> {
        let deadline = Instant::now() + HAND_ON_WAIT;
        while Instant::now() < deadline {
            match Sqlite::open(&self.path) {
                Ok(store) => return self.append_from_now_on(state, signed, store).map(|()| None),
                Err(StoreError::LockedByAnotherWriter { .. }) => {}
                Err(error) => return Err(error.into()),
            }
            match join(&self.path, self.ledger) {
                Ok(joined) => return self.join_successor(state, joined).map(Some),
                Err(error) if is_passing(&error) => thread::sleep(LOOK),
                Err(error) => return Err(RecordError::Join(error)),
            }
        }
        Err(RecordError::Handover)
    }

    fn append_from_now_on(&self, state: &mut State, signed: &mut Size, store: Sqlite) -> Result<(), RecordError> {
        // Somebody may have come before this process, said what was left to say, and handed on in its turn.
        if store.size() > state.law.head().size {
            self.fold_up_to(state, store.size())?;
        }
        let head = state.law.head();
        if store.size() != head.size || !ends_in(store.path(), head) || state.law.closed().is_some() {
            return Err(RecordError::Handover);
        }
        // By the appender before.
        *signed = head.size;
        state.writer = Writer::Own(Own::start(store).map_err(RecordError::Thread)?);
        Ok(())
    }

    /// Folds what is in the file and was not heard.
    fn fold_up_to(&self, state: &mut State, size: Size) -> Result<(), RecordError> {
        let folded = Folded {
            law: std::mem::take(&mut state.law),
            tree: std::mem::take(&mut state.tree),
        };
        let folded = catch_up(&self.path, folded, size)?;
        state.head = folded.law.head().link;
        (state.law, state.tree) = (folded.law, folded.tree);
        Ok(())
    }

    fn join_successor(&self, state: &mut State, joined: Joined) -> Result<Ear, RecordError> {
        let Joined { position, voice, ear } = joined;
        self.fold_up_to(state, position.size)?;
        match std::mem::replace(&mut state.writer, Writer::Gone) {
            Writer::Nobody(alive) => state.writer = Writer::Joined(Link::new(voice, alive)),
            _ => return Err(RecordError::Handover),
        }
        Ok(ear)
    }
}

/// Whether joining may succeed a moment later.
pub(super) fn is_passing(error: &HandoverError) -> bool {
    match error {
        HandoverError::Place(place) => place.is_nobody(),
        HandoverError::Gone(GoneReason::Leaving) | HandoverError::Frame(_) | HandoverError::Io(_) => true,
        _ => false,
    }
}

/// Whether the last entry of the file is the one that `head` names.
fn ends_in(path: &Path, head: Seen) -> bool {
    let Some(last) = head.size.get().checked_sub(1) else {
        return false;
    };
    let reader = LedgerReader::open(path).ok();
    let entry = reader.and_then(|reader| reader.entry(Seq::clamped(last)).ok().flatten());
    entry.is_some_and(|entry| chain::link(&entry.record) == head.link)
}

/// Longest wait for entries that were told to be on disk.
const CATCH_UP_WAIT: Duration = Duration::from_secs(30);

/// Folds what the file has beyond `folded`, at least up to `size`, which may have to be waited for.
pub(super) fn catch_up(path: &Path, mut folded: Folded, size: Size) -> Result<Folded, RecordError> {
    let deadline = Instant::now() + CATCH_UP_WAIT;
    while folded.size() < size {
        if Instant::now() > deadline {
            return Err(RecordError::Handover);
        }
        let reader = LedgerReader::open(path).map_err(super::OpenError::from)?;
        folded = replay(&reader, Some(folded)).map_err(|source| super::OpenError::Unsound {
            path: path.to_owned(),
            source,
        })?;
        if folded.size() < size {
            thread::sleep(LOOK);
        }
    }
    Ok(folded)
}
