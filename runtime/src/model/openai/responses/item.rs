//! One output item as it comes in, and the parts of an answer that it becomes.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::super::reply::FORMAT;
use super::super::written::json_text;
use super::event::{Speech, Words};
use crate::model::answer::{Opaque, Part};
use crate::model::bounds::{PARTS_MAX, Taken, protocol};
use crate::model::call::CallId;
use crate::model::proposed::Proposed;
use crate::model::sorted_json::Sorted;
use crate::model::{ModelError, ModelEvent};

/// An item between its announcement and the end of its answer.
#[derive(Debug)]
pub(super) struct Item {
    kind: Kind,
    /// How it was announced.
    announced: Map<String, Value>,
    state: State,
}

#[derive(Debug)]
enum Kind {
    Message {
        spoken: BTreeMap<usize, Spoken>,
        /// Whether it is on the way or final; models want to see it again.
        phase: Option<String>,
    },
    Call {
        id: CallId,
        tool: String,
        arguments: String,
        /// The provider says that it is not whole.
        is_cut: bool,
    },
    /// Everything else, known or not: kept as it is, to be sent back.
    Sealed(Map<String, Value>),
}

#[derive(Debug, PartialEq, Eq)]
struct Spoken {
    speech: Speech,
    text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Fresh,
    Growing,
    Ended,
}

impl Item {
    /// Begins with `item`, as it was announced. What it says already counts only when it says it at its end.
    ///
    /// # Errors
    /// [`ModelError::Protocol`] for an item without a type, or a call without a name or a usable id.
    pub(super) fn new(item: Map<String, Value>) -> Result<Self, ModelError> {
        let kind = match text(&item, "type") {
            None => return Err(protocol("an item without a type")),
            Some("message") => Kind::Message {
                spoken: BTreeMap::new(),
                phase: None,
            },
            Some("function_call") => Kind::Call {
                id: text(&item, "call_id")
                    .and_then(CallId::new)
                    .ok_or_else(|| protocol("a call without an id that can be used"))?,
                tool: text(&item, "name")
                    .ok_or_else(|| protocol("a call without a name"))?
                    .to_owned(),
                arguments: String::new(),
                is_cut: false,
            },
            Some(_) => Kind::Sealed(item.clone()),
        };
        Ok(Self {
            kind,
            announced: item,
            state: State::Fresh,
        })
    }

    /// Whether it goes by `id`. llama.cpp gives a call no id but the one of its result.
    pub(super) fn is_called(&self, id: &str) -> bool {
        id_of(&self.announced) == Some(id)
    }

    /// Whether `item` announces it once more, and nothing came in between.
    pub(super) fn is_repeated_by(&self, item: &Map<String, Value>) -> bool {
        self.state == State::Fresh && self.announced == *item
    }

    /// Whether its end has not come yet.
    pub(super) fn is_open(&self) -> bool {
        self.state != State::Ended
    }

    /// Whether the model refuses with it.
    pub(super) fn is_refusal(&self) -> bool {
        match &self.kind {
            Kind::Message { spoken, .. } => spoken.values().any(|spoken| spoken.speech == Speech::Refusal),
            Kind::Call { .. } | Kind::Sealed(_) => false,
        }
    }

    /// The id for the result, if it is a call.
    pub(super) fn call_id(&self) -> Option<&CallId> {
        match &self.kind {
            Kind::Call { id, .. } => Some(id),
            Kind::Message { .. } | Kind::Sealed(_) => None,
        }
    }

    /// Whether it is a call that nobody can make as it is.
    pub(super) fn is_cut_call(&self) -> bool {
        matches!(&self.kind, Kind::Call { is_cut, .. } if *is_cut || self.is_open())
    }

    /// Whether it is a call of whose arguments nothing came in.
    pub(super) fn is_call_without_arguments(&self) -> bool {
        matches!(&self.kind, Kind::Call { arguments, .. } if arguments.is_empty())
    }

    /// Takes in more words.
    ///
    /// # Errors
    /// [`ModelError::Protocol`] for an item that has ended, is no message, or says something else there.
    pub(super) fn speak(&mut self, words: &Words) -> Result<(), ModelError> {
        self.grow()?;
        let spoken = part_of(&mut self.kind, words.index, words.speech)?;
        spoken.text.push_str(&words.text);
        Ok(())
    }

