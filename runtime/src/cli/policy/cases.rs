//! `countersign policy test`: calls whose outcomes somebody wrote down, asked again (docs/guide-policy.md).

use std::io::{self, Write};

use countersign_identity::strict_json;
use countersign_schemas::body::Outcome;
use countersign_verifier::policy::{Call, LoadedLayer, evaluate};
use countersign_verifier::visible::visible;
use serde::Deserialize;
use serde_json::json;

use super::super::exit::{Exit, Failure};
use super::arguments::TestArguments;
use super::{load, name, read};

/// The `schema` member of a file of cases.
const SCHEMA: &str = "countersign.policy-test/v1";

/// Most cases of one file.
const CASES_MAX: usize = 10_000;

/// The most of a call that is shown, in characters.
const CALL_CHARS_MAX: usize = 200;

/// A file of cases.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    schema: String,
    cases: Vec<Case>,
}

/// A call and what policies have to say about it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// A line as an example has it.
    call: String,
    outcome: Expected,
    /// The rules that give the outcome, all of them; not looked at where it is left out.
    rules: Option<Vec<String>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Expected {
    Allow,
    Deny,
    Ask,
    CouldNotEvaluate,
}

impl Expected {
    const fn outcome(self) -> Outcome {
        match self {
            Self::Allow => Outcome::Allow,
            Self::Deny => Outcome::Deny,
            Self::Ask => Outcome::Ask,
            Self::CouldNotEvaluate => Outcome::CouldNotEvaluate,
        }
    }
}

/// A case with what policies say.
struct Tried<'c> {
    case: &'c Case,
    outcome: Outcome,
    rules: Vec<String>,
}

impl Tried<'_> {
    fn has_passed(&self) -> bool {
        let expected = self.case.rules.as_ref().map(|rules| {
            let mut rules = rules.clone();
            rules.sort_unstable();
            rules
        });
        self.outcome == self.case.outcome.outcome() && expected.is_none_or(|rules| rules == self.rules)
    }
}

/// Asks the built-in policies and those of the file about every case.
pub(super) fn run(arguments: &TestArguments) -> Result<Exit, Failure> {
    let text = read(&arguments.file)?;
    let file = load(arguments.layer.layer(), &arguments.file, &text)?;
    let named = name(&arguments.cases);
    let cases = parse(&named, &read(&arguments.cases)?)?;
    let builtin = LoadedLayer::builtin();
    let layers = [&*builtin, &file];
    let mut tried = Vec::with_capacity(cases.len());
    for (index, case) in cases.iter().enumerate() {
        let call = Call::parse(&case.call)
            .map_err(|error| Failure::caused(Exit::Environment, format!("{named}: case {}", index + 1), &error))?;
        let parts = evaluate(&layers, call.request(), call.person());
        tried.push(Tried {
            case,
            outcome: parts.outcome(),
            rules: parts.rules(),
        });
    }
    let mut out = io::stdout().lock();
    if arguments.json {
        writeln!(out, "{}", to_json(&tried))?;
    } else {
        tell(&mut out, &tried)?;
    }
    let all_passed = tried.iter().all(Tried::has_passed);
    Ok(if all_passed { Exit::Done } else { Exit::Failed })
}

fn parse(file: &str, text: &str) -> Result<Vec<Case>, Failure> {
    let refused = |problem: String| Failure::new(Exit::Environment, format!("{file}: {problem}"));
    let value =
        strict_json::parse(text.as_bytes()).map_err(|error| Failure::caused(Exit::Environment, file, &error))?;
    let cases: Cases =
        serde_json::from_value(value).map_err(|error| refused(visible(&error.to_string(), CALL_CHARS_MAX)))?;
    if cases.schema != SCHEMA {
        return Err(refused(format!("its schema is not {SCHEMA}")));
    }
    if cases.cases.is_empty() || cases.cases.len() > CASES_MAX {
        return Err(refused(format!(
            "it has {} cases, not 1 to {CASES_MAX}",
            cases.cases.len()
        )));
    }
    Ok(cases.cases)
}

fn tell(out: &mut impl Write, tried: &[Tried<'_>]) -> io::Result<()> {
    let mut failed = 0;
    for (index, one) in tried.iter().enumerate().filter(|(_, one)| !one.has_passed()) {
        failed += 1;
        let call = visible(&one.case.call, CALL_CHARS_MAX);
        let expected = said(one.case.outcome.outcome(), one.case.rules.as_deref());
        let found = said(one.outcome, Some(&one.rules));
        writeln!(out, "case {}: `{call}`: expected {expected}, found {found}", index + 1)?;
    }
    writeln!(out, "{} of {} cases passed", tried.len() - failed, tried.len())
}

/// `deny by 1/no-force`.
fn said(outcome: Outcome, rules: Option<&[String]>) -> String {
    match rules {
        None => outcome.to_string(),
        Some([]) => format!("{outcome} by no rule"),
        Some(rules) => format!("{outcome} by {}", visible(&rules.join(", "), CALL_CHARS_MAX)),
    }
}

fn to_json(tried: &[Tried<'_>]) -> serde_json::Value {
    let result = |one: &Tried<'_>| {
        json!({
            "call": one.case.call, "passed": one.has_passed(), "expected": one.case.outcome.outcome().as_str(),
            "outcome": one.outcome.as_str(), "rules": one.rules,
        })
    };
    let failed = tried.iter().filter(|one| !one.has_passed()).count();
    json!({
        "schema": "countersign.policy-test-result/v1",
        "cases": tried.len(),
        "failed": failed,
        "results": tried.iter().map(result).collect::<Vec<_>>(),
    })
}
