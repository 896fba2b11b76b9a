//! The tool `agent`: a child with its own identity and a narrower grant does a task, and only its report comes back.

use countersign_identity::credential::{InstanceClaims, InstanceCredential, InstanceRole};
use countersign_identity::grant::{Budget, Grant, Lineage, Purpose};
use countersign_identity::instant::Window;
use countersign_schemas::body::{FinishOutcome, InstanceStopped, Introduced, Newcomer, Role, StopReason};
use countersign_schemas::digest::Digest;
use countersign_schemas::list::Doc;
use countersign_schemas::number::{Count, Millis};
use countersign_schemas::text::{Did, Name};

use super::agent::{Advice, Agent, AgentEnd};
use super::kind::AgentKind;
use super::{Event, Session, SessionError};
use crate::gate::Permit;
use crate::model::Message;
use crate::recorder::{Instance, Newborn, RecordError, Recorder};
use crate::tool::{AGENT, ToolOutput};

impl Session {
    /// Runs an allowed `agent` call of `parent`.
    pub(super) async fn delegate(
        &self,
        parent: &mut Agent,
        permit: Permit,
        started: Millis,
    ) -> Result<ToolOutput, SessionError> {
        let order = match Order::read(permit, started) {
            Ok(order) => order,
            Err(refused) => return Ok(failed(refused)),
        };
        let grant = self.child_grant(parent, &order)?;
        // An `agent` action can be allowed to an agent whose grant may not be handed on: the child is never born then.
        if let Err(wide) = grant.check_narrows(&parent.grant) {
            let reasons: Vec<String> = wide.iter().map(ToString::to_string).collect();
            return Ok(failed(format!("no agent can be made: {}", reasons.join("; "))));
        }
        let mut child = self.introduce_child(parent, &order, grant)?;
        self.tell(Event::AgentStarted {
            agent: child.name.to_string(),
            did: child.instance.did().short().to_owned(),
            parent: Some(parent.name.to_string()),
        });
        let end = self.work(&mut child).await?;
        let name = child.name.to_string();
        self.stop(child.instance, end.stop_reason())?;
        self.tell(Event::AgentStopped { agent: name.clone() });
        Ok(match end {
            AgentEnd::Done(report) => ToolOutput {
                content: report,
                outcome: FinishOutcome::Ok,
            },
            AgentEnd::Failed(reason) => failed(format!("agent {name} failed: {reason}")),
            AgentEnd::Halted(cause) => failed(format!("agent {name} was halted: {cause}")),
            AgentEnd::Interrupted => ToolOutput {
                content: format!("agent {name} was interrupted"),
                outcome: FinishOutcome::Aborted,
            },
        })
    }

    fn introduce_child(&self, parent: &Agent, order: &Order, grant: Grant) -> Result<Agent, SessionError> {
        let newborn = Newborn::generate().map_err(RecordError::from)?;
        let window = self.child_window(parent)?;
        let claims = InstanceClaims {
            window,
            instance: newborn.did().short_did().clone(),
            role: InstanceRole::Agent(Box::new(grant.clone())),
            name: order.name.clone(),
            operator: self.principal.clone(),
            runtime: super::build::runtime()?,
            model: Some(self.model.name().clone()),
            ledger: grant.ledger,
        };
        let credential = InstanceCredential::issue(&claims, parent.instance.secret(), parent.instance.did())?;
        let digest = Digest::sha256(&credential);
        let body = Introduced {
            did: Newcomer::Did(Did::new(newborn.did().long()).map_err(RecordError::from)?),
            role: Role::Agent,
            credential: Doc::new(credential).map_err(RecordError::from)?,
            run: Some(self.run),
            succeeds: None,
            parent_grant: Some(parent.instance.seq()),
        };
        let seq = self
            .recorder
            .enter(&parent.instance, body.into(), Vec::new())?
            .in_order();
        Ok(Agent {
            instance: newborn.introduced_at(seq),
            name: order.name.clone(),
            grant,
            window,
            credential: digest,
            root: parent.root,
            system: order.kind.system_prompt(),
            messages: vec![Message::User {
                text: order.task.clone(),
            }],
            asked: None,
            advice: Advice::default(),
        })
    }

