//! The golden vectors of ledger-v1, made in memory: the example writes them, the tests compare and check them.

mod checkpoint;
mod envelope;
mod refused_checkpoint;
mod refused_envelope;
mod tree;

use std::path::PathBuf;

use serde_json::{Map, Value, json};

/// One file.
pub(crate) struct Vector {
    /// File name without extension; its first word is the subject.
    pub(crate) name: String,
    /// Where the specification says it.
    spec: String,
    /// What is right or wrong with it, in one sentence.
    why: String,
    /// The word for the refusal; `None` for what has to be accepted.
    code: Option<&'static str>,
    /// Further members: the input, the keys and what an accepted input says.
    more: Map<String, Value>,
}

impl Vector {
    fn accepted(subject: &str, name: &str, spec: &str, why: &str, more: Value) -> Self {
        Self::new(format!("{subject}_{name}"), spec, why, None, more)
    }

    fn refused(subject: &str, name: &str, spec: &str, why: &str, code: &'static str, more: Value) -> Self {
        Self::new(format!("{subject}_refused_{name}"), spec, why, Some(code), more)
    }

    fn new(name: String, spec: &str, why: &str, code: Option<&'static str>, more: Value) -> Self {
        let Value::Object(more) = more else {
            unreachable!("members come as an object")
        };
        Self {
            name,
            spec: spec.to_owned(),
            why: why.to_owned(),
            code,
            more,
        }
    }

    /// The file's content.
    pub(crate) fn json(&self) -> Value {
        let mut object = self.more.clone();
        object.insert("schema".into(), "countersign.vector/v1".into());
        object.insert("name".into(), self.name.clone().into());
        object.insert("subject".into(), self.name.split('_').next().into());
        object.insert("spec".into(), self.spec.clone().into());
        object.insert("why".into(), self.why.clone().into());
        object.insert(
            "expect".into(),
            if self.code.is_some() { "refused" } else { "ok" }.into(),
        );
        if let Some(code) = self.code {
            object.insert("code".into(), code.into());
        }
        sorted(&json!(object))
    }

    /// The file's text: two spaces of indentation, members sorted, a final newline.
    pub(crate) fn text(&self) -> String {
        format!("{:#}\n", self.json())
    }
}

/// The folder of the vectors.
pub(crate) fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../schemas/vectors/ledger")
}

/// Every vector.
pub(crate) fn all() -> Vec<Vector> {
    let mut vectors = tree::vectors();
    vectors.extend(checkpoint::vectors());
    vectors.extend(refused_checkpoint::vectors());
    vectors.extend(envelope::vectors());
    vectors.extend(refused_envelope::vectors());
    vectors
}

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

/// Two objects in one; `more` may not repeat a member.
fn with(base: &Value, more: &Value) -> Value {
    let members = [base, more].into_iter().filter_map(Value::as_object).flatten();
    members
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect::<Map<_, _>>()
        .into()
}

/// Sorts members, which serde_json does by itself only while no crate of the build turns on `preserve_order`.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(object) => {
            let mut members: Vec<_> = object.iter().map(|(key, value)| (key.clone(), sorted(value))).collect();
            members.sort_by(|left, right| left.0.cmp(&right.0));
            members.into_iter().collect::<Map<_, _>>().into()
        }
        Value::Array(items) => items.iter().map(sorted).collect(),
        other => other.clone(),
    }
}
