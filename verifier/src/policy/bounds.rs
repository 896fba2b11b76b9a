//! Bounds on a policy text that hold before the parser sees it (authority-v1 §8.1).
//!
//! Cedar's parser and printer recurse with the nesting of an expression: a few kilobytes of `((((…` would end the
//! process of an auditor. A text that keeps these bounds parses within one megabyte of stack.

use thiserror::Error;

/// Largest policy text of one layer, in bytes of UTF-8.
pub const TEXT_BYTES_MAX: usize = 262_144;

/// Largest single policy, in bytes, from the end of the one before (its `;`) to its own `;`.
pub const POLICY_BYTES_MAX: usize = 16_384;

/// Deepest nesting of `(`, `[` and `{` outside strings and comments.
pub const NESTING_MAX: usize = 32;

/// Most words `if` in one policy outside strings and comments: `else if` chains nest without brackets.
pub const IFS_MAX: usize = 64;

/// Most policies of one layer: each of them is asked about every request.
pub const POLICIES_MAX: usize = 1_000;

/// A policy text that is too large or too deep to be parsed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BoundsError {
    /// More bytes than [`TEXT_BYTES_MAX`].
    #[error("the policy text has {0} bytes, at most {TEXT_BYTES_MAX} are accepted")]
    Text(usize),
    /// More policies than [`POLICIES_MAX`].
    #[error("line {0}: more than {POLICIES_MAX} policies")]
    Policies(usize),
    /// One policy has more bytes than [`POLICY_BYTES_MAX`].
    #[error("line {0}: one policy is longer than {POLICY_BYTES_MAX} bytes")]
    Policy(usize),
    /// Brackets nest deeper than [`NESTING_MAX`].
    #[error("line {0}: brackets nest deeper than {NESTING_MAX}")]
    Nesting(usize),
    /// More words `if` in one policy than [`IFS_MAX`].
    #[error("line {0}: more than {IFS_MAX} conditional expressions in one policy")]
    Conditionals(usize),
}

impl BoundsError {
    /// The line on which the bound is exceeded, from 1, where it is not the whole text.
    #[must_use]
    pub const fn line(&self) -> Option<usize> {
        match self {
            Self::Text(_) => None,
            Self::Policies(line) | Self::Policy(line) | Self::Nesting(line) | Self::Conditionals(line) => Some(*line),
        }
    }
}

/// Checks `text` against every bound.
///
/// # Errors
/// The first bound that is exceeded, with the line on which that happens.
pub fn check(text: &str) -> Result<(), BoundsError> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(BoundsError::Text(text.len()));
    }
    let mut scan = Scan::default();
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        at = scan.token(bytes, at)?;
    }
    Ok(())
}

#[derive(Default)]
struct Scan {
    newlines: usize,
    policies: usize,
    policy_start: usize,
    nesting: usize,
    ifs: usize,
}

impl Scan {
    /// Consumes one token that starts at `at` and returns where the next one starts.
    fn token(&mut self, bytes: &[u8], at: usize) -> Result<usize, BoundsError> {
        let end = end_of_token(bytes, at);
        match &bytes[at..end] {
            b"(" | b"[" | b"{" => self.nesting += 1,
            b")" | b"]" | b"}" => self.nesting = self.nesting.saturating_sub(1),
            b"if" => self.ifs += 1,
            b";" => {
                *self = Self {
                    newlines: self.newlines,
                    policies: self.policies + 1,
                    policy_start: end,
                    ..Self::default()
                }
            }
            token => self.newlines += token.iter().filter(|byte| **byte == b'\n').count(),
        }
        let line = self.newlines + 1;
        if self.policies > POLICIES_MAX {
            return Err(BoundsError::Policies(line));
        }
        if self.nesting > NESTING_MAX {
            return Err(BoundsError::Nesting(line));
        }
        if self.ifs > IFS_MAX {
            return Err(BoundsError::Conditionals(line));
        }
        if end - self.policy_start > POLICY_BYTES_MAX {
            return Err(BoundsError::Policy(line));
        }
        Ok(end)
    }
}

/// The index behind the token that starts at `at`: a string, a comment, a word, or one byte.
pub(super) fn end_of_token(bytes: &[u8], at: usize) -> usize {
    match bytes[at] {
        b'"' => end_of_string(bytes, at),
        b'/' if bytes.get(at + 1) == Some(&b'/') => end_of_line(bytes, at),
        first if is_word(first) => end_of_word(bytes, at),
        _ => at + 1,
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn end_of_word(bytes: &[u8], at: usize) -> usize {
    bytes[at..]
        .iter()
        .position(|byte| !is_word(*byte))
        .map_or(bytes.len(), |len| at + len)
}

fn end_of_line(bytes: &[u8], at: usize) -> usize {
    bytes[at..]
        .iter()
        .position(|byte| *byte == b'\n')
        .map_or(bytes.len(), |len| at + len)
}

/// The index behind the closing quote; the end of the text where there is none.
fn end_of_string(bytes: &[u8], at: usize) -> usize {
    let mut next = at + 1;
    while next < bytes.len() {
        match bytes[next] {
            b'\\' => next += 2,
            b'"' => return next + 1,
            _ => next += 1,
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(condition: &str) -> String {
        format!("permit(principal, action, resource)\nwhen {{ {condition} }};\n")
    }

    #[test]
    fn a_text_at_the_limits_passes() {
        let nested = format!("{}true{}", "(".repeat(NESTING_MAX - 1), ")".repeat(NESTING_MAX - 1));
        let ifs = format!("{}true", "if true then true else ".repeat(IFS_MAX));
        assert_eq!(check(&policy(&nested)), Ok(()));
        assert_eq!(check(&policy(&ifs)), Ok(()));
        assert_eq!(check(&policy(&ifs).repeat(20)), Ok(()));
        assert_eq!(check(""), Ok(()));
    }

    #[test]
    fn deep_brackets_are_refused_with_their_line() {
        for (open, close) in [("(", ")"), ("[", "]"), ("!(", ")")] {
            let text = policy(&format!("{}1{}", open.repeat(NESTING_MAX), close.repeat(NESTING_MAX)));
            assert_eq!(check(&text), Err(BoundsError::Nesting(2)));
        }
    }

    #[test]
    fn conditional_chains_are_refused() {
        let text = policy(&format!("{}true", "if true then true else ".repeat(IFS_MAX + 1)));
        assert_eq!(check(&text), Err(BoundsError::Conditionals(2)));
    }

    #[test]
    fn long_policies_and_texts_are_refused() {
        assert_eq!(check(&policy(&"true || ".repeat(3_000))), Err(BoundsError::Policy(2)));
        let text = policy("true").repeat(10_000);
        assert_eq!(check(&text), Err(BoundsError::Text(text.len())));
        assert_eq!(check(&";\n".repeat(POLICIES_MAX)), Ok(()));
        assert_eq!(
            check(&";\n".repeat(POLICIES_MAX + 1)),
            Err(BoundsError::Policies(POLICIES_MAX + 1))
        );
    }

    #[test]
    fn strings_and_comments_do_not_count() {
        let text = policy(&format!(
            "\"{}\\\"(\" == \"\" // {}\n",
            "(".repeat(100),
            "(".repeat(100)
        ));
        assert_eq!(check(&text), Ok(()));
        assert_eq!(check("\"open"), Ok(()));
        assert_eq!(check("\"open\\"), Ok(()));
    }

    #[test]
    fn a_word_that_contains_if_is_no_conditional() {
        assert_eq!(check(&policy(&"context.notif || ".repeat(100))), Ok(()));
    }
}
