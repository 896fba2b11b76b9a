//! Text of strangers, made fit to be looked at: nothing in it can move a cursor, reorder a line or hide.

/// Copies `text` up to `chars_max` characters, with everything that does not show as itself written as `\\u{…}`.
///
/// Control characters, bidirectional controls, zero-width and other format characters and private-use characters are
/// escaped, and the backslash too, so that two different texts never look the same. A cut text ends in `…`.
#[must_use]
pub fn visible(text: &str, chars_max: usize) -> String {
    let mut shown = String::with_capacity(text.len().min(chars_max));
    let mut rest = text.chars();
    for character in rest.by_ref().take(chars_max) {
        match character {
            '\\' => shown.push_str("\\\\"),
            '\n' => shown.push_str("\\n"),
            '\t' => shown.push_str("\\t"),
            hidden if is_hidden(hidden) => shown.extend(hidden.escape_unicode()),
            plain => shown.push(plain),
        }
    }
    if rest.next().is_some() {
        shown.push('…');
    }
    shown
}

/// As [`visible`], line by line: line ends stay, and nothing is cut.
#[must_use]
pub fn visible_lines(text: &str) -> String {
    let lines: Vec<String> = text
        .split('\n')
        .map(|line| visible(line.trim_end_matches('\r'), usize::MAX))
        .collect();
    lines.join("\n")
}

/// JSON with everything that does not show as itself written as `\\uXXXX`: the same value, fit to be looked at.
///
/// Line ends stay, because JSON has them between its tokens only.
#[must_use]
pub fn visible_json(json: &str) -> String {
    let mut shown = String::with_capacity(json.len());
    for character in json.chars() {
        if character == '\n' || !is_hidden(character) {
            shown.push(character);
        } else {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                shown.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    shown
}

/// Characters that a terminal acts on, or that do not show.
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
            | '\u{e000}'..='\u{f8ff}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{10ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_act_on_is_written_out() {
        assert_eq!(visible("\u{1b}[2J\r\n\tx\0", 99), "\\u{1b}[2J\\u{d}\\n\\tx\\u{0}");
        assert_eq!(
            visible("a\u{202e}b\u{200b}c\u{feff}\u{9b}", 99),
            "a\\u{202e}b\\u{200b}c\\u{feff}\\u{9b}"
        );
        assert_eq!(visible("\u{e0041}", 99), "\\u{e0041}");
    }

    #[test]
    fn ordinary_text_of_any_script_stays() {
        for text in ["plain text, 1 + 1", "äöü ß é", "漢字 العربية", "→ ─ │ …"] {
            assert_eq!(visible(text, 99), text);
        }
    }

    #[test]
    fn an_escape_cannot_be_forged() {
        assert_ne!(visible("\\u{1b}", 99), visible("\u{1b}", 99));
    }

    #[test]
    fn lines_stay_lines() {
        assert_eq!(visible_lines("a\r\nb\u{1b}\n"), "a\nb\\u{1b}\n");
    }

    #[test]
    fn json_keeps_its_value() -> Result<(), serde_json::Error> {
        let value = serde_json::json!({ "a\u{1b}": "b\u{202e}\u{9b}\u{e0041}\\u1234\n" });
        let shown = visible_json(&format!("{value:#}"));
        assert!(shown.chars().all(|c| c == '\n' || !is_hidden(c)), "{shown}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown)?, value);
        Ok(())
    }

    #[test]
    fn long_text_is_cut() {
        assert_eq!(visible("abcdef", 3), "abc…");
        assert_eq!(visible("abc", 3), "abc");
    }
}
