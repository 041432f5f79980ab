use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::plan::transcript::Transcript;

mod damaged;
mod forms;

/// What vcrpy writes, keys sorted.
const VCRPY: &str = r#"interactions:
- request:
    body: '{"model":"gpt-4o","messages":[{"role":"user","content":"It''s \"me\""}],"stream":true}'
    headers:
      accept: &id001
      - application/json
      content-length:
      - '87'
      host:
      - api.example.com
    method: POST
    uri: https://api.example.com/v1/chat/completions?x=1
  response:
    body:
      string: 'data: {"choices":[{"delta":{"content":"Hi"}}]}


        data: {"choices":[{"delta":{"content":" \u00fc"}}]}


        data: [DONE]


        '
    headers:
      Content-Type:
      - text/event-stream; charset=utf-8
      Date:
      - Wed, 31 Dec 2025 20:35:50 GMT
      Set-Cookie:
      - a=1; path=/
      - b=2; path=/
    status:
      code: 200
      message: OK
- request:
    body: null
    headers:
      accept: *id001
    method: GET
    uri: https://api.example.com/v1/models
  response:
    body:
      string: "{\n  \"object\": \"list\",\n  \"data\": [\"\xFC\", \"\U0001F600\"]\n}\n"
    headers:
      Content-Type: [application/json]
    status: {code: 404, message: Not Here}
version: 1
"#;

/// What Ruby's VCR writes.
const RUBY: &str = r#"---
http_interactions:
- request:
    method: post
    uri: https://api.example.com/v1/chat/completions
    body:
      encoding: UTF-8
      string: '{"model":"gpt-4o"}'
    headers:
      Accept:
      - "*/*"
  response:
    status:
      code: 200
      message: OK
    headers:
      Content-Type:
      - text/event-stream
      X-Empty:
      - ''
    body:
      encoding: ASCII-8BIT
      string: |+
        data: {"a":1}

        data: [DONE]

  recorded_at: Wed, 26 Apr 2023 10:08:38 GMT
- request:
    method: get
    uri: "<BASE>v1/models"
    body:
      encoding: US-ASCII
      string: ''
    headers: {}
  response:
    status:
      code: 200
      message:
    headers:
      Content-Type:
      - application/json
    body:
      encoding: ASCII-8BIT
      base64_string: |
        eyJuYW1lIjoi
        w7wifQ==
  recorded_at: Wed, 26 Apr 2023 10:08:39 GMT
recorded_with: VCR 6.1.0
"#;

/// All exchanges, of which none is damaged.
fn exchanges(cassette: impl AsRef<[u8]>) -> Vec<Exchange> {
    assert!(is(cassette.as_ref()));
    read(cassette.as_ref()).unwrap().into_iter().map(Result::unwrap).collect()
}

fn transcript(exchange: &Exchange) -> Value {
    serde_json::to_value(&exchange.transcript).unwrap()
}

/// The transcripts' bodies, and what is said about each exchange.
fn bodies(cassette: impl AsRef<[u8]>) -> Vec<(Bytes, Vec<String>)> {
    let exchanges = exchanges(cassette);
    exchanges.into_iter().map(|exchange| (exchange.transcript.response.bytes(), exchange.notes)).collect()
}

/// A cassette of one interaction: its request and its response, indented by four.
fn one(request: &str, response: &str) -> String {
    let head = "interactions:\n- request:\n    method: POST\n    uri: http://h/v1/x\n";
    format!("{head}{request}  response:\n    status: {{code: 200, message: OK}}\n{response}version: 1\n")
}

/// The body of a response, and a note on it if there is any, of what stands in `response.body`.
#[track_caller]
fn check(body: &str, expected: impl AsRef<[u8]>, note: &[&str]) {
    let cassette = one("", &format!("    headers: {{}}\n    body: {body}\n"));
    assert_eq!(bodies(&cassette), [(Bytes::copy_from_slice(expected.as_ref()), strings(note))], "{cassette}");
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn what_vcrpy_writes_is_read_to_the_byte() {
    let exchanges = exchanges(VCRPY.replace("\\u00fc", "ü"));
    assert_eq!(
        transcript(&exchanges[0]),
        json!({
            "request": {
                "method": "POST", "path": "/v1/chat/completions?x=1",
                "headers": [["accept", "application/json"], ["content-length", "87"], ["host", "api.example.com"]],
                "body": {"model": "gpt-4o", "messages": [{"role": "user", "content": "It's \"me\""}], "stream": true},
            },
            "response": {
                "status": 200,
                "headers": [
                    ["Content-Type", "text/event-stream; charset=utf-8"],
                    ["Date", "Wed, 31 Dec 2025 20:35:50 GMT"],
                    ["Set-Cookie", "a=1; path=/"],
                    ["Set-Cookie", "b=2; path=/"],
                ],
                "events": [
                    {"raw": "data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"}}]}\n\n"},
                    {"raw": "data: {\"choices\":[{\"delta\":{\"content\":\" ü\"}}]}\n\n"},
                    {"raw": "data: [DONE]\n\n"},
                ],
            },
            "recorded": {"date": "2025-12-31T20:35:50Z"},
        })
    );
    assert_eq!(
        transcript(&exchanges[1]),
        json!({
            "request": {"method": "GET", "path": "/v1/models", "headers": [["accept", "application/json"]]},
            "response": {
                "status": 404, "reason": "Not Here", "headers": [["Content-Type", "application/json"]],
                "body": "{\n  \"object\": \"list\",\n  \"data\": [\"ü\", \"😀\"]\n}\n",
            },
        })
    );
    assert_eq!(exchanges[0].host.as_deref(), Some("api.example.com"));
    assert_eq!([&exchanges[0].place, &exchanges[1].place], ["interaction 1", "interaction 2"]);
    assert!(exchanges.iter().all(|exchange| exchange.notes.is_empty()));
}

