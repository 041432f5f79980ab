//! The bytes of each fault, exactly.

use std::time::Duration;

use bytes::Bytes;
use http::{StatusCode, Version};
use serde_json::Value;

use super::*;
use crate::plan::Request;
use crate::plan::fault::{Fault, Name};
use crate::plan::http1::{Segment, Wire, wire};
use crate::plan::seed::Seed;
use crate::plan::timeline::{Body, Event, EventKind, Events, Head, Header, Timeline};

const CHUNKED: &[(&str, &str)] = &[("Content-Type", "text/event-stream"), ("Transfer-Encoding", "chunked")];

const SIZED: &[(&str, &str)] = &[("content-type", "application/json"), ("content-length", "11")];

/// Three events, 10 ms apart.
fn stream() -> Timeline {
    let kinds = [EventKind::Role, EventKind::Content, EventKind::Done];
    let events = kinds.into_iter().zip([3, 7, 11]).enumerate();
    let events =
        events.map(|(index, (kind, end))| Event { at: Duration::from_millis(10 * index as u64), end, kind });
    Timeline::whole(head(CHUNKED), Bytes::from_static(b"a\n\nbb\n\ncc\n\n"), events.collect::<Events>())
}

fn json() -> Timeline {
    let event = Event { at: Duration::from_millis(20), end: 11, kind: EventKind::Body };
    Timeline::whole(head(SIZED), Bytes::from_static(b"{\"a\": true}"), vec![event])
}

fn head(headers: &[(&'static str, &'static str)]) -> Head {
    let headers = headers.iter().map(|(name, value)| Header::new(*name, value));
    Head { at: Duration::ZERO, status: StatusCode::OK, reason: None, headers: headers.collect() }
}

fn apply(timeline: Timeline, fault: &Fault) -> Timeline {
    let request = Request::post("/v1/chat/completions", Value::Null);
    let context = Context { seed: Seed::new(0), max_hold: Duration::from_secs(60), call: &request.call };
    let mut response = Response::new(timeline);
    fault.apply(&mut response, &context);
    response.timeline()
}

fn play(timeline: Timeline, fault: &str) -> Wire {
    wire(&apply(timeline, &fault.parse().unwrap()), Version::HTTP_11)
}

/// Checks everything that goes out, how it ends, and after how many milliseconds.
#[track_caller]
fn check(timeline: Timeline, fault: &str, bytes: &str, ending: Ending, ends_at: u64) {
    let wire = play(timeline, fault);
    assert_eq!(std::str::from_utf8(&wire.bytes).unwrap(), bytes, "{fault}");
    assert_eq!((wire.ending, wire.ends_at), (ending, Duration::from_millis(ends_at)), "{fault}");
    let last = wire.segments.last().map_or(0, |segment| segment.end);
    assert_eq!(last, bytes.len(), "{fault}");
}

const STREAM: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

const JSON: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 11\r\n\r\n";

const DRAINED: Ending = Ending::Reset { drain: true };

#[track_caller]
fn check_stream(fault: &str, body: &str, ending: Ending, ends_at: u64) {
    check(stream(), fault, &format!("{STREAM}{body}"), ending, ends_at);
}

#[track_caller]
fn check_json(fault: &str, body: &str, ending: Ending, ends_at: u64) {
    check(json(), fault, &format!("{JSON}{body}"), ending, ends_at);
}

const A: &str = "3\r\na\n\n\r\n";
const B: &str = "4\r\nbb\n\n\r\n";
const C: &str = "4\r\ncc\n\n\r\n";

#[test]
fn a_close_and_a_reset_leave_out_the_last_chunk() {
    let undrained = Ending::Reset { drain: false };
    check_stream("close-mid-stream@event:1", A, Ending::Close, 0);
    check_stream("reset-mid-stream@event:1", A, DRAINED, 0);
    check_stream("reset-mid-stream:drain=false@event:1", A, undrained, 0);
    check_stream("reset-undrained@event:2,byte:1", &format!("{A}{B}1\r\nc\r\n"), undrained, 20);
    check_stream("reset-mid-stream@end", &format!("{A}{B}{C}"), DRAINED, 20);
    check_json("reset-mid-stream@event:1", "{\"a\":", DRAINED, 20);
}

