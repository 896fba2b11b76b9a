use std::collections::{HashMap, HashSet};
use std::error::Error;

use countersign_schemas::body::{Effects, PolicyLayer};
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::policy::{BUILTIN_LAYER0, ENTITIES, PARSED_SCHEMA, SCHEMA};
use crate::projection::{Circumstances, Observed, Place, Principal, Subject, arbitrary};

type Tested = Result<(), Box<dyn Error>>;

const AGENT: &str = "did:peer:4zA";
const OWNER: &str = "did:peer:4zP";

/// Conditions over everything that a question leaves out, or holds under conditions.
const CONDITIONS: [&str; 34] = [
    r#"Action::"write" in Action::"change""#,
    r#"Action::"write" in [Action::"observe", Action::"change"]"#,
    r#"!(Action::"read" in Action::"observe")"#,
    r#"Action::"change" in Action::"change""#,
    r#"Action::"change" in Action::"observe""#,
    r#"Action::"other" in Action::"change""#,
    r#"action in Action::"observe" && Action::"merge" in Action::"change""#,
    r#"if action == Action::"edit" then Action::"edit" in Action::"change" else Action::"bash" in Action::"execute""#,
    r#"[action, Action::"read"].containsAll([Action::"read"])"#,
    r#"[Action::"observe", Action::"change"].contains(action)"#,
    r#"action in [Action::"read", Action::"fetch", Action::"session"]"#,
    r#"action == Action::"web_fetch" || action == Action::"todo""#,
    r#"action has name"#,
    r#"Action::"write" has name"#,
    r#"Action::"write" is Action"#,
    r#"principal in Principal::"did:peer:4zP""#,
    r#"principal in Principal::"did:peer:4zQ""#,
    r#"principal in [Principal::"did:peer:4zP", Principal::"did:peer:4zQ"]"#,
    r#"Principal::"did:peer:4zP" in Principal::"did:peer:4zP""#,
    r#"Principal::"did:peer:4zP" in Principal::"did:peer:4zQ""#,
    r#"Principal::"did:peer:4zP" has name"#,
    r#"Agent::"did:peer:4zA" in Principal::"did:peer:4zP""#,
    r#"Agent::"did:peer:4zB" in Principal::"did:peer:4zP""#,
    r#"Agent::"did:peer:4zA".name == "lead""#,
    r#"Agent::"did:peer:4zA" has name && Agent::"did:peer:4zA".root"#,
    r#"resource == Tool::"todo" || resource == Advisor::"advisor""#,
    r#"resource in Tool::"todo""#,
    r#"Tool::"todo" in Tool::"todo" && Tool::"todo" has name"#,
    r#"Advisor::"advisor" has name"#,
    r#"resource has name && resource has path"#,
    r#"File::"/w/a".relative == "a""#,
    r#"resource is File && resource.name like "a*""#,
    r#"context.calls_left + 9223372036854775807 > 0"#,
    r#"context.effects.contains("read") && context.observed.real_path like "/w/*" && context.mode == "headless""#,
];

/// Scopes that name an action that the condition names, too.
const SCOPES: [&str; 4] = [
    r#"principal, action, resource"#,
    r#"principal, action == Action::"write", resource"#,
    r#"principal, action in [Action::"write", Action::"edit", Action::"write"], resource"#,
    r#"principal, action in Action::"change", resource"#,
];

/// A question with everything there is in one hierarchy, as simple as can be.
fn plain(request: &CedarRequest, principal_owner: &str) -> Option<Question> {
    let uid = |type_name: &str, id: &str| {
        let type_name = EntityTypeName::from_str(type_name).ok()?;
        Some(EntityUid::from_type_name_and_id(type_name, EntityId::new(id)))
    };
    let principal = uid("Agent", &request.principal.id)?;
    let owner = uid("Principal", principal_owner)?;
    let resource = uid(request.resource.type_name(), request.resource.id())?;
    let attributes = HashMap::from(agent_attributes(request)?);
    let agent = Entity::new(principal.clone(), attributes, HashSet::from([owner.clone()])).ok()?;
    let attributes = HashMap::from_iter(resource_attributes(&request.resource).unwrap_or_default());
    let subject = Entity::new(resource.clone(), attributes, HashSet::new()).ok()?;
    let owner = Entity::new_no_attrs(owner, HashSet::new());
    let actions = PARSED_SCHEMA.action_entities().ok()?;
    let entities = actions.add_entities([agent, subject, owner], None).ok()?;
    let action = uid("Action", &request.action)?;
    let request = Request::new(principal, action, resource, context(request)?, None).ok()?;
    Some(Question { request, entities })
}

