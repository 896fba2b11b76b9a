//! JSON in which no object has a member twice: what most readers settle silently, and not all in the same way.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Reads one JSON value, and gives with it the name of the first member that an object has twice.
///
/// # Errors
/// That of the JSON reader, which bounds nesting.
pub(super) fn parse(bytes: &[u8]) -> Result<(Value, Option<String>), serde_json::Error> {
    let mut twice = None;
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Once(&mut twice).deserialize(&mut reader)?;
    reader.end()?;
    Ok((value, twice))
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
    fn what_stands_once_is_read_as_it_stands() -> Result<(), serde_json::Error> {
        for text in ["null", "true", "[1,-2,1.5,\"a\",[]]", r#" {"a":{"b":[{}]},"b":null} "#] {
            assert_eq!(parse(text.as_bytes())?, (serde_json::from_str(text)?, None));
        }
        Ok(())
    }

    #[test]
    fn a_member_that_stands_twice_is_named_at_any_depth_and_in_any_spelling() -> Result<(), serde_json::Error> {
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"b":[{"a":1,"c":2,"a":3}]}"#,
            r#"{"a":{"a":1},"\u0061":2}"#,
        ] {
            assert_eq!(parse(text.as_bytes())?.1.as_deref(), Some("a"), "{text}");
        }
        assert_eq!(parse(br#"[{"a":1},{"a":1}]"#)?.1, None);
        Ok(())
    }

    #[test]
    fn what_is_no_json_is_refused() {
        let deep = "[".repeat(100_000);
        for text in ["", "{", "{}{}", "{'a':1}", "{\"a\":1,}", "\u{feff}{}", &deep] {
            assert!(parse(text.as_bytes()).is_err(), "{text:.20}");
        }
        assert!(parse(b"\"\xff\"").is_err());
    }
}
