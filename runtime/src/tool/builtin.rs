//! The fixed table of built-in tools (authority-v1 §7): their names, arguments and effects are part of the law.

use countersign_schemas::body::Effects;

use super::arguments::{Emptiness, Parameter};
use super::bash::{self, Bash};
use super::file_tool::FileTool;
use super::path::PATH_LEN_BYTES_MAX;
use super::shell::Shell;
use super::spec::{Concurrency, Resource, ToolSpec};
use super::{Tool, edit, glob, grep, list, read, write};

/// Longest text of a file in one argument. Escaped as JSON it may take twice that, which still fits a call.
const CONTENT_LEN_BYTES_MAX: usize = 512 << 10;

/// Longest command. Linux takes 128 KiB in one argument (`MAX_ARG_STRLEN`).
const COMMAND_LEN_BYTES_MAX: usize = 64 << 10;

const PATTERN_LEN_BYTES_MAX: usize = 4096;
const TASK_LEN_BYTES_MAX: usize = 32 << 10;
const NAME_LEN_BYTES_MAX: usize = 64;

/// Longest result of a search or listing.
const LINES_LIMIT_BYTES: usize = 32 << 10;

const fn required(name: &'static str, description: &'static str, len_bytes_max: usize) -> Parameter {
    Parameter {
        name,
        description,
        emptiness: Emptiness::Refused,
        len_bytes_max,
    }
}

const fn possibly_empty(name: &'static str, description: &'static str, len_bytes_max: usize) -> Parameter {
    Parameter {
        name,
        description,
        emptiness: Emptiness::Allowed,
        len_bytes_max,
    }
}

const PATH: Parameter = required("path", "Relative to the workspace, or absolute.", PATH_LEN_BYTES_MAX);
const PATH_RESOURCE: Resource = Resource::Path { argument: "path" };

/// `read`: the content of a text file.
pub static READ: ToolSpec = ToolSpec {
    name: "read",
    description: "Gives the content of a text file (UTF-8).",
    parameters: &[PATH],
    effects: Effects::READ,
    concurrency: Concurrency::ReadOnly,
    resource: PATH_RESOURCE,
    result_limit_bytes: 128 << 10,
};

/// `list`: the names in a folder.
pub static LIST: ToolSpec = ToolSpec {
    name: "list",
    description: "Lists the names in a folder, hidden ones too: folders end in /, symbolic links in @.",
    parameters: &[PATH],
    effects: Effects::READ,
    concurrency: Concurrency::ReadOnly,
    resource: PATH_RESOURCE,
    result_limit_bytes: LINES_LIMIT_BYTES,
};

/// `glob`: the files whose path fits a pattern.
pub static GLOB: ToolSpec = ToolSpec {
    name: "glob",
    description: "Finds the files of the workspace whose path fits a pattern such as src/**/*.rs. Hidden, ignored and \
                  secret files are left out.",
    parameters: &[required(
        "pattern",
        "Relative to the workspace. * and ? stay within a segment, ** crosses segments.",
        PATTERN_LEN_BYTES_MAX,
    )],
    effects: Effects::READ,
    concurrency: Concurrency::ReadOnly,
    resource: Resource::Workspace,
    result_limit_bytes: LINES_LIMIT_BYTES,
};

/// `grep`: the lines that match a regular expression.
pub static GREP: ToolSpec = ToolSpec {
    name: "grep",
    description: "Finds the lines that match a regular expression, as path:line:text, in a file or in all files of a \
                  folder. Hidden, ignored and secret files of a folder are left out.",
    parameters: &[
        required("pattern", "A regular expression for one line.", PATTERN_LEN_BYTES_MAX),
        PATH,
    ],
    effects: Effects::READ,
    concurrency: Concurrency::ReadOnly,
    resource: PATH_RESOURCE,
    result_limit_bytes: LINES_LIMIT_BYTES,
};

/// `write`: a whole new content for a file.
pub static WRITE: ToolSpec = ToolSpec {
    name: "write",
    description: "Creates a file, or replaces its whole content. Missing folders are created.",
    parameters: &[
        PATH,
        possibly_empty("content", "The whole new content.", CONTENT_LEN_BYTES_MAX),
    ],
    effects: Effects::WRITE,
    concurrency: Concurrency::Exclusive,
    resource: PATH_RESOURCE,
    result_limit_bytes: LINES_LIMIT_BYTES,
};

