//! What is replayed is recorded as it was: to the byte, and to the millisecond that tokio's timers have.

use serde_json::{Value, json};

use super::*;
use crate::MockServer;

/// Replays a transcript in front of a recorder, and gives what the recorder makes of it.
async fn again(transcript: &Value, method: &str) -> Transcript {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("x.json"), transcript.to_string()).unwrap();
    let fixtures = json!({ "fixtures": [ { "name": "x", "match": { "path": "/v1/chat/completions" }, "reply": { "transcript": "x.json" } } ] });
    std::fs::write(folder.path().join("fixtures.json"), fixtures.to_string()).unwrap();
    let service = MockServer::builder().allow_host("api.example.test").fixtures_from(folder.path()).unwrap();
    let service = service.service().unwrap();
    let taped = Taped::before(move |wire| {
        let service = service.clone();
        async move { service.serve_connection(wire.io).await }
    });
    let body = r#"{"model":"m","stream":true,"messages":[]}"#;
    taped
        .ask(&format!(
            "{method} /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
             connection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        ))
        .await;
    let mut tape = taped.tape().await;
    assert_eq!(tape.transcripts.len(), 1, "{:?}", tape.told);
    tape.transcripts.remove(0)
}

/// The response of a transcript without what is the connection's own.
fn response(transcript: &Transcript) -> Value {
    let mut value = serde_json::to_value(&transcript.response).unwrap();
    let headers = value["headers"].as_array_mut().unwrap();
    headers.retain(|header| {
        let name = header[0].as_str().unwrap().to_ascii_lowercase();
        !["connection", "transfer-encoding", "content-length", "keep-alive"].contains(&name.as_str())
    });
    value
}

async fn check(name: &str, response: Value) {
    let transcript = json!({ "response": response });
    let first = again(&transcript, "POST").await;
    let original: Transcript = serde_json::from_value(transcript).unwrap();
    assert_eq!(self::response(&first), self::response(&original), "{name}");
    // What was recorded replays as the same once more.
    let second = again(&serde_json::to_value(&first).unwrap(), "POST").await;
    assert_eq!((&second.request, &second.response), (&first.request, &first.response), "{name}");
}

#[tokio::test(start_paused = true)]
async fn what_is_replayed_is_recorded_as_it_was() {
    let stream = json!([
        ["Date", "Mon, 01 Jan 2026 00:00:00 GMT"],
        ["Content-Type", "text/event-stream; charset=utf-8"],
        ["x-request-id", "req_1"],
        ["openai-processing-ms", "212"]
    ]);
    let events = json!([
        { "at": "251ms", "raw": "data: {\"a\":1}\n\n" },
        { "at": "251ms", "raw": "data: {\"a\":2}\n\n" },
        { "at": "1.4s", "raw": ": ping\n\n" },
        { "at": "1.401s", "raw": "event: x\r\ndata: \u{671b}\u{6708}\r\n\r\n" },
        { "at": "7s", "raw": "data: [DONE]\n\n" }
    ]);
    check(
        "a stream with irregular gaps",
        json!({ "at": "240ms", "status": 200, "headers": stream, "events": events, "ends_at": "7.25s" }),
    )
    .await;
    let cut = json!([ { "at": "30ms", "raw": "data: a\n\n" }, { "at": "50ms", "raw": "data: b" } ]);
    for (ending, ends_at) in [("close", "80ms"), ("close", "50ms")] {
        let response = json!({ "at": "20ms", "status": 200, "headers": stream, "events": cut, "ending": ending, "ends_at": ends_at });
        check(&format!("a stream that ends with {ending}"), response).await;
    }
    let json_headers = json!([
        ["content-type", "application/json"],
        ["retry-after", "2"],
        ["x-ratelimit-remaining-requests", "0"]
    ]);
    let error = "{\n  \"error\": {\n    \"message\": \"Rate limit reached\",\n    \"code\": \"rate_limit_exceeded\"\n  }\n}\n";
    check(
        "an error",
        json!({ "at": "35ms", "status": 429, "headers": json_headers, "body": error, "ends_at": "36ms" }),
    )
    .await;
    check("a reason of its own", json!({ "at": "5ms", "status": 401, "reason": "PermissionDenied", "headers": [["content-type", "application/json"]], "body": "{}", "ends_at": "5ms" })).await;
    check("bytes that are no text", json!({ "at": "5ms", "status": 200, "headers": [["content-type", "audio/mpeg"]], "body": { "base64": "//8AAQ==" }, "ends_at": "9ms" })).await;
}
