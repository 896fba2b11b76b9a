//! An answer as chunks of a chat completion.

use serde_json::{Value, json};

use super::super::conversation::SaidCall;
use super::super::sse::{Event, pieces};
use super::super::wire::{Dialect, Ending, Performance, Usage, token};
use crate::support::rng::Rng;

const REFUSAL: &str = "I'm sorry, but I can't help with that.";

/// The events of an answer. A local server tells its reasoning, and gives every call in one piece.
pub(in super::super) fn perform(performance: Performance<'_>, dialect: Dialect) -> Vec<Event> {
    let Performance {
        seed,
        model,
        body,
        said,
        ending,
        usage,
        rng,
    } = performance;
    let with_usage = body["stream_options"]["include_usage"] == true;
    let mut chunk = json!({ "id": format!("chatcmpl-{}", token(&seed, 29)), "object": "chat.completion.chunk",
        "created": 1_790_000_000, "model": model, "service_tier": "default", "system_fingerprint": "fp_44709d6fcb",
        "choices": [] });
    if with_usage && dialect == Dialect::OpenAi {
        chunk["usage"] = Value::Null;
    }
    let mut stage = Stage {
        events: Vec::new(),
        chunk,
        rng,
    };
    stage.delta(&json!({ "role": "assistant", "content": "", "refusal": null }));
    if dialect == Dialect::Local {
        stage.pieces(&format!("What comes next? «{}»", token(&seed, 6)), "reasoning_content");
    }
    let half = said.text.chars().count().div_ceil(2);
    match ending {
        Ending::Said => stage.pieces(&said.text, "content"),
        Ending::Refused => stage.pieces(REFUSAL, "refusal"),
        Ending::Cut => stage.pieces(&said.text.chars().take(half).collect::<String>(), "content"),
    }
    let calls = if ending == Ending::Said { &said.calls[..] } else { &[] };
    for (index, call) in calls.iter().enumerate() {
        match dialect {
            Dialect::OpenAi => stage.call_in_pieces(index, call),
            Dialect::Local => stage.call_at_once(index, call),
        }
    }
    let reason = match ending {
        Ending::Cut => "length",
        Ending::Said if !calls.is_empty() => "tool_calls",
        Ending::Said | Ending::Refused => "stop",
    };
    stage.choice(&json!({}), &json!(reason));
    if with_usage {
        stage.usage(usage);
    }
    stage.events.push(Event::data("[DONE]"));
    stage.events
}

struct Stage<'r> {
    events: Vec<Event>,
    chunk: Value,
    rng: &'r mut Rng,
}

impl Stage<'_> {
    fn choice(&mut self, delta: &Value, reason: &Value) {
        let mut chunk = self.chunk.clone();
        chunk["choices"] = json!([{ "index": 0, "delta": delta, "logprobs": null, "finish_reason": reason }]);
        self.events.push(Event::data(chunk));
    }

    /// A piece of the answer, and now and then a chunk without any choice.
    fn delta(&mut self, delta: &Value) {
        self.choice(delta, &Value::Null);
        if self.rng.below(10) == 0 {
            let mut chunk = self.chunk.clone();
            chunk["prompt_filter_results"] = json!([{ "prompt_index": 0, "content_filter_results": {} }]);
            self.events.push(Event::data(chunk));
        }
    }

    fn pieces(&mut self, text: &str, member: &str) {
        for piece in pieces(text, 12, self.rng) {
            let mut delta = json!({});
            delta[member] = piece.into();
            self.delta(&delta);
        }
    }

    fn call_in_pieces(&mut self, index: usize, call: &SaidCall) {
        let begun = json!({ "name": call.tool, "arguments": "" });
        self.delta(
            &json!({ "tool_calls": [{ "index": index, "id": call.id, "type": "function", "function": begun }] }),
        );
        // Models write spaces that no serialiser would.
        let arguments = call.arguments.to_string().replacen(':', ": ", 1);
        for piece in pieces(&arguments, 9, self.rng) {
            self.delta(&json!({ "tool_calls": [{ "index": index, "function": { "arguments": piece } }] }));
        }
    }

    fn call_at_once(&mut self, index: usize, call: &SaidCall) {
        let whole = json!({ "name": call.tool, "arguments": call.arguments.to_string() });
        let call = json!({ "index": index, "id": call.id, "type": "function", "function": whole });
        self.delta(&json!({ "role": "assistant", "content": "", "tool_calls": [call] }));
        // Some servers go on with empty members where others leave them out.
        let nothing = json!({ "name": null, "arguments": "" });
        self.delta(&json!({ "tool_calls": [{ "index": index, "id": null, "type": "function", "function": nothing }] }));
    }

    fn usage(&mut self, usage: Usage) {
        let mut chunk = self.chunk.clone();
        chunk["usage"] = json!({ "prompt_tokens": usage.input_total(), "completion_tokens": usage.output,
            "total_tokens": usage.input_total() + usage.output,
            "prompt_tokens_details": { "cached_tokens": usage.cache_read, "audio_tokens": 0 },
            "completion_tokens_details": { "reasoning_tokens": usage.output / 2 } });
        self.events.push(Event::data(chunk));
    }
}
