//! The body of a question to the Anthropic Messages API
//! (<https://platform.claude.com/docs/en/api/messages/create>).
//!
//! `messages` stands last and every message is written once and for all, so that the body of one turn, up to the
//! brackets that close it, is a prefix of the next turn's. Messages of one side after another stay apart for that
//! reason: the API itself reads them as one turn.
//!
//! Three of the four cache breakpoints that the API takes are used: the last tool, the static part of the instructions,
//! and the top-level `cache_control`, which puts one on the last block of each request
//! (<https://platform.claude.com/docs/en/build-with-claude/prompt-caching>).

use std::borrow::Cow;

use countersign_schemas::body::FinishOutcome;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::FORMAT;
use crate::model::answer::{Opaque, Part};
use crate::model::call::{MalformedCall, ToolCall};
use crate::model::offer::{Offer, with_advice};
use crate::model::request::{CallResult, Message, ModelRequest};
use crate::model::sorted_json::Sorted;
use crate::model::wire_name::{wire_id, wire_name};
use crate::tool::ADVISOR;

/// What has to be said in `anthropic-beta` for the provider's advisor
/// (<https://platform.claude.com/docs/en/agents-and-tools/tool-use/advisor-tool>).
pub(super) const ADVISOR_BETA: &str = "advisor-tool-2026-03-01";

/// Everything before the messages. The order of the members is that of the bytes.
#[derive(Serialize)]
struct Head<'a> {
    model: &'a str,
    max_tokens: u64,
    stream: bool,
    cache_control: CacheControl,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    system: Vec<Instructions<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Declaration<'a>>,
}

/// A cache breakpoint that lasts five minutes from its last use.
#[derive(Clone, Copy, Serialize)]
#[serde(tag = "type", rename = "ephemeral")]
struct CacheControl {}

#[derive(Serialize)]
#[serde(tag = "type", rename = "text")]
struct Instructions<'a> {
    text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_control: Option<CacheControl>,
}

#[derive(Serialize)]
struct Declaration<'a> {
    #[serde(flatten)]
    tool: Tool<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_control: Option<CacheControl>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Tool<'a> {
    Ours {
        name: &'a str,
        description: &'a str,
        input_schema: Sorted<'a>,
    },
    Advisor {
        #[serde(rename = "type")]
        kind: &'static str,
        name: &'static str,
        model: &'a str,
    },
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block<'a> {
    Text {
        text: &'a str,
    },
    ToolUse {
        id: Cow<'a, str>,
        name: Cow<'a, str>,
        input: Sorted<'a>,
    },
    ToolResult {
        tool_use_id: Cow<'a, str>,
        #[serde(skip_serializing_if = "is_blank")]
        content: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        is_error: Option<bool>,
    },
}

/// What has to be known of a block of the provider's own.
#[derive(Deserialize)]
struct SealedBlock {
    #[serde(rename = "type")]
    kind: String,
    name: Option<String>,
}

/// The body that puts `request` to `model`. With `unfinished`, the parts of an answer in which the provider paused, it
/// asks to go on with that answer.
pub(super) fn body(model: &str, request: &ModelRequest<'_>, unfinished: &[Part]) -> Vec<u8> {
    let offers = request.offers();
    let head = Head {
        model,
        max_tokens: request.output_tokens_max,
        stream: true,
        cache_control: CacheControl {},
        system: instructions(request),
        tools: declarations(request, &offers),
    };
    let mut body = json_text(&head);
    let closing = body.pop();
    debug_assert_eq!(closing, Some('}'), "a struct is written as an object");
    let messages = request.messages.iter().filter_map(message_json);
    let messages: Vec<String> = messages.chain(turn_json("assistant", parts_json(unfinished))).collect();
    body.push_str(r#","messages":["#);
    body.push_str(&messages.join(","));
    body.push_str("]}");
    body.into_bytes()
}

/// What `anthropic-beta` has to say for `request`: also for blocks of a conversation that began with an advisor.
pub(super) fn beta(request: &ModelRequest<'_>) -> Option<&'static str> {
    let parts = request.messages.iter().flat_map(|message| match message {
        Message::Assistant(parts) => parts.as_slice(),
        Message::User { .. } | Message::Results(_) => &[],
    });
    let mut sealed = parts.filter_map(|part| match part {
        Part::Opaque(opaque) => sealed_block(opaque),
        _ => None,
    });
    let is_advice =
        |block: SealedBlock| block.kind == "advisor_tool_result" || block.name.as_deref() == Some("advisor");
    (request.provider_advisor.is_some() || sealed.any(is_advice)).then_some(ADVISOR_BETA)
}

fn instructions<'a>(request: &ModelRequest<'a>) -> Vec<Instructions<'a>> {
    let (fixed, changing) = request.system.split();
    let blocks = [(fixed, Some(CacheControl {})), (changing, None)];
    let blocks = blocks.into_iter().filter(|(text, _)| !is_blank(text));
    blocks
        .map(|(text, cache_control)| Instructions { text, cache_control })
        .collect()
}

