//! What faults write, to the byte.

use super::*;

/// Checks what becomes of an event and of what is before it, all else being as it was.
#[track_caller]
fn check(fault: Fault, index: usize, expected: &str) {
    check_body(chat(), fault, &with(index, expected.as_bytes()));
}

/// Checks the whole body, and that the head announces its length, if any.
#[track_caller]
fn check_body(timeline: Timeline, fault: Fault, expected: &[u8]) {
    let timeline = apply(timeline, &[fault]);
    assert_eq!(shown(&timeline.body), shown(expected));
    if let Some(length) = timeline.head.header("content-length") {
        assert_eq!(length, &timeline.body.len().to_string());
    }
}

fn with(index: usize, bytes: &[u8]) -> Vec<u8> {
    let mut events: Vec<&[u8]> = EVENTS.iter().map(|(_, _, text)| text.as_bytes()).collect();
    events[index] = bytes;
    events.concat()
}

fn placed(name: &str, parameters: &[(&str, &str)], at: At) -> Fault {
    fault(name, parameters).at(at)
}

#[test]
fn malformed_json_is_cut_garbage_followed_or_twice() {
    let malformed = |form| fault("malformed-json", &[("form", form)]);
    check_body(chat(), fault("malformed-json", &[]), &with(1, b"data: {\"n\":1,\"con\n\n"));
    check_body(chat(), malformed("garbage"), &with(1, b"data: Internal Server Error\n\n"));
    let event = "data: {\"n\":1,\"content\":\"Hé\"}";
    check_body(chat(), malformed("trailing"), &with(1, format!("{event}}}\n\n").as_bytes()));
    let twice = format!("{event}{}\n\n", &event[6..]);
    check_body(chat(), malformed("two-objects"), &with(1, twice.as_bytes()));
}

#[test]
fn malformed_json_can_be_a_whole_body_whose_length_is_right() {
    let malformed = |form| fault("malformed-json", &[("form", form)]);
    check_body(json(), malformed("cut"), br#"{"choices":[{"message":"#);
    check_body(json(), malformed("garbage"), b"Internal Server Error");
    let twice = json().body.repeat(2);
    check_body(json(), malformed("two-objects"), &twice);
}

#[test]
fn an_error_is_glued_into_an_event_before_its_blank_line() {
    let glued = "data: {\"n\":2,\"content\":\"llo\"}\ndata: {\"error\":{\"message\":\"Upstream request failed\",\
        \"type\":\"upstream_error\",\"param\":null,\"code\":null}}\n\n";
    check_body(chat(), placed("events-glued", &[], At::event(2)), &with(2, glued.as_bytes()));
    let open = stream(&[(0, EventKind::Other, "data: {}")]);
    let glued = &glued[30..];
    check_body(open, placed("events-glued", &[], At::Head), format!("data: {{}}\n{glued}").as_bytes());
}

#[test]
fn bytes_that_are_not_utf_8_are_in_the_middle_of_the_text() {
    let garbled = b"data: {\"n\":1,\"content\":\"H\xFF\xC3\xA9\"}\n\n";
    check_body(chat(), fault("invalid-utf8", &[]), &with(1, garbled));
    let garbled = b"data: {\"n\":2,\"content\":\"l\xED\xA0\x80lo\"}\n\n";
    check_body(chat(), placed("invalid-utf8", &[("bytes", "eda080")], At::event(2)), &with(2, garbled));
    let done = placed("invalid-utf8", &[], At::Named(Name::Done));
    check_body(chat(), done, &with(4, b"data: [DO\xFFNE]\n\n"));
    let garbled = b"{\"choices\":[{\"message\":{\"content\":\"H\xC3\xA9\xFFllo\"}}]}";
    check_body(json(), fault("invalid-utf8", &[]), garbled);
}

#[test]
fn done_is_missing() {
    check(fault("done-missing", &[]), 4, "");
    assert_eq!(apply(json(), &[fault("done-missing", &[])]), json());
}

#[test]
fn data_in_several_lines_is_joined_to_the_same_json() {
    let lines = "data: {\ndata: \"n\":1,\ndata: \"content\":\"Hé\"\ndata: }\n\n";
    check_body(chat(), placed("multi-line-data", &[], At::event(1)), &with(1, lines.as_bytes()));
    let all = apply(chat(), &[fault("multi-line-data", &[])]);
    assert_eq!(all.body.windows(6).filter(|window| window == b"\ndata:").count(), 15);
    let done = placed("multi-line-data", &[], At::Named(Name::Done));
    assert_eq!(apply(chat(), &[done]), chat());
}

#[test]
fn control_events_stand_before_an_event() {
    let check_control = |fields, expected: &str| {
        let control = placed("control-only-event", &[("fields", fields)], At::event(1));
        check(control, 1, &format!("{expected}{}", EVENTS[1].2));
    };
    check_control("retry", "retry: 3000\n\n");
    check_control("id", "id: 7\n\n");
    check_control("event", "event: ping\n\n");
    check_control("empty-data", "data:\n\n");
    let past = placed("control-only-event", &[], At::event(9));
    check(past, 4, "data: [DONE]\n\nretry: 3000\n\n");
}

#[test]
fn comments_stand_before_each_event_or_one() {
    let all: String = EVENTS.iter().map(|(_, _, event)| format!(": keep-alive\n\n{event}")).collect();
    check_body(chat(), fault("comment-heartbeat", &[]), all.as_bytes());
    let one = placed("comment-heartbeat", &[("text", ": OPENROUTER PROCESSING")], At::event(0));
    check(one, 0, &format!(": OPENROUTER PROCESSING\n\n{}", EVENTS[0].2));
}

#[test]
fn noise_stands_before_an_event() {
    let noise = placed("noise-lines", &[("count", "3")], At::Named(Name::Finish));
    check(noise, 3, &format!(": noise\n: noise\n: noise\n{}", EVENTS[3].2));
}

#[test]
fn the_space_after_data_is_left_out_but_not_one_of_the_data() {
    let events = [
        (0, EventKind::Other, "event: a\ndata: b\ndata:  c\nid: d\n\n"),
        (0, EventKind::Done, "data: [DONE]\n\n"),
    ];
    let expected = b"event: a\ndata:b\ndata:  c\nid: d\n\ndata:[DONE]\n\n";
    check_body(stream(&events), fault("data-no-space", &[]), expected);
}

#[test]
fn lines_end_otherwise() {
    let events = [(0, EventKind::Other, "event: a\ndata: b\n\n"), (0, EventKind::Done, "data: [DONE]\n\n")];
    let check_ends = |form, expected: &[u8]| {
        check_body(stream(&events), fault("line-ending", &[("form", form)]), expected);
    };
    check_ends("crlf", b"event: a\r\ndata: b\r\n\r\ndata: [DONE]\r\n\r\n");
    check_ends("cr", b"event: a\rdata: b\r\rdata: [DONE]\r\r");
    // A blank line's LF would belong to a CR before it.
    check_ends("mixed", b"event: a\ndata: b\r\n\rdata: [DONE]\n\r\n");
}

#[test]
fn a_byte_order_mark_is_first() {
    check_body(chat(), fault("bom", &[]), &[b"\xEF\xBB\xBF", &chat().body[..]].concat());
}

#[test]
fn a_body_that_is_no_stream_is_framed_as_it_was() {
    let framing =
        ["multi-line-data", "control-only-event", "comment-heartbeat", "noise-lines", "data-no-space"];
    for name in framing.into_iter().chain(["line-ending", "bom"]) {
        assert_eq!(apply(json(), &[fault(name, &[])]), json(), "{name}");
    }
}
