//! Entries that could not be folded: what names them is not judged again (authority-v1 §6, F).

use countersign_schemas::cbor::{DecodeError, Decoder, Encoder};
use countersign_schemas::number::Seq;

use super::snapshot_values::Kept;

/// The places of damaged and missing entries, as ascending ranges that do not touch.
#[derive(Debug, Default)]
pub(super) struct Damage(Vec<Range>);

/// Both ends of each range; marking them again counts them again.
impl Kept for Damage {
    fn keep(&self, to: &mut Encoder) {
        to.array(self.0.len());
        for range in &self.0 {
            to.uint(range.first);
            to.uint(range.behind);
        }
    }
    fn restore(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let mut damage = Self::default();
        for _ in 0..from.array(0, usize::MAX)? {
            let (first, behind) = Kept::restore(from)?;
            damage.mark(first, behind);
        }
        Ok(damage)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Range {
    first: u64,
    behind: u64,
    /// Damaged places in all ranges before this one: a hostile ledger has as many ranges as entries.
    before: u64,
}

impl Damage {
    /// Marks the entries from `first` up to, not including, `behind`. They lie behind everything marked before, save
    /// that the last one may be marked again.
    pub(super) fn mark(&mut self, first: Seq, behind: Seq) {
        let (first, behind) = (first.get(), behind.get());
        match self.0.last_mut() {
            _ if first >= behind => {}
            Some(last) if last.behind >= first => last.behind = last.behind.max(behind),
            last => {
                let before = last.map_or(0, |last| last.before + (last.behind - last.first));
                self.0.push(Range { first, behind, before });
            }
        }
    }

    /// Whether any entry is damaged.
    pub(super) fn is_any(&self) -> bool {
        !self.0.is_empty()
    }

    pub(super) fn contains(&self, seq: Seq) -> bool {
        self.last_from(seq.get()).is_some_and(|range| seq.get() < range.behind)
    }

    /// How many damaged entries lie between `after` and `before`, both excluded.
    pub(super) fn count_between(&self, after: Seq, before: Seq) -> u64 {
        self.count_below(before.get())
            .saturating_sub(self.count_below(after.get().saturating_add(1)))
    }

    fn count_below(&self, place: u64) -> u64 {
        let range = place.checked_sub(1).and_then(|last| self.last_from(last));
        range.map_or(0, |range| range.before + range.behind.min(place) - range.first)
    }

    /// The last range that begins at `place` or before.
    fn last_from(&self, place: u64) -> Option<&Range> {
        let behind = self.0.partition_point(|range| range.first <= place);
        self.0.get(behind.checked_sub(1)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seq(n: u64) -> Seq {
        Seq::clamped(n)
    }

    #[test]
    fn ranges_are_joined_and_counted() {
        let mut damage = Damage::default();
        assert!(!damage.is_any() && !damage.contains(seq(0)));
        damage.mark(seq(3), seq(4));
        damage.mark(seq(4), seq(6));
        damage.mark(seq(5), seq(6));
        damage.mark(seq(9), seq(9));
        damage.mark(seq(10), seq(11));
        let marked: Vec<u64> = (0..15).filter(|n| damage.contains(seq(*n))).collect();
        assert_eq!(marked, [3, 4, 5, 10]);
        for (after, before) in (0..15).flat_map(|after| (0..15).map(move |before| (after, before))) {
            let expected = marked
                .iter()
                .filter(|place| after < **place && **place < before)
                .count() as u64;
            assert_eq!(
                damage.count_between(seq(after), seq(before)),
                expected,
                "{after} {before}"
            );
        }
    }
}
