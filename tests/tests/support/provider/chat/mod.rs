//! OpenAI chat completions: platform.openai.com/docs/api-reference, "Chat", "Chat streaming"; and as local servers
//! (Ollama, vLLM, llama.cpp) speak it.

mod check;
mod perform;

pub(super) use check::check;
pub(super) use perform::perform;
