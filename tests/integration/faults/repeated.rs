//! Resets, again and again: every planned byte reaches the peer first, however it reads.

use llmirage::{Fault, Fixture, MockServer, Reply};

use super::peer::{End, Peer};
use crate::raw::ask;

/// More than 700 kB on the wire, and more than sockets buffer.
async fn server(fault: &str) -> MockServer {
    let fault: Fault = fault.parse().unwrap();
    let reply = Reply::text("word ".repeat(2600));
    MockServer::builder().fixture(Fixture::named("long").reply(reply)).fault(fault).start().await.unwrap()
}

/// What a peer gets that reads at once or slowly.
async fn taken(fault: &str, slow: bool) -> (Vec<u8>, End) {
    let server = server(fault).await;
    let mut peer = match slow {
        true => Peer::slow(server.address()).await,
        false => Peer::connect(server.address()).await,
    }
    .expect("the server listens");
    peer.send(&ask()).await;
    let end = peer.end().await;
    let settled = server.journal().settled(1).await;
    assert_eq!(settled[0].outcome.events(), settled[0].events_planned, "{:?}", settled[0].outcome);
    (peer.bytes, end)
}

async fn check(slow: bool) {
    let (planned, end) = taken("close-mid-stream@event:2500", false).await;
    assert_eq!(end, End::Fin);
    assert!(planned.len() > 700_000, "{}", planned.len());
    for _ in 0..20 {
        let (bytes, end) = taken("reset-mid-stream@event:2500", slow).await;
        assert_eq!(end, End::Rst);
        assert!(bytes == planned, "{} of {} bytes", bytes.len(), planned.len());
    }
}

#[tokio::test]
async fn every_planned_byte_arrives_before_the_reset_at_a_fast_reader() {
    check(false).await;
}

#[tokio::test]
async fn every_planned_byte_arrives_before_the_reset_at_a_slow_reader() {
    check(true).await;
}

#[tokio::test]
async fn a_reset_instead_of_an_answer_has_no_bytes() {
    for slow in [false, true] {
        for _ in 0..20 {
            assert_eq!(taken("reset-before-response", slow).await, (Vec::new(), End::Rst));
        }
    }
}

/// The same fault from the base URL, on one server: one connection after the other, and none of them
/// knows of the others.
#[tokio::test]
async fn resets_from_the_base_url_hit_their_own_connection_only() {
    let reply = Reply::text("word ".repeat(2600));
    let server = MockServer::builder().fixture(Fixture::named("long").reply(reply)).start().await.unwrap();
    let asked = |scope: &str| ask().replacen("POST ", &format!("POST {scope}"), 1);
    let mut neighbour = Peer::connect(server.address()).await.unwrap();
    neighbour.send(&asked("")).await;
    for _ in 0..20 {
        let mut peer = Peer::connect(server.address()).await.unwrap();
        peer.send(&asked("/fault/reset-mid-stream@event:2500")).await;
        assert_eq!(peer.end().await, End::Rst);
        assert!(peer.bytes.len() > 700_000 && !peer.bytes.ends_with(b"0\r\n\r\n"), "{}", peer.bytes.len());
    }
    assert_eq!(neighbour.answer(0).await, None);
    assert!(neighbour.bytes.ends_with(b"0\r\n\r\n"));
}
