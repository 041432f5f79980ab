//! The faults as they are tested: short times, small sizes, and a request that has what they break.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use llmirage::plan::FixtureSet;
use llmirage::plan::fault::{ArgumentKind, Entry, Kind};
use llmirage::plan::set::Source;
use llmirage::serve::Builder;
use llmirage::{Fault, MockServer};
use serde_json::{Value, json};

use super::peer::{End, Peer, joined};

/// A fault in its one-word form, and how to meet it.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// The fault's name.
    pub(crate) name: &'static str,
    /// Its parameters; those that are not here have their defaults.
    pub(crate) parameters: BTreeMap<&'static str, String>,
}

/// Who is asked, and for what.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Way {
    pub(crate) dialect: Dialect,
    pub(crate) stream: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Dialect {
    OpenAi,
    Azure,
}

/// What the client does once a response is whole.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Then {
    /// It asks whether the connection still answers.
    Probe,
    /// It waits for the end of the connection.
    Wait,
    /// It asks the same again on the same connection.
    Again,
    /// It connects again at once, and again until that works.
    Reconnect,
}

/// Every fault once, as the goldens have it.
pub(crate) fn all() -> Vec<Case> {
    Kind::entries().map(Case::of).collect()
}

impl Case {
    /// The fault with times and sizes that tests can bear.
    pub(crate) fn of(entry: &'static Entry) -> Self {
        let parameters: &[(&str, &str)] = match entry.name {
            "slow-headers" | "slow-first-event" | "keepalive-close" => &[("delay", "20ms")],
            "slow-close" => &[("delay", "50ms")],
            "stall" | "half-close" | "accept-blackhole" | "done-then-hold" => &[("hold", "50ms")],
            "stall-heartbeat" => &[("every", "20ms"), ("hold", "50ms")],
            "burst" => &[("hold", "20ms")],
            "connection-refused" => &[("for", "3s")],
            "bandwidth" => &[("bytes_per_s", "65536")],
            "dribble" => &[("bytes", "256"), ("every", "1ms")],
            "event-oversize" => &[("bytes", "600")],
            "noise-lines" => &[("count", "5")],
            _ => &[],
        };
        let parameters = parameters.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
        Self { name: entry.name, parameters }
    }

    /// The fault in each of its other forms: every other word of every parameter, and every flag turned.
    pub(crate) fn variants(&self) -> Vec<Self> {
        let mut variants = Vec::new();
        for parameter in (self.entry().parameters)() {
            let default = parameter.default.clone().unwrap_or_default();
            let values: Vec<String> = match parameter.kind {
                ArgumentKind::Words(words) => words.iter().map(ToString::to_string).collect(),
                ArgumentKind::Flag => vec!["true".to_owned(), "false".to_owned()],
                ArgumentKind::Count | ArgumentKind::Integer | ArgumentKind::Duration | ArgumentKind::Text => {
                    Vec::new()
                }
            };
            let default = default.as_str().map_or_else(|| default.to_string(), str::to_owned);
            for value in values.into_iter().filter(|value| *value != default) {
                let mut variant = self.clone();
                variant.parameters.insert(parameter.name, value);
                variants.push(variant);
            }
        }
        variants
    }

    pub(crate) fn entry(&self) -> &'static Entry {
        Kind::entries().find(|entry| entry.name == self.name).expect("it is from the table")
    }

    /// The one-word form.
    pub(crate) fn spec(&self) -> String {
        let parameters: Vec<String> =
            self.parameters.iter().map(|(key, value)| format!("{key}={value}")).collect();
        match parameters.is_empty() {
            true => self.name.to_owned(),
            false => format!("{}:{}", self.name, parameters.join(",")),
        }
    }

    pub(crate) fn fault(&self) -> Fault {
        self.spec().parse().unwrap_or_else(|problem| panic!("{}: {problem}", self.spec()))
    }

    /// Whether events are due at several times. What is late by then goes out with what is due, in one
    /// chunk, so that chunks depend on how busy the machine is; and only they do.
    fn is_paced(&self) -> bool {
        let resumes = || self.parameters.get("then").is_some_and(|then| then == "resume");
        matches!(self.name, "burst" | "dribble" | "bandwidth")
            || matches!(self.name, "stall" | "stall-heartbeat") && resumes()
    }

    /// The form of fixtures.
    pub(crate) fn json(&self) -> Value {
        let mut object = json!({ "fault": self.name });
        for parameter in (self.entry().parameters)() {
            let Some(text) = self.parameters.get(parameter.name) else { continue };
            object[parameter.name] = match parameter.kind {
                ArgumentKind::Flag | ArgumentKind::Count | ArgumentKind::Integer => {
                    serde_json::from_str(text).expect("flags and numbers are JSON")
                }
                ArgumentKind::Duration | ArgumentKind::Text | ArgumentKind::Words(_) => json!(text),
            };
        }
        object
    }

    /// What the client does once the response is whole.
    pub(crate) fn then(&self) -> Then {
        match self.name {
            "keepalive-close" | "slow-close" | "content-length-mismatch" | "early-response" => Then::Wait,
            "keepalive-reset-on-reuse" => Then::Again,
            "connection-refused" => Then::Reconnect,
            _ => Then::Probe,
        }
    }

    /// What is asked: something that has what the fault breaks.
    pub(crate) fn body(&self, way: Way) -> Value {
        let mut body = json!({ "messages": [{ "role": "user", "content": "hello" }] });
        if way.dialect == Dialect::OpenAi {
            body["model"] = json!("gpt-4o-mini");
        }
        if way.stream {
            body["stream"] = json!(true);
        }
        match self.name {
            "tool-args-truncated" | "tool-call-identity" | "finish-stop-with-tools" => {
                let function = json!({ "name": "f", "parameters": { "type": "object", "properties": {} } });
                body["tools"] = json!([{ "type": "function", "function": function }]);
            }
            "choices-interleaved" => body["n"] = json!(2),
            _ => {}
        }
        body
    }

    /// The request, with `before` in front of the path.
    pub(crate) fn request(&self, way: Way, before: &str, headers: &str) -> String {
        let body = self.body(way).to_string();
        let (path, key) = match way.dialect {
            Dialect::OpenAi => ("/v1/chat/completions", "Authorization: Bearer sk-test"),
            Dialect::Azure => (
                "/openai/deployments/gpt-4o-mini/chat/completions?api-version=2024-10-21",
                "api-key: 0123456789",
            ),
        };
        format!(
            "POST {before}{path} HTTP/1.1\r\nHost: 127.0.0.1:4010\r\n{key}\r\n{headers}\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }
}

impl Way {
    pub(crate) const ALL: [Self; 4] = [
        Self { dialect: Dialect::OpenAi, stream: true },
        Self { dialect: Dialect::Azure, stream: true },
        Self { dialect: Dialect::OpenAi, stream: false },
        Self { dialect: Dialect::Azure, stream: false },
    ];

    pub(crate) fn name(self) -> &'static str {
        match (self.dialect, self.stream) {
            (Dialect::OpenAi, true) => "openai, stream",
            (Dialect::Azure, true) => "azure, stream",
            (Dialect::OpenAi, false) => "openai, json",
            (Dialect::Azure, false) => "azure, json",
        }
    }
}