fn load(text: &str) -> Result<LoadedLayer, Box<dyn Error>> {
    let layer = LoadedLayer::load(PolicyLayer::File, text, SCHEMA, ENTITIES);
    layer.map_err(|error| format!("{error}: {text}").into())
}

/// The shipped texts, each condition by itself behind each scope, and all conditions together.
fn layers() -> Result<Vec<LoadedLayer>, Box<dyn Error>> {
    let shipped = [BUILTIN_LAYER0, include_str!("../../../examples/demo/policy.cedar")];
    let mut texts: Vec<String> = shipped.map(str::to_owned).into();
    let mut together = String::new();
    for (at, condition) in CONDITIONS.iter().enumerate() {
        for (scope_at, scope) in SCOPES.iter().enumerate() {
            let policy = format!("@id(\"{at}.{scope_at}\") forbid({scope}) when {{ {condition} }};\n");
            // A condition can be beside the point of a narrow scope, and is refused then.
            if scope_at > 0 && load(&policy).is_err() {
                continue;
            }
            together.push_str(&policy);
            texts.push(policy);
        }
    }
    texts.push(together);
    texts.iter().map(|text| load(text)).collect()
}

/// The names in one order: Cedar gives them in none.
fn ordered(answer: Answer) -> Answer {
    let sorted = |mut names: Vec<String>| {
        names.sort_unstable();
        names
    };
    match answer {
        Answer::CouldNotEvaluate(names) => Answer::CouldNotEvaluate(sorted(names)),
        Answer::Deny(names) => Answer::Deny(sorted(names)),
        Answer::Permit(mut permits) => {
            permits.sort_unstable_by(|a, b| a.name.cmp(&b.name));
            Answer::Permit(permits)
        }
        Answer::Silent => Answer::Silent,
    }
}

