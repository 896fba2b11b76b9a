//! An agent for the server's own tests: it sends what was said back and tells what it hears, in each of the formats.

use serde_json::{Map, Value, json};

use super::raw_client::{Answer, ask};
use super::server::Provider;
use super::wire::Wire;
use crate::support::Checked;

/// The key of these tests.
pub(super) const KEY: &str = "test-key";

/// One conversation.
pub(super) struct Player {
    pub(super) wire: Wire,
    /// The next request.
    pub(super) body: Value,
    pub(super) key: Option<&'static str>,
}

/// What the model says.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Heard {
    pub(super) text: String,
    /// Id, tool and arguments of each call.
    pub(super) calls: Vec<(String, String, Value)>,
    /// Input and output tokens.
    pub(super) tokens: (u64, u64),
    /// Why it ended, in the words of the wire.
    pub(super) end: String,
    items: Vec<Value>,
}

impl Player {
    /// A conversation that begins with `words`, with tools of these names, each with the property `advice`.
    pub(super) fn new(wire: Wire, words: &str, tools: &[&str]) -> Self {
        let schema = json!({ "type": "object", "properties": { "advice": { "type": "string" } }, "required": [] });
        let user = json!({ "role": "user", "content": words });
        let tool = |name: &&str| match wire {
            Wire::Messages => json!({ "name": name, "description": "d", "input_schema": schema }),
            Wire::Responses => json!({ "type": "function", "name": name, "parameters": schema, "strict": false }),
            Wire::Chat => json!({ "type": "function", "function": { "name": name, "parameters": schema } }),
        };
        let tools: Vec<Value> = tools.iter().map(tool).collect();
        let body = match wire {
            Wire::Messages => json!({ "model": "claude-test", "max_tokens": 4096, "stream": true, "system": "s",
                "tools": tools, "messages": [user] }),
            Wire::Responses => json!({ "model": "gpt-test", "stream": true, "store": false, "instructions": "s",
                "include": ["reasoning.encrypted_content"], "tools": tools, "input": [user] }),
            Wire::Chat => json!({ "model": "gpt-test", "stream": true, "stream_options": { "include_usage": true },
                "tools": tools, "messages": [{ "role": "system", "content": "s" }, user] }),
        };
        Self {
            wire,
            body,
            key: Some(KEY),
        }
    }

    /// The messages so far.
    pub(super) fn list(&mut self) -> &mut Vec<Value> {
        let name = self.wire.list_name();
        self.body[name].as_array_mut().expect("the list of messages is one")
    }

    /// Sends the request as it is.
    pub(super) fn send(&self, provider: &Provider) -> Checked<Answer> {
        let bearer = format!("Bearer {}", self.key.unwrap_or_default());
        let mut headers = vec![("content-type", "application/json")];
        let path = match self.wire {
            Wire::Messages => {
                headers.push(("anthropic-version", "2023-06-01"));
                headers.extend(self.key.map(|key| ("x-api-key", key)));
                "/v1/messages"
            }
            Wire::Responses | Wire::Chat => {
                headers.extend(self.key.map(|_| ("authorization", bearer.as_str())));
                match self.wire {
                    Wire::Responses => "/v1/responses",
                    _ => "/v1/chat/completions",
                }
            }
        };
        ask(provider, "POST", path, &headers, &self.body.to_string())
    }

    /// Asks, takes note of the answer and gives it.
    pub(super) fn turn(&mut self, provider: &Provider) -> Checked<Heard> {
        let answer = self.send(provider)?;
        if answer.status != 200 || !answer.is_whole {
            return Err(format!("{} {}", answer.status, String::from_utf8_lossy(&answer.body)).into());
        }
        let heard = hear(self.wire, &answer)?;
        self.list().extend(heard.items.clone());
        Ok(heard)
    }

    /// Answers all calls that were heard.
    pub(super) fn results(&mut self, heard: &Heard) {
        let ids = heard.calls.iter().map(|(id, _, _)| id);
        let items: Vec<Value> = match self.wire {
            Wire::Messages => {
                let result = |id: &String| json!({ "type": "tool_result", "tool_use_id": id, "content": "ok" });
                vec![json!({ "role": "user", "content": ids.map(result).collect::<Vec<_>>() })]
            }
            Wire::Responses => ids
                .map(|id| json!({ "type": "function_call_output", "call_id": id, "output": "ok" }))
                .collect(),
            Wire::Chat => ids
                .map(|id| json!({ "role": "tool", "tool_call_id": id, "content": "ok" }))
                .collect(),
        };
        self.list().extend(items);
    }
}

