//! OpenAI's two APIs, streamed: Responses (<https://platform.openai.com/docs/api-reference/responses>) and chat
//! completions (<https://platform.openai.com/docs/api-reference/chat>), which other servers speak too: Ollama, vLLM,
//! llama.cpp.

mod chat;
mod failure;
mod reply;
mod responses;
#[cfg(test)]
mod test_support;
mod usage;
mod written;

pub(super) use chat::{ChatModel, Dialect};
pub(super) use responses::ResponsesModel;
