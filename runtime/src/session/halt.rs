//! Halts: an agent that had not finished is stopped by a bound, and the reason is one of a closed list
//! (session-v1 §10).

use std::fmt;

use countersign_schemas::body::{EventCode, RunEndReason, SessionEvent, StopReason};
use countersign_schemas::number::Seq;
use serde_json::{Value, json};

use super::breaker::Trip;
use super::switch::Revocation;
use super::{Session, SessionError};
use crate::recorder::Payload;

/// What halted an agent.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Halt {
    /// A budget has nothing left for its next step.
    Budget {
        /// Which, in words.
        what: String,
    },
    /// Policy refused something that had already happened on the provider's side.
    Policy {
        /// What, and why.
        what: String,
    },
    /// Its authority was withdrawn, by a word in the ledger that was not this process's own.
    Revoked {
        /// What the law says to it.
        what: String,
    },
    /// A person stopped the run.
    Stopped(Revocation),
    /// It went in circles.
    Breaker(Trip),
}

impl Halt {
    /// The word of session-v1 §10.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Budget { .. } => "budget",
            Self::Policy { .. } => "policy",
            Self::Revoked { .. } => "revoked",
            Self::Stopped(_) => "stopped",
            Self::Breaker(_) => "breaker",
        }
    }

    pub(super) const fn run_end_reason(&self) -> RunEndReason {
        match self {
            Self::Budget { .. } => RunEndReason::HaltedBudget,
            Self::Policy { .. } | Self::Revoked { .. } | Self::Stopped(_) | Self::Breaker(_) => {
                RunEndReason::HaltedPolicy
            }
        }
    }

    pub(super) const fn stop_reason(&self) -> StopReason {
        match self {
            Self::Budget { .. } | Self::Policy { .. } | Self::Breaker(_) => StopReason::Halted,
            Self::Revoked { .. } | Self::Stopped(_) => StopReason::Revoked,
        }
    }

    /// `countersign.halt/v1`: what was halted, and why.
    #[must_use]
    pub fn to_json(&self, agent: &str) -> Value {
        let mut document = json!({
            "schema": "countersign.halt/v1",
            "agent": agent,
            "halt": self.word(),
            "text": self.to_string(),
        });
        match self {
            Self::Breaker(trip) => {
                document["breaker"] = trip.breaker.word().into();
                document["bound"] = trip.breaker.bound().into();
            }
            Self::Stopped(revocation) => document["revocation"] = revocation.entry.get().into(),
            Self::Budget { .. } | Self::Policy { .. } | Self::Revoked { .. } => {}
        }
        document
    }
}

impl fmt::Display for Halt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Budget { what } => write!(f, "the budget is used up: {what}"),
            Self::Policy { what } => f.write_str(what),
            Self::Revoked { what } => write!(f, "its authority was withdrawn: {what}"),
            Self::Stopped(revocation) => write!(
                f,
                "stopped by `countersign stop`: all authority was revoked in entry {}",
                revocation.entry
            ),
            Self::Breaker(trip) => trip.fmt(f),
        }
    }
}

impl Session {
    /// Enters why the agent that was introduced at `agent` as `name` is halted.
    pub(super) fn enter_halt(&self, agent: Seq, name: &str, halt: &Halt) -> Result<(), SessionError> {
        let detail = Payload::content(super::error::canonical(&halt.to_json(name))?)?;
        let event = SessionEvent {
            code: EventCode::Halted,
            about: Some(agent),
            detail: Some(detail.reference()),
        };
        self.recorder.enter_own(event.into(), vec![detail])?.in_order();
        Ok(())
    }
}
