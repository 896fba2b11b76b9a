//! The work trees that this process has handed in and nobody has merged yet.
//!
//! A branch can be made or moved by whoever can run git in the workspace. What is merged is what an agent of this run
//! left behind, commit by commit, and only the process that saw it end knows that.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::object::{BranchName, ObjectId};

/// A branch that was handed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finished {
    /// The git directory that all work trees of the repository share.
    pub(super) repository: PathBuf,
    pub(super) branch: BranchName,
    /// The state of the workspace that the work began with.
    pub(super) base: ObjectId,
    /// What the agent made of it.
    pub(super) commit: ObjectId,
}

/// As many as agents were allowed to be made, less what was merged.
static FINISHED: Mutex<Vec<Finished>> = Mutex::new(Vec::new());

fn all() -> MutexGuard<'static, Vec<Finished>> {
    // No panic leaves a list half changed.
    FINISHED.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn remember(finished: Finished) {
    all().push(finished);
}

pub(super) fn find(repository: &Path, branch: &BranchName) -> Option<Finished> {
    let is_it = |finished: &&Finished| finished.repository == repository && finished.branch == *branch;
    all().iter().find(is_it).cloned()
}

pub(super) fn forget(merged: &Finished) {
    all().retain(|finished| finished != merged);
}
