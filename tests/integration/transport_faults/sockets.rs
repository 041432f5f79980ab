//! How connections end on real sockets: the kernel is the subject.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use http::Version;
use llmirage::plan::http1;
use llmirage::plan::timeline::{Ending, Timeline};
use llmirage::serve::{Outcome, Tls};
use llmirage::{Fault, MockServer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use super::{ask, bodiless, builder};
use crate::raw::{self, chat, stream};
use crate::serving::tls_client;

/// How a connection ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Seen {
    Fin,
    Rst,
}

/// Everything until the connection ends, in reads of at most `piece` bytes, and how it ends.
pub(super) async fn read(client: &mut (impl AsyncRead + Unpin), piece: usize) -> (Vec<u8>, Seen) {
    let mut bytes = Vec::new();
    let mut buffer = vec![0; piece];
    loop {
        match client.read(&mut buffer).await {
            Ok(0) => return (bytes, Seen::Fin),
            Ok(len) => bytes.extend_from_slice(&buffer[..len]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return (bytes, Seen::Rst),
            Err(error) => panic!("{error} after {} bytes", bytes.len()),
        }
        tokio::task::yield_now().await;
    }
}

/// A connection whose kernel takes only so many bytes that nobody reads.
async fn connect(address: SocketAddr, receive_buffer: u32) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(receive_buffer).unwrap();
    socket.connect(address).await.unwrap()
}

/// So many events of 200 bytes.
fn long(events: usize, ending: Ending) -> Timeline {
    let event = "x".repeat(198) + "\n\n";
    let events: Vec<_> = (0..events).map(|_| (0, event.as_str())).collect();
    stream(&events, ending)
}

fn wire(timeline: &Timeline) -> Vec<u8> {
    http1::wire(timeline, Version::HTTP_11).bytes.to_vec()
}

/// A RST lets the client read every planned byte, and then is an error.
async fn rst(piece: usize, receive_buffer: u32, after_request: &str) {
    let ending = Ending::Reset { drain: true };
    let timeline = long(4000, ending);
    let expected = wire(&timeline);
    assert!(expected.len() > 700_000);
    let server = MockServer::builder().timeline(timeline).start().await.unwrap();
    for _ in 0..20 {
        let mut client = connect(server.address(), receive_buffer).await;
        client.write_all((raw::ask() + after_request).as_bytes()).await.unwrap();
        let (bytes, seen) = read(&mut client, piece).await;
        assert_eq!((bytes.len(), seen), (expected.len(), Seen::Rst));
        assert!(bytes == expected);
    }
    let settled = server.journal().settled(20).await;
    let faulted = Outcome::Faulted { events: 4000, ending };
    assert!(settled.iter().all(|entry| entry.outcome == faulted));
}

#[tokio::test]
async fn every_planned_byte_arrives_before_the_rst_at_a_fast_reader() {
    rst(1024 * 1024, 1024 * 1024, "").await;
}

#[tokio::test]
async fn every_planned_byte_arrives_before_the_rst_at_a_slow_reader() {
    rst(700, 2048, "").await;
}

#[tokio::test]
async fn every_planned_byte_arrives_before_the_rst_although_the_client_talks_on() {
    rst(16 * 1024, 16 * 1024, &"junk".repeat(5000)).await;
}

