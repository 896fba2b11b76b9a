//! `bash`: one shell command in the workspace.

use std::time::Duration;

use super::builtin::BASH;
use super::command::CommandCall;
use super::ending::Ending;
use super::error::ToolError;
use super::shell::{Bounds, Shell};
use super::spec::ToolSpec;
use super::{BoxFuture, RunContext, Tool, ToolOutput};
use crate::gate::Permit;

/// Time for one command.
pub(super) const TIME_LIMIT: Duration = Duration::from_secs(120);

/// Runs commands in a shell.
pub(super) struct Bash {
    pub(super) shell: Shell,
    pub(super) time_limit: Duration,
}

impl Tool for Bash {
    fn spec(&self) -> &'static ToolSpec {
        &BASH
    }

    fn run(&self, permit: Permit, context: RunContext) -> BoxFuture<'_, Result<ToolOutput, ToolError>> {
        Box::pin(self.run_permitted(permit, context))
    }
}

impl Bash {
    async fn run_permitted(&self, permit: Permit, context: RunContext) -> Result<ToolOutput, ToolError> {
        let call = CommandCall::new(&BASH, permit, &context)?;
        let bounds = Bounds {
            time_limit: self.time_limit,
            cancel: &context.cancel,
        };
        let output = call.spool();
        let ended = self
            .shell
            .run(&call, bounds, &mut |bytes| output.lock().push(bytes))
            .await;
        let ended = ended.map_err(|source| ToolError::Shell {
            program: self.shell.program().to_owned(),
            source,
        })?;
        Ok(Ending::of(ended, self.time_limit, "interrupted").report(output, call.outlet()))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use countersign_schemas::body::FinishOutcome;

    use super::*;
    use crate::tool::test_support::{Bench, LEAD, TestResult, appears};
    use serde_json::json;

    async fn run(bench: &Bench, command: &str) -> Result<ToolOutput, Box<dyn std::error::Error>> {
        Ok(bench.bash(command).await??)
    }

    /// A shell whose commands get `millis` milliseconds.
    async fn run_for(bench: &Bench, millis: u64, command: &str) -> Result<ToolOutput, Box<dyn std::error::Error>> {
        let bash = Bash {
            shell: Shell::find(std::env::vars_os())?,
            time_limit: Duration::from_millis(millis),
        };
        let permit = bench.permit(LEAD, &BASH, &json!({ "command": command }))?;
        Ok(bash.run(permit, bench.context()).await?)
    }

    #[tokio::test]
    async fn command_runs_in_the_workspace_and_gives_both_outputs() -> TestResult {
        let bench = Bench::new()?;
        let output = run(&bench, "pwd; echo oops >&2").await?;
        assert_eq!(output.outcome, FinishOutcome::Ok);
        assert!(
            output.content.contains(&bench.root.display().to_string()),
            "{}",
            output.content
        );
        assert!(output.content.contains("oops"), "{}", output.content);
        assert_eq!(run(&bench, "true").await?.content, "[no output]");
        Ok(())
    }

    #[tokio::test]
    async fn failure_carries_output_and_code() -> TestResult {
        let bench = Bench::new()?;
        let output = run(&bench, "echo before; exit 3").await?;
        assert_eq!(
            output,
            ToolOutput {
                content: "before\n[exit code 3]".to_owned(),
                outcome: FinishOutcome::Error
            }
        );
        let output = run(&bench, "kill -TERM $$").await?;
        assert_eq!(
            (output.content.as_str(), output.outcome),
            ("[no output]\n[ended by signal 15]", FinishOutcome::Error)
        );
        let output = run(&bench, "no-such-program-here").await?;
        assert!(output.content.ends_with("[exit code 127]"), "{}", output.content);
        Ok(())
    }

    #[tokio::test]
    async fn command_that_begins_with_a_dash_is_no_option() -> TestResult {
        let bench = Bench::new()?;
        let output = run(&bench, "-x").await?;
        assert!(output.content.ends_with("[exit code 127]"), "{}", output.content);
        Ok(())
    }

    #[tokio::test]
    async fn environment_holds_listed_variables_only() -> TestResult {
        let bench = Bench::new()?;
        let variables = [
            ("PATH", "/usr/bin:/bin"),
            ("API_KEY", "secret"),
            ("BASH_ENV", "/x"),
            ("LD_PRELOAD", "/x"),
        ];
        let shell = Shell::find(variables.map(|(name, value)| (name.into(), value.into())))?;
        let bash = Bash {
            shell,
            time_limit: TIME_LIMIT,
        };
        let permit = bench.permit(LEAD, &BASH, &json!({"command": "env"}))?;
        let output = bash.run(permit, bench.context()).await?;
        // The shell itself adds PWD, SHLVL and _.
        let names: Vec<_> = output
            .content
            .lines()
            .filter_map(|line| line.split('=').next())
            .collect();
        assert!(
            names
                .iter()
                .all(|name| ["PATH", "PWD", "SHLVL", "_", "OLDPWD"].contains(name)),
            "{names:?}"
        );
        assert!(names.contains(&"PATH"));
        Ok(())
    }

    #[tokio::test]
    async fn standard_input_is_empty() -> TestResult {
        let bench = Bench::new()?;
        assert_eq!(run(&bench, "cat; echo done").await?.content, "done");
        Ok(())
    }

    #[tokio::test]
    async fn timeout_kills_grandchildren_and_keeps_the_output() -> TestResult {
        let bench = Bench::new()?;
        let begin = Instant::now();
        let output = run_for(
            &bench,
            1_000,
            "echo begun; (sh -c 'sleep 2.5; touch survived') & sleep 60",
        )
        .await?;
        assert_eq!(output.outcome, FinishOutcome::Timeout);
        assert!(
            output.content.starts_with("begun\n[stopped after"),
            "{}",
            output.content
        );
        assert!(begin.elapsed() < Duration::from_secs(10));
        assert!(!appears(&bench.root.join("survived")));
        Ok(())
    }

    #[tokio::test]
    async fn command_is_asked_to_end_before_it_is_killed() -> TestResult {
        let bench = Bench::new()?;
        let output = run_for(
            &bench,
            700,
            "exec 2>/dev/null; trap 'echo tidied; exit 7' TERM; echo begun; while :; do sleep 0.1; done",
        )
        .await?;
        assert_eq!(output.outcome, FinishOutcome::Timeout);
        assert!(
            output.content.starts_with("begun\ntidied\n[stopped after"),
            "{}",
            output.content
        );
        Ok(())
    }

    #[tokio::test]
    async fn children_that_ignore_the_request_are_killed_after_the_grace() -> TestResult {
        let bench = Bench::new()?;
        let begin = Instant::now();
        // The leader goes at once; a child and its child ignore the request and keep the output open.
        let stubborn = "(trap '' TERM; (trap '' TERM; sleep 4.5; touch survived) & sleep 4.5; touch survived) & echo begun; sleep 60";
        let output = run_for(&bench, 500, stubborn).await?;
        assert_eq!(output.outcome, FinishOutcome::Timeout);
        assert_eq!(
            output.content, "begun\n[stopped after 0 s]",
            "nothing holds the output open"
        );
        assert!(begin.elapsed() > Duration::from_secs(2) && begin.elapsed() < Duration::from_secs(10));
        assert!(!appears(&bench.root.join("survived")));
        Ok(())
    }

    #[tokio::test]
    async fn cancelled_flood_ends_in_time() -> TestResult {
        let bench = Bench::new()?;
        let canceller = bench.canceller.clone();
        let interrupt = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            canceller.cancel();
        };
        let begin = Instant::now();
        let (output, ()) = tokio::join!(run(&bench, "trap '' TERM; yes"), interrupt);
        assert_eq!(output?.outcome, FinishOutcome::Aborted);
        assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
        Ok(())
    }

