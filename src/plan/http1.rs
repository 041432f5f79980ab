//! The HTTP/1.1 bytes of a timeline.
//!
//! A healthy timeline becomes byte for byte what hyper would write when each frame is one of [`frame`]'s
//! (`tests/integration/takeover.rs` compares them); one that breaks is the same up to there. Sockets are
//! `serve::player`'s.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, TRAILER, TRANSFER_ENCODING};
use http::{HeaderValue, StatusCode, Version};

use super::timeline::{Ending, Event, EventKind, Events, Framing, Head, Header, Reader, Timeline, Until};

/// A response as it goes over the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wire {
    /// Head and body, transfer encoding included.
    pub bytes: Bytes,
    /// The pieces of `bytes` in order: the head, then one for each [`frame`].
    pub segments: Vec<Segment>,
    /// What happens after the last one.
    pub ending: Ending,
    /// When that happens.
    pub ends_at: Duration,
}

/// A piece of a [`Wire`] that becomes due at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// When it is due.
    pub at: Duration,
    /// Where it ends in the bytes; it starts where the one before it ends.
    pub end: usize,
    /// How many events are out once it is sent.
    pub events: usize,
    /// Whether what follows goes out on its own, even if it is due at the same time.
    pub alone: bool,
}

/// What a client understands, and whether the connection outlives the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The version of its request.
    pub version: Version,
    /// Whether another request can follow on the connection.
    pub keep_alive: bool,
}

/// The bytes of a timeline and when they are due.
///
/// The body is chunked, one chunk for each frame, if the head says so; else it follows as it is.
pub fn wire(timeline: &Timeline, version: Version) -> Wire {
    let (ending, ends_at) = (timeline.ending, timeline.ends_at);
    let mut writer = Writer::new(timeline.clone(), version);
    let (mut bytes, mut segments) = (Vec::new(), Vec::new());
    while writer.next_at().is_some() {
        segments.push(writer.write(&mut bytes));
    }
    Wire { bytes: bytes.into(), segments, ending, ends_at }
}

/// Writes a timeline segment by segment, each when it is asked for.
#[derive(Debug)]
pub(crate) struct Writer {
    head: Head,
    body: Reader,
    events: Events,
    framing: Framing,
    /// How the response ends, and when.
    pub(crate) ending: Ending,
    pub(crate) ends_at: Duration,
    version: Version,
    is_chunked: bool,
    next: Next,
    /// What was written of the body.
    sent: Frame,
    /// Where the data of the chunk ends that was begun last.
    chunk_end: usize,
}

/// What is to be written next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Next {
    Head,
    Frame,
    /// The end of a body that ends after its last event.
    Tail,
    Nothing,
}

impl Writer {
    /// A writer of a timeline, to a client that speaks this version.
    pub(crate) fn new(timeline: Timeline, version: Version) -> Self {
        let Timeline { head, body, events, mut framing, ending, ends_at, faults: _ } = timeline;
        if version < Version::HTTP_11 {
            framing.before = Bytes::new();
        }
        let silent = framing.head_bytes == Some(0) && framing.before.is_empty() && framing.after.is_empty();
        Self {
            is_chunked: is_chunked(&head),
            body: body.reader(),
            head,
            events,
            framing,
            ending,
            ends_at,
            version,
            next: if silent { Next::Nothing } else { Next::Head },
            sent: Frame::default(),
            chunk_end: 0,
        }
    }

    /// When the next segment is due; `None` after the last.
    pub(crate) fn next_at(&self) -> Option<Duration> {
        match self.next {
            Next::Head => Some(self.head.at),
            Next::Frame => self.events.get(self.sent.pieces).map(|event| event.at),
            Next::Tail => Some(self.ends_at),
            Next::Nothing => None,
        }
    }

    /// Whether something was written, and nothing that is left is an event.
    pub(crate) fn is_past_events(&self) -> bool {
        self.next != Next::Head && !self.events[self.sent.pieces..].iter().any(|event| event.kind.is_event())
    }

