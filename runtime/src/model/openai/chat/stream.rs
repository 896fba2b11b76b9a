//! Reads one chat completion as it streams in (<https://platform.openai.com/docs/api-reference/chat-streaming>): a
//! state machine over the chunks, without clock or network.
//!
//! What it can be sure of it takes, what it does not know it leaves alone, and what contradicts itself it refuses: an
//! answer is one only when it says why it ended.

use serde_json::Value;

use super::super::reply::{REFUSED, Reply, Restarts};
use super::super::usage::CHAT;
use super::calls::Calls;
use super::chunk::{Choice, Chunk, Delta, Event};
use crate::model::answer::{End, Part, no_tokens};
use crate::model::bounds::{Taken, protocol};
use crate::model::http::HttpError;
use crate::model::streamed::Decode;
use crate::model::{ModelError, ModelEvent};

/// What a decoder makes of the chunks it was given.
#[derive(Debug)]
pub(super) struct Decoder {
    /// The number of the answer, for the names of calls that have none.
    turn: usize,
    answer: Option<Answer>,
    restarts: Restarts,
    is_done: bool,
}

#[derive(Debug, Default)]
struct Answer {
    id: Option<String>,
    text: String,
    is_refusal: bool,
    calls: Calls,
    taken: Taken,
    usage: Value,
    stop: Option<Stop>,
}

/// Why an answer ended (`finish_reason`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    /// `stop`; some servers say so of calls too.
    Done,
    /// `tool_calls`, once `function_call`.
    Calls,
    /// `length`
    Length,
    /// `content_filter`
    Filtered,
}

impl Decoder {
    /// For the answer with the number `turn`, counted from 1.
    pub(super) fn new(turn: usize) -> Self {
        Self {
            turn,
            answer: None,
            restarts: Restarts::default(),
            is_done: false,
        }
    }

    fn chunk(&mut self, chunk: Chunk) -> Result<Vec<ModelEvent>, ModelError> {
        let choices = chunk.choices.unwrap_or_default();
        // Without a choice it belongs to whatever is there: such chunks have other ids, or none.
        let restarted = match choices.first() {
            Some(choice) => self.belongs(chunk.id, choice)?,
            None => None,
        };
        let answer = self.answer.get_or_insert_default();
        if !chunk.usage.is_null() {
            CHAT.read(&chunk.usage)?;
            answer.usage = chunk.usage;
        }
        let mut events: Vec<ModelEvent> = restarted.into_iter().collect();
        for choice in choices {
            events.extend(answer.choice(choice, self.turn)?);
        }
        Ok(events)
    }

    /// Sees to it that the answer called `id` is the one at hand. Another one in the middle means that somebody on the
    /// way asked again and put the second stream behind the first: only the second is whole.
    fn belongs(&mut self, id: Option<String>, choice: &Choice) -> Result<Option<ModelEvent>, ModelError> {
        let answer = self.answer.get_or_insert_default();
        match (&answer.id, &id) {
            (Some(known), Some(other)) if known != other => {}
            (known, _) => {
                answer.id = known.clone().or(id);
                return Ok(None);
            }
        }
        if !choice.delta.as_ref().is_some_and(Delta::is_beginning) {
            return Err(protocol("the answer goes on as another one"));
        }
        let restarted = self.restarts.another()?;
        self.answer = Some(Answer {
            id,
            ..Answer::default()
        });
        Ok(Some(restarted))
    }
}

impl Delta {
    fn is_beginning(&self) -> bool {
        self.role.as_deref() == Some("assistant")
    }

    fn is_empty(&self) -> bool {
        let calls = self.tool_calls.as_ref().is_none_or(Vec::is_empty);
        self.content.is_none() && self.refusal.is_none() && calls
    }
}

impl Decode for Decoder {
    type Reply = Reply;

    fn event(&mut self, name: &str, data: &str) -> Result<Vec<ModelEvent>, ModelError> {
        if self.is_done {
            return Ok(Vec::new());
        }
        match Event::parse(name, data)? {
            Event::Other => Ok(Vec::new()),
            Event::Chunk(chunk) => self.chunk(chunk),
            Event::Done => {
                self.is_done = true;
                Ok(Vec::new())
            }
        }
    }

    fn is_stopped(&self) -> bool {
        self.is_done
    }

