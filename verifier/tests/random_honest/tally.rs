//! What the histories of a run reached: a property that nothing reaches shows nothing.

use std::collections::BTreeMap;

/// Fewest histories of which all of this can be asked.
const ASKED_FROM: u32 = 150;

/// What so many histories reach as good as certainly: verdicts, kinds, outcomes, denials by rule, what stays unproven.
const EXPECTED: [&str; 45] = [
    "verdict verified",
    "verdict incomplete",
    "identity.introduced",
    "grant.issued",
    "policy.adopted",
    "run.started",
    "run.ended",
    "model.called",
    "model.answered",
    "advice.requested",
    "advice.given",
    "action.requested",
    "decision.made",
    "approval.entered",
    "action.finished",
    "session.event",
    "instance.stopped",
    "ledger.closed",
    "ledger.recovered",
    "grant.revoked",
    "outcome allow",
    "outcome ask",
    "outcome deny",
    "outcome could-not-evaluate",
    "rule G1",
    "rule G3.tool",
    "rule G3.effect",
    "rule G3.path",
    "rule G3.host",
    "rule G6.calls",
    "rule G8",
    "rule projection",
    "rule protected",
    "rule silent",
    "rule no-look",
    "rule 0/forbid-own",
    "approval given",
    "put away",
    "head",
    "unproven C1",
    "unproven C2",
    "unproven C3",
    "unproven I9",
    "unproven D4a",
    "unproven D10",
];

/// How often something was reached.
#[derive(Debug, Default)]
pub(super) struct Tally(BTreeMap<String, u64>);

impl Tally {
    pub(super) fn count(&mut self, what: impl Into<String>) {
        *self.0.entry(what.into()).or_default() += 1;
    }

    pub(super) fn add(&mut self, other: &Self) {
        for (what, times) in &other.0 {
            *self.0.entry(what.clone()).or_default() += times;
        }
    }

    /// Asserts that enough histories reached everything that they should.
    pub(super) fn assert_reached(&self, histories: u32) {
        if histories < ASKED_FROM {
            return;
        }
        let missing: Vec<&str> = EXPECTED
            .into_iter()
            .filter(|what| !self.0.contains_key(*what))
            .collect();
        assert!(missing.is_empty(), "no history reached {missing:?}: {self:#?}");
    }
}