    /// What the parent has, narrowed to the kind's tools, one generation less, and half of what is left to spend.
    fn child_grant(&self, parent: &Agent, order: &Order) -> Result<Grant, SessionError> {
        let (tools, effects) = order.kind.narrow(&parent.grant.tools, parent.grant.effects);
        let left = self.recorder.with_law(|law| law.budget_left(parent.instance.seq()));
        let left = left.ok_or(SessionError::Bug("an agent holds no grant"))?;
        let half = |left: Count, whole: Count| Count::clamped(left.get().div_ceil(2).min(whole.get()));
        let whole = parent.grant.budget;
        Ok(Grant {
            tools,
            effects,
            budget: Budget {
                calls: half(left.calls, whole.calls),
                tokens_in: half(left.tokens_in, whole.tokens_in),
                tokens_out: half(left.tokens_out, whole.tokens_out),
                cost_micro_usd: half(left.cost_micro_usd, whole.cost_micro_usd),
            },
            depth: parent.grant.depth.saturating_sub(1),
            may_delegate: false,
            purpose: Purpose::new(format!("{} for {}", kind_word(order.kind), parent.name)).unwrap_or_default(),
            lineage: Lineage::Child {
                parent: parent.credential,
                root: parent.root,
            },
            ..parent.grant.clone()
        })
    }

    /// From now to the end of the parent's own window.
    fn child_window(&self, parent: &Agent) -> Result<Window, SessionError> {
        let now = Millis::clamped(self.recorder.now().get() / 1000 * 1000);
        Ok(Window::new(now.max(parent.window.from()), parent.window.until())?)
    }

    /// Lets `instance` say that it stops, and destroys its keys.
    pub(super) fn stop(&self, instance: Instance, reason: StopReason) -> Result<(), SessionError> {
        enter_stop(&self.recorder, instance, reason)
    }
}

/// Enters the last words of `instance`, which is dropped with its keys.
pub(super) fn enter_stop(recorder: &Recorder, instance: Instance, reason: StopReason) -> Result<(), SessionError> {
    let last = recorder.with_law(|law| law.instance(instance.seq()).map(|known| known.last_words()));
    let (last_n, last_seq) = last.ok_or(SessionError::Bug("an instance the law does not know wants to stop"))?;
    let body = InstanceStopped {
        instance: instance.seq(),
        reason,
        last_n,
        last_seq,
    };
    recorder.enter(&instance, body.into(), Vec::new())?.in_order();
    Ok(())
}

/// What a parent asked for.
struct Order {
    kind: AgentKind,
    name: Name,
    task: String,
}

impl Order {
    fn read(permit: Permit, started: Millis) -> Result<Self, String> {
        let call = permit.redeem(AGENT.name, started).map_err(|error| error.to_string())?;
        let members = AGENT.parse(call.arguments()).map_err(|error| error.to_string())?;
        let text = |name| members.text(name).map_err(|error| error.to_string());
        let word = text("type")?;
        let known = || AgentKind::WORDS.map(|(_, word)| word).join(", ");
        Ok(Self {
            kind: AgentKind::from_word(word).ok_or_else(|| format!("unknown type of agent; known are: {}", known()))?,
            name: Name::new(text("name")?).map_err(|error| error.to_string())?,
            task: text("task")?.to_owned(),
        })
    }
}

fn kind_word(kind: AgentKind) -> &'static str {
    AgentKind::WORDS
        .into_iter()
        .find(|(known, _)| *known == kind)
        .map_or("agent", |(_, word)| word)
}

fn failed(content: String) -> ToolOutput {
    ToolOutput {
        content,
        outcome: FinishOutcome::Error,
    }
}
