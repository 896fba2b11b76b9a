//! What a tool declares about itself. Nothing has a default: a tool that does not say is a tool that does not exist.

use countersign_identity::jcs;
use countersign_schemas::body::Effects;
use countersign_schemas::digest::Digest;
use serde_json::{Map, Value, json};

use super::arguments::{ArgumentError, Emptiness, Members, Parameter};

/// Declaration of one tool. Its JSON form is what the model sees and what `descriptor` of a request is the digest of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolSpec {
    /// Stable name, written into every request.
    pub name: &'static str,
    /// What the model is told.
    pub description: &'static str,
    /// Its arguments; the JSON Schema and the parser are both made from this list.
    pub parameters: &'static [Parameter],
    /// The widest effect a call can have.
    pub effects: Effects,
    /// Whether calls may run beside each other.
    pub concurrency: Concurrency,
    /// What policy judges a call by.
    pub resource: Resource,
    /// Whether the model is given its whole declaration from the start.
    pub loading: Loading,
    /// Longest result in bytes that the model is shown whole.
    pub result_limit_bytes: usize,
}

/// Whether a call may run while other calls run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Concurrency {
    /// Beside other read-only calls.
    ReadOnly,
    /// Beside other delegations: each child has a grant, a context and, if it writes, a work tree of its own.
    Delegation,
    /// Alone.
    Exclusive,
}

impl Concurrency {
    /// Its word in a descriptor.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::ReadOnly => "read-only",
            Self::Delegation => "delegation",
            Self::Exclusive => "exclusive",
        }
    }
}

/// How much of a declaration stands in every request to a model. It never changes within a run, so that each request
/// begins with the bytes of the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loading {
    /// Name, description and schema.
    Eager,
    /// Name, one line and a schema that takes anything; `tool_schema` gives the rest on demand.
    Deferred,
}

impl Loading {
    /// Its word in a descriptor.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Eager => "eager",
            Self::Deferred => "deferred",
        }
    }
}

/// Where the resource of a call is found in its arguments (authority-v1 §7, step 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// The file or folder this argument names.
    Path {
        /// Name of the argument.
        argument: &'static str,
    },
    /// The workspace as a whole.
    Workspace,
    /// The shell command in this argument.
    Command {
        /// Name of the argument.
        argument: &'static str,
    },
    /// The type of agent in this argument.
    AgentType {
        /// Name of the argument.
        argument: &'static str,
    },
    /// The advisor.
    Advisor,
    /// The web address in this argument.
    Url {
        /// Name of the argument.
        argument: &'static str,
    },
    /// The tool itself: it touches nothing but the session that offers it.
    Session,
}

impl ToolSpec {
    /// Reads argument bytes by this tool's parameters.
    ///
    /// # Errors
    /// Those of [`Members::parse`].
    pub fn parse(&self, arguments: &[u8]) -> Result<Members, ArgumentError> {
        Members::parse(arguments, self.parameters)
    }

    /// JSON Schema (2020-12) of the argument object.
    #[must_use]
    pub fn input_schema(&self) -> Value {
        let properties: Map<String, Value> = self
            .parameters
            .iter()
            .map(|parameter| (parameter.name.to_owned(), parameter_schema(parameter)))
            .collect();
        let required: Vec<&str> = self.parameters.iter().map(|parameter| parameter.name).collect();
        json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
    }

    /// The descriptor `countersign.tool/v1`: everything this declaration says.
    #[must_use]
    pub fn descriptor_json(&self) -> Value {
        json!({
            "schema": "countersign.tool/v1",
            "name": self.name,
            "description": self.description,
            "input_schema": self.input_schema(),
            "effects": self.effects.words().collect::<Vec<_>>(),
            "concurrency": self.concurrency.word(),
            "resource": resource_json(self.resource),
            "loading": self.loading.word(),
            "result_limit_bytes": self.result_limit_bytes,
        })
    }

    /// SHA-256 over the descriptor in JCS form: `descriptor` of `action.requested`. It carries no salt, so that the
    /// same tool can be recognised in two ledgers.
    #[must_use]
    pub fn digest(&self) -> Digest {
        jcs_digest(&self.descriptor_json())
    }
}

/// SHA-256 over the JCS array of the descriptors, in the order given: `toolset` of `model.called`.
#[must_use]
pub fn toolset_digest<'a>(specs: impl IntoIterator<Item = &'a ToolSpec>) -> Digest {
    jcs_digest(&Value::Array(
        specs.into_iter().map(ToolSpec::descriptor_json).collect(),
    ))
}

fn jcs_digest(value: &Value) -> Digest {
    // Only a non-finite number or a failing writer has no JCS form, and a descriptor holds neither.
    Digest::sha256(&jcs::canonicalize(value).expect("a descriptor has a JCS form"))
}

fn parameter_schema(parameter: &Parameter) -> Value {
    // JSON Schema counts characters, the limit is in bytes: the schema is the looser of the two, the parser decides.
    let len_min = u8::from(parameter.emptiness == Emptiness::Refused);
    json!({
        "type": "string",
        "description": parameter.description,
        "minLength": len_min,
        "maxLength": parameter.len_bytes_max,
    })
}

fn resource_json(resource: Resource) -> Value {
    match resource {
        Resource::Path { argument } => json!({ "kind": "path", "argument": argument }),
        Resource::Workspace => json!({ "kind": "workspace" }),
        Resource::Command { argument } => json!({ "kind": "command", "argument": argument }),
        Resource::AgentType { argument } => json!({ "kind": "agent-type", "argument": argument }),
        Resource::Advisor => json!({ "kind": "advisor" }),
        Resource::Url { argument } => json!({ "kind": "url", "argument": argument }),
        Resource::Session => json!({ "kind": "session" }),
    }
}
