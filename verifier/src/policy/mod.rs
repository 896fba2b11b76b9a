//! Policy layers: reading them, and what they say about one request (authority-v1 §8).
//!
//! A [`LoadedLayer`] is the text of one `policy.adopted` entry, parsed and validated once. [`evaluate`] asks every
//! layer in force about one [`CedarRequest`](crate::projection::CedarRequest) and combines the answers into the two
//! parts of a decision that any reader can recompute. Nothing here decides: grants, budgets and the gatekeeper's own
//! checks are further parts.

mod actions;
pub mod bounds;
mod call;
mod combine;
mod engine;
mod examples;
mod explain;
mod inspect;
mod scene;
mod source;
mod texts;

pub use call::{Call, CallError, LINE_BYTES_MAX};
pub use combine::{PartResult, PolicyParts, evaluate};
pub use examples::{ExampleError, ExampleProblem, OF_ONE_FILE_MAX, OF_ONE_POLICY_MAX};
pub use explain::{Change, Difference, Explanation, REASON_CHARS_MAX, Rule, WrittenLayer, explain};
pub use inspect::{Inspection, Warning, inspect};
pub use scene::Scene;

use std::str::FromStr;
use std::sync::{Arc, LazyLock};

use cedar_policy::{Entity, PolicyId, PolicySet, Schema, ValidationError, ValidationMode, Validator};
use countersign_schemas::body::PolicyLayer;
use miette::Diagnostic;
use texts::Texts;
use thiserror::Error;

use crate::visible::visible;

/// Layer 0 of every run, `schemas/policy/layer0-v1.cedar`.
pub const BUILTIN_LAYER0: &str = include_str!("../../../schemas/policy/layer0-v1.cedar");

/// The schema every layer is written against, `schemas/policy/countersign-v1.cedarschema`.
pub const SCHEMA: &str = include_str!("../../../schemas/policy/countersign-v1.cedarschema");

/// The entities document of every v1 layer: the entities of a request come from its projection.
pub const ENTITIES: &str = "[]";

/// The language version of every v1 layer.
pub const LANGUAGE: &str = "cedar-4";

/// The most that is told of one problem, in characters.
const MESSAGE_CHARS_MAX: usize = 1_000;

/// The parsed schema: the same for every layer, so it is read once.
pub(crate) static PARSED_SCHEMA: LazyLock<Schema> = LazyLock::new(|| match Schema::from_cedarschema_str(SCHEMA) {
    Ok((schema, _warnings)) => schema,
    Err(error) => unreachable!("the embedded schema is tested to parse: {error}"),
});

/// Layer 0, which every ledger adopts first: read once as well.
static BUILTIN: LazyLock<Arc<LoadedLayer>> =
    LazyLock::new(
        || match LoadedLayer::load(PolicyLayer::Builtin, BUILTIN_LAYER0, SCHEMA, ENTITIES) {
            Ok(layer) => Arc::new(layer),
            Err(error) => unreachable!("the embedded layer 0 is tested to load: {error}"),
        },
    );

/// Reads the schema and layer 0 now, if nobody has needed them yet.
///
/// Some milliseconds, for a thread that has nothing better to do: whoever needs them later waits no longer for it than
/// if it had begun by itself.
pub fn read_ahead() {
    LazyLock::force(&BUILTIN);
    actions::read_ahead();
}

