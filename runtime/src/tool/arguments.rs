//! Arguments of a tool call: exact bytes, and their strict reading.
//!
//! The bytes in JCS form (RFC 8785) are what the agent signs for, what policy judges and what the tool parses: there is
//! no second representation that could say something else.

use std::collections::BTreeMap;

use countersign_identity::jcs::{self, JcsError};
use countersign_verifier::projection::ARGUMENTS_BYTES_MAX;
use serde_json::{Map, Value};
use thiserror::Error;

/// A JSON object in JCS form, at most [`ARGUMENTS_BYTES_MAX`] bytes. It need not fit any tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arguments(Box<[u8]>);

impl Arguments {
    /// Encodes what a model proposed.
    ///
    /// # Errors
    /// [`ArgumentError::NotCanonical`] when it has no form that can be projected: a number that is no integer, too deep,
    /// too long.
    pub fn from_object(object: Map<String, Value>) -> Result<Self, ArgumentError> {
        let bytes = jcs::canonicalize(&Value::Object(object))?;
        jcs::parse_canonical_within(&bytes, ARGUMENTS_BYTES_MAX)?;
        Ok(Self(bytes.into()))
    }

    /// The canonical bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// One argument a tool takes. All arguments are strings and all are required (authority-v1 §7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Member name in the argument object.
    pub name: &'static str,
    /// What the model is told about it.
    pub description: &'static str,
    /// Whether the empty string is an answer.
    pub emptiness: Emptiness,
    /// Longest value in bytes of UTF-8.
    pub len_bytes_max: usize,
}

/// Whether an argument may be the empty string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Emptiness {
    /// The empty string is refused.
    Refused,
    /// The empty string is a value like others.
    Allowed,
}

/// The members of one call, checked against the parameters of its tool.
#[derive(Debug)]
pub struct Members(BTreeMap<String, String>);

