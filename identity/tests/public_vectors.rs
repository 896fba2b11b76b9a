//! Finds the public conformance vectors; a folder that is absent is reported by name, not failed.

use std::path::PathBuf;

use data_encoding::HEXLOWER_PERMISSIVE;
use serde_json::Value;

/// What every test here returns.
pub(crate) type TestResult = Result<(), Box<dyn std::error::Error>>;

/// Path of `relative` in the vector folder, or `None` after saying which test is skipped.
#[expect(clippy::print_stderr, reason = "a skipped test must be visible")]
pub(crate) fn path(test: &str, relative: &str) -> Option<PathBuf> {
    let root = std::env::var_os("COUNTERSIGN_VECTORS").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/vectors")),
        PathBuf::from,
    );
    let path = root.join(relative);
    if !path.exists() {
        eprintln!("skipped: {test}: no vectors at {}", path.display());
        return None;
    }
    Some(path)
}

/// The JSON file at `relative`, if the vectors are there.
pub(crate) fn json(test: &str, relative: &str) -> Result<Option<Value>, Box<dyn std::error::Error>> {
    match path(test, relative) {
        Some(path) => Ok(Some(serde_json::from_slice(&std::fs::read(path)?)?)),
        None => Ok(None),
    }
}

/// The bytes of a hexadecimal member.
pub(crate) fn hex(value: &Value) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    Ok(HEXLOWER_PERMISSIVE.decode(text(value)?.as_bytes())?)
}

/// The text of a string member.
pub(crate) fn text(value: &Value) -> Result<&str, String> {
    value.as_str().ok_or_else(|| format!("not a string: {value}"))
}

/// The items of an array member.
pub(crate) fn items(value: &Value) -> Result<&Vec<Value>, String> {
    value.as_array().ok_or_else(|| format!("not an array: {value}"))
}
