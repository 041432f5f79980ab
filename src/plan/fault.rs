//! Faults: what breaks in a response, and where. Data, not behaviour: each is a value that a plan
//! applies, so that nothing about it is left to chance or to the socket.
//!
//! There are four layers, applied in this order, and within a layer in the order of its table:
//!
//! 1. [`answer`]: what is answered instead, or under which head;
//! 2. [`event`]: what the events say;
//! 3. [`stream`]: how events are framed, cut into pieces and timed;
//! 4. [`transport`]: how HTTP frames the response, how it ends, and what becomes of the connection.

use std::time::Duration;

use self::response::Response;
use super::seed::Seed;
use super::timeline::EventKind;

pub mod answer;
pub mod catalogue;
pub mod event;
pub mod explain;
pub mod stream;
pub mod transport;

pub(crate) mod alias;
pub(crate) mod combine;
pub(crate) mod declare;
pub(crate) mod json;
mod kind;
pub(crate) mod percent;
pub(super) mod place;
mod read;
pub(crate) mod response;
mod spec;
pub mod when;

use declare::Arguments;
pub use declare::{ArgumentKind, Entry, Parameter, Places};
use event::EventFault;
pub use kind::{Kind, Layer};
use transport::TransportFault;
use when::When;

/// Something that breaks in a response.
///
/// In fixtures `{"fault": "close-mid-stream", "at": {"event": 3}}`; on the command line, in the base
/// URL and in the header `x-llmirage-fault` as `close-mid-stream@event:3`; see
/// [its `FromStr`](#impl-FromStr-for-Fault).
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// What breaks.
    pub(crate) kind: Kind,
    /// Where; `None` is where the kind stands by itself.
    pub(crate) at: Option<At>,
    /// For which requests.
    pub(crate) when: When,
}

/// What applying a fault depends on, beside the response.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context<'a> {
    /// The response's own seed.
    pub(crate) seed: Seed,
    /// The longest that anything is held.
    pub(crate) max_hold: Duration,
    /// The request that is answered.
    pub(crate) call: &'a super::request::Call,
}

/// Whether a fault meets a request before its body is read.
///
/// Sources are the request's scope and the server, the nearest first. The selectors of a fault are about
/// the whole request: one that has any waits for it, and so does everything that it may exclude.
pub(crate) fn meets_early(sources: [&[Fault]; 2]) -> bool {
    let mut nearer: Vec<&Fault> = Vec::new();
    for fault in sources.into_iter().flatten() {
        let is_early = matches!(&fault.kind, Kind::Transport(fault) if fault.is_early());
        if is_early && !fault.is_selective() {
            return !nearer.iter().any(|nearer| nearer.excludes(fault));
        }
        nearer.push(fault);
    }
    false
}

/// A place in a response.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum At {
    /// After the head, before the first event.
    Head,
    /// After `index` events were flushed, and `byte` bytes of the next; a negative index counts
    /// from the end.
    Event {
        /// How many whole events go out.
        index: i64,
        /// How many bytes of the next event go out.
        byte: usize,
    },
    /// After this event.
    Named(Name),
    /// After so many bytes of the body.
    Byte(usize),
    /// Once so much time has passed since the request was read.
    Elapsed(Duration),
    /// After everything, before the last chunk.
    #[default]
    End,
    /// While the connection is idle after the response.
    Idle,
    /// When the next request comes on the connection.
    NextRequest,
}

/// An event known by what it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Name {
    /// The first chunk with a role.
    Role,
    /// The first content event.
    FirstContent,
    /// The first chunk with a finish reason.
    Finish,
    /// The usage chunk.
    Usage,
    /// `[DONE]`.
    Done,
}

/// The common ones; [the one-word form](#impl-FromStr-for-Fault) makes any.
///
/// ```
/// use std::time::Duration;
///
/// use llmirage::{At, Fault, When};
///
/// let faults = [
///     Fault::close(At::event(3)),
///     Fault::reset(At::elapsed(Duration::from_millis(80))),
///     Fault::rate_limit().when(When::first(2)),
///     Fault::stall(At::event(-1)),
///     "event-split:every=7".parse()?,
/// ];
/// let words = faults.map(|fault| fault.to_string());
/// assert_eq!(words[..2], ["close-mid-stream@event:3", "reset-mid-stream@elapsed:80ms"]);
/// # Ok::<(), String>(())
/// ```
impl Fault {
    /// A fault where it stands by itself, for every request.
    pub fn new(kind: impl Into<Kind>) -> Self {
        Self { kind: kind.into(), at: None, when: When::default() }
    }