#[test]
fn a_stall_ends_late() {
    check_stream("stall:hold=5s@event:1", A, Ending::Close, 5000);
    check_stream("stall:hold=5s,then=reset@event:1", A, DRAINED, 5000);
    check_stream("stall@event:1", A, Ending::Close, 60_000);
    check_stream("stall@head", "", Ending::Close, 60_000);
    check_json("stall:hold=1s@head", "", Ending::Close, 1000);
    check_json("stall:hold=1s@event:3", "{\"a\":", Ending::Close, 1020);
}

#[test]
fn a_place_beyond_all_time_is_no_trouble() {
    for name in ["stall", "stall:then=resume", "stall-heartbeat", "stall-heartbeat:then=resume"] {
        let fault: Fault = name.parse().unwrap();
        let timeline = apply(stream(), &fault.at(At::Elapsed(Duration::MAX)));
        assert!(timeline.body.starts_with(&stream().body), "{name}");
    }
}

#[test]
fn a_stall_that_resumes_moves_what_follows() {
    let times = |fault: &str| {
        let wire = play(stream(), fault);
        let bytes = String::from_utf8(wire.bytes.to_vec()).unwrap();
        let body = bytes.strip_prefix(STREAM).unwrap().to_owned();
        let segments = wire.segments.iter().map(|Segment { at, .. }| at.as_millis());
        (body, segments.collect::<Vec<_>>(), wire.ending)
    };
    let whole = format!("{A}{B}{C}0\r\n\r\n");
    assert_eq!(
        times("stall:hold=1s,then=resume@event:1"),
        (whole.clone(), vec![0, 0, 1010, 1020], Ending::Complete)
    );
    // The last chunk is what follows the last event.
    assert_eq!(times("stall:hold=1s,then=resume@end"), (whole, vec![0, 0, 10, 20, 1020], Ending::Complete));
    let split = format!("{A}1\r\nb\r\n3\r\nb\n\n\r\n{C}0\r\n\r\n");
    assert_eq!(
        times("stall:hold=1s,then=resume@event:1,byte:1"),
        (split, vec![0, 0, 10, 1010, 1020], Ending::Complete)
    );
}

#[test]
fn heartbeats_come_until_the_hold_is_over() {
    let beat = "E\r\n: keep-alive\n\n\r\n";
    check_stream("stall-heartbeat:hold=3s@event:1", &format!("{A}{beat}{beat}"), Ending::Close, 3000);
    let wire = play(stream(), "stall-heartbeat:hold=3s@event:1");
    let segments: Vec<_> =
        wire.segments.iter().map(|segment| (segment.at.as_millis(), segment.events)).collect();
    assert_eq!(segments, [(0, 0), (0, 1), (1000, 1), (2000, 1)]);
    let resumed = format!("{A}{beat}{beat}{B}{C}0\r\n\r\n");
    check_stream("stall-heartbeat:hold=3s,then=resume@event:1", &resumed, Ending::Complete, 3020);
    check_stream(
        "stall-heartbeat:text=,hold=1001ms@end",
        &format!("{A}{B}{C}2\r\n\n\n\r\n"),
        Ending::Close,
        1021,
    );
    // A body that is not a stream has no comments.
    check_json("stall-heartbeat:hold=3s@event:1", "{\"a\":", Ending::Close, 3020);
}

