//! What the Messages API demands of a request.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::conversation::{Conversation, Said, SaidCall};
use super::super::http::Request;
use super::super::problem::{Part, Problem, check_name, check_object_schema};

/// The newer version takes no sampling parameters (platform.claude.com/docs, "Migrating to API version 2026-10-21").
const VERSIONS: [&str; 2] = ["2023-06-01", "2026-10-21"];

const SAMPLING: [&str; 3] = ["temperature", "top_p", "top_k"];

/// Most blocks of a request that may end a cached prefix.
const CACHE_BREAKPOINTS_MAX: usize = 4;

const MEMBERS: &[&str] = &[
    "model",
    "messages",
    "max_tokens",
    "system",
    "tools",
    "tool_choice",
    "stream",
    "temperature",
    "top_k",
    "top_p",
    "metadata",
    "stop_sequences",
    "thinking",
    "service_tier",
    "output_config",
    "context_management",
    "cache_control",
];

/// Checks headers and body.
pub(in super::super) fn check(request: &Request, body: &Value) -> Result<Conversation, Problem> {
    let version = request
        .header("anthropic-version")
        .ok_or_else(|| Problem::new(400, "anthropic-version: header is required"))?;
    if !VERSIONS.contains(&version) {
        let message = format!("anthropic-version: {version:?} is not a valid version");
        return Err(Problem::new(400, message));
    }
    let body = Part::whole(body);
    body.only(MEMBERS)?;
    let sampling = SAMPLING.iter().find_map(|name| body.optional(name));
    if let Some(removed) = sampling.filter(|_| version != VERSIONS[0]) {
        return Err(removed.problem("Extra inputs are not permitted"));
    }
    body.field("model")?.text()?;
    let tokens_max = body.field("max_tokens")?.number(1)?;
    let thinks = check_thinking(&body, tokens_max)?;
    let mut breakpoints = check_cache_control(&body)?;
    if let Some(system) = body.optional("system").filter(|system| !system.value.is_string()) {
        for block in system.elements()? {
            block.only(&["type", "text", "cache_control", "citations"])?;
            check_words(&block)?;
            breakpoints += check_cache_control(&block)?;
        }
    }
    let mut conversation = Conversation {
        thinks,
        ..Conversation::default()
    };
    breakpoints += check_tools(&body, &mut conversation)?;
    breakpoints += check_messages(&body, &mut conversation)?;
    if breakpoints > CACHE_BREAKPOINTS_MAX {
        let message = format!(
            "A maximum of {CACHE_BREAKPOINTS_MAX} blocks with cache_control may be provided. Found {breakpoints}."
        );
        return Err(Problem::new(400, message));
    }
    Ok(conversation)
}

/// This model thinks unless it is told not to.
fn check_thinking(body: &Part<'_>, tokens_max: u64) -> Result<bool, Problem> {
    let Some(thinking) = body.optional("thinking") else {
        return Ok(true);
    };
    thinking.only(&["type", "budget_tokens", "display"])?;
    let kind = thinking.field("type")?;
    match kind.text()? {
        "disabled" => return Ok(false),
        "adaptive" => {}
        "enabled" => {
            let budget = thinking.field("budget_tokens")?;
            if budget.number(1024)? >= tokens_max {
                return Err(Problem::new(
                    400,
                    "`max_tokens` must be greater than `thinking.budget_tokens`",
                ));
            }
        }
        _ => {
            return Err(
                kind.problem("Input tag does not match any of the expected tags: 'adaptive', 'disabled', 'enabled'")
            );
        }
    }
    match body.optional("temperature") {
        Some(temperature) if temperature.value.as_f64() != Some(1.0) => {
            Err(temperature.problem("may only be set to 1 when thinking is enabled"))
        }
        _ => Ok(true),
    }
}

