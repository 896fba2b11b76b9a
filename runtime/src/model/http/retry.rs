//! Trying again: a call that failed for a reason that passes is repeated, a bounded number of times, with pauses.
//!
//! The pauses grow exponentially with full jitter: each is drawn evenly between nothing and its ceiling, so that many
//! clients that failed together do not come back together (M. Brooker, "Exponential Backoff And Jitter", AWS
//! Architecture Blog, 2015: fewest calls of the ways compared there).

use std::error::Error;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::error::HttpError;
use crate::model::Attempt;

/// Longest problem that is recorded, in bytes.
const PROBLEM_LEN_BYTES_MAX: usize = 2048;

/// When to try again, and when to give up.
#[derive(Clone, Debug)]
pub struct RetryPolicy {
    /// Ceiling of the first pause; each further one has twice that of the one before.
    pub base: Duration,
    /// No ceiling is higher.
    pub cap: Duration,
    /// How often a call is made in all.
    pub attempts_max: u32,
    /// No attempt begins later than this after the first one began.
    pub total: Duration,
    /// Longest wish of a server that is granted. Whoever wants to be left alone for longer is not asked again.
    pub retry_after_max: Duration,
    /// Draws a pause under a ceiling.
    pub jitter: fn(Duration) -> Duration,
}

impl RetryPolicy {
    /// The policy of every call but those of tests.
    pub const STANDARD: Self = Self {
        // As the official SDKs begin.
        base: Duration::from_millis(500),
        cap: Duration::from_secs(30),
        // The SDKs make 3; an unattended agent rather waits than loses its work. Ceilings: 0.5, 1, 2, 4, 8 s.
        attempts_max: 6,
        // Longer than that is an outage, which somebody should hear of.
        total: Duration::from_secs(5 * 60),
        // OpenAI's SDK gives up above 60 s; limits per minute can ask for a little more than that.
        retry_after_max: Duration::from_secs(120),
        jitter: full_jitter,
    };

    /// The pause after attempt `number`, counted from 1, or nothing if there is to be no further one.
    fn pause(&self, number: u32, error: &impl Transient, elapsed: Duration) -> Option<Duration> {
        if number >= self.attempts_max || !error.is_transient() {
            return None;
        }
        let doubled = self.base.saturating_mul(2_u32.saturating_pow(number - 1));
        let drawn = (self.jitter)(doubled.min(self.cap));
        let asked = error.retry_after().unwrap_or_default();
        if asked > self.retry_after_max {
            return None;
        }
        let pause = drawn.max(asked);
        (elapsed.saturating_add(pause) <= self.total).then_some(pause)
    }
}

/// Evenly between nothing and `ceiling`.
fn full_jitter(ceiling: Duration) -> Duration {
    // Without randomness the whole ceiling is waited: that is slow, and polite.
    let share = getrandom::u64().unwrap_or(u64::MAX);
    let nanos = (ceiling.as_nanos() * u128::from(share)) >> 64;
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// An error that knows whether the same call may succeed a little later.
pub trait Transient: Error {
    /// Whether it may.
    fn is_transient(&self) -> bool;

    /// How long the other side wants to be left alone first.
    fn retry_after(&self) -> Option<Duration>;
}

impl Transient for HttpError {
    fn is_transient(&self) -> bool {
        self.is_transient()
    }

    fn retry_after(&self) -> Option<Duration> {
        self.retry_after()
    }
}

/// What came of a call and its repetitions.
#[derive(Debug)]
pub struct Tried<T, E> {
    /// The result of the last attempt.
    pub result: Result<T, E>,
    /// Every attempt that failed, the last one too if there was no success; nothing was waited after that.
    pub failed: Vec<Attempt>,
}

/// Makes a call, and makes it again while `policy` says so. `on_pause` is told before each pause.
///
/// `attempt` is given its number, counted from 1. Dropping the future ends the attempt or the pause it is in.
pub async fn with_retries<T, E: Transient, F: Future<Output = Result<T, E>>>(
    policy: &RetryPolicy,
    on_pause: impl Fn(&Attempt),
    mut attempt: impl FnMut(u32) -> F,
) -> Tried<T, E> {
    let (started, mut failed, mut number) = (Instant::now(), Vec::new(), 1);
    loop {
        let error = match attempt(number).await {
            Ok(value) => {
                let result = Ok(value);
                return Tried { result, failed };
            }
            Err(error) => error,
        };
        let pause = policy.pause(number, &error, started.elapsed());
        let problem = Attempt {
            problem: text(&error),
            waited_ms: pause.map_or(0, |pause| u64::try_from(pause.as_millis()).unwrap_or(u64::MAX)),
        };
        let Some(pause) = pause else {
            failed.push(problem);
            let result = Err(error);
            return Tried { result, failed };
        };
        on_pause(&problem);
        failed.push(problem);
        sleep(pause).await;
        number += 1;
    }
}

/// An error with everything behind it.
fn text(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        let reason = source.to_string();
        if !text.ends_with(&reason) {
            text.push_str(": ");
            text.push_str(&reason);
        }
        cause = source.source();
    }
    if text.len() > PROBLEM_LEN_BYTES_MAX {
        let end = (0..=PROBLEM_LEN_BYTES_MAX).rev().find(|&at| text.is_char_boundary(at));
        text.truncate(end.unwrap_or_default());
    }
    text
}

#[cfg(test)]
#[path = "retry_tests.rs"]
mod tests;
