//! How long a client is told to wait.

use std::time::Duration;

use super::head::Lines;
use crate::plan::json::Span;

/// The `retry_after` of a fixture's error.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum RetryAfter {
    /// A time that headers and messages agree on.
    Wait(Duration),
    /// A header value as it is, right or wrong: an HTTP date, `-1`, `soon`.
    Raw(String),
}

impl RetryAfter {
    /// A duration with a unit, else a raw header value.
    pub(crate) fn new(text: &str) -> Self {
        text.parse().map_or_else(|_| Self::Raw(text.to_owned()), |Span(wait)| Self::Wait(wait))
    }

    /// The value of the `retry-after` header: whole seconds, rounded up.
    pub(crate) fn header(&self) -> String {
        match self {
            Self::Wait(wait) => whole_seconds(*wait).to_string(),
            Self::Raw(value) => value.clone(),
        }
    }

    /// Adds the header, and for a time to wait Azure's `retry-after-ms`, which goes before it with
    /// the official SDKs.
    pub(crate) fn add(&self, lines: &mut Lines) {
        lines.add("retry-after", self.header());
        if let Self::Wait(wait) = self {
            lines.add("retry-after-ms", wait.as_millis().to_string());
        }
    }

    /// The time to wait; of a raw value, if it is a number of seconds.
    pub(crate) fn wait(&self) -> Option<Duration> {
        match self {
            Self::Wait(wait) => Some(*wait),
            Self::Raw(value) => value.trim().parse().ok().map(Duration::from_secs),
        }
    }
}

/// Whole seconds, rounded up.
pub(crate) fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_rounded_up_and_the_rest_is_raw() {
        for (text, header, wait) in [
            ("1s", "1", Some(1_000)),
            ("250ms", "1", Some(250)),
            ("1.2s", "2", Some(1_200)),
            ("0s", "0", Some(0)),
            ("7", "7", Some(7_000)),
            ("-1", "-1", None),
            ("soon", "soon", None),
            ("Tue, 03 Mar 2026 11:47:17 GMT", "Tue, 03 Mar 2026 11:47:17 GMT", None),
        ] {
            let retry_after = RetryAfter::new(text);
            assert_eq!(retry_after.header(), header, "{text}");
            assert_eq!(retry_after.wait(), wait.map(Duration::from_millis), "{text}");
        }
    }
}
