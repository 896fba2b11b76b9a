//! Tools: what an agent can do, declared as data, and run by a [`Permit`] alone.
//!
//! A tool does not judge whether a call is allowed; the gate has done that, and the permit says what exactly was
//! allowed. A tool makes sure that it does *that*: it parses the argument bytes that were decided and opens the file
//! that was decided. Sandboxing, approval and recording are not here; `agent` and `advisor` are only declared here,
//! the session runs them.
//!
//! Nothing in here touches a file or starts a process without a [`PermittedCall`](crate::gate::PermittedCall), which a
//! redeemed permit alone gives: each primitive (`open`, `walk`, `replace`, `shell`) takes one, or something made from
//! one. What must not compile is shown at [`Permit`], [`PermittedCall`](crate::gate::PermittedCall) and [`Tool`].

mod arguments;
mod ask_user;
mod bash;
mod bash_job;
mod bash_start;
mod builtin;
mod cancel;
mod command;
#[cfg(test)]
mod demo_tests;
mod edit;
#[cfg(test)]
mod effects_tests;
mod ending;
mod error;
mod file_tool;
mod glob;
mod grep;
mod jobs;
mod list;
mod lossy;
mod merge;
mod open;
mod overflow;
mod path;
mod person;
mod preview;
mod read;
mod read_log;
mod replace;
mod results;
mod shell;
mod spec;
mod spool;
#[cfg(test)]
mod test_support;
mod todo;
mod tool_schema;
mod walk;
mod web_fetch;
mod write;

use std::pin::Pin;
use std::sync::Arc;

use countersign_schemas::body::FinishOutcome;
use countersign_schemas::number::Millis;
use countersign_schemas::text::Name;

use crate::gate::Permit;

pub use arguments::{ArgumentError, Arguments, Emptiness, Members, Parameter};
pub use bash_start::start_job;
pub use builtin::{
    ADVISOR, AGENT, ASK_USER, BASH, BASH_READ, BASH_START, BASH_STOP, BUILTIN, EDIT, GLOB, GREP, LIST, MERGE, READ,
    TODO, TOOL_SCHEMA, Toolbox, WEB_FETCH, WRITE,
};
pub use cancel::{Cancel, Canceller, cancellation};
pub use error::{EditError, ToolError};
pub use jobs::{JobError, JobId, Jobs};
pub use open::FileError;
pub use overflow::{Outlet, Overflow, Redaction, Settled, Spilled};
pub use path::{PathError, Resolved, resolve};
pub use person::{Nobody, Person};
pub use read_log::ReadLog;
pub use shell::Shell;
pub use spec::{Concurrency, Loading, Resource, ToolSpec, toolset_digest};
pub use todo::TodoError;
pub use web_fetch::FetchError;

/// A boxed future that may move between threads.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Something an agent can do.
///
/// It cannot be done without a permit, and not with the permit's content either:
///
/// ```
/// use countersign_runtime::gate::Permit;
/// use countersign_runtime::tool::{RunContext, Tool};
///
/// fn run(tool: &dyn Tool, permit: Permit, context: RunContext) {
///     let _ = tool.run(permit, context);
/// }
/// ```
/// ```compile_fail,E0061
/// use countersign_runtime::gate::Permit;
/// use countersign_runtime::tool::{RunContext, Tool};
///
/// fn run(tool: &dyn Tool, permit: Permit, context: RunContext) {
///     let _ = tool.run(context);
/// }
/// ```
/// ```compile_fail,E0308
/// use countersign_runtime::gate::Permit;
/// use countersign_runtime::tool::{RunContext, Tool};
///
/// fn run(tool: &dyn Tool, permit: Permit, context: RunContext) {
///     let _ = tool.run(permit.redeem("bash", context.started), context);
/// }
/// ```
pub trait Tool: Send + Sync {
    /// The declaration: name, arguments, effects, limits.
    fn spec(&self) -> &'static ToolSpec;

    /// Runs the permitted call to its end and uses the permit up.
    ///
    /// Dropping the future kills a running command; a file that is being replaced is either the old or the new one.
    ///
    /// # Errors
    /// [`ToolError`] when the call did not do what it was asked to. `ToolOutput::from` turns it into the result the
    /// agent sees.
    fn run(&self, permit: Permit, context: RunContext) -> BoxFuture<'_, Result<ToolOutput, ToolError>>;
}

/// What a call needs besides its permit.
#[derive(Clone)]
pub struct RunContext {
    /// Time at which the call starts, as `action.finished` will state it. A permit that has expired by then is refused.
    pub started: Millis,
    /// Raised when the run is interrupted.
    pub cancel: Cancel,
    /// Which file contents the agents of this session have seen.
    pub reads: Arc<ReadLog>,
    /// The commands that the agents of this run have left running.
    pub jobs: Arc<Jobs>,
    /// Who can be asked, and is shown lists.
    pub person: Arc<dyn Person>,
    /// What the person knows the calling agent by. Who it is, the permit says.
    pub agent: Name,
}

/// What a call gave back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolOutput {
    /// The result, or what comes behind the part of it that was put into the permit's [`Outlet`]. [`Overflow::settle`]
    /// makes of it what the agent sees and `action.finished` commits to.
    pub content: String,
    /// How it ended; never `unknown`.
    pub outcome: FinishOutcome,
}
