//! One layer, one request: Cedar's answer in the words of authority-v1 §8.2.

use std::collections::{HashMap, HashSet};
use std::str::FromStr;
use std::sync::LazyLock;

use cedar_policy::{
    AuthorizationError, Authorizer, Context, Decision, Entities, Entity, EntityId, EntityTypeName, EntityUid, Request,
    RestrictedExpression,
};

use super::texts::{Texts, Told};
use super::{Content, LoadedLayer, PARSED_SCHEMA};
use crate::projection::{CedarRequest, Resource};

/// What one layer says about one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// A policy failed, or the layer cannot be read; the names of what failed.
    CouldNotEvaluate(Vec<String>),
    /// At least one forbid is satisfied, or the layer is empty; the names of the forbids.
    Deny(Vec<String>),
    /// No forbid and at least one permit is satisfied.
    Permit(Vec<SatisfiedPermit>),
    /// No policy is satisfied.
    Silent,
}

/// One satisfied permit of a layer that forbids nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SatisfiedPermit {
    /// Its name in `rules`, without the layer.
    pub(super) name: String,
    /// `@decision("ask")`: it permits only what a person approves.
    pub(super) is_ask: bool,
    /// `@default("yes")`: in layer 0, what layer 1 permits takes its place.
    pub(super) is_default: bool,
}

/// A request in Cedar's own form, built once for all layers.
pub(super) struct Question {
    request: Request,
    entities: Entities,
}

static ACTIONS: LazyLock<Entities> = LazyLock::new(|| match PARSED_SCHEMA.action_entities() {
    Ok(entities) => entities,
    Err(error) => unreachable!("the actions of the embedded schema are tested: {error}"),
});

/// Makes what every request is asked with.
pub(super) fn read_ahead() {
    LazyLock::force(&ACTIONS);
}

impl Question {
    /// `None` where Cedar cannot hold the request; with a [`CedarRequest`] that does not happen, and it is no permission.
    pub(super) fn new(request: &CedarRequest, principal_owner: &str) -> Option<Self> {
        let principal = uid("Agent", &request.principal.id)?;
        let owner = uid("Principal", principal_owner)?;
        let resource = uid(request.resource.type_name(), request.resource.id())?;
        let agent = Entity::new(
            principal.clone(),
            agent_attributes(request)?,
            HashSet::from([owner.clone()]),
        )
        .ok()?;
        let subject = Entity::new(resource.clone(), resource_attributes(&request.resource), HashSet::new()).ok()?;
        let owner = Entity::new_no_attrs(owner, HashSet::new());
        let entities = ACTIONS.clone().add_entities([agent, subject, owner], None).ok()?;
        let action = uid("Action", &request.action)?;
        let request = Request::new(principal, action, resource, context(request)?, None).ok()?;
        Some(Self { request, entities })
    }

    /// Asks one layer.
    pub(super) fn ask(&self, layer: &LoadedLayer) -> Answer {
        let texts = match &layer.content {
            Content::Unreadable => return Answer::CouldNotEvaluate(vec!["unreadable".to_owned()]),
            Content::Empty => return Answer::Deny(vec!["empty".to_owned()]),
            Content::Policies(texts) => texts,
        };
        let response = Authorizer::new().is_authorized(&self.request, &texts.set, &self.entities);
        let failed: Vec<String> = response
            .diagnostics()
            .errors()
            .map(|error| failed_policy(texts, error))
            .collect();
        if !failed.is_empty() {
            return Answer::CouldNotEvaluate(failed);
        }
        let reasons: Vec<Told> = response.diagnostics().reason().map(|id| texts.told(id)).collect();
        match response.decision() {
            Decision::Allow => Answer::Permit(reasons.into_iter().map(SatisfiedPermit::from).collect()),
            Decision::Deny if reasons.is_empty() => Answer::Silent,
            Decision::Deny => {
                let forbids = reasons.into_iter().filter(|reason| reason.is_forbid);
                Answer::Deny(forbids.map(|forbid| forbid.name).collect())
            }
        }
    }
}

fn failed_policy(texts: &Texts, error: &AuthorizationError) -> String {
    match error {
        AuthorizationError::PolicyEvaluationError(error) => texts.told(error.policy_id()).name,
        // The enum may grow; a failure without a policy still is a failure.
        #[allow(
            unreachable_patterns,
            reason = "the enum is non-exhaustive in later versions of Cedar"
        )]
        _ => "unreadable".to_owned(),
    }
}

impl From<Told> for SatisfiedPermit {
    fn from(told: Told) -> Self {
        Self {
            name: told.name,
            is_ask: told.is_ask,
            is_default: told.is_default,
        }
    }
}

/// Every entity type of the schema, parsed once.
static TYPES: LazyLock<HashMap<&str, EntityTypeName>> = LazyLock::new(|| {
    let parsed = TYPE_NAMES.map(|name| match EntityTypeName::from_str(name) {
        Ok(parsed) => (name, parsed),
        Err(error) => unreachable!("a plain word is a type name: {error}"),
    });
    HashMap::from(parsed)
});
const TYPE_NAMES: [&str; 9] = [
    "Action",
    "Advisor",
    "Agent",
    "AgentType",
    "Command",
    "File",
    "Principal",
    "Tool",
    "Url",
];

fn uid(type_name: &str, id: &str) -> Option<EntityUid> {
    let type_name = TYPES.get(type_name)?.clone();
    Some(EntityUid::from_type_name_and_id(type_name, EntityId::new(id)))
}

type Attributes = HashMap<String, RestrictedExpression>;

fn text(value: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(value.to_owned())
}

fn long(value: u64) -> Option<RestrictedExpression> {
    i64::try_from(value).ok().map(RestrictedExpression::new_long)
}

fn attributes<const N: usize>(pairs: [(&str, RestrictedExpression); N]) -> Attributes {
    pairs
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

fn agent_attributes(request: &CedarRequest) -> Option<Attributes> {
    let agent = &request.principal;
    Some(attributes([
        ("name", text(&agent.name)),
        ("root", RestrictedExpression::new_bool(agent.root)),
        ("depth_left", long(agent.depth_left)?),
    ]))
}

fn resource_attributes(resource: &Resource) -> Attributes {
    match resource {
        Resource::File { path, relative, name } => {
            attributes([("path", text(path)), ("relative", text(relative)), ("name", text(name))])
        }
        Resource::Command { command, .. } => attributes([("command", text(command))]),
        Resource::AgentType { name, .. } => attributes([("name", text(name))]),
        Resource::Url(url) => attributes([
            ("url", text(url.as_str())),
            ("scheme", text(url.scheme().as_str())),
            ("host", text(url.host())),
            ("port", RestrictedExpression::new_long(url.port().into())),
            ("path", text(url.path())),
        ]),
        Resource::Advisor | Resource::Tool { .. } => Attributes::new(),
    }
}

fn context(request: &CedarRequest) -> Option<Context> {
    let context = &request.context;
    let observed = attributes([
        ("place", text(context.observed.place.as_str())),
        ("real_path", text(&context.observed.real_path)),
    ]);
    let pairs = attributes([
        ("mode", text(&context.mode)),
        ("workspace", text(&context.workspace)),
        (
            "effects",
            RestrictedExpression::new_set(context.effects.iter().map(|word| text(word))),
        ),
        ("calls_left", long(context.calls_left)?),
        ("time_ms", long(context.time_ms)?),
        ("advised", RestrictedExpression::new_bool(context.advised)),
        ("observed", RestrictedExpression::new_record(observed).ok()?),
    ]);
    Context::from_pairs(pairs).ok()
}
