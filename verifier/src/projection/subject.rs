//! What an action request is about: the part of its projection that follows from the call and the workspace alone.

use std::collections::BTreeMap;

use countersign_identity::jcs;
use countersign_schemas::body::Effects;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::path::{lexical_absolute, relative};
use super::tools::{ToolKind, ToolProfile, tool_profile};
use super::{
    ARGUMENTS_BYTES_MAX, CedarRequest, Observed, Principal, ProjectionError, RequestContext, Resource, Url, UrlError,
};

/// Action and resource of a request, read from its arguments; they stay the same however often it is judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The tool's name if the table of authority-v1 §7 has it, else `other`.
    action: &'static str,
    resource: Resource,
    /// The workspace of the requester's grant.
    workspace: String,
}

/// Everything else that a projection depends on.
#[derive(Debug, Clone)]
pub struct Circumstances<'a> {
    /// The effects that the request claims.
    pub effects: Effects,
    /// The requester.
    pub principal: Principal,
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

impl Subject {
    /// Reads the argument bytes of a request for `tool`, by an agent whose grant names `workspace`.
    ///
    /// # Errors
    /// See [`ProjectionError`]: the arguments are not those of the tool.
    pub fn of(tool: &str, arguments: &[u8], workspace: &str) -> Result<Self, ProjectionError> {
        let Value::Object(arguments) = jcs::parse_canonical_within(arguments, ARGUMENTS_BYTES_MAX)? else {
            return Err(ProjectionError::NotAnObject);
        };
        let (action, resource) = match tool_profile(tool) {
            Some(profile) => {
                let arguments = string_arguments(profile, &arguments)?;
                (profile.name, resource(profile, &arguments, workspace)?)
            }
            None => ("other", Resource::Tool { id: tool.to_owned() }),
        };
        Ok(Self {
            action,
            resource,
            workspace: workspace.to_owned(),
        })
    }

    /// The one question that the policies are asked about such a request in `circumstances`.
    #[must_use]
    pub fn project(&self, circumstances: Circumstances<'_>) -> CedarRequest {
        CedarRequest {
            action: self.action.to_owned(),
            principal: circumstances.principal,
            resource: self.resource.clone(),
            context: RequestContext {
                advised: circumstances.advised,
                calls_left: circumstances.calls_left,
                effects: circumstances.effects.words().map(ToOwned::to_owned).collect(),
                mode: circumstances.mode.to_owned(),
                observed: circumstances.observed,
                time_ms: circumstances.time_ms,
                workspace: self.workspace.clone(),
            },
        }
    }
}

/// The lexical absolute path of a request's `path` argument, where its tool has one and the arguments are in order.
///
/// A gatekeeper resolves symbolic links from here; `glob` and `merge` name the workspace itself.
#[must_use]
pub fn lexical_path(tool: &str, arguments: &[u8], workspace: &str) -> Option<String> {
    match Subject::of(tool, arguments, workspace).ok()?.resource {
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
        relative: relative(path, &lexical_absolute("", workspace)),
        name: path.rsplit('/').next().unwrap_or_default().to_owned(),
    }
}
