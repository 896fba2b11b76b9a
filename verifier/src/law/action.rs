//! What became of each request: the state behind rules D1 to D7.

use std::collections::{BTreeMap, BTreeSet};

use countersign_schemas::body::{Effects, Outcome};
use countersign_schemas::digest::Digest;
use countersign_schemas::number::{Millis, Seq};
use countersign_schemas::payload::PayloadRef;
use countersign_schemas::text::Name;

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
}

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

/// All requests and decisions of the ledger.
#[derive(Debug, Default)]
pub(super) struct Actions {
    pub(super) requests: BTreeMap<Seq, Request>,
    pub(super) decisions: BTreeMap<Seq, Decision>,
    /// Requests without a decision.
    pub(super) undecided: BTreeSet<Seq>,
    /// Decisions that wait for an approver.
    pub(super) asking: BTreeSet<Seq>,
    /// Decisions that may be executed and were not finished.
    pub(super) permitted: BTreeSet<Seq>,
}

impl Actions {
    /// Enters a request.
    pub(super) fn open(&mut self, seq: Seq, request: Request) {
        self.requests.insert(seq, request);
        self.undecided.insert(seq);
    }

    /// Enters the decision on a request.
    pub(super) fn decide(&mut self, seq: Seq, decision: Decision) {
        self.undecided.remove(&decision.request);
        if let Some(request) = self.requests.get_mut(&decision.request) {
            request.decision = Some(seq);
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
        let Some(decision) = self.decisions.get_mut(&seq) else {
            return;
        };
        decision.standing = standing;
        self.asking.remove(&seq);
        self.permitted.remove(&seq);
        match standing {
            Standing::Asking => {
                self.asking.insert(seq);
                return;
            }
            Standing::Permitted => {
                self.permitted.insert(seq);
            }
            Standing::Denied | Standing::Lapsed | Standing::Finished => {}
        }
        decision.eligible = Vec::new();
        decision.policies = Vec::new();
        if let Some(request) = self.requests.get_mut(&decision.request) {
            request.arguments = None;
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
