//! Prompts: what an agent is told about itself, in a part that never differs and a part that does.
//!
//! The static part depends on the build and on what the agent is there for, and on nothing else, so that a provider's
//! cache of it serves every run. The dynamic part holds what differs between runs; each of its sections names the
//! reason why it has to ([`Prompt::to_json`]). A prompt is made once for an agent's life and cannot be changed afterwards.
//!
//! Pure: facts come in as [`Facts`], text goes out. Tools are not declared here; they are offered beside the prompt.

mod duty;
mod dynamic;
mod rules;
mod target;

use countersign_schemas::body::RunMode;
use countersign_schemas::digest::Digest;
use serde_json::{Value, json};

use self::duty::Duty;
use self::dynamic::Dynamic;
use crate::kind::AgentKind;

pub use dynamic::{Facts, History};
pub use target::{TARGETS, Target};

/// What stands between the two parts.
const BETWEEN_PARTS: &str = "\n\n";
const DYNAMIC_HEADING: &str = "# This run";

/// One section of the static part.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Section {
    name: &'static str,
    text: String,
}

impl Section {
    const fn new(name: &'static str, text: String) -> Self {
        Self { name, text }
    }

    fn rendered(&self) -> String {
        format!("# {}\n{}", self.name, self.text)
    }
}

/// The system prompt of one agent, fixed for its life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    duty: Duty,
    fixed: Vec<Section>,
    dynamic: Vec<Dynamic>,
    text: String,
    static_len_bytes: usize,
}

impl Prompt {
    /// The prompt of the lead of a run in `mode`; in [`RunMode::Coordinator`] that is [`Self::coordinator`].
    #[must_use]
    pub fn lead(mode: RunMode, facts: &Facts) -> Self {
        match mode {
            RunMode::Coordinator => Self::coordinator(facts),
            RunMode::Interactive | RunMode::Worker | RunMode::Headless => {
                Self::new(Duty::Lead, facts.sections(Some(mode)))
            }
        }
    }

    /// The prompt of a lead that delegates everything that changes files.
    #[must_use]
    pub fn coordinator(facts: &Facts) -> Self {
        Self::new(Duty::Coordinator, facts.sections(Some(RunMode::Coordinator)))
    }

    /// The prompt of a subagent. How the run is attended is not its business: it asks nobody.
    #[must_use]
    pub fn of_kind(kind: AgentKind, facts: &Facts) -> Self {
        Self::new(Duty::Child(kind), facts.sections(None))
    }

    /// The prompt of the advisor. It has no dynamic part: the advisor sees the question and nothing of the run.
    #[must_use]
    pub fn advisor() -> Self {
        Self::new(Duty::Advisor, Vec::new())
    }

    fn new(duty: Duty, dynamic: Vec<Dynamic>) -> Self {
        let fixed = duty.sections();
        let sections: Vec<_> = fixed.iter().map(Section::rendered).collect();
        let mut text = sections.join("\n\n");
        let static_len_bytes = text.len();
        if !dynamic.is_empty() {
            text.push_str(BETWEEN_PARTS);
            text.push_str(DYNAMIC_HEADING);
            for section in &dynamic {
                text.push_str("\n- ");
                text.push_str(&section.text);
            }
        }
        Self {
            duty,
            fixed,
            dynamic,
            text,
            static_len_bytes,
        }
    }

    /// The whole text: the static part, then, if there is a dynamic part, a blank line and that.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The part that is the same in every run of this build.
    #[must_use]
    pub fn static_text(&self) -> &str {
        &self.text[..self.static_len_bytes]
    }

    /// Length of the static part, with which [`Self::text`] begins: where a cache breakpoint belongs.
    #[must_use]
    pub const fn static_len_bytes(&self) -> usize {
        self.static_len_bytes
    }

    /// SHA-256 over the whole text. `system_prompt` of `model.called` is that of [`Self::static_text`] alone.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::sha256(self.text.as_bytes())
    }

    /// What the prompt is made of, `countersign.prompt/v1`: each section with its placement, the dynamic ones with their
    /// reason, and the [`TARGETS`]. The text itself is what [`Self::digest`] commits to, and stands in the request.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let fixed = self
            .fixed
            .iter()
            .map(|section| json!({ "name": section.name, "placement": "static", "len_bytes": section.text.len() }));
        let dynamic = self.dynamic.iter().map(|section| {
            json!({
                "name": section.name, "placement": "dynamic", "len_bytes": section.text.len(),
                "reason": section.reason.as_str(),
            })
        });
        json!({
            "schema": "countersign.prompt/v1",
            "agent": self.duty.word(),
            "digest": self.digest().to_string(),
            "len_bytes": self.text.len(),
            "static_len_bytes": self.static_len_bytes,
            "sections": fixed.chain(dynamic).collect::<Vec<_>>(),
            "targets": TARGETS.iter().map(Target::to_json).collect::<Vec<_>>(),
        })
    }
}

#[cfg(test)]
#[path = "prompt_tests.rs"]
mod tests;
