//! The ledgers that many tests look at: two demos, played once for all of them.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use tempfile::TempDir;

use super::programs::{Ran, countersign, run};

/// A demo that was played to its end, never to be changed.
pub(crate) struct Story {
    folder: TempDir,
    pub(crate) ran: Ran,
}

impl Story {
    /// The demo's folder.
    pub(crate) fn folder(&self) -> PathBuf {
        self.folder.path().join("demo")
    }

    /// The ledger it left.
    pub(crate) fn ledger(&self) -> PathBuf {
        self.folder().join("ledger.db")
    }

    /// The trust anchor it left.
    pub(crate) fn anchor(&self) -> PathBuf {
        self.folder().join("principal.did")
    }

    /// The anchor as an argument of `--trust`.
    pub(crate) fn trust(&self) -> [String; 2] {
        ["--trust".to_owned(), self.anchor().display().to_string()]
    }

    fn play() -> Self {
        let folder = TempDir::new().expect("a folder for the demo");
        let ran = run(countersign().arg("demo").current_dir(folder.path()))
            .expect("the demo starts")
            .expect(0);
        let story = Self { folder, ran };
        for file in [story.ledger(), story.anchor()] {
            assert!(file.is_file(), "the demo left no {}", Path::new(&file).display());
        }
        story
    }
}

/// The demo.
pub(crate) fn story() -> &'static Story {
    static STORY: OnceLock<Story> = OnceLock::new();
    STORY.get_or_init(Story::play)
}

/// Another demo with another principal: the same story, other keys.
pub(crate) fn other_story() -> &'static Story {
    static STORY: OnceLock<Story> = OnceLock::new();
    STORY.get_or_init(Story::play)
}
