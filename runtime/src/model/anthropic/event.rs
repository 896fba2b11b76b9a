//! The events of an Anthropic stream, as far as they mean something here
//! (<https://platform.claude.com/docs/en/build-with-claude/streaming>).

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::model::ModelError;
use crate::model::bounds::protocol;
use crate::model::http::HttpError;

/// One server-sent event.
#[derive(Debug)]
pub(super) enum Event {
    /// `message_start`
    Started { id: String, usage: Value },
    /// `content_block_start`
    BlockStarted { index: usize, block: Map<String, Value> },
    /// `content_block_delta`
    BlockGrew { index: usize, delta: Delta },
    /// `content_block_stop`
    BlockStopped { index: usize },
    /// `message_delta`; the counts of its usage are totals.
    Changed { stop_reason: Option<String>, usage: Value },
    /// `message_stop`
    Stopped,
    /// Nothing that changes the answer: a `ping`, or a type that did not exist when this was written.
    Other,
}

/// What is added to a block.
#[derive(Debug, Deserialize)]
#[serde(tag = "type")]
pub(super) enum Delta {
    /// More of the text.
    #[serde(rename = "text_delta")]
    Text { text: String },
    /// More of the JSON text of `input`, cut anywhere.
    #[serde(rename = "input_json_delta")]
    InputJson { partial_json: String },
    /// More of a thought.
    #[serde(rename = "thinking_delta")]
    Thinking { thinking: String },
    /// The seal of a thought.
    #[serde(rename = "signature_delta")]
    Signature { signature: String },
    /// A type that did not exist when this was written, or that is not kept: citations.
    #[serde(other)]
    Other,
}

impl Delta {
    /// The bytes it adds.
    pub(super) fn len_bytes(&self) -> usize {
        match self {
            Self::Text { text: added }
            | Self::InputJson { partial_json: added }
            | Self::Thinking { thinking: added }
            | Self::Signature { signature: added } => added.len(),
            Self::Other => 0,
        }
    }
}

#[derive(Deserialize)]
struct Start {
    message: StartedMessage,
}

#[derive(Deserialize)]
struct StartedMessage {
    #[serde(default)]
    id: String,
    #[serde(default)]
    usage: Value,
}

#[derive(Deserialize)]
struct BlockStart {
    index: usize,
    content_block: Map<String, Value>,
}

#[derive(Deserialize)]
struct BlockDelta {
    index: usize,
    delta: Delta,
}

#[derive(Deserialize)]
struct BlockStop {
    index: usize,
}

#[derive(Deserialize)]
struct MessageDelta {
    delta: MessageChange,
    #[serde(default)]
    usage: Value,
}

#[derive(Deserialize)]
struct MessageChange {
    stop_reason: Option<String>,
}

impl Event {
    /// Reads the event called `name` with `data`. The type within the data counts before the name, because gateways
    /// leave the name away. Data of an unknown type is not looked at.
    ///
    /// # Errors
    /// [`ModelError::Protocol`] for data that does not have the form of its type, [`HttpError::Reported`] for an
    /// `error`.
    pub(super) fn parse(name: &str, data: &str) -> Result<Self, ModelError> {
        let value: Value = match serde_json::from_str(data) {
            Ok(value) => value,
            Err(_) if name == "error" => Value::String(data.to_owned()),
            Err(error) if is_known(name) => return Err(protocol(format!("{name}: {error}"))),
            Err(_) => return Ok(Self::Other),
        };
        let kind = value["type"].as_str().unwrap_or(name).to_owned();
        Ok(match kind.as_str() {
            "message_start" => {
                let Start { message } = read(&kind, value)?;
                Self::Started {
                    id: message.id,
                    usage: message.usage,
                }
            }
            "content_block_start" => {
                let BlockStart { index, content_block } = read(&kind, value)?;
                Self::BlockStarted {
                    index,
                    block: content_block,
                }
            }
            "content_block_delta" => {
                let BlockDelta { index, delta } = read(&kind, value)?;
                Self::BlockGrew { index, delta }
            }
            "content_block_stop" => {
                let BlockStop { index } = read(&kind, value)?;
                Self::BlockStopped { index }
            }
            "message_delta" => {
                let MessageDelta { delta, usage } = read(&kind, value)?;
                Self::Changed {
                    stop_reason: delta.stop_reason,
                    usage,
                }
            }
            "message_stop" => Self::Stopped,
            "error" => return Err(HttpError::reported(&value).into()),
            _ => Self::Other,
        })
    }
}

