//! Limits on what clients may send and how long they may take, and what becomes of hostile input.

use std::time::Duration;

use llmirage::MockServer;
use llmirage::plan::timeline::Ending;
use llmirage::serve::{Builder, Outcome};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::raw::{self, ask, chat, connect, json, stream};

fn builder() -> Builder {
    MockServer::builder().timeline(json(200, "{}"))
}

/// Sends bytes, and tells what comes until the server closes, and after how many seconds.
async fn send(bytes: &[u8]) -> (String, u64) {
    let service = builder().service().unwrap();
    let mut client = connect(&service, 256 * 1024);
    let start = Instant::now();
    client.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).await.unwrap();
    (String::from_utf8_lossy(&answer).into_owned(), start.elapsed().as_secs())
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_says_nothing_is_closed_after_ninety_seconds() {
    assert_eq!(send(b"").await, (String::new(), 90));
}

#[tokio::test(start_paused = true)]
async fn a_head_that_does_not_end_is_closed_after_ten_seconds() {
    assert_eq!(send(b"POST /v1/chat/completions HTTP/1.1\r\nHost: loc").await, (String::new(), 10));
}

#[tokio::test(start_paused = true)]
async fn a_head_that_trickles_is_closed_after_ten_seconds() {
    let service = builder().service().unwrap();
    let mut client = connect(&service, 1024);
    let start = Instant::now();
    while client.write_all(b"x").await.is_ok() {
        raw::settle().await;
        tokio::time::advance(Duration::from_secs(1)).await;
        raw::settle().await;
    }
    assert_eq!(start.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_kept_for_ninety_seconds() {
    let service = builder().service().unwrap();
    let mut client = connect(&service, 64 * 1024);
    for wait in [0, 15, 80] {
        tokio::time::advance(Duration::from_secs(wait)).await;
        assert_eq!(raw::exchange(&mut client, &ask()).await.status(), 200);
    }
    let start = Instant::now();
    assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
    assert_eq!(start.elapsed().as_secs(), 90);
}

#[tokio::test(start_paused = true)]
async fn a_second_head_that_does_not_end_is_closed_after_ten_seconds() {
    let service = builder().service().unwrap();
    let mut client = connect(&service, 64 * 1024);
    assert_eq!(raw::exchange(&mut client, &ask()).await.status(), 200);
    raw::settle().await;
    tokio::time::advance(Duration::from_secs(30)).await;
    client.write_all(b"POST /v1").await.unwrap();
    let start = Instant::now();
    assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
    assert_eq!(start.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_not_cut_because_the_next_head_has_begun() {
    for ending in [Ending::Complete, Ending::Close] {
        let timeline = stream(&[(0, "one"), (60_000, "two")], ending);
        let service = MockServer::builder().timeline(timeline).service().unwrap();
        let mut client = connect(&service, 64 * 1024);
        client.write_all((ask() + "POST /v1").as_bytes()).await.unwrap();
        raw::settle().await;
        client.write_all(b"/chat").await.unwrap();
        let entry = service.journal().settled(1).await.remove(0);
        assert_eq!(entry.events_sent, 2, "{:?}", entry.outcome);
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stops_is_answered_408_after_ten_seconds() {
    let (answer, seconds) = send(ask().trim_end_matches('}').as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.to_lowercase().contains("\r\nconnection: close\r\n"), "{answer}");
    assert_eq!(seconds, 10);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_trickles_is_answered_408_after_a_minute() {
    let service = builder().service().unwrap();
    let mut client = connect(&service, 1024);
    let start = Instant::now();
    client
        .write_all(chat("/v1/chat/completions", "", &"x".repeat(500)).split_at(200).0.as_bytes())
        .await
        .unwrap();
    let answer = loop {
        raw::settle().await;
        tokio::time::advance(Duration::from_secs(5)).await;
        raw::settle().await;
        let _ = client.write_all(b"x").await;
        let mut byte = [0; 12];
        tokio::select! {
            biased;
            read = client.read_exact(&mut byte) => { read.unwrap(); break byte }
            () = raw::settle() => {}
        }
    };
    assert_eq!(&answer, b"HTTP/1.1 408");
    assert_eq!(start.elapsed().as_secs(), 60);
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_takes_nothing_is_dropped_after_thirty_seconds() {
    for ending in [Ending::Complete, Ending::Close] {
        let event = "x".repeat(200_000);
        let service =
            MockServer::builder().timeline(stream(&[(0, &event), (1, &event)], ending)).service().unwrap();
        let mut client = connect(&service, 512);
        client.write_all(ask().as_bytes()).await.unwrap();
        let start = Instant::now();
        let entry = service.journal().settled(1).await.remove(0);
        assert!(matches!(entry.outcome, Outcome::Stalled { .. }), "{:?}", entry.outcome);
        assert_eq!(start.elapsed().as_secs(), 30);
    }
}

#[tokio::test(start_paused = true)]
async fn too_many_headers_or_too_long_ones_are_answered_431() {
    let with = |extra: &str| chat("/v1/chat/completions", extra, "{}");
    let many: String = (0..100).map(|index| format!("x-{index}: 1\r\n")).collect();
    let long = format!("x-long: {}\r\n", "y".repeat(70_000));
    for request in [with(&many), with(&long)] {
        let (answer, _) = send(request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer:.100}");
    }
    let enough: String = (0..90).map(|index| format!("x-{index}: 1\r\n")).collect();
    let service = builder().service().unwrap();
    assert_eq!(raw::once(&service, &with(&enough)).await.status(), 200);
}

#[tokio::test]
async fn a_body_over_the_limit_is_read_refused_and_the_connection_kept() {
    let server = builder().max_body(1000).start().await.unwrap();
    let mut client = TcpStream::connect(server.address()).await.unwrap();
    let large = chat("/v1/chat/completions", "", &"x".repeat(3_000_000));
    for _ in 0..2 {
        assert_eq!(raw::exchange(&mut client, &large).await.status(), 413);
        assert_eq!(raw::exchange(&mut client, &ask()).await.status(), 200);
    }
}

#[tokio::test(start_paused = true)]
async fn a_large_body_that_waits_for_permission_does_not_get_it() {
    let service = builder().max_body(1000).service().unwrap();
    let mut client = connect(&service, 64 * 1024);
    let head = "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 5000\r\n\r\n";
    let answer = raw::exchange(&mut client, head).await;
    assert_eq!(answer.status(), 413);
    assert_eq!(answer.header("connection"), Some("close"));
    let mut client = connect(&service, 64 * 1024);
    let small = head.replace("5000", "5");
    client.write_all(small.as_bytes()).await.unwrap();
    let mut go_on = [0; 25];
    client.read_exact(&mut go_on).await.unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    assert_eq!(raw::exchange(&mut client, "{\"\":1").await.status(), 200);
}

#[tokio::test(start_paused = true)]
async fn compressed_bodies_are_answered_415() {
    let service = builder().service().unwrap();
    let status = async |encoding: &str| {
        let request = chat("/v1/chat/completions", &format!("Content-Encoding: {encoding}\r\n"), raw::ASK);
        raw::once(&service, &request).await.status()
    };
    assert_eq!(status("gzip").await, 415);
    assert_eq!(status("br").await, 415);
    assert_eq!(status("identity").await, 200);
}

#[tokio::test(start_paused = true)]
async fn hosts_that_are_not_this_machine_are_answered_421() {
    let service = MockServer::builder().allow_host("mock.test").service().unwrap();
    let cases = [
        ("localhost", 200),
        ("127.0.0.1:4010", 200),
        ("[::1]:4010", 200),
        ("api.localhost", 200),
        ("mock.test:80", 200),
        ("evil.test", 421),
        ("localhost.evil.test", 421),
        ("169.254.169.254", 421),
        ("localhost@evil.test", 421),
        ("localhost:port", 421),
    ];
    for (host, expected) in cases {
        for path in ["/health", "/__admin/requests", "/v1/models"] {
            let request = raw::get(path).replace("Host: localhost", &format!("Host: {host}"));
            assert_eq!(raw::once(&service, &request).await.status(), expected, "{host} {path}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn http_1_1_without_a_host_is_answered_400() {
    let service = MockServer::builder().service().unwrap();
    let request = raw::get("/v1/models").replace("Host: localhost\r\n", "");
    assert_eq!(raw::once(&service, &request).await.status(), 400);
    assert_eq!(raw::once(&service, &request.replace("HTTP/1.1", "HTTP/1.0")).await.status(), 200);
}

#[tokio::test]
async fn one_connection_too_many_is_closed_at_once() {
    let server = builder().max_connections(2).start().await.unwrap();
    let mut first = TcpStream::connect(server.address()).await.unwrap();
    let mut second = TcpStream::connect(server.address()).await.unwrap();
    for client in [&mut first, &mut second] {
        assert_eq!(raw::exchange(client, &ask()).await.status(), 200);
    }
    let mut third = TcpStream::connect(server.address()).await.unwrap();
    assert_eq!(third.read(&mut [0]).await.unwrap(), 0);
    assert_eq!(raw::exchange(&mut first, &ask()).await.status(), 200);
    drop(second);
    let mut fourth = loop {
        let mut client = TcpStream::connect(server.address()).await.unwrap();
        client.write_all(ask().as_bytes()).await.unwrap();
        if client.read(&mut [0]).await.is_ok_and(|len| len == 1) {
            break client;
        }
    };
    assert_eq!(fourth.read(&mut [0]).await.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn garbage_never_panics_and_never_stops_the_server() {
    let service = MockServer::builder().service().unwrap();
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let requests: Vec<Vec<u8>> = vec![
        b"\0\0\0\0\r\n\r\n".to_vec(),
        b"GET\r\n\r\n".to_vec(),
        b"GET / HTTP/9.9\r\n\r\n".to_vec(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
        b"GET /%00%ff/%zz HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
        b"GET http://localhost/v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
        b"GET * HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
        b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
        b"CONNECT evil.test:443 HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
        b"CONNECT localhost:443 HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
        b"GET /session/ HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
        b"GET /fault/ HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
        b"GET /fault/%/session/% HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
        b"GET /__admin/requests?limit=-1&limit=99999999999999999999 HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
        b"GET /v1/models HTTP/1.1\r\nHost: \xff\xfe\r\n\r\n".to_vec(),
        b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nx-llmirage-fault: \xff\r\n\r\n".to_vec(),
        b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nAuthorization: \xff\r\nOrigin: \xff\r\n\r\n".to_vec(),
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n".to_vec(),
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello".to_vec(),
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 18446744073709551615\r\n\r\n".to_vec(),
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n".to_vec(),
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nx".to_vec(),
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc".to_vec(),
        chat("/v1/chat/completions", "Content-Encoding: \u{e9}\r\n", "{}").into_bytes(),
        chat("/v1/chat/completions", "Transfer-Encoding: chunked\r\n", "2\r\n{}\r\n0\r\n\r\n").into_bytes(),
        chat("/v1/chat/completions", "", &deep).into_bytes(),
        chat("/v1/chat/completions", "", "").into_bytes(),
        chat("/v1/chat/completions", "", "null").into_bytes(),
        chat("/v1/chat/completions", "", "[]").into_bytes(),
        chat("/v1/chat/completions", "", "{\"messages\":{\"\":null},\"n\":1e999,\"model\":[]}").into_bytes(),
        chat("/v1/chat/completions", "", "\"\\ud800\"").into_bytes(),
        [chat("/v1/chat/completions", "", "").replace("Content-Length: 0", "Content-Length: 3").into_bytes(), vec![0xff; 3]].concat(),
        chat("/v1/models", "", "{}").into_bytes(),
        ask().replace("POST", "BREW").into_bytes(),
    ];
    for request in requests {
        let mut client = connect(&service, 1024 * 1024);
        client.write_all(&request).await.unwrap();
        client.shutdown().await.unwrap();
        let mut answer = Vec::new();
        // Whatever the answer: the connection ends, and the server still answers.
        client.read_to_end(&mut answer).await.unwrap();
        let status = String::from_utf8_lossy(&answer).chars().take(12).collect::<String>();
        assert!(
            status.is_empty() || status.starts_with("HTTP/1.1 "),
            "{status} {}",
            String::from_utf8_lossy(&request)
        );
        assert!(!status.contains(" 500"), "{}", String::from_utf8_lossy(&request));
        assert_eq!(raw::once(&service, &raw::get("/health")).await.status(), 200);
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_cut_at_any_byte_never_panics() {
    let service = MockServer::builder().service().unwrap();
    let request =
        chat("/session/a/v1/chat/completions?a=b", "api-key: x\r\nOrigin: http://a.test\r\n", raw::ASK);
    for end in 0..request.len() {
        let mut client = connect(&service, 64 * 1024);
        client.write_all(&request.as_bytes()[..end]).await.unwrap();
        client.shutdown().await.unwrap();
        client.read_to_end(&mut Vec::new()).await.unwrap();
    }
    assert!(service.journal().entries().is_empty());
}
