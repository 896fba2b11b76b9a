//! One content block as it comes in, and the part of an answer that it becomes.

use std::borrow::Cow;

use countersign_identity::strict_json;
use serde_json::{Map, Value};

use super::FORMAT;
use super::event::Delta;
use crate::model::ModelError;
use crate::model::answer::{AdviceContent, Opaque, Part};
use crate::model::bounds::protocol;
use crate::model::call::{CallId, ToolCall};
use crate::model::proposed::Proposed;
use crate::model::sorted_json::Sorted;

/// A block between its start and the end of its message.
#[derive(Debug)]
pub(super) struct Block {
    kind: Kind,
    /// How it started. What came later is added to `kind`.
    start: Map<String, Value>,
    /// JSON text of its input so far.
    input: String,
    state: State,
}

#[derive(Debug)]
enum Kind {
    Text(String),
    Call {
        id: CallId,
        tool: String,
    },
    /// Everything else, known or not: kept as it is, to be sent back.
    Sealed(Map<String, Value>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Fresh,
    Growing,
    Stopped,
}

/// What a consultation on the provider's side came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Consultation {
    /// The provider's id of it.
    pub(super) id: CallId,
    /// What was said.
    pub(super) content: AdviceContent,
}

impl Block {
    /// Begins with `start`, the `content_block` of its first event.
    ///
    /// # Errors
    /// [`ModelError::Protocol`] for a block without a type, or a call without a name or a usable id.
    pub(super) fn new(start: Map<String, Value>) -> Result<Self, ModelError> {
        let text = |member: &str| start.get(member).and_then(Value::as_str);
        let kind = match text("type") {
            None => return Err(protocol("a block without a type")),
            Some("text") => Kind::Text(text("text").unwrap_or_default().to_owned()),
            Some("tool_use") => Kind::Call {
                id: usable_id(text("id"))?,
                tool: text("name")
                    .ok_or_else(|| protocol("a call without a name"))?
                    .to_owned(),
            },
            Some(_) => Kind::Sealed(start.clone()),
        };
        Ok(Self {
            kind,
            start,
            input: String::new(),
            state: State::Fresh,
        })
    }

    /// The text it began with.
    pub(super) fn first_text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(text) if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    /// Whether it is words of the answer.
    pub(super) fn is_text(&self) -> bool {
        matches!(self.kind, Kind::Text(_))
    }

    /// The id, if it is a call.
    pub(super) fn call_id(&self) -> Option<&CallId> {
        match &self.kind {
            Kind::Call { id, .. } => Some(id),
            _ => None,
        }
    }

    /// Whether `start` is its start once more, and nothing came in between.
    pub(super) fn is_repeated_by(&self, start: &Map<String, Value>) -> bool {
        self.state == State::Fresh && self.start == *start
    }

    /// Whether its end has not come yet.
    pub(super) fn is_open(&self) -> bool {
        self.state != State::Stopped
    }

    /// Takes in `delta`. A type of delta that is not known changes nothing.
    ///
    /// # Errors
    /// [`ModelError::Protocol`] for a block that has stopped, and for a delta that does not fit it.
    pub(super) fn grow(&mut self, delta: &Delta) -> Result<(), ModelError> {
        if !self.is_open() {
            return Err(protocol("a delta for a block that has stopped"));
        }
        self.state = State::Growing;
        match (&mut self.kind, delta) {
            (_, Delta::Other) => {}
            (Kind::Text(text), Delta::Text { text: added }) => text.push_str(added),
            (Kind::Call { .. } | Kind::Sealed(_), Delta::InputJson { partial_json }) => {
                self.input.push_str(partial_json);
            }
            (Kind::Sealed(members), Delta::Text { text }) => extend(members, "text", text),
            (Kind::Sealed(members), Delta::Thinking { thinking }) => extend(members, "thinking", thinking),
            (Kind::Sealed(members), Delta::Signature { signature }) => {
                members.insert("signature".to_owned(), signature.clone().into());
            }
            _ => return Err(protocol("a delta that does not fit its block")),
        }
        Ok(())
    }

    /// Its end has come. Gives the call, if it is one that can be recorded.
    ///
    /// # Errors
    /// [`ModelError::Protocol`] for a block that has stopped already, and for an input of the provider's own that is
    /// no JSON.
    pub(super) fn stop(&mut self) -> Result<Option<ToolCall>, ModelError> {
        if !self.is_open() {
            return Err(protocol("a block stopped twice"));
        }
        self.state = State::Stopped;
        if let Kind::Sealed(members) = &mut self.kind
            && !self.input.is_empty()
        {
            let input = strict_json::parse(self.input.as_bytes())
                .map_err(|error| protocol(format!("the input of a provider's tool: {error}")))?;
            members.insert("input".to_owned(), input);
        }
        match self.part() {
            Some(Part::Call(call)) => Ok(Some(call)),
            _ => Ok(None),
        }
    }

