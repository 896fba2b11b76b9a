//! The bounded queue between callers and the writer thread.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::durable::Promise;
use super::{AppendError, BATCH_BYTES_MAX, BATCH_ROWS_MAX, QUEUED_MAX};
use crate::store::{Row, StoreError};
use countersign_schemas::number::{Seq, Size};

/// Something to be written, and whom to tell.
pub(super) enum Job {
    Row {
        row: Row,
        promise: Promise,
    },
    Checkpoint {
        size: Size,
        note: Vec<u8>,
        promise: Promise,
    },
}

impl Job {
    pub(super) fn into_promise(self) -> Promise {
        match self {
            Self::Row { promise, .. } | Self::Checkpoint { promise, .. } => promise,
        }
    }

    fn weight_bytes(&self) -> usize {
        match self {
            Self::Row { row, .. } => row.weight_bytes(),
            Self::Checkpoint { note, .. } => note.len(),
        }
    }
}

pub(super) struct Queue {
    state: Mutex<State>,
    filled: Condvar,
    emptied: Condvar,
}

struct State {
    jobs: VecDeque<Job>,
    next: u64,
    closing: bool,
    cause: Option<Arc<StoreError>>,
    /// Whether the writer waits for a job. Notifying is a call into the system, also where nobody waits.
    writer_waits: bool,
    /// Callers that wait for room.
    held_back: usize,
}

impl State {
    /// Why a job is not taken at all. A row out of its place is the caller's mistake and harms nobody else.
    fn refusal(&self, job: &Job) -> Option<AppendError> {
        if let Some(cause) = &self.cause {
            return Some(AppendError::Poisoned {
                cause: Arc::clone(cause),
            });
        }
        if self.closing {
            return Some(AppendError::Closing);
        }
        match job {
            Job::Row { row, .. } if row.seq().get() != self.next => {
                let found = row.seq();
                // Past the last number there is no place to name: then the row's own is the misfit.
                let expected = Seq::new(self.next).unwrap_or(found);
                Some(AppendError::OutOfSequence { expected, found })
            }
            _ => None,
        }
    }
}

impl Queue {
    pub(super) fn starting_at(next: Size) -> Self {
        let state = State {
            jobs: VecDeque::new(),
            next: next.get(),
            closing: false,
            cause: None,
            writer_waits: false,
            held_back: 0,
        };
        Self {
            state: Mutex::new(state),
            filled: Condvar::new(),
            emptied: Condvar::new(),
        }
    }

    pub(super) fn push(&self, job: Job) {
        let mut state = self.lock();
        while state.jobs.len() >= QUEUED_MAX && state.refusal(&job).is_none() {
            state.held_back += 1;
            state = self.emptied.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.held_back -= 1;
        }
        if let Some(refusal) = state.refusal(&job) {
            drop(state);
            return job.into_promise().fail(refusal);
        }
        state.next += u64::from(matches!(job, Job::Row { .. }));
        state.jobs.push_back(job);
        let writer_waits = std::mem::take(&mut state.writer_waits);
        drop(state);
        if writer_waits {
            self.filled.notify_one();
        }
    }

    /// Waits for work and takes as much as fits into one batch; `None` when closed and drained.
    pub(super) fn take_batch(&self) -> Option<Vec<Job>> {
        let mut state = self.lock();
        while state.jobs.is_empty() {
            if state.closing {
                return None;
            }
            state.writer_waits = true;
            state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.writer_waits = false;
        let mut bytes = 0;
        let fitting = state.jobs.iter().take(BATCH_ROWS_MAX).take_while(|job| {
            let fits = bytes < BATCH_BYTES_MAX;
            bytes += job.weight_bytes();
            fits
        });
        let count = fitting.count();
        let batch = state.jobs.drain(..count).collect();
        if state.held_back > 0 {
            self.emptied.notify_all();
        }
        Some(batch)
    }

    /// Refuses everything from now on, then tells those who have no answer yet and those who are still queued.
    pub(super) fn poison(&self, cause: Arc<StoreError>, unanswered: Vec<Promise>) {
        let queued: Vec<Job> = {
            let mut state = self.lock();
            state.cause.get_or_insert_with(|| Arc::clone(&cause));
            state.jobs.drain(..).collect()
        };
        self.emptied.notify_all();
        for promise in unanswered.into_iter().chain(queued.into_iter().map(Job::into_promise)) {
            let cause = Arc::clone(&cause);
            promise.fail(AppendError::Poisoned { cause });
        }
    }

    pub(super) fn close(&self) {
        self.lock().closing = true;
        self.filled.notify_all();
        self.emptied.notify_all();
    }

    pub(super) fn cause(&self) -> Option<Arc<StoreError>> {
        self.lock().cause.clone()
    }

    pub(super) fn is_idle(&self) -> bool {
        self.lock().jobs.is_empty()
    }

    pub(super) fn next(&self) -> Size {
        Size::clamped(self.lock().next)
    }

    /// Gives a guard that closes the queue and breaks what is left in it, even when its thread panics.
    pub(super) fn closes_when_dropped(&self) -> ClosesWhenDropped<'_> {
        ClosesWhenDropped(self)
    }

    /// The state is whole after every statement, so a panic of another holder does not spoil it.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) struct ClosesWhenDropped<'q>(&'q Queue);

impl Drop for ClosesWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.close();
        let left: Vec<Job> = self.0.lock().jobs.drain(..).collect();
        drop(left);
    }
}