/// `edit`: one occurrence of a text in a file.
pub static EDIT: ToolSpec = ToolSpec {
    name: "edit",
    description: "Replaces a text that occurs exactly once in a file. The file has to be read first.",
    parameters: &[
        PATH,
        required(
            "old",
            "The text to be replaced, with enough around it to occur once.",
            CONTENT_LEN_BYTES_MAX,
        ),
        possibly_empty("new", "The text to stand in its place.", CONTENT_LEN_BYTES_MAX),
    ],
    effects: Effects::READ.union(Effects::WRITE),
    concurrency: Concurrency::Exclusive,
    resource: PATH_RESOURCE,
    result_limit_bytes: LINES_LIMIT_BYTES,
};

/// `bash`: one shell command.
pub static BASH: ToolSpec = ToolSpec {
    name: "bash",
    description: "Runs a shell command in the workspace, for at most 120 seconds, without input. Nothing of it goes on \
                  afterwards.",
    parameters: &[required("command", "The command.", COMMAND_LEN_BYTES_MAX)],
    effects: Effects::READ
        .union(Effects::WRITE)
        .union(Effects::EXECUTE)
        .union(Effects::NETWORK),
    concurrency: Concurrency::Exclusive,
    resource: Resource::Command { argument: "command" },
    result_limit_bytes: 64 << 10,
};

/// `agent`: gives a task to a new agent. Run by the session.
pub static AGENT: ToolSpec = ToolSpec {
    name: "agent",
    description: "Gives a task to a new agent with an identity and a narrower grant of its own, and waits for its \
                  report.",
    parameters: &[
        required(
            "type",
            "The type of agent, which says what it may do: explore only reads.",
            NAME_LEN_BYTES_MAX,
        ),
        required("name", "What to call it.", NAME_LEN_BYTES_MAX),
        required("task", "What it is to do, and what to report.", TASK_LEN_BYTES_MAX),
    ],
    effects: Effects::DELEGATE,
    concurrency: Concurrency::Exclusive,
    resource: Resource::AgentType { argument: "type" },
    result_limit_bytes: LINES_LIMIT_BYTES,
};

/// `advisor`: asks the advisor. Run by the session.
pub static ADVISOR: ToolSpec = ToolSpec {
    name: "advisor",
    description: "Asks the advisor, a second model that recommends and can do nothing else.",
    parameters: &[required(
        "question",
        "The question, with all that is needed to answer it.",
        TASK_LEN_BYTES_MAX,
    )],
    effects: Effects::CONSULT,
    concurrency: Concurrency::Exclusive,
    resource: Resource::Advisor,
    result_limit_bytes: LINES_LIMIT_BYTES,
};

/// Every built-in tool, in the order of the law's table.
pub static BUILTIN: [&ToolSpec; 9] = [&READ, &LIST, &GLOB, &GREP, &WRITE, &EDIT, &BASH, &AGENT, &ADVISOR];

/// The built-in tools that run by themselves: all of [`BUILTIN`] except `agent` and `advisor`.
pub struct Toolbox(Vec<Box<dyn Tool>>);

impl Toolbox {
    /// The tools of this machine, with commands run by `shell`.
    #[must_use]
    pub fn new(shell: Shell) -> Self {
        let file_tools = [
            FileTool {
                spec: &READ,
                work: read::read,
            },
            FileTool {
                spec: &LIST,
                work: list::list,
            },
            FileTool {
                spec: &GLOB,
                work: glob::glob,
            },
            FileTool {
                spec: &GREP,
                work: grep::grep,
            },
            FileTool {
                spec: &WRITE,
                work: write::write,
            },
            FileTool {
                spec: &EDIT,
                work: edit::edit,
            },
        ];
        let mut tools: Vec<Box<dyn Tool>> = Vec::new();
        tools.extend(file_tools.into_iter().map(|tool| Box::new(tool) as Box<dyn Tool>));
        tools.push(Box::new(Bash {
            shell,
            time_limit: bash::TIME_LIMIT,
        }));
        Self(tools)
    }

    /// The tool of that name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&dyn Tool> {
        self.0.iter().find(|tool| tool.spec().name == name).map(AsRef::as_ref)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::error::Error;

    use countersign_identity::jcs;
    use countersign_schemas::digest::Digest;
    use countersign_verifier::projection::{TOOLS, ToolKind};
    use serde_json::{Map, Value, json};

    use super::*;
    use crate::tool::spec::toolset_digest;
    use crate::tool::{ArgumentError, Arguments};

    /// Arguments with the name of each parameter as its value.
    fn arguments(spec: &ToolSpec) -> Map<String, Value> {
        spec.parameters
            .iter()
            .map(|parameter| (parameter.name.to_owned(), json!(parameter.name)))
            .collect()
    }

