//! The folder for results that are too long to show, `.countersign/results` in the workspace of the requester's grant.
//!
//! Agents can read it, and write into it too, so nothing in it is trusted: no symbolic link is followed, no file that is
//! there already is opened, and what is not as expected is an error, after which the result is only shortened.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use countersign_schemas::number::Seq;
use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;
use thiserror::Error;

use super::open::{self, FileError};
use crate::gate::{Permit, PermittedCall};

/// The runtime's own folder in a workspace.
const OWN_FOLDER: &str = ".countersign";
const RESULTS_FOLDER: &str = "results";

/// Keeps the folder out of version control, itself included (gitignore(5)).
const IGNORE_EVERYTHING: &[u8] = b"*\n";

/// Results may hold what is nobody else's business.
const FOLDER_MODE: Mode = Mode::RWXU;
const FILE_MODE: Mode = Mode::RUSR.union(Mode::WUSR);

const CREATING: OFlags = OFlags::RDWR
    .union(OFlags::CREATE)
    .union(OFlags::EXCL)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// Where the result of one permitted call may be kept.
#[derive(Clone, Debug)]
pub(super) struct ResultsFolder {
    workspace: PathBuf,
    decision: Seq,
}

/// A new file for a result.
pub(super) struct ResultFile {
    folder: OwnedFd,
    name: String,
    file: File,
}

impl ResultsFolder {
    /// The folder for the result of the call that `permit` allows. It is made when it is first needed.
    pub(super) fn of(permit: &Permit) -> Self {
        Self {
            workspace: permit.workspace().to_owned(),
            decision: permit.decision(),
        }
    }

    /// The same for a tool that runs.
    pub(super) fn of_call(call: &PermittedCall) -> Self {
        Self {
            workspace: call.workspace().to_owned(),
            decision: call.decision(),
        }
    }

    /// The workspace it lies in.
    pub(super) fn workspace(&self) -> &Path {
        &self.workspace
    }

    /// Creates the file of the result, named after the decision. Another run in the same workspace may have used the
    /// number: then a random suffix tells the two apart.
    pub(super) fn create(&self) -> Result<ResultFile, SpillError> {
        let folder = self.open()?;
        let mut name = format!("{}.txt", self.decision);
        let mut created = rustix::fs::openat(&folder, &name, CREATING, FILE_MODE);
        if matches!(created, Err(Errno::EXIST)) {
            name = format!("{}-{}.txt", self.decision, random_name()?);
            created = rustix::fs::openat(&folder, &name, CREATING, FILE_MODE);
        }
        let file = File::from(created.map_err(SpillError::from_errno)?);
        Ok(ResultFile { folder, name, file })
    }

    /// A file that nobody else can open and that is gone with its last descriptor.
    pub(super) fn nameless(&self) -> Result<File, SpillError> {
        let folder = self.open()?;
        let name = format!(".{}", random_name()?);
        let file = rustix::fs::openat(&folder, &name, CREATING, FILE_MODE).map_err(SpillError::from_errno)?;
        rustix::fs::unlinkat(&folder, &name, AtFlags::empty()).map_err(SpillError::from_errno)?;
        Ok(File::from(file))
    }

    fn open(&self) -> Result<OwnedFd, SpillError> {
        let workspace = open::workspace(self)?;
        let own = enter(&workspace, OWN_FOLDER)?;
        match rustix::fs::openat(&own, ".gitignore", CREATING, FILE_MODE) {
            Ok(ignore) => File::from(ignore).write_all(IGNORE_EVERYTHING)?,
            Err(Errno::EXIST) => {}
            Err(errno) => return Err(SpillError::from_errno(errno)),
        }
        enter(&own, RESULTS_FOLDER)
    }
}

fn enter(parent: &OwnedFd, name: &'static str) -> Result<OwnedFd, SpillError> {
    match rustix::fs::mkdirat(parent, name, FOLDER_MODE) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(errno) => return Err(SpillError::from_errno(errno)),
    }
    rustix::fs::openat(parent, name, open::FOLDER, Mode::empty()).map_err(|errno| match errno {
        Errno::LOOP | Errno::NOTDIR => SpillError::NoFolder { name },
        _ => SpillError::from_errno(errno),
    })
}

fn random_name() -> Result<String, SpillError> {
    let random = getrandom::u64().map_err(io::Error::other)?;
    Ok(format!("{random:016x}"))
}

impl ResultFile {
    /// Path relative to the workspace.
    pub(super) fn path(&self) -> String {
        format!("{OWN_FOLDER}/{RESULTS_FOLDER}/{}", self.name)
    }

    /// Adds `text` at the end.
    pub(super) fn push(&mut self, text: &str) -> Result<(), SpillError> {
        Ok(self.file.write_all(text.as_bytes())?)
    }

