//! Halts: an agent that had not finished is stopped by a bound, and the reason is one of a closed list
//! (session-v1 §10).

use std::fmt;

use countersign_schemas::body::{EventCode, RunEndReason, SessionEvent, StopReason};
use countersign_schemas::number::Seq;
use countersign_verifier::code::Code;
use countersign_verifier::finding::Finding;
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
    /// The halt of an agent whose `model.called` the law refuses, if that is one. `stopped` is what this process has
    /// revoked itself.
    pub(super) fn of_refused_call(refused: &Finding, stopped: impl FnOnce() -> Option<Revocation>) -> Option<Self> {
        match refused.code {
            Code::G6 => Some(Self::Budget {
                what: refused.expected.clone(),
            }),
            Code::G7 => Some(stopped().map_or_else(|| Self::Revoked { what: refused.text() }, Self::Stopped)),
            _ => None,
        }
    }

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

#[cfg(test)]
mod tests {
    use super::super::breaker::Breaker;
    use super::*;

    fn refused(code: Code) -> Finding {
        Finding::new(code, Seq::ZERO, "the grant at 4 in force", "its revocation at 9")
    }

    fn revocation() -> Revocation {
        Revocation {
            entry: Seq::ZERO,
            agents: Vec::new(),
        }
    }

    #[test]
    fn withdrawn_authority_halts_under_the_word_of_who_withdrew_it() {
        let by_others = Halt::of_refused_call(&refused(Code::G7), || None);
        assert!(matches!(by_others, Some(Halt::Revoked { .. })), "{by_others:?}");
        let by_us = Halt::of_refused_call(&refused(Code::G7), || Some(revocation()));
        assert!(matches!(by_us, Some(Halt::Stopped(_))), "{by_us:?}");
    }

    #[test]
    fn nothing_but_budget_and_revocation_halts_a_call() {
        let spent = Halt::of_refused_call(&refused(Code::G6), || Some(revocation()));
        assert!(matches!(spent, Some(Halt::Budget { .. })), "{spent:?}");
        for code in Code::ALL.iter().filter(|code| !matches!(code, Code::G6 | Code::G7)) {
            assert!(
                Halt::of_refused_call(&refused(*code), || Some(revocation())).is_none(),
                "{code:?}"
            );
        }
    }

    #[test]
    fn every_halt_has_the_words_of_the_specification() {
        let what = "what".to_owned();
        let trip = Trip {
            breaker: Breaker::RefusedCall,
            tool: Some("bash".to_owned()),
        };
        let halts = [
            (Halt::Budget { what: what.clone() }, "budget", "halted-budget", "halted"),
            (Halt::Policy { what: what.clone() }, "policy", "halted-policy", "halted"),
            (Halt::Revoked { what }, "revoked", "halted-policy", "revoked"),
            (Halt::Stopped(revocation()), "stopped", "halted-policy", "revoked"),
            (Halt::Breaker(trip), "breaker", "halted-policy", "halted"),
        ];
        for (halt, word, run, stop) in halts {
            assert_eq!(halt.to_json("ann")["halt"], word);
            assert_eq!(
                (halt.run_end_reason().as_str(), halt.stop_reason().as_str()),
                (run, stop)
            );
        }
    }
}
