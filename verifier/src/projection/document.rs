//! The Cedar request as a document: payload `cedar_request` of a decision (authority-v1 §7).
//!
//! What is written here by deriving declares its members in the order of JCS, as [`canonical`](super::canonical) says.

use countersign_identity::jcs;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{ARGUMENTS_BYTES_MAX, Url};

/// The `schema` member of the document.
pub const SCHEMA_NAME: &str = "countersign.cedar-request/v1";

/// Largest document: the arguments it repeats, and what stands around them.
pub(super) const DOCUMENT_BYTES_MAX: usize = 2 * ARGUMENTS_BYTES_MAX;

/// The question that the policies in force were asked.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Tagged")]
pub struct CedarRequest {
    /// The tool's name if the table of authority-v1 §7.4 has it, else `other`.
    pub action: String,
    /// What is derived from request and state, and what the gatekeeper saw.
    pub context: RequestContext,
    /// The requester.
    pub principal: Principal,
    /// What the action touches.
    pub resource: Resource,
}

/// The requester of an action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Principal {
    /// How many further levels of agents its grant allows.
    pub depth_left: u64,
    /// Its short DID.
    pub id: String,
    /// Its name in its credential.
    pub name: String,
    /// Whether it is the lead agent of its run.
    pub root: bool,
}

/// Everything else a policy can look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestContext {
    /// The request cites advice that it says it follows.
    pub advised: bool,
    /// Smallest remainder of calls along the requester's grant chain.
    pub calls_left: u64,
    /// The words of the request's effect bits.
    pub effects: Vec<String>,
    /// The word for the mode of the active run.
    pub mode: String,
    /// The gatekeeper's word.
    pub observed: Observed,
    /// `received` of the request's record, in milliseconds.
    pub time_ms: u64,
    /// The workspace of the requester's grant.
    pub workspace: String,
}

/// What the gatekeeper saw when it looked at the disk; nobody can recompute it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Observed {
    /// Where the resource lies.
    pub place: Place,
    /// Its path after every symbolic link was followed; `""` where it is no file.
    pub real_path: String,
}

impl Observed {
    /// The observation for what cannot be told: commands, and whatever the gatekeeper could not look at.
    #[must_use]
    pub fn unknown() -> Self {
        Self {
            place: Place::Unknown,
            real_path: String::new(),
        }
    }

    /// The observation for a resource without a place: agents, advisors and tools that touch no file.
    #[must_use]
    pub fn nothing() -> Self {
        Self {
            place: Place::None,
            real_path: String::new(),
        }
    }
}

/// Where a resource lies, as far as policy cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// Inside the workspace, and ordinary.
    Inside,
    /// Outside the workspace.
    Outside,
    /// Holds keys or credentials, or steers programs.
    Secret,
    /// This ledger, the keystore, or the policies of this run.
    Own,
    /// Not to be told: commands.
    Unknown,
    /// The resource has no place.
    None,
}

impl Place {
    /// The word that stands in the document.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inside => "inside",
            Self::Outside => "outside",
            Self::Secret => "secret",
            Self::Own => "own",
            Self::Unknown => "unknown",
            Self::None => "none",
        }
    }
}

/// What an action touches.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "FlatResource")]
pub enum Resource {
    /// A file or folder.
    File {
        /// Lexical absolute path; its id as well.
        path: String,
        /// Path relative to the workspace, the absolute path when outside.
        relative: String,
        /// Last segment.
        name: String,
    },
    /// A shell command.
    Command {
        /// Lower-case hex SHA-256 of the command.
        id: String,
        /// The command.
        command: String,
    },
    /// A kind of agent to be started.
    AgentType {
        /// The kind.
        id: String,
        /// The name it is to have.
        name: String,
    },
    /// The advisor.
    Advisor,
    /// A web address.
    Url(Url),
    /// A tool that touches only the session, or has no projection of its own.
    Tool {
        /// Its name.
        id: String,
    },
}

