//! A home, a folder to work in and a scripted model: everything that `countersign run` needs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::Checked;
use super::actions::{Action, actions};
use super::programs::{Ran, countersign, run};
use super::verdict::Verdict;

/// Permits every change of files and every command, so that nothing is asked.
pub(crate) const PERMIT_WORK: &str = r#"
@id("work")
permit (principal, action in [Action::"change", Action::"execute"], resource);
"#;

/// One person's place on one machine.
pub(crate) struct Workshop {
    folder: TempDir,
}

impl Workshop {
    /// An empty home and an empty folder to work in.
    pub(crate) fn without_principal() -> Checked<Self> {
        let folder = TempDir::new()?;
        fs::create_dir(folder.path().join("work"))?;
        Ok(Self { folder })
    }

    /// As above, with a principal.
    pub(crate) fn new() -> Checked<Self> {
        let workshop = Self::without_principal()?;
        workshop.init()?.expect(0);
        Ok(workshop)
    }

    /// `countersign init --no-passphrase`.
    pub(crate) fn init(&self) -> Checked<Ran> {
        run(self.countersign().args(["init", "--no-passphrase"]))
    }

    /// `countersign` with this home, started in this folder.
    pub(crate) fn countersign(&self) -> Command {
        let mut command = countersign();
        command.env("COUNTERSIGN_HOME", self.home()).current_dir(self.root());
        command
    }

    /// The folder around everything.
    pub(crate) fn root(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.root().join("home")
    }

    /// The folder that agents work in.
    pub(crate) fn work(&self) -> PathBuf {
        self.root().join("work")
    }

    pub(crate) fn ledger(&self) -> PathBuf {
        self.root().join("ledger.db")
    }

    /// Writes a file below the folder around everything and gives its path.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> Checked<PathBuf> {
        let path = self.root().join(name);
        fs::write(&path, content)?;
        Ok(path)
    }

    /// Writes the script of a lead that makes these calls, one a turn, and ends.
    pub(crate) fn script(&self, calls: &[(&str, Value)]) -> Checked {
        let mut turns: Vec<Value> = calls.iter().map(|(tool, arguments)| turn(tool, arguments)).collect();
        turns.push(json!({ "say": "Done." }));
        self.script_of(&json!({ "lead": turns }))
    }

    /// Writes the script of these agents.
    pub(crate) fn script_of(&self, agents: &Value) -> Checked {
        let script = json!({ "schema": "countersign.script/v1", "agents": agents });
        self.file("script.json", script.to_string())?;
        Ok(())
    }

    /// `countersign run` with the script and `more` arguments, which take the place of the usual ones; not yet started.
    pub(crate) fn run_command(&self, more: &[&str]) -> Command {
        let mut command = self.countersign();
        command.args(["run", "do the work", "--model", "scripted:script.json"]);
        for default in [["--dir", "work"], ["--ledger", "ledger.db"], ["--approve", "never"]] {
            if !more.contains(&default[0]) {
                command.args(default);
            }
        }
        command.args(more);
        command
    }

    /// The same, run to its end.
    pub(crate) fn run(&self, more: &[&str]) -> Checked<Ran> {
        run(&mut self.run_command(more))
    }

    /// Lets the lead make these calls under a policy, or only the built-in one, and gives what became of them.
    pub(crate) fn act(&self, policy: Option<&str>, calls: &[(&str, Value)]) -> Checked<Vec<Action>> {
        self.script(calls)?;
        match policy {
            None => self.run(&[])?,
            Some(text) => {
                self.file("policy.cedar", text)?;
                self.run(&["--policy", "policy.cedar"])?
            }
        }
        .expect(0);
        self.actions()
    }

    /// What was done according to the ledger.
    pub(crate) fn actions(&self) -> Checked<Vec<Action>> {
        actions(&self.ledger())
    }

    /// What `verify --trust` says of the ledger.
    pub(crate) fn verdict(&self) -> Checked<Verdict> {
        let anchor = self.home().join("principal.did");
        Verdict::of(&self.ledger(), [Path::new("--trust"), &anchor])
    }
}

/// A turn with one call.
pub(crate) fn turn(tool: &str, arguments: &Value) -> Value {
    json!({ "say": "I go on.", "calls": [{ "tool": tool, "args": arguments }] })
}
