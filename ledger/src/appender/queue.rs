//! The bounded queue between callers and the writer thread.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::durable::Promise;
use super::{AppendError, BATCH_BYTES_MAX, BATCH_ROWS_MAX, QUEUED_MAX};
use crate::store::{Row, StoreError};
use countersign_schemas::number::{Seq, Size};

/// Callers from which on it pays to let them gather before the next batch.
const CROWD: usize = 4;
/// Longest time for which what is queued waits for more to come: some syncs of a fast disk.
const GATHERING: Duration = Duration::from_millis(2);

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

/// What becomes of a job that was pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pushed {
    /// The writer knows of it, or will when it has written its batch; or the job was refused.
    Announced,
    /// It is the only one, and the writer sleeps: whoever pushed it writes it, or calls the writer.
    Alone,
}

pub(super) struct Queue {
    state: Mutex<State>,
    filled: Condvar,
    emptied: Condvar,
    gathering: Duration,
}

struct State {
    jobs: VecDeque<Job>,
    next: u64,
    closing: bool,
    cause: Option<Arc<StoreError>>,
    /// Whether somebody is writing a batch.
    is_writing: bool,
    /// Rows of the last batch that somebody waited for.
    awaited: usize,
    /// Number of queued jobs at which the writer wants to be woken, if it sleeps. Notifying is a call into the system, also
    /// where nobody waits.
    wakes_at: Option<usize>,
    /// Callers that wait for room.
    held_back: usize,
}

impl State {
    /// Whether the writer has nothing to do, and at most one caller has been at work lately.
    fn is_quiet(&self) -> bool {
        !self.is_writing && self.awaited <= 1 && self.wakes_at == Some(1)
    }

