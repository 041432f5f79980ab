//! Responses that break: the bytes, and how the connection ends. On real sockets where the kernel is
//! the subject.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::HeaderName;
use http::{Request, Version};
use hyper::body::Incoming;
use hyper::ext::ReasonPhrase;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use llmirage::MockServer;
use llmirage::plan::FixtureSet;
use llmirage::plan::http1::{self, Frame};
use llmirage::plan::set::Source;
use llmirage::plan::timeline::{Ending, Timeline};
use llmirage::serve::Outcome;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::raw::{self, ask, connect, headers, json, stream};

fn wire(timeline: &Timeline) -> Vec<u8> {
    http1::wire(timeline, Version::HTTP_11).bytes.to_vec()
}

/// All bytes that a client reads until the server closes.
async fn whole(timeline: &Timeline) -> Vec<u8> {
    let service = MockServer::builder().timeline(timeline.clone()).service().unwrap();
    let mut client = connect(&service, 1024);
    client.write_all(ask().as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    client.read_to_end(&mut bytes).await.unwrap();
    bytes
}

/// Whole responses of all kinds.
fn healthy() -> Vec<Timeline> {
    let mut reasoned = stream(&[(0, "one")], Ending::Complete);
    reasoned.head.status = http::StatusCode::UNAUTHORIZED;
    reasoned.head.reason = Some("PermissionDenied".into());
    vec![
        stream(&[(0, "data: one\n\n"), (10, "data: 望月\n\n"), (20, "data: [DONE]\n\n")], Ending::Complete),
        stream(&[], Ending::Complete),
        stream(&[(5, &"x".repeat(5000))], Ending::Complete),
        stream(&[(0, "one"), (0, "two"), (5, "three"), (5, "four"), (5, ""), (9, "five")], Ending::Complete),
        stream(&[(5, &"x".repeat(60_000)), (5, &"y".repeat(6000)), (5, "z")], Ending::Complete),
        stream(&[(5, "x"), (5, &"y".repeat(200_000)), (5, "z"), (7, "end")], Ending::Complete),
        reasoned,
        json(200, "{}"),
        json(529, "{\"error\":{}}"),
    ]
}

/// The connection is kept; so only as many bytes as expected are read, and the next answer says that there were no
/// more.
#[tokio::test(start_paused = true)]
async fn what_the_socket_gets_is_what_was_planned() {
    for timeline in healthy() {
        let expected = wire(&timeline);
        let service = MockServer::builder().timeline(timeline).service().unwrap();
        let mut client = connect(&service, 64 * 1024);
        let mut bytes = vec![0; expected.len()];
        client.write_all(ask().as_bytes()).await.unwrap();
        client.read_exact(&mut bytes).await.unwrap();
        assert_eq!(String::from_utf8(bytes).unwrap(), String::from_utf8(expected).unwrap());
        let next = raw::exchange(&mut client, &raw::get("/health")).await;
        assert_eq!(next.status(), 200);
    }
}

/// A body that hands hyper the frames of a timeline, in order and without a pace.
struct Frames {
    timeline: Timeline,
    sent: Frame,
}

impl http_body::Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Infallible>>> {
        let Some(event) = self.timeline.events.get(self.sent.pieces) else { return Poll::Ready(None) };
        let next = http1::frame(&self.timeline.events, self.sent, event.at);
        let frame = self.timeline.body.slice(self.sent.end..next.end);
        self.sent = next;
        Poll::Ready(Some(Ok(http_body::Frame::data(frame))))
    }
}

/// hyper knows no case of names.
#[tokio::test(start_paused = true)]
async fn what_is_planned_is_what_hyper_would_write() {
    for timeline in healthy() {
        let expected = String::from_utf8(wire(&timeline)).unwrap();
        let (mut client, server) = tokio::io::duplex(1 << 20);
        let respond = service_fn(|_: Request<Incoming>| {
            let timeline = timeline.clone();
            async move {
                let mut response = http::Response::new(());
                *response.status_mut() = timeline.head.status;
                for header in &timeline.head.headers {
                    let name = HeaderName::from_bytes(header.name.as_bytes()).unwrap();
                    response.headers_mut().append(name, header.value.clone());
                }
                let reason = http1::reason(&timeline.head).as_bytes();
                response.extensions_mut().insert(ReasonPhrase::try_from(reason).unwrap());
                Ok::<_, Infallible>(response.map(|()| Frames { timeline, sent: Frame::default() }))
            }
        });
        let mut http = hyper::server::conn::http1::Builder::new();
        http.auto_date_header(false);
        let serving = http.serve_connection(TokioIo::new(server), respond);
        let mut bytes = vec![0; expected.len()];
        let exchange = async {
            client.write_all(ask().as_bytes()).await.unwrap();
            client.read_exact(&mut bytes).await.unwrap();
        };
        tokio::select! {
            ended = serving => panic!("hyper ends before the response: {ended:?}"),
            () = exchange => {}
        }
        assert_eq!(String::from_utf8(bytes).unwrap(), with_names_in_lower_case(&expected));
    }
}

