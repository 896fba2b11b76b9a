//! Validity windows, in the one spelling of time that our documents use (identity-v1 §5).
//!
//! `YYYY-MM-DDTHH:MM:SSZ`, years 1970 to 9999, whole seconds, no leap second. In memory a time is milliseconds.

use std::fmt;

use countersign_schemas::number::Millis;
use thiserror::Error;
use time::{Date, Month, OffsetDateTime, PrimitiveDateTime, Time};

/// Milliseconds of 9999-12-31T23:59:59Z, the last time that can be written.
const LAST: u64 = 253_402_300_799_000;

/// Writes a whole second.
///
/// # Errors
/// [`InstantError::NotWhole`], [`InstantError::Late`].
pub fn format(at: Millis) -> Result<String, InstantError> {
    if !at.get().is_multiple_of(1000) {
        return Err(InstantError::NotWhole { at });
    }
    let late = InstantError::Late { at };
    if at.get() > LAST {
        return Err(late);
    }
    let seconds = i64::try_from(at.get() / 1000).map_err(|_| late.clone())?;
    let time = OffsetDateTime::from_unix_timestamp(seconds).map_err(|_| late)?;
    let (year, month, day) = (time.year(), u8::from(time.month()), time.day());
    let (hour, minute, second) = time.to_hms();
    Ok(format!(
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"
    ))
}

/// Reads a time written in exactly the one spelling.
///
/// # Errors
/// [`InstantError::Spelling`].
pub fn parse(text: &str) -> Result<Millis, InstantError> {
    let seconds = parse_seconds(text).ok_or(InstantError::Spelling)?;
    let seconds = u64::try_from(seconds).map_err(|_| InstantError::Spelling)?;
    Ok(Millis::clamped(seconds * 1000))
}

fn parse_seconds(text: &str) -> Option<i64> {
    const TEMPLATE: &[u8; 20] = b"0000-00-00T00:00:00Z";
    let bytes: &[u8; 20] = text.as_bytes().try_into().ok()?;
    let fits = |(byte, model): (&u8, &u8)| {
        if *model == b'0' {
            byte.is_ascii_digit()
        } else {
            byte == model
        }
    };
    if !bytes.iter().zip(TEMPLATE).all(fits) {
        return None;
    }
    let number = |at: usize, len: usize| {
        bytes[at..at + len]
            .iter()
            .fold(0, |n, digit| n * 10 + i32::from(digit - b'0'))
    };
    let pair = |at: usize| u8::try_from(number(at, 2)).ok();
    let date = Date::from_calendar_date(number(0, 4), Month::try_from(pair(5)?).ok()?, pair(8)?).ok()?;
    let time = Time::from_hms(pair(11)?, pair(14)?, pair(17)?).ok()?;
    Some(PrimitiveDateTime::new(date, time).assume_utc().unix_timestamp())
}

/// From when until when a credential holds: `from` ≤ t < `until`, both whole seconds.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Window {
    from: Millis,
    until: Millis,
}

impl Window {
    /// Checks and takes the two ends.
    ///
    /// # Errors
    /// [`InstantError::NotWhole`], [`InstantError::Late`], [`InstantError::Empty`].
    pub fn new(from: Millis, until: Millis) -> Result<Self, InstantError> {
        format(from)?;
        format(until)?;
        if from >= until {
            return Err(InstantError::Empty { from, until });
        }
        Ok(Self { from, until })
    }

    /// The first millisecond inside.
    #[must_use]
    pub fn from(&self) -> Millis {
        self.from
    }

    /// The first millisecond after.
    #[must_use]
    pub fn until(&self) -> Millis {
        self.until
    }

    /// Whether `at` lies inside.
    #[must_use]
    pub fn contains(&self, at: Millis) -> bool {
        self.from <= at && at < self.until
    }

    /// Whether no instant of this window lies outside `outer` (G5).
    #[must_use]
    pub fn is_within(&self, outer: &Self) -> bool {
        outer.from <= self.from && self.until <= outer.until
    }
}

