//! Checks pacing.

use std::time::Duration;

use crate::plan::load::problems::{Problems, below};
use crate::plan::pacing::{Jitter, Pacing};

/// Checks pacing that stands at the pointer `at`.
pub(in crate::plan::load) fn pacing(pacing: &Pacing, at: &str, problems: &mut Problems) {
    if pacing.itl.is_some() && pacing.tps.is_some() {
        problems.key(below(at, "tps"), "`tps` and `itl` are two words for one thing: give one");
    }
    if let Some(tps) = pacing.tps {
        if !(tps > 0.0 && tps.is_finite()) {
            problems.value(below(at, "tps"), format!("expected a number above 0, got {tps}"));
        } else if tps < SLOWEST {
            problems.value(below(at, "tps"), format!("{tps} is less than one token a day"));
        }
    }
    if pacing.burst == Some(0) {
        problems.value(below(at, "burst"), "a burst has at least 1 event");
    }
    if let Some(scale) = pacing.scale
        && !(scale >= 0.0 && scale.is_finite())
    {
        problems.value(below(at, "scale"), format!("expected 0 or more, got {scale}"));
    }
    for (key, span) in [("head", pacing.head), ("ttft", pacing.ttft), ("itl", pacing.itl)] {
        if span.is_some_and(|span| span.0 > LONGEST) {
            problems.value(below(at, key), "a day is the longest wait");
        }
    }
    if let Some(jitter) = pacing.jitter {
        check_jitter(jitter, pacing, &below(at, "jitter"), problems);
    }
}

fn check_jitter(jitter: Jitter, pacing: &Pacing, at: &str, problems: &mut Problems) {
    match jitter {
        Jitter::Uniform(share) if !(0.0..=1.0).contains(&share) => {
            problems.value(below(at, "uniform"), format!("expected 0 to 1, got {share}"));
        }
        Jitter::Normal(deviation) if deviation.0 > LONGEST => {
            problems.value(below(at, "normal"), "a day is the longest deviation");
        }
        Jitter::Lognormal(percentiles) => {
            let at = below(at, "lognormal");
            if percentiles.p50.0.is_zero() {
                problems.value(below(&at, "p50"), "the median is above 0");
            }
            if percentiles.p95 < percentiles.p50 {
                problems.value(below(&at, "p95"), "`p95` is not less than `p50`");
            }
            if percentiles.p95.0 > LONGEST {
                problems.value(below(&at, "p95"), "a day is the longest wait");
            }
            if pacing.itl.is_some() || pacing.tps.is_some() {
                problems
                    .value(at, "`lognormal` gives the time between events itself: leave `itl` and `tps` out");
            }
        }
        Jitter::Uniform(_) | Jitter::Normal(_) | Jitter::Exponential => {}
    }
}

/// The longest wait that pacing may ask for; servers cut holds much shorter.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// One token a day, in tokens per second.
const SLOWEST: f64 = 1.0 / (24.0 * 60.0 * 60.0);
