//! The side of whoever wants a run stopped: a request, and the wait for what becomes of it.

use std::fs::File;
use std::io;
use std::thread;
use std::time::{Duration, Instant};

use super::document::{Report, RunId};
use super::folder::{Part, RunningError, RunningFolder, failed, is_alive, open_own};

/// Time between two looks for a report.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Answer {
    /// The process has reported the end of its run.
    Ended(Report),
    /// The run had come to its end by itself.
    Over,
    /// The process died and has reported no end; this is what it had said by then.
    Died(Report),
    /// The process lives and has not come to the end in time; this is what it has said. The request stands.
    Waiting(Report),
}

/// A request that stands.
pub struct Request {
    folder: RunningFolder,
    id: RunId,
    entry: File,
}

impl Request {
    /// Asks the process of the run `id` to stop it; nothing if there is none any more.
    ///
    /// # Errors
    /// [`RunningError::Io`]: it was not asked.
    pub fn leave(folder: &RunningFolder, id: &RunId) -> Result<Option<Self>, RunningError> {
        let path = folder.path(id, Part::Entry);
        // Opened before it is asked: the lock on this very file says whether that process lives.
        let Some(entry) = open_own(&path).map_err(|error| failed(&path, error))? else {
            return Ok(None);
        };
        let request = folder.path(id, Part::Request);
        match folder.create(&request) {
            Ok(_) => {}
            // Somebody has asked already.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed(&request, error)),
        }
        Ok(Some(Self {
            folder: folder.clone(),
            id: id.clone(),
            entry,
        }))
    }

    /// Waits until the run has ended, but no longer than `patience`.
    ///
    /// # Errors
    /// [`RunningError::Io`]: it is unknown what became of it; the request stands.
    pub fn wait(&self, patience: Duration) -> Result<Answer, RunningError> {
        let deadline = Instant::now() + patience;
        loop {
            // Asked first: a process reports before it goes.
            let lives =
                is_alive(&self.entry).map_err(|error| failed(&self.folder.path(&self.id, Part::Entry), error))?;
            let report: Report = self.folder.read(&self.id, Part::Report).unwrap_or_default();
            if !lives {
                return Ok(self.without_process(report));
            }
            if Instant::now() >= deadline {
                return Ok(Answer::Waiting(report));
            }
            thread::sleep(LOOK_EVERY);
        }
    }

    fn without_process(&self, report: Report) -> Answer {
        if report.ended.is_some() {
            return Answer::Ended(report);
        }
        self.folder.remove(&self.id, Part::Request);
        // A process that comes to its end takes its entry away; one that dies cannot.
        if self.folder.path(&self.id, Part::Entry).symlink_metadata().is_ok() {
            Answer::Died(report)
        } else {
            Answer::Over
        }
    }
}
