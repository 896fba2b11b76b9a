//! HTML cut into tags and text in one pass (WHATWG HTML §13.2.5, as far as text and links need it).
//!
//! No tree is built: whatever is nested how deeply or never closed, each byte is looked at a fixed number of times.
//! What has no end (a comment, a tag, a script) takes the rest of the document with it, as in a browser.

use super::element::Element;

/// A piece of a document; texts may hold character references.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    Text(&'a str),
    Open(Element, Attributes<'a>),
    Close(Element),
}

/// The attributes that matter, as written; of several with one name the first counts.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Attributes<'a> {
    pub(super) href: Option<&'a str>,
    pub(super) alt: Option<&'a str>,
    /// Whether the tag ends in `/>`, which means something in SVG only.
    pub(super) is_self_closing: bool,
}

/// The tokens of a document.
pub(super) struct Tokens<'a> {
    rest: &'a str,
    /// The element whose content is text whatever it looks like, until its end tag.
    raw: Option<Element>,
}

impl<'a> Tokens<'a> {
    pub(super) const fn of(document: &'a str) -> Self {
        Self {
            rest: document,
            raw: None,
        }
    }

    /// Takes the first `len` bytes away.
    fn take(&mut self, len: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(len);
        self.rest = rest;
        taken
    }

    /// Takes everything up to and with `end`, or everything.
    fn take_through(&mut self, end: &str) -> &'a str {
        let len = self.rest.find(end).map_or(self.rest.len(), |at| at + end.len());
        self.take(len)
    }

    fn text(&mut self) -> Token<'a> {
        // A `<` in the first place begins no tag here.
        let skip = usize::from(self.rest.starts_with('<'));
        let len = self.rest[skip..].find('<').map_or(self.rest.len(), |at| at + skip);
        Token::Text(self.take(len))
    }

    /// The content of `element`, up to its end tag.
    fn raw_text(&mut self, element: Element) -> Token<'a> {
        let mut from = 0;
        let len = loop {
            let Some(at) = self.rest[from..].find("</").map(|at| at + from) else {
                break self.rest.len();
            };
            let (name, after) = tag_name(&self.rest[at + 2..]);
            if !after.is_empty() && Element::of(name) == element {
                break at;
            }
            from = at + 2;
        };
        Token::Text(self.take(len))
    }

    /// The token that a `<` begins; none for a comment or a declaration.
    fn markup(&mut self) -> Option<Token<'a>> {
        let behind = &self.rest[1..];
        let is_letter = |text: &str| text.starts_with(|first: char| first.is_ascii_alphabetic());
        if is_letter(behind) {
            return self.open();
        }
        match behind.strip_prefix('/') {
            Some(name) if is_letter(name) => {
                let (name, _) = tag_name(name);
                self.take_through(">");
                Some(Token::Close(Element::of(name)))
            }
            Some(_) => {
                self.take_through(">");
                None
            }
            None if behind.starts_with("!--") => {
                // `<!-->` is a whole comment, so the search begins at the dashes.
                self.take(2);
                self.take_through("-->");
                None
            }
            None if behind.starts_with(['!', '?']) => {
                self.take_through(">");
                None
            }
            None => Some(self.text()),
        }
    }

    fn open(&mut self) -> Option<Token<'a>> {
        let (name, after) = tag_name(&self.rest[1..]);
        let Some((attributes, after)) = attributes(after) else {
            self.rest = "";
            return None;
        };
        self.rest = after;
        let element = Element::of(name);
        self.raw = element.is_raw().then_some(element);
        Some(Token::Open(element, attributes))
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        while !self.rest.is_empty() {
            if let Some(element) = self.raw.take() {
                return Some(self.raw_text(element));
            }
            if !self.rest.starts_with('<') {
                return Some(self.text());
            }
            if let Some(token) = self.markup() {
                return Some(token);
            }
        }
        None
    }
}

fn tag_name(text: &str) -> (&str, &str) {
    let is_end = |character: char| is_space(character) || matches!(character, '/' | '>');
    text.split_at(text.find(is_end).unwrap_or(text.len()))
}

const fn is_space(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\u{c}' | '\r' | ' ')
}

