//! The events of a Responses stream, as far as they mean something here
//! (<https://platform.openai.com/docs/api-reference/responses-streaming>).

use countersign_schemas::body::Tokens;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::super::failure::{reported, reported_by};
use super::super::usage::RESPONSES;
use crate::model::ModelError;
use crate::model::bounds::protocol;
use crate::model::http::HttpError;

/// One server-sent event.
#[derive(Debug)]
pub(super) enum Event {
    /// `response.created`, and what repeats it: `response.queued`, `response.in_progress`.
    Started { id: Option<String> },
    /// `response.output_item.added`; what stands in the item may be incomplete.
    ItemAdded { place: Place, item: Map<String, Value> },
    /// `response.output_text.delta` and `response.refusal.delta`.
    Spoke(Words),
    /// `response.output_text.done` and `response.refusal.done`: all that was spoken.
    HasSpoken(Words),
    /// `response.function_call_arguments.delta`
    Wrote { place: Place, text: String },
    /// `response.function_call_arguments.done`: all that was written.
    HasWritten { place: Place, text: String },
    /// `response.output_item.done`: the whole item.
    ItemEnded { place: Place, item: Map<String, Value> },
    /// `response.completed` and `response.incomplete`
    Ended(Ended),
    /// Nothing that changes the answer, or a type that did not exist when this was written.
    Other,
}

/// The item that an event is about. OpenAI gives both, llama.cpp only the id.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Place {
    /// Its place in the answer.
    #[serde(rename = "output_index")]
    pub(super) index: Option<usize>,
    /// Its id.
    #[serde(rename = "item_id")]
    pub(super) id: Option<String>,
}

/// A part of a message.
#[derive(Debug)]
pub(super) struct Words {
    /// The message.
    pub(super) place: Place,
    /// The place of the part in it.
    pub(super) index: usize,
    /// What it is.
    pub(super) speech: Speech,
    /// The words.
    pub(super) text: String,
}

/// What a model says with its words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speech {
    /// `output_text`
    Text,
    /// `refusal`: that it will not.
    Refusal,
}

/// The end of an answer.
#[derive(Debug)]
pub(super) struct Ended {
    /// Of which.
    pub(super) id: Option<String>,
    /// Why it ended.
    pub(super) ending: Ending,
    /// All items of it once more; some servers leave them out.
    pub(super) output: Vec<Map<String, Value>>,
    /// What it took.
    pub(super) usage: Tokens,
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// `completed`
    Completed,
    /// `incomplete`, by `max_output_tokens`.
    Length,
    /// `incomplete`, by `content_filter`.
    Filtered,
}

#[derive(Deserialize)]
struct Start {
    response: Started,
}

#[derive(Deserialize)]
struct Started {
    id: Option<String>,
}

#[derive(Deserialize)]
struct ItemEvent {
    #[serde(flatten)]
    place: Place,
    item: Map<String, Value>,
}

#[derive(Deserialize)]
struct TextEvent {
    #[serde(flatten)]
    place: Place,
    content_index: Option<usize>,
    #[serde(alias = "text", alias = "refusal", alias = "arguments")]
    delta: String,
}

#[derive(Deserialize)]
struct End {
    response: EndedResponse,
}

#[derive(Deserialize)]
struct EndedResponse {
    id: Option<String>,
    status: Option<String>,
    output: Option<Vec<Map<String, Value>>>,
    #[serde(default)]
    usage: Value,
    incomplete_details: Option<Details>,
    #[serde(default)]
    error: Value,
}

#[derive(Deserialize)]
struct Details {
    reason: Option<String>,
}

