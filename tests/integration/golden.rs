//! Golden files: the whole response, byte for byte and beat for beat, per feature and dialect.
//!
//! A changed golden is a changed contract. `UPDATE_GOLDEN=1 cargo test golden` rewrites them.

use serde_json::{Value, json};

use crate::planning::golden::check;
use crate::planning::planned;

const OPENAI: &str = "/v1/chat/completions";
const AZURE: &str = "/openai/deployments/gpt-4o-mini/chat/completions?api-version=2024-10-21";
const AZURE_V1: &str = "/openai/v1/chat/completions";

#[test]
fn answers_in_every_shape() {
    let stream = json!({ "stream": true });
    let usage = json!({ "stream": true, "stream_options": { "include_usage": true } });
    let whole = json!({});
    let hello = json!("Hello, 望月!");
    let tools = json!([tool("get_weather"), tool("get_time")]);
    let forced = json!({ "type": "function", "function": { "name": "get_weather" } });
    let call =
        json!({ "answer": { "tool_calls": [{ "name": "get_weather", "arguments": { "city": "Paris" } }] } });
    let calls = json!({ "answer": { "tool_calls": [
        { "name": "get_weather", "arguments": { "city": "San Francisco" } },
        { "name": "get_time", "arguments": { "zone": "CET" } },
    ] } });
    let functions = json!([{ "name": "get_weather", "parameters": {} }]);
    let text_and_call = json!({ "answer": { "text": "Let me see.", "tool_calls": [{ "name": "get_weather", "arguments": { "city": "Paris" } }] } });
    let refusal = json!({ "answer": { "refusal": "I'm sorry." } });
    let think = json!({ "answer": { "text": "42", "reasoning": "Six times seven." } });
    let several = json!({ "answer": { "choices": [{ "text": "One, two, three." }, { "text": "Un, deux, trois, quatre." }] } });
    let cases: Vec<(&str, Value, &Value)> = vec![
        ("text", stream.clone(), &hello),
        ("text-usage", usage.clone(), &hello),
        ("text-json", whole.clone(), &hello),
        ("tool-call", with(&stream, "tools", &tools), &call),
        ("tool-call-forced", with(&with(&usage, "tools", &tools), "tool_choice", &forced), &call),
        ("tool-call-json", with(&whole, "tools", &tools), &call),
        ("tool-calls", with(&usage, "tools", &tools), &calls),
        ("tool-calls-json", with(&whole, "tools", &tools), &calls),
        ("function", with(&stream, "functions", &functions), &call),
        ("function-json", with(&whole, "functions", &functions), &call),
        ("function-after-text", with(&stream, "functions", &functions), &text_and_call),
        ("function-after-text-json", with(&whole, "functions", &functions), &text_and_call),
        ("tool-call-after-text", with(&usage, "tools", &tools), &text_and_call),
        ("refusal", usage.clone(), &refusal),
        ("refusal-json", whole.clone(), &refusal),
        ("logprobs", with(&with(&usage, "logprobs", &json!(true)), "top_logprobs", &json!(2)), &hello),
        ("logprobs-json", with(&whole, "logprobs", &json!(true)), &hello),
        ("reasoning", with(&usage, "model", &json!("gpt-5-mini")), &think),
        ("choices", with(&usage, "n", &json!(2)), &several),
        ("choices-json", with(&whole, "n", &json!(2)), &several),
    ];
    for (name, body, reply) in cases {
        for (dialect, path) in [("openai", OPENAI), ("azure", AZURE_V1)] {
            check(&format!("{dialect}-{name}"), &planned(path, &body, reply));
        }
    }
}

#[test]
fn shapes_of_every_age() {
    let usage = json!({ "stream": true, "stream_options": { "include_usage": true } });
    for profile in ["2023-03", "2023-08", "2024-02", "2024-10", "2024-12", "2025-06", "2025-08"] {
        let reply = json!({ "answer": { "text": "Hi!" }, "wire": { "profile": profile } });
        check(&format!("openai-profile-{profile}"), &planned(OPENAI, &usage, &reply));
        check(&format!("openai-profile-{profile}-json"), &planned(OPENAI, &json!({}), &reply));
    }
    for profile in ["2023-07", "2024-04", "2025-11", "2026-03", "2026-10"] {
        let reply = json!({ "answer": { "text": "Hi!" }, "wire": { "profile": profile } });
        check(&format!("azure-profile-{profile}"), &planned(AZURE, &usage, &reply));
        check(&format!("azure-profile-{profile}-json"), &planned(AZURE, &json!({}), &reply));
    }
    let old = AZURE.replace("2024-10-21", "2023-05-15");
    check("azure-api-version-2023-05-15", &planned(&old, &usage, &json!("Hi!")));
    let four_one = AZURE.replace("gpt-4o-mini", "gpt-4.1");
    check("azure-gpt-4.1", &planned(&four_one, &usage, &json!("Hi!")));
}

