//! Copies of a ledger that are ledgers themselves (ledger-v1 §4.8).
//!
//! [`backup`] copies pages and so keeps everything, damage included. [`export`] copies rows, so that nothing but the
//! ledger comes along, and refuses what is damaged: a copy must not look sounder than its original. Both read one
//! state of the ledger beside a writer of any process, and neither replaces a file.

use std::path::{Path, PathBuf};

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, params};

use countersign_schemas::body::Body;
use countersign_schemas::number::{Count, Seq, Size};
use countersign_schemas::payload::PayloadClass;
use countersign_schemas::record::Record;
use countersign_schemas::statement::Statement;

use super::aside::{Appeared, Aside, appear};
use super::sqlite::{insert_rows, set_journal};
use super::stored::{DamagedRow, Rows};
use super::{Row, StoreError, WalDamage};
use crate::cose::Unverified;
use crate::layout::{self, Slot};
use crate::reader::{LedgerReader, ReadError};

/// What goes into an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Every payload that is there.
    Whole,
    /// Only payloads of class 1, the evidence that verdicts rest on: what may be erased stays out.
    WithoutErasable,
}

/// What was copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// Absolute path of the copy.
    pub path: PathBuf,
    /// Number of its records.
    pub size: Size,
    /// Payloads that the original has and the copy has not.
    pub left_out: Count,
    /// Length of the copy in bytes.
    pub len_bytes: u64,
}

