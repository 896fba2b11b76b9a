//! Which ledger a credential or a grant is for (identity-v1 §7.3).

use countersign_schemas::digest::{Digest, LedgerId};
use serde_json::{Value, json};

use crate::member::{MemberError, Members};

/// The ledger that a credential or a grant is bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LedgerBinding {
    /// The ledger with this founding digest (statement-v1 §8): used before the ledger has an id.
    Founding(Digest),
    /// The ledger with this id.
    Id(LedgerId),
    /// Any ledger of the same principal.
    Any,
}

impl LedgerBinding {
    /// The JSON object, one member: `founding`, `id` or `any`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match self {
            Self::Founding(digest) => json!({ "founding": digest.to_string() }),
            Self::Id(id) => json!({ "id": id.to_string() }),
            Self::Any => json!({ "any": true }),
        }
    }

    /// Reads the JSON object.
    ///
    /// # Errors
    /// [`MemberError`] unless it holds exactly one of the three members.
    pub fn from_json(value: &Value) -> Result<Self, MemberError> {
        let mut members = Members::of("ledger", value)?;
        let (founding, id, any) = (
            members.optional("founding"),
            members.optional("id"),
            members.optional("any"),
        );
        members.finish()?;
        match (founding, id, any) {
            (Some(member), None, None) => Ok(Self::Founding(member.digest()?)),
            (None, Some(member), None) => Ok(Self::Id(LedgerId::from_bytes(*member.digest()?.as_bytes()))),
            (None, None, Some(member)) => member.constant(&json!(true), "true").map(|()| Self::Any),
            (None, None, None) => Err(MemberError::Missing {
                place: "ledger",
                name: "id",
            }),
            (Some(member), ..) | (_, Some(member), _) => Err(member.wrong_value("the only member")),
        }
    }

    /// Whether a grant bound to `self` is at most as wide as one bound to `parent` (G8).
    ///
    /// A founding digest and an id are never taken for the same ledger here, because that is only known to a reader
    /// of that ledger.
    #[must_use]
    pub fn is_within(&self, parent: &Self) -> bool {
        *parent == Self::Any || self == parent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_binding_round_trips() -> Result<(), MemberError> {
        let digest = Digest::from_bytes([7; 32]);
        for binding in [
            LedgerBinding::Founding(digest),
            LedgerBinding::Id(LedgerId::from_bytes([8; 32])),
            LedgerBinding::Any,
        ] {
            assert_eq!(LedgerBinding::from_json(&binding.to_json())?, binding);
        }
        Ok(())
    }

    #[test]
    fn anything_but_one_known_member_is_refused() {
        let hex = "00".repeat(32);
        for (value, code) in [
            (json!({}), "missing_member"),
            (json!([]), "not_an_object"),
            (json!({ "any": false }), "wrong_value"),
            (json!({ "any": 1 }), "wrong_value"),
            (json!({ "any": true, "id": hex }), "wrong_value"),
            (json!({ "founding": hex, "id": hex }), "wrong_value"),
            (json!({ "id": hex, "x": 1 }), "unknown_member"),
            (json!({ "id": "00" }), "bad_digest"),
            (json!({ "id": "AB".repeat(32) }), "bad_digest"),
            (json!({ "id": 7 }), "wrong_type"),
        ] {
            assert_eq!(
                LedgerBinding::from_json(&value).err().map(|error| error.code()),
                Some(code),
                "{value}"
            );
        }
    }

    #[test]
    fn any_contains_every_binding_and_nothing_else_contains_another() {
        let (founding, id) = (
            LedgerBinding::Founding(Digest::from_bytes([1; 32])),
            LedgerBinding::Id(LedgerId::from_bytes([1; 32])),
        );
        for binding in [founding, id, LedgerBinding::Any] {
            assert!(binding.is_within(&LedgerBinding::Any) && binding.is_within(&binding));
        }
        assert!(!id.is_within(&founding) && !founding.is_within(&id) && !LedgerBinding::Any.is_within(&id));
    }
}
