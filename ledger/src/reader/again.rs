//! One record read again, with no more than a look at its payloads.

use rusqlite::Connection;

use super::columns::{self, RecordRow, Stored};
use super::{ItemError, Table};
use crate::layout::{first_payload_id, payload_place};

/// A record as stored, and which payload rows stand beside it. Their content is not read, however long it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRecord {
    /// The record's bytes.
    pub record: Vec<u8>,
    /// The slots of its payload rows, ascending.
    pub slots: Vec<u8>,
}

/// Keys alone: SQLite does not follow the pages of the content.
const SLOTS: &str = "SELECT id FROM payload NOT INDEXED WHERE id >= ?1 AND id < ?2 ORDER BY id";

/// Reads the record at `seq` alone.
pub(super) fn record(connection: &Connection, seq: i64) -> Result<Option<StoredRecord>, ItemError> {
    let unreadable = |table| {
        move |source| ItemError::Unreadable {
            table,
            after: None,
            source,
        }
    };
    let Some(record) = row(connection, seq).map_err(unreadable(Table::Record))? else {
        return Ok(None);
    };
    let slots = slots(connection, seq).map_err(unreadable(Table::Payload))?;
    Ok(Some(StoredRecord {
        record: record?.record,
        slots,
    }))
}

fn row(connection: &Connection, seq: i64) -> rusqlite::Result<Option<Result<RecordRow, ItemError>>> {
    let mut statement = connection.prepare_cached(RecordRow::SELECT)?;
    let mut rows = statement.query([seq])?;
    match rows.next()? {
        Some(row) if row.get::<_, i64>(0)? == seq => columns::read::<RecordRow>(row, seq).map(Some),
        _ => Ok(None),
    }
}

fn slots(connection: &Connection, seq: i64) -> rusqlite::Result<Vec<u8>> {
    let mut statement = connection.prepare_cached(SLOTS)?;
    let keys = [first_payload_id(seq), first_payload_id(seq.saturating_add(1))];
    let slots = statement.query_map(keys, |row| row.get(0).map(|id| payload_place(id).1.get()))?;
    slots.collect()
}
