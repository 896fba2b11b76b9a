//! Anthropic Messages (`anthropic-version: 2023-06-01`): platform.claude.com/docs, "Messages", "Streaming messages",
//! "Extended thinking", "Prompt caching", "Errors".

mod check;
mod perform;

use serde_json::{Value, json};

use super::problem::Problem;
use super::sse::Event;
use super::wire::token;

pub(super) use check::check;
pub(super) use perform::perform;

/// A thought and its signature; before every third turn one that nobody can read stands beside it.
pub(super) fn thinking(seed: &str, index: usize) -> Vec<Value> {
    let thought = format!("Turn {index}: what comes next? Let me see … «{}»", token(seed, 6));
    let signature = format!("{}==", token(&format!("signature {seed}"), 94));
    let mut blocks = vec![json!({ "type": "thinking", "thinking": thought, "signature": signature })];
    if index.is_multiple_of(3) {
        blocks.push(json!({ "type": "redacted_thinking", "data": token(&format!("redacted {seed}"), 60) }));
    }
    blocks
}

pub(super) fn error_body(problem: &Problem, request_id: &str) -> Value {
    let kind = match problem.status {
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        529 => "overloaded_error",
        500.. => "api_error",
        _ => "invalid_request_error",
    };
    let message = match &problem.at {
        Some(at) => format!("{at}: {}", problem.message),
        None => problem.message.clone(),
    };
    json!({ "type": "error", "error": { "type": kind, "message": message }, "request_id": request_id })
}

pub(super) fn error_event() -> Event {
    let error = json!({ "type": "overloaded_error", "message": "Overloaded" });
    Event::named("error", &json!({ "type": "error", "error": error }))
}
