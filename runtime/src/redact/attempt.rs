//! One place where a secret may begin, and how far its shape has been followed.

use super::class::{Class, PASSWORD};
use super::grammar::{DASHES, LOOK_LEN_MAX, Look, PASSWORD_LEN_MAX, Part};
use super::pem::{self, Label};
use super::rules::Rule;
use super::view::View;

/// A shape that the text follows so far.
pub(super) struct Attempt {
    /// Which rule it is of.
    pub(super) rule: usize,
    /// Where the cue begins: nothing from here on is decided before this attempt is.
    pub(super) start: usize,
    /// Where what is hidden begins.
    pub(super) from: usize,
    /// Everything before is taken.
    pub(super) at: usize,
    part: usize,
    run: Run,
}

/// What an attempt knows of the run it is in.
#[derive(Clone, Copy, Default)]
struct Run {
    len: usize,
    has_digit: bool,
    has_letter: bool,
    has_no_word: bool,
    last_at_sign: Option<usize>,
}

/// What became of an attempt.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// The text ended first.
    More,
    /// The text does not have the shape.
    Failed,
    /// It has; what is hidden ends before this position.
    Found(usize),
}

/// What became of one part.
pub(super) enum Taken {
    /// The attempt is at the next part.
    Whole,
    More,
    Failed,
}

impl Attempt {
    /// An attempt of a rule whose cue stands from `start` up to `at`.
    pub(super) fn new(rule: usize, start: usize, at: usize) -> Self {
        Self {
            rule,
            start,
            from: start,
            at,
            part: 0,
            run: Run::default(),
        }
    }

    /// Follows the shape as far as `text` goes.
    pub(super) fn advance(&mut self, rule: &Rule, text: View<'_>) -> Step {
        match rule {
            Rule::Pattern(pattern) => self.follow(pattern.parts, text),
            Rule::Exact(secret) => self.compare(secret.expose().as_bytes(), text),
        }
    }

    /// The part it is in, when that is the last one and whatever comes, something is hidden.
    pub(super) fn sure_part(&self, rule: &Rule) -> Option<Part> {
        let Rule::Pattern(pattern) = rule else { return None };
        let part = *pattern.parts.get(self.part)?;
        match part {
            Part::Rest(_, min, look) => self.run.looks(min, look).then_some(part),
            Part::KeyBody => Some(part),
            _ => None,
        }
    }

    fn follow(&mut self, parts: &[Part], text: View<'_>) -> Step {
        while let Some(part) = parts.get(self.part) {
            match self.take(part, text) {
                Taken::Whole => {
                    self.part += 1;
                    self.run = Run::default();
                }
                Taken::More => return Step::More,
                Taken::Failed => return Step::Failed,
            }
        }
        Step::Found(self.at)
    }

    fn take(&mut self, part: &Part, text: View<'_>) -> Taken {
        match *part {
            Part::Hide => {
                self.from = self.at;
                Taken::Whole
            }
            Part::One(texts) => self.take_text(texts, |a, b| a == b, text),
            Part::Word(texts) => self.take_text(texts, <[u8]>::eq_ignore_ascii_case, text),
            Part::Run(class, min, max) => self.take_run(class, min, max, text),
            Part::Rest(class, min, look) => self.take_rest(class, min, look, text),
            Part::Password => self.take_password(text),
            Part::KeyLabel => self.take_label(text),
            Part::KeyOpening => pem::opening(text.after(self.at + DASHES.len()), text.is_final()),
            Part::KeyBody => self.take_body(text),
        }
    }

    /// Takes the first of `texts` that stands here. One that could still come is waited for before a later one is taken.
    fn take_text(&mut self, texts: &[&str], is_same: impl Fn(&[u8], &[u8]) -> bool, text: View<'_>) -> Taken {
        let here = text.after(self.at);
        for wanted in texts.iter().map(|wanted| wanted.as_bytes()) {
            let len = wanted.len().min(here.len());
            if is_same(&wanted[..len], &here[..len]) {
                if len == wanted.len() {
                    self.at += len;
                    return Taken::Whole;
                }
                if !text.is_final() {
                    return Taken::More;
                }
            }
        }
        Taken::Failed
    }