    /// FIN at a place, without the last chunk.
    pub fn close(at: At) -> Self {
        Self::new(TransportFault::CloseMidStream {}).at(at)
    }

    /// RST at a place, after the peer has acknowledged every byte before it.
    pub fn reset(at: At) -> Self {
        Self::new(TransportFault::ResetMidStream { drain: true }).at(at)
    }

    /// The stream ends at a place, as valid HTTP.
    pub fn truncate(at: At) -> Self {
        Self::new(EventFault::StreamTruncated { keep_done: false }).at(at)
    }

    /// Silence from a place on, as long as the server's `max_hold` allows, then FIN.
    pub fn stall(at: At) -> Self {
        Self::named("stall").at(at)
    }

    /// Comments and nothing else from a place on, as long as the server's `max_hold` allows, then FIN.
    pub fn stall_heartbeat(at: At) -> Self {
        Self::named("stall-heartbeat").at(at)
    }

    /// 429 of the rate limiter, with the time to wait.
    pub fn rate_limit() -> Self {
        Self::named("rate-limit")
    }

    /// FIN instead of an answer.
    pub fn empty_response() -> Self {
        Self::new(TransportFault::EmptyResponse {})
    }

    /// The fault of this name as the table has it.
    fn named(name: &str) -> Self {
        let kind = Kind::build(name, &mut Arguments::default());
        Self::new(kind.expect("a name of the table: a test makes each"))
    }

    /// The fault at another place than its own.
    #[must_use]
    pub fn at(mut self, at: At) -> Self {
        self.at = Some(at);
        self
    }

    /// The fault for these requests only.
    #[must_use]
    pub fn when(mut self, when: When) -> Self {
        self.when = when;
        self
    }

    /// Whether it depends on which request of its kind it is for.
    pub(crate) fn is_selective(&self) -> bool {
        self.when != When::default() || self.kind.times().is_some()
    }

    /// Where it stands: the place given, else its own.
    pub(crate) fn place(&self) -> At {
        self.at.unwrap_or_else(|| self.kind.entry().default.parse().unwrap_or_default())
    }

    /// Applies a fault of the layers after the first.
    pub(crate) fn apply(&self, response: &mut Response, context: &Context<'_>) {
        let at = self.place();
        match &self.kind {
            // What is answered instead is decided before there is a response.
            Kind::Answer(_) => {}
            Kind::Event(fault) => fault.apply(at, response, context),
            Kind::Stream(fault) => fault.apply(at, response, context),
            Kind::Transport(fault) => fault.apply(at, response, context),
        }
    }
}

impl At {
    /// After `index` events; a negative index counts from the end.
    pub const fn event(index: i64) -> Self {
        Self::Event { index, byte: 0 }
    }

    /// After `index` events and `byte` bytes of the next.
    pub const fn event_byte(index: i64, byte: usize) -> Self {
        Self::Event { index, byte }
    }

    /// Once so much time has passed since the request was read.
    pub const fn elapsed(time: Duration) -> Self {
        Self::Elapsed(time)
    }
}

impl Name {
    const ALL: [(&str, Self); 5] = [
        ("role", Self::Role),
        ("first-content", Self::FirstContent),
        ("finish", Self::Finish),
        ("usage", Self::Usage),
        ("done", Self::Done),
    ];

    pub(crate) fn kind(self) -> EventKind {
        match self {
            Self::Role => EventKind::Role,
            Self::FirstContent => EventKind::Content,
            Self::Finish => EventKind::Finish,
            Self::Usage => EventKind::Usage,
            Self::Done => EventKind::Done,
        }
    }

    fn as_str(self) -> &'static str {
        let (name, _) = Self::ALL.iter().find(|(_, name)| *name == self).expect("ALL lists every name");
        name
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use http::StatusCode;
    use serde_json::Value;

    use super::*;
    use crate::plan::Request;
    use crate::plan::timeline::{Ending, Event, Head, Headers, Timeline};

