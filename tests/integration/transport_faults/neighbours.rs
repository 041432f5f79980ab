//! What a fault does to connections that did not ask for it: nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use llmirage::plan::fault::{Kind, Layer};
use llmirage::serve::{Outcome, Service};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::sockets::read;
use super::{ask, builder};
use crate::raw::{self, Answer, chat};

/// The faults of the last layer.
fn faults() -> Vec<&'static str> {
    let entries = Kind::entries().filter(|entry| entry.layer == Layer::Transport);
    entries.map(|entry| entry.name).collect()
}

/// How many requests each neighbour makes.
const REQUESTS: usize = 5;

/// A request of a session of its own, so that its answers depend on nobody else's.
fn healthy(neighbour: usize) -> String {
    chat(&format!("/session/n{neighbour}/v1/chat/completions"), "", raw::ASK)
}

async fn answers(
    mut client: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    neighbour: usize,
) -> Vec<String> {
    let mut answers = Vec::new();
    for _ in 0..REQUESTS {
        let Answer { head, body } = raw::exchange(&mut client, &healthy(neighbour)).await;
        answers.push(head + &body);
    }
    answers
}

/// What a server says on which nothing breaks.
async fn expected(service: &Service, neighbour: usize) -> Vec<String> {
    answers(raw::connect(service, 64 * 1024), neighbour).await
}

/// Meets a fault, to the end of the connection.
async fn meet(mut client: TcpStream, name: &str) {
    client.write_all(ask(name).as_bytes()).await.unwrap();
    if name == "keepalive-reset-on-reuse" {
        raw::answer(&mut client, false).await;
        client.write_all(b"P").await.unwrap();
    }
    read(&mut client, 64 * 1024).await;
}

/// All faults of connections at once, among neighbours that are asking.
#[tokio::test]
async fn a_fault_of_a_connection_touches_only_who_asked_for_it_and_is_told_once() {
    const NEIGHBOURS: usize = 30;
    let told = Arc::new(Mutex::new(BTreeMap::new()));
    let telling = Arc::clone(&told);
    let server = builder()
        .max_hold(Duration::from_millis(100))
        .on_settled(move |entry| *telling.lock().unwrap().entry(entry.id).or_insert(0) += 1)
        .start()
        .await
        .unwrap();
    let connect = || TcpStream::connect(server.address());
    // All are connected before one of them makes the server stop listening.
    let mut asking = Vec::new();
    for neighbour in 0..NEIGHBOURS {
        asking.push((neighbour, connect().await.unwrap()));
    }
    let mut meeting = Vec::new();
    for name in faults() {
        meeting.push((name, connect().await.unwrap()));
    }
    let meeting: Vec<_> =
        meeting.into_iter().map(|(name, client)| tokio::spawn(meet(client, name))).collect();
    let asking: Vec<_> =
        asking.into_iter().map(|(neighbour, client)| tokio::spawn(answers(client, neighbour))).collect();
    let reference = builder().service().unwrap();
    for (neighbour, answers) in asking.into_iter().enumerate() {
        assert_eq!(answers.await.unwrap(), expected(&reference, neighbour).await);
    }
    for meeting in meeting {
        meeting.await.unwrap();
    }
    let entries = server.journal().settled(faults().len() + NEIGHBOURS * REQUESTS).await;
    server.shutdown().await;
    let (broken, whole): (Vec<_>, Vec<_>) = entries.iter().partition(|entry| entry.session.is_empty());
    assert!(whole.iter().all(|entry| entry.faults.is_empty()));
    assert!(whole.iter().all(|entry| entry.outcome == Outcome::Completed { events: 6 }));
    let mut names: Vec<_> = broken.iter().map(|entry| entry.faults.join(" ")).collect();
    names.sort_unstable();
    let mut expected = faults();
    expected.sort_unstable();
    assert_eq!(names, expected);
    for entry in broken {
        let whole = ["informational", "trailers"].contains(&entry.faults[0].as_str());
        let as_planned = match entry.outcome {
            Outcome::Completed { .. } => whole,
            Outcome::Faulted { .. } => !whole,
            _ => false,
        };
        assert!(as_planned, "{:?}: {:?}", entry.faults, entry.outcome);
    }
    let told = told.lock().unwrap();
    assert!(told.len() == entries.len() && told.values().all(|times| *times == 1), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn a_thousand_held_connections_delay_nobody_and_each_has_one_outcome() {
    const HELD: usize = 1000;
    let service = builder().journal_limit(HELD + 1).service().unwrap();
    let mut held = Vec::new();
    for index in 0..HELD {
        let mut client = raw::connect(&service, 64 * 1024);
        let fault = ["stall@event:1", "stall-heartbeat:every=7ms@event:1", "stall@head"][index % 3];
        client.write_all(ask(fault).as_bytes()).await.unwrap();
        held.push(client);
    }
    let mut neighbour = raw::connect(&service, 64 * 1024);
    neighbour.write_all(raw::ask().as_bytes()).await.unwrap();
    let start = Instant::now();
    raw::answer(&mut neighbour, false).await;
    assert_eq!(start.elapsed(), Duration::from_millis(20));
    drop(held);
    let entries = service.journal().settled(HELD + 1).await;
    assert_eq!(start.elapsed(), Duration::from_millis(20), "who leaves has left at once");
    let left = entries.iter().filter(|entry| matches!(entry.outcome, Outcome::ClientLeft { .. }));
    assert_eq!((entries.len(), left.count()), (HELD + 1, HELD));
}
