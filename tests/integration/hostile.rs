//! Input that nobody meant well: any JSON as a request, any JSON as a fixture, any text as either.

use std::sync::LazyLock;

use bytes::Bytes;
use http::HeaderValue;
use llmirage::MockServer;
use llmirage::plan::set::{FixtureSet, Source};
use llmirage::serve::Service;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// JSON made of the words of requests and fixtures, so that it gets past the first check.
fn value() -> impl Strategy<Value = Value> {
    let word = prop::sample::select(WORDS).prop_map(Value::from);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word.clone(),
        word,
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((prop::sample::select(WORDS), inner), 0..6).prop_map(|fields| {
                let fields = fields.into_iter().map(|(key, value)| (key.to_owned(), value));
                Value::Object(fields.collect::<Map<String, Value>>())
            }),
        ]
    })
}

const WORDS: &[&str] = &[
    "role",
    "user",
    "assistant",
    "tool",
    "developer",
    "content",
    "type",
    "text",
    "image_url",
    "function",
    "name",
    "arguments",
    "id",
    "tool_calls",
    "tool_call_id",
    "stream",
    "stream_options",
    "include_usage",
    "n",
    "logprobs",
    "top_logprobs",
    "tools",
    "tool_choice",
    "functions",
    "max_tokens",
    "temperature",
    "gpt-4o",
    "gpt-5",
    "o3-mini",
    "service_tier",
    "match",
    "reply",
    "replies",
    "answer",
    "script",
    "error",
    "status",
    "headers",
    "pacing",
    "ttft",
    "itl",
    "tps",
    "20ms",
    "1h",
    "jitter",
    "uniform",
    "burst",
    "faults",
    "fault",
    "at",
    "event",
    "byte",
    "close-mid-stream",
    "wire",
    "profile",
    "2025-08",
    "filters",
    "prompt",
    "completion",
    "violence",
    "high",
    "chunking",
    "exact",
    "choices",
    "template",
    "{{ user }}",
    "regex",
    "(",
    "times",
    "after_last",
    "cycle",
    "done",
    "wait",
    "chunk",
    "raw",
    "usage",
    "models",
];

const TARGETS: &[&str] = &[
    "/v1/chat/completions",
    "/chat/completions",
    "/v1/models/x",
    "/openai/v1/chat/completions",
    "/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21",
    "/openai/deployments/gpt-5/chat/completions?api-version=",
    "/session/a/fault/close-mid-stream@event:1/v1/chat/completions",
    "/%ff/../v1//chat/completions/",
];

/// Answers a request; a panic fails the test.
fn status(target: &str, body: Bytes) -> u16 {
    static SERVICE: LazyLock<Service> = LazyLock::new(|| MockServer::builder().service().unwrap());
    let request = http::Request::post(target).header("authorization", HeaderValue::from_static("Bearer k"));
    let (timeline, _) = SERVICE.foresee(request.body(()).unwrap().into_parts().0, &body);
    assert_eq!(timeline.events.last().map_or(0, |event| event.end), timeline.body.len());
    timeline.head.status.as_u16()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_json_is_answered(target in prop::sample::select(TARGETS), body in value()) {
        let status = status(target, Bytes::from(body.to_string()));
        prop_assert!(status == 200 || (400..=404).contains(&status) || status == 405 || status == 429, "{}", status);
    }

    #[test]
    fn any_chat_is_answered(target in prop::sample::select(TARGETS), messages in value(), key in prop::sample::select(WORDS), value in value()) {
        let mut body = json!({ "model": "gpt-4o", "messages": [{ "role": "user", "content": "hello" }, messages] });
        body[key] = value;
        status(target, Bytes::from(body.to_string()));
    }

    #[test]
    fn any_text_is_answered(target in prop::sample::select(TARGETS), body in prop::collection::vec(any::<u8>(), 0..64)) {
        status(target, Bytes::from(body));
    }

    #[test]
    fn any_fixture_loads_or_every_problem_has_its_place(reply in value(), matcher in value(), key in prop::sample::select(WORDS), other in value()) {
        let mut fixture = json!({ "name": "x", "match": matcher, "reply": reply });
        fixture[key] = other;
        check_loads(json!({ "fixtures": [fixture] }).to_string());
    }

    #[test]
    fn any_reply_that_loads_can_be_planned(answer in value(), stream in any::<bool>(), n in 1..4u64) {
        let file = json!({ "fixtures": [{ "name": "x", "reply": { "answer": answer } }] }).to_string();
        let Ok(set) = FixtureSet::load(vec![Source::File { path: "x.json".into(), text: file }]) else { return Ok(()) };
        let service = MockServer::builder().fixtures(set).service().unwrap();
        let body = json!({ "model": "gpt-4o", "messages": [{ "role": "user", "content": "hi" }], "stream": stream, "n": n });
        let request = http::Request::post("/v1/chat/completions").body(()).unwrap();
        let (timeline, _) = service.foresee(request.into_parts().0, &Bytes::from(body.to_string()));
        prop_assert!(!timeline.body.is_empty());
    }

    #[test]
    fn any_file_loads_or_every_problem_has_its_place(text in ".{0,80}") {
        check_loads(text);
    }
}

fn check_loads(text: String) {
    let Err(errors) = FixtureSet::load(vec![Source::File { path: "x.json".into(), text }]) else { return };
    for error in errors.iter() {
        assert!(error.file.is_some() && error.place.is_some(), "{error:?}");
        assert!(!error.message.is_empty() && !error.message.ends_with('.'), "{error:?}");
    }
}