    fn finish(self) -> Result<Reply, ModelError> {
        let answer = self.answer.unwrap_or_default();
        let stop = match (answer.stop, self.is_done) {
            // Some servers end without `[DONE]`.
            (Some(stop), _) => stop,
            (None, true) => return Err(protocol("the answer ended without a reason")),
            (None, false) => return Err(HttpError::Cut { source: None }.into()),
        };
        let usage = match &answer.usage {
            Value::Null => no_tokens(),
            usage => CHAT.read(usage)?,
        };
        let (parts, end) = answer.into_parts(stop, self.turn);
        Ok(Reply {
            parts,
            usage,
            end,
            restarts: self.restarts,
        })
    }
}

impl Answer {
    fn choice(&mut self, choice: Choice, turn: usize) -> Result<Vec<ModelEvent>, ModelError> {
        if choice.index.is_some_and(|index| index > 0) {
            return Err(protocol("a second answer that nobody asked for"));
        }
        let delta = choice.delta.unwrap_or_default();
        if self.stop.is_some() && !delta.is_empty() {
            return Err(protocol("the answer goes on after its end"));
        }
        let mut events = self.grow(delta)?;
        if let Some(reason) = choice.finish_reason {
            events.extend(self.stop(&reason, turn)?);
        }
        Ok(events)
    }

    fn grow(&mut self, delta: Delta) -> Result<Vec<ModelEvent>, ModelError> {
        let mut events = Vec::new();
        self.is_refusal |= delta.refusal.is_some();
        for words in [delta.content, delta.refusal].into_iter().flatten() {
            self.taken.add(words.len())?;
            self.text.push_str(&words);
            events.push(ModelEvent::Text(words));
        }
        for call in delta.tool_calls.unwrap_or_default() {
            self.calls.take(call, &mut self.taken)?;
        }
        Ok(events)
    }

    /// The answer ends: only now it is known of every call that it is whole.
    fn stop(&mut self, reason: &str, turn: usize) -> Result<Vec<ModelEvent>, ModelError> {
        let stop = Stop::parse(reason)?;
        if stop == Stop::Calls && self.calls.is_empty() {
            return Err(protocol("it waits for the results of calls, but made none"));
        }
        match self.stop {
            None => self.stop = Some(stop),
            Some(known) if known.agrees_with(stop) => return Ok(Vec::new()),
            Some(_) => return Err(protocol("the answer ended for two reasons")),
        }
        let calls = self.calls(stop, turn).into_iter().filter_map(|part| match part {
            Part::Call(call) => Some(ModelEvent::Call(call)),
            _ => None,
        });
        Ok(calls.collect())
    }

    fn calls(&self, stop: Stop, turn: usize) -> Vec<Part> {
        match stop {
            _ if self.is_refused(stop) => self.calls.void(turn, REFUSED),
            Stop::Length => self.calls.cut_off(turn),
            _ => self.calls.parts(turn),
        }
    }

    fn is_refused(&self, stop: Stop) -> bool {
        self.is_refusal || stop == Stop::Filtered
    }

    fn into_parts(self, stop: Stop, turn: usize) -> (Vec<Part>, End) {
        let calls = self.calls(stop, turn);
        let end = match stop {
            _ if self.is_refused(stop) => End::Refused,
            Stop::Length => End::Length,
            _ if !calls.is_empty() => End::Calls,
            _ => End::Done,
        };
        let text = (!self.text.is_empty()).then_some(Part::Text(self.text));
        (text.into_iter().chain(calls).collect(), end)
    }
}

impl Stop {
    /// Whether both say that nothing is missing, or the same.
    fn agrees_with(self, other: Self) -> bool {
        let is_complete = |stop| matches!(stop, Self::Done | Self::Calls);
        self == other || (is_complete(self) && is_complete(other))
    }

    fn parse(reason: &str) -> Result<Self, ModelError> {
        match reason {
            "stop" => Ok(Self::Done),
            "tool_calls" | "function_call" => Ok(Self::Calls),
            "length" => Ok(Self::Length),
            "content_filter" => Ok(Self::Filtered),
            _ => Err(protocol(format!("finish reason {reason:?} is not known"))),
        }
    }
}

#[cfg(test)]
#[path = "stream_tests.rs"]
mod tests;
