//! The scenarios that are built in, played to the end: statuses, bytes and endings over the attempts, in
//! the dialects that a client may speak. In memory, on a paused clock.

use std::time::Duration;

use bytes::Bytes;
use llmirage::plan::scenario::Scenario;
use llmirage::plan::timeline::{Ending, Reuse};
use llmirage::serve::{MockServer, Service};
use llmirage::{Fixture, Reply};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

use crate::raw::{self, chat, connect};

mod events;
mod incidents;

/// The paths of the dialects below the scope.
const PATHS: [&str; 2] =
    ["/v1/chat/completions", "/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21"];

/// What a client saw of one attempt.
#[derive(Debug)]
struct Seen {
    status: u16,
    head: String,
    /// The body as on the wire, transfer encoding included.
    raw: Vec<u8>,
    /// The chunks of the body, or all of it in one.
    chunks: Vec<Vec<u8>>,
    /// Whether the body ended as HTTP wants it.
    complete: bool,
    /// When the first byte came, and the end, in milliseconds from the request.
    first: u128,
    took: u128,
    /// How it was planned to end.
    ending: Ending,
}

impl Seen {
    fn body(&self) -> String {
        String::from_utf8_lossy(&self.chunks.concat()).into_owned()
    }

    fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.into_iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    fn is_stream(&self) -> bool {
        self.header("content-type").is_some_and(|kind| kind.starts_with("text/event-stream"))
    }
}

fn server() -> Service {
    MockServer::builder().service().unwrap()
}

/// Asks a scenario so many times, each on a connection of its own that ends with the answer.
async fn ask(scenario: &str, path: &str, body: &str, attempts: usize) -> Vec<Seen> {
    let (service, twin) = (server(), server());
    let path = format!("/fault/scenario:{scenario}{path}");
    let mut all = Vec::new();
    for _ in 0..attempts {
        let (head, _) = http::Request::post(&path).body(()).unwrap().into_parts();
        let ending = twin.foresee(head, &Bytes::copy_from_slice(body.as_bytes())).0.ending;
        let mut client = connect(&service, 64 * 1024);
        let start = Instant::now();
        client.write_all(chat(&path, "Connection: close\r\n", body).as_bytes()).await.unwrap();
        let (bytes, first) = rest(&mut client, start).await;
        all.push(seen(&bytes, first, start.elapsed().as_millis(), ending));
    }
    all
}

/// Asks in each dialect for a stream; `check` sees the attempts.
async fn each(scenario: &str, attempts: usize, check: impl Fn(&[Seen])) {
    for path in PATHS {
        check(&ask(scenario, path, raw::ASK, attempts).await);
    }
}

/// Everything until the connection ends, and when the first byte came.
async fn rest(io: &mut (impl AsyncRead + Unpin), start: Instant) -> (Vec<u8>, u128) {
    let (mut bytes, mut first) = (Vec::new(), None);
    let mut buffer = vec![0; 64 * 1024];
    // A reset is an end, too.
    while let Ok(count @ 1..) = io.read(&mut buffer).await {
        first.get_or_insert(start.elapsed().as_millis());
        bytes.extend_from_slice(&buffer[..count]);
    }
    (bytes, first.unwrap_or_default())
}

fn seen(bytes: &[u8], first: u128, took: u128, ending: Ending) -> Seen {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").map_or(bytes.len(), |end| end + 4);
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let raw = bytes[end..].to_vec();
    let status = head.get(9..12).and_then(|status| status.parse().ok()).unwrap_or_default();
    let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
    let (chunks, complete) = if chunked { chunks(&raw) } else { (vec![raw.clone()], true) };
    Seen { status, head, raw, chunks, complete, first, took, ending }
}

/// The chunks of a body, and whether the last one came.
fn chunks(mut rest: &[u8]) -> (Vec<Vec<u8>>, bool) {
    let mut chunks = Vec::new();
    while let Some(line) = rest.windows(2).position(|two| two == b"\r\n") {
        let size =
            std::str::from_utf8(&rest[..line]).ok().and_then(|size| usize::from_str_radix(size, 16).ok());
        match size {
            Some(0) => return (chunks, true),
            Some(size) if rest.len() >= line + size + 4 => {
                chunks.push(rest[line + 2..line + 2 + size].to_vec());
                rest = &rest[line + size + 4..];
            }
            _ => break,
        }
    }
    (chunks, false)
}

#[tokio::test(start_paused = true)]
async fn every_scenario_answers_any_request_in_any_dialect() {
    let plain = r#"{"model":"a-model-of-mine","messages":[{"role":"user","content":"hi"}]}"#;
    for scenario in Scenario::all() {
        for path in PATHS {
            for body in [raw::ASK, plain] {
                let seen = ask(scenario.name(), path, body, 2).await;
                for seen in seen {
                    assert!(seen.status >= 200 && seen.status != 404, "{scenario} {path}: {seen:?}");
                    assert!(seen.took <= 120_000, "{scenario} {path}: {}", seen.took);
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_journal_names_the_fixture_of_the_scenario_and_the_session_counts_it() {
    let service = server();
    let path = "/session/a/fault/scenario:quota-wall/v1/chat/completions";
    for hit in 1..=2 {
        assert_eq!(raw::once(&service, &chat(path, "", raw::ASK)).await.status(), 429);
        let entries = service.journal().entries();
        let entry = entries.last().unwrap();
        assert_eq!(entry.fixture.as_deref(), Some("scenario:quota-wall/no quota"));
        assert_eq!((entry.session.as_str(), entry.hit), ("a", Some(hit)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_scenario_is_chosen_by_url_by_header_and_for_the_whole_server() {
    let status = async |service: &Service, path: &str, extra: &str| {
        raw::once(service, &chat(path, extra, raw::ASK)).await.status()
    };
    let path = "/v1/chat/completions";
    let plain = server();
    assert_eq!(status(&plain, path, "").await, 200);
    assert_eq!(status(&plain, &format!("/fault/scenario:quota-wall{path}"), "").await, 429);
    assert_eq!(status(&plain, path, "x-llmirage-fault: scenario:quota-wall\r\n").await, 429);
    let all = MockServer::builder().scenario(Scenario::find("quota-wall").unwrap());
    let all = all.fixture(Fixture::named("own").reply(Reply::text("Mine."))).service().unwrap();
    assert_eq!(status(&all, path, "").await, 429);
    let portal = status(&all, &format!("/fault/scenario:login-page-200{path}"), "").await;
    assert_eq!(portal, 200, "what a URL chooses goes over what the server does");
}

#[tokio::test(start_paused = true)]
async fn an_unknown_scenario_is_refused_with_a_guess() {
    let path = "/fault/scenario:quota-wal/v1/chat/completions";
    let answer = raw::once(&server(), &chat(path, "", raw::ASK)).await;
    assert_eq!(answer.status(), 400);
    assert!(answer.body.contains(r#"did you mean \"quota-wall\"?"#), "{}", answer.body);
}

#[tokio::test(start_paused = true)]
async fn faults_beside_a_scenario_go_over_its_answers() {
    let path = "/fault/close-mid-stream@event:1/v1/chat/completions";
    let seen = ask("relay-soup", path, raw::ASK, 1).await;
    assert!(!seen[0].complete, "{seen:?}");
    assert_eq!(seen[0].ending, Ending::Close);
}
