//! The end of `llmirage serve`: signals, grace, `--strict`.
#![cfg(unix)]

use super::FIXTURES;
use crate::support::{Connection, Dir, Served, chat_body, post};

/// A server, and a stream of it that would take a minute.
fn with_a_slow_stream(dir: &Dir, args: &str) -> (Served, Connection) {
    dir.create("f.json", FIXTURES);
    let served = dir.command(&format!("f.json {args}")).serve();
    let request = post("/v1/chat/completions", served.address(), "", &chat_body("slow"));
    let mut stream = served.connect().send(&request);
    stream.until("\"content\":\"a\"");
    (served, stream)
}

#[test]
fn both_signals_end_an_idle_server_well() {
    for signal in ["INT", "TERM"] {
        let served = Dir::new().command("").serve();
        served.signal(signal);
        assert_eq!(served.wait().code, 0, "{signal}");
    }
}

#[test]
fn streams_are_cut_when_the_grace_is_over() {
    let dir = Dir::new();
    let (mut served, stream) = with_a_slow_stream(&dir, "--grace 10ms");
    served.signal("TERM");
    let rest = stream.rest();
    assert!(!rest.contains("[DONE]"), "{rest}");
    let line = served.stderr_line("slow#1");
    assert!(line.contains(" cut 2 of "), "{line}");
    assert_eq!(served.wait().code, 0);
}

#[test]
fn a_stream_may_finish_within_the_grace() {
    let dir = Dir::new();
    dir.create(
        "f.json",
        r#"{ "fixtures": [ { "name": "slow", "reply": { "answer": { "text": "a b", "chunking": "word" }, "pacing": { "itl": "300ms" } } } ] }"#,
    );
    let mut served = dir.command("f.json --grace 60s").serve();
    let request = post("/v1/chat/completions", served.address(), "", &chat_body("x"));
    let mut stream = served.connect().send(&request);
    let mut read = stream.until("\"content\":\"a\"");
    served.signal("INT");
    read.push_str(&stream.rest());
    assert!(read.contains("data: [DONE]"), "{read}");
    let line = served.stderr_line("slow#1");
    assert!(line.contains(" completed "), "{line}");
    assert_eq!(served.wait().code, 0);
}

#[test]
fn a_second_signal_cuts_at_once_and_every_outcome_is_told() {
    let dir = Dir::new();
    let (served, stream) = with_a_slow_stream(&dir, "--grace 1h --ready-file url");
    served.signal("INT");
    // The ready file goes away once the first signal was seen: signals of a kind do not queue up.
    while dir.path("url").exists() {
        std::thread::yield_now();
    }
    served.signal("INT");
    let rest = stream.rest();
    assert!(!rest.contains("[DONE]"), "{rest}");
    let output = served.wait();
    assert_eq!(output.code, 0);
    assert!(output.stderr.contains(" slow#1 cut 2 of "), "{}", output.stderr);
}

#[test]
fn strict_lists_what_was_unmatched_and_what_was_unmet() {
    let dir = Dir::new();
    dir.create(
        "f.json",
        r#"{ "fixtures": [ { "name": "twice", "match": { "user": "hello" }, "reply": "Hi.", "times": 2 } ] }"#,
    );
    let served = dir.command("-q f.json --strict").serve();
    served.chat("hello");
    served.chat("hola");
    let output = served.stop();
    assert_eq!(output.code, 1);
    assert_eq!(
        output.stderr,
        "llmirage: --strict: 2 expectations were not met\n  \
         fixture \"twice\": expected 2 hits, got 1\n  \
         POST /v1/chat/completions: no fixture matches this request; nearest is \"twice\" (f.json): \
         user: expected to contain \"hello\", got \"hola\"\n"
    );
}

#[test]
fn strict_is_content_when_everything_was_as_expected() {
    let dir = Dir::new();
    dir.create(
        "f.json",
        r#"{ "fixtures": [ { "name": "once", "match": { "user": "hello" }, "reply": "Hi.", "times": 1 } ] }"#,
    );
    let served = dir.command("-q f.json --strict").serve();
    served.chat("hello");
    let output = served.stop();
    assert_eq!((output.code, output.stderr.as_str()), (0, ""));
}
