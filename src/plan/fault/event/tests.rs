//! Each fault on small streams of both dialects and on a JSON body, to the byte.

use std::time::Duration;

use http::StatusCode;
use serde_json::Value;

use super::*;
use crate::plan::Request;
use crate::plan::fault::Fault;
use crate::plan::seed::Seed;
use crate::plan::timeline::{Ending, Framing, Head, Header};

mod any;
mod azure;
mod ends;
mod text;
mod tools;

const OPENAI: &str = "/v1/chat/completions";
const AZURE: &str = "/openai/v1/chat/completions";

/// What stands for the envelopes in what is asserted.
const ENVELOPES: [(&str, &str); 4] = [
    (r#"{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":["#, "<o "),
    (r#"],"obfuscation":"xy"}"#, " o>"),
    (r#"{"choices":["#, "<a "),
    (r#"],"created":1,"id":"c","model":"m","obfuscation":"xy","object":"chat.completion.chunk"}"#, " a>"),
];
/// What stands for the verdicts on a harmless text.
const SAFE: &str = r#"{"hate":{"filtered":false,"severity":"safe"},"self_harm":{"filtered":false,"severity":"safe"},"sexual":{"filtered":false,"severity":"safe"},"violence":{"filtered":false,"severity":"safe"}}"#;
/// What stands for those on a harmless prompt.
const PROMPT: &str = r#"[{"prompt_index":0,"content_filter_results":{"hate":{"filtered":false,"severity":"safe"},"jailbreak":{"detected":false,"filtered":false},"self_harm":{"filtered":false,"severity":"safe"},"sexual":{"filtered":false,"severity":"safe"},"violence":{"filtered":false,"severity":"safe"}}}]"#;

/// A line of what is asserted, as it is on the wire.
fn long(line: &str) -> String {
    let line = ENVELOPES.iter().fold(line.to_owned(), |line, (long, short)| line.replace(short, long));
    line.replace("SAFE", SAFE).replace("PROMPT", PROMPT)
}

fn short(line: &str) -> String {
    let line = line.replace(SAFE, "SAFE").replace(PROMPT, "PROMPT");
    let tails_first = [1, 3, 0, 2].map(|index| ENVELOPES[index]);
    tails_first.into_iter().fold(line, |line, (long, short)| line.replace(long, short))
}

/// A stream of lines `ms kind data`, or `ms kind` and a body.
fn response(lines: &str) -> Response {
    let lines = lines.lines().map(str::trim).filter(|line| !line.is_empty());
    let pieces: Vec<Piece> = lines
        .map(|line| {
            let mut words = line.splitn(3, ' ');
            let at = Duration::from_millis(words.next().unwrap().parse().unwrap());
            let kind = kind(words.next().unwrap());
            let data = long(words.next().unwrap());
            let bytes = if kind == EventKind::Body { data.into() } else { chunk::event(data.as_bytes()) };
            Piece { at, kind, bytes }
        })
        .collect();
    let length: usize = pieces.iter().map(|piece| piece.bytes.len()).sum();
    let body = pieces.iter().any(|piece| piece.kind == EventKind::Body);
    let (name, value) = match body {
        true => ("Content-Length", length.to_string()),
        false => ("Content-Type", "text/event-stream; charset=utf-8".to_owned()),
    };
    let headers = vec![Header::new(name, value)];
    let head = Head { at: Duration::ZERO, status: StatusCode::OK, reason: None, headers: headers.into() };
    let ends_at = pieces.last().map_or(head.at, |piece| piece.at);
    Response {
        head,
        pieces,
        framing: Framing::default(),
        ending: Ending::Complete,
        ends_at,
        breaks_off: false,
    }
}

fn kind(name: &str) -> EventKind {
    let kinds = [
        EventKind::Preamble,
        EventKind::Role,
        EventKind::Content,
        EventKind::Filter,
        EventKind::Finish,
        EventKind::Usage,
        EventKind::Done,
        EventKind::Other,
        EventKind::Body,
    ];
    kinds.into_iter().find(|kind| format!("{kind:?}") == name).expect("it is a kind")
}

fn lines(response: &Response) -> Vec<String> {
    let line = |piece: &Piece| {
        let text = String::from_utf8_lossy(&piece.bytes).into_owned();
        let data = text.strip_prefix("data: ").and_then(|data| data.strip_suffix("\n\n"));
        let shown = short(data.unwrap_or(&text)).replace('\n', "|");
        format!("{} {:?} {shown}", piece.at.as_millis(), piece.kind)
    };
    response.pieces.iter().map(line).collect()
}

fn broken(fault: &str, path: &str, stream: &str) -> Response {
    let fault: Fault = fault.parse().unwrap();
    let request = Request::post(path, Value::Null);
    let context = Context { seed: Seed::new(0), max_hold: Duration::from_secs(60), call: &request.call };
    let mut response = response(stream);
    fault.apply(&mut response, &context);
    response
}

/// Checks what a fault makes of a stream.
#[track_caller]
fn check(fault: &str, path: &str, stream: &str, expected: &str) {
    let found = lines(&broken(fault, path, stream));
    let expected = expected.lines().map(str::trim).filter(|line| !line.is_empty());
    let expected: Vec<String> = expected.map(|line| short(&long(line))).collect();
    assert_eq!(found, expected, "{fault}\n{}", found.join("\n"));
}

const TEXT: &str = r#"
    10 Role <o {"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null} o>
    20 Content <o {"index":0,"delta":{"content":"Hé"},"finish_reason":null} o>
    30 Content <o {"index":0,"delta":{"content":"llo"},"finish_reason":null} o>
    40 Finish <o {"index":0,"delta":{},"finish_reason":"stop"} o>
    40 Done [DONE]
"#;

const AZURE_TEXT: &str = r#"
    10 Preamble {"choices":[],"created":0,"id":"","model":"","object":"","prompt_filter_results":PROMPT}
    10 Role <a {"content_filter_results":{},"delta":{"content":"","role":"assistant"},"finish_reason":null,"index":0} a>
    20 Content <a {"content_filter_results":SAFE,"delta":{"content":"Hi"},"finish_reason":null,"index":0} a>
    30 Finish <a {"content_filter_results":{},"delta":{},"finish_reason":"stop","index":0} a>
    30 Done [DONE]
"#;

const TOOLS: &str = r#"
    10 Content <o {"index":0,"delta":{"tool_calls":[{"index":0,"id":"c1","type":"function","function":{"name":"f","arguments":""}}]},"finish_reason":null} o>
    20 Content <o {"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"é\": "}}]},"finish_reason":null} o>
    30 Content <o {"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"\"ab\"}"}}]},"finish_reason":null} o>
    40 Content <o {"index":0,"delta":{"tool_calls":[{"index":1,"id":"c2","type":"function","function":{"name":"g","arguments":"{}"}}]},"finish_reason":null} o>
    50 Finish <o {"index":0,"delta":{},"finish_reason":"tool_calls"} o>
    50 Done [DONE]
"#;

const BODY: &str = r#"10 Body {"id":"c","choices":[{"index":0,"message":{"role":"assistant","content":"Hé"},"finish_reason":"stop"}],"usage":{"total_tokens":3}}"#;

const TOOL_BODY: &str = r#"10 Body {"id":"c","choices":[{"index":0,"message":{"content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}]},"finish_reason":"tool_calls"}]}"#;

/// Checks which lines of a stream a fault changes: what becomes of the line with this number, from 0.
#[track_caller]
fn changes(fault: &str, path: &str, stream: &str, number: usize, expected: &[&str]) {
    let mut all: Vec<&str> = stream.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    all.splice(number..(number + 1).min(all.len()), expected.iter().copied());
    check(fault, path, stream, &all.join("\n"));
}
