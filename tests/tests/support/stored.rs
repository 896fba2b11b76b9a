//! The rows of a ledger file, read with plain SQL beside the programs under test.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

use super::Checked;
use super::programs::{countersign, run};

/// One row of a table: its key and its bytes (of a payload: salt, then content).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredRow {
    pub(crate) key: u64,
    pub(crate) parts: Vec<Vec<u8>>,
}

/// Everything a ledger is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) records: Vec<StoredRow>,
    pub(crate) payloads: Vec<StoredRow>,
    pub(crate) checkpoints: Vec<StoredRow>,
}

impl Stored {
    /// Reads all rows of the three tables, in order.
    pub(crate) fn read(ledger: &Path) -> Checked<Self> {
        let connection = Connection::open_with_flags(ledger, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        Ok(Self {
            records: rows(&connection, "SELECT seq, bytes FROM record ORDER BY seq")?,
            payloads: rows(&connection, "SELECT id, salt, content FROM payload ORDER BY id")?,
            checkpoints: rows(&connection, "SELECT size, note FROM checkpoint ORDER BY size")?,
        })
    }

    /// Number of entries.
    pub(crate) fn size(&self) -> u64 {
        self.records.len() as u64
    }

    /// Content of the payload in `slot` of entry `seq`.
    pub(crate) fn payload(&self, seq: u64, slot: u64) -> Option<&[u8]> {
        let row = self.payloads.iter().find(|row| row.key == seq * 8 + slot)?;
        row.parts.get(1).map(Vec::as_slice)
    }
}

fn rows(connection: &Connection, sql: &str) -> Checked<Vec<StoredRow>> {
    let mut statement = connection.prepare(sql)?;
    let columns = statement.column_count();
    let rows = statement.query_map([], |row| {
        let parts = (1..columns).map(|column| row.get(column)).collect::<Result<_, _>>()?;
        Ok(StoredRow {
            key: row.get::<_, i64>(0)?.cast_unsigned(),
            parts,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The entries as `countersign ledger log --json` prints them.
pub(crate) fn log(ledger: &Path) -> Checked<Vec<Value>> {
    let ran = run(countersign().args(["ledger", "log", "--json", "--ledger"]).arg(ledger))?.expect(0);
    ran.stdout
        .lines()
        .map(|line| serde_json::from_str(line).map_err(|error| format!("{error}: {line}").into()))
        .collect()
}
