//! All faults × who is asked × what for: nothing panics, nothing outlives its bound, each request has one
//! outcome, and the next one on a new connection knows nothing of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use llmirage::plan::FixtureSet;
use llmirage::plan::fault::{Entry, Kind, Places};
use llmirage::plan::set::Source;
use llmirage::{MockServer, Outcome};
use serde_json::json;
use tokio::sync::Semaphore;

use super::case::{Case, Then, Way, reconnect, server};
use super::peer::{PATIENCE, whole};
use super::show::show;

/// How long anything is held.
const HOLD: Duration = Duration::from_millis(300);

/// How much longer than that a whole exchange may take, on a machine that has much else to do. A hold
/// that is not bounded would be 60 s.
const SLACK: Duration = Duration::from_secs(9);

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_fault_ends_in_time_and_leaves_the_next_request_healthy() {
    let permits = Arc::new(Semaphore::new(32));
    let mut running = Vec::new();
    for entry in Kind::entries() {
        for way in Way::ALL {
            let permits = Arc::clone(&permits);
            running.push(tokio::spawn(async move {
                let _permit = permits.acquire_owned().await.unwrap();
                check(entry, way).await;
            }));
        }
    }
    for task in running {
        task.await.unwrap();
    }
}

/// The fault with its own times, so that it is `--max-hold` that bounds them.
async fn check(entry: &'static Entry, way: Way) {
    let about = || format!("{} ({})", entry.name, way.name());
    // At its own speed a dribble is a stream that is slow, not one that is held.
    let case = match entry.name {
        "dribble" | "bandwidth" => Case::of(entry),
        name => Case { name, parameters: BTreeMap::new() },
    };
    let outcomes = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&outcomes);
    let server = server()
        .max_hold(HOLD)
        .on_settled(move |entry| told.lock().unwrap().push((entry.id, entry.outcome)))
        .start()
        .await
        .unwrap();
    let started = Instant::now();
    let header = format!("x-llmirage-fault: {}\r\n", case.spec());
    case.meet(server.address(), &case.request(way, "", &header)).await;
    assert!(started.elapsed() < HOLD + SLACK, "{} took {:?}", about(), started.elapsed());

    let asked = match case.then() {
        Then::Again => 2,
        Then::Probe | Then::Wait | Then::Reconnect => 1,
    };
    let mut next = reconnect(server.address()).await;
    next.send(&case.request(way, "", "")).await;
    assert_eq!(next.answer(0).await, None, "{}: {}", about(), show(&next.bytes));
    let journal = server.journal().clone();
    let settled = tokio::time::timeout(PATIENCE, journal.settled(2)).await;
    let entries =
        settled.unwrap_or_else(|_| panic!("{}: not two outcomes: {:?}", about(), journal.entries()));
    let healthy = control(&case, way, entries.last().and_then(|entry| entry.hit).unwrap_or_default()).await;
    assert_eq!(show(&next.bytes), show(&healthy), "{}", about());

    let outcomes = outcomes.lock().unwrap().clone();
    assert!(
        outcomes.iter().all(|(_, outcome)| !matches!(outcome, Outcome::Failed { .. })),
        "{}: {outcomes:?}",
        about()
    );
    let mut ids: Vec<_> = outcomes.iter().map(|(id, _)| *id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), outcomes.len(), "{}: an outcome twice: {outcomes:?}", about());
    // A request that breaks its connection before it is read has none.
    assert!((2..=asked + 1).contains(&outcomes.len()), "{}: {outcomes:?}", about());
    assert!(matches!(outcomes.last(), Some((_, Outcome::Completed { .. }))), "{}: {outcomes:?}", about());
}

/// What a server answers that has never heard of faults, the `hit`-th time.
async fn control(case: &Case, way: Way, hit: u64) -> Vec<u8> {
    let server = server().start().await.unwrap();
    let mut peer = reconnect(server.address()).await;
    let mut start = 0;
    for _ in 0..hit {
        start = peer.bytes.len();
        peer.send(&case.request(way, "", "")).await;
        assert_eq!(peer.answer(start).await, None);
    }
    assert_eq!(whole(&peer.bytes[start..]), Some(peer.bytes.len() - start));
    peer.bytes.split_off(start)
}