#[test]
fn what_ruby_writes_is_read_to_the_byte() {
    let exchanges = exchanges(RUBY);
    assert_eq!(
        transcript(&exchanges[0]),
        json!({
            "request": {
                "method": "POST", "path": "/v1/chat/completions", "headers": [["Accept", "*/*"]],
                "body": {"model": "gpt-4o"},
            },
            "response": {
                "status": 200, "headers": [["Content-Type", "text/event-stream"], ["X-Empty", ""]],
                "events": [{"raw": "data: {\"a\":1}\n\n"}, {"raw": "data: [DONE]\n\n"}],
            },
            "recorded": {"date": "2023-04-26T10:08:38Z", "tool": "VCR 6.1.0"},
        })
    );
    let Transcript { request, response, .. } = &exchanges[1].transcript;
    assert_eq!(response.bytes(), "{\"name\":\"ü\"}");
    assert_eq!(request.as_ref().unwrap().path, "/v1/models");
    assert_eq!(
        exchanges[1].notes,
        ["its URL starts with <BASE>, which was taken for its host: look at its path"]
    );
}

#[test]
fn json_cassettes_of_both_are_read() {
    let response = json!({"status": {"code": 200, "message": "OK"}, "headers": {"content-type": ["application/json"]},
        "body": {"string": "{\"a\": \"\u{1F600}null\"}"}});
    let request = json!({"method": "POST", "uri": "https://h/v1/x", "body": "null", "headers": {}});
    let interactions = json!([{"request": request, "response": response}]);
    for cassette in [
        json!({"version": 1, "interactions": interactions}),
        json!({"http_interactions": interactions, "recorded_with": "VCR 3.0.3"}),
    ] {
        for text in [cassette.to_string(), format!("\u{feff}{cassette:#}")] {
            assert_eq!(bodies(&text), [("{\"a\": \"😀null\"}".into(), Vec::new())]);
        }
    }
    // The oldest cassettes are bare lists.
    let old = read(interactions.to_string().as_bytes()).unwrap();
    assert_eq!(old[0].as_ref().unwrap().transcript.request.as_ref().unwrap().body, Some(json!("null")));
}

#[test]
fn a_cassette_that_is_compressed_as_a_whole_is_read() {
    assert_eq!(exchanges(gzip(VCRPY)), exchanges(VCRPY));
}

/// A text, gzipped.
fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn other_files_are_no_cassettes() {
    for text in [
        "data: {\"interactions\": 1}\n\n",
        "{\"log\": {\"entries\": [{\"interactions\": []}]}}",
        "{\"request\": {\"interactions\": []}}",
        "a: 1\n",
        "",
        "[]",
    ] {
        assert!(!is(text.as_bytes()), "{text}");
    }
    for text in ["a: 1\n", "{\"a\": 1}", "interactions:\n  a: 1\n", "{\"interactions\": 1}", "- 1\n", "text"]
    {
        assert_eq!(
            read(text.as_bytes()).unwrap_err(),
            "is no cassette: it has neither `interactions` (vcrpy) nor `http_interactions` (VCR)"
        );
    }
    assert_eq!(
        read(b"\"a").unwrap_err(),
        "is no cassette: it has neither `interactions` (vcrpy) nor `http_interactions` (VCR) (line 1, column 1: not \
         YAML: while scanning a quoted scalar, found unexpected end of stream)"
    );
    for empty in ["interactions: []\nversion: 1\n", "{\"interactions\": []}", "---\nhttp_interactions: []\n"]
    {
        assert_eq!(read(empty.as_bytes()).unwrap_err(), "has no interactions");
    }
}
