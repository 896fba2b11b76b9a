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

#[cfg(test)]
mod tests {
    use std::error::Error;
    use std::io::Write;
    use std::process::Command;

    use countersign_schemas::number::Seq;
    use countersign_schemas::text::Name;
    use serde_json::json;

    use super::*;
    use crate::tool::test_support::{Bench, TestResult, permitted};
    use crate::worktree::Worktree;

    /// A workspace that is a repository with one file; none where there is no git.
    fn repository() -> Result<Option<Bench>, Box<dyn Error>> {
        let bench = Bench::new()?;
        bench.put("a", "one\n")?;
        let commands: [&[&str]; 3] = [&["init", "-q"], &["add", "-A"], &["commit", "-qm", "first"]];
        for arguments in commands {
            let mut git = Command::new("git");
            git.current_dir(&bench.root).env("GIT_CONFIG_GLOBAL", "/dev/null");
            git.args(["-c", "user.name=person", "-c", "user.email=p@h.example"]);
            let Ok(done) = git.args(arguments).output() else {
                writeln!(std::io::stderr(), "skipped: there is no git on this machine")?;
                return Ok(None);
            };
            if !done.status.success() {
                return Err(String::from_utf8_lossy(&done.stderr).into());
            }
        }
        Ok(Some(bench))
    }

    #[tokio::test]
    async fn branch_of_a_subagent_is_merged_once() -> TestResult {
        let Some(bench) = repository()? else { return Ok(()) };
        let call = permitted(&bench.root)?;
        let made = Worktree::create(&call, &bench.root, &Name::new("scout")?, Seq::clamped(41)).await?;
        let worktree = made.ok_or("no work tree")?;
        std::fs::write(worktree.path().join("a"), "two\n")?;
        let branch = worktree.branch().to_owned();
        worktree.finish("scout did:peer:4zQmScout").await?;
        let output = bench.call(&MERGE, json!({ "branch": branch })).await??;
        assert_eq!(output.outcome, FinishOutcome::Ok);
        assert!(
            output.content.ends_with("1 file, +1 −1 lines\n  changed a +1 −1"),
            "{}",
            output.content
        );
        assert_eq!(bench.content("a")?, "two\n");
        let again = bench.call(&MERGE, json!({ "branch": branch })).await?;
        assert!(
            matches!(again, Err(ToolError::Merge(MergeError::NoSuchBranch { .. }))),
            "{again:?}"
        );
        Ok(())
    }

    #[tokio::test]
    async fn name_that_is_none_of_a_work_tree_goes_nowhere() -> TestResult {
        let bench = Bench::new()?;
        for branch in [
            "main",
            "--help",
            "countersign/../main",
            "countersign/-x",
            "countersign/a b",
            "refs/heads/x",
        ] {
            let refused = bench.call(&MERGE, json!({ "branch": branch })).await?;
            assert!(
                matches!(refused, Err(ToolError::Merge(MergeError::Name(_)))),
                "{branch}: {refused:?}"
            );
        }
        let refused = bench.call(&MERGE, json!({ "branch": "countersign/41-scout" })).await?;
        assert!(
            matches!(refused, Err(ToolError::Merge(MergeError::NoRepository))),
            "{refused:?}"
        );
        Ok(())
    }

    #[tokio::test]
    async fn interrupted_run_merges_nothing() -> TestResult {
        let Some(bench) = repository()? else { return Ok(()) };
        bench.canceller.cancel();
        let ended = bench.call(&MERGE, json!({ "branch": "countersign/41-scout" })).await?;
        assert!(matches!(ended, Err(ToolError::Cancelled)), "{ended:?}");
        Ok(())
    }
}
