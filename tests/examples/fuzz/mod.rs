//! What the fuzzers share: random choices, seeds, and the watch over every input.
//!
//! Input `k` of seed `s` follows from the two numbers alone, so any input can be made again.

pub(crate) mod dice;
pub(crate) mod seeds;
pub(crate) mod watch;

/// What everything here gives back.
pub(crate) type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;
