//! The elements that shape a text; every other one is passed through.

/// An HTML element, as far as text cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Element {
    A,
    Base,
    Br,
    Cell,
    Definition,
    Heading(usize),
    Hr,
    Image,
    Item,
    List(ListKind),
    /// Anything that stands on lines of its own.
    Block,
    /// As [`Element::Block`], with an empty line around it.
    Paragraph,
    Pre,
    Row,
    /// Content for machines, which no tag within ends.
    Machine(Machine),
    Svg,
    Template,
    Textarea,
    Title,
    Other,
}

/// How the items of a list begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ListKind {
    Bullets,
    Numbers,
}

/// Elements whose content is dropped whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Machine {
    Script,
    Style,
    Iframe,
    Noembed,
    Noframes,
}

/// Longest name that is looked up.
const NAME_LEN_BYTES_MAX: usize = 16;

impl Element {
    /// The element of that name, in any case.
    pub(super) fn of(name: &str) -> Self {
        if name.len() > NAME_LEN_BYTES_MAX {
            return Self::Other;
        }
        match name.to_ascii_lowercase().as_str() {
            "a" => Self::A,
            "base" => Self::Base,
            "br" => Self::Br,
            "td" | "th" => Self::Cell,
            "dd" => Self::Definition,
            "h1" => Self::Heading(1),
            "h2" => Self::Heading(2),
            "h3" => Self::Heading(3),
            "h4" => Self::Heading(4),
            "h5" => Self::Heading(5),
            "h6" => Self::Heading(6),
            "hr" => Self::Hr,
            "img" => Self::Image,
            "li" => Self::Item,
            "ul" | "menu" => Self::List(ListKind::Bullets),
            "ol" => Self::List(ListKind::Numbers),
            "address" | "body" | "caption" | "center" | "details" | "dialog" | "dt" | "fieldset" | "figcaption"
            | "footer" | "form" | "head" | "header" | "hgroup" | "html" | "legend" | "main" | "nav" | "option"
            | "search" | "select" | "summary" | "div" => Self::Block,
            "article" | "aside" | "blockquote" | "dl" | "figure" | "p" | "section" | "table" => Self::Paragraph,
            "pre" | "listing" | "xmp" => Self::Pre,
            "tr" => Self::Row,
            "script" => Self::Machine(Machine::Script),
            "style" => Self::Machine(Machine::Style),
            "iframe" => Self::Machine(Machine::Iframe),
            "noembed" => Self::Machine(Machine::Noembed),
            "noframes" => Self::Machine(Machine::Noframes),
            "svg" => Self::Svg,
            "template" => Self::Template,
            "textarea" => Self::Textarea,
            "title" => Self::Title,
            _ => Self::Other,
        }
    }

    /// Whether its content is text whatever it looks like.
    pub(super) const fn is_raw(self) -> bool {
        matches!(self, Self::Machine(_) | Self::Textarea | Self::Title)
    }
}
