//! What a person can ask about a run that goes on: who is at work, what it cost, where the ledger is.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use countersign_schemas::body::Tokens;

use crate::session::{Event, Observer};

/// An agent as the run has shown it.
struct Seen {
    name: String,
    did: String,
    parent: Option<String>,
    is_running: bool,
}

/// What one agent has used of one model.
#[derive(Default)]
struct Used {
    answers: u64,
    tokens_in: u64,
    tokens_cached: u64,
    tokens_out: u64,
    cost_micro_usd: u64,
    is_unpriced: bool,
}

#[derive(Default)]
struct State {
    ledger: String,
    ledger_id: String,
    agents: Vec<Seen>,
    used: BTreeMap<(bool, String, String), Used>,
}

/// Keeps what the events of a run say about it.
#[derive(Default)]
pub(crate) struct Scene(Mutex<State>);

impl Observer for Scene {
    fn observe(&self, event: &Event) {
        let mut state = self.lock();
        match event {
            Event::RunStarted { ledger, path } => {
                state.ledger_id.clone_from(ledger);
                state.ledger.clone_from(path);
            }
            Event::AgentStarted { agent, did, parent } => state.agents.push(Seen {
                name: agent.clone(),
                did: did.clone(),
                parent: parent.clone(),
                is_running: true,
            }),
            Event::AgentStopped { agent } => {
                let stopped = state
                    .agents
                    .iter_mut()
                    .rev()
                    .find(|seen| seen.name == *agent && seen.is_running);
                if let Some(seen) = stopped {
                    seen.is_running = false;
                }
            }
            Event::Spent {
                agent,
                is_advisor,
                model,
                tokens,
                cost_micro_usd,
            } => {
                let key = (*is_advisor, agent.clone(), model.clone());
                let used = state.used.entry(key).or_default();
                used.add(tokens, cost_micro_usd.map(countersign_schemas::number::Count::get));
            }
            _ => {}
        }
    }
}

impl Used {
    fn add(&mut self, tokens: &Tokens, cost: Option<u64>) {
        self.answers += 1;
        self.tokens_in += tokens.input.get() + tokens.cache_write.get() + tokens.cache_read.get();
        self.tokens_cached += tokens.cache_read.get();
        self.tokens_out += tokens.output.get();
        self.cost_micro_usd += cost.unwrap_or(0);
        self.is_unpriced |= cost.is_none();
    }

    fn told(&self) -> String {
        let price = if self.is_unpriced {
            "no price known".to_owned()
        } else {
            dollars(self.cost_micro_usd)
        };
        format!(
            "{price:>14}  {} answers, {} tokens in ({} from the cache), {} out",
            self.answers, self.tokens_in, self.tokens_cached, self.tokens_out
        )
    }
}

/// Micro-USD as dollars.
fn dollars(micro_usd: u64) -> String {
    format!("${}.{:06}", micro_usd / 1_000_000, micro_usd % 1_000_000)
}

impl Scene {
    /// What each agent has used, advisors last and apart, and the sum.
    pub(crate) fn cost_lines(&self) -> Vec<String> {
        let state = self.lock();
        let line = |((is_advisor, agent, model), used): (&(bool, String, String), &Used)| {
            let role = if *is_advisor { " (advisor)" } else { "" };
            format!("{:<24} {}  {model}", format!("{agent}{role}"), used.told())
        };
        let mut lines: Vec<String> = state.used.iter().map(line).collect();
        lines.push(format!("{:<24} {:>14}", "in all", dollars(state.cost())));
        lines
    }

    /// The sum of what is known, in one line, if anything costs anything.
    pub(crate) fn cost_line(&self) -> Option<String> {
        let state = self.lock();
        let unpriced = state.used.values().any(|used| used.is_unpriced);
        match (state.cost(), unpriced) {
            (0, false) => None,
            (cost, false) => Some(dollars(cost)),
            (cost, true) => Some(format!("{} and what models without a known price cost", dollars(cost))),
        }
    }

    /// Every agent with its DID, its parent, and whether it still works.
    pub(crate) fn agent_lines(&self) -> Vec<String> {
        let state = self.lock();
        let line = |seen: &Seen| {
            let standing = if seen.is_running { "at work" } else { "stopped" };
            let parent = seen.parent.as_deref().unwrap_or("the runtime");
            format!("{:<12} {standing}  by {parent:<12} {}", seen.name, seen.did)
        };
        state.agents.iter().map(line).collect()
    }

    /// The ledger's file and id.
    pub(crate) fn ledger(&self) -> (String, String) {
        let state = self.lock();
        (state.ledger.clone(), state.ledger_id.clone())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn cost(&self) -> u64 {
        self.used.values().map(|used| used.cost_micro_usd).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_schemas::number::Count;

    fn spent(agent: &str, is_advisor: bool, cost: Option<u64>) -> Event {
        Event::Spent {
            agent: agent.to_owned(),
            is_advisor,
            model: "m".to_owned(),
            tokens: Tokens {
                input: Count::clamped(10),
                output: Count::clamped(5),
                cache_write: Count::clamped(1),
                cache_read: Count::clamped(4),
            },
            cost_micro_usd: cost.map(Count::clamped),
        }
    }

    #[test]
    fn costs_are_told_per_agent_and_the_advisors_apart() {
        let scene = Scene::default();
        for event in [
            spent("advisor", true, Some(1_500_000)),
            spent("lead", false, Some(20)),
            spent("lead", false, Some(30)),
        ] {
            scene.observe(&event);
        }
        let lines = scene.cost_lines();
        assert!(
            lines[0].starts_with("lead ") && lines[0].contains("$0.000050"),
            "{lines:?}"
        );
        assert!(
            lines[0].contains("2 answers, 30 tokens in (8 from the cache), 10 out"),
            "{lines:?}"
        );
        assert!(
            lines[1].starts_with("advisor (advisor) ") && lines[1].contains("$1.500000"),
            "{lines:?}"
        );
        assert!(lines[2].ends_with("$1.500050"), "{lines:?}");
    }

    #[test]
    fn what_has_no_price_is_said_and_not_counted() {
        let scene = Scene::default();
        assert_eq!(scene.cost_line(), None);
        scene.observe(&spent("lead", false, None));
        assert!(scene.cost_lines()[0].contains("no price known"));
        assert_eq!(
            scene.cost_line().as_deref(),
            Some("$0.000000 and what models without a known price cost")
        );
    }

    #[test]
    fn agents_are_listed_with_who_made_them() {
        let scene = Scene::default();
        for (agent, parent) in [("lead", None), ("scout", Some("lead"))] {
            scene.observe(&Event::AgentStarted {
                agent: agent.to_owned(),
                did: format!("did:peer:4z{agent}"),
                parent: parent.map(str::to_owned),
            });
        }
        scene.observe(&Event::AgentStopped {
            agent: "scout".to_owned(),
        });
        let lines = scene.agent_lines();
        assert!(lines[0].contains("at work  by the runtime"), "{lines:?}");
        assert!(
            lines[1].contains("stopped  by lead") && lines[1].ends_with("did:peer:4zscout"),
            "{lines:?}"
        );
    }
}
