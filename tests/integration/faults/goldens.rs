//! Golden files: the raw bytes of each fault and the way the connection ended, as a peer saw them.
//!
//! A changed golden is a changed contract. `UPDATE_GOLDEN=1 cargo test faults` rewrites them.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Semaphore;

use super::case::{self, Case, Way, server};
use super::peer::End;
use super::show::show;
use crate::raw::http_date;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_fault_sends_these_bytes_and_ends_so() {
    let permits = Arc::new(Semaphore::new(32));
    let mut running = Vec::new();
    for case in case::all() {
        let permits = Arc::clone(&permits);
        running.push(tokio::spawn(async move { (case.name, golden(&case, &permits).await) }));
    }
    let mut wrong = Vec::new();
    let mut names = BTreeSet::new();
    for case in running {
        let (name, text) = case.await.unwrap();
        names.insert(format!("{name}.txt"));
        wrong.extend(check(name, &text));
    }
    assert!(
        wrong.is_empty(),
        "not as in tests/golden/faults; UPDATE_GOLDEN=1 rewrites it:\n{}",
        wrong.join("\n")
    );
    let files = fs::read_dir(folder()).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    assert_eq!(files.collect::<BTreeSet<_>>(), names, "a golden file of a fault that there is not");
}

/// The fault in all four ways, then its other forms in the first.
async fn golden(case: &Case, permits: &Arc<Semaphore>) -> String {
    let ways = Way::ALL.map(|way| (case.clone(), way));
    let variants = case.variants().into_iter().map(|variant| (variant, Way::ALL[0]));
    let mut sections = Vec::new();
    for (case, way) in ways.into_iter().chain(variants) {
        let permits = Arc::clone(permits);
        sections.push(tokio::spawn(async move {
            let _permit = permits.acquire_owned().await.unwrap();
            section(&case, way).await
        }));
    }
    let mut text = format!("{}: {}\n", case.name, case.entry().about.trim());
    for section in sections {
        text.push_str(&section.await.unwrap());
    }
    text
}

async fn section(case: &Case, way: Way) -> String {
    let server = server().fault(case.fault()).start().await.unwrap();
    let seen = case.meet(server.address(), &case.request(way, "", "")).await;
    let (bytes, ends) = match case.name {
        // How much arrives is left to chance, and says nothing about the server.
        "reset-undrained" => {
            assert_eq!(seen.ends, [End::Rst.name()]);
            let drained = Case { name: "reset-mid-stream", ..case.clone() };
            let server = case::server().fault(drained.fault()).start().await.unwrap();
            let planned = drained.meet(server.address(), &drained.request(way, "", "")).await;
            assert!(planned.bytes.starts_with(&seen.bytes), "{}", show(&seen.bytes));
            (planned.bytes, "at most that, then rst".to_owned())
        }
        _ => (seen.bytes, seen.ends.join(", ")),
    };
    let mut text = String::new();
    let _ = writeln!(text, "\n=== {}: {}", way.name(), case.spec());
    let shown = show(&bytes);
    text.push_str(&match case.parameters.get("form").map(String::as_str) {
        Some("date" | "past-date") => frozen(&shown),
        _ => shown,
    });
    let _ = writeln!(text, "=== {ends}");
    text
}

/// An answer whose dates count from the system's clock, as if they counted from the frozen one.
fn frozen(shown: &str) -> String {
    const FORMAT: &str = "%a, %d %b %Y %H:%M:%S GMT";
    let date = |line: &str, name: &str| {
        Some(http_date(line.strip_prefix(name)?.strip_prefix(": ")?.strip_suffix("\\r\\n")?))
    };
    let head = shown.lines().find_map(|line| date(line, "Date")).expect("the answer is dated");
    let age = Timestamp::now().duration_since(head);
    assert!(age.abs() < SignedDuration::from_secs(60), "the answer is dated {head}");
    let shift = Timestamp::from_second(1_767_225_600).unwrap().duration_since(head);
    let line = |line: &str| {
        let dated = ["Date", "retry-after"].into_iter().find_map(|name| Some((name, date(line, name)?)));
        match dated {
            Some((name, date)) => format!("{name}: {}\\r\\n\n", (date + shift).strftime(FORMAT)),
            None => format!("{line}\n"),
        }
    };
    shown.lines().map(line).collect()
}

/// What is wrong with the golden file of a fault; writes it if `UPDATE_GOLDEN` is set.
fn check(name: &str, text: &str) -> Option<String> {
    let path = folder().join(format!("{name}.txt"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::create_dir_all(folder()).unwrap();
        fs::write(&path, text).unwrap();
    }
    let Ok(expected) = fs::read_to_string(&path) else {
        return Some(format!("{name}: there is no golden file"));
    };
    let (line, (now, before)) = text
        .lines()
        .chain(["(the end)"])
        .zip(expected.lines().chain(["(the end)"]))
        .enumerate()
        .find(|(_, (now, before))| now != before)?;
    Some(format!("{name}, line {}:\n  golden {before}\n  now    {now}", line + 1))
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/faults")
}
