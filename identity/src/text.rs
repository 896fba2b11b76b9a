//! Free text inside signed documents: bounded, and without characters that deceive a reader or a terminal.

use thiserror::Error;

/// Refuses text over `max` bytes, control characters, and characters that change the order of display.
///
/// # Errors
/// [`TextProblem::Length`] and [`TextProblem::Character`].
pub(crate) fn check(text: &str, max: usize) -> Result<(), TextProblem> {
    if text.len() > max {
        return Err(TextProblem::Length { len: text.len(), max });
    }
    match text.char_indices().find(|(_, char)| is_deceptive(*char)) {
        Some((at, char)) => Err(TextProblem::Character { at, code: char.into() }),
        None => Ok(()),
    }
}

/// C0 and C1 controls with DEL, line and paragraph separators, bidirectional controls (Unicode TR #9 §2).
fn is_deceptive(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Why a text is not acceptable inside a signed document.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TextProblem {
    /// Too long.
    #[error("text of {len} bytes is longer than {max}")]
    Length {
        /// Bytes found.
        len: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// A control character, a line separator or a bidirectional control.
    #[error("text holds the character U+{code:04X} at byte {at}")]
    Character {
        /// Byte offset.
        at: usize,
        /// The character.
        code: u32,
    },
    /// Not an absolute path in normal form.
    #[error("text is not an absolute path in normal form")]
    Path,
    /// Neither a host name in lower case nor an IPv4 address.
    #[error("text is neither a lower-case host name nor an IPv4 address")]
    Host,
}
