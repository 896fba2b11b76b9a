//! How the columns of each table are read: type and length first, bytes only when both are right.

use std::fmt;

use countersign_schemas::record::RECORD_BYTES_MAX;
use rusqlite::Row;

use super::ItemError;
use crate::layout::{NOTE_BYTES_MAX, PAYLOAD_BYTES_MAX};

/// An authoritative table of a ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// The records.
    Record,
    /// The payloads.
    Payload,
    /// The checkpoints.
    Checkpoint,
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Record => "record",
            Self::Payload => "payload",
            Self::Checkpoint => "checkpoint",
        })
    }
}

/// A row of `N` byte columns, read from table `TABLE`.
pub(super) trait Stored: Sized {
    const TABLE: Table;
    /// Selects the key, then for each byte column its type, its length and, if it is sound, its bytes.
    const SELECT: &'static str;
    /// Name and greatest length of each byte column, in the order of [`Stored::SELECT`].
    const COLUMNS: &'static [(&'static str, usize)];

    fn from_columns(columns: Vec<Vec<u8>>) -> Self;

    /// Bytes that the row holds, for bounding what is read ahead.
    fn weight_bytes(&self) -> usize;
}

/// A row of `record`.
pub(super) struct RecordRow {
    pub(super) record: Vec<u8>,
}

/// A row of `payload`.
pub(super) struct PayloadRow {
    pub(super) salt: Vec<u8>,
    pub(super) content: Vec<u8>,
}

/// A row of `checkpoint`.
pub(super) struct CheckpointRow {
    pub(super) note: Vec<u8>,
}

/// Salts are 32 bytes; what is shorter is handed out for the verifier to refuse.
const SALT_BYTES_MAX: usize = 32;

// NOT INDEXED: an index that a hostile file brings along may not answer for the table.
impl Stored for RecordRow {
    const TABLE: Table = Table::Record;
    const SELECT: &'static str = "SELECT seq, typeof(bytes), octet_length(bytes), \
         CASE WHEN typeof(bytes) = 'blob' AND octet_length(bytes) <= 65535 THEN bytes END \
         FROM record NOT INDEXED WHERE seq >= ?1 ORDER BY seq";
    const COLUMNS: &'static [(&'static str, usize)] = &[("bytes", RECORD_BYTES_MAX)];

    fn from_columns(columns: Vec<Vec<u8>>) -> Self {
        Self {
            record: columns.into_iter().next().unwrap_or_default(),
        }
    }

    fn weight_bytes(&self) -> usize {
        self.record.len()
    }
}

impl Stored for PayloadRow {
    const TABLE: Table = Table::Payload;
    const SELECT: &'static str = "SELECT id, typeof(salt), octet_length(salt), \
         CASE WHEN typeof(salt) = 'blob' AND octet_length(salt) <= 32 THEN salt END, \
         typeof(content), octet_length(content), \
         CASE WHEN typeof(content) = 'blob' AND octet_length(content) <= 16777216 THEN content END \
         FROM payload NOT INDEXED WHERE id >= ?1 ORDER BY id";
    const COLUMNS: &'static [(&'static str, usize)] = &[("salt", SALT_BYTES_MAX), ("content", PAYLOAD_BYTES_MAX)];

    fn from_columns(columns: Vec<Vec<u8>>) -> Self {
        let mut columns = columns.into_iter();
        Self {
            salt: columns.next().unwrap_or_default(),
            content: columns.next().unwrap_or_default(),
        }
    }

    fn weight_bytes(&self) -> usize {
        self.salt.len() + self.content.len()
    }
}

impl Stored for CheckpointRow {
    const TABLE: Table = Table::Checkpoint;
    const SELECT: &'static str = "SELECT size, typeof(note), octet_length(note), \
         CASE WHEN typeof(note) = 'blob' AND octet_length(note) <= 131072 THEN note END \
         FROM checkpoint NOT INDEXED WHERE size >= ?1 ORDER BY size";
    const COLUMNS: &'static [(&'static str, usize)] = &[("note", NOTE_BYTES_MAX)];

    fn from_columns(columns: Vec<Vec<u8>>) -> Self {
        Self {
            note: columns.into_iter().next().unwrap_or_default(),
        }
    }

    fn weight_bytes(&self) -> usize {
        self.note.len()
    }
}

/// Reads one row of `T`; the outer error is SQLite's, the inner one is about what is stored.
pub(super) fn read<T: Stored>(row: &Row<'_>, key: i64) -> rusqlite::Result<Result<T, ItemError>> {
    let mut columns = Vec::with_capacity(T::COLUMNS.len());
    for (index, (column, limit)) in T::COLUMNS.iter().enumerate() {
        let first = 1 + 3 * index;
        let found: String = row.get(first)?;
        if found != "blob" {
            return Ok(Err(ItemError::WrongType {
                table: T::TABLE,
                row: key,
                column,
                found,
            }));
        }
        match row.get::<_, Option<Vec<u8>>>(first + 2)? {
            Some(bytes) => columns.push(bytes),
            None => {
                let bytes = u64::try_from(row.get::<_, i64>(first + 1)?).unwrap_or_default();
                return Ok(Err(ItemError::TooLong {
                    table: T::TABLE,
                    row: key,
                    column,
                    bytes,
                    limit: *limit,
                }));
            }
        }
    }
    Ok(Ok(T::from_columns(columns)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names_its_limits<T: Stored>() {
        for (column, limit) in T::COLUMNS {
            let condition = format!("octet_length({column}) <= {limit} THEN {column} END");
            assert!(T::SELECT.contains(&condition), "{condition}");
        }
    }

    #[test]
    fn each_query_names_the_limits_that_errors_report() {
        names_its_limits::<RecordRow>();
        names_its_limits::<PayloadRow>();
        names_its_limits::<CheckpointRow>();
    }
}
