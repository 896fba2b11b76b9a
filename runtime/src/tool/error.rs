//! Why a call did not do what it was asked to.

use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use countersign_schemas::body::FinishOutcome;
use thiserror::Error;

use super::ToolOutput;
use super::arguments::ArgumentError;
use super::jobs::JobError;
use super::open::FileError;
use super::path::PathError;
use super::todo::TodoError;
use super::web_fetch::FetchError;
use crate::gate::PermitError;
use crate::worktree::MergeError;

/// Why a call did not do what it was asked to. Nothing was changed, unless the variant says otherwise.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ToolError {
    /// The permit does not cover the call.
    #[error(transparent)]
    Permit(#[from] PermitError),
    /// The argument bytes are not those of this tool.
    #[error(transparent)]
    Arguments(#[from] ArgumentError),
    /// The path cannot be resolved any more.
    #[error(transparent)]
    Path(#[from] PathError),
    /// The path leads elsewhere than when it was decided.
    #[error("the path led to {} when it was decided and leads to {} now", decided.display(), found.display())]
    PathChanged {
        /// Where it led, and what the decision is about.
        decided: PathBuf,
        /// Where it leads now.
        found: PathBuf,
    },
    /// The decided file cannot be opened, read or replaced.
    #[error(transparent)]
    File(#[from] FileError),
    /// The edit does not fit the file.
    #[error(transparent)]
    Edit(#[from] EditError),
    /// The address could not be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The branch was not merged.
    #[error(transparent)]
    Merge(#[from] MergeError),
    /// The glob is not well formed.
    #[error("the pattern is not a glob")]
    Glob(#[source] globset::Error),
    /// The glob is absolute or holds `..`: it would look outside the workspace.
    #[error("the pattern {pattern:?} leaves the workspace")]
    GlobOutside {
        /// The pattern.
        pattern: String,
    },
    /// The regular expression is not well formed, too big, or spans lines.
    #[error("the pattern is not a regular expression for one line")]
    Regex(#[source] grep_regex::Error),
    /// The list of steps is none.
    #[error(transparent)]
    Todo(#[from] TodoError),
    /// A question was put, and there is nobody who answers.
    #[error("nobody can be asked here; decide yourself or stop and say what is missing")]
    NobodyToAsk,
    /// A declaration was asked for of a tool that there is not.
    #[error("there is no tool {tool:?}; offered by name only are: {deferred}")]
    UnknownTool {
        /// The name that was asked for, as long as a name may be.
        tool: String,
        /// The tools whose declaration has to be asked for.
        deferred: String,
    },
    /// The shell could not be started or watched. If it had started, it was killed.
    #[error("cannot run {}", program.display())]
    Shell {
        /// The program.
        program: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// There is no such job, or there are too many.
    #[error(transparent)]
    Job(#[from] JobError),
    /// The work took too long. What it had changed by then stays changed.
    #[error("stopped after {} s", limit.as_secs())]
    TimedOut {
        /// The time it had.
        limit: Duration,
    },
    /// The run was interrupted. What the call had changed by then stays changed.
    #[error("interrupted")]
    Cancelled,
    /// Our own fault: the work panicked.
    #[error("the tool failed by a fault of countersign")]
    Panicked(#[source] tokio::task::JoinError),
}

impl ToolError {
    /// The outcome to record.
    #[must_use]
    pub fn outcome(&self) -> FinishOutcome {
        match self {
            Self::TimedOut { .. } => FinishOutcome::Timeout,
            Self::Cancelled => FinishOutcome::Aborted,
            _ => FinishOutcome::Error,
        }
    }
}

impl From<ToolError> for ToolOutput {
    fn from(error: ToolError) -> Self {
        let mut content = error.to_string();
        let mut cause = error.source();
        while let Some(source) = cause {
            content.push_str(": ");
            content.push_str(&source.to_string());
            cause = source.source();
        }
        Self {
            content,
            outcome: error.outcome(),
        }
    }
}

/// Why an edit was refused. The file is as it was.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum EditError {
    /// The agent has not read the whole file in this session.
    #[error("{} was not read in full before the edit", path.display())]
    NotRead {
        /// The file.
        path: PathBuf,
    },
    /// The file has changed since the agent read it.
    #[error("{} has changed since it was read; read it again", path.display())]
    ChangedSinceRead {
        /// The file.
        path: PathBuf,
    },
    /// The text to be replaced does not occur.
    #[error("`old` does not occur in {}", path.display())]
    NoOccurrence {
        /// The file.
        path: PathBuf,
    },
    /// The text to be replaced occurs more than once.
    #[error("`old` occurs more than once in {}; give more of its surroundings", path.display())]
    Ambiguous {
        /// The file.
        path: PathBuf,
    },
    /// The replacement is the text itself.
    #[error("`old` and `new` are the same")]
    NoChange,
}
