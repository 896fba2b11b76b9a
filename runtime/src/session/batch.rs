//! The calls of one answer: which of them run side by side, and what becomes of those behind one that failed.
//!
//! Runs of read-only calls go side by side, and so do runs of delegations; everything else goes alone and in the order
//! in which the model proposed it. Requests are entered in that order whatever runs when.

use countersign_schemas::body::FinishOutcome;
use countersign_schemas::number::Seq;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::act::{Acted, Ran};
use super::agent::Agent;
use super::breaker::Trip;
use super::{Session, SessionError};
use crate::model::{CallResult, MalformedCall, Part, ToolCall};
use crate::tool::{BASH, BUILTIN, BoxFuture, Cancel, Concurrency};

/// Most read-only calls that run at the same time.
const READERS_MAX: usize = 8;

/// What an answer proposes, in its order.
pub(super) enum Proposed {
    Call(ToolCall),
    Malformed(MalformedCall),
}

/// The calls among the parts of an answer.
pub(super) fn proposed(parts: Vec<Part>) -> Vec<Proposed> {
    let calls = parts.into_iter().filter_map(|part| match part {
        Part::Call(call) => Some(Proposed::Call(call)),
        Part::Malformed(call) => Some(Proposed::Malformed(call)),
        Part::Text(_) | Part::Opaque(_) => None,
    });
    calls.collect()
}

impl Proposed {
    /// How the call may run beside others. What no tool is known for changes nothing: it is refused.
    fn concurrency(&self) -> Concurrency {
        match self {
            Self::Malformed(_) => Concurrency::ReadOnly,
            Self::Call(call) => {
                let spec = BUILTIN.into_iter().find(|spec| spec.name == call.tool().as_str());
                spec.map_or(Concurrency::Exclusive, |spec| spec.concurrency)
            }
        }
    }

    fn not_made(&self, why: &str) -> CallResult {
        let (id, tool) = match self {
            Self::Call(call) => (call.id(), call.tool().as_str()),
            Self::Malformed(call) => (&call.id, call.tool.as_str()),
        };
        CallResult {
            id: id.clone(),
            tool: tool.to_owned(),
            outcome: FinishOutcome::Aborted,
            content: why.to_owned(),
        }
    }
}

/// How many of `calls`, from the first, form one group.
fn group_len(calls: &[Proposed]) -> usize {
    let Some(first) = calls.first().map(Proposed::concurrency) else {
        return 0;
    };
    match first {
        Concurrency::Exclusive => 1,
        shared => calls.iter().take_while(|call| call.concurrency() == shared).count(),
    }
}

impl Session {
    /// Makes the calls that the answer in `cause` proposes, and gives a result for each, in their order, and the breaker
    /// that they tripped.
    pub(super) async fn make_calls(
        &self,
        agent: &mut Agent,
        cause: Seq,
        calls: Vec<Proposed>,
        cancel: &Cancel,
    ) -> Result<(Vec<CallResult>, Option<Trip>), SessionError> {
        let mut results = Vec::with_capacity(calls.len());
        let mut fates = Vec::with_capacity(calls.len());
        let mut stopped = None;
        let mut rest = calls.as_slice();
        while !rest.is_empty() {
            let (group, others) = rest.split_at(group_len(rest));
            rest = others;
            if cancel.is_raised() {
                stopped = Some("not made: the turn was interrupted");
            }
            if let Some(why) = stopped {
                results.extend(group.iter().map(|call| call.not_made(why)));
                continue;
            }
            let acted = self.make_group(agent, cause, group, cancel).await?;
            for (call, acted) in group.iter().zip(acted) {
                fates.push((call, acted.fate));
                if is_failed_command(&acted.result) {
                    stopped = Some("not made: a command before it in the same answer failed");
                }
                results.push(agent.take_up(acted));
            }
        }
        let trip = agent.breakers.made(fates.into_iter());
        Ok((results, trip))
    }

    async fn make_group(
        &self,
        agent: &mut Agent,
        cause: Seq,
        group: &[Proposed],
        cancel: &Cancel,
    ) -> Result<Vec<Acted>, SessionError> {
        match group {
            [first, ..] if first.concurrency() == Concurrency::Delegation => {
                self.delegate_all(agent, cause, group, cancel).await
            }
            [Proposed::Call(call)] => Ok(vec![self.act(agent, cause, call, cancel).await?]),
            _ => self.act_side_by_side(agent, cause, group, cancel).await,
        }
    }

    /// Makes calls that change nothing at the same time. They are polled in their order, and up to its first wait each
    /// enters its request and its decision; their outcomes are entered in that order too, so that two runs of the same
    /// calls read alike.
    async fn act_side_by_side(
        &self,
        agent: &Agent,
        cause: Seq,
        group: &[Proposed],
        cancel: &Cancel,
    ) -> Result<Vec<Acted>, SessionError> {
        let mut running: Vec<BoxFuture<'_, _>> = Vec::with_capacity(group.len());
        for call in group {
            running.push(match call {
                Proposed::Call(call) => Box::pin(self.run_call(agent, cause, call, cancel)),
                Proposed::Malformed(call) => Box::pin(std::future::ready(Ok(Ran::Settled(Acted::of(malformed(call)))))),
            });
        }
        let mut running = stream::iter(running).buffered(READERS_MAX);
        let mut acted = Vec::with_capacity(group.len());
        for call in group {
            let Some(ran) = running.try_next().await? else { break };
            acted.push(match call {
                Proposed::Call(call) => self.finish_call(agent, call, ran).await?,
                Proposed::Malformed(call) => Acted::of(malformed(call)),
            });
        }
        Ok(acted)
    }
}

/// A command that failed leaves the folder in a state that the calls behind it were not proposed for; a read that failed
/// leaves it as it was.
fn is_failed_command(result: &CallResult) -> bool {
    result.tool == BASH.name
        && matches!(
            result.outcome,
            FinishOutcome::Error | FinishOutcome::Timeout | FinishOutcome::Unknown
        )
}

fn malformed(call: &MalformedCall) -> CallResult {
    CallResult {
        id: call.id.clone(),
        tool: call.tool.clone(),
        outcome: FinishOutcome::Error,
        content: format!("not made: {}", call.problem),
    }
}
