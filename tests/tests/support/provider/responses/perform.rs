//! An answer as the events of the Responses API.

use serde_json::{Value, json};

use super::super::conversation::SaidCall;
use super::super::sse::{Event, pieces};
use super::super::wire::{Ending, Performance, Usage, token};
use crate::support::rng::Rng;

const REFUSAL: &str = "I'm sorry, but I can't help with that.";

/// The events of an answer.
pub(in super::super) fn perform(performance: Performance<'_>) -> Vec<Event> {
    let Performance {
        seed,
        model,
        body,
        said,
        ending,
        usage,
        rng,
    } = performance;
    let response = json!({ "id": format!("resp_{}", token(&seed, 48)), "object": "response", "created_at": 1_790_000_000,
        "status": "in_progress", "background": false, "error": null, "incomplete_details": null,
        "instructions": body["instructions"], "max_output_tokens": body["max_output_tokens"], "model": model,
        "output": [], "parallel_tool_calls": true, "previous_response_id": null, "reasoning": body["reasoning"],
        "store": body["store"], "text": { "format": { "type": "text" } }, "tool_choice": "auto", "tools": body["tools"],
        "truncation": "disabled", "usage": null, "metadata": {} });
    let mut stage = Stage {
        events: Vec::new(),
        output: Vec::new(),
        seed,
        rng,
    };
    stage.event(json!({ "type": "response.created", "response": response }));
    stage.event(json!({ "type": "response.in_progress", "response": response }));
    for item in &said.reasoning {
        stage.think(item);
    }
    match ending {
        Ending::Said => {
            stage.speak(&said.text, "output_text", "text");
            said.calls.iter().for_each(|call| stage.call(call));
        }
        Ending::Refused => stage.speak(REFUSAL, "refusal", "refusal"),
        Ending::Cut => {
            let half = said.text.chars().count().div_ceil(2);
            let half: String = said.text.chars().take(half).collect();
            stage.speak(&half, "output_text", "text");
        }
    }
    stage.end(response, ending, usage)
}

fn counts(usage: Usage) -> Value {
    json!({ "input_tokens": usage.input_total(), "input_tokens_details": { "cached_tokens": usage.cache_read },
        "output_tokens": usage.output, "output_tokens_details": { "reasoning_tokens": usage.output / 2 },
        "total_tokens": usage.input_total() + usage.output })
}

struct Stage<'r> {
    events: Vec<Event>,
    output: Vec<Value>,
    seed: String,
    rng: &'r mut Rng,
}

