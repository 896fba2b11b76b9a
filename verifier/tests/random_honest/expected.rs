//! What the model says that nobody can show, code by code.

use std::collections::BTreeSet;

use countersign_identity::grant::PolicyTerms;
use countersign_schemas::body::{PolicyLayer, Role};
use countersign_schemas::digest::Digest;
use countersign_schemas::number::Seq;
use countersign_verifier::law::{Stop, Unfinished};

use super::acting::{Action, State};
use super::people::Left;
use super::world::World;

/// Code and entry; no entry for the ledger as a whole.
pub(super) type Unproven = BTreeSet<(String, Option<u64>)>;

/// What a root grant demands, and what is in force.
pub(super) struct Terms {
    /// `None` where no run is active.
    pub(super) pins: Option<PolicyTerms>,
    pub(super) in_force: [Option<(Seq, Digest)>; 6],
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Hold {
    Yes,
    No,
    /// A pinned text is absent.
    Unknown,
}

impl Terms {
    /// Whether they hold for who lacks what `is_absent` says, by entry and slot.
    pub(super) fn hold(&self, is_absent: &dyn Fn(Seq, u8) -> bool) -> Hold {
        let Some(pins) = &self.pins else { return Hold::No };
        let at = |layer: PolicyLayer| self.in_force[usize::try_from(layer.code()).expect("six layers")];
        let organisation = PolicyLayer::Organisation;
        if !pins.adopt && at(organisation).is_some() && !pins.floor.contains_key(&organisation) {
            return Hold::No;
        }
        let mut hold = Hold::Yes;
        for (layer, pinned) in &pins.floor {
            match at(*layer) {
                Some((seq, _)) if is_absent(seq, 0) => hold = Hold::Unknown,
                Some((_, digest)) if digest == *pinned => {}
                _ => return Hold::No,
            }
        }
        hold
    }

    /// The `policy.adopted` in force, ascending.
    pub(super) fn entries(&self) -> Vec<Seq> {
        let mut entries: Vec<Seq> = self.in_force.iter().flatten().map(|(seq, _)| *seq).collect();
        entries.sort_unstable();
        entries
    }
}

impl World {
    /// Everything that stays unproven; `absent` are entries and slots of payloads that the copy lacks.
    pub(super) fn unproven(&self, absent: &BTreeSet<(Seq, u8)>) -> Unproven {
        let mut all: BTreeSet<(&str, Seq)> = self.lasting.clone();
        let last = Seq::clamped(self.writer.next_seq().get() - 1);
        let uncovered = self.unattended.iter().filter(|seq| seq.get() > self.covered);
        all.extend(uncovered.map(|seq| ("C1", *seq)));
        if self.closed.is_none() {
            all.insert(("C1", last));
        }
        for (seq, party) in &self.parties {
            if party.role != Role::Approver && party.stop != Stop::Own {
                all.insert(("C2", *seq));
            }
        }
        all.extend(self.open().into_iter().map(|seq| ("C3", seq)));
        all.extend(absent.iter().map(|(seq, _)| ("I9", *seq)));
        let texts_ordered = self.ordered.iter().filter(|seq| absent.contains(&(**seq, 0)));
        all.extend(texts_ordered.map(|seq| ("A5", *seq)));
        for (request, action) in &self.actions {
            all.extend(unproven_action(*request, action, absent));
        }
        all.into_iter()
            .map(|(code, seq)| (code.to_owned(), Some(seq.get())))
            .collect()
    }

    /// What has no end: what `ledger.closed` counts.
    pub(super) fn open(&self) -> Vec<Seq> {
        let mut open: Vec<Seq> = self.questions.keys().copied().collect();
        open.extend(
            self.parties
                .values()
                .filter_map(|party| party.open_call.as_ref().map(|call| call.seq)),
        );
        open.extend(self.actions.iter().filter_map(|(request, action)| match action.state {
            State::Undecided => Some(*request),
            State::Asking | State::Permitted => action.decision,
            State::Denied | State::Lapsed | State::Finished => None,
        }));
        open
    }

    /// The state of the law and the model agree on what is there and what is left.
    pub(super) fn agrees_with_the_law(&self) {
        let law = &self.writer.law;
        assert_eq!(law.open_items(), self.open().len() as u64, "open items");
        let running = self
            .parties
            .iter()
            .filter(|(_, party)| party.role == Role::Runtime && party.stop == Stop::Running);
        let running: Vec<Seq> = running.map(|(seq, _)| *seq).collect();
        assert_eq!(
            law.running().map(|it| it.seq()).collect::<Vec<_>>(),
            running,
            "who runs"
        );
        for (seq, party) in &self.parties {
            if party.grant.is_some() {
                assert_eq!(
                    law.budget_left(*seq),
                    Some(self.accounts.left(*seq)),
                    "what {seq} may spend"
                );
            }
            if party.role == Role::Runtime {
                assert_eq!(law.unfinished(*seq), self.unfinished(&party.line), "what {seq} left");
            }
        }
    }

    fn unfinished(&self, line: &[Seq]) -> Unfinished {
        let mut all = Unfinished::default();
        for left in self.left_by(line) {
            match left {
                Left::Permitted(request) => all.permitted.extend(self.actions[&request].decision),
                Left::Asking(request) => all.asking.extend(self.actions[&request].decision),
                Left::Run(run) => all.runs.push(run),
                Left::Instance(instance) => all.instances.push(instance),
            }
        }
        all.permitted.sort_unstable();
        all.asking.sort_unstable();
        all
    }
}

/// What cannot be shown about one action without some payloads.
fn unproven_action(request: Seq, action: &Action, absent: &BTreeSet<(Seq, u8)>) -> Vec<(&'static str, Seq)> {
    let is_absent = |seq: Seq, slot: u8| absent.contains(&(seq, slot));
    let without_arguments = is_absent(request, 0);
    let mut all = Vec::new();
    if let Some(cause) = action.cause
        && (without_arguments || is_absent(cause, 0))
    {
        all.push(("D10", request));
    }
    let (Some(decision), Some(terms)) = (action.decision, &action.terms) else {
        return all;
    };
    let without_policies = || (0..3).any(|slot| terms.in_force.iter().flatten().any(|(seq, _)| is_absent(*seq, slot)));
    if without_arguments || (action.is_projected && is_absent(decision, 0)) {
        all.push(("D4a", decision));
    } else if terms.hold(&is_absent) == Hold::Unknown || (action.is_projected && without_policies()) {
        all.push(("D4b", decision));
    }
    if let Some(answered) = &action.answered {
        if is_absent(answered.seq, 0) || without_arguments {
            all.push(("D5", answered.seq));
        }
        if answered
            .terms
            .as_ref()
            .is_some_and(|terms| terms.hold(&is_absent) == Hold::Unknown)
        {
            all.push(("G8", answered.seq));
        }
    }
    all
}
