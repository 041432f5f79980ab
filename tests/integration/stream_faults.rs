//! Faults of framing, pieces and time, played to a client: on a paused clock over an in-memory connection,
//! so that offsets are exact and no test waits.

use std::time::Duration;

use llmirage::plan::fault::stream::{GzipForm, StreamFault, Via};
use llmirage::plan::json::Span;
use llmirage::plan::reply::Step;
use llmirage::plan::timeline::Ending;
use llmirage::serve::{Outcome, Service};
use llmirage::{At, Fault, Fixture, MockServer, Pacing, Reply};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

use crate::raw::{self, chat, connect};

/// What a client got, and how the journal says it ended.
#[derive(Debug)]
struct Played {
    /// When the head came, in milliseconds.
    head_at: u128,
    head: String,
    /// The chunks of the body, and when each was whole.
    chunks: Vec<(u128, Vec<u8>)>,
    /// When the last chunk came.
    end: u128,
    outcome: Outcome,
}

impl Played {
    fn times(&self) -> Vec<u128> {
        self.chunks.iter().map(|(at, _)| *at).collect()
    }

    fn body(&self) -> Vec<u8> {
        self.chunks.iter().flat_map(|(_, data)| data.clone()).collect()
    }
}

const STREAM: &str = r#"{"model":"gpt-4o","stream":true,"messages":[{"role":"user","content":"hi"}]}"#;

const JSON: &str = r#"{"model":"gpt-4o","messages":[{"role":"user","content":"hi"}]}"#;

/// A service that says `Héllo 🌍` in three pieces: the first after 100 ms, the others 20 ms after each other.
fn service(faults: &[Fault]) -> Service {
    let pacing = Pacing::ttft(Duration::from_millis(100)).and(Pacing::itl(Duration::from_millis(20)));
    let reply = Reply::script(["Hé", "llo", " 🌍"].map(Step::text));
    let reply = faults.iter().cloned().fold(reply.pacing(pacing), Reply::fault);
    MockServer::builder().fixture(Fixture::named("hello").reply(reply)).service().unwrap()
}

/// Asks for a stream and reads it to its end.
async fn play(faults: &[Fault]) -> Played {
    let service = service(faults);
    let mut client = connect(&service, 1024 * 1024);
    client.write_all(chat("/v1/chat/completions", "Connection: close\r\n", STREAM).as_bytes()).await.unwrap();
    let start = Instant::now();
    let (mut bytes, mut reads) = (Vec::new(), Vec::new());
    while client.read_buf(&mut bytes).await.unwrap() > 0 {
        reads.push((bytes.len(), start.elapsed().as_millis()));
    }
    let when = |end: usize| reads.iter().find(|(len, _)| *len >= end).unwrap().1;
    let find = |from: usize, what: &[u8]| {
        from + bytes[from..].windows(what.len()).position(|window| window == what).unwrap() + what.len()
    };
    let head = find(0, b"\r\n\r\n");
    let (mut at, mut chunks) = (head, Vec::new());
    let end = loop {
        let data = find(at, b"\r\n");
        let size = std::str::from_utf8(&bytes[at..data - 2]).unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        at = data + size + 2;
        if size == 0 {
            break when(at);
        }
        chunks.push((when(at), bytes[data..at - 2].to_vec()));
    };
    assert_eq!(at, bytes.len());
    let outcome = service.journal().settled(1).await[0].outcome;
    let head_text = String::from_utf8(bytes[..head].to_vec()).unwrap();
    Played { head_at: when(head), head: head_text, chunks, end, outcome }
}

fn ms(millis: u64) -> Span {
    Span(Duration::from_millis(millis))
}

#[tokio::test(start_paused = true)]
async fn without_faults_each_event_comes_when_it_is_due() {
    let played = play(&[]).await;
    assert_eq!((played.head_at, played.times(), played.end), (100, vec![100, 120, 140], 140));
    assert_eq!(played.outcome, Outcome::Completed { events: 3 });
}

#[tokio::test(start_paused = true)]
async fn slow_headers_hold_the_head_back() {
    let played = play(&[Fault::new(StreamFault::SlowHeaders { delay: ms(5000) })]).await;
    assert_eq!((played.head_at, played.times(), played.end), (5100, vec![5100, 5120, 5140], 5140));
}

