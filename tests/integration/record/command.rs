//! The command: its modes, its lines, its end.

use super::{FIXTURES, events, recorder, transcript, transcripts, upstream};
use crate::support::{Dir, chat_body, post};

#[test]
fn a_recording_replays_what_the_service_said() {
    let dir = Dir::new();
    dir.create("f.json", FIXTURES);
    let service = upstream(&dir, "f.json");
    let mut recording = recorder(&dir, &service, "", "-o out --ready-file url");
    assert_eq!(dir.read("url"), recording.url);
    let said = recording.stdout_line("Records what ");
    assert_eq!(said, format!("Records what {} answers, in out", service.0.url));

    let relayed = recording.chat("hello");
    assert!(relayed.complete && relayed.body.ends_with("data: [DONE]\n\n"), "{relayed:?}");
    let line = recording.stderr_line("POST");
    assert!(line.contains(" 200 recorded 8 events ") && line.ends_with(": transcripts/hello.json"), "{line}");
    let error = recording.chat("what nobody answers");
    assert_eq!(error.status, 404);
    let end = recording.stop();
    assert_eq!(end.code, 0);
    assert!(end.stderr.ends_with("llmirage: recorded 2 exchanges in out\n"), "{}", end.stderr);
    assert!(!dir.path("url").exists());

    assert_eq!(events(&transcripts(&dir.path("out"))["hello.json"]), relayed.body);
    let replaying = dir.command("out --time-scale 0").serve();
    let replayed = replaying.chat("hello");
    assert_eq!((replayed.status, &replayed.body), (200, &relayed.body));
    assert_eq!(replaying.chat("what nobody answers").body, error.body);

    // A folder that has recordings is replayed, and the service not asked.
    let mut again = recorder(&dir, &service, "", "-o out");
    let said = again.stdout_line("Replays ");
    assert!(said.starts_with("Replays 2 fixtures of out, and refuses other requests"), "{said}");
    assert_eq!(again.chat("hello").body, relayed.body);
    assert_eq!(again.chat("something new").status, 404);
    let end = again.stop();
    let summary = "llmirage: recorded 0 exchanges in out, 1 replayed, 1 refused: no recording answers\n";
    assert!(end.stderr.ends_with(summary), "{}", end.stderr);
}

#[test]
fn a_service_that_cannot_be_reached_or_trusted_is_told_to_client_and_user() {
    let dir = Dir::new();
    let service = upstream(&dir, "");
    let mut strange = dir.command(&format!("record --upstream {} -o out", service.0.url)).serve();
    let answer = strange.chat("hello");
    assert_eq!(answer.status, 502);
    let message = format!("no TLS with {}: ", service.0.url);
    assert!(
        answer.body.contains(&message) && answer.body.contains("trust another authority with --ca FILE"),
        "{}",
        answer.body
    );
    let line = strange.stderr_line("POST");
    assert!(line.contains(" --- not recorded ") && line.contains(&message), "{line}");

    let mut nobody = dir.command("record --upstream http://127.0.0.1:1 -o out").serve();
    assert!(nobody.chat("hello").body.contains("llmirage record: cannot connect to http://127.0.0.1:1: "));
    nobody.stderr_line("not recorded");
    assert!(!dir.path("out").exists(), "nothing was recorded, nothing is written");
}

#[test]
fn what_cannot_be_started_says_why() {
    let dir = Dir::new();
    dir.create("out/fixtures.json", "{ \"fixtures\": [ { \"nam\": 1 } ] }");
    dir.create("empty.pem", "");
    for (args, code, words) in [
        ("record", 2, "--upstream"),
        ("record --upstream api.openai.com", 2, "does not begin with https:// or http://"),
        ("record --upstream https://a --ca empty.pem", 2, "empty.pem"),
        ("record --upstream https://a --mode sometimes", 2, "once, new, all"),
        ("record --upstream http://a -o out", 2, "unknown key \"nam\""),
        ("record --upstream http://a --listen 0.0.0.0:0", 2, "--admin-token"),
    ] {
        let (found, stderr) = dir.command(args).fails();
        assert_eq!(found, code, "{args}: {stderr}");
        assert!(stderr.contains(words), "{args}: {stderr}");
    }
}

#[cfg(unix)]
#[test]
fn what_does_not_end_within_the_grace_is_cut_and_not_recorded() {
    let dir = Dir::new();
    dir.create("f.json", FIXTURES);
    let service = upstream(&dir, "f.json");
    let recording = recorder(&dir, &service, "", "-o out --grace 10ms");
    let mut stream =
        recording.connect().send(&post("/v1/chat/completions", recording.address(), "", &chat_body("slow")));
    stream.until("\"role\"");
    let end = recording.stop();
    assert!(!stream.rest().contains("[DONE]"));
    assert_eq!(end.code, 0);
    assert!(
        end.stderr.contains("200 not recorded ")
            && end.stderr.contains("the recorder was stopped before it ended"),
        "{}",
        end.stderr
    );
    assert!(
        end.stderr.ends_with("llmirage: recorded 0 exchanges in out, 1 not recorded\n"),
        "{}",
        end.stderr
    );
    assert!(!dir.path("out").exists());
}

#[test]
fn a_client_that_leaves_is_part_of_the_recording() {
    let dir = Dir::new();
    dir.create("f.json", FIXTURES);
    let mut service = upstream(&dir, "f.json");
    let mut recording = recorder(&dir, &service, "", "-o out");
    let mut stream =
        recording.connect().send(&post("/v1/chat/completions", recording.address(), "", &chat_body("slow")));
    stream.until("\"content\":\"a\"");
    drop(stream);
    let line = service.0.stderr_line("slow#1");
    assert!(line.contains("client left 2 of "), "{line}");
    let line = recording.stderr_line("POST");
    assert!(line.contains("200 recorded 2 events, client left "), "{line}");
    let transcript = transcript(&dir, "out");
    assert_eq!(transcript["response"]["ending"], "client_left");
}
