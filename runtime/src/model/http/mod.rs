//! What all providers share: one request over HTTP, an answer as a stream of events, keys, limits and retries.
//!
//! Nothing here knows what a request asks or what an event means: that is each provider's own. Nothing here writes to
//! a ledger or to a log, and no key leaves it except in the header of a request.

mod base_url;
mod body;
mod client;
mod endpoint;
mod error;
mod events;
mod key;
mod limits;
mod model_list;
mod report;
pub mod retry;
mod retry_after;
#[cfg(test)]
pub(crate) mod test_server;

pub use base_url::{BaseUrl, BaseUrlError};
pub use client::Clients;
pub use endpoint::{Endpoint, KeyInTheClear, PlainHttp};
pub use error::{HttpError, Wait};
pub use events::{Event, EventStream};
pub use key::{ApiKey, KEY_LEN_BYTES_MAX, KeyError, KeyHeader};
pub use limits::Limits;
pub use model_list::served_models;
