//! A workspace with permits made to order, for the tests of the tools.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use countersign_schemas::body::FinishOutcome;
use countersign_schemas::number::{Millis, Seq};
use countersign_schemas::text::Name;
use countersign_verifier::projection::lexical_path;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::arguments::Arguments;
use super::cancel::{Cancel, Canceller, cancellation};
use super::jobs::Jobs;
use super::overflow::{Overflow, Redaction, Settled};
use super::path::resolve;
use super::person::Nobody;
use super::read_log::ReadLog;
use super::shell::Shell;
use super::spec::ToolSpec;
use super::{RunContext, ToolError, ToolOutput, Toolbox};
use crate::gate::{Permit, PermitTerms, PermittedCall};

pub(super) type TestResult = Result<(), Box<dyn Error>>;

pub(super) const LEAD: u64 = 4;
pub(super) const SCOUT: u64 = 9;

/// A temporary workspace in which calls are decided and run as the gate would.
pub(super) struct Bench {
    _guard: TempDir,
    pub(super) root: PathBuf,
    pub(super) tools: Toolbox,
    reads: Arc<ReadLog>,
    pub(super) jobs: Arc<Jobs>,
    pub(super) canceller: Canceller,
    cancel: Cancel,
    agent: Name,
}

impl Bench {
    pub(super) fn new() -> io::Result<Self> {
        let guard = TempDir::new()?;
        let root = guard.path().canonicalize()?.join("workspace");
        std::fs::create_dir(&root)?;
        let (canceller, cancel) = cancellation();
        let tools = Toolbox::new(Shell::find(std::env::vars_os())?);
        Ok(Self {
            _guard: guard,
            root,
            tools,
            reads: Arc::default(),
            jobs: Arc::default(),
            canceller,
            cancel,
            agent: Name::new("lead").map_err(io::Error::other)?,
        })
    }

    /// A folder beside the workspace.
    pub(super) fn outside(&self) -> PathBuf {
        self.root.with_file_name("outside")
    }

    pub(super) fn put(&self, path: &str, content: impl AsRef<[u8]>) -> io::Result<()> {
        let path = self.root.join(path);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(path, content)
    }

    pub(super) fn content(&self, path: &str) -> io::Result<String> {
        std::fs::read_to_string(self.root.join(path))
    }

    pub(super) fn context(&self) -> RunContext {
        RunContext {
            started: Millis::clamped(1_000),
            cancel: self.cancel.clone(),
            reads: Arc::clone(&self.reads),
            jobs: Arc::clone(&self.jobs),
            person: Arc::new(Nobody),
            agent: self.agent.clone(),
        }
    }

    /// Decides a call now, as it would be recorded.
    pub(super) fn permit(&self, agent: u64, spec: &ToolSpec, arguments: &Value) -> Result<Permit, Box<dyn Error>> {
        let object = arguments.as_object().ok_or("arguments are an object")?;
        let arguments = Arguments::from_object(object.clone())?;
        let lexical = lexical_path(spec.name, arguments.as_bytes(), &self.root.to_string_lossy());
        let path = lexical.map(|lexical| resolve(&self.root, &lexical)).transpose()?;
        self.permit_for(
            agent,
            spec,
            arguments.as_bytes(),
            path.map(|path| path.canonical().to_owned()),
        )
    }

    pub(super) fn permit_for(
        &self,
        agent: u64,
        spec: &ToolSpec,
        arguments: &[u8],
        path: Option<PathBuf>,
    ) -> Result<Permit, Box<dyn Error>> {
        Ok(Permit::for_test(PermitTerms {
            decision: Seq::clamped(41),
            tool: Name::new(spec.name)?,
            arguments: arguments.into(),
            path,
            workspace: self.root.clone(),
            agent: Seq::clamped(agent),
            expires: Millis::clamped(2_000),
        }))
    }

    /// A permit of the lead for a command that does nothing.
    pub(super) fn any_permit(&self) -> Result<Permit, Box<dyn Error>> {
        self.permit(LEAD, &super::BASH, &json!({"command": "true"}))
    }

    /// Decides and runs a call of the lead, and settles its result as the session does, without secrets to take out.
    pub(super) async fn settled(&self, spec: &ToolSpec, arguments: Value) -> Result<Settled, Box<dyn Error>> {
        let permit = self.permit(LEAD, spec, &arguments)?;
        let overflow = Overflow::of(&permit);
        let output = self.run(spec.name, permit).await.unwrap_or_else(ToolOutput::from);
        Ok(overflow.settle(output.content, spec.result_limit_bytes, Plain).await)
    }

    pub(super) async fn run(&self, tool: &str, permit: Permit) -> Result<ToolOutput, ToolError> {
        match self.tools.find(tool) {
            Some(tool) => tool.run(permit, self.context()).await,
            None => Ok(ToolOutput {
                content: format!("no tool {tool}"),
                outcome: FinishOutcome::Error,
            }),
        }
    }

    /// Decides and runs a call of `agent`.
    pub(super) async fn call_as(&self, agent: u64, spec: &ToolSpec, arguments: Value) -> Called {
        let permit = self.permit(agent, spec, &arguments)?;
        Ok(self.run(spec.name, permit).await)
    }

    /// Decides and runs a call of the lead.
    pub(super) async fn call(&self, spec: &ToolSpec, arguments: Value) -> Called {
        self.call_as(LEAD, spec, arguments).await
    }

    pub(super) async fn bash(&self, command: &str) -> Called {
        self.call(&super::BASH, json!({ "command": command })).await
    }
}

/// Takes nothing out.
pub(super) struct Plain;

impl Redaction for Plain {
    fn push(&mut self, text: &str) -> String {
        text.to_owned()
    }

    fn finish(self) -> String {
        String::new()
    }
}

/// A call that was decided, and what became of it.
pub(super) type Called = Result<Result<ToolOutput, ToolError>, Box<dyn Error>>;

/// A call that was decided about `path`, for the tests of single primitives.
pub(super) fn permitted(path: impl Into<PathBuf>) -> Result<PermittedCall, Box<dyn Error>> {
    let path = path.into();
    let terms = PermitTerms {
        decision: Seq::clamped(41),
        tool: Name::new("read")?,
        arguments: b"{}".as_slice().into(),
        workspace: path.clone(),
        path: Some(path),
        agent: Seq::clamped(LEAD),
        expires: Millis::clamped(2_000),
    };
    Ok(Permit::for_test(terms).redeem("read", Millis::clamped(1_000))?)
}

/// Whether a file appears within two seconds.
pub(super) fn appears(path: &Path) -> bool {
    (0..100).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(20));
        path.exists()
    })
}
