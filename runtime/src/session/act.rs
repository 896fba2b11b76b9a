//! One proposed call: decided by the gate, run under its permit, finished on record.

use std::path::PathBuf;
use std::sync::Arc;

use countersign_schemas::body::{Effects, FinishOutcome};
use countersign_schemas::digest::Digest;
use countersign_schemas::number::{Millis, Seq};
use countersign_verifier::visible::visible;

use super::agent::{Agent, Given};
use super::background::Running;
use super::breaker::Fate;
use super::consult::{Advised, AdvisorTurn};
use super::event::Ruled;
use super::{Event, Session, SessionError};
use crate::gate::{Permit, Proposal, Ruling};
use crate::model::{CallResult, ToolCall};
use crate::redact::{Redactor, Stream};
use crate::tool::{ADVISOR, BASH_START, BUILTIN, Cancel, Overflow, Redaction, RunContext, ToolOutput, ToolSpec};

/// The longest summary of arguments an event shows.
const SUMMARY_CHARS_MAX: usize = 80;

/// A call that was made or refused, and what it left behind.
pub(super) struct Acted {
    pub(super) result: CallResult,
    /// What became of it.
    pub(super) fate: Fate,
    /// The `advice.given` it brought.
    advice: Option<Given>,
    /// A command that goes on.
    running: Option<Running>,
}

impl Acted {
    pub(super) const fn of(result: CallResult) -> Self {
        Self {
            fate: Fate::Ended(result.outcome),
            result,
            advice: None,
            running: None,
        }
    }

    /// A call that the gate refused.
    pub(super) fn refused(result: CallResult) -> Self {
        Self {
            fate: Fate::Refused,
            ..Self::of(result)
        }
    }

    /// A call whose action goes on.
    pub(super) const fn left(result: CallResult, running: Running) -> Self {
        Self {
            fate: Fate::Ended(result.outcome),
            result,
            advice: None,
            running: Some(running),
        }
    }
}

impl Agent {
    /// Remembers what a call left behind, and gives its result.
    pub(super) fn take_up(&mut self, acted: Acted) -> CallResult {
        if let Some(given) = acted.advice {
            self.advice.give(given);
        }
        self.background.extend(acted.running);
        acted.result
    }
}

/// The longest result of what is no tool of ours.
const RESULT_LIMIT_BYTES: usize = 32 << 10;

/// What the gate made of a call.
pub(super) enum Decided {
    Permitted(Permit),
    Refused(CallResult),
}

/// A call that has run, or never will, and is not on record yet.
pub(super) enum Ran {
    /// It came to its end, which is to be entered.
    Ended(Ended),
    /// There is nothing to be entered any more.
    Settled(Acted),
}

/// How a permitted action ended.
pub(super) struct Ended {
    pub(super) decision: Seq,
    pub(super) started: Millis,
    pub(super) ended: Millis,
    pub(super) overflow: Overflow,
    pub(super) output: ToolOutput,
    /// The `advice.given` it brought.
    pub(super) advice: Option<Given>,
    /// The turn with the advisor that it took.
    pub(super) turn: Option<AdvisorTurn>,
}

impl Session {
    /// Takes one call of `agent`'s model to its end and gives what the model gets to see of it.
    pub(super) async fn act(
        &self,
        agent: &Agent,
        cause: Seq,
        call: &ToolCall,
        cancel: &Cancel,
    ) -> Result<Acted, SessionError> {
        let ran = self.run_call(agent, cause, call, cancel).await?;
        self.finish_call(agent, call, ran).await
    }

    /// Has `call` decided and, if it is permitted, run.
    pub(super) async fn run_call(
        &self,
        agent: &Agent,
        cause: Seq,
        call: &ToolCall,
        cancel: &Cancel,
    ) -> Result<Ran, SessionError> {
        let permit = match self.decide(agent, cause, call, cancel).await? {
            Decided::Permitted(permit) => permit,
            Decided::Refused(result) => return Ok(Ran::Settled(Acted::refused(result))),
        };
        let (permit, started) = match self.still_good(permit)? {
            Ok(good) => good,
            Err(unused) => return Ok(Ran::Settled(Acted::of(self.told_finished(agent, call, unused)))),
        };
        let (decision, overflow) = (permit.decision(), Overflow::of(&permit));
        let advised = match call.tool().as_str() {
            name if name == BASH_START.name => {
                return self.leave_running(agent, call, permit, started).await.map(Ran::Settled);
            }
            name if name == ADVISOR.name => self.consult(agent, permit, started, cancel).await?,
            name => Advised::without(self.run_tool(agent, name, permit, started, cancel).await),
        };
        Ok(Ran::Ended(Ended {
            decision,
            started,
            ended: self.recorder.now(),
            overflow,
            output: advised.output,
            advice: advised.advice,
            turn: advised.turn,
        }))
    }

    /// Enters how a call ended and gives what the model gets to see.
    pub(super) async fn finish_call(&self, agent: &Agent, call: &ToolCall, ran: Ran) -> Result<Acted, SessionError> {
        let ended = match ran {
            Ran::Settled(acted) => return Ok(acted),
            Ran::Ended(ended) => ended,
        };
        let output = settle(&self.redactor, call.tool().as_str(), ended.overflow, ended.output).await;
        let lasted = Some((ended.started, ended.ended));
        self.outcomes.enter(ended.decision, lasted, &output)?;
        // No question of this action stands open any more.
        drop(ended.turn);
        Ok(Acted {
            advice: ended.advice,
            ..Acted::of(self.told_finished(agent, call, output))
        })
    }

