//! Reads one message of the Anthropic Messages API as it streams in
//! (<https://platform.claude.com/docs/en/build-with-claude/streaming>): a state machine over the events, without clock
//! or network.
//!
//! What it can be sure of it takes, what it does not know it leaves alone, and what contradicts itself it refuses:
//! a stream that was cut short, or that was put together wrongly on its way, never passes for an answer.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::block::Block;
use super::event::{Delta, Event};
use super::reply::{Reply, Stop};
use super::usage::Usage;
use crate::model::bounds::{CALLS_MAX, PARTS_MAX, RESTARTS_MAX, Taken, protocol};
use crate::model::http::HttpError;
use crate::model::streamed::Decode;
use crate::model::{ModelError, ModelEvent};

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
    taken: Taken,
    usage: Usage,
    stop: Option<Stop>,
}

impl Decode for Decoder {
    type Reply = Reply;

    fn event(&mut self, name: &str, data: &str) -> Result<Vec<ModelEvent>, ModelError> {
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

    fn is_stopped(&self) -> bool {
        self.stopped
    }

    fn finish(self) -> Result<Reply, ModelError> {
        let message = self
            .message
            .filter(|_| self.stopped)
            .ok_or(HttpError::Cut { source: None })?;
        let stop = message
            .stop
            .ok_or_else(|| protocol("the message stopped without a reason"))?;
        Reply::new(message.blocks.into_values(), message.usage, stop, self.restarts)
    }
}

impl Decoder {
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
            taken: Taken::default(),
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
        if index >= PARTS_MAX {
            return Err(protocol(format!("block {index}: more than {PARTS_MAX} blocks")));
        }
        if let Some(block) = self.blocks.get(&index) {
            return match block.is_repeated_by(&start) {
                true => Ok(Vec::new()),
                false => Err(protocol(format!("block {index} started twice"))),
            };
        }
        self.taken.add(Value::Object(start.clone()).to_string().len())?;
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
        self.taken.add(delta.len_bytes())?;
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
}

#[cfg(test)]
#[path = "stream_tests.rs"]
mod tests;
