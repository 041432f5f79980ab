//! All buckets of a server: whether a request fits in each that it counts in.

use std::collections::BTreeMap;
use std::time::Duration;

use super::meter::Meter;
use super::{Allowance, Charge, Key, Level, Per};
use crate::plan::fault::answer::Quantity;
use crate::plan::seed::Seed;

/// The buckets that something was taken from. A bucket that is not here is full.
#[derive(Clone, Debug, Default)]
pub(crate) struct Buckets(BTreeMap<Key, Meters>);

#[derive(Clone, Copy, Debug, Default)]
struct Meters {
    requests: Meter,
    tokens: Meter,
    /// When something was last taken.
    used: Duration,
}

/// A request that is over a limit: of several, the one that takes longest to have room.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Limited {
    /// What there is too little of.
    pub(crate) of: Quantity,
    /// The bucket.
    pub(crate) level: Level,
    /// How much the request asks for.
    pub(crate) asked: u64,
    /// How long until there is room; `None` where the bucket is too small for the request.
    pub(crate) wait: Option<Duration>,
    /// The tightest bucket of the other kind.
    other: Option<Level>,
}

impl Limited {
    /// What is left, this bucket included.
    pub(crate) fn allowance(&self) -> Allowance {
        match self.of {
            Quantity::Requests => Allowance { requests: Some(self.level), tokens: self.other },
            Quantity::Tokens => Allowance { requests: self.other, tokens: Some(self.level) },
        }
    }
}

impl Buckets {
    /// Takes one request of so many tokens from every bucket that it counts in, and tells what is left.
    ///
    /// # Errors
    ///
    /// A bucket has too little left; then nothing is taken from any.
    pub(crate) fn charge(
        &mut self,
        charges: &[Charge],
        tokens: u64,
        now: Duration,
    ) -> Result<Allowance, Limited> {
        let over = self.caps(charges).filter_map(|(of, limit, meter)| {
            let asked = of.cost(tokens);
            let wait = meter.wait(limit, asked, now);
            (wait != Some(Duration::ZERO)).then(|| (of, meter.level(limit, now), asked, wait))
        });
        // `None` is for ever, so it is the longest.
        let longest = over.reduce(|one, other| {
            let longer = |wait: Option<Duration>| wait.unwrap_or(Duration::MAX);
            if longer(other.3) > longer(one.3) { other } else { one }
        });
        if let Some((of, level, asked, wait)) = longest {
            let left = self.left(charges, now);
            let other = match of {
                Quantity::Requests => left.tokens,
                Quantity::Tokens => left.requests,
            };
            return Err(Limited { of, level, asked, wait, other });
        }
        for Charge { key, caps } in charges {
            self.make_room(*key, now);
            let meters = self.0.entry(*key).or_default();
            meters.used = now;
            if let Some(limit) = caps.requests {
                meters.requests.take(limit, 1, now);
            }
            if let Some(limit) = caps.tokens {
                meters.tokens.take(limit, tokens, now);
            }
        }
        Ok(self.left(charges, now))
    }

    /// What is left of the buckets that a request counts in: of each kind the tightest.
    pub(crate) fn left(&self, charges: &[Charge], now: Duration) -> Allowance {
        let mut allowance = Allowance::default();
        for (of, limit, meter) in self.caps(charges) {
            let level = meter.level(limit, now);
            let tightest = allowance.of(of);
            if tightest.is_none_or(|other| (level.remaining, limit) < (other.remaining, other.limit)) {
                *tightest = Some(level);
            }
        }
        allowance
    }

    /// Forgets what was taken: everything, or by one session.
    pub(crate) fn reset(&mut self, session: Option<&str>) {
        match session {
            None => self.0.clear(),
            Some(name) => {
                let value = Seed::print(name.as_bytes());
                self.0.retain(|key, _| key.per != Per::Session || key.value != value);
            }
        }
    }

    fn caps(&self, charges: &[Charge]) -> impl Iterator<Item = (Quantity, u64, Meter)> {
        charges.iter().flat_map(|Charge { key, caps }| {
            let meters = self.0.get(key).copied().unwrap_or_default();
            let requests = caps.requests.map(|limit| (Quantity::Requests, limit, meters.requests));
            let tokens = caps.tokens.map(|limit| (Quantity::Tokens, limit, meters.tokens));
            requests.into_iter().chain(tokens)
        })
    }

    /// Forgets the buckets that nothing was taken from for longest, a tenth at once. After a minute a bucket
    /// is full, so that forgetting it changes nothing.
    fn make_room(&mut self, key: Key, now: Duration) {
        if self.0.len() < MOST || self.0.contains_key(&key) {
            return;
        }
        self.0.retain(|_, meters| now.saturating_sub(meters.used) < Duration::from_secs(60));
        if self.0.len() < MOST {
            return;
        }
        let mut used: Vec<_> = self.0.values().map(|meters| meters.used).collect();
        used.sort_unstable();
        let oldest = used[MOST / 10];
        let mut left = MOST / 10;
        self.0.retain(|_, meters| {
            let forgotten = left > 0 && meters.used <= oldest;
            left -= usize::from(forgotten);
            !forgotten
        });
    }
}