    /// What it is of an answer; nothing for an empty text.
    pub(super) fn part(&self) -> Option<Part> {
        match &self.kind {
            Kind::Text(text) => (!text.is_empty()).then(|| Part::Text(text.clone())),
            Kind::Call { id, tool } => {
                let arguments = &self.arguments();
                Some(Proposed { id, tool, arguments }.part())
            }
            Kind::Sealed(members) => Some(Part::Opaque(Opaque {
                format: FORMAT,
                block: json_text(members),
            })),
        }
    }

    /// What is left of it when the answer ended within it: the words, and a call nobody can complete. A thought that
    /// was not sealed is not taken back by the provider, so nothing is left of it.
    pub(super) fn cut_off(&self) -> Option<Part> {
        match &self.kind {
            Kind::Text(_) => self.part(),
            Kind::Call { .. } => self.void("it was cut off"),
            Kind::Sealed(_) => None,
        }
    }

    /// A call that must not be made, because of `problem`; nothing for another block.
    pub(super) fn void(&self, problem: &str) -> Option<Part> {
        match &self.kind {
            Kind::Call { id, tool } => {
                let arguments = &self.arguments();
                Some(Proposed { id, tool, arguments }.void(problem))
            }
            Kind::Text(_) | Kind::Sealed(_) => None,
        }
    }

    /// Whether it is a call of whose arguments nothing came in.
    pub(super) fn is_call_without_input(&self) -> bool {
        matches!(self.kind, Kind::Call { .. }) && self.input.is_empty() && self.given_input().is_none()
    }

    /// The consultation that it is the result of.
    ///
    /// # Errors
    /// [`ModelError::Protocol`] when the result cannot be told to belong to any.
    pub(super) fn consultation(&self) -> Result<Option<Consultation>, ModelError> {
        let Kind::Sealed(members) = &self.kind else {
            return Ok(None);
        };
        if members.get("type").and_then(Value::as_str) != Some("advisor_tool_result") {
            return Ok(None);
        }
        Ok(Some(Consultation {
            id: usable_id(members.get("tool_use_id").and_then(Value::as_str))?,
            content: advice(members.get("content").unwrap_or(&Value::Null)),
        }))
    }

    /// The arguments its start had already, as gateways send them that do not stream.
    fn given_input(&self) -> Option<&Map<String, Value>> {
        let given = self.start.get("input")?.as_object()?;
        (!given.is_empty()).then_some(given)
    }

    /// The text of its arguments.
    fn arguments(&self) -> Cow<'_, str> {
        match self.given_input() {
            Some(given) if self.input.is_empty() => json_text(given).into(),
            _ => self.input.as_str().into(),
        }
    }
}

/// How the provider's advisor answered. A form that did not exist when this was written is kept whole, as something
/// that only the provider reads.
fn advice(content: &Value) -> AdviceContent {
    let text = |member: &str| content[member].as_str().map(str::to_owned);
    let known = match content["type"].as_str() {
        Some("advisor_result") => text("text").map(AdviceContent::Readable),
        // Sealed in a form of the provider's own: the bytes are those of the text that stands for it.
        Some("advisor_redacted_result") => text("encrypted_content").map(|sealed| AdviceContent::Opaque(sealed.into())),
        Some("advisor_tool_result_error") => text("error_code").map(AdviceContent::Failed),
        _ => None,
    };
    known.unwrap_or_else(|| AdviceContent::Opaque(sorted_text(content).into()))
}

fn json_text(members: &Map<String, Value>) -> String {
    sorted_text(&Value::Object(members.clone()))
}

fn sorted_text(value: &Value) -> String {
    serde_json::to_string(&Sorted(value)).expect("what was read as JSON has a JSON form")
}

fn usable_id(id: Option<&str>) -> Result<CallId, ModelError> {
    id.and_then(CallId::new)
        .ok_or_else(|| protocol("a call without an id that can be used"))
}

fn extend(members: &mut Map<String, Value>, member: &str, added: &str) {
    match members.get_mut(member) {
        Some(Value::String(text)) => text.push_str(added),
        _ => {
            members.insert(member.to_owned(), added.into());
        }
    }
}