    /// Says that the connection ends with the response, if the head is not out yet; whether that is said.
    pub(crate) fn say_close(&mut self) -> bool {
        if self.next == Next::Head {
            say_close(&mut self.head);
        }
        says_close(&self.head)
    }

    /// Appends the next segment, which ends where `out` does.
    pub(crate) fn write(&mut self, out: &mut Vec<u8>) -> Segment {
        let at = self.next_at().unwrap_or(self.ends_at);
        let mut alone = false;
        match self.next {
            Next::Head => {
                self.head(out);
                self.next = if self.framing.head_bytes.is_none() { Next::Frame } else { Next::Nothing };
            }
            Next::Frame => alone = self.frame(out, at),
            Next::Tail => {
                out.extend_from_slice(self.tail());
                self.next = Next::Nothing;
            }
            Next::Nothing => {}
        }
        if self.next == Next::Frame && self.sent.pieces == self.events.len() {
            let tail = self.tail();
            self.next = match !tail.is_empty() && self.ending.is_complete() && self.ends_at > at {
                true => Next::Tail,
                false => {
                    out.extend_from_slice(tail);
                    Next::Nothing
                }
            };
        }
        if self.next == Next::Nothing {
            out.extend_from_slice(&self.framing.after);
        }
        Segment { at, end: out.len(), events: self.sent.events, alone }
    }

    fn head(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.framing.before);
        let start = out.len();
        write_head(out, &self.head, self.version);
        if let Some(kept) = self.framing.head_bytes {
            out.truncate(start.saturating_add(kept));
        }
    }

    /// Writes a frame; whether what follows goes out on its own.
    fn frame(&mut self, out: &mut Vec<u8>, at: Duration) -> bool {
        let (sent, next) = (self.sent, frame(&self.events, self.sent, at));
        let is_data = self.is_chunked && next.end > sent.end;
        // All at once: to grow twice takes longer than to write.
        out.reserve(next.end - sent.end + AROUND);
        if is_data && sent.end == self.chunk_end {
            self.chunk_end = if self.framing.sliced { chunk(&self.events, next) } else { next.end };
            write_size(out, self.chunk_end - sent.end);
        }
        self.body.write_until(next.end, out);
        if is_data && next.end == self.chunk_end {
            out.extend_from_slice(b"\r\n");
        }
        self.sent = next;
        self.framing.sliced && ends_with_part(&self.events, next)
    }

    /// How a chunked body ends.
    fn tail(&self) -> &[u8] {
        match &self.framing.tail {
            Some(tail) if self.is_chunked => tail,
            None if self.is_chunked && self.ending.is_complete() => b"0\r\n\r\n",
            Some(_) | None => b"",
        }
    }
}

/// Writes the line before the data of a chunk.
fn write_size(out: &mut Vec<u8>, size: usize) {
    let digits = (usize::BITS - size.leading_zeros()).div_ceil(4).max(1);
    out.extend((0..digits).rev().map(|digit| b"0123456789ABCDEF"[(size >> (4 * digit)) & 15]));
    out.extend_from_slice(b"\r\n");
}

/// Where a chunk ends whose first frame is this one: frames that end with a part of an event go on.
fn chunk(events: &[Event], mut frame: Frame) -> usize {
    while ends_with_part(events, frame)
        && let Some(event) = events.get(frame.pieces)
    {
        frame = self::frame(events, frame, event.at);
    }
    frame.end
}

/// Whether the last byte of a frame is that of a part of an event.
fn ends_with_part(events: &[Event], frame: Frame) -> bool {
    let last = frame.pieces.checked_sub(1).and_then(|last| events.get(last));
    last.is_some_and(|last| last.kind == EventKind::Part && last.end == frame.end)
}

/// How far a body has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// Where in the body.
    pub end: usize,
    /// How many of the timeline's `events` are out whole.
    pub pieces: usize,
    /// How many of those are counted: comments and parts that faults make are not.
    pub events: usize,
}

