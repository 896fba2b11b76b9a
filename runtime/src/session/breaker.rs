//! Breakers: an agent that goes in circles is halted, long before its budget would halt it.
//!
//! Every loop in which something is tried again, with what bounds it, is listed in `docs/guide-agents.md`; those that an
//! agent turns are bounded here.

use std::collections::HashMap;
use std::fmt;

use countersign_schemas::body::{Effects, FinishOutcome};
use countersign_schemas::digest::Digest;

use super::batch::Proposed;
use crate::tool::{ADVISOR, AGENT, BUILTIN};

/// How often the very same call of an agent may be refused. No answer changes policy, and a person who has said no that
/// often has been heard.
const SAME_CALL_REFUSED_MAX: u32 = 5;

/// How often the very same call may fail while the agent changes nothing that could make it succeed. More than a refusal:
/// a server that is starting is asked again.
const SAME_CALL_FAILED_MAX: u32 = 10;

/// Answers in a row whose every call is malformed. Each was told what is wrong with it.
const MALFORMED_ANSWERS_MAX: u32 = 5;

/// Answers in a row that end at the limit of their length.
const UNFINISHED_ANSWERS_MAX: u32 = 4;

/// Answers in a row that asked subagents or the advisor, none of whom came to anything. Their own calls to a provider are
/// repeated within bounds before they fail (`model::http::RetryPolicy`).
const FAILED_HELPERS_MAX: u32 = 5;

/// Most different calls that are counted at once. An agent that has failed in more ways begins anew.
const CALLS_COUNTED_MAX: usize = 1_024;

/// A bound on going in circles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Breaker {
    /// The same call was refused again and again.
    RefusedCall,
    /// The same call failed again and again, and nothing was changed in between.
    FailingCall,
    /// Answers hold malformed calls and no others.
    MalformedAnswers,
    /// Answers end in the middle.
    UnfinishedAnswers,
    /// Subagents, or the advisor, fail one after the other.
    FailingHelpers,
}

impl Breaker {
    /// The word of session-v1 §10.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::RefusedCall => "refused-call",
            Self::FailingCall => "failing-call",
            Self::MalformedAnswers => "malformed-answers",
            Self::UnfinishedAnswers => "unfinished-answers",
            Self::FailingHelpers => "failing-helpers",
        }
    }

    /// At which count it trips.
    #[must_use]
    pub const fn bound(self) -> u32 {
        match self {
            Self::RefusedCall => SAME_CALL_REFUSED_MAX,
            Self::FailingCall => SAME_CALL_FAILED_MAX,
            Self::MalformedAnswers => MALFORMED_ANSWERS_MAX,
            Self::UnfinishedAnswers => UNFINISHED_ANSWERS_MAX,
            Self::FailingHelpers => FAILED_HELPERS_MAX,
        }
    }
}

/// A breaker that tripped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trip {
    /// Which.
    pub breaker: Breaker,
    /// The tool of the call, where one call was the reason.
    pub tool: Option<String>,
}

impl fmt::Display for Trip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (bound, tool) = (self.breaker.bound(), self.tool.as_deref().unwrap_or_default());
        match self.breaker {
            Breaker::RefusedCall => write!(f, "the same call of {tool} was refused {bound} times"),
            Breaker::FailingCall => write!(
                f,
                "the same call of {tool} failed {bound} times, and nothing was changed in between"
            ),
            Breaker::MalformedAnswers => write!(f, "{bound} answers in a row held malformed calls only"),
            Breaker::UnfinishedAnswers => {
                write!(f, "the answer ended at the limit of its length {bound} times in a row")
            }
            Breaker::FailingHelpers => {
                write!(
                    f,
                    "{bound} times in a row no subagent or advisor that was asked came to anything"
                )
            }
        }
    }
}

/// What became of a call, as far as going in circles is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// The gate said no.
    Refused,
    /// It was made, or could not be, and ended so.
    Ended(FinishOutcome),
}

/// The counts of one agent.
#[derive(Debug, Default)]
pub(super) struct Breakers {
    refused: HashMap<Digest, u32>,
    failed: HashMap<Digest, u32>,
    malformed: u32,
    unfinished: u32,
    helpers: u32,
}

