//! What a model answered, in the one form that a ledger keeps (authority-v1 §5.6).

use countersign_identity::jcs::{self, JcsError};
use countersign_schemas::body::{AdviceRelation, Tokens};
use countersign_schemas::text::Name;
use serde_json::{Map, Value, json};
use thiserror::Error;

use crate::tool::{ArgumentError, Arguments};

/// Longest reason an agent may give for what it did with advice.
pub const REASON_LEN_BYTES_MAX: usize = 2048;

/// A complete answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelAnswer {
    /// What it said; may be empty.
    pub text: String,
    /// The calls it proposes, in its order.
    pub calls: Vec<ToolCall>,
    /// Tokens used.
    pub usage: Tokens,
    /// Why it stopped there.
    pub end: End,
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

impl ModelAnswer {
    /// The answer as JSON, `countersign.answer/v1`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "schema": "countersign.answer/v1",
            "text": self.text,
            "calls": self.calls.iter().map(ToolCall::to_json).collect::<Vec<_>>(),
        })
    }

    /// The bytes `model.answered` commits to: [`Self::to_json`] in JCS form.
    #[must_use]
    pub fn payload(&self) -> Vec<u8> {
        jcs::canonicalize(&self.to_json()).expect("texts and checked arguments have a JCS form")
    }
}

/// A call as a model proposes it. It fits into an answer, but not necessarily any tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolCall {
    tool: Name,
    object: Map<String, Value>,
    arguments: Arguments,
    advice: Option<AdviceStatement>,
}

/// What an agent says it did with the advice it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdviceStatement {
    /// Followed or overridden.
    pub relation: AdviceRelation,
    /// Why, in its words: 1 to [`REASON_LEN_BYTES_MAX`] bytes.
    pub reason: String,
}

impl ToolCall {
    /// Checks that the call can be recorded.
    ///
    /// # Errors
    /// [`CallError`] names what cannot.
    pub fn new(tool: &str, arguments: Map<String, Value>, advice: Option<AdviceStatement>) -> Result<Self, CallError> {
        let tool = Name::new(tool).map_err(|_| CallError::Tool {
            tool: tool.chars().take(64).collect(),
        })?;
        // As deep as they will stand in the answer: object, array of calls, call.
        let nested = jcs::canonicalize(&json!([[[arguments]]])).map_err(CallError::Nesting)?;
        jcs::parse_canonical_within(&nested, nested.len()).map_err(CallError::Nesting)?;
        if let Some(len) = advice.as_ref().map(|advice| advice.reason.len())
            && !(1..=REASON_LEN_BYTES_MAX).contains(&len)
        {
            return Err(CallError::Reason { len });
        }
        Ok(Self {
            tool,
            arguments: Arguments::from_object(arguments.clone())?,
            object: arguments,
            advice,
        })
    }

    /// The tool it names.
    #[must_use]
    pub fn tool(&self) -> &Name {
        &self.tool
    }

    /// The argument bytes that are requested, decided and run.
    #[must_use]
    pub fn arguments(&self) -> &Arguments {
        &self.arguments
    }

    /// What it says about advice.
    #[must_use]
    pub fn advice(&self) -> Option<&AdviceStatement> {
        self.advice.as_ref()
    }

    /// The call as JSON: `tool`, `arguments`, and `advice` if it says something about it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut call = json!({ "tool": self.tool.as_str(), "arguments": self.object });
        if let Some(advice) = &self.advice {
            call["advice"] = json!({ "relation": advice.relation.as_str(), "reason": advice.reason });
        }
        call
    }
}

/// Why a proposed call cannot be recorded.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CallError {
    /// The tool's name is no `name` of statement-v1.
    #[error("{tool:?} is not the name of a tool")]
    Tool {
        /// Its first 64 characters.
        tool: String,
    },
    /// The arguments hold a number that is no integer, or nest too deep.
    #[error("the arguments cannot be recorded")]
    Nesting(#[source] JcsError),
    /// The arguments are too long.
    #[error(transparent)]
    Arguments(#[from] ArgumentError),
    /// No reason, or too long a one.
    #[error("the reason has {len} bytes, allowed are 1 to {REASON_LEN_BYTES_MAX}")]
    Reason {
        /// Bytes given.
        len: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    type TestResult = Result<(), Box<dyn std::error::Error>>;

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap_or_default()
    }

    fn nested(depth: usize) -> Map<String, Value> {
        let value = (0..depth).fold(json!(1), |value, _| json!([value]));
        object(json!({ "x": value }))
    }

    fn advice(reason: &str) -> Option<AdviceStatement> {
        Some(AdviceStatement {
            relation: AdviceRelation::Followed,
            reason: reason.to_owned(),
        })
    }

    #[test]
    fn payload_is_the_document_of_authority_v1() -> TestResult {
        let calls = vec![
            ToolCall::new("list", object(json!({"path": "."})), None)?,
            ToolCall::new("edit", object(json!({})), advice("small"))?,
        ];
        let none = countersign_schemas::number::Count::ZERO;
        let usage = Tokens {
            input: none,
            output: none,
            cache_write: none,
            cache_read: none,
        };
        let answer = ModelAnswer {
            text: "I look first.".to_owned(),
            calls,
            usage,
            end: End::Calls,
        };
        let expected = concat!(
            r#"{"calls":[{"arguments":{"path":"."},"tool":"list"},"#,
            r#"{"advice":{"reason":"small","relation":"followed"},"arguments":{},"tool":"edit"}],"#,
            r#""schema":"countersign.answer/v1","text":"I look first."}"#,
        );
        assert_eq!(String::from_utf8(answer.payload())?, expected);
        assert_eq!(answer.calls[0].arguments().as_bytes(), br#"{"path":"."}"#);
        Ok(())
    }

    #[test]
    fn deepest_arguments_still_fit_into_the_answer() -> TestResult {
        let call = ToolCall::new("x", nested(28), None)?;
        let document = json!({ "calls": [call.to_json()] });
        jcs::parse_canonical(&jcs::canonicalize(&document)?)?;
        assert!(matches!(
            ToolCall::new("x", nested(29), None),
            Err(CallError::Nesting(_))
        ));
        Ok(())
    }

    #[test]
    fn what_cannot_be_recorded_is_refused() {
        let refused = |tool: &str, arguments, advice| ToolCall::new(tool, object(arguments), advice).err();
        for tool in ["", "two words", "b\u{e4}sh", "x".repeat(65).as_str()] {
            assert!(
                matches!(refused(tool, json!({}), None), Some(CallError::Tool { .. })),
                "{tool}"
            );
        }
        for number in [json!(1.5), json!(u64::MAX), json!(-9_007_199_254_740_992_i64)] {
            assert!(
                matches!(refused("x", json!({ "n": number }), None), Some(CallError::Nesting(_))),
                "{number}"
            );
        }
        let long = json!({"content": "x".repeat(1 << 20)});
        assert!(matches!(refused("write", long, None), Some(CallError::Arguments(_))));
        assert!(matches!(
            refused("x", json!({}), advice("")),
            Some(CallError::Reason { len: 0 })
        ));
        let long = advice(&"x".repeat(REASON_LEN_BYTES_MAX + 1));
        assert!(matches!(
            refused("x", json!({}), long),
            Some(CallError::Reason { len: 2049 })
        ));
    }
}