impl Quantity {
    /// What a request of so many tokens costs.
    fn cost(self, tokens: u64) -> u64 {
        match self {
            Self::Requests => 1,
            Self::Tokens => tokens,
        }
    }
}

impl Allowance {
    fn of(&mut self, quantity: Quantity) -> &mut Option<Level> {
        match quantity {
            Quantity::Requests => &mut self.requests,
            Quantity::Tokens => &mut self.tokens,
        }
    }
}

/// How many buckets are kept.
const MOST: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::super::Caps;
    use super::*;

    fn charge(rule: u64, per: Per, value: &str, requests: Option<u64>, tokens: Option<u64>) -> Charge {
        Charge {
            key: Key { rule, per, value: Seed::print(value.as_bytes()) },
            caps: Caps { requests, tokens },
        }
    }

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    #[test]
    fn a_request_over_one_limit_takes_nothing_from_another() {
        let mut buckets = Buckets::default();
        let both =
            [charge(1, Per::Key, "k", Some(1), None), charge(2, Per::Model, "m", Some(10), Some(1000))];
        assert!(buckets.charge(&both, 100, secs(0)).is_ok());
        let limited = buckets.charge(&both, 100, secs(0)).unwrap_err();
        assert_eq!((limited.of, limited.asked, limited.wait), (Quantity::Requests, 1, Some(secs(60))));
        assert_eq!(limited.level, Level { limit: 1, remaining: 0, full_in: secs(60) });
        let left = buckets.left(&both[1..], secs(0));
        assert_eq!(left.requests.map(|level| level.remaining), Some(9));
        assert_eq!(left.tokens.map(|level| level.remaining), Some(900));
    }

    #[test]
    fn of_several_limits_the_one_with_the_longest_wait_is_told() {
        let mut buckets = Buckets::default();
        let both = [charge(1, Per::Key, "k", Some(1), Some(90)), charge(2, Per::Key, "k", Some(2), None)];
        assert!(buckets.charge(&both, 60, secs(0)).is_ok());
        // A request is back in 60 s, 60 tokens in 20 s.
        let limited = buckets.charge(&both, 60, secs(0)).unwrap_err();
        assert_eq!((limited.of, limited.wait), (Quantity::Requests, Some(secs(60))));
        assert!(buckets.charge(&both, 60, secs(60)).is_ok());
        let limited = buckets.charge(&both, 91, secs(60)).unwrap_err();
        assert_eq!((limited.of, limited.wait), (Quantity::Tokens, None));
    }

    #[test]
    fn the_tightest_bucket_of_each_kind_is_shown() {
        let mut buckets = Buckets::default();
        let both =
            [charge(1, Per::Key, "k", Some(100), None), charge(2, Per::Session, "", Some(5), Some(50))];
        let left = buckets.charge(&both, 10, secs(0)).unwrap();
        assert_eq!(left.requests, Some(Level { limit: 5, remaining: 4, full_in: secs(12) }));
        assert_eq!(left.tokens, Some(Level { limit: 50, remaining: 40, full_in: secs(12) }));
    }

    #[test]
    fn a_session_is_reset_alone() {
        let mut buckets = Buckets::default();
        let one = [charge(1, Per::Session, "a", Some(1), None)];
        let other = [charge(1, Per::Session, "b", Some(1), None)];
        let key = [charge(2, Per::Key, "a", Some(1), None)];
        for charges in [&one, &other, &key] {
            assert!(buckets.charge(charges, 1, secs(0)).is_ok());
        }
        buckets.reset(Some("a"));
        assert!(buckets.charge(&one, 1, secs(0)).is_ok());
        assert!(buckets.charge(&other, 1, secs(0)).is_err());
        assert!(buckets.charge(&key, 1, secs(0)).is_err());
        buckets.reset(None);
        assert!(buckets.charge(&other, 1, secs(0)).is_ok());
    }

    #[test]
    fn buckets_are_bounded_and_those_in_use_stay() {
        let mut buckets = Buckets::default();
        let busy = [charge(1, Per::Key, "busy", Some(1_000_000), None)];
        for index in 0..MOST + 50 {
            let now = Duration::from_micros(index as u64);
            let once = [charge(1, Per::Key, &index.to_string(), Some(1), None)];
            assert!(buckets.charge(&once, 1, now).is_ok());
            assert!(buckets.charge(&busy, 1, now).is_ok());
        }
        assert!(buckets.0.len() <= MOST);
        assert!(buckets.0.contains_key(&busy[0].key));
        // All at the same moment: still no more.
        let mut buckets = Buckets::default();
        for index in 0..MOST + 50 {
            let once = [charge(1, Per::Key, &index.to_string(), Some(1), None)];
            assert!(buckets.charge(&once, 1, secs(0)).is_ok());
        }
        assert!(buckets.0.len() <= MOST);
    }
}
