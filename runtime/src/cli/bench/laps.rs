//! How long things took, in bounded memory.

use std::time::Duration;

/// Buckets for each doubling: a value is told at most one part in 64 too high.
const STEPS: u64 = 64;
const STEP_BITS: u32 = STEPS.ilog2();
/// Values up to 2^42 microseconds, which is seven weeks.
const BUCKETS: usize = (STEPS as usize) * 37;

/// Durations in whole microseconds, counted in buckets that grow with the value.
pub(super) struct Laps {
    counts: Box<[u64]>,
}

impl Default for Laps {
    fn default() -> Self {
        Self {
            counts: vec![0; BUCKETS].into(),
        }
    }
}

impl Laps {
    /// Counts one lap.
    pub(super) fn add(&mut self, lap: Duration) {
        let us = u64::try_from(lap.as_micros()).unwrap_or(u64::MAX);
        self.counts[bucket_of(us)] += 1;
    }

    /// Counts all laps of `others` too.
    pub(super) fn merge(&mut self, others: &Self) {
        for (count, other) in self.counts.iter_mut().zip(&others.counts) {
            *count += other;
        }
    }

    /// How many laps there are.
    pub(super) fn len(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The least time in microseconds within which `percent` of the laps were done, to one part in 64.
    pub(super) fn percentile_us(&self, percent: u64) -> u64 {
        let wanted = (self.len() * percent).div_ceil(100);
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return highest_of(bucket as u64);
            }
        }
        highest_of(BUCKETS as u64 - 1)
    }
}

/// Below 64 each value has a bucket of its own; above, each doubling has 64.
fn bucket_of(us: u64) -> usize {
    let bucket = if us < STEPS {
        us
    } else {
        let shift = us.ilog2() - STEP_BITS;
        (u64::from(shift) + 1) * STEPS + ((us >> shift) - STEPS)
    };
    usize::try_from(bucket).map_or(BUCKETS - 1, |bucket| bucket.min(BUCKETS - 1))
}

/// The greatest value that falls into `bucket`.
fn highest_of(bucket: u64) -> u64 {
    match (bucket / STEPS).checked_sub(1) {
        None => bucket,
        Some(shift) => ((bucket % STEPS + STEPS + 1) << shift) - 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn laps(times: impl IntoIterator<Item = u64>) -> Laps {
        let mut laps = Laps::default();
        times.into_iter().for_each(|us| laps.add(Duration::from_micros(us)));
        laps
    }

    #[test]
    fn percentiles_are_never_too_low_and_at_most_one_part_in_64_too_high() {
        for top in [1, 63, 64, 65, 1_000, 123_456, 9_999_999_999] {
            let told = laps([top]).percentile_us(50);
            assert!(told >= top && told - top <= top / 64, "{top} is told as {told}");
        }
    }

    #[test]
    fn half_and_nearly_all_are_told_apart() {
        let both = laps((0..98).map(|_| 10).chain([50_000, 60_000]));
        assert_eq!((both.len(), both.percentile_us(50)), (100, 10));
        assert!((50_000..51_000).contains(&both.percentile_us(99)));
    }

    #[test]
    fn no_time_is_too_long_and_none_at_all_is_zero() {
        assert!(laps([u64::MAX]).percentile_us(99) > 1 << 40);
        assert_eq!(laps([]).percentile_us(50), 0);
    }

    #[test]
    fn merged_laps_count_as_if_they_had_been_counted_together() {
        let mut one = laps([1, 2]);
        one.merge(&laps([3, 4]));
        assert_eq!((one.len(), one.percentile_us(100)), (4, 4));
    }
}
