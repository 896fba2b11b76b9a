//! Records joined with their payload rows in one pass over both tables.

use std::cmp::Ordering;
use std::collections::VecDeque;

use rusqlite::Connection;

use super::columns::{CheckpointRow, PayloadRow, RecordRow};
use super::pages::Pages;
use super::{ItemError, StoredCheckpoint, StoredEntry, StoredPayload, Table};
use crate::layout::{first_payload_id, payload_place};

/// Iterator over the entries of a ledger, see [`super::LedgerReader::entries`].
pub struct Entries<'r> {
    records: Pages<'r, RecordRow>,
    payloads: Pages<'r, PayloadRow>,
    /// Found while an entry was put together; handed out before it.
    found: VecDeque<Result<StoredEntry, ItemError>>,
    /// Payload rows beyond the last record prove nothing once reading the records broke off.
    records_broke_off: bool,
}

impl<'r> Entries<'r> {
    pub(super) fn over(connection: &'r Connection) -> Self {
        Self::behind(connection, i64::MIN, i64::MIN)
    }

    /// Records from `seq` on, with payload rows from the first that can belong to it on.
    pub(super) fn from(connection: &'r Connection, seq: i64) -> Self {
        Self::behind(connection, seq, first_payload_id(seq))
    }

    fn behind(connection: &'r Connection, seq: i64, payload: i64) -> Self {
        Self {
            records: Pages::from(connection, seq),
            payloads: Pages::from(connection, payload),
            found: VecDeque::new(),
            records_broke_off: false,
        }
    }

    /// Takes the payload rows before and of entry `seq`; those before it belong to no record.
    fn payloads_of(&mut self, seq: i64) -> Vec<StoredPayload> {
        let mut payloads = Vec::new();
        while let Some(id) = self.payloads.peek_key() {
            let (owner, slot) = payload_place(id);
            match owner.cmp(&seq) {
                Ordering::Greater => break,
                Ordering::Less => self.take_orphan(),
                Ordering::Equal => match self.payloads.next_row() {
                    Some((_, Ok(row))) => {
                        payloads.push(StoredPayload {
                            slot: slot.get(),
                            salt: row.salt,
                            content: row.content,
                        });
                    }
                    Some((_, Err(error))) => self.found.push_back(Err(error)),
                    None => break,
                },
            }
        }
        self.found.extend(self.payloads.take_failure().map(Err));
        payloads
    }

    fn take_orphan(&mut self) {
        if let Some((row, _)) = self.payloads.next_row() {
            let (seq, slot) = payload_place(row);
            self.found.push_back(Err(ItemError::Orphan {
                row,
                seq,
                slot: slot.get(),
            }));
        }
    }

    /// Reads the next record, or what is left when there is none; `found` stays empty at the very end only.
    fn advance(&mut self) {
        if let Some((seq, record)) = self.records.next_row() {
            let payloads = self.payloads_of(seq);
            self.found.push_back(record.map(|row| StoredEntry {
                seq,
                record: row.record,
                payloads,
            }));
        } else if let Some(failure) = self.records.take_failure() {
            self.records_broke_off = true;
            self.found.push_back(Err(failure));
        } else if !self.records_broke_off {
            if self.payloads.peek_key().is_some() {
                self.take_orphan();
            } else {
                self.found.extend(self.payloads.take_failure().map(Err));
            }
        }
    }
}

impl Iterator for Entries<'_> {
    type Item = Result<StoredEntry, ItemError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.found.is_empty() {
            self.advance();
        }
        self.found.pop_front()
    }
}

/// Reads the entry at `seq` alone.
pub(super) fn single(connection: &Connection, seq: i64) -> Result<Option<StoredEntry>, ItemError> {
    let mut entries = Entries::from(connection, seq);
    match entries.records.peek_key() {
        Some(found) if found == seq => entries.advance(),
        Some(_) => return Ok(None),
        None => return entries.records.take_failure().map_or(Ok(None), Err),
    }
    // What is wrong with a payload comes before the entry, which comes last.
    entries.found.pop_front().transpose()
}

/// Reads the entry with the largest key.
pub(super) fn last(connection: &Connection) -> Result<Option<StoredEntry>, ItemError> {
    let largest = connection.query_row("SELECT max(seq) FROM record NOT INDEXED", [], |row| row.get(0));
    let largest: Option<i64> = largest.map_err(|source| ItemError::Unreadable {
        table: Table::Record,
        after: None,
        source,
    })?;
    largest.map_or(Ok(None), |seq| single(connection, seq))
}

/// Iterator over the checkpoints of a ledger, see [`super::LedgerReader::checkpoints`].
pub struct Checkpoints<'r>(Pages<'r, CheckpointRow>);

impl<'r> Checkpoints<'r> {
    pub(super) fn over(connection: &'r Connection) -> Self {
        Self::from(connection, i64::MIN)
    }

    pub(super) fn from(connection: &'r Connection, size: i64) -> Self {
        Self(Pages::from(connection, size))
    }
}

impl Iterator for Checkpoints<'_> {
    type Item = Result<StoredCheckpoint, ItemError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.0.next_row() {
            Some((size, row)) => Some(row.map(|row| StoredCheckpoint { size, note: row.note })),
            None => self.0.take_failure().map(Err),
        }
    }
}
