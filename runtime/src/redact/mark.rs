//! What stands in the place of a secret.

use super::patterns::PATTERNS;

/// What a marker calls a value that was registered at run time.
pub(super) const EXACT: &str = "key in use";

/// The text that takes the place of a secret of the kind `name`. It tells neither its length nor any of its characters.
pub(super) fn marker(name: &str) -> String {
    format!("[secret removed: {name}]")
}

/// Every name that a marker can have.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    PATTERNS.iter().map(|pattern| pattern.name).chain([EXACT])
}
