//! The side of the process that plays a run: it says that it runs, and listens for a request to stop.

use std::fs::{self, File};
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::document::{Ended, Entry, Report, RunId};
use super::folder::{Part, RunningError, RunningFolder, failed, open_own};
use crate::session::{Pulled, StopSwitch};

/// Time between two looks for a request: no person notices it, and ten looks at one name a second are nothing to a machine.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Most ids that are drawn until one is free.
const DRAWS_MAX: usize = 100;

/// A run that can be found and stopped. Dropped, it is listed no more.
pub struct Registration {
    folder: RunningFolder,
    id: RunId,
    /// Holds the lock that says that this process lives.
    _entry: File,
    is_over: Arc<AtomicBool>,
    listener: Option<JoinHandle<Report>>,
}

impl Registration {
    /// Lists the run that `entry` describes; a request to stop it pulls `switch`.
    ///
    /// # Errors
    /// [`RunningError`]: nothing is listed.
    pub fn enter(folder: RunningFolder, entry: &Entry, switch: StopSwitch) -> Result<Self, RunningError> {
        // Also takes away what processes that died have left.
        folder.list()?;
        let (id, file) = list_as_new(&folder, entry)?;
        let is_over = Arc::new(AtomicBool::new(false));
        let listener = Listener {
            folder: folder.clone(),
            id: id.clone(),
            is_over: Arc::clone(&is_over),
            switch,
        };
        let started = thread::Builder::new()
            .name("stop-listener".to_owned())
            .spawn(move || listener.listen());
        match started {
            Ok(listener) => Ok(Self {
                folder,
                id,
                _entry: file,
                is_over,
                listener: Some(listener),
            }),
            Err(error) => {
                folder.remove(&id, Part::Entry);
                Err(RunningError::Thread(error))
            }
        }
    }

    /// What `stop` calls this run.
    #[must_use]
    pub fn id(&self) -> &RunId {
        &self.id
    }

    /// The run has ended so. Whoever has asked for its stop is told, and it is listed no more.
    pub fn end(mut self, ended: Ended) {
        let report = self.hang_up();
        if self.is_asked_for() {
            let report = Report {
                ended: Some(ended),
                ..report
            };
            if let Err(error) = self.folder.replace(&self.id, Part::Report, &report) {
                tracing::warn!(error = &error as &dyn std::error::Error, "a stop could not be reported");
            }
        }
    }

    fn is_asked_for(&self) -> bool {
        is_asked_for(&self.folder, &self.id)
    }

    /// Listens no more; gives what was reported until now.
    fn hang_up(&mut self) -> Report {
        self.is_over.store(true, Ordering::SeqCst);
        let listener = self.listener.take().map(|listener| {
            listener.thread().unpark();
            listener.join()
        });
        listener.and_then(Result::ok).unwrap_or_default()
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.hang_up();
        self.folder.remove(&self.id, Part::Request);
        self.folder.remove(&self.id, Part::Entry);
    }
}

struct Listener {
    folder: RunningFolder,
    id: RunId,
    is_over: Arc<AtomicBool>,
    switch: StopSwitch,
}

impl Listener {
    fn listen(&self) -> Report {
        while !self.is_over.load(Ordering::SeqCst) {
            if is_asked_for(&self.folder, &self.id) {
                return self.stop();
            }
            thread::park_timeout(LOOK_EVERY);
        }
        Report::default()
    }

    fn stop(&self) -> Report {
        tracing::warn!("stopped by `countersign stop`");
        let mut report = Report::default();
        match self.switch.pull() {
            Pulled::Revoked(revocation) => report.revoked = Some(revocation.into()),
            Pulled::Unrecorded(problem) => report.problem = Some(problem),
            Pulled::Early | Pulled::Over => {}
        }
        if let Err(error) = self.folder.replace(&self.id, Part::Report, &report) {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "a revocation could not be reported"
            );
        }
        report
    }
}

/// Whether a request lies there that is a file of our own user.
fn is_asked_for(folder: &RunningFolder, id: &RunId) -> bool {
    let path = folder.path(id, Part::Request);
    match open_own(&path) {
        Ok(request) => request.is_some(),
        Err(error) => {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "a request to stop cannot be looked at"
            );
            false
        }
    }
}

/// An entry gets its name once it is locked and whole, so that nobody sees it otherwise.
fn list_as_new(folder: &RunningFolder, entry: &Entry) -> Result<(RunId, File), RunningError> {
    let bytes = serde_json::to_vec(entry).unwrap_or_default();
    for _ in 0..DRAWS_MAX {
        let id = RunId::draw()?;
        let path = folder.path(&id, Part::Entry);
        let aside = path.with_extension("run-new");
        let list = || {
            let mut file = folder.create(&aside)?;
            file.lock()?;
            file.write_all(&bytes)?;
            // Unlike a rename, this takes nobody's place.
            let linked = fs::hard_link(&aside, &path);
            fs::remove_file(&aside)?;
            linked.map(|()| file)
        };
        match list() {
            Ok(file) => return Ok((id, file)),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed(&path, error)),
        }
    }
    Err(RunningError::Randomness)
}
