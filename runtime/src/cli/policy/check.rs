//! `countersign policy check`: everything that is wrong with a policy file, and what is hardly meant.

use std::io::{self, Write};

use countersign_verifier::policy::{Inspection, PolicyError, Warning, inspect};
use serde_json::{Value, json};

use super::super::exit::{Exit, Failure};
use super::arguments::CheckArguments;
use super::{name, read};

/// Most problems, and most warnings, that are told of one file: a broken text can have as many as it has policies.
const TOLD_MAX: usize = 100;

/// Inspects every file; all of them can be read, or nothing is said.
pub(super) fn run(arguments: &CheckArguments) -> Result<Exit, Failure> {
    let mut inspected = Vec::new();
    for path in &arguments.files {
        inspected.push((name(path), inspect(&read(path)?)));
    }
    let mut out = io::stdout().lock();
    if arguments.json {
        let files: Vec<Value> = inspected.iter().map(|(file, found)| to_json(file, found)).collect();
        writeln!(
            out,
            "{}",
            json!({ "schema": "countersign.policy-check/v1", "files": files })
        )?;
    } else {
        for (file, found) in &inspected {
            tell(&mut out, file, found)?;
        }
    }
    let all_valid = inspected.iter().all(|(_, found)| found.problems.is_empty());
    Ok(if all_valid { Exit::Done } else { Exit::Failed })
}

fn tell(out: &mut impl Write, file: &str, found: &Inspection) -> io::Result<()> {
    for problem in found.problems.iter().take(TOLD_MAX) {
        writeln!(out, "{file}: {problem}")?;
    }
    for warning in found.warnings.iter().take(TOLD_MAX) {
        let Warning {
            line,
            column,
            policy,
            text,
            ..
        } = warning;
        writeln!(
            out,
            "{file}: warning: line {line}, column {column}: policy {policy}: {text}"
        )?;
    }
    let warnings = match found.warnings.len() {
        0 => String::new(),
        count => format!(", {}", counted(count, "warning")),
    };
    match found.problems.len() {
        0 => {
            let policies = match found.policies {
                1 => "1 policy".to_owned(),
                count => format!("{count} policies"),
            };
            writeln!(
                out,
                "{file}: valid: {policies}, {} hold{warnings}",
                counted(found.examples, "example")
            )
        }
        count => writeln!(
            out,
            "{file}: invalid: {}{warnings}; no run would begin",
            counted(count, "problem")
        ),
    }
}

fn counted(count: usize, word: &str) -> String {
    if count == 1 {
        format!("1 {word}")
    } else {
        format!("{count} {word}s")
    }
}

fn to_json(file: &str, found: &Inspection) -> Value {
    let problem = |problem: &PolicyError| {
        json!({
            "code": problem.code(), "line": problem.line(), "column": problem.column(), "policy": problem.policy(),
            "text": problem.to_string(),
        })
    };
    let warning = |warning: &Warning| {
        json!({
            "code": warning.code, "line": warning.line, "column": warning.column, "policy": warning.policy,
            "text": warning.text,
        })
    };
    json!({
        "file": file,
        "valid": found.problems.is_empty(),
        "policies": found.policies,
        "examples": found.examples,
        "problems": found.problems.iter().take(TOLD_MAX).map(problem).collect::<Vec<_>>(),
        "warnings": found.warnings.iter().take(TOLD_MAX).map(warning).collect::<Vec<_>>(),
    })
}
