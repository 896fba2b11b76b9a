//! A row of numbers that is the same in every run, for choosing offsets and moments.

/// SplitMix64 (Steele, Lea, Flood 2014).
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    /// What `COUNTERSIGN_TEST_SEED` says, else `usual`.
    pub(crate) fn chosen_seed(usual: u64) -> u64 {
        let chosen = std::env::var("COUNTERSIGN_TEST_SEED").ok();
        chosen.and_then(|seed| seed.parse().ok()).unwrap_or(usual)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which is not 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}
