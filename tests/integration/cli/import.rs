//! `llmirage import`: what is written, what is printed, the exit code.

use std::fs;

use serde_json::{Value, json};

use crate::support::{Dir, Output};

/// A HAR file of these exchanges: what the user asked, and what was answered.
fn har(exchanges: &[(&str, &str)]) -> String {
    let entry = |(user, said): &(&str, &str)| {
        let body = json!({ "model": "gpt-4o", "messages": [{ "role": "user", "content": user }] });
        json!({
            "startedDateTime": "2025-06-01T12:00:00Z", "time": 5,
            "request": {
                "method": "POST", "url": "https://api.openai.com/v1/chat/completions", "httpVersion": "HTTP/1.1",
                "headers": [{ "name": "Content-Type", "value": "application/json" }],
                "queryString": [], "cookies": [], "headersSize": -1, "bodySize": -1,
                "postData": { "mimeType": "application/json", "text": body.to_string() },
            },
            "response": {
                "status": 200, "statusText": "OK", "httpVersion": "HTTP/1.1",
                "headers": [{ "name": "content-type", "value": "application/json" }],
                "content": { "size": said.len(), "mimeType": "application/json", "text": said },
                "cookies": [], "redirectURL": "", "headersSize": -1, "bodySize": -1,
            },
            "cache": {}, "timings": { "send": 0, "wait": 5, "receive": 0 },
        })
    };
    let entries: Vec<Value> = exchanges.iter().map(entry).collect();
    let log = json!({ "version": "1.2", "creator": { "name": "t", "version": "1" }, "entries": entries });
    json!({ "log": log }).to_string()
}

const STREAM: &str =
    "data: {\"object\":\"chat.completion.chunk\",\"model\":\"gpt-4o\",\"choices\":[]}\n\ndata: [DONE]\n\n";

#[test]
fn an_import_is_served() {
    let dir = Dir::new();
    dir.create("chat.har", &har(&[("hello", "{\"a\": 1}"), ("bye", "{}"), ("hello", "{\"a\": 2}")]));
    assert_eq!(
        dir.command("import chat.har").succeeds(),
        "llmirage-fixtures/fixtures.json: fixtures: 2 new; 3 transcripts\ntry: llmirage llmirage-fixtures\n"
    );
    assert_eq!(
        dir.read("llmirage-fixtures/fixtures.json"),
        r#"{
  "fixtures": [
    {
      "name": "hello",
      "match": { "model": "gpt-4o", "user": { "equals": "hello" }, "turn": 1, "stream": false },
      "replies": [{ "transcript": "transcripts/hello.json" }, { "transcript": "transcripts/hello-2.json" }]
    },
    {
      "name": "bye",
      "match": { "model": "gpt-4o", "user": { "equals": "bye" }, "turn": 1, "stream": false },
      "reply": { "transcript": "transcripts/bye.json" }
    }
  ]
}
"#
    );
    assert_eq!(
        dir.command("check llmirage-fixtures").succeeds(),
        "ok: 2 fixtures in 1 file, 3 transcripts\n"
    );
    let server = dir.command("llmirage-fixtures").serve();
    let body = r#"{"model":"gpt-4o","messages":[{"role":"user","content":"hello"}]}"#;
    let said: Vec<String> = (0..3).map(|_| server.post("/v1/chat/completions", body).body).collect();
    assert_eq!(said, ["{\"a\": 1}", "{\"a\": 2}", "{\"a\": 2}"]);
}

#[test]
fn a_second_import_adds_what_is_new() {
    let dir = Dir::new();
    dir.create("one.har", &har(&[("hello", "1")]));
    dir.create("two.har", &har(&[("hello", "1"), ("hello", "2"), ("bye", "3")]));
    dir.command("import one.har -o f").succeeds();
    assert_eq!(
        dir.command("import two.har -o f").succeeds(),
        "f/fixtures.json: fixtures: 1 new, 1 with more replies; 2 transcripts\n1 exchange there already\ntry: llmirage f\n"
    );
    let before = dir.read("f/fixtures.json");
    assert_eq!(dir.command("import one.har two.har -o f").env("LLMIRAGE_OUTPUT", "other").output().code, 0);
    assert_eq!(
        dir.command("import one.har two.har").env("LLMIRAGE_OUTPUT", "f").succeeds(),
        "4 exchanges there already\n"
    );
    assert_eq!(dir.read("f/fixtures.json"), before);
}

#[test]
fn damage_is_told_per_exchange_and_the_rest_is_imported() {
    let dir = Dir::new();
    let mut broken: Value = serde_json::from_str(&har(&[("one", "1"), ("two", "2")])).unwrap();
    broken["log"]["entries"][0]["response"]["status"] = json!(0);
    dir.create("chat.har", &broken.to_string());
    dir.create("notes.txt", "nothing that anybody recorded");
    let output = dir.command("import chat.har notes.txt -o f").output();
    assert_eq!(output.code, 1);
    assert_eq!(output.stdout, "f/fixtures.json: fixtures: 1 new; 1 transcript\ntry: llmirage f\n");
    let lines: Vec<&str> = output.stderr.lines().collect();
    assert!(lines[0].starts_with("chat.har: entry 1: "), "{lines:?}");
    assert!(lines[1].starts_with("notes.txt: is in no format that is read (sse: "), "{lines:?}");
    assert_eq!(lines[2..], ["llmirage: 2 of 3 exchanges not imported"]);
}

