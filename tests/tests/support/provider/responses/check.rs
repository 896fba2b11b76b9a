//! What the Responses API demands of a request that keeps nothing on the server.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::conversation::{Conversation, Said, SaidCall};
use super::super::problem::{Part, Problem, check_name, check_object_schema, check_strict_schema};

const MEMBERS: &[&str] = &[
    "model",
    "input",
    "instructions",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "stream",
    "stream_options",
    "store",
    "include",
    "reasoning",
    "text",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "prompt_cache_key",
    "prompt_cache_retention",
    "safety_identifier",
    "service_tier",
    "truncation",
];

const ENCRYPTED: &str = "reasoning.encrypted_content";

/// Checks the body.
pub(in super::super) fn check(body: &Value) -> Result<Conversation, Problem> {
    let body = Part::whole(body);
    body.only(MEMBERS)?;
    body.field("model")?.text()?;
    if let Some(tokens_max) = body.optional("max_output_tokens") {
        tokens_max.number(16)?;
    }
    if let Some(instructions) = body.optional("instructions") {
        instructions.text()?;
    }
    let is_stored = body
        .optional("store")
        .is_none_or(|store| store.value == &Value::Bool(true));
    let include = body
        .optional("include")
        .map_or(Ok(Vec::new()), |include| include.elements())?;
    let mut conversation = Conversation {
        thinks: include.iter().any(|name| name.value == ENCRYPTED),
        ..Conversation::default()
    };
    check_tools(&body, &mut conversation)?;
    let input = body.field("input")?;
    match input.value {
        Value::String(text) => conversation.opening.clone_from(text),
        _ => Items::read(&input, is_stored, &mut conversation)?,
    }
    Ok(conversation)
}

fn check_tools(body: &Part<'_>, conversation: &mut Conversation) -> Result<(), Problem> {
    let tools = body
        .optional("tools")
        .map_or(Ok(Vec::new()), |tools| tools.elements())?;
    if tools.is_empty()
        && body
            .optional("tool_choice")
            .is_some_and(|choice| choice.value != "auto")
    {
        return Err(Problem::at("tool_choice", "Tool choices other than 'auto' need tools"));
    }
    for tool in tools {
        if tool.field("type")?.text()? != "function" {
            return Err(tool.problem("Supported values are: 'function'"));
        }
        tool.only(&["type", "name", "description", "parameters", "strict"])?;
        let schema = tool.field("parameters")?;
        check_object_schema(&schema)?;
        match tool.optional("strict").map(|strict| strict.value) {
            Some(Value::Bool(true)) => check_strict_schema(&schema)?,
            Some(Value::Bool(false)) => {}
            // Left out, it makes every property a required one.
            _ => conversation.fills_in = true,
        }
        let name = check_name(&tool.field("name")?)?;
        if conversation.tools.insert(name, schema.value.clone()).is_some() {
            return Err(tool.problem("function names must be unique"));
        }
    }
    Ok(())
}

/// The items read so far.
#[derive(Default)]
struct Items {
    /// The answer that is being put together; nothing between the user's items.
    answer: Option<Said>,
    /// Whether each call has its output.
    outputs: BTreeMap<String, bool>,
    /// The last item is reasoning, which stands never alone.
    dangling: Option<String>,
}

impl Items {
    fn read(input: &Part<'_>, is_stored: bool, conversation: &mut Conversation) -> Result<(), Problem> {
        let mut items = Self::default();
        for item in input.elements()? {
            let kind = item.optional("type").map_or(Ok("message"), |kind| kind.text())?;
            let is_models = match kind {
                "message" => item.field("role")?.text()? == "assistant",
                "reasoning" | "function_call" => true,
                "function_call_output" => false,
                _ => return Err(item.problem(format!("Invalid value: '{kind}'"))),
            };
            if is_models {
                items.model(kind, &item, is_stored, conversation.thinks)?;
            } else {
                items.end_answer(conversation)?;
                items.user(kind, &item, conversation)?;
            }
        }
        items.end_answer(conversation)?;
        items.check_outputs()
    }