/// 1 where a cached prefix ends here.
fn check_cache_control(part: &Part<'_>) -> Result<usize, Problem> {
    let Some(control) = part.optional("cache_control") else {
        return Ok(0);
    };
    control.only(&["type", "ttl"])?;
    let ttl = control.optional("ttl").map_or(Ok("5m"), |ttl| ttl.text())?;
    if control.field("type")?.text()? != "ephemeral" || !["5m", "1h"].contains(&ttl) {
        return Err(control.problem("Input should be 'ephemeral' for '5m' or '1h'"));
    }
    Ok(1)
}

fn check_tools(body: &Part<'_>, conversation: &mut Conversation) -> Result<usize, Problem> {
    let mut breakpoints = 0;
    let Some(tools) = body.optional("tools") else {
        return Ok(0);
    };
    for tool in tools.elements()? {
        tool.only(&["type", "name", "description", "input_schema", "cache_control", "strict"])?;
        let name = tool.field("name")?;
        let schema = tool.field("input_schema")?;
        if tool.optional("type").is_some_and(|kind| kind.value != "custom") {
            return Err(tool.problem("Input tag does not match any of the expected tags"));
        }
        check_object_schema(&schema)?;
        breakpoints += check_cache_control(&tool)?;
        if let Some(description) = tool.optional("description") {
            description.text()?;
        }
        let known = conversation.tools.insert(check_name(&name)?, schema.value.clone());
        if known.is_some() {
            return Err(Problem::at("tools", "Tool names must be unique."));
        }
    }
    Ok(breakpoints)
}

fn check_messages(body: &Part<'_>, conversation: &mut Conversation) -> Result<usize, Problem> {
    let messages = body.field("messages")?.elements()?;
    let mut breakpoints = 0;
    let mut ids = BTreeSet::new();
    let mut open: Vec<String> = Vec::new();
    let mut is_users_turn = true;
    for message in &messages {
        // The user may go on speaking: the service puts such messages together.
        message.only(&["role", "content"])?;
        let role = message.field("role")?;
        match (role.text()?, is_users_turn) {
            ("user", _) => {
                breakpoints += check_user(message, &mut open, conversation)?;
                is_users_turn = false;
            }
            ("assistant", false) => {
                is_users_turn = true;
                let (said, controls) = check_assistant(message)?;
                open = said.calls.iter().map(|call| call.id.clone()).collect();
                if let Some(twice) = open.iter().find(|id| !ids.insert((*id).clone())) {
                    return Err(message.problem(format!("`tool_use` ids must be unique: {twice}")));
                }
                conversation.said.push(said);
                breakpoints += controls;
            }
            ("assistant", true) => {
                return Err(
                    role.problem("roles must alternate between \"user\" and \"assistant\", beginning with \"user\"")
                );
            }
            _ => return Err(role.problem("Unexpected role. Allowed roles are \"user\" or \"assistant\".")),
        }
    }
    match messages.last() {
        None => Err(Problem::at("messages", "at least one message is required")),
        Some(_) if is_users_turn => Err(Problem::new(
            400,
            "This model does not support assistant message prefill. The conversation must end with a user message.",
        )),
        Some(_) => Ok(breakpoints),
    }
}

