//! What a model is asked, and the form in which a ledger keeps it: only what is new (session-v1 §2).

use countersign_identity::jcs;
use countersign_schemas::body::FinishOutcome;
use countersign_schemas::digest::Digest;
use countersign_schemas::number::Seq;
use serde_json::{Value, json};

use super::answer::{ModelAnswer, Part};
use super::call::CallId;
use super::offer::Offer;
use crate::tool::{ToolSpec, toolset_digest};

/// A question to a model: everything it gets to see. Between two questions of one conversation only `messages` grows,
/// at its end, so that what a provider has cached of the first serves the second.
#[derive(Clone, Copy, Debug)]
pub struct ModelRequest<'a> {
    /// The agent or advisor that asks.
    pub agent: &'a str,
    /// Its instructions.
    pub system: System<'a>,
    /// The tools it may propose calls of, sorted by name.
    pub tools: &'a [&'static ToolSpec],
    /// What was said so far, the oldest first.
    pub messages: &'a [Message],
    /// Most tokens the answer may have.
    pub output_tokens_max: u64,
    /// The model that the provider is to let this one consult on its own side, where the provider has such a tool.
    pub provider_advisor: Option<&'a str>,
}

/// Instructions: first what is the same for every run, then what is not.
#[derive(Clone, Copy, Debug)]
pub struct System<'a> {
    /// The whole text.
    pub text: &'a str,
    /// How much of it, from its beginning, is the same for every run: where a cache may end.
    pub static_len_bytes: usize,
}

impl<'a> System<'a> {
    /// Instructions that are the same for every run.
    #[must_use]
    pub const fn fixed(text: &'a str) -> Self {
        Self {
            text,
            static_len_bytes: text.len(),
        }
    }

    /// The part that is the same for every run, and the rest.
    #[must_use]
    pub fn split(&self) -> (&'a str, &'a str) {
        self.text
            .split_at_checked(self.static_len_bytes)
            .unwrap_or((self.text, ""))
    }
}

/// One step of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// A task, a question or an instruction.
    User {
        /// Its words.
        text: String,
    },
    /// An earlier answer of the model, its parts in order.
    Assistant(Vec<Part>),
    /// The results of the calls of the answer before, in the order of the calls.
    Results(Vec<CallResult>),
}

/// What became of one proposed call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallResult {
    /// The call.
    pub id: CallId,
    /// The tool, as the model named it.
    pub tool: String,
    /// How it ended; `aborted` also for a call that was not permitted.
    pub outcome: FinishOutcome,
    /// The result, or why there is none.
    pub content: String,
}

impl Message {
    /// The step that repeats `answer` to its model.
    #[must_use]
    pub fn assistant(answer: &ModelAnswer) -> Self {
        Self::Assistant(answer.parts.clone())
    }

    /// About how long it is when it is sent.
    fn len_bytes(&self) -> usize {
        match self {
            Self::User { text } => text.len(),
            Self::Assistant(parts) => parts.iter().map(part_len_bytes).sum(),
            Self::Results(results) => results.iter().map(|result| result.content.len()).sum(),
        }
    }

    fn to_json(&self) -> Option<Value> {
        match self {
            Self::User { text } => Some(json!({ "role": "user", "text": text })),
            // It is in the ledger already, as the answer to the call before.
            Self::Assistant(_) => None,
            Self::Results(results) => {
                let results: Vec<_> = results.iter().map(result_json).collect();
                Some(json!({ "role": "tools", "results": results }))
            }
        }
    }
}

fn part_len_bytes(part: &Part) -> usize {
    match part {
        Part::Text(text) => text.len(),
        Part::Call(call) => call.tool().as_str().len() + call.arguments().as_bytes().len(),
        Part::Malformed(call) => call.tool.len() + call.raw.len(),
        Part::Opaque(opaque) => opaque.block.len(),
    }
}

