//! The types of subagent and what each may do of what its parent may do.
//!
//! What each is told about itself is in [`prompt`](crate::prompt).

use std::collections::BTreeSet;

use countersign_schemas::body::Effects;
use countersign_schemas::text::Name;

use crate::tool::{
    AGENT, ASK_USER, BASH, BUILTIN, GLOB, GREP, LIST, MERGE, READ, TODO, TOOL_SCHEMA, ToolSpec, WEB_FETCH,
};

/// A type of subagent: a prompt and a narrower set of tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgentKind {
    /// Looks and reports.
    Explore,
    /// Looks and proposes steps.
    Plan,
    /// Looks, runs checks and reports whether they hold.
    Verify,
    /// May do what its parent may, except that it directs nobody and asks no person.
    General,
}

/// What looks around, and the list of steps that every agent may keep.
const LOOKING: [&ToolSpec; 7] = [&READ, &LIST, &GLOB, &GREP, &TOOL_SCHEMA, &WEB_FETCH, &TODO];

/// What no child gets. One generation is enough for work that a person can still follow; without children there is
/// nothing to merge; and whoever has to be asked is asked by the lead, who knows what the person knows.
const LEADS_ONLY: [&ToolSpec; 3] = [&AGENT, &MERGE, &ASK_USER];

impl AgentKind {
    /// Every kind with its word.
    pub const WORDS: [(Self, &'static str); 4] = [
        (Self::Explore, "explore"),
        (Self::Plan, "plan"),
        (Self::Verify, "verify"),
        (Self::General, "general"),
    ];

    /// Most children of one agent at work at the same time. Each holds a conversation with a provider, and providers
    /// slow down those who hold many; the fifth waits.
    pub const SIDE_BY_SIDE_MAX: usize = 4;

    /// Most children of one agent in a run. Each gets half of what is left of the budget: after sixteen halvings not a
    /// thousandth of it is left, and a model that spawns more than that goes in circles.
    pub const CHILDREN_MAX: usize = 16;

    /// Generations below the lead, which is the depth of a root grant that says nothing else.
    pub const GENERATIONS_MAX: u8 = 1;

    /// The kind of this word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::WORDS
            .into_iter()
            .find(|(_, name)| *name == word)
            .map(|(kind, _)| kind)
    }

    /// Its word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Explore => "explore",
            Self::Plan => "plan",
            Self::Verify => "verify",
            Self::General => "general",
        }
    }

    /// Whether it is there to change files, and so works in a work tree of its own where there can be one.
    ///
    /// A verifier's commands may leave what a build leaves, but it works where the change is that it judges.
    #[must_use]
    pub const fn writes(self) -> bool {
        match self {
            Self::Explore | Self::Plan | Self::Verify => false,
            Self::General => true,
        }
    }

    /// The tools it wants; it gets those of them that its parent has.
    fn wanted(self) -> Vec<&'static ToolSpec> {
        match self {
            Self::Explore | Self::Plan => LOOKING.to_vec(),
            Self::Verify => LOOKING.into_iter().chain([&BASH]).collect(),
            Self::General => BUILTIN
                .into_iter()
                .filter(|spec| LEADS_ONLY.iter().all(|own| own.name != spec.name))
                .collect(),
        }
    }

    /// Tools and effects of a child of a parent with `tools`.
    #[must_use]
    pub fn narrow(self, tools: &BTreeSet<Name>, effects: Effects) -> (BTreeSet<Name>, Effects) {
        let kept = self
            .wanted()
            .into_iter()
            .filter(|spec| effects.contains(spec.effects) && tools.iter().any(|tool| tool.as_str() == spec.name));
        let mut narrowed = (BTreeSet::new(), Effects::default());
        for spec in kept {
            narrowed.0.extend(Name::new(spec.name));
            narrowed.1 = narrowed.1.union(spec.effects);
        }
        narrowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> BTreeSet<Name> {
        names.iter().filter_map(|name| Name::new(*name).ok()).collect()
    }

    #[test]
    fn an_explorer_gets_only_reading_tools_its_parent_has() {
        let (tools, effects) = AgentKind::Explore.narrow(&names(&["read", "grep", "bash"]), Effects::READ);
        assert_eq!(tools, names(&["grep", "read"]));
        assert_eq!(effects, Effects::READ);
    }

    #[test]
    fn no_kind_gets_a_tool_whose_effects_its_parent_lacks() {
        for (kind, _) in AgentKind::WORDS {
            let (tools, _) = kind.narrow(&names(&["bash", "write"]), Effects::READ);
            assert!(tools.is_empty(), "{kind:?}");
        }
    }

    /// Every tool there is, whether or not the table of this build runs it.
    fn all() -> BTreeSet<Name> {
        let table = BUILTIN.iter().chain(&LOOKING).chain(&LEADS_ONLY);
        table.filter_map(|spec| Name::new(spec.name).ok()).collect()
    }

    fn of_everything(kind: AgentKind) -> (BTreeSet<Name>, Effects) {
        kind.narrow(&all(), Effects::from_bits(63).unwrap_or_default())
    }

    #[test]
    fn no_kind_spawns_merges_or_asks_a_person() {
        for (kind, _) in AgentKind::WORDS {
            let (tools, effects) = of_everything(kind);
            for own in LEADS_ONLY {
                assert!(
                    !tools.iter().any(|tool| tool.as_str() == own.name),
                    "{kind:?} {}",
                    own.name
                );
            }
            assert!(!effects.contains(Effects::DELEGATE), "{kind:?}");
        }
    }

    #[test]
    fn only_a_general_agent_can_write_a_file() {
        for (kind, _) in AgentKind::WORDS {
            let (tools, _) = of_everything(kind);
            let writes = tools.iter().any(|tool| matches!(tool.as_str(), "write" | "edit"));
            assert_eq!(writes, kind.writes(), "{kind:?}");
        }
    }

    #[test]
    fn whoever_looks_has_nothing_that_changes_or_runs_anything() {
        let looking = names(&["glob", "grep", "list", "read", "todo", "tool_schema", "web_fetch"]);
        for kind in [AgentKind::Explore, AgentKind::Plan] {
            let (tools, effects) = of_everything(kind);
            assert_eq!(tools, looking);
            assert_eq!(effects, Effects::READ.union(Effects::NETWORK));
        }
        let verifier = of_everything(AgentKind::Verify).0;
        assert_eq!(
            verifier.difference(&looking).cloned().collect::<BTreeSet<_>>(),
            names(&["bash"])
        );
    }

    #[test]
    fn what_a_parent_lacks_no_kind_has() {
        for (kind, _) in AgentKind::WORDS {
            let parent = names(&["read", "todo"]);
            let (tools, effects) = kind.narrow(&parent, Effects::from_bits(63).unwrap_or_default());
            assert!(tools.is_subset(&parent), "{kind:?}: {tools:?}");
            assert_eq!(effects, Effects::READ, "{kind:?}");
            assert!(kind.narrow(&BTreeSet::new(), Effects::READ).0.is_empty(), "{kind:?}");
        }
    }

    #[test]
    fn words_name_kinds_and_nothing_else_does() {
        for (kind, word) in AgentKind::WORDS {
            assert_eq!((AgentKind::from_word(word), kind.word()), (Some(kind), word));
        }
        for stranger in ["", "lead", "Explore", "explore ", "coordinator", "advisor"] {
            assert_eq!(AgentKind::from_word(stranger), None, "{stranger}");
        }
    }
}
