//! Building a [`Pacing`] in code, and laying one over another.

use std::time::Duration;

use super::{Jitter, Pacing, Percentiles};
use crate::plan::json::Span;

/// ```
/// use std::time::Duration;
/// use llmirage::{Pacing, Reply};
///
/// let slow = Pacing::ttft(Duration::from_millis(250)).and(Pacing::itl(Duration::from_millis(20)));
///
/// let reply = Reply::text("Once upon a time").pacing(slow);
/// ```
impl Pacing {
    /// When the status line and headers go out.
    pub fn head(at: Duration) -> Self {
        Self { head: Some(Span(at)), ..Self::default() }
    }

    /// Time to first token: when the first content event goes out.
    pub fn ttft(at: Duration) -> Self {
        Self { ttft: Some(Span(at)), ..Self::default() }
    }

    /// Inter-token latency: the time between content events.
    pub fn itl(gap: Duration) -> Self {
        Self { itl: Some(Span(gap)), ..Self::default() }
    }

    /// Content events per second, instead of the time between them. Above 0.
    pub fn tps(rate: f64) -> Self {
        Self { tps: Some(rate), ..Self::default() }
    }

    /// How the time between content events varies.
    pub fn jitter(jitter: Jitter) -> Self {
        Self { jitter: Some(jitter), ..Self::default() }
    }

    /// How many content events go out at once; at least 1.
    pub fn burst(events: usize) -> Self {
        Self { burst: Some(events), ..Self::default() }
    }

    /// Transcripts: multiplies the recorded times; 0 is no waiting.
    pub fn scale(factor: f64) -> Self {
        Self { scale: Some(factor), ..Self::default() }
    }

    /// Transcripts: whether the recorded times are used.
    pub fn recorded(used: bool) -> Self {
        Self { recorded: Some(used), ..Self::default() }
    }

    /// This pacing with what `other` says over it, key by key. `itl` and `tps` are one key in two
    /// units.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let rate = if other.itl.is_some() || other.tps.is_some() { &other } else { &self };
        Self {
            head: other.head.or(self.head),
            ttft: other.ttft.or(self.ttft),
            itl: rate.itl,
            tps: rate.tps,
            jitter: other.jitter.or(self.jitter),
            burst: other.burst.or(self.burst),
            scale: other.scale.or(self.scale),
            recorded: other.recorded.or(self.recorded),
        }
    }
}

impl Jitter {
    /// `itl` plus a normal variate with this standard deviation.
    pub fn normal(deviation: Duration) -> Self {
        Self::Normal(Span(deviation))
    }

    /// A log-normal variate with this median and 95th percentile, instead of `itl`.
    pub fn lognormal(p50: Duration, p95: Duration) -> Self {
        Self::Lognormal(Percentiles { p50: Span(p50), p95: Span(p95) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn the_other_pacing_goes_over_this_one_key_by_key() {
        let base = Pacing::ttft(250 * MS).and(Pacing::itl(20 * MS)).and(Pacing::burst(4));
        let merged = base.and(Pacing::ttft(MS));
        let expected =
            Pacing { ttft: Some(Span(MS)), itl: Some(Span(20 * MS)), burst: Some(4), ..Pacing::default() };
        assert_eq!(merged, expected);
    }

    #[test]
    fn a_rate_replaces_a_gap_and_a_gap_a_rate() {
        assert_eq!(Pacing::itl(MS).and(Pacing::tps(50.0)), Pacing::tps(50.0));
        assert_eq!(Pacing::tps(50.0).and(Pacing::itl(MS)), Pacing::itl(MS));
    }
}
