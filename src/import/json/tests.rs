use serde_json::json;

use super::*;

#[track_caller]
fn all(capture: &str) -> Vec<Result<Exchange, Damage>> {
    assert!(is(capture.as_bytes()), "{capture}");
    read(capture.as_bytes()).unwrap()
}

#[track_caller]
fn only(capture: &Value) -> Exchange {
    let mut exchanges = all(&capture.to_string());
    assert_eq!(exchanges.len(), 1);
    exchanges.remove(0).unwrap()
}

#[track_caller]
fn damaged(capture: &Value, expected: &str) {
    let mut exchanges = all(&capture.to_string());
    assert_eq!(exchanges.len(), 1);
    assert_eq!(exchanges.remove(0).unwrap_err().to_string(), expected);
}

fn exchange() -> Value {
    json!({
        "source": {"repo": "someone/project", "path": "cassettes/chat.yaml", "interaction": 2},
        "meta": {"created": "2026-01-01T00:00:00Z", "content_encoding_removed": ["gzip"]},
        "request": {
            "method": "post", "url": "https://h/v1/chat/completions?a=b",
            "headers": [["Accept", "*/*"]], "body": "{\"model\":\"m\"}",
        },
        "response": {
            "status": 200, "reason": "OK",
            "headers": [["content-type", "text/event-stream"], ["Set-Cookie", "a"], ["Set-Cookie", "b"], ["content-encoding", "gzip"]],
            "body": "data: 1\n\ndata: [DONE]\n\n",
        },
    })
}

#[test]
fn an_exchange_is_read_whole() {
    let Exchange { place, host, transcript, notes } = only(&exchange());
    assert_eq!((place.as_str(), host.as_deref()), ("exchange 1", Some("h")));
    assert_eq!(notes, [""; 0]);
    assert_eq!(
        serde_json::to_value(transcript).unwrap(),
        json!({
            "request": {
                "method": "POST", "path": "/v1/chat/completions?a=b", "headers": [["Accept", "*/*"]], "body": {"model": "m"},
            },
            "response": {
                "status": 200,
                "headers": [["content-type", "text/event-stream"], ["Set-Cookie", "a"], ["Set-Cookie", "b"], ["content-encoding", "gzip"]],
                "events": [{"raw": "data: 1\n\n"}, {"raw": "data: [DONE]\n\n"}],
            },
            "recorded": {"source": "someone/project cassettes/chat.yaml", "date": "2026-01-01T00:00:00Z"},
        })
    );
}

#[test]
fn headers_have_several_forms() {
    let expected = [
        ("A".to_owned(), "1".to_owned()),
        ("B".to_owned(), "2".to_owned()),
        ("B".to_owned(), "3".to_owned()),
    ];
    for headers in [
        json!([["A", "1"], ["B", "2"], ["B", 3]]),
        json!([{"name": "A", "value": "1"}, {"name": "B", "value": "2"}, {"name": "B", "value": "3"}]),
        json!({"A": "1", "B": ["2", "3"]}),
    ] {
        let exchange = only(&json!({"response": {"status": 200, "reason": "OK", "headers": headers}}));
        assert_eq!(exchange.transcript.response.headers, expected);
    }
    damaged(
        &json!({"response": {"status": 200, "reason": "OK", "headers": [["A"]]}}),
        "exchange 1: response: expected headers as pairs or as an object, got [\"A\"]",
    );
    damaged(
        &json!({"request": {"url": "/"}, "response": {"status": 200, "headers": {"a": {}}}}),
        "exchange 1: response: expected headers as pairs or as an object, got {}",
    );
}

#[test]
fn bodies_have_several_forms() {
    let body = |body: Value| {
        let exchange =
            only(&json!({"request": {"url": "/"}, "response": {"status_code": 200, "content": body}}));
        (String::from_utf8(exchange.transcript.response.bytes().to_vec()).unwrap(), exchange.notes.len())
    };
    assert_eq!(body(json!("a")), ("a".to_owned(), 0));
    assert_eq!(body(json!(null)), (String::new(), 0));
    assert_eq!(body(json!({"base64": "YQ=="})), ("a".to_owned(), 0));
    assert_eq!(body(json!({"encoding": "base64", "data": "YQ\n=="})), ("a".to_owned(), 0));
    assert_eq!(body(json!({"encoding": "utf-8", "string": "a"})), ("a".to_owned(), 0));
    assert_eq!(body(json!({"id": 1, "object": "x"})), ("{\"id\":1,\"object\":\"x\"}".to_owned(), 1));
    damaged(
        &json!({"request": {"url": "/"}, "response": {"status": 200, "body": {"base64": "!"}}}),
        "exchange 1: response: its body is not base64 (Invalid symbol 33, offset 0.)",
    );
}

