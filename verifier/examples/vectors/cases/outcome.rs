//! From parts to an outcome (authority-v1 §8.4).

use countersign_schemas::body::{Check, Part, PartOutcome};
use countersign_schemas::list::List;
use countersign_verifier::law::outcome;
use serde_json::{Value, json};

use super::Vector;

/// Every combination of two parts' outcomes beside an allowing grant, and a few that matter by themselves.
pub(super) fn all() -> Vec<Vector> {
    let mut combinations = Vec::new();
    for first in PartOutcome::ALL {
        for second in PartOutcome::ALL {
            combinations.push(vec![(Check::PermitLayers, *first), (Check::LowerLayers, *second)]);
        }
    }
    combinations.push(vec![(Check::Grant, PartOutcome::Neutral)]);
    combinations.push(vec![
        (Check::Grant, PartOutcome::Allow),
        (Check::Budget, PartOutcome::Allow),
        (Check::PermitLayers, PartOutcome::Ask),
        (Check::Availability, PartOutcome::Deny),
    ]);
    combinations.push(vec![
        (Check::Grant, PartOutcome::Deny),
        (Check::Budget, PartOutcome::Deny),
        (Check::PermitLayers, PartOutcome::CouldNotEvaluate),
    ]);
    let cases: Vec<Value> = combinations.iter().map(|parts| case(parts)).collect();
    let why = "could-not-evaluate, deny, ask, allow, whichever comes first; all neutral is deny";
    vec![Vector::new(
        "outcome",
        "combinations",
        "§8.4",
        why,
        json!({ "cases": cases }),
    )]
}

fn case(parts: &[(Check, PartOutcome)]) -> Value {
    let part = |(check, outcome): &(Check, PartOutcome)| Part {
        check: *check,
        outcome: *outcome,
        rules: List::new(Vec::new()).expect("no rules"),
    };
    let listed: Vec<Part> = parts.iter().map(part).collect();
    let shown: Vec<Value> = parts
        .iter()
        .map(|(check, outcome)| json!({ "check": check.as_str(), "outcome": outcome.as_str() }))
        .collect();
    json!({ "parts": shown, "outcome": outcome(&listed).as_str() })
}
