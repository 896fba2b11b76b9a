//! The golden vectors of authority-v1, made in memory: the example writes them, the tests compare and check them.

mod address;
mod broken;
mod ledger;
mod outcome;
mod policy;
mod processes;
mod projection;
mod withdrawn;

#[cfg_attr(not(test), expect(unused_imports, reason = "the tests judge the stored files by it"))]
pub(crate) use ledger::expectation;

use std::path::PathBuf;

use serde_json::{Map, Value};

/// One file.
pub(crate) struct Vector {
    /// File name without extension; its first word is the subject.
    name: String,
    /// Where the specification says it.
    spec: String,
    /// What is right or wrong with it, in one sentence.
    why: String,
    /// Input and what it gives.
    more: Map<String, Value>,
}

impl Vector {
    fn new(subject: &str, name: &str, spec: &str, why: &str, more: Value) -> Self {
        let Value::Object(more) = more else {
            unreachable!("members come as an object")
        };
        Self {
            name: format!("{subject}_{name}"),
            spec: spec.to_owned(),
            why: why.to_owned(),
            more,
        }
    }

    pub(crate) fn file_name(&self) -> String {
        format!("{}.json", self.name)
    }

    /// The content as a value; members are sorted by whoever prints it.
    pub(crate) fn json(&self) -> Value {
        let mut object = self.more.clone();
        object.insert("schema".into(), "countersign.vector/v1".into());
        object.insert("name".into(), self.name.clone().into());
        object.insert("subject".into(), self.name.split('_').next().into());
        object.insert("spec".into(), self.spec.clone().into());
        object.insert("why".into(), self.why.clone().into());
        sorted(Value::Object(object))
    }

    /// The file's content.
    pub(crate) fn text(&self) -> String {
        format!("{:#}\n", self.json())
    }
}

/// Members in bytewise order, so that the text does not depend on how the JSON library keeps them.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(object) => {
            let mut members: Vec<(String, Value)> = object.into_iter().map(|(name, it)| (name, sorted(it))).collect();
            members.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(members.into_iter().collect())
        }
        Value::Array(items) => items.into_iter().map(sorted).collect(),
        plain => plain,
    }
}

/// Where the files are kept.
pub(crate) fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../schemas/vectors/authority"))
}

/// All of them.
pub(crate) fn all() -> Vec<Vector> {
    [projection::all(), policy::all(), outcome::all(), ledger::all()]
        .into_iter()
        .flatten()
        .collect()
}
