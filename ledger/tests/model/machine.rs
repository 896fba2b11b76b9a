//! The ledger under test beside its reference: each operation is done to both, and then both are compared.

use std::path::{Path, PathBuf};

use countersign_ledger::appender::{AppendError, Appender, Durable};
use countersign_ledger::merkle::{Frontier, Root};
use countersign_ledger::reader::LedgerReader;
use countersign_ledger::store::{Content, Sqlite, Store, StoreError, backup, export};
use countersign_schemas::number::Size;
use tempfile::TempDir;

use super::Anyhow;
use super::operation::{Operation, RowPlan};
use super::reference::Reference;
use super::shared::Shared;
use super::snapshot;

/// The machine of the test.
pub(super) struct Machine {
    folder: TempDir,
    /// How many sets of files there were: after a crash the machine goes on with a copy.
    lives: u32,
    copies: u32,
    open: Option<Writer>,
    reference: Reference,
}

/// A ledger that is open for writing.
struct Writer {
    store: Shared,
    appender: Appender<Shared>,
    /// What was submitted and not awaited: the size or the checkpoint that is durable when the answer comes.
    pending: Vec<(Awaited, Durable)>,
}

#[derive(Clone, Copy)]
enum Awaited {
    Entries(u64),
    Note(u64),
}

impl Writer {
    fn over(store: Sqlite) -> Anyhow<Self> {
        let store = Shared::new(store);
        Ok(Self {
            appender: Appender::start(store.clone())?,
            store,
            pending: Vec::new(),
        })
    }
}

impl Machine {
    /// A new ledger of one entry, open.
    pub(super) fn new() -> Anyhow<Self> {
        let mut machine = Self {
            folder: TempDir::new()?,
            lives: 0,
            copies: 0,
            open: None,
            reference: Reference::default(),
        };
        let genesis = RowPlan {
            record_bytes: 400,
            payloads: vec![(0, 100)],
        };
        let first = machine.reference.rows(0, &[genesis])?;
        first.iter().for_each(|row| machine.reference.submit(row));
        machine.open = Some(Writer::over(Sqlite::create(&machine.path(), &first)?)?);
        machine.reference.acknowledge(1);
        Ok(machine)
    }

    /// Does one operation and compares.
    pub(super) fn step(&mut self, operation: &Operation) -> Anyhow<()> {
        match (operation, self.open.take()) {
            (Operation::Backup | Operation::Export, open) => {
                self.open = open;
                self.copy(operation)?;
            }
            (_, Some(writer)) => self.open = self.step_open(writer, operation)?,
            (Operation::Open, None) => self.reopen()?,
            (_, None) => {}
        }
        self.compare()
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join(format!("ledger-{}.db", self.lives))
    }

    /// Whatever happened: a reader finds what it must find, beside the writer and without it.
    fn compare(&mut self) -> Anyhow<()> {
        self.hear_answers()?;
        let found = self.reference.check(&LedgerReader::open(&self.path())?)?;
        if self.root_of(&self.path(), found.entries)? != self.reference.root(found.entries) {
            return Err("the root differs".into());
        }
        Ok(())
    }

    /// A copy holds what a ledger of its moment holds, is one closed file, and can be gone on with.
    fn copy(&mut self, operation: &Operation) -> Anyhow<()> {
        self.hear_answers()?;
        self.copies += 1;
        let path = self.folder.path().join(format!("copy-{}.db", self.copies));
        let copied = match operation {
            Operation::Backup => backup(&self.path(), &path)?,
            _ => export(&self.path(), &path, Content::Whole)?,
        };
        let beside: Vec<_> = ["-wal", "-shm", "-journal", "-lock"]
            .into_iter()
            .filter(|suffix| snapshot::beside(&path, suffix).exists())
            .collect();
        let found = self.reference.check(&LedgerReader::open(&path)?)?;
        if !beside.is_empty() || copied.size != found.size() || copied.left_out.get() != 0 {
            return Err(format!("{copied:?} holds {} entries; beside it: {beside:?}", found.entries).into());
        }
        if self.root_of(&path, found.entries)? != self.reference.root(found.entries) {
            return Err("the root of the copy differs".into());
        }
        let store = Sqlite::open(&path)?;
        match store.size() == found.size() {
            true => Ok(store.close()?),
            false => Err(format!("the copy opens with {} entries", store.size()).into()),
        }
    }

