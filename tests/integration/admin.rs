//! The admin API, the journal behind it, and who may use it.

use std::sync::{Arc, Mutex};

use llmirage::MockServer;
use llmirage::plan::FixtureSet;
use llmirage::plan::set::Source;
use llmirage::plan::timeline::Ending;
use llmirage::serve::{Outcome, Service};
use serde_json::{Value, json};

use crate::raw::{self, ask, chat, get, once, stream};

fn service() -> Service {
    let text = r#"{"fixtures":[{"name":"any","match":{"user":{"regex":"^[^u]"}},"reply":"one two three"}]}"#;
    let source = Source::File { path: "any.json".into(), text: text.to_owned() };
    MockServer::builder().fixtures(FixtureSet::load(vec![source]).unwrap()).service().unwrap()
}

fn unmatched() -> String {
    chat(
        "/v1/chat/completions",
        "",
        r#"{"model":"gpt-4o","messages":[{"role":"user","content":"unmatched"}]}"#,
    )
}

async fn requests(service: &Service, query: &str) -> Vec<Value> {
    let answer = once(service, &get(&format!("/__admin/requests{query}"))).await;
    assert_eq!(answer.status(), 200, "{}", answer.body);
    answer.json()["requests"].as_array().unwrap().clone()
}

async fn reset(service: &Service, query: &str) {
    let request =
        format!("POST /__admin/reset{query} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(once(service, &request).await.json(), json!({ "status": "reset" }));
}

#[tokio::test(start_paused = true)]
async fn health_is_ok_and_no_request_of_the_journal() {
    let service = service();
    let answer = once(&service, &get("/health")).await;
    assert_eq!(answer.json()["status"], "ok");
    assert_eq!(once(&service, &get("/health").replace("GET", "HEAD")).await.status(), 200);
    assert_eq!(once(&service, &get("/health").replace("GET", "PUT")).await.status(), 405);
    assert!(service.journal().entries().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_request_is_listed_with_what_answered_it_and_how_it_ended() {
    let service = service();
    let extra = "x-stainless-retry-count: 2\r\nUser-Agent: test\r\n";
    once(&service, &chat("/session/a/v1/chat/completions?x=1", extra, raw::ASK)).await;
    let entry = requests(&service, "").await.remove(0);
    let events = entry["events_planned"].as_u64().unwrap();
    assert!(events >= 3);
    let expected = json!({
        "id": 1, "session": "a", "method": "POST", "path": "/v1/chat/completions?x=1", "dialect": "openai",
        "endpoint": "chat.completions", "model": "gpt-4o",
        "headers": { "host": "localhost", "x-stainless-retry-count": "2", "user-agent": "test",
            "content-length": raw::ASK.len().to_string() },
        "body": serde_json::from_str::<Value>(raw::ASK).unwrap(), "body_bytes": raw::ASK.len(), "retry": 2,
        "status": 200, "hit": 1, "unmatched": false,
            "refusal": null, "faults": [], "events_planned": events, "events_sent": events,
        "outcome": { "kind": "completed", "events": events }, "fixture": entry["fixture"].clone(),
        "at_ms": entry["at_ms"].clone(), "duration_ms": entry["duration_ms"].clone(),
    });
    assert_eq!(entry, expected);
    assert!(entry["fixture"].is_string());
}

#[tokio::test(start_paused = true)]
async fn the_list_is_filtered_by_session_by_match_and_by_number() {
    let service = service();
    for session in ["a", "b", "a"] {
        once(&service, &chat(&format!("/session/{session}/v1/chat/completions"), "", raw::ASK)).await;
    }
    once(&service, &unmatched()).await;
    let ids = async |query: &str| {
        let requests = requests(&service, query).await;
        requests.iter().map(|entry| entry["id"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(ids("").await, [1, 2, 3, 4]);
    assert_eq!(ids("?session=a").await, [1, 3]);
    assert_eq!(ids("?session=").await, [4]);
    assert_eq!(ids("?unmatched=true").await, [4]);
    assert_eq!(ids("?unmatched").await, [4]);
    assert_eq!(ids("?unmatched=false&limit=2").await, [2, 3]);
    assert_eq!(ids("?limit=0").await, [0; 0]);
    let own = once(&service, &get("/session/b/__admin/requests")).await.json();
    assert_eq!(own["requests"].as_array().unwrap().len(), 1);
    for query in ["?limit=x", "?unmatched=maybe", "?sesion=a"] {
        let answer = once(&service, &get(&format!("/__admin/requests{query}"))).await;
        assert_eq!(answer.status(), 400, "{query}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_reset_forgets_hits_and_requests_of_one_session_or_of_all() {
    let service = service();
    let hit = async |session: &str| {
        once(&service, &chat(&format!("/session/{session}/v1/chat/completions"), "", raw::ASK)).await;
        service.journal().entries().last().unwrap().hit.unwrap()
    };
    assert_eq!((hit("a").await, hit("a").await, hit("b").await), (1, 2, 1));
    reset(&service, "?session=a").await;
    assert_eq!(requests(&service, "").await.len(), 1);
    assert_eq!((hit("a").await, hit("b").await), (1, 2));
    reset(&service, "").await;
    assert!(requests(&service, "").await.is_empty());
    assert_eq!((hit("a").await, hit("b").await), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn secrets_are_gone_before_anything_is_stored() {
    let service = service();
    let secret = "sk-proj-0123456789abcdef0123";
    let names = [
        "Authorization",
        "api-key",
        "x-api-key",
        "Ocp-Apim-Subscription-Key",
        "Cookie",
        "Proxy-Authorization",
        "x-any",
    ];
    let extra: String = names.iter().map(|name| format!("{name}: Bearer {secret}\r\n")).collect();
    let body = raw::ASK.replace("hi", secret);
    once(&service, &chat(&format!("/v1/chat/completions?api-key=very-secret&x={secret}"), &extra, &body))
        .await;
    let listed = once(&service, &get("/__admin/requests")).await.body;
    let debugged = format!("{:?}", service.journal().entries());
    for stored in [listed, debugged] {
        assert!(!stored.contains("0123456789abcdef") && !stored.contains("very-secret"), "{stored}");
        assert!(stored.contains("[redacted]"));
    }
}

#[tokio::test(start_paused = true)]
async fn secrets_in_a_session_a_refusal_or_an_escape_are_not_stored_either() {
    let service = service();
    let secret = "sk-proj-0123456789abcdef0123";
    let body = |model: &str| {
        format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":"u {secret}"}}]}}"#)
    };
    once(&service, &chat(&format!("/session/{secret}/v1/chat/completions"), "", &body("gpt-4o"))).await;
    once(&service, &chat("/v1/chat/completions", "", &body(r"s\u006b-0123456789abcdef0123"))).await;
    once(&service, &chat("/v1/chat/completions", "", r#"{"password":"hunter2"}"#)).await;
    once(&service, &chat(&format!("/fault/trailers:value={secret}/v1/chat/completions"), "", "{}")).await;
    // Beyond what is kept of a body, a key would be cut and no longer be recognized.
    let filled = format!("\"{}{secret}\"", " ".repeat(64 * 1024 - 12));
    once(&service, &chat("/v1/chat/completions", "", &filled)).await;
    let entries = service.journal().settled(5).await;
    assert!(entries[0].refusal.as_ref().unwrap().contains("[redacted]"), "{:?}", entries[0].refusal);
    assert_eq!(service.journal().session(secret).entries().len(), 1);
    for entry in entries {
        let stored = format!("{entry:?}");
        assert!(!stored.contains("0123456") && !stored.contains("hunter2"), "{stored}");
        assert!(!entry.body.contains("sk-"), "{}", &entry.body[entry.body.len() - 40..]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_long_is_cut_before_it_is_stored() {
    let service = service();
    let long = "x".repeat(3000);
    let extra: String = (0..15).map(|index| format!("x-{index}: {long}\r\n")).collect();
    let body = format!(r#"{{"model":"{long}","messages":[{{"role":"user","content":"u{long}"}}]}}"#);
    once(&service, &chat(&format!("/v1/chat/completions?x={long}"), &extra, &body)).await;
    let entry = service.journal().settled(1).await.remove(0);
    assert_eq!((entry.path.len(), entry.model.len()), (1024, 1024));
    assert!(entry.refusal.unwrap().len() <= 1024);
    assert!(entry.headers.values().all(|value| value.len() <= 1024));
    let total: usize = entry.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    assert!((14 * 1024..=16 * 1024).contains(&total), "{total}");
    let mut client = raw::connect(&service, 64 * 1024);
    let request = chat(&format!("/fault/garbage:bytes={long}/v1/chat/completions"), "", raw::ASK);
    tokio::io::AsyncWriteExt::write_all(&mut client, request.as_bytes()).await.unwrap();
    raw::reads(&mut client).await;
    assert_eq!(service.journal().settled(2).await.remove(1).faults[0].len(), 1024);
}

#[tokio::test(start_paused = true)]
async fn who_listens_is_told_of_each_outcome_even_if_the_journal_has_forgotten_the_request() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&seen);
    let service = MockServer::builder()
        .timeline(stream(&[(0, "one"), (500, "two")], Ending::Complete))
        .journal_limit(1)
        .on_settled(move |entry| told.lock().unwrap().push((entry.id, entry.outcome)))
        .service()
        .unwrap();
    let mut clients =
        [raw::connect(&service, 1024), raw::connect(&service, 1024), raw::connect(&service, 1024)];
    for client in &mut clients {
        tokio::io::AsyncWriteExt::write_all(client, ask().as_bytes()).await.unwrap();
        raw::settle().await;
    }
    reset(&service, "").await;
    for client in &mut clients {
        assert_eq!(raw::answer(client, false).await.body, "onetwo");
    }
    let mut seen = seen.lock().unwrap().clone();
    seen.sort_by_key(|(id, _)| *id);
    let completed = Outcome::Completed { events: 2 };
    assert_eq!(seen, [(1, completed), (2, completed), (3, completed)]);
}

#[tokio::test(start_paused = true)]
async fn pages_of_other_origins_and_simple_forms_are_refused() {
    let service = service();
    let post = |extra: &str, body: &str| chat("/__admin/reset", extra, body);
    let cases = [
        (get("/__admin/requests"), 200),
        (get("/__admin/requests").replace("\r\n\r\n", "\r\nOrigin: http://evil.test\r\n\r\n"), 403),
        (get("/__admin/requests").replace("\r\n\r\n", "\r\nOrigin: null\r\n\r\n"), 403),
        (get("/__admin/requests").replace("\r\n\r\n", "\r\nOrigin: http://localhost\r\n\r\n"), 200),
        (get("/__admin/requests").replace("\r\n\r\n", "\r\nOrigin: http://localhost:3000\r\n\r\n"), 403),
        (post("Origin: http://evil.test\r\nContent-Type: application/json\r\n", "{}"), 403),
        (post("Content-Type: text/plain\r\n", "{}"), 415),
        (post("", "a=b"), 415),
        (post("Content-Type: application/json; charset=utf-8\r\n", "{}"), 200),
        (post("", ""), 200),
        (post("Content-Type: application/json\r\n", ""), 200),
        (post("Content-Type: text/plain\r\n", ""), 415),
        (post("Content-Type: application/json\r\nContent-Type: text/plain\r\n", "{}"), 415),
        (post("Sec-Fetch-Site: cross-site\r\n", ""), 403),
        (post("Sec-Fetch-Site: same-site\r\n", ""), 403),
        (post("Sec-Fetch-Site: same-origin\r\n", ""), 200),
        (post("Sec-Fetch-Site: none\r\n", ""), 200),
        (get("/__admin/reset"), 405),
        (get("/__admin/requests").replace("GET", "POST"), 405),
        (get("/__admin"), 404),
        (get("/__admin/else"), 404),
    ];
    for (request, expected) in cases {
        let answer = once(&service, &request).await;
        assert_eq!(answer.status(), expected, "{request}");
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
    let preflight = "OPTIONS /__admin/reset HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.test\r\nAccess-Control-Request-Method: POST\r\n\r\n";
    assert_eq!(once(&service, preflight).await.status(), 403);
}

#[tokio::test(start_paused = true)]
async fn an_admin_token_is_wanted_where_one_is_set() {
    let service = MockServer::builder().admin_token("t0ken").service().unwrap();
    let status = async |authorization: &str| {
        let request = get("/__admin/requests").replace("\r\n\r\n", &format!("\r\n{authorization}\r\n\r\n"));
        once(&service, &request).await.status()
    };
    assert_eq!(status("x: y").await, 401);
    assert_eq!(status("Authorization: Bearer wrong").await, 401);
    assert_eq!(status("Authorization: t0ken").await, 401);
    assert_eq!(status("Authorization: Bearer t0ken").await, 200);
    assert_eq!(once(&service, &get("/health")).await.status(), 200);
}

#[tokio::test(start_paused = true)]
async fn the_journal_is_bounded_in_entries_and_in_bytes() {
    let service = MockServer::builder().journal_limit(3).timeline(raw::json(200, "{}")).service().unwrap();
    for _ in 0..5 {
        once(&service, &chat("/v1/chat/completions", "", &format!("\"{}\"", "x".repeat(100_000)))).await;
    }
    let entries = service.journal().settled(100).await;
    assert_eq!(entries.iter().map(|entry| entry.id).collect::<Vec<_>>(), [3, 4, 5]);
    assert!(entries.iter().all(|entry| entry.body.len() == 64 * 1024 && entry.body_bytes == 100_002));
    assert_eq!(entries[0].json(), None);
}

#[tokio::test(start_paused = true)]
async fn settled_waits_for_the_last_event_and_the_callback_sees_each_entry_once() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let ids = Arc::clone(&seen);
    let service = MockServer::builder()
        .timeline(stream(&[(0, "one"), (500, "two")], Ending::Complete))
        .on_settled(move |entry| ids.lock().unwrap().push((entry.id, entry.outcome)))
        .service()
        .unwrap();
    let journal = service.journal().session("a");
    let mut client = raw::connect(&service, 1024);
    let request = chat("/session/a/v1/chat/completions", "", raw::ASK);
    let (answer, running, settled) = tokio::join!(
        raw::exchange(&mut client, &request),
        async {
            raw::settle().await;
            journal.entries()
        },
        journal.settled(1)
    );
    assert_eq!(answer.body, "onetwo");
    assert_eq!(running[0].outcome, Outcome::Running);
    let completed = Outcome::Completed { events: 2 };
    assert_eq!((settled[0].id, settled[0].outcome), (1, completed));
    assert_eq!(settled[0].duration.unwrap().as_millis(), 500);
    assert_eq!(*seen.lock().unwrap(), [(1, completed)]);
    assert!(service.journal().session("b").entries().is_empty());
}

#[tokio::test(start_paused = true)]
async fn requests_that_are_refused_are_listed_too() {
    let service = service();
    once(&service, &ask().replace("/v1/", "/v2/")).await;
    once(&service, &unmatched()).await;
    once(&service, &chat("/v1/chat/completions", "", "{")).await;
    let entries = service.journal().settled(3).await;
    let listed: Vec<_> =
        entries.iter().map(|entry| (entry.status.as_u16(), entry.unmatched, &entry.fixture)).collect();
    assert_eq!(listed, [(404, false, &None), (404, true, &None), (400, false, &None)]);
}
