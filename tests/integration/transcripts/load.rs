//! How transcripts are found and read, and what is said of those that cannot be replayed.

use llmirage::files;
use llmirage::plan::set::{FixtureSet, Source};
use serde_json::json;

use super::{stream, untimed};
use crate::support::Dir;

/// Loads a fixture file whose only reply has these keys, with a transcript `t.json` of this text beside it, and
/// expects these lines. Columns of the reply count from its brace.
#[track_caller]
fn check(reply: &str, transcript: &str, expected: &[&str]) {
    let text = format!("{{\"fixtures\": [{{\"name\": \"x\", \"reply\":\n{reply}}}]}}");
    let sources = vec![
        Source::File { path: "dir/f.json".into(), text },
        Source::Transcript { path: "dir/t.json".into(), text: Ok(transcript.to_owned()) },
    ];
    let found = FixtureSet::load(sources).map_err(|errors| errors.to_string());
    let found = found.err().unwrap_or_default();
    assert_eq!(found.lines().collect::<Vec<_>>(), expected, "{reply}\n{transcript}");
}

const NAMED: &str = r#"{"transcript": "t.json"}"#;

#[test]
fn problems_of_a_transcript_are_told_at_their_place_and_with_that_of_the_reply() {
    check(
        NAMED,
        "{\"response\": {\"status\": 99, \"reason\": \"a\\nb\", \"headers\": [[\"a b\", \"1\"], [\"c\", \"\\n\"], [\"d\"]],\n\
         \"events\": [{\"at\": \"5ms\", \"raw\": \"x\"}, {\"raw\": \"\"}, {\"at\": \"4ms\", \"raw\": {\"base64\": \"!\"}}, {\"at\": \"3\", \"raw\": \"x\"}],\n\
         \"body\": \"y\", \"ending\": \"closed\", \"end_at\": \"1s\"},\n\
         \"request\": {\"method\": \"P OST\", \"path\": \"/v 1\"}}",
        &[
            r#"dir/t.json:1:25: /response/status: expected a status from 200 to 999, got 99 (named in dir/f.json:2:16)"#,
            r#"dir/t.json:1:39: /response/reason: a reason is text in one line, got "a\nb" (named in dir/f.json:2:16)"#,
            r#"dir/t.json:1:60: /response/headers/0/0: "a b" is not a header name (named in dir/f.json:2:16)"#,
            r#"dir/t.json:1:79: /response/headers/1/1: a header value is one line, got "\n" (named in dir/f.json:2:16)"#,
            r#"dir/t.json:1:86: /response/headers/2: expected a header, ["name", "value"], got an array (named in dir/f.json:2:16)"#,
            r#"dir/t.json:2:39: /response/events/1: this event has no `at`, and others have: give all events their times, or none (named in dir/f.json:2:16)"#,
            r#"dir/t.json:2:47: /response/events/1/raw: an event has at least one byte: leave it out (named in dir/f.json:2:16)"#,
            r#"dir/t.json:2:59: /response/events/2/at: times do not go back: event 2 is at 4ms, and event 0 before it at 5ms (named in dir/f.json:2:16)"#,
            r#"dir/t.json:2:84: /response/events/2/raw/base64: expected base64 (standard alphabet, padded), got "!" (named in dir/f.json:2:16)"#,
            r#"dir/t.json:2:98: /response/events/3/at: expected a duration with a unit, like "20ms" or "1.5s", got "3" (named in dir/f.json:2:16)"#,
            r#"dir/t.json:3:1: /response/body: a response has `events`, if it is a stream, or a `body`: leave one out (named in dir/f.json:2:16)"#,
            r#"dir/t.json:3:24: /response/ending: unknown ending "closed"; did you mean "close"? (named in dir/f.json:2:16)"#,
            r#"dir/t.json:3:34: /response/end_at: unknown key "end_at" in a recorded response; did you mean "ends_at"? (named in dir/f.json:2:16)"#,
            r#"dir/t.json:4:23: /request/method: expected a method, like "POST", got "P OST" (named in dir/f.json:2:16)"#,
            r#"dir/t.json:4:40: /request/path: expected a path with its query, like "/v1/chat/completions", got "/v 1" (named in dir/f.json:2:16)"#,
        ],
    );
}

