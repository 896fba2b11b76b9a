//! A place that answers requests: where it is, and what every request to it carries.

use std::sync::Arc;

use countersign_verifier::visible::visible;
use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Response, StatusCode};
use thiserror::Error;
use time::OffsetDateTime;

use super::base_url::BaseUrl;
use super::body::{Body, Deadline};
use super::client::Clients;
use super::error::{HttpError, Wait};
use super::events::EventStream;
use super::key::{ApiKey, KeyHeader};
use super::report::{Report, WORD_CHARS_MAX};
use super::retry_after::retry_after;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const EVENTS: HeaderValue = HeaderValue::from_static("text/event-stream");

/// Headers in which providers say how they find a call again: Anthropic's and OpenAI's.
const REQUEST_ID: [&str; 2] = ["request-id", "x-request-id"];

/// Longest body of a request that is sent; Anthropic takes 32 MB.
const REQUEST_LEN_BYTES_MAX: usize = 32 << 20;

/// Where requests go, and what they carry. No `Debug`: there may be a key in it.
pub struct Endpoint {
    base: BaseUrl,
    headers: HeaderMap,
    key: Option<(KeyHeader, ApiKey)>,
    key_variable: Option<&'static str>,
    clients: Arc<Clients>,
}

/// Whether a key may travel unencrypted to another machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlainHttp {
    /// It may not.
    Refused,
    /// Somebody has said that it may.
    Allowed,
}

/// A key would have travelled in the clear.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "the key would travel to {url} in the clear, for everybody on the way to read; use https, \
     or set COUNTERSIGN_ALLOW_PLAIN_HTTP=1 if that way is protected otherwise"
)]
pub struct KeyInTheClear {
    /// Scheme, host and port.
    pub url: String,
}

impl Endpoint {
    /// A place without a key, asked with the clients of this process.
    #[must_use]
    pub fn new(base: BaseUrl) -> Self {
        Self {
            base,
            headers: HeaderMap::new(),
            key: None,
            key_variable: None,
            clients: Clients::shared(),
        }
    }

    /// Sends `key` with every request.
    ///
    /// # Errors
    /// [`KeyInTheClear`] when the place is another machine, the way to it is not encrypted, and nobody allowed that.
    pub fn with_key(mut self, header: KeyHeader, key: ApiKey, plain: PlainHttp) -> Result<Self, KeyInTheClear> {
        let is_protected = self.base.is_encrypted() || self.base.is_loopback();
        if !is_protected && plain == PlainHttp::Refused {
            return Err(KeyInTheClear {
                url: self.base.origin(),
            });
        }
        self.key = Some((header, key));
        Ok(self)
    }

    /// Names the variable that a key for this place is given in, for whoever has to give another.
    #[must_use]
    pub const fn keyed_by(mut self, variable: &'static str) -> Self {
        self.key_variable = Some(variable);
        self
    }

