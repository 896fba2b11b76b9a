//! Reading what a server sends, within the limits of time and size.

use std::time::Duration;

use reqwest::Response;
use tokio::time::Instant;

use super::error::{HttpError, Wait};
use super::limits::Limits;

/// The moment at which a call ends, whatever it is doing then.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline {
    at: Instant,
    limit: Duration,
}

impl Deadline {
    /// `limit` from now.
    pub(super) fn after(limit: Duration) -> Self {
        Self {
            at: Instant::now() + limit,
            limit,
        }
    }

    /// Runs `future` until it is done, until `limit` is over, or until the call is.
    pub(super) async fn within<T>(
        self,
        wait: Wait,
        limit: Duration,
        future: impl Future<Output = T>,
    ) -> Result<T, HttpError> {
        let own = Instant::now() + limit;
        let (at, timed_out) = if own < self.at {
            (own, HttpError::TimedOut { wait, limit })
        } else {
            let (wait, limit) = (Wait::End, self.limit);
            (self.at, HttpError::TimedOut { wait, limit })
        };
        tokio::time::timeout_at(at, future).await.map_err(|_| timed_out)
    }
}

/// The body of an answer, still on its way.
pub(super) struct Body {
    response: Response,
    deadline: Deadline,
    silence: Duration,
}

impl Body {
    pub(super) fn new(response: Response, deadline: Deadline, limits: &Limits) -> Self {
        Self {
            response,
            deadline,
            silence: limits.silence,
        }
    }

    /// The next piece, or nothing at the regular end.
    ///
    /// # Errors
    /// [`HttpError::TimedOut`], [`HttpError::Cut`].
    pub(super) async fn piece(&mut self) -> Result<Option<Vec<u8>>, HttpError> {
        let piece = self
            .deadline
            .within(Wait::Bytes, self.silence, self.response.chunk())
            .await?;
        let piece = piece.map_err(|error| HttpError::Cut {
            source: Some(error.without_url()),
        })?;
        Ok(piece.map(Into::into))
    }

    /// All of it.
    ///
    /// # Errors
    /// As [`Self::piece`], and [`HttpError::TooLarge`].
    pub(super) async fn whole(mut self, limit: usize) -> Result<Vec<u8>, HttpError> {
        let mut whole = Vec::new();
        while let Some(piece) = self.piece().await? {
            if whole.len() + piece.len() > limit {
                let what = "the answer";
                return Err(HttpError::TooLarge { what, limit });
            }
            whole.extend(piece);
        }
        Ok(whole)
    }

    /// Its beginning: at most `limit` bytes, fewer if no more come.
    pub(super) async fn beginning(mut self, limit: usize) -> Vec<u8> {
        let mut beginning = Vec::new();
        while let Ok(Some(piece)) = self.piece().await {
            beginning.extend(piece);
            if beginning.len() >= limit {
                beginning.truncate(limit);
                break;
            }
        }
        beginning
    }
}
