use std::collections::HashSet;
use std::error::Error;

use countersign_identity::jcs;
use countersign_schemas::digest::Digest;
use countersign_verifier::projection::{TOOLS, ToolKind};
use serde_json::{Map, Value, json};

use super::*;
use crate::tool::spec::toolset_digest;
use crate::tool::{ArgumentError, Arguments};

/// Arguments with the name of each parameter as its value.
fn arguments(spec: &ToolSpec) -> Map<String, Value> {
    spec.parameters
        .iter()
        .map(|parameter| (parameter.name.to_owned(), json!(parameter.name)))
        .collect()
}

fn parse(spec: &ToolSpec, object: Map<String, Value>) -> Result<(), ArgumentError> {
    spec.parse(Arguments::from_object(object)?.as_bytes()).map(drop)
}

#[test]
fn table_is_that_of_the_law() {
    let resource = |kind| match kind {
        ToolKind::File => Resource::Path { argument: "path" },
        ToolKind::Workspace => Resource::Workspace,
        ToolKind::Command => Resource::Command { argument: "command" },
        ToolKind::Delegate => Resource::AgentType { argument: "type" },
        ToolKind::Consult => Resource::Advisor,
        ToolKind::Url => Resource::Url { argument: "url" },
        ToolKind::Session => Resource::Session,
    };
    assert_eq!(BUILTIN.len(), TOOLS.len());
    for (spec, law) in BUILTIN.iter().zip(&TOOLS) {
        let arguments: Vec<_> = spec.parameters.iter().map(|parameter| parameter.name).collect();
        assert_eq!(
            (spec.name, spec.effects, arguments.as_slice()),
            (law.name, law.effects, law.arguments)
        );
        assert_eq!(spec.resource, resource(law.kind), "{}", spec.name);
    }
}

/// Tools that no toolbox holds: the session runs them, or nobody on this machine does yet.
const NOT_IN_THE_TOOLBOX: [&str; 3] = ["agent", "advisor", "bash_start"];

#[test]
fn every_tool_but_those_of_the_session_can_run() -> Result<(), std::io::Error> {
    let tools = Toolbox::new(Shell::find([])?);
    for spec in BUILTIN {
        let runs = tools.find(spec.name).is_some();
        assert_eq!(runs, !NOT_IN_THE_TOOLBOX.contains(&spec.name), "{}", spec.name);
    }
    assert!(tools.find("Read").is_none());
    Ok(())
}

#[test]
fn what_changes_something_runs_alone() {
    let harmless = Effects::READ.union(Effects::NETWORK);
    for spec in BUILTIN {
        let alone = spec.concurrency != Concurrency::ReadOnly;
        assert!(alone || harmless.contains(spec.effects), "{}", spec.name);
        assert_eq!(spec.concurrency == Concurrency::Delegation, spec.name == "agent");
    }
}

#[test]
fn deferred_tools_are_five_and_the_way_to_them_is_not() {
    let deferred: Vec<_> = BUILTIN
        .iter()
        .filter(|spec| spec.loading == Loading::Deferred)
        .collect();
    let names: Vec<_> = deferred.iter().map(|spec| spec.name).collect();
    assert_eq!(names, ["web_fetch", "bash_start", "bash_read", "bash_stop", "merge"]);
    assert_eq!(TOOL_SCHEMA.loading, Loading::Eager);
}

#[test]
fn each_argument_is_needed_text_and_bounded() -> Result<(), Box<dyn Error>> {
    for spec in BUILTIN {
        parse(spec, arguments(spec))?;
        for parameter in spec.parameters {
            let with = |value: Value| {
                let mut changed = arguments(spec);
                changed.insert(parameter.name.to_owned(), value);
                parse(spec, changed)
            };
            let mut without = arguments(spec);
            without.remove(parameter.name);
            assert!(matches!(parse(spec, without), Err(ArgumentError::Missing { .. })));
            assert!(matches!(with(json!(["x"])), Err(ArgumentError::NotText { .. })));
            let long = "x".repeat(parameter.len_bytes_max + 1);
            assert!(matches!(with(json!(long)), Err(ArgumentError::MemberTooLong { .. })));
            assert_eq!(with(json!("")).is_err(), parameter.emptiness == Emptiness::Refused);
        }
        let mut more = arguments(spec);
        more.insert("timeout".to_owned(), json!("1"));
        assert!(matches!(parse(spec, more), Err(ArgumentError::Unknown { .. })));
    }
    Ok(())
}

#[test]
fn descriptor_says_everything() {
    let expected = json!({
        "schema": "countersign.tool/v1",
        "name": "list",
        "description": LIST.description,
        "input_schema": {
            "type": "object",
            "properties": {
                "path": {
                    "type": "string",
                    "description": "Relative to the workspace, or absolute.",
                    "minLength": 1,
                    "maxLength": 4096,
                },
            },
            "required": ["path"],
            "additionalProperties": false,
        },
        "effects": ["read"],
        "concurrency": "read-only",
        "resource": { "kind": "path", "argument": "path" },
        "loading": "eager",
        "result_limit_bytes": 32768,
    });
    assert_eq!(LIST.descriptor_json(), expected);
}

#[test]
fn digests_tell_tools_and_toolsets_apart() {
    let digests: HashSet<_> = BUILTIN.iter().map(|spec| spec.digest()).collect();
    assert_eq!(digests.len(), BUILTIN.len());
    let wider = ToolSpec {
        effects: Effects::READ.union(Effects::NETWORK),
        ..READ.clone()
    };
    assert_ne!(wider.digest(), READ.digest());
    assert_ne!(toolset_digest([&READ, &LIST]), toolset_digest([&LIST, &READ]));
    assert_ne!(toolset_digest([&READ]), READ.digest());
}

#[test]
fn digest_is_sha_256_over_the_canonical_descriptor() -> Result<(), Box<dyn Error>> {
    let canonical = String::from_utf8(jcs::canonicalize(&READ.descriptor_json())?)?;
    assert!(
        canonical.starts_with(r#"{"concurrency":"read-only","description":"#),
        "{canonical}"
    );
    assert_eq!(READ.digest(), Digest::sha256(canonical.as_bytes()));
    Ok(())
}
