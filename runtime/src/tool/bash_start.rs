//! `bash_start`: a command that goes on by itself. Run by the session, which enters its outcome when it ends.

use super::builtin::BASH_START;
use super::command::CommandCall;
use super::error::ToolError;
use super::jobs::{JobId, StartedJob};
use super::shell::Shell;
use super::{BoxFuture, RunContext, ToolOutput};
use crate::gate::Permit;

/// Starts the permitted command and gives its id at once, and a future that resolves when it has ended by itself, by its
/// time limit of 30 minutes, by `context.cancel`, or because somebody stopped it: that is the result of the call.
///
/// # Errors
/// [`ToolError`] when nothing was started.
pub fn start_job(
    permit: Permit,
    context: &RunContext,
    shell: &Shell,
) -> Result<(JobId, BoxFuture<'static, ToolOutput>), ToolError> {
    let call = CommandCall::new(&BASH_START, permit, context)?;
    let StartedJob { id, ended } = context.jobs.start(call, shell.clone(), &context.cancel)?;
    Ok((id, ended))
}
