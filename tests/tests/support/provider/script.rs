//! The script (`countersign.script/v1`) as a provider sees it: which agent asks is not written in a request, so it is told
//! from the first words the user says.
//!
//! Limits: two agents with the same task, or two equal questions to the advisor, cannot be told apart; an agent's second
//! life under the same name begins after the turn that ended its first.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::support::Checked;

/// The turns of all agents, and the words by which each is recognised.
pub(super) struct Script {
    agents: BTreeMap<String, Vec<Turn>>,
    openings: Vec<Opening>,
}

/// What a model says next.
pub(super) struct Turn {
    pub(super) say: String,
    pub(super) calls: Vec<Call>,
    /// The turn is no answer: the provider fails with these words.
    pub(super) error: Option<String>,
}

/// One call of a turn.
pub(super) struct Call {
    pub(super) tool: String,
    pub(super) arguments: Map<String, Value>,
    /// What the model puts into the property `advice`, such as `followed: It is small.`
    pub(super) advice: Option<String>,
}

struct Opening {
    words: String,
    agent: String,
    first_turn: usize,
}

/// Who asks, and at which of its turns that conversation begins.
#[derive(Clone, Copy)]
pub(super) struct Role<'s> {
    pub(super) agent: &'s str,
    pub(super) first_turn: usize,
}

impl Script {
    /// Reads a script whose lead is given `task`.
    pub(super) fn parse(text: &str, task: &str) -> Checked<Self> {
        let document: Value = serde_json::from_str(text)?;
        let members = document["agents"].as_object().ok_or("a script has agents")?;
        let mut agents = BTreeMap::new();
        for (name, turns) in members {
            let turns: Checked<Vec<Turn>> = list(turns).iter().map(Turn::parse).collect();
            agents.insert(name.clone(), turns?);
        }
        let mut script = Self {
            agents,
            openings: vec![Opening {
                words: task.to_owned(),
                agent: "lead".to_owned(),
                first_turn: 0,
            }],
        };
        script.openings.extend(script.later_openings());
        Ok(script)
    }

    /// The agent whose opening stands in `first_words`; of several the one with the longest.
    pub(super) fn role(&self, first_words: &str) -> Option<Role<'_>> {
        let known = self
            .openings
            .iter()
            .filter(|opening| first_words.contains(&opening.words));
        let longest = known.rev().max_by_key(|opening| opening.words.len())?;
        Some(Role {
            agent: &longest.agent,
            first_turn: longest.first_turn,
        })
    }

    /// A turn of an agent.
    pub(super) fn turn(&self, agent: &str, index: usize) -> Option<&Turn> {
        self.agents.get(agent)?.get(index)
    }

    fn later_openings(&self) -> Vec<Opening> {
        let mut lives: BTreeMap<String, usize> = BTreeMap::new();
        let mut openings = Vec::new();
        for call in self.agents.values().flatten().flat_map(|turn| &turn.calls) {
            let argument = |name: &str| call.arguments.get(name).and_then(Value::as_str).unwrap_or_default();
            let (agent, words) = match call.tool.as_str() {
                "agent" => (argument("name"), argument("task")),
                "advisor" => ("advisor", argument("question")),
                _ => continue,
            };
            let life = lives.entry(agent.to_owned()).or_default();
            openings.push(Opening {
                words: words.to_owned(),
                agent: agent.to_owned(),
                first_turn: self.beginning(agent, *life),
            });
            *life += 1;
        }
        openings
    }

    /// The turn after the `life`-th one without calls, or 0.
    fn beginning(&self, agent: &str, life: usize) -> usize {
        let turns = self.agents.get(agent).map_or(&[][..], Vec::as_slice);
        let ends = turns.iter().enumerate().filter(|(_, turn)| turn.calls.is_empty());
        let after = ends.map(|(index, _)| index + 1);
        std::iter::once(0).chain(after).nth(life).unwrap_or(turns.len())
    }
}

impl Turn {
    fn parse(turn: &Value) -> Checked<Self> {
        let calls: Checked<Vec<Call>> = list(&turn["calls"]).iter().map(Call::parse).collect();
        Ok(Self {
            say: turn["say"].as_str().unwrap_or_default().to_owned(),
            calls: calls?,
            error: turn["error"].as_str().map(str::to_owned),
        })
    }
}

impl Call {
    fn parse(call: &Value) -> Checked<Self> {
        let advice = &call["advice"];
        let advice = advice["relation"].as_str().map(|relation| {
            let reason = advice["reason"].as_str().unwrap_or_default();
            format!("{relation}: {reason}")
        });
        Ok(Self {
            tool: call["tool"].as_str().ok_or("a call names a tool")?.to_owned(),
            arguments: call["args"].as_object().ok_or("a call has arguments")?.clone(),
            advice,
        })
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn script() -> Checked<Script> {
        let ask = |question: &str| json!({ "tool": "advisor", "args": { "question": question } });
        let send =
            |task: &str| json!({ "tool": "agent", "args": { "type": "explore", "name": "scout", "task": task } });
        let agents = json!({
            "lead": [
                { "say": "a", "calls": [send("look"), ask("left?")] },
                { "calls": [send("look again"), ask("right?")] },
                { "error": "overloaded" }
            ],
            "scout": [{ "say": "one", "calls": [] }, { "say": "two" }],
            "advisor": [{ "say": "left" }, { "say": "not right" }]
        });
        Script::parse(
            &json!({ "schema": "countersign.script/v1", "agents": agents }).to_string(),
            "do it",
        )
    }

    #[test]
    fn agents_are_told_by_the_first_words_of_the_user() -> Checked {
        let script = script()?;
        let role = |words: &str| script.role(words).map(|role| (role.agent.to_owned(), role.first_turn));
        assert_eq!(role("do it"), Some(("lead".to_owned(), 0)));
        assert_eq!(role("Today is Monday.\n\nlook"), Some(("scout".to_owned(), 0)));
        assert_eq!(
            role("look again"),
            Some(("scout".to_owned(), 1)),
            "the longest words win"
        );
        assert_eq!(role("left?"), Some(("advisor".to_owned(), 0)));
        assert_eq!(role("right?"), Some(("advisor".to_owned(), 1)));
        assert_eq!(role("something else"), None);
        Ok(())
    }

    #[test]
    fn advice_becomes_one_text() -> Checked {
        let advice = json!({ "relation": "followed", "reason": "It is small." });
        let call = Call::parse(&json!({ "tool": "edit", "args": {}, "advice": advice }))?;
        assert_eq!(call.advice.as_deref(), Some("followed: It is small."));
        Ok(())
    }
}
