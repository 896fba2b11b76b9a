//! How a command ended, in words and as an outcome.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use countersign_schemas::body::FinishOutcome;

use super::ToolOutput;
use super::overflow::Outlet;
use super::shell::{End, Ended};
use super::spool::SharedSpool;

/// What is told of a command that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ending {
    pub(super) outcome: FinishOutcome,
    /// Lines in brackets, behind the output.
    lines: Vec<String>,
}

impl Ending {
    /// Of a command that had `time_limit`; `cancelled` is the word for what its cancellation means.
    pub(super) fn of(ended: Ended, time_limit: Duration, cancelled: &str) -> Self {
        let (outcome, line) = match ended.end {
            End::Exited(status) => exit(status),
            End::TimedOut => {
                let stopped = format!("stopped after {} s", time_limit.as_secs());
                (FinishOutcome::Timeout, Some(stopped))
            }
            End::Cancelled => (FinishOutcome::Aborted, Some(cancelled.to_owned())),
        };
        let held_open = "a process that left the command's group may still be running";
        let held_open = ended.is_held_open.then(|| held_open.to_owned());
        Self {
            outcome,
            lines: line.into_iter().chain(held_open).collect(),
        }
    }

    /// Of a command that could not be watched to its end, or was ended by something else than its group or its time.
    pub(super) fn told(outcome: FinishOutcome, line: &str) -> Self {
        Self {
            outcome,
            lines: vec![line.to_owned()],
        }
    }

    /// The lines, each in brackets.
    pub(super) fn shown(&self) -> String {
        let lines: Vec<_> = self.lines.iter().map(|line| format!("[{line}]")).collect();
        lines.join("\n")
    }

    /// The whole result: the output, which goes to `outlet` unless it is small, and these lines.
    pub(super) fn report(&self, output: SharedSpool, outlet: &Outlet) -> ToolOutput {
        let content = {
            let spool = output.lock();
            if spool.is_small() {
                Some(self.behind(&spool.whole_text()))
            } else {
                None
            }
        };
        let content = content.unwrap_or_else(|| {
            let is_line_open = !output.lock().ends_with_line_feed();
            let shown = self.shown();
            outlet.put(output);
            if is_line_open && !shown.is_empty() {
                format!("\n{shown}")
            } else {
                shown
            }
        });
        ToolOutput {
            content,
            outcome: self.outcome,
        }
    }

    fn behind(&self, output: &str) -> String {
        let output = match output.trim_end_matches('\n') {
            "" => "[no output]",
            output => output,
        };
        let shown = self.shown();
        if shown.is_empty() {
            output.to_owned()
        } else {
            format!("{output}\n{shown}")
        }
    }
}

fn exit(status: ExitStatus) -> (FinishOutcome, Option<String>) {
    match (status.code(), status.signal()) {
        (Some(0), _) => (FinishOutcome::Ok, None),
        (Some(code), _) => (FinishOutcome::Error, Some(format!("exit code {code}"))),
        (None, Some(signal)) => (FinishOutcome::Error, Some(format!("ended by signal {signal}"))),
        (None, None) => (FinishOutcome::Error, Some("ended without a status".to_owned())),
    }
}
