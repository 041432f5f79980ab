//! `--watch` and transcripts: in the folders given, and outside of them.

use super::{body, stream, untimed};
use crate::support::Dir;

const NAMING: &str =
    r#"{ "fixtures": [ { "name": "a", "reply": { "transcript": "../elsewhere/t.json" } } ] }"#;

#[test]
fn a_changed_transcript_is_served_wherever_it_is() {
    let dir = Dir::new();
    dir.create("set/f.json", NAMING);
    dir.create("elsewhere/t.json", &stream().to_string());
    let mut served = dir.command("set --watch").serve();
    assert_eq!(served.chat("x").body, body(&stream()));

    let mut changed = untimed();
    changed["response"]["events"][5]["raw"] = "data: changed\n\n".into();
    dir.create("elsewhere/t.json", &changed.to_string());
    assert_eq!(served.stderr_line("llmirage:"), "llmirage: reloaded 1 fixture in 1 file");
    assert_eq!(served.chat("x").body, body(&changed));

    dir.create("elsewhere/t.json", "{}");
    let problem = served.stderr_line("t.json:1:1:");
    assert!(
        problem.ends_with("missing key \"response\" in a transcript (named in set/f.json:1:57)"),
        "{problem}"
    );
    assert_eq!(served.stderr_line("llmirage:"), "llmirage: 1 problem: the fixtures stay as they were");
    assert_eq!(served.chat("x").body, body(&changed));

    dir.create("elsewhere/t.json", &stream().to_string());
    assert_eq!(served.stderr_line("llmirage:"), "llmirage: reloaded 1 fixture in 1 file");
}

#[test]
fn a_transcript_that_a_reload_names_first_is_watched_from_then_on() {
    let dir = Dir::new();
    dir.create("set/f.json", r#"{ "fixtures": [ { "name": "a", "reply": "Before." } ] }"#);
    std::fs::create_dir(dir.path("elsewhere")).unwrap();
    let mut served = dir.command("set --watch").serve();
    dir.create("set/f.json", NAMING);
    assert_eq!(served.stderr_line("llmirage:"), "llmirage: 1 problem: the fixtures stay as they were");
    dir.create("elsewhere/t.json", &stream().to_string());
    assert_eq!(served.stderr_line("llmirage:"), "llmirage: reloaded 1 fixture in 1 file");
    assert_eq!(served.chat("x").body, body(&stream()));
}
