//! The one place where the runtime reads the wall clock.

use std::time::{SystemTime, UNIX_EPOCH};

use countersign_schemas::number::Millis;

/// A clock that never runs backwards: a step back is clamped to the last time it gave.
#[derive(Debug, Default)]
pub struct Clock {
    last_ms: u64,
}

/// What the clock said, and whether the system's clock had stepped back since the last reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// Time for the entry: the system's clock, or the last reading when that is later.
    pub at: Millis,
    /// By how many milliseconds the system's clock lay behind the last reading.
    pub behind_ms: u64,
}

impl Clock {
    /// A clock that has given `last` already: it goes on from there, or from the system's time if that is later.
    #[must_use]
    pub fn after(last: Millis) -> Self {
        Self { last_ms: last.get() }
    }

    /// Reads the system's clock. Before 1970 counts as 1970; after the year 287,396 as that year.
    pub fn read(&mut self) -> Reading {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_millis());
        self.advance(u64::try_from(now).unwrap_or(u64::MAX))
    }

    /// As if the machine's clock had been `ms` further on when it was read last.
    #[cfg(test)]
    pub(crate) fn run_ahead(&mut self, ms: u64) {
        self.last_ms = self.read().at.get() + ms;
    }

    fn advance(&mut self, now_ms: u64) -> Reading {
        let behind_ms = self.last_ms.saturating_sub(now_ms);
        self.last_ms = self.last_ms.max(now_ms);
        Reading {
            at: Millis::clamped(self.last_ms),
            behind_ms,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_back_is_clamped_and_reported() {
        let mut clock = Clock::default();
        assert_eq!(clock.advance(1_000).behind_ms, 0);
        let reading = clock.advance(400);
        assert_eq!((reading.at.get(), reading.behind_ms), (1_000, 600));
    }

    #[test]
    fn a_clock_goes_on_after_what_was_told_before() {
        let mut clock = Clock::after(Millis::clamped(1_000));
        let reading = clock.advance(400);
        assert_eq!((reading.at.get(), reading.behind_ms), (1_000, 600));
        assert_eq!(clock.advance(1_400).at.get(), 1_400);
    }
}
