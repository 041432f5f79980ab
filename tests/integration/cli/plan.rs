//! `llmirage plan`: timelines in three forms, hits, refusals.

use serde_json::{Value, json};

use super::FIXTURES;
use crate::support::{Dir, chat_body};

fn with_fixtures() -> Dir {
    let dir = Dir::new();
    dir.create("f.json", FIXTURES);
    dir.create("hello.body", &chat_body("hello"));
    dir.create("slow.body", &chat_body("slow"));
    dir
}

fn as_json(dir: &Dir, args: &str) -> Value {
    let printed = dir.command(&format!("plan {args} --format json")).succeeds();
    serde_json::from_str(&printed).unwrap()
}

#[test]
fn text_shows_the_head_and_one_line_per_event() {
    let dir = with_fixtures();
    let text = dir.command("plan f.json --request slow.body").succeeds();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[..3], ["fixture \"slow\", hit 1", "", "       0ms  HTTP/1.1 200 OK"]);
    assert!(lines.contains(&"            Content-Type: text/event-stream; charset=utf-8"), "{text}");
    let table = lines.iter().position(|line| line.trim_start().starts_with("time ")).unwrap();
    assert_eq!(lines[table], "      time  event  kind       bytes");
    let starts: Vec<&str> = lines[table + 1..].iter().map(|line| line.get(..27).unwrap_or(line)).collect();
    assert_eq!(
        starts,
        [
            "       0ms      0  role    ",
            "       0ms      1  content ",
            "   30000ms      2  content ",
            "   60000ms      3  content ",
            "   60000ms      4  finish  ",
            "   60000ms      5  done    ",
            "   60000ms  the body ends a",
        ]
    );
    assert_eq!(lines[lines.len() - 2], r"   60000ms      5  done          14  data: [DONE]\n\n");
    assert_eq!(lines[lines.len() - 1], "   60000ms  the body ends as HTTP wants it");
}

#[test]
fn wire_is_the_body_that_the_server_sends() {
    let dir = with_fixtures();
    let planned = dir.command("plan f.json --request hello.body --format wire").succeeds();
    assert_eq!(planned, dir.command("f.json").serve().chat("hello").body);
    let seeded = dir.command("plan f.json --request hello.body --format wire --seed 7").succeeds();
    assert_ne!(planned, seeded);
    assert_eq!(seeded, dir.command("f.json --seed 7").serve().chat("hello").body);
}

#[test]
fn json_is_the_timeline() {
    let dir = with_fixtures();
    let planned = as_json(&dir, "f.json --request slow.body");
    assert_eq!((&planned["fixture"], &planned["hit"]), (&json!("slow"), &json!(1)));
    assert_eq!(planned["ending"], json!("complete"));
    let head = &planned["head"];
    assert_eq!((&head["at"], &head["status"], &head["reason"]), (&json!("0s"), &json!(200), &json!(null)));
    let content_type = json!(["Content-Type", "text/event-stream; charset=utf-8"]);
    assert!(head["headers"].as_array().unwrap().contains(&content_type), "{head}");
    let events = planned["events"].as_array().unwrap();
    let times: Vec<_> =
        events.iter().map(|event| (event["at"].as_str().unwrap(), event["kind"].as_str().unwrap())).collect();
    let expected = [
        ("0s", "role"),
        ("0s", "content"),
        ("30s", "content"),
        ("60s", "content"),
        ("60s", "finish"),
        ("60s", "done"),
    ];
    assert_eq!(times, expected);
    assert_eq!(events[5]["raw"], json!("data: [DONE]\n\n"));
}

#[test]
fn a_fault_shows_in_events_and_ending() {
    let dir = with_fixtures();
    let request = json!({ "path": "/fault/close-mid-stream@event:2/v1/chat/completions",
                          "body": serde_json::from_str::<Value>(&chat_body("hello")).unwrap() });
    dir.create("cut.body", &request.to_string());
    let planned = as_json(&dir, "f.json --request cut.body");
    assert_eq!((planned["events"].as_array().unwrap().len(), &planned["ending"]), (2, &json!("close")));
    let text = dir.command("plan f.json --request cut.body").succeeds();
    assert!(text.ends_with("  the connection is closed without the end of the body\n"), "{text}");
    assert!(text.starts_with("fixture \"greeting\", hit 1\nfault close-mid-stream@event:2\n\n"), "{text}");
    assert_eq!(planned["faults"], json!(["close-mid-stream@event:2"]));
    assert_eq!(planned["ends_at"], planned["events"][1]["at"]);
    assert_eq!(
        planned["framing"],
        json!({ "before": "", "head_bytes": null, "tail": null, "after": "", "parts": "http-chunk" })
    );
}

#[test]
fn bytes_that_are_no_http_are_shown_after_everything() {
    let dir = with_fixtures();
    let request = json!({ "path": "/fault/garbage:bytes=zz@event:1/v1/chat/completions",
                          "body": serde_json::from_str::<Value>(&chat_body("hello")).unwrap() });
    dir.create("garbage.body", &request.to_string());
    assert_eq!(as_json(&dir, "f.json --request garbage.body")["framing"]["after"], json!("zz"));
    let text = dir.command("plan f.json --request garbage.body").succeeds();
    assert!(text.contains("  after everything: zz\n"), "{text}");
}

