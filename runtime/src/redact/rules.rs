//! What is looked for, and the automaton that finds where it could begin.

use std::sync::{Arc, LazyLock};

use aho_corasick::{AhoCorasick, AhoCorasickBuilder};

use super::grammar::{Cue, Pattern};
use super::mark;
use super::patterns::PATTERNS;
use super::secret::Secret;
use super::view::View;

/// How much of a registered value is put into the automaton, in bytes: enough to be rare, and of no use to whoever finds
/// it in memory.
const EXACT_CUE_LEN: usize = 4;

/// How far back it is seen whether a token stands alone: `ESC [ 38 ; 5 ; 208 m` is the longest of what can stand there.
pub(super) const CONTEXT_LEN: usize = 16;

/// One thing that is looked for.
pub(super) enum Rule {
    /// A kind of secret, by its form.
    Pattern(&'static Pattern),
    /// One secret, by its value.
    Exact(Arc<Secret>),
}

impl Rule {
    /// What a marker calls it.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Pattern(pattern) => pattern.name,
            Self::Exact(_) => mark::EXACT,
        }
    }

    /// Whether nothing that belongs to a longer word may stand before it.
    pub(super) fn stands_alone(&self) -> bool {
        matches!(self, Self::Pattern(Pattern { cue: Cue::Token(_), .. }))
    }
}

/// Everything that is looked for at once.
pub(super) struct Rules {
    rules: Vec<Rule>,
    cues: Vec<CueText>,
    finder: AhoCorasick,
    /// Whether any cue begins with a byte.
    begins: [bool; 256],
    cue_len_max: usize,
}

/// A text that opens a rule. A list of them, because one pattern may begin in several ways.
struct CueText {
    rule: usize,
    text: Box<[u8]>,
    case: Case,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Case {
    Exact,
    Any,
}

/// A cue that stands in a text.
pub(super) struct Candidate {
    pub(super) rule: usize,
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Rules {
    /// The patterns alone, made once in a process, when they are first needed.
    pub(super) fn standard() -> Arc<Self> {
        static STANDARD: LazyLock<Arc<Rules>> = LazyLock::new(|| Arc::new(Rules::with(&[])));
        Arc::clone(&STANDARD)
    }

    /// The patterns and these values.
    pub(super) fn with(secrets: &[Arc<Secret>]) -> Self {
        let patterns = PATTERNS.iter().map(Rule::Pattern);
        let exact = secrets.iter().map(|secret| Rule::Exact(Arc::clone(secret)));
        let rules: Vec<Rule> = patterns.chain(exact).collect();
        let cues: Vec<CueText> = rules.iter().enumerate().flat_map(|(at, rule)| cues(at, rule)).collect();
        let finder = AhoCorasickBuilder::new()
            .ascii_case_insensitive(true)
            .build(cues.iter().map(|cue| &cue.text))
            .expect("some short texts make a small automaton");
        let mut begins = [false; 256];
        for cue in &cues {
            for first in [cue.text[0].to_ascii_lowercase(), cue.text[0].to_ascii_uppercase()] {
                begins[usize::from(first)] = true;
            }
        }
        Self {
            begins,
            cue_len_max: cues.iter().map(|cue| cue.text.len()).max().unwrap_or(0),
            rules,
            cues,
            finder,
        }
    }

    /// The rule with this number.
    pub(super) fn rule(&self, number: usize) -> &Rule {
        &self.rules[number]
    }

    /// Every cue in `text` that ends after `seen`, in the order of their ends.
    pub(super) fn candidates(&self, text: View<'_>, seen: usize) -> impl Iterator<Item = Candidate> {
        // One that ends after it begins at most so far before it.
        let from = (seen + 1).saturating_sub(self.cue_len_max).max(text.start());
        let here = text.after(from);
        self.finder.find_overlapping_iter(here).filter_map(move |found| {
            let cue = &self.cues[found.pattern().as_usize()];
            let is_meant = cue.case == Case::Any || here[found.range()] == *cue.text;
            (is_meant && from + found.end() > seen).then_some(Candidate {
                rule: cue.rule,
                start: from + found.start(),
                end: from + found.end(),
            })
        })
    }

    /// Where at the end of `text` a cue could have begun that is not whole yet.
    pub(super) fn unfinished(&self, text: View<'_>) -> Option<usize> {
        let from = (text.len() + 1).saturating_sub(self.cue_len_max).max(text.start());
        (from..text.len()).find(|&start| {
            let rest = text.after(start);
            self.begins[usize::from(rest[0])] && self.cues.iter().any(|cue| cue.could_begin_with(rest))
        })
    }
}

impl CueText {
    fn could_begin_with(&self, rest: &[u8]) -> bool {
        let Some(begin) = self.text.get(..rest.len()) else {
            return false;
        };
        let is_same = match self.case {
            Case::Exact => begin == rest,
            Case::Any => begin.eq_ignore_ascii_case(rest),
        };
        is_same && rest.len() < self.text.len()
    }
}

fn cues(rule: usize, of: &Rule) -> Vec<CueText> {
    let cue = |text: &[u8], case| CueText {
        rule,
        text: text.into(),
        case,
    };
    match of {
        Rule::Exact(secret) => vec![cue(&secret.expose().as_bytes()[..EXACT_CUE_LEN], Case::Exact)],
        Rule::Pattern(pattern) => {
            let case = match pattern.cue {
                Cue::Name(_) => Case::Any,
                Cue::Token(_) | Cue::Text(_) => Case::Exact,
            };
            pattern
                .cue
                .texts()
                .iter()
                .map(|text| cue(text.as_bytes(), case))
                .collect()
        }
    }
}

/// Whether a token can begin after `before`: at the start of a text, after a character that tokens are not made of, or
/// after an escape sequence whose last character is a letter or digit.
pub(super) fn ends_word(before: &[u8]) -> bool {
    before
        .last()
        .is_none_or(|byte| !(byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')))
        || ends_in_escape(before)
}

/// `\n` and its like in JSON and source text, `\u000a`, `\x0a`, `%0A` in a URL, `ESC [ 0 m` of a terminal.
fn ends_in_escape(before: &[u8]) -> bool {
    let are_hex = |digits: &[u8]| digits.iter().all(u8::is_ascii_hexdigit);
    match before {
        [.., b'\\', b'n' | b'r' | b't' | b'b' | b'f' | b'v' | b'0'] => true,
        [.., b'\\', b'x', a, b] | [.., b'%', a, b] if are_hex(&[*a, *b]) => true,
        [.., b'\\', b'u', a, b, c, d] => are_hex(&[*a, *b, *c, *d]),
        [colour @ .., b'm'] => {
            let parameters = colour
                .iter()
                .rev()
                .take_while(|byte| byte.is_ascii_digit() || **byte == b';')
                .count();
            colour[..colour.len() - parameters].ends_with(b"[")
        }
        _ => false,
    }
}
