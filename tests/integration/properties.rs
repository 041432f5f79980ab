//! Properties of every plan, over answers, paces and faults nobody thought of.

use std::time::Duration;

use llmirage::Timeline;
use llmirage::plan::timeline::{Ending, EventKind};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::planning::planned;

fn path() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        Just("/v1/chat/completions"),
        Just("/openai/v1/chat/completions"),
        Just("/openai/deployments/gpt-5-mini/chat/completions?api-version=2024-10-21"),
        Just("/openai/deployments/gpt-4/chat/completions?api-version=2023-05-15"),
    ]
}

fn reply() -> impl Strategy<Value = Value> {
    let text = "[ -~é望👩\\n\"\\\\]{0,40}";
    let content = prop_oneof![
        text.prop_map(|text| json!({ "text": text })),
        text.prop_map(|text| json!({ "refusal": text })),
        (text, text).prop_map(|(a, b)| json!({ "choices": [{ "text": a }, { "text": b }] })),
        (text, 1..4usize).prop_map(|(text, calls)| {
            json!({ "tool_calls": vec![json!({ "name": "f", "arguments": { "x": text } }); calls] })
        }),
    ];
    let chunking = prop_oneof![
        Just(json!("token")),
        Just(json!("word")),
        Just(json!("char")),
        Just(json!({ "chars": 3 }))
    ];
    let jitter = prop_oneof![
        Just(json!({ "uniform": 0.9 })),
        Just(json!({ "normal": "30ms" })),
        Just(json!("exponential"))
    ];
    let pacing = (0..500u64, 0..50u64, jitter, 1..5usize).prop_map(|(ttft, itl, jitter, burst)| {
        json!({ "ttft": format!("{ttft}ms"), "itl": format!("{itl}ms"), "jitter": jitter, "burst": burst })
    });
    let profile =
        prop_oneof![Just("2023-03"), Just("2023-11"), Just("2024-06"), Just("2025-08"), Just("2026-10")];
    let filters = prop_oneof![
        4 => Just(json!({})),
        1 => Just(json!({ "mode": "asynchronous" })),
        1 => Just(json!({ "completion": { "violence": "high" }, "after": 1 })),
        1 => Just(json!({ "mode": "asynchronous", "completion": { "hate": "medium" }, "after": 1 })),
        1 => Just(json!({ "mode": "off" })),
    ];
    let usage = prop::option::of(0..(1u64 << 53));
    (content, chunking, pacing, profile, filters, usage).prop_map(|parts| {
        let (mut answer, chunking, pacing, profile, filters, usage) = parts;
        if answer.get("choices").is_none() {
            answer["chunking"] = chunking;
        }
        if let Some(tokens) = usage {
            answer["usage"] = json!({ "prompt_tokens": tokens, "completion_tokens": tokens });
        }
        json!({ "answer": answer, "pacing": pacing, "filters": filters, "wire": { "profile": profile } })
    })
}

