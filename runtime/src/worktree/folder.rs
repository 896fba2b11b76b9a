//! The folder for work trees, `.countersign/worktrees` in the workspace.
//!
//! The workspace is full of what agents and strangers wrote: each step is taken from an open folder into the next, and
//! no symbolic link is followed.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;

use super::error::WorktreeError;

/// The runtime's own folder in a workspace.
pub(super) const OWN: &str = ".countersign";
const WORKTREES: &str = "worktrees";

/// Keeps the folder out of version control, itself included (gitignore(5)).
const IGNORE_EVERYTHING: &[u8] = b"*\n";

const FOLDER: OFlags = OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
const NEW_FILE: OFlags = OFlags::WRONLY
    .union(OFlags::CREATE)
    .union(OFlags::EXCL)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// Makes the folder for the work trees of `workspace`, which is canonical, and gives its path.
pub(super) fn make(workspace: &Path) -> Result<PathBuf, WorktreeError> {
    let own = workspace.join(OWN);
    let path = own.join(WORKTREES);
    let top = rustix::fs::openat(CWD, workspace, FOLDER, Mode::empty()).map_err(failed(workspace))?;
    let own_folder = enter(&top, OWN, &own)?;
    match rustix::fs::openat(&own_folder, ".gitignore", NEW_FILE, Mode::RUSR | Mode::WUSR) {
        Ok(ignore) => File::from(ignore)
            .write_all(IGNORE_EVERYTHING)
            .map_err(WorktreeError::io(&own))?,
        Err(Errno::EXIST) => {}
        Err(errno) => return Err(failed(&own)(errno)),
    }
    enter(&own_folder, WORKTREES, &path)?;
    Ok(path)
}

fn enter(parent: &OwnedFd, name: &str, path: &Path) -> Result<OwnedFd, WorktreeError> {
    match rustix::fs::mkdirat(parent, name, Mode::RWXU) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(errno) => return Err(failed(path)(errno)),
    }
    rustix::fs::openat(parent, name, FOLDER, Mode::empty()).map_err(failed(path))
}

fn failed(path: &Path) -> impl FnOnce(Errno) -> WorktreeError {
    let path = path.to_owned();
    move |errno| match errno {
        Errno::LOOP | Errno::NOTDIR => WorktreeError::Unusual {
            path,
            what: "is no folder",
        },
        errno => WorktreeError::Io {
            path,
            source: io::Error::from(errno),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error;
    use std::os::unix::fs::symlink;

    use super::*;

    type TestResult = Result<(), Box<dyn Error>>;

    #[test]
    fn folder_ignores_itself_and_is_made_once() -> TestResult {
        let guard = tempfile::TempDir::new()?;
        let path = make(guard.path())?;
        assert!(path.is_dir() && path == make(guard.path())?);
        assert_eq!(
            std::fs::read(guard.path().join(".countersign/.gitignore"))?,
            IGNORE_EVERYTHING
        );
        Ok(())
    }

    #[test]
    fn links_in_its_place_are_not_followed() -> TestResult {
        for name in [".countersign", ".countersign/worktrees"] {
            let (guard, elsewhere) = (tempfile::TempDir::new()?, tempfile::TempDir::new()?);
            let link = guard.path().join(name);
            std::fs::create_dir_all(link.parent().ok_or("no parent")?)?;
            symlink(elsewhere.path(), &link)?;
            let refused = make(guard.path());
            assert!(matches!(refused, Err(WorktreeError::Unusual { .. })), "{refused:?}");
            assert_eq!(elsewhere.path().read_dir()?.count(), 0);
        }
        Ok(())
    }

    #[test]
    fn file_in_its_place_is_refused() -> TestResult {
        let guard = tempfile::TempDir::new()?;
        std::fs::write(guard.path().join(OWN), "")?;
        assert!(matches!(make(guard.path()), Err(WorktreeError::Unusual { .. })));
        Ok(())
    }
}