    /// Takes the file away again: half a result would be taken for a whole one.
    pub(super) fn discard(self) {
        // Nobody is told of the file: one that stays behind misleads nobody.
        let _ = rustix::fs::unlinkat(&self.folder, &self.name, AtFlags::empty());
    }
}

/// Why a result could not be kept whole. What is shown of it says so.
#[derive(Debug, Error)]
#[non_exhaustive]
pub(super) enum SpillError {
    /// Somebody put a symbolic link or a file where the folder belongs.
    #[error("`{name}` is a symbolic link or no folder")]
    NoFolder { name: &'static str },
    /// The workspace is not what it was.
    #[error("the workspace cannot be entered")]
    Workspace(#[from] FileError),
    /// The system refused.
    #[error("{0}")]
    Io(#[from] io::Error),
}

impl SpillError {
    fn from_errno(errno: Errno) -> Self {
        Self::Io(errno.into())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;
    use crate::tool::test_support::{Bench, TestResult};

    fn folder(bench: &Bench) -> Result<ResultsFolder, Box<dyn std::error::Error>> {
        Ok(ResultsFolder::of(&bench.any_permit()?))
    }

    fn refusal<T>(result: Result<T, SpillError>) -> Result<SpillError, &'static str> {
        result.err().ok_or("it was made")
    }

    #[test]
    fn link_in_the_place_of_a_folder_is_not_followed() -> TestResult {
        for (link, name) in [(".countersign", ".countersign"), (".countersign/results", "results")] {
            let bench = Bench::new()?;
            std::fs::create_dir(bench.outside())?;
            if name == "results" {
                std::fs::create_dir(bench.root.join(".countersign"))?;
            }
            symlink(bench.outside(), bench.root.join(link))?;
            for refused in [refusal(folder(&bench)?.create())?, refusal(folder(&bench)?.nameless())?] {
                assert!(
                    matches!(refused, SpillError::NoFolder { name: found } if found == name),
                    "{refused:?}"
                );
            }
            assert_eq!(std::fs::read_dir(bench.outside())?.count(), 0);
        }
        Ok(())
    }

    #[test]
    fn file_in_the_place_of_a_folder_is_left_alone() -> TestResult {
        let bench = Bench::new()?;
        bench.put(".countersign", "mine")?;
        let refused = refusal(folder(&bench)?.create())?;
        assert!(matches!(refused, SpillError::NoFolder { .. }), "{refused:?}");
        assert_eq!(bench.content(".countersign")?, "mine");
        Ok(())
    }

    #[test]
    fn planted_names_are_neither_followed_nor_overwritten() -> TestResult {
        let bench = Bench::new()?;
        bench.put("../outside/file", "theirs")?;
        std::fs::create_dir_all(bench.root.join(".countersign/results"))?;
        symlink(
            bench.outside().join("file"),
            bench.root.join(".countersign/results/41.txt"),
        )?;
        symlink(bench.outside().join("file"), bench.root.join(".countersign/.gitignore"))?;
        let mut file = folder(&bench)?.create()?;
        file.push("ours")?;
        assert!(file.path().starts_with(".countersign/results/41-"), "{}", file.path());
        assert_eq!(bench.content(&file.path())?, "ours");
        assert_eq!(bench.content("../outside/file")?, "theirs");
        Ok(())
    }

    #[test]
    fn swapped_workspace_is_refused() -> TestResult {
        let bench = Bench::new()?;
        let folder = folder(&bench)?;
        std::fs::rename(&bench.root, bench.outside())?;
        symlink(bench.outside(), &bench.root)?;
        assert!(matches!(refusal(folder.create())?, SpillError::Workspace(_)));
        Ok(())
    }

    #[test]
    fn folder_is_private_and_ignored() -> TestResult {
        let bench = Bench::new()?;
        let file = folder(&bench)?.create()?;
        assert_eq!(file.path(), ".countersign/results/41.txt");
        assert_eq!(bench.content(".countersign/.gitignore")?, "*\n");
        for (path, mode) in [
            (".countersign", 0o700),
            (".countersign/results", 0o700),
            (&file.path(), 0o600),
        ] {
            let metadata = std::fs::metadata(bench.root.join(path))?;
            assert_eq!(metadata.permissions().mode() & 0o777, mode, "{path}");
        }
        Ok(())
    }

    #[test]
    fn discarded_and_nameless_files_leave_nothing() -> TestResult {
        let bench = Bench::new()?;
        folder(&bench)?.create()?.discard();
        let _open = folder(&bench)?.nameless()?;
        assert_eq!(std::fs::read_dir(bench.root.join(".countersign/results"))?.count(), 0);
        Ok(())
    }
}
