//! `web_fetch`: one GET of exactly the address that was decided.
//!
//! A redirect is told and not followed: another address is another request, with a decision of its own.

mod address;
mod answer;
mod client;
mod content;
mod html;

use countersign_verifier::projection::Url;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName, LOCATION};
use tokio::sync::OnceCell;

use answer::{Answer, Body};
pub use client::FetchError;
use client::{Fetcher, Limits};
use content::{ContentType, Form};

use super::builtin::WEB_FETCH;
use super::error::ToolError;
use super::spec::ToolSpec;
use super::{BoxFuture, RunContext, Tool, ToolOutput};
use crate::gate::{Permit, PermittedCall};

/// One client for all calls of a process, made by the first: it reads certificates from disk, and few runs need it.
static FETCHER: OnceCell<Fetcher> = OnceCell::const_new();

/// Gets what stands at a web address.
pub(super) struct WebFetch;

impl Tool for WebFetch {
    fn spec(&self) -> &'static ToolSpec {
        &WEB_FETCH
    }

    fn run(&self, permit: Permit, context: RunContext) -> BoxFuture<'_, Result<ToolOutput, ToolError>> {
        Box::pin(async move {
            let call = FetchCall::new(permit, &context)?;
            let fetcher = FETCHER.get_or_try_init(|| async { Fetcher::of_this_machine() }).await?;
            fetch(fetcher, &call, &context).await
        })
    }
}

/// A redeemed permit for one address, parsed from the bytes that were decided.
pub(super) struct FetchCall {
    _call: PermittedCall,
    url: Url,
}

impl FetchCall {
    fn new(permit: Permit, context: &RunContext) -> Result<Self, ToolError> {
        let call = permit.redeem(WEB_FETCH.name, context.started)?;
        let url = Url::parse(WEB_FETCH.parse(call.arguments())?.text("url")?).map_err(FetchError::from)?;
        Ok(Self { _call: call, url })
    }

    const fn url(&self) -> &Url {
        &self.url
    }
}

async fn fetch(fetcher: &Fetcher, call: &FetchCall, context: &RunContext) -> Result<ToolOutput, ToolError> {
    let limits = fetcher.limits();
    tokio::select! {
        biased;
        () = context.cancel.raised() => Err(ToolError::Cancelled),
        () = tokio::time::sleep(limits.whole) => Err(ToolError::TimedOut { limit: limits.whole }),
        answer = exchange(fetcher, call, limits) => {
            let answer = answer?;
            // Megabytes of markup take their time.
            tokio::task::spawn_blocking(move || answer.report()).await.map_err(ToolError::Panicked)
        }
    }
}

async fn exchange(fetcher: &Fetcher, call: &FetchCall, limits: Limits) -> Result<Answer, FetchError> {
    let (address, response) = fetcher.get(call).await?;
    let header = |name: HeaderName| {
        let value = response.headers().get(name)?.as_bytes();
        Some(String::from_utf8_lossy(value).into_owned())
    };
    let status = response.status();
    let content_type = ContentType::parse(&header(CONTENT_TYPE).unwrap_or_default());
    let is_encoded = header(CONTENT_ENCODING).is_some_and(|encoding| !encoding.eq_ignore_ascii_case("identity"));
    let body = if status.is_redirection() {
        Body::Elsewhere(header(LOCATION))
    } else if is_encoded || content_type.form() == Form::Binary {
        Body::NotRead {
            is_encoded,
            len_bytes: response.content_length(),
        }
    } else {
        read(response, limits.body_len_bytes_max).await?
    };
    Ok(Answer {
        asked: call.url().clone(),
        address,
        status: status.as_u16(),
        content_type,
        body,
    })
}

/// Reads at most `limit` bytes and leaves the rest where it is.
async fn read(mut response: reqwest::Response, limit: usize) -> Result<Body, FetchError> {
    let mut bytes = Vec::new();
    let broken_off = |read_bytes, source: reqwest::Error| FetchError::BrokenOff {
        read_bytes,
        source: source.without_url(),
    };
    while let Some(chunk) = response.chunk().await.map_err(|error| broken_off(bytes.len(), error))? {
        let room = limit - bytes.len();
        bytes.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if chunk.len() > room {
            return Ok(Body::Read { bytes, is_cut: true });
        }
    }
    Ok(Body::Read { bytes, is_cut: false })
}

#[cfg(test)]
#[path = "web_fetch_tests.rs"]
mod tests;
