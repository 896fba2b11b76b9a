//! What differs from run to run, and why each piece of it has to be in a prompt all the same.

use std::collections::BTreeSet;

use countersign_identity::grant::{AbsolutePath, Budget, HostScope};
use countersign_identity::instant;
use countersign_schemas::body::RunMode;
use countersign_schemas::number::Millis;
use countersign_verifier::visible::visible_json;
use serde_json::Value;

/// Length of a day in `YYYY-MM-DDThh:mm:ssZ`. The time of day would differ from run to run and help nobody.
const DAY_LEN: usize = 10;
const DAY_MS: u64 = 24 * 60 * 60 * 1000;
const MICRO_USD_PER_CENT: u64 = 10_000;

/// Why a section is in the dynamic part, where it costs what a provider could have cached. Made in constants, so that a
/// reason that says nothing does not compile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reason(&'static str);

impl Reason {
    /// Takes a reason; panics if it is empty, which in a constant is an error of the compiler.
    const fn new(reason: &'static str) -> Self {
        assert!(!reason.is_empty(), "a dynamic section names its reason");
        Self(reason)
    }

    pub(super) const fn as_str(self) -> &'static str {
        self.0
    }
}

/// One section of the dynamic part. It cannot be made without its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Dynamic {
    pub(super) name: &'static str,
    pub(super) reason: Reason,
    pub(super) text: String,
}

impl Dynamic {
    const fn new(name: &'static str, reason: Reason, text: String) -> Self {
        Self { name, reason, text }
    }
}

/// What a session knows about the place and the time of an agent when it begins. Plain data: the session collects it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The workspace of the agent's own grant.
    pub workspace: AbsolutePath,
    /// The operating system, as [`std::env::consts::OS`].
    pub os: &'static str,
    /// The processor, as [`std::env::consts::ARCH`].
    pub arch: &'static str,
    /// When the agent begins; only the day is told.
    pub now: Millis,
    /// What keeps the folder's history.
    pub history: History,
    /// What is left for the agent to spend when it begins.
    pub budget: Budget,
    /// Hosts that its grant names.
    pub hosts: BTreeSet<HostScope>,
}

/// What keeps the history of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum History {
    /// Nothing: what is overwritten is gone.
    None,
    /// A git repository that others work in too.
    Repository,
    /// A git work tree that is the agent's own, on this branch.
    WorkTree {
        /// The branch.
        branch: String,
    },
}

const PLATFORM: Reason = Reason::new("commands and paths depend on the system");
const MODE: Reason = Reason::new("whether somebody can be asked decides what to do when in doubt");
const HOSTS: Reason = Reason::new("they come from the grant, and a fetch from any other host would be denied");
const HISTORY: Reason = Reason::new("whether a change can be seen and taken back depends on the folder");
const WORKSPACE: Reason = Reason::new("absolute paths in tool results can only be understood with it");
const DATE: Reason = Reason::new("a model takes the end of its training for today");
const BUDGET: Reason = Reason::new("what is left differs from agent to agent, and bounds what can be begun");

impl Facts {
    /// The sections, those first that differ least from run to run: a cached beginning then reaches furthest.
    pub(super) fn sections(&self, mode: Option<RunMode>) -> Vec<Dynamic> {
        let mut sections = vec![Dynamic::new("platform", PLATFORM, self.platform())];
        sections.extend(mode.map(|mode| Dynamic::new("mode", MODE, attended(mode).to_owned())));
        sections.extend([
            Dynamic::new("hosts", HOSTS, self.named_hosts()),
            Dynamic::new("history", HISTORY, self.history.told()),
            Dynamic::new("workspace", WORKSPACE, self.folder()),
            Dynamic::new("date", DATE, self.day()),
            Dynamic::new("budget", BUDGET, self.left()),
        ]);
        sections
    }

    fn platform(&self) -> String {
        format!("Platform: {} on {}.", self.os, self.arch)
    }

    fn named_hosts(&self) -> String {
        if self.hosts.is_empty() {
            return "Hosts you may fetch from: none.".to_owned();
        }
        let hosts: Vec<_> = self.hosts.iter().map(|host| quoted(host.as_str())).collect();
        format!("Hosts you may fetch from: {}.", hosts.join(", "))
    }

    fn folder(&self) -> String {
        format!("Working folder (workspace): {}.", quoted(self.workspace.as_str()))
    }

    fn day(&self) -> String {
        let midnight = Millis::clamped(self.now.get() / DAY_MS * DAY_MS);
        match instant::format(midnight) {
            Ok(time) => format!("Date at the start: {} (UTC).", &time[..DAY_LEN.min(time.len())]),
            Err(_) => "Date at the start: unknown.".to_owned(),
        }
    }

    fn left(&self) -> String {
        let Budget {
            calls,
            tokens_in,
            tokens_out,
            cost_micro_usd,
        } = self.budget;
        let cents = cost_micro_usd.get() / MICRO_USD_PER_CENT;
        format!(
            "Budget at the start: {calls} calls, {tokens_in} tokens in, {tokens_out} tokens out, {}.{:02} US dollars.",
            cents / 100,
            cents % 100
        )
    }
}

impl History {
    fn told(&self) -> String {
        match self {
            Self::None => "History: the folder is no git repository; what is overwritten is gone.".to_owned(),
            Self::Repository => "History: the folder is in a git repository.".to_owned(),
            Self::WorkTree { branch } => format!(
                "History: the folder is a git work tree of your own, on branch {}. It began with tracked files only: what \
                 git ignores (dependencies, build results) is not there. What stands in it when you report is what you hand \
                 over; it takes effect elsewhere only by a merge of that branch.",
                quoted(branch)
            ),
        }
    }
}

const fn attended(mode: RunMode) -> &'static str {
    match mode {
        RunMode::Interactive => {
            "Mode: interactive. A person is there: approvals are put to them, and `ask_user` reaches them."
        }
        RunMode::Coordinator => "Mode: coordinator. You direct agents; a person may or may not be there to be asked.",
        RunMode::Worker => "Mode: worker. Whoever gave you the task reads your report and nothing else of the run.",
        RunMode::Headless => {
            "Mode: headless. Nobody is there: what a person would have to approve is denied. Decide what you can, and \
             report what would have had to be asked."
        }
    }
}

/// `text` as a JSON string that shows as itself: a name cannot end its quotes, or begin a line of its own.
fn quoted(text: &str) -> String {
    visible_json(&Value::from(text).to_string())
}

#[cfg(test)]
#[path = "dynamic_tests.rs"]
pub(super) mod tests;
