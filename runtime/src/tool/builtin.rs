//! The fixed table of built-in tools (authority-v1 §7): their names, arguments and effects are part of the law.

use countersign_schemas::body::Effects;
use countersign_verifier::projection::URL_BYTES_MAX;

use super::arguments::{Emptiness, Parameter};
use super::ask_user::AskUser;
use super::bash::{self, Bash};
use super::bash_job::{BashRead, BashStop};
use super::file_tool::FileTool;
use super::merge::Merge;
use super::path::PATH_LEN_BYTES_MAX;
use super::shell::Shell;
use super::spec::{Concurrency, Loading, Resource, ToolSpec};
use super::todo::Todo;
use super::tool_schema::ToolSchema;
use super::web_fetch::WebFetch;
use super::{Tool, edit, glob, grep, list, read, write};

/// Longest text of a file in one argument. Escaped as JSON it may take twice that, which still fits a call.
const CONTENT_LEN_BYTES_MAX: usize = 512 << 10;

/// Longest command. Linux takes 128 KiB in one argument (`MAX_ARG_STRLEN`).
const COMMAND_LEN_BYTES_MAX: usize = 64 << 10;

const PATTERN_LEN_BYTES_MAX: usize = 4096;
const TASK_LEN_BYTES_MAX: usize = 32 << 10;
const NAME_LEN_BYTES_MAX: usize = 64;
/// Longest question to a person: what fits a screen.
const PERSON_QUESTION_LEN_BYTES_MAX: usize = 4 << 10;
/// Longest list of steps: fifty of two hundred letters.
const ITEMS_LEN_BYTES_MAX: usize = 12 << 10;
const BRANCH_LEN_BYTES_MAX: usize = 128;
/// Longest id of a job; the runtime gives them out.
const JOB_LEN_BYTES_MAX: usize = 16;

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

const COMMAND: Parameter = required("command", "The command.", COMMAND_LEN_BYTES_MAX);
const COMMAND_RESOURCE: Resource = Resource::Command { argument: "command" };
/// A command can do whatever the machine can.
const COMMAND_EFFECTS: Effects = Effects::READ
    .union(Effects::WRITE)
    .union(Effects::EXECUTE)
    .union(Effects::NETWORK);

const JOB: Parameter = required("job", "The id that bash_start gave.", JOB_LEN_BYTES_MAX);

/// `read`: the content of a text file.
pub static READ: ToolSpec = ToolSpec {
    name: "read",
    description: "Gives the content of a text file (UTF-8).",
    parameters: &[PATH],
    effects: Effects::READ,
    concurrency: Concurrency::ReadOnly,
    resource: PATH_RESOURCE,
    loading: Loading::Eager,
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
    loading: Loading::Eager,
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
    loading: Loading::Eager,
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
    loading: Loading::Eager,
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
    loading: Loading::Eager,
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
    loading: Loading::Eager,
    result_limit_bytes: LINES_LIMIT_BYTES,
};

/// `bash`: one shell command.
pub static BASH: ToolSpec = ToolSpec {
    name: "bash",
    description: "Runs a shell command in the workspace, for at most 120 seconds, without input. Nothing of it goes on \
                  afterwards.",
    parameters: &[COMMAND],
    effects: COMMAND_EFFECTS,
    concurrency: Concurrency::Exclusive,
    resource: COMMAND_RESOURCE,
    loading: Loading::Eager,
    result_limit_bytes: 64 << 10,
};

/// `agent`: gives a task to a new agent. Run by the session.
pub static AGENT: ToolSpec = ToolSpec {
    name: "agent",
    description: "Gives a task to a new agent with an identity and a narrower grant of its own, and waits for its \
                  report. Several calls in one answer run side by side.",
    parameters: &[
        required(
            "type",
            "explore or plan (read only), verify (also runs commands), or general (what you may, except agents).",
            NAME_LEN_BYTES_MAX,
        ),
        required("name", "What to call it.", NAME_LEN_BYTES_MAX),
        required("task", "What it is to do, and what to report.", TASK_LEN_BYTES_MAX),
    ],
    effects: Effects::DELEGATE,
    concurrency: Concurrency::Delegation,
    resource: Resource::AgentType { argument: "type" },
    loading: Loading::Eager,
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
    loading: Loading::Eager,
    result_limit_bytes: LINES_LIMIT_BYTES,
};

/// `web_fetch`: the text at a web address.
pub static WEB_FETCH: ToolSpec = ToolSpec {
    name: "web_fetch",
    description: "Gets the text at a web address, from a host that your grant names.",
    parameters: &[required(
        "url",
        "http:// or https://, a host in lower case, no fragment, no . or .. in the path; anything but visible ASCII \
         percent-encoded.",
        URL_BYTES_MAX,
    )],
    effects: Effects::READ.union(Effects::NETWORK),
    concurrency: Concurrency::ReadOnly,
    resource: Resource::Url { argument: "url" },
    loading: Loading::Deferred,
    result_limit_bytes: 64 << 10,
};

