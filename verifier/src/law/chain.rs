//! Order, chain and time: rules I3 to I6 and I10 (authority-v1 §6, V2, V3 and V5).

use std::collections::VecDeque;

use countersign_schemas::body::Body;
use countersign_schemas::chain::GENESIS_PREV;
use countersign_schemas::digest::Link;
use countersign_schemas::kind::Kind;
use countersign_schemas::number::{Millis, Seq, Size};
use countersign_schemas::statement::Seen;

use super::damage::Damage;
use super::entry::Entry;
use super::findings::Findings;
use super::instance::Instance;
use super::snapshot_values::kept;
use crate::code::Code;
use crate::finding::Finding;

/// Furthest that `seen` may lag behind the entry's own place.
pub const SEEN_LAG_MAX: u64 = 65_536;

/// The chain up to the last entry.
#[derive(Debug, Default)]
pub(super) struct Chain {
    next: Seq,
    /// Links of the entries before `next`, the oldest first; `None` where an entry is missing.
    links: VecDeque<Option<Link>>,
    /// `received` of the last entry whose record was not named.
    received: Millis,
    pub(super) damage: Damage,
    /// The first record that was named or is missing: no root over it can be right.
    pub(super) broken_from: Option<Seq>,
    /// Whether the `prev` of the last entry did not fit, so that I3 names it already.
    last_misfits: bool,
    pub(super) closed: Option<Seq>,
}

kept!(Chain {
    next,
    links,
    received,
    damage,
    broken_from,
    last_misfits,
    closed
});

/// What V3 says about `prev`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Prev {
    /// It is the link of the entry before, or nothing is known that it could contradict.
    Fits,
    /// The entry before is damaged, so it is the one that was changed.
    BeforeWasChanged {
        /// Its link as this entry states it.
        stated: Link,
        /// The link of its bytes.
        found: Link,
    },
    /// As [`Self::BeforeWasChanged`], where I3 named it for its own `prev` already.
    BeforeWasNamed {
        /// Its link as this entry states it.
        stated: Link,
    },
    /// This entry's record was changed, or never stood here.
    DoesNotFit {
        /// The link of the entry before.
        expected: Link,
        /// `prev` of this entry.
        found: Link,
    },
}

impl Prev {
    /// The link of the entry before that this one states in the place of that of its bytes.
    fn stated(self) -> Option<Link> {
        match self {
            Self::BeforeWasChanged { stated, .. } | Self::BeforeWasNamed { stated } => Some(stated),
            Self::Fits | Self::DoesNotFit { .. } => None,
        }
    }

    /// Whether this entry itself is named.
    pub(super) fn is_misfit(self) -> bool {
        matches!(self, Self::DoesNotFit { .. })
    }

    /// Names the entry before, or `seq` itself (authority-v1 §6.1).
    pub(super) fn finding(self, seq: Seq) -> Option<Finding> {
        match self {
            Self::Fits | Self::BeforeWasNamed { .. } => None,
            Self::BeforeWasChanged { stated, found } => {
                let before = Seq::clamped(seq.get().saturating_sub(1));
                let expected = format!("link {stated}, which the next entry states");
                Some(Finding::new(Code::I3, before, expected, format!("link {found}")))
            }
            Self::DoesNotFit { expected, found } => Some(Finding::new(
                Code::I3,
                seq,
                format!("prev {expected}"),
                format!("prev {found}"),
            )),
        }
    }
}

impl Chain {
    pub(super) fn next_seq(&self) -> Seq {
        self.next
    }

    pub(super) fn last_received(&self) -> Millis {
        self.received
    }

    /// The head that a next author can see.
    pub(super) fn head(&self) -> Seen {
        let link = self.links.back().copied().flatten().unwrap_or(GENESIS_PREV);
        Seen {
            size: Size::clamped(self.next.get()),
            link,
        }
    }

    /// The link of the last of `size` entries, if it is still kept and known.
    fn link_at(&self, size: Size) -> Option<Link> {
        let back = self.next.get().checked_sub(size.get())?;
        let index = self
            .links
            .len()
            .checked_sub(1)?
            .checked_sub(usize::try_from(back).ok()?)?;
        self.links.get(index).copied().flatten()
    }

    /// V3.
    pub(super) fn check_prev(&self, prev: Link) -> Prev {
        let expected = match self.links.back() {
            None if self.next == Seq::ZERO => GENESIS_PREV,
            Some(Some(link)) => *link,
            // Behind a missing entry nothing is known that `prev` could contradict.
            _ => return Prev::Fits,
        };
        if prev == expected {
            return Prev::Fits;
        }
        let before = self.next.get().checked_sub(1).map(Seq::clamped);
        match before.filter(|before| self.damage.contains(*before)) {
            None => Prev::DoesNotFit { expected, found: prev },
            Some(_) if self.last_misfits => Prev::BeforeWasNamed { stated: prev },
            Some(_) => Prev::BeforeWasChanged {
                stated: prev,
                found: expected,
            },
        }
    }

    /// Goes on with the link that this entry states of the one before.
    pub(super) fn apply_prev(&mut self, verdict: Prev) {
        self.last_misfits = verdict.is_misfit();
        if let (Some(stated), Some(last)) = (verdict.stated(), self.links.back_mut()) {
            *last = Some(stated);
            self.break_roots(Seq::clamped(self.next.get().saturating_sub(1)));
        } else if verdict.is_misfit() {
            self.break_roots(self.next);
        }
    }

    /// No root over the record at `seq` can be right.
    pub(super) fn break_roots(&mut self, seq: Seq) {
        self.broken_from = Some(self.broken_from.map_or(seq, |first| first.min(seq)));
    }

