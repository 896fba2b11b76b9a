//! Errors that are reported where an answer should have gone on.

use serde_json::Value;

use crate::model::http::HttpError;

/// The error that `event` reports, if it reports one: OpenAI, Ollama and llama.cpp in a member `error`, older versions
/// of vLLM as an object that says it is one.
pub(super) fn reported_by(event: &Value) -> Option<HttpError> {
    let is_error = !event["error"].is_null() || event["object"] == "error" || event["type"] == "error";
    is_error.then(|| reported(event))
}

/// The error that `event` is, or has as its member `error`. vLLM and llama.cpp give the HTTP status that it would have
/// had, which says best whether it passes.
pub(super) fn reported(event: &Value) -> HttpError {
    let error = Some(&event["error"]).filter(|error| !error.is_null()).unwrap_or(event);
    let status = error["code"].as_u64().and_then(|code| u16::try_from(code).ok());
    match (HttpError::reported(event), status) {
        (HttpError::Reported { kind, message }, Some(status @ 400..=599)) => HttpError::Status {
            status,
            kind,
            message,
            request_id: None,
            retry_after: None,
            should_retry: None,
        },
        (error, _) => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_reports_an_error_is_told_from_what_does_not() {
        for event in [
            json!({"error": {"message": "no"}}),
            json!({"error": "no"}),
            json!({"object": "error", "message": "no"}),
            json!({"type": "error", "code": null, "message": "no"}),
        ] {
            let error = reported_by(&event).map(|error| error.to_string());
            assert_eq!(error.as_deref(), Some("the server breaks off: no"), "{event}");
        }
        for event in [json!({"error": null}), json!({"choices": []}), json!(7), json!("error")] {
            assert!(reported_by(&event).is_none(), "{event}");
        }
    }

    #[test]
    fn what_passes_is_told_by_its_word_or_by_its_status() {
        for (event, transient) in [
            (
                json!({"type": "error", "code": "server_error", "message": "Sorry"}),
                true,
            ),
            (
                json!({"error": {"type": "tokens", "code": "rate_limit_exceeded"}}),
                true,
            ),
            (json!({"error": {"type": "server_error", "code": null}}), true),
            (json!({"error": {"type": "overloaded_error"}}), true),
            (json!({"error": {"type": "InternalServerError", "code": 500}}), true),
            (
                json!({"object": "error", "type": "BadRequestError", "code": 400}),
                false,
            ),
            (json!({"error": {"type": "insufficient_quota", "code": 429}}), false),
            (
                json!({"error": {"type": "insufficient_quota", "code": "insufficient_quota"}}),
                false,
            ),
            (json!({"error": {"code": "invalid_prompt", "message": "no"}}), false),
            (json!({"error": {"code": 7}}), false),
            (json!({"error": {"code": 1e30}}), false),
        ] {
            assert_eq!(reported(&event).is_transient(), transient, "{event}");
        }
    }
}
