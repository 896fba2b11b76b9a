//! Names of objects and branches, checked before they stand on a command line.

use std::fmt;

use countersign_schemas::number::Seq;
use countersign_schemas::text::Name;
use thiserror::Error;

use super::git::GitError;

/// Longest branch name that is taken.
pub const BRANCH_LEN_BYTES_MAX: usize = 128;

/// What the branches of work trees begin with.
const PREFIX: &str = "countersign/";

/// The id of a commit or tree: 40 (SHA-1) or 64 (SHA-256) lower-case hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ObjectId(String);

impl ObjectId {
    /// Reads what `git <command>` says.
    pub(super) fn of_output(command: &'static str, output: &[u8]) -> Result<Self, GitError> {
        let text = str::from_utf8(output).unwrap_or_default().trim_end();
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if !matches!(text.len(), 40 | 64) || !text.bytes().all(is_digit) {
            return Err(GitError::Unreadable { command });
        }
        Ok(Self(text.to_owned()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A branch of a work tree: `countersign/`, then `[A-Za-z0-9._/-]`, at most 128 bytes, no `..`, `//` or `/.`, no `.` or
/// `/` at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BranchName(String);

impl BranchName {
    /// Checks a name that came from outside.
    ///
    /// # Errors
    /// [`BranchNameError`].
    pub fn parse(text: &str) -> Result<Self, BranchNameError> {
        let is_taken = |byte: u8| byte.is_ascii_alphanumeric() || b"._/-".contains(&byte);
        let strange = ["..", "//", "/.", "/-", ".lock/"];
        let rest = text.strip_prefix(PREFIX).ok_or(BranchNameError::Foreign)?;
        let is_good = text.len() <= BRANCH_LEN_BYTES_MAX
            && !rest.is_empty()
            && text.bytes().all(is_taken)
            && !strange.into_iter().any(|strange| text.contains(strange))
            && !text.ends_with(['.', '/'])
            && !text.ends_with(".lock");
        if is_good {
            Ok(Self(text.to_owned()))
        } else {
            Err(BranchNameError::Malformed)
        }
    }

    /// The `attempt`-th name for the work tree of the agent `name`, made by `decision`: another run in the same
    /// repository may have had the same number.
    pub(super) fn of_worktree(decision: Seq, name: &Name, attempt: u32) -> Self {
        let plain = |character: char| match character {
            plain if plain.is_ascii_alphanumeric() || plain == '-' => plain,
            _ => '-',
        };
        let name: String = name.as_str().chars().map(plain).collect();
        let again = if attempt > 1 {
            format!(".{attempt}")
        } else {
            String::new()
        };
        Self(format!("{PREFIX}{decision}-{name}{again}"))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What comes behind the prefix: the folder of the work tree.
    pub(super) fn folder(&self) -> &str {
        &self.0[PREFIX.len()..]
    }

    pub(super) fn reference(&self) -> String {
        format!("refs/heads/{}", self.0)
    }
}

impl fmt::Display for BranchName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a text names no branch of a work tree.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BranchNameError {
    /// Another beginning than `countersign/`.
    #[error("only branches under {PREFIX} can be merged")]
    Foreign,
    /// Empty, too long, or with characters that stand in no such branch.
    #[error("the branch is not named as those of work trees are")]
    Malformed,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_names_are_names() -> Result<(), Box<dyn std::error::Error>> {
        for (name, attempt, expected) in [
            ("scout", 1, "countersign/41-scout"),
            ("scout", 2, "countersign/41-scout.2"),
            ("a..b/c@{:.lock", 1, "countersign/41-a--b-c----lock"),
            (&"x".repeat(64), 99, &format!("countersign/41-{}.99", "x".repeat(64))),
        ] {
            let Ok(name) = Name::new(name) else { continue };
            let made = BranchName::of_worktree(Seq::clamped(41), &name, attempt);
            assert_eq!(made.as_str(), expected);
            assert_eq!(BranchName::parse(made.as_str())?, made);
        }
        Ok(())
    }

    #[test]
    fn other_branches_are_foreign() {
        for text in [
            "",
            "main",
            "refs/heads/countersign/1-a",
            "-countersign/x",
            "Countersign/x",
            "--help",
        ] {
            assert_eq!(BranchName::parse(text), Err(BranchNameError::Foreign), "{text}");
        }
    }

    #[test]
    fn names_that_git_could_read_otherwise_are_refused() {
        for rest in [
            "",
            "a..b",
            "a//b",
            "/a",
            "a/",
            "a.",
            ".a",
            "a/.b",
            "-a",
            "a/-b",
            "a.lock",
            "a.lock/b",
            "a@{1}",
            "a b",
            "a^",
            "a~1",
            "a:b",
            "a\\b",
            "a*",
            "a\n",
            "é",
            &"x".repeat(117),
        ] {
            assert_eq!(
                BranchName::parse(&format!("countersign/{rest}")),
                Err(BranchNameError::Malformed),
                "{rest}"
            );
        }
    }

    #[test]
    fn ids_are_plain_hexadecimal() {
        let id = "0123456789abcdef0123456789abcdef01234567";
        assert!(ObjectId::of_output("x", format!("{id}\n").as_bytes()).is_ok());
        for bad in ["", "HEAD", &id[1..], &id.to_uppercase(), "-n", "\u{e9}"] {
            assert!(ObjectId::of_output("x", bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
