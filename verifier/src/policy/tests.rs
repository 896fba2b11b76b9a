use std::error::Error;

use countersign_schemas::body::{Effects, PartOutcome, PolicyLayer};
use sha2::{Digest, Sha256};

use super::*;
use crate::projection::{CedarRequest, Circumstances, Observed, Place, Principal, Subject};

type Outcome = Result<(), Box<dyn Error>>;

const DENY_ALL: &str = r#"@id("never") forbid(principal, action, resource);"#;
const PERMIT_ALL: &str = r#"@id("all") permit(principal, action, resource);"#;
const ASK_ALL: &str = r#"@id("ask") @decision("ask") permit(principal, action, resource);"#;
/// Cedar skips a policy that errors: a forbid over an overflow would silently disappear.
const FORBID_THAT_ERRORS: &str =
    r#"@id("broken") forbid(principal, action, resource) when { context.calls_left + 9223372036854775807 > 0 };"#;

fn request(tool: &str, arguments: &str, place: Place) -> Result<CedarRequest, Box<dyn Error>> {
    let circumstances = Circumstances {
        effects: Effects::READ,
        principal: Principal {
            depth_left: 1,
            id: "did:peer:4zA".to_owned(),
            name: "lead".to_owned(),
            root: true,
        },
        mode: "headless",
        calls_left: 10,
        time_ms: 1_763_712_000_000,
        advised: false,
        observed: Observed {
            place,
            real_path: "/w/a".to_owned(),
        },
    };
    Ok(Subject::of(tool, arguments.as_bytes(), "/w")?.project(circumstances))
}

