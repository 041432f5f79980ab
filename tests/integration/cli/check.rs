//! `llmirage check`: every problem with its place, warnings, the summary, the exit code.

use crate::support::{Dir, Output};

#[test]
fn good_fixtures_are_counted() {
    let dir = Dir::new();
    dir.create(
        "one.json",
        r#"{ "fixtures": [ { "name": "a", "match": { "user": "a" }, "reply": "A." } ] }"#,
    );
    dir.create("more/two.json", r#"{ "fixtures": [ { "name": "b", "match": { "user": "b" }, "reply": "B." }, { "name": "c", "reply": "C." } ] }"#);
    assert_eq!(
        dir.command("check one.json").succeeds(),
        "ok: 1 fixture in 1 file\n"
    );
    assert_eq!(
        dir.command("check one.json more").succeeds(),
        "ok: 3 fixtures in 2 files\n"
    );
    assert_eq!(
        dir.command("check .").succeeds(),
        "ok: 3 fixtures in 2 files\n"
    );
}

#[test]
fn every_problem_of_every_file_is_reported_with_its_place() {
    let dir = Dir::new();
    dir.create(
        "a.json",
        "{\n  \"fixtures\": [\n    { \"name\": \"a\", \"mach\": {}, \"reply\": \"A.\" },\n    { \"name\": \"b\", \"reply\": 1 }\n  ]\n}\n",
    );
    dir.create("b.json", "{ \"fixtures\": [ }");
    let output = dir.command("check a.json b.json no.json").output();
    assert_eq!(
        output,
        Output {
            code: 2,
            stdout: String::new(),
            stderr: String::new()
        }
    );
}
