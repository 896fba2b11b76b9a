//! JSON in canonical form (JCS, RFC 8785): writing it, and reading documents that must already be in it.
//!
//! Every JSON document that a ledger holds equals its own canonical form, so the bytes that are hashed, stored
//! and signed are one and the same, and duplicate members, whitespace or second spellings cannot hide anything.
//! The reader never panics and never recurses deeper than [`NESTING_MAX`]. Specification: identity-v1 §3.

use serde_json::Value;
use thiserror::Error;

/// Largest document in bytes: the limit of a `doc` in a statement.
pub const DOCUMENT_LEN_MAX: usize = 16_384;

/// Deepest nesting of objects and arrays; a bare scalar has depth 0.
pub const NESTING_MAX: usize = 32;

/// Largest magnitude of a number: 2^53 − 1, the last integer that every JSON reader keeps exact.
pub const INTEGER_MAX: u64 = (1 << 53) - 1;

/// Writes `value` in canonical form; accepts any finite number, as RFC 8785 does.
///
/// # Errors
/// [`JcsError::Write`] for a number that has no canonical form.
pub fn canonicalize(value: &Value) -> Result<Vec<u8>, JcsError> {
    serde_json_canonicalizer::to_vec(value).map_err(JcsError::Write)
}

/// Reads a document of at most [`DOCUMENT_LEN_MAX`] bytes that must equal its own canonical form.
///
/// # Errors
/// As [`parse_canonical_within`].
pub fn parse_canonical(bytes: &[u8]) -> Result<Value, JcsError> {
    parse_canonical_within(bytes, DOCUMENT_LEN_MAX)
}

/// Reads a document of at most `len_max` bytes that must equal its own canonical form.
///
/// # Errors
/// The checks in their order: [`JcsError::TooLong`], [`JcsError::TooDeep`], [`JcsError::Syntax`],
/// [`JcsError::Number`], [`JcsError::NotCanonical`].
pub fn parse_canonical_within(bytes: &[u8], len_max: usize) -> Result<Value, JcsError> {
    if bytes.len() > len_max {
        return Err(JcsError::TooLong {
            len: bytes.len(),
            max: len_max,
        });
    }
    check_nesting(bytes)?;
    let value: Value = serde_json::from_slice(bytes).map_err(JcsError::Syntax)?;
    check_numbers(&value)?;
    let mut canonical = Vec::with_capacity(bytes.len());
    write_integers_only(&value, &mut canonical)?;
    if canonical != bytes {
        let at = canonical.iter().zip(bytes).take_while(|(a, b)| a == b).count();
        return Err(JcsError::NotCanonical { at });
    }
    Ok(value)
}

/// As [`canonicalize`] for a value whose numbers have passed [`check_numbers`], several times as fast: integers have one
/// spelling, and escapes of `serde_json` are those of RFC 8785 §3.2.2.2.
fn write_integers_only(value: &Value, out: &mut Vec<u8>) -> Result<(), JcsError> {
    match value {
        Value::Array(items) => {
            out.push(b'[');
            for (place, item) in items.iter().enumerate() {
                separate(place, out);
                write_integers_only(item, out)?;
            }
            out.push(b']');
        }
        Value::Object(members) => {
            let mut sorted: Vec<(&String, &Value)> = members.iter().collect();
            sorted.sort_unstable_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
            out.push(b'{');
            for (place, (name, member)) in sorted.into_iter().enumerate() {
                separate(place, out);
                serde_json::to_writer(&mut *out, name).map_err(JcsError::Write)?;
                out.push(b':');
                write_integers_only(member, out)?;
            }
            out.push(b'}');
        }
        // Not as it was read: a build that keeps the digits of a number would give back the very spelling.
        Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(number), _) => out.extend_from_slice(number.to_string().as_bytes()),
            (None, Some(number)) => out.extend_from_slice(number.to_string().as_bytes()),
            (None, None) => {
                let found = number.to_string();
                return Err(JcsError::Number { found });
            }
        },
        Value::Null | Value::Bool(_) | Value::String(_) => {
            serde_json::to_writer(out, value).map_err(JcsError::Write)?;
        }
    }
    Ok(())
}

fn separate(place: usize, out: &mut Vec<u8>) {
    if place > 0 {
        out.push(b',');
    }
}

/// Counts brackets outside strings, before a recursive reader sees the bytes.
fn check_nesting(bytes: &[u8]) -> Result<(), JcsError> {
    let (mut depth, mut in_string, mut escaped) = (0usize, false, false);
    for byte in bytes {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > NESTING_MAX {
            return Err(JcsError::TooDeep);
        }
    }
    Ok(())
}

fn check_numbers(value: &Value) -> Result<(), JcsError> {
    match value {
        Value::Number(number) => {
            let magnitude = number.as_u64().or_else(|| number.as_i64().map(i64::unsigned_abs));
            match magnitude {
                Some(magnitude) if magnitude <= INTEGER_MAX => Ok(()),
                _ => Err(JcsError::Number {
                    found: number.to_string(),
                }),
            }
        }
        Value::Array(items) => items.iter().try_for_each(check_numbers),
        Value::Object(members) => members.values().try_for_each(check_numbers),
        Value::Null | Value::Bool(_) | Value::String(_) => Ok(()),
    }
}

