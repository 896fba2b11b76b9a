//! The 21 kinds of statement (statement-v1 §5).

use crate::code::codes;

codes! {
    /// What a statement says.
    Kind 20 {
        /// The ledger begins.
        LedgerOpened = 0 "ledger.opened",
        /// An instance or an approver becomes known.
        IdentityIntroduced = 1 "identity.introduced",
        /// Authority is delegated by a credential of its own.
        GrantIssued = 2 "grant.issued",
        /// Authority is withdrawn.
        GrantRevoked = 3 "grant.revoked",
        /// A policy layer takes effect.
        PolicyAdopted = 4 "policy.adopted",
        /// A task begins.
        RunStarted = 5 "run.started",
        /// A task ends.
        RunEnded = 6 "run.ended",
        /// A model is about to be called; what it may cost is reserved.
        ModelCalled = 7 "model.called",
        /// A model has answered.
        ModelAnswered = 8 "model.answered",
        /// An agent puts a question to an advisor.
        AdviceRequested = 9 "advice.requested",
        /// An advisor answers.
        AdviceGiven = 10 "advice.given",
        /// An agent wants to act.
        ActionRequested = 11 "action.requested",
        /// The gatekeeper decides on one request.
        DecisionMade = 12 "decision.made",
        /// A person's order answers an ask.
        ApprovalEntered = 13 "approval.entered",
        /// The executor tells what became of an action.
        ActionFinished = 14 "action.finished",
        /// Something worth knowing happened.
        SessionEvent = 15 "session.event",
        /// A payload was erased on record.
        PayloadErased = 16 "payload.erased",
        /// An instance stops and its keys are destroyed.
        InstanceStopped = 17 "instance.stopped",
        /// The ledger ends.
        LedgerClosed = 18 "ledger.closed",
        /// A ledger that lost its tail goes on.
        LedgerRecovered = 19 "ledger.recovered",
        /// Something crossed the boundary to another ledger.
        PeerNoted = 20 "peer.noted",
    }
}

/// Which signatures a kind carries: exactly these, never fewer, never more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SignatureSet {
    /// COSE_Sign1 with Ed25519.
    Ed25519,
    /// COSE_Sign with Ed25519, then ML-DSA-44.
    Hybrid,
}

impl Kind {
    /// The signature set fixed for this kind.
    #[must_use]
    pub const fn signatures(self) -> SignatureSet {
        match self {
            Self::LedgerOpened
            | Self::GrantRevoked
            | Self::PolicyAdopted
            | Self::InstanceStopped
            | Self::LedgerClosed
            | Self::LedgerRecovered => SignatureSet::Hybrid,
            _ => SignatureSet::Ed25519,
        }
    }

    /// The name in prose and JSON, such as `decision.made`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.as_str()
    }
}