impl ModelRequest<'_> {
    /// The tools as the model sees them.
    #[must_use]
    pub fn offers(&self) -> Vec<Offer> {
        let may_cite = self.may_cite_advice();
        self.tools.iter().map(|spec| Offer::of(spec, may_cite)).collect()
    }

    /// Whether the model can be given advice, and so has to be able to say what it did with it.
    #[must_use]
    pub fn may_cite_advice(&self) -> bool {
        self.provider_advisor.is_some() || self.tools.iter().any(|spec| spec.name == crate::tool::ADVISOR.name)
    }

    /// About how many bytes the whole question has.
    #[must_use]
    pub fn len_bytes(&self) -> usize {
        let tools: usize = self.offers().iter().map(Offer::len_bytes).sum();
        let messages: usize = self.messages.iter().map(Message::len_bytes).sum();
        self.system.text.len() + tools + messages
    }

    /// The bytes `model.called` commits to, a JCS document `countersign.model-request/v1`. With `asked`, the author's
    /// previous `model.called` and how many messages it was about, the document holds only what has come since. The
    /// first one says with `prompt` what the instructions are made of, and why.
    #[must_use]
    pub fn payload(&self, asked: Option<(Seq, usize)>, prompt: &Value) -> Vec<u8> {
        let document = match asked {
            None => json!({
                "schema": "countersign.model-request/v1",
                "after": null,
                "agent": self.agent,
                "prompt": prompt,
                "system": self.system.text,
                "tools": self.offers().iter().map(Offer::to_json).collect::<Vec<_>>(),
                "messages": messages_json(self.messages),
            }),
            Some((after, known)) => json!({
                "schema": "countersign.model-request/v1",
                "after": after.get(),
                "messages": messages_json(self.messages.get(known..).unwrap_or_default()),
            }),
        };
        jcs::canonicalize(&document).expect("texts and small integers have a JCS form")
    }

    /// `toolset` of `model.called`.
    #[must_use]
    pub fn toolset(&self) -> Digest {
        toolset_digest(self.tools.iter().copied())
    }
}

fn messages_json(messages: &[Message]) -> Vec<Value> {
    messages.iter().filter_map(Message::to_json).collect()
}

fn result_json(result: &CallResult) -> Value {
    json!({
        "id": result.id.as_str(),
        "tool": result.tool,
        "outcome": result.outcome.as_str(),
        "content": result.content,
    })
}

#[cfg(test)]
mod tests {
    use super::super::call::ToolCall;
    use super::super::call::tests::object;
    use super::*;
    use crate::tool::{LIST, READ};

    type TestResult = Result<(), Box<dyn std::error::Error>>;

    const TOOLS: [&ToolSpec; 1] = [&LIST];

    fn messages() -> Result<Vec<Message>, Box<dyn std::error::Error>> {
        let call = ToolCall::new(CallId::numbered(1, 1), "list", object(json!({"path": "."})), None)?;
        let result = CallResult {
            id: CallId::numbered(1, 1),
            tool: "list".to_owned(),
            outcome: FinishOutcome::Error,
            content: "no\nsuch".to_owned(),
        };
        Ok(vec![
            Message::User {
                text: "Fix it.".to_owned(),
            },
            Message::Assistant(vec![Part::Call(call)]),
            Message::Results(vec![result]),
        ])
    }

    fn request<'a>(tools: &'a [&'static ToolSpec], messages: &'a [Message]) -> ModelRequest<'a> {
        ModelRequest {
            agent: "lead",
            system: System::fixed("Be brief."),
            tools,
            messages,
            output_tokens_max: 100,
            provider_advisor: None,
        }
    }

    #[test]
    fn first_payload_holds_everything_the_model_sees() -> TestResult {
        let messages = messages()?;
        let schema = String::from_utf8(jcs::canonicalize(&LIST.input_schema())?)?;
        let expected = [
            r#"{"after":null,"agent":"lead","messages":[{"role":"user","text":"Fix it."}],"prompt":{"static":true},"#,
            r#""schema":"countersign.model-request/v1","system":"Be brief.","tools":[{"description":""#,
            LIST.description,
            r#"","input_schema":"#,
            &schema,
            r#","name":"list"}]}"#,
        ];
        let payload = request(&TOOLS, &messages[..1]).payload(None, &json!({"static": true}));
        assert_eq!(String::from_utf8(payload)?, expected.concat());
        Ok(())
    }

    #[test]
    fn later_payload_holds_only_what_is_new() -> TestResult {
        let messages = messages()?;
        let payload = request(&TOOLS, &messages).payload(Some((Seq::clamped(7), 1)), &Value::Null);
        let expected = [
            r#"{"after":7,"messages":[{"results":[{"content":"no\nsuch","id":"call_1_1","outcome":"error","#,
            r#""tool":"list"}],"role":"tools"}],"schema":"countersign.model-request/v1"}"#,
        ];
        assert_eq!(String::from_utf8(payload)?, expected.concat());
        Ok(())
    }

    #[test]
    fn payload_is_canonical_as_identity_v1_profiles_it() -> TestResult {
        jcs::parse_canonical(&request(&TOOLS, &messages()?).payload(None, &Value::Null))?;
        Ok(())
    }

    #[test]
    fn toolset_changes_with_the_tools_only() -> TestResult {
        let messages = messages()?;
        assert_eq!(request(&TOOLS, &messages).toolset(), request(&TOOLS, &[]).toolset());
        assert_ne!(request(&TOOLS, &[]).toolset(), request(&[&LIST, &READ], &[]).toolset());
        Ok(())
    }

    #[test]
    fn static_part_ends_where_it_says() {
        let system = System {
            text: "same\n\nother",
            static_len_bytes: 4,
        };
        assert_eq!(system.split(), ("same", "\n\nother"));
        assert_eq!(System::fixed("x").split(), ("x", ""));
    }
}
