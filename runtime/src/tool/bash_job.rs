//! `bash_read` and `bash_stop`: what a job of the agent has written, and its end.

use countersign_schemas::body::FinishOutcome;
use countersign_schemas::number::Seq;

use super::builtin::{BASH_READ, BASH_STOP};
use super::error::ToolError;
use super::jobs::{JobId, Jobs, News};
use super::spec::ToolSpec;
use super::{BoxFuture, RunContext, Tool, ToolOutput};
use crate::gate::Permit;

/// Room for the lines that say how the job stands.
const NOTICES_LEN_BYTES: usize = 1024;

/// A byte that is no text takes three when it is shown.
const SHOWN_LEN_FACTOR: usize = 3;

/// Reads a job.
pub(super) struct BashRead;

/// Stops a job, and reads what it wrote last.
pub(super) struct BashStop;

impl Tool for BashRead {
    fn spec(&self) -> &'static ToolSpec {
        &BASH_READ
    }

    fn run(&self, permit: Permit, context: RunContext) -> BoxFuture<'_, Result<ToolOutput, ToolError>> {
        Box::pin(async move {
            let (agent, job) = job(&BASH_READ, permit, &context)?;
            read(&BASH_READ, &context.jobs, agent, job)
        })
    }
}

impl Tool for BashStop {
    fn spec(&self) -> &'static ToolSpec {
        &BASH_STOP
    }

    fn run(&self, permit: Permit, context: RunContext) -> BoxFuture<'_, Result<ToolOutput, ToolError>> {
        Box::pin(async move {
            let (agent, job) = job(&BASH_STOP, permit, &context)?;
            context.jobs.stop(agent, job).await?;
            read(&BASH_STOP, &context.jobs, agent, job)
        })
    }
}

fn job(spec: &ToolSpec, permit: Permit, context: &RunContext) -> Result<(Seq, JobId), ToolError> {
    let call = permit.redeem(spec.name, context.started)?;
    let job = spec.parse(call.arguments())?.text("job")?.parse()?;
    Ok((call.agent(), job))
}

fn read(spec: &ToolSpec, jobs: &Jobs, agent: Seq, job: JobId) -> Result<ToolOutput, ToolError> {
    let len_max = (spec.result_limit_bytes - NOTICES_LEN_BYTES) / SHOWN_LEN_FACTOR;
    let news = jobs.read(agent, job, len_max)?;
    Ok(ToolOutput {
        content: shown(job, news),
        outcome: FinishOutcome::Ok,
    })
}

fn shown(job: JobId, news: News) -> String {
    let mut lines = Vec::new();
    if news.skipped > 0 {
        lines.push(format!("[{} bytes of output were not kept here]", news.skipped));
    }
    lines.push(match news.text.trim_end_matches('\n') {
        "" => "[no new output]".to_owned(),
        text => text.to_owned(),
    });
    if news.unread > 0 {
        lines.push(format!("[{} bytes more: read again]", news.unread));
    }
    lines.push(match &news.ending {
        None => format!("[{job} is running]"),
        Some(ending) => format!("[{job} has ended]\n{}", ending.shown()),
    });
    lines.join("\n").trim_end().to_owned()
}

#[cfg(test)]
#[path = "bash_job_tests.rs"]
mod tests;
