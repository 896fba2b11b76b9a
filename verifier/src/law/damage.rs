//! Entries that could not be folded: what names them is not judged again (authority-v1 §6, F).

use countersign_schemas::number::Seq;

/// The places of damaged and missing entries, as ascending ranges that do not touch.
#[derive(Debug, Default)]
pub(super) struct Damage {
    /// First place and first place behind.
    ranges: Vec<(u64, u64)>,
}

impl Damage {
    /// Marks the entries from `first` up to, not including, `behind`. They lie behind everything marked before.
    pub(super) fn mark(&mut self, first: Seq, behind: Seq) {
        let (first, behind) = (first.get(), behind.get());
        match self.ranges.last_mut() {
            _ if first >= behind => {}
            Some(last) if last.1 >= first => last.1 = last.1.max(behind),
            _ => self.ranges.push((first, behind)),
        }
    }

    /// Whether any entry is damaged.
    pub(super) fn is_any(&self) -> bool {
        !self.ranges.is_empty()
    }

    pub(super) fn contains(&self, seq: Seq) -> bool {
        let at = self.ranges.partition_point(|(_, behind)| *behind <= seq.get());
        self.ranges.get(at).is_some_and(|(first, _)| *first <= seq.get())
    }

    /// How many damaged entries lie between `after` and `before`, both excluded.
    pub(super) fn count_between(&self, after: Seq, before: Seq) -> u64 {
        let overlap = |(first, behind): &(u64, u64)| {
            (*behind)
                .min(before.get())
                .saturating_sub((*first).max(after.get().saturating_add(1)))
        };
        self.ranges.iter().map(overlap).sum()
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
        damage.mark(seq(9), seq(9));
        damage.mark(seq(10), seq(11));
        assert_eq!(damage.ranges, [(3, 6), (10, 11)]);
        let marked: Vec<u64> = (0..15).filter(|n| damage.contains(seq(*n))).collect();
        assert_eq!(marked, [3, 4, 5, 10]);
        assert_eq!(damage.count_between(seq(3), seq(10)), 2);
        assert_eq!(damage.count_between(seq(0), seq(20)), 4);
        assert_eq!(damage.count_between(seq(5), seq(6)), 0);
    }
}
