//! What curl puts before a line: `--trace-time`'s `12:34:56.123456 `, `--trace-ids`' `[0-0] `.

use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The stamp of a line.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Stamp {
    /// The time of day.
    pub(super) at: Option<Duration>,
    /// The number of the transfer.
    pub(super) transfer: Option<u64>,
}

/// A line without its stamp.
pub(super) fn split(line: &[u8]) -> (Stamp, &[u8]) {
    let (at, rest) = time(line).map_or((None, line), |(at, rest)| (Some(at), rest));
    let (transfer, rest) = ids(rest).map_or((None, rest), |(id, rest)| (Some(id), rest));
    (Stamp { at, transfer }, rest)
}

fn time(line: &[u8]) -> Option<(Duration, &[u8])> {
    let (stamp, rest) = line.split_at_checked(15)?;
    let rest = rest.strip_prefix(b" ")?;
    let is_stamp = stamp.iter().zip(b"00:00:00.000000").all(|(byte, shape)| match shape {
        b'0' => byte.is_ascii_digit(),
        shape => byte == shape,
    });
    let number = |range: std::ops::Range<usize>| {
        stamp[range].iter().fold(0u64, |number, digit| number * 10 + u64::from(digit.wrapping_sub(b'0')))
    };
    let seconds = || (number(0..2) * 60 + number(3..5)) * 60 + number(6..8);
    is_stamp.then(|| (Duration::from_micros(seconds() * 1_000_000 + number(9..15)), rest))
}

fn ids(line: &[u8]) -> Option<(u64, &[u8])> {
    let rest = line.strip_prefix(b"[")?;
    let end = rest.iter().take(42).position(|&byte| byte == b']')?;
    let (transfer, connection) = std::str::from_utf8(&rest[..end]).ok()?.split_once('-')?;
    let is_connection = connection == "x" || connection.parse::<u64>().is_ok();
    let rest = rest[end + 1..].strip_prefix(b" ")?;
    Some((transfer.parse().ok().filter(|_| is_connection)?, rest))
}

/// How long after `start` a time of day is: at most a day, past midnight if it is earlier.
pub(super) fn since(start: Duration, at: Duration) -> Duration {
    match at.checked_sub(start) {
        Some(gone) => gone,
        // A clock that is set back by a little did not pass midnight.
        None if start - at < DAY / 2 => Duration::ZERO,
        None => at + DAY - start,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_are_taken_off() {
        #[track_caller]
        fn check(line: &str, at: Option<u64>, transfer: Option<u64>, rest: &str) {
            let stamp = Stamp { at: at.map(Duration::from_micros), transfer };
            assert_eq!(split(line.as_bytes()), (stamp, rest.as_bytes()), "{line}");
        }
        check("00:00:01.000002 * x", Some(1_000_002), None, "* x");
        check("23:59:59.999999 [3-0] > x", Some(86_399_999_999), Some(3), "> x");
        check("[0-x] * x", None, Some(0), "* x");
        check("> x", None, None, "> x");
        check("* [HTTP/2] x", None, None, "* [HTTP/2] x");
        check("[HTTP/2] x", None, None, "[HTTP/2] x");
        check("00:00:01.00000 * x", None, None, "00:00:01.00000 * x");
        check("", None, None, "");
    }

    #[test]
    fn midnight_passes() {
        let second = Duration::from_secs;
        assert_eq!(since(second(10), second(12)), second(2));
        assert_eq!(since(second(86_399), second(1)), second(2));
        assert_eq!(since(second(12), second(10)), second(0));
    }
}