#[test]
fn bytes_in_base64_may_be_encoded_and_text_is_not() {
    let gzip = "H4sIAAAAAAAAA0tJLEm0UjDk4gIAzs14VAkAAAA=";
    let response = |body: Value| {
        json!({
            "request": {"url": "/"},
            "response": {"status": 200, "headers": {"content-encoding": "gzip"}, "body": body},
        })
    };
    assert_eq!(only(&response(json!("{}"))).transcript.response.bytes(), "{}");
    damaged(
        &response(json!({"base64": "e30="})),
        "exchange 1: the body is not gzip, which its content-encoding says it is",
    );
    assert_eq!(only(&response(json!({"base64": gzip}))).transcript.response.events.unwrap().len(), 1);
}

#[test]
fn a_file_may_have_several_exchanges() {
    let one = exchange();
    for capture in [
        json!([one, one]).to_string(),
        json!({"exchanges": [one, one]}).to_string(),
        format!("{one}\n{one}\n"),
        format!("\u{feff}{one}{one}"),
    ] {
        let places: Vec<_> = all(&capture).into_iter().map(|exchange| exchange.unwrap().place).collect();
        assert_eq!(places, ["exchange 1", "exchange 2"]);
    }
}

#[test]
fn what_is_damaged_stands_between_what_is_not() {
    let one = exchange();
    let capture = format!("{one}\n{}\n{one}\n\n{{\"response\"", json!({"response": {}}));
    let exchanges: Vec<_> = all(&capture)
        .into_iter()
        .map(|exchange| exchange.map(|exchange| exchange.place).map_err(|damage| damage.to_string()))
        .collect();
    assert_eq!(exchanges, [
        Ok("exchange 1".to_owned()),
        Err("exchange 2: response: has no status".to_owned()),
        Ok("exchange 3".to_owned()),
        Err("line 5: what begins here is not JSON (EOF while parsing an object at line 5 column 11); nothing after it \
             is read".to_owned()),
    ]);
    let listed: Vec<_> = all(&json!([one, 17]).to_string());
    assert_eq!(
        listed[1].as_ref().unwrap_err().to_string(),
        "exchange 2: is no exchange: expected an object with a response"
    );
}

#[test]
fn our_own_transcripts_come_back() {
    let transcript = json!({
        "request": {"method": "POST", "path": "/v1", "body": {"model": "m"}},
        "response": {
            "at": "5ms", "status": 200, "headers": [["content-type", "text/event-stream"]],
            "events": [{"at": "10ms", "raw": "data: 1\n"}, {"at": "20ms", "raw": "\n"}],
            "ending": "reset", "ends_at": "30ms",
        },
        "recorded": {"tool": "llmirage record 0.1.0"},
    });
    assert_eq!(serde_json::to_value(only(&transcript).transcript).unwrap(), transcript);
    let small = json!({"response": {"status": 404, "headers": [], "body": "x"}});
    assert_eq!(serde_json::to_value(only(&small).transcript).unwrap(), small);
}

#[test]
fn our_own_transcripts_are_read_strictly() {
    damaged(
        &json!({"response": {"status": 200, "events": [{"raw": "a", "when": 1}]}}),
        "exchange 1: is no transcript: response.events[0].when: unknown field `when`, expected `at` or `raw`",
    );
    damaged(
        &json!({"response": {"status": 200, "events": [], "body": "x"}}),
        "exchange 1: cannot be replayed: /response/body: a response has `events`, if it is a stream, or a `body`: leave \
         one out",
    );
    damaged(
        &json!({"response": {"status": 20, "events": []}}),
        "exchange 1: cannot be replayed: /response/status: expected a status from 200 to 999, got 20",
    );
    damaged(
        &json!({"response": {"status": 200, "events": [{"at": "2ms", "raw": "a"}, {"at": "1ms", "raw": "b"}]}}),
        "exchange 1: cannot be replayed: /response/events/1/at: times do not go back: event 1 is at 1ms, and event 0 \
         before it at 2ms",
    );
}

#[test]
fn other_json_is_none() {
    for capture in ["{}", "[]", "17", "{\"log\":{}}", "{\"response\":1}", "", "<html>"] {
        assert!(!is(capture.as_bytes()), "{capture}");
    }
    assert_eq!(read(b"<html>").unwrap_err(), "is not JSON: expected value at line 1 column 1");
    assert_eq!(
        read(b"[]").unwrap_err(),
        "has no exchange: expected an object with a response, or a list of such"
    );
    let deep = "[".repeat(1000);
    assert_eq!(
        read(deep.as_bytes()).unwrap_err(),
        "is not JSON: recursion limit exceeded at line 1 column 128"
    );
}