#[test]
fn a_chunk_breaks_as_its_form_says() {
    check_stream("malformed-chunk@event:1", &format!("{A}zz\r\nbb\n\n\r\n"), Ending::Close, 0);
    check_stream("malformed-chunk:size=-1@head", "-1\r\na\n\n\r\n", Ending::Close, 0);
    check_stream("malformed-chunk:form=crlf@event:1", &format!("{A}4\r\nbb\n\n4\r\n"), Ending::Close, 0);
    check_stream(
        "malformed-chunk:form=crlf@event:2",
        &format!("{A}{B}4\r\ncc\n\n0\r\n\r\n"),
        Ending::Close,
        10,
    );
    check_stream("malformed-chunk:form=short@event:1", &format!("{A}14\r\nbb\n\n"), Ending::Close, 0);
    check_stream(
        "malformed-chunk@event:1,byte:1",
        &format!("{A}1\r\nb\r\nzz\r\nb\n\n\r\n"),
        Ending::Close,
        10,
    );
}

#[test]
fn a_chunk_that_breaks_at_the_end_is_the_last_one() {
    let whole = format!("{A}{B}{C}");
    check_stream("malformed-chunk@end", &format!("{whole}zz\r\n\r\n"), Ending::Close, 20);
    check_stream("malformed-chunk:form=crlf@end", &format!("{whole}0\r\n"), Ending::Close, 20);
    check_stream("malformed-chunk:form=short@end", &format!("{whole}10\r\n"), Ending::Close, 20);
}

#[test]
fn chunks_that_break_need_chunks() {
    let chunked = JSON.replace("content-length: 11", "transfer-encoding: chunked");
    let expected = format!("{chunked}5\r\n{{\"a\":\r\nzz\r\n true}}\r\n");
    check(json(), "malformed-chunk@event:1", &expected, Ending::Close, 20);
    let mut empty = json();
    (empty.body, empty.events) = (Body::default(), Events::default());
    empty.head.status = StatusCode::NO_CONTENT;
    empty.head.headers.clear();
    check(empty, "malformed-chunk", "HTTP/1.1 204 No Content\r\n\r\n", Ending::Complete, 20);
}

#[test]
fn trailers_follow_the_last_chunk() {
    let head = STREAM.replace("\r\n\r\n", "\r\nTrailer: x-llmirage-trailer\r\n\r\n");
    let trailer = "0\r\nx-llmirage-trailer: late\r\n\r\n";
    check(stream(), "trailers", &format!("{head}{A}{B}{C}{trailer}"), Ending::Complete, 20);
    check(stream(), "trailers@event:1", &format!("{head}{A}{trailer}"), Ending::Complete, 0);
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\
                trailer: status, x-error\r\n\r\n";
    let error = r#"{"error":{"message":"The server had an error while processing your request.","type":"server_error","param":null,"code":null}}"#;
    let body = format!("B\r\n{{\"a\": true}}\r\n0\r\nstatus: 500\r\nx-error: {error}\r\n\r\n");
    check(
        json(),
        "trailers:name=status,value=500,error=true",
        &format!("{head}{body}"),
        Ending::Complete,
        20,
    );
}

#[test]
fn a_length_is_wrong_by_the_delta() {
    let announcing = |length: &str| {
        STREAM.replace("Transfer-Encoding: chunked", &format!("Content-Length: {length}"))
            + "a\n\nbb\n\ncc\n\n"
    };
    check(stream(), "content-length-mismatch", &announcing("21"), Ending::Close, 20);
    check(stream(), "content-length-mismatch:delta_bytes=-4", &announcing("7"), Ending::Close, 20);
    check(stream(), "content-length-mismatch:delta_bytes=-99", &announcing("0"), Ending::Close, 20);
    let json_of = |length: &str| JSON.replace("length: 11", length) + "{\"a\": true}";
    check(json(), "content-length-mismatch", &json_of("length: 21"), Ending::Close, 20);
}

#[test]
fn only_the_fin_ends_a_body_without_chunks_and_length() {
    let head = STREAM.replace("Transfer-Encoding: chunked\r\n", "connection: close\r\n");
    check(stream(), "close-delimited@event:2", &format!("{head}a\n\nbb\n\n"), Ending::Close, 10);
    let head = JSON.replace("content-length: 11\r\n", "connection: close\r\n");
    check(json(), "close-delimited", &format!("{head}{{\"a\":"), Ending::Close, 20);
}

