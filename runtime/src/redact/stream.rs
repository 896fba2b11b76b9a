//! Text that comes in pieces.

use std::sync::Arc;

use super::output::Output;
use super::rules::{CONTEXT_LEN, Rules};
use super::scan::Scanner;
use super::view::{End, View};

/// The most bytes of a text that a [`Stream`] holds back because they may be the beginning of a secret.
///
/// What is already known to be a secret is not held but dropped, however long it is.
pub const HELD_BYTES_MAX: usize = 65_536;

/// Takes secrets out of a text that comes in pieces: whatever the pieces, the results together are what
/// [`Redactor::redact`](super::Redactor::redact) makes of the whole.
///
/// It looks for what was registered when it was made. Dropped without [`Stream::finish`], it keeps what it held back.
pub struct Stream {
    scanner: Scanner,
    output: Output,
    window: String,
    /// The position of the window's first byte in the whole text.
    from: usize,
}

impl Stream {
    pub(super) fn new(rules: Arc<Rules>) -> Self {
        Self {
            scanner: Scanner::new(rules),
            output: Output::default(),
            window: String::new(),
            from: 0,
        }
    }

    /// Adds a piece and gives everything that is decided by now. It may be empty, and may hold more than the piece.
    pub fn push(&mut self, piece: &str) -> String {
        self.window.push_str(piece);
        let text = View::new(&self.window, self.from, End::Open);
        self.scanner.scan(text);
        let decided = self.scanner.decided(text);
        self.output.settle(&self.scanner, text, decided);
        self.forget(decided);
        self.output.take()
    }

    /// Ends the text and gives the rest of it.
    #[must_use]
    pub fn finish(mut self) -> String {
        let text = View::new(&self.window, self.from, End::Final);
        self.scanner.scan(text);
        self.output.settle(&self.scanner, text, text.len());
        self.output.take()
    }

    /// How much of the text is kept.
    #[cfg(test)]
    pub(super) fn held_bytes(&self) -> usize {
        self.window.len()
    }

    /// Drops what is decided, except for the few bytes that tell whether a token stands alone.
    fn forget(&mut self, decided: usize) {
        self.scanner.forget(decided);
        let keep = decided.min(self.scanner.needed_from()).saturating_sub(CONTEXT_LEN);
        let mut len = keep.saturating_sub(self.from).min(self.window.len());
        while !self.window.is_char_boundary(len) {
            len -= 1;
        }
        self.window.drain(..len);
        self.from += len;
    }
}