    fn model(&mut self, kind: &str, item: &Part<'_>, is_stored: bool, thinks: bool) -> Result<(), Problem> {
        if self.answer.is_none() {
            self.check_outputs()?;
        }
        let answer = self.answer.get_or_insert_default();
        self.dangling = None;
        match kind {
            "reasoning" => {
                item.only(&["type", "id", "summary", "encrypted_content", "content", "status"])?;
                check_id(item, "rs")?;
                item.field("summary")?.elements()?;
                let id = item
                    .optional("id")
                    .map_or("", |id| id.value.as_str().unwrap_or_default());
                if item.optional("encrypted_content").is_none() && !is_stored {
                    let message = format!(
                        "Item with id '{id}' not found. Items are not persisted when `store` is set to false. Try again \
                         with `store` set to true, or remove this item from your input."
                    );
                    return Err(Problem::new(404, message));
                }
                if !(answer.text.is_empty() && answer.calls.is_empty()) {
                    return Err(item.problem("reasoning stands before the message and the calls it led to"));
                }
                if thinks {
                    answer.reasoning.push(only_given(item));
                }
                self.dangling = Some(id.to_owned());
            }
            "function_call" => {
                item.only(&["type", "id", "call_id", "name", "arguments", "status"])?;
                check_id(item, "fc")?;
                let call = check_call(item)?;
                if self.outputs.insert(call.id.clone(), false).is_some() {
                    return Err(item.problem(format!("Duplicate call_id {}", call.id)));
                }
                answer.calls.push(call);
            }
            _ => {
                item.only(&["type", "id", "role", "content", "status", "phase"])?;
                check_id(item, "msg")?;
                answer.text.push_str(&words(item, "output_text")?);
            }
        }
        Ok(())
    }

    fn user(&mut self, kind: &str, item: &Part<'_>, conversation: &mut Conversation) -> Result<(), Problem> {
        if kind == "function_call_output" {
            item.only(&["type", "id", "call_id", "output", "status"])?;
            item.field("output")?.text()?;
            let id = check_name(&item.field("call_id")?)?;
            return match self.outputs.get_mut(&id) {
                Some(is_given) if !*is_given => {
                    *is_given = true;
                    Ok(())
                }
                Some(_) => Err(item.problem(format!("Duplicate output for call_id {id}"))),
                None => Err(Problem::at(
                    "input",
                    format!("No tool call found for function call output with call_id {id}."),
                )),
            };
        }
        item.only(&["type", "role", "content", "id", "status"])?;
        let role = item.field("role")?;
        let text = words(item, "input_text")?;
        match role.text()? {
            "system" | "developer" => Ok(()),
            "user" => {
                if conversation.said.is_empty() {
                    if !conversation.opening.is_empty() {
                        conversation.opening.push('\n');
                    }
                    conversation.opening.push_str(&text);
                }
                Ok(())
            }
            _ => Err(role.problem("Supported values are: 'assistant', 'system', 'developer', and 'user'")),
        }
    }

    fn end_answer(&mut self, conversation: &mut Conversation) -> Result<(), Problem> {
        if let Some(id) = self.dangling.take() {
            let message = format!("Item '{id}' of type 'reasoning' was provided without its required following item.");
            return Err(Problem::at("input", message));
        }
        conversation.said.extend(self.answer.take());
        Ok(())
    }

    fn check_outputs(&self) -> Result<(), Problem> {
        match self.outputs.iter().find(|(_, is_given)| !**is_given) {
            Some((id, _)) => Err(Problem::at(
                "input",
                format!("No tool output found for function call {id}."),
            )),
            None => Ok(()),
        }
    }
}

/// What was given with an item, without what the server adds and takes or leaves.
fn only_given(item: &Part<'_>) -> Value {
    let mut value = item.value.clone();
    if let Some(members) = value.as_object_mut() {
        members.retain(|name, value| !(name == "status" || (name == "content" && value.is_null())));
    }
    value
}

fn check_id(item: &Part<'_>, prefix: &str) -> Result<(), Problem> {
    match item.optional("id") {
        Some(id) if !id.text()?.starts_with(&format!("{prefix}_")) => {
            Err(id.problem(format!("Expected an ID that begins with '{prefix}'")))
        }
        _ => Ok(()),
    }
}

fn check_call(item: &Part<'_>) -> Result<SaidCall, Problem> {
    let arguments = item.field("arguments")?;
    let object: Value =
        serde_json::from_str(arguments.text()?).map_err(|error| arguments.problem(format!("is no JSON: {error}")))?;
    Ok(SaidCall {
        id: check_name(&item.field("call_id")?)?,
        tool: check_name(&item.field("name")?)?,
        arguments: object,
    })
}

/// The words of a message, in parts of `kind` or in one text.
fn words(item: &Part<'_>, kind: &str) -> Result<String, Problem> {
    let content = item.field("content")?;
    if let Value::String(text) = content.value {
        return Ok(text.clone());
    }
    let mut words = String::new();
    for part in content.elements()? {
        let found = part.field("type")?.text()?;
        if found != kind {
            return Err(part.problem(format!("Invalid value: '{found}'. Supported values are: '{kind}'")));
        }
        part.only(&["type", "text", "annotations", "logprobs"])?;
        words.push_str(part.field("text")?.text()?);
    }
    Ok(words)
}
