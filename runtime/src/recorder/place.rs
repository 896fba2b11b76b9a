//! Where a ledger is, and where the newest of its heads is kept.

use std::path::{Path, PathBuf};

use countersign_ledger::head_file::HeadFile;

/// A ledger's file and its head file.
#[derive(Debug, Clone)]
pub struct Place {
    pub(super) ledger: PathBuf,
    head_file: Option<PathBuf>,
}

impl Place {
    /// The ledger at `path`, its head beside it.
    #[must_use]
    pub fn new(ledger: PathBuf) -> Self {
        Self {
            ledger,
            head_file: None,
        }
    }

    /// The same ledger with its head in a file of its own choice, which no other ledger may share.
    #[must_use]
    pub fn with_head_file(mut self, path: Option<PathBuf>) -> Self {
        self.head_file = path;
        self
    }

    /// The ledger's file.
    #[must_use]
    pub fn ledger(&self) -> &Path {
        &self.ledger
    }

    /// Both files, as far as they are named: what is beside the ledger is told by its name.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        [Some(&self.ledger), self.head_file.as_ref()]
            .into_iter()
            .flatten()
            .cloned()
            .collect()
    }

    /// The head file of the ledger whose file, where links are resolved, is `resolved`.
    pub(super) fn head_file(&self, resolved: &Path) -> HeadFile {
        match &self.head_file {
            Some(path) => HeadFile::at(path),
            None => HeadFile::beside(resolved),
        }
    }

    /// The head file, if it is not simply beside the ledger.
    pub(super) fn chosen_head_file(&self) -> Option<HeadFile> {
        self.head_file.as_deref().map(HeadFile::at)
    }
}

impl From<&Path> for Place {
    fn from(ledger: &Path) -> Self {
        Self::new(ledger.to_owned())
    }
}
