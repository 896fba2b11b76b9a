//! Anthropic Messages (<https://platform.claude.com/docs/en/api/messages/create>), streamed.

mod block;
mod event;
mod reply;
mod request;
mod stream;
mod usage;

use countersign_schemas::text::Name;

use self::reply::{Reply, Stop};
use self::stream::Decoder;
use super::answer::{Attempt, ModelAnswer, Part};
use super::choice::Remote;
use super::http::Endpoint;
use super::http::retry::{RetryPolicy, with_retries};
use super::request::ModelRequest;
use super::streamed::{decode, let_go, taken_back};
use super::{EventSink, Model, ModelError, ModelEvent};
use crate::tool::BoxFuture;

/// The provider, and so whose form the blocks have that nobody else understands.
const FORMAT: &str = "anthropic";

/// The version of the API that this speaks (<https://platform.claude.com/docs/en/api/versioning>).
const VERSION: &str = "2023-06-01";

/// How often an answer is gone on with in which the provider paused. Each time it has worked for minutes.
const RESUMPTIONS_MAX: u32 = 8;

/// A model of Anthropic, or one that is reached by the same API.
pub(super) struct AnthropicModel {
    endpoint: Endpoint,
    retries: RetryPolicy,
    provider: Name,
    name: Name,
}

impl AnthropicModel {
    /// The model that is `remote`. Its base URL ends in `/v1`, and its key, if it has one, goes into `x-api-key`.
    pub(super) fn new(remote: Remote) -> Self {
        Self {
            endpoint: remote.endpoint.with_header("anthropic-version", VERSION),
            retries: RetryPolicy::STANDARD,
            provider: remote.provider,
            name: remote.model,
        }
    }

    async fn ask(&self, request: &ModelRequest<'_>, events: EventSink<'_>) -> Result<ModelAnswer, ModelError> {
        let take_back = |failed: &Attempt| events(taken_back(failed));
        let tried = with_retries(&self.retries, take_back, |_| self.reply(request, events)).await;
        match tried.result {
            Ok(reply) => {
                let answer = reply.into_answer(tried.failed);
                events(ModelEvent::Ended(answer.end));
                Ok(answer)
            }
            Err(error) => Err(error.after(tried.failed)),
        }
    }

    /// A whole answer: when the provider pauses, it is sent its own words back and goes on. That is one question and
    /// one answer, because nobody else has said anything in between.
    async fn reply(&self, request: &ModelRequest<'_>, show: EventSink<'_>) -> Result<Reply, ModelError> {
        let mut reply = self.message(request, &[], show).await?;
        for _ in 0..RESUMPTIONS_MAX {
            let output_tokens_max = request
                .output_tokens_max
                .saturating_sub(reply.usage.tokens.output.get());
            if reply.stop != Stop::Paused || output_tokens_max == 0 {
                break;
            }
            let rest = ModelRequest {
                output_tokens_max,
                ..*request
            };
            let next = self.message(&rest, &reply.parts, show).await?;
            reply = reply.followed_by(next);
        }
        Ok(reply)
    }

    async fn message(
        &self,
        request: &ModelRequest<'_>,
        unfinished: &[Part],
        show: EventSink<'_>,
    ) -> Result<Reply, ModelError> {
        let body = request::body(self.name.as_str(), request, unfinished);
        let beta = request::beta(request).map(|beta| ("anthropic-beta", beta));
        let mut stream = self.endpoint.post_with("/messages", beta.as_slice(), body).await?;
        let reply = decode(Decoder::default(), &mut stream, show).await?;
        let_go(stream).await;
        Ok(reply)
    }
}

impl Model for AnthropicModel {
    fn provider(&self) -> &Name {
        &self.provider
    }

    fn name(&self) -> &Name {
        &self.name
    }

    fn answer<'a>(
        &'a self,
        request: &'a ModelRequest<'a>,
        events: EventSink<'a>,
    ) -> BoxFuture<'a, Result<ModelAnswer, ModelError>> {
        Box::pin(self.ask(request, events))
    }
}

#[cfg(test)]
mod tests;
