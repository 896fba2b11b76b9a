//! Reading an answer that streams in, and showing it meanwhile, whatever its format.

use std::sync::atomic::{AtomicBool, Ordering};
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

/// Shows an answer as it comes in, and takes it back when the attempt fails.
pub(super) struct Showing<'a> {
    events: EventSink<'a>,
    is_shown: AtomicBool,
}

impl<'a> Showing<'a> {
    /// Nothing is shown yet.
    pub(super) fn to(events: EventSink<'a>) -> Self {
        Self {
            events,
            is_shown: AtomicBool::new(false),
        }
    }

    /// Shows `event`.
    pub(super) fn show(&self, event: ModelEvent) {
        // What was restarted within a stream is not shown any more.
        let is_restart = matches!(event, ModelEvent::Restarted { .. });
        self.is_shown.store(!is_restart, Ordering::Relaxed);
        (self.events)(event);
    }

    /// Takes back what was shown of `failed`, if anything was.
    pub(super) fn take_back(&self, failed: &Attempt) {
        if self.is_shown.load(Ordering::Relaxed) {
            let reason = failed.problem.clone();
            self.show(ModelEvent::Restarted { reason });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, PoisonError};

    use super::*;

    #[test]
    fn only_what_was_shown_is_taken_back_and_only_once() {
        let told = Mutex::new(Vec::new());
        let sink = |event| told.lock().unwrap_or_else(PoisonError::into_inner).push(event);
        let showing = Showing::to(&sink);
        let failed = Attempt {
            problem: "529".to_owned(),
            waited_ms: 1,
        };
        showing.take_back(&failed);
        showing.show(ModelEvent::Text("a".to_owned()));
        showing.take_back(&failed);
        showing.take_back(&failed);
        let expected = [
            ModelEvent::Text("a".to_owned()),
            ModelEvent::Restarted {
                reason: "529".to_owned(),
            },
        ];
        assert_eq!(told.into_inner().unwrap_or_default(), expected);
    }
}
