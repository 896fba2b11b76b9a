//! A promise that an entry will be durable, and its answer: for threads and for futures, from std alone.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::AppendError;

/// Resolves when what was submitted is on disk, or will never be acknowledged.
///
/// Dropping it does not take the submission back. Waiting for it, as a thread or as a future, writes and syncs on that
/// very thread where nobody else has anything to write: to hand it to another one and back takes a third of the time.
#[must_use = "an entry that nobody waited for may not be relied on"]
pub struct Durable {
    answer: Arc<Answer>,
    /// Who writes it on the thread that waits, as long as it may come to that.
    scribe: Option<Arc<dyn Scribe>>,
    /// Whether the other futures of its task have had their turn since it was polled first.
    has_yielded: bool,
}

/// Who can write what is queued on any thread.
pub(super) trait Scribe: Send + Sync {
    /// Writes what is queued here and now, unless somebody is writing already.
    fn write_here(&self);

    /// Has the writer's thread write what is queued.
    fn call_writer(&self);
}

/// The writer's end of a [`Durable`]. Dropped without an answer it says that the writer is gone.
pub struct Promise(Option<Arc<Answer>>);

#[derive(Default)]
struct Answer {
    state: Mutex<State>,
    given: Condvar,
}

#[derive(Default)]
struct State {
    result: Option<Result<(), AppendError>>,
    waker: Option<Waker>,
    /// Whether a thread waits. Notifying is a call into the system, also where nobody does.
    is_awaited: bool,
}

/// Makes both ends, for whoever learns in another way than from an appender that something is on disk.
pub fn promise() -> (Promise, Durable) {
    let answer = Arc::new(Answer::default());
    let durable = Durable {
        answer: Arc::clone(&answer),
        scribe: None,
        has_yielded: false,
    };
    (Promise(Some(answer)), durable)
}

impl Durable {
    /// Nobody but who waits for it has been asked to write it.
    pub(super) fn written_by(mut self, scribe: Arc<dyn Scribe>) -> Self {
        self.scribe = Some(scribe);
        self
    }

    fn write_here(&mut self) {
        if let Some(scribe) = self.scribe.take() {
            scribe.write_here();
        }
    }

    /// Blocks until the answer is there.
    ///
    /// # Errors
    /// [`AppendError`] says why there will be no acknowledgement.
    pub fn wait(mut self) -> Result<(), AppendError> {
        self.write_here();
        let mut state = self.answer.lock();
        loop {
            if let Some(result) = &state.result {
                return result.clone();
            }
            state.is_awaited = true;
            state = self.answer.given.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Gives the answer if it is there, without waiting.
    pub fn poll_now(&self) -> Option<Result<(), AppendError>> {
        self.answer.lock().result.clone()
    }
}

impl Drop for Durable {
    fn drop(&mut self) {
        if let Some(scribe) = self.scribe.take() {
            scribe.call_writer();
        }
    }
}

impl Future for Durable {
    type Output = Result<(), AppendError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.scribe.is_some() && !self.has_yielded {
            // What the others have to write goes into the same sync, and then nobody is alone.
            self.has_yielded = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.write_here();
        let mut state = self.answer.lock();
        match &state.result {
            Some(result) => Poll::Ready(result.clone()),
            None => {
                state.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Promise {
    /// Says that it is on disk; gives whether somebody waited for that.
    #[expect(clippy::must_use_candidate, reason = "most do not care who waited")]
    pub fn keep(mut self) -> bool {
        self.answer(Ok(()))
    }

    pub(super) fn fail(mut self, error: AppendError) {
        self.answer(Err(error));
    }

    fn answer(&mut self, result: Result<(), AppendError>) -> bool {
        let Some(answer) = self.0.take() else { return false };
        let (waker, is_awaited) = {
            let mut state = answer.lock();
            state.result = Some(result);
            (state.waker.take(), state.is_awaited)
        };
        if is_awaited {
            answer.given.notify_all();
        }
        let is_polled = waker.is_some();
        if let Some(waker) = waker {
            waker.wake();
        }
        is_awaited || is_polled
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        self.answer(Err(AppendError::WriterGone));
    }
}

impl Answer {
    /// The state is whole after every statement, so a panic of another holder does not spoil it.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Count(std::sync::atomic::AtomicU32);

    impl std::task::Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        }
    }

    #[test]
    fn future_is_woken_once_when_the_promise_is_kept() {
        let (promise, mut durable) = promise();
        let count = Arc::new(Count(0.into()));
        let waker = Waker::from(Arc::clone(&count));
        let mut context = Context::from_waker(&waker);
        assert!(Pin::new(&mut durable).poll(&mut context).is_pending());
        promise.keep();
        assert_eq!(count.0.load(std::sync::atomic::Ordering::SeqCst), 1);
        assert!(matches!(Pin::new(&mut durable).poll(&mut context), Poll::Ready(Ok(()))));
    }

    #[test]
    fn thread_that_waits_already_is_woken() {
        let (promise, durable) = promise();
        let waiting = std::thread::spawn(move || durable.wait());
        while !promise.0.as_ref().is_some_and(|answer| answer.lock().is_awaited) {
            std::thread::yield_now();
        }
        promise.keep();
        assert!(waiting.join().is_ok_and(|answer| answer.is_ok()));
    }

    #[test]
    fn dropped_promise_is_an_answer() {
        let (promise, durable) = promise();
        assert!(durable.poll_now().is_none());
        drop(promise);
        assert!(matches!(durable.wait(), Err(AppendError::WriterGone)));
    }
}
