//! A text as far as it is there: a piece of a stream knows its place in the whole.

/// A part of a text. Positions are bytes from the start of the whole, so that they stay right as a stream goes on.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    text: &'a str,
    bytes: &'a [u8],
    from: usize,
    end: End,
}

/// Whether more can follow what is there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// There may be more.
    Open,
    /// This is the end of the text.
    Final,
}

impl<'a> View<'a> {
    /// `text`, whose first byte has the position `from`.
    pub(super) const fn new(text: &'a str, from: usize, end: End) -> Self {
        Self {
            text,
            bytes: text.as_bytes(),
            from,
            end,
        }
    }

    /// The same as if nothing had come yet from `position` on.
    pub(super) fn until(self, position: usize) -> Self {
        let len = position.saturating_sub(self.from).min(self.bytes.len());
        Self {
            bytes: &self.bytes[..len],
            end: End::Open,
            ..self
        }
    }

    /// Where what is there begins.
    pub(super) const fn start(self) -> usize {
        self.from
    }

    /// Where the text ends, for now or for good.
    pub(super) const fn len(self) -> usize {
        self.from + self.bytes.len()
    }

    /// Whether nothing can follow.
    pub(super) fn is_final(self) -> bool {
        self.end == End::Final
    }

    /// The byte at `position`.
    pub(super) fn byte(self, position: usize) -> Option<u8> {
        self.bytes.get(position.checked_sub(self.from)?).copied()
    }

    /// The text between two positions, both at the border of a character.
    pub(super) fn slice(self, from: usize, to: usize) -> &'a str {
        &self.text[from - self.from..to - self.from]
    }

    /// What is there from `position` on.
    pub(super) fn after(self, position: usize) -> &'a [u8] {
        let start = position.saturating_sub(self.from).min(self.bytes.len());
        &self.bytes[start..]
    }

    /// What is there before `position`, as far back as the view reaches.
    pub(super) fn before(self, position: usize) -> &'a [u8] {
        &self.bytes[..position.saturating_sub(self.from).min(self.bytes.len())]
    }
}
