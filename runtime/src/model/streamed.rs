//! Reading an answer that streams in, and showing it meanwhile, whatever its format.

use std::time::Duration;

use tokio::time::timeout;

use super::answer::Attempt;
use super::http::EventStream;
use super::{EventSink, ModelError, ModelEvent};

/// How long the end of a stream is waited for after the end of its answer, so that the connection can be used again.
const END_OF_STREAM: Duration = Duration::from_millis(50);

/// A state machine that makes an answer of events, without clock or network. After an error it is of no use.
pub(super) trait Decode {
    /// What it makes.
    type Reply;

    /// Takes in the event called `name` with `data`, and tells what can be shown of it.
    ///
    /// # Errors
    /// [`ModelError::Protocol`] for what contradicts itself or the rules, and the errors that the provider reports.
    fn event(&mut self, name: &str, data: &str) -> Result<Vec<ModelEvent>, ModelError>;

    /// Whether the answer is complete, so that nothing need be read any more.
    fn is_stopped(&self) -> bool;

    /// The answer, after the last event.
    ///
    /// # Errors
    /// [`HttpError::Cut`](super::http::HttpError::Cut) when its end has not come; [`ModelError::Protocol`] when what
    /// came is none.
    fn finish(self) -> Result<Self::Reply, ModelError>;
}

/// Reads one answer from `stream`, which is not read further than that.
pub(super) async fn decode<D: Decode>(
    mut decoder: D,
    stream: &mut EventStream,
    show: EventSink<'_>,
) -> Result<D::Reply, ModelError> {
    while !decoder.is_stopped()
        && let Some(event) = stream.next().await?
    {
        decoder
            .event(event.name.as_deref().unwrap_or_default(), &event.data)?
            .into_iter()
            .for_each(show);
    }
    decoder.finish()
}

/// Gives the connection back. The answer is there; what keeps the connection from being used again is not its concern.
pub(super) async fn let_go(mut stream: EventStream) {
    let _ = timeout(END_OF_STREAM, async { while let Ok(Some(_)) = stream.next().await {} }).await;
}

/// What is told of an attempt that failed while another follows: nothing that it showed counts, and the person learns
/// what is waited for.
pub(super) fn taken_back(failed: &Attempt) -> ModelEvent {
    ModelEvent::Restarted {
        reason: failed.problem.clone(),
    }
}
