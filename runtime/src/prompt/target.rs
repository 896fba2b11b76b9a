//! How long and how often: every number that a prompt gives, in one table.
//!
//! Texts name a target by its constant and never by a number of their own, so that what agents are told can be read
//! here, compared with what they do, and changed in one place.

use std::fmt;

use serde_json::{Value, json};

use crate::kind::AgentKind;

/// The most of something that an agent is told to keep to. It binds the model's style only: nothing is cut off by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// What it limits.
    pub name: &'static str,
    /// The most of it.
    pub most: usize,
    /// What is counted.
    pub unit: &'static str,
}

impl Target {
    const fn new(name: &'static str, most: usize, unit: &'static str) -> Self {
        Self { name, most, unit }
    }

    /// The target as JSON: `name`, `most`, `unit`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({ "name": self.name, "most": self.most, "unit": self.unit })
    }
}

/// The number and what it counts, as a prompt says it: `25 words`.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.most, self.unit)
    }
}

/// One or two short sentences: what comes next and why. A person follows these; the calls say the rest.
pub(super) const BETWEEN_CALLS: Target = Target::new("text between calls", 25, "words");
/// Half a screen. What a person reads to the end.
pub(super) const FINAL_REPORT: Target = Target::new("final report", 15, "lines");
/// Longer plans are two tasks, or describe the obvious.
pub(super) const PLAN_STEPS: Target = Target::new("steps of a plan", 12, "steps");
/// A plan of the most steps, with files, check and risks.
pub(super) const PLAN_REPORT: Target = Target::new("report of a plan agent", 40, "lines");
/// A report stays in its parent's context to the end; one this long costs about as much as one file that was read.
pub(super) const EXPLORE_REPORT: Target = Target::new("report of an explore agent", 20, "lines");
/// A line or two for each check, and what decides.
pub(super) const VERIFY_REPORT: Target = Target::new("report of a verify agent", 25, "lines");
/// Enough for an error with its place; the whole lies in the ledger.
pub(super) const QUOTED_OUTPUT: Target = Target::new("output quoted of one check", 10, "lines");
/// As the final report: its reader is an agent that has to act on it.
pub(super) const GENERAL_REPORT: Target = Target::new("report of a general agent", 15, "lines");
/// A recommendation, its reason, its risk.
pub(super) const ADVICE: Target = Target::new("advice", 8, "lines");
/// The second time the same thing fails, repeating it is no experiment any more.
pub(super) const SAME_FAILURE: Target = Target::new("the same failure in a row", 2, "times");
/// A fault that two repairs have not mended was not understood.
pub(super) const REPAIR_ROUNDS: Target = Target::new("repairs of one failed gate", 2, "repair rounds");
/// The session enforces it; the prompt says it so that nobody plans for more.
pub(super) const SIDE_BY_SIDE: Target = Target::new("agents at the same time", AgentKind::SIDE_BY_SIDE_MAX, "agents");
/// As above.
pub(super) const CHILDREN: Target = Target::new("agents of one agent in a run", AgentKind::CHILDREN_MAX, "in a run");

/// Every target there is.
pub const TARGETS: [Target; 13] = [
    BETWEEN_CALLS,
    FINAL_REPORT,
    PLAN_STEPS,
    PLAN_REPORT,
    EXPLORE_REPORT,
    VERIFY_REPORT,
    QUOTED_OUTPUT,
    GENERAL_REPORT,
    ADVICE,
    SAME_FAILURE,
    REPAIR_ROUNDS,
    SIDE_BY_SIDE,
    CHILDREN,
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_target_is_a_number_of_something_under_a_name_of_its_own() {
        let names: BTreeSet<_> = TARGETS.iter().map(|target| target.name).collect();
        assert_eq!(names.len(), TARGETS.len());
        for target in TARGETS {
            assert!(target.most > 0 && !target.unit.is_empty(), "{target:?}");
        }
    }

    #[test]
    fn limits_of_the_session_are_said_as_they_are_enforced() {
        assert_eq!(
            SIDE_BY_SIDE.to_string(),
            format!("{} agents", AgentKind::SIDE_BY_SIDE_MAX)
        );
        assert_eq!(CHILDREN.most, AgentKind::CHILDREN_MAX);
    }

    #[test]
    fn target_as_json_says_what_is_limited_to_what() {
        let expected = json!({ "name": "text between calls", "most": 25, "unit": "words" });
        assert_eq!(BETWEEN_CALLS.to_json(), expected);
    }
}
