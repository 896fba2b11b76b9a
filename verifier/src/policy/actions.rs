//! The actions of the schema as Cedar holds them: which of them a question needs, prepared once.
//!
//! To make one hierarchy of entities Cedar goes through all of them, so every entity that no policy can ask for costs
//! each decision its share. Entities of requests have no attribute that holds an action; an evaluation meets the action
//! that is asked about and those that the text of a policy names, and no other. It looks an action up only to learn its
//! groups, on the left of `in`, and one that it does not find has none. So a group, which is in no other, need not be
//! there, and neither need what a scope names: there it stands on the right.

use std::collections::{HashMap, HashSet};
use std::str::FromStr;
use std::sync::LazyLock;

use cedar_policy::{ActionConstraint, Entities, Entity, EntityId, EntityTypeName, EntityUid, Policy, PolicySet};

use super::PARSED_SCHEMA;

static ACTIONS: LazyLock<Entities> = LazyLock::new(|| match PARSED_SCHEMA.action_entities() {
    Ok(entities) => entities,
    Err(error) => unreachable!("the actions of the embedded schema are tested: {error}"),
});

/// Every action by its id.
static BY_ID: LazyLock<HashMap<String, Action>> = LazyLock::new(|| {
    let prepared = ACTIONS.iter().map(|entity| {
        let uid = entity.uid();
        let entities = match Entities::from_entities([entity.clone()], None) {
            Ok(entities) => entities,
            Err(error) => unreachable!("one entity is no circle: {error}"),
        };
        (uid.id().unescaped().to_owned(), Action { uid, entities })
    });
    prepared.collect()
});

static TYPE: LazyLock<EntityTypeName> = LazyLock::new(|| match EntityTypeName::from_str("Action") {
    Ok(parsed) => parsed,
    Err(error) => unreachable!("a plain word is a type name: {error}"),
});

/// Makes what every request is asked with.
pub(super) fn read_ahead() {
    LazyLock::force(&BY_ID);
}

/// An action that is asked about.
#[derive(Clone)]
pub(super) struct Action {
    pub(super) uid: EntityUid,
    /// It alone, with its groups; nothing where the schema does not have it.
    pub(super) entities: Entities,
}

impl Action {
    pub(super) fn named(id: &str) -> Self {
        let stranger = || Self {
            uid: EntityUid::from_type_name_and_id(TYPE.clone(), EntityId::new(id)),
            entities: Entities::empty(),
        };
        BY_ID.get(id).cloned().unwrap_or_else(stranger)
    }
}

/// Every action of the schema.
pub(super) fn all() -> impl Iterator<Item = &'static EntityUid> {
    BY_ID.values().map(|action| &action.uid)
}

/// Whether the scope of `policy` takes in `action`. One that does not is not satisfied and does not fail either, as Cedar
/// looks at the scope before the conditions.
pub(super) fn is_about(policy: &Policy, action: &EntityUid) -> bool {
    match policy.action_constraint() {
        ActionConstraint::Any => true,
        ActionConstraint::Eq(only) => only == *action,
        ActionConstraint::In(named) => named.contains(action) || groups_of(action).any(|group| named.contains(group)),
    }
}

fn groups_of(action: &EntityUid) -> impl Iterator<Item = &'static EntityUid> {
    ACTIONS.ancestors(action).into_iter().flatten()
}

/// The actions, other than groups, that conditions of `set` name.
pub(super) fn named_in(set: &PolicySet) -> Vec<Entity> {
    let named: HashSet<EntityUid> = set.policies().flat_map(named_in_conditions).collect();
    let is_in_a_group = |uid: &EntityUid| groups_of(uid).next().is_some();
    let actions = ACTIONS.iter().map(|entity| (entity.uid(), entity));
    let needed = actions.filter(|(uid, _)| named.contains(uid) && is_in_a_group(uid));
    needed.map(|(_, entity)| entity.clone()).collect()
}

/// What `policy` names more often than its scope names an action.
fn named_in_conditions(policy: &Policy) -> impl Iterator<Item = EntityUid> + use<> {
    let scope = match policy.action_constraint() {
        ActionConstraint::Any => Vec::new(),
        ActionConstraint::Eq(action) => vec![action],
        ActionConstraint::In(actions) => actions,
    };
    let mut times: HashMap<EntityUid, usize> = HashMap::new();
    for named in policy.entity_literals() {
        *times.entry(named).or_default() += 1;
    }
    for action in scope {
        times.entry(action).and_modify(|times| *times = times.saturating_sub(1));
    }
    times
        .into_iter()
        .filter(|(_, times)| *times > 0)
        .map(|(named, _)| named)
}
