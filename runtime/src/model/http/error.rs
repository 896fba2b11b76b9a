//! What can go wrong between here and a provider, and what each of it means.

use std::fmt;
use std::time::Duration;

use thiserror::Error;

/// Why a call brought no answer. What a provider said is cut and fit to be looked at.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum HttpError {
    /// No client could be made: no root certificates, for example.
    #[error("no client for {url} can be made")]
    Client {
        /// Scheme, host and port.
        url: String,
        /// The library's reason.
        #[source]
        source: reqwest::Error,
    },
    /// No connection: no such host, nobody listens, a certificate that is not accepted, or nobody answers in time.
    #[error("{url} cannot be reached")]
    Unreachable {
        /// Scheme, host and port.
        url: String,
        /// The library's reason.
        #[source]
        source: reqwest::Error,
    },
    /// The server answered with an error.
    #[error("{}", status_text(*status, kind.as_deref(), message, request_id.as_deref(), *retry_after))]
    Status {
        /// The HTTP status.
        status: u16,
        /// The provider's own word for it, such as `overloaded_error`.
        kind: Option<String>,
        /// The provider's explanation.
        message: String,
        /// How the provider finds the call again.
        request_id: Option<String>,
        /// How long the server wants to be left alone.
        retry_after: Option<Duration>,
        /// Whether the server says that trying again helps (`x-should-retry`).
        should_retry: Option<bool>,
    },
    /// The server refuses the key, or wants one and got none.
    #[error("{}", key_text(variable, *sent))]
    Key {
        /// The variable that the key is given in.
        variable: &'static str,
        /// Whether one was sent.
        sent: bool,
        /// What the server said.
        #[source]
        source: Box<HttpError>,
    },
    /// The provider began to answer and then reported an error within the stream.
    #[error("{}", reported_text(kind.as_deref(), message))]
    Reported {
        /// The provider's own word for it.
        kind: Option<String>,
        /// Its explanation.
        message: String,
    },
    /// Nothing came for too long.
    #[error("waited {} s for {wait} in vain", limit.as_secs())]
    TimedOut {
        /// What was waited for.
        wait: Wait,
        /// How long.
        limit: Duration,
    },
    /// The connection ended before the answer did.
    #[error("the connection ended before the answer did")]
    Cut {
        /// The library's reason, where the end was not a regular one.
        #[source]
        source: Option<reqwest::Error>,
    },
    /// The answer is no stream of events.
    #[error("the server answers with \"{content_type}\" where text/event-stream was to come")]
    NotEvents {
        /// What it says it is; empty if it says nothing.
        content_type: String,
    },
    /// More than is taken.
    #[error("{what} has more than {limit} bytes")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// The bound it breaks.
        limit: usize,
    },
    /// Bytes that are not what they are said to be.
    #[error("the server's answer cannot be read: {problem}")]
    Malformed {
        /// What is wrong with them.
        problem: String,
    },
}

/// What can be waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// The head of the answer.
    Head,
    /// The next bytes of the answer.
    Bytes,
    /// The end of the answer.
    End,
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Head => "an answer",
            Self::Bytes => "more of the answer",
            Self::End => "the end of the answer",
        })
    }
}

/// Kinds of errors that pass, as providers call them (Anthropic "Errors", OpenAI "Error codes").
const TRANSIENT_KINDS: [&str; 8] = [
    "api_error",
    "overloaded_error",
    "rate_limit_error",
    "rate_limit_exceeded",
    "server_error",
    "server_is_overloaded",
    "slow_down",
    "timeout_error",
];

/// Kinds that say something about an account and nothing about the call.
const ACCOUNT_KINDS: [&str; 5] = [
    "authentication_error",
    "billing_error",
    "insufficient_quota",
    "invalid_api_key",
    "permission_error",
];

/// No credit is left: a 429 in form only, which no waiting helps against.
const QUOTA_KIND: &str = "insufficient_quota";

impl HttpError {
    /// Whether the same call may succeed a little later.
    ///
    /// As the official SDKs of both providers judge it (`_should_retry` in their `_base_client.py`): connections that
    /// fail, 408, 409 (a lock that was not had in time), 429 and everything from 500 on; `x-should-retry` overrules the
    /// status. Beyond them: a quota that is used up is not retried, and a stream that was cut or went silent is.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Cut { .. } => true,
            Self::TimedOut { wait, .. } => *wait != Wait::End,
            Self::Status { kind, .. } if kind.as_deref() == Some(QUOTA_KIND) => false,
            Self::Status {
                should_retry: Some(retry),
                ..
            } => *retry,
            Self::Status { status, .. } => matches!(status, 408 | 409 | 429 | 500..),
            Self::Reported { kind, .. } => is_one_of(kind.as_deref(), &TRANSIENT_KINDS),
            Self::Client { .. }
            | Self::Key { .. }
            | Self::NotEvents { .. }
            | Self::TooLarge { .. }
            | Self::Malformed { .. } => false,
        }
    }

    /// Whether the place is at fault where this runs, not what was asked: the network, the key, the account.
    #[must_use]
    pub fn is_environment(&self) -> bool {
        match self {
            Self::Client { .. } | Self::Unreachable { .. } | Self::Key { .. } => true,
            Self::Status { status: 401..=403, .. } => true,
            Self::Status { kind, .. } | Self::Reported { kind, .. } => is_one_of(kind.as_deref(), &ACCOUNT_KINDS),
            _ => false,
        }
    }

    /// How long the server wants to be left alone, if it says so.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