impl Event {
    /// Reads the event called `name` with `data`. The type within the data counts before the name, because gateways
    /// leave the name away. Data of an unknown type is not looked at.
    ///
    /// # Errors
    /// [`ModelError::Protocol`] for data that does not have the form of its type, [`ModelError::Http`] for an error
    /// that is reported.
    pub(super) fn parse(name: &str, data: &str) -> Result<Self, ModelError> {
        let value: Value = match serde_json::from_str(data) {
            Ok(value) => value,
            Err(_) if name == "error" => Value::String(data.to_owned()),
            Err(error) if name.starts_with("response.") => return Err(protocol(format!("{name}: {error}"))),
            Err(_) => return Ok(Self::Other),
        };
        let kind = value["type"].as_str().unwrap_or(name).to_owned();
        match kind.as_str() {
            "response.created" | "response.queued" | "response.in_progress" => {
                let Start { response } = read(&kind, value)?;
                Ok(Self::Started { id: response.id })
            }
            "response.output_item.added" => {
                let ItemEvent { place, item } = read(&kind, value)?;
                Ok(Self::ItemAdded { place, item })
            }
            "response.output_text.delta" => Ok(Self::Spoke(words(&kind, value, Speech::Text)?)),
            "response.refusal.delta" => Ok(Self::Spoke(words(&kind, value, Speech::Refusal)?)),
            "response.output_text.done" => Ok(Self::HasSpoken(words(&kind, value, Speech::Text)?)),
            "response.refusal.done" => Ok(Self::HasSpoken(words(&kind, value, Speech::Refusal)?)),
            "response.function_call_arguments.delta" => {
                let TextEvent { place, delta, .. } = read(&kind, value)?;
                Ok(Self::Wrote { place, text: delta })
            }
            "response.function_call_arguments.done" => {
                let TextEvent { place, delta, .. } = read(&kind, value)?;
                Ok(Self::HasWritten { place, text: delta })
            }
            "response.output_item.done" => {
                let ItemEvent { place, item } = read(&kind, value)?;
                Ok(Self::ItemEnded { place, item })
            }
            "response.completed" | "response.incomplete" | "response.failed" => ended(&kind, value).map(Self::Ended),
            "error" => Err(reported(&value).into()),
            "" => reported_by(&value).map_or(Ok(Self::Other), |error| Err(error.into())),
            _ => Ok(Self::Other),
        }
    }
}

fn words(kind: &str, event: Value, speech: Speech) -> Result<Words, ModelError> {
    let TextEvent {
        place,
        content_index,
        delta,
    } = read(kind, event)?;
    Ok(Words {
        place,
        index: content_index.unwrap_or(0),
        speech,
        text: delta,
    })
}

/// The end as its event or its status tells it, whichever is worse: vLLM says `response.completed` of what is not.
fn ended(kind: &str, event: Value) -> Result<Ended, ModelError> {
    let End { response } = read(kind, event)?;
    let is = |word: &str| response.status.as_deref() == Some(word) || kind.strip_prefix("response.") == Some(word);
    if is("failed") {
        return Err(failed(&response.error).into());
    }
    let reason = response.incomplete_details.and_then(|details| details.reason);
    let ending = match (is("incomplete"), reason.as_deref()) {
        (false, _) => Ending::Completed,
        (true, Some("max_output_tokens")) => Ending::Length,
        (true, Some("content_filter")) => Ending::Filtered,
        (true, reason) => {
            let reason = reason.unwrap_or_default();
            return Err(protocol(format!(
                "it is incomplete, and the reason {reason:?} is not known"
            )));
        }
    };
    Ok(Ended {
        id: response.id,
        ending,
        output: response.output.unwrap_or_default(),
        usage: RESPONSES.read(&response.usage)?,
    })
}

fn failed(error: &Value) -> HttpError {
    if error.is_null() {
        return HttpError::Reported {
            kind: None,
            message: "it does not say why".to_owned(),
        };
    }
    reported(error)
}

