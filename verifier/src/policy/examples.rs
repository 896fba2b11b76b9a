//! Examples that policies carry, `@matches("…")` and `@matches_not("…")`: calls that a policy must or must not be about
//! (docs/guide-policy.md).
//!
//! They are checked where a person's file is loaded. The law does not look at them: a layer means the same with them and
//! without, and `verify` checks none.

use cedar_policy::{Policy, PolicyId};
use thiserror::Error;

use super::call::{Call, CallError};
use super::engine::Question;
use super::source::{self, PolicySource};
use super::{Content, LoadedLayer};
use crate::visible::visible;

/// Most examples of one policy.
pub const OF_ONE_POLICY_MAX: usize = 64;

/// Most examples of one file: so many take about half a second of a build without optimisation, whenever the file is loaded.
pub const OF_ONE_FILE_MAX: usize = 4_096;

/// The most of an example that an error shows, in characters.
const SHOWN_CHARS_MAX: usize = 160;

/// An annotation that holds examples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Claim {
    Matches,
    MatchesNot,
}

impl Claim {
    const fn annotation(self) -> &'static str {
        match self {
            Self::Matches => "matches",
            Self::MatchesNot => "matches_not",
        }
    }
}

/// An example that does not hold.
#[derive(Debug, Error)]
#[error("line {line}: policy {policy}: @{annotation}: {}: {}", shown(example), visible(&problem.told(), SHOWN_CHARS_MAX))]
pub struct ExampleError {
    /// The line of the file it stands on, from 1.
    pub line: usize,
    /// The policy that claims it: its `@id`, or `policyN`.
    pub policy: String,
    /// `matches` or `matches_not`.
    pub annotation: &'static str,
    /// The example as it is written; empty where it is about all of them.
    pub example: String,
    /// What is wrong, which the error tells with everything behind it.
    pub problem: ExampleProblem,
}

/// What is wrong with an example.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ExampleProblem {
    /// It is no call.
    #[error("it is no call")]
    NoCall(#[from] CallError),
    /// The policy is not about a call that it must be about.
    #[error("the policy must apply to this call, and does not")]
    DoesNotApply,
    /// The policy is about a call that it must not be about.
    #[error("the policy must not apply to this call, and does")]
    Applies,
    /// The policy fails with the call, so that every decision on it would.
    #[error("the policy fails with this call: {0}")]
    Fails(String),
    /// The annotation holds none.
    #[error("it holds no example")]
    None,
    /// More than [`OF_ONE_POLICY_MAX`].
    #[error("one policy has more than {OF_ONE_POLICY_MAX} examples")]
    TooManyOfPolicy,
    /// More than [`OF_ONE_FILE_MAX`].
    #[error("the file has more than {OF_ONE_FILE_MAX} examples")]
    TooManyOfFile,
}

impl ExampleProblem {
    /// With everything behind it.
    fn told(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(source) = cause {
            let reason = source.to_string();
            if !text.ends_with(&reason) {
                text.push_str(": ");
                text.push_str(&reason);
            }
            cause = source.source();
        }
        text
    }
}

fn shown(example: &str) -> String {
    format!("`{}`", visible(example, SHOWN_CHARS_MAX))
}

/// The examples of a layer, checked.
#[derive(Debug, Default)]
pub(super) struct Checked {
    /// How many there are.
    pub(super) count: usize,
    /// Those that do not hold, in the order of the policies.
    pub(super) errors: Vec<ExampleError>,
}

/// Checks every example of `layer`, which was loaded from `text`.
pub(super) fn check(layer: &LoadedLayer, text: &str) -> Checked {
    let mut checked = Checked::default();
    let Content::Policies(texts) = &layer.content else {
        return checked;
    };
    for (position, source) in source::policies(text).iter().enumerate() {
        let Some(policy) = texts.all().policy(&PolicyId::new(format!("policy{position}"))) else {
            continue;
        };
        let named = &texts.told(policy.id()).name;
        let of_policy = Examples {
            layer,
            policy,
            source,
            named,
        };
        of_policy.check(&mut checked);
        if checked.count > OF_ONE_FILE_MAX {
            let whole = Written {
                line: source.line,
                text: "",
            };
            checked
                .errors
                .push(of_policy.error(Claim::Matches, &whole, ExampleProblem::TooManyOfFile));
            return checked;
        }
    }
    checked
}

