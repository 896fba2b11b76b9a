//! What a verifier has to say about a ledger: one finding a breach, named by rule and entry.

use countersign_schemas::number::Seq;

use crate::code::{Class, Code};
use crate::visible::visible;

/// Most characters of `expected` and `found`: they quote what a stranger wrote.
const SHOWN_CHARS_MAX: usize = 600;

/// One rule that is broken, cannot be shown, or cannot be judged, at one entry or for the whole ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The rule.
    pub code: Code,
    /// How grave it is here: a rule of class W/C is [`Class::Unproven`] where only bytes are missing.
    pub class: Class,
    /// The entry that breaks the rule; `None` for the ledger as a whole.
    pub entry: Option<Seq>,
    /// What the rule wants.
    pub expected: String,
    /// What stands there.
    pub found: String,
}

impl Finding {
    /// A breach of `code` at `entry`, as grave as the rule usually is.
    #[must_use]
    pub fn new(code: Code, entry: Seq, expected: impl AsRef<str>, found: impl AsRef<str>) -> Self {
        Self {
            code,
            class: code.class(),
            entry: Some(entry),
            expected: visible(expected.as_ref(), SHOWN_CHARS_MAX),
            found: visible(found.as_ref(), SHOWN_CHARS_MAX),
        }
    }

    /// Something at `entry` that cannot be shown.
    #[must_use]
    pub fn unproven(code: Code, entry: Seq, expected: impl AsRef<str>, found: impl AsRef<str>) -> Self {
        Self {
            class: Class::Unproven,
            ..Self::new(code, entry, expected, found)
        }
    }

    /// A finding about the ledger as a whole.
    #[must_use]
    pub fn whole(code: Code, expected: impl AsRef<str>, found: impl AsRef<str>) -> Self {
        Self {
            entry: None,
            ..Self::new(code, Seq::ZERO, expected, found)
        }
    }

    /// Whether a ledger with this finding is rejected.
    #[must_use]
    pub const fn is_breach(&self) -> bool {
        matches!(self.class, Class::Written | Class::Denied)
    }

    /// One line for a person: the rule's sentence, then what was expected and what was found.
    #[must_use]
    pub fn text(&self) -> String {
        format!(
            "{} Expected {}; found {}.",
            self.code.sentence(),
            self.expected,
            self.found
        )
    }
}
