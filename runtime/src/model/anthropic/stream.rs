//! Reads one message of the Anthropic Messages API as it streams in
//! (<https://platform.claude.com/docs/en/build-with-claude/streaming>): a state machine over the events, without clock
//! or network.
//!
//! What it can be sure of it takes, what it does not know it leaves alone, and what contradicts itself it refuses:
//! a stream that was cut short, or that was put together wrongly on its way, never passes for an answer.

use std::collections::BTreeMap;

use countersign_verifier::visible::visible;
use serde_json::{Map, Value};

use super::block::Block;
use super::event::{Delta, Event};
use super::reply::{Reply, Stop};
use super::usage::Usage;
use crate::model::http::HttpError;
use crate::model::{ModelError, ModelEvent};

/// Most bytes of everything that a message consists of: far more than the longest answer of any model.
pub(super) const MESSAGE_LEN_BYTES_MAX: usize = 4 << 20;
/// Most blocks of a message.
pub(super) const BLOCKS_MAX: usize = 256;
/// Most calls of a message.
pub(super) const CALLS_MAX: usize = 64;
/// How often a message may start over within one stream.
const RESTARTS_MAX: usize = 4;
/// Most characters kept of what is wrong: a stranger's words may be among them.
const PROBLEM_CHARS_MAX: usize = 400;

/// What a decoder makes of the events it was given.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    message: Option<Message>,
    /// Why the messages before this one in the same stream were given up.
    restarts: Vec<String>,
    stopped: bool,
}

#[derive(Debug)]
struct Message {
    id: String,
    blocks: BTreeMap<usize, Block>,
    len_bytes: usize,
    usage: Usage,
    stop: Option<Stop>,
}

/// The error of a stream that contradicts itself, or the rules.
pub(super) fn protocol(problem: impl AsRef<str>) -> ModelError {
    ModelError::Protocol {
        problem: visible(problem.as_ref(), PROBLEM_CHARS_MAX),
    }
}

impl Decoder {
    /// Takes in the event called `name` with `data`, and tells what can be shown of it. After an error the decoder is
    /// of no use.
    ///
    /// # Errors
    /// [`ModelError::Protocol`], and [`HttpError::Reported`] where the provider gives up in the middle.
    pub(super) fn event(&mut self, name: &str, data: &str) -> Result<Vec<ModelEvent>, ModelError> {
        if self.stopped {
            return Ok(Vec::new());
        }
        match Event::parse(name, data)? {
            Event::Other => Ok(Vec::new()),
            Event::Started { id, usage } => self.start(id, &usage),
            Event::Stopped => {
                self.message()?;
                self.stopped = true;
                Ok(Vec::new())
            }
            Event::BlockStarted { index, block } => self.message()?.start_block(index, block),
            Event::BlockGrew { index, delta } => self.message()?.grow_block(index, &delta),
            Event::BlockStopped { index } => self.message()?.stop_block(index),
            Event::Changed { stop_reason, usage } => self.message()?.change(stop_reason.as_deref(), &usage),
        }
    }

    /// Whether the message is complete, so that nothing need be read any more.
    pub(super) fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// The message, after the last event.
    ///
    /// # Errors
    /// [`HttpError::Cut`] when its end has not come; [`ModelError::Protocol`] when it came too early.
    pub(super) fn finish(self) -> Result<Reply, ModelError> {
        let message = self
            .message
            .filter(|_| self.stopped)
            .ok_or(HttpError::Cut { source: None })?;
        let stop = message
            .stop
            .ok_or_else(|| protocol("the message stopped without a reason"))?;
        Reply::new(message.blocks.into_values(), message.usage, stop, self.restarts)
    }

    fn message(&mut self) -> Result<&mut Message, ModelError> {
        self.message
            .as_mut()
            .ok_or_else(|| protocol("the stream does not begin with a message"))
    }

    /// A message starts. A second start of the same one says nothing new. That of another one in the middle means that
    /// somebody on the way asked again and put the second stream behind the first: only the second is whole.
    fn start(&mut self, id: String, usage: &Value) -> Result<Vec<ModelEvent>, ModelError> {
        let mut events = Vec::new();
        match &self.message {
            Some(message) if message.id == id => return Ok(events),
            Some(_) if self.restarts.len() == RESTARTS_MAX => {
                return Err(protocol("the message started over too often"));
            }
            Some(_) => {
                let reason = "another message started within the stream".to_owned();
                events.push(ModelEvent::Restarted { reason: reason.clone() });
                self.restarts.push(reason);
            }
            None => {}
        }
        let mut message = Message {
            id,
            blocks: BTreeMap::new(),
            len_bytes: 0,
            usage: Usage::none(),
            stop: None,
        };
        message.usage.update(usage)?;
        self.message = Some(message);
        Ok(events)
    }
}

impl Message {
    fn start_block(&mut self, index: usize, start: Map<String, Value>) -> Result<Vec<ModelEvent>, ModelError> {
        if index >= BLOCKS_MAX {
            return Err(protocol(format!("block {index}: more than {BLOCKS_MAX} blocks")));
        }
        if let Some(block) = self.blocks.get(&index) {
            return match block.is_repeated_by(&start) {
                true => Ok(Vec::new()),
                false => Err(protocol(format!("block {index} started twice"))),
            };
        }
        self.count_bytes(Value::Object(start.clone()).to_string().len())?;
        let block = Block::new(start)?;
        if let Some(id) = block.call_id() {
            let mut others = self.blocks.values().filter_map(Block::call_id);
            if others.any(|other| other == id) {
                return Err(protocol("two calls with the same id"));
            }
            if self.blocks.values().filter_map(Block::call_id).count() == CALLS_MAX {
                return Err(protocol(format!("more than {CALLS_MAX} calls")));
            }
        }
        let text = block.first_text().map(|text| ModelEvent::Text(text.to_owned()));
        self.blocks.insert(index, block);
        Ok(text.into_iter().collect())
    }

    fn grow_block(&mut self, index: usize, delta: &Delta) -> Result<Vec<ModelEvent>, ModelError> {
        self.count_bytes(delta.len_bytes())?;
        let block = self.block(index)?;
        block.grow(delta)?;
        Ok(match delta {
            Delta::Text { text } if block.is_text() && !text.is_empty() => vec![ModelEvent::Text(text.clone())],
            _ => Vec::new(),
        })
    }

    fn stop_block(&mut self, index: usize) -> Result<Vec<ModelEvent>, ModelError> {
        let call = self.block(index)?.stop()?;
        Ok(call.map(ModelEvent::Call).into_iter().collect())
    }

    fn change(&mut self, stop_reason: Option<&str>, usage: &Value) -> Result<Vec<ModelEvent>, ModelError> {
        self.usage.update(usage)?;
        if let Some(reason) = stop_reason {
            self.stop = Some(Stop::parse(reason)?);
        }
        Ok(Vec::new())
    }

    fn block(&mut self, index: usize) -> Result<&mut Block, ModelError> {
        self.blocks
            .get_mut(&index)
            .ok_or_else(|| protocol(format!("block {index} has not started")))
    }

    fn count_bytes(&mut self, added: usize) -> Result<(), ModelError> {
        self.len_bytes = self.len_bytes.saturating_add(added);
        if self.len_bytes > MESSAGE_LEN_BYTES_MAX {
            return Err(protocol(format!(
                "the message is longer than {MESSAGE_LEN_BYTES_MAX} bytes"
            )));
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "stream_tests.rs"]
mod tests;