/// Why bytes are not an acceptable canonical document.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum JcsError {
    /// More bytes than the place allows.
    #[error("document of {len} bytes is longer than {max}")]
    TooLong {
        /// Bytes found.
        len: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// Objects and arrays nested deeper than [`NESTING_MAX`].
    #[error("document is nested deeper than {NESTING_MAX}")]
    TooDeep,
    /// Not JSON, or not UTF-8, or a string with a lone surrogate.
    #[error("document is not JSON")]
    Syntax(#[source] serde_json::Error),
    /// A number that is not an integer, or beyond ±(2^53 − 1).
    #[error("number {found} is not an integer within ±(2^53 − 1)")]
    Number {
        /// The number as read.
        found: String,
    },
    /// JSON, but not its own canonical form: order, whitespace, escapes, duplicates or spelling of numbers.
    #[error("document differs from its canonical form at byte {at}")]
    NotCanonical {
        /// First byte that differs.
        at: usize,
    },
    /// The value has no canonical form.
    #[error("value cannot be written in canonical form")]
    Write(#[source] serde_json::Error),
}

impl JcsError {
    /// Stable code of this refusal, as used by the golden vectors.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "too_long",
            Self::TooDeep => "too_deep",
            Self::Syntax(_) => "syntax",
            Self::Number { .. } => "number",
            Self::NotCanonical { .. } => "not_canonical",
            Self::Write(_) => "unwritable",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn refusal(text: &str) -> JcsError {
        parse_canonical(text.as_bytes()).expect_err(text)
    }

    #[test]
    fn canonical_documents_are_read() -> Result<(), JcsError> {
        for text in [
            "null",
            "{}",
            r#"{"a":[1,-2,"x"],"b":9007199254740991}"#,
            r#""\u0000é€""#,
            r#"{"":{}}"#,
        ] {
            assert_eq!(canonicalize(&parse_canonical(text.as_bytes())?)?, text.as_bytes());
        }
        Ok(())
    }

    #[test]
    fn members_are_ordered_by_utf16_code_units() -> Result<(), JcsError> {
        // U+FB33 sorts after the surrogate pair of U+1F602 in UTF-16 and before it in UTF-8.
        parse_canonical("{\"\u{1F602}\":1,\"\u{FB33}\":2}".as_bytes())?;
        assert!(matches!(
            refusal("{\"\u{FB33}\":2,\"\u{1F602}\":1}"),
            JcsError::NotCanonical { .. }
        ));
        Ok(())
    }

    #[test]
    fn second_spellings_are_not_canonical() {
        for text in [
            r#"{"b":1,"a":2}"#,
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"a":2}"#,
            r#"{ "a":1}"#,
            "{}\n",
            " {}",
            r#""\u0041""#,
            r#""\/""#,
            r#""\u000a""#,
            r#""\u001F""#,
            "\"\\u00e9\"",
        ] {
            assert!(matches!(refusal(text), JcsError::NotCanonical { .. }), "{text}");
        }
    }

    #[test]
    fn numbers_that_are_not_exact_integers_are_refused() {
        for text in [
            "1.0",
            "1.5",
            "1e3",
            "-0",
            "9007199254740992",
            "-9007199254740992",
            "1E400",
            "123456789012345678901",
        ] {
            assert!(
                matches!(refusal(text), JcsError::Number { .. } | JcsError::Syntax(_)),
                "{text}"
            );
        }
    }

    #[test]
    fn broken_json_is_refused() {
        for text in [
            "",
            "{",
            "[1,]",
            "{}{}",
            "nul",
            "01",
            "+1",
            "NaN",
            "'a'",
            r#""\ud800""#,
            "\u{feff}{}",
            "\"\n\"",
        ] {
            assert!(matches!(refusal(text), JcsError::Syntax(_)), "{text:?}");
        }
        assert!(matches!(parse_canonical(b"\"\xff\""), Err(JcsError::Syntax(_))));
    }

    #[test]
    fn depth_and_length_are_bounded() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse_canonical(nested(32).as_bytes()).is_ok());
        assert!(matches!(refusal(&nested(33)), JcsError::TooDeep));
        assert!(matches!(refusal(&"[".repeat(16_000)), JcsError::TooDeep));
        assert!(parse_canonical(format!("\"{}\"", "[".repeat(100)).as_bytes()).is_ok());
        assert!(matches!(
            refusal(&" ".repeat(16_385)),
            JcsError::TooLong {
                len: 16_385,
                max: 16_384
            }
        ));
    }

    /// Values with nothing but integers, down to some depth.
    fn integers_only() -> impl Strategy<Value = Value> {
        let text = any::<String>();
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (-(INTEGER_MAX as i64)..=INTEGER_MAX as i64).prop_map(Value::from),
            text.prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            let members = proptest::collection::hash_map(any::<String>(), inner.clone(), 0..6);
            prop_oneof![
                proptest::collection::vec(inner, 0..6).prop_map(Value::from),
                members.prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn both_writers_write_the_same(value in integers_only()) {
            let mut written = Vec::new();
            write_integers_only(&value, &mut written)?;
            prop_assert_eq!(written, canonicalize(&value)?);
        }

        #[test]
        fn hostile_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse_canonical(&bytes);
        }

        #[test]
        fn hostile_json_like_text_never_panics(text in r#"[\[\]{}",:0-9eE.\\u-]{0,80}"#) {
            if let Ok(value) = parse_canonical(text.as_bytes()) {
                prop_assert_eq!(canonicalize(&value).ok(), Some(text.into_bytes()));
            }
        }
    }
}