    #[tokio::test]
    async fn command_that_was_interrupted_before_it_began_does_not_begin() -> TestResult {
        let bench = Bench::new()?;
        bench.canceller.cancel();
        assert_eq!(run(&bench, "touch begun").await?.outcome, FinishOutcome::Aborted);
        assert!(!bench.root.join("begun").exists());
        Ok(())
    }

    #[tokio::test]
    async fn background_process_ends_with_its_command() -> TestResult {
        let bench = Bench::new()?;
        let output = run(&bench, "(sleep 1.8; touch survived) & echo started").await?;
        assert_eq!(
            (output.content.as_str(), output.outcome),
            ("started", FinishOutcome::Ok)
        );
        assert!(!appears(&bench.root.join("survived")));
        Ok(())
    }

    #[tokio::test]
    async fn process_outside_the_group_cannot_hold_the_call() -> TestResult {
        let bench = Bench::new()?;
        let begin = Instant::now();
        // The pause lets setsid leave the group before the group is killed.
        let output = run(&bench, "setsid sleep 8 & sleep 0.5; echo started").await?;
        assert_eq!(
            output.content,
            "started\n[a process that left the command's group may still be running]"
        );
        assert!(begin.elapsed() < Duration::from_secs(7));
        Ok(())
    }

    #[tokio::test]
    async fn interruption_kills_the_group() -> TestResult {
        let bench = Bench::new()?;
        let canceller = bench.canceller.clone();
        let interrupt = async {
            tokio::time::sleep(Duration::from_millis(700)).await;
            canceller.cancel();
        };
        let (output, ()) = tokio::join!(
            run(&bench, "(sleep 2.5; touch survived) & echo begun; sleep 60"),
            interrupt
        );
        let output = output?;
        assert_eq!(
            (output.content.as_str(), output.outcome),
            ("begun\n[interrupted]", FinishOutcome::Aborted)
        );
        assert!(!appears(&bench.root.join("survived")));
        Ok(())
    }