    /// Takes in all that was said in one part, and gives it back if nothing of it had come in before.
    ///
    /// # Errors
    /// As [`Self::speak`], and for words that are not those that came in.
    pub(super) fn has_spoken(&mut self, words: &Words) -> Result<Option<String>, ModelError> {
        self.grow()?;
        let spoken = part_of(&mut self.kind, words.index, words.speech)?;
        adopt(&mut spoken.text, &words.text, |one, other| one == other, "words")
    }

    /// Takes in more of the text of its arguments.
    ///
    /// # Errors
    /// [`ModelError::Protocol`] for an item that has ended or is no call.
    pub(super) fn write(&mut self, added: &str) -> Result<(), ModelError> {
        self.grow()?;
        arguments_of(&mut self.kind)?.push_str(added);
        Ok(())
    }

    /// Takes in the whole text of its arguments, and gives it back if nothing of it had come in before.
    ///
    /// # Errors
    /// As [`Self::write`], and for arguments that are not those that came in.
    pub(super) fn has_written(&mut self, whole: &str) -> Result<Option<String>, ModelError> {
        self.grow()?;
        adopt(arguments_of(&mut self.kind)?, whole, is_same_json, "arguments")
    }

    /// Its end has come: `item` is the whole of it. Gives what of it was not shown before, and the call, if it is one
    /// that can be recorded.
    ///
    /// # Errors
    /// [`ModelError::Protocol`] for an item that has ended already, and for what is not what came in.
    pub(super) fn end(&mut self, item: &Map<String, Value>, taken: &mut Taken) -> Result<Vec<ModelEvent>, ModelError> {
        self.grow()?;
        let mut events = self.settle(item, taken)?;
        self.state = State::Ended;
        if !self.is_cut_call()
            && let Some(Part::Call(call)) = self.call()
        {
            events.push(ModelEvent::Call(call));
        }
        Ok(events)
    }

    /// Hears again, at the end of the answer, what the item is. Gives what of it was not shown before.
    ///
    /// # Errors
    /// [`ModelError::Protocol`] for what is not what came in.
    pub(super) fn confirm(
        &mut self,
        item: &Map<String, Value>,
        taken: &mut Taken,
    ) -> Result<Vec<ModelEvent>, ModelError> {
        match &self.kind {
            // Servers seal it anew each time; the first that was whole will do.
            Kind::Sealed(own) if own.get("type") == item.get("type") => Ok(Vec::new()),
            _ => self.settle(item, taken),
        }
    }

    /// The parts of an answer that it becomes. A call is one that must not be made because of `void`, if there is one.
    pub(super) fn parts(&self, void: Option<&str>) -> Vec<Part> {
        match &self.kind {
            Kind::Message { spoken, phase } => {
                let text: String = spoken.values().map(|spoken| spoken.text.as_str()).collect();
                if text.is_empty() {
                    return Vec::new();
                }
                let phase = phase.as_ref().map(|phase| {
                    // In the form of an item, but without its words: those are the text that follows.
                    sealed(&json!({ "type": "message", "phase": phase }))
                });
                phase.into_iter().chain([Part::Text(text)]).collect()
            }
            Kind::Call { .. } => match (void, self.proposed()) {
                (Some(problem), Some(call)) => vec![call.void(problem)],
                _ => self.call().into_iter().collect(),
            },
            // A thought that was not sealed is not taken back by the provider.
            Kind::Sealed(_) if self.is_open() => Vec::new(),
            Kind::Sealed(item) => vec![sealed(&Value::Object(item.clone()))],
        }
    }

    fn grow(&mut self) -> Result<(), ModelError> {
        if !self.is_open() {
            return Err(protocol("an event for an item that has ended"));
        }
        self.state = State::Growing;
        Ok(())
    }

    /// Takes over what `item` says and holds it against what came in.
    fn settle(&mut self, item: &Map<String, Value>, taken: &mut Taken) -> Result<Vec<ModelEvent>, ModelError> {
        if item.get("type") != self.announced.get("type") {
            return Err(protocol("an item changed its type"));
        }
        match &mut self.kind {
            Kind::Message { phase, .. } => {
                *phase = text(item, "phase").map(str::to_owned).or(phase.take());
                self.settle_words(item, taken)
            }
            Kind::Call {
                tool,
                arguments,
                is_cut,
                ..
            } => {
                *is_cut |= text(item, "status") == Some("incomplete");
                if text(item, "name").is_some_and(|name| name != tool) {
                    return Err(protocol("a call changed its name"));
                }
                if let Some(whole) = text(item, "arguments")
                    && adopt(arguments, whole, is_same_json, "arguments")?.is_some()
                {
                    taken.add(whole.len())?;
                }
                Ok(Vec::new())
            }
            Kind::Sealed(own) => {
                taken.add(json_text(item).len())?;
                own.clone_from(item);
                Ok(Vec::new())
            }
        }
    }