/// The whole response fits into the server's queue, and not into the client's.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_reset_that_does_not_wait_destroys_what_was_not_taken() {
    let timeline = long(500, Ending::Reset { drain: false });
    let expected = wire(&timeline).len();
    let server = MockServer::builder().timeline(timeline).start().await.unwrap();
    let mut client = connect(server.address(), 2048).await;
    client.write_all(raw::ask().as_bytes()).await.unwrap();
    server.journal().settled(1).await;
    let (bytes, seen) = read(&mut client, 64 * 1024).await;
    assert_eq!(seen, Seen::Rst);
    assert!(bytes.len() < expected / 2, "{} of {expected} bytes", bytes.len());
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_reader_that_takes_nothing_is_reset_in_the_end_and_has_stalled() {
    let server = MockServer::builder()
        .timeline(long(500, Ending::Reset { drain: true }))
        .max_hold(Duration::from_millis(300))
        .start()
        .await
        .unwrap();
    let mut client = connect(server.address(), 2048).await;
    client.write_all(raw::ask().as_bytes()).await.unwrap();
    let entry = server.journal().settled(1).await.remove(0);
    assert_eq!(entry.outcome, Outcome::Stalled { events: 500 });
    assert!(entry.duration.unwrap() >= Duration::from_millis(300));
    assert_eq!(read(&mut client, 64 * 1024).await.1, Seen::Rst);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_client_that_breaks_the_connection_before_the_reset_has_left() {
    let server =
        MockServer::builder().timeline(long(500, Ending::Reset { drain: true })).start().await.unwrap();
    let mut client = connect(server.address(), 2048).await;
    client.write_all(raw::ask().as_bytes()).await.unwrap();
    // All of it is in the server's queue once the first byte is here.
    client.read_u8().await.unwrap();
    client.set_zero_linger().unwrap();
    drop(client);
    let entry = server.journal().settled(1).await.remove(0);
    assert_eq!(entry.outcome, Outcome::ClientLeft { events: 500 });
}

/// What a client sees of each fault: how many bytes of the body's events, and how the connection ends.
#[tokio::test]
async fn each_ending_is_the_one_that_the_fault_names() {
    let cases = [
        ("close-mid-stream@event:2", 2, Seen::Fin),
        ("reset-mid-stream@event:2", 2, Seen::Rst),
        ("stall:hold=10ms@event:2", 2, Seen::Fin),
        ("stall:hold=10ms,then=reset@event:2", 2, Seen::Rst),
        ("stall-heartbeat:every=2ms,hold=10ms,then=reset@event:2", 2, Seen::Rst),
        ("empty-response", 0, Seen::Fin),
        ("reset-before-response", 0, Seen::Rst),
        ("partial-head:byte=20", 0, Seen::Fin),
        ("partial-head:byte=20,how=reset", 0, Seen::Rst),
        ("garbage", 0, Seen::Fin),
        ("garbage@event:2", 2, Seen::Fin),
        ("malformed-chunk@event:2", 3, Seen::Fin),
        ("content-length-mismatch", 6, Seen::Fin),
        ("close-delimited@event:2", 2, Seen::Fin),
        ("trailers", 6, Seen::Fin),
        ("informational", 6, Seen::Fin),
        ("slow-close:delay=10ms", 6, Seen::Fin),
        ("half-close:hold=10ms", 0, Seen::Fin),
        ("accept-blackhole:hold=10ms", 0, Seen::Fin),
        ("keepalive-close:delay=10ms", 6, Seen::Fin),
        ("keepalive-close:delay=10ms,how=reset", 6, Seen::Rst),
        ("keepalive-close:how=reset", 6, Seen::Rst),
    ];
    let server = builder().start().await.unwrap();
    for (fault, events, expected) in cases {
        for _ in 0..20 {
            let mut client = TcpStream::connect(server.address()).await.unwrap();
            client.write_all(ask(fault).as_bytes()).await.unwrap();
            let (bytes, seen) = read(&mut client, 64 * 1024).await;
            let text = String::from_utf8(bytes).unwrap();
            assert_eq!((text.matches("data: ").count(), seen), (events, expected), "{fault}: {text}");
        }
    }
}

#[tokio::test]
async fn a_request_on_a_kept_connection_meets_a_reset_or_a_close() {
    let server = builder().start().await.unwrap();
    for (how, expected) in [("reset", Seen::Rst), ("close", Seen::Fin)] {
        for _ in 0..20 {
            let mut client = TcpStream::connect(server.address()).await.unwrap();
            raw::exchange(&mut client, &ask(&format!("keepalive-reset-on-reuse:how={how}"))).await;
            client.write_all(raw::ask().as_bytes()).await.unwrap();
            assert_eq!(read(&mut client, 1024).await, (Vec::new(), expected), "{how}");
        }
    }
    assert_eq!(server.journal().entries().len(), 40);
}

#[tokio::test]
async fn under_tls_a_reset_is_a_reset_and_every_byte_before_it_arrives() {
    let timeline = long(4000, Ending::Reset { drain: true });
    let expected = wire(&timeline);
    let server = MockServer::builder().timeline(timeline).tls(Tls::SelfSigned).start().await.unwrap();
    for _ in 0..5 {
        let mut client = tls_client(&server, server.ca_pem().unwrap()).await;
        client.write_all(raw::ask().as_bytes()).await.unwrap();
        let (bytes, seen) = read(&mut client, 16 * 1024).await;
        assert_eq!((bytes.len(), seen), (expected.len(), Seen::Rst));
        assert!(bytes == expected);
    }
}

/// Whether new connections are refused.
async fn refuses(address: SocketAddr) -> bool {
    match TcpStream::connect(address).await {
        // Where nobody listens, TCP lets a client that happens to get the same port meet itself.
        Ok(socket) => socket.local_addr().unwrap() == address,
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => true,
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn new_connections_are_refused_for_a_while_and_open_ones_are_not_touched() {
    let server = builder().start().await.unwrap();
    let mut neighbour = TcpStream::connect(server.address()).await.unwrap();
    let healthy = raw::exchange(&mut neighbour, &raw::ask()).await;
    for (place, events) in [("", 0), ("@head", 0), ("@event:2", 2), ("@end", 6)] {
        let mut client = TcpStream::connect(server.address()).await.unwrap();
        client.write_all(ask(&format!("connection-refused:for=300ms{place}")).as_bytes()).await.unwrap();
        if place == "@end" {
            // The listener is gone before the client can know that the response is over.
            let answer = raw::answer(&mut client, false).await;
            assert_eq!(answer.header("connection"), Some("close"));
            assert!(refuses(server.address()).await);
        } else {
            let (bytes, seen) = read(&mut client, 64 * 1024).await;
            let text = String::from_utf8(bytes).unwrap();
            assert_eq!((text.matches("data: ").count(), seen), (events, Seen::Fin), "{text}");
            assert!(refuses(server.address()).await);
        }
        assert_eq!(raw::exchange(&mut neighbour, &raw::ask()).await.body.len(), healthy.body.len());
        while refuses(server.address()).await {
            tokio::task::yield_now().await;
        }
        let again = raw::over_tcp(server.address(), &raw::ask()).await;
        assert_eq!(again.body.len(), healthy.body.len());
    }
}

#[tokio::test]
async fn a_server_can_be_stopped_while_it_refuses() {
    let server = builder().start().await.unwrap();
    let address = server.address();
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(ask("connection-refused:for=50s").as_bytes()).await.unwrap();
    assert_eq!(read(&mut client, 1024).await, (Vec::new(), Seen::Fin));
    drop(client);
    server.shutdown().await;
    assert!(refuses(address).await);
    // Nobody has the port.
    let next = builder().listen(address).start().await.unwrap();
    assert_eq!(next.address(), address);
}

/// A client that sends much before it looks for an answer meets a reset, or cannot send.
#[tokio::test]
async fn an_early_answer_leaves_an_upload_unread() {
    let fault: Fault = "early-response".parse().unwrap();
    let server = builder().fault(fault).start().await.unwrap();
    let mut client = TcpStream::connect(server.address()).await.unwrap();
    let body = "x".repeat(8 * 1024 * 1024);
    let request = chat("/v1/chat/completions", "", &body);
    let error = client.write_all(request.as_bytes()).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{error}");
    let entry = server.journal().settled(1).await.remove(0);
    assert_eq!((entry.status.as_u16(), entry.body_bytes), (413, 0));
    assert_eq!(entry.outcome, Outcome::Faulted { events: 1, ending: Ending::Abandon });
    // A client that looks first sees the answer.
    let mut client = TcpStream::connect(server.address()).await.unwrap();
    let answer = raw::exchange(&mut client, &bodiless("early-response:status=429")).await;
    assert_eq!(answer.status(), 429);
}

#[tokio::test]
async fn a_black_hole_takes_no_more_than_the_kernel_does() {
    let hold = Duration::from_millis(300);
    let server = builder().fault("accept-blackhole".parse().unwrap()).max_hold(hold).start().await.unwrap();
    let mut client = TcpStream::connect(server.address()).await.unwrap();
    let body = "x".repeat(64 * 1024 * 1024);
    let request = chat("/v1/chat/completions", "", &body);
    let start = tokio::time::Instant::now();
    let writing = client.write_all(request.as_bytes());
    let written = tokio::time::timeout(Duration::from_millis(200), writing).await;
    assert!(written.is_err(), "nobody reads");
    server.journal().settled(1).await;
    assert!(start.elapsed() >= hold);
}

#[tokio::test]
async fn held_connections_count_against_the_limit() {
    let server = builder().max_connections(2).start().await.unwrap();
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut client = TcpStream::connect(server.address()).await.unwrap();
        client.write_all(ask("accept-blackhole").as_bytes()).await.unwrap();
        held.push(client);
    }
    while server.journal().entries().len() < 2 {
        tokio::task::yield_now().await;
    }
    let mut third = TcpStream::connect(server.address()).await.unwrap();
    assert_eq!(read(&mut third, 1024).await, (Vec::new(), Seen::Fin));
}
