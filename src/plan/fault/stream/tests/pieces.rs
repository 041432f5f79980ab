//! Where faults cut events, and what the parts are.

use super::*;
use crate::plan::fault::stream::MAX_PIECES;

/// Checks the pieces of the events that a fault cuts.
#[track_caller]
fn check(faults: &[Fault], expected: &str) {
    let timeline = apply(chat(), faults);
    assert_eq!(timeline.body, chat().body);
    let pieces = pieces(&timeline);
    let whole: Vec<String> = pieces_of(&chat());
    let cut: Vec<&str> = pieces.lines().filter(|line| !whole.iter().any(|whole| whole == line)).collect();
    assert_eq!(cut.join("\n"), expected);
}

fn pieces_of(timeline: &Timeline) -> Vec<String> {
    pieces(timeline).lines().map(str::to_owned).collect()
}

#[test]
fn an_event_is_cut_in_the_middle_unless_told() {
    let split = fault("event-split", &[]).at(At::event(2));
    check(
        &[split],
        r#"120 Part data: {"n":2,"c
120 Content ontent":"llo"}\n\n"#,
    );
}

#[test]
fn an_event_is_cut_after_a_byte_and_the_rest_waits_for_the_gap() {
    let split = fault("event-split", &[("byte", "7"), ("gap", "5ms")]).at(At::event(2));
    check(
        &[split],
        r#"120 Part data: {
125 Content "n":2,"content":"llo"}\n\n"#,
    );
}

#[test]
fn what_comes_after_a_gap_waits_only_as_long_as_it_must() {
    let split = fault("event-split", &[("byte", "7"), ("gap", "30ms")]).at(At::event(1));
    check(
        &[split],
        r#"100 Part data: {
130 Content "n":1,"content":"H\xc3\xa9"}\n\n
130 Content data: {"n":2,"content":"llo"}\n\n"#,
    );
}

#[test]
fn every_so_many_bytes_is_counted_from_the_start_of_the_event() {
    let split = |every: &str| fault("event-split", &[("every", every)]).at(At::Named(Name::Done));
    check(
        &[split("6")],
        r"140 Part data: 
140 Part [DONE]
140 Done \n\n",
    );
    // A second fault cuts the same event, not its parts.
    check(
        &[split("6"), split("4")],
        r"140 Part data
140 Part : 
140 Part [D
140 Part ONE]
140 Done \n\n",
    );
}

#[test]
fn every_byte_can_be_a_piece() {
    let timeline = apply(chat(), &[fault("event-split", &[("all_boundaries", "true"), ("gap", "1ms")])]);
    assert_eq!(timeline.events.len(), timeline.body.len());
    assert_eq!(timeline.events_in(usize::MAX), 5);
    // The last event comes once all bytes before it are out, each 1 ms after the one before it.
    let bytes = u64::try_from(timeline.body.len()).unwrap();
    assert_eq!(timeline.ends_at, Duration::from_millis(100 + bytes - 5));
    assert!(!timeline.framing.sliced);
}

#[test]
fn parts_are_segments_if_told_so_and_if_there_are_any() {
    let split = |byte| fault("event-split", &[("byte", byte), ("via", "tcp")]);
    assert!(apply(chat(), &[split("3")]).framing.sliced);
    assert_eq!(apply(chat(), &[split("0")]), chat());
    assert_eq!(apply(chat(), &[split("1000")]), chat());
}

#[test]
fn comments_are_not_cut() {
    let comment = fault("comment-heartbeat", &[]);
    let before = pieces_of(&apply(chat(), std::slice::from_ref(&comment)));
    let after = pieces_of(&apply(chat(), &[comment, fault("event-split", &[])]));
    let comments = |pieces: &[String]| pieces.iter().filter(|piece| piece.contains("Comment")).count();
    assert_eq!((comments(&before), before.len()), (5, 10));
    assert_eq!((comments(&after), after.len()), (5, 15));
}

