//! What no answer exceeds, whoever gives it, and the error of one that keeps to no rules.

use countersign_verifier::visible::visible;

use super::ModelError;

/// Most bytes of everything that an answer consists of: far more than the longest answer of any model.
pub(super) const ANSWER_LEN_BYTES_MAX: usize = 4 << 20;
/// Most blocks or items of an answer.
pub(super) const PARTS_MAX: usize = 256;
/// Most calls of an answer.
pub(super) const CALLS_MAX: usize = 64;
/// How often an answer may start over within one stream.
pub(super) const RESTARTS_MAX: usize = 4;
/// Most characters kept of what is wrong: a stranger's words may be among them.
const PROBLEM_CHARS_MAX: usize = 400;

/// The error of a stream that contradicts itself, or the rules.
pub(super) fn protocol(problem: impl AsRef<str>) -> ModelError {
    ModelError::Protocol {
        problem: visible(problem.as_ref(), PROBLEM_CHARS_MAX),
    }
}

/// How much of an answer has come in.
#[derive(Debug, Default)]
pub(super) struct Taken {
    len_bytes: usize,
}

impl Taken {
    /// Counts `len_bytes` more.
    ///
    /// # Errors
    /// [`ModelError::Protocol`] beyond [`ANSWER_LEN_BYTES_MAX`].
    pub(super) fn add(&mut self, len_bytes: usize) -> Result<(), ModelError> {
        self.len_bytes = self.len_bytes.saturating_add(len_bytes);
        if self.len_bytes > ANSWER_LEN_BYTES_MAX {
            return Err(protocol(format!(
                "the answer is longer than {ANSWER_LEN_BYTES_MAX} bytes"
            )));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_is_bounded_and_does_not_overflow() {
        let mut taken = Taken::default();
        assert!(taken.add(ANSWER_LEN_BYTES_MAX).is_ok() && taken.add(0).is_ok());
        for more in [1, usize::MAX] {
            let refused = taken.add(more);
            assert!(matches!(refused, Err(ModelError::Protocol { problem }) if problem.ends_with("4194304 bytes")));
        }
    }

    #[test]
    fn problems_are_short_and_fit_to_be_looked_at() {
        let error = protocol(format!("\u{1b}[2J{}", "x".repeat(9999))).to_string();
        assert!(!error.contains('\u{1b}') && error.len() < 500, "{error}");
    }
}
