//! JSON that people and models write: any spacing, but no member twice in one object.
//!
//! RFC 8259 §4 leaves open what a repeated member means; most readers keep the last one and let the others disappear without a
//! word, and two that differ in this would act on different documents. Signed JSON is stricter still: see [`jcs`](crate::jcs).

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use thiserror::Error;

/// Longest name of a repeated member that an error shows, in characters.
const SHOWN_CHARS_MAX: usize = 64;

/// Reads one JSON value.
///
/// # Errors
/// [`StrictJsonError`]. What is no JSON at all is told first, wherever in it a member is repeated.
pub fn parse(bytes: &[u8]) -> Result<Value, StrictJsonError> {
    let mut twice = None;
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Once(&mut twice).deserialize(&mut reader)?;
    reader.end()?;
    match twice {
        Some(name) => Err(StrictJsonError::Twice {
            name: name.chars().take(SHOWN_CHARS_MAX).collect(),
        }),
        None => Ok(value),
    }
}

/// Why bytes are refused.
#[derive(Debug, Error)]
pub enum StrictJsonError {
    /// No JSON, or nested deeper than the reader goes.
    #[error(transparent)]
    Syntax(#[from] serde_json::Error),
    /// An object with the same member twice: one of them would count, and nobody could tell which.
    #[error("member `{name}` occurs twice in one object")]
    Twice {
        /// The member, shortened to 64 characters.
        name: String,
    },
}

/// Reads a value and notes a repeated member.
struct Once<'t>(&'t mut Option<String>);

impl<'de> DeserializeSeed<'de> for Once<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Once<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(Once(self.0))? {
            list.push(item);
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let (mut object, mut seen) = (Map::new(), BTreeSet::new());
        while let Some(name) = members.next_key::<String>()? {
            let value = members.next_value_seed(Once(self.0))?;
            if !seen.insert(name.clone()) && self.0.is_none() {
                *self.0 = Some(name.clone());
            }
            object.insert(name, value);
        }
        Ok(object.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_once_is_read_as_it_stands() -> Result<(), StrictJsonError> {
        for text in [
            "null",
            "true",
            "[1,-2,1.5,\"a\",[]]",
            r#" {"a":{"b":[{}]},"b":null} "#,
            r#"[{"a":1},{"a":1}]"#,
        ] {
            assert_eq!(parse(text.as_bytes())?, serde_json::from_str::<Value>(text)?);
        }
        Ok(())
    }

    #[test]
    fn a_member_that_stands_twice_is_named_at_any_depth_and_in_any_spelling() {
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"b":[{"a":1,"c":2,"a":3}]}"#,
            r#"{"a":{"a":1},"\u0061":2}"#,
        ] {
            assert!(
                matches!(parse(text.as_bytes()), Err(StrictJsonError::Twice { name }) if name == "a"),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_json_is_refused() {
        let deep = "[".repeat(100_000);
        for text in [
            "",
            "{",
            "{}{}",
            "{'a':1}",
            "{\"a\":1,}",
            "{\"a\":01}",
            r#"{"a":1,"a":1"#,
            r#""\ud800""#,
            "\u{feff}{}",
            &deep,
        ] {
            assert!(
                matches!(parse(text.as_bytes()), Err(StrictJsonError::Syntax(_))),
                "{text:.20}"
            );
        }
        assert!(matches!(parse(b"\"\xff\""), Err(StrictJsonError::Syntax(_))));
    }
}
