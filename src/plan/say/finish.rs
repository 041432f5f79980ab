//! The end of every plan: its pace, what breaks, and what bounds both.

use std::time::Duration;

use super::{HEAVIEST, Occasion, bare_facts, failure, own_seed, whole};
use crate::plan::fault::response::Response;
use crate::plan::fault::{Context, Fault};
use crate::plan::pacing::whole_micros;
use crate::plan::request::Call;
use crate::plan::timeline::Timeline;

/// The last steps of every plan: its pace, what breaks, and the bound of every gap.
pub(super) fn finish(
    mut timeline: Timeline,
    call: &Call,
    faults: &[&Fault],
    occasion: &Occasion<'_>,
) -> Timeline {
    scale(&mut timeline, occasion.time_scale);
    if !faults.is_empty() {
        let context = Context { seed: own_seed(call, occasion), max_hold: occasion.max_hold, call };
        timeline = broken(timeline, faults, &context).unwrap_or_else(|| outgrown(call, occasion));
        timeline.faults = faults.iter().map(ToString::to_string).collect();
    }
    hold(&mut timeline, occasion.max_hold);
    timeline
}

/// What faults make of a response; `None` where together they make more of it than is planned.
fn broken(timeline: Timeline, faults: &[&Fault], context: &Context<'_>) -> Option<Timeline> {
    let heaviest = usize::try_from(HEAVIEST).unwrap_or(usize::MAX).max(timeline.body.len());
    let most = MOST_PIECES.max(timeline.events.len());
    let mut response = Response::new(timeline);
    for fault in faults {
        fault.apply(&mut response, context);
        if response.pieces.len() > most || response.length() > heaviest {
            return None;
        }
    }
    Some(response.timeline())
}

/// The refusal of what faults multiply beyond measure.
fn outgrown(call: &Call, occasion: &Occasion<'_>) -> Timeline {
    let message = format!(
        "with these faults the answer has more than {} MiB or {MOST_PIECES} pieces, which is the limit: \
         ask for fewer or smaller ones",
        HEAVIEST >> 20
    );
    let facts = bare_facts(call, occasion);
    let (head, body) = call.route.dialect.error(&failure("answer_too_large", message), &facts);
    whole(head, body, Duration::ZERO)
}

/// The most pieces that faults make of a response.
const MOST_PIECES: usize = 1_000_000;

/// Scales the offsets.
fn scale(timeline: &mut Timeline, factor: f64) {
    if factor != 1.0 {
        timeline.each_time(|at| whole_micros(at.as_secs_f64() * factor));
    }
}

/// Bounds every gap between two things sent.
fn hold(timeline: &mut Timeline, max_hold: Duration) {
    // Times never decrease: where all of it is shorter than a gap may be, so is each gap.
    if timeline.ends_at <= max_hold {
        return;
    }
    let (mut planned, mut bounded) = (Duration::ZERO, Duration::ZERO);
    timeline.each_time(|at| {
        bounded = bounded.saturating_add(at.saturating_sub(planned).min(max_hold));
        planned = planned.max(at);
        bounded
    });
}
