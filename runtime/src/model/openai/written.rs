//! What the bodies of both APIs have in common.
//!
//! The list of what was said stands last in a body and every element is written once and for all, so that the body of
//! one turn, up to the brackets that close it, is a prefix of the next turn's: that is what a provider's cache goes by
//! (<https://platform.openai.com/docs/guides/prompt-caching>).

use std::borrow::Cow;

use countersign_schemas::body::FinishOutcome;
use countersign_schemas::digest::Digest;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::model::call::{MalformedCall, ToolCall};
use crate::model::offer::with_advice;
use crate::model::request::{CallResult, System};
use crate::model::sorted_json::Sorted;

/// Letters of the key by which OpenAI brings requests to the machine that has their beginning; it takes at most 64.
const CACHE_KEY_LEN: usize = 32;

/// A body of `head` and, as its last member, `list` with `elements`.
pub(super) fn body(head: &impl Serialize, list: &str, elements: &[String]) -> Vec<u8> {
    let mut body = json_text(head);
    let closing = body.pop();
    debug_assert_eq!(closing, Some('}'), "a struct is written as an object");
    body.push_str(&format!(r#","{list}":["#));
    body.push_str(&elements.join(","));
    body.push_str("]}");
    body.into_bytes()
}

/// The arguments of a call as the model wrote them, as the text that both APIs have them in.
pub(super) fn arguments(call: &ToolCall) -> String {
    json_text(&Sorted(&with_advice(call.object(), call.advice())))
}

/// The arguments of a call that could not be recorded. Servers parse them again and fail on what is no object, so that
/// of such the model sees none.
pub(super) fn malformed_arguments(call: &MalformedCall) -> String {
    let object = serde_json::from_str::<Value>(&call.raw).ok().filter(Value::is_object);
    json_text(&Sorted(&object.unwrap_or_else(|| Value::Object(Map::new()))))
}

/// The result of a call. Neither API has a place for how it ended, so the text says it where it did not end well.
pub(super) fn output(result: &CallResult) -> Cow<'_, str> {
    match result.outcome {
        FinishOutcome::Ok => result.content.as_str().into(),
        outcome => format!("[{}]\n{}", outcome.as_str(), result.content).into(),
    }
}

/// The same for all requests that begin alike, and says nothing of what they hold.
pub(super) fn cache_key(system: System<'_>) -> String {
    let (fixed, _) = system.split();
    let mut key = Digest::sha256(fixed.as_bytes()).to_string();
    key.truncate(CACHE_KEY_LEN);
    key
}

/// Nothing but spaces.
pub(super) fn is_blank(text: &str) -> bool {
    text.trim().is_empty()
}

/// `value` as JSON.
pub(super) fn json_text(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("texts, numbers and JSON values have a JSON form")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::CallId;

    #[test]
    fn what_did_not_end_well_says_so() {
        let result = |outcome| CallResult {
            id: CallId::numbered(1, 1),
            tool: "bash".to_owned(),
            outcome,
            content: "no such file".to_owned(),
        };
        assert_eq!(output(&result(FinishOutcome::Ok)), "no such file");
        assert_eq!(output(&result(FinishOutcome::Error)), "[error]\nno such file");
        assert_eq!(output(&result(FinishOutcome::Timeout)), "[timeout]\nno such file");
        assert_eq!(output(&result(FinishOutcome::Aborted)), "[aborted]\nno such file");
    }

    #[test]
    fn malformed_arguments_are_sent_back_only_as_an_object() {
        for (raw, written) in [
            (r#"{"b":1.5,"a":{"d":0,"c":0}}"#, r#"{"a":{"c":0,"d":0},"b":1.5}"#),
            ("{\"a\":", "{}"),
            ("[1]", "{}"),
            ("null", "{}"),
            ("", "{}"),
        ] {
            let call = MalformedCall {
                id: CallId::numbered(1, 1),
                tool: "bash".to_owned(),
                raw: raw.to_owned(),
                problem: String::new(),
            };
            assert_eq!(malformed_arguments(&call), written);
        }
    }

    #[test]
    fn cache_key_depends_on_what_is_the_same_for_every_run() {
        let system = |text, static_len_bytes| System { text, static_len_bytes };
        let key = cache_key(system("same, other", 4));
        assert_eq!(key, cache_key(system("same and another", 4)));
        assert_ne!(key, cache_key(system("some, other", 4)));
        assert!(key.len() == CACHE_KEY_LEN && key.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }
}
