//! Scripts, `countersign.script/v1`: the turns of agents, written down beforehand.
//!
//! ```json
//! {"schema": "countersign.script/v1",
//!  "agents": {
//!    "lead": [ {"say": "I look first.", "calls": [{"tool": "list", "args": {"path": "."}}]},
//!              {"error": "overloaded"},
//!              {"say": "Then I fix it.", "calls": [{"tool": "edit", "args": {"path": "a", "old": "x", "new": "y"},
//!                                                   "advice": {"relation": "followed", "reason": "It is small."}}]},
//!              {"say": "Done."} ] } }
//! ```
//!
//! A turn says something, proposes calls, or both; a turn with `error` fails instead. The first agent is `lead`. A
//! script is checked as a whole when it is read: what is wrong with its last turn is known before its first is played.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use countersign_identity::strict_json::{self, StrictJsonError};
use countersign_schemas::body::AdviceRelation;
use countersign_schemas::digest::Digest;
use countersign_schemas::text::Name;
use serde::Deserialize;
use serde_json::{Map, Value};
use thiserror::Error;

use super::call::{AdviceStatement, CallError, CallId, ToolCall};

/// Largest script.
pub const SCRIPT_LEN_BYTES_MAX: usize = 4 << 20;

/// Most calls in one turn.
const CALLS_MAX: usize = 64;

/// The agent that a run begins with.
const LEAD: &str = "lead";

const SCHEMA: &str = "countersign.script/v1";

/// A script that has been checked as a whole.
#[derive(Clone, Debug)]
pub struct Script {
    agents: BTreeMap<String, Vec<Turn>>,
    digest: Digest,
}

/// One turn of an agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Answer { text: String, calls: Vec<ToolCall> },
    Failure { text: String },
}

impl Script {
    /// Reads a script.
    ///
    /// # Errors
    /// [`ScriptError`] names the first thing that is wrong, with its agent and turn.
    pub fn parse(bytes: &[u8]) -> Result<Self, ScriptError> {
        if bytes.len() > SCRIPT_LEN_BYTES_MAX {
            return Err(ScriptError::TooLarge);
        }
        let value = strict_json::parse(bytes).map_err(ScriptError::NotJson)?;
        let document: Document = serde_json::from_value(value).map_err(ScriptError::Document)?;
        if document.schema != SCHEMA {
            return Err(ScriptError::Schema { found: document.schema });
        }
        if !document.agents.contains_key(LEAD) {
            return Err(ScriptError::NoLead);
        }
        let agents = document.agents.into_iter().map(|(name, turns)| agent(name, turns));
        Ok(Self {
            agents: agents.collect::<Result<_, _>>()?,
            digest: Digest::sha256(bytes),
        })
    }

    /// SHA-256 of the script's bytes.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The names of its agents, in order of the alphabet.
    pub fn agents(&self) -> impl Iterator<Item = &str> {
        self.agents.keys().map(String::as_str)
    }

