//! `merge`: what a subagent changed in a work tree of its own, brought into the workspace.

use countersign_schemas::body::FinishOutcome;

use super::builtin::MERGE;
use super::error::ToolError;
use super::spec::ToolSpec;
use super::{BoxFuture, RunContext, Tool, ToolOutput};
use crate::gate::Permit;
use crate::worktree::{self, BranchName, MergeError};

/// Merges branches of work trees.
pub(super) struct Merge;

impl Tool for Merge {
    fn spec(&self) -> &'static ToolSpec {
        &MERGE
    }

    fn run(&self, permit: Permit, context: RunContext) -> BoxFuture<'_, Result<ToolOutput, ToolError>> {
        Box::pin(async move {
            let call = permit.redeem(MERGE.name, context.started)?;
            let members = MERGE.parse(call.arguments())?;
            let branch = BranchName::parse(members.text("branch")?).map_err(MergeError::from)?;
            match worktree::merge(&call, &branch, &context.cancel).await {
                Ok(merged) => Ok(ToolOutput {
                    content: merged.to_string(),
                    outcome: FinishOutcome::Ok,
                }),
                Err(MergeError::Cancelled) => Err(ToolError::Cancelled),
                Err(error) => Err(error.into()),
            }
        })
    }
}
