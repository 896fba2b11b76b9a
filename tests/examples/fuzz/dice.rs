//! Random choices that follow from a seed.

/// SplitMix64 (Steele, Lea, Flood 2014).
pub(crate) struct Dice(u64);

impl Dice {
    /// The choices of input `number` under `seed`.
    pub(crate) fn of(seed: u64, number: u64) -> Self {
        let mut dice = Self(seed);
        let start = dice.next().wrapping_add(number.wrapping_mul(0xD134_2543_DE82_EF95));
        Self(start)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`; 0 where `end` is 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % (end.max(1) as u64)).unwrap_or(0)
    }

    /// True once in `times`.
    pub(crate) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// One of `choices`, which are not none.
    pub(crate) fn pick<'c, T>(&mut self, choices: &'c [T]) -> &'c T {
        &choices[self.below(choices.len())]
    }

    /// A number as formats dislike it: at a border, near `near`, or anything.
    pub(crate) fn number(&mut self, near: u64) -> u64 {
        const BORDERS: [u64; 16] = [
            0,
            1,
            23,
            24,
            255,
            256,
            65_000,
            65_535,
            65_536,
            (1 << 31) - 1,
            1 << 31,
            (1 << 32) - 1,
            1 << 32,
            (1 << 53) - 1,
            1 << 53,
            u64::MAX,
        ];
        match self.below(4) {
            0 => *self.pick(&BORDERS),
            1 => near.wrapping_add(self.next() % 9).wrapping_sub(4),
            2 => self.next() >> self.below(64),
            _ => near ^ (1 << self.below(64)),
        }
    }
}
