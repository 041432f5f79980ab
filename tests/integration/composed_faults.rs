//! Any three faults on any reply: a plan that is sound, whatever they make of each other.

use std::time::Duration;

use http::Version;
use llmirage::plan::fault::{ArgumentKind, Entry, Kind, Places};
use llmirage::plan::http1::{is_chunked, wire};
use llmirage::plan::request::Endpoint;
use llmirage::plan::set::{FixtureSet, Hits, Source};
use llmirage::plan::{Occasion, Request, plan};
use llmirage::{Fault, Timeline};
use proptest::prelude::*;
use serde_json::{Value, json};

/// The longest that anything is held.
const HOLD: Duration = Duration::from_secs(60);

/// The most bytes of a body.
const HEAVIEST: usize = 64 << 20;

/// A fault with any value of each parameter and at any place, or none.
fn fault() -> impl Strategy<Value = Fault> {
    let entries: Vec<&'static Entry> = Kind::entries().collect();
    let entry = prop::sample::select(entries);
    let text = entry.prop_flat_map(|entry| {
        let parameters: Vec<_> = (entry.parameters)()
            .into_iter()
            .map(|parameter| {
                let value = prop_oneof![3 => Just(None), 2 => value(parameter.kind).prop_map(Some)];
                value.prop_map(move |value| value.map(|value| format!("{}={value}", parameter.name)))
            })
            .collect();
        (parameters, prop::option::of(place(entry.places))).prop_map(|(parameters, place)| {
            let given = parameters.into_iter().flatten().collect::<Vec<_>>().join(",");
            let place = place.flatten().map(|place| format!("@{place}")).unwrap_or_default();
            format!("{}:{given}{place}", entry.name)
        })
    });
    // Most are valid: what is out of range is left out, and so is what does not go together.
    text.prop_filter_map("a fault that can be", |text| text.parse().ok())
}

fn value(kind: ArgumentKind) -> BoxedStrategy<String> {
    match kind {
        ArgumentKind::Words(words) => prop::sample::select(words).prop_map(str::to_owned).boxed(),
        ArgumentKind::Flag => any::<bool>().prop_map(|flag| flag.to_string()).boxed(),
        ArgumentKind::Count => prop_oneof![
            4 => 0..20_u64,
            2 => 100..600_u64,
            1 => prop::sample::select(vec![10_000, 65_537, 1_000_000, u64::MAX]),
        ]
        .prop_map(|count| count.to_string())
        .boxed(),
        ArgumentKind::Integer => (-50..50_i64).prop_map(|number| number.to_string()).boxed(),
        ArgumentKind::Duration => prop::sample::select(vec!["0s", "1us", "1ms", "70ms", "3s", "24h"])
            .prop_map(str::to_owned)
            .boxed(),
        ArgumentKind::Text => prop::sample::select(vec!["ff", "é", "id+choices", "none", "a%0Ab", "", "7"])
            .prop_map(str::to_owned)
            .boxed(),
    }
}

fn place(places: Places) -> BoxedStrategy<Option<String>> {
    match places {
        Places::Whole => Just(None).boxed(),
        Places::Idle => Just(Some("idle".to_owned())).boxed(),
        Places::NextRequest => Just(Some("next-request".to_owned())).boxed(),
        Places::Anywhere | Places::Event | Places::Events => prop_oneof![
            (-9..12_i64).prop_map(|event| format!("event:{event}")),
            (-9..12_i64, 0..300_usize).prop_map(|(event, byte)| format!("event:{event},byte:{byte}")),
            (0..3_000_usize).prop_map(|byte| format!("byte:{byte}")),
            (0..700_u64).prop_map(|time| format!("elapsed:{time}ms")),
            prop::sample::select(vec![
                "head",
                "end",
                "role",
                "first-content",
                "finish",
                "usage",
                "done",
                "elapsed:1000000h",
            ])
            .prop_map(str::to_owned),
        ]
        .prop_map(Some)
        .boxed(),
    }
}

