//! What a model answered, in the one form that a ledger keeps (session-v1 §3, authority-v1 §5.6).

use countersign_identity::jcs;
use countersign_schemas::body::Tokens;
use countersign_schemas::number::Count;
use countersign_schemas::text::Name;
use serde_json::{Value, json};

use super::call::{MalformedCall, ToolCall};

/// A complete answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelAnswer {
    /// What it consists of, in the provider's order.
    pub parts: Vec<Part>,
    /// Advice that the provider had given by a model of its own while this answer was made, in order.
    pub advice: Vec<ProviderAdvice>,
    /// Tokens used, those of [`Self::advice`] apart.
    pub usage: Tokens,
    /// Why it stopped there.
    pub end: End,
    /// What went wrong before it could be had.
    pub attempts: Vec<Attempt>,
}

/// A piece of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Words.
    Text(String),
    /// A call it proposes.
    Call(ToolCall),
    /// A call that cannot be recorded, so nobody can be asked whether it may be made.
    Malformed(MalformedCall),
    /// Something only the provider understands, such as a sealed thought. It is sent back as it came.
    Opaque(Opaque),
}

/// A block of a provider's own, kept to be sent back unchanged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opaque {
    /// Whose form it has; an adapter sends back only blocks of its own format.
    pub format: &'static str,
    /// The block, JSON text.
    pub block: String,
}

/// Why an answer stopped where it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It had said everything: the agent's task is over.
    Done,
    /// It waits for the results of its calls.
    Calls,
    /// It ran into the limit of its length: the text may be half a sentence.
    Length,
    /// It refused to go on.
    Refused,
}

impl End {
    /// The word in `countersign.answer/v1`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Calls => "calls",
            Self::Length => "length",
            Self::Refused => "refused",
        }
    }
}

/// An attempt that failed before the answer came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// What went wrong.
    pub problem: String,
    /// How long was waited before the next attempt, in milliseconds.
    pub waited_ms: u64,
}

/// Advice a provider had given on its side: it happened within the answer, before anybody here could be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderAdvice {
    /// The consultation as a call of the tool `advisor`, so that it is requested and decided like any other.
    pub call: ToolCall,
    /// The model that advised, if the provider says.
    pub model: Option<Name>,
    /// What it said.
    pub content: AdviceContent,
    /// The tokens it used.
    pub usage: Tokens,
}

/// What advice consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdviceContent {
    /// Words everybody can read.
    Readable(String),
    /// Ciphertext that only the provider can read.
    Opaque(Vec<u8>),
    /// None: the advisor failed, in the provider's words.
    Failed(String),
}

impl ModelAnswer {
    /// All its words.
    #[must_use]
    pub fn text(&self) -> String {
        let texts = self.parts.iter().filter_map(|part| match part {
            Part::Text(text) => Some(text.as_str()),
            _ => None,
        });
        texts.collect()
    }

    /// The calls it proposes, in its order, those that cannot be recorded left out.
    pub fn calls(&self) -> impl Iterator<Item = &ToolCall> {
        self.parts.iter().filter_map(|part| match part {
            Part::Call(call) => Some(call),
            _ => None,
        })
    }

    /// The answer as JSON, `countersign.answer/v1`. Every text but the arguments of calls passes through `redact`.
    #[must_use]
    pub fn to_json(&self, redact: &dyn Fn(&str) -> String) -> Value {
        let consulted = self.advice.iter().map(|advice| {
            let mut call = advice.call.to_json();
            call["provider_side"] = true.into();
            call
        });
        let mut calls: Vec<Value> = consulted.chain(self.calls().map(ToolCall::to_json)).collect();
        for reason in calls.iter_mut().filter_map(|call| call.pointer_mut("/advice/reason")) {
            *reason = redact(reason.as_str().unwrap_or_default()).into();
        }
        let mut document = json!({
            "schema": "countersign.answer/v1",
            "text": redact(&self.text()),
            "calls": calls,
            "end": self.end.as_str(),
        });
        let mut add = |member: &str, values: Vec<Value>| {
            if !values.is_empty() {
                document[member] = values.into();
            }
        };
        add("malformed", self.malformed(redact));
        add("opaque", self.opaque(redact));
        add(
            "attempts",
            self.attempts.iter().map(|attempt| attempt.to_json(redact)).collect(),
        );
        document
    }

    fn malformed(&self, redact: &dyn Fn(&str) -> String) -> Vec<Value> {
        let malformed = self.parts.iter().filter_map(|part| match part {
            Part::Malformed(call) => Some(call),
            _ => None,
        });
        malformed
            .map(|call| {
                let raw = redact(&call.raw);
                MalformedCall { raw, ..call.clone() }.to_json()
            })
            .collect()
    }

