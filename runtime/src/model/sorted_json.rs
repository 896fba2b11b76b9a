//! Writes JSON with the members of every object sorted by name. `serde_json` alone keeps the order of insertion in some
//! builds of this workspace and sorts in others, but what a provider caches are bytes.

use serde::{Serialize, Serializer};
use serde_json::Value;

/// A value that is written the same way in every build.
pub(super) struct Sorted<'a>(pub(super) &'a Value);

impl Serialize for Sorted<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Object(object) => {
                let mut members: Vec<_> = object.iter().collect();
                members.sort_unstable_by_key(|(name, _)| *name);
                serializer.collect_map(members.into_iter().map(|(name, value)| (name, Sorted(value))))
            }
            Value::Array(items) => serializer.collect_seq(items.iter().map(Sorted)),
            scalar => scalar.serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_sorted_at_any_depth_and_values_stay_what_they_are() -> Result<(), serde_json::Error> {
        let value: Value =
            serde_json::from_str(r#"{"b":[{"z":1.0,"a":18446744073709551615}],"a":{"y":null,"x":"\n"}}"#)?;
        assert_eq!(
            serde_json::to_string(&Sorted(&value))?,
            r#"{"a":{"x":"\n","y":null},"b":[{"a":18446744073709551615,"z":1.0}]}"#
        );
        Ok(())
    }
}
