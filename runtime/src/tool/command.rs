//! One permitted shell command: what [`super::shell`] asks for before it runs anything.

use std::path::Path;

use countersign_schemas::number::Seq;

use super::RunContext;
use super::error::ToolError;
use super::overflow::Outlet;
use super::path::resolve;
use super::results::ResultsFolder;
use super::spec::ToolSpec;
use super::spool::{SharedSpool, Spool};
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

    /// The requester, named by the `seq` of its introduction.
    pub(super) fn agent(&self) -> Seq {
        self.call.agent()
    }

    /// A spool for the output.
    pub(super) fn spool(&self) -> SharedSpool {
        SharedSpool::new(Spool::new(ResultsFolder::of_call(&self.call)))
    }

    /// Where the output goes that is too long to be held in memory.
    pub(super) fn outlet(&self) -> &Outlet {
        self.call.outlet()
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