impl Breakers {
    /// Counts an answer that ended in the middle.
    pub(super) fn unfinished(&mut self) -> Option<Trip> {
        count(&mut self.unfinished, Breaker::UnfinishedAnswers, None)
    }

    /// Counts the calls of one answer; gives what trips first.
    pub(super) fn made<'a>(&mut self, calls: impl Iterator<Item = (&'a Proposed, Fate)>) -> Option<Trip> {
        self.unfinished = 0;
        let mut answer = Answer::default();
        let mut trip = None;
        for (call, fate) in calls {
            answer.take(call, fate);
            trip = trip.or(self.call(call, fate));
        }
        trip.or(self.answer(answer))
    }

    fn call(&mut self, call: &Proposed, fate: Fate) -> Option<Trip> {
        let Proposed::Call(call) = call else { return None };
        let which = || identity(call.tool().as_str(), call.arguments().as_bytes());
        let tool = || Some(call.tool().to_string());
        match fate {
            Fate::Refused => count(slot(&mut self.refused, which()), Breaker::RefusedCall, tool()),
            Fate::Ended(FinishOutcome::Ok) => {
                if changes_something(call.tool().as_str()) {
                    self.failed.clear();
                } else {
                    self.failed.remove(&which());
                }
                None
            }
            // Interrupted: it might have succeeded.
            Fate::Ended(FinishOutcome::Aborted) => None,
            Fate::Ended(_) => count(slot(&mut self.failed, which()), Breaker::FailingCall, tool()),
        }
    }

    fn answer(&mut self, answer: Answer) -> Option<Trip> {
        let malformed = if answer.is_malformed() {
            count(&mut self.malformed, Breaker::MalformedAnswers, None)
        } else {
            self.malformed = 0;
            None
        };
        if answer.has_helped {
            self.helpers = 0;
        } else if answer.has_failed_to_help {
            return malformed.or(count(&mut self.helpers, Breaker::FailingHelpers, None));
        }
        malformed
    }
}

/// What the calls of one answer are together.
#[derive(Default)]
struct Answer {
    has_malformed: bool,
    has_call: bool,
    has_helped: bool,
    has_failed_to_help: bool,
}

impl Answer {
    fn take(&mut self, call: &Proposed, fate: Fate) {
        match call {
            Proposed::Malformed(_) => self.has_malformed = true,
            Proposed::Call(call) => {
                self.has_call = true;
                let tool = call.tool().as_str();
                if tool == AGENT.name || tool == ADVISOR.name {
                    self.has_helped |= fate == Fate::Ended(FinishOutcome::Ok);
                    self.has_failed_to_help |= fate == Fate::Ended(FinishOutcome::Error);
                }
            }
        }
    }

    const fn is_malformed(&self) -> bool {
        self.has_malformed && !self.has_call
    }
}

fn count(counter: &mut u32, breaker: Breaker, tool: Option<String>) -> Option<Trip> {
    *counter = counter.saturating_add(1);
    (*counter >= breaker.bound()).then_some(Trip { breaker, tool })
}

fn slot(counts: &mut HashMap<Digest, u32>, call: Digest) -> &mut u32 {
    if counts.len() >= CALLS_COUNTED_MAX && !counts.contains_key(&call) {
        counts.clear();
    }
    counts.entry(call).or_default()
}

/// What makes two calls the same: tool and argument bytes, which are canonical.
fn identity(tool: &str, arguments: &[u8]) -> Digest {
    Digest::sha256(&[tool.as_bytes(), b"\n", arguments].concat())
}

/// Whether a call of `tool` can have changed what made another one fail. Waiting is a command too.
fn changes_something(tool: &str) -> bool {
    let changing = Effects::WRITE.union(Effects::EXECUTE).union(Effects::DELEGATE);
    let spec = BUILTIN.into_iter().find(|spec| spec.name == tool);
    spec.is_some_and(|spec| spec.effects.bits() & changing.bits() != 0)
}

#[cfg(test)]
#[path = "breaker_tests.rs"]
mod tests;