    fn settle_words(&mut self, item: &Map<String, Value>, taken: &mut Taken) -> Result<Vec<ModelEvent>, ModelError> {
        let Some(content) = item.get("content").and_then(Value::as_array) else {
            return Ok(Vec::new());
        };
        let (mut events, mut told) = (Vec::new(), Vec::new());
        for (index, part) in content.iter().enumerate() {
            let Some((speech, said)) = words(part) else { continue };
            let spoken = part_of(&mut self.kind, index, speech)?;
            told.push(index);
            if let Some(text) = adopt(&mut spoken.text, said, |one, other| one == other, "words")? {
                taken.add(text.len())?;
                events.push(ModelEvent::Text(text));
            }
        }
        if let Kind::Message { spoken, .. } = &self.kind
            && spoken
                .iter()
                .any(|(index, spoken)| !spoken.text.is_empty() && !told.contains(index))
        {
            return Err(protocol("words disappeared from a message"));
        }
        Ok(events)
    }

    fn proposed(&self) -> Option<Proposed<'_>> {
        match &self.kind {
            Kind::Call {
                id, tool, arguments, ..
            } => Some(Proposed { id, tool, arguments }),
            Kind::Message { .. } | Kind::Sealed(_) => None,
        }
    }

    fn call(&self) -> Option<Part> {
        self.proposed().map(|call| call.part())
    }
}

/// The part of a message at `index`, begun if it is not there.
fn part_of(kind: &mut Kind, index: usize, speech: Speech) -> Result<&mut Spoken, ModelError> {
    let Kind::Message { spoken, .. } = kind else {
        return Err(protocol("words for an item that is no message"));
    };
    if index >= PARTS_MAX {
        return Err(protocol(format!("more than {PARTS_MAX} parts of a message")));
    }
    let text = String::new();
    let spoken = spoken.entry(index).or_insert(Spoken { speech, text });
    if spoken.speech != speech {
        return Err(protocol("a message refuses and speaks in one part"));
    }
    Ok(spoken)
}

fn arguments_of(kind: &mut Kind) -> Result<&mut String, ModelError> {
    match kind {
        Kind::Call { arguments, .. } => Ok(arguments),
        Kind::Message { .. } | Kind::Sealed(_) => Err(protocol("arguments for an item that is no call")),
    }
}

/// Lets `whole` stand where nothing has come in, and gives it; otherwise it has to be the same.
fn adopt(
    known: &mut String,
    whole: &str,
    is_same: impl Fn(&str, &str) -> bool,
    what: &str,
) -> Result<Option<String>, ModelError> {
    if known.is_empty() && !whole.is_empty() {
        whole.clone_into(known);
        return Ok(Some(whole.to_owned()));
    }
    if !is_same(known, whole) {
        return Err(protocol(format!("the whole {what} are not those that came in pieces")));
    }
    Ok(None)
}

/// The same text, or the same JSON: servers write arguments anew.
fn is_same_json(one: &str, other: &str) -> bool {
    let parse = |text: &str| serde_json::from_str::<Value>(text).ok();
    one == other || parse(one).is_some_and(|one| parse(other) == Some(one))
}

/// The words of a part of a message; nothing for a part of another kind.
fn words(part: &Value) -> Option<(Speech, &str)> {
    match part["type"].as_str()? {
        "output_text" => Some((Speech::Text, part["text"].as_str()?)),
        "refusal" => Some((Speech::Refusal, part["refusal"].as_str()?)),
        _ => None,
    }
}

fn text<'a>(item: &'a Map<String, Value>, member: &str) -> Option<&'a str> {
    item.get(member).and_then(Value::as_str)
}

/// What an item is called by the events about it.
pub(super) fn id_of(item: &Map<String, Value>) -> Option<&str> {
    text(item, "id").or_else(|| text(item, "call_id"))
}

fn sealed(item: &Value) -> Part {
    Part::Opaque(Opaque {
        format: FORMAT,
        block: json_text(&Sorted(item)),
    })
}