#[test]
fn a_body_is_cut_like_an_event() {
    let timeline = apply(json(), &[fault("event-split", &[("byte", "8"), ("gap", "2ms")])]);
    assert_eq!(
        pieces(&timeline),
        "100 Part {\"choice\n102 Body s\":[{\"message\":{\"content\":\"H\\xc3\\xa9llo\"}}]}\n"
    );
}

#[test]
fn characters_of_the_text_are_cut_and_nothing_else() {
    check(
        &[fault("char-split", &[])],
        r#"100 Part data: {"n":1,"content":"H\xc3
105 Content \xa9"}\n\n"#,
    );
}

#[test]
fn a_character_goes_over_the_text_and_is_cut() {
    let timeline = apply(
        chat(),
        &[fault("char-split", &[("char", "👩‍👧\""), ("offset", "3"), ("gap", "0s")]).at(At::event(2))],
    );
    assert_eq!(
        pieces(&timeline).lines().skip(2).take(4).collect::<Vec<_>>().join("\n"),
        r#"120 Part data: {"n":2,"content":"\xf0\x9f\x91
120 Part \xa9\xe2\x80
120 Part \x8d\xf0\x9f\x91
120 Content \xa7\\""}\n\n"#
    );
}

#[test]
fn a_text_without_characters_to_cut_gets_one() {
    let events = [EVENTS[0], EVENTS[2], EVENTS[4]];
    let timeline = apply(stream(&events), &[fault("char-split", &[])]);
    assert_eq!(
        pieces(&timeline).lines().skip(1).take(2).collect::<Vec<_>>().join("\n"),
        r#"120 Part data: {"n":2,"content":"\xf0
125 Content \x9f\x8c\x8d"}\n\n"#
    );
}

#[test]
fn a_body_that_gets_a_character_has_the_right_length() {
    let timeline = apply(json(), &[fault("char-split", &[("char", "€")])]);
    assert_eq!(timeline.body, r#"{"choices":[{"message":{"content":"€"}}]}"#);
    assert_eq!(timeline.head.header("content-length").unwrap(), "43");
    assert_eq!(
        timeline.events.iter().map(|event| event.kind).collect::<Vec<_>>(),
        [EventKind::Part, EventKind::Body]
    );
}

#[test]
fn compressed_bytes_have_no_characters() {
    let gzip = fault("gzip", &[]);
    let plain = apply(chat(), std::slice::from_ref(&gzip));
    assert_eq!(apply(chat(), &[gzip, fault("char-split", &[])]), plain);
}

#[test]
fn cr_and_lf_are_in_different_pieces() {
    let split = fault("line-ending", &[("split_crlf", "true")]);
    let timeline = apply(stream(&[EVENTS[4]]), &[split]);
    assert_eq!(pieces(&timeline), "140 Part data: [DONE]\\r\n140 Part \\n\\r\n140 Done \\n\n");
}

#[test]
fn there_are_never_too_many_pieces() {
    let data = "x".repeat(3 * MAX_PIECES);
    let faults: [&[(&str, &str)]; 2] = [&[("all_boundaries", "true")], &[("every", "2")]];
    for parameters in faults {
        let timeline = apply(stream(&[(0, EventKind::Content, &data)]), &[fault("event-split", parameters)]);
        assert_eq!(timeline.events.len(), MAX_PIECES);
    }
    let beats = fault("comment-heartbeat", &[("every", "1ms")]);
    let late = fault("slow-first-event", &[("delay", "24h")]);
    assert_eq!(apply(chat(), &[late, beats]).events.len(), MAX_PIECES);
    for slow in
        [fault("dribble", &[("bytes", "1"), ("every", "1ms")]), fault("bandwidth", &[("bytes_per_s", "10")])]
    {
        let timeline = apply(stream(&[(100, EventKind::Content, &data)]), &[slow]);
        assert!((MAX_PIECES / 2..=MAX_PIECES).contains(&timeline.events.len()), "{}", timeline.events.len());
    }
}