impl Stage<'_> {
    fn event(&mut self, mut data: Value) {
        data["sequence_number"] = self.events.len().into();
        let name = data["type"].as_str().unwrap_or_default().to_owned();
        self.events.push(Event::named(&name, &data));
    }

    /// A piece of something, and now and then an event that means nothing to this answer.
    fn delta(&mut self, mut data: Value) {
        let len = usize::try_from(self.rng.below(12)).unwrap_or(0);
        data["obfuscation"] = token(&self.events.len().to_string(), len).into();
        self.event(data);
        match self.rng.below(10) {
            0 => self.event(json!({ "type": "keepalive" })),
            1 => self.event(json!({ "type": "response.weather.delta", "output_index": 0, "delta": "rain" })),
            _ => {}
        }
    }

    fn id(&self, prefix: &str) -> String {
        format!(
            "{prefix}_{}",
            token(&format!("{} {prefix} {}", self.seed, self.output.len()), 48)
        )
    }

    fn added(&mut self, item: &Value) {
        let index = self.output.len();
        self.event(json!({ "type": "response.output_item.added", "output_index": index, "item": item }));
    }

    fn done(&mut self, item: Value) {
        let index = self.output.len();
        self.event(json!({ "type": "response.output_item.done", "output_index": index, "item": item }));
        self.output.push(item);
    }

    fn think(&mut self, item: &Value) {
        let (id, index) = (&item["id"], self.output.len());
        // What is given when the item is added may be incomplete: what counts comes with `done`.
        let mut begun = item.clone();
        begun["summary"] = json!([]);
        if let Some(encrypted) = item["encrypted_content"].as_str() {
            begun["encrypted_content"] = encrypted[..encrypted.len() / 2].into();
        }
        self.added(&begun);
        let place = json!({ "item_id": id, "output_index": index, "summary_index": 0 });
        let with = |kind: &str, member: &str, value: Value| {
            let mut data = place.clone();
            data["type"] = format!("response.{kind}").into();
            data[member] = value;
            data
        };
        let text = item["summary"][0]["text"].as_str().unwrap_or_default();
        let part = |text: &str| json!({ "type": "summary_text", "text": text });
        self.event(with("reasoning_summary_part.added", "part", part("")));
        for piece in pieces(text, 8, self.rng) {
            self.delta(with("reasoning_summary_text.delta", "delta", piece.into()));
        }
        self.event(with("reasoning_summary_text.done", "text", text.into()));
        self.event(with("reasoning_summary_part.done", "part", part(text)));
        self.done(item.clone());
    }

    fn speak(&mut self, text: &str, kind: &str, member: &str) {
        if text.is_empty() {
            return;
        }
        let (id, index) = (self.id("msg"), self.output.len());
        let item = |status: &str, content: Value| json!({ "id": id, "type": "message", "status": status, "role": "assistant", "content": content });
        let mut part = json!({ "type": kind });
        part[member] = "".into();
        if kind == "output_text" {
            part["annotations"] = json!([]);
        }
        let place = json!({ "item_id": id, "output_index": index, "content_index": 0 });
        let with = |kind: &str, member: &str, value: Value| {
            let mut data = place.clone();
            data["type"] = format!("response.{kind}").into();
            data[member] = value;
            data
        };
        self.added(&item("in_progress", json!([])));
        self.event(with("content_part.added", "part", part.clone()));
        for piece in pieces(text, 12, self.rng) {
            self.delta(with(&format!("{kind}.delta"), "delta", piece.into()));
        }
        part[member] = text.into();
        self.event(with(&format!("{kind}.done"), member, text.into()));
        self.event(with("content_part.done", "part", part.clone()));
        self.done(item("completed", json!([part])));
    }

    fn call(&mut self, call: &SaidCall) {
        let (id, index) = (self.id("fc"), self.output.len());
        // Models write spaces that no serialiser would.
        let arguments = call.arguments.to_string().replacen(':', ": ", 1);
        let item = |status: &str, arguments: &str| {
            json!({ "id": id, "type": "function_call", "status": status, "arguments": arguments, "call_id": call.id,
                "name": call.tool })
        };
        self.added(&item("in_progress", ""));
        let kind = "response.function_call_arguments";
        for piece in pieces(&arguments, 9, self.rng) {
            self.delta(
                json!({ "type": format!("{kind}.delta"), "item_id": id, "output_index": index, "delta": piece }),
            );
        }
        self.event(
            json!({ "type": format!("{kind}.done"), "item_id": id, "output_index": index,
            "arguments": arguments, "name": call.tool }),
        );
        self.done(item("completed", &arguments));
    }

    fn end(mut self, mut response: Value, ending: Ending, usage: Usage) -> Vec<Event> {
        let status = match ending {
            Ending::Cut => "incomplete",
            Ending::Said | Ending::Refused => "completed",
        };
        if ending == Ending::Cut {
            response["incomplete_details"] = json!({ "reason": "max_output_tokens" });
            if let Some(last) = self.output.last_mut() {
                last["status"] = status.into();
            }
        }
        response["status"] = status.into();
        response["output"] = self.output.clone().into();
        response["usage"] = counts(usage);
        self.event(json!({ "type": format!("response.{status}"), "response": response }));
        self.events
    }
}
