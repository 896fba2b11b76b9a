//! From an action request to the question that policy is asked (authority-v1 §7).
//!
//! [`project`] derives the one [`CedarRequest`] of a request from its argument bytes and the state of the ledger; only
//! [`Observed`] is the gatekeeper's word. A verifier projects again and compares bytes, so a policy can never have been
//! asked about another action than the one that was requested.

mod document;
mod path;
mod tools;

pub use document::{CedarRequest, DocumentError, Observed, Place, Principal, RequestContext, Resource, SCHEMA_NAME};
pub use path::{is_secret_name, is_secret_path, is_within, lexical_absolute};
pub use tools::{TOOLS, ToolKind, ToolProfile, tool_profile};

use std::collections::BTreeMap;

use countersign_identity::jcs;
use countersign_schemas::body::Effects;
use serde_json::Value;
use sha2::{Digest, Sha256};
use thiserror::Error;

/// What this projection and the path analysis are called; [`PROJECTION_DIGEST`] is its digest and stands in every decision.
pub const PROJECTION_NAME: &str = "countersign/1 projection 1; analyser paths 1";

/// SHA-256 of [`PROJECTION_NAME`]: the `projection` of every decision that this code makes or judges.
pub const PROJECTION_DIGEST: [u8; 32] = [
    0x74, 0xf1, 0x42, 0x34, 0x11, 0x4b, 0x0d, 0x55, 0x3c, 0xdb, 0x26, 0x90, 0x89, 0x8f, 0xae, 0xbe, 0x1c, 0xea, 0xf5,
    0xa5, 0xfd, 0x5b, 0x87, 0x19, 0xe0, 0x27, 0x9b, 0xc0, 0x75, 0x94, 0xec, 0xcc,
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
            (
                profile.name.to_owned(),
                resource(profile.kind, &arguments, input.workspace),
            )
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
/// A gatekeeper resolves symbolic links from here; `glob` names the workspace itself.
#[must_use]
pub fn lexical_path(tool: &str, arguments: &[u8], workspace: &str) -> Option<String> {
    let profile = tool_profile(tool)?;
    let Ok(Value::Object(arguments)) = jcs::parse_canonical_within(arguments, ARGUMENTS_BYTES_MAX) else {
        return None;
    };
    match resource(profile.kind, &string_arguments(profile, &arguments).ok()?, workspace) {
        Resource::File { path, .. } => Some(path),
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

fn resource(kind: ToolKind, arguments: &Arguments<'_>, workspace: &str) -> Resource {
    let argument = |name: &str| arguments.get(name).copied().unwrap_or_default();
    match kind {
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
    }
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
