//! What lies between two commits, file by file.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use countersign_verifier::visible::visible;

use super::git::GitError;

/// Files that a summary names; of the others it gives the number.
const SHOWN_MAX: usize = 100;

/// Longest path in a summary.
const PATH_CHARS_MAX: usize = 300;

const COMMAND: &str = "diff-tree";

/// How a file stands in a tree (gitformat-index(5)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Absent,
    File,
    Executable,
    Link,
    Submodule,
    /// One that git does not write today.
    Other,
}

impl Mode {
    fn of(text: &[u8]) -> Self {
        match text {
            b"000000" => Self::Absent,
            b"100644" => Self::File,
            b"100755" => Self::Executable,
            b"120000" => Self::Link,
            b"160000" => Self::Submodule,
            _ => Self::Other,
        }
    }

    pub(super) const fn is_file_or_absent(self) -> bool {
        matches!(self, Self::Absent | Self::File | Self::Executable)
    }
}

/// One file that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FileChange {
    /// Relative to the top of the work tree, as git has it.
    path: OsString,
    pub(super) before: Mode,
    pub(super) after: Mode,
    /// Lines added and removed; none for what is not text.
    lines: Option<(u64, u64)>,
}

impl FileChange {
    pub(super) fn path(&self) -> &Path {
        Path::new(&self.path)
    }
}

/// All files that differ. Its text is a summary: a line a file, with what was added and removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changes(Vec<FileChange>);

impl Changes {
    /// Reads `git diff-tree -r -z --raw --numstat --no-renames`: for each file `:modes ids status`, zero, path, zero;
    /// then for each file `added TAB removed TAB path`, zero.
    pub(super) fn parse(output: &[u8]) -> Result<Self, GitError> {
        let unreadable = || GitError::Unreadable { command: COMMAND };
        let mut files: Vec<FileChange> = Vec::new();
        let mut counted = 0;
        let mut pieces = output.split(|byte| *byte == 0).filter(|piece| !piece.is_empty());
        while let Some(piece) = pieces.next() {
            if let Some(raw) = piece.strip_prefix(b":") {
                let mut words = raw.split(|byte| *byte == b' ');
                let (before, after) = words.next().zip(words.next()).ok_or_else(unreadable)?;
                files.push(FileChange {
                    path: OsString::from_vec(pieces.next().ok_or_else(unreadable)?.to_vec()),
                    before: Mode::of(before),
                    after: Mode::of(after),
                    lines: None,
                });
            } else {
                let (lines, path) = line_counts(piece).ok_or_else(unreadable)?;
                let file = files.get_mut(counted).filter(|file| file.path == path);
                file.ok_or_else(unreadable)?.lines = lines;
                counted += 1;
            }
        }
        if counted == files.len() {
            Ok(Self(files))
        } else {
            Err(unreadable())
        }
    }

    pub(super) fn files(&self) -> &[FileChange] {
        &self.0
    }
}

type LineCounts = Option<(u64, u64)>;

fn line_counts(piece: &[u8]) -> Option<(LineCounts, &OsStr)> {
    let mut parts = piece.splitn(3, |byte| *byte == b'\t');
    let (added, removed, path) = (parts.next()?, parts.next()?, OsStr::from_bytes(parts.next()?));
    if (added, removed) == (b"-", b"-") {
        return Some((None, path));
    }
    let count = |text| str::from_utf8(text).ok()?.parse().ok();
    Some((Some((count(added)?, count(removed)?)), path))
}

impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sum = |part: fn((u64, u64)) -> u64| -> u64 { self.0.iter().filter_map(|file| file.lines).map(part).sum() };
        let files = if self.0.len() == 1 {
            "1 file".to_owned()
        } else {
            format!("{} files", self.0.len())
        };
        write!(
            f,
            "{files}, +{} −{} lines",
            sum(|(added, _)| added),
            sum(|(_, removed)| removed)
        )?;
        for file in self.0.iter().take(SHOWN_MAX) {
            write!(f, "\n{file}")?;
        }
        match self.0.len().saturating_sub(SHOWN_MAX) {
            0 => Ok(()),
            more => write!(f, "\n… and {more} more"),
        }
    }
}

impl fmt::Display for FileChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match (self.before, self.after) {
            (Mode::Absent, _) => "new",
            (_, Mode::Absent) => "deleted",
            _ => "changed",
        };
        let path = visible(&self.path.to_string_lossy(), PATH_CHARS_MAX);
        write!(f, "  {word} {path}")?;
        match self.lines {
            Some((added, removed)) => write!(f, " +{added} −{removed}")?,
            None => f.write_str(" (binary)")?,
        }
        f.write_str(match (self.before, self.after) {
            (Mode::Absent, Mode::Executable) => ", executable",
            (Mode::File, Mode::Executable) => ", becomes executable",
            (Mode::Executable, Mode::File) => ", is executable no longer",
            (Mode::Link, _) | (_, Mode::Link) => ", a symbolic link",
            (Mode::Submodule, _) | (_, Mode::Submodule) => ", a submodule",
            _ => "",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type TestResult = Result<(), GitError>;

    #[test]
    fn raw_lines_and_counts_are_joined() -> TestResult {
        let output = b":100644 100755 aa bb M\0a b\0:000000 100644 00 cc A\0:odd\0:100644 000000 dd 00 D\0x\ty\0\
                       1\t2\ta b\0-\t-\t:odd\0";
        let output = [output.as_slice(), b"0\t3\tx\ty\0"].concat();
        let changes = Changes::parse(&output)?;
        assert_eq!(
            changes.to_string(),
            "3 files, +1 −5 lines\n  changed a b +1 −2, becomes executable\n  new :odd (binary)\n  deleted x\\ty +0 −3"
        );
        Ok(())
    }

    #[test]
    fn what_does_not_fit_together_is_refused() {
        for output in [
            b":100644 100644 a b M\0".as_slice(),
            b":100644\0a\0",
            b":100644 100644 a b M\0a\0",
            b":100644 100644 a b M\0a\x001\t2\tb\0",
            b"1\t2\ta\0",
            b":100644 100644 a b M\0a\0x\t2\ta\0",
            b"rubbish",
        ] {
            assert!(Changes::parse(output).is_err(), "{}", String::from_utf8_lossy(output));
        }
    }

    #[test]
    fn summary_has_an_end() -> TestResult {
        let mut output = String::new();
        for index in 0..150 {
            output.push_str(&format!(":000000 100644 0 a A\0f{index}\0"));
        }
        for index in 0..150 {
            output.push_str(&format!("1\t0\tf{index}\0"));
        }
        let text = Changes::parse(output.as_bytes())?.to_string();
        assert!(
            text.starts_with("150 files, +150 −0 lines\n") && text.ends_with("\n… and 50 more"),
            "{text}"
        );
        Ok(())
    }
}
