//! Faults over transcripts: as over answers, at the recorded events.

use llmirage::plan::Occasion;
use llmirage::plan::fault::when::Turn;
use llmirage::plan::http1;
use llmirage::plan::timeline::Ending;
use llmirage::{Fault, Timeline};
use serde_json::{Value, json};

use super::{answered, anthropic, body, broken_body, completion, load, replayed, stream};

/// A transcript with a fault over it, given as one word.
fn broken(transcript: &Value, fault: &str) -> Timeline {
    let file = json!({ "fixtures": [{ "name": "case", "reply": { "transcript": transcript } }] });
    let faults: [Fault; 1] = [fault.parse().unwrap()];
    answered(&load(&file).unwrap(), Occasion { faults: &faults, ..Occasion::default() })
}

fn raw(transcript: &Value, index: usize) -> &str {
    transcript["response"]["events"][index]["raw"].as_str().unwrap()
}

/// Checks that a stream is cut after so many whole events and bytes of the next.
#[track_caller]
fn check_cut(transcript: &Value, place: &str, events: usize, bytes: usize) {
    let timeline = broken(transcript, &format!("close-mid-stream@{place}"));
    let mut expected: String = (0..events).map(|index| raw(transcript, index)).collect();
    expected.push_str(&raw(transcript, events)[..bytes]);
    assert_eq!(timeline.body, expected, "{place}");
    assert_eq!(timeline.ending, Ending::Close);
    let healthy = replayed(transcript, &json!({}));
    assert_eq!(timeline.head, healthy.head);
    let times = |timeline: &Timeline| timeline.events.iter().map(|event| event.at).collect::<Vec<_>>();
    assert!(times(&healthy).starts_with(&times(&timeline)), "what is before a fault keeps its times");
}

#[test]
fn positions_count_recorded_events() {
    check_cut(&stream(), "event:3", 3, 0);
    check_cut(&stream(), "event:-1", 5, 0);
    check_cut(&stream(), "event:2,byte:21", 2, 21);
    check_cut(&stream(), "role", 1, 0);
    check_cut(&stream(), "first-content", 2, 0);
    check_cut(&stream(), "finish", 5, 0);
    check_cut(&stream(), "elapsed:350ms", 3, 0);
    check_cut(&anthropic(), "event:2", 2, 0);
    check_cut(&anthropic(), "first-content", 4, 0);
    check_cut(&anthropic(), "finish", 7, 0);
    check_cut(&anthropic(), "event:6,byte:5", 6, 5);
}

#[test]
fn faults_of_events_edit_what_was_recorded_and_nothing_else_of_it() {
    let timeline = broken(&stream(), "content-null@event:2");
    let expected = body(&stream()).replace("\"content\":\"lo, 望\"", "\"content\":null");
    assert_eq!(timeline.body, expected);
    let timeline = broken(&completion(), "finish-unknown");
    let expected = body(&completion()).replace("\"stop\"", "\"network_error\"");
    assert_eq!(timeline.body, expected);
    assert_eq!(timeline.head.header("content-length").unwrap(), &expected.len().to_string());
    // Of another API's events there is nothing that they know.
    let timeline = broken(&anthropic(), "content-null@event:3");
    assert_eq!(timeline.body, body(&anthropic()));
    let timeline = broken(&anthropic(), "duplicate-event@event:3");
    assert_eq!(timeline.events.len(), 9);
}

#[test]
fn faults_that_answer_instead_replace_what_was_recorded() {
    let timeline = broken(&stream(), "rate-limit:times=1");
    assert_eq!(timeline.head.status, 429);
    assert!(timeline.head.header("retry-after").is_some());
}

#[test]
fn faults_of_the_reply_and_their_selectors_are_as_over_answers() {
    let faults = json!([{ "fault": "server-error", "status": 503, "when": { "attempt": 1 } },
                        { "fault": "reset-mid-stream", "at": { "event": 1 }, "when": { "attempt": 2 } }]);
    let file =
        json!({ "fixtures": [{ "name": "case", "reply": { "transcript": stream(), "faults": faults } }] });
    let set = load(&file).unwrap();
    let attempt = |attempt| {
        let turn = Turn { attempt, ..Turn::default() };
        answered(&set, Occasion { turn, ..Occasion::default() })
    };
    assert_eq!(attempt(1).head.status, 503);
    assert_eq!((attempt(2).ending, attempt(2).events.len()), (Ending::Reset { drain: true }, 1));
    assert_eq!(attempt(3), replayed(&stream(), &json!({})));
}

#[test]
fn a_recorded_break_stays_one_unless_a_fault_makes_the_response_whole() {
    let length = |timeline: &Timeline| {
        let length = timeline.head.header("content-length").map(|length| length.to_str().unwrap().to_owned());
        (length, timeline.ending.is_complete())
    };
    let known = |length: &str, whole: bool| (Some(length.to_owned()), whole);
    assert_eq!(length(&broken(&broken_body(), "stall:hold=1s,then=resume")), known("1000", false));
    assert_eq!(length(&broken(&broken_body(), "invalid-utf8")), known("1000", false));
    assert_eq!(length(&broken(&broken_body(), "keepalive-close")), known("26", true));
    assert_eq!(length(&broken(&broken_body(), "slow-close:delay=1s")), known("26", true));
    let mut cut = stream();
    cut["response"]["ending"] = "close".into();
    let truncated = broken(&cut, "stream-truncated@event:2");
    assert_eq!((truncated.ending, truncated.events.len()), (Ending::Complete, 2));
    let wire = http1::wire(&truncated, http::Version::HTTP_11).bytes;
    assert!(wire.ends_with(b"\r\n0\r\n\r\n"));
}