    /// Has the gate decide on `call`.
    pub(super) async fn decide(
        &self,
        agent: &Agent,
        cause: Seq,
        call: &ToolCall,
        cancel: &Cancel,
    ) -> Result<Decided, SessionError> {
        if let Some(statement) = call.advice() {
            self.tell(Event::AdviceUsed {
                agent: agent.name.to_string(),
                relation: statement.relation,
                reason: self.clean(&statement.reason),
            });
        }
        let proposal = proposal(agent, cause, call);
        let ruling = self.gate.decide(&agent.instance, proposal, cancel).await?;
        let (ruled, reasons, decided) = match ruling {
            Ruling::Refused(refusal) => {
                let output = ToolOutput {
                    content: refusal.to_string(),
                    outcome: FinishOutcome::Aborted,
                };
                let ruled = Ruled::Refused(refusal.outcome);
                (ruled, refusal.reasons, Decided::Refused(result(call, output)))
            }
            Ruling::Permitted { permit, approved } => {
                let ruled = if approved { Ruled::Approved } else { Ruled::Allowed };
                (ruled, Vec::new(), Decided::Permitted(permit))
            }
        };
        self.tell(Event::Decided {
            agent: agent.name.to_string(),
            tool: call.tool().to_string(),
            summary: self.clean(&summary(call)),
            ruling: ruled,
            reasons,
        });
        Ok(decided)
    }

    /// The permit with the time at which the action starts; or why it does not start, which is entered: the permit has
    /// expired, for the machine may have slept or the answer came at the last moment, or the run was stopped.
    pub(super) fn still_good(&self, permit: Permit) -> Result<Result<(Permit, Millis), ToolOutput>, SessionError> {
        let started = self.recorder.now();
        let unused = if self.arming.is_pulled() {
            not_begun("the run was stopped before the action could start")
        } else if permit.is_good_at(started) {
            return Ok(Ok((permit, started)));
        } else {
            expired()
        };
        self.outcomes.enter(permit.decision(), None, &unused)?;
        Ok(Err(unused))
    }

    pub(super) fn told_finished(&self, agent: &Agent, call: &ToolCall, output: ToolOutput) -> CallResult {
        self.tell(Event::Finished {
            agent: agent.name.to_string(),
            tool: call.tool().to_string(),
            outcome: output.outcome,
        });
        result(call, output)
    }

    async fn run_tool(
        &self,
        agent: &Agent,
        tool: &str,
        permit: Permit,
        started: Millis,
        cancel: &Cancel,
    ) -> ToolOutput {
        match self.toolbox.find(tool) {
            Some(tool) => {
                let context = self.context(agent, started, cancel);
                tool.run(permit, context).await.unwrap_or_else(ToolOutput::from)
            }
            None => ToolOutput {
                content: format!("there is no tool `{tool}` on this machine"),
                outcome: FinishOutcome::Error,
            },
        }
    }

    pub(super) fn context(&self, agent: &Agent, started: Millis, cancel: &Cancel) -> RunContext {
        RunContext {
            started,
            cancel: cancel.clone(),
            reads: Arc::clone(&self.reads),
            jobs: Arc::clone(&self.jobs),
            person: Arc::clone(&self.person),
            agent: agent.name.clone(),
        }
    }
}

/// The result in the form in which agent and ledger get it: without recognised secrets, and within the tool's limit.
pub(super) async fn settle(redactor: &Redactor, tool: &str, overflow: Overflow, output: ToolOutput) -> ToolOutput {
    let spec = BUILTIN.into_iter().find(|spec| spec.name == tool);
    let limit = spec.map_or(RESULT_LIMIT_BYTES, |spec| spec.result_limit_bytes);
    let settled = overflow
        .settle(output.content, limit, Cleaning(redactor.stream()))
        .await;
    ToolOutput {
        content: settled.content,
        outcome: output.outcome,
    }
}

/// Takes secrets out of a result on its way to agent, file and ledger.
struct Cleaning(Stream);

impl Redaction for Cleaning {
    fn push(&mut self, text: &str) -> String {
        self.0.push(text)
    }

    fn finish(self) -> String {
        self.0.finish()
    }
}

pub(super) fn expired() -> ToolOutput {
    not_begun("the permit expired before the action could start")
}

fn not_begun(why: &str) -> ToolOutput {
    ToolOutput {
        content: why.to_owned(),
        outcome: FinishOutcome::Aborted,
    }
}

pub(super) fn result(call: &ToolCall, output: ToolOutput) -> CallResult {
    CallResult {
        id: call.id().clone(),
        tool: call.tool().to_string(),
        outcome: output.outcome,
        content: output.content,
    }
}

/// A model's call as the gate gets it. An unknown tool has neither descriptor nor effects; its request is entered all the
/// same, and denied.
fn proposal(agent: &Agent, cause: Seq, call: &ToolCall) -> Proposal {
    let spec = BUILTIN.into_iter().find(|spec| spec.name == call.tool().as_str());
    Proposal {
        tool: call.tool().clone(),
        descriptor: spec.map_or_else(|| Digest::sha256(b""), ToolSpec::digest),
        effects: spec.map_or_else(Effects::default, |spec| spec.effects),
        arguments: call.arguments().clone(),
        cause,
        advice: agent.cite(call),
        workspace: PathBuf::from(agent.grant.workspace.as_str()),
    }
}

/// What a call is about, on one line and without anything a terminal would obey: its file, command, agent or question.
fn summary(call: &ToolCall) -> String {
    let arguments = call.arguments().as_bytes();
    let told = [
        "path", "command", "name", "question", "pattern", "url", "branch", "tool", "job",
    ];
    let text = told
        .iter()
        .find_map(|name| call.object().get(*name)?.as_str().map(str::to_owned));
    visible(
        &text.unwrap_or_else(|| String::from_utf8_lossy(arguments).into_owned()),
        SUMMARY_CHARS_MAX,
    )
}