/// Requests whose action and resource belong together, and whose words the conditions know.
fn usual() -> impl Strategy<Value = CedarRequest> {
    let calls = [
        ("read", r#"{"path":"a"}"#),
        ("grep", r#"{"path":"../x","pattern":""}"#),
        ("write", r#"{"content":"","path":"a"}"#),
        ("edit", r#"{"new":"","old":"","path":"src/a"}"#),
        ("merge", r#"{"branch":"b"}"#),
        ("bash", r#"{"command":"ls"}"#),
        ("agent", r#"{"name":"a","task":"","type":"explore"}"#),
        ("advisor", r#"{"question":""}"#),
        ("web_fetch", r#"{"url":"https://docs.example.com/docs/a"}"#),
        ("todo", r#"{"items":""}"#),
        ("tool_schema", r#"{"tool":""}"#),
        ("mcp/search", "{}"),
    ];
    let places = [
        Place::Inside,
        Place::Outside,
        Place::Secret,
        Place::Own,
        Place::Unknown,
        Place::None,
    ];
    let who = (select(&[AGENT, "did:peer:4zB"][..]), any::<bool>(), 0..3_u64);
    (
        select(calls.to_vec()),
        who,
        select(places.to_vec()),
        arbitrary::number(),
    )
        .prop_filter_map(
            "the arguments are those of the tool",
            |((tool, arguments), (id, root, depth_left), place, calls_left)| {
                let subject = Subject::of(tool, arguments.as_bytes(), "/w").ok()?;
                Some(subject.project(Circumstances {
                    effects: Effects::READ,
                    principal: Principal {
                        depth_left,
                        id: id.to_owned(),
                        name: "lead".to_owned(),
                        root,
                    },
                    mode: "headless",
                    calls_left,
                    time_ms: 1,
                    advised: root,
                    observed: Observed {
                        place,
                        real_path: "/w/a".to_owned(),
                    },
                }))
            },
        )
}

fn same_answers(request: &CedarRequest, owner: &str, layers: &[&LoadedLayer]) -> Result<(), TestCaseError> {
    let plain = plain(request, owner).ok_or_else(|| TestCaseError::fail("no plain question"))?;
    let question = Question::new(request, owner, layers).ok_or_else(|| TestCaseError::fail("no question"))?;
    for layer in layers {
        let plainly = match &layer.content {
            Content::Policies(texts) => plain.ask_policies(texts, texts.all()),
            Content::Empty | Content::Unreadable => plain.ask(layer),
        };
        prop_assert_eq!(ordered(question.ask(layer)), ordered(plainly));
    }
    Ok(())
}

#[test]
fn a_question_is_answered_as_if_it_held_every_entity() -> Tested {
    let layers = layers()?;
    let all: Vec<&LoadedLayer> = layers.iter().collect();
    let config = ProptestConfig::with_cases(64);
    let requests = (
        prop_oneof![3 => usual(), 1 => arbitrary::request()],
        select(&[OWNER, "", "did:peer:4zQ"][..]),
    );
    let mut runner = prop::test_runner::TestRunner::new(config);
    runner.run(&requests, |(request, owner)| {
        for layer in &all {
            same_answers(&request, owner, &[layer])?;
        }
        same_answers(&request, owner, &all)
    })?;
    Ok(())
}

#[test]
fn every_action_is_in_its_groups_whatever_is_asked() -> Tested {
    let actions: Vec<EntityUid> = PARSED_SCHEMA.actions().cloned().collect();
    let pairs = actions
        .iter()
        .flat_map(|action| actions.iter().map(move |group| (action, group)));
    let policies = pairs.map(|(action, group)| {
        let (name, of) = (action.id().unescaped(), group.id().unescaped());
        format!("@id(\"{name}.{of}\") forbid(principal, action, resource) when {{ {action} in {group} }};\n")
    });
    let layer = load(&policies.collect::<String>())?;
    let mut runner = prop::test_runner::TestRunner::new(ProptestConfig::with_cases(24));
    runner.run(&usual(), |request| same_answers(&request, OWNER, &[&layer]))?;
    Ok(())
}

#[test]
fn a_policy_about_other_actions_is_not_asked() -> Tested {
    let text = r#"permit(principal, action == Action::"edit", resource);
        permit(principal, action in [Action::"edit", Action::"merge"], resource);
        permit(principal, action in Action::"change", resource);
        permit(principal, action in [Action::"observe", Action::"change"], resource);
        permit(principal, action, resource) when { action == Action::"edit" };"#;
    let layer = load(text)?;
    let Content::Policies(texts) = &layer.content else {
        return Err("no policies".into());
    };
    for (action, asked) in [
        ("edit", 5),
        ("merge", 4),
        ("write", 3),
        ("read", 2),
        ("bash", 1),
        ("other", 1),
        ("no such action", 5),
    ] {
        let action = Action::named(action).uid;
        assert_eq!(texts.about(Some(&action)).num_of_policies(), asked, "{action}");
        assert_eq!(texts.about(Some(&action)).num_of_policies(), asked, "{action} again");
    }
    assert_eq!(texts.about(None).num_of_policies(), 5);
    Ok(())
}

#[test]
fn only_a_condition_that_names_an_action_brings_it_in() -> Tested {
    let brought = |text: &str| {
        let layer = load(text)?;
        let mut ids: Vec<String> = layer
            .actions()
            .iter()
            .map(|action| action.uid().id().unescaped().to_owned())
            .collect();
        ids.sort_unstable();
        Ok::<_, Box<dyn Error>>(ids.join(" "))
    };
    assert_eq!(brought(BUILTIN_LAYER0)?, "");
    for (text, named) in [
        (r#"permit(principal, action == Action::"edit", resource);"#, ""),
        (
            r#"permit(principal, action in [Action::"edit", Action::"edit"], resource);"#,
            "",
        ),
        (
            r#"permit(principal, action, resource) when { action in Action::"change" };"#,
            "",
        ),
        (
            r#"permit(principal, action, resource) when { action == Action::"other" };"#,
            "",
        ),
        (
            r#"permit(principal, action, resource) unless { action == Action::"edit" };"#,
            "edit",
        ),
        (
            r#"permit(principal, action == Action::"edit", resource) when { Action::"edit" in Action::"change" };"#,
            "edit",
        ),
        (
            r#"permit(principal, action in [Action::"edit", Action::"write"], resource) when { action == Action::"write" };
               forbid(principal, action, resource) when { [Action::"todo", action].contains(Action::"bash") };"#,
            "bash todo write",
        ),
    ] {
        assert_eq!(brought(text)?, named, "{text}");
    }
    Ok(())
}
