//! Building status lines and headers, and the forms of dates in them.

use std::borrow::Cow;
use std::time::{Duration, UNIX_EPOCH};

use http::{HeaderValue, StatusCode};
use jiff::Timestamp;
use rand::RngExt;

use super::Facts;
use crate::plan::seed::{Digits, Draw};
use crate::plan::timeline::{Head, Header};

/// Header lines in the order they are sent.
#[derive(Debug, Default)]
pub(crate) struct Lines(Vec<Header>);

impl Lines {
    /// Adds a line.
    pub(crate) fn add(&mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> &mut Self {
        if self.0.is_empty() {
            self.0.reserve(USUAL);
        }
        self.0.push(match value.into() {
            // Most are always the same, and need no copy.
            Cow::Borrowed(value) => Header { name: name.into(), value: HeaderValue::from_static(value) },
            Cow::Owned(value) => Header::of(name, value),
        });
        self
    }

    /// Adds a line if `condition` holds.
    pub(crate) fn add_if(
        &mut self,
        condition: bool,
        name: &'static str,
        value: impl Into<Cow<'static, str>>,
    ) -> &mut Self {
        if condition { self.add(name, value) } else { self }
    }

    /// The head with these lines and the code's usual reason phrase, due at once.
    pub(crate) fn head(self, status: StatusCode) -> Head {
        Head { at: Duration::ZERO, status, reason: None, headers: self.0.into() }
    }
}

/// How many lines a head has, about.
const USUAL: usize = 28;

/// `Tue, 03 Mar 2026 11:47:17 GMT`: a date in HTTP, and in cookies since 2026.
pub(crate) fn http_date(unix: u64) -> String {
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(unix.min(LAST)))
}

/// Beyond it, dates have no year of four digits everywhere.
const LAST: u64 = 253_402_207_200;

/// `Tue, 03-Mar-26 11:47:17 GMT`: a date in Cloudflare's cookies until 2026.
pub(crate) fn cookie_date(unix: u64) -> String {
    date(unix, "%a, %d-%b-%y %H:%M:%S GMT")
}

/// `20260303114717`: a time in the names of Azure's model sessions.
pub(crate) fn compact_date(unix: u64) -> String {
    date(unix, "%Y%m%d%H%M%S")
}

/// How long it took in milliseconds, made up where the plan does not say, and so much more.
pub(crate) fn processing_ms<const MORE: u32>(facts: &Facts<'_>) -> String {
    if facts.processing.is_zero() {
        return facts.draw(&drawn_ms::<MORE>());
    }
    (facts.processing.as_millis() + u128::from(MORE)).to_string()
}

/// What is made up for it.
pub(crate) const fn drawn_ms<const MORE: u32>() -> Draw {
    Draw::made("openai-processing-ms", 3, |stream, _, place| {
        let millis = stream.random_range(100..300u32) + MORE;
        place.copy_from_slice(Digits::of(millis.into()).last::<3>());
    })
}

fn date(unix: u64, format: &str) -> String {
    let timestamp = i64::try_from(unix).ok().and_then(|unix| Timestamp::from_second(unix).ok());
    timestamp.unwrap_or(Timestamp::MAX).strftime(format).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_have_the_forms_of_http_and_of_cookies() {
        assert_eq!(http_date(1_772_538_437), "Tue, 03 Mar 2026 11:47:17 GMT");
        assert_eq!(cookie_date(1_772_538_437), "Tue, 03-Mar-26 11:47:17 GMT");
        assert_eq!(compact_date(1_772_538_437), "20260303114717");
        assert_eq!(http_date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(http_date(u64::MAX), http_date(253_402_207_200));
    }
}
