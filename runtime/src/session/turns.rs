//! The lead's turns: one for a task, or one for each thing a person says in a conversation.

use countersign_schemas::body::{EventCode, RunEndReason, SessionEvent};

use super::agent::{Agent, AgentEnd};
use super::{Event, Halt, Session, SessionError};
use crate::model::Message;
use crate::recorder::Payload;
use crate::tool::{BoxFuture, Canceller};

/// How a turn of the lead ended.
#[derive(Debug, Clone)]
pub struct TurnEnd {
    /// Why it ended.
    pub reason: RunEndReason,
    /// What halted it, if anything did.
    pub halt: Option<Halt>,
    /// The lead's last words, or what went wrong.
    pub result: String,
}

/// Whoever says what the lead is to do next.
pub trait Instructor: Send + Sync {
    /// A turn begins; `turn` interrupts it and nothing else.
    fn turn_begins(&self, turn: Canceller);

    /// What is next, after a turn ended so; nothing ends the run.
    fn next<'a>(&'a self, ended: &'a TurnEnd) -> BoxFuture<'a, Option<String>>;
}

impl TurnEnd {
    pub(super) fn of(end: AgentEnd) -> Self {
        let halt = match &end {
            AgentEnd::Halted(halt) => Some(halt.clone()),
            _ => None,
        };
        let (reason, result) = match end {
            AgentEnd::Done(text) => (RunEndReason::Done, text),
            AgentEnd::Failed(reason) => (RunEndReason::Failed, reason),
            AgentEnd::Unreachable(reason) => (RunEndReason::Environment, reason),
            AgentEnd::Halted(halt) => (halt.run_end_reason(), halt.to_string()),
            AgentEnd::Interrupted => (RunEndReason::Interrupted, "interrupted".to_owned()),
        };
        Self { reason, halt, result }
    }
}

impl Session {
    /// Lets the lead work until its task is over, or until nobody has anything more for it to do.
    pub(super) async fn take_turns(&self, lead: &mut Agent) -> Result<AgentEnd, SessionError> {
        let Some(instructor) = &self.instructor else {
            return self.work(lead, &self.cancel).await;
        };
        let mut said = String::new();
        loop {
            let (turn, cancel) = self.cancel.child();
            instructor.turn_begins(turn);
            let end = self.work(lead, &cancel).await?;
            if self.cancel.is_raised() {
                return Ok(AgentEnd::Interrupted);
            }
            if let AgentEnd::Done(text) = &end {
                said.clone_from(text);
            }
            let ended = self.end_turn(end)?;
            let next = tokio::select! {
                next = instructor.next(&ended) => next,
                () = self.cancel.raised() => return Ok(AgentEnd::Interrupted),
            };
            match next {
                None => return Ok(AgentEnd::Done(said)),
                Some(text) => self.instruct(lead, &text)?,
            }
        }
    }

    fn end_turn(&self, end: AgentEnd) -> Result<TurnEnd, SessionError> {
        let ended = TurnEnd::of(end);
        if ended.reason == RunEndReason::Interrupted {
            self.enter_interruption()?;
        }
        self.tell(Event::TurnEnded {
            reason: ended.reason,
            halt: ended.halt.clone(),
            result: ended.result.clone(),
        });
        Ok(ended)
    }

    /// Enters what a person says, and tells the lead.
    fn instruct(&self, lead: &mut Agent, text: &str) -> Result<(), SessionError> {
        let text = self.clean(text);
        let detail = Payload::content(text.as_bytes())?;
        let event = SessionEvent {
            code: EventCode::Instruction,
            about: Some(self.run),
            detail: Some(detail.reference()),
        };
        self.recorder.enter_own(event.into(), vec![detail])?.in_order();
        lead.conversation.push(Message::User { text });
        Ok(())
    }
}
