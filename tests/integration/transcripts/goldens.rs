//! Golden files of replayed transcripts: head, events and times as they go out.

use serde_json::{Value, json};

use super::{anthropic, broken_body, completion, replayed, stream, untimed};
use crate::planning::golden::check;

#[test]
fn transcripts_are_replayed_with_their_heads_and_times() {
    let error = json!({ "response": {
        "at": "35ms",
        "status": 429,
        "reason": "Too Many Requests, Really",
        "headers": [["Content-Type", "application/json"], ["Content-Length", "7"], ["retry-after", "20"]],
        "body": "{ \"error\": { \"code\": \"rate_limit_exceeded\" } }"
    } });
    let mut cut = stream();
    cut["response"]["ending"] = "close".into();
    cut["response"]["events"].as_array_mut().unwrap().truncate(3);
    cut["response"]["events"][2]["raw"] = "data: {\"id\":\"chatcm".into();
    let mut reset = cut.clone();
    reset["response"]["ending"] = "reset".into();
    let paced = json!({ "pacing": { "ttft": "250ms", "itl": "20ms" } });
    let cases: [(&str, Value, Value); 12] = [
        ("stream", stream(), json!({})),
        ("stream-scaled", stream(), json!({ "pacing": { "scale": 0.5 } })),
        ("stream-at-once", stream(), json!({ "pacing": { "scale": 0 } })),
        ("stream-paced", stream(), paced.clone()),
        ("stream-untimed", untimed(), paced.clone()),
        ("stream-cut", cut, json!({})),
        ("stream-reset", reset, json!({})),
        ("anthropic", anthropic(), json!({})),
        ("json", completion(), json!({})),
        ("json-paced", completion(), paced),
        ("json-cut", broken_body(), json!({})),
        ("error", error, json!({ "headers": { "Retry-After": "2", "x-mine": "1", "date": null } })),
    ];
    for (name, transcript, over) in cases {
        check(&format!("transcript-{name}"), &replayed(&transcript, &over));
    }
}
