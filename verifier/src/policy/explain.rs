//! Why the policies say what they say about one request, and what would change it.
//!
//! Everything here is found out by asking again: with a rule left out, in other circumstances, with one permit more. Only
//! the parts 2 and 3 of a decision are looked at; grant, budget and the gatekeeper's own checks come on top.

use cedar_policy::{Effect, PolicyId};
use countersign_schemas::body::{Outcome, PartOutcome, PolicyLayer};

use super::combine::{PartResult, PolicyParts, evaluate};
use super::scene::MODES;
use super::source;
use super::texts::name_of;
use super::{Content, ENTITIES, LoadedLayer, SCHEMA};
use crate::projection::{CedarRequest, Place, Resource};
use crate::visible::visible;

/// The longest reason that is shown, in characters.
pub const REASON_CHARS_MAX: usize = 240;

/// A layer in force with the text it was loaded from.
#[derive(Debug, Clone, Copy)]
pub struct WrittenLayer<'t> {
    /// The layer.
    pub loaded: &'t LoadedLayer,
    /// Its text.
    pub text: &'t str,
}

/// What policies say about a request, and why.
#[derive(Debug)]
pub struct Explanation {
    /// What they say.
    pub outcome: Outcome,
    /// Each part.
    pub parts: PolicyParts,
    /// The policies that determine the outcome, by layer and place.
    pub rules: Vec<Rule>,
    /// What would change the outcome.
    pub changes: Vec<Change>,
}

/// A policy that determines an outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Its name in decisions, `<layer>/<id>`.
    pub name: String,
    /// Its layer.
    pub layer: PolicyLayer,
    /// `permit`, `ask` or `forbid`.
    pub effect: &'static str,
    /// The line of its text it begins on, from 1.
    pub line: usize,
    /// As it is written.
    pub text: String,
    /// Its `@reason`, as it is shown to agents.
    pub reason: Option<String>,
}

/// Something else that would give another outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What would have to be different.
    pub what: Difference,
    /// The outcome then.
    pub outcome: Outcome,
}

/// What would be different.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// Without the rule of this name.
    Without(String),
    /// With a circumstance of this name and value, such as `mode` and `headless`.
    With(&'static str, String),
    /// With this permit in layer 1.
    Permit(String),
}

impl PolicyParts {
    /// The outcome of both parts together, if nothing else objects.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        let gives = |wanted| self.each().any(|part| part.outcome == wanted);
        if gives(PartOutcome::CouldNotEvaluate) {
            Outcome::CouldNotEvaluate
        } else if gives(PartOutcome::Ask) && !gives(PartOutcome::Deny) {
            Outcome::Ask
        } else if gives(PartOutcome::Allow) && !gives(PartOutcome::Deny) {
            Outcome::Allow
        } else {
            Outcome::Deny
        }
    }

    /// The names of the rules that give that outcome, sorted bytewise.
    #[must_use]
    pub fn rules(&self) -> Vec<String> {
        let outcome = self.outcome().as_str();
        let giving = self.each().filter(|part| part.outcome.as_str() == outcome);
        let mut rules: Vec<String> = giving.flat_map(|part| part.rules.iter().cloned()).collect();
        rules.sort_unstable();
        rules.dedup();
        rules
    }

    fn each(&self) -> impl Iterator<Item = &PartResult> {
        [&self.permit].into_iter().chain(&self.lower)
    }
}

impl LoadedLayer {
    /// The `@reason` of the first of its policies that decisions name `rule` (without the layer), at most
    /// [`REASON_CHARS_MAX`] characters of it, fit to be shown to a person and to a model.
    #[must_use]
    pub fn reason(&self, rule: &str) -> Option<String> {
        let Content::Policies(texts) = &self.content else {
            return None;
        };
        let named = texts.all().policies().filter(|policy| name_of(policy) == rule);
        let reasons = named.filter_map(|policy| Some((position(policy.id()), policy.annotation("reason")?)));
        let (_, reason) = reasons.min()?;
        let reason = reason.trim();
        (!reason.is_empty()).then(|| visible(reason, REASON_CHARS_MAX))
    }

