//! Interrupting a running call, and bounding the time of one that cannot be interrupted from outside.

use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::error::ToolError;

/// Makes a pair: who holds the [`Canceller`] can interrupt everybody who holds the [`Cancel`].
#[must_use]
pub fn cancellation() -> (Canceller, Cancel) {
    let (sender, receiver) = watch::channel(false);
    (Canceller(sender), Cancel(receiver))
}

/// The hand that interrupts.
#[derive(Clone, Debug)]
pub struct Canceller(watch::Sender<bool>);

impl Canceller {
    /// Interrupts. There is no way back.
    pub fn cancel(&self) {
        self.0.send_replace(true);
    }
}

/// The ear that hears it.
#[derive(Clone, Debug)]
pub struct Cancel(watch::Receiver<bool>);

impl Cancel {
    /// Whether it was interrupted.
    #[must_use]
    pub fn is_raised(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits for the interruption; for ever, if every [`Canceller`] is gone.
    pub async fn raised(&self) {
        let mut receiver = self.0.clone();
        if receiver.wait_for(|raised| *raised).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// When blocking work has to give up; asked between its steps.
#[derive(Clone, Debug)]
pub(super) struct Stop {
    cancel: Cancel,
    deadline: Instant,
    limit: Duration,
}

impl Stop {
    pub(super) fn after(limit: Duration, cancel: Cancel) -> Self {
        Self {
            cancel,
            deadline: Instant::now() + limit,
            limit,
        }
    }

    /// Whether the work may go on.
    pub(super) fn check(&self) -> Result<(), ToolError> {
        if self.cancel.is_raised() {
            return Err(ToolError::Cancelled);
        }
        if Instant::now() >= self.deadline {
            return Err(ToolError::TimedOut { limit: self.limit });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stop_names_its_reason() {
        let (canceller, cancel) = cancellation();
        assert!(Stop::after(Duration::from_secs(60), cancel.clone()).check().is_ok());
        let over = Stop::after(Duration::ZERO, cancel);
        assert!(matches!(over.check(), Err(ToolError::TimedOut { .. })));
        canceller.cancel();
        assert!(matches!(over.check(), Err(ToolError::Cancelled)));
    }

    #[tokio::test]
    async fn dropped_canceller_interrupts_nobody() {
        let (canceller, cancel) = cancellation();
        drop(canceller);
        let waited = tokio::time::timeout(Duration::from_millis(20), cancel.raised()).await;
        assert!(waited.is_err());
        assert!(!cancel.is_raised());
    }

    #[tokio::test]
    async fn interruption_before_the_wait_is_heard() {
        let (canceller, cancel) = cancellation();
        canceller.cancel();
        cancel.raised().await;
        assert!(cancel.is_raised());
    }
}
