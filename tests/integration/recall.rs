//! A request that came before, byte for byte, is not read again; nobody can tell.

use std::time::Duration;

use llmirage::plan::fixture::AfterLast;
use llmirage::plan::limits::Per;
use llmirage::serve::{Builder, Service};
use llmirage::{Fixture, Limit, Matcher, MockServer, Pacing, Reply};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::Instant;

use crate::raw::{self, chat, connect, get, settle};

const CHAT: &str = "/v1/chat/completions";
const AZURE: &str = "/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21";

fn builder() -> Builder {
    let when = |name: &str| Fixture::named(name).when(Matcher::user_contains(name));
    let [one, two] = ["One.", "Two."].map(Reply::text);
    MockServer::builder()
        .fixture(when("few").reply(Reply::text("Few.")).times(3))
        .fixture(when("turns").reply(one.clone()).reply(two.clone()).after_last(AfterLast::Cycle))
        .fixture(when("pass").reply(one).reply(two).after_last(AfterLast::Pass))
        .fixture(when("call").reply(Reply::tool_call("look", serde_json::json!({ "at": "id" }))))
        .fixture(when("error").reply(Reply::error(503)))
        .fixture(when("rest").reply(Reply::text("Whatever \"id\":\"you\" say, it is this.")))
        .limit(Limit::per(Per::Session).requests_per_minute(4).when(Matcher::model("limited")))
        .pacing(Pacing::itl(Duration::from_millis(7)))
        .api_key("sk-right")
}

fn body(user: &str, stream: bool) -> String {
    format!(r#"{{"model":"gpt-4o","stream":{stream},"messages":[{{"role":"user","content":"{user}"}}]}}"#)
}

/// Requests, and whether the connection outlives them.
fn requests() -> Vec<(String, bool)> {
    let key = "Authorization: Bearer sk-right\r\n";
    let with = |path: &str, extra: &str, body: &str| chat(path, &format!("{key}{extra}"), body);
    let plain = |user, stream| with(CHAT, "", &body(user, stream));
    let users = ["few", "turns", "pass", "call", "error", "rest", "nobody"];
    let kept = users.into_iter().flat_map(|user| [plain(user, true), plain(user, false)]).chain([
        with(AZURE, "x-ms-client-request-id: 1\r\n", &body("rest", true)),
        with(AZURE, "", &body("call", false)),
        with("/session/a/v1/chat/completions", "", &body("rest", true)),
        with("/fault/rate-limit:attempt=2/v1/chat/completions", "", &body("rest", false)),
        with(CHAT, "Origin: http://localhost:3000\r\n", &body("rest", true)),
        with(CHAT, "", &body("rest", true).replace("}]", r#"}],"stream_options":{"include_usage":true}"#)),
        with(CHAT, "", &body("rest", true).replace("}]", "}],\"n\":2")),
        with(CHAT, "", "{"),
        chat(CHAT, "", &body("rest", true)),
        chat(CHAT, "Authorization: Bearer sk-wrong\r\n", &body("rest", true)),
        get("/v1/models").replace("Host", &format!("{key}Host")),
        get("/health"),
    ]);
    let ended = [
        with(CHAT, "Connection: close\r\n", &body("rest", true)),
        plain("rest", true).replace("HTTP/1.1", "HTTP/1.0"),
        with("/fault/close-mid-stream/v1/chat/completions", "", &body("rest", true)),
    ];
    kept.map(|request| (request, true)).chain(ended.map(|request| (request, false))).collect()
}

/// Sends a request, whole or in parts; what came, and when.
async fn ask(client: &mut DuplexStream, parts: &[&str], kept: bool) -> (String, Duration) {
    let start = Instant::now();
    for part in parts {
        client.write_all(part.as_bytes()).await.unwrap();
        settle().await;
    }
    let answer = match kept {
        true => {
            let answer = raw::answer(client, false).await;
            answer.head + &answer.body
        }
        false => {
            let mut answer = String::new();
            client.read_to_string(&mut answer).await.unwrap();
            answer
        }
    };
    (answer, start.elapsed())
}

/// The journal, without the times at which requests came.
fn journal(service: &Service) -> Vec<serde_json::Value> {
    let mut entries: Vec<_> =
        service.journal().entries().iter().map(|entry| serde_json::to_value(entry).unwrap()).collect();
    entries.iter_mut().for_each(|entry| entry["at_ms"] = serde_json::Value::Null);
    entries
}

#[tokio::test(start_paused = true)]
async fn what_comes_whole_is_answered_as_what_comes_in_parts() {
    let [whole, parts] = [(); 2].map(|()| builder().service().unwrap());
    let [mut whole_client, mut parts_client] = [&whole, &parts].map(|service| connect(service, 1 << 20));
    for round in 0..5 {
        for (request, kept) in requests() {
            // Nothing is known that came in parts.
            let (first, last) = request.split_at(20);
            let answers = [
                ask(&mut whole_client, &[&request], kept).await,
                ask(&mut parts_client, &[first, last], kept).await,
            ];
            assert_eq!(answers[0], answers[1], "{round} {request}");
            if !kept {
                [whole_client, parts_client] = [&whole, &parts].map(|service| connect(service, 1 << 20));
            }
        }
    }
    assert_eq!(journal(&whole), journal(&parts));
}

#[tokio::test(start_paused = true)]
async fn requests_that_come_in_one_piece_are_answered_one_by_one() {
    let service = builder().service().unwrap();
    let mut client = connect(&service, 1 << 20);
    let key = "Authorization: Bearer sk-right\r\n";
    // More than is read at once.
    let long = "x".repeat(1500);
    let request = chat(CHAT, &format!("{key}x-long: {long}\r\n"), &body("rest", false));
    client.write_all(request.repeat(40).as_bytes()).await.unwrap();
    for _ in 0..40 {
        assert_eq!(raw::answer(&mut client, false).await.status(), 200);
    }
    let hits = service.journal().entries().into_iter().map(|entry| entry.hit);
    assert!(hits.eq((1..=40).map(Some)));
}