/// Where the frame ends that follows on `sent` at the time `now`: what is due together goes out together,
/// up to 64 KiB, and up to the end of an event where possible. A part of an event is a frame of its own.
pub fn frame(events: &[Event], sent: Frame, now: Duration) -> Frame {
    let limit = sent.end + MAX_FRAME;
    let mut frame = sent;
    for event in events[sent.pieces..].iter().take_while(|event| event.at <= now) {
        if event.kind == EventKind::Part && frame.end > sent.end {
            break;
        }
        if event.end > limit {
            // One event larger than a frame goes out in pieces.
            if frame.end == sent.end {
                frame.end = limit;
            }
            break;
        }
        frame.end = event.end;
        frame.pieces += 1;
        frame.events += usize::from(event.kind.is_event());
        if event.kind == EventKind::Part {
            break;
        }
    }
    frame
}

/// Fits a planned head to the client that gets it: no chunks for HTTP/1.0, and no promise to keep a
/// connection that ends.
pub fn fit(head: &mut Head, peer: Peer) {
    if peer.version < Version::HTTP_11 {
        let chunked = is_chunked(head);
        head.headers.retain(|header| {
            let chunks = is(header, TRANSFER_ENCODING.as_str()) || (chunked && is(header, TRAILER.as_str()));
            !chunks
        });
    }
    if !peer.keep_alive {
        say_close(head);
    }
}

/// Fits the framing of a head to its status, which was another one: a 204 and a 304 announce no body, and all others
/// say where theirs ends.
pub(crate) fn frame_for_status(head: &mut Head, length: usize) {
    let is_framing =
        |header: &Header| [CONTENT_LENGTH, TRANSFER_ENCODING].iter().any(|name| is(header, name.as_str()));
    if matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
        head.headers.retain(|header| !is_framing(header));
    } else if head.headers.framed().until == Until::Untold {
        let value = HeaderValue::from(length);
        head.headers.push(Header { name: CONTENT_LENGTH.as_str().into(), value });
    }
}

/// Says that the connection ends with the response.
pub(crate) fn say_close(head: &mut Head) {
    let close = HeaderValue::from_static("close");
    match head.headers.iter_mut().find(|header| is(header, CONNECTION.as_str())) {
        Some(header) => header.value = close,
        None => head.headers.push(Header { name: CONNECTION.as_str().into(), value: close }),
    }
}

/// Whether a head says that the connection ends with the response.
pub(crate) fn says_close(head: &Head) -> bool {
    head.headers.framed().says_close
}

/// How many bytes a head has in HTTP/1.1.
pub(crate) fn head_len(head: &Head) -> usize {
    let mut bytes = Vec::new();
    write_head(&mut bytes, head, Version::HTTP_11);
    bytes.len()
}

/// The reason phrase that is sent; empty for codes without one.
pub fn reason(head: &Head) -> &str {
    head.reason.as_deref().or_else(|| head.status.canonical_reason()).unwrap_or_default()
}

/// Whether the head announces a chunked body.
pub fn is_chunked(head: &Head) -> bool {
    head.headers.framed().is_chunked
}

fn write_head(out: &mut Vec<u8>, head: &Head, version: Version) {
    out.reserve(USUAL_HEAD);
    let version: &[u8] = if version < Version::HTTP_11 { b"HTTP/1.0 " } else { b"HTTP/1.1 " };
    let mut write = |parts: [&[u8]; 4]| parts.iter().for_each(|part| out.extend_from_slice(part));
    write([version, head.status.as_str().as_bytes(), b" ", reason(head).as_bytes()]);
    head.headers.write(out);
    out.extend_from_slice(b"\r\n\r\n");
}

/// How many bytes stand around the data of a chunk, or of the last two, at most.
const AROUND: usize = 32;

/// How many bytes a head has, about.
const USUAL_HEAD: usize = 2048;

