//! Commands that go on while their agent does something else.
//!
//! A job is a command of [`super::shell`], in a process group of its own, with a time limit and a bounded output. It
//! belongs to the agent that started it: no other can read or stop it, and it does not outlive it.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use countersign_schemas::body::FinishOutcome;
use countersign_schemas::number::Seq;
use futures_util::future::join_all;
use thiserror::Error;
use tokio::sync::watch;

use super::cancel::{Cancel, Canceller};
use super::command::CommandCall;
use super::ending::Ending;
use super::shell::{Bounds, Shell};
use super::spool::{SharedSpool, Writer};
use super::{BoxFuture, ToolOutput};

/// Most jobs of one agent that run at the same time.
const RUNNING_MAX: usize = 8;

/// Most ended jobs of one agent whose output is still kept; then the oldest is forgotten.
const ENDED_MAX: usize = 8;

/// Time for one job.
const TIME_LIMIT: Duration = Duration::from_secs(30 * 60);

/// Name of a job, `job-1`, `job-2` and so on; never used twice in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(u64);

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "job-{}", self.0)
    }
}

impl FromStr for JobId {
    type Err = JobError;

    fn from_str(text: &str) -> Result<Self, JobError> {
        let number = text.strip_prefix("job-").and_then(|number| number.parse().ok());
        let id = number.map(Self).filter(|id| id.to_string() == text);
        id.ok_or_else(|| JobError::Unknown { job: text.to_owned() })
    }
}

/// The jobs of one run. Dropping it interrupts them all.
#[derive(Default)]
pub struct Jobs(Mutex<Table>);

#[derive(Default)]
struct Table {
    last: u64,
    jobs: BTreeMap<JobId, Job>,
}

/// One job: a handle on a task that runs the command.
struct Job {
    agent: Seq,
    output: SharedSpool,
    /// How much of the output its agent has seen.
    seen: u64,
    ending: watch::Receiver<Option<Ending>>,
    hand: Canceller,
}

/// A job that was started.
pub(super) struct StartedJob {
    pub(super) id: JobId,
    /// Gives the whole result when the command has ended, whatever ended it.
    pub(super) ended: BoxFuture<'static, ToolOutput>,
}

/// What a job has written since it was last read.
pub(super) struct News {
    pub(super) text: String,
    /// Bytes before the text that are kept no longer.
    pub(super) skipped: u64,
    /// Bytes behind the text that are there already.
    pub(super) unread: u64,
    /// How it ended, unless it runs.
    pub(super) ending: Option<Ending>,
}

impl Jobs {
    /// Starts the command of `call` for its requester. `cancel` stops it, and so does the time limit of 30 minutes.
    ///
    /// # Errors
    /// [`JobError::TooMany`]; nothing was started.
    pub(super) fn start(&self, call: CommandCall, shell: Shell, cancel: &Cancel) -> Result<StartedJob, JobError> {
        self.start_for(call, shell, cancel, TIME_LIMIT)
    }

    fn start_for(
        &self,
        call: CommandCall,
        shell: Shell,
        cancel: &Cancel,
        time_limit: Duration,
    ) -> Result<StartedJob, JobError> {
        let agent = call.agent();
        let mut table = self.lock();
        table.make_room(agent)?;
        table.last += 1;
        let id = JobId(table.last);
        let (hand, own_cancel) = cancel.child();
        let (sender, ending) = watch::channel(None);
        let (output, outlet) = (call.spool(), call.outlet().clone());
        let job = Job {
            agent,
            output: output.clone(),
            seen: 0,
            ending: ending.clone(),
            hand,
        };
        table.jobs.insert(id, job);
        let run = Run {
            call,
            shell,
            output: output.clone(),
            time_limit,
            cancel: own_cancel,
            outer: cancel.clone(),
        };
        tokio::spawn(async move { sender.send_replace(Some(run.finish().await)) });
        let ended = Box::pin(async move { wait_for(ending).await.report(output, &outlet) });
        Ok(StartedJob { id, ended })
    }

    /// What a job of `agent` has written since it was last read, at most `len_max` bytes.
    ///
    /// # Errors
    /// [`JobError::Unknown`], also for a job of another agent.
    pub(super) fn read(&self, agent: Seq, id: JobId, len_max: usize) -> Result<News, JobError> {
        let mut table = self.lock();
        let job = table.job_of(agent, id)?;
        // In this order: what it wrote before it ended is there when its end is.
        let ending = job.ending();
        let output = job.output.lock();
        let writer = if ending.is_some() {
            Writer::Gone
        } else {
            Writer::Writing
        };
        let next = output.next_text(job.seen, len_max, writer);
        job.seen = next.next;
        Ok(News {
            text: next.text,
            skipped: next.skipped,
            unread: output.total() - next.next,
            ending,
        })
    }