/// Over whatever can be answered, at whatever place: planned without a socket, so that there can be many.
#[test]
fn every_fault_can_be_planned_over_every_answer_at_every_place() {
    let replies = [
        json!("Hello, 望月 🌍!"),
        json!(""),
        json!({ "answer": { "text": "x", "tool_calls": [{ "name": "f", "arguments": "not JSON \u{1f30d}" }] } }),
        json!({ "answer": { "refusal": "No." } }),
        json!({ "answer": { "reasoning": "Hm.", "text": "Yes." } }),
        json!({ "answer": { "choices": [{ "text": "One." }, { "text": "" }] } }),
        json!({ "answer": { "text": "Hi" }, "filters": { "mode": "asynchronous" } }),
        json!({ "error": { "status": 429, "retry_after": "2s" } }),
        json!({ "error": { "status": 502, "body": "<html>bad gateway</html>" } }),
        json!({ "error": { "status": 500, "body": "" } }),
        json!({ "script": [] }),
        json!({ "script": ["done"] }),
        json!({ "script": [{ "raw": { "base64": "//4AgQ==" } }, { "raw": "data: [1\n\n" }, { "raw": "\r\r\n" }] }),
        json!({ "script": [{ "comment": "c" }, { "event": { "event": "e", "data": "two\nlines" } }, { "chunk": {} },
            { "chunk": { "choices": [] } }, { "chunk": { "choices": [null, 1, { "delta": null }] } },
            { "chunk": { "choices": { "0": [] }, "usage": 3 } }, { "delta": { "tool_calls": [{}] } },
            { "delta": { "tool_calls": 7, "content": ["x"] } }] }),
    ];
    for reply in replies {
        let file = json!({ "fixtures": [{ "name": "case", "reply": reply }] });
        let source = Source::File { path: "case.json".into(), text: file.to_string() };
        let set = FixtureSet::load(vec![source]).unwrap_or_else(|errors| panic!("{errors}"));
        let service = MockServer::builder().fixtures(set).service().unwrap();
        for entry in Kind::entries() {
            let case = Case::of(entry);
            for case in case.variants().into_iter().chain([case.clone()]) {
                for place in places(entry) {
                    for way in Way::ALL {
                        let spec = format!("{}{place}", case.spec());
                        let path = match way.dialect {
                            super::case::Dialect::OpenAi => "/v1/chat/completions",
                            super::case::Dialect::Azure => "/openai/v1/chat/completions",
                        };
                        let mut body =
                            json!({ "model": "m", "messages": [{ "role": "user", "content": "hi" }] });
                        body["stream"] = json!(way.stream);
                        let request =
                            http::Request::post(path).header("x-llmirage-fault", &spec).body(()).unwrap();
                        let (timeline, journal) =
                            service.foresee(request.into_parts().0, &Bytes::from(body.to_string()));
                        let about = || format!("{spec} over {reply} ({})", way.name());
                        let refusal = journal.map(|entry| entry.refusal);
                        assert_eq!(refusal, Some(None), "{}: {:?}", about(), timeline.body);
                        let end = timeline.events.last().map_or(0, |event| event.end);
                        assert_eq!(end, timeline.body.len(), "{}", about());
                        let times = timeline.events.iter().map(|event| event.at);
                        assert!([timeline.head.at].into_iter().chain(times).is_sorted(), "{}", about());
                        assert!(timeline.events.iter().map(|event| event.end).is_sorted(), "{}", about());
                        assert!(
                            timeline.body.len() < 1024 * 1024,
                            "{}: {} bytes",
                            about(),
                            timeline.body.len()
                        );
                    }
                }
            }
        }
    }
}

fn places(entry: &Entry) -> &'static [&'static str] {
    match entry.places {
        Places::Whole | Places::Idle | Places::NextRequest => &[""],
        Places::Event | Places::Events => {
            &["", "@event:0", "@event:-1", "@event:99", "@finish", "@done", "@role"]
        }
        Places::Anywhere => &[
            "",
            "@head",
            "@event:0",
            "@event:-1",
            "@event:99",
            "@event:1,byte:9",
            "@byte:0",
            "@byte:40",
            "@elapsed:1ms",
            "@finish",
            "@usage",
            "@end",
        ],
    }
}
