//! The body of a question by chat completions (<https://platform.openai.com/docs/api-reference/chat/create>).

use std::borrow::Cow;

use serde::Serialize;

use super::super::written::{arguments, body as body_of, cache_key, is_blank, json_text, malformed_arguments, output};
use super::Dialect;
use crate::model::answer::Part;
use crate::model::call::CallId;
use crate::model::offer::Offer;
use crate::model::request::{CallResult, Message, ModelRequest};
use crate::model::sorted_json::Sorted;
use crate::model::wire_name::{wire_id, wire_name};

/// Everything before `messages`. The order of the members is that of the bytes.
#[derive(Serialize)]
struct Head<'a> {
    model: &'a str,
    stream: bool,
    stream_options: StreamOptions,
    #[serde(skip_serializing_if = "Option::is_none")]
    store: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_cache_key: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parallel_tool_calls: Option<bool>,
}

/// Ollama, vLLM and llama.cpp know it too.
#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

#[derive(Serialize)]
#[serde(tag = "type", content = "function", rename_all = "snake_case")]
enum Tool<'a> {
    Function {
        name: &'a str,
        description: &'a str,
        parameters: Sorted<'a>,
    },
}

#[derive(Serialize)]
#[serde(tag = "role", rename_all = "snake_case")]
enum Said<'a> {
    System {
        content: &'a str,
    },
    User {
        content: &'a str,
    },
    Assistant {
        /// Empty rather than missing: the templates of local models want a text.
        content: String,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        tool_calls: Vec<Call<'a>>,
    },
    Tool {
        tool_call_id: Cow<'a, str>,
        content: Cow<'a, str>,
    },
}

#[derive(Serialize)]
struct Call<'a> {
    id: Cow<'a, str>,
    #[serde(flatten)]
    call: Function<'a>,
}

#[derive(Serialize)]
#[serde(tag = "type", content = "function", rename_all = "snake_case")]
enum Function<'a> {
    Function { name: Cow<'a, str>, arguments: String },
}

/// The body that puts `request` to `model`.
pub(super) fn body(model: &str, dialect: Dialect, request: &ModelRequest<'_>) -> Vec<u8> {
    let offers = request.offers();
    let is_openai = dialect == Dialect::OpenAi;
    let tokens_max = Some(request.output_tokens_max);
    let head = Head {
        model,
        stream: true,
        stream_options: StreamOptions { include_usage: true },
        store: is_openai.then_some(false),
        max_completion_tokens: tokens_max.filter(|_| is_openai),
        max_tokens: tokens_max.filter(|_| !is_openai),
        prompt_cache_key: is_openai.then(|| cache_key(request.system)),
        tools: offers.iter().map(tool).collect(),
        parallel_tool_calls: (!offers.is_empty()).then_some(true),
    };
    let content = request.system.text;
    let system = (!is_blank(content)).then(|| json_text(&Said::System { content }));
    let said = request.messages.iter().flat_map(|message| dialect.said(message));
    let messages: Vec<String> = system.into_iter().chain(said).collect();
    body_of(&head, "messages", &messages)
}

fn tool(offer: &Offer) -> Tool<'_> {
    Tool::Function {
        name: offer.name,
        description: offer.description,
        parameters: Sorted(&offer.input_schema),
    }
}

impl Dialect {
    fn said(self, message: &Message) -> Vec<String> {
        match message {
            Message::User { text } if is_blank(text) => Vec::new(),
            Message::User { text } => vec![json_text(&Said::User { content: text })],
            Message::Assistant(parts) => self.answer(parts).into_iter().collect(),
            Message::Results(results) => results.iter().map(|result| self.result(result)).collect(),
        }
    }

    /// An earlier answer; nothing if nothing of it can be said here.
    fn answer(self, parts: &[Part]) -> Option<String> {
        let (mut content, mut tool_calls) = (String::new(), Vec::new());
        for part in parts {
            let (id, name, arguments) = match part {
                Part::Text(text) => {
                    content.push_str(text);
                    continue;
                }
                Part::Call(call) => (call.id(), call.tool().as_str(), arguments(call)),
                Part::Malformed(call) => (&call.id, call.tool.as_str(), malformed_arguments(call)),
                Part::Opaque(_) => continue,
            };
            let name = wire_name(name);
            tool_calls.push(Call {
                id: self.id(id),
                call: Function::Function { name, arguments },
            });
        }
        let is_nothing = is_blank(&content) && tool_calls.is_empty();
        (!is_nothing).then(|| json_text(&Said::Assistant { content, tool_calls }))
    }

    fn result(self, result: &CallResult) -> String {
        json_text(&Said::Tool {
            tool_call_id: self.id(&result.id),
            content: output(result),
        })
    }

    /// Other servers get back their own ids: some models were taught to see them as they wrote them.
    fn id(self, id: &CallId) -> Cow<'_, str> {
        match self {
            Self::OpenAi => wire_id(id),
            Self::Other => id.as_str().into(),
        }
    }
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
