//! When the events of a response are due.

use std::time::Duration;

use rand::RngExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::json::Span;
use super::seed::{Seed, Stream};
use super::timeline::EventKind;

mod build;

/// The pace of a response. Deadlines are absolute from the moment the request was read: a late
/// event does not push the next.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Pacing {
    /// When the status line and headers go out; absent: with the first event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) head: Option<Span>,
    /// Time to first token: when the first content event goes out, and all before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ttft: Option<Span>,
    /// Inter-token latency: the time between content events.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) itl: Option<Span>,
    /// Tokens per second, instead of `itl`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tps: Option<f64>,
    /// How the time between content events varies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) jitter: Option<Jitter>,
    /// How many content events go out at once; the mean pace stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) burst: Option<usize>,
    /// Transcripts: multiplies the recorded times; 0 is no waiting.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) scale: Option<f64>,
    /// Transcripts: whether the recorded times are used. Absent: if there are any, and the reply says none of `ttft`,
    /// `itl`, `tps`, `jitter` and `burst`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) recorded: Option<bool>,
}

/// How the time between content events varies around `itl`.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Jitter {
    /// `itl` × (1 ± x), evenly.
    Uniform(f64),
    /// `itl` plus a normal variate with this standard deviation.
    Normal(Span),
    /// A log-normal variate with these percentiles, instead of `itl`.
    Lognormal(Percentiles),
    /// An exponential variate with the mean `itl`: a Poisson process.
    Exponential,
}

/// Two percentiles of a distribution.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Percentiles {
    /// The median.
    pub(crate) p50: Span,
    /// The 95th percentile.
    pub(crate) p95: Span,
}

impl Pacing {
    /// When each event of a stream is due.
    ///
    /// The first content event is due at `ttft`, and so is all before it; each later content event one
    /// gap after the one before; anything else with the content event before it. `pauses` are a
    /// script's waits: (index of the event after it, how long), each moving all that follows.
    pub(crate) fn due(&self, kinds: &[EventKind], pauses: &[(usize, Duration)], seed: Seed) -> Vec<Duration> {
        let mut gaps = self.gaps(seed);
        let burst = self.burst.unwrap_or(1).max(1);
        let mut pauses = pauses.iter().peekable();
        let mut paused = Duration::ZERO;
        let mut due = self.ttft.unwrap_or_default().0;
        let mut owed = Duration::ZERO;
        let mut content = 0;
        let event = |(index, kind): (usize, &EventKind)| {
            while let Some((_, pause)) = pauses.next_if(|(before, _)| *before <= index) {
                paused = paused.saturating_add(*pause);
            }
            if *kind == EventKind::Content {
                if content > 0 {
                    owed = owed.saturating_add(gaps());
                }
                if content % burst == 0 {
                    due = due.saturating_add(std::mem::take(&mut owed));
                }
                content += 1;
            }
            due.saturating_add(paused)
        };
        kinds.iter().enumerate().map(event).collect()
    }

    /// Whether it is the same for every hit.
    pub(crate) fn is_steady(&self) -> bool {
        self.jitter.is_none()
    }

    /// Whether recorded times are used, as far as this pacing decides it: one that says how fast events come
    /// displaces them.
    pub(crate) fn uses_recorded(&self) -> Option<bool> {
        self.recorded.or_else(|| self.rival().map(|_| false))
    }

    /// The first key that says how fast events come, if there is one.
    pub(crate) fn rival(&self) -> Option<&'static str> {
        let Self { head: _, ttft, itl, tps, jitter, burst, scale: _, recorded: _ } = self;
        let given = [
            ("ttft", ttft.is_some()),
            ("itl", itl.is_some()),
            ("tps", tps.is_some()),
            ("jitter", jitter.is_some()),
            ("burst", burst.is_some()),
        ];
        given.into_iter().find_map(|(key, given)| given.then_some(key))
    }

    /// The gaps between content events, one a call.
    fn gaps(&self, seed: Seed) -> impl FnMut() -> Duration {
        let mean = match (self.itl, self.tps) {
            (Some(Span(itl)), _) => itl.as_secs_f64(),
            (None, Some(tps)) if tps > 0.0 => 1.0 / tps,
            _ => 0.0,
        };
        let jitter = self.jitter;
        let mut stream = seed.stream("jitter");
        move || {
            let gap = match jitter {
                None => mean,
                Some(Jitter::Uniform(share)) => mean * (1.0 + share * (2.0 * stream.random::<f64>() - 1.0)),
                Some(Jitter::Normal(Span(deviation))) => {
                    let variate = normal(&mut stream);
                    mean + deviation.as_secs_f64() * variate
                }
                Some(Jitter::Lognormal(Percentiles { p50, p95 })) => {
                    let variate = normal(&mut stream);
                    let median = p50.0.as_secs_f64();
                    let spread = libm::log(p95.0.as_secs_f64() / median) / Z95;
                    median * libm::exp(spread * variate)
                }
                Some(Jitter::Exponential) => -mean * libm::log(1.0 - stream.random::<f64>()),
            };
            whole_micros(gap)
        }
    }
}