    /// The same layer without the policies that decisions name `rule` (without the layer); `None` where none is left.
    fn without(&self, rule: &str) -> Option<Self> {
        let Content::Policies(texts) = &self.content else {
            return None;
        };
        let content = Content::Policies(Box::new(texts.without(rule)?));
        Some(Self {
            layer: self.layer,
            content,
        })
    }
}

/// The N of `policyN`: the place of a policy in its text.
fn position(id: &PolicyId) -> usize {
    let id: &str = id.as_ref();
    id.strip_prefix("policy")
        .and_then(|digits| digits.parse().ok())
        .unwrap_or(usize::MAX)
}

/// Explains what `layers` say about `request` of an agent that acts for the person with the short DID `person`.
#[must_use]
pub fn explain(layers: &[WrittenLayer<'_>], request: &CedarRequest, person: &str) -> Explanation {
    let inquiry = Inquiry {
        layers: layers.iter().map(|layer| layer.loaded).collect(),
        request,
        person,
    };
    let parts = evaluate(&inquiry.layers, request, person);
    let outcome = parts.outcome();
    let names = parts.rules();
    let mut changes = inquiry.without_each(&names);
    changes.extend(inquiry.in_other_circumstances());
    changes.extend(inquiry.with_a_permit());
    changes.retain(|change| change.outcome != outcome);
    Explanation {
        rules: names.iter().flat_map(|name| rules(layers, name)).collect(),
        outcome,
        parts,
        changes,
    }
}

/// The policies of that name, as they are written.
fn rules(layers: &[WrittenLayer<'_>], name: &str) -> Vec<Rule> {
    let of_layer = |layer: &WrittenLayer<'_>| {
        let Some(own) = name.strip_prefix(&format!("{}/", layer.loaded.layer().code())) else {
            return Vec::new();
        };
        let Content::Policies(texts) = &layer.loaded.content else {
            return Vec::new();
        };
        let sources = source::policies(layer.text);
        let mut found: Vec<(usize, Rule)> = Vec::new();
        for policy in texts.all().policies().filter(|policy| name_of(policy) == own) {
            let position = position(policy.id());
            let source = sources.get(position);
            let rule = Rule {
                name: name.to_owned(),
                layer: layer.loaded.layer(),
                effect: match (policy.effect(), policy.annotation("decision")) {
                    (Effect::Forbid, _) => "forbid",
                    (Effect::Permit, Some("ask")) => "ask",
                    (Effect::Permit, _) => "permit",
                },
                line: source.map_or(0, |source| source.line),
                text: source.map_or_else(String::new, |source| source.text.to_owned()),
                reason: layer.loaded.reason(own),
            };
            found.push((position, rule));
        }
        found.sort_by_key(|(position, _)| *position);
        found.into_iter().map(|(_, rule)| rule).collect()
    };
    layers.iter().flat_map(of_layer).collect()
}

/// One request that is asked about in several ways.
struct Inquiry<'a> {
    layers: Vec<&'a LoadedLayer>,
    request: &'a CedarRequest,
    person: &'a str,
}

