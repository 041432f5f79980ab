//! `--watch`: what changes, what stays, and what is said about it.

use crate::support::Dir;

fn fixture(text: &str) -> String {
    format!(r#"{{ "fixtures": [ {{ "name": "a", "reply": "{text}" }} ] }}"#)
}

#[test]
fn a_changed_file_is_served() {
    let dir = Dir::new();
    dir.create("f.json", &fixture("Before."));
    let mut served = dir.command("f.json --watch").serve();
    assert!(served.chat("x").body.contains("Before"));

    dir.create("f.json", &fixture("After."));
    assert_eq!(served.stderr_line("llmirage:"), "llmirage: reloaded 1 fixture in 1 file");
    assert!(served.chat("x").body.contains("After"));
}

#[test]
fn a_set_that_does_not_load_leaves_the_old_one_serving() {
    let dir = Dir::new();
    dir.create("f.json", &fixture("Before."));
    let mut served = dir.command("f.json --watch").serve();

    dir.create("f.json", r#"{ "fixtures": [ { "name": "a", "reply": 1 }, { "name": 2 } ] }"#);
    let problem = served.stderr_line("f.json:1:");
    assert!(problem.contains(": /fixtures/0/reply: "), "{problem}");
    assert_eq!(served.stderr_line("llmirage:"), "llmirage: 2 problems: the fixtures stay as they were");
    assert!(served.chat("x").body.contains("Before"));

    dir.create("f.json", &fixture("After."));
    assert_eq!(served.stderr_line("llmirage:"), "llmirage: reloaded 1 fixture in 1 file");
    assert!(served.chat("x").body.contains("After"));
}

#[test]
fn new_files_in_a_folder_are_found() {
    let dir = Dir::new();
    dir.create("fixtures/z.json", &fixture("Before."));
    let mut served = dir.command("fixtures --watch").serve();

    dir.create("fixtures/a.json", r#"{ "fixtures": [ { "name": "first", "reply": "After." } ] }"#);
    assert_eq!(served.stderr_line("llmirage:"), "llmirage: reloaded 2 fixtures in 2 files");
    assert!(served.chat("x").body.contains("After"));
}

#[test]
fn a_file_that_is_gone_is_a_problem_until_it_is_back() {
    let dir = Dir::new();
    let path = dir.create("f.json", &fixture("Before."));
    let mut served = dir.command("f.json --watch").serve();
    std::fs::remove_file(path).unwrap();
    assert_eq!(served.stderr_line("llmirage:"), "llmirage: 1 problem: the fixtures stay as they were");
    assert!(served.chat("x").body.contains("Before"));
    dir.create("f.json", &fixture("After."));
    assert_eq!(served.stderr_line("llmirage:"), "llmirage: reloaded 1 fixture in 1 file");
}

#[test]
fn a_folder_that_is_made_again_is_still_watched() {
    let dir = Dir::new();
    dir.create("fixtures/a.json", &fixture("Before."));
    let mut served = dir.command("fixtures --watch").serve();
    std::fs::remove_dir_all(dir.path("fixtures")).unwrap();
    served.stderr_line("the fixtures stay as they were");
    dir.create("fixtures/a.json", &fixture("After."));
    assert_eq!(served.stderr_line("reloaded"), "llmirage: reloaded 1 fixture in 1 file");
    assert!(served.chat("x").body.contains("After"));
    dir.create("fixtures/a.json", &fixture("Again."));
    assert_eq!(served.stderr_line("reloaded"), "llmirage: reloaded 1 fixture in 1 file");
    assert!(served.chat("x").body.contains("Again"));
}
