//! From an action request to the question that policy is asked (authority-v1 §7).
//!
//! A [`Subject`] is read from the argument bytes of a request, once; with the state of the ledger, its [`Circumstances`],
//! it gives the one [`CedarRequest`] of the request. Only [`Observed`] is the gatekeeper's word. A verifier projects again and compares bytes, so a policy can never have been
//! asked about another action than the one that was requested.

#[cfg(test)]
pub(crate) mod arbitrary;
mod canonical;
mod document;
mod path;
mod subject;
mod tools;
mod url;

pub use document::{CedarRequest, DocumentError, Observed, Place, Principal, RequestContext, Resource, SCHEMA_NAME};
pub use path::{is_secret_name, is_secret_path, is_within, lexical_absolute};
pub use subject::{Circumstances, Subject, lexical_path};
pub use tools::{TOOLS, ToolKind, ToolProfile, tool_profile};
pub use url::{Scheme, URL_BYTES_MAX, Url, UrlError};

use countersign_identity::jcs;
use thiserror::Error;

/// What this projection and its analysers are called; [`PROJECTION_DIGEST`] is its digest and stands in every decision.
pub const PROJECTION_NAME: &str = "countersign/1 projection 1; analyser paths 1; urls 1";

/// SHA-256 of [`PROJECTION_NAME`]: the `projection` of every decision that this code makes or judges.
pub const PROJECTION_DIGEST: [u8; 32] = [
    0x79, 0x39, 0xee, 0x9a, 0x02, 0x46, 0x92, 0xb7, 0xdb, 0x0a, 0xbf, 0x93, 0x60, 0x06, 0x81, 0xa5, 0x41, 0x26, 0x13,
    0x86, 0xea, 0x80, 0x6f, 0xba, 0x6c, 0x45, 0xa9, 0x4a, 0x49, 0x04, 0x2a, 0x8f,
];

/// Largest argument document that is projected, in bytes.
pub const ARGUMENTS_BYTES_MAX: usize = 1_048_576;

/// Why there is no Cedar request; the outcome of such a request is could-not-evaluate.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ProjectionError {
    /// The argument bytes are no canonical JSON.
    #[error("the arguments are no canonical JSON")]
    NotCanonical(#[from] jcs::JcsError),
    /// The argument bytes are JSON, but no object.
    #[error("the arguments are no JSON object")]
    NotAnObject,
    /// The tool's arguments are not exactly those that are defined for it.
    #[error("the arguments of {tool} are {found:?}, not {expected:?}")]
    Arguments {
        /// The tool.
        tool: String,
        /// The names that are defined.
        expected: &'static [&'static str],
        /// The names that were found.
        found: Vec<String>,
    },
    /// An argument is no string.
    #[error("argument {0} is no string")]
    NotAString(String),
    /// The address is not of the one form.
    #[error("the address cannot be judged")]
    Url(#[from] UrlError),
}

#[cfg(test)]
mod tests;
