use std::error::Error;

use countersign_schemas::body::PolicyLayer;

use super::*;
use crate::policy::{BUILTIN_LAYER0, LoadedLayer, PolicyError};

type Tested<T = ()> = Result<T, Box<dyn Error>>;

fn load(text: &str) -> Result<LoadedLayer, PolicyError> {
    LoadedLayer::load_with_examples(PolicyLayer::File, text)
}

/// A policy about force pushes with these annotations.
fn pushes(annotations: &str) -> String {
    format!(
        "{annotations}\n@id(\"no-force\") forbid (principal, action == Action::\"bash\", resource)\n\
         when {{ resource.command like \"*--force*\" && context.mode != \"worker\" }};"
    )
}

/// What is told of a text whose examples do not hold.
fn refusal(text: &str) -> Tested<String> {
    match load(text) {
        Err(PolicyError::Example(error)) => Ok(error.to_string()),
        other => Err(format!("{other:?}").into()),
    }
}

#[test]
fn examples_that_hold_are_no_reason_to_refuse() -> Tested {
    load(&pushes(
        r#"@matches("bash git push --force\n[mode=headless] bash x --force")
           @matches_not("
             bash git push
             [mode=worker] bash git push --force

             read --force
           ")"#,
    ))?;
    load(&pushes(r#"@matches("bash {\"command\": \"--force\"}")"#))?;
    Ok(())
}

#[test]
fn example_that_does_not_hold_is_told_with_line_policy_and_text() -> Tested {
    assert_eq!(
        refusal(&pushes("// first\n\n@matches(\"bash git push\")"))?,
        "line 3: policy no-force: @matches: `bash git push`: the policy must apply to this call, and does not"
    );
    assert_eq!(
        refusal(&pushes("@matches_not(\"\n  read a\n  bash x --force\n\")"))?,
        "line 3: policy no-force: @matches_not: `bash x --force`: the policy must not apply to this call, and does"
    );
    Ok(())
}

#[test]
fn first_failing_example_of_a_file_is_told_and_all_are_found() -> Tested {
    let text = pushes("@matches(\"bash a\\nbash --force\\nbash b\")\n@matches_not(\"bash --force\")");
    assert!(refusal(&text)?.contains("`bash a`"));
    let layer = LoadedLayer::load(PolicyLayer::File, &text, crate::policy::SCHEMA, "[]")?;
    let checked = check(&layer, &text);
    assert_eq!((checked.count, checked.errors.len()), (4, 3));
    assert_eq!(
        checked.errors.iter().map(|error| error.line).collect::<Vec<_>>(),
        [1, 1, 2]
    );
    Ok(())
}

#[test]
fn example_that_is_no_call_is_an_error_whatever_it_claims() -> Tested {
    for (annotation, why) in [
        (
            r#"@matches("fly {")"#,
            "`fly {`: it is no call: the arguments are no JSON object",
        ),
        (
            r#"@matches_not("[x=1] read a")"#,
            "it is no call: there is no setting `x`",
        ),
        (
            r#"@matches_not("read {\"file\":\"a\"}")"#,
            "read has no argument `file`",
        ),
        (r#"@matches("")"#, "``: it holds no example"),
        ("@matches_not(\" \\n \")", "``: it holds no example"),
        ("@matches", "``: it holds no example"),
    ] {
        let told = refusal(&pushes(annotation))?;
        assert!(told.contains(why), "{annotation}: {told}");
    }
    Ok(())
}

#[test]
fn policy_that_fails_with_its_example_is_refused() -> Tested {
    let text = r#"@matches_not("[calls_left=9007199254740991] read a")
        permit (principal, action, resource) when { context.calls_left * 9007199254740991 > 0 };"#;
    assert!(refusal(text)?.contains("the policy fails with this call"));
    Ok(())
}

#[test]
fn each_policy_is_asked_alone() -> Tested {
    let forbid = "forbid (principal, action, resource);";
    load(&format!(
        "@matches(\"read a\") permit (principal, action, resource);\n{forbid}"
    ))?;
    let told = refusal(&format!(
        "{forbid}\n@matches(\"read a\") permit (principal, action == Action::\"bash\", resource);"
    ))?;
    assert!(told.starts_with("line 2: policy policy1: @matches: `read a`"), "{told}");
    Ok(())
}

#[test]
fn numbers_of_examples_are_bounded() -> Tested {
    let many = |count: usize| pushes(&format!("@matches_not(\"{}\")", "glob\\n".repeat(count)));
    load(&many(OF_ONE_POLICY_MAX))?;
    assert!(refusal(&many(OF_ONE_POLICY_MAX + 1))?.contains("more than 64 examples"));
    let policies = OF_ONE_FILE_MAX / OF_ONE_POLICY_MAX + 1;
    let told = refusal(&many(OF_ONE_POLICY_MAX).repeat(policies))?;
    assert!(told.contains("the file has more than 4096 examples"), "{told}");
    Ok(())
}

#[test]
fn what_an_example_holds_cannot_steer_a_terminal() -> Tested {
    let told = refusal(&pushes("@matches(\"bash \\u{1b}[2J\\u{202e}\")"))?;
    assert!(told.contains("\\u{1b}[2J\\u{202e}"), "{told}");
    Ok(())
}

#[test]
fn layer_means_the_same_whether_its_examples_hold_or_not() -> Tested {
    let text = pushes("@matches(\"read a\")");
    assert!(load(&text).is_err());
    assert!(LoadedLayer::load(PolicyLayer::File, &text, crate::policy::SCHEMA, "[]")?.is_readable());
    LoadedLayer::load_with_examples(PolicyLayer::Builtin, BUILTIN_LAYER0)?;
    Ok(())
}
