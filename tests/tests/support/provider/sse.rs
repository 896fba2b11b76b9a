//! Server-sent events as bytes (WHATWG HTML §9.2), with everything in between that a reader has to put up with.

use crate::support::rng::Rng;

/// How lines end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LineEnd {
    Lf,
    CrLf,
}

impl LineEnd {
    const fn text(self) -> &'static str {
        match self {
            Self::Lf => "\n",
            Self::CrLf => "\r\n",
        }
    }
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) name: Option<String>,
    pub(super) data: String,
}

impl Event {
    /// An event with a name.
    pub(super) fn named(name: &str, data: &serde_json::Value) -> Self {
        Self {
            name: Some(name.to_owned()),
            data: data.to_string(),
        }
    }

    /// An event of data alone.
    pub(super) fn data(data: impl ToString) -> Self {
        Self {
            name: None,
            data: data.to_string(),
        }
    }
}

/// The events as a stream. Comments, `id`, `retry`, data without its space and data on two lines are strewn in.
pub(super) fn encode(events: &[Event], line_end: LineEnd, rng: &mut Rng) -> Vec<u8> {
    let mut lines: Vec<String> = Vec::new();
    for (index, event) in events.iter().enumerate() {
        match rng.below(12) {
            0 => lines.extend([": keepalive".to_owned(), String::new()]),
            1 => lines.push(":".to_owned()),
            2 => lines.push(format!("id: {index}")),
            3 => lines.push("retry: 3000".to_owned()),
            _ => {}
        }
        lines.extend(event.name.as_ref().map(|name| format!("event: {name}")));
        match (rng.below(8), event.data.strip_prefix('{')) {
            // JSON may be broken after any of its signs, and the reader puts the line feed back.
            (0, Some(rest)) => lines.extend(["data: {".to_owned(), format!("data: {rest}")]),
            (1, _) => lines.push(format!("data:{}", event.data)),
            _ => lines.push(format!("data: {}", event.data)),
        }
        lines.push(String::new());
    }
    let end = line_end.text();
    lines.iter().flat_map(|line| line.bytes().chain(end.bytes())).collect()
}

/// `text` in pieces of 1 to `len_max` characters.
pub(super) fn pieces(text: &str, len_max: u64, rng: &mut Rng) -> Vec<String> {
    let mut left: Vec<char> = text.chars().rev().collect();
    let mut pieces = Vec::new();
    while !left.is_empty() {
        let len = usize::try_from(1 + rng.below(len_max)).unwrap_or(1).min(left.len());
        pieces.push(left.split_off(left.len() - len).into_iter().rev().collect());
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_add_up_to_the_text() {
        let text = "Grüße, 世界 🎉\r\n\"{}\\\"";
        for seed in 0..50 {
            let pieces = pieces(text, 4, &mut Rng::seeded(seed));
            assert_eq!(pieces.concat(), text);
            assert!(pieces.iter().all(|piece| (1..=4).contains(&piece.chars().count())));
        }
        assert!(pieces("", 3, &mut Rng::seeded(1)).is_empty());
    }

    #[test]
    fn lines_end_as_they_are_told_to() {
        let events = vec![Event::data("{\"a\":1}"); 40];
        let crlf = encode(&events, LineEnd::CrLf, &mut Rng::seeded(3));
        let lf = encode(&events, LineEnd::Lf, &mut Rng::seeded(3));
        assert!(!lf.contains(&b'\r'));
        let text = String::from_utf8_lossy(&crlf);
        assert_eq!(text.matches('\n').count(), text.matches("\r\n").count());
        assert_eq!(text.replace("\r\n", "\n").as_bytes(), lf);
    }
}
