//! What is wrong with a request, and a reader that says where in the body it is.

use serde_json::{Map, Value};

/// Why a provider does not answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) status: u16,
    /// Where in the body, such as `messages.2.content.0`; nothing where it is the request as a whole.
    pub(super) at: Option<String>,
    pub(super) message: String,
    /// The header of that name.
    pub(super) retry_after: Option<&'static str>,
}

impl Problem {
    /// A request with this status.
    pub(super) fn new(status: u16, message: impl Into<String>) -> Self {
        Self {
            status,
            at: None,
            message: message.into(),
            retry_after: None,
        }
    }

    /// A body that is wrong at `at`.
    pub(super) fn at(at: &str, message: impl Into<String>) -> Self {
        Self {
            status: 400,
            at: Some(at.to_owned()),
            message: message.into(),
            retry_after: None,
        }
    }
}

/// A part of a body that knows where it stands.
#[derive(Clone)]
pub(super) struct Part<'v> {
    pub(super) value: &'v Value,
    pub(super) at: String,
}

impl<'v> Part<'v> {
    /// The body itself.
    pub(super) fn whole(value: &'v Value) -> Self {
        Self {
            value,
            at: String::new(),
        }
    }

    /// A problem with this part.
    pub(super) fn problem(&self, message: impl Into<String>) -> Problem {
        Problem::at(&self.at, message)
    }

    /// A member that has to be there.
    pub(super) fn field(&self, name: &str) -> Result<Self, Problem> {
        self.optional(name)
            .ok_or_else(|| Problem::at(&self.path(name), "Field required"))
    }

    /// A member, unless it is missing or null.
    pub(super) fn optional(&self, name: &str) -> Option<Self> {
        let value = self.value.get(name).filter(|value| !value.is_null())?;
        Some(Self {
            value,
            at: self.path(name),
        })
    }

    /// The elements of an array.
    pub(super) fn elements(&self) -> Result<Vec<Self>, Problem> {
        let values = self
            .value
            .as_array()
            .ok_or_else(|| self.problem("Input should be a valid array"))?;
        let part = |(index, value): (usize, &'v Value)| Self {
            value,
            at: self.path(&index.to_string()),
        };
        Ok(values.iter().enumerate().map(part).collect())
    }

    /// The text of a string.
    pub(super) fn text(&self) -> Result<&'v str, Problem> {
        self.value
            .as_str()
            .ok_or_else(|| self.problem("Input should be a valid string"))
    }

    /// The members of an object.
    pub(super) fn object(&self) -> Result<&'v Map<String, Value>, Problem> {
        self.value
            .as_object()
            .ok_or_else(|| self.problem("Input should be a valid dictionary"))
    }

    /// Fails where an object has members of other names.
    pub(super) fn only(&self, names: &[&str]) -> Result<(), Problem> {
        let members = self.object()?;
        match members.keys().find(|name| !names.contains(&name.as_str())) {
            Some(name) => Err(Problem::at(&self.path(name), "Extra inputs are not permitted")),
            None => Ok(()),
        }
    }

    /// A whole number of at least `least`.
    pub(super) fn number(&self, least: u64) -> Result<u64, Problem> {
        let number = self.value.as_u64().filter(|number| *number >= least);
        number.ok_or_else(|| self.problem(format!("Input should be an integer of at least {least}")))
    }

    fn path(&self, name: &str) -> String {
        if self.at.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.at)
        }
    }
}

/// Fails where `name` is none that providers accept for tools and calls: `^[a-zA-Z0-9_-]{1,64}$`.
pub(super) fn check_name(part: &Part<'_>) -> Result<String, Problem> {
    let name = part.text()?;
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if (1..=64).contains(&name.len()) && name.bytes().all(is_allowed) {
        Ok(name.to_owned())
    } else {
        Err(part.problem("String should match pattern '^[a-zA-Z0-9_-]{1,64}$'"))
    }
}

/// Fails where `part` is no JSON Schema of an object.
pub(super) fn check_object_schema(part: &Part<'_>) -> Result<(), Problem> {
    part.object()?;
    if part.field("type")?.text()? != "object" {
        return Err(part.problem("type: Input should be 'object'"));
    }
    let properties = part.optional("properties");
    for name in properties.iter().flat_map(|properties| properties.value.as_object()) {
        for (property, schema) in name {
            if !schema.is_object() && !schema.is_boolean() {
                return Err(part.problem(format!("properties.{property}: JSON schema is invalid")));
            }
        }
    }
    if let Some(required) = part.optional("required") {
        for name in required.elements()? {
            name.text()?;
        }
    }
    Ok(())
}

/// Fails where a schema does not name every property as required, as `strict` has it.
pub(super) fn check_strict_schema(part: &Part<'_>) -> Result<(), Problem> {
    let schema = part.value;
    let is_required = |name: &str| {
        let required = schema["required"].as_array();
        required.is_some_and(|required| required.iter().any(|required| required == name))
    };
    let properties = schema["properties"].as_object();
    let missing = properties.and_then(|properties| properties.keys().find(|name| !is_required(name)));
    match missing {
        Some(name) => Err(part.problem(format!(
            "'required' is required to be supplied and to be an array including every key in properties. Missing '{name}'"
        ))),
        None if schema["additionalProperties"] != false => Err(part.problem(
            "'additionalProperties' is required to be supplied and to be false",
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn problems_say_where_they_are() {
        let body = json!({ "a": [{ "b": 1 }], "c": null });
        let body = Part::whole(&body);
        let first = body.field("a").and_then(|a| a.elements()).map(|parts| parts[0].clone());
        let at = |problem: Result<(), Problem>| problem.err().and_then(|problem| problem.at);
        let text = first.clone().and_then(|part| part.field("b")?.text().map(drop));
        assert_eq!(at(text).as_deref(), Some("a.0.b"));
        assert_eq!(at(first.and_then(|part| part.only(&["x"]))).as_deref(), Some("a.0.b"));
        assert_eq!(at(body.field("c").map(drop)).as_deref(), Some("c"));
    }

    #[test]
    fn names_and_schemas_are_those_of_the_providers() {
        let is_name = |name: &str| check_name(&Part::whole(&json!(name))).is_ok();
        assert!(is_name("web_fetch-2") && is_name(&"x".repeat(64)));
        assert!(!is_name("") && !is_name("a.b") && !is_name("é") && !is_name(&"x".repeat(65)));
        let is_schema = |schema: Value| check_object_schema(&Part::whole(&schema)).is_ok();
        assert!(is_schema(
            json!({ "type": "object", "properties": { "a": {} }, "required": ["a"] })
        ));
        for wrong in [
            json!({}),
            json!({ "type": "string" }),
            json!({ "type": "object", "properties": { "a": 1 } }),
            json!({ "type": "object", "required": [1] }),
            json!("object"),
        ] {
            assert!(!is_schema(wrong.clone()), "{wrong}");
        }
    }
}
