//! OpenAI Responses: platform.openai.com/docs/api-reference, "Responses", "Streaming events"; guides "Function calling",
//! "Reasoning models".

mod check;
mod perform;

use serde_json::{Value, json};

use super::sse::Event;
use super::wire::token;
use crate::support::rng::Rng;

pub(super) use check::check;
pub(super) use perform::perform;

/// A reasoning item that can be given back without the server having kept it.
pub(super) fn reasoning(seed: &str) -> Value {
    let summary = json!({ "type": "summary_text", "text": format!("**What comes next** «{}»", token(seed, 6)) });
    let encrypted = format!("gAAAAAB{}==", token(&format!("encrypted {seed}"), 150));
    json!({ "id": format!("rs_{}", token(&format!("rs {seed}"), 48)), "type": "reasoning", "summary": [summary],
        "encrypted_content": encrypted })
}

/// One of the three ways in which a stream reports that it failed.
pub(super) fn error_event(rng: &mut Rng) -> Event {
    let message = "The server had an error while processing your request. Sorry about that!";
    let error = json!({ "type": "server_error", "code": "server_error", "message": message, "param": null });
    match rng.below(3) {
        // As the reference has it.
        0 => Event::named(
            "error",
            &json!({ "type": "error", "code": "server_error", "message": message, "param": null, "sequence_number": 0 }),
        ),
        // As it is seen on the wire.
        1 => Event::named(
            "error",
            &json!({ "type": "error", "sequence_number": 0, "error": error }),
        ),
        _ => {
            let error = json!({ "code": "server_error", "message": message });
            let response = json!({ "id": format!("resp_{}", token("failed", 48)), "object": "response",
                "status": "failed", "error": error, "incomplete_details": null, "output": [], "usage": null });
            let data = json!({ "type": "response.failed", "sequence_number": 0, "response": response });
            Event::named("response.failed", &data)
        }
    }
}
