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
            // Before the body is read nobody knows which fixture will answer. In a fixture it comes later,
            // with ids that are made from the fixture's name.
            ("early-response", "fixture") => (without_ids(&seen), without_ids(&in_library)),
            _ => (text(&seen), text(&in_library)),
        };
        assert_eq!(seen, expected, "{spec} in the {place} ({})", way.name());
    }
}

/// Status line, body and end.
fn without_ids(seen: &Seen) -> String {
    let text = text(seen);
    let (head, body) = text.split_once("\n\\r\\n\n").unwrap_or((&text, ""));
    format!("{}\n{body}", head.lines().next().unwrap_or_default())
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