fn is(header: &Header, name: &str) -> bool {
    header.name.eq_ignore_ascii_case(name)
}

/// The largest frame: what is held for a reader that is slow.
pub(crate) const MAX_FRAME: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    /// A stream of these events, 10 ms apart.
    fn stream(events: &[&'static str], ending: Ending) -> Timeline {
        let mut end = 0;
        let events_of = |(index, data): (usize, &&str)| {
            end += data.len();
            Event { at: Duration::from_millis(10 * index as u64), end, kind: EventKind::Content }
        };
        Timeline {
            head: Head {
                at: Duration::ZERO,
                status: StatusCode::OK,
                reason: None,
                headers: vec![
                    Header::new("Content-Type", "text/event-stream"),
                    Header::new("Transfer-Encoding", "chunked"),
                    Header::new("Connection", "keep-alive"),
                ]
                .into(),
            },
            events: events.iter().enumerate().map(events_of).collect(),
            body: events.concat().into(),
            framing: Framing::default(),
            ending,
            ends_at: Duration::ZERO,
            faults: Vec::new(),
        }
    }

    const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n";

    #[track_caller]
    fn check(timeline: &Timeline, version: Version, expected: &str, ends: &[usize]) {
        let wire = wire(timeline, version);
        assert_eq!(std::str::from_utf8(&wire.bytes).unwrap(), expected);
        assert_eq!(wire.segments.iter().map(|segment| segment.end).collect::<Vec<_>>(), ends);
        assert!(wire.segments.iter().enumerate().all(|(index, segment)| segment.events == index));
    }

    #[test]
    fn a_complete_stream_ends_with_the_last_chunk() {
        let head = HEAD.len();
        let expected = format!("{HEAD}5\r\nhello\r\nA\r\n0123456789\r\n0\r\n\r\n");
        check(
            &stream(&["hello", "0123456789"], Ending::Complete),
            Version::HTTP_11,
            &expected,
            &[head, head + 10, head + 30],
        );
    }

    #[test]
    fn what_is_due_together_is_one_chunk_and_a_break_within_it_ends_it() {
        let mut timeline = stream(&["hello", "0123456789", "end"], Ending::Close);
        timeline.events[0].at = Duration::from_millis(10);
        let wire = wire(&timeline, Version::HTTP_11);
        assert_eq!(wire.bytes, format!("{HEAD}F\r\nhello0123456789\r\n3\r\nend\r\n"));
        assert_eq!(wire.segments.iter().map(|segment| segment.events).collect::<Vec<_>>(), [0, 2, 3]);
    }

    #[test]
    fn a_part_of_an_event_is_a_chunk_of_its_own() {
        let mut timeline = stream(&["one", "tw", "o", "three", ":", "four"], Ending::Complete);
        timeline.events.iter_mut().for_each(|event| event.at = Duration::ZERO);
        timeline.events[1].kind = EventKind::Part;
        timeline.events[4].kind = EventKind::Comment;
        let wire = wire(&timeline, Version::HTTP_11);
        let expected = format!("{HEAD}3\r\none\r\n2\r\ntw\r\nB\r\nothree:four\r\n0\r\n\r\n");
        assert_eq!(wire.bytes, expected);
        assert_eq!(wire.segments.iter().map(|segment| segment.events).collect::<Vec<_>>(), [0, 1, 1, 4]);
    }

    #[test]
    fn a_part_larger_than_a_frame_goes_out_in_several() {
        let mut timeline = stream(&["x"], Ending::Complete);
        timeline.events = vec![
            Event { at: Duration::ZERO, end: MAX_FRAME + 5, kind: EventKind::Part },
            Event { at: Duration::ZERO, end: MAX_FRAME + 7, kind: EventKind::Content },
        ]
        .into();
        let mut frames = vec![Frame::default()];
        while frames.last().unwrap().pieces < 2 {
            frames.push(frame(&timeline.events, *frames.last().unwrap(), Duration::ZERO));
        }
        let frames: Vec<_> = frames.iter().map(|frame| (frame.end, frame.pieces, frame.events)).collect();
        assert_eq!(frames, [(0, 0, 0), (MAX_FRAME, 0, 0), (MAX_FRAME + 5, 1, 0), (MAX_FRAME + 7, 2, 1)]);
    }

    #[test]
    fn slices_of_an_event_are_segments_of_one_chunk() {
        let mut timeline = stream(&["one", "t", "wo", "!", "three"], Ending::Complete);
        timeline.framing.sliced = true;
        timeline.events[1].kind = EventKind::Part;
        timeline.events[2].kind = EventKind::Part;
        timeline.events[2].at = timeline.events[1].at;
        let wire = wire(&timeline, Version::HTTP_11);
        assert_eq!(wire.bytes, format!("{HEAD}3\r\none\r\n4\r\ntwo!\r\n5\r\nthree\r\n0\r\n\r\n"));
        let head = HEAD.len();
        let segments: Vec<_> =
            wire.segments.iter().map(|one| (one.end - head, one.events, one.alone)).collect();
        let expected =
            [(0, 0, false), (8, 1, false), (12, 1, true), (14, 1, true), (17, 2, false), (32, 3, false)];
        assert_eq!(segments, expected);
    }

    #[test]
    fn a_chunk_that_is_cut_within_its_slices_is_whole() {
        let mut timeline = stream(&["one", "two"], Ending::Close);
        timeline.framing.sliced = true;
        timeline.events[1].kind = EventKind::Part;
        assert_eq!(wire(&timeline, Version::HTTP_11).bytes, format!("{HEAD}3\r\none\r\n3\r\ntwo\r\n"));
    }

    #[test]
    fn the_last_chunk_comes_when_the_response_ends() {
        let mut timeline = stream(&["one"], Ending::Complete);
        timeline.ends_at = Duration::from_secs(1);
        let wire = wire(&timeline, Version::HTTP_11);
        assert_eq!(wire.bytes, format!("{HEAD}3\r\none\r\n0\r\n\r\n"));
        let times: Vec<_> = wire.segments.iter().map(|one| (one.at.as_millis(), one.events)).collect();
        assert_eq!(times, [(0, 0), (0, 1), (1000, 1)]);
    }

    #[test]
    fn a_closed_stream_has_no_last_chunk() {
        let head = HEAD.len();
        let expected = format!("{HEAD}5\r\nhello\r\n");
        check(&stream(&["hello"], Ending::Close), Version::HTTP_11, &expected, &[head, head + 10]);
    }

    #[test]
    fn a_stream_without_events_is_its_head_and_the_last_chunk() {
        let expected = format!("{HEAD}0\r\n\r\n");
        check(&stream(&[], Ending::Complete), Version::HTTP_11, &expected, &[expected.len()]);
    }

    #[test]
    fn http_1_0_gets_no_chunks_and_no_promise() {
        let mut timeline = stream(&["hello"], Ending::Complete);
        fit(&mut timeline.head, Peer { version: Version::HTTP_10, keep_alive: false });
        let head = "HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
        check(&timeline, Version::HTTP_10, &format!("{head}hello"), &[head.len(), head.len() + 5]);
    }

    #[test]
    fn a_custom_reason_is_written_and_an_unknown_code_has_none() {
        let mut timeline = stream(&[], Ending::Close);
        timeline.head.headers.clear();
        timeline.head.status = StatusCode::UNAUTHORIZED;
        timeline.head.reason = Some("PermissionDenied".into());
        check(&timeline, Version::HTTP_11, "HTTP/1.1 401 PermissionDenied\r\n\r\n", &[33]);
        timeline.head.reason = None;
        timeline.head.status = StatusCode::from_u16(529).unwrap();
        check(&timeline, Version::HTTP_11, "HTTP/1.1 529 \r\n\r\n", &[17]);
    }
}
