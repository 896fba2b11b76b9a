//! What becomes of a result at the end of its call: shown whole, or kept in a file and shown in part.
//!
//! Decided once: [`Overflow::settle`] uses the [`Overflow`] up, and it comes from the permit of the call alone. What is
//! shown, and what lies in the file, has been redacted before.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use countersign_schemas::digest::{Digest, DigestStream};

use super::preview::{Preview, floor_boundary};
use super::results::{ResultFile, ResultsFolder, SpillError};
use super::spool::SharedSpool;
use crate::gate::Permit;

/// How much is redacted and written at once, so that a long result is not held twice.
const PIECE_LEN_BYTES: usize = 64 << 10;

/// The result of one call on its way to the agent.
pub struct Overflow {
    folder: ResultsFolder,
    outlet: Outlet,
}

/// Where a tool puts output that is too long to be held in memory: the part of the result before the text that the tool
/// returns. It goes with the permit from the gate to the tool.
#[derive(Clone, Default)]
pub struct Outlet(Arc<Mutex<Option<SharedSpool>>>);

impl Outlet {
    /// Makes `long` the beginning of the result.
    pub(super) fn put(&self, long: SharedSpool) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(long);
    }

    fn take(&self) -> Option<SharedSpool> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl fmt::Debug for Outlet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What a command wrote may be secret.
        f.write_str("Outlet")
    }
}

/// Takes secrets out of a text that comes piece by piece, as every result does before it is shown or written.
pub trait Redaction: Sized + Send + 'static {
    /// What can be handed on after the next piece. A secret may lie across two pieces.
    fn push(&mut self, text: &str) -> String;

    /// The rest, when there are no more pieces.
    fn finish(self) -> String;
}

/// A result as the agent sees it, and as the ledger commits to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// The whole result, or its first and last lines and where the whole is.
    pub content: String,
    /// The file that holds the whole, if it was too long.
    pub spilled: Option<Spilled>,
}

/// A result in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spilled {
    /// Path relative to the workspace.
    pub path: String,
    /// Length of the file.
    pub len_bytes: u64,
    /// Lines of the file; the last need not end in a line feed.
    pub lines: u64,
    /// SHA-256 of the file.
    pub digest: Digest,
}

impl Overflow {
    /// For the result of the call that `permit` allows. Nothing is made on disk before there is need.
    #[must_use]
    pub fn of(permit: &Permit) -> Self {
        Self {
            folder: ResultsFolder::of(permit),
            outlet: permit.outlet().clone(),
        }
    }

    /// Makes of what the tool put into the outlet, followed by `content`, what the agent sees, after `redaction`: all of
    /// it, or, if that is more than `limit` bytes, first and last lines within `limit` (640 bytes at least) and the name
    /// of the file in the workspace that holds the whole.
    pub async fn settle(self, content: String, limit: usize, redaction: impl Redaction) -> Settled {
        let settled = tokio::task::spawn_blocking(move || self.settle_now(&content, limit, redaction)).await;
        // What was not redacted is not shown.
        settled.unwrap_or_else(|_| Settled {
            content: "[the result is withheld: it could not be prepared by a fault of countersign]".to_owned(),
            spilled: None,
        })
    }

    fn settle_now(&self, content: &str, limit: usize, mut redaction: impl Redaction) -> Settled {
        let mut whole = Whole::new(&self.folder, limit);
        if let Some(long) = self.outlet.take() {
            long.lock().each_text(&mut |text| whole.push(&redaction.push(text)));
        }
        let mut rest = content;
        while !rest.is_empty() {
            let (piece, behind) = rest.split_at(floor_boundary(rest, PIECE_LEN_BYTES));
            whole.push(&redaction.push(piece));
            rest = behind;
        }
        whole.push(&redaction.finish());
        whole.finish()
    }
}

/// A redacted result as it is shown and, once it is too long for that, written.
struct Whole<'a> {
    folder: &'a ResultsFolder,
    limit: usize,
    /// All of it, as long as it fits.
    short: String,
    long: Option<Long>,
}

/// A redacted result that does not fit.
struct Long {
    file: Result<ResultFile, SpillError>,
    preview: Preview,
    digest: DigestStream,
    len_bytes: u64,
    line_feeds: u64,
    is_line_open: bool,
}

impl<'a> Whole<'a> {
    fn new(folder: &'a ResultsFolder, limit: usize) -> Self {
        Self {
            folder,
            limit,
            short: String::new(),
            long: None,
        }
    }

    fn push(&mut self, text: &str) {
        if let Some(long) = &mut self.long {
            return long.push(text);
        }
        self.short.push_str(text);
        if self.short.len() > self.limit {
            let mut long = Long::new(self.folder.create(), self.limit);
            long.push(&std::mem::take(&mut self.short));
            self.long = Some(long);
        }
    }

    fn finish(self) -> Settled {
        match self.long {
            Some(long) => long.finish(),
            None => Settled {
                content: self.short,
                spilled: None,
            },
        }
    }
}

impl Long {
    fn new(file: Result<ResultFile, SpillError>, limit: usize) -> Self {
        Self {
            file,
            preview: Preview::new(limit),
            digest: DigestStream::default(),
            len_bytes: 0,
            line_feeds: 0,
            is_line_open: false,
        }
    }

    fn push(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        self.preview.push(text);
        self.digest.push(text.as_bytes());
        self.len_bytes += text.len() as u64;
        self.line_feeds += text.bytes().filter(|byte| *byte == b'\n').count() as u64;
        self.is_line_open = !text.ends_with('\n');
        let Ok(file) = &mut self.file else { return };
        if let Err(error) = file.push(text)
            && let Ok(half) = std::mem::replace(&mut self.file, Err(error))
        {
            half.discard();
        }
    }

    fn finish(self) -> Settled {
        let (len_bytes, lines) = (self.len_bytes, self.line_feeds + u64::from(self.is_line_open));
        let digest = self.digest.finish();
        let kept = self.file.map(|file| Spilled {
            path: file.path(),
            len_bytes,
            lines,
            digest,
        });
        let notice = match &kept {
            Ok(spilled) => spilled.notice(),
            Err(error) => format!("[{len_bytes} bytes in {lines} lines; the whole could not be kept: {error}]"),
        };
        Settled {
            content: self.preview.finish(&notice),
            spilled: kept.ok(),
        }
    }
}

impl Spilled {
    fn notice(&self) -> String {
        format!(
            "[the whole result, {} bytes in {} lines, is in {} (SHA-256 {})]",
            self.len_bytes, self.lines, self.path, self.digest
        )
    }
}

#[cfg(test)]
#[path = "overflow_tests.rs"]
mod tests;
