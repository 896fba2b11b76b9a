//! The chunks of a streamed chat completion, as far as they mean something here
//! (<https://platform.openai.com/docs/api-reference/chat-streaming>).
//!
//! Reasoning that some servers tell (`reasoning_content`, `reasoning`) is not kept: the API has no place to send it
//! back.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::super::failure::{reported, reported_by};
use crate::model::ModelError;
use crate::model::bounds::protocol;

/// One server-sent event.
#[derive(Debug)]
pub(super) enum Event {
    /// A piece of the answer.
    Chunk(Chunk),
    /// `[DONE]`: nothing follows.
    Done,
    /// Nothing that changes the answer.
    Other,
}

/// A piece of the answer. All members may be missing or `null`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Chunk {
    /// Of which answer; nothing where a server leaves it empty.
    #[serde(deserialize_with = "filled")]
    pub(super) id: Option<String>,
    /// One, because one is asked for; none where only the usage is told.
    pub(super) choices: Option<Vec<Choice>>,
    /// Of the whole answer so far.
    pub(super) usage: Value,
}

/// A piece of one of several answers.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Choice {
    /// Which of them.
    pub(super) index: Option<u64>,
    /// What is added to it.
    pub(super) delta: Option<Delta>,
    /// Why it ended.
    #[serde(deserialize_with = "filled")]
    pub(super) finish_reason: Option<String>,
}

/// What is added to an answer.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Delta {
    /// Whose words they are: OpenAI says so at the beginning, others with every piece.
    pub(super) role: Option<String>,
    /// More words.
    #[serde(deserialize_with = "filled")]
    pub(super) content: Option<String>,
    /// More words of a refusal.
    #[serde(deserialize_with = "filled")]
    pub(super) refusal: Option<String>,
    /// More of the calls.
    pub(super) tool_calls: Option<Vec<CallDelta>>,
}

/// A piece of a call, or all of it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct CallDelta {
    /// Which call of the answer.
    pub(super) index: Option<usize>,
    /// Its id; OpenAI gives it once, others with every piece or never.
    #[serde(deserialize_with = "filled")]
    pub(super) id: Option<String>,
    /// The rest.
    pub(super) function: Option<FunctionDelta>,
}

/// What a piece of a call adds.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct FunctionDelta {
    /// The tool.
    #[serde(deserialize_with = "filled")]
    pub(super) name: Option<String>,
    /// More of the text of its arguments, or, from some servers, the object they are.
    pub(super) arguments: Value,
}

/// A text; an empty one and `null` say nothing.
fn filled<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(text.filter(|text| !text.is_empty()))
}

impl Event {
    /// Reads the event called `name` with `data`. Chunks have no name.
    ///
    /// # Errors
    /// [`ModelError::Protocol`] for what is no chunk, [`ModelError::Http`] for an error that is reported.
    pub(super) fn parse(name: &str, data: &str) -> Result<Self, ModelError> {
        if data.trim_start().starts_with("[DONE]") {
            return Ok(Self::Done);
        }
        let value: Value = match serde_json::from_str(data) {
            Ok(value) => value,
            Err(_) if name == "error" => Value::String(data.to_owned()),
            Err(error) if is_chunk(name) => return Err(protocol(format!("a chunk: {error}"))),
            Err(_) => return Ok(Self::Other),
        };
        if let Some(error) = reported_by(&value) {
            return Err(error.into());
        }
        match name {
            "error" => Err(reported(&value).into()),
            name if is_chunk(name) => serde_json::from_value(value)
                .map(Self::Chunk)
                .map_err(|error| protocol(format!("a chunk: {error}"))),
            _ => Ok(Self::Other),
        }
    }
}

