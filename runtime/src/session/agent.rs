//! One agent at work: it asks its model and does what the model proposes, until the model proposes nothing more.

use countersign_identity::grant::Grant;
use countersign_identity::instant::Window;
use countersign_schemas::body::{AdviceCited, AdviceForm, AdviceRelation, StopReason};
use countersign_schemas::digest::Digest;
use countersign_schemas::number::Seq;
use countersign_schemas::text::Name;

use super::background::Background;
use super::breaker::{Breakers, Trip};
use super::consult::Consulted;
use super::conversation::Conversation;
use super::delegate::usable;
use super::think::{Speaker, Thought};
use super::{Event, Halt, Session, SessionError};
use crate::model::{End, Message, ModelAnswer, ToolCall};
use crate::recorder::Instance;
use crate::tool::{BUILTIN, BoxFuture, Cancel, ToolSpec};

/// What a model is told whose answer ended at the limit of its length.
const GO_ON: &str = "Your answer ended at the limit of its length. Go on exactly where it ended.";

/// An introduced agent with its authority and its conversation.
pub(super) struct Agent {
    pub(super) instance: Instance,
    pub(super) name: Name,
    pub(super) grant: Grant,
    pub(super) window: Window,
    /// Digest of the credential that carries `grant`: what a child's grant names as its parent.
    pub(super) credential: Digest,
    /// Digest of the root grant's credential.
    pub(super) root: Digest,
    pub(super) conversation: Conversation,
    pub(super) advice: Advice,
    /// Commands it has left running.
    pub(super) background: Background,
    /// How many agents it has introduced.
    pub(super) children: usize,
    /// How far it has gone in circles.
    pub(super) breakers: Breakers,
}

/// The last advice an agent got, as far as its next requests have to cite it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Advice {
    /// The `advice.given`.
    pub(super) last: Option<Seq>,
    /// Nobody but the provider can read it, so nobody can assess what came of it (D8).
    pub(super) is_sealed: bool,
    /// It was given in this turn.
    pub(super) given_last_turn: bool,
    /// It was given in the turn before: the requests of this turn cite it even when the agent says nothing of it.
    pub(super) fresh: bool,
}

/// An `advice.given`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Given {
    pub(super) entry: Seq,
    pub(super) form: AdviceForm,
}

impl Advice {
    pub(super) fn give(&mut self, given: Given) {
        self.last = Some(given.entry);
        self.is_sealed = given.form == AdviceForm::Opaque;
        self.given_last_turn = true;
    }
}

/// How an agent's work ended, short of an error of the environment of this program itself.
#[derive(Debug, Clone)]
pub(super) enum AgentEnd {
    /// It says it is done, with its last words.
    Done(String),
    /// Its model failed.
    Failed(String),
    /// Its model cannot be reached.
    Unreachable(String),
    /// A bound stopped it.
    Halted(Halt),
    /// A person interrupted it.
    Interrupted,
}

impl AgentEnd {
    pub(super) const fn stop_reason(&self) -> StopReason {
        match self {
            Self::Done(_) => StopReason::Done,
            Self::Failed(_) | Self::Unreachable(_) => StopReason::Failed,
            Self::Halted(halt) => halt.stop_reason(),
            Self::Interrupted => StopReason::Interrupted,
        }
    }
}

/// What follows from one answer.
enum Step {
    GoOn,
    Ended(AgentEnd),
}

