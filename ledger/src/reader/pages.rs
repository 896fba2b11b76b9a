//! Streaming over one table in bounded memory, robust against databases that lie about their order.

use std::collections::VecDeque;
use std::marker::PhantomData;

use rusqlite::Connection;

use super::ItemError;
use super::columns::{self, Stored};

/// Rows and bytes that are read ahead at most, save that one row always fits.
const PAGE_ROWS: usize = 256;
const PAGE_BYTES: usize = 1024 * 1024;

/// A key as stored, and what stands there.
pub(super) type Keyed<T> = (i64, Result<T, ItemError>);

/// All rows of one table with keys from a first one on, in rising order.
pub(super) struct Pages<'c, T> {
    connection: &'c Connection,
    ahead: VecDeque<Keyed<T>>,
    /// Key to go on from; `None` when the table is read to its end, or cannot be read further.
    next: Option<i64>,
    last: Option<i64>,
    /// Stands behind everything in `ahead`.
    failure: Option<ItemError>,
    stored: PhantomData<T>,
}

impl<'c, T: Stored> Pages<'c, T> {
    pub(super) fn from(connection: &'c Connection, first: i64) -> Self {
        let ahead = VecDeque::new();
        Self {
            connection,
            ahead,
            next: Some(first),
            last: None,
            failure: None,
            stored: PhantomData,
        }
    }

    /// Key of the next row, if there is one.
    pub(super) fn peek_key(&mut self) -> Option<i64> {
        self.fill();
        self.ahead.front().map(|(key, _)| *key)
    }

    pub(super) fn next_row(&mut self) -> Option<Keyed<T>> {
        self.fill();
        self.ahead.pop_front()
    }

    /// Why reading broke off, once every row before it has been taken.
    pub(super) fn take_failure(&mut self) -> Option<ItemError> {
        self.fill();
        if self.ahead.is_empty() {
            self.failure.take()
        } else {
            None
        }
    }

    fn fill(&mut self) {
        if !self.ahead.is_empty() {
            return;
        }
        let Some(first) = self.next.take() else { return };
        match self.read_page(first) {
            Ok(PageEnd::Full) => self.next = self.last.and_then(|last| last.checked_add(1)),
            Ok(PageEnd::Table) => {}
            Ok(PageEnd::OutOfOrder { row, after }) => {
                self.failure = Some(ItemError::OutOfOrder {
                    table: T::TABLE,
                    row,
                    after,
                });
            }
            Err(source) => {
                self.failure = Some(ItemError::Unreadable {
                    table: T::TABLE,
                    after: self.last,
                    source,
                });
            }
        }
    }

    fn read_page(&mut self, first: i64) -> rusqlite::Result<PageEnd> {
        let mut statement = self.connection.prepare_cached(T::SELECT)?;
        let mut rows = statement.query([first])?;
        let mut bytes = 0;
        while let Some(row) = rows.next()? {
            let key: i64 = row.get(0)?;
            // A damaged tree could lead in a circle; keys that always rise come to an end.
            if let Some(after) = self.last.filter(|last| key <= *last) {
                return Ok(PageEnd::OutOfOrder { row: key, after });
            }
            let stored = columns::read::<T>(row, key)?;
            bytes += stored.as_ref().map_or(0, T::weight_bytes);
            self.last = Some(key);
            self.ahead.push_back((key, stored));
            if self.ahead.len() >= PAGE_ROWS || bytes >= PAGE_BYTES {
                return Ok(PageEnd::Full);
            }
        }
        Ok(PageEnd::Table)
    }
}

enum PageEnd {
    Full,
    Table,
    OutOfOrder { row: i64, after: i64 },
}