fn read(place: Place) -> Result<CedarRequest, Box<dyn Error>> {
    request("read", r#"{"path":"a"}"#, place)
}

fn bash(command: &str) -> Result<CedarRequest, Box<dyn Error>> {
    request("bash", &format!(r#"{{"command":"{command}"}}"#), Place::Unknown)
}

fn load(layer: PolicyLayer, text: &str) -> Result<LoadedLayer, PolicyError> {
    LoadedLayer::load(layer, text, SCHEMA, ENTITIES)
}

/// Evaluates with the built-in layer 0 and the layers given.
fn parts(request: &CedarRequest, above: &[(PolicyLayer, &str)]) -> Result<PolicyParts, Box<dyn Error>> {
    let mut layers = vec![load(PolicyLayer::Builtin, BUILTIN_LAYER0)?];
    for (layer, text) in above {
        layers.push(load(*layer, text)?);
    }
    Ok(evaluate(&layers.iter().collect::<Vec<_>>(), request, "did:peer:4zP"))
}

fn is(result: &PartResult, outcome: PartOutcome, rules: &[&str]) {
    assert_eq!(
        (result.outcome, result.rules.as_slice()),
        (outcome, rules.map_owned().as_slice())
    );
}

trait MapOwned {
    fn map_owned(&self) -> Vec<String>;
}
impl MapOwned for [&str] {
    fn map_owned(&self) -> Vec<String> {
        self.iter().map(|text| (*text).to_owned()).collect()
    }
}

#[test]
fn published_digests_are_those_of_the_embedded_bytes() {
    let digests: Vec<(&str, &str)> = include_str!("../../../schemas/policy/digests.txt")
        .lines()
        .filter_map(|line| line.split_once("  "))
        .collect();
    let digest = |text: &str| data_encoding::HEXLOWER.encode(&Sha256::digest(text));
    let (layer0, schema) = (digest(BUILTIN_LAYER0), digest(SCHEMA));
    assert_eq!(
        digests,
        [
            (layer0.as_str(), "layer0-v1.cedar"),
            (schema.as_str(), "countersign-v1.cedarschema")
        ]
    );
}

#[test]
fn layer_0_permits_reading_inside_the_workspace() -> Outcome {
    is(
        &parts(&read(Place::Inside)?, &[])?.permit,
        PartOutcome::Allow,
        &["0/read-inside"],
    );
    let agent = request("agent", r#"{"name":"scout","task":"t","type":"explore"}"#, Place::None)?;
    is(&parts(&agent, &[])?.permit, PartOutcome::Allow, &["0/delegate"]);
    is(
        &parts(&request("advisor", r#"{"question":"?"}"#, Place::None)?, &[])?.permit,
        PartOutcome::Allow,
        &["0/delegate"],
    );
    Ok(())
}

#[test]
fn layer_0_asks_for_the_rest() -> Outcome {
    for request in [
        bash("ls")?,
        read(Place::Outside)?,
        request("write", r#"{"content":"","path":"a"}"#, Place::Inside)?,
        request("mcp/search", "{}", Place::None)?,
    ] {
        is(&parts(&request, &[])?.permit, PartOutcome::Ask, &["0/ask-otherwise"]);
    }
    is(
        &parts(&read(Place::Secret)?, &[])?.permit,
        PartOutcome::Ask,
        &["0/ask-otherwise", "0/ask-secret"],
    );
    Ok(())
}

#[test]
fn layer_0_permits_what_stays_in_the_session() -> Outcome {
    for (tool, arguments) in [
        ("bash_read", r#"{"job":"1"}"#),
        ("bash_stop", r#"{"job":"1"}"#),
        ("todo", r#"{"items":""}"#),
        ("ask_user", r#"{"question":"?"}"#),
        ("tool_schema", r#"{"tool":"merge"}"#),
    ] {
        is(
            &parts(&request(tool, arguments, Place::None)?, &[])?.permit,
            PartOutcome::Allow,
            &["0/session"],
        );
    }
    Ok(())
}

#[test]
fn layer_0_asks_for_addresses_background_commands_and_merges() -> Outcome {
    let fetch = request("web_fetch", r#"{"url":"https://example.com/docs/a"}"#, Place::None)?;
    let start = request("bash_start", r#"{"command":"ls"}"#, Place::Unknown)?;
    let merge = |place| request("merge", r#"{"branch":"b"}"#, place);
    for request in [&fetch, &start, &merge(Place::Inside)?] {
        is(&parts(request, &[])?.permit, PartOutcome::Ask, &["0/ask-otherwise"]);
    }
    is(
        &parts(&merge(Place::Secret)?, &[])?.permit,
        PartOutcome::Deny,
        &["0/forbid-change-secret"],
    );
    let docs = r#"@id("docs") permit(principal, action in Action::"fetch", resource)
        when { resource.host == "example.com" && resource.path like "/docs/*" && resource.port < 1024 };"#;
    let organisation = [(PolicyLayer::Organisation, docs)];
    is(&parts(&fetch, &organisation)?.permit, PartOutcome::Allow, &["1/docs"]);
    is(
        &parts(&start, &organisation)?.permit,
        PartOutcome::Ask,
        &["0/ask-otherwise"],
    );
    Ok(())
}

#[test]
fn layer_0_forbids_what_must_never_happen() -> Outcome {
    let write = |place| request("write", r#"{"content":"","path":"a"}"#, place);
    is(
        &parts(&write(Place::Secret)?, &[])?.permit,
        PartOutcome::Deny,
        &["0/forbid-change-secret"],
    );
    is(
        &parts(&read(Place::Own)?, &[])?.permit,
        PartOutcome::Deny,
        &["0/forbid-own"],
    );
    Ok(())
}

#[test]
fn an_organisation_takes_the_place_of_default_asks_only() -> Outcome {
    let permit_all = [(PolicyLayer::Organisation, PERMIT_ALL)];
    is(
        &parts(&bash("ls")?, &permit_all)?.permit,
        PartOutcome::Allow,
        &["1/all"],
    );
    is(
        &parts(&read(Place::Inside)?, &permit_all)?.permit,
        PartOutcome::Allow,
        &["0/read-inside", "1/all"],
    );
    is(
        &parts(&read(Place::Secret)?, &permit_all)?.permit,
        PartOutcome::Ask,
        &["0/ask-secret"],
    );
    is(
        &parts(&read(Place::Own)?, &permit_all)?.permit,
        PartOutcome::Deny,
        &["0/forbid-own"],
    );
    let ask_all = [(PolicyLayer::Organisation, ASK_ALL)];
    is(
        &parts(&read(Place::Inside)?, &ask_all)?.permit,
        PartOutcome::Ask,
        &["1/ask"],
    );
    is(&parts(&bash("ls")?, &ask_all)?.permit, PartOutcome::Ask, &["1/ask"]);
    Ok(())
}

#[test]
fn a_silent_organisation_leaves_layer_0_as_it_is() -> Outcome {
    let other = r#"permit(principal, action == Action::"edit", resource);"#;
    let organisation = [(PolicyLayer::Organisation, other)];
    is(
        &parts(&bash("ls")?, &organisation)?.permit,
        PartOutcome::Ask,
        &["0/ask-otherwise"],
    );
    is(
        &parts(&read(Place::Inside)?, &organisation)?.permit,
        PartOutcome::Allow,
        &["0/read-inside"],
    );
    Ok(())
}

#[test]
fn a_forbid_of_the_organisation_denies() -> Outcome {
    let text = format!("{PERMIT_ALL}\n{DENY_ALL}");
    is(
        &parts(&read(Place::Inside)?, &[(PolicyLayer::Organisation, &text)])?.permit,
        PartOutcome::Deny,
        &["1/never"],
    );
    Ok(())
}

#[test]
fn an_evaluation_error_is_no_permission_in_any_layer() -> Outcome {
    let text = format!("{PERMIT_ALL}\n{FORBID_THAT_ERRORS}");
    for layer in [PolicyLayer::Organisation, PolicyLayer::User, PolicyLayer::File] {
        let parts = parts(&read(Place::Inside)?, &[(layer, &text)])?;
        let part = if layer == PolicyLayer::Organisation {
            parts.permit
        } else {
            parts.lower.ok_or("no part")?
        };
        is(
            &part,
            PartOutcome::CouldNotEvaluate,
            &[&format!("{}/broken", layer.code())],
        );
    }
    Ok(())
}

#[test]
fn an_error_outweighs_a_forbid_of_the_same_layer() -> Outcome {
    let text = format!("{DENY_ALL}\n{FORBID_THAT_ERRORS}");
    let parts = parts(&read(Place::Inside)?, &[(PolicyLayer::Organisation, &text)])?;
    is(&parts.permit, PartOutcome::CouldNotEvaluate, &["1/broken"]);
    Ok(())
}

#[test]
fn an_empty_layer_denies_everything() -> Outcome {
    for text in ["", " \n", "// nothing\n"] {
        let parts = parts(
            &read(Place::Inside)?,
            &[(PolicyLayer::File, text), (PolicyLayer::Organisation, text)],
        )?;
        is(&parts.permit, PartOutcome::Deny, &["1/empty"]);
        is(&parts.lower.ok_or("no part")?, PartOutcome::Deny, &["5/empty"]);
    }
    Ok(())
}

#[test]
fn an_unreadable_layer_cannot_be_evaluated() -> Outcome {
    let builtin = load(PolicyLayer::Builtin, BUILTIN_LAYER0)?;
    let broken = LoadedLayer::unreadable(PolicyLayer::File);
    assert!(!broken.is_readable() && builtin.is_readable());
    let parts = evaluate(&[&builtin, &broken], &read(Place::Inside)?, "did:peer:4zP");
    is(&parts.permit, PartOutcome::Allow, &["0/read-inside"]);
    is(
        &parts.lower.ok_or("no part")?,
        PartOutcome::CouldNotEvaluate,
        &["5/unreadable"],
    );
    Ok(())
}

#[test]
fn without_layer_0_nothing_is_permitted() -> Outcome {
    let organisation = load(PolicyLayer::Organisation, PERMIT_ALL)?;
    let parts = evaluate(&[&organisation], &read(Place::Inside)?, "did:peer:4zP");
    is(&parts.permit, PartOutcome::CouldNotEvaluate, &["0/absent"]);
    assert_eq!(parts.lower, None);
    Ok(())
}

#[test]
fn lower_layers_never_permit() -> Outcome {
    let lower = |text| -> Result<PartResult, Box<dyn Error>> {
        let parts = parts(&bash("ls")?, &[(PolicyLayer::User, text)])?;
        is(&parts.permit, PartOutcome::Ask, &["0/ask-otherwise"]);
        Ok(parts.lower.ok_or("no part")?)
    };
    is(&lower(PERMIT_ALL)?, PartOutcome::Neutral, &[]);
    is(
        &lower(r#"permit(principal, action == Action::"edit", resource);"#)?,
        PartOutcome::Neutral,
        &[],
    );
    is(&lower(ASK_ALL)?, PartOutcome::Ask, &["2/ask"]);
    is(&lower(DENY_ALL)?, PartOutcome::Deny, &["2/never"]);
    Ok(())
}

#[test]
fn the_strictest_lower_layer_counts() -> Outcome {
    let layers = [
        (PolicyLayer::User, ASK_ALL),
        (PolicyLayer::Project, PERMIT_ALL),
        (PolicyLayer::File, DENY_ALL),
    ];
    is(
        &parts(&read(Place::Inside)?, &layers)?.lower.ok_or("no part")?,
        PartOutcome::Deny,
        &["5/never"],
    );
    let asking = parts(&read(Place::Inside)?, &layers[..2])?.lower.ok_or("no part")?;
    is(&asking, PartOutcome::Ask, &["2/ask"]);
    Ok(())
}

#[test]
fn policies_without_a_usable_id_are_counted() -> Outcome {
    let long = "x".repeat(63);
    let text = format!(
        "forbid(principal, action, resource);\n@id(\"b\u{202e}ad\") forbid(principal, action, resource);\n@id(\"{long}\") forbid(principal, action, resource);\n@id(\"\") forbid(principal, action, resource);"
    );
    let part = parts(&bash("ls")?, &[(PolicyLayer::Organisation, &text)])?.permit;
    is(
        &part,
        PartOutcome::Deny,
        &["1/policy0", "1/policy1", "1/policy2", "1/policy3"],
    );
    Ok(())
}

#[test]
fn rules_are_sorted_bytewise_and_cut() -> Outcome {
    let text: String = (0..20)
        .map(|i| format!("@id(\"r{i}\") forbid(principal, action, resource);\n"))
        .collect();
    let part = parts(&bash("ls")?, &[(PolicyLayer::Organisation, &text)])?.permit;
    assert_eq!(part.rules.len(), combine::RULES_MAX);
    assert_eq!(part.rules[..4].join(" "), "1/r0 1/r1 1/r10 1/r11");
    let twice = "@id(\"a\") forbid(principal, action, resource);\n".repeat(2);
    is(
        &parts(&bash("ls")?, &[(PolicyLayer::Organisation, &twice)])?.permit,
        PartOutcome::Deny,
        &["1/a"],
    );
    Ok(())
}

#[test]
fn a_principal_of_the_ledger_is_the_parent_of_its_agents() -> Outcome {
    let text = r#"@id("ours") forbid(principal in Principal::"did:peer:4zP", action, resource);"#;
    is(
        &parts(&read(Place::Inside)?, &[(PolicyLayer::Organisation, text)])?.permit,
        PartOutcome::Deny,
        &["1/ours"],
    );
    Ok(())
}

#[test]
fn refusals_say_where_and_what() {
    let refusal = |text: &str| load(PolicyLayer::File, text).map(|_| ()).expect_err(text).to_string();
    assert!(refusal("permit(principal, action, resource)\nwhen { ( };").starts_with("line 2, column 10: "));
    assert!(refusal("permit(principal, action, resource)").starts_with("line 1, column "));
    let wrong_attribute = "// é\n@id(\"x\")\npermit(principal, action, resource)\nwhen { context.tool == \"read\" };";
    let message = refusal(wrong_attribute);
    assert!(message.starts_with("line 4, column 8: policy x: "), "{message}");
    assert!(
        refusal("@id(\"t\") permit(principal == ?principal, action, resource);").contains("policy t is a template")
    );
    assert!(refusal(&"(".repeat(10_000)).contains("nest deeper"));
}

#[test]
fn texts_that_do_not_validate_strictly_are_refused() {
    for text in [
        r#"permit(principal, action == Action::"fly", resource);"#,
        r#"permit(principal == User::"a", action, resource);"#,
        r#"permit(principal, action, resource) when { context.calls_left == "many" };"#,
        r#"permit(principal, action, resource) when { resource.path == "/w" };"#,
        r#"permit(principal, action, resource) when { [].contains(1) };"#,
        r#"permit(principal, action == Action::"web_fetch", resource) when { resource.path == resource.port };"#,
        r#"permit(principal, action in Action::"session", resource) when { resource.url == "x" };"#,
        "permit(principal, action, resource);;",
        "allow(principal, action, resource);",
        "\u{feff}permit(principal, action, resource);",
    ] {
        assert!(load(PolicyLayer::File, text).is_err(), "{text}");
    }
}

#[test]
fn only_the_published_schema_and_no_entities_are_accepted() {
    let load = |schema: &str, entities: &str| LoadedLayer::load(PolicyLayer::File, PERMIT_ALL, schema, entities);
    assert!(matches!(
        load(&format!("{SCHEMA}\n"), ENTITIES),
        Err(PolicyError::Schema)
    ));
    assert!(matches!(load(SCHEMA, "[ ]"), Err(PolicyError::Entities)));
    assert!(load(SCHEMA, ENTITIES).is_ok());
}

#[test]
fn the_policy_of_the_demo_validates() -> Outcome {
    load(
        PolicyLayer::Organisation,
        include_str!("../../../examples/demo/policy.cedar"),
    )?;
    Ok(())
}
