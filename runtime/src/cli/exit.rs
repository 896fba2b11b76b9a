//! Exit codes of `countersign`. They are a contract: scripts and supervisors rely on them.

use std::error::Error;
use std::fmt;
use std::process::ExitCode;

use countersign_schemas::body::RunEndReason;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// Failed or refused.
    Failed = 1,
    /// Wrong arguments.
    Usage = 2,
    /// A run was halted: by budget or policy, by `countersign stop`, or because it went in circles.
    Halted = 3,
    /// Key, disk, network or policy file.
    Environment = 4,
    /// Our own bug.
    Bug = 70,
    /// A person interrupted the run; the ledger is closed properly.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl Exit {
    /// The code of a run that came to its end.
    #[must_use]
    pub const fn of_run(reason: RunEndReason) -> Self {
        match reason {
            RunEndReason::Done => Self::Done,
            RunEndReason::Failed | RunEndReason::Other => Self::Failed,
            RunEndReason::HaltedBudget | RunEndReason::HaltedPolicy => Self::Halted,
            RunEndReason::Interrupted => Self::Interrupted,
            RunEndReason::Environment => Self::Environment,
            RunEndReason::Bug => Self::Bug,
        }
    }
}

/// A failure as a person reads it: what and where, why, and what next.
#[derive(Debug)]
pub struct Failure {
    /// Its exit code.
    pub exit: Exit,
    message: String,
    hint: Option<String>,
}

impl Failure {
    /// A failure with its own words.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
            hint: None,
        }
    }

    /// A failure with the words of `error` and of everything behind it.
    pub fn caused(exit: Exit, what: impl fmt::Display, error: &dyn Error) -> Self {
        let mut message = format!("{what}: {error}");
        let mut cause = error.source();
        while let Some(source) = cause {
            let text = source.to_string();
            if !message.ends_with(&text) {
                message.push_str(": ");
                message.push_str(&text);
            }
            cause = source.source();
        }
        Self {
            exit,
            message,
            hint: None,
        }
    }

    /// Adds what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::caused(Exit::Environment, "output failed", &error)
    }
}
