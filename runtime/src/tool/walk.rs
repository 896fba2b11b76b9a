//! The files below a folder, in order of their names, as `glob` and `grep` see them.
//!
//! Left out: hidden names, what `.gitignore` and `.ignore` files below the folder name, and secret names
//! (authority-v1 §7): a policy that guards `read` of a key would be worth little if a search showed its lines.
//! Symbolic links are not followed. The folder itself is taken as given, whatever its name.
//!
//! The `ignore` crate opens rule files itself, follows links and reads to the end: a `.gitignore` that is a named pipe
//! or leads to `/dev/zero` would hold the call or eat the memory. Such folders are left out, and named as unreadable.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use countersign_verifier::projection::is_secret_name;
use ignore::{DirEntry, Walk, WalkBuilder};

use super::cancel::Stop;
use super::error::ToolError;
use super::open::{FileError, check_covered};
use crate::gate::PermittedCall;

/// Most entries one call looks at.
const ENTRIES_MAX: usize = 200_000;

/// Files that hold rules on what is left out.
const RULE_FILES: [&str; 2] = [".gitignore", ".ignore"];

/// Largest file of rules.
const RULES_LEN_BYTES_MAX: u64 = 64 << 10;

/// What a walk found, and what it could not look at.
#[derive(Debug, Default)]
pub(super) struct Walked {
    /// Canonical paths of regular files and symbolic links.
    pub(super) files: Vec<PathBuf>,
    /// Folders that could not be read.
    pub(super) unreadable: usize,
    /// Whether the walk ended before the tree did.
    pub(super) is_cut: bool,
}

/// Walks the tree below `root`, or gives `root` itself if it is a file.
pub(super) fn files(call: &PermittedCall, root: &Path, stop: &Stop) -> Result<Walked, ToolError> {
    check_covered(call, root)?;
    root.symlink_metadata().map_err(|source| FileError::Io {
        path: root.to_owned(),
        source,
    })?;
    if let Some(path) = unusable_rules(root) {
        return Err(FileError::NotRules { path }.into());
    }
    let mut walked = Walked::default();
    let skipped = Arc::new(AtomicUsize::new(0));
    for (count, entry) in walk(root, Arc::clone(&skipped)).enumerate() {
        stop.check()?;
        if count == ENTRIES_MAX {
            walked.is_cut = true;
            break;
        }
        match entry {
            Err(_) => walked.unreadable += 1,
            Ok(entry) if is_folder(&entry) => {}
            Ok(entry) => walked.files.push(entry.into_path()),
        }
    }
    walked.unreadable += skipped.load(Ordering::Relaxed);
    Ok(walked)
}

fn walk(root: &Path, skipped: Arc<AtomicUsize>) -> Walk {
    let is_entered = move |entry: &DirEntry| {
        if is_secret_name(&entry.file_name().to_string_lossy()) {
            return false;
        }
        if is_folder(entry) && unusable_rules(entry.path()).is_some() {
            skipped.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        true
    };
    WalkBuilder::new(root)
        .follow_links(false)
        .hidden(true)
        .ignore(true)
        .git_ignore(true)
        // Results must not depend on what lies outside the folder: not on the user's git, not on a parent's rules.
        .require_git(false)
        .git_exclude(false)
        .git_global(false)
        .parents(false)
        // Not asked about the folder itself, which is taken as given.
        .filter_entry(is_entered)
        .sort_by_file_name(Ord::cmp)
        .build()
}

/// The first file of rules in `folder` that is no regular file of reasonable size.
fn unusable_rules(folder: &Path) -> Option<PathBuf> {
    RULE_FILES
        .iter()
        .map(|name| folder.join(name))
        .find(|path| match path.symlink_metadata() {
            Ok(metadata) => !metadata.is_file() || metadata.len() > RULES_LEN_BYTES_MAX,
            // A file has no files in it.
            Err(error) => !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory),
        })
}

fn is_folder(entry: &DirEntry) -> bool {
    entry.file_type().is_none_or(|kind| kind.is_dir())
}

impl Walked {
    /// Sentences on what was not looked at, for the end of a result.
    pub(super) fn notices(&self) -> Vec<String> {
        let mut notices = Vec::new();
        if self.unreadable > 0 {
            notices.push(format!("[{} folders could not be read]", self.unreadable));
        }
        if self.is_cut {
            notices.push(format!("[cut: the search ended after {ENTRIES_MAX} entries]"));
        }
        notices
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::time::Duration;

    use tempfile::TempDir;

    use super::*;
    use crate::tool::cancel::cancellation;
    use crate::tool::test_support::{TestResult, permitted};

    fn stop() -> Stop {
        Stop::after(Duration::from_secs(60), cancellation().1)
    }

    #[test]
    fn rules_that_never_end_are_not_read() -> TestResult {
        let folder = TempDir::new()?;
        let root = folder.path().canonicalize()?;
        for name in ["endless", "pipe", "large"] {
            std::fs::create_dir(root.join(name))?;
            std::fs::write(root.join(name).join("file"), "")?;
        }
        symlink("/dev/zero", root.join("endless/.gitignore"))?;
        rustix::fs::mkfifoat(rustix::fs::CWD, root.join("pipe/.ignore"), rustix::fs::Mode::RUSR)?;
        std::fs::File::create(root.join("large/.gitignore"))?.set_len(RULES_LEN_BYTES_MAX + 1)?;
        std::fs::write(root.join("file"), "")?;

        let walked = files(&permitted(&root)?, &root, &stop())?;
        assert_eq!((walked.files, walked.unreadable), (vec![root.join("file")], 3));
        let refused = files(&permitted(&root)?, &root.join("endless"), &stop());
        assert!(
            matches!(refused, Err(ToolError::File(FileError::NotRules { .. }))),
            "{refused:?}"
        );
        Ok(())
    }

    #[test]
    fn folder_that_was_not_decided_is_not_walked() -> TestResult {
        let folder = TempDir::new()?;
        let refused = files(&permitted(folder.path().join("inner"))?, folder.path(), &stop());
        assert!(
            matches!(refused, Err(ToolError::File(FileError::NotDecided { .. }))),
            "{refused:?}"
        );
        Ok(())
    }

    #[test]
    fn walk_ends_when_it_has_to() -> TestResult {
        let folder = TempDir::new()?;
        std::fs::write(folder.path().join("file"), "")?;
        let over = Stop::after(Duration::ZERO, cancellation().1);
        assert!(matches!(
            files(&permitted(folder.path())?, folder.path(), &over),
            Err(ToolError::TimedOut { .. })
        ));
        Ok(())
    }
}
