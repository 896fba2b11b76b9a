//! One layer, one request: Cedar's answer in the words of authority-v1 §8.2.

use std::collections::HashMap;
use std::str::FromStr;
use std::sync::LazyLock;

use cedar_policy::{
    AuthorizationError, Authorizer, Context, Decision, Entities, Entity, EntityId, EntityTypeName, EntityUid, Policy,
    PolicySet, Request, RestrictedExpression,
};

use super::actions::Action;
use super::texts::{Texts, Told};
use super::{Content, LoadedLayer};
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

impl Question {
    /// The question for `layers`, and for no others.
    ///
    /// Of all entities there are only those of which a policy can learn something: the requester, what it touches, the
    /// action, and the actions that a condition of these layers names. Cedar takes an entity that it does not know for
    /// one without attributes and ancestors, so one that has neither need not be there.
    ///
    /// `None` where Cedar cannot hold the request; with a [`CedarRequest`] that does not happen, and it is no permission.
    pub(super) fn new(request: &CedarRequest, principal_owner: &str, layers: &[&LoadedLayer]) -> Option<Self> {
        let principal = uid("Agent", &request.principal.id)?;
        let owner = uid("Principal", principal_owner)?;
        let resource = uid(request.resource.type_name(), request.resource.id())?;
        let agent = entity(&principal, agent_attributes(request)?, Some(owner))?;
        let subject = match resource_attributes(&request.resource) {
            Some(attributes) => Some(entity(&resource, attributes, None)?),
            None => None,
        };
        let named = layers.iter().flat_map(|layer| layer.actions()).cloned();
        let action = Action::named(&request.action);
        let others = [agent].into_iter().chain(subject).chain(named);
        let entities = action.entities.add_entities(others, None).ok()?;
        let request = Request::new(principal, action.uid, resource, context(request)?, None).ok()?;
        Some(Self { request, entities })
    }

    /// Asks one layer.
    pub(super) fn ask(&self, layer: &LoadedLayer) -> Answer {
        let texts = match &layer.content {
            Content::Unreadable => return Answer::CouldNotEvaluate(vec!["unreadable".to_owned()]),
            Content::Empty => return Answer::Deny(vec!["empty".to_owned()]),
            Content::Policies(texts) => texts,
        };
        self.ask_policies(texts, texts.about(self.request.action()))
    }

    /// Whether scope and conditions of `policy` alone hold; why it fails where it does.
    pub(super) fn satisfies(&self, policy: &Policy) -> Result<bool, String> {
        let alone = PolicySet::from_policies([policy.clone()]).map_err(|error| error.to_string())?;
        let response = Authorizer::new().is_authorized(&self.request, &alone, &self.entities);
        match response.diagnostics().errors().next() {
            Some(error) => Err(error.to_string()),
            None => Ok(response.diagnostics().reason().next().is_some()),
        }
    }

    /// Asks some of the policies of a layer, among them all that the action could concern.
    fn ask_policies(&self, texts: &Texts, policies: &PolicySet) -> Answer {
        let response = Authorizer::new().is_authorized(&self.request, policies, &self.entities);
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
const TYPE_NAMES: [&str; 8] = [
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

fn entity(
    uid: &EntityUid,
    attributes: impl IntoIterator<Item = Attribute>,
    parent: Option<EntityUid>,
) -> Option<Entity> {
    Entity::new_with_tags(uid.clone(), attributes, parent, []).ok()
}

type Attribute = (String, RestrictedExpression);

fn attribute(name: &str, value: RestrictedExpression) -> Attribute {
    (name.to_owned(), value)
}

fn text(name: &str, value: &str) -> Attribute {
    attribute(name, RestrictedExpression::new_string(value.to_owned()))
}

fn truth(name: &str, value: bool) -> Attribute {
    attribute(name, RestrictedExpression::new_bool(value))
}

fn long(name: &str, value: u64) -> Option<Attribute> {
    let value = i64::try_from(value).ok()?;
    Some(attribute(name, RestrictedExpression::new_long(value)))
}

fn agent_attributes(request: &CedarRequest) -> Option<[Attribute; 3]> {
    let agent = &request.principal;
    Some([
        text("name", &agent.name),
        truth("root", agent.root),
        long("depth_left", agent.depth_left)?,
    ])
}

/// `None` for a resource without attributes.
fn resource_attributes(resource: &Resource) -> Option<Vec<Attribute>> {
    match resource {
        Resource::File { path, relative, name } => {
            Some(vec![text("path", path), text("relative", relative), text("name", name)])
        }
        Resource::Command { command, .. } => Some(vec![text("command", command)]),
        Resource::AgentType { name, .. } => Some(vec![text("name", name)]),
        Resource::Url(url) => Some(vec![
            text("url", url.as_str()),
            text("scheme", url.scheme().as_str()),
            text("host", url.host()),
            attribute("port", RestrictedExpression::new_long(url.port().into())),
            text("path", url.path()),
        ]),
        Resource::Advisor | Resource::Tool { .. } => None,
    }
}

fn context(request: &CedarRequest) -> Option<Context> {
    let context = &request.context;
    let observed = RestrictedExpression::new_record([
        text("place", context.observed.place.as_str()),
        text("real_path", &context.observed.real_path),
    ]);
    let words = context.effects.iter();
    let effects = RestrictedExpression::new_set(words.map(|word| RestrictedExpression::new_string(word.clone())));
    let pairs = [
        text("mode", &context.mode),
        text("workspace", &context.workspace),
        attribute("effects", effects),
        long("calls_left", context.calls_left)?,
        long("time_ms", context.time_ms)?,
        truth("advised", context.advised),
        attribute("observed", observed.ok()?),
    ];
    Context::from_pairs(pairs).ok()
}

#[cfg(test)]
#[path = "engine_tests.rs"]
mod tests;