/// Reads attributes up to and with the `>`; none if there is no such end.
fn attributes(mut rest: &str) -> Option<(Attributes<'_>, &str)> {
    let mut found = Attributes::default();
    loop {
        let trimmed = rest.trim_start_matches(|character| is_space(character) || character == '/');
        if let Some(after) = trimmed.strip_prefix('>') {
            found.is_self_closing = rest[..rest.len() - trimmed.len()].ends_with('/');
            return Some((found, after));
        }
        let first = trimmed.chars().next()?.len_utf8();
        let is_end = |character: char| is_space(character) || matches!(character, '/' | '>' | '=');
        let name_len = trimmed[first..].find(is_end).map(|at| at + first)?;
        let (name, after) = trimmed.split_at(name_len);
        let value;
        (value, rest) = attribute_value(after)?;
        let slot = match name {
            name if name.eq_ignore_ascii_case("href") => &mut found.href,
            name if name.eq_ignore_ascii_case("alt") => &mut found.alt,
            _ => continue,
        };
        slot.get_or_insert(value);
    }
}

/// Reads the value behind a name, if there is one, and gives what is left.
fn attribute_value(after_name: &str) -> Option<(&str, &str)> {
    let Some(value) = after_name.trim_start_matches(is_space).strip_prefix('=') else {
        return Some(("", after_name));
    };
    let value = value.trim_start_matches(is_space);
    match value.chars().next()? {
        quote @ ('"' | '\'') => {
            let (inner, after) = value[1..].split_once(quote)?;
            Some((inner, after))
        }
        _ => {
            let is_end = |character: char| is_space(character) || character == '>';
            Some(value.split_at(value.find(is_end)?))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(document: &str) -> Vec<Token<'_>> {
        Tokens::of(document).collect()
    }

    fn link(href: &str) -> Token<'_> {
        let attributes = Attributes {
            href: Some(href),
            ..Attributes::default()
        };
        Token::Open(Element::A, attributes)
    }

    #[test]
    fn tags_and_text_are_told_apart() {
        assert_eq!(
            tokens("a<A HREF='x y'>b</A >c"),
            [
                Token::Text("a"),
                link("x y"),
                Token::Text("b"),
                Token::Close(Element::A),
                Token::Text("c")
            ]
        );
        assert_eq!(
            tokens("1 < 2 <3"),
            [Token::Text("1 "), Token::Text("< 2 "), Token::Text("<3")]
        );
    }

    #[test]
    fn attributes_end_where_a_browser_ends_them() {
        for (tag, href) in [
            ("<a title=\">\" href=u>", "u"),
            ("<a href = \"a>b\" href=second>", "a>b"),
            ("<a \" href=u>", "u"),
            ("<a href=u/v/>", "u/v/"),
            ("<a/href=u>", "u"),
            ("<a =x href=u>", "u"),
            ("<a href>", ""),
            ("<a href= >", ""),
        ] {
            assert_eq!(tokens(tag), [link(href)], "{tag}");
        }
        let svg = tokens("<svg />");
        assert!(matches!(svg.as_slice(), [Token::Open(Element::Svg, attributes)] if attributes.is_self_closing));
    }

    #[test]
    fn comments_and_declarations_are_nothing() {
        for nothing in [
            "<!-- <p> -->",
            "<!-->",
            "<!--->",
            "<!doctype html>",
            "<?xml version='1.0'?>",
            "<![CDATA[x]]>",
            "</>",
            "</ p>",
        ] {
            assert_eq!(tokens(&format!("{nothing}b")), [Token::Text("b")], "{nothing}");
        }
    }

    #[test]
    fn script_is_raw_until_its_own_end() {
        assert_eq!(
            tokens("<script>a</p></scripts><b></SCRIPT >c").last(),
            Some(&Token::Text("c"))
        );
        assert_eq!(
            tokens("<title>a<b></title>")[1..],
            [Token::Text("a<b>"), Token::Close(Element::Title)]
        );
    }

    #[test]
    fn what_never_ends_takes_the_rest() {
        for endless in ["<a href='x>b</a>", "<a ", "<a", "<!-- b", "<a b", "<a b=", "</a", "<!x"] {
            let rest: Vec<_> = tokens(endless)
                .into_iter()
                .filter(|token| matches!(token, Token::Text(_) | Token::Open(..)))
                .collect();
            assert!(rest.is_empty(), "{endless}: {rest:?}");
        }
        assert_eq!(tokens("<script>a")[1..], [Token::Text("a")]);
    }
}
