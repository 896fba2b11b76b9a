//! What a run tells its front end while it goes on. Everything here is in the ledger as well; this is for watching.

use countersign_schemas::body::{AdviceRelation, FinishOutcome, Outcome, RunEndReason, Tokens};
use countersign_schemas::number::Count;
use serde_json::{Value, json};

use super::{Halt, LEAD_NAME};

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ruled {
    /// Policy allows it.
    Allowed,
    /// Policy left it open, and an approver said yes.
    Approved,
    /// It does not happen; the decision says so, or an approver did.
    Refused(Outcome),
}

impl Ruled {
    /// The word in `countersign.event/v1`: `allow`, `approved`, or the outcome of the decision that refuses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allow",
            Self::Approved => "approved",
            Self::Refused(outcome) => outcome.as_str(),
        }
    }
}

/// Something that happened in a run.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// The ledger is open and the run has begun.
    RunStarted {
        /// The ledger's id in hex.
        ledger: String,
        /// Where the ledger lies.
        path: String,
    },
    /// An agent was introduced.
    AgentStarted {
        /// Its name.
        agent: String,
        /// Its short DID.
        did: String,
        /// Who introduced it: an agent's name, or nothing for the lead.
        parent: Option<String>,
    },
    /// A model said something.
    Said {
        /// The agent or advisor.
        agent: String,
        /// Its words.
        text: String,
    },
    /// A piece of what a model says, as it comes in; [`Event::Said`] has the whole.
    Piece {
        /// The agent or advisor.
        agent: String,
        /// The piece.
        text: String,
    },
    /// An attempt to have an answer failed and another follows: pieces that were shown count for nothing.
    Retried {
        /// The agent or advisor.
        agent: String,
        /// What went wrong.
        reason: String,
    },
    /// A model answered, and this is what it used.
    Spent {
        /// The agent or advisor.
        agent: String,
        /// Whether it spoke as an advisor.
        is_advisor: bool,
        /// `provider/name`.
        model: String,
        /// What it used.
        tokens: Tokens,
        /// What that costs, in micro-USD; nothing where no price is known.
        cost_micro_usd: Option<Count>,
    },
    /// The lead has ended its turn, and a person may say what is next.
    TurnEnded {
        /// How.
        reason: RunEndReason,
        /// What halted it, if anything did.
        halt: Option<Halt>,
        /// Its last words, or what went wrong.
        result: String,
    },
    /// A request was decided.
    Decided {
        /// The requester.
        agent: String,
        /// The tool.
        tool: String,
        /// What it is about, shortened for display.
        summary: String,
        /// The answer.
        ruling: Ruled,
        /// Why not, where it is a no.
        reasons: Vec<String>,
    },
    /// An action ended.
    Finished {
        /// The requester.
        agent: String,
        /// The tool.
        tool: String,
        /// How.
        outcome: FinishOutcome,
    },
    /// An agent says what it did with advice.
    AdviceUsed {
        /// The agent.
        agent: String,
        /// Followed, overridden, or not said.
        relation: AdviceRelation,
        /// Why, in its words.
        reason: String,
    },
    /// An agent stopped.
    AgentStopped {
        /// Its name.
        agent: String,
    },
    /// The run is over and the ledger closed.
    RunEnded {
        /// Why.
        reason: RunEndReason,
        /// What halted it, if anything did.
        halt: Option<Halt>,
        /// What was delivered, or what went wrong.
        result: String,
    },
}

impl Event {
    /// One JSON line, `countersign.event/v1`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut value = match self {
            Self::RunStarted { ledger, path } => json!({ "event": "run.started", "ledger": ledger, "path": path }),
            Self::AgentStarted { agent, did, parent } => {
                json!({ "event": "agent.started", "agent": agent, "did": did, "parent": parent })
            }
            Self::Said { agent, text } => json!({ "event": "said", "agent": agent, "text": text }),
            Self::Piece { agent, text } => json!({ "event": "piece", "agent": agent, "text": text }),
            Self::Retried { agent, reason } => json!({ "event": "retried", "agent": agent, "reason": reason }),
            Self::Spent {
                agent,
                is_advisor,
                model,
                tokens,
                cost_micro_usd,
            } => json!({
                "event": "spent", "agent": agent, "advisor": is_advisor, "model": model,
                "tokens": tokens_json(tokens), "cost_micro_usd": cost_micro_usd.map(Count::get),
            }),
            Self::TurnEnded { reason, halt, result } => {
                json!({ "event": "turn.ended", "reason": reason.as_str(), "halt": halt_json(halt.as_ref()), "result": result })
            }
            Self::Decided {
                agent,
                tool,
                summary,
                ruling,
                reasons,
            } => json!({
                "event": "decided", "agent": agent, "tool": tool, "summary": summary,
                "outcome": ruling.as_str(), "reasons": reasons,
            }),
            Self::Finished { agent, tool, outcome } => {
                json!({ "event": "finished", "agent": agent, "tool": tool, "outcome": outcome.as_str() })
            }
            Self::AdviceUsed {
                agent,
                relation,
                reason,
            } => {
                json!({ "event": "advice.used", "agent": agent, "relation": relation.as_str(), "reason": reason })
            }
            Self::AgentStopped { agent } => json!({ "event": "agent.stopped", "agent": agent }),
            Self::RunEnded { reason, halt, result } => {
                json!({ "event": "run.ended", "reason": reason.as_str(), "halt": halt_json(halt.as_ref()), "result": result })
            }
        };
        value["schema"] = "countersign.event/v1".into();
        value
    }
}

/// What halted the lead, or null.
fn halt_json(halt: Option<&Halt>) -> Value {
    halt.map_or(Value::Null, |halt| halt.to_json(LEAD_NAME))
}

fn tokens_json(tokens: &Tokens) -> Value {
    json!({
        "input": tokens.input.get(), "output": tokens.output.get(),
        "cache_write": tokens.cache_write.get(), "cache_read": tokens.cache_read.get(),
    })
}

/// Watches a run.
pub trait Observer: Send + Sync {
    /// Called once the entry behind the event is made. A decision that permits is durable by then; other entries become
    /// durable in their order, at the latest before the next effect.
    fn observe(&self, event: &Event);
}
