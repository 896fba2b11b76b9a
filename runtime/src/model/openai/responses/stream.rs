//! Reads one response of OpenAI's Responses API as it streams in
//! (<https://platform.openai.com/docs/api-reference/responses-streaming>): a state machine over the events, without
//! clock or network.
//!
//! Everything is told several times: in pieces, at the end of each item, and at the end of the response. Where a piece
//! is missing the later telling counts; where two contradict each other nothing does. What it does not know it leaves
//! alone. A stream that was cut short, or that was put together wrongly on its way, never passes for an answer.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::super::reply::{CUT_OFF, REFUSED, Reply, Restarts};
use super::super::written::json_text;
use super::event::{Ended, Ending, Event, Place, Words};
use super::item::{Item, id_of};
use crate::model::answer::{End, Part};
use crate::model::bounds::{CALLS_MAX, PARTS_MAX, Taken, protocol};
use crate::model::http::HttpError;
use crate::model::streamed::Decode;
use crate::model::{ModelError, ModelEvent};

/// What a decoder makes of the events it was given.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    response: Option<Response>,
    restarts: Restarts,
    ended: Option<Ended>,
}

#[derive(Debug, Default)]
struct Response {
    id: Option<String>,
    items: BTreeMap<usize, Item>,
    taken: Taken,
}

impl Decode for Decoder {
    type Reply = Reply;

    fn event(&mut self, name: &str, data: &str) -> Result<Vec<ModelEvent>, ModelError> {
        if self.ended.is_some() {
            return Ok(Vec::new());
        }
        match Event::parse(name, data)? {
            Event::Other => Ok(Vec::new()),
            Event::Started { id } => self.start(id),
            Event::ItemAdded { place, item } => self.response()?.announce(&place, item),
            Event::Spoke(words) => self.response()?.speak(words),
            Event::HasSpoken(words) => self.response()?.has_spoken(&words),
            Event::Wrote { place, text } => self.response()?.write(&place, &text),
            Event::HasWritten { place, text } => self.response()?.has_written(&place, &text),
            Event::ItemEnded { place, item } => self.response()?.end_item(&place, item),
            Event::Ended(mut ended) => {
                let events = self.response()?.end(&mut ended)?;
                self.ended = Some(ended);
                Ok(events)
            }
        }
    }

    fn is_stopped(&self) -> bool {
        self.ended.is_some()
    }

    fn finish(self) -> Result<Reply, ModelError> {
        let (Some(response), Some(ended)) = (self.response, self.ended) else {
            return Err(HttpError::Cut { source: None }.into());
        };
        let (parts, end) = response.into_parts(ended.ending)?;
        Ok(Reply {
            parts,
            usage: ended.usage,
            end,
            restarts: self.restarts,
        })
    }
}

impl Decoder {
    fn response(&mut self) -> Result<&mut Response, ModelError> {
        self.response
            .as_mut()
            .ok_or_else(|| protocol("the stream does not begin with a response"))
    }

    /// A response starts. A second start of the same one says nothing new.
    fn start(&mut self, id: Option<String>) -> Result<Vec<ModelEvent>, ModelError> {
        let events = match &self.response {
            Some(response) if is_same(response.id.as_deref(), id.as_deref()) => return Ok(Vec::new()),
            Some(_) => vec![self.restarts.another()?],
            None => Vec::new(),
        };
        self.response = Some(Response {
            id,
            ..Response::default()
        });
        Ok(events)
    }
}

impl Response {
    fn announce(&mut self, place: &Place, item: Map<String, Value>) -> Result<Vec<ModelEvent>, ModelError> {
        match self.find(place.index, id_of(&item)) {
            None => {
                self.add(place.index, item)?;
                Ok(Vec::new())
            }
            Some((_, known)) if known.is_repeated_by(&item) => Ok(Vec::new()),
            Some((index, _)) => Err(protocol(format!("item {index} was announced twice"))),
        }
    }

    fn speak(&mut self, words: Words) -> Result<Vec<ModelEvent>, ModelError> {
        self.taken.add(words.text.len())?;
        self.item(&words.place)?.speak(&words)?;
        let is_something = !words.text.is_empty();
        Ok(is_something
            .then_some(ModelEvent::Text(words.text))
            .into_iter()
            .collect())
    }

    fn has_spoken(&mut self, words: &Words) -> Result<Vec<ModelEvent>, ModelError> {
        let Some(text) = self.item(&words.place)?.has_spoken(words)? else {
            return Ok(Vec::new());
        };
        self.taken.add(text.len())?;
        Ok(vec![ModelEvent::Text(text)])
    }

    fn write(&mut self, place: &Place, added: &str) -> Result<Vec<ModelEvent>, ModelError> {
        self.taken.add(added.len())?;
        self.item(place)?.write(added)?;
        Ok(Vec::new())
    }

