//! The calls of an answer, put together from pieces of which each server marks differently where they belong.
//!
//! OpenAI counts the calls (`index`) and gives id and name with the first piece. Ollama gives every call in one piece,
//! and some of its versions count none of them or all as 0; other servers give no ids, the same id twice, or all members
//! with every piece.

use serde_json::Value;

use super::super::reply::CUT_OFF;
use super::super::written::json_text;
use super::chunk::{CallDelta, FunctionDelta};
use crate::model::ModelError;
use crate::model::answer::Part;
use crate::model::bounds::{CALLS_MAX, Taken, protocol};
use crate::model::call::CallId;
use crate::model::proposed::Proposed;
use crate::model::sorted_json::Sorted;

/// The calls so far, in the order in which they began.
#[derive(Debug, Default)]
pub(super) struct Calls {
    calls: Vec<Call>,
}

#[derive(Debug)]
struct Call {
    index: Option<usize>,
    id: Option<String>,
    tool: String,
    arguments: String,
}

impl Calls {
    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// Takes in a piece.
    ///
    /// # Errors
    /// [`ModelError::Protocol`] for a piece that continues no call or another one than it says, and beyond the bounds.
    pub(super) fn take(&mut self, delta: CallDelta, taken: &mut Taken) -> Result<(), ModelError> {
        let CallDelta { index, id, function } = delta;
        let FunctionDelta { name, arguments } = function.unwrap_or_default();
        let arguments = arguments_text(arguments)?;
        let len_bytes = [id.as_ref(), name.as_ref()].map(|text| text.map_or(0, String::len));
        taken.add(len_bytes.iter().sum::<usize>() + arguments.len())?;
        let piece = Call {
            index,
            id,
            tool: name.unwrap_or_default(),
            arguments,
        };
        if let Some(at) = self.continued_by(&piece) {
            return self.calls[at].grow(piece);
        }
        if piece.tool.is_empty() && piece.id.is_none() {
            return Err(protocol("a piece of a call that has not begun"));
        }
        if self.calls.len() == CALLS_MAX {
            return Err(protocol(format!("more than {CALLS_MAX} calls")));
        }
        self.calls.push(piece);
        Ok(())
    }

    /// The place of the call that `piece` is a piece of; nothing if it begins one.
    fn continued_by(&self, piece: &Call) -> Option<usize> {
        let mut latest_first = self.calls.iter().enumerate().rev();
        let (at, call) = match (piece.index, &piece.id) {
            (Some(index), _) => latest_first.find(|(_, call)| call.index == Some(index)),
            (None, Some(id)) => latest_first.find(|(_, call)| call.id.as_ref() == Some(id)),
            (None, None) if piece.tool.is_empty() => latest_first.next(),
            (None, None) => None,
        }?;
        let has_another_id = matches!((&call.id, &piece.id), (Some(one), Some(other)) if one != other);
        let begins_anew = !piece.tool.is_empty() && !piece.arguments.trim().is_empty() && call.is_whole();
        (!has_another_id && !begins_anew).then_some(at)
    }

    /// The parts of the answer that they become. `turn` is its number, for the names of calls that have none.
    pub(super) fn parts(&self, turn: usize) -> Vec<Part> {
        self.proposed(turn, |call| call.part())
    }

    /// The same calls of an answer that was cut off: the last one is only made if it is whole.
    pub(super) fn cut_off(&self, turn: usize) -> Vec<Part> {
        let mut parts = self.parts(turn);
        if let Some(last) = self.calls.last()
            && !last.is_whole()
        {
            parts.pop();
            parts.extend(self.void(turn, CUT_OFF).pop());
        }
        parts
    }

    /// The same calls as such that must not be made, because of `problem`.
    pub(super) fn void(&self, turn: usize, problem: &str) -> Vec<Part> {
        self.proposed(turn, |call| call.void(problem))
    }

    fn proposed(&self, turn: usize, part: impl Fn(Proposed<'_>) -> Part) -> Vec<Part> {
        let ids = self.ids(turn);
        let calls = self.calls.iter().zip(&ids);
        calls
            .map(|(call, id)| {
                part(Proposed {
                    id,
                    tool: &call.tool,
                    arguments: &call.arguments,
                })
            })
            .collect()
    }

    /// An id for each call: its own where it has one that can be used and that no call before it has, otherwise one of
    /// ours.
    fn ids(&self, turn: usize) -> Vec<CallId> {
        let mut own: Vec<Option<CallId>> = Vec::new();
        for call in &self.calls {
            let id = call.id.clone().and_then(CallId::new);
            own.push(id.filter(|id| !own.contains(&Some(id.clone()))));
        }
        let mut free = (1..)
            .map(|number| CallId::numbered(turn, number))
            .filter(|id| !own.contains(&Some(id.clone())));
        own.iter()
            .map(|id| {
                id.clone()
                    .or_else(|| free.next())
                    .expect("there are numbers without end")
            })
            .collect()
    }
}

impl Call {
    fn grow(&mut self, piece: Self) -> Result<(), ModelError> {
        if self.tool.is_empty() {
            self.tool = piece.tool;
        } else if !piece.tool.is_empty() && piece.tool != self.tool {
            return Err(protocol("a call changed its name"));
        }
        self.id = self.id.take().or(piece.id);
        self.arguments.push_str(&piece.arguments);
        Ok(())
    }

    /// Whether its arguments are complete, so that more would be those of another call.
    fn is_whole(&self) -> bool {
        matches!(serde_json::from_str(&self.arguments), Ok(Value::Object(_)))
    }
}

fn arguments_text(arguments: Value) -> Result<String, ModelError> {
    match arguments {
        Value::Null => Ok(String::new()),
        Value::String(text) => Ok(text),
        Value::Object(_) => Ok(json_text(&Sorted(&arguments))),
        _ => Err(protocol("arguments that are neither a text nor an object")),
    }
}

#[cfg(test)]
#[path = "calls_tests.rs"]
mod tests;
