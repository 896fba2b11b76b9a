//! The output of a command as it comes in: little of it in memory, and of an endless one both ends.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::lossy::Lossy;
use super::results::ResultsFolder;

/// How much of each end is kept in memory. Twice this is more than any tool shows.
const HALF_IN_MEMORY_BYTES: u64 = 128 << 10;

/// How much of each end is kept in a file: 16 MiB in all.
const HALF_IN_FILE_BYTES: u64 = 8 << 20;

/// How much is taken out at once.
const PIECE_LEN_BYTES: usize = 64 << 10;

/// A stream of bytes of any length. It moves from memory to a nameless file beside the results when it grows; where
/// there can be no file, less is kept.
pub(super) struct Spool {
    folder: ResultsFolder,
    store: Store,
    half: u64,
    total: u64,
    fault: Option<Fault>,
}

enum Store {
    Memory(Vec<u8>),
    File(File),
}

/// What kept it from keeping more.
enum Fault {
    /// No file: it stays in memory.
    NoFile,
    /// The file took nothing any more from here on; what the end was is lost.
    Broken { at: u64 },
}

impl Spool {
    /// An empty one.
    pub(super) fn new(folder: ResultsFolder) -> Self {
        Self {
            folder,
            store: Store::Memory(Vec::new()),
            half: HALF_IN_MEMORY_BYTES,
            total: 0,
            fault: None,
        }
    }

    /// Takes what came in. It cannot fail: what cannot be kept is counted.
    pub(super) fn push(&mut self, mut bytes: &[u8]) {
        if self.total + bytes.len() as u64 > 2 * self.half {
            self.move_to_file();
        }
        while !bytes.is_empty() {
            let (offset, room) = self.slot(self.total);
            let (now, later) = bytes.split_at(bytes.len().min(room));
            self.put(offset, now);
            self.total += now.len() as u64;
            bytes = later;
        }
    }

    /// Bytes that came in.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// Whether all of it is in memory, so that taking it as text costs little.
    pub(super) fn is_small(&self) -> bool {
        matches!(self.store, Store::Memory(_)) && self.left_out() == 0
    }

    /// All that is kept, as one text.
    pub(super) fn whole_text(&self) -> String {
        let mut text = String::new();
        self.each_text(&mut |piece| text.push_str(piece));
        text
    }

    /// Gives all that is kept to `each`, as text, piece by piece; where something is missing a line says so.
    pub(super) fn each_text(&self, each: &mut dyn FnMut(&str)) {
        let left_out = self.left_out();
        if left_out == 0 {
            // In one go: a character may lie across the seam of the halves.
            return self.each_of(0..self.total, each);
        }
        self.each_of(self.head(), each);
        each(&format!("\n[{left_out} bytes of output were not kept here]\n"));
        self.each_of(self.tail(), each);
    }

    /// The next text at or behind position `from`, at most `len_max` bytes of output, and where the one after it begins.
    /// It ends with a line if there is more and its second half has a line's end. A character that has not come in whole
    /// is left for the next time, unless the writer is gone.
    pub(super) fn next_text(&self, from: u64, len_max: usize, writer: Writer) -> NextText {
        let part = self.kept_from(from);
        let mut bytes = Vec::new();
        while bytes.len() < len_max
            && let Some(piece) = self.piece(part.start + bytes.len() as u64..part.end)
        {
            bytes.extend_from_slice(&piece[..piece.len().min(len_max - bytes.len())]);
        }
        let is_all = part.start + bytes.len() as u64 == part.end;
        if !is_all
            && let Some(end) = bytes
                .iter()
                .rposition(|byte| *byte == b'\n')
                .filter(|end| *end > len_max / 2)
        {
            bytes.truncate(end + 1);
        }
        let mut lossy = Lossy::default();
        let mut text = lossy.push(&bytes);
        let mut next = part.start + bytes.len() as u64;
        if is_all && (writer == Writer::Gone || part.end < self.total) {
            text.push_str(lossy.finish());
        } else {
            next -= lossy.unfinished_len() as u64;
        }
        NextText {
            text,
            skipped: part.start - from.min(part.start),
            next,
        }
    }

    /// What is kept in a row at or behind `from`.
    fn kept_from(&self, from: u64) -> Range<u64> {
        let (head, tail) = (self.head(), self.tail());
        if self.left_out() == 0 {
            from.min(self.total)..self.total
        } else if from < head.end {
            from..head.end
        } else {
            from.max(tail.start)..tail.end
        }
    }

