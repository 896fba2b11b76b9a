//! Everything there is to say about a policy text before anybody relies on it: what makes it unusable, and what its author
//! hardly meant.

use std::collections::HashMap;
use std::str::FromStr;

use cedar_policy::{Effect, Policy, PolicyId, PolicySet, ValidationMode, Validator};
use countersign_schemas::body::PolicyLayer;

use super::source::{self, PolicySource};
use super::texts::{is_rule_name, name_of};
use super::{ENTITIES, LoadedLayer, PARSED_SCHEMA, PolicyError, SCHEMA};
use super::{bounds, examples, message_about, place, syntax_error, template_error, validation_error};

/// Annotations that mean something here.
const ANNOTATIONS: [&str; 6] = ["id", "decision", "default", "reason", "matches", "matches_not"];

/// What an inspection found.
#[derive(Debug, Default)]
pub struct Inspection {
    /// How many policies the text holds, as far as it can be parsed.
    pub policies: usize,
    /// How many examples they carry.
    pub examples: usize,
    /// Why the text cannot be used; nothing where it can.
    pub problems: Vec<PolicyError>,
    /// What can be used and is hardly meant.
    pub warnings: Vec<Warning>,
}

/// Something that its author hardly meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// A stable word: `no-id`, `bad-id`, `duplicate-id`, `unknown-annotation`, `decision-unknown`, `decision-on-forbid`,
    /// `default-unused`, or `cedar` for what Cedar's validator says.
    pub code: &'static str,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The `@id` of the policy, or `policyN`.
    pub policy: String,
    /// What it is.
    pub text: String,
}

/// Inspects `text` as [`LoadedLayer::load_with_examples`] loads it, and goes on where that stops at the first problem. A
/// text that has no problem here loads and holds a policy; one that has one does not.
#[must_use]
pub fn inspect(text: &str) -> Inspection {
    let mut found = Inspection::default();
    if let Err(error) = bounds::check(text) {
        found.problems.push(error.into());
        return found;
    }
    let set = match PolicySet::from_str(text) {
        Ok(set) => set,
        Err(errors) => {
            found
                .problems
                .extend(errors.iter().map(|error| syntax_error(text, error)));
            return found;
        }
    };
    found.policies = set.num_of_policies();
    found.problems.extend(template_error(text, &set));
    if found.problems.is_empty() && set.is_empty() {
        found.problems.push(PolicyError::Empty);
    }
    if !found.problems.is_empty() {
        return found;
    }
    found.validate(text, &set);
    found.examine(&set, &source::policies(text));
    if found.problems.is_empty() {
        found.try_examples(text);
    }
    found.warnings.sort_by_key(|warning| (warning.line, warning.column));
    found
}

impl Inspection {
    fn validate(&mut self, text: &str, set: &PolicySet) {
        let result = Validator::new(PARSED_SCHEMA.clone()).validate(set, ValidationMode::Strict);
        let errors = result.validation_errors();
        self.problems
            .extend(errors.map(|error| validation_error(text, set, error)));
        let warnings = result.validation_warnings().map(|warning| {
            let (line, column) = place(text, warning);
            Warning {
                code: "cedar",
                line,
                column,
                policy: set.policy(warning.policy_id()).map_or_else(String::new, name_of),
                text: message_about(warning.policy_id(), warning),
            }
        });
        self.warnings.extend(warnings);
    }

    /// Looks at what Cedar leaves to whoever uses it.
    fn examine(&mut self, set: &PolicySet, sources: &[PolicySource<'_>]) {
        let mut first_of: HashMap<&str, usize> = HashMap::new();
        for (position, source) in sources.iter().enumerate() {
            let Some(policy) = set.policy(&PolicyId::new(format!("policy{position}"))) else {
                continue;
            };
            let odd = odd_id(policy).into_iter().chain(odd_annotations(policy));
            let remarks: Vec<(&'static str, String)> = odd.collect();
            self.warnings
                .extend(remarks.into_iter().map(|remark| warning(source, policy, remark)));
            let Some(id) = policy.annotation("id") else {
                continue;
            };
            if let Some(line) = first_of.get(id) {
                let text = format!("the policy on line {line} has this @id too; a decision names both with it");
                self.warnings.push(warning(source, policy, ("duplicate-id", text)));
            } else {
                first_of.insert(id, source.line);
            }
        }
    }

    fn try_examples(&mut self, text: &str) {
        match LoadedLayer::load(PolicyLayer::File, text, SCHEMA, ENTITIES) {
            Ok(layer) => {
                let checked = examples::check(&layer, text);
                self.examples = checked.count;
                self.problems
                    .extend(checked.errors.into_iter().map(|error| Box::new(error).into()));
            }
            Err(error) => self.problems.push(error),
        }
    }
}

fn warning(source: &PolicySource<'_>, policy: &Policy, (code, text): (&'static str, String)) -> Warning {
    Warning {
        code,
        line: source.line,
        column: source.column,
        policy: name_of(policy),
        text,
    }
}

fn odd_id(policy: &Policy) -> Option<(&'static str, String)> {
    match policy.annotation("id") {
        None => Some((
            "no-id",
            format!(
                "it has no @id: decisions name it {}, by its place in the file",
                policy.id()
            ),
        )),
        Some(id) if !is_rule_name(id) => {
            let rule = "an @id has 1 to 62 letters, digits and ._:/@+-";
            Some(("bad-id", format!("{rule}; decisions name this one {}", policy.id())))
        }
        Some(_) => None,
    }
}

fn odd_annotations(policy: &Policy) -> Vec<(&'static str, String)> {
    let mut odd = Vec::new();
    for (name, value) in policy.annotations() {
        let remark = match (name, value) {
            ("decision", _) if policy.effect() == Effect::Forbid => (
                "decision-on-forbid",
                "@decision means nothing on a forbid, which denies".to_owned(),
            ),
            ("decision", "ask") => continue,
            ("decision", _) => (
                "decision-unknown",
                "@decision(\"ask\") is the only one; with another word a permit allows without asking".to_owned(),
            ),
            ("default", _) => (
                "default-unused",
                "@default takes effect in the built-in layer only".to_owned(),
            ),
            (name, _) if ANNOTATIONS.contains(&name) => continue,
            (name, _) => (
                "unknown-annotation",
                format!("@{name} means nothing here; known are {}", ANNOTATIONS.join(", ")),
            ),
        };
        odd.push(remark);
    }
    odd
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(text: &str) -> Vec<&'static str> {
        inspect(text).warnings.iter().map(|warning| warning.code).collect()
    }

