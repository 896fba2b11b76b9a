//! The events of an answer, one by one (WHATWG HTML §9.2), however the network cuts them into pieces.

use std::io::Cursor;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::{Stream, StreamExt as _, stream};
use sse_stream::{Sse, SseByteStream};

use super::body::Body;
use super::error::HttpError;
use super::limits::Limits;

/// An event with data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its `event` field; OpenAI's chat completions have none.
    pub name: Option<String>,
    /// Its `data` lines, joined by line feeds; never empty.
    pub data: String,
}

/// The events of one answer. Dropping it closes the connection if the answer is not over.
pub struct EventStream {
    events: Pin<Box<dyn Stream<Item = Result<Sse, sse_stream::Error>> + Send>>,
    /// Bytes that came in since the last event that went out.
    since_event: Arc<AtomicUsize>,
    request_id: Option<String>,
}

impl EventStream {
    pub(super) fn read(body: Body, limits: &Limits, request_id: Option<String>) -> Self {
        let since_event = Arc::new(AtomicUsize::new(0));
        let measured = Measured {
            body,
            since_event: Arc::clone(&since_event),
            taken: 0,
            event_len_max: limits.event_len_bytes,
            stream_len_max: limits.stream_len_bytes,
        };
        let pieces = stream::unfold(Some(measured), |measured| async {
            let mut measured = measured?;
            match measured.piece().await {
                Ok(Some(piece)) => Some((Ok(piece), Some(measured))),
                Ok(None) => None,
                Err(error) => Some((Err(error), None)),
            }
        });
        Self::of(pieces, since_event, request_id)
    }

    fn of(
        pieces: impl Stream<Item = Result<Vec<u8>, HttpError>> + Send + 'static,
        since_event: Arc<AtomicUsize>,
        request_id: Option<String>,
    ) -> Self {
        let buffers = pieces.map(|piece| piece.map(Cursor::new));
        Self {
            events: Box::pin(SseByteStream::new(Box::pin(buffers))),
            since_event,
            request_id,
        }
    }

    /// The events of an answer that was recorded, cut into these pieces.
    #[cfg(test)]
    pub(crate) fn replay(pieces: Vec<Vec<u8>>) -> Self {
        Self::of(stream::iter(pieces.into_iter().map(Ok)), Arc::default(), None)
    }

    /// How the provider finds the call again.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    /// The next event that has data, or nothing at the end of the stream.
    ///
    /// The end says nothing about whether the answer is complete: each provider marks that in its own way, and an
    /// answer without the mark is [`HttpError::Cut`]. Half an event at the end is not given out.
    ///
    /// # Errors
    /// [`HttpError::TimedOut`], [`HttpError::Cut`], [`HttpError::TooLarge`], [`HttpError::Malformed`]; after an error
    /// the stream is at its end.
    pub async fn next(&mut self) -> Result<Option<Event>, HttpError> {
        while let Some(event) = self.events.next().await {
            let event = event.map_err(failure)?;
            self.since_event.store(0, Ordering::Relaxed);
            // Events without data are for the connection, not for its reader.
            if let Some(data) = event.data.filter(|data| !data.is_empty()) {
                let name = event.event.filter(|name| !name.is_empty());
                return Ok(Some(Event { name, data }));
            }
        }
        Ok(None)
    }
}

fn failure(error: sse_stream::Error) -> HttpError {
    match error {
        sse_stream::Error::Body(source) => match source.downcast::<HttpError>() {
            Ok(error) => *error,
            Err(source) => HttpError::Malformed {
                problem: source.to_string(),
            },
        },
        error => HttpError::Malformed {
            problem: error.to_string(),
        },
    }
}

/// A body that counts what it gives.
struct Measured {
    body: Body,
    since_event: Arc<AtomicUsize>,
    taken: usize,
    event_len_max: usize,
    stream_len_max: usize,
}

impl Measured {
    async fn piece(&mut self) -> Result<Option<Vec<u8>>, HttpError> {
        let Some(piece) = self.body.piece().await? else {
            return Ok(None);
        };
        self.taken += piece.len();
        let since_event = self.since_event.fetch_add(piece.len(), Ordering::Relaxed) + piece.len();
        for (what, len, limit) in [
            ("an event", since_event, self.event_len_max),
            ("the stream", self.taken, self.stream_len_max),
        ] {
            if len > limit {
                return Err(HttpError::TooLarge { what, limit });
            }
        }
        Ok(Some(piece))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything that a stream may hold: a byte order mark, comments, all line ends, several data lines, events
    /// without data, unknown fields, characters of several bytes, and half an event at the end.
    const RECORDED: &str = concat!(
        "\u{feff}: welcome\n\n",
        "event: message_start\ndata: {\"a\":1}\n\n",
        "data:no space\r\n\r\n",
        ": ping\r\rretry: 3000\r\revent: ping\r\r",
        "event: delta\rdata: first\rdata:  second \u{20ac}\u{1f600}\r\r",
        "id: 7\nunknown: x\ndata\ndata: [DONE]\n\n",
        "data:\n\n",
        "event: half\ndata: never given",
    );

    async fn all(mut events: EventStream) -> Result<Vec<Event>, HttpError> {
        let mut all = Vec::new();
        while let Some(event) = events.next().await? {
            all.push(event);
        }
        Ok(all)
    }

    fn event(name: Option<&str>, data: &str) -> Event {
        Event {
            name: name.map(str::to_owned),
            data: data.to_owned(),
        }
    }

    fn expected() -> Vec<Event> {
        vec![
            event(Some("message_start"), "{\"a\":1}"),
            event(None, "no space"),
            event(Some("delta"), "first\n second \u{20ac}\u{1f600}"),
            event(None, "\n[DONE]"),
        ]
    }

    #[tokio::test]
    async fn any_cut_in_two_gives_the_same_events() -> Result<(), HttpError> {
        for at in 0..=RECORDED.len() {
            let (one, other) = RECORDED.as_bytes().split_at(at);
            let events = all(EventStream::replay(vec![one.to_vec(), other.to_vec()])).await?;
            assert_eq!(events, expected(), "cut at {at}");
        }
        Ok(())
    }

    #[tokio::test]
    async fn pieces_of_any_one_size_give_the_same_events() -> Result<(), HttpError> {
        for size in 1..=RECORDED.len() {
            let pieces = RECORDED.as_bytes().chunks(size).map(<[u8]>::to_vec).collect();
            assert_eq!(all(EventStream::replay(pieces)).await?, expected(), "pieces of {size}");
        }
        Ok(())
    }

    #[tokio::test]
    async fn bytes_that_are_no_text_end_the_stream() {
        let mut events = EventStream::replay(vec![b"data: \xff\n\ndata: x\n\n".to_vec()]);
        let refused = events.next().await;
        assert!(matches!(refused, Err(HttpError::Malformed { .. })), "{refused:?}");
        assert!(matches!(events.next().await, Ok(None)));
    }

    #[tokio::test]
    async fn nothing_is_no_event() -> Result<(), HttpError> {
        for text in ["", "\n\n\n", ": only a comment\n\n", "event: x\n\n", "data: no end"] {
            assert_eq!(all(EventStream::replay(vec![text.into()])).await?, [], "{text:?}");
        }
        Ok(())
    }
}
