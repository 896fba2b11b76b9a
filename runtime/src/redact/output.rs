//! Puts together what is shown: the text, with a marker for each region that is hidden.

use std::collections::BTreeMap;

use super::mark::marker;
use super::scan::Scanner;
use super::view::View;

/// How often a secret of each kind was taken out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts(BTreeMap<&'static str, usize>);

impl Counts {
    /// How many markers there are.
    #[must_use]
    pub fn total(&self) -> usize {
        self.0.values().sum()
    }

    /// The kinds that were found, by name, with the number of markers of each.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, usize)> {
        self.0.iter().map(|(name, count)| (*name, *count))
    }
}

/// The text that is shown, as far as it is decided.
#[derive(Default)]
pub(super) struct Output {
    /// Everything before is shown or hidden.
    done: usize,
    shown: String,
    counts: Counts,
}

impl Output {
    /// Adds everything up to `decided`, and what is hidden from there on without a gap.
    pub(super) fn settle(&mut self, scanner: &Scanner, text: View<'_>, decided: usize) {
        for region in scanner.regions(text, decided) {
            // One that overlaps the last is part of what its marker stands for.
            if region.from >= self.done {
                self.show(text, region.from);
                let name = scanner.rule(region.rule).name();
                self.shown.push_str(&marker(name));
                *self.counts.0.entry(name).or_default() += 1;
            }
            self.done = self.done.max(region.to);
        }
        self.show(text, decided);
    }

    /// Takes what has been added since the last time.
    pub(super) fn take(&mut self) -> String {
        std::mem::take(&mut self.shown)
    }

    /// What was taken out.
    pub(super) fn into_counts(self) -> Counts {
        self.counts
    }

    fn show(&mut self, text: View<'_>, until: usize) {
        if self.done < until {
            self.shown.push_str(text.slice(self.done, until));
            self.done = until;
        }
    }
}