#[test]
fn times_do_not_go_back_and_are_of_all_events_or_none() {
    let transcript = |response: &str| format!("{{\"response\": {{\"status\": 200,\n{response}}}}}");
    check(
        NAMED,
        &transcript(
            r#""at": "9ms", "events": [{"at": "8ms", "raw": "x"}, {"at": "7ms", "raw": "x"}, {"at": "9ms", "raw": "x"}], "ends_at": "8ms""#,
        ),
        &[
            "dir/t.json:2:32: /response/events/0/at: times do not go back: event 0 is at 8ms, and the head before it at 9ms (named in dir/f.json:2:16)",
            "dir/t.json:2:59: /response/events/1/at: times do not go back: event 1 is at 7ms, and the head before it at 9ms (named in dir/f.json:2:16)",
            "dir/t.json:2:118: /response/ends_at: times do not go back: the end is at 8ms, and event 2 before it at 9ms (named in dir/f.json:2:16)",
        ],
    );
    check(
        NAMED,
        &transcript(r#""body": "x", "ends_at": "25h""#),
        &[
            "dir/t.json:2:25: /response/ends_at: a day is the longest, the end is at 90000s (named in dir/f.json:2:16)",
        ],
    );
    check(
        NAMED,
        &transcript(r#""events": [{"raw": "x"}, {"at": "1ms", "raw": "x"}]"#),
        &[
            "dir/t.json:2:12: /response/events/0: this event has no `at`, and others have: give all events their times, or none (named in dir/f.json:2:16)",
        ],
    );
}

#[test]
fn a_transcript_of_another_shape_says_what_it_should_be() {
    check(
        NAMED,
        "",
        &[
            r#"dir/t.json:1:1: the file is empty; the least is {"response": {"status": 200}} (named in dir/f.json:2:16)"#,
        ],
    );
    check(NAMED, "{,", &["dir/t.json:1:2: not JSON: key must be a string (named in dir/f.json:2:16)"]);
    check(
        NAMED,
        r#"{"request": {"path": "/"}, "respons": {}, "a": 1, "a": 2}"#,
        &[
            r#"dir/t.json:1:13: /request: missing key "method" in a recorded request (named in dir/f.json:2:16)"#,
            r#"dir/t.json:1:28: /respons: unknown key "respons" in a transcript; did you mean "response"? (named in dir/f.json:2:16)"#,
            r#"dir/t.json:1:51: /a: the key "a" is there twice, first in line 1: leave one out (named in dir/f.json:2:16)"#,
            r#"dir/t.json:1:51: /a: unknown key "a" in a transcript; known: "request", "response", "recorded" (named in dir/f.json:2:16)"#,
        ],
    );
    for (status, key) in [(204, "body"), (304, "events")] {
        let content = if key == "body" { "\"x\"" } else { r#"[{"raw": "x"}]"# };
        let expected = format!(
            "dir/t.json:1:30: /response/{key}: a response with the status {status} has no body: leave it out (named in dir/f.json:2:16)"
        );
        let text = format!("{{\"response\": {{\"status\": {status}, \"{key}\": {content}}}}}");
        check(NAMED, &text, &[&expected]);
    }
}

#[test]
fn what_does_not_go_with_a_transcript_is_refused_with_the_way_out() {
    check(
        r#"{"transcript": "t.json", "answer": {"text": "x"}, "wire": {}, "filters": {}, "status": 204,
"faults": [{"fault": "json-instead-of-stream"}], "pacing": {"scale": 0.5, "recorded": true, "itl": "1ms"}}"#,
        &stream().to_string(),
        &[
            "dir/f.json:2:2: /fixtures/0/reply/transcript: a reply has exactly one content, got `answer` and `transcript`",
            "dir/f.json:2:51: /fixtures/0/reply/wire: `wire` shapes what is generated, and a transcript is sent as it was recorded: leave it out, or make an answer of the recording with `llmirage import --as answer`",
            "dir/f.json:2:63: /fixtures/0/reply/filters: `filters` shapes what is generated, and a transcript is sent as it was recorded: leave it out, or make an answer of the recording with `llmirage import --as answer`",
            "dir/f.json:2:88: /fixtures/0/reply/status: a response with the status 204 has no body: send an empty `script` instead of a transcript",
            "dir/f.json:3:12: /fixtures/0/reply/faults/0: a transcript is sent as it was recorded, stream or not: name one that is no stream instead of this fault",
            "dir/f.json:3:61: /fixtures/0/reply/pacing/scale: `scale` is about the recorded times, which `itl` displaces: leave one of them out",
            "dir/f.json:3:75: /fixtures/0/reply/pacing/recorded: `recorded` is about the recorded times, which `itl` displaces: leave one of them out",
        ],
    );
    check(
        r#"{"transcript": "t.json", "pacing": {"scale": 2, "recorded": false}}"#,
        &stream().to_string(),
        &[
            "dir/f.json:2:37: /fixtures/0/reply/pacing/scale: `scale` is about the recorded times, and `recorded` says not to use them: leave one out",
        ],
    );
    check(
        r#"{"transcript": "t.json", "pacing": {"scale": 2, "recorded": true}}"#,
        &untimed().to_string(),
        &[
            "dir/f.json:2:37: /fixtures/0/reply/pacing/scale: the transcript has no times: leave `scale` out, and give `ttft` and `itl` if it is to take time",
            "dir/f.json:2:49: /fixtures/0/reply/pacing/recorded: the transcript has no times: leave `recorded` out, and give `ttft` and `itl` if it is to take time",
        ],
    );
}

#[test]
fn a_transcript_written_into_the_reply_is_checked_there() {
    check(
        r#"{"transcript": {"response": {"status": 200, "boddy": "x", "headers": [["", "1"]]}}}"#,
        "",
        &[
            r#"dir/f.json:2:45: /fixtures/0/reply/transcript/response/boddy: unknown key "boddy" in a recorded response; did you mean "body"?"#,
            r#"dir/f.json:2:72: /fixtures/0/reply/transcript/response/headers/0/0: "" is not a header name"#,
        ],
    );
    check(
        r#"{"transcript": 5}"#,
        "",
        &["dir/f.json:2:16: /fixtures/0/reply/transcript: expected a string or an object, got 5"],
    );
}

#[test]
fn where_no_files_are_read_a_path_is_refused_with_the_way_out() {
    let file = json!({ "fixtures": [{ "name": "x", "reply": { "transcript": "/etc/passwd" } }] });
    assert_eq!(
        super::load(&file).map(|_| ()),
        Err("f.json:1:48: /fixtures/0/reply/transcript: no file is read from here: write the transcript itself in the \
             place of its path, {\"transcript\": {\"response\": {…}}}"
            .to_owned())
    );
    let fixture =
        serde_json::from_value(json!({ "name": "x", "reply": { "transcript": "t.json" } })).unwrap();
    let errors = FixtureSet::load(vec![Source::Code(fixture)]).unwrap_err().to_string();
    assert!(errors.starts_with("fixture \"x\": /reply/transcript: no file is read from here: "), "{errors}");
}

fn fixture(name: &str, transcript: &str) -> String {
    format!(
        r#"{{ "fixtures": [ {{ "name": "{name}", "match": {{ "user": "{name}" }}, "reply": {{ "transcript": "{transcript}" }} }} ] }}"#
    )
}

#[test]
fn a_path_is_relative_to_the_fixture_file_and_each_transcript_is_read_once() {
    let dir = Dir::new();
    dir.create("set/a.json", &fixture("a", "transcripts/t.json"));
    dir.create(
        "set/b.json",
        &fixture("b", "transcripts/../transcripts/t.json").replace("transcripts/../", "./"),
    );
    dir.create("set/sub/c.json", &fixture("c", "../../elsewhere/u.json"));
    dir.create("set/sub/d.json", &fixture("d", &dir.path("elsewhere/u.json").display().to_string()));
    dir.create("set/transcripts/t.json", &stream().to_string());
    dir.create("elsewhere/u.json", &untimed().to_string());
    let sources = files::read(&[dir.path("set")]).unwrap();
    let read = |source: &Source| match source {
        Source::File { .. } => "file",
        Source::Transcript { text: Ok(_), .. } => "transcript",
        other => panic!("{other:?}"),
    };
    let read: Vec<_> = sources.iter().map(read).collect();
    assert_eq!(read, ["file", "file", "file", "file", "transcript", "transcript", "transcript"]);
    assert_eq!(FixtureSet::load(sources).unwrap().names().collect::<Vec<_>>(), ["a", "b", "c", "d"]);
    let builder = llmirage::MockServer::builder().fixtures_from(dir.path("set")).unwrap();
    assert!(builder.service().is_ok());
}

#[test]
fn check_tells_of_transcripts_and_counts_them() {
    let dir = Dir::new();
    dir.create("set/f.json", &fixture("a", "transcripts/t.json"));
    dir.create("set/transcripts/t.json", &stream().to_string());
    dir.create("set/transcripts/nobodys.json", &stream().to_string());
    assert_eq!(dir.command("check set").succeeds(), "ok: 1 fixture in 1 file, 1 transcript\n");

    // What is named as a transcript is none of the folder's fixture files, however broken.
    dir.create("set/transcripts/t.json", "{");
    let broken = dir.command("check set").output();
    assert_eq!(
        (broken.code, broken.stdout.as_str()),
        (2, "set/transcripts/t.json:1:2: not JSON: EOF while parsing an object (named in set/f.json:1:83)\n")
    );
    std::fs::remove_file(dir.path("set/transcripts/t.json")).unwrap();
    let system = std::fs::read_to_string(dir.path("no.json")).unwrap_err();
    assert_eq!(
        dir.command("check set").output().stdout,
        format!(
            "set/f.json:1:83: /fixtures/0/reply/transcript: the transcript set/transcripts/t.json: cannot be read: {system}\n"
        )
    );
}

#[test]
fn a_transcript_is_no_fixture_file() {
    let dir = Dir::new();
    dir.create("t/t.json", &stream().to_string());
    let named = dir.command("check t/t.json").output();
    assert_eq!(
        named.stdout,
        "t/t.json:1:1: this is a transcript, not a fixture file: name it in a reply, {\"reply\": {\"transcript\": …}}, \
         or make a fixture for it with `llmirage import`\n"
    );
    let folder = dir.command("check t").output();
    assert_eq!(
        folder.stdout,
        "t: no fixture file in this folder, only transcripts: name them in the replies of one, or make it with \
         `llmirage import`\n"
    );
}

#[test]
fn a_gap_that_servers_cut_is_a_warning() {
    let dir = Dir::new();
    let mut slow = stream();
    slow["response"]["ends_at"] = "90s".into();
    dir.create("t.json", &slow.to_string());
    dir.create("f.json", &fixture("a", "t.json"));
    assert_eq!(
        dir.command("check f.json").succeeds(),
        "warning: f.json:1:17: /fixtures/0/reply/transcript: the transcript has a gap of 89.598s: servers cut it at 60s, \
         unless --max-hold allows more\nok: 1 fixture in 1 file, 1 transcript, 1 warning\n"
    );
    dir.create(
        "f.json",
        &fixture("a", "t.json").replace("\"t.json\"", "\"t.json\", \"pacing\": { \"scale\": 0.1 }"),
    );
    assert_eq!(dir.command("check f.json").succeeds(), "ok: 1 fixture in 1 file, 1 transcript\n");
}