/// Why a policy text is refused at start-up.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// The text is too large or too deep to be parsed.
    #[error(transparent)]
    Bounds(#[from] bounds::BoundsError),
    /// The text is not Cedar.
    #[error("line {line}, column {column}: {message}")]
    Syntax {
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
        /// What Cedar says about it.
        message: String,
    },
    /// A policy does not fit the schema.
    #[error("line {line}, column {column}: policy {policy}: {message}")]
    Validation {
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
        /// The `@id` of the policy, or its position as `policyN`.
        policy: String,
        /// What Cedar says about it.
        message: String,
    },
    /// The text holds a template (`?principal`, `?resource`), which nothing could ever instantiate.
    #[error("line {line}, column {column}: policy {policy} is a template; only complete policies are accepted")]
    Template {
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
        /// Its `@id`, or `templateN`.
        policy: String,
    },
    /// The text holds no policy. Such a layer can be adopted; as the file of a person it is a mistake.
    #[error("the text holds no policy: it would deny everything")]
    Empty,
    /// An example that the text carries does not hold.
    #[error(transparent)]
    Example(#[from] Box<ExampleError>),
    /// The schema is not the published one.
    #[error("the schema is not the published countersign-v1.cedarschema")]
    Schema,
    /// The entities are not the empty list.
    #[error("the entities are not the empty list []")]
    Entities,
}

impl PolicyError {
    /// A stable word for the check that failed.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Bounds(_) => "bounds",
            Self::Syntax { .. } => "syntax",
            Self::Validation { .. } => "validation",
            Self::Template { .. } => "template",
            Self::Empty => "empty",
            Self::Example(_) => "example",
            Self::Schema => "schema",
            Self::Entities => "entities",
        }
    }

    /// The line it is about, from 1, where there is one.
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        match self {
            Self::Bounds(error) => error.line(),
            Self::Syntax { line, .. } | Self::Validation { line, .. } | Self::Template { line, .. } => Some(*line),
            Self::Example(error) => Some(error.line),
            Self::Empty | Self::Schema | Self::Entities => None,
        }
    }

    /// The column it is about, in characters from 1, where there is one.
    #[must_use]
    pub const fn column(&self) -> Option<usize> {
        match self {
            Self::Syntax { column, .. } | Self::Validation { column, .. } | Self::Template { column, .. } => {
                Some(*column)
            }
            Self::Bounds(_) | Self::Example(_) | Self::Empty | Self::Schema | Self::Entities => None,
        }
    }

    /// The policy it is about, where there is one.
    #[must_use]
    pub fn policy(&self) -> Option<&str> {
        match self {
            Self::Validation { policy, .. } | Self::Template { policy, .. } => Some(policy),
            Self::Example(error) => Some(&error.policy),
            Self::Bounds(_) | Self::Syntax { .. } | Self::Empty | Self::Schema | Self::Entities => None,
        }
    }
}

/// The policies of one layer, ready to be asked.
#[derive(Debug)]
pub struct LoadedLayer {
    layer: PolicyLayer,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Policies(Box<Texts>),
    Empty,
    Unreadable,
}

impl LoadedLayer {
    /// Layer 0 as this version publishes it, what [`LoadedLayer::load`] makes of [`BUILTIN_LAYER0`].
    #[must_use]
    pub fn builtin() -> Arc<Self> {
        Arc::clone(&BUILTIN)
    }

    /// Parses and strictly validates the texts of one layer.
    ///
    /// A text without any policy is accepted here and answers every request with deny, rule `empty`.
    ///
    /// # Errors
    /// The first check that fails, see [`PolicyError`]; a runtime refuses to start with such a file.
    pub fn load(layer: PolicyLayer, policies: &str, schema: &str, entities: &str) -> Result<Self, PolicyError> {
        if schema != SCHEMA {
            return Err(PolicyError::Schema);
        }
        if entities != ENTITIES {
            return Err(PolicyError::Entities);
        }
        bounds::check(policies)?;
        let set = PolicySet::from_str(policies).map_err(|errors| syntax_error(policies, &errors))?;
        if let Some(template) = template_error(policies, &set) {
            return Err(template);
        }
        if set.is_empty() {
            return Ok(Self {
                layer,
                content: Content::Empty,
            });
        }
        validate(policies, &set)?;
        Ok(Self {
            layer,
            content: Content::Policies(Box::new(Texts::of(set))),
        })
    }

    /// As [`LoadedLayer::load`] for the file of a person, who may have written examples into it: they must hold.
    ///
    /// # Errors
    /// [`PolicyError::Example`] for the first example that does not hold, once everything else is in order.
    pub fn load_with_examples(layer: PolicyLayer, policies: &str) -> Result<Self, PolicyError> {
        let loaded = Self::load(layer, policies, SCHEMA, ENTITIES)?;
        match examples::check(&loaded, policies).errors.into_iter().next() {
            Some(error) => Err(Box::new(error).into()),
            None => Ok(loaded),
        }
    }

