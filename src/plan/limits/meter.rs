//! The arithmetic of a bucket: exact, in whole numbers, so that who waits as told is served.

use std::time::Duration;

use super::Level;

/// What was taken from a bucket that refills evenly within a minute.
///
/// `debt` is what is not refilled yet, in units of which one request, or one token, is [`MINUTE`] and of which
/// a nanosecond refills as many as the bucket holds: no rounding, whatever the limit.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Meter {
    debt: u128,
    at: Duration,
}

impl Meter {
    /// How full a bucket of this size is.
    pub(super) fn level(self, limit: u64, now: Duration) -> Level {
        let debt = self.debt(limit, now);
        let used = u64::try_from(debt.div_ceil(MINUTE)).unwrap_or(u64::MAX);
        Level { limit, remaining: limit.saturating_sub(used), full_in: refilled(debt, limit) }
    }

    /// How long until `cost` fits: not at all, some time, or `None`, since the bucket is too small.
    pub(super) fn wait(self, limit: u64, cost: u64, now: Duration) -> Option<Duration> {
        if cost > limit {
            return None;
        }
        let room = u128::from(limit - cost) * MINUTE;
        Some(refilled(self.debt(limit, now).saturating_sub(room), limit))
    }

    /// Takes `cost`.
    pub(super) fn take(&mut self, limit: u64, cost: u64, now: Duration) {
        let debt = self.debt(limit, now).saturating_add(u128::from(cost) * MINUTE);
        *self = Self { debt, at: self.at.max(now) };
    }

    /// What is not refilled yet. A request that was read earlier but comes later sees the bucket as it is.
    fn debt(self, limit: u64, now: Duration) -> u128 {
        let passed = now.saturating_sub(self.at).as_nanos();
        self.debt.saturating_sub(passed.saturating_mul(limit.into()))
    }
}

/// How long it takes to refill so much, rounded up to a nanosecond.
fn refilled(debt: u128, limit: u64) -> Duration {
    let nanos = debt.div_ceil(u128::from(limit.max(1)));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// The nanoseconds of a minute.
const MINUTE: u128 = 60_000_000_000;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn a_bucket_of_three_gives_one_every_twenty_seconds() {
        let mut meter = Meter::default();
        for taken in 1..=3 {
            assert_eq!(meter.wait(3, 1, Duration::ZERO), Some(Duration::ZERO));
            meter.take(3, 1, Duration::ZERO);
            let level = Level { limit: 3, remaining: 3 - taken, full_in: millis(20_000 * taken) };
            assert_eq!(meter.level(3, Duration::ZERO), level);
        }
        assert_eq!(meter.wait(3, 1, Duration::ZERO), Some(millis(20_000)));
        assert_eq!(meter.wait(3, 1, millis(19_999)), Some(millis(1)));
        assert_eq!(meter.wait(3, 1, millis(20_000)), Some(Duration::ZERO));
        assert_eq!(meter.level(3, millis(20_000)).remaining, 1);
        assert_eq!(meter.level(3, millis(60_000)), Level { limit: 3, remaining: 3, full_in: Duration::ZERO });
    }

    #[test]
    fn a_wait_is_as_long_as_the_real_limiter_says() {
        // "Limit 100000, Used 96749, Requested 19126. Please try again in 9.525s."
        let mut meter = Meter::default();
        meter.take(100_000, 96_749, Duration::ZERO);
        assert_eq!(meter.wait(100_000, 19_126, Duration::ZERO), Some(millis(9_525)));
    }

    #[test]
    fn what_is_larger_than_the_bucket_never_fits() {
        assert_eq!(Meter::default().wait(10, 11, Duration::ZERO), None);
        assert_eq!(Meter::default().wait(10, 10, Duration::ZERO), Some(Duration::ZERO));
    }

    #[test]
    fn a_request_that_was_read_earlier_gets_nothing_back() {
        let mut meter = Meter::default();
        meter.take(60, 10, millis(5_000));
        meter.take(60, 1, millis(4_000));
        assert_eq!(meter.level(60, millis(5_000)).remaining, 49);
    }

    proptest! {
        /// Whoever waits exactly as told is served, and a nanosecond earlier is too early.
        #[test]
        fn a_wait_is_exact(limit in 1..200_000u64, taken in 1..400_000u64, cost in 1..200_000u64, at in 0..90_000_000_000u64) {
            let (cost, at) = (cost.min(limit), Duration::from_nanos(at));
            let mut meter = Meter::default();
            meter.take(limit, taken.min(limit), at);
            let wait = meter.wait(limit, cost, at).unwrap();
            prop_assert_eq!(meter.wait(limit, cost, at + wait), Some(Duration::ZERO));
            if !wait.is_zero() {
                let early = at + wait - Duration::from_nanos(1);
                prop_assert_eq!(meter.wait(limit, cost, early), Some(Duration::from_nanos(1)));
            }
        }

        /// Any stretch of time gives at most what the bucket holds and what it refills meanwhile.
        #[test]
        fn no_stretch_of_time_gives_more_than_it_holds(
            limit in 1..30u64,
            steps in prop::collection::vec((0..5_000u64, 1..5u64), 1..200),
        ) {
            let mut meter = Meter::default();
            let mut now = Duration::ZERO;
            let mut given = Vec::new();
            for (pause, cost) in steps {
                now += millis(pause);
                if meter.wait(limit, cost, now) == Some(Duration::ZERO) {
                    meter.take(limit, cost, now);
                    given.push((now, cost));
                }
            }
            for (first, (from, _)) in given.iter().enumerate() {
                let mut sum = 0;
                for (until, cost) in &given[first..] {
                    sum += cost;
                    let refilled = u128::from(limit) * (*until - *from).as_millis();
                    prop_assert!(u128::from(sum) * 60_000 <= u128::from(limit) * 60_000 + refilled);
                }
            }
        }

        /// What is said to remain can be taken at once, and one more cannot.
        #[test]
        fn what_remains_can_be_taken(limit in 1..1_000u64, taken in 1..1_000u64, later in 0..60_000u64) {
            let mut meter = Meter::default();
            meter.take(limit, taken.min(limit), Duration::ZERO);
            let now = millis(later);
            let level = meter.level(limit, now);
            prop_assert_eq!(meter.wait(limit, level.remaining, now), Some(Duration::ZERO));
            prop_assert_ne!(meter.wait(limit, level.remaining + 1, now), Some(Duration::ZERO));
            prop_assert_eq!(meter.level(limit, now + level.full_in).remaining, limit);
        }
    }
}