fn is_known(name: &str) -> bool {
    name.starts_with("message_") || name.starts_with("content_block_")
}

fn read<T: DeserializeOwned>(kind: &str, value: Value) -> Result<T, ModelError> {
    serde_json::from_value(value).map_err(|error| protocol(format!("{kind}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn type_in_the_data_counts_before_the_name() {
        for name in ["", "message", "ping", "message_stop"] {
            let read = Event::parse(name, r#"{"type":"content_block_stop","index":3}"#);
            assert!(matches!(read, Ok(Event::BlockStopped { index: 3 })), "{name}");
        }
        assert!(matches!(Event::parse("message_stop", "{}"), Ok(Event::Stopped)));
    }

    #[test]
    fn what_is_unknown_is_not_looked_at() {
        for (name, data) in [
            ("ping", "{\"type\": \"ping\"}"),
            ("ping", "not json"),
            ("", "[DONE]"),
            ("weather", "{\"type\":\"weather\",\"index\":-1}"),
            ("", "[1,2]"),
            ("", "null"),
        ] {
            assert!(matches!(Event::parse(name, data), Ok(Event::Other)), "{name} {data}");
        }
        let delta = r#"{"type":"content_block_delta","index":0,"delta":{"type":"scent_delta","scent":7}}"#;
        let read = Event::parse("content_block_delta", delta);
        assert!(matches!(
            read,
            Ok(Event::BlockGrew {
                delta: Delta::Other,
                ..
            })
        ));
    }

    #[test]
    fn event_without_its_form_is_a_protocol_error() {
        for (name, data) in [
            ("message_start", "{"),
            ("message_start", r#"{"type":"message_start"}"#),
            ("message_start", r#"{"type":"message_start","message":{"id":7}}"#),
            ("content_block_start", r#"{"index":0}"#),
            ("content_block_start", r#"{"index":-1,"content_block":{}}"#),
            ("content_block_start", r#"{"index":0,"content_block":[]}"#),
            (
                "content_block_delta",
                r#"{"index":"0","delta":{"type":"text_delta","text":""}}"#,
            ),
            ("content_block_delta", r#"{"index":0,"delta":{"type":"text_delta"}}"#),
            (
                "content_block_delta",
                r#"{"index":0,"delta":{"type":"text_delta","text":null}}"#,
            ),
            ("content_block_delta", r#"{"index":0,"delta":{}}"#),
            ("content_block_stop", r#"{"index":1e99}"#),
            ("message_delta", r#"{"usage":{}}"#),
            ("message_delta", r#"{"delta":{"stop_reason":1}}"#),
        ] {
            let read = Event::parse(name, data);
            assert!(matches!(read, Err(ModelError::Protocol { .. })), "{data}: {read:?}");
        }
    }

    #[test]
    fn error_is_one_in_whatever_form() {
        for (data, transient) in [
            (
                r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
                true,
            ),
            (r#"{"type":"error","error":{"type":"api_error"}}"#, true),
            (
                r#"{"type":"error","error":{"type":"invalid_request_error","message":"no"}}"#,
                false,
            ),
            (r#"{"type":"error"}"#, false),
            (r#"{"error":"gone"}"#, false),
            ("upstream went away", false),
        ] {
            let read = Event::parse("error", data);
            assert!(
                matches!(&read, Err(ModelError::Http(error @ HttpError::Reported { .. })) if error.is_transient() == transient),
                "{data}: {read:?}"
            );
        }
    }
}
