//! The policies of one layer with what is said of them, read once: Cedar parses the name of an annotation each time it is
//! asked for one.

use std::collections::HashMap;
use std::sync::OnceLock;

use cedar_policy::{Effect, Entity, EntityUid, Policy, PolicyId, PolicySet};

use super::actions;

/// What a decision says of one policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    /// Its name in `rules`, without the layer: its `@id` where that can stand there, else `policyN`.
    pub(super) name: String,
    pub(super) is_forbid: bool,
    /// `@decision("ask")`: it permits only what a person approves.
    pub(super) is_ask: bool,
    /// `@default("yes")`: in layer 0, what layer 1 permits takes its place.
    pub(super) is_default: bool,
}

/// Policies that were parsed and validated.
#[derive(Debug)]
pub(super) struct Texts {
    set: PolicySet,
    /// By action, the policies about it, once somebody asks about that action; `None` inside where that is all of them.
    narrowed: HashMap<&'static EntityUid, OnceLock<Option<PolicySet>>>,
    told: HashMap<PolicyId, Told>,
    /// The actions that conditions speak of, other than groups.
    pub(super) actions: Vec<Entity>,
}

impl Texts {
    pub(super) fn of(set: PolicySet) -> Self {
        let told = set.policies().map(|policy| (policy.id().clone(), Told::of(policy)));
        let told = told.collect();
        let actions = actions::named_in(&set);
        let narrowed = actions::all().map(|action| (action, OnceLock::new())).collect();
        Self {
            set,
            narrowed,
            told,
            actions,
        }
    }

    /// The policies that can say something about `action`: those whose scope does not leave it out.
    pub(super) fn about(&self, action: Option<&EntityUid>) -> &PolicySet {
        let narrowed = action.and_then(|action| {
            let once = self.narrowed.get(action)?;
            once.get_or_init(|| self.narrow(action)).as_ref()
        });
        narrowed.unwrap_or(&self.set)
    }

    /// Every policy of the layer.
    pub(super) fn all(&self) -> &PolicySet {
        &self.set
    }

    /// The same without every policy of this name; `None` where none is left.
    pub(super) fn without(&self, name: &str) -> Option<Self> {
        let kept = self.set.policies().filter(|policy| name_of(policy) != name);
        let kept = PolicySet::from_policies(kept.cloned()).ok()?;
        (!kept.is_empty()).then(|| Self::of(kept))
    }

    /// The same with the policies of `added`, under ids that no text gives.
    pub(super) fn joined_by(&self, added: &Self) -> Option<Self> {
        let mut joined = self.set.clone();
        for (position, policy) in added.set.policies().enumerate() {
            joined
                .add(policy.new_id(PolicyId::new(format!("added{position}"))))
                .ok()?;
        }
        Some(Self::of(joined))
    }

    /// `None` where nothing is left out.
    fn narrow(&self, action: &EntityUid) -> Option<PolicySet> {
        let about = self.set.policies().filter(|policy| actions::is_about(policy, action));
        let narrowed = PolicySet::from_policies(about.cloned()).ok()?;
        (narrowed.num_of_policies() < self.set.num_of_policies()).then_some(narrowed)
    }

    /// What is said of a policy of this layer. One that is none forbids: nothing is ever permitted in its name.
    pub(super) fn told(&self, id: &PolicyId) -> Told {
        let stranger = || Told {
            name: id.to_string(),
            is_forbid: true,
            is_ask: true,
            is_default: false,
        };
        self.told.get(id).cloned().unwrap_or_else(stranger)
    }
}

impl Told {
    fn of(policy: &Policy) -> Self {
        Self {
            name: name_of(policy),
            is_forbid: policy.effect() == Effect::Forbid,
            is_ask: policy.annotation("decision") == Some("ask"),
            is_default: policy.annotation("default") == Some("yes"),
        }
    }
}

/// The name of `policy` in `rules`, without the layer.
pub(super) fn name_of(policy: &Policy) -> String {
    match policy.annotation("id") {
        Some(name) if is_rule_name(name) => name.to_owned(),
        _ => policy.id().to_string(),
    }
}

/// `<layer>/<id>` must be a `name` of at most 64 characters, so an id has at most 62.
pub(super) fn is_rule_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._:/@+-".contains(&byte);
    (1..=62).contains(&text.len()) && text.bytes().all(allowed)
}