/// A standard normal variate, by Box and Muller. `libm` gives the same digits on every platform; the
/// platform's own logarithm and cosine would not.
fn normal(stream: &mut Stream) -> f64 {
    let (radius, angle): (f64, f64) = (stream.random(), stream.random());
    (-2.0 * libm::log(1.0 - radius)).sqrt() * libm::cos(std::f64::consts::TAU * angle)
}

/// The 95th percentile of the standard normal distribution.
const Z95: f64 = 1.644_853_626_951_472_7;

/// A time in seconds as a whole number of microseconds; what is negative or no number is 0.
pub(crate) fn whole_micros(seconds: f64) -> Duration {
    let micros = (seconds * 1e6).round();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the cast saturates; NaN and what is negative become 0"
    )]
    Duration::from_micros(micros as u64)
}

#[cfg(test)]
mod tests {
    use EventKind::{Content, Done, Finish, Role};

    use super::*;

    fn ms(text: &str) -> Option<Span> {
        Some(text.parse().unwrap())
    }

    fn due(pacing: &Pacing, pauses: &[(usize, Duration)]) -> Vec<u128> {
        let kinds = [Role, Content, Content, Content, Content, Finish, Done];
        let due = pacing.due(&kinds, pauses, Seed::new(7));
        due.iter().map(Duration::as_micros).collect()
    }

    #[test]
    fn all_before_the_first_content_goes_out_with_it_and_all_after_the_last() {
        let pacing = Pacing { ttft: ms("250ms"), itl: ms("20ms"), ..Pacing::default() };
        assert_eq!(due(&pacing, &[]), [250_000, 250_000, 270_000, 290_000, 310_000, 310_000, 310_000]);
    }

    #[test]
    fn tps_is_one_over_itl() {
        let pacing = Pacing { tps: Some(50.0), ..Pacing::default() };
        assert_eq!(due(&pacing, &[]), [0, 0, 20_000, 40_000, 60_000, 60_000, 60_000]);
    }

    #[test]
    fn a_burst_keeps_the_mean_pace() {
        let pacing = Pacing { itl: ms("10ms"), burst: Some(2), ..Pacing::default() };
        assert_eq!(due(&pacing, &[]), [0, 0, 0, 20_000, 20_000, 20_000, 20_000]);
    }

    #[test]
    fn a_pause_moves_all_that_follows() {
        let pacing = Pacing { itl: ms("10ms"), ..Pacing::default() };
        let pauses = [(2, Duration::from_secs(2)), (6, Duration::from_secs(1))];
        assert_eq!(due(&pacing, &pauses), [0, 0, 2_010_000, 2_020_000, 2_030_000, 2_030_000, 3_030_000]);
    }

    #[test]
    fn the_same_seed_gives_the_same_jitter_for_ever() {
        let paced = |jitter| Pacing { itl: ms("20ms"), jitter: Some(jitter), ..Pacing::default() };
        let percentiles = Percentiles { p50: "20ms".parse().unwrap(), p95: "60ms".parse().unwrap() };
        let table = [
            (Jitter::Uniform(0.2), [0, 20_801, 38_397, 59_226]),
            (Jitter::Normal("5ms".parse().unwrap()), [0, 22_112, 42_566, 74_066]),
            (Jitter::Lognormal(percentiles), [0, 26_521, 47_772, 140_714]),
            (Jitter::Exponential, [0, 18_334, 22_784, 41_291]),
        ];
        for (jitter, expected) in table {
            assert_eq!(due(&paced(jitter), &[])[1..5], expected, "{jitter:?}");
        }
    }

    #[test]
    fn whatever_the_jitter_offsets_never_decrease() {
        let pacing = Pacing {
            itl: ms("1ms"),
            jitter: Some(Jitter::Normal("1s".parse().unwrap())),
            ..Pacing::default()
        };
        let due = pacing.due(&[Content; 500], &[], Seed::new(1));
        assert!(due.is_sorted());
    }
}