#[test]
fn hits_are_those_of_the_same_request_sent_again() {
    let dir = with_fixtures();
    let fixtures = r#"{ "fixtures": [
        { "name": "first", "match": { "user": "hello" }, "replies": [ "One.", "Two." ], "after_last": "pass" },
        { "name": "then", "reply": "Later." } ] }"#;
    dir.create("hits.json", fixtures);
    for (hit, fixture, own_hit) in [(1, "first", 1), (2, "first", 2), (3, "then", 1), (4, "then", 2)] {
        let planned = as_json(&dir, &format!("hits.json --request hello.body --hit {hit}"));
        assert_eq!((&planned["fixture"], &planned["hit"]), (&json!(fixture), &json!(own_hit)));
    }
}

#[test]
fn bytes_that_are_no_text_are_base64() {
    let dir = with_fixtures();
    let fixtures = r#"{ "fixtures": [ { "name": "raw", "reply": { "script": [ { "raw": { "base64": "/w==" } } ] } } ] }"#;
    dir.create("raw.json", fixtures);
    let planned = as_json(&dir, "raw.json --request hello.body");
    assert_eq!(planned["events"][0]["raw"], json!({ "base64": "/w==" }));
}

#[test]
fn what_would_be_refused_shows_the_refusal() {
    let dir = with_fixtures();
    for (body, path, status, part) in [
        (r#"{"model":"m","messages":[]}"#, "/v1/chat/completions", 400, "Invalid 'messages': empty array."),
        ("{ broken", "/v1/chat/completions", 400, "JSON"),
        (
            r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#,
            "/v1/chat/completions",
            404,
            "nearest is",
        ),
        ("{}", "/v1/nothing", 404, "Invalid URL (POST /v1/nothing)"),
    ] {
        let command = dir.command(&format!("plan f.json --request - --path {path} --format json"));
        let planned: Value = serde_json::from_str(&command.stdin(body).succeeds()).unwrap();
        assert_eq!(
            (&planned["head"]["status"], &planned["fixture"]),
            (&json!(status), &json!(null)),
            "{body}"
        );
        let sent = planned["events"][0]["raw"].as_str().unwrap();
        assert!(sent.contains(part), "{body}: {sent}");
    }
}

#[test]
fn a_whole_request_may_go_anywhere() {
    let dir = with_fixtures();
    let ask = |request: Value| {
        let command = dir.command("plan f.json --request - --format json").stdin(&request.to_string());
        serde_json::from_str::<Value>(&command.succeeds()).unwrap()
    };
    let models = ask(json!({ "method": "GET", "path": "/v1/models" }));
    assert_eq!((&models["head"]["status"], &models["events"][0]["kind"]), (&json!(200), &json!("body")));
    let refused = ask(json!({ "method": "GET", "path": "/v1/chat/completions" }));
    assert_eq!(refused["head"]["status"], json!(405));
    let azure = ask(json!({
        "path": "/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21",
        "body": { "stream": true, "messages": [{ "role": "user", "content": "hello" }] } }));
    assert_eq!((&azure["fixture"], &azure["events"][0]["kind"]), (&json!("greeting"), &json!("preamble")));
}

#[test]
fn without_paths_the_built_in_set_answers() {
    let dir = with_fixtures();
    let planned = as_json(&dir, "--request hello.body");
    assert_eq!((&planned["head"]["status"], &planned["ending"]), (&json!(200), &json!("complete")));
}

#[test]
fn requests_that_cannot_be_read_are_errors_of_usage() {
    let dir = with_fixtures();
    let system = std::fs::read_to_string(dir.path("no.body")).unwrap_err();
    for (args, stdin, expected) in [
        ("--request no.body", "", format!("llmirage: cannot read no.body: {system}\n")),
        ("--request -", r#"{"method":1}"#, "llmirage: -: method: expected a string, got 1\n".to_owned()),
        (
            "--request - --path nowhere",
            "{}",
            "llmirage: \"nowhere\" is no path: it starts with a slash\n".to_owned(),
        ),
    ] {
        let failed = dir.command(&format!("plan f.json {args}")).stdin(stdin).fails();
        assert_eq!(failed, (2, expected), "{args}");
    }
    dir.create("broken.json", "{}");
    let (code, stderr) = dir.command("plan broken.json --request hello.body").fails();
    assert_eq!(code, 2);
    assert!(stderr.starts_with("broken.json:1:1: "), "{stderr}");
}

#[test]
fn a_reader_that_leaves_is_no_failure() {
    use std::process::Stdio;

    let dir = with_fixtures();
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_llmirage"))
        .args(["plan", "--request"])
        .arg(dir.path("hello.body"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
}

#[test]
fn an_answer_that_no_fixture_gives_says_why() {
    let dir = with_fixtures();
    dir.create(
        "one.json",
        r#"{ "fixtures": [ { "name": "one", "match": { "user": "x" }, "reply": "X." } ] }"#,
    );
    dir.create("broken.body", "{");
    for (request, why) in [
        ("hello.body", "no fixture matches this request; nearest is \"one\" (one.json): "),
        ("broken.body", "We could not parse the JSON body of your request."),
    ] {
        let text = dir.command(&format!("plan one.json --request {request}")).succeeds();
        assert!(text.starts_with(&format!("no fixture answers this: {why}")), "{text}");
    }
}
