//! One caller: an agent that asks, is allowed, and acts, and waits for each of its entries to be durable.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use countersign_identity::jcs;
use countersign_schemas::body::{
    ActionFinished, AnswerOutcome, FinishOutcome, ModelAnswered, ModelCalled, Outcome, Spend,
};
use countersign_schemas::digest::Digest;
use countersign_schemas::number::{Count, Seq};
use countersign_schemas::text::Name;
use serde_json::{Map, Value, json};

use super::super::arguments::BenchWork;
use super::crew::{Agent, BenchError, Crew, TOOL};
use super::laps::Laps;
use crate::gate::Proposal;
use crate::model::no_tokens;
use crate::recorder::{Entered, Payload};
use crate::tool::{Arguments, BUILTIN, Cancel};

/// Actions that one answer of the agent's model proposes (rule D10: no action without one).
const CALLS_AN_ANSWER: usize = 32;
/// The file that is asked for. It need not be there: what is measured is the way to the permission.
const PATH: &str = "notes.txt";
/// What an action gives back.
const RESULT: &str = "ok";

/// How much may still be done.
pub(super) struct Task {
    /// Entries left to begin with; callers take them in turns.
    left: AtomicU64,
    cancel: Cancel,
}

impl Task {
    /// `entries` entries, unless `cancel` is raised before.
    pub(super) fn of(entries: u64, cancel: Cancel) -> Self {
        Self {
            left: AtomicU64::new(entries),
            cancel,
        }
    }

    /// Whether nothing is left to do.
    pub(super) fn is_done(&self) -> bool {
        self.left.load(Ordering::Relaxed) == 0 || self.cancel.is_raised()
    }

    fn take(&self, entries: u64) -> bool {
        let take = |left: u64| (left > 0).then(|| left.saturating_sub(entries));
        !self.cancel.is_raised()
            && self
                .left
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
                .is_ok()
    }
}

/// A caller between two actions.
pub(super) struct Worker {
    crew: Arc<Crew>,
    agent: Agent,
    work: BenchWork,
    /// What the model last proposed, and how often that may still be done.
    proposed: Option<(Proposal, usize)>,
    laps: Laps,
}

impl Worker {
    /// A caller that acts as `agent`.
    pub(super) fn new(crew: Arc<Crew>, agent: Agent, work: BenchWork) -> Self {
        Self {
            crew,
            agent,
            work,
            proposed: None,
            laps: Laps::default(),
        }
    }

    /// How long its entries took.
    pub(super) fn laps(&self) -> &Laps {
        &self.laps
    }

    /// The agent, once nothing more is to be done.
    pub(super) fn into_agent(self) -> Agent {
        self.agent
    }

    /// Acts until `until`, or until the task is done.
    pub(super) async fn work(&mut self, task: &Task, until: Instant) -> Result<(), BenchError> {
        while Instant::now() < until {
            match self.proposed.take() {
                Some((proposal, left)) if left > 0 => {
                    if !task.take(3) {
                        self.proposed = Some((proposal, left));
                        break;
                    }
                    self.act(&proposal).await?;
                    self.proposed = Some((proposal, left - 1));
                }
                _ if !task.take(2) => break,
                _ => self.ask_model().await?,
            }
        }
        Ok(())
    }

    /// Request, decision and outcome, as the gate and the executor enter them.
    async fn act(&mut self, proposal: &Proposal) -> Result<(), BenchError> {
        let begun = Instant::now();
        let (request, _) = self.crew.gate.enter_request(&self.agent.instance, proposal)?;
        let request = self.lap(begun, request).await?;

        let begun = Instant::now();
        let decided = self.crew.gate.decide_on(request, proposal).await?;
        self.laps.add(begun.elapsed());
        if decided.outcome() != Outcome::Allow {
            return Err(BenchError::Bug("an action that layer 0 permits was not allowed"));
        }

        let begun = Instant::now();
        let result = Payload::content(RESULT)?;
        let finished = ActionFinished {
            decision: decided.seq,
            outcome: FinishOutcome::Ok,
            result: Some(result.reference()),
            started: Some(self.crew.recorder.now()),
            duration: Some(Count::ZERO),
            sandbox: Count::ZERO,
        };
        let finished = self.crew.recorder.enter_own(finished.into(), vec![result])?;
        self.lap(begun, finished).await?;
        Ok(())
    }

