//! One agent at work: an explicit state machine of asking its model and doing what the model proposes.

use std::collections::{BTreeSet, VecDeque};

use countersign_identity::grant::Grant;
use countersign_identity::instant::Window;
use countersign_schemas::body::{AdviceCited, AdviceRelation, StopReason};
use countersign_schemas::digest::Digest;
use countersign_schemas::number::Seq;
use countersign_schemas::text::Name;

use super::think::{ANSWER_TOKENS_MAX, Thought};
use super::{Event, HaltCause, Session, SessionError};
use crate::model::{CallResult, Message, ModelRequest, System, ToolCall};
use crate::recorder::Instance;
use crate::tool::{BUILTIN, BoxFuture, ToolSpec};

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
    pub(super) system: &'static str,
    pub(super) messages: Vec<Message>,
    /// Its last `model.called`, and how many messages that was about.
    pub(super) asked: Option<(Seq, usize)>,
    pub(super) advice: Advice,
}

/// The last advice an agent got, as far as its next requests have to cite it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Advice {
    /// The `advice.given`.
    pub(super) last: Option<Seq>,
    /// It was given in this turn.
    pub(super) given_last_turn: bool,
    /// It was given in the turn before: the requests of this turn cite it even when the agent says nothing of it.
    pub(super) fresh: bool,
}

/// How an agent's work ended, short of an error of the environment.
pub(super) enum AgentEnd {
    /// It says it is done, with its last words.
    Done(String),
    /// Its model failed.
    Failed(String),
    /// A budget is used up.
    Halted(HaltCause),
    /// A person interrupted it.
    Interrupted,
}

impl AgentEnd {
    pub(super) const fn stop_reason(&self) -> StopReason {
        match self {
            Self::Done(_) => StopReason::Done,
            Self::Failed(_) => StopReason::Failed,
            Self::Halted(_) => StopReason::Halted,
            Self::Interrupted => StopReason::Interrupted,
        }
    }
}

/// Where an agent stands.
enum Phase {
    /// Its model is to be asked.
    Asking,
    /// Calls of the model's last answer are to be made, in order.
    Acting {
        answer: Seq,
        calls: VecDeque<ToolCall>,
        results: Vec<CallResult>,
    },
    /// It has ended.
    Ended(AgentEnd),
}

impl Session {
    /// Lets `agent` work until it ends. Boxed, because an agent's work contains its children's.
    pub(super) fn work<'a>(&'a self, agent: &'a mut Agent) -> BoxFuture<'a, Result<AgentEnd, SessionError>> {
        Box::pin(async move {
            let mut phase = Phase::Asking;
            loop {
                phase = match phase {
                    Phase::Ended(end) => return Ok(end),
                    _ if self.cancel.is_raised() => Phase::Ended(AgentEnd::Interrupted),
                    Phase::Asking => self.ask_model(agent).await?,
                    Phase::Acting {
                        answer,
                        mut calls,
                        mut results,
                    } => match calls.pop_front() {
                        Some(call) => {
                            results.push(self.act(agent, answer, &call).await?);
                            Phase::Acting { answer, calls, results }
                        }
                        None => {
                            agent.messages.push(Message::Results(results));
                            Phase::Asking
                        }
                    },
                }
            }
        })
    }

    async fn ask_model(&self, agent: &mut Agent) -> Result<Phase, SessionError> {
        let tools = offered(&agent.grant.tools);
        let request = ModelRequest {
            agent: agent.name.as_str(),
            system: System::fixed(agent.system),
            tools: &tools,
            messages: &agent.messages,
            output_tokens_max: ANSWER_TOKENS_MAX,
            provider_advisor: None,
        };
        let (answer, said) = match self.think(&agent.instance, &request, agent.asked).await? {
            Thought::Answered { call, entry, answer } => {
                agent.asked = Some((call, agent.messages.len()));
                (entry, answer)
            }
            Thought::Failed(reason) => return Ok(Phase::Ended(AgentEnd::Failed(reason))),
            Thought::Halted(cause) => return Ok(Phase::Ended(AgentEnd::Halted(cause))),
            Thought::Interrupted => return Ok(Phase::Ended(AgentEnd::Interrupted)),
        };
        let text = said.text();
        if !text.is_empty() {
            self.tell(Event::Said {
                agent: agent.name.to_string(),
                text: text.clone(),
            });
        }
        let calls: VecDeque<ToolCall> = said.calls().cloned().collect();
        if calls.is_empty() {
            return Ok(Phase::Ended(AgentEnd::Done(text)));
        }
        agent.messages.push(Message::assistant(&said));
        // Advice of the turn before is fresh for the calls of this turn only.
        agent.advice.fresh = agent.advice.given_last_turn;
        agent.advice.given_last_turn = false;
        Ok(Phase::Acting {
            answer,
            calls,
            results: Vec::new(),
        })
    }
}

/// The declarations of the tools a grant names, in the order of their names.
pub(super) fn offered(tools: &BTreeSet<Name>) -> Vec<&'static ToolSpec> {
    tools
        .iter()
        .filter_map(|tool| BUILTIN.into_iter().find(|spec| spec.name == tool.as_str()))
        .collect()
}

impl Agent {
    /// The advice a request of this agent cites, given what the model says of it.
    pub(super) fn cite(&self, call: &ToolCall) -> Vec<AdviceCited> {
        let relation = match call.advice() {
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