#[test]
fn folders_are_walked_and_what_is_no_capture_is_left_alone() {
    let dir = Dir::new();
    dir.create("captures/b.har", &har(&[("b", "{}")]));
    dir.create("captures/a/a.har", &har(&[("a", "{}")]));
    dir.create("captures/README.md", "# Captures");
    dir.create("captures/.hidden.har", &har(&[("hidden", "{}")]));
    // What an import wrote is nothing to import.
    let printed = "captures/out/fixtures.json: fixtures: 2 new; 2 transcripts\ntry: llmirage captures/out\n";
    assert_eq!(dir.command("import captures -o captures/out").succeeds(), printed);
    assert_eq!(dir.command("import captures -o captures/out").succeeds(), "2 exchanges there already\n");
    let mut names: Vec<_> = fs::read_dir(dir.path("captures/out/transcripts"))
        .unwrap()
        .map(|file| file.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["a.json", "b.json"]);
}

#[test]
fn a_folder_without_captures_is_told_of() {
    let dir = Dir::new();
    dir.create("captures/README.md", "# Captures");
    let output = dir.command("import captures").output();
    let told = "captures: has no file with an exchange in a format that is read; name a file to be told why\n\
                llmirage: 1 of 1 exchange not imported\n";
    assert_eq!((output.code, output.stdout.as_str(), output.stderr.as_str()), (1, "", told));
}

#[test]
fn stdin_is_a_capture_and_a_response_alone_is_told_of() {
    let dir = Dir::new();
    let output = dir.command("import -").stdin(STREAM).output();
    assert_eq!(
        output,
        Output {
            code: 0,
            stdout: "llmirage-fixtures/fixtures.json: fixtures: 1 new; 1 transcript\ntry: llmirage llmirage-fixtures\n"
                .to_owned(),
            stderr: output.stderr.clone(),
        }
    );
    let note = ": note: it does not say what was asked, so its fixture answers every streamed chat completion of gpt-4o: \
                narrow `match` down, for example with `user`\n";
    assert!(output.stderr.starts_with("stdin: ") && output.stderr.ends_with(note), "{}", output.stderr);
    let fixtures: Value = serde_json::from_str(&dir.read("llmirage-fixtures/fixtures.json")).unwrap();
    assert_eq!(fixtures["fixtures"][0]["match"], json!({ "model": "gpt-4o", "stream": true }));
    assert_eq!(
        dir.command("plan llmirage-fixtures --format wire --request -")
            .stdin(r#"{"model":"gpt-4o","stream":true,"messages":[{"role":"user","content":"x"}]}"#)
            .succeeds(),
        STREAM
    );
}

#[test]
fn fixtures_that_do_not_load_are_left_as_they_are() {
    let dir = Dir::new();
    dir.create("chat.har", &har(&[("hello", "{}")]));
    let broken = "{ \"fixtures\": [ { \"name\": \"a\", \"mach\": {}, \"reply\": \"x\" } ] }";
    dir.create("f/fixtures.json", broken);
    assert_eq!(
        dir.command("import chat.har -o f").fails(),
        (
            2,
            "f/fixtures.json:1:32: /fixtures/0/mach: unknown key \"mach\" in a fixture; did you mean \"match\"?\n\
             llmirage: 1 problem\n"
                .to_owned()
        )
    );
    assert_eq!(dir.read("f/fixtures.json"), broken);
    assert!(!dir.path("f/transcripts").exists());
}

#[test]
fn what_cannot_be_read_or_written_is_named() {
    let dir = Dir::new();
    let system = fs::read(dir.path("none.har")).unwrap_err();
    assert_eq!(
        dir.command("import none.har").fails(),
        (2, format!("llmirage: cannot read none.har: {system}\n"))
    );
    dir.create("chat.har", &har(&[("hello", "{}")]));
    dir.create("f", "a file");
    let (code, said) = dir.command("import chat.har -o f").fails();
    assert_eq!(code, 2, "{said}");
    assert!(said.starts_with("llmirage: cannot read f"), "{said}");
    let (code, said) = dir.command("import").fails();
    assert!(code == 2 && said.contains("<CAPTURE>..."), "{said}");
}

#[test]
fn an_answer_can_be_edited() {
    let dir = Dir::new();
    let body = json!({
        "id": "chatcmpl-DnW1yCjIpiKF0L6q9Az8UnYq3DniJ", "object": "chat.completion", "created": 1_780_693_570,
        "model": "gpt-4o-2024-08-06",
        "choices": [{ "index": 0, "message": { "role": "assistant", "content": "Hi.", "refusal": null, "annotations": [] },
            "logprobs": null, "finish_reason": "stop" }],
    });
    dir.create("chat.har", &har(&[("hello", &body.to_string()), ("bye", "<html>")]));
    let output = dir.command("import chat.har --as answer -o f").output();
    assert_eq!(output.code, 0, "{output:?}");
    assert!(
        output.stdout.starts_with("f/fixtures.json: fixtures: 2 new; 1 transcript, 1 answer\n"),
        "{output:?}"
    );
    assert!(output.stderr.contains("chat.har: entry 1: note: its answer differs at byte "), "{output:?}");
    assert!(output.stderr.contains("chat.har: entry 2: note: kept as a transcript: "), "{output:?}");
    let fixtures: Value = serde_json::from_str(&dir.read("f/fixtures.json")).unwrap();
    assert_eq!(fixtures["fixtures"][0]["reply"]["answer"]["text"], "Hi.");
    assert_eq!(
        dir.command("import chat.har --as answer -o f").output().stdout,
        "2 exchanges there already\n"
    );
}