    fn root_of(&self, path: &Path, size: u64) -> Anyhow<Root> {
        let mut tree = Frontier::new();
        for entry in LedgerReader::open(path)?.entries().take(usize::try_from(size)?) {
            tree.push(&entry?.record);
        }
        Ok(tree.root())
    }

    /// Takes in which answers have come; nothing failed, so none is an error.
    fn hear_answers(&mut self) -> Anyhow<()> {
        let Some(writer) = &mut self.open else { return Ok(()) };
        for (awaited, durable) in std::mem::take(&mut writer.pending) {
            match durable.poll_now() {
                Some(answer) => note(&mut self.reference, awaited, answer)?,
                None => writer.pending.push((awaited, durable)),
            }
        }
        Ok(())
    }

    fn settle(&mut self, writer: &mut Writer) -> Anyhow<()> {
        for (awaited, durable) in writer.pending.drain(..) {
            note(&mut self.reference, awaited, durable.wait())?;
        }
        Ok(())
    }

    /// An operation on an open ledger; gives the writer back if it lives on.
    fn step_open(&mut self, mut writer: Writer, operation: &Operation) -> Anyhow<Option<Writer>> {
        match operation {
            Operation::Submit { rows, await_all } => {
                self.submit(&mut writer, rows)?;
                if *await_all {
                    self.settle(&mut writer)?;
                }
            }
            Operation::SubmitElsewhere { ahead, distance } => self.submit_elsewhere(&writer, *ahead, *distance)?,
            Operation::AppendToOtherSize { rows, distance } => {
                self.append_to_other_size(&mut writer, rows, *distance)?
            }
            Operation::Checkpoint { note_bytes } => self.checkpoint(&mut writer, *note_bytes),
            Operation::CheckpointMisfit { distance } => self.checkpoint_misfit(&mut writer, *distance)?,
            Operation::Tidy => writer.store.between(Store::tidy)?,
            Operation::Open => {
                let refused = Sqlite::open(&self.path()).err();
                if !matches!(refused, Some(StoreError::LockedByAnotherWriter { .. })) {
                    return Err(format!("a second writer got {refused:?}").into());
                }
            }
            Operation::Abandon => {
                // What the appender was given it writes before it goes.
                let Writer { appender, pending, .. } = writer;
                drop(appender);
                for (awaited, durable) in pending {
                    note(&mut self.reference, awaited, durable.wait())?;
                }
                return Ok(None);
            }
            Operation::Kill => {
                let left = writer.store.snapshot()?;
                self.lives += 1;
                left.put(&self.path())?;
                return self.after_crash(writer);
            }
            Operation::PowerCut { rows, seed } => {
                self.settle(&mut writer)?;
                writer.store.watch_next();
                self.submit_unacknowledged(&writer, rows)?;
                let (before, after) = writer.store.seen().ok_or("no commit was seen")?;
                self.lives += 1;
                before.torn(after, *seed).put(&self.path())?;
                return self.after_crash(writer);
            }
            Operation::Close => {
                self.settle(&mut writer)?;
                let Writer { appender, store, .. } = writer;
                drop(appender.close()?);
                store.into_store().ok_or("the store is still shared")?.close()?;
                return Ok(None);
            }
            // Done without the writer, whoever has it.
            Operation::Backup | Operation::Export => {}
        }
        Ok(Some(writer))
    }

    fn submit(&mut self, writer: &mut Writer, plans: &[RowPlan]) -> Anyhow<()> {
        for row in self.reference.rows(self.reference.submitted(), plans)? {
            self.reference.submit(&row);
            let size = self.reference.submitted();
            writer
                .pending
                .push((Awaited::Entries(size), writer.appender.submit(row)));
        }
        Ok(())
    }

