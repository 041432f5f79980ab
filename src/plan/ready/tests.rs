//! Patterns are invisible, and they are used.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::plan::say::{Occasion, plan};
use crate::plan::set::{FixtureSet, Hits, Source};
use crate::plan::{Pacing, Request};

pub(crate) fn load(reply: &Value) -> FixtureSet {
    let text = json!({ "fixtures": [{ "name": "a", "reply": reply }] }).to_string();
    FixtureSet::load(vec![Source::File { path: "a.json".into(), text }]).unwrap()
}

/// Texts that look like what gaps are found by.
fn text() -> impl Strategy<Value = String> {
    let words = ["a ", "\"id\":\"", "\"created\":1767225600,", "\"obfuscation\":\"x\"", "\\\"", "望🙂", "\n"];
    prop::collection::vec(prop::sample::select(words.to_vec()), 1..6).prop_map(|words| words.concat())
}

pub(crate) fn reply() -> impl Strategy<Value = Value> {
    let call = (text(), prop::option::of(prop::sample::select(vec!["call_1", "a\"b"])));
    let call = call.prop_map(|(value, id)| json!({ "name": "f", "arguments": { "id": value }, "id": id }));
    let calls = prop::option::weighted(0.4, prop::collection::vec(call, 1..3));
    let profiles = ["2023-03", "2023-11", "2024-02", "2024-10", "2025-05", "2025-08", "2026-02", "2026-09"];
    let profile = prop::option::of(prop::sample::select(profiles.to_vec()));
    let id = prop::option::weighted(0.2, prop::sample::select(vec!["chatcmpl-1", "\"", ""]));
    let mode = prop::sample::select(vec!["default", "asynchronous", "off"]);
    let usage = prop::option::weighted(0.2, 0..20_u64);
    let given = prop::option::weighted(0.1, Just(json!({ "id": "x", "created": 1 })));
    let times = (prop::option::of(Just("20ms")), any::<bool>());
    (prop::option::of(text()), calls, profile, id, mode, usage, given, times).prop_map(
        |(text, calls, profile, id, mode, usage, given, (itl, jitter))| {
            let text = text.or_else(|| calls.is_none().then(|| "Hello there.".to_owned()));
            let mut calls = json!(calls);
            let calls_with_no_id = calls.as_array_mut().into_iter().flatten().filter(|call| call["id"].is_null());
            calls_with_no_id.for_each(|call| drop(call.as_object_mut().unwrap().remove("id")));
            let answer = json!({
                "text": text, "tool_calls": calls, "usage": usage.map(|prompt| json!({ "prompt_tokens": prompt })),
            });
            let pacing = json!({ "itl": itl, "jitter": (jitter && itl.is_some()).then(|| json!({ "uniform": 0.2 })) });
            let mut reply = json!({
                "answer": answer, "wire": { "profile": profile, "id": id },
                "filters": { "mode": mode, "results": given }, "pacing": pacing,
            });
            without_nulls(&mut reply);
            reply
        },
    )
}

fn without_nulls(value: &mut Value) {
    if let Value::Object(object) = value {
        object.retain(|_, value| !value.is_null());
        object.values_mut().for_each(without_nulls);
    }
}

pub(crate) fn request() -> impl Strategy<Value = Request> {
    let path = prop::sample::select(vec![
        "/v1/chat/completions",
        "/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21",
        "/openai/deployments/gpt-4o/chat/completions?api-version=2023-05-15",
    ]);
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    let rare = (prop::bool::weighted(0.1), prop::bool::weighted(0.2));
    (path, "[a-z ]{0,30}", flags, rare).prop_map(
        |(path, text, (stream, usage, hide, functions), (two, logprobs))| {
            let mut body = json!({
                "model": "gpt-4o", "stream": stream, "messages": [{ "role": "user", "content": text }],
                "n": if two { 2 } else { 1 }, "logprobs": logprobs,
                "stream_options": { "include_usage": usage, "include_obfuscation": hide },
            });
            if functions {
                body["functions"] = json!([{ "name": "f" }]);
            }
            Request::post(path, body)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn answers_are_the_same_with_and_without(
        reply in reply(),
        requests in prop::collection::vec(request(), 1..3),
        order in prop::collection::vec((0..3_usize, 0..3_u64, any::<bool>()), 4..10),
    ) {
        let set = load(&reply);
        for (hit, (request, later, slow)) in order.into_iter().enumerate() {
            let request = &requests[request % requests.len()];
            let candidates = set.candidates(request).unwrap();
            let reply = set.admit(&candidates, &mut Hits::default()).unwrap().reply;
            let pacing = if slow { Pacing::itl(std::time::Duration::from_secs(1)) } else { Pacing::default() };
            let now = 1_767_225_600 + later;
            let occasion = Occasion { fixture: "a", hit: hit as u64, now, pacing, ..Occasion::default() };
            let expected = plan(&reply.clone(), request, &occasion);
            prop_assert_eq!(plan(reply, request, &occasion), expected);
        }
    }
}

#[test]
fn what_is_asked_for_twice_becomes_a_pattern() {
    for (stream, n, expected) in [(true, 1, [0, 0, 1, 1]), (false, 1, [0, 0, 1, 1]), (true, 2, [0; 4])] {
        let set = load(&json!("Hello there."));
        let body = json!({
            "model": "gpt-4o", "stream": stream, "n": n, "messages": [{ "role": "user", "content": "hi" }],
        });
        let request = Request::post("/v1/chat/completions", body);
        let mut hits = Hits::default();
        let patterns = expected.map(|_| {
            let candidates = set.candidates(&request).unwrap();
            let admission = set.admit(&candidates, &mut hits).unwrap();
            let before = admission.reply.ready.patterns();
            plan(admission.reply, &request, &Occasion { hit: admission.hit, ..Occasion::default() });
            before
        });
        assert_eq!(patterns, expected, "{stream} {n}");
    }
}

#[test]
fn a_reply_keeps_so_many_patterns() {
    let set = load(&json!("Hello there."));
    let mut patterns = 0;
    for model in (0..20).flat_map(|index| [index; 2]) {
        let body = json!({ "model": format!("m{model}"), "messages": [{ "role": "user", "content": "hi" }] });
        let request = Request::post("/v1/chat/completions", body);
        let candidates = set.candidates(&request).unwrap();
        let reply = set.admit(&candidates, &mut Hits::default()).unwrap().reply;
        plan(reply, &request, &Occasion::default());
        patterns = reply.ready.patterns();
    }
    assert_eq!(patterns, super::MOST);
}
