//! When bytes go out, on a paused clock over an in-memory connection: offsets are exact and no test waits.

use std::time::Duration;

use llmirage::MockServer;
use llmirage::plan::timeline::{Ending, Timeline};
use llmirage::serve::Outcome;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

use crate::raw::{self, ask, connect, stream};

/// Plays a timeline to a client that closes afterwards: when each read came, and what it brought.
/// The head is left out of the first read.
async fn play(timeline: Timeline) -> Vec<(u128, String)> {
    let service = MockServer::builder().timeline(timeline).service().unwrap();
    let mut client = connect(&service, 64 * 1024);
    client
        .write_all(raw::chat("/v1/chat/completions", "Connection: close\r\n", raw::ASK).as_bytes())
        .await
        .unwrap();
    let mut reads = raw::reads(&mut client).await;
    let (_, body) = reads[0].1.split_once("\r\n\r\n").expect("the first read has the head");
    reads[0].1 = body.to_owned();
    reads
}

fn expect(reads: &[(u128, &str)]) -> Vec<(u128, String)> {
    reads.iter().map(|(at, data)| (*at, (*data).to_owned())).collect()
}

#[tokio::test(start_paused = true)]
async fn each_event_arrives_at_its_offset_as_a_chunk_of_its_own() {
    let reads = play(stream(&[(250, "one"), (270, "two"), (290, "three")], Ending::Complete)).await;
    let expected = [(0, ""), (250, "3\r\none\r\n"), (270, "3\r\ntwo\r\n"), (290, "5\r\nthree\r\n0\r\n\r\n")];
    assert_eq!(reads, expect(&expected));
}

#[tokio::test(start_paused = true)]
async fn events_that_are_due_together_are_one_chunk() {
    let reads = play(stream(&[(10, "one"), (10, "two"), (20, "three")], Ending::Complete)).await;
    assert_eq!(reads, expect(&[(0, ""), (10, "6\r\nonetwo\r\n"), (20, "5\r\nthree\r\n0\r\n\r\n")]));
}

#[tokio::test(start_paused = true)]
async fn what_is_due_at_once_is_one_write_with_the_head() {
    let reads = play(stream(&[(0, "one"), (0, "two")], Ending::Complete)).await;
    assert_eq!(reads, expect(&[(0, "6\r\nonetwo\r\n0\r\n\r\n")]));
}

#[tokio::test(start_paused = true)]
async fn a_head_waits_for_its_own_time() {
    let mut timeline = stream(&[(400, "one")], Ending::Complete);
    timeline.head.at = Duration::from_millis(300);
    assert_eq!(play(timeline).await, expect(&[(300, ""), (400, "3\r\none\r\n0\r\n\r\n")]));
}

#[tokio::test(start_paused = true)]
async fn a_response_that_breaks_keeps_the_same_offsets() {
    let mut timeline = stream(&[(250, "one"), (270, "two")], Ending::Close);
    timeline.head.at = Duration::from_millis(100);
    assert_eq!(play(timeline).await, expect(&[(100, ""), (250, "3\r\none\r\n"), (270, "3\r\ntwo\r\n")]));
}

#[tokio::test(start_paused = true)]
async fn offsets_count_from_the_moment_the_request_was_read() {
    let service =
        MockServer::builder().timeline(stream(&[(100, "one")], Ending::Complete)).service().unwrap();
    let mut client = connect(&service, 1024);
    let request = ask();
    let (head, body) = request.split_at(request.len() - 10);
    client.write_all(head.as_bytes()).await.unwrap();
    raw::settle().await;
    tokio::time::advance(Duration::from_secs(3)).await;
    client.write_all(body.as_bytes()).await.unwrap();
    let start = Instant::now();
    let answer = raw::answer(&mut client, false).await;
    assert_eq!(answer.body, "one");
    assert_eq!(start.elapsed(), Duration::from_millis(100));
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_is_late_does_not_push_later_events() {
    let timeline = stream(&[(0, "one"), (10, "two"), (20, "three")], Ending::Complete);
    let service = MockServer::builder().timeline(timeline).service().unwrap();
    // Only some bytes fit between server and client, so that writing waits for reading.
    let mut client = connect(&service, 8);
    let start = Instant::now();
    let reader = async {
        client.write_all(ask().as_bytes()).await.unwrap();
        raw::settle().await;
        tokio::time::advance(Duration::from_millis(500)).await;
        raw::answer(&mut client, false).await
    };
    assert_eq!(reader.await.body, "onetwothree");
    assert_eq!(start.elapsed(), Duration::from_millis(500));
}

/// Reads until `events` are there, leaves, and tells what the journal says.
async fn leave_after(timeline: Timeline, events: &str) -> Outcome {
    let service = MockServer::builder().timeline(timeline).service().unwrap();
    let mut client = connect(&service, 1024);
    client.write_all(ask().as_bytes()).await.unwrap();
    let mut seen = Vec::new();
    while !String::from_utf8_lossy(&seen).contains(events) {
        client.read_buf(&mut seen).await.unwrap();
    }
    drop(client);
    service.journal().settled(1).await[0].outcome
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_is_noticed_at_the_event_it_left_at() {
    let events = [(0, "one"), (10, "two"), (20, "three")];
    for ending in [Ending::Complete, Ending::Close] {
        let timeline = || stream(&events, ending);
        assert_eq!(
            leave_after(timeline(), "\r\n\r\n").await,
            Outcome::ClientLeft { events: 1 },
            "{ending:?}"
        );
        assert_eq!(leave_after(timeline(), "two").await, Outcome::ClientLeft { events: 2 }, "{ending:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_before_the_head_saw_no_event() {
    for ending in [Ending::Complete, Ending::Close] {
        let mut timeline = stream(&[(600, "one")], ending);
        timeline.head.at = Duration::from_millis(500);
        let service = MockServer::builder().timeline(timeline).service().unwrap();
        let mut client = connect(&service, 1024);
        client.write_all(ask().as_bytes()).await.unwrap();
        raw::settle().await;
        drop(client);
        let settled = service.journal().settled(1).await;
        assert_eq!(settled[0].outcome, Outcome::ClientLeft { events: 0 }, "{ending:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_after_the_last_event_has_seen_it_all() {
    let timeline = stream(&[(0, "one"), (10, "data: [DONE]")], Ending::Complete);
    assert_eq!(leave_after(timeline, "[DONE]").await, Outcome::Completed { events: 2 });
}