    /// Rows that nobody hears of: the power fails before anybody is told.
    fn submit_unacknowledged(&mut self, writer: &Writer, plans: &[RowPlan]) -> Anyhow<()> {
        let rows = self.reference.rows(self.reference.submitted(), plans)?;
        rows.iter().for_each(|row| self.reference.submit(row));
        for durable in rows
            .into_iter()
            .map(|row| writer.appender.submit(row))
            .collect::<Vec<_>>()
        {
            durable.wait()?;
        }
        Ok(())
    }

    fn submit_elsewhere(&mut self, writer: &Writer, ahead: bool, distance: u64) -> Anyhow<()> {
        let next = self.reference.submitted();
        let place = if ahead {
            next + distance
        } else {
            next.saturating_sub(distance)
        };
        for row in self.reference.rows(place, &[small_row()])? {
            match writer.appender.submit(row).wait() {
                Err(AppendError::OutOfSequence { expected, found })
                    if (expected.get(), found.get()) == (next, place) => {}
                other => return Err(format!("a row for {place} instead of {next} gave {other:?}").into()),
            }
        }
        Ok(())
    }

    fn append_to_other_size(&mut self, writer: &mut Writer, plans: &[RowPlan], distance: u64) -> Anyhow<()> {
        self.settle(writer)?;
        let size = self.reference.submitted();
        let ahead = self.reference.rows(size + distance, plans)?;
        let refused = writer
            .store
            .between(|store| store.append(Size::clamped(size + distance), &ahead));
        if !matches!(refused, Err(StoreError::SizeMoved { found, .. }) if found.get() == size) {
            return Err(format!("appending {distance} beyond the end gave {refused:?}").into());
        }
        let refused = writer.store.between(|store| store.append(Size::clamped(size), &ahead));
        if !matches!(refused, Err(StoreError::OutOfSequence { .. })) {
            return Err(format!("rows of other places gave {refused:?}").into());
        }
        Ok(())
    }

    fn checkpoint(&mut self, writer: &mut Writer, note_bytes: usize) {
        let size = self.reference.submitted();
        if !self.reference.has_note(size) {
            let note = size
                .to_be_bytes()
                .into_iter()
                .cycle()
                .take(note_bytes)
                .collect::<Vec<u8>>();
            self.reference.submit_note(size, note.clone());
            let durable = writer.appender.put_checkpoint(Size::clamped(size), note);
            writer.pending.push((Awaited::Note(size), durable));
        }
    }

    fn checkpoint_misfit(&mut self, writer: &mut Writer, distance: u64) -> Anyhow<()> {
        let size = match distance {
            0 => 0,
            _ => self.reference.submitted() + distance,
        };
        let refused = writer
            .appender
            .put_checkpoint(Size::clamped(size), b"note".to_vec())
            .wait();
        if !matches!(refused, Err(AppendError::CheckpointRefused { .. })) {
            return Err(format!("a checkpoint over {size} gave {refused:?}").into());
        }
        Ok(())
    }

    /// The old files are forgotten; whatever their writer still does is not seen any more.
    fn after_crash(&mut self, writer: Writer) -> Anyhow<Option<Writer>> {
        drop(writer);
        // A reader looks first: what it finds is what the next writer has to find.
        let found = self.reference.check(&LedgerReader::open(&self.path())?)?;
        self.reference.settle(found)?;
        Ok(None)
    }

    fn reopen(&mut self) -> Anyhow<()> {
        let found = self.reference.check(&LedgerReader::open(&self.path())?)?;
        let store = Sqlite::open(&self.path())?;
        if store.size() != found.size() {
            return Err(format!("the writer finds {} entries, a reader {}", store.size(), found.entries).into());
        }
        self.reference.settle(found)?;
        self.open = Some(Writer::over(store)?);
        Ok(())
    }
}

fn note(reference: &mut Reference, awaited: Awaited, answer: Result<(), AppendError>) -> Anyhow<()> {
    answer?;
    match awaited {
        Awaited::Entries(size) => reference.acknowledge(size),
        Awaited::Note(size) => reference.acknowledge_note(size),
    }
    Ok(())
}

fn small_row() -> RowPlan {
    RowPlan {
        record_bytes: 100,
        payloads: Vec::new(),
    }
}
