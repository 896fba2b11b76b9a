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
    /// `received` of the last entry, and of the one before it.
    received: Millis,
    received_before: Millis,
    pub(super) damage: Damage,
    /// A record was changed or is missing, so no later root can be right.
    pub(super) tree_is_broken: bool,
    pub(super) closed: Option<Seq>,
}

kept!(Chain {
    next,
    links,
    received,
    received_before,
    damage,
    tree_is_broken,
    closed
});

/// What V3 says about `prev`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Prev {
    /// It is the link of the entry before, or nothing is known that it could contradict.
    Fits,
    /// The entry before was changed: two later signatures agree on its old bytes.
    BeforeWasChanged {
        /// The link those signatures attest.
        attested: Link,
        /// The link of the changed bytes.
        found: Link,
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
    fn attested(self) -> Option<Link> {
        match self {
            Self::BeforeWasChanged { attested, .. } => Some(attested),
            Self::Fits | Self::DoesNotFit { .. } => None,
        }
    }

    /// Whether the record of the entry before was changed.
    pub(super) fn blames_the_entry_before(self) -> bool {
        self.attested().is_some()
    }

    /// Names the entry before, or `seq` itself (authority-v1 §6.1).
    pub(super) fn finding(self, seq: Seq) -> Option<Finding> {
        match self {
            Self::Fits => None,
            Self::BeforeWasChanged { attested, found } => {
                let before = Seq::clamped(seq.get().saturating_sub(1));
                let expected = format!("link {attested}, which the next entry states");
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

    /// V3. `seen` is that of a statement whose signature verifies.
    pub(super) fn check_prev(&self, prev: Link, seen: Option<Seen>) -> Prev {
        let expected = match self.links.back() {
            None if self.next == Seq::ZERO => GENESIS_PREV,
            Some(Some(link)) => *link,
            // Behind a missing entry nothing is known that `prev` could contradict.
            _ => return Prev::Fits,
        };
        if prev == expected {
            return Prev::Fits;
        }
        let size = Size::clamped(self.next.get());
        let attested = size > Size::ZERO && seen == Some(Seen { size, link: prev });
        // An entry that is damaged already need not be attested: it is the one that was changed.
        let damaged = size
            .get()
            .checked_sub(1)
            .is_some_and(|last| self.damage.contains(Seq::clamped(last)));
        if attested || damaged {
            Prev::BeforeWasChanged {
                attested: prev,
                found: expected,
            }
        } else {
            Prev::DoesNotFit { expected, found: prev }
        }
    }

    /// Goes on with the link that later entries attest; the entry whose record was changed counts as damaged.
    pub(super) fn apply_prev(&mut self, verdict: Prev) {
        self.tree_is_broken |= verdict != Prev::Fits;
        if let (Prev::BeforeWasChanged { attested, .. }, Some(last)) = (verdict, self.links.back_mut()) {
            *last = Some(attested);
            self.received = self.received_before;
            self.damage
                .mark(Seq::clamped(self.next.get().saturating_sub(1)), self.next);
        }
    }

    /// V2 and V5 for an entry that is decoded and signed.
    pub(super) fn check(&self, entry: &Entry<'_>, prev: Prev, author: Option<&Instance>, out: &mut Findings) {
        self.check_place(entry, out);
        self.check_seen(entry, prev, author, out);
        let earliest = if prev.blames_the_entry_before() {
            self.received_before
        } else {
            self.received
        };
        let in_time = entry.received >= earliest;
        out.require(
            in_time,
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

    fn check_place(&self, entry: &Entry<'_>, out: &mut Findings) {
        out.require(
            entry.seq == self.next,
            Code::I4,
            format_args!("entry {}", self.next),
            format_args!("entry {}", entry.seq),
        );
        if let Some(closed) = self.closed {
            out.breach(
                Code::I4,
                format_args!("nothing behind ledger.closed at {closed}"),
                entry.statement.kind(),
            );
        }
        let opens = entry.statement.kind() == Kind::LedgerOpened;
        if opens != (entry.seq == Seq::ZERO) {
            out.breach(
                Code::I4,
                "ledger.opened at entry 0 and nowhere else",
                entry.statement.kind(),
            );
        }
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
        // A link that later entries attest counts from here on (authority-v1 §6.1).
        let attested = prev.attested().filter(|_| seen.size.get() == self.next.get());
        if let Some(link) = attested.or_else(|| self.link_at(seen.size)) {
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
            self.tree_is_broken = true;
            self.damage.mark(self.next, seq);
            let missing = (seq.get() - self.next.get()).min(SEEN_LAG_MAX + 1);
            (0..missing).for_each(|_| self.push(None));
        }
        self.push(link);
        self.received_before = self.received;
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

/// The fewest entries an author must have seen: its own introduction, its own last entry and whatever it names; all of them
/// where it says that something ends here.
fn least_seen(entry: &Entry<'_>, author: Option<&Instance>) -> Size {
    let ends = match &entry.statement.body {
        Body::InstanceStopped(_) | Body::LedgerClosed(_) => true,
        Body::IdentityIntroduced(body) => body.succeeds.is_some(),
        _ => false,
    };
    if ends {
        return Size::clamped(entry.seq.get());
    }
    let named = entry.statement.body.named_entries().into_iter().max();
    let own = author.and_then(|author| author.last_seq().max(Some(author.seq())));
    let oldest = Size::clamped(entry.seq.get().saturating_sub(SEEN_LAG_MAX));
    named
        .max(own)
        .map_or(Size::ZERO, Seq::size)
        .max(oldest)
        .max(Size::clamped(1))
}