    /// Stops a job of `agent` with every process of its group, and waits until that is done.
    ///
    /// # Errors
    /// [`JobError::Unknown`], also for a job of another agent.
    pub(super) async fn stop(&self, agent: Seq, id: JobId) -> Result<(), JobError> {
        let ending = {
            let mut table = self.lock();
            let job = table.job_of(agent, id)?;
            job.hand.cancel();
            job.ending.clone()
        };
        wait_for(ending).await;
        Ok(())
    }

    /// Stops every job of an agent that ends, waits until that is done, and forgets them.
    pub async fn stop_all(&self, agent: Seq) {
        let endings: Vec<_> = {
            let table = self.lock();
            let jobs = table.jobs.values().filter(|job| job.agent == agent);
            jobs.map(|job| {
                job.hand.cancel();
                job.ending.clone()
            })
            .collect()
        };
        join_all(endings.into_iter().map(wait_for)).await;
        self.lock().jobs.retain(|_, job| job.agent != agent);
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Jobs {
    fn drop(&mut self) {
        for job in self.lock().jobs.values() {
            job.hand.cancel();
        }
    }
}

impl Table {
    /// Refuses one job too many, and forgets the oldest of those that have ended.
    fn make_room(&mut self, agent: Seq) -> Result<(), JobError> {
        let own = self.jobs.iter().filter(|(_, job)| job.agent == agent);
        let (ended, running): (Vec<_>, Vec<_>) = own.partition(|(_, job)| job.ending().is_some());
        if running.len() >= RUNNING_MAX {
            return Err(JobError::TooMany);
        }
        let surplus = ended.len().saturating_sub(ENDED_MAX);
        let oldest: Vec<JobId> = ended.iter().take(surplus).map(|(id, _)| **id).collect();
        for id in oldest {
            self.jobs.remove(&id);
        }
        Ok(())
    }

    fn job_of(&mut self, agent: Seq, id: JobId) -> Result<&mut Job, JobError> {
        let job = self.jobs.get_mut(&id).filter(|job| job.agent == agent);
        job.ok_or_else(|| JobError::Unknown { job: id.to_string() })
    }
}

impl Job {
    fn ending(&self) -> Option<Ending> {
        match &*self.ending.borrow() {
            Some(ending) => Some(ending.clone()),
            None if self.ending.has_changed().is_err() => Some(lost()),
            None => None,
        }
    }
}

/// All that the task of a job needs.
struct Run {
    call: CommandCall,
    shell: Shell,
    output: SharedSpool,
    time_limit: Duration,
    cancel: Cancel,
    /// Raised when more than this job is interrupted.
    outer: Cancel,
}

impl Run {
    async fn finish(self) -> Ending {
        let bounds = Bounds {
            time_limit: self.time_limit,
            cancel: &self.cancel,
        };
        let output = self.output;
        let ended = self
            .shell
            .run(&self.call, bounds, &mut |bytes| output.lock().push(bytes))
            .await;
        match ended {
            Ok(ended) => {
                let cancelled = if self.outer.is_raised() {
                    "interrupted"
                } else {
                    "stopped"
                };
                Ending::of(ended, self.time_limit, cancelled)
            }
            Err(error) => Ending::told(
                FinishOutcome::Error,
                &format!("cannot run {}: {error}", self.shell.program().display()),
            ),
        }
    }
}

async fn wait_for(mut ending: watch::Receiver<Option<Ending>>) -> Ending {
    let ended = ending.wait_for(Option::is_some).await;
    ended.ok().and_then(|ending| ending.clone()).unwrap_or_else(lost)
}

/// The task broke off. Its process group died with it.
fn lost() -> Ending {
    Ending::told(FinishOutcome::Error, "ended by a fault of countersign")
}

/// Why there is no such job.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum JobError {
    /// Never started, started by another agent, or ended so long ago that it was forgotten.
    #[error("you have no job {job:?}")]
    Unknown {
        /// The name that was given, as long as an id may be.
        job: String,
    },
    /// Eight are running.
    #[error("{RUNNING_MAX} of your jobs are running already; stop one first")]
    TooMany,
}

#[cfg(test)]
#[path = "jobs_tests.rs"]
mod tests;
