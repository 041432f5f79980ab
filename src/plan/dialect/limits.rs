//! What the provider's rate limiter says of this request: limits, what remains, when it is back.
//!
//! Every request is the first of its minute: the limiter has counted it and nothing else. Limits
//! that fixtures set are not known here.

use std::time::Duration;

/// A bucket that refills evenly within a minute.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Bucket {
    /// How much it holds.
    pub(crate) limit: u64,
    /// How much this request took.
    pub(crate) used: u64,
}

impl Bucket {
    /// What is left.
    pub(crate) fn remaining(self) -> u64 {
        self.limit.saturating_sub(self.used)
    }

    /// How long until it is full again, in whole milliseconds, rounded down as both providers do.
    ///
    /// 1 of 500 requests a minute is 120 ms, 7 of 200 000 tokens are 2 ms. (C)
    pub(crate) fn reset(self) -> Duration {
        let used = u128::from(self.used.min(self.limit));
        let millis = used * 60_000 / u128::from(self.limit.max(1));
        Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))
    }
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
            assert_eq!(Bucket { limit, used }.reset(), Duration::from_millis(millis), "{used} of {limit}");
        }
    }
}
