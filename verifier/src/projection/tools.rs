//! The tools that v1 has a projection for: their arguments, effects and the kind of resource they touch (authority-v1 §7.4).

use countersign_schemas::body::Effects;

/// Which resource a tool touches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToolKind {
    /// The file or folder of its `path` argument.
    File,
    /// The workspace as a whole.
    Workspace,
    /// A shell command.
    Command,
    /// A new agent.
    Delegate,
    /// The advisor.
    Consult,
    /// The web address of its `url` argument.
    Url,
    /// Nothing but the session that offers it: what it does was decided when its job was started, or stays within.
    Session,
}

/// One tool of the table.
#[derive(Debug, PartialEq, Eq)]
pub struct ToolProfile {
    /// Its name, which is its Cedar action too.
    pub name: &'static str,
    /// Its arguments, all of them strings, none optional.
    pub arguments: &'static [&'static str],
    /// The effects that a request for it must at least claim.
    pub effects: Effects,
    /// The resource it touches.
    pub kind: ToolKind,
}

const fn tool(name: &'static str, arguments: &'static [&'static str], effects: Effects, kind: ToolKind) -> ToolProfile {
    ToolProfile {
        name,
        arguments,
        effects,
        kind,
    }
}

const READ_WRITE: Effects = Effects::READ.union(Effects::WRITE);
/// A command can do whatever the machine can.
const ANYTHING: Effects = READ_WRITE.union(Effects::EXECUTE).union(Effects::NETWORK);

/// Every tool of the table, in its order.
pub static TOOLS: [ToolProfile; 17] = [
    tool("read", &["path"], Effects::READ, ToolKind::File),
    tool("list", &["path"], Effects::READ, ToolKind::File),
    tool("glob", &["pattern"], Effects::READ, ToolKind::Workspace),
    tool("grep", &["pattern", "path"], Effects::READ, ToolKind::File),
    tool("write", &["path", "content"], Effects::WRITE, ToolKind::File),
    tool("edit", &["path", "old", "new"], READ_WRITE, ToolKind::File),
    tool("bash", &["command"], ANYTHING, ToolKind::Command),
    tool(
        "agent",
        &["type", "name", "task"],
        Effects::DELEGATE,
        ToolKind::Delegate,
    ),
    tool("advisor", &["question"], Effects::CONSULT, ToolKind::Consult),
    tool(
        "web_fetch",
        &["url"],
        Effects::READ.union(Effects::NETWORK),
        ToolKind::Url,
    ),
    tool("bash_start", &["command"], ANYTHING, ToolKind::Command),
    tool("bash_read", &["job"], Effects::READ, ToolKind::Session),
    tool("bash_stop", &["job"], Effects::EXECUTE, ToolKind::Session),
    tool(
        "merge",
        &["branch"],
        READ_WRITE.union(Effects::EXECUTE),
        ToolKind::Workspace,
    ),
    tool("todo", &["items"], Effects::NONE, ToolKind::Session),
    tool("ask_user", &["question"], Effects::CONSULT, ToolKind::Session),
    tool("tool_schema", &["tool"], Effects::NONE, ToolKind::Session),
];

/// The profile of `name`; `None` for a tool that has the action `other`.
#[must_use]
pub fn tool_profile(name: &str) -> Option<&'static ToolProfile> {
    TOOLS.iter().find(|profile| profile.name == name)
}
