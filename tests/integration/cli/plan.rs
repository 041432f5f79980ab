//! `llmirage plan`: timelines in three forms, hits, refusals.

use serde_json::Value;

use super::FIXTURES;
use crate::support::{Dir, chat_body};

fn with_fixtures() -> Dir {
    let dir = Dir::new();
    dir.create("f.json", FIXTURES);
    dir.create("hello.json", &chat_body("hello"));
    dir
}

fn json(dir: &Dir, args: &str) -> Value {
    serde_json::from_str(
        &dir.command(&format!("plan {args} --format json"))
            .succeeds(),
    )
    .unwrap()
}

#[test]
fn text_shows_the_head_and_every_event() {
    let dir = with_fixtures();
    let text = dir.command("plan f.json --request hello.json").succeeds();
    println!("{text}");
}
