//! An answer as the events of the Messages API.

use serde_json::{Value, json};

use super::super::conversation::SaidCall;
use super::super::sse::{Event, pieces};
use super::super::wire::{Ending, Performance, Usage, token};
use crate::support::rng::Rng;

/// The events of an answer.
pub(in super::super) fn perform(performance: Performance<'_>) -> Vec<Event> {
    let Performance {
        seed,
        model,
        said,
        ending,
        usage,
        rng,
        ..
    } = performance;
    let message = json!({ "id": format!("msg_01{}", token(&seed, 22)), "type": "message", "role": "assistant",
        "model": model, "content": [], "stop_reason": null, "stop_sequence": null, "usage": begun(usage) });
    let mut stage = Stage {
        events: vec![event(&json!({ "type": "message_start", "message": message }))],
        index: 0,
        rng,
    };
    for block in &said.reasoning {
        stage.think(block);
    }
    match ending {
        Ending::Said => {
            stage.speak(&said.text);
            said.calls.iter().for_each(|call| stage.call(call));
        }
        Ending::Refused => {}
        Ending::Cut => {
            let half = said.text.chars().count().div_ceil(2);
            stage.speak(&said.text.chars().take(half).collect::<String>());
        }
    }
    let reason = match ending {
        Ending::Refused => "refusal",
        Ending::Cut => "max_tokens",
        Ending::Said if said.calls.is_empty() => "end_turn",
        Ending::Said => "tool_use",
    };
    let delta = json!({ "stop_reason": reason, "stop_sequence": null });
    stage.events.push(event(
        &json!({ "type": "message_delta", "delta": delta, "usage": ended(usage) }),
    ));
    stage.events.push(event(&json!({ "type": "message_stop" })));
    stage.events
}

/// What is known at the beginning: a first token of output, which is not one more than the total at the end.
fn begun(usage: Usage) -> Value {
    let split = json!({ "ephemeral_5m_input_tokens": usage.cache_write, "ephemeral_1h_input_tokens": 0 });
    json!({ "input_tokens": usage.input, "cache_creation_input_tokens": usage.cache_write,
        "cache_read_input_tokens": usage.cache_read, "cache_creation": split, "output_tokens": 1,
        "service_tier": "standard" })
}

/// Everything up to the end, not what was added since the beginning. `iterations` tells the same once more.
fn ended(usage: Usage) -> Value {
    let counts = json!({ "input_tokens": usage.input, "cache_creation_input_tokens": usage.cache_write,
        "cache_read_input_tokens": usage.cache_read, "output_tokens": usage.output });
    let mut iteration = counts.clone();
    iteration["type"] = "message".into();
    let mut all = counts;
    all["iterations"] = json!([iteration]);
    all
}

fn event(data: &Value) -> Event {
    Event::named(data["type"].as_str().unwrap_or_default(), data)
}

struct Stage<'r> {
    events: Vec<Event>,
    index: usize,
    rng: &'r mut Rng,
}

impl Stage<'_> {
    fn open(&mut self, block: &Value) {
        let start = json!({ "type": "content_block_start", "index": self.index, "content_block": block });
        self.events.push(event(&start));
    }

    fn close(&mut self) {
        let stop = json!({ "type": "content_block_stop", "index": self.index });
        self.events.push(event(&stop));
        self.index += 1;
    }

    fn delta(&mut self, delta: &Value) {
        let delta = json!({ "type": "content_block_delta", "index": self.index, "delta": delta });
        self.events.push(event(&delta));
        match self.rng.below(10) {
            0 => self.events.push(event(&json!({ "type": "ping" }))),
            1 => self.events.push(event(
                &json!({ "type": "weather_report", "index": self.index, "delta": { "type": "rain", "text": "x" } }),
            )),
            _ => {}
        }
    }

    fn think(&mut self, block: &Value) {
        if block["type"] == "redacted_thinking" {
            self.open(block);
        } else {
            self.open(&json!({ "type": "thinking", "thinking": "", "signature": "" }));
            for piece in pieces(block["thinking"].as_str().unwrap_or_default(), 9, self.rng) {
                self.delta(&json!({ "type": "thinking_delta", "thinking": piece }));
            }
            self.delta(&json!({ "type": "signature_delta", "signature": block["signature"] }));
        }
        self.close();
    }

    fn speak(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        self.open(&json!({ "type": "text", "text": "" }));
        for piece in pieces(text, 12, self.rng) {
            self.delta(&json!({ "type": "text_delta", "text": piece }));
        }
        self.close();
    }

    fn call(&mut self, call: &SaidCall) {
        self.open(&json!({ "type": "tool_use", "id": call.id, "name": call.tool, "input": {} }));
        self.delta(&json!({ "type": "input_json_delta", "partial_json": "" }));
        // Models write spaces that no serialiser would.
        let input = call.arguments.to_string().replacen(':', ": ", 1);
        for piece in pieces(&input, 9, self.rng) {
            self.delta(&json!({ "type": "input_json_delta", "partial_json": piece }));
        }
        self.close();
    }
}
