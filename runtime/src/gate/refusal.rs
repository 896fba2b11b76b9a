//! A no, as the agent that asked gets to read it.

use std::fmt;

use countersign_schemas::body::{Outcome, Part, PartOutcome};
use countersign_schemas::number::Seq;
use countersign_schemas::text::Name;

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
    /// The refusal of a decision whose parts say no; `why` gives what the author of a rule says of it, fit to be shown.
    pub(super) fn of_parts(
        decision: Seq,
        outcome: Outcome,
        parts: &[Part],
        why: impl Fn(&str) -> Option<String>,
    ) -> Self {
        let against = |part: &&Part| matches!(part.outcome, PartOutcome::Deny | PartOutcome::CouldNotEvaluate);
        Self {
            decision,
            outcome,
            reasons: parts.iter().filter(against).map(|part| reason(part, &why)).collect(),
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

/// `grant (G3.tool)`, or `permit-layers (1/no-force: others build on it)`.
fn reason(part: &Part, why: &impl Fn(&str) -> Option<String>) -> String {
    let told = |rule: &Name| match why(rule.as_str()) {
        Some(why) => format!("{rule}: {why}"),
        None => rule.to_string(),
    };
    let rules: Vec<String> = part.rules.iter().map(told).collect();
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

#[cfg(test)]
mod tests {
    use countersign_schemas::body::Check;
    use countersign_schemas::list::List;

    use super::*;

    type Checked<T = ()> = Result<T, Box<dyn std::error::Error>>;

    fn part(check: Check, outcome: PartOutcome, rules: &[&str]) -> Checked<Part> {
        let rules: Vec<Name> = rules.iter().map(|rule| Name::new(*rule)).collect::<Result<_, _>>()?;
        let rules = List::new(rules)?;
        Ok(Part { check, outcome, rules })
    }

    #[test]
    fn rules_that_deny_are_told_with_what_their_author_says() -> Checked {
        let parts = [
            part(Check::Grant, PartOutcome::Allow, &[])?,
            part(Check::PermitLayers, PartOutcome::Deny, &["0/forbid-own", "1/no-force"])?,
            part(Check::LowerLayers, PartOutcome::Neutral, &["5/other"])?,
        ];
        let why = |rule: &str| (rule != "0/forbid-own").then(|| "others build on it".to_owned());
        let refusal = Refusal::of_parts(Seq::ZERO, Outcome::Deny, &parts, why);
        assert_eq!(
            refusal.to_string(),
            "denied by decision 0: permit-layers (0/forbid-own, 1/no-force: others build on it)"
        );
        Ok(())
    }
}