/// The examples of one policy.
struct Examples<'a> {
    layer: &'a LoadedLayer,
    policy: &'a Policy,
    source: &'a PolicySource<'a>,
    named: &'a str,
}

/// One line of an annotation's value.
struct Written<'v> {
    line: usize,
    text: &'v str,
}

impl Examples<'_> {
    fn check(&self, checked: &mut Checked) {
        let mut of_policy = 0;
        for claim in [Claim::Matches, Claim::MatchesNot] {
            let Some(value) = self.policy.annotation(claim.annotation()) else {
                continue;
            };
            let written = self.written(claim, value);
            of_policy += written.len();
            checked.count += written.len();
            if let Some(problem) = unfit(of_policy, written.len()) {
                let whole = Written {
                    line: self.line_of(claim),
                    text: "",
                };
                checked.errors.push(self.error(claim, &whole, problem));
                continue;
            }
            let failing = written.iter().filter_map(|example| {
                let problem = self.problem(claim, example.text)?;
                Some(self.error(claim, example, problem))
            });
            checked.errors.extend(failing);
        }
    }

    fn problem(&self, claim: Claim, example: &str) -> Option<ExampleProblem> {
        let call = match Call::parse(example) {
            Ok(call) => call,
            Err(error) => return Some(error.into()),
        };
        match (claim, applies(self.layer, self.policy, &call)) {
            (_, Err(failure)) => Some(ExampleProblem::Fails(failure)),
            (Claim::Matches, Ok(false)) => Some(ExampleProblem::DoesNotApply),
            (Claim::MatchesNot, Ok(true)) => Some(ExampleProblem::Applies),
            (Claim::Matches, Ok(true)) | (Claim::MatchesNot, Ok(false)) => None,
        }
    }

    fn error(&self, claim: Claim, written: &Written<'_>, problem: ExampleProblem) -> ExampleError {
        ExampleError {
            line: written.line,
            policy: self.named.to_owned(),
            annotation: claim.annotation(),
            example: written.text.to_owned(),
            problem,
        }
    }

    fn line_of(&self, claim: Claim) -> usize {
        let annotation = self.source.annotation(claim.annotation());
        annotation.map_or(self.source.line, |(line, _)| line)
    }

    /// The examples of `value`, each with its line in the file.
    fn written<'v>(&self, claim: Claim, value: &'v str) -> Vec<Written<'v>> {
        let annotation = self.source.annotation(claim.annotation());
        let lines = annotation.map_or_else(Vec::new, |(line, literal)| lines_of_literal(line, literal));
        let line = |index: usize| lines.get(index).copied().unwrap_or_else(|| self.line_of(claim));
        let each = value.split('\n').enumerate();
        each.map(|(index, text)| Written {
            line: line(index),
            text: text.trim(),
        })
        .filter(|written| !written.text.is_empty())
        .collect()
    }
}

fn unfit(of_policy: usize, of_annotation: usize) -> Option<ExampleProblem> {
    if of_annotation == 0 {
        Some(ExampleProblem::None)
    } else if of_policy > OF_ONE_POLICY_MAX {
        Some(ExampleProblem::TooManyOfPolicy)
    } else {
        None
    }
}

/// For each line of the value of `literal`, which begins on `first`, the line of the file: `\n` ends a line of the value
/// only, a real line end one of both.
fn lines_of_literal(first: usize, literal: &str) -> Vec<usize> {
    let mut line = first;
    let mut lines = vec![first];
    let mut characters = literal.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' if characters.next() == Some('n') => lines.push(line),
            '\n' => {
                line += 1;
                lines.push(line);
            }
            _ => {}
        }
    }
    lines
}

/// Whether scope and conditions of `policy` alone hold for `call`.
fn applies(layer: &LoadedLayer, policy: &Policy, call: &Call) -> Result<bool, String> {
    match Question::new(call.request(), call.person(), &[layer]) {
        Some(question) => question.satisfies(policy),
        None => Err("Cedar cannot hold the call".to_owned()),
    }
}

#[cfg(test)]
#[path = "examples_tests.rs"]
mod tests;