fn reply() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![
        json!({ "answer": { "text": "Hello, 望月 🌍! How are you?" } }),
        json!({ "answer": { "text": "" } }),
        json!({ "answer": { "tool_calls": [{ "name": "f", "arguments": { "x": "é" } }, { "name": "g", "arguments": {} }] } }),
        json!({ "answer": { "choices": [{ "text": "one two" }, { "text": "three four" }] } }),
        json!({ "answer": { "text": "Hello there" }, "pacing": { "ttft": "80ms", "itl": "30ms" } }),
        json!({ "answer": { "text": "x" }, "filters": { "mode": "asynchronous" } }),
        json!({ "answer": { "text": "x" }, "filters": { "prompt": { "violence": "high" } } }),
        json!({ "error": { "status": 503 } }),
        json!({ "error": { "status": 500, "body": "" } }),
        json!({ "error": { "status": 502, "body": "<html>bad</html>" } }),
        json!({ "script": [{ "raw": "data: no JSON\n\n" }, { "wait": "1s" }, { "text": "x" }, { "raw": "\u{1}" }] }),
        json!({ "script": [{ "role": "assistant" }, { "fault": { "fault": "close-mid-stream" } }, { "text": "x" }] }),
        json!({ "script": [] }),
    ])
}

fn transcripts() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![
        transcript("complete", &[]),
        transcript("close", &[["Content-Length", "5000"]]),
        transcript("reset", &[["transfer-encoding", "chunked"], ["content-type", "text/event-stream"]]),
        json!({ "transcript": { "response": { "status": 200, "body": "{\"choices\": [{\"mess", "ending": "client_left",
            "headers": [["Content-Length", "900"]] } } }),
        json!({ "transcript": { "response": { "status": 200, "headers": [], "body": { "base64": "//4A" }, "ends_at": "2m" } } }),
        json!({ "transcript": { "response": { "status": 204, "headers": [] } } }),
    ])
}

/// A recorded stream that holds events of several APIs, and bytes of none.
fn transcript(ending: &str, headers: &[[&str; 2]]) -> Value {
    json!({ "transcript": { "response": { "at": "40ms", "status": 200, "headers": headers, "ending": ending, "events": [
        { "at": "50ms", "raw": "data: {\"id\":\"1\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\r\n\r\n" },
        { "at": "60ms", "raw": "\n: note\nevent: x\ndata: {\"id\":\"1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hé\"}}]}\n\n" },
        { "at": "60ms", "raw": "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"delta\":{\"text\":\"x\"}}\n\n" },
        { "at": "3s", "raw": "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"y\"}]}}]}\n\n" },
        { "at": "3s", "raw": "data: {\"type\":\"response.completed\",\"response\":{}}\n\n" },
        { "at": "100s", "raw": { "base64": "ZGF0YTog//4KCg==" } },
        { "at": "100s", "raw": "data: [DONE]" }
    ], "ends_at": "300s" } } })
}

/// The data of chunks; `None`: they are no chunks, or they do not end.
fn dechunked(mut bytes: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = bytes.windows(2).position(|pair| pair == b"\r\n")?;
        let size = usize::from_str_radix(std::str::from_utf8(&bytes[..line]).ok()?, 16).ok()?;
        bytes = &bytes[line + 2..];
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(bytes.get(..size)?);
        bytes = bytes.get(size..)?.strip_prefix(b"\r\n")?;
    }
}

/// Everything that a timeline promises.
fn check(timeline: &Timeline) -> Result<(), TestCaseError> {
    let ends: Vec<usize> = timeline.events.iter().map(|event| event.end).collect();
    prop_assert!(ends.is_sorted(), "ends grow");
    prop_assert_eq!(ends.last().copied().unwrap_or(0), timeline.body.len(), "the last event is the end");
    prop_assert!(timeline.body.len() <= HEAVIEST, "{} bytes", timeline.body.len());
    let times: Vec<Duration> = std::iter::once(timeline.head.at)
        .chain(timeline.events.iter().map(|event| event.at))
        .chain([timeline.ends_at])
        .collect();
    prop_assert!(times.is_sorted(), "times never decrease");
    let gaps = times.windows(2).map(|pair| pair[1] - pair[0]);
    prop_assert!(times[0] <= HOLD && gaps.max().unwrap_or_default() <= HOLD, "gaps are bounded");

    let wire = wire(timeline, Version::HTTP_11);
    prop_assert!(wire.segments.is_sorted_by_key(|segment| (segment.at, segment.end)));
    prop_assert_eq!(wire.segments.last().map_or(0, |segment| segment.end), wire.bytes.len());
    let framing = &timeline.framing;
    let broken = framing.head_bytes.is_some() || !framing.after.is_empty();
    if broken || !timeline.ending.is_complete() {
        return Ok(());
    }
    let start = framing.before.len();
    let head = wire.bytes[start..].windows(4).position(|end| end == b"\r\n\r\n").expect("a head ends");
    let body = &wire.bytes[start + head + 4..];
    let length = timeline.head.header("content-length").and_then(|length| length.to_str().ok());
    if is_chunked(&timeline.head) {
        prop_assert!(length.is_none(), "chunks have no length");
        prop_assert!(dechunked(body).is_some_and(|data| timeline.body == data), "chunks are whole");
    } else if let Some(length) = length {
        prop_assert_eq!(length.parse().ok(), Some(timeline.body.len()), "the length is the body's");
        prop_assert_eq!(body, &timeline.body[..]);
    } else {
        let says_close = timeline.head.header("connection").is_some_and(|value| value == "close");
        prop_assert!(says_close || timeline.body.is_empty(), "nothing tells where the body ends");
    }
    Ok(())
}

