//! One proposed call: decided by the gate, run under its permit, finished on record.

use countersign_schemas::body::{ActionFinished, Effects, FinishOutcome};
use countersign_schemas::digest::Digest;
use countersign_schemas::number::{Count, Millis, Seq};

use countersign_verifier::visible::visible;

use super::agent::Agent;
use super::event::Ruled;
use super::{Event, Session, SessionError};
use crate::gate::{Permit, Proposal, Ruling};
use crate::model::{CallResult, ToolCall};
use crate::recorder::Payload;
use crate::tool::{ADVISOR, AGENT, BUILTIN, RunContext, ToolOutput, ToolSpec};

/// The longest summary of arguments an event shows.
const SUMMARY_CHARS_MAX: usize = 80;

impl Session {
    /// Takes one call of `agent`'s model to its end and gives what the model gets to see of it.
    pub(super) async fn act(&self, agent: &mut Agent, cause: Seq, call: &ToolCall) -> Result<CallResult, SessionError> {
        if let Some(statement) = call.advice() {
            self.tell(Event::AdviceUsed {
                agent: agent.name.to_string(),
                relation: statement.relation,
                reason: statement.reason.clone(),
            });
        }
        let ruling = self.gate.decide(&agent.instance, proposal(agent, cause, call)).await?;
        let decided = |ruling, reasons| Event::Decided {
            agent: agent.name.to_string(),
            tool: call.tool().to_string(),
            summary: summary(call),
            ruling,
            reasons,
        };
        let output = match ruling {
            Ruling::Refused(refusal) => {
                self.tell(decided(Ruled::Refused(refusal.outcome), refusal.reasons.clone()));
                ToolOutput {
                    content: refusal.to_string(),
                    outcome: FinishOutcome::Aborted,
                }
            }
            Ruling::Permitted { permit, approved } => {
                self.tell(decided(
                    if approved { Ruled::Approved } else { Ruled::Allowed },
                    Vec::new(),
                ));
                self.run_permitted(agent, call, permit).await?
            }
        };
        Ok(CallResult {
            id: call.id().clone(),
            tool: call.tool().to_string(),
            outcome: output.outcome,
            content: output.content,
        })
    }

    async fn run_permitted(
        &self,
        agent: &mut Agent,
        call: &ToolCall,
        permit: Permit,
    ) -> Result<ToolOutput, SessionError> {
        let decision = permit.decision();
        let started = self.recorder.now();
        if !permit.is_good_at(started) {
            // The machine may have slept, or the answer came at the last moment: what did not start is entered as such.
            let output = ToolOutput {
                content: "the permit expired before the action could start".to_owned(),
                outcome: FinishOutcome::Aborted,
            };
            self.enter_outcome(decision, None, &output)?;
            return Ok(self.told_finished(agent, call, output));
        }
        let output = match call.tool().as_str() {
            name if name == AGENT.name => self.delegate(agent, permit, started).await?,
            name if name == ADVISOR.name => self.consult(agent, permit, started).await?,
            name => self.run_tool(name, permit, started).await,
        };
        self.enter_outcome(decision, Some(started), &output)?;
        Ok(self.told_finished(agent, call, output))
    }

    fn told_finished(&self, agent: &Agent, call: &ToolCall, output: ToolOutput) -> ToolOutput {
        self.tell(Event::Finished {
            agent: agent.name.to_string(),
            tool: call.tool().to_string(),
            outcome: output.outcome,
        });
        output
    }

    async fn run_tool(&self, tool: &str, permit: Permit, started: Millis) -> ToolOutput {
        let context = RunContext {
            started,
            cancel: self.cancel.clone(),
            reads: self.reads.clone(),
        };
        match self.toolbox.find(tool) {
            Some(tool) => tool.run(permit, context).await.unwrap_or_else(ToolOutput::from),
            None => ToolOutput {
                content: format!("there is no tool `{tool}` on this machine"),
                outcome: FinishOutcome::Error,
            },
        }
    }

    /// `started` is `None` for an action that never began.
    fn enter_outcome(&self, decision: Seq, started: Option<Millis>, output: &ToolOutput) -> Result<(), SessionError> {
        let result = Payload::content(output.content.as_bytes())?;
        let now = self.recorder.now().get();
        let duration = started.map(|started| Count::clamped(now.saturating_sub(started.get())));
        let body = ActionFinished {
            decision,
            outcome: output.outcome,
            result: Some(result.reference()),
            started,
            duration,
            // Nothing is enforced around a tool yet, and the ledger says so.
            sandbox: Count::ZERO,
        };
        self.recorder.enter_own(body.into(), vec![result])?.in_order();
        Ok(())
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
    }
}

/// What a call is about, on one line and without anything a terminal would obey: its file, command, agent or question.
fn summary(call: &ToolCall) -> String {
    let arguments = call.arguments().as_bytes();
    let members: serde_json::Value = serde_json::from_slice(arguments).unwrap_or_default();
    let told = ["path", "command", "name", "question", "pattern"];
    let text = told
        .iter()
        .find_map(|name| members.get(*name)?.as_str().map(str::to_owned));
    visible(
        &text.unwrap_or_else(|| String::from_utf8_lossy(arguments).into_owned()),
        SUMMARY_CHARS_MAX,
    )
}
