//! Faults of the last layer as a client meets them: silence, connections that are kept and then are not,
//! requests that are not read. On a paused clock over connections in memory; what only a kernel does is in
//! `sockets`.

use std::time::Duration;

use llmirage::plan::set::Source;
use llmirage::plan::timeline::{self, Ending};
use llmirage::plan::{FixtureSet, Pacing};
use llmirage::serve::{Builder, Entry, Outcome, Service};
use llmirage::{Fault, MockServer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

use crate::raw::{self, chat, connect};

mod neighbours;
mod sockets;

/// Answers of six events: role and a token, 10 ms later another, 10 ms later the last, finish and done.
fn builder() -> Builder {
    let text = r#"{"fixtures":[{"name":"any","reply":"one two three"}]}"#.to_owned();
    let set = FixtureSet::load(vec![Source::File { path: "any.json".into(), text }]).unwrap();
    MockServer::builder().fixtures(set).pacing(Pacing::itl(Duration::from_millis(10)))
}

fn service() -> Service {
    builder().service().unwrap()
}

/// A request that meets this fault.
fn ask(fault: &str) -> String {
    chat(&format!("/fault/{fault}/v1/chat/completions"), "", raw::ASK)
}

/// When each read came (in milliseconds) and the SSE lines that it brought, to the end of the connection and
/// when that was.
async fn reads(service: &Service, fault: &str) -> (Vec<(u128, usize)>, u128, String) {
    exchange(service, &ask(fault)).await
}

async fn exchange(service: &Service, request: &str) -> (Vec<(u128, usize)>, u128, String) {
    let mut client = connect(service, 64 * 1024);
    client.write_all(request.as_bytes()).await.unwrap();
    let start = Instant::now();
    let reads = raw::reads(&mut client).await;
    let end = start.elapsed().as_millis();
    let text: String = reads.iter().map(|(_, text)| text.as_str()).collect();
    let counts = reads.iter().map(|(at, text)| (*at, text.matches("data: ").count()));
    (counts.collect(), end, text)
}

async fn only_entry(service: &Service) -> Entry {
    let entries = service.journal().settled(1).await;
    assert_eq!(entries.len(), 1);
    entries[0].clone()
}

#[track_caller]
fn faulted(entry: &Entry, events: usize, ending: Ending) {
    assert_eq!(entry.outcome, Outcome::Faulted { events, ending });
}

#[tokio::test(start_paused = true)]
async fn a_stall_sends_nothing_and_then_ends_without_the_last_chunk() {
    let service = service();
    let (reads, end, text) = reads(&service, "stall:hold=5s@event:3").await;
    assert_eq!(reads, [(0, 2), (10, 1)]);
    assert_eq!(end, 5010);
    assert!(!text.ends_with("0\r\n\r\n"), "{text}");
    let entry = only_entry(&service).await;
    faulted(&entry, 3, Ending::Close);
    assert_eq!(entry.duration, Some(Duration::from_millis(5010)));
    assert_eq!(entry.faults, ["stall:hold=5s@event:3"]);
}

#[tokio::test(start_paused = true)]
async fn a_stall_without_a_time_lasts_as_long_as_anything_may() {
    for (fault, expected) in
        [("stall@head", 2000), ("stall:hold=1h@head", 2000), ("stall:hold=1s@head", 1000)]
    {
        let service = builder().max_hold(Duration::from_secs(2)).service().unwrap();
        let (reads, end, _) = reads(&service, fault).await;
        assert_eq!((reads, end), (vec![(0, 0)], expected), "{fault}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stall_that_resumes_loses_nothing() {
    let service = service();
    let request = ask("stall:hold=1s,then=resume@event:3")
        .replace("Content-Length", "Connection: close\r\nContent-Length");
    let (reads, _, text) = exchange(&service, &request).await;
    assert_eq!(reads, [(0, 2), (10, 1), (1020, 3)]);
    assert!(text.ends_with("data: [DONE]\n\n\r\n0\r\n\r\n"), "{text}");
    assert!(matches!(only_entry(&service).await.outcome, Outcome::Completed { events: 6 }));
}

#[tokio::test(start_paused = true)]
async fn heartbeats_come_while_nothing_else_does() {
    let service = service();
    let (reads, end, text) = reads(&service, "stall-heartbeat:every=1s,hold=3500ms@event:3").await;
    assert_eq!(reads, [(0, 2), (10, 1), (1010, 0), (2010, 0), (3010, 0)]);
    assert_eq!(end, 3510);
    assert!(text.ends_with(&"E\r\n: keep-alive\n\n\r\n".repeat(3)), "{text}");
    let entry = only_entry(&service).await;
    faulted(&entry, 3, Ending::Close);
    assert_eq!(entry.events_planned, 3);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_a_stall_has_left() {
    for fault in ["stall:hold=5s@event:1", "stall-heartbeat:hold=5s@event:1", "stall:then=reset@event:1"] {
        let service = service();
        let mut client = connect(&service, 64 * 1024);
        client.write_all(ask(fault).as_bytes()).await.unwrap();
        let start = Instant::now();
        client.read_u8().await.unwrap();
        tokio::time::advance(Duration::from_millis(1500)).await;
        drop(client);
        assert_eq!(only_entry(&service).await.outcome, Outcome::ClientLeft { events: 1 }, "{fault}");
        assert!(start.elapsed() < Duration::from_millis(1600), "{fault}: {:?}", start.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_stall_over_json_holds_half_of_the_body() {
    let service = service();
    let mut client = connect(&service, 64 * 1024);
    let body = raw::ASK.replace("\"stream\":true,", "");
    client
        .write_all(chat("/fault/stall:hold=5s@event:3/v1/chat/completions", "", &body).as_bytes())
        .await
        .unwrap();
    let start = Instant::now();
    let mut text = String::new();
    client.read_to_string(&mut text).await.unwrap();
    let healthy = raw::once(&self::service(), &chat("/v1/chat/completions", "", &body)).await.body;
    let (half, _) = healthy.split_at(healthy.len() / 2);
    assert!(text.ends_with(&format!("\r\n\r\n{:X}\r\n{half}\r\n", half.len())), "{text}");
    assert!(start.elapsed() >= Duration::from_secs(5));
}

/// What a takeover plays ends the connection, and says so where the head is honest.
#[tokio::test(start_paused = true)]
async fn a_whole_response_that_ends_its_connection_says_so() {
    for fault in ["slow-close:delay=3s", "trailers", "informational:times=2"] {
        let service = service();
        let (_, end, text) = reads(&service, fault).await;
        assert_eq!(text.matches("\r\nConnection: close\r\n").count(), 1, "{fault}: {text}");
        assert_eq!(text.matches("onnection: ").count(), 1, "{fault}: {text}");
        assert!(text.contains("\r\n0\r\n"), "{fault}: {text}");
        assert_eq!(end, if fault.starts_with("slow") { 3020 } else { 20 }, "{fault}");
        let outcome = only_entry(&service).await.outcome;
        match fault {
            "slow-close:delay=3s" => {
                let ending = Ending::Idle { after: Duration::from_secs(3), reset: false };
                assert_eq!(outcome, Outcome::Faulted { events: 6, ending });
            }
            _ => assert_eq!(outcome, Outcome::Completed { events: 6 }),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_before_a_slow_close_has_everything() {
    let service = service();
    let mut client = connect(&service, 64 * 1024);
    client.write_all(ask("slow-close:delay=30s").as_bytes()).await.unwrap();
    let answer = raw::answer(&mut client, false).await;
    assert!(answer.body.ends_with("data: [DONE]\n\n"));
    drop(client);
    assert!(matches!(only_entry(&service).await.outcome, Outcome::Faulted { events: 6, .. }));
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_closes_after_a_response_that_does_not_say_so() {
    let service = service();
    let mut client = connect(&service, 64 * 1024);
    let healthy = raw::exchange(&mut client, &chat("/v1/chat/completions", "", raw::ASK)).await;
    let answer = raw::exchange(&mut client, &ask("keepalive-close:delay=2s")).await;
    assert_eq!(answer.head.lines().count(), healthy.head.lines().count());
    assert_eq!(answer.header("connection"), healthy.header("connection"));
    assert_eq!(answer.body.len(), healthy.body.len());
    let start = Instant::now();
    assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
    assert_eq!(start.elapsed(), Duration::from_secs(2));
    let entries = service.journal().settled(2).await;
    faulted(&entries[1], 6, Ending::Idle { after: Duration::from_secs(2), reset: false });
}

#[tokio::test(start_paused = true)]
async fn a_request_that_comes_first_keeps_the_connection() {
    let service = service();
    let mut client = connect(&service, 64 * 1024);
    raw::exchange(&mut client, &ask("keepalive-close:delay=2s")).await;
    tokio::time::advance(Duration::from_millis(1900)).await;
    raw::exchange(&mut client, &chat("/v1/chat/completions", "", raw::ASK)).await;
    tokio::time::advance(Duration::from_secs(5)).await;
    let answer = raw::exchange(&mut client, &raw::get("/health")).await;
    assert_eq!(answer.status(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_request_on_a_connection_that_was_left_to_break_is_not_handled() {
    for (how, held) in [("close", 0), ("reset", 0), ("blackhole", 60)] {
        let service = service();
        let mut client = connect(&service, 64 * 1024);
        let answer = raw::exchange(&mut client, &ask(&format!("keepalive-reset-on-reuse:how={how}"))).await;
        assert!(answer.body.ends_with("data: [DONE]\n\n"));
        tokio::time::advance(Duration::from_secs(30)).await;
        let start = Instant::now();
        client.write_all(b"P").await.unwrap();
        assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
        assert_eq!(start.elapsed(), Duration::from_secs(held), "{how}");
        drop(client);
        // The connection is gone, and there was no second request.
        raw::settle().await;
        assert_eq!(service.journal().entries().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_came_with_the_one_before_it_breaks_after_its_answer() {
    let service = service();
    let mut client = connect(&service, 64 * 1024);
    let requests = ask("keepalive-reset-on-reuse:how=close") + &chat("/v1/chat/completions", "", raw::ASK);
    client.write_all(requests.as_bytes()).await.unwrap();
    let answer = raw::answer(&mut client, false).await;
    assert!(answer.body.ends_with("data: [DONE]\n\n"));
    assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
    let entry = only_entry(&service).await;
    faulted(&entry, 6, Ending::Reuse(timeline::Reuse::Close));
    assert_eq!(service.journal().entries().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_answered_before_a_close_or_a_reset_instead_of_a_response() {
    for (fault, ending) in [
        ("empty-response", Ending::Close),
        ("reset-before-response", Ending::Reset { drain: true }),
        ("partial-head:byte=0", Ending::Close),
    ] {
        let service = service();
        let (reads, _, _) = reads(&service, fault).await;
        assert_eq!(reads, [], "{fault}");
        faulted(&only_entry(&service).await, 0, ending);
    }
}

/// Announces a body and never sends it.
fn bodiless(fault: &str) -> String {
    let head = format!("POST /fault/{fault}/v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n");
    head + "Expect: 100-continue\r\nContent-Length: 5000000\r\n\r\n"
}

#[tokio::test(start_paused = true)]
async fn early_faults_of_the_scope_do_not_wait_for_the_body() {
    let half_close = Ending::HalfClose;
    let cases = [
        ("half-close:hold=3s", "", 0, 3, half_close),
        ("accept-blackhole:hold=3s", "", 3, 8, Ending::Blackhole),
        ("early-response", "HTTP/1.1 413 ", 0, 0, Ending::Abandon),
        ("early-response:status=429", "HTTP/1.1 429 ", 0, 0, Ending::Abandon),
    ];
    for (fault, start_of_answer, closed, gone, ending) in cases {
        let service = service();
        let (mut client, server) = tokio::io::duplex(64 * 1024);
        client.write_all(bodiless(fault).as_bytes()).await.unwrap();
        let start = Instant::now();
        let reading = async {
            let mut text = String::new();
            client.read_to_string(&mut text).await.unwrap();
            (text, start.elapsed().as_secs())
        };
        let serving = async {
            service.serve_connection(server).await;
            start.elapsed().as_secs()
        };
        let ((text, ended), served) = tokio::join!(reading, serving);
        assert!(text.starts_with(start_of_answer), "{fault}: {text}");
        assert_eq!((text.is_empty(), ended, served), (start_of_answer.is_empty(), closed, gone), "{fault}");
        let entry = only_entry(&service).await;
        assert!(matches!(entry.outcome, Outcome::Faulted { ending: is, .. } if is == ending), "{fault}");
        assert_eq!((entry.body_bytes, entry.faults), (0, vec![fault.to_owned()]));
    }
}

#[test]
fn what_is_foreseen_of_an_early_fault_is_what_happens() {
    let service = builder().fault("early-response:status=429".parse().unwrap()).service().unwrap();
    let (head, body) =
        http::Request::post("/v1/chat/completions").body(raw::ASK.into()).unwrap().into_parts();
    let (timeline, entry) = service.foresee(head, &body);
    assert_eq!((timeline.head.status.as_u16(), timeline.ending), (429, Ending::Abandon));
    let entry = entry.unwrap();
    assert_eq!(
        (entry.hit, entry.body_bytes, entry.faults),
        (None, 0, vec!["early-response:status=429".to_owned()])
    );
    assert_eq!(entry.outcome, Outcome::Faulted { events: 1, ending: Ending::Abandon });
}

#[tokio::test(start_paused = true)]
async fn an_early_answer_is_the_dialects_and_says_that_the_connection_ends() {
    let service = service();
    let mut client = connect(&service, 64 * 1024);
    client.write_all(bodiless("early-response:status=429").as_bytes()).await.unwrap();
    let answer = raw::answer(&mut client, false).await;
    assert_eq!(answer.header("connection"), Some("close"));
    assert!(answer.json()["error"]["message"].is_string(), "{}", answer.body);
    assert_eq!(answer.header("date"), Some("Thu, 01 Jan 2026 00:00:00 GMT"));
}

#[tokio::test(start_paused = true)]
async fn early_faults_of_a_fixture_act_once_the_request_was_read() {
    let text = r#"{"fixtures":[{"name":"any","reply":{"answer":{"text":"one"},"faults":[{"fault":"early-response"}]}}]}"#.to_owned();
    let set = FixtureSet::load(vec![Source::File { path: "any.json".into(), text }]).unwrap();
    let service = MockServer::builder().fixtures(set).service().unwrap();
    let answer = raw::once(&service, &chat("/v1/chat/completions", "", raw::ASK)).await;
    assert_eq!(answer.status(), 413);
    let entry = only_entry(&service).await;
    assert_eq!((entry.fixture.as_deref(), entry.body_bytes), (Some("any"), raw::ASK.len()));
    faulted(&entry, 1, Ending::Abandon);
}

#[tokio::test(start_paused = true)]
async fn the_nearest_fault_decides_whether_the_body_is_read() {
    let blackhole: Fault = "accept-blackhole".parse().unwrap();
    let service = builder().fault(blackhole).service().unwrap();
    let (reads, _, _) = reads(&service, "close-mid-stream@event:1").await;
    assert_eq!(reads, [(0, 1)]);
}

/// The grace of a server is for answers, not for silence.
#[tokio::test(start_paused = true)]
async fn a_server_that_stops_does_not_wait_for_silence() {
    for fault in [
        "stall@event:1",
        "stall-heartbeat@event:1",
        "accept-blackhole",
        "half-close",
        "keepalive-reset-on-reuse:how=blackhole",
        "slow-close:delay=50s",
    ] {
        let server = builder().grace(Duration::from_secs(30)).start().await.unwrap();
        let mut client = tokio::net::TcpStream::connect(server.address()).await.unwrap();
        client.write_all(ask(fault).as_bytes()).await.unwrap();
        if fault.starts_with("keepalive") || fault.starts_with("slow") {
            raw::answer(&mut client, false).await;
            client.write_all(b"P").await.unwrap();
        } else if fault.starts_with("stall") {
            raw::until(&mut client, "data: ").await;
        } else if fault.starts_with("half") {
            assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
        } else {
            while server.journal().entries().is_empty() {
                tokio::task::yield_now().await;
            }
        }
        let start = Instant::now();
        let journal = server.journal().clone();
        server.shutdown().await;
        assert!(start.elapsed() <= Duration::from_millis(300), "{fault}: {:?}", start.elapsed());
        let entries = journal.entries();
        assert!(
            entries.iter().all(|entry| matches!(entry.outcome, Outcome::Faulted { .. })),
            "{fault}: {entries:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn http_1_0_gets_neither_chunks_nor_informational_heads() {
    for fault in ["informational", "trailers", "malformed-chunk@event:6"] {
        let service = service();
        let mut client = connect(&service, 64 * 1024);
        client.write_all(ask(fault).replace("HTTP/1.1", "HTTP/1.0").as_bytes()).await.unwrap();
        let mut text = String::new();
        client.read_to_string(&mut text).await.unwrap();
        assert!(text.starts_with("HTTP/1.0 200 OK\r\n"), "{fault}: {text}");
        assert!(text.ends_with("data: [DONE]\n\n"), "{fault}: {text}");
        assert!(!text.contains("railer"), "{fault}: {text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_has_no_body_however_it_ends() {
    for (fault, complete) in [("trailers", true), ("slow-close", true), ("malformed-chunk", false)] {
        let mut timeline = raw::stream(&[(0, "one"), (0, "two")], Ending::Complete);
        timeline.framing.tail = (fault != "slow-close").then(|| "0\r\nx: y\r\n\r\n".into());
        timeline.ending = match fault {
            "slow-close" => Ending::Refuse { refuse: Duration::ZERO, complete },
            "trailers" => Ending::Complete,
            _ => Ending::Close,
        };
        let service = MockServer::builder().timeline(timeline).service().unwrap();
        let mut client = connect(&service, 64 * 1024);
        client.write_all(b"HEAD /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
        let mut text = String::new();
        client.read_to_string(&mut text).await.unwrap();
        assert!(text.ends_with("\r\n\r\n"), "{fault}: {text}");
        assert_eq!(text.matches("\r\n\r\n").count(), 1, "{fault}: {text}");
    }
}