    /// Line and column of every problem.
    fn places(text: &str) -> Vec<(Option<usize>, Option<usize>)> {
        let problems = inspect(text).problems;
        problems
            .iter()
            .map(|problem| (problem.line(), problem.column()))
            .collect()
    }

    #[test]
    fn good_text_has_nothing_to_be_told() {
        let text = "@id(\"a\") @reason(\"r\") @decision(\"ask\") @matches(\"read a\\nlist b\")\n\
                    permit (principal, action in Action::\"observe\", resource);";
        let found = inspect(text);
        assert!(found.problems.is_empty() && found.warnings.is_empty(), "{found:?}");
        assert_eq!((found.policies, found.examples), (1, 2));
    }

    #[test]
    fn every_problem_is_found_with_its_place() {
        let text = "@id(\"a\") permit (principal, action, resource) when { context.no };\n\
                    @id(\"b\") permit (principal, action, resource)\n  when { resource.command == 1 };";
        let found = inspect(text);
        assert!(found.problems.len() >= 2, "{found:?}");
        let lines: Vec<Option<usize>> = found.problems.iter().map(PolicyError::line).collect();
        assert!(lines.contains(&Some(1)) && lines.contains(&Some(3)), "{found:?}");
        assert_eq!(
            places("permit (principal, action, resource)\nwhen { ( };"),
            [(Some(2), Some(10))]
        );
        assert_eq!(places(&"(".repeat(99)), [(Some(1), None)]);
        assert_eq!(
            places("\n  @id(\"t\") permit (principal == ?principal, action, resource);"),
            [(Some(2), Some(3))]
        );
    }

    #[test]
    fn text_that_would_deny_everything_is_a_problem() {
        assert!(matches!(inspect("// nothing\n").problems[..], [PolicyError::Empty]));
    }

    #[test]
    fn examples_that_do_not_hold_are_problems() {
        let text = "@id(\"a\") @matches(\"read a\\nbash x\")\n\
                    permit (principal, action in Action::\"change\", resource);";
        let found = inspect(text);
        assert_eq!((found.problems.len(), found.examples), (2, 2), "{found:?}");
        assert_eq!(found.problems[0].policy(), Some("a"));
    }

    #[test]
    fn what_nobody_meant_is_a_warning() {
        let all = "(principal, action, resource)";
        for (text, codes_expected) in [
            (format!("permit {all};"), vec!["no-id"]),
            (format!("@id(\"a b\") permit {all};"), vec!["bad-id"]),
            (
                format!("@id(\"a\") permit {all};\n@id(\"a\") forbid {all};"),
                vec!["duplicate-id"],
            ),
            (
                format!("@id(\"a\") @decison(\"ask\") permit {all};"),
                vec!["unknown-annotation"],
            ),
            (
                format!("@id(\"a\") @decision(\"Ask\") permit {all};"),
                vec!["decision-unknown"],
            ),
            (
                format!("@id(\"a\") @decision(\"ask\") forbid {all};"),
                vec!["decision-on-forbid"],
            ),
            (
                format!("@id(\"a\") @default(\"yes\") permit {all};"),
                vec!["default-unused"],
            ),
            (format!("@id(\"a\") permit {all} when {{ false }};"), vec!["cedar"]),
        ] {
            assert_eq!(codes(&text), codes_expected, "{text}");
            assert!(inspect(&text).problems.is_empty(), "{text}");
        }
    }

    #[test]
    fn policy_that_no_request_can_meet_is_a_warning_with_its_place() {
        let text = "\n@id(\"never\")\npermit (principal, action == Action::\"bash\", resource is File);";
        let found = inspect(text);
        assert!(found.problems.is_empty(), "{found:?}");
        assert_eq!(
            (found.warnings[0].code, found.warnings[0].policy.as_str()),
            ("cedar", "never")
        );
        assert!(found.warnings[0].line >= 2, "{found:?}");
    }
}