#[tokio::test(start_paused = true)]
async fn a_slow_first_event_comes_long_after_the_head() {
    let played = play(&[Fault::new(StreamFault::SlowFirstEvent { delay: ms(5000) })]).await;
    assert_eq!((played.head_at, played.times(), played.end), (100, vec![5100, 5120, 5140], 5140));
    assert_eq!(played.body(), play(&[]).await.body());
}

#[tokio::test(start_paused = true)]
async fn heartbeats_fill_the_time_before_a_slow_first_event() {
    let faults = [
        Fault::new(StreamFault::CommentHeartbeat { text: "wait".to_owned(), every: Some(ms(2000)) }),
        Fault::new(StreamFault::SlowFirstEvent { delay: ms(5000) }),
    ];
    let played = play(&faults).await;
    assert_eq!(played.times(), [2100, 4100, 5100, 5120, 5140]);
    assert_eq!(played.chunks[0].1, b": wait\n\n");
    assert_eq!(played.outcome, Outcome::Completed { events: 3 });
}

#[tokio::test(start_paused = true)]
async fn a_burst_is_one_chunk_after_a_silence() {
    let burst = |events| Fault::new(StreamFault::Burst { hold: ms(2000), events });
    let played = play(&[burst(None).at(At::event(1))]).await;
    assert_eq!((played.times(), played.end), (vec![100, 2100], 2100));
    assert_eq!(played.body(), play(&[]).await.body());
    assert_eq!(played.outcome, Outcome::Completed { events: 3 });
    let played = play(&[burst(Some(2)).at(At::event(0))]).await;
    assert_eq!((played.head_at, played.times(), played.end), (100, vec![2100, 2120], 2120));
}

#[tokio::test(start_paused = true)]
async fn a_body_dribbles() {
    let played = play(&[Fault::new(StreamFault::Dribble { bytes: 16, every: ms(10) })]).await;
    let body = play(&[]).await.body();
    assert_eq!(played.body(), body);
    assert!(played.chunks.len() >= body.len() / 16);
    assert!(played.chunks.iter().all(|(_, data)| data.len() <= 16));
    let expected: Vec<_> = (0..played.chunks.len()).map(|index| 100 + 10 * index as u128).collect();
    assert_eq!(played.times(), expected);
    assert_eq!(played.outcome, Outcome::Completed { events: 3 });
}

