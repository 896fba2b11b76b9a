//! The body of a question to the Responses API
//! (<https://platform.openai.com/docs/api-reference/responses/create>).
//!
//! Nothing is kept at the provider (`store`), so every thought of the model comes sealed and goes back with the rest of
//! what was said (<https://platform.openai.com/docs/guides/reasoning>).

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::super::reply::FORMAT;
use super::super::written::{arguments, body as body_of, cache_key, is_blank, json_text, malformed_arguments, output};
use crate::model::answer::{Opaque, Part};
use crate::model::offer::Offer;
use crate::model::request::{Message, ModelRequest};
use crate::model::sorted_json::Sorted;
use crate::model::wire_name::{wire_id, wire_name};

/// Fewest tokens that the API takes as a limit.
const OUTPUT_TOKENS_MIN: u64 = 16;

/// Everything before `input`. The order of the members is that of the bytes.
#[derive(Serialize)]
struct Head<'a> {
    model: &'a str,
    stream: bool,
    store: bool,
    include: [&'static str; 1],
    max_output_tokens: u64,
    prompt_cache_key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    instructions: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Function<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parallel_tool_calls: Option<bool>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename = "function")]
struct Function<'a> {
    name: &'a str,
    description: &'a str,
    parameters: Sorted<'a>,
    /// Left out, it would make every property a required one.
    strict: bool,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Item<'a> {
    Message {
        role: &'static str,
        content: [Content<'a>; 1],
        #[serde(skip_serializing_if = "Option::is_none")]
        phase: Option<String>,
    },
    FunctionCall {
        call_id: Cow<'a, str>,
        name: Cow<'a, str>,
        arguments: String,
    },
    FunctionCallOutput {
        call_id: Cow<'a, str>,
        output: Cow<'a, str>,
    },
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Content<'a> {
    InputText { text: &'a str },
    OutputText { text: &'a str, annotations: [(); 0] },
}

/// What has to be known of an item of the provider's own.
#[derive(Deserialize)]
struct SealedItem {
    #[serde(rename = "type")]
    kind: String,
    phase: Option<String>,
}

/// The body that puts `request` to `model`.
pub(super) fn body(model: &str, request: &ModelRequest<'_>) -> Vec<u8> {
    let offers = request.offers();
    let head = Head {
        model,
        stream: true,
        store: false,
        include: ["reasoning.encrypted_content"],
        max_output_tokens: request.output_tokens_max.max(OUTPUT_TOKENS_MIN),
        prompt_cache_key: cache_key(request.system),
        instructions: Some(request.system.text).filter(|text| !is_blank(text)),
        tools: offers.iter().map(function).collect(),
        parallel_tool_calls: (!offers.is_empty()).then_some(true),
    };
    let items: Vec<String> = request.messages.iter().flat_map(items).collect();
    body_of(&head, "input", &items)
}

fn function(offer: &Offer) -> Function<'_> {
    Function {
        name: offer.name,
        description: offer.description,
        parameters: Sorted(&offer.input_schema),
        strict: false,
    }
}

fn items(message: &Message) -> Vec<String> {
    match message {
        Message::User { text } if is_blank(text) => Vec::new(),
        Message::User { text } => vec![json_text(&Item::Message {
            role: "user",
            content: [Content::InputText { text }],
            phase: None,
        })],
        Message::Assistant(parts) => answer_items(parts),
        Message::Results(results) => {
            let item = |result| json_text(&result_item(result));
            results.iter().map(item).collect()
        }
    }
}

fn result_item(result: &crate::model::CallResult) -> Item<'_> {
    Item::FunctionCallOutput {
        call_id: wire_id(&result.id),
        output: output(result),
    }
}

/// The items of an earlier answer, in its order. Sealed ones with nothing behind them are left out: the API refuses a
/// thought without what it led to.
fn answer_items(parts: &[Part]) -> Vec<String> {
    let (mut items, mut kept, mut phase) = (Vec::new(), 0, None);
    for part in parts {
        let item = match part {
            Part::Text(text) if is_blank(text) => continue,
            Part::Text(text) => Item::Message {
                role: "assistant",
                content: [Content::OutputText { text, annotations: [] }],
                phase: phase.take(),
            },
            Part::Call(call) => Item::FunctionCall {
                call_id: wire_id(call.id()),
                name: wire_name(call.tool().as_str()),
                arguments: arguments(call),
            },
            Part::Malformed(call) => Item::FunctionCall {
                call_id: wire_id(&call.id),
                name: wire_name(&call.tool),
                arguments: malformed_arguments(call),
            },
            Part::Opaque(opaque) => {
                match sealed_item(opaque) {
                    None => {}
                    // Only says something about the text that follows.
                    Some(item) if item.kind == "message" => phase = item.phase,
                    Some(_) => items.push(opaque.block.clone()),
                }
                continue;
            }
        };
        items.push(json_text(&item));
        kept = items.len();
    }
    items.truncate(kept);
    items
}

/// The item, if it is one of this provider's.
fn sealed_item(opaque: &Opaque) -> Option<SealedItem> {
    if opaque.format != FORMAT {
        return None;
    }
    serde_json::from_str(&opaque.block).ok()
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