    fn take_run(&mut self, class: Class, min: usize, max: usize, text: View<'_>) -> Taken {
        while let Some(byte) = text.byte(self.at) {
            if !class.has(byte) {
                return self.run.is_long_enough(min);
            }
            if self.run.len == max {
                return Taken::Failed;
            }
            self.run.len += 1;
            self.at += 1;
        }
        if text.is_final() {
            self.run.is_long_enough(min)
        } else {
            Taken::More
        }
    }

    fn take_rest(&mut self, class: Class, min: usize, look: Look, text: View<'_>) -> Taken {
        while let Some(byte) = text.byte(self.at) {
            if !class.has(byte) {
                return self.run.is_secret(min, look);
            }
            self.run.see(byte);
            self.at += 1;
            if self.run.len == LOOK_LEN_MAX && !self.run.looks(min, look) {
                return Taken::Failed;
            }
        }
        if text.is_final() {
            self.run.is_secret(min, look)
        } else {
            Taken::More
        }
    }

    /// A password may hold an `@` of its own, so that only the last one is known to end it.
    fn take_password(&mut self, text: View<'_>) -> Taken {
        while self.run.len < PASSWORD_LEN_MAX {
            match text.byte(self.at) {
                Some(byte) if PASSWORD.has(byte) => {
                    if byte == b'@' && self.run.len > 0 {
                        self.run.last_at_sign = Some(self.at);
                    }
                    self.run.len += 1;
                    self.at += 1;
                }
                None if !text.is_final() => return Taken::More,
                _ => break,
            }
        }
        match self.run.last_at_sign {
            Some(end) => {
                self.at = end;
                Taken::Whole
            }
            None => Taken::Failed,
        }
    }

    fn take_label(&mut self, text: View<'_>) -> Taken {
        match pem::label(text.after(self.at), text.is_final()) {
            Label::Key(len) => {
                // Its dashes may be those of the end as well: a block without a body.
                self.at += len - DASHES.len();
                Taken::Whole
            }
            Label::More => Taken::More,
            Label::Other => Taken::Failed,
        }
    }

    fn take_body(&mut self, text: View<'_>) -> Taken {
        const END: &[u8] = b"-----END ";
        loop {
            let here = text.after(self.at);
            let Some(dash) = here.iter().position(|byte| *byte == b'-') else {
                self.at += here.len();
                break;
            };
            self.at += dash;
            let here = &here[dash..];
            let len = END.len().min(here.len());
            if here[..len] != END[..len] {
                self.at += 1;
                continue;
            }
            if len < END.len() {
                break;
            }
            match pem::label(&here[len..], text.is_final()) {
                Label::Key(label) => {
                    self.at += len + label;
                    return Taken::Whole;
                }
                Label::More => break,
                Label::Other => self.at += 1,
            }
        }
        if text.is_final() {
            self.at = text.len();
            Taken::Whole
        } else {
            Taken::More
        }
    }

    fn compare(&mut self, secret: &[u8], text: View<'_>) -> Step {
        let wanted = &secret[self.at - self.start..];
        let here = text.after(self.at);
        let len = wanted.len().min(here.len());
        if wanted[..len] != here[..len] {
            return Step::Failed;
        }
        self.at += len;
        match (len == wanted.len(), text.is_final()) {
            (true, _) => Step::Found(self.at),
            (false, true) => Step::Failed,
            (false, false) => Step::More,
        }
    }
}

impl Run {
    fn see(&mut self, byte: u8) {
        self.len += 1;
        self.has_digit |= byte.is_ascii_digit();
        self.has_letter |= byte.is_ascii_alphabetic();
        self.has_no_word |= !(byte.is_ascii_lowercase() || matches!(byte, b'-' | b'.'));
    }

    fn looks(&self, min: usize, look: Look) -> bool {
        self.len >= min
            && match look {
                Look::Any => true,
                Look::Digit => self.has_digit,
                Look::Mixed => self.has_digit && self.has_letter,
                Look::NoWord => self.has_no_word,
            }
    }

    fn is_secret(&self, min: usize, look: Look) -> Taken {
        if self.looks(min, look) {
            Taken::Whole
        } else {
            Taken::Failed
        }
    }

    fn is_long_enough(&self, min: usize) -> Taken {
        if self.len >= min { Taken::Whole } else { Taken::Failed }
    }
}
