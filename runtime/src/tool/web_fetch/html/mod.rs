//! HTML as a text that can be read: headings, paragraphs, lists, tables row by row, links as `text (address)`.
//!
//! Our own, because what there is builds a tree, in time that grows with the square of the depth of nesting, and a page
//! is written by strangers (docs/decisions/0022). Here time and memory grow with the length of the page, whatever stands
//! in it. Style sheets are not read: text that a browser would hide is shown.

mod element;
mod page;
mod reference;
mod token;

use std::borrow::Cow;

use reqwest::Url;

use element::{Element, ListKind};
use page::{Gap, Page};
use reference::decode;
use token::{Attributes, Token, Tokens};

/// Lists within lists; deeper ones are shown as these.
const LISTS_MAX: usize = 8;

/// Longest link that is shown.
const LINK_LEN_BYTES_MAX: usize = 2_048;

/// A page as text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Readable {
    pub(super) text: String,
    /// Whether the text was longer than its limit.
    pub(super) is_cut: bool,
}

/// Turns `document`, which came from `address`, into a text of at most `limit` bytes.
pub(super) fn readable(document: &str, address: &Url, limit: usize) -> Readable {
    let mut reader = Reader {
        page: Page::new(limit),
        base: Cow::Borrowed(address),
        lists: Vec::new(),
        link: None,
        dropped: None,
        pre: 0,
        is_title: false,
        has_title: false,
        is_row_begun: false,
    };
    for token in Tokens::of(document) {
        reader.take(&token);
        if reader.page.is_cut() {
            break;
        }
    }
    reader.end_link();
    Readable {
        is_cut: reader.page.is_cut(),
        text: reader.page.into_text(),
    }
}

struct Reader<'a> {
    page: Page,
    /// What relative links are relative to.
    base: Cow<'a, Url>,
    lists: Vec<List>,
    link: Option<Link>,
    /// The element whose whole content is dropped, and how many of its kind are open.
    dropped: Option<(Element, u32)>,
    /// How many `pre` are open.
    pre: u32,
    is_title: bool,
    has_title: bool,
    is_row_begun: bool,
}

struct List {
    kind: ListKind,
    items: u64,
}

struct Link {
    address: String,
    /// Length of the page where its text begins.
    start: usize,
}

