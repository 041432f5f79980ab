//! When a transcript goes out: as it was recorded, or as pacing says, and who decides.

use std::time::Duration;

use llmirage::plan::Occasion;
use llmirage::{MockServer, Pacing};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use super::{MS, answered, completion, load, replayed, stream, times, untimed};
use crate::raw::{self, ask, connect};

const RECORDED: [u128; 8] = [280_000, 310_000, 310_000, 345_500, 401_000, 402_000, 402_000, 404_000];
/// With `ttft` 10 ms and `itl` 1 ms.
const PACED: [u128; 8] = [10_000, 10_000, 10_000, 11_000, 12_000, 12_000, 12_000, 12_000];

/// Checks the times of a transcript under a file's pacing, a reply's, and the server's.
#[track_caller]
fn check(transcript: &Value, layers: [Value; 2], server: Pacing, expected: &[u128]) {
    let [defaults, own] = layers;
    let file = json!({
        "defaults": { "pacing": defaults },
        "fixtures": [{ "name": "case", "reply": { "transcript": transcript, "pacing": own } }]
    });
    let set = load(&file).unwrap_or_else(|errors| panic!("{errors}"));
    let timeline = answered(&set, Occasion { pacing: server, ..Occasion::default() });
    assert_eq!(times(&timeline), expected, "{file} {server:?}");
}

fn fast() -> Value {
    json!({ "ttft": "10ms", "itl": "1ms" })
}

#[test]
fn recorded_times_are_used_unless_the_reply_or_the_server_says_how_fast() {
    let none = Pacing::default;
    let nothing = || json!({});
    check(&stream(), [nothing(), nothing()], none(), &RECORDED);
    check(&stream(), [fast(), nothing()], none(), &RECORDED);
    check(&stream(), [nothing(), fast()], none(), &PACED);
    check(&stream(), [fast(), json!({ "recorded": false })], none(), &PACED);
    let unused = json!({ "ttft": "10ms", "itl": "1ms", "recorded": false });
    check(&stream(), [unused.clone(), nothing()], none(), &PACED);
    check(&stream(), [unused, json!({ "recorded": true })], none(), &RECORDED);
    let server = Pacing::ttft(10 * MS).and(Pacing::itl(MS));
    check(&stream(), [nothing(), nothing()], server, &PACED);
    check(&stream(), [nothing(), json!({ "recorded": true })], server, &PACED);
    check(&stream(), [nothing(), nothing()], server.and(Pacing::recorded(true)), &RECORDED);
    check(&stream(), [fast(), nothing()], Pacing::recorded(false), &PACED);
}

#[test]
fn each_key_that_says_how_fast_displaces_recorded_times() {
    let keys = [
        json!({ "ttft": "1ms" }),
        json!({ "itl": "1ms" }),
        json!({ "tps": 5 }),
        json!({ "jitter": { "lognormal": { "p50": "1ms", "p95": "2ms" } } }),
        json!({ "burst": 2 }),
    ];
    for own in keys {
        let timeline = replayed(&stream(), &json!({ "pacing": own }));
        assert!(timeline.events[0].at <= MS, "{own}");
    }
    for own in [json!({}), json!({ "head": "1s" }), json!({ "scale": 1 }), json!({ "recorded": true })] {
        let timeline = replayed(&stream(), &json!({ "pacing": own }));
        assert_eq!(timeline.events[0].at, 310 * MS, "{own}");
    }
}

#[test]
fn scale_multiplies_every_recorded_time_wherever_it_is_given() {
    let scaled = |factor: f64| RECORDED.map(|at| (MS * 1000).mul_f64(factor).as_micros() * at / 1_000_000);
    let none = Pacing::default;
    check(&stream(), [json!({}), json!({ "scale": 2.5 })], none(), &scaled(2.5));
    check(&stream(), [json!({ "scale": 0.1 }), json!({})], none(), &scaled(0.1));
    check(&stream(), [json!({ "scale": 3 }), json!({ "scale": 0 })], none(), &[0; 8]);
    check(&stream(), [json!({}), json!({ "scale": 0 })], Pacing::scale(0.5), &scaled(0.5));
    // For a reply without times the file's factor means nothing.
    check(&untimed(), [json!({ "scale": 3 }), fast()], none(), &PACED);
}

#[test]
fn a_transcript_without_times_is_paced_as_an_answer() {
    let none = Pacing::default;
    check(&untimed(), [json!({}), json!({})], none(), &[0; 8]);
    check(&untimed(), [fast(), json!({})], none(), &PACED);
    let head = json!({ "head": "4ms", "ttft": "10ms", "itl": "1ms" });
    let mut expected = PACED;
    expected[0] = 4_000;
    check(&untimed(), [head, json!({})], none(), &expected);
    // Four tokens, as its usage says.
    check(&completion(), [json!({}), fast()], none(), &[13_000, 13_000, 13_000]);
    check(&completion(), [json!({}), json!({})], none(), &[640_000, 655_000, 655_000]);
}

