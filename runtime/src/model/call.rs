//! A call as a model proposes it, and what it says about advice.

use countersign_identity::jcs::{self, JcsError};
use countersign_schemas::body::AdviceRelation;
use countersign_schemas::text::Name;
use serde_json::{Map, Value, json};
use thiserror::Error;

use crate::tool::{ArgumentError, Arguments};

/// Longest reason an agent may give for what it did with advice.
pub const REASON_LEN_BYTES_MAX: usize = 2048;

/// Longest id of a call, in bytes.
pub const CALL_ID_LEN_BYTES_MAX: usize = 128;

/// What a provider calls one call, so that the result can be matched: 1 to [`CALL_ID_LEN_BYTES_MAX`] visible ASCII
/// characters. It names nothing in the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CallId(String);

impl CallId {
    /// Takes `text` if it can be an id.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Option<Self> {
        let text = text.into();
        let fits =
            (1..=CALL_ID_LEN_BYTES_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then_some(Self(text))
    }

    /// An id of our own, for a model that gives none: `call_<turn>_<index>`.
    #[must_use]
    pub fn numbered(turn: usize, index: usize) -> Self {
        Self(format!("call_{turn}_{index}"))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A call as a model proposes it. It fits into an answer, but not necessarily any tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolCall {
    id: CallId,
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
    pub fn new(
        id: CallId,
        tool: &str,
        arguments: Map<String, Value>,
        advice: Option<AdviceStatement>,
    ) -> Result<Self, CallError> {
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
            id,
            tool,
            arguments: Arguments::from_object(arguments.clone())?,
            object: arguments,
            advice,
        })
    }

    /// What the provider calls it.
    #[must_use]
    pub fn id(&self) -> &CallId {
        &self.id
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

    /// The arguments as the object they are.
    #[must_use]
    pub fn object(&self) -> &Map<String, Value> {
        &self.object
    }

    /// What it says about advice.
    #[must_use]
    pub fn advice(&self) -> Option<&AdviceStatement> {
        self.advice.as_ref()
    }

    /// The call as JSON (session-v1 §3): `id`, `tool`, `arguments`, and `advice` if it says something about it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut call = json!({ "id": self.id.as_str(), "tool": self.tool.as_str(), "arguments": self.object });
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
    /// The arguments are no JSON object.
    #[error("the arguments are not a JSON object: {problem}")]
    NotAnObject {
        /// What the parser says.
        problem: String,
    },
}

/// A call that cannot be recorded and so cannot be requested: the model is told why, and may try again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MalformedCall {
    /// What the provider calls it.
    pub id: CallId,
    /// The tool as the model wrote it.
    pub tool: String,
    /// The arguments as the model wrote them.
    pub raw: String,
    /// What is wrong with them.
    pub problem: String,
}

impl MalformedCall {
    /// The call as JSON (session-v1 §3).
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({ "id": self.id.as_str(), "tool": self.tool, "raw": self.raw, "problem": self.problem })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    type TestResult = Result<(), Box<dyn std::error::Error>>;

    pub(crate) fn object(value: Value) -> Map<String, Value> {
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

    fn call(tool: &str, arguments: Map<String, Value>, advice: Option<AdviceStatement>) -> Result<ToolCall, CallError> {
        ToolCall::new(CallId::numbered(1, 1), tool, arguments, advice)
    }

    #[test]
    fn deepest_arguments_still_fit_into_the_answer() -> TestResult {
        let document = json!({ "calls": [call("x", nested(28), None)?.to_json()] });
        jcs::parse_canonical(&jcs::canonicalize(&document)?)?;
        assert!(matches!(call("x", nested(29), None), Err(CallError::Nesting(_))));
        Ok(())
    }

    #[test]
    fn what_cannot_be_recorded_is_refused() {
        let refused = |tool: &str, arguments, advice| call(tool, object(arguments), advice).err();
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

    #[test]
    fn ids_are_visible_ascii_and_bounded() {
        for id in ["", "a b", "a\n", "\u{e4}", &"x".repeat(129)] {
            assert_eq!(CallId::new(id), None, "{id:?}");
        }
        assert!(CallId::new("toolu_01A-b.c").is_some() && CallId::new("x".repeat(128)).is_some());
    }
}
