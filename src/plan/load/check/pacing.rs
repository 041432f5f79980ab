//! Checks pacing.

use std::time::Duration;

use crate::plan::load::problems::{Problems, below};
use crate::plan::pacing::{Jitter, Pacing};
use crate::plan::transcript::Recording;

/// Checks pacing that stands at the pointer `at`.
pub(super) fn pacing(pacing: &Pacing, at: &str, problems: &mut Problems) {
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
    check_head(pacing, &below(at, "head"), problems);
    if let Some(jitter) = pacing.jitter {
        check_jitter(jitter, pacing, &below(at, "jitter"), problems);
    }
}

/// Checks the pacing of a reply, which stands at the pointer `at`, over the file's.
pub(super) fn of_reply(
    own: &Pacing,
    defaults: Pacing,
    is_transcript: bool,
    at: &str,
    problems: &mut Problems,
) {
    pacing(own, at, problems);
    for (key, given) in [("scale", own.scale.is_some()), ("recorded", own.recorded.is_some())] {
        if given && !is_transcript {
            problems.key(below(at, key), format!("`{key}` is about the gaps of a transcript: leave it out"));
        }
    }
    let merged = defaults.and(*own);
    let varies = matches!(own.jitter, Some(Jitter::Uniform(_) | Jitter::Normal(_) | Jitter::Exponential));
    if varies && merged.itl.is_none() && merged.tps.is_none() {
        problems.value(
            below(at, "jitter"),
            "`jitter` varies the time between events: give it, with `itl` or `tps`",
        );
    }
    // Both of the reply, or both of the file, were compared already.
    match (own.head, own.ttft) {
        (Some(_), None) => check_head(&merged, &below(at, "head"), problems),
        (None, Some(_)) => check_head(&merged, &below(at, "ttft"), problems),
        (Some(_), Some(_)) | (None, None) => {}
    }
}

/// Checks the pacing of a reply that is a transcript, against its times.
pub(super) fn of_replay(own: &Pacing, recording: &Recording, at: &str, problems: &mut Problems) {
    let keys = [("recorded", own.recorded == Some(true)), ("scale", own.scale.is_some())];
    for (key, _) in keys.into_iter().filter(|(_, given)| *given) {
        let at = below(at, key);
        match own.rival() {
            _ if !recording.is_timed() => problems.key(
                at,
                format!("the transcript has no times: leave `{key}` out, and give `ttft` and `itl` if it is to take time"),
            ),
            Some(rival) => problems.key(
                at,
                format!("`{key}` is about the recorded times, which `{rival}` displaces: leave one of them out"),
            ),
            None if own.recorded == Some(false) => problems.key(
                at,
                format!("`{key}` is about the recorded times, and `recorded` says not to use them: leave one out"),
            ),
            None => {}
        }
    }
}

fn check_head(pacing: &Pacing, at: &str, problems: &mut Problems) {
    if let (Some(head), Some(ttft)) = (pacing.head, pacing.ttft)
        && head > ttft
    {
        let (head, ttft) = (head.0, ttft.0);
        problems.value(
            at,
            format!("the head goes out before the first event: {head:?} is later than `ttft`, {ttft:?}"),
        );
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
