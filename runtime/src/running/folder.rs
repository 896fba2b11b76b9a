//! The folder of entries: who may look into it, and which of them are of processes that live.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::OFlags;
use serde::de::DeserializeOwned;
use thiserror::Error;

use super::document::{Entry, RunId};

/// Longest file that is read: an entry has two paths at most, a report a line for each agent.
const FILE_LEN_BYTES_MAX: u64 = 256 << 10;

/// Most names that are looked at. The folder holds three files a run; more than this is none of ours.
const NAMES_MAX: usize = 10_000;

/// How long a report stays for whoever waits for it.
const REPORT_KEPT: Duration = Duration::from_secs(10 * 60);

/// The permission bits of everybody but the owner.
const OTHERS: u32 = 0o077;

/// Why it is not known who runs, or nobody can be told.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RunningError {
    /// The folder, or a file in it, cannot be used.
    #[error("{}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// The failure.
        #[source]
        source: io::Error,
    },
    /// The folder is a link, no folder, another user's, or open to others: what stands in it could be anybody's word.
    #[error("{}: not a folder that its owner alone can use", path.display())]
    NotPrivate {
        /// The folder.
        path: PathBuf,
    },
    /// The operating system gives no randomness.
    #[error("no randomness for the id of a run")]
    Randomness,
    /// A thread could not be started.
    #[error("a thread that listens for `countersign stop` could not be started")]
    Thread(#[source] io::Error),
}

/// The folder `running` of a home.
#[derive(Debug, Clone)]
pub struct RunningFolder(PathBuf);

/// Who runs.
#[derive(Debug, Default)]
pub struct Listing {
    /// The runs whose processes live, the oldest first.
    pub running: Vec<(RunId, Entry)>,
    /// Ids of entries whose processes died without a word; they were taken away.
    pub stale: Vec<RunId>,
}

/// Which file of a run.
#[derive(Debug, Clone, Copy)]
pub(super) enum Part {
    Entry,
    Request,
    Report,
}

impl Part {
    const fn extension(self) -> &'static str {
        match self {
            Self::Entry => "run",
            Self::Request => "stop",
            Self::Report => "report",
        }
    }
}

impl RunningFolder {
    /// Opens the folder at `path`, and makes it if there is none.
    ///
    /// # Errors
    /// [`RunningError::NotPrivate`], [`RunningError::Io`].
    pub fn open_or_make(path: &Path) -> Result<Self, RunningError> {
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.map_err(|source| failed(path, source))?;
        Self::open(path)?.ok_or_else(|| failed(path, io::ErrorKind::NotFound.into()))
    }

