//! What the provider's rate limiter says of this request: limits, what remains, when it is back.
//!
//! Where fixtures set no limits, every request is the first of its minute: the limiter has counted it and
//! nothing else.

use std::time::Duration;

use crate::plan::limits::Level;

/// A bucket that refills evenly within a minute.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Bucket {
    /// How much it holds.
    pub(crate) limit: u64,
    /// How much is taken.
    pub(crate) used: u64,
    /// How long until it is full, where that was measured; else what was taken was taken just now.
    pub(crate) full_in: Option<Duration>,
}

impl From<Level> for Bucket {
    fn from(level: Level) -> Self {
        Self { limit: level.limit, used: level.used(), full_in: Some(level.full_in) }
    }
}

impl Bucket {
    /// A bucket from which so much was taken just now.
    pub(crate) const fn new(limit: u64, used: u64) -> Self {
        Self { limit, used, full_in: None }
    }

    /// The bucket with nothing left in it.
    pub(crate) const fn emptied(self) -> Self {
        Self::new(self.limit, self.limit)
    }

    /// What is left.
    pub(crate) fn remaining(self) -> u64 {
        self.limit.saturating_sub(self.used)
    }

    /// How long until it is full again, in whole milliseconds, rounded down as both providers do.
    ///
    /// 1 of 500 requests a minute is 120 ms, 7 of 200 000 tokens are 2 ms. (C)
    pub(crate) fn reset(self) -> Duration {
        if let Some(full_in) = self.full_in {
            return whole_millis(full_in, false);
        }
        let used = u128::from(self.used.min(self.limit));
        let millis = used * 60_000 / u128::from(self.limit.max(1));
        Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))
    }
}

/// Whole milliseconds, rounded down or up.
pub(crate) fn whole_millis(time: Duration, up: bool) -> Duration {
    let nanos = time.as_nanos();
    let millis = if up { nanos.div_ceil(1_000_000) } else { nanos / 1_000_000 };
    Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resets_agree_with_recorded_ones() {
        for (limit, used, millis) in [
            (500, 1, 120),
            (3_500, 1, 17),
            (10_000, 1, 6),
            (120, 1, 500),
            (200_000, 7, 2),
            (120_000, 14, 7),
            (40_000, 19, 28),
            (160_000, 26, 9),
            (50_000_000, 11, 0),
            (100, 500, 60_000),
            (0, 1, 0),
        ] {
            assert_eq!(Bucket::new(limit, used).reset(), Duration::from_millis(millis), "{used} of {limit}");
        }
    }
}
