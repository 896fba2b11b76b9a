//! Collects what is wrong with one entry while its checks run.

use std::fmt::Display;

use countersign_schemas::number::Seq;

use crate::code::{Class, Code};
use crate::finding::Finding;

/// The findings of one entry, in the order of the checks.
pub(super) struct Findings {
    entry: Seq,
    list: Vec<Finding>,
}

impl Findings {
    pub(super) fn of(entry: Seq) -> Self {
        Self {
            entry,
            list: Vec::new(),
        }
    }

    /// A rule is broken at this entry.
    pub(super) fn breach(&mut self, code: Code, expected: impl Display, found: impl Display) {
        self.push(Finding::new(code, self.entry, expected.to_string(), found.to_string()));
    }

    /// Something about this entry cannot be shown.
    pub(super) fn unproven(&mut self, code: Code, expected: impl Display, found: impl Display) {
        self.push(Finding::unproven(
            code,
            self.entry,
            expected.to_string(),
            found.to_string(),
        ));
    }

    /// This entry says something that this version does not judge.
    pub(super) fn newer(&mut self, found: impl Display) {
        self.breach(Code::U2, "what this version judges", found);
    }

    pub(super) fn push(&mut self, finding: Finding) {
        self.list.push(finding);
    }

    /// Breaks `code` unless `holds`; gives `holds` back.
    pub(super) fn require(&mut self, holds: bool, code: Code, expected: impl Display, found: impl Display) -> bool {
        if !holds {
            self.breach(code, expected, found);
        }
        holds
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether anything behind the first `keep` findings belongs to a newer version.
    pub(super) fn has_newer_behind(&self, keep: usize) -> bool {
        self.list.iter().skip(keep).any(|finding| finding.code == Code::U2)
    }

    /// Takes back what was found behind the first `keep` findings, where `is_void` says so.
    pub(super) fn drop_behind(&mut self, keep: usize, is_void: impl Fn(&Finding) -> bool) {
        let mut place = 0;
        self.list.retain(|finding| {
            place += 1;
            place <= keep || !is_void(finding)
        });
    }

    /// The first finding for which such an entry may not be written.
    pub(super) fn first_refusal(&self) -> Option<&Finding> {
        self.list.iter().find(|finding| finding.class != Class::Unproven)
    }

    pub(super) fn into_vec(self) -> Vec<Finding> {
        self.list
    }
}
