//! The golden vectors of statement-v1, made in memory: the example writes them, the tests compare and check them.

mod accepted;
mod edit;
mod refused;
mod refused_fields;
pub(crate) mod sample;
mod signed;

use std::path::PathBuf;

use countersign_schemas::field::Field as _;
use countersign_schemas::statement::Statement;
use serde_json::{Map, Value, json};

/// What a reader must say about a vector.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expect {
    /// Read without complaint.
    Ok,
    /// Refused as malformed; the word is that of `Problem::code`.
    Malformed(&'static str),
    /// Refused as a newer format.
    Newer(&'static str),
}

/// One file.
pub(crate) struct Vector {
    /// File name without extension.
    pub(crate) name: String,
    /// What the bytes claim to be: `statement`, `record`, `payload`, `founding` or `signed`.
    subject: &'static str,
    /// Where statement-v1 says it.
    spec: &'static str,
    /// What is right or wrong with it, in one sentence.
    why: String,
    /// The bytes.
    input: Vec<u8>,
    /// What a reader must say.
    expect: Expect,
    /// Further members: what an accepted input decodes to.
    more: Map<String, Value>,
}

impl Vector {
    fn refused(name: &str, subject: &'static str, spec: &'static str, why: &str, input: Vec<u8>, say: Expect) -> Self {
        let prefix = if matches!(say, Expect::Newer(_)) {
            "newer"
        } else {
            "malformed"
        };
        let name = format!("{subject}_{prefix}_{name}");
        Self {
            name,
            subject,
            spec,
            why: why.into(),
            input,
            expect: say,
            more: Map::new(),
        }
    }

    /// The file's content.
    pub(crate) fn json(&self) -> Value {
        let (expect, code) = match self.expect {
            Expect::Ok => ("ok", None),
            Expect::Malformed(code) => ("malformed", Some(code)),
            Expect::Newer(code) => ("newer", Some(code)),
        };
        let mut object = self.more.clone();
        object.insert("schema".into(), "countersign.vector/v1".into());
        object.insert("name".into(), self.name.clone().into());
        object.insert("subject".into(), self.subject.into());
        object.insert("spec".into(), format!("statement-v1 {}", self.spec).into());
        object.insert("why".into(), self.why.clone().into());
        object.insert("input_hex".into(), hex(&self.input).into());
        object.insert("expect".into(), expect.into());
        if let Some(code) = code {
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
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("vectors/statement")
}

/// Every vector.
pub(crate) fn all() -> Vec<Vector> {
    let mut vectors = accepted::vectors();
    vectors.extend(refused::vectors());
    vectors.extend(refused_fields::vectors());
    vectors.extend(signed::vectors());
    vectors
}

/// What a statement says, in the words of §9.
pub(crate) fn projection(statement: &Statement) -> Value {
    let mut object = Map::new();
    object.insert("kind".into(), statement.kind().name().into());
    object.insert("by".into(), statement.by.to_json());
    object.insert("n".into(), statement.n.to_json());
    object.insert("at".into(), statement.at.to_json());
    object.insert("seen".into(), statement.seen.to_json());
    object.insert("body".into(), statement.body.to_json());
    if let Some(ext) = &statement.ext {
        object.insert("ext".into(), ext.to_json());
    }
    object.into()
}

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

fn unhex(text: &str) -> Vec<u8> {
    data_encoding::HEXLOWER
        .decode(text.replace(' ', "").as_bytes())
        .expect("the table holds hex")
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
