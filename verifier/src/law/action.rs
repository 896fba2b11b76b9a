//! What became of each request: the state behind rules D1 to D7.

use std::collections::{BTreeMap, BTreeSet};

use countersign_schemas::body::{Effects, Outcome};
use countersign_schemas::cbor::{DecodeError, Decoder, Encoder};
use countersign_schemas::digest::Digest;
use countersign_schemas::number::{Millis, Seq};
use countersign_schemas::payload::PayloadRef;
use countersign_schemas::text::Name;

use super::once_read::OnceRead;
use super::settled::{Places, Settled};
use super::snapshot_values::{Kept, kept, malformed};

/// One `action.requested`.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) author: Seq,
    pub(super) tool: Name,
    pub(super) effects: Effects,
    pub(super) arguments_ref: PayloadRef,
    /// The argument bytes, as long as a decision or an approval still needs them.
    pub(super) arguments: Option<Vec<u8>>,
    /// The entry whose grant it names.
    pub(super) grant: Seq,
    pub(super) received: Millis,
    pub(super) advised: bool,
    pub(super) digest: Digest,
    pub(super) decision: Option<Seq>,
    /// What it is about, as long as it waits for a decision.
    pub(super) subject: OnceRead,
}

kept!(Request {
    author,
    tool,
    effects,
    arguments_ref,
    arguments,
    grant,
    received,
    advised,
    digest,
    decision,
    subject
});

/// How a decision stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Denied, or could not be evaluated.
    Denied,
    /// Allowed, or an approved ask: may be executed once.
    Permitted,
    /// Waits for an approver.
    Asking,
    /// An ask that was refused, or that nobody answered.
    Lapsed,
    /// Executed, or given up.
    Finished,
}

impl Kept for Standing {
    fn keep(&self, to: &mut Encoder) {
        to.uint(match self {
            Self::Denied => 0,
            Self::Permitted => 1,
            Self::Asking => 2,
            Self::Lapsed => 3,
            Self::Finished => 4,
        });
    }
    fn restore(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        match from.uint53()? {
            0 => Ok(Self::Denied),
            1 => Ok(Self::Permitted),
            2 => Ok(Self::Asking),
            3 => Ok(Self::Lapsed),
            4 => Ok(Self::Finished),
            _ => malformed(from, "standing of a decision"),
        }
    }
}

/// One `decision.made`.
#[derive(Debug, Clone)]
pub(super) struct Decision {
    pub(super) request: Seq,
    pub(super) author: Seq,
    pub(super) expires: Millis,
    /// When the allow, or the answer to the ask, was received: nothing may have begun before.
    pub(super) permitted_at: Millis,
    pub(super) eligible: Vec<Seq>,
    pub(super) policies: Vec<Seq>,
    pub(super) digest: Digest,
    pub(super) standing: Standing,
    /// Who was introduced inside the action.
    pub(super) introduced: Option<Seq>,
    /// The `advice.requested` inside the action.
    pub(super) question: Option<Seq>,
}

kept!(Decision {
    request,
    author,
    expires,
    permitted_at,
    eligible,
    policies,
    digest,
    standing,
    introduced,
    question
});

/// All requests and decisions of the ledger: in full what is open, of the rest only where it stands.
#[derive(Debug, Default)]
pub(super) struct Actions {
    /// Requests without a decision, and those whose decision is open.
    pub(super) requests: BTreeMap<Seq, Request>,
    /// Decisions that wait for an approver or for an outcome.
    pub(super) decisions: BTreeMap<Seq, Decision>,
    /// Requests without a decision.
    pub(super) undecided: BTreeSet<Seq>,
    /// Decisions that wait for an approver.
    pub(super) asking: BTreeSet<Seq>,
    /// Decisions that may be executed and were not finished.
    pub(super) permitted: BTreeSet<Seq>,
    pub(super) settled: Settled,
}

kept!(Actions {
    requests,
    decisions,
    undecided,
    asking,
    permitted,
    settled
});

impl Actions {
    /// Enters a request.
    pub(super) fn open(&mut self, seq: Seq, request: Request) {
        self.requests.insert(seq, request);
        self.undecided.insert(seq);
    }