    /// Opens the folder at `path`; nothing if nobody ever ran here.
    ///
    /// # Errors
    /// As [`RunningFolder::open_or_make`].
    pub fn open(path: &Path) -> Result<Option<Self>, RunningError> {
        let metadata = match fs::symlink_metadata(path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(path, error)),
        };
        let is_private = metadata.is_dir() && is_ours(&metadata) && metadata.mode() & OTHERS == 0;
        if !is_private {
            return Err(RunningError::NotPrivate { path: path.to_owned() });
        }
        Ok(Some(Self(path.to_owned())))
    }

    /// Who runs. What processes that died have left is taken away.
    ///
    /// # Errors
    /// [`RunningError::Io`].
    pub fn list(&self) -> Result<Listing, RunningError> {
        let mut listing = Listing::default();
        let names = fs::read_dir(&self.0).map_err(|error| failed(&self.0, error))?;
        for name in names.take(NAMES_MAX) {
            let path = name.map_err(|error| failed(&self.0, error))?.path();
            match (id_of(&path), path.extension().and_then(|extension| extension.to_str())) {
                (Some(id), Some("run")) => self.look(id, &mut listing)?,
                (Some(_), Some("report" | "run-new" | "report-new")) => forget_old(&path),
                _ => {}
            }
        }
        listing
            .running
            .sort_by(|(one, first), (other, second)| (first.since, one).cmp(&(second.since, other)));
        listing.stale.sort();
        Ok(listing)
    }

    fn look(&self, id: RunId, listing: &mut Listing) -> Result<(), RunningError> {
        let path = self.path(&id, Part::Entry);
        let Some(file) = open_own(&path).map_err(|error| failed(&path, error))? else {
            return Ok(());
        };
        if is_alive(&file).map_err(|error| failed(&path, error))? {
            // Its entry was written before it got its name. One that cannot be read is no run of this version.
            listing.running.extend(read_document(file).map(|entry| (id, entry)));
            return Ok(());
        }
        self.remove(&id, Part::Request);
        self.remove(&id, Part::Entry);
        listing.stale.push(id);
        Ok(())
    }

    pub(super) fn path(&self, id: &RunId, part: Part) -> PathBuf {
        self.0.join(format!("{id}.{}", part.extension()))
    }

    /// Makes a file that was not there, for its owner alone.
    pub(super) fn create(&self, path: &Path) -> io::Result<File> {
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
    }

    /// Puts `document` in the place of what stood there, all of it at once.
    pub(super) fn replace(&self, id: &RunId, part: Part, document: &impl serde::Serialize) -> Result<(), RunningError> {
        let (path, aside) = (
            self.path(id, part),
            self.0.join(format!("{id}.{}-new", part.extension())),
        );
        let written = || {
            // Of a process that was killed while it wrote: nobody else writes this name.
            let _ = fs::remove_file(&aside);
            self.create(&aside)?.write_all(&serde_json::to_vec(document)?)?;
            fs::rename(&aside, &path)
        };
        written().map_err(|error: io::Error| failed(&path, error))
    }

    pub(super) fn remove(&self, id: &RunId, part: Part) {
        // Somebody else may have taken it away; one that stays says nothing to anybody.
        let _ = fs::remove_file(self.path(id, part));
    }

    /// The document of this part, if it is there and one.
    pub(super) fn read<T: DeserializeOwned>(&self, id: &RunId, part: Part) -> Option<T> {
        open_own(&self.path(id, part)).ok()?.and_then(read_document)
    }
}

/// Opens a file of ours for reading; nothing if there is none, or if it is a link, no file or another user's.
pub(super) fn open_own(path: &Path) -> io::Result<Option<File>> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let flags = i32::try_from(flags.bits()).map_err(|_| io::ErrorKind::InvalidInput)?;
    let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => return Ok(None),
        Err(error) => return Err(error),
    };
    let metadata = file.metadata()?;
    Ok((metadata.is_file() && is_ours(&metadata)).then_some(file))
}

/// Takes away what nobody waits for any more: a report, or a file that was being written when its process was killed.
fn forget_old(path: &Path) {
    let written = fs::symlink_metadata(path).and_then(|metadata| metadata.modified());
    let age = written.map(|written| SystemTime::now().duration_since(written).unwrap_or_default());
    if age.is_ok_and(|age| age > REPORT_KEPT) {
        let _ = fs::remove_file(path);
    }
}

fn is_ours(metadata: &fs::Metadata) -> bool {
    metadata.uid() == rustix::process::geteuid().as_raw()
}

/// Whether somebody holds the lock on this entry. Shared, so that two who look do not take each other for a run.
pub(super) fn is_alive(entry: &File) -> io::Result<bool> {
    match entry.try_lock_shared() {
        Ok(()) => {
            entry.unlock()?;
            Ok(false)
        }
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn read_document<T: DeserializeOwned>(file: File) -> Option<T> {
    let mut bytes = Vec::new();
    file.take(FILE_LEN_BYTES_MAX).read_to_end(&mut bytes).ok()?;
    serde_json::from_slice(&bytes).ok()
}

fn id_of(path: &Path) -> Option<RunId> {
    RunId::parse(path.file_stem()?.to_str()?)
}

pub(super) fn failed(path: &Path, source: io::Error) -> RunningError {
    RunningError::Io {
        path: path.to_owned(),
        source,
    }
}
