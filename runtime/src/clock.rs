//! The one place where the runtime reads the wall clock.

use std::time::{SystemTime, UNIX_EPOCH};

use countersign_schemas::number::Millis;

/// A clock that never runs backwards: a step back is clamped to the last time it gave.
#[derive(Debug, Default)]
pub struct Clock {
    /// The last time it gave.
    given_ms: u64,
    /// What the system's clock said then.
    system_ms: u64,
    /// Whether the system's clock has stepped back and nobody was told.
    has_stepped: bool,
}

impl Clock {
    /// A clock that has given `last` already: it goes on from there, or from the system's time if that is later.
    #[must_use]
    pub fn after(last: Millis) -> Self {
        Self {
            given_ms: last.get(),
            system_ms: last.get(),
            has_stepped: false,
        }
    }

    /// The system's time, or the last one given when that is later. Before 1970 counts as 1970; after the year 287,396 as
    /// that year.
    pub fn read(&mut self) -> Millis {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_millis());
        self.advance(u64::try_from(now).unwrap_or(u64::MAX))
    }

    /// Whether the system's clock was seen to step back and nobody was told. Each step is told once, however long the time
    /// stands still because of it.
    #[must_use]
    pub const fn has_stepped(&self) -> bool {
        self.has_stepped
    }

    /// The step was told.
    pub const fn step_is_told(&mut self) {
        self.has_stepped = false;
    }

    /// As if the machine's clock had been `ms` further on when it was read last.
    #[cfg(test)]
    pub(crate) fn run_ahead(&mut self, ms: u64) {
        let ahead = self.read().get() + ms;
        self.advance(ahead);
    }

    fn advance(&mut self, system_ms: u64) -> Millis {
        self.has_stepped |= system_ms < self.system_ms;
        self.system_ms = system_ms;
        self.given_ms = self.given_ms.max(system_ms);
        Millis::clamped(self.given_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_back_is_clamped_and_told_once() {
        let mut clock = Clock::default();
        assert_eq!((clock.advance(1_000).get(), clock.has_stepped()), (1_000, false));
        assert_eq!(clock.advance(400).get(), 1_000);
        assert_eq!(
            (clock.advance(500).get(), clock.has_stepped()),
            (1_000, true),
            "not told yet"
        );
        clock.step_is_told();
        assert_eq!((clock.advance(600).get(), clock.has_stepped()), (1_000, false));
        assert_eq!(
            (clock.advance(599).get(), clock.has_stepped()),
            (1_000, true),
            "another step"
        );
        clock.step_is_told();
        assert_eq!((clock.advance(1_400).get(), clock.has_stepped()), (1_400, false));
    }

    #[test]
    fn a_clock_goes_on_after_what_was_told_before() {
        let mut clock = Clock::after(Millis::clamped(1_000));
        assert_eq!((clock.advance(400).get(), clock.has_stepped()), (1_000, true));
        assert_eq!(clock.advance(1_400).get(), 1_400);
    }
}
