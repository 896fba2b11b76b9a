//! A tool as a model sees it, and what it may say beside the tool's own arguments.

use countersign_schemas::body::AdviceRelation;
use serde_json::{Map, Value, json};

use super::call::{AdviceStatement, REASON_LEN_BYTES_MAX};
use crate::tool::{ADVISOR, Loading, ToolSpec};

/// The property by which a model says what it did with advice. It is taken out of the arguments before they are
/// recorded, decided and run.
const ADVICE: &str = "advice";

/// The declaration of one tool towards a model: the same bytes in every question of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The tool's name.
    pub name: &'static str,
    /// What the model is told.
    pub description: &'static str,
    /// JSON Schema of its arguments; open where the model has to ask for it first.
    pub input_schema: Value,
}

impl Offer {
    /// What a model is told of `spec`; with `may_cite`, that it can say here what it did with advice.
    #[must_use]
    pub fn of(spec: &'static ToolSpec, may_cite: bool) -> Self {
        let mut input_schema = match spec.loading {
            Loading::Eager => spec.input_schema(),
            Loading::Deferred => json!({ "type": "object", "properties": {} }),
        };
        if may_cite && spec.name != ADVISOR.name {
            input_schema["properties"][ADVICE] = json!({
                "type": "string",
                "description": "Only in the calls after advice: `followed: why`, or `overridden: why`.",
            });
        }
        Self {
            name: spec.name,
            description: spec.description,
            input_schema,
        }
    }

    /// The declaration as it stands in `countersign.model-request/v1`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({ "name": self.name, "description": self.description, "input_schema": self.input_schema })
    }

    pub(super) fn len_bytes(&self) -> usize {
        self.name.len() + self.description.len() + self.input_schema.to_string().len()
    }
}

/// Takes out of `arguments` what the model says about advice. What has neither form is dropped: it cannot be assessed.
pub(super) fn take_advice(arguments: &mut Map<String, Value>) -> Option<AdviceStatement> {
    let said = arguments.remove(ADVICE)?;
    let (word, reason) = said.as_str()?.split_once(':')?;
    let relation = match word.trim().to_ascii_lowercase().as_str() {
        "followed" => AdviceRelation::Followed,
        "overridden" => AdviceRelation::Overridden,
        _ => return None,
    };
    let reason = reason.trim();
    let end = (0..=REASON_LEN_BYTES_MAX.min(reason.len()))
        .rev()
        .find(|end| reason.is_char_boundary(*end));
    let reason = &reason[..end.unwrap_or(0)];
    (!reason.is_empty()).then(|| AdviceStatement {
        relation,
        reason: reason.to_owned(),
    })
}

/// The arguments of a call as the model wrote them: those that were recorded, with what it said about advice.
#[must_use]
pub(super) fn with_advice(arguments: &Map<String, Value>, advice: Option<&AdviceStatement>) -> Value {
    let mut object = arguments.clone();
    if let Some(advice) = advice {
        object.insert(
            ADVICE.to_owned(),
            format!("{}: {}", advice.relation, advice.reason).into(),
        );
    }
    Value::Object(object)
}

#[cfg(test)]
mod tests {
    use super::super::call::tests::object;
    use super::*;
    use crate::tool::{BUILTIN, READ};

    #[test]
    fn advice_is_taken_out_of_the_arguments() {
        let mut arguments = object(json!({"path": "a", "advice": "Followed: it is small"}));
        let said = take_advice(&mut arguments);
        assert_eq!(
            said,
            Some(AdviceStatement {
                relation: AdviceRelation::Followed,
                reason: "it is small".to_owned()
            })
        );
        assert_eq!(arguments, object(json!({"path": "a"})));
        assert_eq!(
            with_advice(&arguments, said.as_ref()),
            json!({"path": "a", "advice": "followed: it is small"})
        );
    }

    #[test]
    fn what_is_no_statement_about_advice_says_nothing() {
        for said in [
            json!("yes"),
            json!("followed:"),
            json!("followed"),
            json!("ignored: x"),
            json!(7),
            json!(null),
        ] {
            let mut arguments = object(json!({ "advice": said }));
            assert_eq!(take_advice(&mut arguments), None, "{said}");
            assert!(arguments.is_empty());
        }
        let mut long = object(json!({"advice": format!("overridden: {}", "\u{e4}".repeat(2000))}));
        assert!(take_advice(&mut long).is_some_and(|said| said.reason.len() == REASON_LEN_BYTES_MAX));
    }

    #[test]
    fn advice_can_be_cited_in_every_tool_but_the_advisor_and_only_if_there_is_one() {
        for spec in BUILTIN {
            let declared = |may_cite| {
                Offer::of(spec, may_cite).input_schema["properties"]
                    .get(ADVICE)
                    .is_some()
            };
            assert_eq!(declared(true), spec.name != ADVISOR.name, "{}", spec.name);
            assert!(!declared(false), "{}", spec.name);
            assert!(spec.parameters.iter().all(|parameter| parameter.name != ADVICE));
        }
        assert_eq!(Offer::of(&READ, false).input_schema, READ.input_schema());
    }
}
