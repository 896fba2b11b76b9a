//! The three formats, and what each of them names differently.

use serde_json::{Value, json};

use super::conversation::{Conversation, Said};
use super::http::Request;
use super::problem::Problem;
use super::sse::Event;
use super::{chat, messages, responses};
use crate::support::rng::Rng;

/// A format of requests and answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wire {
    /// Anthropic Messages, `POST /v1/messages`.
    Messages,
    /// OpenAI Responses, `POST /v1/responses`.
    Responses,
    /// OpenAI chat completions, `POST /v1/chat/completions`.
    Chat,
}

/// Whose chat completions they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// OpenAI's own.
    OpenAi,
    /// Those of a server on this machine that needs no key.
    Local,
}

/// How an answer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// With a full stop, or with calls.
    Said,
    /// The model declines.
    Refused,
    /// The output was cut.
    Cut,
}

/// The tokens of an answer. Input that came from or went to a cache is not in `input`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) input: u64,
    pub(crate) cache_write: u64,
    pub(crate) cache_read: u64,
    pub(crate) output: u64,
}

impl Usage {
    /// All that went in.
    pub(crate) const fn input_total(self) -> u64 {
        self.input + self.cache_write + self.cache_read
    }
}

/// An answer to be put into events.
pub(super) struct Performance<'a> {
    /// What ids are made from: no two answers have the same.
    pub(super) seed: String,
    pub(super) model: &'a str,
    pub(super) body: &'a Value,
    pub(super) said: &'a Said,
    pub(super) ending: Ending,
    pub(super) usage: Usage,
    pub(super) rng: &'a mut Rng,
}

impl Wire {
    /// The format that is spoken at `path`.
    pub(super) fn at(path: &str) -> Option<Self> {
        match path {
            "/v1/messages" => Some(Self::Messages),
            "/v1/responses" => Some(Self::Responses),
            "/v1/chat/completions" => Some(Self::Chat),
            _ => None,
        }
    }

    /// The name under which a request holds what was said.
    pub(super) const fn list_name(self) -> &'static str {
        match self {
            Self::Messages | Self::Chat => "messages",
            Self::Responses => "input",
        }
    }

    /// Checks who asks. `None`: nobody needs a key here, and nobody gives one away.
    pub(super) fn check_key(self, request: &Request, key: Option<&str>) -> Result<(), Problem> {
        let given = match self {
            // The service takes it either way.
            Self::Messages => request
                .header("x-api-key")
                .map(str::to_owned)
                .or_else(|| bearer(request)),
            Self::Responses | Self::Chat => bearer(request),
        };
        match (key, given) {
            (None, None) => Ok(()),
            (None, Some(_)) => Err(Problem::new(400, "a key was sent to a server that needs none")),
            (Some(key), Some(given)) if key == given => Ok(()),
            (Some(_), given) => Err(self.unauthorised(given)),
        }
    }

    fn unauthorised(self, given: Option<String>) -> Problem {
        match (self, given) {
            (Self::Messages, None) => Problem::new(401, "x-api-key header is required"),
            (Self::Messages, Some(_)) => Problem::new(401, "invalid x-api-key"),
            (_, None) => Problem::new(
                401,
                "You didn't provide an API key. You need to provide your API key in an Authorization header using \
                 Bearer auth (i.e. Authorization: Bearer YOUR_KEY).",
            ),
            // The real server hides the middle of the key; others that speak this format do not.
            (_, Some(given)) => Problem::new(401, format!("Incorrect API key provided: {given}.")),
        }
    }

    /// Reads a body as strictly as the provider does.
    pub(super) fn check(self, request: &Request, body: &Value, dialect: Dialect) -> Result<Conversation, Problem> {
        match self {
            Self::Messages => messages::check(request, body),
            Self::Responses => responses::check(body),
            Self::Chat => chat::check(body, dialect),
        }
    }

    /// The events of an answer, the first of which begins it.
    pub(super) fn perform(self, performance: Performance<'_>, dialect: Dialect) -> Vec<Event> {
        match self {
            Self::Messages => messages::perform(performance),
            Self::Responses => responses::perform(performance),
            Self::Chat => chat::perform(performance, dialect),
        }
    }

    /// An id of a call, always the same for the same `seed`.
    pub(super) fn call_id(self, seed: &str) -> String {
        match self {
            Self::Messages => format!("toolu_01{}", token(seed, 22)),
            Self::Responses | Self::Chat => format!("call_{}", token(seed, 24)),
        }
    }

    /// What an answer begins with besides words.
    pub(super) fn reasoning(self, seed: &str, index: usize) -> Vec<Value> {
        match self {
            Self::Messages => messages::thinking(seed, index),
            Self::Responses => vec![responses::reasoning(seed)],
            Self::Chat => Vec::new(),
        }
    }

    /// What a provider says whose reasoning did not come back as it was.
    pub(super) const fn changed_reasoning(self) -> &'static str {
        match self {
            Self::Messages => {
                "`thinking` or `redacted_thinking` blocks cannot be modified. These blocks must remain as they were in \
                 the original response."
            }
            _ => "an item was provided without its required 'reasoning' item.",
        }
    }

    /// The body of an answer that is an error.
    pub(super) fn error_body(self, problem: &Problem, request_id: &str) -> Value {
        match self {
            Self::Messages => messages::error_body(problem, request_id),
            Self::Responses | Self::Chat => openai_error(problem),
        }
    }

    /// The header in which the id of a request is told.
    pub(super) const fn request_id_header(self) -> &'static str {
        match self {
            Self::Messages => "request-id",
            Self::Responses | Self::Chat => "x-request-id",
        }
    }

    /// An error in the middle of a stream.
    pub(super) fn error_event(self, rng: &mut Rng) -> Event {
        let openai = json!({ "type": "server_error", "code": "server_error", "param": null,
            "message": "The server had an error while processing your request. Sorry about that!" });
        match self {
            Self::Messages => messages::error_event(),
            Self::Responses => responses::error_event(rng),
            Self::Chat => Event::data(json!({ "error": openai })),
        }
    }
}

fn bearer(request: &Request) -> Option<String> {
    let header = request.header("authorization")?;
    Some(header.strip_prefix("Bearer ").unwrap_or(header).to_owned())
}

fn openai_error(problem: &Problem) -> Value {
    let (kind, code) = match problem.status {
        401 => ("invalid_request_error", json!("invalid_api_key")),
        404 => ("invalid_request_error", json!("model_not_found")),
        429 => ("requests", json!("rate_limit_exceeded")),
        500.. => ("server_error", Value::Null),
        _ => ("invalid_request_error", Value::Null),
    };
    let message = match &problem.at {
        Some(at) => format!("Invalid '{at}': {}.", problem.message),
        None => problem.message.clone(),
    };
    json!({ "error": { "message": message, "type": kind, "param": problem.at, "code": code } })
}

/// `len` letters and digits that look like chance and are always the same for the same `seed`.
pub(super) fn token(seed: &str, len: usize) -> String {
    const SIGNS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    // FNV-1a.
    let hash = seed.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mut rng = Rng::seeded(hash);
    let mut sign = || char::from(SIGNS[usize::try_from(rng.below(62)).unwrap_or(0)]);
    (0..len).map(|_| sign()).collect()
}