/// `bash_start`: a shell command that goes on by itself.
pub static BASH_START: ToolSpec = ToolSpec {
    name: "bash_start",
    description: "Starts a shell command in the workspace, without input, and gives the id of the job at once. It goes on \
                  until it ends, bash_stop stops it, 30 minutes are over, or the run ends. At most 8 jobs at once.",
    parameters: &[COMMAND],
    effects: COMMAND_EFFECTS,
    concurrency: Concurrency::Exclusive,
    resource: COMMAND_RESOURCE,
    loading: Loading::Deferred,
    result_limit_bytes: LINES_LIMIT_BYTES,
};

/// `bash_read`: what a started command has written.
pub static BASH_READ: ToolSpec = ToolSpec {
    name: "bash_read",
    description: "Gives what a job has written since it was last read, and whether it still runs.",
    parameters: &[JOB],
    effects: Effects::READ,
    concurrency: Concurrency::ReadOnly,
    resource: Resource::Session,
    loading: Loading::Deferred,
    result_limit_bytes: 64 << 10,
};

/// `bash_stop`: the end of a started command.
pub static BASH_STOP: ToolSpec = ToolSpec {
    name: "bash_stop",
    description: "Stops a job with every process it started, and gives the rest of what it wrote.",
    parameters: &[JOB],
    effects: Effects::EXECUTE,
    concurrency: Concurrency::Exclusive,
    resource: Resource::Session,
    loading: Loading::Deferred,
    result_limit_bytes: 64 << 10,
};

/// `merge`: the work of a subagent into the workspace.
pub static MERGE: ToolSpec = ToolSpec {
    name: "merge",
    description: "Merges the branch of a subagent that worked in a work tree of its own into the workspace. A merge with \
                  conflicts changes nothing and names them.",
    parameters: &[required(
        "branch",
        "The branch, as the subagent's report names it.",
        BRANCH_LEN_BYTES_MAX,
    )],
    effects: Effects::READ.union(Effects::WRITE).union(Effects::EXECUTE),
    concurrency: Concurrency::Exclusive,
    resource: Resource::Workspace,
    loading: Loading::Deferred,
    result_limit_bytes: LINES_LIMIT_BYTES,
};

/// `todo`: the agent's list of steps.
pub static TODO: ToolSpec = ToolSpec {
    name: "todo",
    description: "Replaces your list of steps, for work of three steps or more. One step is in hand at a time.",
    parameters: &[possibly_empty(
        "items",
        "The whole list, one step a line: `- [ ] text` open, `- [~] text` in hand, `- [x] text` done.",
        ITEMS_LEN_BYTES_MAX,
    )],
    effects: Effects::NONE,
    concurrency: Concurrency::Exclusive,
    resource: Resource::Session,
    loading: Loading::Eager,
    result_limit_bytes: LINES_LIMIT_BYTES,
};

/// `ask_user`: a question to the person who started the run.
pub static ASK_USER: ToolSpec = ToolSpec {
    name: "ask_user",
    description: "Asks the person a question that only they can answer, and waits for the answer. Nobody may be there.",
    parameters: &[required(
        "question",
        "One question, with the choices there are.",
        PERSON_QUESTION_LEN_BYTES_MAX,
    )],
    effects: Effects::CONSULT,
    concurrency: Concurrency::Exclusive,
    resource: Resource::Session,
    loading: Loading::Eager,
    result_limit_bytes: LINES_LIMIT_BYTES,
};

/// `tool_schema`: the whole declaration of a deferred tool.
pub static TOOL_SCHEMA: ToolSpec = ToolSpec {
    name: "tool_schema",
    description: "Gives description and arguments of a tool that is offered by name only. Ask before its first use.",
    parameters: &[required("tool", "Its name.", NAME_LEN_BYTES_MAX)],
    effects: Effects::NONE,
    concurrency: Concurrency::ReadOnly,
    resource: Resource::Session,
    loading: Loading::Eager,
    result_limit_bytes: LINES_LIMIT_BYTES,
};

/// Every built-in tool, in the order of the law's table.
pub static BUILTIN: [&ToolSpec; 17] = [
    &READ,
    &LIST,
    &GLOB,
    &GREP,
    &WRITE,
    &EDIT,
    &BASH,
    &AGENT,
    &ADVISOR,
    &WEB_FETCH,
    &BASH_START,
    &BASH_READ,
    &BASH_STOP,
    &MERGE,
    &TODO,
    &ASK_USER,
    &TOOL_SCHEMA,
];

/// The built-in tools that run by themselves; the session runs the others.
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
        tools.extend([Box::new(Todo) as Box<dyn Tool>, Box::new(AskUser), Box::new(ToolSchema)]);
        tools.extend([Box::new(WebFetch) as Box<dyn Tool>, Box::new(Merge)]);
        tools.extend([Box::new(BashRead) as Box<dyn Tool>, Box::new(BashStop)]);
        Self(tools)
    }

    /// The tool of that name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&dyn Tool> {
        self.0.iter().find(|tool| tool.spec().name == name).map(AsRef::as_ref)
    }
}

#[cfg(test)]
#[path = "builtin_tests.rs"]
mod tests;
