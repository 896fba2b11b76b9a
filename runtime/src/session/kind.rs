//! The types of subagent and what each may do of what its parent may do.

use std::collections::BTreeSet;

use countersign_schemas::body::Effects;
use countersign_schemas::text::Name;

use crate::tool::{AGENT, BUILTIN, GLOB, GREP, LIST, READ, ToolSpec};

/// A type of subagent: a system prompt and a narrower set of tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgentKind {
    /// Looks and reports.
    Explore,
    /// Looks and proposes steps.
    Plan,
    /// Looks, runs checks and reports whether they hold.
    Verify,
    /// May do what its parent may, except that it spawns nobody.
    General,
}

const READERS: [&ToolSpec; 4] = [&READ, &LIST, &GLOB, &GREP];

impl AgentKind {
    /// Every kind with its word.
    pub const WORDS: [(Self, &'static str); 4] = [
        (Self::Explore, "explore"),
        (Self::Plan, "plan"),
        (Self::Verify, "verify"),
        (Self::General, "general"),
    ];

    /// The kind of this word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::WORDS
            .into_iter()
            .find(|(_, name)| *name == word)
            .map(|(kind, _)| kind)
    }

    /// The tools it wants; it gets those of them that its parent has.
    fn wanted(self) -> Vec<&'static ToolSpec> {
        match self {
            Self::Explore | Self::Plan => READERS.to_vec(),
            Self::Verify => READERS.into_iter().chain([&crate::tool::BASH]).collect(),
            Self::General => BUILTIN.into_iter().filter(|spec| spec.name != AGENT.name).collect(),
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

    /// What the child is told about itself.
    #[must_use]
    pub const fn system_prompt(self) -> &'static str {
        match self {
            Self::Explore => {
                "You are an exploring subagent. Look around with your read-only tools, then report what you found and \
                 where, in at most ten lines."
            }
            Self::Plan => {
                "You are a planning subagent. Look around with your read-only tools, then propose the smallest sequence \
                 of steps that does the task."
            }
            Self::Verify => {
                "You are a verifying subagent. Run the checks you were asked for and report whether they hold, with the \
                 output that shows it."
            }
            Self::General => "You are a subagent. Do the task you were given and report what you did.",
        }
    }
}

/// What the lead agent is told about itself.
pub(super) const LEAD_PROMPT: &str = "You are the lead agent of a run. Every action you propose is decided by a gate and \
     recorded. A denial is final for that action: do something else or say what is missing. Use a subagent to look \
     around, the advisor when a choice is hard to undo, and end with a summary of what was done.";

/// What the advisor is told about itself.
pub(super) const ADVISOR_PROMPT: &str =
    "You are an advisor. You see only the question. Recommend one way and say why, in at most five lines.";

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

    #[test]
    fn no_kind_spawns_further_agents() {
        let all: BTreeSet<Name> = BUILTIN.iter().filter_map(|spec| Name::new(spec.name).ok()).collect();
        let every = Effects::from_bits(63).unwrap_or_default();
        for (kind, _) in AgentKind::WORDS {
            assert!(
                !kind.narrow(&all, every).0.iter().any(|tool| tool.as_str() == "agent"),
                "{kind:?}"
            );
        }
    }
}