/// A server whose answers are short, and have each what some fault breaks.
pub(crate) fn server() -> Builder {
    serving(None)
}

/// The same, its answers with a fault in the fixture.
pub(crate) fn serving(fault: Option<Value>) -> Builder {
    let source = Source::File { path: "case.json".into(), text: file(fault).to_string() };
    let set = FixtureSet::load(vec![source]).unwrap_or_else(|errors| panic!("{errors}"));
    MockServer::builder().fixtures(set).max_hold(Duration::from_secs(2))
}

/// The fixtures as a file, each answer with the fault.
pub(crate) fn file(fault: Option<Value>) -> Value {
    let faults = json!(fault.into_iter().collect::<Vec<_>>());
    let pieces = json!(["Hello", ", ", "望月", " 🌍", "!"]);
    // Given, since a debug build takes seconds to make the tables that tokens are counted with.
    let usage = json!({ "prompt_tokens": 8, "completion_tokens": 5 });
    let text = json!({ "text": "Hello, 望月 🌍!", "chunking": { "exact": pieces }, "usage": usage });
    let calls = json!({ "tool_calls": [
        { "name": "f", "arguments": { "city": "Paris" } }, { "name": "f", "arguments": { "city": "Rome" } }
    ] });
    let choices = json!({ "choices": [{ "text": "One, two." }, { "text": "Un, deux." }] });
    json!({ "fixtures": [
        { "name": "calls", "match": { "tool": "f" }, "reply": { "answer": calls, "faults": faults } },
        { "name": "choices", "match": { "body": { "/n": 2 } }, "reply": { "answer": choices, "faults": faults } },
        { "name": "text", "reply": { "answer": text, "faults": faults } },
    ] })
}

/// What a client saw of a fault.
#[derive(Debug, Default, Eq, PartialEq)]
pub(crate) struct Seen {
    /// What came, in order.
    pub(crate) bytes: Vec<u8>,
    /// What became of the connection, and of the next.
    pub(crate) ends: Vec<&'static str>,
}

impl Case {
    /// Sends the request and follows the connection to its end.
    pub(crate) async fn meet(&self, address: SocketAddr, request: &str) -> Seen {
        let mut peer = Peer::connect(address).await.expect("the server listens");
        peer.send(request).await;
        let mut seen = Seen::default();
        let closes = |bytes: &[u8]| {
            String::from_utf8_lossy(bytes).to_ascii_lowercase().contains("\r\nconnection: close\r\n")
        };
        match peer.answer(0).await {
            Some(end) => seen.ends.push(end.name()),
            None => match self.then() {
                Then::Probe if !closes(&peer.bytes) => {
                    let start = peer.bytes.len();
                    peer.send("GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n").await;
                    let end = peer.end().await;
                    if peer.bytes[start..].starts_with(b"HTTP/1.1 200 OK\r\n") {
                        assert_eq!(end, End::Fin, "{}", self.spec());
                        peer.bytes.truncate(start);
                        seen.ends.push("kept");
                    } else {
                        seen.ends.push(end.name());
                    }
                }
                Then::Again => {
                    peer.send(request).await;
                    seen.ends.push("asked again");
                    seen.ends.push(peer.end().await.name());
                }
                Then::Probe | Then::Wait | Then::Reconnect => seen.ends.push(peer.end().await.name()),
            },
        }
        if self.then() == Then::Reconnect {
            match Peer::connect(address).await {
                Ok(_) => seen.ends.push("accepted"),
                Err(end) => seen.ends.push(end.name()),
            }
            reconnect(address).await;
            seen.ends.push("then accepted");
        }
        seen.bytes = match self.is_paced() {
            true => joined(&peer.bytes),
            false => peer.bytes,
        };
        seen
    }
}

/// Connects until the server listens again.
pub(crate) async fn reconnect(address: SocketAddr) -> Peer {
    let again = async {
        loop {
            match Peer::connect(address).await {
                Ok(peer) => return peer,
                // Nothing tells a client that a port is open again.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    };
    tokio::time::timeout(super::peer::PATIENCE, again).await.expect("the server listens again")
}
