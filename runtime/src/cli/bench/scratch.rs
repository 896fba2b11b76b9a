//! The folder that a bench works in, and what it leaves behind.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::super::exit::{Exit, Failure};
use super::super::init::write_text;

/// What is left when the ledger is kept.
const LEDGER: &str = "ledger.db";
const ANCHOR: &str = "principal.did";

/// A folder of its own inside the one that is measured; removed with everything in it when dropped.
pub(super) struct Scratch {
    within: PathBuf,
    folder: PathBuf,
}

impl Scratch {
    /// Makes the folder. With `keep`, refuses a `within` where what is to be left has a namesake.
    pub(super) fn make(within: &Path, keep: bool) -> Result<Self, Failure> {
        let failed = |error: io::Error| Failure::caused(Exit::Environment, within.display(), &error);
        let within = within.canonicalize().map_err(failed)?;
        let taken = [LEDGER, ANCHOR].map(|name| within.join(name));
        if let Some(taken) = taken.iter().find(|path| keep && path.symlink_metadata().is_ok()) {
            let told = format!("{} exists; a bench touches nothing that is there", taken.display());
            return Err(Failure::new(Exit::Usage, told).hint("name another folder with --dir"));
        }
        let folder = within.join(format!(".countersign-bench-{}", std::process::id()));
        fs::create_dir(&folder).map_err(failed)?;
        Ok(Self { within, folder })
    }

    /// The folder.
    pub(super) fn path(&self) -> &Path {
        &self.folder
    }

    /// A path in the folder.
    pub(super) fn at(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Leaves the closed ledger at `ledger`, and the trust anchor that proves it, where the bench was asked to work.
    pub(super) fn keep(&self, ledger: &Path, principal: &str) -> Result<PathBuf, Failure> {
        let kept = self.within.join(LEDGER);
        // A link never replaces anything, whatever came to be there meanwhile.
        fs::hard_link(ledger, &kept).map_err(|error| Failure::caused(Exit::Environment, kept.display(), &error))?;
        write_text(&self.within.join(ANCHOR), &format!("{principal}\n"))?;
        Ok(kept)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed is found by its name.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_unless_it_is_kept() -> Result<(), Box<dyn std::error::Error>> {
        let within = tempfile::tempdir()?;
        let left = || fs::read_dir(within.path()).map(Iterator::count);
        let scratch = Scratch::make(within.path(), false).map_err(|failure| failure.to_string())?;
        fs::write(scratch.at("ledger.db"), "entries")?;
        drop(scratch);
        assert_eq!(left()?, 0);
        let scratch = Scratch::make(within.path(), true).map_err(|failure| failure.to_string())?;
        fs::write(scratch.at("some.db"), "entries")?;
        let kept = scratch
            .keep(&scratch.at("some.db"), "did:peer:4z")
            .map_err(|failure| failure.to_string())?;
        drop(scratch);
        assert_eq!(fs::read_to_string(kept)?, "entries");
        assert_eq!(
            fs::read_to_string(within.path().join("principal.did"))?,
            "did:peer:4z\n"
        );
        assert_eq!(left()?, 2);
        Ok(())
    }

    #[test]
    fn what_is_there_is_not_replaced() -> Result<(), Box<dyn std::error::Error>> {
        for name in [LEDGER, ANCHOR] {
            let within = tempfile::tempdir()?;
            fs::write(within.path().join(name), "mine")?;
            let refused = Scratch::make(within.path(), true).err().map(|failure| failure.exit);
            assert_eq!(refused, Some(Exit::Usage), "{name}");
            assert!(Scratch::make(within.path(), false).is_ok());
        }
        Ok(())
    }
}
