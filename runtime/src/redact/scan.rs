//! Finds the regions of a text that must be hidden, from left to right, in one pass.
//!
//! Every byte is hidden that any rule hides: rules do not compete, so that no secret escapes because another one was
//! found in the middle of it. Where a stream stops between two pieces makes no difference, because an attempt is followed
//! only as far as the text goes and goes on from there.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::attempt::{Attempt, Step};
use super::grammar::Part;
use super::rules::{Candidate, Rule, Rules, ends_word};
use super::view::View;

/// A part of a text that must be hidden.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Region {
    /// Its first byte.
    pub(super) from: usize,
    /// Which rule hides it; of several that begin here the first gives the marker its name.
    pub(super) rule: usize,
    /// The byte after its last.
    pub(super) to: usize,
}

/// What is known of a text so far.
pub(super) struct Scanner {
    rules: Arc<Rules>,
    live: Vec<Attempt>,
    found: Vec<Region>,
    /// Where regions end: a token may begin there, because a marker will stand before it.
    ends: BTreeSet<usize>,
    seen: usize,
}

impl Scanner {
    /// A scanner that has seen nothing.
    pub(super) fn new(rules: Arc<Rules>) -> Self {
        Self {
            rules,
            live: Vec::new(),
            found: Vec::new(),
            ends: BTreeSet::new(),
            seen: 0,
        }
    }

    /// The rule with this number.
    pub(super) fn rule(&self, number: usize) -> &Rule {
        self.rules.rule(number)
    }

    /// Looks at what is new in `text`.
    pub(super) fn scan(&mut self, text: View<'_>) {
        let rules = Arc::clone(&self.rules);
        for candidate in rules.candidates(text, self.seen) {
            // What is being followed is followed up to here first: whether a token may begin here can depend on it.
            self.advance(text.until(candidate.start + 1));
            self.begin(&candidate, text);
        }
        self.seen = text.len();
        self.advance(text);
    }

    /// Up to where `text` is decided: nothing that is still to come hides anything before.
    pub(super) fn decided(&self, text: View<'_>) -> usize {
        let undecided = self.live.iter().filter(|attempt| self.open(attempt).is_none());
        let first = undecided.map(|attempt| attempt.start).min();
        let unfinished = if text.is_final() {
            None
        } else {
            self.rules.unfinished(text)
        };
        [first, unfinished].into_iter().flatten().min().unwrap_or(text.len())
    }

    /// The regions that begin before `position`, in order. What is hidden without an end so far is so up to the end of
    /// `text`.
    pub(super) fn regions(&self, text: View<'_>, position: usize) -> Vec<Region> {
        let open = self.live.iter().filter_map(|attempt| {
            self.open(attempt).map(|_| Region {
                from: attempt.from,
                rule: attempt.rule,
                to: text.len(),
            })
        });
        let mut regions: Vec<Region> = self.found.iter().copied().chain(open).collect();
        regions.retain(|region| region.from < position);
        regions.sort_unstable();
        regions
    }

    /// Whether nothing has to be hidden.
    pub(super) fn has_found_nothing(&self) -> bool {
        self.found.is_empty() && self.live.is_empty()
    }

    /// Forgets what ends before `position`.
    pub(super) fn forget(&mut self, position: usize) {
        self.found.retain(|region| region.to > position);
        self.ends = self.ends.split_off(&position);
    }

    /// How far back the text is still needed.
    pub(super) fn needed_from(&self) -> usize {
        self.live.iter().map(|attempt| attempt.at).min().unwrap_or(self.seen)
    }

    fn open(&self, attempt: &Attempt) -> Option<Part> {
        attempt.sure_part(self.rules.rule(attempt.rule))
    }

    fn begin(&mut self, candidate: &Candidate, text: View<'_>) {
        let may_begin = !self.rules.rule(candidate.rule).stands_alone()
            || ends_word(text.before(candidate.start))
            || self.ends.contains(&candidate.start);
        if may_begin {
            self.live
                .push(Attempt::new(candidate.rule, candidate.start, candidate.end));
        }
    }

    fn advance(&mut self, text: View<'_>) {
        let Self {
            rules,
            live,
            found,
            ends,
            ..
        } = self;
        live.retain_mut(|attempt| match attempt.advance(rules.rule(attempt.rule), text) {
            Step::More => true,
            Step::Failed => false,
            Step::Found(to) => {
                found.push(Region {
                    from: attempt.from,
                    rule: attempt.rule,
                    to,
                });
                ends.insert(to);
                false
            }
        });
        self.drop_repeated();
    }

    /// Of several attempts that are in the same last part, all end together: the one that hides most stays. Otherwise a
    /// text of a thousand opened key blocks would be followed a thousand times.
    fn drop_repeated(&mut self) {
        if self.live.len() < 2 {
            return;
        }
        let open: Vec<Option<Part>> = self.live.iter().map(|attempt| self.open(attempt)).collect();
        let mut widest: Vec<(Part, usize)> = Vec::new();
        for (part, attempt) in open.iter().zip(&self.live) {
            let Some(part) = *part else { continue };
            match widest.iter_mut().find(|(known, _)| *known == part) {
                Some((_, from)) => *from = attempt.from.min(*from),
                None => widest.push((part, attempt.from)),
            }
        }
        let mut parts = open.into_iter();
        self.live.retain(|attempt| {
            let Some(part) = parts.next().flatten() else {
                return true;
            };
            // Each is kept once: the next one like it finds nothing here.
            match widest.iter().position(|known| *known == (part, attempt.from)) {
                Some(at) => {
                    widest.swap_remove(at);
                    true
                }
                None => false,
            }
        });
    }
}
