//! `instance.stopped`, `ledger.closed` and the events that end something (authority-v1 §5.3, §5.4, I7).

use countersign_schemas::body::{EventCode, InstanceStopped, LedgerClosed, Role, SessionEvent};
use countersign_schemas::digest::Digest;
use countersign_schemas::number::{Seq, Size};

use super::action::Standing;
use super::entry::Entry;
use super::findings::Findings;
use super::instance::{Instance, Stop};
use super::{Change, Law};
use crate::code::Code;

/// A stop that is entered.
pub(super) struct Stopped {
    instance: Seq,
    stop: Stop,
}

impl Stopped {
    pub(super) fn apply(self, law: &mut Law) {
        law.stop(self.instance, self.stop);
    }
}

pub(super) fn check_stop(law: &Law, author: &Instance, body: &InstanceStopped, out: &mut Findings) -> Option<Change> {
    let Some(instance) = law
        .instances
        .get(&body.instance)
        .filter(|instance| instance.role != Role::Approver)
    else {
        out.breach(
            Code::A5,
            "the stop of an instance",
            format_args!("entry {}", body.instance),
        );
        return None;
    };
    let own = instance.seq == author.seq;
    if !own && author.role != Role::Runtime {
        out.breach(Code::A5, "its own stop", format_args!("the stop of {}", instance.seq));
        return None;
    }
    if instance.stop != Stop::Running {
        out.breach(
            Code::A5,
            "the stop of an instance that still runs",
            format_args!("{} has stopped", instance.seq),
        );
        return None;
    }
    let words = instance.last_words();
    let lost = law.chain.damage.count_between(words.1, law.next_seq()) > 0;
    let states = (body.last_n, body.last_seq);
    let expected = format!("last entry {} with n {}", words.1, words.0);
    out.require(
        states == words || lost,
        Code::I6,
        expected,
        format_args!("entry {} with n {}", states.1, states.0),
    );
    let stop = if own { Stop::Own } else { Stop::Declared };
    Some(Change::Stopped(Stopped {
        instance: body.instance,
        stop,
    }))
}

/// The end of the ledger.
pub(super) struct Closed {
    seq: Seq,
    by: Seq,
}

impl Closed {
    pub(super) fn apply(self, law: &mut Law) {
        law.chain.closed = Some(self.seq);
        law.stop(self.by, Stop::Own);
    }
}

pub(super) fn check_close(
    law: &Law,
    entry: &Entry<'_>,
    author: &Instance,
    body: &LedgerClosed,
    out: &mut Findings,
) -> Option<Change> {
    let size = Size::clamped(entry.seq.get());
    out.require(body.size == size, Code::I7, format_args!("size {size}"), body.size);
    // No later entry chains to this one, so its time of receipt rests on its own signature.
    let at = entry.statement.at;
    out.require(
        entry.received == at,
        Code::I7,
        format_args!("received at {at}"),
        entry.received,
    );
    if !law.tree_is_broken() {
        let root = Digest::from_bytes(*entry.tree.root().as_bytes());
        out.require(body.root == root, Code::I7, format_args!("root {root}"), body.root);
    }
    if !law.chain.damage.is_any() {
        let open = law.open_items();
        out.require(
            body.open_items.get() == open,
            Code::I7,
            format_args!("{open} open items"),
            body.open_items,
        );
    }
    if author.took_over() {
        let found = format!("a close by {}, which took over from a crash", author.seq);
        out.unproven(Code::C1, "a close by an instance that succeeded nobody", found);
    }
    Some(Change::Closed(Closed {
        seq: entry.seq,
        by: author.seq,
    }))
}

/// An ask that nobody will answer any more.
pub(super) struct Lapsed {
    decision: Seq,
}

impl Lapsed {
    pub(super) fn apply(self, law: &mut Law) {
        law.actions.settle(self.decision, Standing::Lapsed);
    }
}

pub(super) fn check_event(law: &Law, author: &Instance, body: &SessionEvent, out: &mut Findings) -> Option<Change> {
    if body.code != EventCode::ApprovalExpired {
        return Some(Change::None);
    }
    let asking = |seq: &Seq| {
        law.actions
            .decisions
            .get(seq)
            .is_some_and(|it| it.standing == Standing::Asking)
    };
    let Some(decision) = body.about.filter(asking) else {
        let found = body
            .about
            .map_or_else(|| "nothing".to_owned(), |seq| format!("entry {seq}"));
        out.breach(Code::A5, "an ask that nobody answered", found);
        return None;
    };
    let decider = law
        .actions
        .decisions
        .get(&decision)
        .map_or(Seq::ZERO, |decision| decision.author);
    out.require(
        law.stands_for(author, decider),
        Code::A5,
        format_args!("the decider, {decider}, or who took over from it"),
        format_args!("{}", author.seq),
    );
    Some(Change::Lapsed(Lapsed { decision }))
}