/// Puts an answer together.
pub(super) fn hear(wire: Wire, answer: &Answer) -> Checked<Heard> {
    let mut data = Vec::new();
    for (name, text) in answer.events()? {
        if text == "[DONE]" {
            continue;
        }
        let event: Value = serde_json::from_str(&text)?;
        if wire != Wire::Chat && event["type"] != name.as_str() {
            return Err(format!("the event {name} has the type {}", event["type"]).into());
        }
        data.push(event);
    }
    match wire {
        Wire::Messages => hear_messages(&data),
        Wire::Responses => hear_responses(&data),
        Wire::Chat => hear_chat(&data),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn append(to: &mut Value, more: &Value) {
    *to = format!("{}{}", text(to), text(more)).into();
}

fn hear_messages(events: &[Value]) -> Checked<Heard> {
    let mut heard = Heard::default();
    let mut blocks: Vec<Value> = Vec::new();
    let mut inputs: Vec<String> = Vec::new();
    for event in events {
        let index = usize::try_from(event["index"].as_u64().unwrap_or(0))?;
        let delta = &event["delta"];
        match text(&event["type"]) {
            "content_block_start" => {
                blocks.push(event["content_block"].clone());
                inputs.push(String::new());
            }
            "content_block_delta" => match text(&delta["type"]) {
                "text_delta" => append(&mut blocks[index]["text"], &delta["text"]),
                "thinking_delta" => append(&mut blocks[index]["thinking"], &delta["thinking"]),
                "signature_delta" => blocks[index]["signature"] = delta["signature"].clone(),
                "input_json_delta" => inputs[index].push_str(text(&delta["partial_json"])),
                other => return Err(format!("a delta {other}").into()),
            },
            "message_delta" => {
                text(&delta["stop_reason"]).clone_into(&mut heard.end);
                let count = |name: &str| event["usage"][name].as_u64().unwrap_or(0);
                let cached = count("cache_creation_input_tokens") + count("cache_read_input_tokens");
                heard.tokens = (count("input_tokens") + cached, count("output_tokens"));
            }
            _ => {}
        }
    }
    for (block, input) in blocks.iter_mut().zip(&inputs) {
        match text(&block["type"]) {
            "text" => heard.text.push_str(text(&block["text"])),
            "tool_use" => {
                block["input"] = serde_json::from_str(input)?;
                let (id, name) = (text(&block["id"]).to_owned(), text(&block["name"]).to_owned());
                heard.calls.push((id, name, block["input"].clone()));
            }
            _ => {}
        }
    }
    heard.items = vec![json!({ "role": "assistant", "content": blocks })];
    Ok(heard)
}

fn hear_responses(events: &[Value]) -> Checked<Heard> {
    let mut heard = Heard::default();
    let mut deltas: Map<String, Value> = Map::new();
    for (number, event) in events.iter().enumerate() {
        if event["sequence_number"] != number {
            return Err(format!("event {number} has the number {}", event["sequence_number"]).into());
        }
        let item = &event["item"];
        match text(&event["type"]) {
            "response.output_text.delta" | "response.function_call_arguments.delta" => {
                let id = text(&event["item_id"]).to_owned();
                append(deltas.entry(id).or_insert_with(|| "".into()), &event["delta"]);
            }
            "response.output_item.done" => {
                let said = deltas.get(text(&item["id"])).cloned().unwrap_or_default();
                match text(&item["type"]) {
                    "message" => heard.text.push_str(text(&said)),
                    "function_call" => {
                        let (id, name) = (text(&item["call_id"]).to_owned(), text(&item["name"]).to_owned());
                        heard.calls.push((id, name, serde_json::from_str(text(&said))?));
                    }
                    _ => {}
                }
                heard.items.push(item.clone());
            }
            "response.completed" | "response.incomplete" => {
                let response = &event["response"];
                text(&response["status"]).clone_into(&mut heard.end);
                let count = |name: &str| response["usage"][name].as_u64().unwrap_or(0);
                heard.tokens = (count("input_tokens"), count("output_tokens"));
            }
            _ => {}
        }
    }
    Ok(heard)
}

fn hear_chat(chunks: &[Value]) -> Checked<Heard> {
    let mut heard = Heard::default();
    let mut calls: Vec<Value> = Vec::new();
    for chunk in chunks {
        let count = |name: &str| chunk["usage"][name].as_u64();
        if let (Some(input), Some(output)) = (count("prompt_tokens"), count("completion_tokens")) {
            heard.tokens = (input, output);
        }
        let choice = &chunk["choices"][0];
        heard.text.push_str(text(&choice["delta"]["content"]));
        if let Some(reason) = choice["finish_reason"].as_str() {
            reason.clone_into(&mut heard.end);
        }
        for piece in choice["delta"]["tool_calls"].as_array().into_iter().flatten() {
            let index = usize::try_from(piece["index"].as_u64().ok_or("no index")?)?;
            match calls.get_mut(index) {
                None => calls.push(piece.clone()),
                Some(call) => append(&mut call["function"]["arguments"], &piece["function"]["arguments"]),
            }
        }
    }
    let mut message = json!({ "role": "assistant", "content": heard.text });
    for call in &mut calls {
        let function = &call["function"];
        let (id, name) = (text(&call["id"]).to_owned(), text(&function["name"]).to_owned());
        heard
            .calls
            .push((id, name, serde_json::from_str(text(&function["arguments"]))?));
        call.as_object_mut().ok_or("no call")?.remove("index");
    }
    if !calls.is_empty() {
        message["tool_calls"] = calls.into();
    }
    heard.items = vec![message];
    Ok(heard)
}
