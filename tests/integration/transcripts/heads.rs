//! What becomes of a recorded head: all of it, but for what was about the recorded connection.

use serde_json::{Value, json};

use super::replayed;

/// Checks the header lines that are sent for these recorded ones, with a response of these keys.
#[track_caller]
fn check(response: Value, headers: &[&str], expected: &[&str]) {
    let mut transcript = json!({ "response": response });
    let pair = |line: &&str| {
        let (name, value) = line.split_once(": ").unwrap();
        json!([name, value])
    };
    transcript["response"]["headers"] = headers.iter().map(pair).collect();
    let sent = replayed(&transcript, &json!({})).head.headers;
    let line = |header: &llmirage::plan::timeline::Header| {
        format!("{}: {}", header.name, header.value.to_str().unwrap())
    };
    assert_eq!(sent.iter().map(line).collect::<Vec<_>>(), expected, "{headers:?}");
}

fn stream() -> Value {
    json!({ "status": 200, "events": [{ "raw": "data: 望\n\n" }] })
}

fn whole() -> Value {
    json!({ "status": 200, "body": "hello" })
}

#[test]
fn order_case_and_repetitions_stay() {
    let lines = ["B: 1", "a: 2", "Content-Length: 5", "Set-Cookie: x", "set-cookie: y", "b: 3"];
    check(whole(), &lines, &lines);
}

#[test]
fn what_was_for_the_recorded_connection_is_left_out() {
    let recorded = [
        "Connection: Keep-Alive, X-Hop",
        "Keep-Alive: timeout=5",
        "x-hop: 1",
        "Proxy-Connection: keep-alive",
        "Proxy-Authenticate: Basic",
        "TE: trailers",
        "Trailer: x-sum",
        "Upgrade: h2c",
        "Content-Encoding: gzip",
        "Content-Length: 3",
        "Server: x",
    ];
    check(whole(), &recorded, &["Connection: keep-alive", "Content-Length: 5", "Server: x"]);
    check(whole(), &["connection: Upgrade", "content-length: 9"], &["content-length: 5"]);
    let twice = ["Connection: x", "content-length: 5", "Connection: close", "connection: close"];
    check(whole(), &twice, &["Connection: close", "content-length: 5"]);
}

#[test]
fn a_body_is_framed_as_it_was_and_truly() {
    let chunked = ["content-type: text/event-stream", "Transfer-Encoding: chunked", "a: 1"];
    check(stream(), &chunked, &chunked);
    check(whole(), &chunked, &chunked);
    let length = ["Content-Length: 4", "a: 1"];
    check(stream(), &length, &["Content-Length: 11", "a: 1"]);
    check(whole(), &length, &["Content-Length: 5", "a: 1"]);
    let both = ["Content-Length: 4", "a: 1", "transfer-encoding: gzip, chunked", "content-length: 4"];
    check(whole(), &both, &["Transfer-Encoding: chunked", "a: 1"]);
    check(json!({ "status": 503 }), &[], &["content-length: 0"]);
    check(json!({ "status": 205 }), &["content-length: 0"], &["content-length: 0"]);
    for status in [204, 304] {
        check(json!({ "status": status }), &["content-length: 7", "etag: x"], &["etag: x"]);
    }
}

#[test]
fn http_2_frames_nothing_so_it_is_done_here_after_the_content_type() {
    let recorded = ["date: x", "content-type: text/event-stream", "cf-ray: 1"];
    let sent = ["date: x", "content-type: text/event-stream", "transfer-encoding: chunked", "cf-ray: 1"];
    check(stream(), &recorded, &sent);
    check(whole(), &["date: x"], &["date: x", "content-length: 5"]);
    check(whole(), &["Content-Type: a/b", "Date: x"], &["Content-Type: a/b", "Content-Length: 5", "Date: x"]);
}

#[test]
fn a_response_that_broke_off_keeps_the_length_that_it_did_not_reach() {
    let broken = |ending: &str| json!({ "status": 200, "body": "hello", "ending": ending });
    for ending in ["close", "reset", "client_left"] {
        check(broken(ending), &["Content-Length: 1000"], &["Content-Length: 1000"]);
        // Of an encoded body the length says nothing of what was decoded.
        let encoded = ["Content-Encoding: gzip", "Content-Length: 1000", "a: 1"];
        check(broken(ending), &encoded, &["Transfer-Encoding: chunked", "a: 1"]);
        check(broken(ending), &["content-length: 5"], &["transfer-encoding: chunked"]);
    }
}

#[test]
fn status_and_headers_of_the_reply_go_over_the_recorded_ones() {
    let transcript = json!({ "response": { "status": 404, "reason": "Nope", "headers": [["A", "1"], ["b", "2"]], "body": "x" } });
    let over = json!({ "status": 200, "headers": { "a": "one", "B": null, "c": "3" } });
    let head = replayed(&transcript, &over).head;
    assert_eq!((head.status.as_u16(), head.reason), (200, None));
    let lines: Vec<_> =
        head.headers.iter().map(|header| (&*header.name, header.value.to_str().unwrap())).collect();
    assert_eq!(lines, [("A", "one"), ("Content-Length", "1"), ("c", "3")]);
    let head = replayed(&transcript, &json!({})).head;
    assert_eq!((head.status.as_u16(), head.reason.as_deref()), (404, Some("Nope")));
    let empty = json!({ "response": { "status": 204, "headers": [] } });
    let head = replayed(&empty, &json!({ "status": 200 })).head;
    assert_eq!(head.header("content-length").unwrap(), "0");
}