impl Members {
    /// Reads `bytes` as the arguments of a tool that takes exactly `parameters`.
    ///
    /// # Errors
    /// One variant of [`ArgumentError`] for the first check that fails.
    pub fn parse(bytes: &[u8], parameters: &[Parameter]) -> Result<Self, ArgumentError> {
        let object = parse_object(bytes)?;
        refuse_unknown(&object, parameters)?;
        parameters
            .iter()
            .map(|parameter| Ok((parameter.name.to_owned(), text_member(&object, parameter)?)))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// The value of `name`.
    ///
    /// # Errors
    /// [`ArgumentError::Missing`] if the tool takes no such argument.
    pub fn text(&self, name: &'static str) -> Result<&str, ArgumentError> {
        self.0
            .get(name)
            .map(String::as_str)
            .ok_or(ArgumentError::Missing { member: name })
    }
}

fn parse_object(bytes: &[u8]) -> Result<Map<String, Value>, ArgumentError> {
    match jcs::parse_canonical_within(bytes, ARGUMENTS_BYTES_MAX)? {
        Value::Object(object) => Ok(object),
        other => Err(ArgumentError::NotAnObject {
            found: type_word(&other),
        }),
    }
}

fn refuse_unknown(object: &Map<String, Value>, parameters: &[Parameter]) -> Result<(), ArgumentError> {
    let known = |name: &str| parameters.iter().any(|parameter| parameter.name == name);
    match object.keys().find(|name| !known(name)) {
        None => Ok(()),
        Some(name) => Err(ArgumentError::Unknown {
            member: name.chars().take(64).collect(),
            known: parameters
                .iter()
                .map(|parameter| parameter.name)
                .collect::<Vec<_>>()
                .join(", "),
        }),
    }
}

fn text_member(object: &Map<String, Value>, parameter: &Parameter) -> Result<String, ArgumentError> {
    let member = parameter.name;
    let text = match object.get(member) {
        None => return Err(ArgumentError::Missing { member }),
        Some(Value::String(text)) => text,
        Some(other) => {
            return Err(ArgumentError::NotText {
                member,
                found: type_word(other),
            });
        }
    };
    if text.is_empty() && parameter.emptiness == Emptiness::Refused {
        return Err(ArgumentError::Empty { member });
    }
    if text.len() > parameter.len_bytes_max {
        return Err(ArgumentError::MemberTooLong {
            member,
            len: text.len(),
            max: parameter.len_bytes_max,
        });
    }
    Ok(text.clone())
}

fn type_word(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// Why bytes are not the arguments of a tool. It becomes the result of the call: the model can mend it.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ArgumentError {
    /// Not JSON in its one canonical form, or beyond the limits of a document.
    #[error("the arguments are not canonical JSON")]
    NotCanonical(#[from] JcsError),
    /// JSON, but no object.
    #[error("the arguments are {found}, not an object")]
    NotAnObject {
        /// What was there.
        found: &'static str,
    },
    /// A member the tool does not take.
    #[error("unknown argument {member:?}; this tool takes: {known}")]
    Unknown {
        /// The first 64 characters of its name.
        member: String,
        /// All arguments of the tool.
        known: String,
    },
    /// An argument that is not there.
    #[error("argument `{member}` is missing")]
    Missing {
        /// Its name.
        member: &'static str,
    },
    /// An argument that is no string.
    #[error("argument `{member}` is {found}, not a string")]
    NotText {
        /// Its name.
        member: &'static str,
        /// What was there.
        found: &'static str,
    },
    /// An empty string where one says nothing.
    #[error("argument `{member}` is empty")]
    Empty {
        /// Its name.
        member: &'static str,
    },
    /// A longer string than the tool takes.
    #[error("argument `{member}` has {len} bytes, at most {max} are taken")]
    MemberTooLong {
        /// Its name.
        member: &'static str,
        /// Bytes given.
        len: usize,
        /// Bytes allowed.
        max: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const PARAMETERS: [Parameter; 2] = [
        Parameter {
            name: "new",
            description: "",
            emptiness: Emptiness::Allowed,
            len_bytes_max: 4,
        },
        Parameter {
            name: "path",
            description: "",
            emptiness: Emptiness::Refused,
            len_bytes_max: 8,
        },
    ];

    fn refusal(bytes: &[u8]) -> String {
        Members::parse(bytes, &PARAMETERS).map_or_else(|error| error.to_string(), |_| "accepted".to_owned())
    }

    #[test]
    fn exact_members_are_accepted() -> Result<(), ArgumentError> {
        let members = Members::parse(br#"{"new":"","path":"a"}"#, &PARAMETERS)?;
        assert_eq!((members.text("path")?, members.text("new")?), ("a", ""));
        assert!(matches!(
            members.text("old"),
            Err(ArgumentError::Missing { member: "old" })
        ));
        Ok(())
    }

    #[test]
    fn every_departure_is_refused_with_its_reason() {
        let cases: [(&[u8], &str); 14] = [
            (b"", "the arguments are not canonical JSON"),
            (b"{", "the arguments are not canonical JSON"),
            (b"\xff", "the arguments are not canonical JSON"),
            (
                b"{\"new\":\"\",\"path\":\"a\"} ",
                "the arguments are not canonical JSON",
            ),
            (b"{\"path\":\"a\",\"new\":\"\"}", "the arguments are not canonical JSON"),
            (
                b"{\"new\":\"\",\"path\":\"a\",\"path\":\"b\"}",
                "the arguments are not canonical JSON",
            ),
            (b"[]", "the arguments are an array, not an object"),
            (b"null", "the arguments are null, not an object"),
            (
                b"{\"new\":\"\",\"path\":\"a\",\"pth\":\"b\"}",
                "unknown argument \"pth\"; this tool takes: new, path",
            ),
            (b"{\"new\":\"\"}", "argument `path` is missing"),
            (
                b"{\"new\":\"\",\"path\":7}",
                "argument `path` is a number, not a string",
            ),
            (b"{\"new\":\"\",\"path\":null}", "argument `path` is null, not a string"),
            (b"{\"new\":\"\",\"path\":\"\"}", "argument `path` is empty"),
            (
                b"{\"new\":\"12345\",\"path\":\"a\"}",
                "argument `new` has 5 bytes, at most 4 are taken",
            ),
        ];
        for (bytes, reason) in cases {
            assert_eq!(refusal(bytes), reason, "{}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn deep_nesting_is_refused_not_a_stack_overflow() {
        let deep = [b"{\"path\":".to_vec(), vec![b'['; 100_000]].concat();
        assert_eq!(refusal(&deep), "the arguments are not canonical JSON");
    }

    #[test]
    fn oversize_is_refused_before_parsing() {
        let long = vec![b' '; ARGUMENTS_BYTES_MAX + 1];
        let refused = Members::parse(&long, &PARAMETERS);
        assert!(
            matches!(refused, Err(ArgumentError::NotCanonical(JcsError::TooLong { .. }))),
            "{refused:?}"
        );
    }

    #[test]
    fn proposed_object_becomes_canonical_bytes() -> Result<(), ArgumentError> {
        let Value::Object(object) = json!({"b": 1.0, "a": "\u{20ac}\n"}) else {
            return Ok(());
        };
        assert_eq!(
            Arguments::from_object(object)?.as_bytes(),
            "{\"a\":\"\u{20ac}\\n\",\"b\":1}".as_bytes()
        );
        Ok(())
    }

    #[test]
    fn oversize_object_is_refused() {
        let mut object = Map::new();
        object.insert("content".to_owned(), Value::String("x".repeat(ARGUMENTS_BYTES_MAX)));
        assert!(matches!(
            Arguments::from_object(object),
            Err(ArgumentError::NotCanonical(JcsError::TooLong { .. }))
        ));
    }
}
