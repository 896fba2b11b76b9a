//! The files below a folder, in order of their names, as `glob` and `grep` see them.
//!
//! Left out: hidden names, what `.gitignore` and `.ignore` files below the folder name, and secret names
//! (authority-v1 §7): a policy that guards `read` of a key would be worth little if a search showed its lines.
//! Symbolic links are not followed. The folder itself is taken as given, whatever its name.

use std::path::{Path, PathBuf};

use countersign_verifier::projection::is_secret_name;
use ignore::{DirEntry, Walk, WalkBuilder};

use super::cancel::Stop;
use super::error::ToolError;
use super::open::FileError;

/// Most entries one call looks at.
const ENTRIES_MAX: usize = 200_000;

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
pub(super) fn files(root: &Path, stop: &Stop) -> Result<Walked, ToolError> {
    root.symlink_metadata().map_err(|source| FileError::Io {
        path: root.to_owned(),
        source,
    })?;
    let mut walked = Walked::default();
    for (count, entry) in walk(root).enumerate() {
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
    Ok(walked)
}

fn walk(root: &Path) -> Walk {
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
        .filter_entry(|entry| entry.depth() == 0 || !is_secret_name(&entry.file_name().to_string_lossy()))
        .sort_by_file_name(Ord::cmp)
        .build()
}

fn is_folder(entry: &DirEntry) -> bool {
    entry.file_type().is_none_or(|kind| kind.is_dir())
}

impl Walked {
    /// Sentences on what was not looked at, for the end of a result.
    pub(super) fn notices(&self) -> Vec<String> {
        let mut notices = Vec::new();
        if self.unreadable > 0 {
            notices.push(format!("[{} folders or rules could not be read]", self.unreadable));
        }
        if self.is_cut {
            notices.push(format!("[cut: the search ended after {ENTRIES_MAX} entries]"));
        }
        notices
    }
}