    #[tokio::test]
    async fn dropped_call_kills_the_group() -> TestResult {
        let bench = Bench::new()?;
        let call = run(&bench, "(sleep 1.8; touch survived) & sleep 60");
        assert!(tokio::time::timeout(Duration::from_millis(300), call).await.is_err());
        assert!(!appears(&bench.root.join("survived")));
        Ok(())
    }

    #[tokio::test]
    async fn long_output_is_kept_whole_and_shown_in_part() -> TestResult {
        let bench = Bench::new()?;
        let command = "echo first; yes middle | head -n 100000; echo last; exit 3";
        let settled = bench.settled(&BASH, json!({ "command": command })).await?;
        assert!(
            settled.content.len() <= BASH.result_limit_bytes,
            "{}",
            settled.content.len()
        );
        assert!(settled.content.starts_with("first\nmiddle\n"));
        assert!(settled.content.contains("\nlast\n[exit code 3]\n[the whole result, "));
        let spilled = settled.spilled.ok_or("it is kept")?;
        let whole = format!("first\n{}last\n[exit code 3]", "middle\n".repeat(100_000));
        assert!(bench.content(&spilled.path)? == whole);
        assert_eq!((spilled.len_bytes, spilled.lines), (whole.len() as u64, 100_003));
        Ok(())
    }

    #[tokio::test]
    async fn endless_output_keeps_both_ends_within_sixteen_mebibytes() -> TestResult {
        let bench = Bench::new()?;
        let command = "echo first; head -c 40000000 /dev/zero | tr '\\0' x; echo; printf last";
        let settled = bench.settled(&BASH, json!({ "command": command })).await?;
        assert!(settled.content.starts_with("first\nxxx"));
        let spilled = settled.spilled.ok_or("it is kept")?;
        let kept = bench.content(&spilled.path)?;
        assert!(
            kept.len() < (16 << 20) + 100 && kept.ends_with("xxx\nlast"),
            "{}",
            kept.len()
        );
        assert!(kept.contains("bytes of output were not kept here"));
        assert_eq!(run_for(&bench, 500, "yes").await?.outcome, FinishOutcome::Timeout);
        Ok(())
    }

    #[tokio::test]
    async fn output_that_is_no_text_is_replaced() -> TestResult {
        let bench = Bench::new()?;
        assert_eq!(run(&bench, "printf 'a\\377b'").await?.content, "a\u{fffd}b");
        let command = "head -c 1000000 /dev/zero | tr '\\0' '\\377'";
        let settled = bench.settled(&BASH, json!({ "command": command })).await?;
        assert!(
            settled.content.len() <= BASH.result_limit_bytes,
            "{}",
            settled.content.len()
        );
        assert_eq!(settled.spilled.ok_or("it is kept")?.len_bytes, 3_000_000);
        Ok(())
    }

    #[tokio::test]
    async fn swapped_workspace_and_zero_bytes_are_refused() -> TestResult {
        let bench = Bench::new()?;
        let refused = bench.bash("echo a\0b").await?;
        assert!(matches!(refused, Err(ToolError::Shell { .. })), "{refused:?}");
        let permit = bench.permit(LEAD, &BASH, &json!({"command": "pwd"}))?;
        std::fs::rename(&bench.root, bench.outside())?;
        std::os::unix::fs::symlink("/etc", &bench.root)?;
        assert!(matches!(
            bench.run("bash", permit).await,
            Err(ToolError::PathChanged { .. })
        ));
        Ok(())
    }
}