    /// Whether `request` is, or was, one of `author`.
    pub(super) fn is_requested_by(&self, request: Seq, author: Seq) -> bool {
        match self.requests.get(&request) {
            Some(open) => open.author == author,
            None => self.settled.requests.contains(author, request),
        }
    }

    /// How the decision at `seq` stands, if there is one.
    pub(super) fn standing(&self, seq: Seq) -> Option<Standing> {
        let is_settled = |places: &Places, standing| places.contains(seq).then_some(standing);
        let open = self.decisions.get(&seq).map(|decision| decision.standing);
        open.or_else(|| is_settled(&self.settled.finished, Standing::Finished))
            .or_else(|| is_settled(&self.settled.denied, Standing::Denied))
            .or_else(|| is_settled(&self.settled.lapsed, Standing::Lapsed))
    }

    /// Enters the decision on a request.
    pub(super) fn decide(&mut self, seq: Seq, decision: Decision) {
        self.undecided.remove(&decision.request);
        if let Some(request) = self.requests.get_mut(&decision.request) {
            request.decision = Some(seq);
            request.subject = OnceRead::default();
        }
        let standing = decision.standing;
        self.decisions.insert(seq, decision);
        self.settle(seq, standing);
    }

    /// An answer permits what was asked from `received` on.
    pub(super) fn permit_from(&mut self, seq: Seq, received: Millis) {
        if let Some(decision) = self.decisions.get_mut(&seq) {
            decision.permitted_at = received;
        }
    }

    /// Moves a decision on, and drops what no later rule needs.
    pub(super) fn settle(&mut self, seq: Seq, standing: Standing) {
        self.asking.remove(&seq);
        self.permitted.remove(&seq);
        match standing {
            Standing::Asking => {
                self.asking.insert(seq);
            }
            Standing::Permitted => self.permit(seq),
            Standing::Denied => self.forget(seq, |settled| settled.denied.insert(seq)),
            Standing::Lapsed => self.forget(seq, |settled| settled.lapsed.insert(seq)),
            Standing::Finished => self.forget(seq, |settled| settled.finished.insert(seq)),
        }
    }

    fn permit(&mut self, seq: Seq) {
        let Some(decision) = self.decisions.get_mut(&seq) else {
            return;
        };
        decision.standing = Standing::Permitted;
        decision.eligible = Vec::new();
        decision.policies = Vec::new();
        if let Some(request) = self.requests.get_mut(&decision.request) {
            request.arguments = None;
        }
        self.permitted.insert(seq);
    }

    fn forget(&mut self, seq: Seq, remember: impl FnOnce(&mut Settled)) {
        remember(&mut self.settled);
        let Some(decision) = self.decisions.remove(&seq) else {
            return;
        };
        if let Some(request) = self.requests.remove(&decision.request) {
            self.settled.requests.insert(request.author, decision.request);
        }
    }

    /// The permitted, unfinished action of `agent` with `tool` that was requested first and is still `free` at `now`.
    pub(super) fn permitted_for(
        &self,
        agent: Seq,
        tool: &str,
        now: Millis,
        free: impl Fn(&Decision) -> bool,
    ) -> Option<Seq> {
        let candidates = self
            .permitted
            .iter()
            .filter_map(|seq| Some((*seq, self.decisions.get(seq)?)));
        candidates
            .filter(|(_, decision)| decision.expires >= now && free(decision))
            .filter(|(_, decision)| {
                let request = self.requests.get(&decision.request);
                request.is_some_and(|request| request.author == agent && request.tool.as_str() == tool)
            })
            .min_by_key(|(_, decision)| decision.request)
            .map(|(seq, _)| seq)
    }
}

/// The standing that follows from an outcome.
pub(super) const fn standing_of(outcome: Outcome) -> Standing {
    match outcome {
        Outcome::Allow => Standing::Permitted,
        Outcome::Ask => Standing::Asking,
        Outcome::Deny | Outcome::CouldNotEvaluate => Standing::Denied,
    }
}