    /// Takes as much as fits into one batch, for somebody who writes it now.
    fn take_batch(&mut self) -> Vec<Job> {
        self.is_writing = true;
        let mut bytes = 0;
        let fitting = self.jobs.iter().take(BATCH_ROWS_MAX).take_while(|job| {
            let fits = bytes < BATCH_BYTES_MAX;
            bytes += job.weight_bytes();
            fits
        });
        let count = fitting.count();
        self.jobs.drain(..count).collect()
    }

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
            is_writing: false,
            awaited: 0,
            wakes_at: None,
            held_back: 0,
        };
        Self {
            state: Mutex::new(state),
            filled: Condvar::new(),
            emptied: Condvar::new(),
            gathering: GATHERING,
        }
    }

    pub(super) fn push(&self, job: Job) -> Pushed {
        let mut state = self.lock();
        while state.jobs.len() >= QUEUED_MAX && state.refusal(&job).is_none() {
            state.held_back += 1;
            state = self.emptied.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.held_back -= 1;
        }
        if let Some(refusal) = state.refusal(&job) {
            drop(state);
            job.into_promise().fail(refusal);
            return Pushed::Announced;
        }
        let is_row = matches!(job, Job::Row { .. });
        state.next += u64::from(is_row);
        state.jobs.push_back(job);
        if is_row && state.jobs.len() == 1 && state.is_quiet() {
            return Pushed::Alone;
        }
        self.announce(state);
        Pushed::Announced
    }

    /// Wakes the writer if it sleeps and what is queued is enough for it.
    fn announce(&self, mut state: MutexGuard<'_, State>) {
        let is_enough = !state.is_writing && state.wakes_at.is_some_and(|enough| state.jobs.len() >= enough);
        if is_enough {
            state.wakes_at = None;
            drop(state);
            self.filled.notify_one();
        }
    }

    /// Has the writer take what was pushed by somebody alone who does not wait for it.
    pub(super) fn call_writer(&self) {
        self.announce(self.lock());
    }

    /// Takes a batch, unless somebody else is writing one or nothing is there.
    pub(super) fn take_batch_now(&self) -> Option<Vec<Job>> {
        let mut state = self.lock();
        if state.is_writing || state.jobs.is_empty() {
            return None;
        }
        Some(self.let_in(state.take_batch(), &state))
    }

    /// Those who were held back have room now.
    fn let_in(&self, batch: Vec<Job>, state: &State) -> Vec<Job> {
        if state.held_back > 0 {
            self.emptied.notify_all();
        }
        batch
    }

    /// Waits for work and takes as much as fits into one batch; `None` when closed and drained.
    pub(super) fn take_batch(&self) -> Option<Vec<Job>> {
        let mut state = self.gather(self.lock());
        if state.jobs.is_empty() {
            return None;
        }
        Some(self.let_in(state.take_batch(), &state))
    }

    /// Waits for a job, and in a crowd for those as well who have just learned that their entries are durable: they are
    /// likely to have the next ones soon, and one sync then serves everybody.
    ///
    /// A lone caller waits for nobody. Without a job it was closed.
    fn gather<'q>(&'q self, mut state: MutexGuard<'q, State>) -> MutexGuard<'q, State> {
        let everybody = (state.jobs.len() + state.awaited).min(BATCH_ROWS_MAX);
        let mut until = None;
        loop {
            let has_nothing = state.jobs.is_empty() && !state.closing;
            if state.is_writing || has_nothing {
                state.wakes_at = Some(1);
                state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let until = *until.get_or_insert_with(|| Instant::now() + self.gathering);
            let left = until.saturating_duration_since(Instant::now());
            if everybody < CROWD || state.jobs.len() >= everybody || state.closing || left.is_zero() {
                state.wakes_at = None;
                return state;
            }
            state.wakes_at = Some(everybody);
            let woken = self.filled.wait_timeout(state, left);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Gives a guard for whoever has taken a batch: dropped, it lets the next one be taken.
    pub(super) fn ends_turn_when_dropped(&self) -> EndsTurnWhenDropped<'_> {
        EndsTurnWhenDropped {
            queue: self,
            awaited: 0,
        }
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

    /// Whether the next row that is pushed is alone.
    #[cfg(test)]
    pub(super) fn is_quiet(&self) -> bool {
        self.lock().is_quiet()
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

/// Somebody is writing a batch.
pub(super) struct EndsTurnWhenDropped<'q> {
    queue: &'q Queue,
    /// Rows of it that somebody waited for.
    pub(super) awaited: usize,
}

impl Drop for EndsTurnWhenDropped<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // Nobody knows what was written: nothing may be written after it.
            drop(self.queue.closes_when_dropped());
        }
        let mut state = self.queue.lock();
        state.is_writing = false;
        state.awaited = self.awaited;
        if state.closing {
            drop(state);
            self.queue.filled.notify_all();
        } else {
            self.queue.announce(state);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::appender::{Durable, promise};

    const FOREVER: Duration = Duration::from_secs(3600);

    /// A queue in which jobs gather for `gathering`, with so many in it, and what their callers hold.
    fn queue_of(jobs: u64, gathering: Duration) -> (Queue, Vec<Durable>) {
        let mut queue = Queue::starting_at(Size::ZERO);
        queue.gathering = gathering;
        let held = (0..jobs).map(|number| push(&queue, number)).collect();
        (queue, held)
    }

    fn push(queue: &Queue, number: u64) -> Durable {
        let (promise, durable) = promise();
        let row = Row::new(Seq::new(number).expect("a small number"), vec![1], Vec::new());
        let row = row.expect("a row within the limits");
        queue.push(Job::Row { row, promise });
        durable
    }

    /// Rows of the batch that the writer takes after one in which so many were awaited.
    fn taken(queue: &Queue, awaited: usize) -> Option<usize> {
        queue.lock().awaited = awaited;
        let batch = queue.take_batch().map(|batch| batch.len());
        drop(queue.ends_turn_when_dropped());
        batch
    }

    #[test]
    fn few_callers_are_not_kept_waiting_for_each_other() {
        for awaited in 0..CROWD - 1 {
            let (queue, _held) = queue_of(1, FOREVER);
            assert_eq!(taken(&queue, awaited), Some(1), "after a batch for {awaited}");
        }
    }

    #[test]
    fn crowd_gathers_until_it_is_complete() {
        let (queue, _held) = queue_of(3, FOREVER);
        let batch = std::thread::scope(|scope| {
            let writer = scope.spawn(|| taken(&queue, 2));
            while queue.lock().wakes_at.is_none() {
                std::thread::yield_now();
            }
            let _back = [3, 4].map(|number| push(&queue, number));
            writer.join()
        });
        assert_eq!(
            batch.ok(),
            Some(Some(5)),
            "three in the queue, and the two who were served last"
        );
    }

    #[test]
    fn crowd_does_not_gather_beyond_its_time_nor_when_the_queue_closes() {
        let (late, _held) = queue_of(2, Duration::ZERO);
        assert_eq!(taken(&late, 100), Some(2));
        let (closing, _held) = queue_of(2, FOREVER);
        closing.close();
        assert_eq!(taken(&closing, 100), Some(2));
        assert_eq!(taken(&closing, 100), None);
    }

    #[test]
    fn closing_wakes_a_writer_that_waits_for_a_crowd() {
        let (queue, held) = queue_of(2, FOREVER);
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| taken(&queue, 100));
            while queue.lock().wakes_at.is_none() {
                std::thread::yield_now();
            }
            queue.close();
            assert_eq!(writer.join().ok(), Some(Some(2)));
        });
        drop(held);
    }
}
