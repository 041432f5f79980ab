//! What holds everywhere, or nowhere: the invariants of ARCHITECTURE.md that no single module can test.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use llmirage::{Fixture, MockServer, Pacing, Reply};

use crate::support::{Dir, chat_body};

/// Every source file under a folder, with its code: no comments, no tests.
fn code(folder: &str) -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    walk(&root.join(folder), &mut files);
    assert!(!files.is_empty(), "{folder}");
    let relative = |path: PathBuf| path.strip_prefix(&root).unwrap().to_owned();
    files.into_iter().map(|(path, text)| (relative(path), text)).collect()
}

fn walk(folder: &Path, files: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "tests") {
                walk(&path, files);
            }
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
        files.push((path, lines.collect::<Vec<_>>().join("\n")));
    }
}

/// The files outside of `allowed` whose code contains one of `words`.
fn found(folder: &str, words: &[&str], allowed: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for (path, code) in code(folder) {
        if allowed.iter().any(|prefix| path.starts_with(prefix)) {
            continue;
        }
        let hits = words.iter().filter(|word| code.contains(**word));
        found.extend(hits.map(|word| format!("{}: {word}", path.display())));
    }
    found
}

const NOTHING: Vec<String> = Vec::new();

#[test]
fn plan_names_nothing_of_the_outside_world() {
    let outside = [
        "std::env",
        "std::fs",
        "std::io",
        "std::net",
        "std::process",
        "std::thread",
        "std::sync::mpsc",
        "SystemTime",
        "Instant",
        "Mutex",
        "RwLock",
        "Atomic",
        "tokio",
        "hyper",
        "rand::rng",
        "rand::random",
        "thread_rng",
        "crate::serve",
        "crate::cli",
        "crate::files",
        "async ",
        ".await",
    ];
    // What texts counted is remembered behind a lock; nothing but text and vocabulary decides it.
    assert_eq!(found("plan", &outside, &[]), ["plan/prompt.rs: Mutex"]);
}

#[test]
fn time_is_read_and_waited_for_in_one_file() {
    let clocks = [
        "Instant::now",
        "SystemTime::now",
        "time::sleep",
        "time::timeout",
        "time::interval",
        "thread::sleep",
    ];
    assert_eq!(found("", &clocks, &["serve/clock.rs"]), NOTHING);
}

#[test]
fn the_library_never_prints_never_exits_and_reads_no_environment() {
    let words = [
        "println!",
        "print!",
        "eprintln!",
        "eprint!",
        "stdout()",
        "stderr()",
        "process::exit",
        "std::env",
        "env::var",
    ];
    assert_eq!(found("", &words, &["cli", "main.rs"]), NOTHING);
}

#[test]
fn servers_share_no_state() {
    // The tokenizer's tables are process-wide, and constant; they are another crate's.
    let words =
        ["static mut", "thread_local!", "LazyLock", "lazy_static", "install_default", "set_global_default"];
    assert_eq!(found("", &words, &[]), NOTHING);
    let is_static = |line: &&str| {
        let line = line.trim_start().trim_start_matches("pub(crate) ").trim_start_matches("pub ");
        line.starts_with("static ") && !line.starts_with("static DIALECTS")
    };
    let statics = code("").into_iter().flat_map(|(path, code)| {
        let lines: Vec<String> = code.lines().filter(is_static).map(str::to_owned).collect();
        lines.into_iter().map(move |line| format!("{}: {line}", path.display()))
    });
    assert_eq!(statics.collect::<Vec<_>>(), NOTHING);
}

#[test]
fn no_gap_is_longer_than_max_hold() {
    let hour = Duration::from_secs(3600);
    let most = Duration::from_secs(2);
    let slow = Reply::text("one two three").pacing(Pacing::itl(hour).and(Pacing::ttft(hour)));
    let service =
        MockServer::builder().max_hold(most).fixture(Fixture::named("slow").reply(slow)).service().unwrap();
    let (head, ()) = http::Request::post("/v1/chat/completions").body(()).unwrap().into_parts();
    let (timeline, _) = service.foresee(head, &Bytes::from(chat_body("x")));
    let mut before = Duration::ZERO;
    let mut longest = Duration::ZERO;
    for at in std::iter::once(timeline.head.at).chain(timeline.events.iter().map(|event| event.at)) {
        longest = longest.max(at - before);
        before = at;
    }
    assert_eq!(longest, most);
}

#[test]
fn two_processes_send_the_same_bytes() {
    let dir = Dir::new();
    let ask = || dir.command("plan --request - --format json").stdin(&chat_body("hello")).succeeds();
    assert_eq!(ask(), ask());
}
