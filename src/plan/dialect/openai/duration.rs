//! Durations as Go prints them, which is how OpenAI writes them in headers and messages: `0s`,
//! `2ms`, `8.64s`, `1m0.198s`, `83h10m39.057s`.

use std::fmt;
use std::time::Duration;

/// Prints a duration as Go's `time.Duration.String` does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct GoDuration(pub(super) Duration);

impl fmt::Display for GoDuration {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, nanos) = (self.0.as_secs(), u64::from(self.0.subsec_nanos()));
        match (seconds, nanos) {
            (0, 0) => return out.write_str("0s"),
            (0, 1..1_000) => return write!(out, "{nanos}ns"),
            (0, 1_000..1_000_000) => return fraction(out, nanos / 1_000, nanos % 1_000, 3, "µs"),
            (0, _) => return fraction(out, nanos / 1_000_000, nanos % 1_000_000, 6, "ms"),
            _ => {}
        }
        let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
        if hours > 0 {
            write!(out, "{hours}h")?;
        }
        if hours > 0 || minutes > 0 {
            write!(out, "{minutes}m")?;
        }
        fraction(out, seconds % 60, nanos, 9, "s")
    }
}

/// A decimal without trailing zeros: `whole` and `part` of 10^`digits`.
fn fraction(out: &mut fmt::Formatter<'_>, whole: u64, part: u64, digits: usize, unit: &str) -> fmt::Result {
    write!(out, "{whole}")?;
    if part > 0 {
        let digits = format!("{part:0digits$}");
        write!(out, ".{}", digits.trim_end_matches('0'))?;
    }
    out.write_str(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_printed_as_recorded_ones_are() {
        for (nanos, text) in [
            (0, "0s"),
            (1, "1ns"),
            (1_500, "1.5µs"),
            (2_000_000, "2ms"),
            (120_000_000, "120ms"),
            (1_500_000, "1.5ms"),
            (1_000_000_000, "1s"),
            (8_640_000_000, "8.64s"),
            (9_525_000_000, "9.525s"),
            (60_000_000_000, "1m0s"),
            (60_198_000_000, "1m0.198s"),
            (1_252_666_000_000, "20m52.666s"),
            (4_105_745_000_000, "1h8m25.745s"),
            (299_439_057_000_000, "83h10m39.057s"),
        ] {
            assert_eq!(GoDuration(Duration::from_nanos(nanos)).to_string(), text);
        }
    }
}
