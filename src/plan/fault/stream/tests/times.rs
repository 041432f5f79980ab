//! When things come.

use super::*;

#[track_caller]
fn check(faults: &[Fault], head: u128, expected: &[u128], end: u128) {
    let timeline = apply(chat(), faults);
    assert_eq!(timeline.head.at.as_millis(), head);
    assert_eq!(times(&timeline), expected);
    assert_eq!(timeline.ends_at.as_millis(), end);
}

#[test]
fn slow_headers_make_everything_late() {
    check(&[fault("slow-headers", &[])], 5050, &[5100, 5100, 5120, 5140, 5140], 5140);
}

#[test]
fn a_slow_first_event_leaves_the_head_where_it_is() {
    check(&[fault("slow-first-event", &[("delay", "2s")])], 50, &[2100, 2100, 2120, 2140, 2140], 2140);
    let timeline = apply(json(), &[fault("slow-first-event", &[("delay", "2s")])]);
    assert_eq!((timeline.head.at.as_millis(), times(&timeline)), (50, vec![2100]));
}

#[test]
fn a_burst_is_a_silence_and_then_everything() {
    check(&[fault("burst", &[])], 50, &[100, 2100, 2100, 2100, 2100], 2100);
    check(&[fault("burst", &[]).at(At::event(0))], 50, &[2050; 5], 2050);
    check(&[fault("burst", &[]).at(At::event(9))], 50, &[100, 100, 120, 140, 140], 140);
}

#[test]
fn what_follows_a_burst_of_some_events_keeps_its_pace() {
    check(&[fault("burst", &[("events", "2")])], 50, &[100, 2100, 2100, 2120, 2120], 2120);
    check(&[fault("burst", &[("events", "1")])], 50, &[100, 2100, 2120, 2140, 2140], 2140);
}

#[test]
fn a_burst_never_comes_before_its_first_event() {
    check(&[fault("burst", &[("hold", "1ms")]).at(At::event(2))], 50, &[100, 100, 120, 120, 120], 120);
}

#[test]
fn comments_come_at_multiples_of_a_time_while_nothing_else_does() {
    let late = fault("slow-first-event", &[("delay", "1s")]);
    let beats = fault("comment-heartbeat", &[("every", "300ms")]);
    let timeline = apply(chat(), &[late, beats]);
    let comments = timeline.events.iter().filter(|event| event.kind == EventKind::Comment);
    assert_eq!(comments.map(|event| event.at.as_millis()).collect::<Vec<_>>(), [350, 650, 950]);
    assert_eq!(times(&timeline).len(), 8);
}

#[test]
fn comments_go_on_between_events() {
    let beats = fault("comment-heartbeat", &[("every", "15ms")]);
    check(&[beats], 50, &[65, 80, 95, 100, 100, 110, 120, 125, 140, 140], 140);
}

#[test]
fn no_comment_comes_into_an_event_that_is_not_whole() {
    let half =
        [(70, EventKind::Other, "data: "), (100, EventKind::Other, "x\n"), (140, EventKind::Other, "\n")];
    for faults in [fault("comment-heartbeat", &[("every", "15ms")]), fault("comment-heartbeat", &[])] {
        let timeline = apply(stream(&half), &[faults]);
        assert_eq!(timeline.body, ": keep-alive\n\ndata: x\n\n");
    }
}

#[test]
fn a_comment_before_an_event_comes_with_what_is_before_it() {
    check(&[fault("comment-heartbeat", &[]).at(At::event(2))], 50, &[100, 100, 100, 120, 140, 140], 140);
    check(&[fault("control-only-event", &[]).at(At::Head)], 50, &[50, 100, 100, 120, 140, 140], 140);
}

#[test]
fn a_body_that_dribbles_comes_so_many_bytes_at_a_time() {
    let events = [
        (50, EventKind::Content, "0123456789"),
        (55, EventKind::Content, "ab"),
        (90, EventKind::Done, "cdefg"),
    ];
    let timeline = apply(stream(&events), &[fault("dribble", &[("bytes", "4")])]);
    let expected = "50 Part 0123\n60 Part 4567\n70 Content 89\n80 Content ab\n90 Part cdef\n100 Done g\n";
    assert_eq!(pieces(&timeline), expected);
    assert_eq!(timeline.ends_at, Duration::from_millis(100));
}

#[test]
fn no_more_bytes_come_than_a_bandwidth_allows() {
    let text = "x".repeat(1000);
    let events = [
        (100, EventKind::Content, text.as_str()),
        (200, EventKind::Content, "yy"),
        (5000, EventKind::Done, "z"),
    ];
    for rate in [7, 100, 1024, 4096, 1_000_000] {
        let limit = fault("bandwidth", &[("bytes_per_s", &rate.to_string())]);
        let timeline = apply(stream(&events), &[limit]);
        for event in &timeline.events {
            let passed = (event.at - Duration::from_millis(100)).as_secs_f64() * f64::from(rate);
            assert!(f64::from(u32::try_from(event.end).unwrap()) <= passed + 1e-9, "{rate}: {event:?}");
        }
        // And no fewer: the line is never idle while something waits.
        let busy = Duration::from_secs_f64(1000.0 / f64::from(rate));
        let content = timeline.events.iter().find(|event| event.end == 1000).unwrap();
        assert!(
            content.at - Duration::from_millis(100) - busy < Duration::from_micros(2),
            "{rate}: {content:?}"
        );
    }
}

#[test]
fn bandwidth_makes_a_piece_of_what_passes_in_20_ms() {
    let text = "x".repeat(200);
    let timeline =
        apply(stream(&[(100, EventKind::Content, &text)]), &[fault("bandwidth", &[("bytes_per_s", "4000")])]);
    assert_eq!(times(&timeline), [120, 140, 150]);
    assert_eq!(timeline.events[0].end, 80);
}

#[test]
fn a_body_is_held_after_its_end() {
    check(&[fault("done-then-hold", &[("hold", "3s")])], 50, &[100, 100, 120, 140, 140], 3140);
    check(&[fault("done-then-hold", &[])], 50, &[100, 100, 120, 140, 140], 60_140);
}

#[test]
fn a_body_of_known_length_cannot_be_held() {
    assert_eq!(apply(json(), &[fault("done-then-hold", &[])]), json());
}

#[test]
fn times_beyond_all_bounds_are_no_trouble() {
    let for_ever = [
        ("slow-headers", "delay"),
        ("slow-first-event", "delay"),
        ("burst", "hold"),
        ("done-then-hold", "hold"),
    ];
    for (name, parameter) in for_ever {
        let fault = || fault(name, &[(parameter, "2562047788015215h")]);
        apply(chat(), &[fault(), fault(), fault()]);
        apply(json(), &[fault(), fault(), fault()]);
    }
}
