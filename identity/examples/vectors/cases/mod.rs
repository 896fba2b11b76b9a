//! The cases themselves: parties with fixed seeds, valid documents, and one document for every refusal.

mod did;
mod document;
mod grant;
mod narrow;
mod party;
mod profile;
mod proof;
mod trust;

use serde_json::{Value, json};

/// What every builder gives.
pub(crate) type Cases = Result<Vec<Vector>, Box<dyn std::error::Error>>;

/// One vector: a file name and the JSON in it.
pub(crate) struct Vector {
    /// Name of the file.
    pub(crate) file: String,
    json: Value,
}

impl Vector {
    fn new(name: &str, kind: &str, spec: &str, why: &str, expect: Value, more: Value) -> Self {
        let mut json = json!({
            "schema": "countersign.vector/v1",
            "format": "identity/v1",
            "kind": kind,
            "spec": spec,
            "why": why,
            "expect": expect,
        });
        if let (Value::Object(into), Value::Object(from)) = (&mut json, more) {
            into.extend(from);
        }
        Self {
            file: format!("{name}.json"),
            json,
        }
    }

    /// The content of the file: indented, with a final line end.
    pub(crate) fn to_text(&self) -> Result<String, serde_json::Error> {
        // Another crate of the build may turn on `preserve_order`: the files must not depend on it.
        let mut json = self.json.clone();
        json.sort_all_objects();
        Ok(serde_json::to_string_pretty(&json)? + "\n")
    }
}

/// Every vector of the format.
pub(crate) fn all() -> Cases {
    let mut vectors = did::cases()?;
    vectors.extend(profile::cases()?);
    vectors.extend(document::cases()?);
    vectors.extend(proof::cases()?);
    vectors.extend(grant::cases()?);
    vectors.extend(narrow::cases()?);
    vectors.extend(trust::cases()?);
    Ok(vectors)
}