impl Inquiry<'_> {
    /// Each determining rule left out of its layer. The built-in layer is the same in every run.
    fn without_each(&self, names: &[String]) -> Vec<Change> {
        let changeable = names.iter().filter(|name| !name.starts_with("0/"));
        changeable.filter_map(|name| self.without(name)).collect()
    }

    fn without(&self, name: &str) -> Option<Change> {
        let (code, rule) = name.split_once('/')?;
        let is_its = |layer: &&LoadedLayer| layer.layer().code().to_string() == code;
        let whole = self.layers.iter().copied().find(is_its)?;
        if !whole.is_readable() || whole.is_empty() {
            return None;
        }
        let less = whole.without(rule);
        let others = self
            .layers
            .iter()
            .copied()
            .filter(|layer| layer.layer() != whole.layer());
        let layers: Vec<&LoadedLayer> = others.chain(&less).collect();
        Some(Change {
            what: Difference::Without(name.to_owned()),
            outcome: evaluate(&layers, self.request, self.person).outcome(),
        })
    }

    /// The circumstances that a person can do something about, each in turn.
    fn in_other_circumstances(&self) -> Vec<Change> {
        let mut changes = Vec::new();
        let mut with = |name, value: String, request: CedarRequest| {
            let outcome = evaluate(&self.layers, &request, self.person).outcome();
            let what = Difference::With(name, value);
            changes.push(Change { what, outcome });
        };
        for mode in MODES {
            let mut request = self.request.clone();
            mode.as_str().clone_into(&mut request.context.mode);
            with("mode", mode.to_string(), request);
        }
        let places = [Place::Inside, Place::Outside, Place::Secret, Place::Own];
        let is_file = matches!(self.request.resource, Resource::File { .. });
        for place in places.into_iter().filter(|_| is_file) {
            let mut request = self.request.clone();
            request.context.observed.place = place;
            with("place", place.as_str().to_owned(), request);
        }
        let mut request = self.request.clone();
        request.context.advised = !request.context.advised;
        with("advised", request.context.advised.to_string(), request);
        let mut request = self.request.clone();
        request.principal.root = !request.principal.root;
        with("root", request.principal.root.to_string(), request);
        changes
    }

    /// The smallest permit for this very call, added to layer 1.
    fn with_a_permit(&self) -> Option<Change> {
        let text = permit_for(self.request);
        let permit = LoadedLayer::load(PolicyLayer::Organisation, &text, SCHEMA, ENTITIES).ok()?;
        let mut layers = self.layers.clone();
        let joined = match layers
            .iter()
            .position(|layer| layer.layer() == PolicyLayer::Organisation)
        {
            Some(at) => Some((at, layers[at].joined_by(&permit)?)),
            None => None,
        };
        match &joined {
            Some((at, joined)) => layers[*at] = joined,
            None => layers.push(&permit),
        }
        Some(Change {
            what: Difference::Permit(text),
            outcome: evaluate(&layers, self.request, self.person).outcome(),
        })
    }
}

impl LoadedLayer {
    /// The same layer with the policies of `other`.
    fn joined_by(&self, other: &Self) -> Option<Self> {
        match (&self.content, &other.content) {
            (Content::Policies(own), Content::Policies(added)) => Some(Self {
                layer: self.layer,
                content: Content::Policies(Box::new(own.joined_by(added)?)),
            }),
            _ => None,
        }
    }
}

/// A policy that permits `request` and as little else as possible.
fn permit_for(request: &CedarRequest) -> String {
    let action = format!("Action::{}", quoted(&request.action));
    let of_resource = |name: &str, value: &str| {
        format!(
            "permit (principal, action == {action}, resource)\nwhen {{ resource.{name} == {} }};",
            quoted(value)
        )
    };
    match &request.resource {
        Resource::File { path, relative, .. } if path == relative => of_resource("path", path),
        Resource::File { relative, .. } => {
            let place = quoted(request.context.observed.place.as_str());
            format!(
                "permit (principal, action == {action}, resource)\nwhen {{ resource.relative == {} && \
                 context.observed.place == {place} }};",
                quoted(relative)
            )
        }
        Resource::Command { command, .. } => of_resource("command", command),
        Resource::Url(url) => of_resource("url", url.as_str()),
        other => format!(
            "permit (principal, action == {action}, resource == {}::{});",
            other.type_name(),
            quoted(other.id())
        ),
    }
}

/// A string as Cedar reads it.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.escape_debug())
}

#[cfg(test)]
#[path = "explain_tests.rs"]
mod tests;
