//! A call as a provider writes it, and the part of an answer that it becomes.

use std::error::Error;

use countersign_identity::strict_json;
use serde_json::Value;

use super::answer::Part;
use super::call::{CallError, CallId, MalformedCall, ToolCall};
use super::offer::take_advice;

/// Most characters of a tool's name that a malformed call keeps.
const TOOL_LEN_MAX: usize = 64;

/// A call with the text of its arguments.
pub(super) struct Proposed<'a> {
    /// What the provider calls it.
    pub(super) id: &'a CallId,
    /// The tool as the model wrote it.
    pub(super) tool: &'a str,
    /// A JSON object; nothing at all stands for one without members.
    pub(super) arguments: &'a str,
}

impl Proposed<'_> {
    /// The call, or, where it cannot be recorded, what the model is told about it.
    pub(super) fn part(&self) -> Part {
        match self.call() {
            Ok(call) => Part::Call(call),
            Err(error) => self.void(&in_full(&error)),
        }
    }

    /// The call as one that must not be made, because of `problem`.
    pub(super) fn void(&self, problem: &str) -> Part {
        Part::Malformed(MalformedCall {
            id: self.id.clone(),
            tool: self.tool.chars().take(TOOL_LEN_MAX).collect(),
            raw: self.arguments.to_owned(),
            problem: problem.to_owned(),
        })
    }

    fn call(&self) -> Result<ToolCall, CallError> {
        let not_an_object = |problem: String| CallError::NotAnObject { problem };
        let mut arguments = match self.arguments {
            "" => serde_json::Map::new(),
            text => match strict_json::parse(text.as_bytes()) {
                Ok(Value::Object(arguments)) => arguments,
                Ok(_) => return Err(not_an_object("another JSON value".to_owned())),
                Err(error) => return Err(not_an_object(error.to_string())),
            },
        };
        let said = take_advice(&mut arguments);
        ToolCall::new(self.id.clone(), self.tool, arguments, said)
    }
}

fn in_full(error: &CallError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(tool: &str, arguments: &str) -> Part {
        let id = CallId::numbered(1, 1);
        Proposed {
            id: &id,
            tool,
            arguments,
        }
        .part()
    }

    #[test]
    fn arguments_are_an_object_and_advice_is_taken_out_of_them() {
        for (arguments, expected) in [
            ("", "{}"),
            ("{}", "{}"),
            (" {\"path\" : \"\\u00e4\"}\n", "{\"path\":\"\u{e4}\"}"),
            (r#"{"advice":"followed: small","path":"a"}"#, r#"{"path":"a"}"#),
        ] {
            let part = part("read", arguments);
            let Part::Call(call) = &part else {
                panic!("{arguments}: {part:?}")
            };
            assert_eq!(call.arguments().as_bytes(), expected.as_bytes());
            assert_eq!(call.advice().is_some(), arguments.contains("advice"));
        }
    }

    #[test]
    fn what_cannot_be_recorded_is_kept_as_it_was_written_and_told() {
        let long = "x".repeat(99);
        for (tool, arguments, problem) in [
            ("read", "{\"a\":", "the arguments are not a JSON object: EOF"),
            ("read", "[1]", "the arguments are not a JSON object: another JSON value"),
            (
                "read",
                "null",
                "the arguments are not a JSON object: another JSON value",
            ),
            ("read", " ", "the arguments are not a JSON object: EOF"),
            (
                "read",
                r#"{"a":1,"a":1}"#,
                "the arguments are not a JSON object: member `a` occurs twice in one object",
            ),
            ("read", r#"{"a":1.5}"#, "the arguments cannot be recorded: "),
            ("two words", "{}", "\"two words\" is not the name of a tool"),
            ("", "{}", "\"\" is not the name of a tool"),
            (&long, "{}", "\"xxx"),
        ] {
            let part = part(tool, arguments);
            let Part::Malformed(call) = &part else {
                panic!("{arguments}: {part:?}")
            };
            assert!(call.problem.starts_with(problem), "{}", call.problem);
            assert_eq!(call.raw, arguments);
            assert_eq!(call.tool, &tool[..tool.len().min(64)]);
        }
    }
}
