//! What a ledger leaves open: rules C1 to C3 (authority-v1 §6, V9).

use countersign_schemas::body::Role;
use countersign_schemas::number::{Seq, Size};

use super::Law;
use super::instance::Stop;
use crate::code::Code;
use crate::finding::Finding;

impl Law {
    /// Counts what has no end yet: `open_items` of `ledger.closed`.
    #[must_use]
    pub fn open_items(&self) -> u64 {
        let actions = &self.actions;
        let open = [
            actions.undecided.len(),
            actions.asking.len(),
            actions.permitted.len(),
            self.model_calls.len(),
            self.questions.len(),
        ];
        open.iter().sum::<usize>() as u64
    }

    /// What a complete ledger would not leave open, entry by entry. `covered`: so many of the first entries are covered by
    /// a head that was kept elsewhere.
    #[must_use]
    pub fn completeness(&self, covered: Option<Size>) -> Vec<Finding> {
        let mut findings = Vec::new();
        let last = self.next_seq().get().checked_sub(1).map(Seq::clamped);
        if let (None, Some(last)) = (self.chain.closed, last) {
            findings.push(Finding::new(Code::C1, last, "ledger.closed", "an open end"));
        }
        findings.extend(self.unwitnessed(covered));
        findings.extend(self.unstopped());
        findings.extend(self.open());
        findings
    }

    /// Where a ledger lay without anybody whose key could tell what it held: whoever has the host's keys could cut off
    /// what stood there, and go on.
    fn unwitnessed(&self, covered: Option<Size>) -> impl Iterator<Item = Finding> {
        let covered = covered.map_or(0, Size::get);
        self.unattended
            .iter()
            .filter(move |seq| seq.get() > covered)
            .map(|seq| {
                Finding::new(
                    Code::C1,
                    *seq,
                    format!("a runtime that was there before and after, or a head over {seq} entries"),
                    "nobody ran: that nothing is missing before it is the host's word",
                )
            })
    }

    fn unstopped(&self) -> impl Iterator<Item = Finding> {
        self.instances
            .values()
            .filter(|instance| instance.role != Role::Approver)
            .filter_map(|instance| {
                let found = match instance.stop {
                    Stop::Own => return None,
                    Stop::Running => "no stop".to_owned(),
                    Stop::Declared => "a stop that another instance declared".to_owned(),
                    Stop::Succeeded(by) => format!("the instance at {by}, which took over from it"),
                };
                Some(Finding::new(
                    Code::C2,
                    instance.seq,
                    format!("a stop by {} itself", instance.name),
                    found,
                ))
            })
    }

    fn open(&self) -> impl Iterator<Item = Finding> {
        let actions = &self.actions;
        let undecided = actions.undecided.iter().map(|seq| (*seq, "a decision on the request"));
        let asking = actions.asking.iter().map(|seq| (*seq, "an answer to the ask"));
        let permitted = actions
            .permitted
            .iter()
            .map(|seq| (*seq, "an outcome of the permitted action"));
        let calls = self.model_calls.keys().map(|seq| (*seq, "an answer of the model"));
        let questions = self.questions.keys().map(|seq| (*seq, "an answer to the question"));
        let mut open: Vec<_> = undecided
            .chain(asking)
            .chain(permitted)
            .chain(calls)
            .chain(questions)
            .collect();
        open.sort_unstable();
        open.into_iter()
            .map(|(seq, expected)| Finding::new(Code::C3, seq, expected, "none"))
    }

    /// How many instances have no stop under both of their own keys: their words rest on Ed25519 alone.
    #[must_use]
    pub fn authors_without_hybrid_stop(&self) -> usize {
        let authors = self
            .instances
            .values()
            .filter(|instance| instance.role != Role::Approver);
        authors.filter(|instance| instance.stop != Stop::Own).count()
    }
}