#[tokio::test(start_paused = true)]
async fn bytes_come_no_faster_than_a_bandwidth() {
    let played = play(&[Fault::new(StreamFault::Bandwidth { bytes_per_s: 1000 })]).await;
    let body = play(&[]).await.body();
    assert_eq!(played.body(), body);
    assert_eq!(played.end, 100 + body.len() as u128);
    let mut sent = 0;
    for (at, data) in &played.chunks {
        sent += data.len() as u128;
        assert!(sent <= at - 100, "{sent} bytes at {at} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_body_comes_late_and_the_journal_waits_for_it() {
    let hold = |hold| Fault::new(StreamFault::DoneThenHold { hold });
    let played = play(&[hold(Some(ms(3000)))]).await;
    assert_eq!((played.times(), played.end), (vec![100, 120, 140], 3140));
    assert_eq!(played.outcome, Outcome::Completed { events: 3 });
    // As late as anything is held, unless told.
    assert_eq!(play(&[hold(None)]).await.end, 60_140);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_wait_for_the_end_has_left() {
    let service = service(&[Fault::new(StreamFault::DoneThenHold { hold: None })]);
    let mut client = connect(&service, 1024 * 1024);
    client.write_all(chat("/v1/chat/completions", "", STREAM).as_bytes()).await.unwrap();
    let start = Instant::now();
    let mut seen = Vec::new();
    while !String::from_utf8_lossy(&seen).contains('🌍') {
        client.read_buf(&mut seen).await.unwrap();
    }
    drop(client);
    let entry = &service.journal().settled(1).await[0];
    assert_eq!(entry.outcome, Outcome::ClientLeft { events: 3 });
    assert_eq!(start.elapsed().as_millis(), 140);
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_used_again_after_a_body_whose_end_was_late() {
    let service = service(&[Fault::new(StreamFault::DoneThenHold { hold: Some(ms(1000)) })]);
    let mut client = connect(&service, 1024 * 1024);
    for _ in 0..2 {
        let answer = raw::exchange(&mut client, &chat("/v1/chat/completions", "", STREAM)).await;
        assert!(answer.body.contains('🌍'));
    }
    let outcomes: Vec<_> = service.journal().settled(2).await.iter().map(|entry| entry.outcome).collect();
    assert_eq!(outcomes, [Outcome::Completed { events: 3 }; 2]);
}

#[tokio::test(start_paused = true)]
async fn a_body_in_chunks_is_held_even_if_it_is_no_stream() {
    let service = service(&[Fault::new(StreamFault::DoneThenHold { hold: Some(ms(3000)) })]);
    let mut client = connect(&service, 1024 * 1024);
    let start = Instant::now();
    raw::exchange(&mut client, &chat("/v1/chat/completions", "", JSON)).await;
    assert_eq!(service.journal().settled(1).await[0].outcome, Outcome::Completed { events: 1 });
    assert_eq!(start.elapsed().as_millis(), 3140);
}

#[tokio::test(start_paused = true)]
async fn a_body_of_known_length_ends_with_its_last_byte() {
    let mut timeline = raw::json(200, "{}");
    timeline.ends_at = Duration::from_secs(30);
    let service = MockServer::builder().timeline(timeline).service().unwrap();
    let mut client = connect(&service, 1024 * 1024);
    let start = Instant::now();
    for _ in 0..2 {
        raw::exchange(&mut client, &chat("/v1/chat/completions", "", STREAM)).await;
    }
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_head_request_has_no_body_to_hold() {
    let mut timeline = raw::stream(&[(0, "one"), (500, "two")], Ending::Complete);
    timeline.ends_at = Duration::from_secs(30);
    let service = MockServer::builder().timeline(timeline).service().unwrap();
    let mut client = connect(&service, 1024 * 1024);
    let start = Instant::now();
    let request = chat("/v1/chat/completions", "", STREAM).replacen("POST", "HEAD", 1);
    assert_eq!(raw::exchange(&mut client, &request).await.status(), 200);
    raw::exchange(&mut client, &request).await;
    assert!(start.elapsed() < Duration::from_millis(500), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_event_comes_in_chunks_with_time_between() {
    let split = StreamFault::EventSplit {
        byte: Some(6),
        every: None,
        all_boundaries: false,
        gap: ms(50),
        via: Via::HttpChunk,
    };
    let played = play(&[Fault::new(split).at(At::event(1))]).await;
    assert_eq!(played.times(), [100, 120, 170]);
    assert_eq!(played.chunks[1].1, b"data: ");
    assert_eq!(played.body(), play(&[]).await.body());
    assert_eq!(played.outcome, Outcome::Completed { events: 3 });
}

#[tokio::test(start_paused = true)]
async fn every_byte_is_a_chunk_even_if_all_are_due_at_once() {
    let split = StreamFault::EventSplit {
        byte: None,
        every: None,
        all_boundaries: true,
        gap: ms(0),
        via: Via::HttpChunk,
    };
    let played = play(&[Fault::new(split)]).await;
    assert!(played.chunks.iter().all(|(_, data)| data.len() == 1));
    assert_eq!(played.end, 140);
    assert_eq!(played.body(), play(&[]).await.body());
}

#[tokio::test(start_paused = true)]
async fn a_character_comes_in_two_chunks() {
    let split = StreamFault::CharSplit { char: None, offset: 1, gap: ms(5), via: Via::HttpChunk };
    let played = play(&[Fault::new(split)]).await;
    assert_eq!(played.times(), [100, 105, 120, 140, 145]);
    assert!(played.chunks[0].1.ends_with(b"H\xC3") && played.chunks[3].1.ends_with(b" \xF0"));
    assert_eq!(played.body(), play(&[]).await.body());
}

#[tokio::test(start_paused = true)]
async fn compressed_events_come_when_they_are_due() {
    let gzip = |form| Fault::new(StreamFault::Gzip { form });
    let played = play(&[gzip(GzipForm::Ok)]).await;
    assert!(played.head.contains("\r\nContent-Encoding: gzip\r\n"), "{}", played.head);
    assert_eq!(played.times(), [100, 120, 140]);
    let mut plain = Vec::new();
    let mut decoder = flate2::write::GzDecoder::new(&mut plain);
    std::io::Write::write_all(&mut decoder, &played.body()).unwrap();
    decoder.finish().unwrap();
    assert_eq!(plain, play(&[]).await.body());
    let played = play(&[gzip(GzipForm::Buffered)]).await;
    assert_eq!((played.head_at, played.times()), (100, vec![140]));
}
