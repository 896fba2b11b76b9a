//! From an action request to the question that policy is asked (authority-v1 §7).
//!
//! [`project`] derives the one [`CedarRequest`] of a request from its argument bytes and the state of the ledger; only
//! [`Observed`] is the gatekeeper's word. A verifier projects again and compares bytes, so a policy can never have been
//! asked about another action than the one that was requested.

#[cfg(test)]
pub(crate) mod arbitrary;
mod canonical;
mod document;
mod path;
mod tools;
mod url;

pub use document::{CedarRequest, DocumentError, Observed, Place, Principal, RequestContext, Resource, SCHEMA_NAME};
pub use path::{is_secret_name, is_secret_path, is_within, lexical_absolute};
pub use tools::{TOOLS, ToolKind, ToolProfile, tool_profile};
pub use url::{Scheme, URL_BYTES_MAX, Url, UrlError};

use std::collections::BTreeMap;

use countersign_identity::jcs;
use countersign_schemas::body::Effects;
use serde_json::Value;
use sha2::{Digest, Sha256};
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

/// Everything a projection depends on.
#[derive(Debug, Clone)]
pub struct ProjectionInput<'a> {
    /// The tool's name, as requested.
    pub tool: &'a str,
    /// The argument bytes of the request's payload.
    pub arguments: &'a [u8],
    /// The effects that the request claims.
    pub effects: Effects,
    /// The requester.
    pub principal: Principal,
    /// The workspace of the requester's grant.
    pub workspace: &'a str,
    /// The word for the mode of the active run.
    pub mode: &'a str,
    /// The smallest remainder of calls along the requester's grant chain.
    pub calls_left: u64,
    /// `received` of the request's record, in milliseconds.
    pub time_ms: u64,
    /// Whether the request cites an advice as followed.
    pub advised: bool,
    /// What the gatekeeper saw.
    pub observed: Observed,
}

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

/// Derives the Cedar request of one action request.
///
/// # Errors
/// See [`ProjectionError`]: the arguments are not those of the tool.
pub fn project(input: ProjectionInput<'_>) -> Result<CedarRequest, ProjectionError> {
    let Value::Object(arguments) = jcs::parse_canonical_within(input.arguments, ARGUMENTS_BYTES_MAX)? else {
        return Err(ProjectionError::NotAnObject);
    };
    let (action, resource) = match tool_profile(input.tool) {
        Some(profile) => {
            let arguments = string_arguments(profile, &arguments)?;
            (profile.name.to_owned(), resource(profile, &arguments, input.workspace)?)
        }
        None => (
            "other".to_owned(),
            Resource::Tool {
                id: input.tool.to_owned(),
            },
        ),
    };
    Ok(CedarRequest {
        action,
        principal: input.principal,
        resource,
        context: RequestContext {
            advised: input.advised,
            calls_left: input.calls_left,
            effects: input.effects.words().map(ToOwned::to_owned).collect(),
            mode: input.mode.to_owned(),
            observed: input.observed,
            time_ms: input.time_ms,
            workspace: input.workspace.to_owned(),
        },
    })
}

/// The lexical absolute path of a request's `path` argument, where its tool has one and the arguments are in order.
///
/// A gatekeeper resolves symbolic links from here; `glob` and `merge` name the workspace itself.
#[must_use]
pub fn lexical_path(tool: &str, arguments: &[u8], workspace: &str) -> Option<String> {
    let profile = tool_profile(tool)?;
    let Ok(Value::Object(arguments)) = jcs::parse_canonical_within(arguments, ARGUMENTS_BYTES_MAX) else {
        return None;
    };
    match resource(profile, &string_arguments(profile, &arguments).ok()?, workspace) {
        Ok(Resource::File { path, .. }) => Some(path),
        _ => None,
    }
}

type Arguments<'a> = BTreeMap<&'a str, &'a str>;

fn string_arguments<'a>(
    profile: &ToolProfile,
    arguments: &'a serde_json::Map<String, Value>,
) -> Result<Arguments<'a>, ProjectionError> {
    let has_all = profile.arguments.iter().all(|name| arguments.contains_key(*name));
    if !has_all || arguments.len() != profile.arguments.len() {
        return Err(ProjectionError::Arguments {
            tool: profile.name.to_owned(),
            expected: profile.arguments,
            found: arguments.keys().cloned().collect(),
        });
    }
    let text = |(name, value): (&'a String, &'a Value)| match value {
        Value::String(text) => Ok((name.as_str(), text.as_str())),
        _ => Err(ProjectionError::NotAString(name.clone())),
    };
    arguments.iter().map(text).collect()
}

fn resource(profile: &ToolProfile, arguments: &Arguments<'_>, workspace: &str) -> Result<Resource, UrlError> {
    let argument = |name: &str| arguments.get(name).copied().unwrap_or_default();
    Ok(match profile.kind {
        ToolKind::File => file(&lexical_absolute(argument("path"), workspace), workspace),
        ToolKind::Workspace => file(&lexical_absolute("", workspace), workspace),
        ToolKind::Command => {
            let command = argument("command").to_owned();
            let id = data_encoding::HEXLOWER.encode(&Sha256::digest(command.as_bytes()));
            Resource::Command { id, command }
        }
        ToolKind::Delegate => Resource::AgentType {
            id: argument("type").to_owned(),
            name: argument("name").to_owned(),
        },
        ToolKind::Consult => Resource::Advisor,
        ToolKind::Url => Resource::Url(Url::parse(argument("url"))?),
        ToolKind::Session => Resource::Tool {
            id: profile.name.to_owned(),
        },
    })
}

fn file(path: &str, workspace: &str) -> Resource {
    Resource::File {
        path: path.to_owned(),
        relative: path::relative(path, &lexical_absolute("", workspace)),
        name: path.rsplit('/').next().unwrap_or_default().to_owned(),
    }
}

#[cfg(test)]
mod tests;
