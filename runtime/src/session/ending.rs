//! The end of a run: everybody stops, the run is ended, the ledger is closed.

use std::path::PathBuf;
use std::sync::Arc;

use countersign_schemas::body::{EventCode, RunEndReason, RunEnded, SessionEvent, Spend, StopReason};

use super::agent::{Agent, AgentEnd};
use super::delegate::enter_stop;
use super::think::no_spend;
use super::{Event, RunReport, Session, SessionError, TurnEnd};
use crate::recorder::Payload;

impl Session {
    /// Stops the lead and the advisor, ends the run and closes the ledger.
    pub(super) async fn finish(self, lead: Agent, end: AgentEnd, ledger: PathBuf) -> Result<RunReport, SessionError> {
        let stop_reason = end.stop_reason();
        let TurnEnd { reason, result } = TurnEnd::of(end);
        if reason == RunEndReason::Interrupted {
            self.enter_interruption()?;
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
            result: result.clone(),
        });
        Ok(RunReport {
            ledger,
            ledger_id,
            reason,
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
            ..
        } = self;
        drop((gate, outcomes));
        enter_stop(&recorder, advisor, reason)?;
        let recorder = Arc::into_inner(recorder).ok_or(SessionError::Bug("the recorder is still in use at the end"))?;
        Ok(recorder.close().await?)
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
