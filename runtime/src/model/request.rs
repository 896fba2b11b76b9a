//! What a model is asked, in the one form that a ledger keeps.

use countersign_identity::jcs;
use countersign_schemas::body::FinishOutcome;
use countersign_schemas::digest::Digest;
use countersign_schemas::text::Name;
use serde_json::{Value, json};

use super::answer::ToolCall;
use crate::tool::{ToolSpec, toolset_digest};

/// A question to a model: everything it gets to see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelRequest {
    /// The agent or advisor that asks.
    pub agent: String,
    /// Its instructions.
    pub system: String,
    /// The tools it may propose calls of, in the order in which they are offered.
    pub tools: Vec<&'static ToolSpec>,
    /// What was said so far, the oldest first.
    pub messages: Vec<Message>,
}

/// One step of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// A task, a question or an instruction.
    User {
        /// Its words.
        text: String,
    },
    /// An earlier answer of the model.
    Assistant {
        /// What it said.
        text: String,
        /// What it proposed.
        calls: Vec<ToolCall>,
    },
    /// The results of the calls of the answer before, in the order of the calls.
    Results(Vec<CallResult>),
}

/// What became of one proposed call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallResult {
    /// The tool.
    pub tool: Name,
    /// How it ended; `aborted` also for a call that was not permitted.
    pub outcome: FinishOutcome,
    /// The result, or why there is none.
    pub content: String,
}

impl ModelRequest {
    /// The request as JSON, `countersign.model-request/v1`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "schema": "countersign.model-request/v1",
            "agent": self.agent,
            "system": self.system,
            "tools": self.tools.iter().map(|spec| tool_json(spec)).collect::<Vec<_>>(),
            "messages": self.messages.iter().map(message_json).collect::<Vec<_>>(),
        })
    }

    /// The bytes `model.called` commits to: [`Self::to_json`] in JCS form.
    #[must_use]
    pub fn payload(&self) -> Vec<u8> {
        jcs::canonicalize(&self.to_json()).expect("texts, small integers and checked arguments have a JCS form")
    }

    /// `toolset` of `model.called`.
    #[must_use]
    pub fn toolset(&self) -> Digest {
        toolset_digest(self.tools.iter().copied())
    }
}

fn tool_json(spec: &ToolSpec) -> Value {
    json!({ "name": spec.name, "description": spec.description, "input_schema": spec.input_schema() })
}

fn message_json(message: &Message) -> Value {
    match message {
        Message::User { text } => json!({ "role": "user", "text": text }),
        Message::Assistant { text, calls } => {
            let calls: Vec<_> = calls.iter().map(ToolCall::to_json).collect();
            json!({ "role": "assistant", "text": text, "calls": calls })
        }
        Message::Results(results) => {
            let results: Vec<_> = results.iter().map(result_json).collect();
            json!({ "role": "tools", "results": results })
        }
    }
}

fn result_json(result: &CallResult) -> Value {
    json!({ "tool": result.tool.as_str(), "outcome": result.outcome.as_str(), "content": result.content })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tool::{LIST, READ};

    type TestResult = Result<(), Box<dyn std::error::Error>>;

    fn request() -> Result<ModelRequest, Box<dyn std::error::Error>> {
        let call = ToolCall::new("list", [("path".to_owned(), json!("."))].into_iter().collect(), None)?;
        let result = CallResult {
            tool: Name::new("list")?,
            outcome: FinishOutcome::Error,
            content: "no\nsuch".to_owned(),
        };
        Ok(ModelRequest {
            agent: "lead".to_owned(),
            system: "Be brief.".to_owned(),
            tools: vec![&LIST],
            messages: vec![
                Message::User {
                    text: "Fix it.".to_owned(),
                },
                Message::Assistant {
                    text: String::new(),
                    calls: vec![call],
                },
                Message::Results(vec![result]),
            ],
        })
    }

    #[test]
    fn payload_holds_everything_the_model_sees() -> TestResult {
        let schema = String::from_utf8(jcs::canonicalize(&LIST.input_schema())?)?;
        let expected = [
            r#"{"agent":"lead","messages":[{"role":"user","text":"Fix it."},"#,
            r#"{"calls":[{"arguments":{"path":"."},"tool":"list"}],"role":"assistant","text":""},"#,
            r#"{"results":[{"content":"no\nsuch","outcome":"error","tool":"list"}],"role":"tools"}],"#,
            r#""schema":"countersign.model-request/v1","system":"Be brief.","tools":[{"description":""#,
            LIST.description,
            r#"","input_schema":"#,
            &schema,
            r#","name":"list"}]}"#,
        ];
        assert_eq!(String::from_utf8(request()?.payload())?, expected.concat());
        Ok(())
    }

    #[test]
    fn payload_is_canonical_as_identity_v1_profiles_it() -> TestResult {
        let payload = request()?.payload();
        jcs::parse_canonical(&payload)?;
        Ok(())
    }

    #[test]
    fn toolset_changes_with_the_tools_only() -> TestResult {
        let (mut one, other) = (request()?, request()?);
        one.messages.clear();
        assert_eq!(one.toolset(), other.toolset());
        one.tools.push(&READ);
        assert_ne!(one.toolset(), other.toolset());
        Ok(())
    }
}