fn body() -> impl Strategy<Value = Value> {
    (any::<bool>(), any::<bool>(), 1..4u64, any::<bool>(), any::<bool>()).prop_map(|parts| {
        let (stream, usage, n, logprobs, functions) = parts;
        let mut body = json!({ "stream": stream, "n": n });
        if stream && usage {
            body["stream_options"] = json!({ "include_usage": true });
        }
        if logprobs {
            body["logprobs"] = json!(true);
        }
        if functions {
            body["functions"] = json!([{ "name": "f" }]);
        }
        body
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn plans_are_functions_of_their_inputs(path in path(), body in body(), reply in reply()) {
        prop_assert_eq!(planned(path, &body, &reply), planned(path, &body, &reply));
    }

    #[test]
    fn events_cover_the_body_in_order_and_never_go_back_in_time(path in path(), body in body(), reply in reply()) {
        let timeline = planned(path, &body, &reply);
        let ends: Vec<usize> = timeline.events.iter().map(|event| event.end).collect();
        let times: Vec<Duration> = timeline.events.iter().map(|event| event.at).collect();
        prop_assert!(ends.is_sorted_by(|before, after| before < after));
        prop_assert!(times.is_sorted());
        prop_assert_eq!(ends.last().copied(), Some(timeline.body.len()));
        prop_assert!(timeline.head.at <= times[0]);
    }

    #[test]
    fn every_event_is_one_line_of_json_framed_as_all_clients_accept(path in path(), mut body in body(), reply in reply()) {
        body["stream"] = json!(true);
        let timeline = planned(path, &body, &reply);
        // Old backends refuse what they did not know yet.
        prop_assume!(timeline.head.status == 200);
        for index in 0..timeline.events.len() {
            let bytes = timeline.event_bytes(index);
            let text = std::str::from_utf8(&bytes).expect("events are UTF-8");
            let data = text.strip_prefix("data: ").expect("one space after the colon").trim_end_matches('\n');
            prop_assert!(!data.contains('\n'));
            if timeline.events[index].kind == EventKind::Done {
                prop_assert_eq!(data, "[DONE]");
                continue;
            }
            prop_assert!(text.ends_with("\n\n") && !text.ends_with("\n\n\n"));
            let chunk: Value = serde_json::from_str(data).expect("data is JSON");
            prop_assert!(chunk["choices"].as_array().expect("there are choices").len() <= 1);
            prop_assert!(chunk.get("error").is_none());
        }
        prop_assert_eq!(timeline.events.last().map(|event| event.kind), Some(EventKind::Done));
    }

    #[test]
    fn obfuscation_makes_every_payload_one_mod_sixteen(mut body in body(), reply in reply()) {
        body["stream"] = json!(true);
        let mut reply = reply;
        reply["wire"]["profile"] = json!("2025-08");
        let timeline = planned("/v1/chat/completions", &body, &reply);
        for index in 0..timeline.events.len() - 1 {
            let bytes = timeline.event_bytes(index);
            let payload = std::str::from_utf8(&bytes[6..bytes.len() - 2]).expect("events are UTF-8");
            prop_assert_eq!(payload.chars().count() % 16, 1, "{}", payload);
        }
    }

    #[test]
    fn what_is_said_is_what_the_fixture_says(path in path(), text in "[ -~é望👩\\n]{0,60}", n in 1..4u64) {
        let timeline = planned(path, &json!({ "stream": true, "n": n }), &json!({ "answer": { "text": text } }));
        for choice in 0..n {
            prop_assert_eq!(said(&timeline, choice), text.clone());
        }
    }

    #[test]
    fn a_cut_leaves_exactly_the_bytes_before_it(path in path(), body in body(), mut reply in reply(), place in 0..3000usize) {
        let whole = planned(path, &body, &reply);
        reply["faults"] = json!([{ "fault": "close-mid-stream", "at": { "byte": place } }]);
        let cut = planned(path, &body, &reply);
        prop_assert_eq!(&cut.body[..], &whole.body[..place.min(whole.body.len())]);
        prop_assert_eq!(&cut.head, &whole.head);
        prop_assert_eq!(cut.ending, Ending::Close);
        prop_assert_eq!(cut.events.last().map_or(0, |event| event.end), cut.body.len());
    }
}

/// The text of a choice, put together as a client does.
fn said(timeline: &Timeline, choice: u64) -> String {
    let mut text = String::new();
    for index in 0..timeline.events.len() {
        let bytes = timeline.event_bytes(index);
        let Ok(chunk) = serde_json::from_slice::<Value>(&bytes[6..]) else {
            continue;
        };
        for found in
            chunk["choices"].as_array().into_iter().flatten().filter(|found| found["index"] == choice)
        {
            text.push_str(found["delta"]["content"].as_str().unwrap_or_default());
        }
    }
    text
}