/// The first answer of a fixture with this reply, with these faults.
fn faulty(reply: &Value, request: &Request, faults: &[Fault]) -> Timeline {
    let mut fixture = json!({ "name": "case", "reply": reply });
    if request.call.route.endpoint == Endpoint::Other {
        fixture["match"] = json!({ "path": request.call.path });
    }
    let file = json!({ "fixtures": [fixture] }).to_string();
    let set = FixtureSet::load(vec![Source::File { path: "case.json".into(), text: file }]);
    let set = set.unwrap_or_else(|errors| panic!("{errors}"));
    let candidates = set.candidates(request).expect("the only fixture takes all");
    let admission = set.admit(&candidates, &mut Hits::default()).expect("it has replies");
    plan(admission.reply, request, &Occasion { faults, max_hold: HOLD, ..Occasion::default() })
}

fn ask(azure: bool, stream: bool, usage: bool, n: u64) -> Request {
    let path = match azure {
        true => "/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21",
        false => "/v1/chat/completions",
    };
    let messages = json!([{ "role": "user", "content": "hi" }]);
    let mut body = json!({ "model": "gpt-4o", "messages": messages, "stream": stream, "n": n });
    if stream && usage {
        body["stream_options"] = json!({ "include_usage": true });
    }
    Request::post(path, body)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_three_faults_make_a_sound_plan(
        faults in prop::collection::vec(fault(), 1..4), reply in prop_oneof![3 => reply(), 1 => transcripts()],
        stream: bool, usage: bool, azure: bool, n in 1..3_u64,
    ) {
        let request = ask(azure, stream, usage, n);
        let planned = faulty(&reply, &request, &faults);
        check(&planned)?;
        prop_assert_eq!(faulty(&reply, &request, &faults), planned, "plans are functions of their inputs");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_three_faults_make_a_sound_plan_of_a_transcript_on_any_route(
        faults in prop::collection::vec(fault(), 1..4), reply in transcripts(), stream: bool,
    ) {
        let request = Request::post("/v1/messages", json!({ "max_tokens": 5, "stream": stream }));
        let planned = faulty(&reply, &request, &faults);
        check(&planned)?;
    }
}

/// Checks that faults make of a stream more than is planned, and that they are refused.
#[track_caller]
fn outgrows(reply: &Value, faults: &[&str]) {
    let faults: Vec<Fault> = faults.iter().map(|fault| fault.parse().unwrap()).collect();
    for azure in [false, true] {
        let timeline = faulty(reply, &ask(azure, true, false, 1), &faults);
        assert_eq!(timeline.head.status, 500);
        let error: Value = serde_json::from_slice(&timeline.body).expect("an error is JSON");
        assert_eq!(error["error"]["code"], "answer_too_large");
        check(&timeline).unwrap();
    }
}

#[test]
fn faults_that_multiply_each_other_beyond_measure_are_refused() {
    outgrows(&json!({ "answer": { "text": "Hello" } }), &["noise-lines:count=1000000"; 9]);
    let comment = format!("comment-heartbeat:every=1ms,text={}", "x".repeat(10_000));
    let slow = json!({ "answer": { "text": "Hello there" }, "pacing": { "ttft": "0s", "itl": "20s" } });
    outgrows(&slow, &[&comment]);
    let tiny = json!({ "script": [{ "raw": "x" }, { "raw": "y" }] });
    outgrows(&tiny, &["duplicate-event:times=10000@head"; 101]);
}

#[test]
fn a_large_event_comes_again_as_often_as_there_is_room() {
    let faults = ["event-oversize:bytes=1048577", "duplicate-event:times=20", "dribble:bytes=1"];
    let faults = faults.map(|fault| fault.parse().unwrap());
    let timeline = faulty(&json!({ "answer": { "text": "Hello" } }), &ask(false, true, false, 1), &faults);
    assert_eq!(timeline.head.status, 200);
    assert!(timeline.events.len() <= 100_001, "{}", timeline.events.len());
    check(&timeline).unwrap();
}
