//! A value that this process holds and that must not leave it.

use thiserror::Error;
use zeroize::Zeroizing;

use super::mark;

/// Shortest value that is looked for, in bytes: a shorter one would be found in ordinary text.
pub const SECRET_LEN_MIN: usize = 8;

/// Longest value that is looked for, in bytes: more than any key or token that fits into a header.
pub const SECRET_LEN_MAX: usize = 8_192;

/// A secret value in memory: no `Debug`, no `Clone`; zeroized when dropped.
pub struct Secret(Zeroizing<String>);

/// Why a value cannot be looked for. The value is not part of it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SecretError {
    /// Ordinary text would be full of it.
    #[error("a secret of {len_bytes} bytes is too short to be looked for; the least is {SECRET_LEN_MIN}")]
    TooShort {
        /// Its length.
        len_bytes: usize,
    },
    /// A stream would have to hold back too much.
    #[error("a secret of {len_bytes} bytes is too long to be looked for; the most is {SECRET_LEN_MAX}")]
    TooLong {
        /// Its length.
        len_bytes: usize,
    },
    /// It has a bracket in it or is a part of a marker, so that markers themselves would be found.
    #[error("a secret that could be part of a marker cannot be looked for")]
    Marker,
}

impl Secret {
    /// Takes over a value.
    ///
    /// # Errors
    /// [`SecretError`], one variant a check; the value is zeroized then too.
    pub fn new(value: String) -> Result<Self, SecretError> {
        let value = Zeroizing::new(value);
        let len_bytes = value.len();
        if len_bytes < SECRET_LEN_MIN {
            return Err(SecretError::TooShort { len_bytes });
        }
        if len_bytes > SECRET_LEN_MAX {
            return Err(SecretError::TooLong { len_bytes });
        }
        if value.contains(['[', ']']) || mark::names().any(|name| mark::marker(name).contains(&**value)) {
            return Err(SecretError::Marker);
        }
        Ok(Self(value))
    }

    /// The value. Whoever calls this must not write it anywhere.
    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(value: &str) -> Option<SecretError> {
        Secret::new(value.to_owned()).err()
    }

    #[test]
    fn what_ordinary_text_is_full_of_is_no_secret() {
        assert_eq!(refusal(""), Some(SecretError::TooShort { len_bytes: 0 }));
        assert_eq!(refusal("ollama!"), Some(SecretError::TooShort { len_bytes: 7 }));
        assert_eq!(refusal("12345678"), None);
    }

    #[test]
    fn what_no_header_could_hold_is_refused() {
        assert_eq!(refusal(&"x".repeat(SECRET_LEN_MAX)), None);
        let len_bytes = SECRET_LEN_MAX + 1;
        assert_eq!(
            refusal(&"x".repeat(len_bytes)),
            Some(SecretError::TooLong { len_bytes })
        );
    }

    #[test]
    fn what_markers_are_made_of_is_refused() {
        for value in [
            "removed: ",
            "anthropic",
            "anthropic key",
            "[secret removed",
            "12345678[",
            "]12345678",
        ] {
            assert_eq!(refusal(value), Some(SecretError::Marker), "{value}");
        }
    }

    #[test]
    fn errors_do_not_tell_the_value() {
        let error = refusal("hunter2").map(|error| format!("{error} {error:?}"));
        assert!(error.is_some_and(|text| !text.contains("hunter2")));
    }
}