fn declarations<'a>(request: &ModelRequest<'a>, offers: &'a [Offer]) -> Vec<Declaration<'a>> {
    let ours = offers.iter().map(|offer| Tool::Ours {
        name: offer.name,
        description: offer.description,
        input_schema: Sorted(&offer.input_schema),
    });
    let mut tools: Vec<_> = match request.provider_advisor {
        None => ours.collect(),
        Some(model) => {
            // In the place of our own advisor, in the order of the names.
            let mut tools: Vec<_> = ours.filter(|tool| tool.name() != ADVISOR.name).collect();
            let at = tools.partition_point(|tool| tool.name() < ADVISOR.name);
            let kind = "advisor_20260301";
            tools.insert(
                at,
                Tool::Advisor {
                    kind,
                    name: "advisor",
                    model,
                },
            );
            tools
        }
    };
    let last = tools.pop();
    let without = tools.into_iter().map(|tool| (tool, None));
    let with = last.map(|tool| (tool, Some(CacheControl {})));
    without
        .chain(with)
        .map(|(tool, cache_control)| Declaration { tool, cache_control })
        .collect()
}

impl Tool<'_> {
    fn name(&self) -> &str {
        match self {
            Self::Ours { name, .. } | Self::Advisor { name, .. } => name,
        }
    }
}

fn message_json(message: &Message) -> Option<String> {
    match message {
        Message::User { text } => turn_json("user", text_json(text).into_iter().collect()),
        Message::Assistant(parts) => turn_json("assistant", parts_json(parts)),
        Message::Results(results) => turn_json("user", results.iter().map(result_json).collect()),
    }
}

/// One message; nothing if it would be empty, which the API refuses.
fn turn_json(role: &str, blocks: Vec<String>) -> Option<String> {
    (!blocks.is_empty()).then(|| format!(r#"{{"role":"{role}","content":[{}]}}"#, blocks.join(",")))
}

fn parts_json(parts: &[Part]) -> Vec<String> {
    parts.iter().filter_map(part_json).collect()
}

fn part_json(part: &Part) -> Option<String> {
    match part {
        Part::Text(text) => text_json(text),
        Part::Call(call) => Some(call_json(call)),
        Part::Malformed(call) => Some(malformed_json(call)),
        Part::Opaque(opaque) => sealed_block(opaque).map(|_| opaque.block.clone()),
    }
}

fn text_json(text: &str) -> Option<String> {
    (!is_blank(text)).then(|| json_text(&Block::Text { text }))
}

fn call_json(call: &ToolCall) -> String {
    json_text(&Block::ToolUse {
        id: wire_id(call.id()),
        name: wire_name(call.tool().as_str()),
        input: Sorted(&with_advice(call.object(), call.advice())),
    })
}

/// The API takes objects only, so that of other arguments the model sees none.
fn malformed_json(call: &MalformedCall) -> String {
    let object = serde_json::from_str::<Value>(&call.raw).ok().filter(Value::is_object);
    json_text(&Block::ToolUse {
        id: wire_id(&call.id),
        name: wire_name(&call.tool),
        input: Sorted(&object.unwrap_or_else(|| Value::Object(serde_json::Map::new()))),
    })
}

fn result_json(result: &CallResult) -> String {
    json_text(&Block::ToolResult {
        tool_use_id: wire_id(&result.id),
        content: &result.content,
        is_error: (result.outcome != FinishOutcome::Ok).then_some(true),
    })
}

/// The block, if it is one of this provider's.
fn sealed_block(opaque: &Opaque) -> Option<SealedBlock> {
    if opaque.format != FORMAT {
        return None;
    }
    serde_json::from_str(&opaque.block).ok()
}

/// Nothing but spaces: what the API refuses as a text.
fn is_blank(text: &str) -> bool {
    text.trim().is_empty()
}

fn json_text(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("texts, numbers and JSON values have a JSON form")
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
