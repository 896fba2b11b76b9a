//! The findings of a whole audit, in bounded memory.

use super::entry_verdicts::Named;
use crate::audit::Verdict;
use crate::code::Class;
use crate::finding::Finding;

/// Most findings that are kept of each list: a hostile ledger could break a rule in every entry.
const LIST_MAX: usize = 1_000;

/// What was found so far.
pub(super) struct Collected {
    pub(super) breaches: Vec<Finding>,
    pub(super) unproven: Vec<Finding>,
    /// How many of either were left out.
    pub(super) omitted: usize,
    pub(super) verdict: Verdict,
    /// Remembers codes and entries of all of them, if that is asked for.
    pub(super) named: Named,
}

impl Default for Collected {
    fn default() -> Self {
        Self {
            breaches: Vec::new(),
            unproven: Vec::new(),
            omitted: 0,
            verdict: Verdict::Verified,
            named: Named::default(),
        }
    }
}

impl Collected {
    pub(super) fn push(&mut self, finding: Finding) {
        self.named.note(&finding);
        let (list, verdict) = match finding.class {
            Class::Written | Class::Denied => (&mut self.breaches, Verdict::Rejected),
            Class::Unreadable => (&mut self.breaches, Verdict::Unreadable),
            Class::Unproven => (&mut self.unproven, Verdict::Incomplete),
        };
        self.verdict = self.verdict.max(verdict);
        if list.len() < LIST_MAX {
            list.push(finding);
        } else {
            self.omitted += 1;
        }
    }

    /// What is unproven counts as broken (`--strict`); it stays in its list.
    pub(super) fn reject_unproven(&mut self) {
        if !self.unproven.is_empty() {
            self.verdict = Verdict::Rejected;
        }
    }

    /// Sorts both lists by entry; what concerns the ledger as a whole comes last.
    pub(super) fn sort(&mut self) {
        for list in [&mut self.breaches, &mut self.unproven] {
            list.sort_by_key(|finding| (finding.entry.is_none(), finding.entry));
        }
    }
}

impl Extend<Finding> for Collected {
    fn extend<I: IntoIterator<Item = Finding>>(&mut self, findings: I) {
        findings.into_iter().for_each(|finding| self.push(finding));
    }
}
