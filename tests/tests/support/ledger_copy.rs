//! A copy of a ledger in an empty folder, to be changed with plain SQL as an attacker with the file would.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, Params};
use tempfile::TempDir;

use super::Checked;
use super::verdict::Verdict;

/// A ledger without its guards.
pub(crate) struct LedgerCopy {
    folder: TempDir,
    connection: Connection,
}

impl LedgerCopy {
    /// Copies the file alone and drops every trigger.
    pub(crate) fn of(ledger: &Path) -> Checked<Self> {
        let folder = TempDir::new()?;
        let path = folder.path().join("ledger.db");
        std::fs::copy(ledger, &path)?;
        let connection = Connection::open(&path)?;
        // A copy need not survive a power cut.
        connection.pragma_update(None, "synchronous", "OFF")?;
        connection.pragma_update_and_check(None, "journal_mode", "MEMORY", |_| Ok(()))?;
        let triggers: Vec<String> = connection
            .prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger'")?
            .query_map([], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        for trigger in triggers {
            connection.execute_batch(&format!("DROP TRIGGER \"{trigger}\""))?;
        }
        Ok(Self { folder, connection })
    }

    /// The copy's path.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("ledger.db")
    }

    /// Changes rows; at least one has to change.
    pub(crate) fn change(&self, sql: &str, parameters: impl Params) -> Checked<&Self> {
        match self.connection.execute(sql, parameters)? {
            0 => Err(format!("no row changed: {sql}").into()),
            _ => Ok(self),
        }
    }

    /// Changes rows, or none.
    pub(crate) fn change_if_any(&self, sql: &str, parameters: impl Params) -> Checked<&Self> {
        self.connection.execute(sql, parameters)?;
        Ok(self)
    }

    /// What the program says of it.
    pub(crate) fn verdict(&self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Checked<Verdict> {
        Verdict::of(&self.path(), arguments)
    }
}
