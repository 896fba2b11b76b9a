//! What chat completions demand of a request.

use serde_json::Value;

use super::super::conversation::{Conversation, Said, SaidCall};
use super::super::problem::{Part, Problem, check_name, check_object_schema, check_strict_schema};
use super::super::wire::Dialect;

const MEMBERS: &[&str] = &[
    "model",
    "messages",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "stream",
    "stream_options",
    "max_completion_tokens",
    "max_tokens",
    "temperature",
    "top_p",
    "n",
    "stop",
    "seed",
    "reasoning_effort",
    "store",
    "metadata",
    "prompt_cache_key",
    "prompt_cache_retention",
    "safety_identifier",
    "service_tier",
    "response_format",
    "verbosity",
];

/// Checks the body. OpenAI's own models take no `max_tokens` any more; local servers may know nothing else.
pub(in super::super) fn check(body: &Value, dialect: Dialect) -> Result<Conversation, Problem> {
    let body = Part::whole(body);
    body.only(MEMBERS)?;
    body.field("model")?.text()?;
    if dialect == Dialect::OpenAi && body.optional("max_tokens").is_some() {
        let message = "Unsupported parameter: 'max_tokens' is not supported with this model. Use \
                       'max_completion_tokens' instead.";
        return Err(Problem::new(400, message));
    }
    for name in ["max_tokens", "max_completion_tokens"] {
        if let Some(tokens_max) = body.optional(name) {
            tokens_max.number(1)?;
        }
    }
    if let Some(options) = body.optional("stream_options") {
        options.only(&["include_usage", "include_obfuscation"])?;
    }
    let mut conversation = Conversation::default();
    check_tools(&body, &mut conversation)?;
    let messages = body.field("messages")?.elements()?;
    if messages.is_empty() {
        return Err(Problem::at(
            "messages",
            "empty array. Expected an array with minimum length 1",
        ));
    }
    let mut open: Vec<String> = Vec::new();
    for message in &messages {
        check_message(message, &mut open, &mut conversation)?;
    }
    check_answered(&open)?;
    Ok(conversation)
}

fn check_tools(body: &Part<'_>, conversation: &mut Conversation) -> Result<(), Problem> {
    let Some(tools) = body.optional("tools") else {
        return match ["tool_choice", "parallel_tool_calls"]
            .iter()
            .find_map(|name| body.optional(name))
        {
            Some(setting) => Err(setting.problem("is only allowed when 'tools' are specified")),
            None => Ok(()),
        };
    };
    let elements = tools.elements()?;
    if elements.is_empty() {
        return Err(
            tools.problem("empty array. Expected an array with minimum length 1, but got an empty array instead")
        );
    }
    for tool in elements {
        tool.only(&["type", "function"])?;
        if tool.field("type")?.text()? != "function" {
            return Err(tool.problem("Supported values are: 'function'"));
        }
        let function = tool.field("function")?;
        function.only(&["name", "description", "parameters", "strict"])?;
        let schema = function.field("parameters")?;
        check_object_schema(&schema)?;
        if function
            .optional("strict")
            .is_some_and(|strict| strict.value == &Value::Bool(true))
        {
            check_strict_schema(&schema)?;
        }
        let name = check_name(&function.field("name")?)?;
        if conversation.tools.insert(name, schema.value.clone()).is_some() {
            return Err(tool.problem("function names must be unique"));
        }
    }
    Ok(())
}

fn check_message(message: &Part<'_>, open: &mut Vec<String>, conversation: &mut Conversation) -> Result<(), Problem> {
    let role = message.field("role")?;
    if role.text()? != "tool" {
        check_answered(open)?;
        open.clear();
    }
    match role.text()? {
        "system" | "developer" => words(message).map(drop),
        "user" => {
            message.only(&["role", "content", "name"])?;
            let text = words(message)?;
            if conversation.said.is_empty() {
                if !conversation.opening.is_empty() {
                    conversation.opening.push('\n');
                }
                conversation.opening.push_str(&text);
            }
            Ok(())
        }
        "assistant" => {
            let said = check_assistant(message)?;
            open.extend(said.calls.iter().map(|call| call.id.clone()));
            conversation.said.push(said);
            Ok(())
        }
        "tool" => {
            message.only(&["role", "content", "tool_call_id"])?;
            words(message)?;
            let id = check_name(&message.field("tool_call_id")?)?;
            match open.iter().position(|call| *call == id) {
                Some(index) => {
                    open.remove(index);
                    Ok(())
                }
                None => Err(message
                    .problem("messages with role 'tool' must be a response to a preceeding message with 'tool_calls'")),
            }
        }
        other => Err(role.problem(format!("Invalid value: '{other}'"))),
    }
}

fn check_answered(open: &[String]) -> Result<(), Problem> {
    if open.is_empty() {
        return Ok(());
    }
    let message = format!(
        "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The \
         following tool_call_ids did not have response messages: {}",
        open.join(", ")
    );
    Err(Problem::at("messages", message))
}

fn check_assistant(message: &Part<'_>) -> Result<Said, Problem> {
    message.only(&["role", "content", "tool_calls", "refusal", "name"])?;
    let mut said = Said::default();
    if message.optional("content").is_some() {
        said.text = words(message)?;
    }
    if let Some(calls) = message.optional("tool_calls") {
        let elements = calls.elements()?;
        if elements.is_empty() {
            return Err(calls.problem("empty array. Expected an array with minimum length 1"));
        }
        for call in elements {
            said.calls.push(check_call(&call)?);
        }
    } else if message.optional("content").is_none() {
        return Err(message.problem("expected a string, got null"));
    }
    Ok(said)
}

fn check_call(call: &Part<'_>) -> Result<SaidCall, Problem> {
    call.only(&["id", "type", "function"])?;
    if call.field("type")?.text()? != "function" {
        return Err(call.problem("Supported values are: 'function'"));
    }
    let function = call.field("function")?;
    function.only(&["name", "arguments"])?;
    let arguments = function.field("arguments")?;
    let object: Value =
        serde_json::from_str(arguments.text()?).map_err(|error| arguments.problem(format!("is no JSON: {error}")))?;
    Ok(SaidCall {
        id: check_name(&call.field("id")?)?,
        tool: check_name(&function.field("name")?)?,
        arguments: object,
    })
}

fn words(message: &Part<'_>) -> Result<String, Problem> {
    let content = message.field("content")?;
    if let Value::String(text) = content.value {
        return Ok(text.clone());
    }
    let mut words = String::new();
    for part in content.elements()? {
        part.only(&["type", "text"])?;
        if part.field("type")?.text()? != "text" {
            return Err(part.problem("Supported values are: 'text'"));
        }
        words.push_str(part.field("text")?.text()?);
    }
    Ok(words)
}