    /// The agent's model is asked, and proposes the next actions if there are to be any: two entries.
    async fn ask_model(&mut self) -> Result<(), BenchError> {
        let begun = Instant::now();
        let request = Payload::content("bench")?;
        let none = Digest::sha256(b"");
        let called = ModelCalled {
            provider: Name::new("bench")?,
            model: Name::new("bench")?,
            request: request.reference(),
            reserve: Spend {
                calls: Count::clamped(1),
                tokens_in: Count::ZERO,
                tokens_out: Count::ZERO,
                cost_micro_usd: Count::ZERO,
            },
            system_prompt: none,
            toolset: none,
            price_table: none,
        };
        let called = self
            .crew
            .recorder
            .enter(&self.agent.instance, called.into(), vec![request])?;
        let call = self.lap(begun, called).await?;

        let begun = Instant::now();
        let calls = match self.work {
            BenchWork::Statements => 0,
            BenchWork::Actions => CALLS_AN_ANSWER,
        };
        let response = Payload::content(answer(calls)?)?;
        let answered = ModelAnswered {
            call,
            outcome: AnswerOutcome::Ok,
            response: Some(response.reference()),
            tokens: no_tokens(),
            cost: Count::ZERO,
        };
        let answered = self
            .crew
            .recorder
            .enter(&self.agent.instance, answered.into(), vec![response])?;
        let cause = self.lap(begun, answered).await?;
        if calls > 0 {
            self.proposed = Some((self.proposal(cause)?, calls));
        }
        Ok(())
    }

    async fn lap(&mut self, begun: Instant, entered: Entered) -> Result<Seq, BenchError> {
        let seq = entered.durable().await?;
        self.laps.add(begun.elapsed());
        Ok(seq)
    }

    fn proposal(&self, cause: Seq) -> Result<Proposal, BenchError> {
        let spec = BUILTIN.into_iter().find(|spec| spec.name == TOOL);
        let spec = spec.ok_or(BenchError::Bug("the tool of the bench is gone"))?;
        Ok(Proposal {
            tool: Name::new(spec.name)?,
            descriptor: spec.digest(),
            arguments: Arguments::from_object(arguments())?,
            effects: spec.effects,
            cause,
            advice: Vec::new(),
            workspace: self.crew.workspace.clone(),
        })
    }
}

fn arguments() -> Map<String, Value> {
    Map::from_iter([("path".to_owned(), Value::from(PATH))])
}

/// An answer that proposes the same action `calls` times (authority-v1 §5.6).
fn answer(calls: usize) -> Result<Vec<u8>, BenchError> {
    let call = |number: usize| json!({ "arguments": arguments(), "id": format!("call_{number}"), "tool": TOOL });
    let end = if calls == 0 { "done" } else { "calls" };
    let calls: Vec<Value> = (1..=calls).map(call).collect();
    let answer = json!({ "calls": calls, "end": end, "schema": "countersign.answer/v1", "text": "" });
    jcs::canonicalize(&answer).map_err(|_| BenchError::Bug("an answer has no JCS form"))
}

/// Has all `workers` work side by side for at most `time`; gives how long that took.
pub(super) async fn work_together(
    workers: &mut Vec<Worker>,
    task: &Arc<Task>,
    time: Duration,
) -> Result<Duration, BenchError> {
    let begun = Instant::now();
    let until = begun + time;
    let mut working = tokio::task::JoinSet::new();
    for mut worker in workers.drain(..) {
        let task = Arc::clone(task);
        working.spawn(async move { worker.work(&task, until).await.map(|()| worker) });
    }
    while let Some(worked) = working.join_next().await {
        workers.push(worked.map_err(BenchError::Caller)??);
    }
    Ok(begun.elapsed())
}
