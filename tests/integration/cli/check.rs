//! `llmirage check`: every problem with its place, warnings, the summary, the exit code.

use crate::support::{Dir, Output};

#[test]
fn good_fixtures_are_counted() {
    let dir = Dir::new();
    let one = r#"{ "fixtures": [ { "name": "a", "match": { "user": "a" }, "reply": "A." } ] }"#;
    let two = r#"{ "fixtures": [ { "name": "b", "match": { "user": "b" }, "reply": "B." },
                                 { "name": "c", "match": { "user": "c" }, "reply": "C." } ] }"#;
    dir.create("one.json", one);
    dir.create("more/two.json", two);
    for (args, expected) in [
        ("one.json", "ok: 1 fixture in 1 file\n"),
        ("more", "ok: 2 fixtures in 1 file\n"),
        ("one.json more", "ok: 3 fixtures in 2 files\n"),
        (".", "ok: 3 fixtures in 2 files\n"),
    ] {
        assert_eq!(dir.command(&format!("check {args}")).succeeds(), expected);
    }
}

#[test]
fn every_problem_of_every_file_is_reported_with_its_place() {
    let dir = Dir::new();
    let first = r#"{
  "fixtures": [
    { "name": "a", "mach": {}, "reply": "A." },
    { "name": "b", "reply": 1 },
    { "name": "a", "reply": { "answer": { "text": "x", "finish_reson": "stop" } } }
  ]
}
"#;
    dir.create("a.json", first);
    dir.create("b.json", "{ \"fixtures\": [ }");
    let system = std::fs::read_to_string(dir.path("no.json")).unwrap_err();
    assert_eq!(
        dir.command("check no.json a.json b.json").output(),
        Output {
            code: 2,
            stdout: format!(
                "no.json: cannot be read: {system}\n\
                 a.json:3:20: /fixtures/0/mach: unknown key \"mach\" in a fixture; did you mean \"match\"?\n\
                 a.json:4:29: /fixtures/1/reply: expected a string or an object, got 1\n\
                 a.json:5:15: /fixtures/2/name: the name \"a\" is taken by the fixture at a.json:3:5: names are unique\n\
                 a.json:5:56: /fixtures/2/reply/answer/finish_reson: unknown key \"finish_reson\" in an answer; \
                 did you mean \"finish_reason\"?\n\
                 b.json:1:17: not JSON: expected value\n"
            ),
            stderr: "llmirage: 6 problems\n".to_owned(),
        }
    );
}

#[test]
fn what_is_probably_a_mistake_is_a_warning() {
    let dir = Dir::new();
    let text = r#"{ "fixtures": [ { "name": "all", "reply": "A." },
    { "name": "never", "match": { "user": "x" }, "reply": "B." } ] }"#;
    dir.create("a.json", text);
    assert_eq!(
        dir.command("check a.json").succeeds(),
        "warning: a.json:2:5: /fixtures/1: never reached: \"all\" before it answers every request that it would\n\
         ok: 2 fixtures in 1 file, 1 warning\n"
    );
}

#[test]
fn a_folder_without_fixtures_is_a_problem() {
    let dir = Dir::new();
    let output = dir.command("check .").output();
    let stdout = ".: no *.json file in this folder\n".to_owned();
    let stderr = "llmirage: 1 problem\n".to_owned();
    assert_eq!(output, Output { code: 2, stdout, stderr });
}

#[test]
fn the_shipped_fixtures_have_neither_problems_nor_warnings() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures");
    let scenarios = std::fs::read_dir(format!("{folder}/scenarios")).unwrap();
    let scenarios = scenarios.map(|entry| entry.unwrap().path());
    let folders = ["default", "replay"].map(|name| format!("{folder}/{name}").into());
    for set in scenarios.chain(folders) {
        let printed = Dir::new().command("check").arg(&set).succeeds();
        assert!(printed.starts_with("ok: ") && !printed.contains("warning"), "{}: {printed}", set.display());
    }
}
