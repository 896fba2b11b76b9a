//! How long a server wants to be left alone: `retry-after` (RFC 9110 §10.2.3) and the `retry-after-ms` that both
//! providers send beside it.

use std::time::Duration;

use reqwest::header::{HeaderMap, RETRY_AFTER};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

/// Reads both headers, the finer one first. What cannot be read is as good as not sent.
pub(super) fn retry_after(headers: &HeaderMap, now: OffsetDateTime) -> Option<Duration> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    text("retry-after-ms")
        .and_then(|text| seconds(text, 1000.0))
        .or_else(|| text(RETRY_AFTER.as_str()).and_then(|text| seconds(text, 1.0).or_else(|| until(text, now))))
}

/// A number of `1 / per_second` seconds. Fractions are not of the standard, but the official SDKs take them too.
fn seconds(text: &str, per_second: f64) -> Option<Duration> {
    // `parse` alone would take "inf" and "nan" as well.
    if !text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return None;
    }
    let number: f64 = text.parse().ok()?;
    Some(Duration::try_from_secs_f64(number / per_second).unwrap_or(Duration::MAX))
}

/// The time until an HTTP date; none at all once it is past.
fn until(text: &str, now: OffsetDateTime) -> Option<Duration> {
    // An HTTP date (RFC 9110 §5.6.7) is a date of RFC 2822 with the obsolete zone GMT.
    let date = OffsetDateTime::parse(text, &Rfc2822).ok()?;
    Some(Duration::try_from(date - now).unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::{HeaderName, HeaderValue};

    type TestResult = Result<(), Box<dyn std::error::Error>>;

    /// 1994-11-06T08:49:37Z, the example of RFC 9110.
    const NOW: i64 = 784_111_777;

    fn read(headers: &[(&'static str, &str)]) -> Result<Option<Duration>, Box<dyn std::error::Error>> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(HeaderName::from_static(name), HeaderValue::from_str(value)?);
        }
        Ok(retry_after(&map, OffsetDateTime::from_unix_timestamp(NOW)?))
    }

    #[test]
    fn seconds_fractions_and_dates_are_understood() -> TestResult {
        for (text, millis) in [
            ("0", 0),
            ("120", 120_000),
            (" 1.5 ", 1500),
            ("Sun, 06 Nov 1994 08:49:37 GMT", 0),
            ("Sun, 06 Nov 1994 08:50:07 GMT", 30_000),
            ("Sun, 06 Nov 1994 08:00:00 GMT", 0),
        ] {
            assert_eq!(
                read(&[("retry-after", text)])?,
                Some(Duration::from_millis(millis)),
                "{text}"
            );
        }
        Ok(())
    }

    #[test]
    fn milliseconds_win_where_both_are_sent() -> TestResult {
        let both = |millis| read(&[("retry-after-ms", millis), ("retry-after", "7")]);
        assert_eq!(both("250")?, Some(Duration::from_millis(250)));
        assert_eq!(both("soon")?, Some(Duration::from_secs(7)));
        Ok(())
    }

    #[test]
    fn what_cannot_be_read_is_no_wait() -> TestResult {
        for text in [
            "",
            "-1",
            "inf",
            "nan",
            "1e9",
            "soon",
            "1 2",
            ".",
            "1.2.3",
            "06 Nov 1994",
            "Sun, 32 Nov 1994 08:49:37 GMT",
        ] {
            assert_eq!(read(&[("retry-after", text)])?, None, "{text}");
        }
        assert_eq!(read(&[])?, None);
        Ok(())
    }

    #[test]
    fn wait_beyond_all_measure_stays_a_wait() -> TestResult {
        let nines = "9".repeat(400);
        for text in ["99999999999999999999999", nines.as_str()] {
            assert_eq!(read(&[("retry-after", text)])?, Some(Duration::MAX), "{text}");
        }
        Ok(())
    }
}
