//! Results have an end: what is cut off is said.

use std::collections::VecDeque;

/// Room kept for the sentence that says what is missing.
const NOTICE_LEN_BYTES: usize = 96;

/// Cuts `text` to `limit` bytes at a character boundary and says so in its last line.
pub(super) fn cut(mut text: String, limit: usize) -> String {
    let len = text.len();
    if len <= limit {
        return text;
    }
    text.truncate(floor_boundary(&text, limit.saturating_sub(NOTICE_LEN_BYTES)));
    let shown = text.len();
    text.push_str(&format!("\n[cut: the first {shown} of {len} bytes are shown]"));
    text
}

/// Keeps the beginning and the end of a stream of any length in bounded memory.
pub(super) struct HeadAndTail {
    half: usize,
    head: Vec<u8>,
    tail: VecDeque<u8>,
    left_out: u64,
}

impl HeadAndTail {
    /// For a text of at most `limit` bytes.
    pub(super) fn new(limit: usize) -> Self {
        let half = limit.saturating_sub(NOTICE_LEN_BYTES) / 2;
        Self {
            half,
            head: Vec::new(),
            tail: VecDeque::new(),
            left_out: 0,
        }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        let room = self.half - self.head.len();
        let (first, rest) = bytes.split_at(room.min(bytes.len()));
        self.head.extend_from_slice(first);
        self.tail.extend(rest);
        let over = self.tail.len().saturating_sub(self.half);
        self.tail.drain(..over);
        self.left_out += over as u64;
    }

    /// The text, invalid UTF-8 replaced, with a line where something is missing.
    pub(super) fn into_text(self) -> String {
        if self.left_out == 0 {
            // One conversion over both halves: a character may lie across the seam.
            let bytes: Vec<u8> = self.head.into_iter().chain(self.tail).collect();
            return cut(
                String::from_utf8_lossy(&bytes).into_owned(),
                2 * self.half + NOTICE_LEN_BYTES,
            );
        }
        let mut text = String::from_utf8_lossy(&self.head).into_owned();
        text.truncate(floor_boundary(&text, self.half));
        let tail = Vec::from(self.tail);
        let tail = String::from_utf8_lossy(&tail);
        // A replaced byte takes three: the end may be longer than its half now.
        let start = ceil_boundary(&tail, tail.len().saturating_sub(self.half));
        text.push_str(&format!("\n[cut: {} bytes or more are left out here]\n", self.left_out));
        text.push_str(&tail[start..]);
        text
    }
}

fn floor_boundary(text: &str, mut index: usize) -> usize {
    index = index.min(text.len());
    while !text.is_char_boundary(index) {
        index -= 1;
    }
    index
}

fn ceil_boundary(text: &str, mut index: usize) -> usize {
    while !text.is_char_boundary(index) {
        index += 1;
    }
    index
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_text_is_left_alone() {
        assert_eq!(cut("abc".to_owned(), 3), "abc");
    }

    #[test]
    fn cut_keeps_the_limit_and_whole_characters() {
        let text = cut("\u{20ac}".repeat(1_000), 300);
        assert!(text.len() <= 300, "{}", text.len());
        assert!(text.ends_with("[cut: the first 204 of 3000 bytes are shown]"), "{text}");
    }

    #[test]
    fn long_stream_keeps_both_ends() {
        let mut stream = HeadAndTail::new(1_000);
        stream.push(b"begin ");
        for _ in 0..10_000 {
            stream.push(b"0123456789");
        }
        stream.push(b" end");
        let text = stream.into_text();
        assert!(text.len() <= 1_000, "{}", text.len());
        assert!(text.starts_with("begin ") && text.ends_with(" end"), "{text}");
        assert!(text.contains("bytes or more are left out here"), "{text}");
    }

    #[test]
    fn short_stream_keeps_a_character_across_the_seam() {
        let mut stream = HeadAndTail::new(NOTICE_LEN_BYTES + 8);
        for byte in "abc\u{20ac}de".bytes() {
            stream.push(&[byte]);
        }
        assert_eq!(stream.into_text(), "abc\u{20ac}de");
    }

    #[test]
    fn bytes_that_are_no_text_keep_the_limit() {
        for len in [900, 1_000_000] {
            let mut stream = HeadAndTail::new(1_000);
            stream.push(&vec![0xff; len]);
            assert!(stream.into_text().len() <= 1_000);
        }
    }
}
