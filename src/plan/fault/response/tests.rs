use http::StatusCode;

use super::*;
use crate::plan::fault::Name;

/// A response of these pieces, 10 ms apart, whose head comes at 0.
fn response(pieces: &[(EventKind, &'static str)]) -> Response {
    let piece = |(index, (kind, bytes)): (usize, &(EventKind, &'static str))| Piece {
        at: Duration::from_millis(10 * index as u64),
        kind: *kind,
        bytes: Bytes::from_static(bytes.as_bytes()),
    };
    let headers = vec![Header::new("content-length", "9")];
    let head = Head { at: Duration::ZERO, status: StatusCode::OK, reason: None, headers: headers.into() };
    let pieces: Vec<_> = pieces.iter().enumerate().map(piece).collect();
    let ends_at = pieces.last().map_or(Duration::ZERO, |piece| piece.at);
    Response {
        head,
        pieces,
        framing: Framing::default(),
        ending: Ending::Complete,
        ends_at,
        breaks_off: false,
    }
}

/// A role, a comment, an event in three parts, a comment in two, `[DONE]`.
fn parted() -> Response {
    response(&[
        (EventKind::Role, "role"),
        (EventKind::Comment, "::"),
        (EventKind::Part, "ab"),
        (EventKind::Part, "cd"),
        (EventKind::Content, "ef"),
        (EventKind::Part, ":"),
        (EventKind::Comment, ":"),
        (EventKind::Done, "done"),
    ])
}

#[track_caller]
fn check(response: &Response, at: At, spot: (usize, usize), target: Option<usize>) {
    let Spot { index, byte } = response.spot(at);
    assert_eq!(((index, byte), response.target(at)), (spot, target), "{at:?}");
}

#[test]
fn comments_are_no_events_and_parts_are_one() {
    let parted = parted();
    check(&parted, At::Head, (0, 0), Some(0));
    check(&parted, At::event(0), (0, 0), Some(0));
    check(&parted, At::event(1), (1, 0), Some(2));
    check(&parted, At::event(2), (5, 0), Some(7));
    check(&parted, At::event(3), (8, 0), None);
    check(&parted, At::event(-1), (5, 0), Some(7));
    check(&parted, At::event(-2), (1, 0), Some(2));
    check(&parted, At::event(-9), (0, 0), Some(0));
    check(&parted, At::Named(Name::Role), (1, 0), Some(0));
    check(&parted, At::Named(Name::FirstContent), (5, 0), Some(2));
    check(&parted, At::Named(Name::Finish), (8, 0), None);
    check(&parted, At::End, (8, 0), None);
}

#[test]
fn a_byte_of_an_event_is_in_one_of_its_parts() {
    let parted = parted();
    check(&parted, At::event_byte(1, 1), (2, 1), Some(2));
    check(&parted, At::event_byte(1, 2), (3, 0), Some(2));
    check(&parted, At::event_byte(1, 5), (4, 1), Some(2));
    check(&parted, At::event_byte(1, 6), (5, 0), Some(7));
    check(&parted, At::event_byte(1, usize::MAX), (5, 0), Some(7));
    check(&parted, At::event_byte(2, 3), (7, 3), Some(7));
    check(&parted, At::event_byte(7, 3), (8, 0), None);
}

#[test]
fn bytes_and_times_are_those_of_everything() {
    let parted = parted();
    check(&parted, At::Byte(5), (1, 1), Some(2));
    check(&parted, At::Byte(6), (2, 0), Some(2));
    check(&parted, At::Byte(usize::MAX), (8, 0), None);
    check(&parted, At::Elapsed(Duration::from_millis(40)), (4, 0), Some(2));
    check(&parted, At::Elapsed(Duration::from_millis(41)), (5, 0), Some(7));
    check(&parted, At::Elapsed(Duration::MAX), (8, 0), None);
}

#[test]
fn a_body_that_is_no_stream_is_one_event_and_has_a_middle() {
    for body in [
        response(&[(EventKind::Body, "012345678")]),
        response(&[(EventKind::Part, "012"), (EventKind::Body, "345678")]),
    ] {
        let middle = body.after_bytes(0, 4);
        let end = (body.pieces.len(), 0);
        check(&body, At::event(0), (0, 0), Some(0));
        check(&body, At::event(3), (middle.index, middle.byte), Some(0));
        check(&body, At::event(-1), (middle.index, middle.byte), Some(0));
        check(&body, At::Named(Name::Done), (middle.index, middle.byte), Some(0));
        check(&body, At::event_byte(0, 2), (0, 2), Some(0));
        check(&body, At::Byte(9), end, Some(0));
        check(&body, At::End, end, Some(0));
    }
}

#[test]
fn nothing_has_no_target() {
    let empty = response(&[]);
    for at in [At::Head, At::event(0), At::event_byte(2, 3), At::Named(Name::Role), At::Byte(1), At::End] {
        check(&empty, at, (0, 0), None);
    }
    assert_eq!(empty.targets(At::event(0)), 0..0);
}

#[test]
fn nothing_is_a_stream_if_its_head_says_so() {
    let mut empty = response(&[]);
    assert!(!empty.is_stream());
    empty.head.headers.push(Header::new("Content-Type", "text/event-stream; charset=utf-8"));
    assert!(empty.is_stream());
    empty.pieces = response(&[(EventKind::Body, "{}")]).pieces;
    assert!(!empty.is_stream());
}

#[test]
fn targets_are_all_pieces_or_those_of_one_event() {
    let parted = parted();
    assert_eq!(parted.targets(At::End), 0..8);
    assert_eq!(parted.targets(At::event(1)), 2..5);
    assert_eq!(parted.targets(At::event(9)), 0..0);
    // An event that was cut has parts and no last one.
    assert_eq!(response(&[(EventKind::Part, "a")]).targets(At::event(0)), 0..1);
}

#[test]
fn a_cut_that_leaves_nothing_out_leaves_the_end_as_late_as_it_was() {
    let ends_at = |at| {
        let mut response = parted();
        response.ends_at = Duration::from_secs(9);
        response.cut(at);
        (response.pieces.len(), response.ends_at.as_millis())
    };
    assert_eq!(ends_at(At::End), (8, 9000));
    assert_eq!(ends_at(At::event(3)), (8, 9000));
    assert_eq!(ends_at(At::event(2)), (5, 40));
    assert_eq!(ends_at(At::event_byte(1, 3)), (4, 30));
    assert_eq!(ends_at(At::Elapsed(Duration::from_millis(25))), (3, 25));
}

#[test]
fn what_is_inserted_comes_with_what_is_before_it() {
    let mut response = parted();
    response.insert(0, EventKind::Comment, Bytes::from_static(b":"));
    response.insert(5, EventKind::Comment, Bytes::from_static(b":"));
    let times: Vec<_> = response.pieces.iter().map(|piece| piece.at.as_millis()).collect();
    assert_eq!(times, [0, 0, 10, 20, 30, 30, 40, 50, 60, 70]);
}

#[test]
fn a_delay_is_for_what_follows_and_for_the_end() {
    let mut response = parted();
    response.delay(6, Duration::from_secs(1));
    let times: Vec<_> = response.pieces.iter().map(|piece| piece.at.as_millis()).collect();
    assert_eq!(times, [0, 10, 20, 30, 40, 50, 1060, 1070]);
    assert_eq!(response.ends_at.as_millis(), 1070);
    response.delay(99, Duration::MAX);
    assert_eq!(response.ends_at, Duration::MAX);
}

#[test]
fn a_length_is_mended_where_one_is_announced() {
    let mut response = parted();
    response.mend_length();
    assert_eq!(response.head.header("Content-Length").unwrap(), "18");
    response.head.headers.clear();
    response.mend_length();
    assert_eq!(*response.head.headers, []);
}

#[test]
fn pieces_become_the_timeline_they_were() {
    let timeline = parted().timeline();
    assert_eq!(timeline.body, "role::abcdef::done");
    assert_eq!(Response::new(timeline.clone()).timeline(), timeline);
}