/// Nothing, and what stands for nothing (WHATWG HTML §9.2.6).
fn is_chunk(name: &str) -> bool {
    name.is_empty() || name == "message"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_may_be_missing_null_or_empty() -> Result<(), ModelError> {
        for data in [
            "{}",
            r#"{"id":null,"choices":null,"usage":null}"#,
            r#"{"id":"","choices":[]}"#,
            r#"{"choices":[{"index":null,"delta":null,"finish_reason":null}]}"#,
            r#"{"choices":[{"delta":{"role":null,"content":null,"refusal":"","tool_calls":null}}]}"#,
            r#"{"choices":[{"delta":{"content":"","tool_calls":[]},"finish_reason":""}],"prompt_filter_results":[7]}"#,
        ] {
            let Event::Chunk(chunk) = Event::parse("", data)? else {
                return Err(protocol(data));
            };
            assert!(chunk.id.is_none() && chunk.usage.is_null());
            for choice in chunk.choices.unwrap_or_default() {
                let delta = choice.delta.unwrap_or_default();
                assert!(choice.finish_reason.is_none() && delta.content.is_none() && delta.refusal.is_none());
                assert!(delta.tool_calls.unwrap_or_default().is_empty());
            }
        }
        Ok(())
    }

    #[test]
    fn what_is_not_called_a_chunk_is_not_looked_at() {
        for (name, data) in [("ping", "{}"), ("ping", "not json"), ("weather", r#"{"choices":7}"#)] {
            assert!(matches!(Event::parse(name, data), Ok(Event::Other)), "{name} {data}");
        }
        for name in ["", "message", "done"] {
            assert!(matches!(Event::parse(name, "[DONE]"), Ok(Event::Done)));
            assert!(matches!(Event::parse(name, " [DONE]\n"), Ok(Event::Done)));
        }
        assert!(matches!(Event::parse("message", "{}"), Ok(Event::Chunk(_))));
    }

    #[test]
    fn chunk_without_its_form_is_a_protocol_error() {
        for data in [
            "{",
            "done",
            "null",
            "7",
            "\"text\"",
            r#"{"id":7}"#,
            r#"{"choices":{}}"#,
            r#"{"choices":[7]}"#,
            r#"{"choices":[{"index":-1}]}"#,
            r#"{"choices":[{"delta":"words"}]}"#,
            r#"{"choices":[{"delta":{"content":["words"]}}]}"#,
            r#"{"choices":[{"delta":{"tool_calls":{}}}]}"#,
            r#"{"choices":[{"delta":{"tool_calls":[{"index":"0"}]}}]}"#,
            r#"{"choices":[{"delta":{"tool_calls":[{"index":1e99}]}}]}"#,
            r#"{"choices":[{"delta":{"tool_calls":[{"id":7}]}}]}"#,
            r#"{"choices":[{"delta":{"tool_calls":[{"function":"list"}]}}]}"#,
            r#"{"choices":[{"finish_reason":1}]}"#,
        ] {
            let read = Event::parse("", data);
            assert!(matches!(read, Err(ModelError::Protocol { .. })), "{data}: {read:?}");
        }
    }

    #[test]
    fn error_is_one_in_whatever_form() {
        for (name, data, transient) in [
            (
                "",
                r#"{"error":{"message":"Sorry","type":"server_error","code":"server_error"}}"#,
                true,
            ),
            (
                "",
                r#"{"error":{"message":"slots","type":"unavailable_error","code":503}}"#,
                true,
            ),
            (
                "",
                r#"{"error":{"message":"too long","type":"BadRequestError","code":400},"choices":[]}"#,
                false,
            ),
            (
                "",
                r#"{"object":"error","message":"no","type":"NotFoundError","code":404}"#,
                false,
            ),
            ("", r#"{"error":"model runner has stopped"}"#, false),
            ("error", r#"{"message":"gone","code":500}"#, true),
            ("error", "gone", false),
        ] {
            let read = Event::parse(name, data);
            assert!(
                matches!(&read, Err(ModelError::Http(error)) if error.is_transient() == transient),
                "{data}: {read:?}"
            );
        }
    }
}
