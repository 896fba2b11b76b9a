//! A repository in a temporary folder, with permitted calls to work in it.

use std::error::Error;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use countersign_schemas::number::{Millis, Seq};
use countersign_schemas::text::Name;
use tempfile::TempDir;

use super::{Outcome, Worktree, WorktreeError};
use crate::gate::{Permit, PermitTerms, PermittedCall};
use crate::tool::{Cancel, cancellation};

pub(super) type TestResult = Result<(), Box<dyn Error>>;

/// A repository with one commit: `a` and `b/c` hold a line each, `*.log` is ignored.
pub(super) struct Bench {
    guard: TempDir,
    pub(super) root: PathBuf,
}

impl Bench {
    /// None where there is no git; the reason is on standard error.
    pub(super) fn new() -> Result<Option<Self>, Box<dyn Error>> {
        Self::with(&["init", "--quiet", "--initial-branch=main"])
    }

    pub(super) fn with(init: &[&str]) -> Result<Option<Self>, Box<dyn Error>> {
        let Some(bench) = Self::empty(init)? else {
            return Ok(None);
        };
        bench.put("a", "one\n")?;
        bench.put("b/c", "two\n")?;
        bench.put(".gitignore", "*.log\n")?;
        bench.git(&["add", "-A"])?;
        bench.git(&["commit", "--quiet", "-m", "first"])?;
        Ok(Some(bench))
    }

    /// A repository without a commit.
    pub(super) fn empty(init: &[&str]) -> Result<Option<Self>, Box<dyn Error>> {
        let guard = TempDir::new()?;
        let root = guard.path().canonicalize()?.join("workspace");
        std::fs::create_dir(&root)?;
        let bench = Self { guard, root };
        if bench.command(&bench.root).arg("--version").output().is_err() {
            writeln!(std::io::stderr(), "skipped: there is no git on this machine")?;
            return Ok(None);
        }
        bench.git(init)?;
        Ok(Some(bench))
    }

    /// A folder beside the workspace.
    pub(super) fn beside(&self, name: &str) -> Result<PathBuf, Box<dyn Error>> {
        Ok(self.guard.path().canonicalize()?.join(name))
    }

    /// Git as a person would run it, without settings of this machine.
    pub(super) fn command(&self, folder: &Path) -> Command {
        let mut command = Command::new("git");
        command
            .current_dir(folder)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("HOME", self.guard.path())
            .args(["-c", "user.name=person", "-c", "user.email=p@h.example"]);
        command
    }

    pub(super) fn git(&self, arguments: &[&str]) -> Result<String, Box<dyn Error>> {
        self.git_in(&self.root, arguments)
    }

    pub(super) fn git_in(&self, folder: &Path, arguments: &[&str]) -> Result<String, Box<dyn Error>> {
        let done = self.command(folder).args(arguments).output()?;
        if !done.status.success() {
            return Err(format!("git {arguments:?}: {}", String::from_utf8_lossy(&done.stderr)).into());
        }
        Ok(String::from_utf8_lossy(&done.stdout).trim_end().to_owned())
    }

    pub(super) fn put(&self, path: &str, content: impl AsRef<[u8]>) -> std::io::Result<()> {
        put(&self.root, path, content)
    }

    pub(super) fn content(&self, path: &str) -> std::io::Result<String> {
        std::fs::read_to_string(self.root.join(path))
    }

    /// A call that was permitted in the workspace.
    pub(super) fn call(&self) -> Result<PermittedCall, Box<dyn Error>> {
        call_in(&self.root)
    }

    pub(super) async fn try_worktree(&self) -> Result<Result<Option<Worktree>, WorktreeError>, Box<dyn Error>> {
        let name = Name::new("scout")?;
        Ok(Worktree::create(&self.call()?, &self.root, &name, Seq::clamped(41)).await)
    }

    pub(super) async fn worktree(&self) -> Result<Worktree, Box<dyn Error>> {
        Ok(self.try_worktree().await??.ok_or("no work tree")?)
    }

    /// Makes a work tree, lets `work` change it, and hands it in.
    pub(super) async fn worked(&self, work: impl FnOnce(&Path) -> TestResult) -> Result<Outcome, Box<dyn Error>> {
        let worktree = self.worktree().await?;
        work(worktree.path())?;
        finished(worktree).await
    }
}

pub(super) async fn finished(worktree: Worktree) -> Result<Outcome, Box<dyn Error>> {
    Ok(worktree.finish("scout did:peer:4zQmScout").await?)
}

pub(super) fn call_in(workspace: &Path) -> Result<PermittedCall, Box<dyn Error>> {
    let terms = PermitTerms {
        decision: Seq::clamped(41),
        tool: Name::new("agent")?,
        arguments: b"{}".as_slice().into(),
        path: None,
        workspace: workspace.to_owned(),
        agent: Seq::clamped(4),
        expires: Millis::clamped(2_000),
    };
    Ok(Permit::for_test(terms).redeem("agent", Millis::clamped(1_000))?)
}

pub(super) fn put(root: &Path, path: &str, content: impl AsRef<[u8]>) -> std::io::Result<()> {
    let path = root.join(path);
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    std::fs::write(path, content)
}

/// An ear that hears nothing.
pub(super) fn quiet() -> Cancel {
    cancellation().1
}
