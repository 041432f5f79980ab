//! Compressed bodies, read back.

use std::io::Read;

use flate2::read::MultiGzDecoder;

use super::*;

/// What a reader makes of compressed bytes, and whether it is all.
fn unpack(bytes: &[u8]) -> (Vec<u8>, bool) {
    let mut plain = Vec::new();
    let whole = MultiGzDecoder::new(bytes).read_to_end(&mut plain).is_ok();
    (plain, whole)
}

fn packed(timeline: Timeline, form: &str) -> Timeline {
    let timeline = apply(timeline, &[fault("gzip", &[("form", form)])]);
    assert_eq!(timeline.head.header("content-encoding").unwrap(), "gzip");
    if let Some(length) = timeline.head.header("content-length") {
        assert_eq!(length, &timeline.body.len().to_string());
    }
    timeline
}

#[test]
fn each_event_can_be_read_as_soon_as_it_is_there() {
    let timeline = packed(chat(), "ok");
    assert_eq!(times(&timeline), [100, 100, 120, 140, 140]);
    let mut expected = String::new();
    for (event, (_, _, text)) in timeline.events.iter().zip(EVENTS) {
        expected.push_str(text);
        assert_eq!(unpack(&timeline.body[..event.end]).0, expected.as_bytes());
    }
    assert_eq!(unpack(&timeline.body), (expected.into_bytes(), true));
}

#[test]
fn compressed_bytes_depend_on_nothing_but_the_body() {
    let timeline = packed(chat(), "ok");
    assert_eq!(timeline.body[..10], *b"\x1F\x8B\x08\0\0\0\0\0\0\x03");
    assert_eq!(timeline, packed(chat(), "ok"));
}

#[test]
fn the_head_says_gzip_where_cloudflare_does() {
    let names = |timeline: Timeline| {
        timeline.head.headers.into_iter().map(|header| header.name.into_owned()).collect::<Vec<_>>()
    };
    let stream = ["Content-Type", "Transfer-Encoding", "Content-Encoding", "alt-svc"];
    assert_eq!(names(packed(chat(), "ok")), stream);
    assert_eq!(names(packed(json(), "ok")), ["Content-Type", "Content-Length", "Content-Encoding"]);
}

#[test]
fn a_truncated_stream_of_gzip_is_some_events_and_no_end() {
    let timeline = packed(chat(), "truncated");
    let (plain, whole) = unpack(&timeline.body);
    assert!(!whole && chat().body.starts_with(&plain));
    assert!(plain.len() > EVENTS[0].2.len() + EVENTS[1].2.len(), "{}", plain.len());
    assert_eq!(timeline.ending, crate::plan::timeline::Ending::Complete);
    assert_eq!(timeline.ends_at, Duration::from_millis(140));
    assert!(!unpack(&packed(json(), "truncated").body).1);
}

#[test]
fn a_lie_is_in_the_head_only() {
    assert_eq!(packed(chat(), "lie").body, chat().body);
    assert_eq!(packed(json(), "lie").body, json().body);
}

#[test]
fn a_buffered_stream_comes_with_its_last_event() {
    let timeline = packed(chat(), "buffered");
    assert_eq!(times(&timeline), [140; 5]);
    assert_eq!(unpack(&timeline.body), (chat().body.to_vec(), true));
    assert!(timeline.body.len() < packed(chat(), "ok").body.len());
}

#[test]
fn large_bodies_that_barely_compress_are_whole() {
    // Digits of a sequence that repeats late, far more than one buffer of the compressor.
    let digits = |index: u64| (index.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20).to_string();
    let text: String = (0..20_000).map(digits).collect();
    let timeline = stream(&[(0, EventKind::Content, &text), (0, EventKind::Content, &text)]);
    for form in ["ok", "buffered"] {
        assert_eq!(unpack(&packed(timeline.clone(), form).body), (timeline.body.to_vec(), true));
    }
}

#[test]
fn a_body_is_compressed_too_and_an_empty_one_is_not() {
    for form in ["ok", "buffered"] {
        assert_eq!(unpack(&packed(json(), form).body), (json().body.to_vec(), true));
    }
    assert_eq!(apply(stream(&[]), &[fault("gzip", &[])]), stream(&[]));
}