impl fmt::Debug for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Window({}..{} ms)", self.from, self.until)
    }
}

/// Why a time or a window is not acceptable.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InstantError {
    /// Not `YYYY-MM-DDTHH:MM:SSZ`, or a date that does not exist.
    #[error("time is not written as YYYY-MM-DDTHH:MM:SSZ")]
    Spelling,
    /// Not a whole second.
    #[error("time {at} ms is not a whole second")]
    NotWhole {
        /// Milliseconds since 1970.
        at: Millis,
    },
    /// After the year 9999.
    #[error("time {at} ms lies after the year 9999")]
    Late {
        /// Milliseconds since 1970.
        at: Millis,
    },
    /// A window that ends before or as it begins.
    #[error("window ends at {until} ms, not after its beginning at {from} ms")]
    Empty {
        /// Beginning, milliseconds since 1970.
        from: Millis,
        /// End, milliseconds since 1970.
        until: Millis,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_round_trip_in_the_one_spelling() -> Result<(), InstantError> {
        for (text, ms) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2026-11-21T08:00:00Z", 1_795_248_000_000),
            ("2024-02-29T23:59:59Z", 1_709_251_199_000),
            ("9999-12-31T23:59:59Z", LAST),
        ] {
            assert_eq!(parse(text)?, Millis::clamped(ms));
            assert_eq!(format(Millis::clamped(ms))?, text);
        }
        Ok(())
    }

    #[test]
    fn every_other_spelling_is_refused() {
        for text in [
            "",
            "2026-11-21T08:00:00z",
            "2026-11-21t08:00:00Z",
            "2026-11-21 08:00:00Z",
            "2026-11-21T08:00:00.000Z",
            "2026-11-21T08:00:00+00:00",
            "2026-11-21T08:00Z",
            "2026-11-21T24:00:00Z",
            "2026-11-21T08:00:60Z",
            "2026-02-29T00:00:00Z",
            "1969-12-31T23:59:59Z",
            "+2026-11-21T08:00:00Z",
            "-2026-11-21T08:00:00Z",
            "20261-11-21T08:00:00Z",
            "+12026-11-21T08:00:00Z",
            "2026-1-21T08:00:00Z",
            "2026-11-21T08:00:00Z ",
            "0000-00-00T00:00:00Z",
            "２026-11-21T08:00:00Z",
        ] {
            assert_eq!(parse(text), Err(InstantError::Spelling), "{text:?}");
        }
    }

    #[test]
    fn fractions_the_far_future_and_empty_windows_are_refused() {
        let ms = Millis::clamped;
        assert_eq!(format(ms(1)), Err(InstantError::NotWhole { at: ms(1) }));
        assert_eq!(format(ms(LAST + 1000)), Err(InstantError::Late { at: ms(LAST + 1000) }));
        assert!(matches!(
            Window::new(ms(1000), ms(1000)),
            Err(InstantError::Empty { .. })
        ));
        assert!(matches!(
            Window::new(ms(2000), ms(1000)),
            Err(InstantError::Empty { .. })
        ));
        assert!(matches!(Window::new(ms(0), ms(1)), Err(InstantError::NotWhole { .. })));
    }

    #[test]
    fn a_window_is_closed_at_its_beginning_and_open_at_its_end() -> Result<(), InstantError> {
        let ms = Millis::clamped;
        let window = Window::new(ms(1000), ms(3000))?;
        assert!(window.contains(ms(1000)) && window.contains(ms(2999)));
        assert!(!window.contains(ms(999)) && !window.contains(ms(3000)));
        assert!(window.is_within(&window));
        assert!(Window::new(ms(1000), ms(2000))?.is_within(&window));
        assert!(!Window::new(ms(0), ms(2000))?.is_within(&window));
        assert!(!Window::new(ms(2000), ms(4000))?.is_within(&window));
        Ok(())
    }
}
