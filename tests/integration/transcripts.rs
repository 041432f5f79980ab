//! Replies that are transcripts: what was recorded, byte for byte and beat for beat.
//!
//! The recordings here are made up; those of real servers are in [`recorded`], where there are any.

use std::time::Duration;

use llmirage::plan::set::{FixtureSet, Hits, Source};
use llmirage::plan::{Occasion, Request, plan};
use llmirage::{Pacing, Timeline};
use serde_json::{Value, json};

mod faults;
mod goldens;
mod heads;
mod load;
mod pace;
mod recorded;
mod served;
mod watched;

/// A stream of OpenAI's, as HTTP/1.1 brought it.
fn stream() -> Value {
    let chunk = |delta: &str, finish: &str| {
        format!(
            "data: {{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\
             \"model\":\"gpt-4o-2024-08-06\",\"choices\":[{{\"index\":0,\"delta\":{delta},\"logprobs\":null,\
             \"finish_reason\":{finish}}}]}}\n\n"
        )
    };
    json!({
        "request": {
            "method": "POST",
            "path": "/v1/chat/completions",
            "headers": [["content-type", "application/json"]],
            "body": { "model": "gpt-4o", "stream": true, "messages": [{ "role": "user", "content": "Say hello" }] }
        },
        "response": {
            "at": "280ms",
            "status": 200,
            "headers": [
                ["Date", "Tue, 14 Nov 2023 22:13:20 GMT"],
                ["Content-Type", "text/event-stream; charset=utf-8"],
                ["Transfer-Encoding", "chunked"],
                ["Connection", "keep-alive"],
                ["openai-processing-ms", "251"],
                ["x-request-id", "req_1"],
                ["Set-Cookie", "a=1"],
                ["Set-Cookie", "b=2"],
                ["CF-RAY", "1-ORD"]
            ],
            "events": [
                { "at": "310ms", "raw": chunk(r#"{"role":"assistant","content":""}"#, "null") },
                { "at": "310ms", "raw": chunk(r#"{"content":"Hel"}"#, "null") },
                { "at": "345500us", "raw": chunk(r#"{"content":"lo, 望"}"#, "null") },
                { "at": "401ms", "raw": chunk(r#"{"content":"月!"}"#, "null") },
                { "at": "402ms", "raw": chunk("{}", "\"stop\"") },
                { "at": "402ms", "raw": "data: [DONE]\n\n" }
            ],
            "ends_at": "404ms"
        },
        "recorded": { "source": "hello.har, entry 1", "date": "2023-11-14", "tool": "curl" }
    })
}

/// The same without times.
fn untimed() -> Value {
    let mut transcript = stream();
    without(&mut transcript["response"], "at");
    without(&mut transcript["response"], "ends_at");
    for event in transcript["response"]["events"].as_array_mut().unwrap() {
        without(event, "at");
    }
    transcript
}

/// A completion that is no stream, of HTTP/2.
fn completion() -> Value {
    let body = "{\n  \"id\": \"chatcmpl-2\",\n  \"object\": \"chat.completion\",\n  \"choices\": [\n    {\n      \
                \"index\": 0,\n      \"message\": { \"role\": \"assistant\", \"content\": \"Hello\" },\n      \
                \"finish_reason\": \"stop\"\n    }\n  ],\n  \"usage\": { \"prompt_tokens\": 9, \
                \"completion_tokens\": 4, \"total_tokens\": 13 }\n}\n";
    json!({ "response": {
        "at": "640ms",
        "status": 200,
        "headers": [["date", "Tue, 14 Nov 2023 22:13:20 GMT"], ["content-type", "application/json"],
                    ["content-encoding", "br"], ["cf-ray", "1-ORD"]],
        "body": body,
        "ends_at": "655ms"
    } })
}

/// A stream of Anthropic's.
fn anthropic() -> Value {
    let event = |at: &str, name: &str, data: &str| {
        let raw = format!("event: {name}\ndata: {{\"type\":\"{name}\"{data}}}\n\n");
        json!({ "at": at, "raw": raw })
    };
    json!({ "response": {
        "status": 200,
        "headers": [["Content-Type", "text/event-stream"], ["request-id", "req_011"]],
        "events": [
            event("500ms", "message_start", r#","message":{"role":"assistant","content":[]}"#),
            event("500ms", "content_block_start", r#","index":0,"content_block":{"type":"text","text":""}"#),
            event("501ms", "ping", ""),
            event("520ms", "content_block_delta", r#","index":0,"delta":{"type":"text_delta","text":"Hello"}"#),
            event("560ms", "content_block_delta", r#","index":0,"delta":{"type":"text_delta","text":"!"}"#),
            event("560ms", "content_block_stop", r#","index":0"#),
            event("561ms", "message_delta", r#","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}"#),
            event("561ms", "message_stop", "")
        ]
    } })
}

/// A body that broke off before the length that its head had announced.
fn broken_body() -> Value {
    json!({ "response": {
        "status": 200,
        "headers": [["Content-Type", "application/json"], ["Content-Length", "1000"]],
        "body": "{\"id\": \"chatcmpl-3\", \"choi",
        "ending": "close"
    } })
}

fn without(object: &mut Value, key: &str) {
    object.as_object_mut().unwrap().shift_remove(key);
}

/// The body of a transcript's response.
fn body(transcript: &Value) -> String {
    let response = &transcript["response"];
    let events = response["events"].as_array().into_iter().flatten();
    let events: String = events.map(|event| event["raw"].as_str().unwrap()).collect();
    events + response["body"].as_str().unwrap_or_default()
}

fn load(file: &Value) -> Result<FixtureSet, String> {
    let source = Source::File { path: "f.json".into(), text: file.to_string() };
    FixtureSet::load(vec![source]).map_err(|errors| errors.to_string())
}

/// What a set answers first to a chat completion that asks for a stream.
fn answered(set: &FixtureSet, occasion: Occasion<'_>) -> Timeline {
    let messages = json!([{ "role": "user", "content": "hi" }]);
    let body = json!({ "model": "gpt-4o", "stream": true, "messages": messages });
    let request = Request::post("/v1/chat/completions", body);
    let candidates = set.candidates(&request).unwrap();
    let admission = set.admit(&candidates, &mut Hits::default()).unwrap();
    plan(admission.reply, &request, &occasion)
}

/// The timeline of a reply with this transcript and what is laid over it.
fn replayed(transcript: &Value, over: &Value) -> Timeline {
    let mut reply = over.clone();
    reply["transcript"] = transcript.clone();
    let file = json!({ "fixtures": [{ "name": "case", "reply": reply }] });
    answered(&load(&file).unwrap_or_else(|errors| panic!("{errors}")), Occasion::default())
}

/// When head, events and end are due, in microseconds.
fn times(timeline: &Timeline) -> Vec<u128> {
    let events = timeline.events.iter().map(|event| event.at);
    let all = std::iter::once(timeline.head.at).chain(events).chain([timeline.ends_at]);
    all.map(|at| at.as_micros()).collect()
}

const MS: Duration = Duration::from_millis(1);

#[test]
fn what_is_sent_is_the_recording_to_the_byte_whatever_was_asked() {
    for transcript in [stream(), untimed(), completion(), anthropic(), broken_body()] {
        let timeline = replayed(&transcript, &json!({}));
        assert_eq!(timeline.body, body(&transcript));
        let reply = json!({ "transcript": transcript });
        for asked in
            [json!({}), json!({ "stream": true }), json!({ "stream": true, "n": 2, "logprobs": true })]
        {
            for path in ["/v1/chat/completions", "/openai/v1/chat/completions"] {
                assert_eq!(crate::planning::planned(path, &asked, &reply), timeline, "{path} {asked}");
            }
        }
    }
}

#[test]
fn each_recorded_event_is_one_and_known_by_what_it_says() {
    let kinds = |transcript: &Value| -> Vec<String> {
        let events = replayed(transcript, &json!({})).events;
        events.iter().map(|event| format!("{:?}", event.kind).to_lowercase()).collect()
    };
    assert_eq!(kinds(&stream()), ["role", "content", "content", "content", "finish", "done"]);
    let expected = ["role", "other", "other", "content", "content", "other", "finish", "done"];
    assert_eq!(kinds(&anthropic()), expected);
    assert_eq!(kinds(&completion()), ["body"]);
}

#[test]
fn a_transcript_in_code_is_a_reply() {
    let transcript = serde_json::from_value(stream()).unwrap();
    let fixture = llmirage::Fixture::named("code");
    let fixture = fixture.reply(llmirage::Reply::transcript(transcript).pacing(Pacing::scale(2.0)));
    let set = FixtureSet::load(vec![Source::Code(fixture)]).unwrap();
    let timeline = answered(&set, Occasion::default());
    assert_eq!(timeline, replayed(&stream(), &json!({ "pacing": { "scale": 2 } })));
}
