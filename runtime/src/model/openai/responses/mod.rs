//! OpenAI Responses (<https://platform.openai.com/docs/api-reference/responses>), with nothing kept at the provider.

mod event;
mod item;
mod request;
mod stream;

use std::sync::{Arc, OnceLock};

use countersign_schemas::text::Name;

use self::stream::Decoder;
use super::chat::{ChatModel, Dialect};
use super::reply::{Reply, outcome};
use crate::model::choice::Remote;
use crate::model::http::HttpError;
use crate::model::http::retry::{RetryPolicy, Tried, with_retries};
use crate::model::streamed::{decode, let_go, taken_back};
use crate::model::{Attempt, EventSink, Model, ModelAnswer, ModelError, ModelRequest};
use crate::tool::BoxFuture;

/// The one host of which it is known that it speaks this API, whatever it answers.
const OPENAI_HOST: &str = "api.openai.com";

/// What is entered as a failed attempt when the other API is asked from then on.
const NO_RESPONSES: &str = "the server has no Responses API; asked by chat completions";

/// A model of OpenAI, or one that is reached by the same API. A server that turns out not to speak it is asked by chat
/// completions.
pub(in crate::model) struct ResponsesModel {
    remote: Arc<Remote>,
    retries: RetryPolicy,
    chat: ChatModel,
    /// What the server has answered by, once it has.
    spoken: OnceLock<Api>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Api {
    Responses,
    Chat,
}

impl ResponsesModel {
    /// The model that is `remote`.
    pub(in crate::model) fn new(remote: Remote) -> Self {
        let remote = Arc::new(remote);
        Self {
            // Whoever has only chat completions is not OpenAI.
            chat: ChatModel::new(Arc::clone(&remote), Dialect::Other),
            remote,
            retries: RetryPolicy::STANDARD,
            spoken: OnceLock::new(),
        }
    }

    async fn ask(&self, request: &ModelRequest<'_>, events: EventSink<'_>) -> Tried<Reply, ModelError> {
        if self.spoken.get() == Some(&Api::Chat) {
            return self.chat.ask(request, events).await;
        }
        let take_back = |failed: &Attempt| events(taken_back(failed));
        let tried = with_retries(&self.retries, take_back, |_| self.attempt(request, events)).await;
        match &tried.result {
            Err(error) if self.may_lack_responses(error) => self.ask_by_chat(request, events, tried.failed).await,
            Err(_) => tried,
            Ok(_) => {
                let _ = self.spoken.set(Api::Responses);
                tried
            }
        }
    }

    async fn attempt(&self, request: &ModelRequest<'_>, show: EventSink<'_>) -> Result<Reply, ModelError> {
        let body = request::body(self.remote.model.as_str(), request);
        let mut stream = self.remote.endpoint.post("/responses", body).await?;
        let reply = decode(Decoder::default(), &mut stream, show).await?;
        let_go(stream).await;
        Ok(reply)
    }

    /// Whether `error` can mean that the server does not speak this API: it has never yet answered by it.
    fn may_lack_responses(&self, error: &ModelError) -> bool {
        let is_unknown = matches!(error, ModelError::Http(HttpError::Status { status: 404, .. }));
        is_unknown && self.spoken.get().is_none() && self.remote.endpoint.base().host() != OPENAI_HOST
    }

    /// Asks the other way, after `failed`, the last of which is that this one is not known.
    async fn ask_by_chat(
        &self,
        request: &ModelRequest<'_>,
        events: EventSink<'_>,
        mut failed: Vec<Attempt>,
    ) -> Tried<Reply, ModelError> {
        failed.pop();
        failed.push(Attempt {
            problem: NO_RESPONSES.to_owned(),
            waited_ms: 0,
        });
        let mut tried = self.chat.ask(request, events).await;
        if tried.result.is_ok() {
            let _ = self.spoken.set(Api::Chat);
        }
        failed.append(&mut tried.failed);
        Tried { failed, ..tried }
    }
}

impl Model for ResponsesModel {
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