/// Results of all open calls first, then words.
fn check_user(message: &Part<'_>, open: &mut Vec<String>, conversation: &mut Conversation) -> Result<usize, Problem> {
    let mut breakpoints = 0;
    let mut words = Vec::new();
    let mut answered = BTreeSet::new();
    let content = message.field("content")?;
    let blocks = match content.value {
        Value::String(text) => {
            words.push(text.as_str());
            Vec::new()
        }
        _ => content.elements()?,
    };
    for block in &blocks {
        breakpoints += check_cache_control(block)?;
        match block.field("type")?.text()? {
            "text" => words.push(check_words(block)?),
            "tool_result" if words.is_empty() => {
                let id = check_result(block)?;
                if !open.contains(&id) {
                    return Err(block.problem(format!(
                        "unexpected `tool_use_id` found in `tool_result` blocks: {id}. Each `tool_result` block must have \
                         a corresponding `tool_use` block in the previous message."
                    )));
                }
                if !answered.insert(id.clone()) {
                    return Err(block.problem(format!(
                        "each tool_use must have a single result. Found multiple `tool_result` blocks with id: {id}"
                    )));
                }
            }
            "tool_result" => return Err(block.problem("`tool_result` blocks come first in the content of a message")),
            _ => return Err(block.problem("Input tag does not match any of the expected tags")),
        }
    }
    let missing: Vec<String> = open.drain(..).filter(|id| !answered.contains(id)).collect();
    if !missing.is_empty() {
        let missing = missing.join(", ");
        return Err(message.problem(format!(
            "`tool_use` ids were found without `tool_result` blocks immediately after: {missing}. Each `tool_use` block \
             must have a corresponding `tool_result` block in the next message."
        )));
    }
    if answered.is_empty() && words.is_empty() {
        return Err(content.problem("user messages must have non-empty content"));
    }
    if conversation.said.is_empty() {
        conversation.opening = words.join("\n");
    }
    Ok(breakpoints)
}

fn check_result(block: &Part<'_>) -> Result<String, Problem> {
    block.only(&["type", "tool_use_id", "content", "is_error", "cache_control"])?;
    if block
        .optional("is_error")
        .is_some_and(|error| !error.value.is_boolean())
    {
        return Err(block.problem("is_error: Input should be a valid boolean"));
    }
    match block.optional("content") {
        Some(content) if !content.value.is_string() => {
            for part in content.elements()? {
                part.only(&["type", "text", "cache_control"])?;
                check_words(&part)?;
            }
        }
        _ => {}
    }
    check_name(&block.field("tool_use_id")?)
}

fn check_words<'v>(block: &Part<'v>) -> Result<&'v str, Problem> {
    if block.field("type")?.text()? != "text" {
        return Err(block.problem("type: Input should be 'text'"));
    }
    let text = block.field("text")?.text()?;
    match text.trim() {
        "" if text.is_empty() => Err(block.problem("text content blocks must be non-empty")),
        "" => Err(block.problem("text content blocks must contain non-whitespace text")),
        _ => Ok(text),
    }
}

fn check_assistant(message: &Part<'_>) -> Result<(Said, usize), Problem> {
    let mut said = Said::default();
    let mut breakpoints = 0;
    let content = message.field("content")?;
    if let Value::String(text) = content.value {
        said.text.clone_from(text);
        return Ok((said, 0));
    }
    for block in content.elements()? {
        let is_first = said.text.is_empty() && said.calls.is_empty();
        match block.field("type")?.text()? {
            "thinking" | "redacted_thinking" if !is_first => {
                return Err(block.problem("a final `assistant` message must start with a thinking block"));
            }
            "thinking" => {
                block.only(&["type", "thinking", "signature"])?;
                block.field("thinking")?.text()?;
                block.field("signature")?.text()?;
                said.reasoning.push(block.value.clone());
            }
            "redacted_thinking" => {
                block.only(&["type", "data"])?;
                block.field("data")?.text()?;
                said.reasoning.push(block.value.clone());
            }
            "text" => {
                block.only(&["type", "text", "cache_control", "citations"])?;
                said.text.push_str(check_words(&block)?);
            }
            "tool_use" => {
                block.only(&["type", "id", "name", "input", "cache_control"])?;
                let input = block.field("input")?;
                input.object()?;
                said.calls.push(SaidCall {
                    id: check_name(&block.field("id")?)?,
                    tool: check_name(&block.field("name")?)?,
                    arguments: input.value.clone(),
                });
            }
            _ => return Err(block.problem("Input tag does not match any of the expected tags")),
        }
        breakpoints += check_cache_control(&block)?;
    }
    if said == Said::default() {
        return Err(
            content.problem("all messages must have non-empty content except for the optional final assistant message")
        );
    }
    Ok((said, breakpoints))
}
