//! What one complete message comes to, and several that the provider paused between.

use countersign_schemas::body::Tokens;
use serde_json::{Map, Value};

use super::block::{Block, Consultation};
use super::usage::{AdvisorUsage, Usage, sum};
use crate::model::ModelError;
use crate::model::answer::{AdviceContent, Attempt, End, ModelAnswer, Part, ProviderAdvice, no_tokens};
use crate::model::bounds::protocol;
use crate::model::call::ToolCall;
use crate::tool::ADVISOR;

/// What stands for the question of a consultation that nobody here put: the provider writes it.
const QUESTION: &str = "The provider let the advisor read the whole conversation so far.";

/// Why the provider stopped a message (`stop_reason`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// `end_turn`, and `stop_sequence`, which we never set.
    Done,
    /// `tool_use`
    Calls,
    /// `max_tokens`, or `model_context_window_exceeded`.
    Length,
    /// `refusal`
    Refused,
    /// `pause_turn`: the provider's own tools took long. It goes on when it is sent its own words back.
    Paused,
}

impl Stop {
    /// Reads a `stop_reason`.
    ///
    /// # Errors
    /// [`ModelError::Protocol`] for one that did not exist when this was written: nobody can say what it asks for.
    pub(super) fn parse(reason: &str) -> Result<Self, ModelError> {
        match reason {
            "end_turn" | "stop_sequence" => Ok(Self::Done),
            "tool_use" => Ok(Self::Calls),
            "max_tokens" | "model_context_window_exceeded" => Ok(Self::Length),
            "refusal" => Ok(Self::Refused),
            "pause_turn" => Ok(Self::Paused),
            _ => Err(protocol(format!("stop reason {reason:?} is not known"))),
        }
    }
}

/// A complete message, or several as one.
#[derive(Debug)]
pub(super) struct Reply {
    /// What it consists of.
    pub(super) parts: Vec<Part>,
    consultations: Vec<Consultation>,
    /// What it took.
    pub(super) usage: Usage,
    /// Why it stopped.
    pub(super) stop: Stop,
    restarts: Vec<String>,
}

impl Reply {
    /// Puts the message together.
    ///
    /// # Errors
    /// [`ModelError::Protocol`] for a block whose end is missing though the message was not cut off, for the result of
    /// no consultation, and for a message that waits for calls and makes none.
    pub(super) fn new(
        blocks: impl Iterator<Item = Block>,
        usage: Usage,
        stop: Stop,
        restarts: Vec<String>,
    ) -> Result<Self, ModelError> {
        let mut reply = Self {
            parts: Vec::new(),
            consultations: Vec::new(),
            usage,
            stop,
            restarts,
        };
        let mut blocks = blocks.peekable();
        while let Some(block) = blocks.next() {
            let is_last = blocks.peek().is_none();
            reply.parts.extend(part(&block, stop, is_last)?);
            reply.consultations.extend(block.consultation()?);
        }
        let is_call = |part: &Part| matches!(part, Part::Call(_) | Part::Malformed(_));
        match (stop, reply.parts.iter().any(is_call)) {
            (Stop::Calls, false) => Err(protocol("it waits for the results of calls, but made none")),
            (Stop::Paused, true) => Err(protocol("it paused over calls that wait for their results")),
            // Gateways say so: what matters is that it made calls.
            (Stop::Done, true) => Ok(Self {
                stop: Stop::Calls,
                ..reply
            }),
            _ => Ok(reply),
        }
    }

    /// This message and the one in which the provider went on with it.
    pub(super) fn followed_by(mut self, next: Self) -> Self {
        self.parts.extend(next.parts);
        self.consultations.extend(next.consultations);
        self.restarts.extend(next.restarts);
        self.usage.tokens = sum(&self.usage.tokens, &next.usage.tokens);
        self.usage.advisors.extend(next.usage.advisors);
        self.stop = next.stop;
        self
    }

    /// The answer that it is, after `attempts` that failed.
    pub(super) fn into_answer(self, attempts: Vec<Attempt>) -> ModelAnswer {
        let restarted = self
            .restarts
            .into_iter()
            .map(|problem| Attempt { problem, waited_ms: 0 });
        let (advice, rest) = pair(self.consultations, self.usage.advisors);
        ModelAnswer {
            parts: self.parts,
            advice,
            usage: sum(&self.usage.tokens, &rest),
            end: match self.stop {
                Stop::Done => End::Done,
                Stop::Calls => End::Calls,
                // It paused more often than we go along with: it is not complete, and more is not waited for.
                Stop::Length | Stop::Paused => End::Length,
                Stop::Refused => End::Refused,
            },
            attempts: attempts.into_iter().chain(restarted).collect(),
        }
    }
}

fn part(block: &Block, stop: Stop, is_last: bool) -> Result<Option<Part>, ModelError> {
    match stop {
        // <https://platform.claude.com/docs/en/build-with-claude/refusals-and-fallback>: what came before a refusal is
        // incomplete and to be discarded. The words stay to be seen, but nothing is done.
        Stop::Refused if block.call_id().is_some() => Ok(block.void("the model refused to go on after it")),
        Stop::Length | Stop::Refused if block.is_open() => Ok(block.cut_off()),
        Stop::Length if is_last && block.is_call_without_input() => Ok(block.cut_off()),
        _ if block.is_open() => Err(protocol("the message stopped within a block")),
        _ => Ok(block.part()),
    }
}

/// Gives each consultation its tokens. The provider lists the two apart, both in their order; one that failed may have
/// taken none and then is not in the list of those that did. Tokens of nobody count as the model's own, so that none
/// is lost.
fn pair(consultations: Vec<Consultation>, used: Vec<AdvisorUsage>) -> (Vec<ProviderAdvice>, Tokens) {
    let mut used = used.into_iter();
    let everybody_counts = consultations.len() == used.len();
    let advice = consultations.into_iter().map(|consultation| {
        let has_failed = matches!(consultation.content, AdviceContent::Failed(_));
        let used = if has_failed && !everybody_counts {
            None
        } else {
            used.next()
        };
        let (model, usage) = used.map_or((None, no_tokens()), |used| (used.model, used.tokens));
        ProviderAdvice {
            call: consulted(&consultation),
            model,
            content: consultation.content,
            usage,
        }
    });
    let advice = advice.collect();
    let rest = used.fold(no_tokens(), |rest, used| sum(&rest, &used.tokens));
    (advice, rest)
}

fn consulted(consultation: &Consultation) -> ToolCall {
    let arguments = Map::from_iter([("question".to_owned(), Value::from(QUESTION))]);
    ToolCall::new(consultation.id.clone(), ADVISOR.name, arguments, None).expect("one short sentence can be recorded")
}
