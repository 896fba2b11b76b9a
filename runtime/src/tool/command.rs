//! One permitted shell command: what [`super::shell`] asks for before it runs anything.

use std::path::Path;

use super::RunContext;
use super::error::ToolError;
use super::path::resolve;
use super::spec::ToolSpec;
use crate::gate::{Permit, PermittedCall};

/// A redeemed permit for a command, with the command parsed from the bytes that were decided.
pub(super) struct CommandCall {
    call: PermittedCall,
    command: String,
}

impl CommandCall {
    /// Redeems `permit` for the tool of `spec`, whose argument `command` is what runs.
    ///
    /// # Errors
    /// Those of the permit and of the arguments, and [`ToolError::PathChanged`] if the workspace has become a link.
    pub(super) fn new(spec: &ToolSpec, permit: Permit, context: &RunContext) -> Result<Self, ToolError> {
        let call = permit.redeem(spec.name, context.started)?;
        let command = spec.parse(call.arguments())?.text("command")?.to_owned();
        let found = resolve(call.workspace(), ".")?.canonical().to_owned();
        if found != call.workspace() {
            return Err(ToolError::PathChanged {
                decided: call.workspace().to_owned(),
                found,
            });
        }
        Ok(Self { call, command })
    }

    /// The text the shell gets.
    pub(super) fn command(&self) -> &str {
        &self.command
    }

    /// The folder it runs in: the workspace of the requester's grant.
    pub(super) fn folder(&self) -> &Path {
        self.call.workspace()
    }
}
