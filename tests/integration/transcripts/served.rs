//! Transcripts through real sockets and the built binary: the client gets what was recorded.

use llmirage::{Fixture, Matcher, MockServer, Pacing, Reply};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{anthropic, body, broken_body, completion, replayed, stream};
use crate::raw;
use crate::support::{Dir, chat_body};

/// A server that answers on each path with a transcript, without waiting.
async fn server(transcripts: &[(&str, &Value)]) -> MockServer {
    let mut builder = MockServer::builder().time_scale(0.0);
    for (path, transcript) in transcripts {
        let reply = Reply::transcript(serde_json::from_value((*transcript).clone()).unwrap());
        builder = builder.fixture(Fixture::named(*path).when(Matcher::path(*path)).reply(reply));
    }
    builder.start().await.unwrap()
}

/// Everything that a request gets until the connection ends, and whether that was a reset.
async fn everything(server: &MockServer, path: &str, extra: &str) -> (Vec<u8>, bool) {
    let mut client = TcpStream::connect(server.address()).await.unwrap();
    let request = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\n{extra}\r\n");
    client.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match client.read(&mut buffer).await {
            Ok(0) => return (bytes, false),
            Ok(len) => bytes.extend_from_slice(&buffer[..len]),
            Err(error) => {
                assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
                return (bytes, true);
            }
        }
    }
}

#[tokio::test]
async fn any_route_serves_a_transcript_byte_for_byte() {
    let (anthropic, whole) = (anthropic(), completion());
    let server =
        server(&[("/v1/messages", &anthropic), ("/v1beta/models/gemini:generateContent", &whole)]).await;
    for (path, transcript) in
        [("/v1/messages", &anthropic), ("/v1beta/models/gemini:generateContent", &whole)]
    {
        for method in ["POST", "GET", "PUT"] {
            let request =
                format!("{method} {path}?key=1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
            let answer = raw::over_tcp(server.address(), &request).await;
            assert_eq!(
                (answer.status(), answer.body.as_str()),
                (200, body(transcript).as_str()),
                "{method} {path}"
            );
        }
    }
}

#[tokio::test]
async fn bytes_that_are_no_text_and_odd_framing_arrive_as_they_are() {
    let events = json!([
        { "raw": "\u{feff}data: a\r\n\r\n" },
        { "raw": "\n\n: note\rdata: \u{0}\r\r" },
        { "raw": { "base64": "ZGF0YTog//4KCg==" } },
        { "raw": "data: no end" }
    ]);
    let transcript =
        json!({ "response": { "status": 200, "headers": [["Content-Length", "1"]], "events": events } });
    let server = server(&[("/odd", &transcript)]).await;
    let (bytes, _) = everything(&server, "/odd", "Connection: close\r\n").await;
    let expected = b"\xef\xbb\xbfdata: a\r\n\r\n\n\n: note\rdata: \0\r\rdata: \xff\xfe\n\ndata: no end";
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nconnection: close\r\n\r\n", expected.len());
    assert_eq!(
        bytes.escape_ascii().to_string(),
        [head.as_bytes(), expected].concat().escape_ascii().to_string()
    );
}

#[tokio::test]
async fn a_recording_that_broke_off_breaks_off() {
    let mut cut = stream();
    cut["response"]["ending"] = "client_left".into();
    let mut reset = stream();
    reset["response"]["ending"] = "reset".into();
    let broken = broken_body();
    let server = server(&[("/cut", &cut), ("/reset", &reset), ("/broken", &broken)]).await;
    for (path, transcript, is_reset) in
        [("/cut", &cut, false), ("/reset", &reset, true), ("/broken", &broken, false)]
    {
        let expected = replayed(transcript, &json!({ "pacing": { "ttft": "0s" } }));
        let wire = llmirage::plan::http1::wire(&expected, http::Version::HTTP_11).bytes;
        let seen = everything(&server, path, "").await;
        assert_eq!(
            (String::from_utf8(seen.0).unwrap(), seen.1),
            (String::from_utf8(wire.to_vec()).unwrap(), is_reset)
        );
    }
}

#[tokio::test]
async fn a_connection_is_kept_after_a_transcript_as_after_an_answer() {
    let transcript = stream();
    let server = server(&[("/v1/chat/completions", &transcript)]).await;
    let mut client = TcpStream::connect(server.address()).await.unwrap();
    for _ in 0..3 {
        let answer = raw::exchange(&mut client, &raw::ask()).await;
        assert_eq!(answer.body, body(&transcript));
        assert_eq!(answer.header("cf-ray"), Some("1-ORD"));
    }
    assert_eq!(server.journal().settled(3).await.len(), 3);
}

#[tokio::test]
async fn limits_and_sessions_are_as_for_answers() {
    let reply = || Reply::transcript(serde_json::from_value(stream()).unwrap()).pacing(Pacing::scale(0.0));
    let fixture = Fixture::named("twice").reply(reply()).reply(Reply::text("second"));
    let limit = serde_json::from_value(json!({ "per": "session", "requests_per_minute": 1 })).unwrap();
    let server = MockServer::builder().fixture(fixture).limit(limit).start().await.unwrap();
    let ask = |session: &str| raw::chat(&format!("/session/{session}/v1/chat/completions"), "", raw::ASK);
    let one = raw::over_tcp(server.address(), &ask("one")).await;
    assert_eq!(one.body, body(&stream()));
    assert_eq!(raw::over_tcp(server.address(), &ask("one")).await.status(), 429);
    assert_eq!(raw::over_tcp(server.address(), &ask("two")).await.body, body(&stream()));
}

#[test]
fn plan_prints_what_the_server_sends() {
    let dir = Dir::new();
    dir.create("t/hello.json", &stream().to_string());
    dir.create("f.json", r#"{ "fixtures": [ { "name": "a", "reply": { "transcript": "t/hello.json" } } ] }"#);
    dir.create("ask.json", &chat_body("hello"));
    let wire = dir.command("plan f.json --request ask.json --format wire").succeeds();
    assert_eq!(wire, body(&stream()));
    assert_eq!(wire, dir.command("f.json").serve().chat("hello").body);
    let planned = dir.command("plan f.json --request ask.json --format json").succeeds();
    let planned: Value = serde_json::from_str(&planned).unwrap();
    let at: Vec<_> = planned["events"].as_array().unwrap().iter().map(|event| &event["at"]).collect();
    assert_eq!(at, ["310ms", "310ms", "345500us", "401ms", "402ms", "402ms"]);
    assert_eq!(planned["events"][2]["raw"], stream()["response"]["events"][2]["raw"]);
}
