//! The conversation a request holds, whatever its format, held against the script: what the model is said to have said
//! has to be what it did say, and then it says the next turn.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::problem::Problem;
use super::script::{Call, Script};
use super::wire::Wire;

/// What a request tells besides settings.
#[derive(Debug, Default)]
pub(super) struct Conversation {
    /// The first words of the user.
    pub(super) opening: String,
    /// The earlier answers of the model.
    pub(super) said: Vec<Said>,
    /// Every tool with the schema of its input.
    pub(super) tools: BTreeMap<String, Value>,
    /// Whether reasoning was given that has to come back.
    pub(super) thinks: bool,
    /// Whether the model gives every declared property, an empty text where it has nothing to say.
    pub(super) fills_in: bool,
}

/// One answer of the model.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Said {
    /// Opaque parts before the words, in the form of the wire.
    pub(super) reasoning: Vec<Value>,
    pub(super) text: String,
    pub(super) calls: Vec<SaidCall>,
}

/// One call of an answer.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct SaidCall {
    pub(super) id: String,
    pub(super) tool: String,
    pub(super) arguments: Value,
}

/// What the model says now.
#[derive(Debug)]
pub(super) struct Cue {
    pub(super) agent: String,
    /// Which of the agent's turns in the script it is.
    pub(super) turn: usize,
    pub(super) said: Said,
}

impl Conversation {
    /// The turn that follows, if everything before it is as it was said.
    pub(super) fn cue(&self, script: &Script, wire: Wire) -> Result<Cue, Problem> {
        let role = script
            .role(&self.opening)
            .ok_or_else(|| Problem::new(400, "no agent of the script begins with the first words of the user"))?;
        for (index, said) in self.said.iter().enumerate() {
            let expected = self.line(script, wire, role.agent, role.first_turn + index)?;
            self.check_unchanged(wire, index, said, &expected)?;
        }
        let turn = role.first_turn + self.said.len();
        Ok(Cue {
            agent: role.agent.to_owned(),
            turn,
            said: self.line(script, wire, role.agent, turn)?,
        })
    }

    fn check_unchanged(&self, wire: Wire, index: usize, said: &Said, expected: &Said) -> Result<(), Problem> {
        if self.thinks && said.reasoning != expected.reasoning {
            let (found, expected) = (&said.reasoning, &expected.reasoning);
            let message = wire.changed_reasoning();
            return Err(Problem::new(
                400,
                format!("answer {index}: {message} expected {expected:?}, found {found:?}"),
            ));
        }
        if said.text != expected.text || said.calls != expected.calls {
            let message = format!(
                "answer {index} is not what the model said: expected {:?} {:?}, found {:?} {:?}",
                expected.text, expected.calls, said.text, said.calls
            );
            return Err(Problem::new(400, message));
        }
        Ok(())
    }

    /// A turn of the script in the words of the wire.
    fn line(&self, script: &Script, wire: Wire, agent: &str, index: usize) -> Result<Said, Problem> {
        let turn = script
            .turn(agent, index)
            .ok_or_else(|| Problem::new(400, format!("the script of {agent} has no turn {index}")))?;
        if let Some(error) = &turn.error {
            return Err(Problem::new(400, error.clone()));
        }
        let call = |(number, call): (usize, &Call)| {
            Ok(SaidCall {
                id: wire.call_id(&format!("{agent} {index} {number}")),
                tool: call.tool.clone(),
                arguments: self.arguments(call)?,
            })
        };
        let reasoning = wire.reasoning(&format!("{agent} {index}"), index);
        Ok(Said {
            reasoning: if self.thinks { reasoning } else { Vec::new() },
            text: turn.say.clone(),
            calls: turn.calls.iter().enumerate().map(call).collect::<Result<_, _>>()?,
        })
    }

    /// The arguments a model gives that speaks of advice where the schema lets it, and nowhere else.
    fn arguments(&self, call: &Call) -> Result<Value, Problem> {
        let mut arguments: Map<String, Value> = call.arguments.clone();
        let declared = self.tools.get(&call.tool).map(|schema| &schema["properties"]);
        if let Some(advice) = &call.advice {
            if declared.is_none_or(|properties| properties.get("advice").is_none()) {
                let message = format!(
                    "the model wants to say {advice:?}, but `{}` has no such input",
                    call.tool
                );
                return Err(Problem::new(400, message));
            }
            arguments.insert("advice".to_owned(), advice.as_str().into());
        }
        if self.fills_in {
            for name in declared.and_then(Value::as_object).into_iter().flat_map(Map::keys) {
                arguments.entry(name).or_insert_with(|| "".into());
            }
        }
        Ok(Value::Object(arguments))
    }
}