fn is_one_of(kind: Option<&str>, kinds: &[&str]) -> bool {
    kind.is_some_and(|kind| kinds.contains(&kind))
}

fn status_text(
    status: u16,
    kind: Option<&str>,
    message: &str,
    request_id: Option<&str>,
    retry_after: Option<Duration>,
) -> String {
    let mut text = format!("the server answers {status}");
    for (before, part) in [(" ", kind), (": ", Some(message).filter(|text| !text.is_empty()))] {
        if let Some(part) = part {
            text.push_str(before);
            text.push_str(part);
        }
    }
    if let Some(wait) = retry_after {
        text.push_str(&format!("; it asks to wait {} s", wait.as_millis().div_ceil(1000)));
    }
    if let Some(id) = request_id {
        text.push_str(&format!(" (request {id})"));
    }
    text
}

fn key_text(variable: &str, sent: bool) -> String {
    if sent {
        format!("the key is refused; give another in {variable} or {variable}_FILE")
    } else {
        format!("a key is wanted and none was given; set {variable} or {variable}_FILE")
    }
}

fn reported_text(kind: Option<&str>, message: &str) -> String {
    match kind {
        Some(kind) => format!("the server breaks off with {kind}: {message}"),
        None => format!("the server breaks off: {message}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(status: u16, kind: Option<&str>, should_retry: Option<bool>) -> HttpError {
        HttpError::Status {
            status,
            kind: kind.map(str::to_owned),
            message: "why".to_owned(),
            request_id: None,
            retry_after: None,
            should_retry,
        }
    }

    fn reported(kind: &str) -> HttpError {
        HttpError::Reported {
            kind: Some(kind.to_owned()),
            message: "why".to_owned(),
        }
    }

    #[test]
    fn what_passes_is_transient() {
        for code in [408, 409, 429, 500, 502, 503, 504, 529, 599] {
            assert!(status(code, None, None).is_transient(), "{code}");
        }
        for wait in [Wait::Head, Wait::Bytes] {
            let limit = Duration::from_secs(1);
            assert!(HttpError::TimedOut { wait, limit }.is_transient());
        }
        for kind in TRANSIENT_KINDS {
            assert!(reported(kind).is_transient(), "{kind}");
        }
        assert!(HttpError::Cut { source: None }.is_transient());
        assert!(status(400, None, Some(true)).is_transient());
    }

    #[test]
    fn what_stays_is_not_tried_again() {
        for code in [200, 301, 400, 401, 402, 403, 404, 405, 413, 422, 426, 451] {
            assert!(!status(code, None, None).is_transient(), "{code}");
        }
        for kind in ["invalid_request_error", "authentication_error", "", "Overloaded_Error"] {
            assert!(!reported(kind).is_transient(), "{kind}");
        }
        assert!(!status(503, None, Some(false)).is_transient());
        let limit = Duration::from_secs(900);
        assert!(!HttpError::TimedOut { wait: Wait::End, limit }.is_transient());
        for error in [
            HttpError::NotEvents {
                content_type: String::new(),
            },
            HttpError::TooLarge {
                what: "a stream",
                limit: 1,
            },
            HttpError::Malformed { problem: String::new() },
        ] {
            assert!(!error.is_transient() && !error.is_environment(), "{error}");
        }
    }

    #[test]
    fn used_up_quota_is_neither_tried_again_nor_the_requests_fault() {
        for should_retry in [None, Some(true)] {
            let error = status(429, Some("insufficient_quota"), should_retry);
            assert!(!error.is_transient() && error.is_environment());
        }
        assert!(status(429, Some("rate_limit_exceeded"), None).is_transient());
    }

    #[test]
    fn key_and_account_are_the_environment_and_the_request_is_not() {
        for code in [401, 402, 403] {
            assert!(status(code, None, None).is_environment(), "{code}");
        }
        for kind in ACCOUNT_KINDS {
            assert!(reported(kind).is_environment(), "{kind}");
        }
        for code in [400, 404, 413, 422, 429, 500, 529] {
            assert!(!status(code, None, None).is_environment(), "{code}");
        }
        assert!(!HttpError::Cut { source: None }.is_environment());
    }

    #[test]
    fn status_says_everything_that_is_known() {
        let error = HttpError::Status {
            status: 429,
            kind: Some("rate_limit_error".to_owned()),
            message: "too many".to_owned(),
            request_id: Some("req_1".to_owned()),
            retry_after: Some(Duration::from_millis(3_599_500)),
            should_retry: None,
        };
        assert_eq!(
            error.to_string(),
            "the server answers 429 rate_limit_error: too many; it asks to wait 3600 s (request req_1)"
        );
        assert_eq!(status(500, None, None).to_string(), "the server answers 500: why");
    }
}
