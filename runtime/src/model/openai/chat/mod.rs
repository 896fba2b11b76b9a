//! Chat completions (<https://platform.openai.com/docs/api-reference/chat>), as OpenAI speaks them and as Ollama, vLLM
//! and llama.cpp do.

mod calls;
mod chunk;
mod request;
mod stream;

use std::sync::Arc;

use countersign_schemas::text::Name;

use self::stream::Decoder;
use super::reply::{Reply, outcome};
use crate::model::choice::Remote;
use crate::model::http::retry::{RetryPolicy, Tried, with_retries};
use crate::model::streamed::{decode, let_go, taken_back};
use crate::model::{Attempt, EventSink, Message, Model, ModelAnswer, ModelError, ModelRequest};
use crate::tool::BoxFuture;

/// Whose chat completions they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::model) enum Dialect {
    /// OpenAI's own.
    OpenAi,
    /// Those of other servers, which know older names and fewer members.
    Other,
}

/// A model that is asked by chat completions.
pub(in crate::model) struct ChatModel {
    remote: Arc<Remote>,
    retries: RetryPolicy,
    dialect: Dialect,
}

impl ChatModel {
    /// The model that is `remote`, whose server speaks `dialect`.
    pub(in crate::model) fn new(remote: impl Into<Arc<Remote>>, dialect: Dialect) -> Self {
        Self {
            remote: remote.into(),
            retries: RetryPolicy::STANDARD,
            dialect,
        }
    }

    /// Asks, and asks again while that may help.
    pub(in crate::model::openai) async fn ask(
        &self,
        request: &ModelRequest<'_>,
        events: EventSink<'_>,
    ) -> Tried<Reply, ModelError> {
        let take_back = |failed: &Attempt| events(taken_back(failed));
        with_retries(&self.retries, take_back, |_| self.attempt(request, events)).await
    }

    async fn attempt(&self, request: &ModelRequest<'_>, show: EventSink<'_>) -> Result<Reply, ModelError> {
        let body = request::body(self.remote.model.as_str(), self.dialect, request);
        let mut stream = self.remote.endpoint.post("/chat/completions", body).await?;
        let reply = decode(Decoder::new(turn(request)), &mut stream, show).await?;
        let_go(stream).await;
        Ok(reply)
    }
}

/// The number of the answer that is asked for, counted from 1.
fn turn(request: &ModelRequest<'_>) -> usize {
    let is_answer = |message: &&Message| matches!(message, Message::Assistant(_));
    request.messages.iter().filter(is_answer).count() + 1
}

impl Model for ChatModel {
    fn provider(&self) -> &Name {
        &self.remote.provider
    }

    fn name(&self) -> &Name {
        &self.remote.model
    }

    fn answer<'a>(
        &'a self,
        request: &'a ModelRequest<'a>,
        events: EventSink<'a>,
    ) -> BoxFuture<'a, Result<ModelAnswer, ModelError>> {
        Box::pin(async move { outcome(self.ask(request, events).await, events) })
    }
}

#[cfg(test)]
mod tests;