    fn parse(spec: &ToolSpec, object: Map<String, Value>) -> Result<(), ArgumentError> {
        spec.parse(Arguments::from_object(object)?.as_bytes()).map(drop)
    }

    #[test]
    fn table_is_that_of_the_law() {
        let resource = |kind| match kind {
            ToolKind::File => Resource::Path { argument: "path" },
            ToolKind::Workspace => Resource::Workspace,
            ToolKind::Command => Resource::Command { argument: "command" },
            ToolKind::Delegate => Resource::AgentType { argument: "type" },
            ToolKind::Consult => Resource::Advisor,
        };
        assert_eq!(BUILTIN.len(), TOOLS.len());
        for (spec, law) in BUILTIN.iter().zip(&TOOLS) {
            let arguments: Vec<_> = spec.parameters.iter().map(|parameter| parameter.name).collect();
            assert_eq!(
                (spec.name, spec.effects, arguments.as_slice()),
                (law.name, law.effects, law.arguments)
            );
            assert_eq!(spec.resource, resource(law.kind), "{}", spec.name);
        }
    }

    #[test]
    fn every_tool_but_those_of_the_session_can_run() -> Result<(), std::io::Error> {
        let tools = Toolbox::new(Shell::find([])?);
        let runnable: Vec<_> = BUILTIN.iter().filter(|spec| tools.find(spec.name).is_some()).collect();
        assert_eq!(runnable.len(), 7);
        assert!(tools.find("agent").is_none() && tools.find("advisor").is_none() && tools.find("Read").is_none());
        Ok(())
    }

    #[test]
    fn each_argument_is_needed_text_and_bounded() -> Result<(), Box<dyn Error>> {
        for spec in BUILTIN {
            parse(spec, arguments(spec))?;
            for parameter in spec.parameters {
                let with = |value: Value| {
                    let mut changed = arguments(spec);
                    changed.insert(parameter.name.to_owned(), value);
                    parse(spec, changed)
                };
                let mut without = arguments(spec);
                without.remove(parameter.name);
                assert!(matches!(parse(spec, without), Err(ArgumentError::Missing { .. })));
                assert!(matches!(with(json!(["x"])), Err(ArgumentError::NotText { .. })));
                let long = "x".repeat(parameter.len_bytes_max + 1);
                assert!(matches!(with(json!(long)), Err(ArgumentError::MemberTooLong { .. })));
                assert_eq!(with(json!("")).is_err(), parameter.emptiness == Emptiness::Refused);
            }
            let mut more = arguments(spec);
            more.insert("timeout".to_owned(), json!("1"));
            assert!(matches!(parse(spec, more), Err(ArgumentError::Unknown { .. })));
        }
        Ok(())
    }

    #[test]
    fn descriptor_says_everything() {
        let expected = json!({
            "schema": "countersign.tool/v1",
            "name": "list",
            "description": LIST.description,
            "input_schema": {
                "type": "object",
                "properties": {
                    "path": {
                        "type": "string",
                        "description": "Relative to the workspace, or absolute.",
                        "minLength": 1,
                        "maxLength": 4096,
                    },
                },
                "required": ["path"],
                "additionalProperties": false,
            },
            "effects": ["read"],
            "concurrency": "read-only",
            "resource": { "kind": "path", "argument": "path" },
            "result_limit_bytes": 32768,
        });
        assert_eq!(LIST.descriptor_json(), expected);
    }

    #[test]
    fn digests_tell_tools_and_toolsets_apart() {
        let digests: HashSet<_> = BUILTIN.iter().map(|spec| spec.digest()).collect();
        assert_eq!(digests.len(), BUILTIN.len());
        let wider = ToolSpec {
            effects: Effects::READ.union(Effects::NETWORK),
            ..READ.clone()
        };
        assert_ne!(wider.digest(), READ.digest());
        assert_ne!(toolset_digest([&READ, &LIST]), toolset_digest([&LIST, &READ]));
        assert_ne!(toolset_digest([&READ]), READ.digest());
    }

    #[test]
    fn digest_is_sha_256_over_the_canonical_descriptor() -> Result<(), Box<dyn Error>> {
        let canonical = String::from_utf8(jcs::canonicalize(&READ.descriptor_json())?)?;
        assert!(
            canonical.starts_with(r#"{"concurrency":"read-only","description":"#),
            "{canonical}"
        );
        assert_eq!(READ.digest(), Digest::sha256(canonical.as_bytes()));
        Ok(())
    }
}
