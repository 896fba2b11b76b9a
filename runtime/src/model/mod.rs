//! Models: what proposes actions. A model sees a request and gives an answer; it holds no key and runs nothing.
//!
//! What crosses this border is plain data with one JSON form each, so that a ledger can commit to what was asked and to
//! what was answered whatever the provider. Which tools exist and whether a proposed call may run is not decided here.

mod answer;
mod anthropic;
mod bounds;
mod call;
mod choice;
pub mod http;
mod offer;
mod openai;
pub mod prices;
mod proposed;
mod request;
mod script;
mod scripted;
mod sorted_json;
mod streamed;
mod wire_name;

use std::time::Duration;

use countersign_schemas::body::AnswerOutcome;
use countersign_schemas::text::Name;
use thiserror::Error;

use self::http::{HttpError, retry::Transient};
use crate::tool::BoxFuture;

pub use answer::{AdviceContent, Attempt, End, ModelAnswer, Opaque, Part, ProviderAdvice, no_tokens};
pub use call::{
    AdviceStatement, CALL_ID_LEN_BYTES_MAX, CallError, CallId, MalformedCall, REASON_LEN_BYTES_MAX, ToolCall,
};
pub use choice::{ModelChoice, ModelChoiceError, OpenError, parse_model};
pub use offer::Offer;
pub use request::{CallResult, Message, ModelRequest, System};
pub use script::{SCRIPT_LEN_BYTES_MAX, Script, ScriptError, TurnProblem};
pub use scripted::ScriptedModel;

/// A language model, or something that answers like one. One value may serve several agents at the same time.
pub trait Model: Send + Sync {
    /// Who provides it, as `model.called` states it.
    fn provider(&self) -> &Name;

    /// The model's name in the words of its provider.
    fn name(&self) -> &Name;

    /// Answers `request`. What comes in on the way is given to `events` first; the answer is the whole of it.
    ///
    /// # Errors
    /// [`ModelError`]; [`ModelError::outcome`] is what `model.answered` then states.
    fn answer<'a>(
        &'a self,
        request: &'a ModelRequest<'a>,
        events: EventSink<'a>,
    ) -> BoxFuture<'a, Result<ModelAnswer, ModelError>>;
}

/// Where a model's events go while it answers.
pub type EventSink<'a> = &'a (dyn Fn(ModelEvent) + Send + Sync);

/// A part of an answer, as it comes in. For watching only: what counts is the [`ModelAnswer`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ModelEvent {
    /// A piece of text; the pieces together are the text of the answer.
    Text(String),
    /// A call is complete.
    Call(ToolCall),
    /// The attempt failed and another follows: what came in so far is no part of the answer.
    Restarted {
        /// What went wrong, and what is done about it.
        reason: String,
    },
    /// The answer is complete.
    Ended(End),
}

/// Why there is no answer.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ModelError {
    /// A script has no turns for an agent of that name.
    #[error("the script has no agent {agent:?}; it has: {known}")]
    UnknownAgent {
        /// The agent that asked.
        agent: String,
        /// The agents of the script.
        known: String,
    },
    /// All turns an agent has in a script are used up.
    #[error("the script of {agent:?} ended after turn {turns}, but its agent goes on")]
    ScriptExhausted {
        /// The agent that asked.
        agent: String,
        /// How many turns it had.
        turns: usize,
    },
    /// What came back is no answer by the rules of its provider.
    #[error("the model's answer is not well formed: {problem}")]
    Protocol {
        /// What is wrong with it.
        problem: String,
    },
    /// The provider could not be asked, or did not answer to the end.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// It was asked again, in vain.
    #[error("tried {} times: {source}", attempts.len())]
    GaveUp {
        /// Every attempt, the last one too.
        attempts: Vec<Attempt>,
        /// What went wrong in the last one.
        source: Box<ModelError>,
    },
    /// The provider, or a script in its place, says that it failed.
    #[error("the model failed: {text}")]
    Failed {
        /// In its words.
        text: String,
    },
}

impl ModelError {
    /// Whether no other request would fare better: the provider cannot be reached, or refuses our key.
    #[must_use]
    pub fn is_environment(&self) -> bool {
        match self {
            Self::Http(error) => error.is_environment(),
            // What does not pass in all that time is an outage.
            Self::GaveUp { source, .. } => source.is_transient() || source.is_environment(),
            Self::UnknownAgent { .. } | Self::ScriptExhausted { .. } | Self::Protocol { .. } | Self::Failed { .. } => {
                false
            }
        }
    }

    /// The outcome to record.
    #[must_use]
    pub fn outcome(&self) -> AnswerOutcome {
        match self {
            Self::Http(HttpError::TimedOut { .. }) => AnswerOutcome::Timeout,
            Self::GaveUp { source, .. } => source.outcome(),
            Self::Http(_)
            | Self::UnknownAgent { .. }
            | Self::ScriptExhausted { .. }
            | Self::Protocol { .. }
            | Self::Failed { .. } => AnswerOutcome::Error,
        }
    }

    /// This error as the end of `attempts`, itself included: one alone says no more than the error does.
    pub(crate) fn after(self, attempts: Vec<Attempt>) -> Self {
        if attempts.len() < 2 {
            return self;
        }
        let source = Box::new(self);
        Self::GaveUp { attempts, source }
    }
}

impl Transient for ModelError {
    fn is_transient(&self) -> bool {
        matches!(self, Self::Http(error) if error.is_transient())
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Http(error) => error.retry_after(),
            _ => None,
        }
    }
}
