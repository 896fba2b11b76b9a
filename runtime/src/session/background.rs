//! Commands that an agent leaves running. Their outcome is entered when they really end: by themselves, stopped, or with
//! their agent.

use countersign_schemas::body::FinishOutcome;
use countersign_schemas::number::Millis;
use tokio::task::JoinHandle;

use super::act::{Acted, Ended, Ran, result, settle};
use super::agent::Agent;
use super::{Session, SessionError};
use crate::gate::Permit;
use crate::model::ToolCall;
use crate::recorder::RecordError;
use crate::tool::{BASH_START, Overflow, ToolOutput, start_job};

/// A command that goes on, and will be entered when it ends.
pub(super) type Running = JoinHandle<Result<(), RecordError>>;

/// The commands one agent has left running.
#[derive(Default)]
pub(super) struct Background(Vec<Running>);

impl Background {
    pub(super) fn extend(&mut self, running: Option<Running>) {
        self.0.extend(running);
    }
}

impl Session {
    /// Runs an allowed `bash_start`: the call returns at once, the action goes on.
    pub(super) async fn leave_running(
        &self,
        agent: &Agent,
        call: &ToolCall,
        permit: Permit,
        started: Millis,
    ) -> Result<Acted, SessionError> {
        let (decision, overflow) = (permit.decision(), Overflow::of(&permit));
        // It outlives the turn, not the run: only the run's interruption reaches it.
        let context = self.context(agent, started, &self.cancel);
        let (job, ended) = match start_job(permit, &context, &self.shell) {
            Ok(started) => started,
            Err(error) => {
                let ran = Ran::Ended(Ended {
                    decision,
                    started,
                    ended: self.recorder.now(),
                    overflow,
                    output: ToolOutput::from(error),
                    advice: None,
                    turn: None,
                });
                return self.finish_call(agent, call, ran).await;
            }
        };
        let (outcomes, redactor) = (self.outcomes.clone(), self.redactor.clone());
        let running = tokio::spawn(async move {
            let ended = ended.await;
            let output = settle(&redactor, BASH_START.name, overflow, ended).await;
            let lasted = Some((started, outcomes.now()));
            outcomes.enter(decision, lasted, &output)
        });
        let told = ToolOutput {
            content: format!("{job} runs; bash_read gives its output, bash_stop ends it"),
            outcome: FinishOutcome::Ok,
        };
        Ok(Acted::left(result(call, told), running))
    }

    /// Ends what `agent` left running and waits until that is on record.
    pub(super) async fn end_background(&self, agent: &mut Agent) -> Result<(), SessionError> {
        self.jobs.stop_all(agent.instance.seq()).await;
        for running in std::mem::take(&mut agent.background.0) {
            running
                .await
                .map_err(|_| SessionError::Bug("a command's watcher broke"))??;
        }
        Ok(())
    }
}
