//! How providers report errors: the JSON of an answer that is no success, or of an event in the middle of a stream.
//!
//! Anthropic: `{"type":"error","error":{"type","message"}}`; OpenAI: `{"error":{"message","type","code"}}`; vLLM:
//! `{"object":"error","message","type"}`; Ollama and llama.cpp: `{"error":"…"}`; FastAPI: `{"detail":"…"}`.

use countersign_verifier::visible::visible;
use serde_json::Value;

use super::error::HttpError;

/// Longest explanation that is kept, in characters.
const MESSAGE_CHARS_MAX: usize = 500;

/// Longest kind or request id that is kept, in characters.
pub(super) const WORD_CHARS_MAX: usize = 128;

/// What a provider says about an error, cut and fit to be looked at.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Report {
    /// Its word for it.
    pub(super) kind: Option<String>,
    /// Its explanation.
    pub(super) message: String,
}

impl Report {
    /// Reads the body of an answer; what is not JSON is its own explanation.
    pub(super) fn read(body: &[u8]) -> Self {
        match serde_json::from_slice(body) {
            Ok(value) => Self::of(&value),
            Err(_) => Self {
                kind: None,
                message: visible(String::from_utf8_lossy(body).trim(), MESSAGE_CHARS_MAX),
            },
        }
    }

    fn of(value: &Value) -> Self {
        let error = value.get("error").filter(|error| !error.is_null()).unwrap_or(value);
        let text = |name: &str| error.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        // OpenAI's code says more than its type: `invalid_api_key` is an `invalid_request_error`.
        let kind = text("code").or_else(|| text("type")).filter(|&kind| kind != "error");
        let message = text("message")
            .or_else(|| text("detail"))
            .or_else(|| error.as_str())
            .map_or_else(|| error.to_string(), str::to_owned);
        Self {
            kind: kind.map(|kind| visible(kind, WORD_CHARS_MAX)),
            message: visible(&message, MESSAGE_CHARS_MAX),
        }
    }
}

impl HttpError {
    /// The error that an event reports, read as the body of an answer would be: the event itself, or its `error`.
    #[must_use]
    pub fn reported(event: &Value) -> Self {
        let Report { kind, message } = Report::of(event);
        Self::Reported { kind, message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(body: &str) -> (Option<String>, String) {
        let Report { kind, message } = Report::read(body.as_bytes());
        (kind, message)
    }

    #[test]
    fn every_providers_form_is_understood() {
        for (body, kind, message) in [
            (
                r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"req_1"}"#,
                Some("overloaded_error"),
                "Overloaded",
            ),
            (
                r#"{"error":{"message":"No credit","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}"#,
                Some("insufficient_quota"),
                "No credit",
            ),
            (
                r#"{"error":{"message":"Slow down","type":"requests","code":"rate_limit_exceeded"}}"#,
                Some("rate_limit_exceeded"),
                "Slow down",
            ),
            (
                r#"{"error":{"message":"Bad","type":"server_error","code":null}}"#,
                Some("server_error"),
                "Bad",
            ),
            (
                r#"{"error":{"message":"Loading model","type":"unavailable_error","code":503}}"#,
                Some("unavailable_error"),
                "Loading model",
            ),
            (
                r#"{"object":"error","message":"No such model","type":"NotFoundError","code":404}"#,
                Some("NotFoundError"),
                "No such model",
            ),
            (r#"{"error":"model not found"}"#, None, "model not found"),
            (r#"{"detail":"Not Found"}"#, None, "Not Found"),
        ] {
            assert_eq!(read(body), (kind.map(str::to_owned), message.to_owned()), "{body}");
        }
    }

    #[test]
    fn what_is_no_error_object_is_shown_as_it_is() {
        for (body, message) in [
            ("", ""),
            (" <html>502</html>\n", "<html>502</html>"),
            ("[1]", "[1]"),
            ("null", "null"),
            (r#"{"error":null}"#, r#"{"error":null}"#),
            (r#"{"error":{"type":7}}"#, r#"{"type":7}"#),
        ] {
            assert_eq!(read(body), (None, message.to_owned()), "{body}");
        }
    }

    #[test]
    fn nothing_in_it_reaches_a_terminal_as_it_came() {
        let body = json!({"error": {"type": "a\u{1b}[2Jb", "message": "x\u{202e}y\n"}}).to_string();
        assert_eq!(
            read(&body),
            (Some("a\\u{1b}[2Jb".to_owned()), "x\\u{202e}y\\n".to_owned())
        );
        assert_eq!(read("\u{1b}]0;title\u{7}").1, "\\u{1b}]0;title\\u{7}");
        assert_eq!(Report::read(b"\xff\x1b[m").message, "\u{fffd}\\u{1b}[m");
    }

    #[test]
    fn long_explanations_are_cut() {
        let (kind, message) =
            read(&json!({"error": {"type": "k".repeat(999), "message": "m".repeat(9999)}}).to_string());
        assert_eq!(kind.map(|kind| kind.chars().count()), Some(WORD_CHARS_MAX + 1));
        assert_eq!(message.chars().count(), MESSAGE_CHARS_MAX + 1);
        assert_eq!(read(&"<".repeat(9999)).1.chars().count(), MESSAGE_CHARS_MAX + 1);
    }

    #[test]
    fn events_report_like_answers() {
        let event = json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}});
        let error = HttpError::reported(&event);
        assert_eq!(
            error.to_string(),
            "the server breaks off with overloaded_error: Overloaded"
        );
        assert!(error.is_transient());
        let event = json!({"type": "error", "code": "server_error", "message": "Sorry", "sequence_number": 3});
        assert!(HttpError::reported(&event).is_transient());
    }
}