#[test]
fn the_head_can_have_a_time_of_its_own_but_none_after_the_first_event() {
    let none = Pacing::default;
    let with_head = |at| {
        let mut times = RECORDED;
        times[0] = at;
        times
    };
    check(&stream(), [json!({}), json!({ "head": "5ms" })], none(), &with_head(5_000));
    check(&stream(), [json!({}), json!({ "head": "1s" })], none(), &with_head(310_000));
    check(&stream(), [json!({ "head": "5ms" }), json!({})], none(), &RECORDED);
    check(&stream(), [json!({}), json!({ "head": "5ms" })], Pacing::head(7 * MS), &with_head(7_000));
}

#[test]
fn what_the_capture_does_not_tell_is_as_early_as_it_can_be() {
    let mut transcript = stream();
    super::without(&mut transcript["response"], "at");
    super::without(&mut transcript["response"], "ends_at");
    let expected = [310_000, 310_000, 310_000, 345_500, 401_000, 402_000, 402_000, 402_000];
    check(&transcript, [json!({}), json!({})], Pacing::default(), &expected);
    // Times of head and end alone say nothing of when events came.
    let mut transcript = untimed();
    transcript["response"]["at"] = "200ms".into();
    transcript["response"]["ends_at"] = "900ms".into();
    check(&transcript, [json!({}), fast()], Pacing::default(), &PACED);
    check(&transcript, [json!({}), json!({})], Pacing::default(), &[0; 8]);
}

#[test]
fn time_scale_and_the_longest_hold_are_the_servers() {
    let set =
        load(&json!({ "fixtures": [{ "name": "case", "reply": { "transcript": stream() } }] })).unwrap();
    let scaled = answered(&set, Occasion { time_scale: 0.5, ..Occasion::default() });
    assert_eq!(times(&scaled), RECORDED.map(|at| at / 2));
    let held = answered(&set, Occasion { max_hold: 30 * MS, ..Occasion::default() });
    let expected = [30_000, 60_000, 60_000, 90_000, 120_000, 121_000, 121_000, 123_000];
    assert_eq!(times(&held), expected);
}

/// What a client reads when, in milliseconds, of a server with the transcript at half its pace.
async fn reads(transcript: &Value) -> Vec<(u128, String)> {
    let reply = llmirage::Reply::transcript(serde_json::from_value(transcript.clone()).unwrap());
    let fixture = llmirage::Fixture::named("case").reply(reply.pacing(Pacing::scale(0.5)));
    let service = MockServer::builder().fixture(fixture).service().unwrap();
    let mut client = connect(&service, 64 * 1024);
    client.write_all(ask().replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n").as_bytes()).await.unwrap();
    raw::reads(&mut client).await
}

#[tokio::test(start_paused = true)]
async fn events_arrive_at_their_recorded_times_by_scale() {
    let mut transcript = stream();
    transcript["response"]["events"][2]["at"] = "346ms".into();
    let raws = transcript["response"]["events"].as_array().unwrap().clone();
    let raw = |index: usize| raws[index]["raw"].as_str().unwrap();
    let chunk = |data: String| format!("{:X}\r\n{data}\r\n", data.len());
    let reads = reads(&transcript).await;
    assert_eq!(reads[0].0, 140);
    assert!(
        reads[0].1.starts_with("HTTP/1.1 200 OK\r\nDate: Tue, 14 Nov 2023 22:13:20 GMT\r\n"),
        "{}",
        reads[0].1
    );
    let expected = [
        (155, chunk(format!("{}{}", raw(0), raw(1)))),
        (173, chunk(raw(2).to_owned())),
        (201, format!("{}{}", chunk(raw(3).to_owned()), chunk(format!("{}{}", raw(4), raw(5))))),
        (202, "0\r\n\r\n".to_owned()),
    ];
    assert_eq!(merged(&reads[1..]), expected);
}

/// Reads in the same millisecond as one: timers have no finer one.
fn merged(reads: &[(u128, String)]) -> Vec<(u128, String)> {
    let mut merged: Vec<(u128, String)> = Vec::new();
    for (at, text) in reads {
        match merged.last_mut() {
            Some((last, all)) if last == at => all.push_str(text),
            _ => merged.push((*at, text.clone())),
        }
    }
    merged
}

#[tokio::test(start_paused = true)]
async fn a_recording_that_broke_off_ends_when_it_did() {
    let mut transcript = stream();
    transcript["response"]["ending"] = "close".into();
    transcript["response"]["ends_at"] = "2s".into();
    let start = tokio::time::Instant::now();
    let reads = reads(&transcript).await;
    assert_eq!(start.elapsed(), Duration::from_secs(1));
    let last = &reads[reads.len() - 1];
    assert!(last.1.ends_with("data: [DONE]\n\n\r\n"), "{}", last.1);
}
