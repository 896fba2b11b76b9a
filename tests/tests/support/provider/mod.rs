//! A model provider on loopback that speaks the real formats and plays a script: it shares no code with the client under
//! test, so that it can find the client's mistakes.
//!
//! It judges every request as strictly as the provider would, and what the model is said to have said more strictly: the
//! history has to be what this server sent. Only streamed answers are spoken. What the real services do on their side
//! (token counts, caches, moderation) is invented, but always the same.

mod chat;
mod conversation;
mod fault;
mod http;
mod messages;
mod player;
mod problem;
mod raw_client;
mod record;
mod refusal_tests;
mod responses;
mod script;
mod server;
mod server_tests;
mod sse;
mod wire;

pub(crate) use fault::Fault;
pub(crate) use record::{Recorded, check_prefixes};
pub(crate) use server::{Provider, Setup};
pub(crate) use sse::LineEnd;
pub(crate) use wire::Usage;
