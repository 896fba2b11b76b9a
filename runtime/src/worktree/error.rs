//! Why there is no work tree, or nothing came of it.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::git::GitError;

/// Why a work tree could not be made or handed in. The workspace is as it was.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WorktreeError {
    /// The workspace is another one than the permit's: a fault of the runtime.
    #[error("the permit is for work in {}, not in {}", permitted.display(), given.display())]
    OtherWorkspace {
        /// The workspace of the requester's grant.
        permitted: PathBuf,
        /// The one that was given.
        given: PathBuf,
    },
    /// The workspace leads elsewhere than when it was decided.
    #[error("{} leads to {} now", decided.display(), found.display())]
    WorkspaceMoved {
        /// The workspace of the grant.
        decided: PathBuf,
        /// Where it leads.
        found: PathBuf,
    },
    /// The repository is laid out in a way that could lead out of the workspace.
    #[error("{} {what}", path.display())]
    Unusual {
        /// What is unusual.
        path: PathBuf,
        /// In which way.
        what: &'static str,
    },
    /// The repository's settings name hooks, which no option turns off.
    #[error("the repository sets `{key}`, which would run a program of its own; take it out to work in work trees")]
    Hook {
        /// The first such setting.
        key: String,
    },
    /// All names for the branch are taken.
    #[error("{first} and what could take its place exist already; merge or delete old branches")]
    NoFreeName {
        /// The first name.
        first: String,
    },
    /// Git did not do its part.
    #[error(transparent)]
    Git(#[from] GitError),
    /// A file or folder cannot be read or made.
    #[error("cannot use {}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
}

impl WorktreeError {
    /// For `map_err`.
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }

    pub(super) fn unusual(path: &Path, what: &'static str) -> Self {
        Self::Unusual {
            path: path.to_owned(),
            what,
        }
    }
}