    fn opaque(&self, redact: &dyn Fn(&str) -> String) -> Vec<Value> {
        let opaque = self.parts.iter().enumerate().filter_map(|(at, part)| match part {
            Part::Opaque(opaque) => Some((at, opaque)),
            _ => None,
        });
        opaque
            .map(|(at, opaque)| json!({ "at": at, "format": opaque.format, "block": redact(&opaque.block) }))
            .collect()
    }

    /// The bytes `model.answered` commits to: [`Self::to_json`] in JCS form.
    #[must_use]
    pub fn payload(&self, redact: &dyn Fn(&str) -> String) -> Vec<u8> {
        jcs::canonicalize(&self.to_json(redact)).expect("texts, small integers and checked arguments have a JCS form")
    }
}

impl Attempt {
    fn to_json(&self, redact: &dyn Fn(&str) -> String) -> Value {
        json!({ "problem": redact(&self.problem), "waited_ms": Count::clamped(self.waited_ms).get() })
    }
}

/// No tokens at all.
#[must_use]
pub const fn no_tokens() -> Tokens {
    Tokens {
        input: Count::ZERO,
        output: Count::ZERO,
        cache_write: Count::ZERO,
        cache_read: Count::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use super::super::call::tests::object;
    use super::super::call::{AdviceStatement, CallId};
    use super::*;
    use countersign_schemas::body::AdviceRelation;

    type TestResult = Result<(), Box<dyn std::error::Error>>;

    fn plain(text: &str) -> String {
        text.to_owned()
    }

    fn answer(parts: Vec<Part>) -> ModelAnswer {
        ModelAnswer {
            parts,
            advice: Vec::new(),
            usage: no_tokens(),
            end: End::Calls,
            attempts: Vec::new(),
        }
    }

    #[test]
    fn payload_is_the_document_of_authority_v1() -> TestResult {
        let advice = AdviceStatement {
            relation: AdviceRelation::Followed,
            reason: "small".to_owned(),
        };
        let list = ToolCall::new(CallId::numbered(1, 1), "list", object(json!({"path": "."})), None)?;
        let edit = ToolCall::new(CallId::numbered(1, 2), "edit", object(json!({})), Some(advice))?;
        let parts = vec![
            Part::Text("I look first.".to_owned()),
            Part::Call(list),
            Part::Call(edit),
        ];
        let expected = concat!(
            r#"{"calls":[{"arguments":{"path":"."},"id":"call_1_1","tool":"list"},"#,
            r#"{"advice":{"reason":"small","relation":"followed"},"arguments":{},"id":"call_1_2","tool":"edit"}],"#,
            r#""end":"calls","schema":"countersign.answer/v1","text":"I look first."}"#,
        );
        assert_eq!(String::from_utf8(answer(parts).payload(&plain))?, expected);
        Ok(())
    }

    #[test]
    fn everything_but_arguments_is_redacted() -> TestResult {
        let arguments = object(json!({"command": "echo secret"}));
        let advice = AdviceStatement {
            relation: AdviceRelation::Followed,
            reason: "because of the secret".to_owned(),
        };
        let mut said = answer(vec![
            Part::Opaque(Opaque {
                format: "anthropic",
                block: r#"{"thinking":"secret"}"#.to_owned(),
            }),
            Part::Text("the secret".to_owned()),
            Part::Call(ToolCall::new(CallId::numbered(1, 1), "bash", arguments, Some(advice))?),
            Part::Malformed(MalformedCall {
                id: CallId::numbered(1, 2),
                tool: "bash".to_owned(),
                raw: "{secret".to_owned(),
                problem: "not closed".to_owned(),
            }),
        ]);
        said.attempts.push(Attempt {
            problem: "529 secret".to_owned(),
            waited_ms: 7,
        });
        let document = said.to_json(&|text| text.replace("secret", "[x]"));
        assert_eq!(document.to_string().matches("secret").count(), 1, "{document}");
        assert_eq!(document["calls"][0]["arguments"]["command"], "echo secret");
        assert_eq!(document["opaque"][0]["at"], 0);
        Ok(())
    }

    #[test]
    fn consultations_of_the_provider_are_calls_of_the_answer() -> TestResult {
        let mut said = answer(vec![Part::Text("so".to_owned())]);
        said.advice.push(ProviderAdvice {
            call: ToolCall::new(
                CallId::numbered(0, 0),
                "advisor",
                object(json!({"question": "?"})),
                None,
            )?,
            model: None,
            content: AdviceContent::Readable("patch".to_owned()),
            usage: no_tokens(),
        });
        let document = said.to_json(&plain);
        assert_eq!(document["calls"][0]["tool"], "advisor");
        assert_eq!(document["calls"][0]["provider_side"], true);
        Ok(())
    }
}