#[test]
fn overrides_of_the_envelope() {
    let reply = json!({
        "answer": { "text": "Hi!", "finish_reason": "length", "usage": { "prompt_tokens": 7, "completion_tokens": 3 } },
        "status": 203,
        "headers": { "x-request-id": "req_mine", "openai-organization": null, "x-extra": "1" },
        "wire": { "id": "chatcmpl-mine", "created": 1, "model": "mine", "system_fingerprint": null, "service_tier": null,
                  "obfuscation": false, "logprobs_null": false },
    });
    let usage = json!({ "stream": true, "stream_options": { "include_usage": true } });
    check("openai-overrides", &planned(OPENAI, &usage, &reply));
    check("azure-overrides", &planned(AZURE, &usage, &reply));
}

#[test]
fn content_filters() {
    let stream = json!({ "stream": true, "stream_options": { "include_usage": true } });
    let text = "One two three four.";
    let cases = [
        ("off", json!({ "mode": "off" })),
        ("low", json!({ "prompt": { "violence": "low" } })),
        ("blocked", json!({ "prompt": { "self_harm": "medium", "jailbreak": "filtered" } })),
        ("completion", json!({ "completion": { "custom_blocklists": ["words"] } })),
        ("completion-after", json!({ "completion": { "violence": "high" }, "after": 2 })),
        ("asynchronous", json!({ "mode": "asynchronous" })),
        (
            "asynchronous-after-stop",
            json!({ "mode": "asynchronous", "completion": { "protected_material_text": "filtered" } }),
        ),
        (
            "asynchronous-hit",
            json!({ "mode": "asynchronous", "completion": { "protected_material_text": "filtered" }, "after": 2 }),
        ),
    ];
    for (name, filters) in cases {
        let reply = json!({ "answer": { "text": text }, "filters": filters });
        check(&format!("azure-filter-{name}"), &planned(AZURE, &stream, &reply));
        check(&format!("azure-filter-{name}-json"), &planned(AZURE, &json!({}), &reply));
    }
    let long = "word ".repeat(60);
    let reply =
        json!({ "answer": { "text": long, "chunking": "word" }, "filters": { "mode": "asynchronous" } });
    check("azure-filter-asynchronous-long", &planned(AZURE, &stream, &reply));
}

#[test]
fn scripts_send_exactly_their_steps() {
    let script = json!({ "script": [
        { "prompt_filter": { "hate": "low" } },
        { "role": "assistant" },
        { "reasoning": "Hm." },
        { "text": "Hel" },
        { "wait": "2s" },
        { "text": "lo" },
        { "refusal": "No." },
        { "comment": "keep-alive" },
        { "tool_call": { "index": 0, "id": "call_1", "name": "f", "arguments": "" } },
        { "tool_call": { "index": 0, "arguments": "{}" } },
        { "delta": { "content": null, "z": 1, "a": 2 } },
        { "content_filter": { "results": { "violence": "safe" }, "offsets": { "check_offset": 1, "start_offset": 2, "end_offset": 3 } } },
        { "finish": "stop" },
        { "usage": { "prompt_tokens": 1, "completion_tokens": 2 } },
        { "chunk": { "id": "x", "choices": [], "weird": [1.5, "é"] } },
        { "event": { "event": "ping", "id": "7", "retry": 3000, "data": "two\nlines" } },
        { "raw": "data: raw\r\n\r\n" },
        { "raw": { "base64": "//4=" } },
        "done"
    ] });
    for (dialect, path) in [("openai", OPENAI), ("azure", AZURE)] {
        check(&format!("{dialect}-script"), &planned(path, &json!({ "stream": true }), &script));
        check(&format!("{dialect}-script-json"), &planned(path, &json!({}), &script));
    }
    let counted = json!({ "script": [{ "role": "assistant" }, { "text": "Hello there my friend" }, { "finish": "stop" }, { "usage": {} }, "done"] });
    check("openai-script-usage", &planned(OPENAI, &json!({ "stream": true }), &counted));
    let chunks = json!({ "script": [
        { "chunk": { "choices": [{ "index": 0, "delta": { "role": "assistant", "content": "Hel" }, "finish_reason": null }] } },
        { "delta": { "content": "lo" } },
        { "delta": { "tool_calls": [{ "index": 0, "id": "call_1", "function": { "name": "f", "arguments": "{" } }] } },
        { "delta": { "tool_calls": [{ "index": 0, "function": { "arguments": "}" } }] } },
        { "chunk": { "choices": [{ "index": 0, "delta": {}, "finish_reason": "tool_calls" }] } },
        "done"
    ] });
    check("openai-script-chunks", &planned(OPENAI, &json!({ "stream": true }), &chunks));
    check("openai-script-chunks-json", &planned(OPENAI, &json!({}), &chunks));
    let cut = json!({ "script": [{ "role": "assistant" }, { "text": "Hel" }, { "fault": { "fault": "close-mid-stream" } }, { "text": "lo" }, "done"] });
    check("openai-script-fault", &planned(OPENAI, &json!({ "stream": true }), &cut));
}

