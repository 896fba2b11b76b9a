//! What a complete stream comes to, whichever of the two formats it has.

use countersign_schemas::body::Tokens;

use crate::model::answer::{Attempt, End, ModelAnswer, Part};
use crate::model::bounds::{RESTARTS_MAX, protocol};
use crate::model::http::retry::Tried;
use crate::model::{EventSink, ModelError, ModelEvent};

/// The format of blocks that only OpenAI understands.
pub(super) const FORMAT: &str = "openai";

/// Why a call is not made that a model proposed and then refused to go on.
pub(super) const REFUSED: &str = "the model refused to go on after it";

/// Why a call is not made that is not whole.
pub(super) const CUT_OFF: &str = "it was cut off";

/// A complete answer.
#[derive(Debug)]
pub(super) struct Reply {
    /// What it consists of.
    pub(super) parts: Vec<Part>,
    /// What it took.
    pub(super) usage: Tokens,
    /// Why it stopped.
    pub(super) end: End,
    /// What came before it in the same stream.
    pub(super) restarts: Restarts,
}

impl Reply {
    /// The answer that it is, after `failed`.
    pub(super) fn into_answer(self, failed: Vec<Attempt>) -> ModelAnswer {
        let restarted = self
            .restarts
            .reasons
            .into_iter()
            .map(|problem| Attempt { problem, waited_ms: 0 });
        ModelAnswer {
            parts: self.parts,
            advice: Vec::new(),
            usage: self.usage,
            end: self.end,
            attempts: failed.into_iter().chain(restarted).collect(),
        }
    }
}

/// What came of asking, in the end, which `events` is told.
pub(super) fn outcome(tried: Tried<Reply, ModelError>, events: EventSink<'_>) -> Result<ModelAnswer, ModelError> {
    match tried.result {
        Ok(reply) => {
            let answer = reply.into_answer(tried.failed);
            events(ModelEvent::Ended(answer.end));
            Ok(answer)
        }
        Err(error) => Err(error.after(tried.failed)),
    }
}

/// The answers that were given up within one stream.
#[derive(Debug, Default)]
pub(super) struct Restarts {
    reasons: Vec<String>,
}

impl Restarts {
    /// Another answer starts in the middle of one: somebody on the way asked again and put the second stream behind the
    /// first. Only the second is whole.
    ///
    /// # Errors
    /// [`ModelError::Protocol`] after [`RESTARTS_MAX`].
    pub(super) fn another(&mut self) -> Result<ModelEvent, ModelError> {
        if self.reasons.len() == RESTARTS_MAX {
            return Err(protocol("the answer started over too often"));
        }
        let reason = "another answer started within the stream".to_owned();
        self.reasons.push(reason.clone());
        Ok(ModelEvent::Restarted { reason })
    }
}
