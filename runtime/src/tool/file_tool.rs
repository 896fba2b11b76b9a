//! The common part of all tools that work on files: from permit to decided path, off the async threads.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use countersign_schemas::body::FinishOutcome;
use countersign_schemas::number::Seq;
use countersign_verifier::projection::lexical_path;

use super::arguments::{ArgumentError, Members};
use super::cancel::Stop;
use super::error::ToolError;
use super::path::resolve;
use super::read_log::ReadLog;
use super::spec::ToolSpec;
use super::{BoxFuture, RunContext, Tool, ToolOutput};
use crate::gate::{Permit, PermitError, PermittedCall};

/// Time for one call; a search through a large tree is the slowest.
const TIME_LIMIT: Duration = Duration::from_secs(60);

/// A tool whose work is a plain function over a [`FileCall`].
pub(super) struct FileTool {
    pub(super) spec: &'static ToolSpec,
    pub(super) work: fn(&FileCall) -> Result<String, ToolError>,
}

impl Tool for FileTool {
    fn spec(&self) -> &'static ToolSpec {
        self.spec
    }

    fn run(&self, permit: Permit, context: RunContext) -> BoxFuture<'_, Result<ToolOutput, ToolError>> {
        Box::pin(async move {
            let call = FileCall::new(self.spec, permit, context)?;
            let work = self.work;
            let worked = tokio::task::spawn_blocking(move || work(&call)).await;
            let content = worked.map_err(ToolError::Panicked)??;
            Ok(ToolOutput {
                content,
                outcome: FinishOutcome::Ok,
            })
        })
    }
}

/// One permitted call on a file, with its arguments parsed.
pub(super) struct FileCall {
    spec: &'static ToolSpec,
    call: PermittedCall,
    members: Members,
    pub(super) reads: Arc<ReadLog>,
    pub(super) stop: Stop,
}

impl FileCall {
    fn new(spec: &'static ToolSpec, permit: Permit, context: RunContext) -> Result<Self, ToolError> {
        let call = permit.redeem(spec.name, context.started)?;
        let members = spec.parse(call.arguments())?;
        let stop = Stop::after(TIME_LIMIT, context.cancel);
        stop.check()?;
        Ok(Self {
            spec,
            call,
            members,
            reads: context.reads,
            stop,
        })
    }

    pub(super) fn text(&self, argument: &'static str) -> Result<&str, ArgumentError> {
        self.members.text(argument)
    }

    /// What the primitives ask for before they touch anything.
    pub(super) fn permitted(&self) -> &PermittedCall {
        &self.call
    }

    pub(super) fn agent(&self) -> Seq {
        self.call.agent()
    }

    pub(super) fn workspace(&self) -> &Path {
        self.call.workspace()
    }

    pub(super) fn result_limit_bytes(&self) -> usize {
        self.spec.result_limit_bytes
    }

    /// The path that was decided, if the arguments still lead to it. What happens after this check is the business of
    /// [`super::open`], which follows no link at all.
    pub(super) fn decided_path(&self) -> Result<&Path, ToolError> {
        let decided = self.call.path()?;
        let found = self.leads_to()?;
        if found != decided {
            return Err(ToolError::PathChanged {
                decided: decided.to_owned(),
                found,
            });
        }
        Ok(decided)
    }

    fn leads_to(&self) -> Result<PathBuf, ToolError> {
        let workspace = self.workspace().to_str().ok_or(PermitError::NoPath)?;
        let lexical = lexical_path(self.spec.name, self.call.arguments(), workspace).ok_or(PermitError::NoPath)?;
        Ok(resolve(self.workspace(), &lexical)?.canonical().to_owned())
    }
}
