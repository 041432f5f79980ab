//! The exchange: how the answer to one request goes out, and whether another can follow it.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONNECTION, HeaderValue};
use http::{Method, StatusCode, Version, request};
use hyper::body::Incoming;
use tokio::time::Instant;

use super::body::Received;
use super::clock;
use super::forward::{Forward, Forwarded, Outgoing};
use super::journal::Settlement;
use super::lines::{Busy, Handover, Line};
use super::player::{Player, Then};
use super::recall::Known;
use super::state::State;
use super::{answer, cors, head};
use crate::plan::Timeline;
use crate::plan::http1::{self, Peer, Writer};
use crate::plan::timeline::{Body, Events};

/// What playing an answer depends on, beside the answer.
pub(crate) struct Exchange<'a> {
    state: &'a State,
    line: &'a Arc<Line>,
    method: Method,
    peer: Peer,
    /// The origin of the page that asks; its answers get CORS headers.
    pub(crate) origin: Option<HeaderValue>,
    /// When the request was read.
    pub(crate) start: Instant,
    /// Whether the first bytes of the request came before, so that it may be one that is known from now on.
    pub(crate) again: bool,
    /// How it is answered, then, if it was those bytes alone.
    pub(crate) known: Option<Known>,
    busy: Busy,
}

impl<'a> Exchange<'a> {
    /// The head of a request is whole.
    pub(crate) fn begin(state: &'a State, line: &'a Arc<Line>, method: Method, peer: Peer) -> Self {
        let (start, busy) = (clock::now(), line.begin_request());
        Self { state, line, method, peer, origin: None, start, again: false, known: None, busy }
    }

    /// Whether the request is one as SDKs send it.
    pub(crate) fn is_usual(&self) -> bool {
        self.method == Method::POST && self.peer == USUAL
    }

    /// Leaves a body unread: the connection cannot be used again.
    pub(crate) fn leave(&mut self, incoming: &Incoming) {
        if !http_body::Body::is_end_stream(incoming) {
            self.peer.keep_alive = false;
            self.line.leave_unread();
        }
    }

    /// The body, or why there is none; then the connection ends with the answer, unless the body was
    /// read to its end.
    pub(crate) fn take(&mut self, received: Received) -> Result<Bytes, NoBody> {
        let (read, no_body) = match received {
            Received::Whole(body) => return Ok(body),
            Received::TooLarge => (true, NoBody::TooLarge),
            Received::TooLargeUnread => (false, NoBody::TooLarge),
            Received::TooSlow => (false, NoBody::TooSlow),
            Received::Broken => (false, NoBody::Broken),
        };
        if !read {
            self.peer.keep_alive = false;
            self.line.leave_unread();
        }
        Err(no_body)
    }

    /// Has an answer played on the bare socket.
    pub(crate) fn play(mut self, timeline: Timeline, settlement: Option<Settlement>) {
        let (line, known) = (self.line, self.known.take().map(Box::new));
        line.hand_over(Handover::Play { player: self.player(timeline, settlement), known });
    }

    /// Who plays an answer on the bare socket.
    pub(crate) fn player(
        mut self,
        mut timeline: Timeline,
        mut settlement: Option<Settlement>,
    ) -> Box<Player> {
        if let Some(settlement) = &mut settlement {
            settlement.go_out_on(self.line);
        }
        if let Some(origin) = &self.origin {
            cors::allow(&mut timeline.head, origin);
        }
        let is_whole = head::is_whole(&timeline, &self.method);
        let length = timeline.body.len();
        if self.method == Method::HEAD {
            (timeline.body, timeline.events) = (Body::default(), Events::default());
            // Even an empty body in chunks has a last one.
            timeline.framing.tail = Some(Bytes::new());
            if is_whole {
                timeline.ends_at = timeline.head.at;
            }
        }
        if !is_whole && timeline.ending.is_complete() && head::is_framed(&timeline, &self.method) {
            // A head that tells the truth tells that the connection ends, too.
            self.peer.keep_alive = false;
        }
        http1::fit(&mut timeline.head, self.peer);
        if is_whole {
            // A client that knows no chunks is told the length.
            http1::frame_for_status(&mut timeline.head, length);
        }
        let then = match is_whole {
            true if http1::says_close(&timeline.head) || !self.peer.keep_alive => Then::Close,
            true => Then::Keep,
            false => Then::End,
        };
        Box::new(Player {
            writer: Writer::new(timeline, self.peer.version),
            then,
            start: self.start,
            line: Arc::clone(self.line),
            settlement,
            max_hold: self.state.config.max_hold,
            _busy: self.busy,
        })
    }

    /// Has someone else answer, on the bare socket.
    pub(crate) fn forward(self, request: Outgoing, to: Arc<dyn Forward>) {
        self.line.hand_over(Handover::Forward(Box::new(Forwarded::new(request, to, self.busy))));
    }
}

/// Why a request has no body to work with.
#[derive(Clone, Copy, Debug)]
pub(crate) enum NoBody {
    TooLarge,
    TooSlow,
    Broken,
}

impl NoBody {
    /// What is answered in our own name.
    pub(crate) fn refusal(self) -> Timeline {
        let (status, code, message) = match self {
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "the body is too large"),
            Self::TooSlow => (StatusCode::REQUEST_TIMEOUT, "body_timeout", "the body took too long"),
            Self::Broken => (StatusCode::BAD_REQUEST, "bad_body", "the body cannot be read"),
        };
        answer::refusal(status, code, message)
    }
}

/// What most clients understand and want.
pub(crate) const USUAL: Peer = Peer { version: Version::HTTP_11, keep_alive: true };

/// What the client understands and wants.
pub(crate) fn peer(parts: &request::Parts) -> Peer {
    let values = parts.headers.get_all(CONNECTION).iter();
    let mut options = values.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    let close = options.any(|option| option.trim().eq_ignore_ascii_case("close"));
    Peer { version: parts.version, keep_alive: parts.version >= Version::HTTP_11 && !close }
}
