//! Times over real sockets and TLS: as the service has sent, within 2 ms.
//!
//! What is measured is the recorder: the service notes when it has written each event, since on a busy machine it
//! writes late itself. That machine may also stop everybody between two steps; so the median of a run counts, and the
//! best of a few runs. On paused time offsets are exact (`src/record/tests/times.rs`).

use std::time::Duration;

use llmirage::Recorder;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep_until};

use super::acceptor;
use crate::raw::ask;

/// When the events are due, in milliseconds.
const DUE: [u64; 8] = [40, 75, 120, 150, 190, 260, 270, 330];

/// By how much each recorded time is off, in milliseconds, in order.
async fn errors() -> Vec<f64> {
    let (acceptor, pem) = acceptor("http/1.1");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let service = async {
        let (socket, _) = listener.accept().await.unwrap();
        socket.set_nodelay(true).unwrap();
        let mut stream = acceptor.accept(socket).await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"}]}") {
            stream.read_buf(&mut request).await.unwrap();
        }
        let start = Instant::now();
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 72\r\n\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut sent = Vec::new();
        for due in DUE {
            sleep_until(start + Duration::from_millis(due)).await;
            stream.write_all(b"data: x\n\n").await.unwrap();
            stream.flush().await.unwrap();
            sent.push(start.elapsed());
        }
        (stream, sent)
    };
    let recorder = Recorder::builder().upstream(format!("https://localhost:{port}")).trust_pem(pem);
    let recorder = recorder.start().await.unwrap();
    let mut client = TcpStream::connect(recorder.address()).await.unwrap();
    client.write_all(ask().as_bytes()).await.unwrap();
    let reading = async {
        let mut seen = Vec::new();
        while !seen.ends_with(&b"data: x\n\n".repeat(DUE.len())) {
            assert!(client.read_buf(&mut seen).await.unwrap() > 0);
        }
    };
    let ((_stream, sent), ()) = tokio::join!(service, reading);
    recorder.settled(1).await;
    let transcript = recorder.transcripts().remove(0);
    let events = transcript.response.events.unwrap();
    assert_eq!(events.len(), DUE.len());
    let millis = |time: Duration| time.as_secs_f64() * 1000.0;
    let recorded = events.iter().map(|event| millis(event.at.unwrap().0));
    let mut errors: Vec<f64> = recorded.zip(sent).map(|(at, sent)| (at - millis(sent)).abs()).collect();
    errors.sort_by(f64::total_cmp);
    errors
}

#[tokio::test]
async fn events_are_recorded_within_two_milliseconds_of_when_they_were_sent() {
    let mut runs = Vec::new();
    for _ in 0..8 {
        let errors = errors().await;
        let median = errors[errors.len() / 2];
        println!("off by {errors:?} ms");
        runs.push(median);
        if median <= 2.0 {
            return;
        }
    }
    panic!("in no run was the median within 2 ms: {runs:?}");
}
