//! The text under construction: white space collapsed, blocks kept apart, and an end to its length.

/// What stands between what was written and what comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Gap {
    None,
    Space,
    Line,
    Paragraph,
}

/// A text that grows to at most `limit` bytes.
pub(super) struct Page {
    text: String,
    gap: Gap,
    limit: usize,
    is_cut: bool,
}

impl Page {
    pub(super) const fn new(limit: usize) -> Self {
        Self {
            text: String::new(),
            gap: Gap::None,
            limit,
            is_cut: false,
        }
    }

    /// Keeps what comes next at least this far away.
    pub(super) fn part(&mut self, gap: Gap) {
        self.gap = self.gap.max(gap);
    }

    /// Adds running text: any white space counts as one space.
    pub(super) fn flow(&mut self, text: &str) {
        let mut words = text.split(is_space);
        if let Some(first) = words.next() {
            self.word(first);
        }
        for word in words {
            self.part(Gap::Space);
            self.word(word);
        }
    }

    /// Adds text with its white space.
    pub(super) fn verbatim(&mut self, text: &str) {
        self.word(text);
    }

    /// Adds text right behind what was written, before the gap that is open.
    pub(super) fn aside(&mut self, text: &str) {
        let open = std::mem::replace(&mut self.gap, Gap::Space);
        self.word(text);
        self.part(open);
    }

    /// How much was written: a place that [`Self::since`] can begin at.
    pub(super) const fn len(&self) -> usize {
        self.text.len()
    }

    /// What was written from `start` on.
    pub(super) fn since(&self, start: usize) -> &str {
        self.text.get(start..).unwrap_or_default().trim()
    }

    /// Whether anything had to be left out.
    pub(super) const fn is_cut(&self) -> bool {
        self.is_cut
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }

    fn word(&mut self, word: &str) {
        let plain = |character: &char| !character.is_control() || matches!(character, '\n' | '\t');
        let mut characters = word.chars().filter(plain).peekable();
        if characters.peek().is_none() {
            return;
        }
        let gap = match self.gap {
            _ if self.text.is_empty() => "",
            Gap::None => "",
            Gap::Space => " ",
            Gap::Line => "\n",
            Gap::Paragraph => "\n\n",
        };
        self.gap = Gap::None;
        for character in gap.chars().chain(characters) {
            if self.text.len() + character.len_utf8() > self.limit {
                self.is_cut = true;
                return;
            }
            self.text.push(character);
        }
    }
}

/// White space that collapses. A no-break space is none.
const fn is_space(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\u{c}' | '\r' | ' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_collapses_across_pieces() {
        let mut page = Page::new(100);
        for piece in ["  a", " ", "\n b", "c ", "d\u{a0}e \t"] {
            page.flow(piece);
        }
        assert_eq!(page.into_text(), "a bc d\u{a0}e");
    }

    #[test]
    fn widest_gap_wins_and_none_stands_at_the_ends() {
        let mut page = Page::new(100);
        page.part(Gap::Paragraph);
        page.flow("a");
        page.part(Gap::Paragraph);
        page.part(Gap::Line);
        page.flow(" b");
        page.part(Gap::Paragraph);
        assert_eq!(page.into_text(), "a\n\nb");
    }

    #[test]
    fn control_characters_are_dropped() {
        let mut page = Page::new(100);
        page.flow("a\u{1b}[2Jb\0");
        page.verbatim("\tc\n\u{9b}d");
        assert_eq!(page.into_text(), "a[2Jb\tc\nd");
    }

    #[test]
    fn limit_is_kept_at_a_character() {
        let mut page = Page::new(4);
        page.flow("aé€");
        assert_eq!((page.is_cut(), page.into_text().as_str()), (true, "aé"));
    }
}
