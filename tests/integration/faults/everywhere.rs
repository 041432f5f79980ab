//! A fault is the same wherever it is given: in a fixture, to the server, in the base URL, in the header.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::case::{self, Case, Seen, Way, server, serving};
use super::show::show;
use crate::support::{Dir, Served};

/// What a client saw, so that a difference can be read.
fn text(seen: &Seen) -> String {
    format!("{}=== {}", show(&seen.bytes), seen.ends.join(", "))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_fault_is_the_same_wherever_it_is_given() {
    let permits = Arc::new(Semaphore::new(32));
    let mut running = Vec::new();
    for case in case::all() {
        for way in [Way::ALL[0], Way::ALL[3]] {
            let (case, permits) = (case.clone(), Arc::clone(&permits));
            running.push(tokio::spawn(async move {
                let _permit = permits.acquire_owned().await.unwrap();
                check(&case, way).await;
            }));
        }
    }
    for task in running {
        task.await.unwrap();
    }
}

async fn check(case: &Case, way: Way) {
    let spec = case.spec();
    let plain = case.request(way, "", "");
    let fixture = serving(Some(case.json())).start().await.unwrap();
    let library = server().fault(case.fault()).start().await.unwrap();
    let bare = server().start().await.unwrap();
    let scoped = server().start().await.unwrap();
    let url = case.request(way, &format!("/fault/{spec}"), "");
    let header = case.request(way, "", &format!("x-llmirage-fault: {spec}\r\n"));
    let (in_library, in_fixture, in_url, in_header) = tokio::join!(
        case.meet(library.address(), &plain),
        case.meet(fixture.address(), &plain),
        case.meet(bare.address(), &url),
        case.meet(scoped.address(), &header),
    );
    for (place, seen) in [("fixture", in_fixture), ("base URL", in_url), ("header", in_header)] {
        let (seen, expected) = match (case.name, place) {
            // What a peer gets of an undrained reset is left to chance.
            ("reset-undrained", _) => continue,
            // What the server or the scope answers instead is no hit of a fixture, and its ids are made from
            // the fixture's name and hit.
            (name, "fixture") if REPLACING.contains(&name) => (without_ids(&seen), without_ids(&in_library)),
            _ => (text(&seen), text(&in_library)),
        };
        assert_eq!(seen, expected, "{spec} in the {place} ({})", way.name());
    }
}

/// The faults that answer without a fixture where they are not in one.
const REPLACING: [&str; 7] = [
    "rate-limit",
    "quota-exhausted",
    "server-error",
    "prompt-blocked",
    "html-instead",
    "redirect",
    "early-response",
];

/// Everything but the values of ids, and of what is made from them or, as the tokens that are left, from a
/// body that was not read yet.
fn without_ids(seen: &Seen) -> String {
    let ids = [
        "apim-request-id",
        "azureml-model-session",
        "cf-ray",
        "openai-processing-ms",
        "set-cookie",
        "x-ratelimit-remaining-tokens",
        "x-ratelimit-reset-tokens",
        "x-request-id",
    ];
    let text = text(seen);
    let lines = text.lines().map(|line| match line.split_once(": ") {
        Some((name, _)) if ids.contains(&name.to_lowercase().as_str()) => name,
        _ => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The same through the binary, whose flag is the same one word: a fault of each layer.
#[test]
fn a_fault_is_the_same_on_the_command_line() {
    let way = Way::ALL[0];
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let names = ["rate-limit", "finish-unknown", "line-ending", "close-mid-stream", "keepalive-close"];
    for case in case::all().iter().filter(|case| names.contains(&case.name)) {
        let dir = Dir::new();
        let library = runtime.block_on(server().fault(case.fault()).start()).unwrap();
        dir.create("case.json", &case::file(None).to_string());
        let served: Served = dir.command("case.json --max-hold 2s --fault").arg(case.spec()).serve();
        let address = served.address().parse().unwrap();
        let request = case.request(way, "", "");
        let in_binary = runtime.block_on(case.meet(address, &request));
        let in_library = runtime.block_on(case.meet(library.address(), &request));
        assert_eq!(text(&in_binary), text(&in_library), "{}", case.spec());
    }
}
