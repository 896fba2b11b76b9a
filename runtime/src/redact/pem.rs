//! The lines around a private key in textual encoding (RFC 7468), and whether a first line has a key behind it.

use super::attempt::Taken;
use super::class::{BASE64, BETWEEN_LINES};
use super::grammar::{BODY_LEN_MIN, DASHES, LABEL_LEN_MAX, OPENING_LEN_MAX};

/// What stands behind `BEGIN` or `END`.
pub(super) enum Label {
    /// A private key; its length with the dashes.
    Key(usize),
    /// The text ends first.
    More,
    /// Something else.
    Other,
}

/// Reads a label and the dashes behind it.
pub(super) fn label(text: &[u8], is_final: bool) -> Label {
    let is_label = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b' ';
    let len = text
        .iter()
        .take(LABEL_LEN_MAX + 1)
        .take_while(|byte| is_label(byte))
        .count();
    let (label, rest) = text.split_at(len);
    let dashes = DASHES.len().min(rest.len());
    let is_key = || label.ends_with(b"PRIVATE KEY") || label.ends_with(b"PRIVATE KEY BLOCK");
    if len > LABEL_LEN_MAX || rest[..dashes] != DASHES.as_bytes()[..dashes] || (dashes > 0 && !is_key()) {
        Label::Other
    } else if dashes == DASHES.len() {
        Label::Key(len + dashes)
    } else if is_final {
        Label::Other
    } else {
        Label::More
    }
}

/// Whether a key begins behind a first line: always, unless the line is quoted and nothing like a body follows the quote.
///
/// A bracket counts as a quote, because a marker begins with one.
pub(super) fn opening(text: &[u8], is_final: bool) -> Taken {
    let escapes = text
        .iter()
        .take(OPENING_LEN_MAX)
        .take_while(|byte| **byte == b'\\')
        .count();
    match text.get(escapes) {
        None if is_final => return Taken::Whole,
        None => return Taken::More,
        Some(b'"' | b'\'' | b'`' | b'[') => {}
        Some(_) => return Taken::Whole,
    }
    let between = text
        .iter()
        .take(OPENING_LEN_MAX)
        .take_while(|byte| BETWEEN_LINES.has(**byte))
        .count();
    let body = text[between..]
        .iter()
        .take(BODY_LEN_MIN)
        .take_while(|byte| BASE64.has(**byte))
        .count();
    if body == BODY_LEN_MIN {
        Taken::Whole
    } else if between + body == text.len() && !is_final {
        Taken::More
    } else {
        Taken::Failed
    }
}
