//! What an agent is shown of a text that is too long: its first lines and its last.

/// Room for the sentences that say what is missing and where the whole is.
const NOTICES_LEN_BYTES: usize = 640;

/// Keeps the beginning and the end of a text of any length in bounded memory.
pub(super) struct Preview {
    half: usize,
    head: String,
    tail: String,
    total: u64,
}

impl Preview {
    /// For at most `limit` bytes, notices included.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            half: limit.saturating_sub(NOTICES_LEN_BYTES) / 2,
            head: String::new(),
            tail: String::new(),
            total: 0,
        }
    }

    /// Takes the next piece.
    pub(super) fn push(&mut self, text: &str) {
        self.total += text.len() as u64;
        let mut rest = text;
        // Once something has gone to the tail, all that follows does.
        if self.tail.is_empty() {
            let (first, behind) = rest.split_at(floor_boundary(rest, self.half - self.head.len()));
            self.head.push_str(first);
            rest = behind;
        }
        self.tail
            .push_str(&rest[ceil_boundary(rest, rest.len().saturating_sub(self.half))..]);
        // Cut only now and then, so that many small pieces cost no more than a few large ones.
        if self.tail.len() > 2 * self.half {
            self.trim_tail();
        }
    }

    /// First lines, a line with the size of what is left out, last lines, and `notice`, which is cut if it is long.
    pub(super) fn finish(mut self, notice: &str) -> String {
        self.trim_tail();
        let notice = &notice[..floor_boundary(notice, NOTICES_LEN_BYTES / 2)];
        let (mut head, mut tail) = (self.head.as_str(), self.tail.as_str());
        if self.total > (head.len() + tail.len()) as u64 {
            head = whole_first_lines(head);
            tail = whole_last_lines(tail);
        }
        let left_out = self.total - (head.len() + tail.len()) as u64;
        let mut text = head.to_owned();
        if left_out > 0 {
            end_line(&mut text);
            text.push_str(&format!("[{left_out} bytes are left out here]\n"));
        }
        text.push_str(tail);
        end_line(&mut text);
        text.push_str(notice);
        text
    }

    fn trim_tail(&mut self) {
        let start = ceil_boundary(&self.tail, self.tail.len().saturating_sub(self.half));
        self.tail.drain(..start);
    }
}

fn end_line(text: &mut String) {
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
}

/// `text` without its last, broken line, unless that would give up more than half of it.
fn whole_first_lines(text: &str) -> &str {
    match text.rfind('\n') {
        Some(end) if end >= text.len() / 2 => &text[..=end],
        _ => text,
    }
}

/// `text` without its first, broken line, unless that would give up more than half of it.
fn whole_last_lines(text: &str) -> &str {
    match text.find('\n') {
        Some(end) if end < text.len() / 2 => &text[end + 1..],
        _ => text,
    }
}

/// The last character boundary at or before `index`.
pub(super) fn floor_boundary(text: &str, index: usize) -> usize {
    let mut index = index.min(text.len());
    while !text.is_char_boundary(index) {
        index -= 1;
    }
    index
}

/// The first character boundary at or behind `index`.
pub(super) fn ceil_boundary(text: &str, index: usize) -> usize {
    let mut index = index.min(text.len());
    while !text.is_char_boundary(index) {
        index += 1;
    }
    index
}

#[cfg(test)]
mod tests {
    use super::*;

    fn preview(text: &str, piece_len: usize, limit: usize) -> String {
        let mut preview = Preview::new(limit);
        let mut rest = text;
        while !rest.is_empty() {
            let (piece, behind) = rest.split_at(ceil_boundary(rest, piece_len));
            preview.push(piece);
            rest = behind;
        }
        preview.finish("[where]")
    }

    #[test]
    fn limit_holds_whatever_the_text_and_the_pieces() {
        for text in ["\u{20ac}".repeat(10_000), "x\n".repeat(10_000), "\n".repeat(10_000)] {
            for (piece_len, limit) in [
                (1, 2_000),
                (77, 2_000),
                (100_000, 2_000),
                (5, NOTICES_LEN_BYTES),
                (5, 0),
            ] {
                let shown = preview(&text, piece_len, limit);
                assert!(
                    shown.len() <= limit.max(NOTICES_LEN_BYTES),
                    "{} of {limit}",
                    shown.len()
                );
            }
        }
        let shown = Preview::new(1_000).finish(&"\u{20ac}".repeat(1_000));
        assert!(shown.len() <= NOTICES_LEN_BYTES, "{}", shown.len());
    }

    #[test]
    fn lines_are_whole_and_what_is_missing_is_counted() {
        let text: String = (0..1_000).map(|line| format!("line {line}\n")).collect();
        let shown = preview(&text, 100, 1_000);
        let (head, rest) = shown.split_once("\n[").unwrap_or_default();
        let (left_out, tail) = rest.split_once(" bytes are left out here]\n").unwrap_or_default();
        assert!(text.starts_with(&format!("{head}\n")) && head.len() > 100, "{head}");
        let tail = tail.strip_suffix("[where]").unwrap_or_default();
        assert!(
            text.ends_with(&format!("\n{tail}")) && tail.ends_with("line 999\n"),
            "{tail}"
        );
        assert_eq!(left_out, (text.len() - head.len() - 1 - tail.len()).to_string());
    }

    #[test]
    fn one_long_line_is_cut_between_characters() {
        let shown = preview(&"\u{20ac}".repeat(10_000), 100, 1_000);
        assert!(
            shown.starts_with("\u{20ac}\u{20ac}") && shown.ends_with("\u{20ac}\n[where]"),
            "{shown}"
        );
    }

    #[test]
    fn text_that_fits_is_shown_whole() {
        assert_eq!(preview("a\nb", 1, 1_000), "a\nb\n[where]");
        assert_eq!(preview("", 1, 1_000), "[where]");
    }
}
