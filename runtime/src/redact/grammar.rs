//! The shape of a secret: a cue that opens it, and parts that follow one another.
//!
//! No part ever gives back what it has taken and nothing is tried twice, so that an [`Attempt`](super::attempt::Attempt)
//! can stop where the text ends for now and go on when there is more. Two rules hold for every shape, and the promises
//! of this module rest on them. Cutting a text shorter never makes a match that was not there: the last part of a shape
//! takes as much as there is and is never too long, so text that was cleaned has nothing left to clean. And whatever
//! comes before the last part is bounded, so only a bounded tail of a stream is ever undecided.

use super::class::Class;

/// One kind of secret.
pub(super) struct Pattern {
    /// What a marker calls it.
    pub(super) name: &'static str,
    /// How it begins.
    pub(super) cue: Cue,
    /// What follows the cue.
    pub(super) parts: &'static [Part],
    /// Where its form is described.
    pub(super) source: &'static str,
}

/// How a secret begins.
#[derive(Clone, Copy)]
pub(super) enum Cue {
    /// With one of these texts, which nothing that belongs to a longer word stands before.
    Token(&'static [&'static str]),
    /// With one of these texts, wherever they stand.
    Text(&'static [&'static str]),
    /// With one of these words, wherever they stand, in whatever case.
    Name(&'static [&'static str]),
}

impl Cue {
    /// The texts.
    pub(super) const fn texts(self) -> &'static [&'static str] {
        match self {
            Self::Token(texts) | Self::Text(texts) | Self::Name(texts) => texts,
        }
    }
}

/// One step of a shape.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// What is hidden begins here. Without this part it begins with the cue.
    Hide,
    /// The first of these texts that stands here.
    One(&'static [&'static str]),
    /// The first of these words that stands here, in whatever case.
    Word(&'static [&'static str]),
    /// All characters of a class that stand here: at least so many, at most so many.
    Run(Class, usize, usize),
    /// Likewise without an upper bound. Always the last part.
    Rest(Class, usize, Look),
    /// Everything up to the last `@` before the authority of a URL ends. Always the last part.
    Password,
    /// What kind of private key a PEM block holds, and the dashes behind it.
    KeyLabel,
    /// A look, which takes nothing, at what follows: whoever writes about keys puts such a line in quotes.
    KeyOpening,
    /// Everything up to and with the line that ends a private key, or to the end of the text. Always the last part.
    KeyBody,
}

/// What a run must contain to be taken for a secret: words and identifiers are made of the same characters.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// Its length is enough.
    Any,
    /// A digit.
    Digit,
    /// A digit and a letter.
    Mixed,
    /// Anything but lowercase letters, `-` and `.`, of which words in prose are made.
    NoWord,
}

/// How far into a last run the sign may be that it is a secret, in bytes: tokens show it in their first few characters.
pub(super) const LOOK_LEN_MAX: usize = 256;

/// Longest password in a URL with whatever stands before its `@`, in bytes.
pub(super) const PASSWORD_LEN_MAX: usize = 1024;

/// Longest label between `BEGIN` and the dashes (RFC 7468 §2 sets no bound; those of private keys have 13 to 23 characters).
pub(super) const LABEL_LEN_MAX: usize = 64;

/// How far behind the quote that closes a quoted line its body is looked for, in bytes.
pub(super) const OPENING_LEN_MAX: usize = 64;

/// The base64 that there must be: a line of PEM has 64 characters, and no identifier has so many.
pub(super) const BODY_LEN_MIN: usize = 40;

/// The dashes on both sides of a label.
pub(super) const DASHES: &str = "-----";

impl Part {
    /// The most bytes that this part can leave undecided.
    pub(super) const fn len_max(&self) -> usize {
        match *self {
            Self::Hide => 0,
            Self::One(texts) | Self::Word(texts) => longest(texts),
            Self::Run(_, _, max) => max,
            Self::Rest(_, min, Look::Any) => min,
            Self::Rest(..) => LOOK_LEN_MAX,
            Self::Password => PASSWORD_LEN_MAX,
            Self::KeyLabel => LABEL_LEN_MAX + DASHES.len(),
            Self::KeyOpening => OPENING_LEN_MAX + BODY_LEN_MIN,
            // Whatever the body holds, it is hidden.
            Self::KeyBody => 0,
        }
    }
}

/// The length of the longest of `texts` in bytes.
pub(super) const fn longest(texts: &[&str]) -> usize {
    let (mut longest, mut at) = (0, 0);
    while at < texts.len() {
        if texts[at].len() > longest {
            longest = texts[at].len();
        }
        at += 1;
    }
    longest
}