impl Resource {
    /// Its Cedar entity type.
    #[must_use]
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::File { .. } => "File",
            Self::Command { .. } => "Command",
            Self::AgentType { .. } => "AgentType",
            Self::Advisor => "Advisor",
            Self::Url(_) => "Url",
            Self::Tool { .. } => "Tool",
        }
    }

    /// Its Cedar entity id.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::File { path, .. } => path,
            Self::Command { id, .. } | Self::AgentType { id, .. } | Self::Tool { id } => id,
            Self::Advisor => "advisor",
            Self::Url(url) => url.as_str(),
        }
    }
}

/// Why bytes are no Cedar request.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// The bytes are no canonical JSON.
    #[error("the Cedar request is no canonical JSON")]
    NotCanonical(#[from] jcs::JcsError),
    /// A member is missing, unknown or of another type.
    #[error("the Cedar request does not have the members of {SCHEMA_NAME}")]
    Members(#[source] serde_json::Error),
}

impl CedarRequest {
    /// Reads a document that must be in JCS form.
    ///
    /// # Errors
    /// [`DocumentError::NotCanonical`] and [`DocumentError::Members`].
    pub fn parse(bytes: &[u8]) -> Result<Self, DocumentError> {
        match Self::read_as_written(bytes) {
            Some(read) => Ok(read),
            None => Self::examine(bytes),
        }
    }

    /// What was written as exactly these bytes: every document in order was.
    fn read_as_written(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > DOCUMENT_BYTES_MAX {
            return None;
        }
        let read: Self = serde_json::from_slice(bytes).ok()?;
        (read.is_read_from(bytes) && read.to_jcs() == bytes).then_some(read)
    }

    /// Takes the long way, check by check, which says what is wrong.
    pub(super) fn examine(bytes: &[u8]) -> Result<Self, DocumentError> {
        let value = jcs::parse_canonical_within(bytes, DOCUMENT_BYTES_MAX)?;
        serde_json::from_value(value).map_err(DocumentError::Members)
    }
}

/// [`CedarRequest`] with its `schema` member.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tagged {
    action: String,
    context: RequestContext,
    principal: Principal,
    resource: Resource,
    schema: String,
}

impl TryFrom<Tagged> for CedarRequest {
    type Error = String;

    fn try_from(tagged: Tagged) -> Result<Self, String> {
        let Tagged {
            action,
            context,
            principal,
            resource,
            schema,
        } = tagged;
        if schema != SCHEMA_NAME {
            return Err(format!("schema is {schema}, not {SCHEMA_NAME}"));
        }
        Ok(Self {
            action,
            context,
            principal,
            resource,
        })
    }
}

/// [`Resource`] as its flat JSON object.
#[derive(Deserialize)]
#[serde(tag = "type", deny_unknown_fields)]
enum FlatResource {
    File {
        id: String,
        path: String,
        relative: String,
        name: String,
    },
    Command {
        id: String,
        command: String,
    },
    AgentType {
        id: String,
        name: String,
    },
    Advisor {
        id: String,
    },
    Url {
        id: String,
        url: String,
        scheme: String,
        host: String,
        port: u16,
        path: String,
    },
    Tool {
        id: String,
    },
}

impl TryFrom<FlatResource> for Resource {
    type Error = String;

    fn try_from(flat: FlatResource) -> Result<Self, String> {
        Ok(match flat {
            FlatResource::File { id, path, .. } if id != path => return Err("the id of a file is its path".to_owned()),
            FlatResource::File {
                path, relative, name, ..
            } => Self::File { path, relative, name },
            FlatResource::Command { id, command } => Self::Command { id, command },
            FlatResource::AgentType { id, name } => Self::AgentType { id, name },
            FlatResource::Advisor { id } if id != "advisor" => return Err("the advisor's id is advisor".to_owned()),
            FlatResource::Advisor { .. } => Self::Advisor,
            FlatResource::Url {
                id,
                url,
                scheme,
                host,
                port,
                path,
            } => {
                let read = Url::parse(&url).map_err(|error| error.to_string())?;
                let is_read = scheme == read.scheme().as_str() && host == read.host() && path == read.path();
                if id != url || !is_read || port != read.port() {
                    return Err("the parts of an address are those of its text".to_owned());
                }
                Self::Url(read)
            }
            FlatResource::Tool { id } => Self::Tool { id },
        })
    }
}