impl Session {
    /// Lets `agent` work until it ends. Boxed, because an agent's work contains its children's.
    pub(super) fn work<'a>(
        &'a self,
        agent: &'a mut Agent,
        cancel: &'a Cancel,
    ) -> BoxFuture<'a, Result<AgentEnd, SessionError>> {
        Box::pin(async move {
            agent.breakers = Breakers::default();
            let end = match self.think_and_act(agent, cancel).await? {
                AgentEnd::Interrupted => self.interrupted(),
                end => end,
            };
            match &end {
                // That is on record as a revocation, and entered once, for the run.
                AgentEnd::Halted(Halt::Stopped(_)) => {}
                AgentEnd::Halted(halt) => self.enter_halt(agent.instance.seq(), agent.name.as_str(), halt)?,
                _ => {}
            }
            Ok(end)
        })
    }

    async fn think_and_act(&self, agent: &mut Agent, cancel: &Cancel) -> Result<AgentEnd, SessionError> {
        let mut said = String::new();
        loop {
            if cancel.is_raised() {
                return Ok(AgentEnd::Interrupted);
            }
            let (entry, answer) = match self.ask_model(agent, cancel).await? {
                Thought::Answered { entry, answer } => (entry, answer),
                Thought::Failed(reason) => return Ok(AgentEnd::Failed(reason)),
                Thought::Unreachable(reason) => return Ok(AgentEnd::Unreachable(reason)),
                Thought::Halted(halt) => return Ok(AgentEnd::Halted(halt)),
                Thought::Interrupted => return Ok(AgentEnd::Interrupted),
            };
            match self.follow(agent, entry, answer, &mut said, cancel).await? {
                Step::GoOn => {}
                Step::Ended(end) => return Ok(end),
            }
        }
    }

    /// What an interruption means: a person interrupted the agent, or the whole run was stopped.
    pub(super) fn interrupted(&self) -> AgentEnd {
        let stopped = self.arming.revocation().map(Halt::Stopped);
        stopped.map_or(AgentEnd::Interrupted, AgentEnd::Halted)
    }

    async fn ask_model(&self, agent: &mut Agent, cancel: &Cancel) -> Result<Thought, SessionError> {
        let speaker = Speaker {
            instance: &agent.instance,
            name: agent.name.as_str(),
            model: &*self.models.agents,
            is_advisor: false,
        };
        self.think(speaker, &mut agent.conversation, cancel).await
    }

    /// Does what the answer in `entry` proposes. `said` are the pieces of an answer that ended in the middle.
    async fn follow(
        &self,
        agent: &mut Agent,
        entry: Seq,
        answer: ModelAnswer,
        said: &mut String,
        cancel: &Cancel,
    ) -> Result<Step, SessionError> {
        let text = answer.text();
        if !text.is_empty() {
            self.tell(Event::Said {
                agent: agent.name.to_string(),
                text: text.clone(),
            });
        }
        if answer.end == End::Refused {
            return Ok(Step::Ended(AgentEnd::Failed(refusal(&text))));
        }
        match self.consulted_by_provider(agent, entry, &answer.advice, cancel).await? {
            Consulted::Entered => {}
            Consulted::Halted(halt) => return Ok(Step::Ended(AgentEnd::Halted(halt))),
        }
        // Advice of the turn before is fresh for the calls of this turn only.
        agent.advice.fresh = agent.advice.given_last_turn;
        agent.advice.given_last_turn = false;
        if !answer.parts.is_empty() {
            agent.conversation.push(Message::assistant(&answer));
        }
        let proposed = super::batch::proposed(answer.parts);
        if proposed.is_empty() {
            said.push_str(&text);
            return Ok(agent.without_calls(said, answer.end));
        }
        said.clear();
        let (results, trip) = self.make_calls(agent, entry, proposed, cancel).await?;
        agent.conversation.push(Message::Results(results));
        Ok(trip.map_or(Step::GoOn, Step::tripped))
    }
}

impl Step {
    fn tripped(trip: Trip) -> Self {
        Self::Ended(AgentEnd::Halted(Halt::Breaker(trip)))
    }
}

fn refusal(text: &str) -> String {
    if text.is_empty() {
        "the model refused to answer".to_owned()
    } else {
        format!("the model refused to answer: {text}")
    }
}

/// The declarations of the tools a grant names and can use.
pub(super) fn offered(grant: &Grant) -> Vec<&'static ToolSpec> {
    let tools = usable(grant);
    let named = |spec: &&'static ToolSpec| tools.iter().any(|tool| tool.as_str() == spec.name);
    BUILTIN.into_iter().filter(named).collect()
}

impl Agent {
    /// What follows from an answer without calls, with which `said` was said in all.
    fn without_calls(&mut self, said: &mut String, end: End) -> Step {
        if end != End::Length {
            return Step::Ended(AgentEnd::Done(std::mem::take(said)));
        }
        if let Some(trip) = self.breakers.unfinished() {
            return Step::tripped(trip);
        }
        self.conversation.push(Message::User { text: GO_ON.to_owned() });
        Step::GoOn
    }

    /// The advice a request of this agent cites, given what the model says of it.
    pub(super) fn cite(&self, call: &ToolCall) -> Vec<AdviceCited> {
        let relation = match call.advice() {
            Some(_) if self.advice.is_sealed => AdviceRelation::NotAssessable,
            Some(statement) => statement.relation,
            None if self.advice.fresh => AdviceRelation::NotAssessable,
            None => return Vec::new(),
        };
        self.advice
            .last
            .map(|entry| AdviceCited { entry, relation })
            .into_iter()
            .collect()
    }
}
