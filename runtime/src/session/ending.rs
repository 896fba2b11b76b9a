//! The end of a run: everybody stops, the run is ended, the ledger is closed.

use std::convert::Infallible;
use std::future::pending;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use countersign_identity::instant::Window;
use countersign_schemas::body::{EventCode, RunEndReason, RunEnded, SessionEvent, Spend, StopReason};
use countersign_schemas::number::Millis;

use super::agent::{Agent, AgentEnd};
use super::delegate::enter_stop;
use super::think::no_spend;
use super::{AtEnd, Event, Halt, RunReport, Session, SessionError, TurnEnd};
use crate::recorder::Payload;
use crate::tool::Canceller;

/// What is told of a run that [`Closing`] ended.
const OUT_OF_TIME: &str = "the time of this run is over; its keys may sign no longer";

/// Longest time before the end of a run's window that is kept for its end.
const CLOSING_MS_MAX: u64 = 60_000;

/// Longest time between two looks at the clock.
const CLOCK_LOOK: Duration = Duration::from_secs(30);

/// Share of a short window that is kept for its end.
const CLOSING_SHARE: u64 = 10;

/// When a run has to be brought to its end, as long as those who say so may still sign, and the hand that does it.
pub(super) struct Closing {
    from: Millis,
    canceller: Canceller,
}

impl Closing {
    /// The last minute of `window`, or the last tenth of a short one.
    pub(super) fn of(window: Window, canceller: Canceller) -> Self {
        let (from, until) = (window.from().get(), window.until().get());
        let kept = CLOSING_MS_MAX.min((until - from) / CLOSING_SHARE);
        Self {
            from: Millis::clamped(until - kept),
            canceller,
        }
    }

    fn is_due(&self, now: Millis) -> bool {
        now >= self.from
    }
}

impl Session {
    /// Interrupts the run when it has to be brought to its end.
    pub(super) async fn watch_time(&self) -> Infallible {
        loop {
            let left = self.closing.from.get().saturating_sub(self.recorder.now().get());
            if left == 0 {
                break;
            }
            // Looked at again now and then: the clock may be set, and a machine may sleep.
            tokio::time::sleep(Duration::from_millis(left).min(CLOCK_LOOK)).await;
        }
        tracing::warn!("{OUT_OF_TIME}");
        self.closing.canceller.cancel();
        pending().await
    }

    /// Stops the lead and the advisor, ends the run and closes the ledger, or leaves it.
    pub(super) async fn finish(self, lead: Agent, end: AgentEnd, ledger: PathBuf) -> Result<RunReport, SessionError> {
        let end = match self.arming.settle() {
            // Whatever the lead had come to by then: its authority was gone before its end was on record.
            Some(revocation) => AgentEnd::Halted(Halt::Stopped(revocation)),
            None => end,
        };
        let stop_reason = end.stop_reason();
        let TurnEnd {
            reason,
            halt,
            mut result,
        } = TurnEnd::of(end);
        if let Some(halt @ Halt::Stopped(_)) = &halt {
            self.enter_halt(lead.instance.seq(), lead.name.as_str(), halt)?;
        }
        if reason == RunEndReason::Interrupted {
            self.enter_interruption()?;
            if self.closing.is_due(self.recorder.now()) {
                OUT_OF_TIME.clone_into(&mut result);
            }
        }
        let spend = self.spent(&lead);
        self.stop(lead.instance, stop_reason)?;
        self.tell(Event::AgentStopped {
            agent: lead.name.to_string(),
        });
        let delivered = Payload::content(result.as_bytes())?;
        let body = RunEnded {
            run: self.run,
            reason,
            result: Some(delivered.reference()),
            spend,
        };
        self.recorder.enter_own(body.into(), vec![delivered])?.in_order();
        let ledger_id = self.recorder.ledger().to_string();
        let observer = Arc::clone(&self.observer);
        self.close(stop_reason).await?;
        observer.observe(&Event::RunEnded {
            reason,
            halt: halt.clone(),
            result: result.clone(),
        });
        Ok(RunReport {
            ledger,
            ledger_id,
            reason,
            halt,
            result,
        })
    }

    /// Enters that a person interrupted what was going on.
    pub(super) fn enter_interruption(&self) -> Result<(), SessionError> {
        let event = SessionEvent {
            code: EventCode::Interrupted,
            about: Some(self.run),
            detail: None,
        };
        self.recorder.enter_own(event.into(), Vec::new())?.in_order();
        Ok(())
    }

    async fn close(self, reason: StopReason) -> Result<(), SessionError> {
        let Self {
            recorder,
            outcomes,
            gate,
            advisor,
            at_end,
            arming,
            ..
        } = self;
        drop((gate, outcomes, arming));
        enter_stop(&recorder, advisor, reason)?;
        let recorder = Arc::into_inner(recorder).ok_or(SessionError::Bug("the recorder is still in use at the end"))?;
        match at_end {
            AtEnd::Close => recorder.close().await?,
            AtEnd::Leave => recorder.leave().await?,
        }
        Ok(())
    }
}

impl Session {
    /// What the lead's grant was charged: its own spending and everybody's below it.
    fn spent(&self, lead: &Agent) -> Spend {
        self.recorder.with_law(|law| {
            law.grant_of(lead.instance.seq())
                .map_or_else(no_spend, |grant| grant.spent())
        })
    }
}