    /// Whether the output ends with a line feed.
    pub(super) fn ends_with_line_feed(&self) -> bool {
        let last = self.total.checked_sub(1);
        last.and_then(|last| self.piece(last..self.total)).as_deref() == Some(b"\n")
    }

    fn each_of(&self, part: Range<u64>, each: &mut dyn FnMut(&str)) {
        let mut lossy = Lossy::default();
        let mut position = part.start;
        while position < part.end {
            let Some(piece) = self.piece(position..part.end) else {
                each("\n[the rest of the output cannot be read back]\n");
                return;
            };
            position += piece.len() as u64;
            each(&lossy.push(&piece));
        }
        each(lossy.finish());
    }

    fn left_out(&self) -> u64 {
        self.tail().start - self.head().end
    }

    fn head(&self) -> Range<u64> {
        let kept = match self.fault {
            Some(Fault::Broken { at }) => at,
            _ => self.total,
        };
        0..kept.min(self.half)
    }

    /// Empty after a broken write: which of its bytes are old and which new is not known.
    fn tail(&self) -> Range<u64> {
        if let Some(Fault::Broken { .. }) = self.fault {
            return self.total..self.total;
        }
        let start = self.total.saturating_sub(self.half).max(self.half);
        start.min(self.total)..self.total
    }

    /// Where the byte at `position` lies, and how many lie there in a row: the second half is a ring.
    fn slot(&self, position: u64) -> (u64, usize) {
        let offset = if position < self.half {
            position
        } else {
            self.half + (position - self.half) % self.half
        };
        let end = if offset < self.half { self.half } else { 2 * self.half };
        // At most 8 MiB.
        (offset, usize::try_from(end - offset).unwrap_or(usize::MAX))
    }

    fn put(&mut self, offset: u64, bytes: &[u8]) {
        match &mut self.store {
            Store::Memory(memory) => {
                let offset = usize::try_from(offset).unwrap_or(usize::MAX);
                let end = offset + bytes.len();
                if memory.len() < end {
                    memory.resize(end, 0);
                }
                memory[offset..end].copy_from_slice(bytes);
            }
            Store::File(file) => {
                let is_sound = !matches!(self.fault, Some(Fault::Broken { .. }));
                if is_sound && file.write_all_at(bytes, offset).is_err() {
                    self.fault = Some(Fault::Broken { at: self.total });
                }
            }
        }
    }

    /// At most [`PIECE_LEN_BYTES`] from the beginning of `part`, which is kept; nothing if it is empty or cannot be read.
    fn piece(&self, part: Range<u64>) -> Option<Vec<u8>> {
        if part.is_empty() {
            return None;
        }
        let (offset, in_a_row) = self.slot(part.start);
        let wanted = usize::try_from(part.end - part.start).unwrap_or(usize::MAX);
        let len = wanted.min(in_a_row).min(PIECE_LEN_BYTES);
        match &self.store {
            Store::Memory(memory) => {
                let offset = usize::try_from(offset).ok()?;
                memory.get(offset..offset + len).map(<[u8]>::to_vec)
            }
            Store::File(file) => {
                let mut piece = vec![0; len];
                file.read_exact_at(&mut piece, offset).ok()?;
                Some(piece)
            }
        }
    }

    /// All bytes so far lie at the offset that is their position, in both stores.
    fn move_to_file(&mut self) {
        let Store::Memory(memory) = &self.store else { return };
        if self.fault.is_some() {
            return;
        }
        let moved = self.folder.nameless().map_err(io::Error::other).and_then(|file| {
            file.write_all_at(memory, 0)?;
            Ok(file)
        });
        match moved {
            Ok(file) => {
                self.store = Store::File(file);
                self.half = HALF_IN_FILE_BYTES;
            }
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "long output is kept in memory only"
                );
                self.fault = Some(Fault::NoFile);
            }
        }
    }
}

/// Whether more can come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Writer {
    Writing,
    Gone,
}

/// What came after a position.
pub(super) struct NextText {
    pub(super) text: String,
    /// Bytes between the position and the text that are kept no longer.
    pub(super) skipped: u64,
    /// The position behind the text.
    pub(super) next: u64,
}

/// A spool that one writes and others read.
#[derive(Clone)]
pub(super) struct SharedSpool(Arc<Mutex<Spool>>);

impl SharedSpool {
    pub(super) fn new(spool: Spool) -> Self {
        Self(Arc::new(Mutex::new(spool)))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Spool> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[path = "spool_tests.rs"]
mod tests;
