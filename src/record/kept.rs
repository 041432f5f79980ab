//! What is kept of an exchange while it is relayed, within bounds.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::time::Instant;

use super::call::Answer;
use super::head::{Head, lines};
use super::keeper::{Ended, Fault, Keeper};
use super::upstream::Upstream;
use crate::import::{RawExchange, RawRequest, RawResponse};
use crate::plan::transcript::{Recorded, RecordedEnding};
use crate::serve::clock;
use crate::serve::forward::Outgoing;

/// The memory that exchanges share until they are written.
#[derive(Debug)]
pub(super) struct Room(AtomicUsize);

/// A part of it; dropping it gives it back.
#[derive(Debug)]
pub(super) struct Share {
    room: Arc<Room>,
    bytes: usize,
}

impl Room {
    pub(super) fn new(bytes: usize) -> Arc<Self> {
        Arc::new(Self(AtomicUsize::new(bytes)))
    }
}

impl Share {
    pub(super) fn of(room: &Arc<Room>) -> Self {
        Self { room: Arc::clone(room), bytes: 0 }
    }

    /// Takes more; whether there was so much left.
    fn grow(&mut self, bytes: usize) -> bool {
        let left = |left: usize| left.checked_sub(bytes);
        let taken = self.room.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, left).is_ok();
        self.bytes += if taken { bytes } else { 0 };
        taken
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.room.0.fetch_add(self.bytes, Ordering::Relaxed);
    }
}

/// An exchange that is being relayed. Dropped before it has ended, it was cut by the end of the recorder.
#[derive(Debug)]
pub(super) struct Kept {
    keeper: Arc<Keeper>,
    /// When the request was read.
    start: Instant,
    method: String,
    path: String,
    status: Option<u16>,
    /// When the request was out; what is recorded counts from here.
    sent: Instant,
    /// What came, unless it was too much; none once the exchange has ended.
    open: Option<Result<Open, Fault>>,
}

/// What came so far.
#[derive(Debug)]
struct Open {
    share: Share,
    request: RawRequest,
    response: RawResponse,
    body: BytesMut,
}

impl Kept {
    /// A request was read.
    pub(super) fn begin(keeper: &Arc<Keeper>, request: &Outgoing, upstream: &Upstream) -> Self {
        let mut share = Share::of(&keeper.room);
        let open = match share.grow(request.body.len()) {
            true => Ok(Open {
                share,
                request: raw_request(request, upstream),
                response: RawResponse { is_encoded: true, ..RawResponse::default() },
                body: BytesMut::new(),
            }),
            false => Err(Fault::NoRoom),
        };
        let start = clock::now();
        Self {
            keeper: Arc::clone(keeper),
            start,
            method: request.method.to_string(),
            path: request.path.clone(),
            status: None,
            sent: start,
            open: Some(open),
        }
    }

    /// The head came.
    pub(super) fn head(&mut self, answer: &Answer) {
        let Head { status, reason, headers, .. } = &answer.head;
        (self.sent, self.status) = (answer.sent, Some(*status));
        let at = self.since(answer.head_at);
        if let Some(Ok(open)) = &mut self.open {
            let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
            open.response.status = *status;
            open.response.reason = Some(text(reason));
            open.response.headers = headers.iter().map(|(name, value)| (name.clone(), text(value))).collect();
            open.response.head_at = Some(at);
        }
    }

    /// A part of the body came.
    pub(super) fn data(&mut self, data: &Bytes) {
        let at = self.since(clock::now());
        let most = self.keeper.max_body;
        let Some(Ok(open)) = &mut self.open else { return };
        if open.body.len() + data.len() > most {
            self.open = Some(Err(Fault::TooLarge));
        } else if !open.share.grow(data.len() + size_of::<(usize, Duration)>()) {
            self.open = Some(Err(Fault::NoRoom));
        } else {
            open.body.extend_from_slice(data);
            match open.response.reads.last_mut() {
                // Parts of one read.
                Some(last) if last.1 == at => last.0 = open.body.len(),
                _ => open.response.reads.push((open.body.len(), at)),
            }
        }
    }

    /// It has ended. A client that leaves a stream after its last event has left a complete one: openai's python
    /// SDK closes at `[DONE]`.
    pub(super) fn end(mut self, ending: RecordedEnding) {
        let at = self.since(clock::now());
        let open = match self.open.take() {
            Some(Ok(open)) => open,
            Some(Err(fault)) => return self.tell(Err(fault)),
            None => return,
        };
        let Open { share, request, mut response, body } = open;
        response.ending = match ending {
            RecordedEnding::ClientLeft if body.ends_with(DONE) => RecordedEnding::Complete,
            ending => ending,
        };
        response.ends_at = Some(at);
        response.body = body.freeze();
        let recorded = Recorded { source: None, date: Some(self.keeper.date()), tool: Some(TOOL.to_owned()) };
        let raw = RawExchange { place: String::new(), request: Some(request), response, recorded };
        self.tell(Ok((Box::new(raw), share)));
    }

    /// There is nothing to record.
    pub(super) fn fail(mut self, fault: Fault) {
        self.open = None;
        self.tell(Err(fault));
    }

    fn tell(&self, exchange: Result<(Box<RawExchange>, Share), Fault>) {
        self.keeper.end(Ended {
            method: self.method.clone(),
            path: self.path.clone(),
            status: self.status,
            start: self.start,
            end: clock::now(),
            exchange,
        });
    }

    fn since(&self, at: Instant) -> Duration {
        at.saturating_duration_since(self.sent)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if self.open.take().is_some() {
            self.tell(Err(Fault::Cut));
        }
    }
}

fn raw_request(request: &Outgoing, upstream: &Upstream) -> RawRequest {
    let text = |(name, value): (String, Bytes)| (name, String::from_utf8_lossy(&value).into_owned());
    RawRequest {
        method: request.method.to_string(),
        // As a client asks that is given our own address: what stands before every path is the service's.
        url: format!("{}{}", upstream.origin(), request.path),
        headers: lines(&request.headers).into_iter().map(text).collect(),
        body: request.body.clone(),
    }
}

/// How a stream of events ends that is complete.
const DONE: &[u8] = b"data: [DONE]\n\n";

/// What made the recording.
const TOOL: &str = concat!("llmirage record ", env!("CARGO_PKG_VERSION"));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exchanges_share_the_room_and_give_it_back() {
        let room = Room::new(10);
        let (mut one, mut two) = (Share::of(&room), Share::of(&room));
        assert_eq!((one.grow(6), two.grow(5), two.grow(4)), (true, false, true));
        drop(one);
        assert_eq!((two.grow(7), two.grow(6), two.grow(1)), (false, true, false));
    }
}
