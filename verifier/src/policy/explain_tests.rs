use std::error::Error;

use countersign_schemas::body::PolicyLayer;

use super::*;
use crate::policy::{BUILTIN_LAYER0, Call};

type Checked<T = ()> = Result<T, Box<dyn Error>>;

const PUSHES: &str = r#"// Ours.
@id("bash") permit (principal, action == Action::"bash", resource);
@id("no-force") @reason("others build on it")
forbid (principal, action == Action::"bash", resource)
when { resource.command like "*--force*" };
@id("attended") forbid (principal, action, resource) when { context.mode == "headless" };
"#;

/// What layer 0 and `text`, as this layer, say of `line`.
fn explained(layer: PolicyLayer, text: &str, line: &str) -> Checked<Explanation> {
    let (call, builtin) = (Call::parse(line)?, LoadedLayer::builtin());
    let above = LoadedLayer::load_with_examples(layer, text)?;
    let layers = [
        WrittenLayer {
            loaded: &builtin,
            text: BUILTIN_LAYER0,
        },
        WrittenLayer { loaded: &above, text },
    ];
    Ok(explain(&layers, call.request(), call.person()))
}

fn organisation(line: &str) -> Checked<Explanation> {
    explained(PolicyLayer::Organisation, PUSHES, line)
}

fn names(explanation: &Explanation) -> Vec<&str> {
    explanation.rules.iter().map(|rule| rule.name.as_str()).collect()
}

fn has(explanation: &Explanation, what: Difference, outcome: Outcome) -> bool {
    explanation.changes.contains(&Change { what, outcome })
}

fn without(name: &str) -> Difference {
    Difference::Without(name.to_owned())
}

#[test]
fn denial_names_its_rule_with_text_place_and_reason() -> Checked {
    let explanation = organisation("bash git push --force")?;
    assert_eq!(explanation.outcome, Outcome::Deny);
    let [rule] = &explanation.rules[..] else {
        return Err(format!("{explanation:?}").into());
    };
    assert_eq!(
        (rule.name.as_str(), rule.effect, rule.line),
        ("1/no-force", "forbid", 3)
    );
    assert!(
        rule.text.starts_with("@id(\"no-force\")") && rule.text.ends_with("};"),
        "{rule:?}"
    );
    assert_eq!(rule.reason.as_deref(), Some("others build on it"));
    Ok(())
}

#[test]
fn without_the_rule_that_denies_the_rest_decides() -> Checked {
    let explanation = organisation("bash git push --force")?;
    assert!(
        has(&explanation, without("1/no-force"), Outcome::Allow),
        "{explanation:?}"
    );
    Ok(())
}

#[test]
fn of_two_rules_that_deny_neither_alone_would_change_it() -> Checked {
    let explanation = organisation("[mode=headless] bash git push --force")?;
    assert_eq!(names(&explanation), ["1/attended", "1/no-force"]);
    assert_eq!(explanation.changes, [], "{explanation:?}");
    Ok(())
}

#[test]
fn other_circumstances_are_told_where_they_change_it() -> Checked {
    let explanation = organisation("bash ls")?;
    assert_eq!(explanation.outcome, Outcome::Allow);
    let headless = Difference::With("mode", "headless".to_owned());
    assert_eq!(
        explanation.changes,
        [
            Change {
                what: without("1/bash"),
                outcome: Outcome::Ask
            },
            Change {
                what: headless,
                outcome: Outcome::Deny
            }
        ]
    );
    let explanation = organisation("read a")?;
    let place = |place: &str| Difference::With("place", place.to_owned());
    assert!(has(&explanation, place("secret"), Outcome::Ask), "{explanation:?}");
    assert!(has(&explanation, place("own"), Outcome::Deny), "{explanation:?}");
    Ok(())
}