    fn has_written(&mut self, place: &Place, whole: &str) -> Result<Vec<ModelEvent>, ModelError> {
        if let Some(text) = self.item(place)?.has_written(whole)? {
            self.taken.add(text.len())?;
        }
        Ok(Vec::new())
    }

    fn end_item(&mut self, place: &Place, item: Map<String, Value>) -> Result<Vec<ModelEvent>, ModelError> {
        let index = match self.find(place.index, id_of(&item)) {
            Some((index, _)) => index,
            None => self.add(place.index, item.clone())?,
        };
        let known = self.items.get_mut(&index).ok_or_else(|| unknown(Some(index)))?;
        known.end(&item, &mut self.taken)
    }

    /// The response ends. What it holds is told once more.
    fn end(&mut self, ended: &mut Ended) -> Result<Vec<ModelEvent>, ModelError> {
        if !is_same(self.id.as_deref(), ended.id.as_deref()) {
            return Err(protocol("another response ended than the one that started"));
        }
        let output = std::mem::take(&mut ended.output);
        let (told, mut events) = (output.len(), Vec::new());
        for (index, item) in output.into_iter().enumerate() {
            match self.items.get_mut(&index) {
                Some(known) if !known.is_open() => events.extend(known.confirm(&item, &mut self.taken)?),
                Some(known) => events.extend(known.end(&item, &mut self.taken)?),
                None => {
                    let place = Place {
                        index: Some(index),
                        id: None,
                    };
                    events.extend(self.end_item(&place, item)?);
                }
            }
        }
        let is_whole = ended.ending == Ending::Completed;
        match self.items.keys().next_back() {
            Some(&last) if is_whole && told > 0 && last >= told => {
                Err(protocol(format!("item {last} disappeared from the response")))
            }
            _ => Ok(events),
        }
    }

    fn into_parts(self, ending: Ending) -> Result<(Vec<Part>, End), ModelError> {
        let is_refused = ending == Ending::Filtered || self.items.values().any(Item::is_refusal);
        let last = self.items.keys().next_back().copied();
        let mut parts = Vec::new();
        for (index, item) in &self.items {
            if ending == Ending::Completed && item.is_open() {
                return Err(protocol(format!("the response was completed within item {index}")));
            }
            let is_last_words = ending == Ending::Length && last == Some(*index);
            let is_cut = item.is_cut_call() || (is_last_words && item.is_call_without_arguments());
            let void = match (is_refused, is_cut) {
                (true, _) => Some(REFUSED),
                (false, true) => Some(CUT_OFF),
                (false, false) => None,
            };
            parts.extend(item.parts(void));
        }
        let is_call = |part: &Part| matches!(part, Part::Call(_) | Part::Malformed(_));
        let end = match ending {
            _ if is_refused => End::Refused,
            Ending::Length => End::Length,
            _ if parts.iter().any(is_call) => End::Calls,
            _ => End::Done,
        };
        Ok((parts, end))
    }

    /// The item at `index`, or, where no index is given, the one called `id`.
    fn find(&self, index: Option<usize>, id: Option<&str>) -> Option<(usize, &Item)> {
        let mut items = self.items.iter().map(|(index, item)| (*index, item));
        match (index, id) {
            (Some(index), _) => items.find(|(at, _)| *at == index),
            (None, Some(id)) => items.find(|(_, item)| item.is_called(id)),
            (None, None) => None,
        }
    }

    fn item(&mut self, place: &Place) -> Result<&mut Item, ModelError> {
        let index = self.find(place.index, place.id.as_deref()).map(|(index, _)| index);
        let known = index.and_then(|index| self.items.get_mut(&index));
        known.ok_or_else(|| unknown(place.index))
    }

    /// Puts in a new item, behind all others if it does not say where, and tells where.
    fn add(&mut self, index: Option<usize>, item: Map<String, Value>) -> Result<usize, ModelError> {
        let next = || self.items.keys().next_back().map_or(0, |last| last + 1);
        let index = index.unwrap_or_else(next);
        if index >= PARTS_MAX {
            return Err(protocol(format!("item {index}: more than {PARTS_MAX} items")));
        }
        self.taken.add(json_text(&item).len())?;
        let item = Item::new(item)?;
        if let Some(id) = item.call_id() {
            let others = || self.items.values().filter_map(Item::call_id);
            if others().any(|other| other == id) {
                return Err(protocol("two calls with the same id"));
            }
            if others().count() == CALLS_MAX {
                return Err(protocol(format!("more than {CALLS_MAX} calls")));
            }
        }
        self.items.insert(index, item);
        Ok(index)
    }
}

/// Whether two ids can be those of one response: some servers leave them out.
fn is_same(one: Option<&str>, other: Option<&str>) -> bool {
    one.is_none() || other.is_none() || one == other
}

fn unknown(index: Option<usize>) -> ModelError {
    protocol(match index {
        Some(index) => format!("item {index} was not announced"),
        None => "an event for an item that was not announced".to_owned(),
    })
}

#[cfg(test)]
#[path = "stream_tests.rs"]
mod tests;