    /// A layer whose texts were adopted although they cannot be loaded: it answers could-not-evaluate, rule `unreadable`.
    #[must_use]
    pub fn unreadable(layer: PolicyLayer) -> Self {
        Self {
            layer,
            content: Content::Unreadable,
        }
    }

    /// The actions that conditions of its policies speak of.
    fn actions(&self) -> &[Entity] {
        match &self.content {
            Content::Policies(texts) => &texts.actions,
            Content::Empty | Content::Unreadable => &[],
        }
    }

    /// Which layer this is.
    #[must_use]
    pub fn layer(&self) -> PolicyLayer {
        self.layer
    }

    /// Whether the text holds no policy at all, so that every request is denied.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(self.content, Content::Empty)
    }

    /// Whether the texts could be loaded; an empty layer is readable.
    #[must_use]
    pub fn is_readable(&self) -> bool {
        !matches!(self.content, Content::Unreadable)
    }
}

fn validate(text: &str, set: &PolicySet) -> Result<(), PolicyError> {
    let result = Validator::new(PARSED_SCHEMA.clone()).validate(set, ValidationMode::Strict);
    match result.validation_errors().next() {
        Some(error) => Err(validation_error(text, set, error)),
        None => Ok(()),
    }
}

fn validation_error(text: &str, set: &PolicySet, error: &ValidationError) -> PolicyError {
    let (line, column) = place(text, error);
    let id = error.policy_id();
    PolicyError::Validation {
        line,
        column,
        policy: set.policy(id).map_or_else(|| id.to_string(), texts::name_of),
        message: message_about(id, error),
    }
}

fn syntax_error(text: &str, error: &(impl Diagnostic + ?Sized)) -> PolicyError {
    let (line, column) = place(text, error);
    PolicyError::Syntax {
        line,
        column,
        message: message_of(error),
    }
}

/// The first template of `set`, which was parsed from `text`.
fn template_error(text: &str, set: &PolicySet) -> Option<PolicyError> {
    let template = set.templates().next()?;
    let is_one = |source: &&source::PolicySource<'_>| source.holds_slot();
    let (line, column) = source::policies(text)
        .iter()
        .find(is_one)
        .map_or((1, 1), |source| (source.line, source.column));
    let id = template.annotation("id").filter(|id| texts::is_rule_name(id));
    Some(PolicyError::Template {
        line,
        column,
        policy: id.unwrap_or(template.id().as_ref()).to_owned(),
    })
}

/// What Cedar's validator says of the policy `id`, without naming it again.
fn message_about(id: &PolicyId, error: &(impl Diagnostic + ?Sized)) -> String {
    let message = message_of(error);
    let named = format!("for policy `{id}`, ");
    message
        .strip_prefix(&named)
        .map_or_else(|| message.clone(), ToOwned::to_owned)
}

/// What Cedar says, on one line, with its advice where it has any. It may quote the text.
fn message_of(error: &(impl Diagnostic + ?Sized)) -> String {
    let label = error
        .labels()
        .and_then(|mut labels| labels.next())
        .and_then(|label| label.label().map(ToOwned::to_owned));
    let help = error.help().map(|help| help.to_string());
    let mut message = error.to_string();
    for addition in [label, help].into_iter().flatten() {
        message.push_str(" (");
        message.push_str(&addition);
        message.push(')');
    }
    visible(&message.replace('\n', " "), MESSAGE_CHARS_MAX)
}

/// Line and column, both from 1, of the first place that `error` points at.
fn place(text: &str, error: &(impl Diagnostic + ?Sized)) -> (usize, usize) {
    let offset = error
        .labels()
        .and_then(|mut labels| labels.next())
        .map_or(0, |label| label.offset());
    source::place(text, offset)
}

#[cfg(test)]
mod tests;
