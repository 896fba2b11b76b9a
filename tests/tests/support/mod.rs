//! What the tests share: the programs, the demo's ledger, copies of it to attack, and folders to run agents in.

pub(crate) mod actions;
pub(crate) mod child;
pub(crate) mod judge;
pub(crate) mod ledger_copy;
pub(crate) mod namespace;
pub(crate) mod programs;
pub(crate) mod provider;
pub(crate) mod rng;
pub(crate) mod service;
pub(crate) mod shim;
pub(crate) mod stored;
pub(crate) mod story;
pub(crate) mod tale;
pub(crate) mod trace;
pub(crate) mod verdict;
pub(crate) mod workshop;
pub(crate) mod writer;

use std::io::Write;
use std::path::Path;

use tempfile::TempDir;

/// What a test returns: an error that nobody expected fails it.
pub(crate) type Checked<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// A folder for thousands of files that need not survive a power cut: in memory, where the machine has that.
pub(crate) fn scratch() -> std::io::Result<TempDir> {
    TempDir::new_in(Path::new("/dev/shm")).or_else(|_| TempDir::new())
}

/// Says that a test could not be made on this machine, past the test runner's capture: a skipped test is no passed one.
pub(crate) fn skip(test: &str, reason: &str) {
    // Where standard error is closed nobody can be told.
    let _ = writeln!(std::io::stderr(), "skipped: {test}: {reason}");
}
