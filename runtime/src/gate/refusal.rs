//! A no, as the agent that asked gets to read it.

use std::fmt;

use countersign_schemas::body::{Outcome, Part, PartOutcome};
use countersign_schemas::number::Seq;

/// Why an action does not happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The decision.
    pub decision: Seq,
    /// What it says: deny, could-not-evaluate, or an ask that was not approved.
    pub outcome: Outcome,
    /// Each check that stood against it, with its rules.
    pub reasons: Vec<String>,
}

impl Refusal {
    /// The refusal of a decision whose parts say no.
    pub(super) fn of_parts(decision: Seq, outcome: Outcome, parts: &[Part]) -> Self {
        let against = |part: &&Part| matches!(part.outcome, PartOutcome::Deny | PartOutcome::CouldNotEvaluate);
        Self {
            decision,
            outcome,
            reasons: parts.iter().filter(against).map(reason).collect(),
        }
    }

    /// The refusal of an ask, for one reason.
    pub(super) fn of_ask(decision: Seq, reason: impl Into<String>) -> Self {
        Self {
            decision,
            outcome: Outcome::Ask,
            reasons: vec![reason.into()],
        }
    }
}

/// `grant (G3.tool)`.
fn reason(part: &Part) -> String {
    let rules: Vec<&str> = part.rules.iter().map(|rule| rule.as_str()).collect();
    if rules.is_empty() {
        part.check.to_string()
    } else {
        format!("{} ({})", part.check, rules.join(", "))
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = match self.outcome {
            Outcome::Ask => "not approved",
            Outcome::CouldNotEvaluate => "could not be evaluated, so denied",
            Outcome::Deny | Outcome::Allow => "denied",
        };
        write!(f, "{said} by decision {}: {}", self.decision, self.reasons.join("; "))
    }
}