/// Why a ledger was not copied. Nothing has the copy's name then, save after [`StoreError::Exists`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CopyError {
    /// The original cannot be read.
    #[error(transparent)]
    Original(#[from] ReadError),
    /// The copy cannot be made.
    #[error(transparent)]
    Copy(#[from] StoreError),
    /// The `-wal` of the original has lost transactions that were durable, and so would the copy.
    #[error("{}-wal: damaged at frame {}, and {} commits from there on are lost", path.display(), damage.frame, damage.commits)]
    WalDamaged {
        /// Path of the original.
        path: PathBuf,
        /// Where it is damaged, and what is lost.
        damage: WalDamage,
    },
    /// A row of the original is not one that a ledger holds, or cannot be read.
    #[error("the ledger is damaged")]
    Damaged(#[from] DamagedRow),
    /// The record cannot be decoded, so nothing says which of its payloads may be erased.
    #[error("entry {seq}: nothing says which of its payloads may be erased")]
    ClassUnknown {
        /// The entry.
        seq: Seq,
        /// What is wrong with its record.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A payload row stands in a slot that its entry does not refer to.
    #[error("the ledger is damaged: entry {seq} refers to no payload {slot}")]
    NoReference {
        /// The entry.
        seq: Seq,
        /// The slot.
        slot: u8,
    },
}

/// Copies the ledger at `from` page by page into a new, closed file at `to`.
///
/// The copy holds whatever the original holds, caches and damage included, as of one moment. The writer goes on
/// meanwhile; SQLite only cannot reuse the `-wal` from its beginning until the copy is done.
///
/// # Errors
/// [`CopyError::Original`] and [`CopyError::Copy`].
pub fn backup(from: &Path, to: &Path) -> Result<Copied, CopyError> {
    let original = open_original(from)?;
    let appeared: Result<_, CopyError> = appear(to, |aside| {
        copy_pages(&original, aside)?;
        Ok((close_copy(aside)?, Count::ZERO))
    });
    copied(appeared?)
}

/// Copies the three tables of the ledger at `from` row by row into a new, closed file at `to`: no caches, no free pages.
///
/// Without erasable payloads the copy proves less: references without a payload are *unproven* (authority-v1).
///
/// # Errors
/// Any [`CopyError`]. A ledger that is damaged so that rows are missing or malformed is not exported; [`backup`] copies it.
pub fn export(from: &Path, to: &Path, content: Content) -> Result<Copied, CopyError> {
    let original = open_original(from)?;
    copied(appear(to, |aside| copy_rows(&original, aside, content))?)
}

fn open_original(from: &Path) -> Result<LedgerReader, CopyError> {
    let original = LedgerReader::open(from)?;
    match original.wal_damage()? {
        None => Ok(original),
        Some(damage) => {
            let path = original.path().to_path_buf();
            Err(CopyError::WalDamaged { path, damage })
        }
    }
}

/// The copy is finished and has its name; nobody keeps the writer's place for it.
fn copied(appeared: Appeared<(Size, Count)>) -> Result<Copied, CopyError> {
    let Appeared { path, lock, made } = appeared;
    lock.remove();
    let metadata = path
        .metadata()
        .map_err(|error| StoreError::of_io(&path, "measuring the copy", error))?;
    let (size, left_out) = made;
    Ok(Copied {
        len_bytes: metadata.len(),
        path,
        size,
        left_out,
    })
}

/// One step over all pages stands in one read transaction, so no page is of another moment than the rest.
fn copy_pages(original: &LedgerReader, aside: &Aside) -> Result<(), StoreError> {
    let mut copy = aside.connect()?;
    let step = Backup::new(original.connection(), &mut copy).and_then(|backup| backup.step(-1));
    match step.map_err(|error| aside.failed(error))? {
        StepResult::Done => {}
        // Nobody knows the copy yet, so it is the original that somebody keeps locked.
        _ => {
            let path = original.path().to_path_buf();
            let doing = "copying it";
            return Err(StoreError::Busy { path, doing });
        }
    }
    copy.close().map_err(|(_, error)| aside.failed(error))
}

/// Takes the mark of a `-wal` out of the header, which came along with the first page, and counts the records.
fn close_copy(aside: &Aside) -> Result<Size, StoreError> {
    let copy = aside.connect_again()?;
    let size = set_journal(&copy, "memory").and_then(|()| count(&copy));
    let size = size.map_err(|error| aside.failed(error))?;
    copy.close().map_err(|(_, error)| aside.failed(error))?;
    Ok(size)
}

fn count(copy: &Connection) -> rusqlite::Result<Size> {
    let last: Option<i64> = copy.query_row("SELECT max(seq) FROM record NOT INDEXED", [], |row| row.get(0))?;
    Ok(last
        .and_then(|last| u64::try_from(last).ok())
        .map_or(Size::ZERO, |last| Seq::clamped(last).size()))
}

fn copy_rows(original: &LedgerReader, aside: &Aside, content: Content) -> Result<(Size, Count), CopyError> {
    let mut copy = aside.connect()?;
    let transaction = copy.transaction().map_err(|error| aside.failed(error))?;
    layout::lay_out(&transaction).map_err(|error| aside.failed(error))?;
    let (mut size, mut left_out) = (Size::ZERO, Count::ZERO);
    for row in Rows::from(Seq::ZERO, original.entries()) {
        let mut row = row?;
        if content == Content::WithoutErasable {
            let dropped = keep_evidence(&mut row)?;
            left_out = Count::clamped(left_out.get() + dropped as u64);
        }
        size = row.seq().size();
        insert_rows(&transaction, &[row]).map_err(|error| aside.failed(error))?;
    }
    for checkpoint in original.checkpoints() {
        let checkpoint = checkpoint.map_err(DamagedRow::Item)?;
        let insert = "INSERT INTO checkpoint(size, note) VALUES (?1, ?2)";
        transaction
            .execute(insert, params![checkpoint.size, checkpoint.note])
            .map_err(|error| aside.failed(error))?;
    }
    transaction.commit().map_err(|error| aside.failed(error))?;
    copy.close().map_err(|(_, error)| aside.failed(error))?;
    Ok((size, left_out))
}

/// Drops the payloads that may be erased, and counts them. Which they are, the record says.
fn keep_evidence(row: &mut Row) -> Result<usize, CopyError> {
    let (seq, before) = (row.seq, row.payloads.len());
    if before == 0 {
        return Ok(0);
    }
    let body = body(&row.record).map_err(|source| CopyError::ClassUnknown { seq, source })?;
    let references = body.payloads();
    let class = |slot: Slot| references.get(usize::from(slot.get())).map(|reference| reference.class);
    if let Some((slot, ..)) = row.payloads.iter().find(|(slot, ..)| class(*slot).is_none()) {
        return Err(CopyError::NoReference { seq, slot: slot.get() });
    }
    row.payloads
        .retain(|(slot, ..)| class(*slot) == Some(PayloadClass::Evidence));
    Ok(before - row.payloads.len())
}

fn body(record: &[u8]) -> Result<Body, Box<dyn std::error::Error + Send + Sync>> {
    let record = Record::decode(record)?;
    let envelope = Unverified::parse(&record.statement)?;
    Ok(Statement::decode(envelope.payload())?.body)
}