#[test]
fn a_head_ends_where_it_is_told_or_in_the_middle() {
    check(stream(), "partial-head:byte=12", &STREAM[..12], Ending::Close, 0);
    check(stream(), "partial-head:how=reset", &STREAM[..STREAM.len() / 2], DRAINED, 0);
    check(stream(), "partial-head:byte=99999", STREAM, Ending::Close, 0);
    check(stream(), "empty-response", "", Ending::Close, 0);
    check(json(), "reset-before-response", "", DRAINED, 0);
}

#[test]
fn garbage_stands_for_the_head_or_for_what_follows() {
    let garbage = "lskdu018973t09sylgasjkfg1][]'./.sdlv";
    check(stream(), "garbage", garbage, Ending::Close, 0);
    check(json(), "garbage:bytes=x", "x", Ending::Close, 0);
    check_stream("garbage:after_head=true", garbage, Ending::Close, 0);
    check_stream("garbage@head", garbage, Ending::Close, 0);
    check_stream("garbage@event:1", &format!("{A}{garbage}"), Ending::Close, 0);
    check_json("garbage:bytes=x@event:1", "{\"a\":x", Ending::Close, 20);
}

#[test]
fn informational_heads_come_first() {
    let early = "HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload; as=style\r\n\r\n";
    let whole = format!("{STREAM}{A}{B}{C}0\r\n\r\n");
    check(stream(), "informational", &format!("{early}{whole}"), Ending::Complete, 20);
    check(
        stream(),
        "informational:status=100,times=2",
        &format!("{0}{0}{whole}", "HTTP/1.1 100 Continue\r\n\r\n"),
        Ending::Complete,
        20,
    );
    check(
        json(),
        "informational:status=102",
        &format!("HTTP/1.1 102 Processing\r\n\r\n{JSON}{{\"a\": true}}"),
        Ending::Complete,
        20,
    );
    let hints = apply(stream(), &"informational".parse().unwrap());
    check(
        hints,
        "informational:status=102",
        &format!("{early}HTTP/1.1 102 Processing\r\n\r\n{whole}"),
        Ending::Complete,
        20,
    );
    let timeline = apply(json(), &"informational".parse().unwrap());
    assert!(wire(&timeline, Version::HTTP_10).bytes.starts_with(b"HTTP/1.0 200 OK\r\n"));
}

#[test]
fn what_becomes_of_the_connection_changes_no_byte() {
    let whole = format!("{A}{B}{C}0\r\n\r\n");
    let idle = |seconds, reset| Ending::Idle { after: Duration::from_secs(seconds), reset };
    check_stream("keepalive-close", &whole, idle(0, false), 20);
    check_stream("keepalive-close:delay=5s,how=reset", &whole, idle(5, true), 20);
    check_stream("keepalive-close:delay=5h", &whole, idle(60, false), 20);
    check_stream("keepalive-reset-on-reuse", &whole, Ending::Reuse(timeline::Reuse::Reset), 20);
    check_stream(
        "keepalive-reset-on-reuse:how=blackhole",
        &whole,
        Ending::Reuse(timeline::Reuse::Blackhole),
        20,
    );
    let head = STREAM.replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n");
    check(stream(), "slow-close", &format!("{head}{whole}"), idle(5, false), 20);
}

#[test]
fn a_server_stops_listening_instead_of_a_response_in_it_or_after_it() {
    let refuse = |seconds, complete| Ending::Refuse { refuse: Duration::from_secs(seconds), complete };
    check(stream(), "connection-refused", "", refuse(2, false), 0);
    check_stream("connection-refused@event:1", A, refuse(2, false), 0);
    check_stream("connection-refused:for=5h@end", &format!("{A}{B}{C}0\r\n\r\n"), refuse(60, true), 20);
    check_json("connection-refused@end", "{\"a\": true}", refuse(2, true), 20);
}

