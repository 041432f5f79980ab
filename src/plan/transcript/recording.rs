//! A transcript that was checked: all of its timeline but the pace, made once and shared by all who replay it.

use std::time::Duration;

use http::StatusCode;
use serde_json::Value;

use super::{RecordedEnding, RecordedEvent, RecordedResponse, head, kind, raw_bytes};
use crate::plan::json::Span;
use crate::plan::pacing::{Pacing, whole_micros};
use crate::plan::seed::Seed;
use crate::plan::timeline::{Body, Ending, Event, EventKind, Events, Framing, Head, Timeline};

/// A recorded response, ready to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Recording {
    head: Head,
    body: Body,
    /// The recorded events, or the body as one, at their recorded times.
    events: Events,
    ending: Ending,
    ends_at: Duration,
    /// Whether the times are recorded ones.
    is_timed: bool,
    /// What pacing counts, at least one: the events of a stream, or as many tokens as a body says it has.
    paced: Vec<EventKind>,
}

/// The pace of one response.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pace<'a> {
    /// The recorded times, multiplied; the head at a time of its own, if it is given one.
    Recorded { scale: f64, head: Option<Span> },
    /// That of answers.
    Paced(&'a Pacing, Seed),
}

impl Recording {
    /// Makes one of a response that was checked.
    pub(crate) fn new(status: StatusCode, response: &RecordedResponse) -> Self {
        let body = response.bytes();
        let ending = match response.ending {
            RecordedEnding::Complete => Ending::Complete,
            RecordedEnding::Reset => Ending::Reset { drain: true },
            // Nobody knows what would have come, so nothing does.
            RecordedEnding::Close | RecordedEnding::ClientLeft => Ending::Close,
        };
        let is_timed = response.is_timed();
        let time = |span: Option<Span>| span.filter(|_| is_timed).map(|Span(at)| at);
        let (head_at, ends_at) = (time(response.at), time(response.ends_at));
        let (events, paced) = match &response.events {
            Some(recorded) => {
                let events = events(recorded);
                let kinds: Vec<_> = events.iter().map(|event| event.kind).collect();
                let kinds = if kinds.is_empty() { vec![EventKind::Content] } else { kinds };
                (events, kinds)
            }
            None => {
                let at = ends_at.or(head_at).unwrap_or_default();
                let event = Event { at, end: body.len(), kind: EventKind::Body };
                let events = if body.is_empty() { Vec::new() } else { vec![event] };
                (events, vec![EventKind::Content; tokens(&body)])
            }
        };
        let first = events.first().map(|event| event.at);
        let last = events.last().map(|event| event.at);
        let at = head_at.or(first).or(ends_at).unwrap_or_default();
        Self {
            is_timed,
            head: head::of(status, response, body.len(), at),
            ends_at: ends_at.or(last).unwrap_or(at),
            body: body.into(),
            events: events.into(),
            ending,
            paced,
        }
    }

    /// Whether it has times.
    pub(crate) fn is_timed(&self) -> bool {
        self.is_timed
    }

    /// Whether it is an error that is no stream.
    pub(crate) fn is_error(&self) -> bool {
        let status = self.head.status;
        let error = status.is_client_error() || status.is_server_error();
        error && self.events.iter().all(|event| event.kind == EventKind::Body)
    }

    /// The longest time in which nothing was sent.
    pub(crate) fn longest_gap(&self) -> Duration {
        let times = self.events.iter().map(|event| event.at).chain([self.ends_at]);
        let mut last = Duration::ZERO;
        let gaps = std::iter::once(self.head.at)
            .chain(times)
            .map(|at| at.saturating_sub(std::mem::replace(&mut last, at)));
        gaps.max().unwrap_or_default()
    }

    /// Its timeline at a pace.
    pub(crate) fn timeline(&self, pace: Pace<'_>) -> Timeline {
        let mut timeline = Timeline {
            head: self.head.clone(),
            body: self.body.clone(),
            events: self.events.clone(),
            framing: Framing::default(),
            ending: self.ending,
            ends_at: self.ends_at,
            faults: Vec::new(),
        };
        let head = match pace {
            Pace::Recorded { scale, head } => {
                if scale != 1.0 {
                    timeline.each_time(|at| whole_micros(at.as_secs_f64() * scale));
                }
                head.map_or(timeline.head.at, |Span(at)| at)
            }
            Pace::Paced(pacing, seed) => {
                let due = pacing.due(&self.paced, &[], seed);
                timeline.ends_at = due.last().copied().unwrap_or_default();
                // A body that is not a stream comes when the stream would have ended.
                let is_body = self.paced.len() != self.events.len();
                for (event, at) in timeline.events.iter_mut().zip(due) {
                    event.at = if is_body { timeline.ends_at } else { at };
                }
                pacing.head.map_or(timeline.ends_at, |Span(at)| at)
            }
        };
        let first = timeline.events.first().map_or(timeline.ends_at, |event| event.at);
        timeline.head.at = head.min(first);
        timeline
    }
}

fn events(recorded: &[RecordedEvent]) -> Vec<Event> {
    let mut end = 0;
    let event = |RecordedEvent { at, raw }: &RecordedEvent| {
        let bytes = raw_bytes(raw);
        end += bytes.len();
        Event { at: at.unwrap_or_default().0, end, kind: kind::of_event(bytes) }
    };
    recorded.iter().map(event).collect()
}

/// How many tokens a body says that it has: as an answer does, it comes when the last of them would have. At least
/// one.
fn tokens(body: &[u8]) -> usize {
    let json: Value = serde_json::from_slice(body).unwrap_or_default();
    let counts = ["/usage/completion_tokens", "/usage/output_tokens", "/usageMetadata/candidatesTokenCount"];
    let count = counts.iter().find_map(|pointer| json.pointer(pointer)).and_then(Value::as_u64);
    count.and_then(|count| usize::try_from(count).ok()).unwrap_or(1).clamp(1, MOST_TOKENS)
}

/// More than any model answers with: what a body says is not to decide how much is planned.
const MOST_TOKENS: usize = 1 << 17;
