//! What stands in the files of the folder: entries of runs, and reports of those that were stopped.

use std::fmt;

use countersign_verifier::visible::visible;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::RunningError;
use crate::session::{Revocation, RevokedAgent};

/// Hex digits of an id: few enough to be typed, and a second run of the same id is not let in.
const ID_LEN: usize = 8;

/// Most of a task that an entry shows, in characters.
const TASK_CHARS_MAX: usize = 60;

/// What `stop` calls a run: eight hex digits, drawn at its beginning.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RunId(String);

impl RunId {
    pub(super) fn draw() -> Result<Self, RunningError> {
        let number = getrandom::u32().map_err(|_| RunningError::Randomness)?;
        Ok(Self(format!("{number:08x}")))
    }

    /// The id that `text` spells out, if it is one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        (text.len() == ID_LEN && text.bytes().all(is_digit)).then(|| Self(text.to_owned()))
    }

    /// Its digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a process says of the run it plays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The process.
    pub pid: u32,
    /// `run` or `chat`.
    pub command: String,
    /// Absolute path of the ledger.
    pub ledger: String,
    /// Unix time in milliseconds at which it began.
    pub since: u64,
    /// The beginning of the task, without what was recognised as a secret.
    pub task: String,
}

impl Entry {
    /// The part of `task`, which holds no recognised secret any more, that an entry shows.
    #[must_use]
    pub fn shown_task(task: &str) -> String {
        visible(task.lines().next().unwrap_or_default().trim(), TASK_CHARS_MAX)
    }

    /// As `stop --list --json` prints it.
    #[must_use]
    pub fn to_json(&self, id: &RunId) -> Value {
        json!({
            "run": id.as_str(), "pid": self.pid, "command": self.command, "ledger": self.ledger,
            "since": self.since, "task": self.task,
        })
    }
}

/// What became of a run that somebody wanted stopped.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// What was revoked, once that is on disk.
    pub revoked: Option<Revoked>,
    /// Why nothing could be revoked.
    pub problem: Option<String>,
    /// How the run ended; nothing as long as it has not.
    pub ended: Option<Ended>,
}

/// The revocation, as a report has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revoked {
    /// `seq` of the `grant.revoked`.
    pub entry: u64,
    /// Who was at work under it, the lead first.
    pub agents: Vec<Agent>,
}

/// An agent in a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agent {
    /// Its name.
    pub name: String,
    /// Its short DID.
    pub did: String,
    /// `seq` of its introduction.
    pub introduced: u64,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// The word of its `run.ended`; nothing if it broke, or had not begun.
    pub reason: Option<String>,
    /// The word of its halt (session-v1 §10), if it was halted.
    pub halt: Option<String>,
    /// In words.
    pub text: String,
}

impl From<Revocation> for Revoked {
    fn from(revocation: Revocation) -> Self {
        Self {
            entry: revocation.entry.get(),
            agents: revocation.agents.into_iter().map(Agent::from).collect(),
        }
    }
}

impl From<RevokedAgent> for Agent {
    fn from(agent: RevokedAgent) -> Self {
        Self {
            name: agent.name,
            did: agent.did,
            introduced: agent.introduced.get(),
        }
    }
}