fn read<T: DeserializeOwned>(kind: &str, value: Value) -> Result<T, ModelError> {
    serde_json::from_value(value).map_err(|error| protocol(format!("{kind}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn type_in_the_data_counts_before_the_name() {
        let data = r#"{"type":"response.output_text.delta","output_index":3,"content_index":1,"delta":"x"}"#;
        for name in ["", "message", "ping", "response.completed"] {
            let read = Event::parse(name, data);
            assert!(
                matches!(&read, Ok(Event::Spoke(words)) if words.place.index == Some(3) && words.index == 1),
                "{name}: {read:?}"
            );
        }
        let started = Event::parse("response.created", r#"{"response":{"id":"resp_1"}}"#);
        assert!(matches!(started, Ok(Event::Started { id: Some(id) }) if id == "resp_1"));
    }

    #[test]
    fn what_is_unknown_is_not_looked_at() {
        for (name, data) in [
            ("keepalive", r#"{"type":"keepalive","sequence_number":-1}"#),
            ("ping", "not json"),
            ("", "[DONE]"),
            (
                "response.weather.delta",
                r#"{"type":"response.weather.delta","delta":7}"#,
            ),
            (
                "response.content_part.added",
                r#"{"type":"response.content_part.added"}"#,
            ),
            ("", "[1,2]"),
            ("", "null"),
            ("", "{}"),
        ] {
            assert!(matches!(Event::parse(name, data), Ok(Event::Other)), "{name} {data}");
        }
    }

    #[test]
    fn event_without_its_form_is_a_protocol_error() {
        for (name, data) in [
            ("response.created", "{"),
            ("response.created", "{}"),
            ("response.created", r#"{"response":{"id":7}}"#),
            ("response.output_item.added", r#"{"output_index":0}"#),
            ("response.output_item.added", r#"{"output_index":-1,"item":{}}"#),
            ("response.output_item.done", r#"{"output_index":0,"item":[]}"#),
            ("response.output_text.delta", r#"{"output_index":"0","delta":""}"#),
            ("response.output_text.delta", r#"{"output_index":0,"delta":null}"#),
            (
                "response.output_text.delta",
                r#"{"output_index":0,"content_index":1.5,"delta":""}"#,
            ),
            ("response.output_text.done", r#"{"output_index":0}"#),
            ("response.refusal.delta", r#"{"delta":{"text":"no"}}"#),
            (
                "response.function_call_arguments.delta",
                r#"{"output_index":1e99,"delta":""}"#,
            ),
            ("response.function_call_arguments.done", r#"{"arguments":{}}"#),
            ("response.completed", "{}"),
            ("response.completed", r#"{"response":{"output":{}}}"#),
            ("response.completed", r#"{"response":{"output":[7]}}"#),
            ("response.completed", r#"{"response":{"usage":{"output_tokens":-1}}}"#),
            ("response.incomplete", r#"{"response":{}}"#),
            (
                "response.incomplete",
                r#"{"response":{"incomplete_details":{"reason":"bored"}}}"#,
            ),
            ("response.failed", "[]"),
        ] {
            let read = Event::parse(name, data);
            assert!(
                matches!(read, Err(ModelError::Protocol { .. })),
                "{name} {data}: {read:?}"
            );
        }
    }

    #[test]
    fn worse_of_event_and_status_counts() {
        let length = json!({"reason": "max_output_tokens"});
        for (kind, status, details, expected) in [
            ("response.completed", json!("completed"), Value::Null, Ending::Completed),
            ("response.completed", Value::Null, Value::Null, Ending::Completed),
            (
                "response.completed",
                json!("incomplete"),
                length.clone(),
                Ending::Length,
            ),
            ("response.incomplete", json!("completed"), length, Ending::Length),
            (
                "response.incomplete",
                json!("incomplete"),
                json!({"reason": "content_filter"}),
                Ending::Filtered,
            ),
        ] {
            let event = json!({"type": kind, "response": {"status": status, "incomplete_details": details}});
            let read = Event::parse("", &event.to_string());
            assert!(
                matches!(&read, Ok(Event::Ended(ended)) if ended.ending == expected),
                "{event}: {read:?}"
            );
        }
    }

    #[test]
    fn error_is_one_in_whatever_form() {
        for (name, data, transient) in [
            (
                "error",
                r#"{"type":"error","code":"server_error","message":"Sorry","param":null}"#,
                true,
            ),
            (
                "error",
                r#"{"type":"error","error":{"type":"tokens","code":"rate_limit_exceeded"}}"#,
                true,
            ),
            (
                "error",
                r#"{"type":"error","error":{"code":"insufficient_quota"}}"#,
                false,
            ),
            (
                "response.failed",
                r#"{"response":{"error":{"code":"server_error","message":"Sorry"}}}"#,
                true,
            ),
            (
                "response.failed",
                r#"{"response":{"error":{"code":"invalid_prompt","message":"No"}}}"#,
                false,
            ),
            ("response.failed", r#"{"response":{"error":null}}"#, false),
            (
                "response.completed",
                r#"{"response":{"status":"failed","error":{"code":"server_error"}}}"#,
                true,
            ),
            (
                "",
                r#"{"error":{"message":"out of memory","type":"server_error","code":500}}"#,
                true,
            ),
            ("error", "upstream went away", false),
        ] {
            let read = Event::parse(name, data);
            assert!(
                matches!(&read, Err(ModelError::Http(error)) if error.is_transient() == transient),
                "{data}: {read:?}"
            );
        }
    }
}
