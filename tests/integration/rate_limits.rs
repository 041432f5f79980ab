//! Limits of fixture files: who is let through, who is not, and whether who waits as told is served. On a
//! paused clock over in-memory connections.

use std::time::Duration;

use bytes::Bytes;
use llmirage::plan::limits::Per;
use llmirage::plan::set::{FixtureSet, Source};
use llmirage::serve::{Service, Unmatched};
use llmirage::{Fixture, Limit, Matcher, MockServer, Reply, Timeline};
use serde_json::{Value, json};

use crate::planning::golden;
use crate::raw::{self, Answer, chat, get, once};

const OPENAI: &str = "/v1/chat/completions";
const AZURE: &str = "/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21";

fn service(limits: Value) -> Service {
    let file = json!({ "limits": limits, "fixtures": [{ "name": "any", "reply": "Hi." }] });
    let source = Source::File { path: "limits.json".into(), text: file.to_string() };
    let set = FixtureSet::load(vec![source]).unwrap_or_else(|errors| panic!("{errors}"));
    MockServer::builder().fixtures(set).service().unwrap()
}

fn ask(path: &str) -> String {
    chat(path, "Authorization: Bearer one\r\n", raw::ASK)
}

async fn status(service: &Service, request: &str) -> u16 {
    once(service, request).await.status()
}

async fn statuses(service: &Service, requests: &[String]) -> Vec<u16> {
    let mut statuses = Vec::new();
    for request in requests {
        statuses.push(status(service, request).await);
    }
    statuses
}

fn number(answer: &Answer, header: &str) -> u64 {
    let value = answer.header(header).unwrap_or_else(|| panic!("no {header} in {}", answer.head));
    value.parse().unwrap_or_else(|_| panic!("{header}: {value}"))
}

fn message(answer: &Answer) -> String {
    answer.json()["error"]["message"].as_str().unwrap().to_owned()
}

async fn pass(time: Duration) {
    tokio::time::advance(time).await;
}

#[tokio::test(start_paused = true)]
async fn every_answer_says_what_the_bucket_has() {
    let service = service(json!([{ "per": "key", "requests_per_minute": 3, "tokens_per_minute": 60 }]));
    for (remaining, reset) in [("2", "20s"), ("1", "40s"), ("0", "1m0s")] {
        let answer = once(&service, &ask(OPENAI)).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.header("x-ratelimit-limit-requests"), Some("3"));
        assert_eq!(answer.header("x-ratelimit-remaining-requests"), Some(remaining));
        assert_eq!(answer.header("x-ratelimit-reset-requests"), Some(reset));
        assert_eq!(answer.header("x-ratelimit-limit-tokens"), Some("60"));
    }
    let answer = once(&service, &ask(OPENAI)).await;
    assert_eq!(answer.status(), 429);
    assert_eq!(
        message(&answer),
        "Rate limit reached for gpt-4o in organization org-llmirage0000000000000000 on requests per min (RPM): \
         Limit 3, Used 3, Requested 1. Please try again in 20s. Visit \
         https://platform.openai.com/account/rate-limits to learn more."
    );
    let error = &answer.json()["error"];
    assert_eq!((&error["type"], &error["code"]), (&json!("requests"), &json!("rate_limit_exceeded")));
    assert_eq!((number(&answer, "retry-after"), number(&answer, "retry-after-ms")), (20, 20_000));
    assert_eq!(answer.header("x-ratelimit-remaining-requests"), Some("0"));
    assert_eq!(answer.header("x-ratelimit-reset-requests"), Some("1m0s"));
    // "hi" and its quotes are 4 characters, 2 tokens; the refused request took none.
    assert_eq!(answer.header("x-ratelimit-remaining-tokens"), Some("54"));
}