    /// Sends a header with every request, such as the version of a provider's API.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers
            .insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        self
    }

    /// Asks with other clients, which keep other limits.
    #[must_use]
    pub fn with_clients(mut self, clients: Arc<Clients>) -> Self {
        self.clients = clients;
        self
    }

    /// Where it is.
    #[must_use]
    pub fn base(&self) -> &BaseUrl {
        &self.base
    }

    /// Sends `json`, these exact bytes, to `path` and gives the stream of events that answers it.
    ///
    /// Dropping the future or the stream closes the connection (HTTP/2: resets the stream), which tells the provider
    /// to stop.
    ///
    /// # Errors
    /// [`HttpError`]; nothing is tried again here.
    pub async fn post(&self, path: &str, json: Vec<u8>) -> Result<EventStream, HttpError> {
        self.post_with(path, &[], json).await
    }

    /// As [`Self::post`], with headers that only this request needs, in lower case.
    ///
    /// # Errors
    /// As [`Self::post`].
    pub async fn post_with(
        &self,
        path: &str,
        headers: &[(&'static str, &'static str)],
        json: Vec<u8>,
    ) -> Result<EventStream, HttpError> {
        if json.len() > REQUEST_LEN_BYTES_MAX {
            let (what, limit) = ("the request", REQUEST_LEN_BYTES_MAX);
            return Err(HttpError::TooLarge { what, limit });
        }
        let mut own: HeaderMap = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        own.insert(header::ACCEPT, EVENTS);
        let (response, deadline) = self.send(Method::POST, path, own, json).await?;
        let content_type = header_text(response.headers(), header::CONTENT_TYPE.as_str()).unwrap_or_default();
        if !is_events(&content_type) {
            return Err(HttpError::NotEvents { content_type });
        }
        let request_id = request_id(response.headers());
        let limits = self.clients.limits();
        let body = Body::new(response, deadline, limits);
        Ok(EventStream::read(body, limits, request_id))
    }

    /// Gets the document at `path`.
    ///
    /// # Errors
    /// [`HttpError`]; nothing is tried again here.
    pub async fn get(&self, path: &str) -> Result<Vec<u8>, HttpError> {
        let own = HeaderMap::from_iter([(header::ACCEPT, JSON)]);
        let (response, deadline) = self.send(Method::GET, path, own, Vec::new()).await?;
        let limits = self.clients.limits();
        Body::new(response, deadline, limits)
            .whole(limits.document_len_bytes)
            .await
    }

    /// Sends a request and waits for the head of a successful answer.
    async fn send(
        &self,
        method: Method,
        path: &str,
        own: HeaderMap,
        json: Vec<u8>,
    ) -> Result<(Response, Deadline), HttpError> {
        let client = self.clients.client(&self.base).map_err(|error| HttpError::Client {
            url: self.base.origin(),
            source: error.without_url(),
        })?;
        let mut request = client
            .request(method, self.base.join(path))
            .headers(self.headers.clone())
            .headers(own);
        if !json.is_empty() {
            request = request.header(header::CONTENT_TYPE, JSON).body(json);
        }
        if let Some((header, key)) = &self.key {
            let (name, value) = key.header(*header);
            request = request.header(name, value);
        }
        let limits = self.clients.limits();
        let deadline = Deadline::after(limits.call);
        let answer = deadline.within(Wait::Head, limits.head, request.send()).await?;
        let response = answer.map_err(|error| self.failure(error))?;
        if response.status().is_success() {
            return Ok((response, deadline));
        }
        let refused = refusal(response, deadline, &self.clients).await;
        match (self.key_variable, &refused) {
            (Some(variable), HttpError::Status { status: 401 | 403, .. }) => Err(HttpError::Key {
                variable,
                sent: self.key.is_some(),
                source: Box::new(refused),
            }),
            _ => Err(refused),
        }
    }

    fn failure(&self, error: reqwest::Error) -> HttpError {
        let source = error.without_url();
        if source.is_connect() {
            let url = self.base.origin();
            return HttpError::Unreachable { url, source };
        }
        HttpError::Cut { source: Some(source) }
    }
}

/// What an answer says that is no success.
async fn refusal(response: Response, deadline: Deadline, clients: &Clients) -> HttpError {
    let status = response.status();
    let headers = response.headers();
    let request_id = request_id(headers);
    let retry_after = retry_after(headers, OffsetDateTime::now_utc());
    let should_retry = header_text(headers, "x-should-retry").and_then(|text| text.parse().ok());
    let limits = clients.limits();
    let beginning = Body::new(response, deadline, limits)
        .beginning(limits.error_len_bytes)
        .await;
    let Report { kind, message } = Report::read(&beginning);
    HttpError::Status {
        status: status.as_u16(),
        kind,
        message: if message.is_empty() { reason(status) } else { message },
        request_id,
        retry_after,
        should_retry,
    }
}

/// The name of a status (RFC 9110 §15), for servers that say nothing more.
fn reason(status: StatusCode) -> String {
    status.canonical_reason().unwrap_or_default().to_owned()
}

fn request_id(headers: &HeaderMap) -> Option<String> {
    REQUEST_ID.iter().find_map(|name| header_text(headers, name))
}

/// A header as it may be shown.
fn header_text(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = headers.get(name)?;
    Some(visible(&String::from_utf8_lossy(value.as_bytes()), WORD_CHARS_MAX))
}

/// `text/event-stream`, with or without parameters (RFC 9110 §8.3.1).
fn is_events(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("text/event-stream")
}

#[cfg(test)]
#[path = "endpoint_tests.rs"]
mod tests;