    /// V2 and V5 for an entry that is decoded and signed.
    pub(super) fn check(&self, entry: &Entry<'_>, prev: Prev, author: Option<&Instance>, out: &mut Findings) {
        if let Some(misplaced) = self.misplaced(entry.seq, entry.statement.kind()) {
            out.push(misplaced);
        }
        self.check_seen(entry, prev, author, out);
        let earliest = self.received;
        out.require(
            entry.received >= earliest,
            Code::I10,
            format_args!("received at or after {earliest}"),
            entry.received,
        );
        if let Some(author) = author {
            self.check_counter(entry, author, out);
            let last_at = author.last_at();
            out.require(
                entry.statement.at >= last_at,
                Code::I10,
                format_args!("at, at or after {last_at}"),
                entry.statement.at,
            );
        }
    }

    /// V2: why an entry of this kind cannot stand at `seq`.
    pub(super) fn misplaced(&self, seq: Seq, kind: Kind) -> Option<Finding> {
        let expected = if seq != self.next {
            format!("entry {}", self.next)
        } else if let Some(closed) = self.closed {
            format!("nothing behind ledger.closed at {closed}")
        } else if (kind == Kind::LedgerOpened) != (seq == Seq::ZERO) {
            "ledger.opened at entry 0 and nowhere else".to_owned()
        } else {
            return None;
        };
        Some(Finding::new(Code::I4, seq, expected, format!("entry {seq}, {kind}")))
    }

    fn check_seen(&self, entry: &Entry<'_>, prev: Prev, author: Option<&Instance>, out: &mut Findings) {
        let seen = entry.statement.seen;
        let genesis = Seen {
            size: Size::ZERO,
            link: GENESIS_PREV,
        };
        if entry.seq == Seq::ZERO {
            out.require(
                seen == genesis,
                Code::I5,
                "seen nothing",
                format_args!("seen {} entries", seen.size),
            );
            return;
        }
        let (low, high) = (least_seen(entry, author), Size::clamped(entry.seq.get()));
        if !out.require(
            low <= seen.size && seen.size <= high,
            Code::I5,
            format_args!("seen {low} to {high} entries"),
            format_args!("seen {} entries", seen.size),
        ) {
            return;
        }
        // The link that this entry states of a changed one counts from here on (authority-v1 §6.1).
        let stated = prev.stated().filter(|_| seen.size.get() == self.next.get());
        if let Some(link) = stated.or_else(|| self.link_at(seen.size)) {
            let last = seen.size.get().saturating_sub(1);
            out.require(
                seen.link == link,
                Code::I5,
                format_args!("link {link} of entry {last}"),
                seen.link,
            );
        }
    }

    fn check_counter(&self, entry: &Entry<'_>, author: &Instance, out: &mut Findings) {
        let (n, next) = (entry.statement.n, author.next_n());
        // Statements lost to damage that is named already leave a gap that is no finding of its own.
        let since = author.last_seq().unwrap_or(author.seq());
        let lost = self.damage.count_between(since, entry.seq);
        let explained = n > next && n.get() - next.get() <= lost;
        out.require(
            n == next || explained,
            Code::I6,
            format_args!("n {next}"),
            format_args!("n {n}"),
        );
    }

    /// Goes on behind `seq`; places that were left out in between are marked as damaged.
    pub(super) fn advance(&mut self, seq: Seq, link: Option<Link>, received: Option<Millis>) {
        if seq > self.next {
            self.break_roots(self.next);
            self.damage.mark(self.next, seq);
            let missing = (seq.get() - self.next.get()).min(SEEN_LAG_MAX + 1);
            (0..missing).for_each(|_| self.push(None));
        }
        self.push(link);
        self.received = received.unwrap_or(self.received);
        self.next = Seq::clamped(seq.get() + 1).max(self.next);
    }

    fn push(&mut self, link: Option<Link>) {
        self.links.push_back(link);
        if self.links.len() as u64 > SEEN_LAG_MAX + 1 {
            self.links.pop_front();
        }
    }
}

/// The fewest entries an author must have seen: its own introduction, its own last entry and whatever it names; all that
/// stand before where it says that something ends here.
fn least_seen(entry: &Entry<'_>, author: Option<&Instance>) -> Size {
    let ends = match &entry.statement.body {
        Body::InstanceStopped(_) | Body::LedgerClosed(_) => true,
        Body::IdentityIntroduced(body) => body.succeeds.is_some(),
        _ => false,
    };
    let lag = if ends { 0 } else { SEEN_LAG_MAX };
    let oldest = Size::clamped(entry.seq.get().saturating_sub(lag));
    let named = entry.statement.body.named_entries().into_iter().max();
    let introduction = Some(entry.statement.by).filter(|by| *by != entry.seq);
    let own = author.and_then(Instance::last_seq).max(introduction);
    named
        .max(own)
        .map_or(Size::ZERO, Seq::size)
        .max(oldest)
        .max(Size::clamped(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_known_as_far_back_as_an_author_may_lag_and_no_further() {
        let mut chain = Chain::default();
        let link = |seq: u64| {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&seq.to_be_bytes());
            Link::from_bytes(bytes)
        };
        let size = SEEN_LAG_MAX + 10;
        (0..size).for_each(|seq| chain.advance(Seq::clamped(seq), Some(link(seq)), None));
        let oldest = size - SEEN_LAG_MAX;
        for behind in [oldest, oldest + 1, size] {
            assert_eq!(chain.link_at(Size::clamped(behind)), Some(link(behind - 1)));
        }
        assert_eq!(chain.link_at(Size::clamped(oldest - 1)), None);
        assert_eq!(chain.link_at(Size::clamped(size + 1)), None);
    }
}