impl Reader<'_> {
    fn take(&mut self, token: &Token<'_>) {
        if let Some((element, depth)) = &mut self.dropped {
            match token {
                Token::Open(open, attributes) if open == element => *depth += u32::from(!attributes.is_self_closing),
                Token::Close(close) if close == element => *depth -= 1,
                _ => {}
            }
            if *depth == 0 {
                self.dropped = None;
            }
            return;
        }
        match token {
            Token::Text(text) => self.text(text),
            Token::Open(element, attributes) => self.open(*element, attributes),
            Token::Close(element) => self.close(*element),
        }
    }

    fn text(&mut self, text: &str) {
        let text = decode(text);
        if self.pre > 0 {
            self.page.verbatim(&text);
        } else {
            self.page.flow(&text);
        }
    }

    fn open(&mut self, element: Element, attributes: &Attributes<'_>) {
        match element {
            Element::Svg if attributes.is_self_closing => {}
            Element::Machine(_) | Element::Svg | Element::Template => self.dropped = Some((element, 1)),
            Element::Title => self.begin_title(),
            Element::A => self.begin_link(attributes),
            Element::Base => self.rebase(attributes),
            Element::Image => self.image(attributes),
            Element::Heading(level) => {
                self.page.part(Gap::Paragraph);
                self.page.verbatim(&"#".repeat(level));
                self.page.part(Gap::Space);
            }
            Element::List(kind) => self.begin_list(kind),
            Element::Item => self.begin_item(),
            Element::Row => {
                self.page.part(Gap::Line);
                self.is_row_begun = false;
            }
            Element::Cell => self.begin_cell(),
            Element::Definition => {
                self.page.part(Gap::Line);
                self.page.verbatim("  ");
            }
            Element::Hr => {
                self.page.part(Gap::Paragraph);
                self.page.verbatim("---");
                self.page.part(Gap::Paragraph);
            }
            Element::Pre => {
                self.page.part(Gap::Paragraph);
                self.pre = self.pre.saturating_add(1);
            }
            Element::Br if self.pre > 0 => self.page.verbatim("\n"),
            Element::Br | Element::Block | Element::Textarea => self.page.part(Gap::Line),
            Element::Paragraph => self.page.part(Gap::Paragraph),
            Element::Other => {}
        }
    }

    fn close(&mut self, element: Element) {
        match element {
            Element::A => self.end_link(),
            Element::Title if std::mem::take(&mut self.is_title) => self.page.part(Gap::Paragraph),
            Element::Heading(_) | Element::Paragraph => self.page.part(Gap::Paragraph),
            Element::List(_) => {
                self.lists.pop();
                let gap = if self.lists.is_empty() {
                    Gap::Paragraph
                } else {
                    Gap::Line
                };
                self.page.part(gap);
            }
            Element::Pre => {
                self.pre = self.pre.saturating_sub(1);
                self.page.part(Gap::Paragraph);
            }
            Element::Item | Element::Row | Element::Definition | Element::Block | Element::Textarea => {
                self.page.part(Gap::Line);
            }
            _ => {}
        }
    }

    /// The first title is the page's own; others belong to what is embedded in it.
    fn begin_title(&mut self) {
        if self.has_title {
            self.dropped = Some((Element::Title, 1));
            return;
        }
        (self.has_title, self.is_title) = (true, true);
        self.page.part(Gap::Paragraph);
        self.page.verbatim("Title:");
        self.page.part(Gap::Space);
    }

    fn rebase(&mut self, attributes: &Attributes<'_>) {
        if let (Cow::Borrowed(address), Some(href)) = (&self.base, attributes.href) {
            self.base = Cow::Owned(resolved(address, href).unwrap_or_else(|| (*address).clone()));
        }
    }

    fn begin_link(&mut self, attributes: &Attributes<'_>) {
        self.end_link();
        let href = attributes.href.filter(|href| !href.trim_start().starts_with('#'));
        if let Some(address) = href.and_then(|href| resolved(&self.base, href)) {
            self.link = Some(Link {
                address: address.into(),
                start: self.page.len(),
            });
        }
    }

    fn end_link(&mut self) {
        let Some(Link { address, start }) = self.link.take() else {
            return;
        };
        let text = self.page.since(start);
        if !text.is_empty() && text != address {
            self.page.aside(&format!("({address})"));
        }
    }

    fn image(&mut self, attributes: &Attributes<'_>) {
        let alternative = decode(attributes.alt.unwrap_or_default());
        if !alternative.trim().is_empty() {
            self.page.flow("[image: ");
            self.page.flow(&alternative);
            self.page.verbatim("]");
        }
    }

    fn begin_list(&mut self, kind: ListKind) {
        let gap = if self.lists.is_empty() {
            Gap::Paragraph
        } else {
            Gap::Line
        };
        self.page.part(gap);
        if self.lists.len() == LISTS_MAX {
            self.lists.pop();
        }
        self.lists.push(List { kind, items: 0 });
    }

    fn begin_item(&mut self) {
        self.page.part(Gap::Line);
        let indent = "  ".repeat(self.lists.len().saturating_sub(1));
        let mark = match self.lists.last_mut() {
            Some(List {
                kind: ListKind::Numbers,
                items,
            }) => {
                *items += 1;
                format!("{indent}{items}.")
            }
            _ => format!("{indent}-"),
        };
        self.page.verbatim(&mark);
        self.page.part(Gap::Space);
    }

    fn begin_cell(&mut self) {
        if self.is_row_begun {
            self.page.flow(" | ");
        }
        self.is_row_begun = true;
    }
}

/// Where a link leads, if that is a place on the web. A fragment is no part of it.
fn resolved(base: &Url, href: &str) -> Option<Url> {
    let href = decode(href);
    if href.len() > LINK_LEN_BYTES_MAX {
        return None;
    }
    let mut address = base.join(href.trim()).ok()?;
    address.set_fragment(None);
    let is_web = matches!(address.scheme(), "http" | "https") && address.as_str().len() <= LINK_LEN_BYTES_MAX;
    is_web.then_some(address)
}

#[cfg(test)]
#[path = "html_tests.rs"]
mod tests;