#[test]
fn early_faults_wait_for_nothing() {
    check(json(), "half-close:hold=3s", "", Ending::HalfClose, 3000);
    check(json(), "accept-blackhole", "", Ending::Blackhole, 60_000);
    let wire = play(json(), "early-response:status=429");
    let text = String::from_utf8(wire.bytes.to_vec()).unwrap();
    assert!(text.contains("onnection: close\r\n"), "{text}");
    assert_eq!(wire.ending, Ending::Abandon);
}

/// The table is long; whatever is in it must be safe on whatever is answered.
#[test]
fn every_fault_can_be_anywhere_in_anything() {
    let places = [
        At::Head,
        At::event(0),
        At::event(2),
        At::event(-1),
        At::event(i64::MIN),
        At::event_byte(1, 2),
        At::event_byte(i64::MAX, usize::MAX),
        At::Byte(0),
        At::Byte(5),
        At::Byte(usize::MAX),
        At::Elapsed(Duration::from_millis(15)),
        At::Elapsed(Duration::from_secs(3600)),
        At::Named(Name::Finish),
        At::Named(Name::Done),
        At::End,
        At::Idle,
        At::NextRequest,
    ];
    let mut empty = stream();
    (empty.body, empty.events) = (Body::default(), Events::default());
    let mut nothing = json();
    (nothing.body, nothing.events) = (Body::default(), Events::default());
    for entry in TransportFault::ENTRIES {
        for then in ["", ":then=resume", ":form=crlf", ":form=short", ":after_head=true"] {
            let Ok(fault) = format!("{}{then}", entry.name).parse::<Fault>() else { continue };
            for at in places {
                for timeline in [stream(), json(), empty.clone(), nothing.clone()] {
                    let timeline = apply(timeline, &fault.clone().at(at));
                    let times = timeline.events.iter().map(|event| event.at).chain([timeline.ends_at]);
                    assert!(times.is_sorted(), "{fault} {at}: {timeline:?}");
                    for version in [Version::HTTP_10, Version::HTTP_11] {
                        let wire = wire(&timeline, version);
                        let mut ends = wire.segments.iter().map(|segment| segment.end);
                        assert!(ends.clone().is_sorted(), "{fault} {at}");
                        assert_eq!(ends.next_back().unwrap_or(0), wire.bytes.len(), "{fault} {at}");
                    }
                }
            }
        }
    }
}

#[test]
fn parameters_that_make_no_sense_are_told() {
    let problem = |spec: &str| {
        let name = spec.split(':').next().unwrap_or(spec);
        let told = spec.parse::<Fault>().err().unwrap_or_default();
        told.replace(&format!("` of {name}: "), ": ").replace('`', "")
    };
    for entry in TransportFault::ENTRIES {
        assert_eq!(problem(entry.name), "", "{}", entry.name);
    }
    let table = [
        (
            "informational:status=101,times=0",
            "status: expected 100, 102 or 103, got 101; times: expected 1 to 100, got 0",
        ),
        ("trailers:name=content-length", "name: HTTP allows no trailer \"content-length\""),
        ("trailers:name=a b", "name: expected the name of a header, got \"a b\""),
        ("malformed-chunk:size=", "size: expected 1 to 64 characters of one line, got \"\""),
        (
            "content-length-mismatch:delta_bytes=0",
            "delta_bytes: expected -1099511627776 to 1099511627776, but not 0, got 0",
        ),
        ("garbage:bytes=", "bytes: expected 1 to 65536 bytes, got 0"),
        ("stall:hold=25h", "hold: expected at most a day, 24h"),
        ("half-close:hold=25h", "hold: expected at most a day, 24h"),
        ("slow-close:delay=25h", "delay: expected at most a day, 24h"),
        ("connection-refused:for=25h", "for: expected at most a day, 24h"),
        ("early-response:status=200", "status: expected 400 to 599, got 200"),
        (
            "stall-heartbeat:every=0s,hold=25h",
            "every: expected 1ms or more; hold: expected at most a day, 24h",
        ),
    ];
    for (spec, expected) in table {
        assert_eq!(problem(spec), expected, "{spec}");
    }
}