#[test]
fn missing_permit_is_one_that_would_allow_the_call() -> Checked {
    for line in [
        "write it's.txt",
        "write /elsewhere/a",
        "write a\"b\\c",
        "web_fetch https://a.example/x?y",
        "mcp/x",
        "[place=outside] list",
    ] {
        let explanation = organisation(line)?;
        assert_eq!(names(&explanation), ["0/ask-otherwise"], "{line}");
        let permit = explanation.changes.iter().find_map(|change| match &change.what {
            Difference::Permit(text) if change.outcome == Outcome::Allow => Some(text),
            _ => None,
        });
        let permit = permit.ok_or_else(|| format!("{line}: {explanation:?}"))?;
        let added = explained(PolicyLayer::Organisation, &format!("{PUSHES}{permit}"), line)?;
        assert_eq!(added.outcome, Outcome::Allow, "{line}: {permit}");
    }
    Ok(())
}

#[test]
fn no_permit_helps_where_a_rule_forbids() -> Checked {
    for line in ["bash git push --force", "write .env", "[place=own] read a"] {
        let explanation = organisation(line)?;
        let permits = explanation
            .changes
            .iter()
            .filter(|change| matches!(change.what, Difference::Permit(_)));
        assert_eq!((explanation.outcome, permits.count()), (Outcome::Deny, 0), "{line}");
    }
    Ok(())
}

#[test]
fn built_in_rules_are_shown_and_never_left_out() -> Checked {
    let explanation = organisation("write .env")?;
    assert_eq!(names(&explanation), ["0/forbid-change-secret"]);
    let left_out = explanation
        .changes
        .iter()
        .any(|change| matches!(change.what, Difference::Without(_)));
    assert!(!left_out, "{explanation:?}");
    Ok(())
}

#[test]
fn lower_layer_that_permits_changes_nothing_and_one_that_forbids_decides() -> Checked {
    let explanation = explained(PolicyLayer::File, PUSHES, "bash ls")?;
    assert_eq!(
        (explanation.outcome, names(&explanation)),
        (Outcome::Ask, vec!["0/ask-otherwise"])
    );
    let explanation = explained(PolicyLayer::File, PUSHES, "bash --force")?;
    assert_eq!(names(&explanation), ["5/no-force"]);
    assert!(
        has(&explanation, without("5/no-force"), Outcome::Ask),
        "{explanation:?}"
    );
    Ok(())
}

#[test]
fn only_rule_of_a_file_left_out_leaves_the_built_in_layer() -> Checked {
    let text = "@id(\"none\") forbid (principal, action, resource);";
    let explanation = explained(PolicyLayer::File, text, "read a")?;
    assert!(has(&explanation, without("5/none"), Outcome::Allow), "{explanation:?}");
    Ok(())
}

#[test]
fn failing_policy_could_not_be_evaluated_and_is_named() -> Checked {
    let text =
        "@id(\"sum\") permit (principal, action, resource) when { context.calls_left + 9223372036854775807 > 0 };";
    let explanation = explained(PolicyLayer::File, text, "read a")?;
    assert_eq!(
        (explanation.outcome, names(&explanation)),
        (Outcome::CouldNotEvaluate, vec!["5/sum"])
    );
    assert!(has(&explanation, without("5/sum"), Outcome::Allow), "{explanation:?}");
    Ok(())
}

#[test]
fn reason_is_bounded_visible_and_of_the_first_policy_of_that_name() -> Checked {
    let long = "x".repeat(REASON_CHARS_MAX + 1);
    let text = format!(
        "@id(\"a\") permit (principal, action, resource);
         @id(\"a\") @reason(\"second\\u{{1b}}[2J\\nline\") permit (principal, action, resource);
         @id(\"a\") @reason(\"third\") permit (principal, action, resource);
         @id(\"long\") @reason(\"{long}\") permit (principal, action, resource);
         @id(\"blank\") @reason(\"  \") permit (principal, action, resource);
         @reason(\"unnamed\") permit (principal, action, resource);"
    );
    let layer = LoadedLayer::load(PolicyLayer::File, &text, SCHEMA, ENTITIES)?;
    assert_eq!(layer.reason("a").as_deref(), Some("second\\u{1b}[2J\\nline"));
    assert_eq!(
        layer.reason("long").map(|reason| reason.chars().count()),
        Some(REASON_CHARS_MAX + 1)
    );
    assert_eq!(layer.reason("policy5").as_deref(), Some("unnamed"));
    assert_eq!((layer.reason("blank"), layer.reason("none")), (None, None));
    assert_eq!(LoadedLayer::unreadable(PolicyLayer::File).reason("a"), None);
    Ok(())
}
