//! Interrupting a running call, and bounding the time of one that cannot be interrupted from outside.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::error::ToolError;

/// Makes a pair: who holds the [`Canceller`] can interrupt everybody who holds the [`Cancel`].
#[must_use]
pub fn cancellation() -> (Canceller, Cancel) {
    pair(CancellationToken::new())
}

fn pair(token: CancellationToken) -> (Canceller, Cancel) {
    (Canceller(token.clone()), Cancel(token))
}

/// The hand that interrupts; dropped, it interrupts nobody.
#[derive(Clone, Debug)]
pub struct Canceller(CancellationToken);

impl Canceller {
    /// Interrupts, and with it every child, children of children included. There is no way back.
    pub fn cancel(&self) {
        self.0.cancel();
    }
}

/// The ear that hears it. A clone shares it and costs a reference count.
#[derive(Clone, Debug)]
pub struct Cancel(CancellationToken);

impl Cancel {
    /// Makes a pair that is interrupted with this one, or alone: a branch of the tree that can be cut without the rest.
    #[must_use]
    pub fn child(&self) -> (Canceller, Self) {
        pair(self.0.child_token())
    }

    /// Whether it was interrupted.
    #[must_use]
    pub fn is_raised(&self) -> bool {
        self.0.is_cancelled()
    }

    /// Waits for the interruption; for ever, if nobody is left who could interrupt.
    pub async fn raised(&self) {
        self.0.cancelled().await;
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

    #[tokio::test]
    async fn child_alone_interrupts_neither_parent_nor_sibling() {
        let (_canceller, parent) = cancellation();
        let ((canceller, child), (_other, sibling)) = (parent.child(), parent.child());
        canceller.cancel();
        child.raised().await;
        assert!(!parent.is_raised() && !sibling.is_raised());
    }

    #[tokio::test]
    async fn parent_interrupts_every_generation_even_after_the_one_between_is_dropped() {
        let (canceller, parent) = cancellation();
        let (hand, child) = parent.child();
        let (_hand, grandchild) = child.child();
        drop((hand, child));
        assert!(!grandchild.is_raised());
        canceller.cancel();
        grandchild.raised().await;
        assert!(grandchild.is_raised());
    }

    #[test]
    fn child_of_what_was_interrupted_is_born_interrupted() {
        let (canceller, parent) = cancellation();
        canceller.cancel();
        assert!(parent.child().1.is_raised());
    }
}