    /// Five events of four bytes: role, two pieces, finish, done.
    fn timeline() -> Timeline {
        let kinds =
            [EventKind::Role, EventKind::Content, EventKind::Content, EventKind::Finish, EventKind::Done];
        let event = |(index, kind)| Event {
            at: Duration::from_millis(10 * index as u64),
            end: 4 * (index + 1),
            kind,
        };
        let head =
            Head { at: Duration::ZERO, status: StatusCode::OK, reason: None, headers: Headers::default() };
        let events: Vec<_> = kinds.into_iter().enumerate().map(event).collect();
        Timeline::whole(head, Bytes::from_static(b"aaaabbbbccccddddeeee"), events)
    }

    #[track_caller]
    fn check(at: At, body: &str, ends: &[usize]) {
        let request = Request::post("/v1/chat/completions", Value::Null);
        let context = Context { seed: Seed::new(0), max_hold: Duration::from_secs(60), call: &request.call };
        let mut response = Response::new(timeline());
        Fault::close(at).apply(&mut response, &context);
        let timeline = response.timeline();
        assert_eq!(std::str::from_utf8(&timeline.body).unwrap(), body);
        assert_eq!(timeline.events.iter().map(|event| event.end).collect::<Vec<_>>(), ends);
        assert_eq!(timeline.ending, Ending::Close);
    }

    #[test]
    fn every_constructor_makes_a_fault_of_the_table() {
        let faults = [
            (Fault::close(At::End), "close-mid-stream@end"),
            (Fault::reset(At::Head), "reset-mid-stream@head"),
            (Fault::truncate(At::event(1)), "stream-truncated@event:1"),
            (Fault::stall(At::event(2)), "stall@event:2"),
            (Fault::stall_heartbeat(At::Head), "stall-heartbeat@head"),
            (Fault::rate_limit(), "rate-limit"),
            (Fault::empty_response(), "empty-response"),
        ];
        for (fault, expected) in faults {
            assert_eq!((fault.to_string().as_str(), fault.check()), (expected, Ok(())));
        }
    }

    #[test]
    fn nothing_after_the_place_is_left() {
        check(At::Head, "", &[]);
        check(At::event(0), "", &[]);
        check(At::event(2), "aaaabbbb", &[4, 8]);
        check(At::event(5), "aaaabbbbccccddddeeee", &[4, 8, 12, 16, 20]);
        check(At::End, "aaaabbbbccccddddeeee", &[4, 8, 12, 16, 20]);
    }

    #[test]
    fn a_negative_event_counts_from_the_end() {
        check(At::event(-1), "aaaabbbbccccdddd", &[4, 8, 12, 16]);
        check(At::event(-5), "", &[]);
    }

    #[test]
    fn a_byte_cuts_inside_the_next_event() {
        check(At::event_byte(1, 3), "aaaabbb", &[4, 7]);
        check(At::event_byte(-1, 1), "aaaabbbbccccdddde", &[4, 8, 12, 16, 17]);
        check(At::Byte(9), "aaaabbbbc", &[4, 8, 9]);
    }

    #[test]
    fn a_named_place_is_after_the_first_event_of_that_name() {
        check(At::Named(Name::Role), "aaaa", &[4]);
        check(At::Named(Name::FirstContent), "aaaabbbb", &[4, 8]);
        check(At::Named(Name::Finish), "aaaabbbbccccdddd", &[4, 8, 12, 16]);
        check(At::Named(Name::Done), "aaaabbbbccccddddeeee", &[4, 8, 12, 16, 20]);
    }

    #[test]
    fn a_place_out_of_range_is_the_nearest_place_in_range() {
        let whole = &[4, 8, 12, 16, 20];
        check(At::event(6), "aaaabbbbccccddddeeee", whole);
        check(At::event(i64::MAX), "aaaabbbbccccddddeeee", whole);
        check(At::event(i64::MIN), "", &[]);
        check(At::event_byte(1, usize::MAX), "aaaabbbb", &[4, 8]);
        check(At::event_byte(5, 7), "aaaabbbbccccddddeeee", whole);
        check(At::Byte(usize::MAX), "aaaabbbbccccddddeeee", whole);
        check(At::Named(Name::Usage), "aaaabbbbccccddddeeee", whole);
    }
}