fn with_names_in_lower_case(response: &str) -> String {
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    let lines = head.split("\r\n").map(|line| match line.split_once(": ") {
        Some((name, value)) => format!("{}: {value}", name.to_lowercase()),
        None => line.to_owned(),
    });
    format!("{}\r\n\r\n{body}", lines.collect::<Vec<_>>().join("\r\n"))
}

#[tokio::test(start_paused = true)]
async fn a_break_among_events_that_are_due_together_ends_their_chunk() {
    let answer = whole(&stream(&[(0, "one"), (5, "two"), (5, "three")], Ending::Close)).await;
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.ends_with("\r\n\r\n3\r\none\r\n8\r\ntwothree\r\n"), "{answer}");
}

#[tokio::test]
async fn the_same_bytes_come_over_a_real_socket() {
    for ending in [Ending::Complete, Ending::Close] {
        let timeline = stream(&[(0, "data: one\n\n")], ending);
        let server = MockServer::builder().timeline(timeline.clone()).start().await.unwrap();
        let mut client = TcpStream::connect(server.address()).await.unwrap();
        client.write_all(ask().as_bytes()).await.unwrap();
        let expected = wire(&timeline);
        let mut bytes = vec![0; expected.len()];
        client.read_exact(&mut bytes).await.unwrap();
        assert_eq!(String::from_utf8(bytes).unwrap(), String::from_utf8(expected).unwrap());
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_that_hyper_would_mend_is_written_as_planned() {
    let mut lying = json(200, "hello");
    lying.head.headers = headers(&[("Content-Length", "99"), ("X-A", "1"), ("b", "2"), ("X-A", "3")]);
    let mut unframed = json(200, "hello");
    unframed.head.headers.clear();
    for timeline in [lying, unframed] {
        let bytes = whole(&timeline).await;
        assert_eq!(String::from_utf8(bytes).unwrap(), String::from_utf8(wire(&timeline)).unwrap());
    }
}

/// Three thousand events, more than the socket's buffers hold.
fn long() -> Timeline {
    let event = "x".repeat(198) + "\n\n";
    let events: Vec<_> = (0..3000).map(|_| (0, event.as_str())).collect();
    stream(&events, Ending::Close)
}

/// A FIN lets the client read every planned byte and then the end; a RST would be an error.
async fn fin(piece: usize, receive_buffer: u32, after_request: &str) {
    let timeline = long();
    let expected = wire(&timeline);
    let server = MockServer::builder().timeline(timeline).start().await.unwrap();
    for _ in 0..50 {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(receive_buffer).unwrap();
        let mut client = socket.connect(server.address()).await.unwrap();
        client.write_all((ask() + after_request).as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        let mut buffer = vec![0; piece];
        loop {
            match client.read(&mut buffer).await.unwrap() {
                0 => break,
                len => bytes.extend_from_slice(&buffer[..len]),
            }
            tokio::task::yield_now().await;
        }
        assert!(bytes == expected, "{} of {} bytes", bytes.len(), expected.len());
    }
    let settled = server.journal().settled(50).await;
    let faulted = Outcome::Faulted { events: 3000, ending: Ending::Close };
    assert!(settled.iter().all(|entry| entry.outcome == faulted));
}

#[tokio::test]
async fn every_planned_byte_arrives_before_the_fin_at_a_fast_reader() {
    fin(1024 * 1024, 1024 * 1024, "").await;
}

#[tokio::test]
async fn every_planned_byte_arrives_before_the_fin_at_a_slow_reader() {
    fin(700, 2048, "").await;
}

#[tokio::test]
async fn bytes_that_nobody_reads_do_not_turn_the_fin_into_a_reset() {
    fin(16 * 1024, 16 * 1024, &"junk".repeat(5000)).await;
}

/// A server whose answers have three events or more.
fn fixtures() -> FixtureSet {
    let text = r#"{"fixtures":[{"name":"any","reply":"one two three"}]}"#.to_owned();
    FixtureSet::load(vec![Source::File { path: "any.json".into(), text }]).unwrap()
}

#[tokio::test]
async fn a_break_touches_no_other_connection_and_no_other_request() {
    let server = MockServer::builder().fixtures(fixtures()).start().await.unwrap();
    let mut neighbour = TcpStream::connect(server.address()).await.unwrap();
    let healthy = raw::exchange(&mut neighbour, &ask()).await;
    for _ in 0..10 {
        let mut client = TcpStream::connect(server.address()).await.unwrap();
        let request = raw::chat("/fault/close-mid-stream@event:1/v1/chat/completions", "", raw::ASK);
        client.write_all(request.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        client.read_to_end(&mut bytes).await.unwrap();
        assert!(!bytes.ends_with(b"0\r\n\r\n"));
        let after = raw::exchange(&mut neighbour, &ask()).await;
        assert_eq!(after.body.len(), healthy.body.len());
    }
    let entries = server.journal().settled(21).await;
    let faulted = entries.iter().filter(|entry| matches!(entry.outcome, Outcome::Faulted { events: 1, .. }));
    assert_eq!(faulted.count(), 10);
}

#[tokio::test(start_paused = true)]
async fn answers_before_a_break_on_the_same_connection_are_whole() {
    let service = MockServer::builder().fixtures(fixtures()).service().unwrap();
    // So little fits at once that the first answer is still being written when the second is due.
    let mut client = connect(&service, 16);
    let broken = raw::chat("/fault/close-mid-stream@event:1/v1/chat/completions", "", raw::ASK);
    let requests = ask() + &ask() + &broken;
    let (mut reading, mut writing) = tokio::io::split(&mut client);
    let write = async { writing.write_all(requests.as_bytes()).await.unwrap() };
    let read = async {
        let first = raw::answer(&mut reading, false).await;
        let second = raw::answer(&mut reading, false).await;
        let mut rest = String::new();
        reading.read_to_string(&mut rest).await.unwrap();
        (first, second, rest)
    };
    let ((), (first, second, rest)) = tokio::join!(write, read);
    assert_eq!(first.body.len(), second.body.len());
    assert!(rest.starts_with("HTTP/1.1 200 OK\r\n"), "{rest}");
    assert!(!rest.ends_with("0\r\n\r\n"), "{rest}");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_keeps_its_side_open_does_not_hold_the_connection() {
    let timeline = stream(&[(0, "one")], Ending::Close);
    for (max_hold, expected) in [(60, 5), (2, 2)] {
        let hold = Duration::from_secs(max_hold);
        let service = MockServer::builder().timeline(timeline.clone()).max_hold(hold).service().unwrap();
        let (mut client, server) = tokio::io::duplex(1024);
        client.write_all(ask().as_bytes()).await.unwrap();
        let start = tokio::time::Instant::now();
        service.serve_connection(server).await;
        assert_eq!(start.elapsed(), Duration::from_secs(expected));
    }
}

#[tokio::test(start_paused = true)]
async fn http_1_0_is_told_the_length_instead_of_chunks() {
    let timeline = stream(&[(0, "one"), (10, "two")], Ending::Complete);
    let service = MockServer::builder().timeline(timeline).service().unwrap();
    for (method, body) in [("POST", "onetwo"), ("HEAD", "")] {
        let mut client = connect(&service, 1024);
        let request = ask().replace("HTTP/1.1", "HTTP/1.0").replacen("POST", method, 1);
        client.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        client.read_to_string(&mut text).await.unwrap();
        assert!(!text.contains("Transfer-Encoding"), "{text}");
        assert!(text.contains("\r\ncontent-length: 6\r\n"), "{text}");
        assert!(text.ends_with(&format!("\r\n\r\n{body}")), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn http_1_0_gets_the_body_as_it_is() {
    let timeline = stream(&[(0, "one"), (10, "two")], Ending::Close);
    let service = MockServer::builder().timeline(timeline).service().unwrap();
    let mut client = connect(&service, 1024);
    client.write_all(ask().replace("HTTP/1.1", "HTTP/1.0").as_bytes()).await.unwrap();
    let mut text = String::new();
    client.read_to_string(&mut text).await.unwrap();
    assert!(text.starts_with("HTTP/1.0 200 OK\r\n"), "{text}");
    assert!(text.contains("\r\nConnection: close\r\n"), "{text}");
    assert!(!text.contains("Transfer-Encoding"), "{text}");
    assert!(text.ends_with("\r\n\r\nonetwo"), "{text}");
}