#[test]
fn paces_and_cuts() {
    let stream = json!({ "stream": true });
    let paced =
        |pacing: Value| json!({ "answer": { "text": "a b c d e f", "chunking": "word" }, "pacing": pacing });
    let cases = [
        ("ttft-itl", json!({ "ttft": "250ms", "itl": "20ms" })),
        ("head", json!({ "head": "100ms", "ttft": "250ms", "itl": "20ms" })),
        ("tps", json!({ "tps": 40 })),
        ("burst", json!({ "itl": "20ms", "burst": 3 })),
        ("uniform", json!({ "itl": "20ms", "jitter": { "uniform": 0.2 } })),
        ("normal", json!({ "itl": "20ms", "jitter": { "normal": "5ms" } })),
        ("lognormal", json!({ "jitter": { "lognormal": { "p50": "20ms", "p95": "60ms" } } })),
        ("exponential", json!({ "itl": "20ms", "jitter": "exponential" })),
        ("hold", json!({ "ttft": "2m", "itl": "90s" })),
    ];
    for (name, pacing) in cases {
        check(&format!("pacing-{name}"), &planned(OPENAI, &stream, &paced(pacing)));
    }
    check("pacing-json", &planned(OPENAI, &json!({}), &paced(json!({ "ttft": "250ms", "itl": "20ms" }))));
    let places = [
        ("event", json!({ "event": 3 })),
        ("event-byte", json!({ "event": 3, "byte": 12 })),
        ("from-the-end", json!({ "event": -1 })),
        ("head", json!("head")),
        ("finish", json!({ "event": "finish" })),
        ("byte", json!({ "byte": 100 })),
        ("end", json!("end")),
    ];
    for (name, at) in places {
        let reply =
            json!({ "answer": { "text": "a b c" }, "faults": [{ "fault": "close-mid-stream", "at": at }] });
        check(&format!("close-{name}"), &planned(OPENAI, &stream, &reply));
    }
}

#[test]
fn an_answer_too_large_to_plan_is_refused() {
    let long = json!({ "answer": { "text": "word ".repeat(2500), "chunking": "word" } });
    let body = json!({ "stream": true, "n": 128, "logprobs": true, "top_logprobs": 20 });
    check("openai-too-large", &planned(OPENAI, &body, &long));
    let one_piece =
        json!({ "answer": { "text": "word ".repeat(200_000), "chunking": { "chars": 1_000_000 } } });
    check("openai-too-large-text", &planned(OPENAI, &json!({ "n": 128 }), &one_piece));
    // A script without a stream becomes one answer, which a request multiplies just so.
    let body = json!({ "n": 128, "logprobs": true, "top_logprobs": 20 });
    let script = json!({ "script": [{ "text": "word ".repeat(2500) }, { "finish": "stop" }] });
    check("openai-too-large-script-json", &planned(OPENAI, &body, &script));
}

#[test]
fn errors_in_the_dialects_own_shape() {
    let errors = [
        ("401", json!({ "status": 401 })),
        ("404", json!({ "status": 404 })),
        ("429", json!({ "status": 429, "code": "rate_limit_exceeded", "retry_after": "2s" })),
        ("429-quota", json!({ "status": 429, "code": "insufficient_quota" })),
        ("429-raw", json!({ "status": 429, "retry_after": "Wed, 21 Oct 2026 07:28:00 GMT" })),
        ("500", json!({ "status": 500 })),
        ("503", json!({ "status": 503 })),
        (
            "custom",
            json!({ "status": 418, "code": "teapot", "type": "tea", "message": "short and stout", "param": "handle" }),
        ),
        ("body-text", json!({ "status": 502, "body": "<html>bad gateway</html>" })),
        ("body-json", json!({ "status": 400, "body": { "b": 1, "a": [2] } })),
    ];
    for (name, error) in errors {
        let reply = json!({ "error": error });
        check(&format!("openai-error-{name}"), &planned(OPENAI, &json!({ "stream": true }), &reply));
        check(&format!("azure-error-{name}"), &planned(AZURE, &json!({}), &reply));
    }
}

#[test]
fn templates_are_rendered_over_the_request() {
    let reply = json!({ "answer": { "text": "{{ user | upper }} to {{ model }}, hit {{ hit }}, turn {{ turn }}", "template": true, "chunking": "word" } });
    check("template", &planned(OPENAI, &json!({ "stream": true }), &reply));
    let failing = json!({ "answer": { "text": "{{ user.nothing.at.all() }}", "template": true } });
    check("template-fails", &planned(OPENAI, &json!({ "stream": true }), &failing));
}

fn tool(name: &str) -> Value {
    json!({ "type": "function", "function": { "name": name, "parameters": { "type": "object", "properties": {} } } })
}

fn with(body: &Value, key: &str, value: &Value) -> Value {
    let mut body = body.clone();
    body[key] = value.clone();
    body
}