    pub(super) fn turns(&self, agent: &str) -> Option<&[Turn]> {
        self.agents.get(agent).map(Vec::as_slice)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    schema: String,
    agents: BTreeMap<String, Vec<Value>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TurnText {
    say: Option<String>,
    calls: Option<Vec<CallText>>,
    error: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CallText {
    tool: String,
    args: Map<String, Value>,
    advice: Option<AdviceText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AdviceText {
    relation: RelationText,
    reason: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum RelationText {
    Followed,
    Overridden,
}

fn agent(name: String, turns: Vec<Value>) -> Result<(String, Vec<Turn>), ScriptError> {
    if Name::new(name.as_str()).is_err() {
        return Err(ScriptError::AgentName { agent: name });
    }
    if turns.is_empty() {
        return Err(ScriptError::NoTurns { agent: name });
    }
    let located = |(index, value)| {
        turn(index + 1, value).map_err(|problem| ScriptError::Turn {
            agent: name.clone(),
            turn: index + 1,
            problem,
        })
    };
    let turns = turns.into_iter().enumerate().map(located).collect::<Result<_, _>>()?;
    Ok((name, turns))
}

fn turn(number: usize, value: Value) -> Result<Turn, TurnProblem> {
    match serde_json::from_value(value).map_err(TurnProblem::Members)? {
        TurnText {
            say: None,
            calls: None,
            error: Some(text),
        } => Ok(Turn::Failure { text }),
        TurnText { error: Some(_), .. } => Err(TurnProblem::ErrorAndMore),
        TurnText {
            say: None,
            calls: None,
            error: None,
        } => Err(TurnProblem::Nothing),
        TurnText {
            say,
            calls,
            error: None,
        } => {
            let calls = calls.unwrap_or_default();
            if calls.len() > CALLS_MAX {
                return Err(TurnProblem::TooManyCalls { calls: calls.len() });
            }
            let located = |(index, text)| {
                call(CallId::numbered(number, index + 1), text).map_err(|source| TurnProblem::Call {
                    call: index + 1,
                    source,
                })
            };
            let calls = calls.into_iter().enumerate().map(located).collect::<Result<_, _>>()?;
            Ok(Turn::Answer {
                text: say.unwrap_or_default(),
                calls,
            })
        }
    }
}

fn call(id: CallId, text: CallText) -> Result<ToolCall, CallError> {
    let advice = text.advice.map(|advice| AdviceStatement {
        relation: match advice.relation {
            RelationText::Followed => AdviceRelation::Followed,
            RelationText::Overridden => AdviceRelation::Overridden,
        },
        reason: advice.reason,
    });
    ToolCall::new(id, &text.tool, text.args, advice)
}

/// Why something is not a script.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ScriptError {
    /// The file cannot be read, or is no regular file.
    #[error("cannot read the script {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// Longer than [`SCRIPT_LEN_BYTES_MAX`].
    #[error("the script has more than {SCRIPT_LEN_BYTES_MAX} bytes")]
    TooLarge,
    /// No JSON, or JSON with a member twice.
    #[error("the script cannot be read as JSON")]
    NotJson(#[source] StrictJsonError),
    /// Not an object of `schema` and `agents`, with a list of turns for each agent.
    #[error("the script is not an object with `schema` and the turns of its `agents`")]
    Document(#[source] serde_json::Error),
    /// Another schema, or a later version.
    #[error("the script's schema is {found:?}, not {SCHEMA:?}")]
    Schema {
        /// What it says.
        found: String,
    },
    /// Nobody to begin with.
    #[error("the script has no agent {LEAD:?} to begin with")]
    NoLead,
    /// The name of an agent is no `name` of statement-v1.
    #[error("{agent:?} is not the name of an agent")]
    AgentName {
        /// What it says.
        agent: String,
    },
    /// An agent that never gets to speak.
    #[error("agent {agent:?} has no turns")]
    NoTurns {
        /// The agent.
        agent: String,
    },
    /// One turn is wrong.
    #[error("agent {agent:?}, turn {turn}")]
    Turn {
        /// The agent.
        agent: String,
        /// The turn, counted from 1.
        turn: usize,
        /// What is wrong with it.
        #[source]
        problem: TurnProblem,
    },
}

/// What is wrong with a turn.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TurnProblem {
    /// A member is unknown, missing, or of the wrong type.
    #[error(transparent)]
    Members(serde_json::Error),
    /// Neither `say` nor `calls` nor `error`.
    #[error("the turn does nothing: it needs `say`, `calls` or `error`")]
    Nothing,
    /// A turn that fails cannot say or call something.
    #[error("a turn with `error` has neither `say` nor `calls`")]
    ErrorAndMore,
    /// More than 64 calls.
    #[error("the turn has {calls} calls, at most {CALLS_MAX} are taken")]
    TooManyCalls {
        /// Calls found.
        calls: usize,
    },
    /// A call that cannot be recorded.
    #[error("call {call}")]
    Call {
        /// The call, counted from 1.
        call: usize,
        /// Why not.
        #[source]
        source: CallError,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parse(script: &Value) -> Result<Script, ScriptError> {
        Script::parse(script.to_string().as_bytes())
    }

    /// A script whose second turn of `scout` is `turn`.
    fn with_turn(turn: &Value) -> Result<Script, ScriptError> {
        let agents = json!({"lead": [{"say": "x"}], "scout": [{"say": "x"}, turn]});
        parse(&json!({"schema": SCHEMA, "agents": agents}))
    }

    fn refusal(result: Result<Script, ScriptError>) -> String {
        let Err(error) = result else {
            return "accepted".to_owned();
        };
        let mut text = error.to_string();
        let mut cause = std::error::Error::source(&error);
        while let Some(source) = cause {
            text.push_str(": ");
            text.push_str(&source.to_string());
            cause = source.source();
        }
        text
    }

    #[test]
    fn script_of_the_contract_is_read() -> Result<(), Box<dyn std::error::Error>> {
        let script = parse(&json!({"schema": "countersign.script/v1", "agents": {
            "lead": [
                {"say": "I look first.", "calls": [
                    {"tool": "agent", "args": {"type": "explore", "name": "scout", "task": "find the failing test"}}]},
                {"calls": [{"tool": "bash", "args": {"command": "make test"},
                            "advice": {"relation": "overridden", "reason": "Too slow."}}]},
                {"error": "overloaded"},
                {"say": "Done."}],
            "scout": [{"say": ""}],
            "advisor": [{"say": "Patch, do not rewrite.", "calls": []}]}}))?;
        assert_eq!(script.agents().collect::<Vec<_>>(), ["advisor", "lead", "scout"]);
        let lead = script.turns("lead").unwrap_or_default();
        assert_eq!(
            lead[2],
            Turn::Failure {
                text: "overloaded".to_owned()
            }
        );
        assert_eq!(
            lead[3],
            Turn::Answer {
                text: "Done.".to_owned(),
                calls: Vec::new()
            }
        );
        let Turn::Answer { calls, .. } = &lead[1] else {
            return Err("an answer".into());
        };
        let advice = calls[0].advice().ok_or("advice")?;
        assert_eq!(
            (advice.relation, advice.reason.as_str()),
            (AdviceRelation::Overridden, "Too slow.")
        );
        assert!(script.turns("Lead").is_none());
        Ok(())
    }

    #[test]
    fn wrong_turn_is_named_with_its_agent() {
        let place = "agent \"scout\", turn 2: ";
        let cases = [
            (json!("x"), "invalid type: string \"x\", expected struct TurnText"),
            (json!({}), "the turn does nothing: it needs `say`, `calls` or `error`"),
            (
                json!({"says": "x"}),
                "unknown field `says`, expected one of `say`, `calls`, `error`",
            ),
            (json!({"say": 1}), "invalid type: integer `1`, expected a string"),
            (json!({"calls": {}}), "invalid type: map, expected a sequence"),
            (
                json!({"error": "x", "say": "y"}),
                "a turn with `error` has neither `say` nor `calls`",
            ),
            (json!({"calls": [{"args": {}}]}), "missing field `tool`"),
            (json!({"calls": [{"tool": "x"}]}), "missing field `args`"),
            (
                json!({"calls": [{"tool": "x", "args": []}]}),
                "invalid type: sequence, expected a map",
            ),
            (
                json!({"calls": [{"tool": "x", "args": {}, "id": 1}]}),
                "unknown field `id`",
            ),
            (
                json!({"calls": [{"tool": "a b", "args": {}}]}),
                "call 1: \"a b\" is not the name of a tool",
            ),
            (
                json!({"calls": [{"tool": "x", "args": {"n": 0.5}}]}),
                "call 1: the arguments cannot be recorded: ",
            ),
            (
                json!({"calls": [{"tool": "x", "args": {}, "advice": {"relation": "ignored", "reason": "y"}}]}),
                "unknown variant `ignored`, expected `followed` or `overridden`",
            ),
            (
                json!({"calls": [{"tool": "x", "args": {}, "advice": {"relation": "followed"}}]}),
                "missing field `reason`",
            ),
            (
                json!({"calls": [{"tool": "x", "args": {}, "advice": {"relation": "followed", "reason": ""}}]}),
                "call 1: the reason has 0 bytes",
            ),
            (
                json!({"calls": vec![json!({"tool": "x", "args": {}}); 65]}),
                "the turn has 65 calls",
            ),
        ];
        for (turn, reason) in cases {
            let refused = refusal(with_turn(&turn));
            assert!(refused.starts_with(&[place, reason].concat()), "{turn}: {refused}");
        }
    }

    #[test]
    fn wrong_document_is_refused() {
        let turns = json!([{"say": "x"}]);
        let cases = [
            (json!([]), "the script is not an object"),
            (json!({"agents": {"lead": turns}}), "the script is not an object"),
            (
                json!({"schema": SCHEMA, "agents": [turns]}),
                "the script is not an object",
            ),
            (
                json!({"schema": SCHEMA, "agents": {"lead": {"say": "x"}}}),
                "the script is not an object",
            ),
            (
                json!({"schema": SCHEMA, "agents": {"lead": turns}, "model": "x"}),
                "the script is not an object",
            ),
            (
                json!({"schema": "countersign.script/v2", "agents": {"lead": turns}}),
                "the script's schema is",
            ),
            (
                json!({"schema": SCHEMA, "agents": {}}),
                "the script has no agent \"lead\"",
            ),
            (
                json!({"schema": SCHEMA, "agents": {"scout": turns}}),
                "the script has no agent \"lead\"",
            ),
            (
                json!({"schema": SCHEMA, "agents": {"lead": []}}),
                "agent \"lead\" has no turns",
            ),
            (
                json!({"schema": SCHEMA, "agents": {"lead": turns, "a b": turns}}),
                "\"a b\" is not the name",
            ),
        ];
        for (script, reason) in cases {
            let refused = refusal(parse(&script));
            assert!(refused.starts_with(reason), "{script}: {refused}");
        }
    }

    #[test]
    fn agent_written_twice_is_refused() {
        let text = r#"{"schema":"countersign.script/v1","agents":{"lead":[{"say":"a"}],"lead":[{"say":"b"}]}}"#;
        let refused = refusal(Script::parse(text.as_bytes()));
        assert!(
            refused.starts_with("the script cannot be read as JSON: member `lead` occurs twice"),
            "{refused}"
        );
    }

    #[test]
    fn oversize_and_binary_are_refused() {
        assert!(matches!(
            Script::parse(&vec![b' '; SCRIPT_LEN_BYTES_MAX + 1]),
            Err(ScriptError::TooLarge)
        ));
        assert!(matches!(Script::parse(b"\xff\xfe"), Err(ScriptError::NotJson(_))));
        assert!(matches!(Script::parse(b""), Err(ScriptError::NotJson(_))));
    }
}