#[tokio::test(start_paused = true)]
async fn who_waits_as_told_is_served_and_who_comes_earlier_is_not() {
    for path in [OPENAI, AZURE] {
        // 7 a minute: a time that is no whole number of milliseconds.
        let service = service(json!([{ "per": "key", "requests_per_minute": 7 }]));
        for taken in 0..7 {
            assert_eq!(status(&service, &ask(path)).await, 200, "{path} {taken}");
            pass(Duration::from_micros(700)).await;
        }
        for _ in 0..3 {
            let refused = once(&service, &ask(path)).await;
            let wait = number(&refused, "retry-after-ms");
            assert_eq!(refused.status(), 429);
            assert_eq!(number(&refused, "retry-after"), wait.div_ceil(1000), "{path}");
            pass(Duration::from_millis(wait - 1)).await;
            let early = once(&service, &ask(path)).await;
            assert_eq!((early.status(), number(&early, "retry-after-ms")), (429, 1), "{path}");
            pass(Duration::from_millis(1)).await;
            assert_eq!(status(&service, &ask(path)).await, 200, "{path}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_reset_is_when_the_bucket_is_full() {
    let service = service(json!([{ "per": "key", "requests_per_minute": 3 }]));
    assert_eq!(statuses(&service, &vec![ask(OPENAI); 4]).await, [200, 200, 200, 429]);
    pass(Duration::from_secs(60)).await;
    assert_eq!(statuses(&service, &vec![ask(OPENAI); 4]).await, [200, 200, 200, 429]);
    pass(Duration::from_secs(3600)).await;
    assert_eq!(statuses(&service, &vec![ask(OPENAI); 4]).await, [200, 200, 200, 429]);
}

#[tokio::test(start_paused = true)]
async fn azure_names_the_same_time_in_words_and_headers() {
    let service =
        service(json!([{ "per": "deployment", "requests_per_minute": 7, "tokens_per_minute": 7000 }]));
    for _ in 0..7 {
        assert_eq!(status(&service, &ask(AZURE)).await, 200);
    }
    let refused = once(&service, &ask(AZURE)).await;
    assert_eq!(refused.status(), 429);
    assert_eq!(refused.json()["error"]["code"], "RateLimitReached");
    assert_eq!(
        message(&refused),
        "Your requests to gpt-4o for gpt-4o in East US 2 have exceeded the call rate limit for your current \
         AIServices S0 pricing tier. This request was for ChatCompletions_Create under Azure OpenAI API version \
         2024-10-21. Please retry after 9 seconds. To increase your default rate limit, visit: \
         https://aka.ms/oai/quotaincrease."
    );
    assert_eq!(number(&refused, "retry-after"), 9);
    assert_eq!(number(&refused, "retry-after-ms"), 8_572);
    assert_eq!(number(&refused, "x-ratelimit-reset-requests"), 9);
    assert_eq!(number(&refused, "x-ratelimit-limit-requests"), 7);
    assert_eq!(number(&refused, "x-ratelimit-remaining-requests"), 0);
    assert_eq!(number(&refused, "x-ratelimit-limit-tokens"), 7_000);
    assert_eq!(number(&refused, "x-ratelimit-remaining-tokens"), 6_986);
    assert_eq!(refused.header("x-ratelimit-type"), Some("Requests"));
}

#[tokio::test(start_paused = true)]
async fn tokens_run_out_by_the_limiters_estimate() {
    let service = service(json!([{ "per": "key", "tokens_per_minute": 60 }]));
    // 99 characters and two quotes: 1 + 101 / 4.
    let body = raw::ASK.replace("hi", &"x".repeat(99));
    let request = |path| chat(path, "", &body);
    let first = once(&service, &request(OPENAI)).await;
    assert_eq!(first.header("x-ratelimit-remaining-tokens"), Some("34"));
    assert_eq!(first.header("x-ratelimit-reset-tokens"), Some("26s"));
    assert_eq!(status(&service, &request(OPENAI)).await, 200);
    let refused = once(&service, &request(OPENAI)).await;
    assert_eq!(refused.status(), 429);
    assert!(
        message(&refused)
            .contains("tokens per min (TPM): Limit 60, Used 52, Requested 26. Please try again in 18s.")
    );
    assert_eq!(refused.json()["error"]["type"], "tokens");
    assert_eq!(refused.header("x-ratelimit-remaining-tokens"), Some("8"));
    assert_eq!(refused.header("x-ratelimit-reset-tokens"), Some("52s"));
    // What is smaller still fits.
    assert_eq!(status(&service, &ask(OPENAI).replace("Authorization: Bearer one\r\n", "")).await, 200);
    let azure = once(&service, &request(AZURE)).await;
    assert!(message(&azure).contains("exceeded the token rate limit"));
    assert_eq!((number(&azure, "retry-after"), azure.header("x-ratelimit-type")), (20, Some("Tokens")));
}

#[tokio::test(start_paused = true)]
async fn a_request_larger_than_the_bucket_is_told_so_and_not_to_wait() {
    let service = service(json!([{ "per": "key", "tokens_per_minute": 25 }]));
    let body = raw::ASK.replace("hi", &"x".repeat(99));
    let refused = once(&service, &chat(OPENAI, "", &body)).await;
    assert_eq!(refused.status(), 429);
    assert_eq!(
        message(&refused),
        "Request too large for gpt-4o in organization org-llmirage0000000000000000 on tokens per min (TPM): \
         Limit 25, Requested 26. The input or output tokens must be reduced in order to run successfully. Visit \
         https://platform.openai.com/account/rate-limits to learn more."
    );
    assert_eq!((refused.header("retry-after"), refused.header("retry-after-ms")), (None, None));
    assert_eq!(refused.header("x-ratelimit-remaining-tokens"), Some("25"));
    assert_eq!(refused.header("x-ratelimit-reset-tokens"), Some("0s"));
    let refused = once(&service, &chat(AZURE, "", &body)).await;
    assert_eq!((refused.status(), number(&refused, "retry-after")), (429, 60));
}

/// Two requests to the first of `paths` use up its bucket of one; the others have buckets of their own.
async fn check_isolation(per: &str, requests: [String; 2]) {
    let service = service(json!([{ "per": per, "requests_per_minute": 1 }]));
    let [one, other] = requests;
    assert_eq!(
        statuses(&service, &[one.clone(), one.clone(), other.clone(), other, one]).await,
        [200, 429, 200, 429, 429],
        "{per}"
    );
}

#[tokio::test(start_paused = true)]
async fn each_key_deployment_model_and_session_has_a_bucket_of_its_own() {
    let with = |header: &str| chat(OPENAI, header, raw::ASK);
    check_isolation("key", [with("Authorization: Bearer one\r\n"), with("Authorization: Bearer two\r\n")])
        .await;
    check_isolation("key", [with("api-key: one\r\n"), with("")]).await;
    check_isolation("session", [with("x-llmirage-session: a\r\n"), with("")]).await;
    check_isolation("session", [ask(&format!("/session/a{OPENAI}")), ask(&format!("/session/b{OPENAI}"))])
        .await;
    check_isolation("deployment", [ask(AZURE), ask(&AZURE.replace("gpt-4o", "gpt-4o-eu"))]).await;
    let mini = chat(OPENAI, "", &raw::ASK.replace("gpt-4o", "gpt-4o-mini"));
    check_isolation("model", [ask(OPENAI), mini.clone()]).await;
    check_isolation("deployment", [ask(OPENAI), mini]).await;
}

#[tokio::test(start_paused = true)]
async fn deployments_of_one_model_share_the_models_bucket() {
    let service = service(json!([{ "per": "model", "requests_per_minute": 1 }]));
    let requests = [AZURE, &AZURE.replace("gpt-4o", "gpt-4o-eu"), &AZURE.replace("gpt-4o", "my-gpt-4.1")];
    assert_eq!(statuses(&service, &requests.map(ask)).await, [200, 429, 200]);
}

#[tokio::test(start_paused = true)]
async fn only_what_matches_counts_and_every_limit_that_matches_does() {
    let service = service(json!([
        { "match": { "user": "hi" }, "per": "model", "requests_per_minute": 2 },
        { "match": { "stream": true }, "per": "model", "requests_per_minute": 3 },
    ]));
    let hi = ask(OPENAI);
    let other = chat(OPENAI, "", &raw::ASK.replace("\"hi\"", "\"lo\""));
    let free = chat(OPENAI, "", &raw::ASK.replace("\"hi\"", "\"lo\"").replace("true", "false"));
    let first = once(&service, &hi).await;
    assert_eq!(first.header("x-ratelimit-limit-requests"), Some("2"), "the tighter of the two");
    assert_eq!(statuses(&service, &[hi.clone(), hi.clone(), other.clone()]).await, [200, 429, 200]);
    assert_eq!(statuses(&service, &[other, free.clone(), free]).await, [429, 200, 200]);
}

#[tokio::test(start_paused = true)]
async fn a_refused_request_is_no_hit_and_not_unmatched() {
    let once_only = Fixture::named("twice").reply(Reply::text("First.")).reply(Reply::text("Second."));
    let service = MockServer::builder()
        .fixture(once_only)
        .limit(Limit::per(Per::Key).requests_per_minute(1))
        .service()
        .unwrap();
    assert_eq!(statuses(&service, &vec![ask(OPENAI); 3]).await, [200, 429, 429]);
    pass(Duration::from_secs(60)).await;
    assert!(once(&service, &ask(OPENAI)).await.body.contains("Second"));
    let entries = service.journal().entries();
    let refused = &entries[1];
    assert_eq!((refused.status.as_u16(), &refused.fixture, refused.hit), (429, &None, None));
    assert!(!refused.unmatched);
    assert!(refused.refusal.as_ref().unwrap().starts_with("Rate limit reached for gpt-4o"));
    assert_eq!(entries[3].hit, Some(2));
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_or_answered_otherwise_takes_nothing() {
    let fixture = Fixture::named("hi").when(Matcher::user_contains("hi")).reply(Reply::text("Hi."));
    let builder = || {
        let limit = Limit::per(Per::Model).requests_per_minute(1);
        MockServer::builder().api_key("one").fixture(fixture.clone()).limit(limit)
    };
    let service = builder().service().unwrap();
    let unmatched = ask(OPENAI).replace("\"hi\"", "\"lo\"");
    let invalid = chat(OPENAI, "Authorization: Bearer one\r\n", r#"{"model":"gpt-4o"}"#);
    let key = "Authorization: Bearer one\r\n";
    let models = get("/v1/models").replace("\r\n\r\n", &format!("\r\n{key}\r\n"));
    let requests =
        [chat(OPENAI, "", raw::ASK), unmatched.clone(), invalid.clone(), models.clone(), ask(OPENAI)];
    assert_eq!(statuses(&service, &requests).await, [401, 404, 400, 200, 200]);
    // The validator's answer shows the bucket all the same; the list of models has none.
    let answer = once(&service, &invalid).await;
    assert_eq!(answer.header("x-ratelimit-limit-requests"), Some("1"));
    assert_eq!(answer.header("x-ratelimit-remaining-requests"), Some("0"));
    assert_eq!(once(&service, &models).await.header("x-ratelimit-limit-requests"), None);
    let service = builder().unmatched(Unmatched::Echo).service().unwrap();
    assert_eq!(statuses(&service, &[unmatched.clone(), unmatched]).await, [200, 200]);
}

#[tokio::test(start_paused = true)]
async fn a_reset_fills_the_buckets_of_all_or_those_of_a_session() {
    let limits = json!([{ "per": "session", "requests_per_minute": 1 }]);
    let service = service(limits);
    let (a, b) = (ask(&format!("/session/a{OPENAI}")), ask(&format!("/session/b{OPENAI}")));
    assert_eq!(statuses(&service, &[a.clone(), b.clone(), a.clone()]).await, [200, 200, 429]);
    let reset = |query: &str| {
        format!("POST /__admin/reset{query} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
    };
    assert_eq!(statuses(&service, &[reset("?session=a"), a.clone(), b.clone()]).await, [200, 200, 429]);
    assert_eq!(statuses(&service, &[reset(""), a, b]).await, [200, 200, 200]);
}

#[tokio::test(start_paused = true)]
async fn a_set_that_is_loaded_again_goes_on_with_its_buckets() {
    let set = || {
        let file = json!({ "limits": [{ "per": "key", "requests_per_minute": 1 }],
                           "fixtures": [{ "name": "any", "reply": "Hi." }] });
        FixtureSet::load(vec![Source::File { path: "f.json".into(), text: file.to_string() }]).unwrap()
    };
    // The server's own limit is equal to the file's, and is one of its own nevertheless.
    let limit = Limit::per(Per::Key).requests_per_minute(1);
    let server = MockServer::builder().fixtures(set()).limit(limit).start().await.unwrap();
    let ask = ask(OPENAI).replace("localhost", &server.address().to_string());
    let status = |answer: Answer| answer.status();
    assert_eq!(status(raw::over_tcp(server.address(), &ask).await), 200);
    server.replace_fixtures(set());
    assert_eq!(status(raw::over_tcp(server.address(), &ask).await), 429);
    server.replace_fixtures(FixtureSet::embedded());
    assert_eq!(status(raw::over_tcp(server.address(), &ask).await), 429, "the server's own limit stays");
    server.shutdown().await;
}

#[tokio::test]
async fn requests_at_once_are_counted_exactly() {
    let limit = Limit::per(Per::Key).requests_per_minute(20);
    let server = MockServer::builder().limit(limit).start().await.unwrap();
    let (address, ask) = (server.address(), ask(OPENAI));
    let tasks: Vec<_> = (0..60)
        .map(|_| {
            let ask = ask.clone();
            tokio::spawn(async move { raw::over_tcp(address, &ask).await.status() })
        })
        .collect();
    let mut served = 0;
    for task in tasks {
        served += usize::from(task.await.unwrap() == 200);
    }
    // One is back every three seconds; a machine that takes so long may have served one more.
    let more = server.journal().entries().iter().map(|entry| entry.at.as_millis() / 3_000).max().unwrap();
    assert!((20..=20 + usize::try_from(more).unwrap()).contains(&served), "{served}");
    server.shutdown().await;
}

/// The answer to the request after so many others at the same moment.
fn after(taken: usize, path: &str, limits: &Value) -> Timeline {
    let service = service(limits.clone());
    let body = Bytes::from(raw::ASK);
    let mut foreseen = None;
    for _ in 0..=taken {
        let (head, ()) = http::Request::post(path).body(()).unwrap().into_parts();
        foreseen = Some(service.foresee(head, &body).0);
    }
    foreseen.unwrap()
}

#[test]
fn goldens_of_limits() {
    let limits = json!([{ "per": "key", "requests_per_minute": 3, "tokens_per_minute": 1000 }]);
    let tokens = json!([{ "per": "key", "requests_per_minute": 100, "tokens_per_minute": 7 }]);
    let small = json!([{ "per": "key", "tokens_per_minute": 1 }]);
    let old = AZURE.replace("2024-10-21", "2023-05-15");
    for (dialect, path) in [("openai", OPENAI), ("azure", AZURE), ("azure-2023-05-15", &old)] {
        golden::check(&format!("{dialect}-limits-under"), &after(1, path, &limits));
        golden::check(&format!("{dialect}-limits-requests"), &after(3, path, &limits));
        golden::check(&format!("{dialect}-limits-tokens"), &after(3, path, &tokens));
        golden::check(&format!("{dialect}-limits-too-large"), &after(0, path, &small));
    }
}

#[test]
fn what_is_foreseen_does_not_depend_on_when() {
    let limits = json!([{ "per": "key", "requests_per_minute": 7 }]);
    let timelines: Vec<Timeline> = (0..3).map(|_| after(7, OPENAI, &limits)).collect();
    assert!(timelines.iter().all(|timeline| timeline.head == timelines[0].head));
    assert_eq!(timelines[0].head.status, 429);
}

#[test]
fn a_limit_in_code_that_cannot_be_is_refused_at_the_start() {
    let error = MockServer::builder().limit(Limit::per(Per::Key)).service().unwrap_err();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(source, "/limits/0: a limit needs `requests_per_minute` or `tokens_per_minute`");
}
