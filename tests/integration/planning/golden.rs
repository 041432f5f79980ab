//! Golden files under tests/golden: a response as text, its bytes verbatim.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use llmirage::Timeline;

/// Compares a timeline with the golden file called `name`, or writes it if `UPDATE_GOLDEN` is set.
pub(crate) fn check(name: &str, timeline: &Timeline) {
    check_text(name, &render(timeline));
}

/// Compares a text with the golden file called `name`, or writes it if `UPDATE_GOLDEN` is set.
pub(crate) fn check_text(name: &str, text: &str) {
    let path = folder().join(format!("{name}.txt"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::create_dir_all(folder()).expect("tests/golden can be made");
        fs::write(&path, text).expect("tests/golden is writable");
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        text == expected,
        "{name} is not as in {}; UPDATE_GOLDEN=1 rewrites it. Now:\n{text}",
        path.display()
    );
}

/// Every golden file whose name starts so, and its text.
pub(crate) fn all(prefix: &str) -> Vec<(String, String)> {
    let files = fs::read_dir(folder())
        .expect("tests/golden is there")
        .map(|file| file.expect("it is readable").path());
    let mut all: Vec<(String, String)> = files
        .filter_map(|path| Some((path.file_stem()?.to_str()?.to_owned(), path)))
        .filter(|(name, _)| name.starts_with(prefix))
        .map(|(name, path)| (name, fs::read_to_string(path).expect("it is text")))
        .collect();
    all.sort();
    all
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// Head and events with their times; bytes that are not text are shown as `\xff`.
fn render(timeline: &Timeline) -> String {
    let mut out = String::new();
    let head = &timeline.head;
    let reason = head.reason.as_deref().or_else(|| head.status.canonical_reason()).unwrap_or_default();
    let _ = writeln!(out, "@{:?} HTTP/1.1 {} {reason}", head.at, head.status.as_str());
    for header in &head.headers {
        let _ = writeln!(out, "{}: {}", header.name, String::from_utf8_lossy(header.value.as_bytes()));
    }
    for (index, event) in timeline.events.iter().enumerate() {
        let _ = writeln!(out, "\n@{:?} {:?}", event.at, event.kind);
        let bytes = timeline.event_bytes(index);
        match std::str::from_utf8(&bytes) {
            Ok(text) => out.push_str(text),
            Err(_) => out.push_str(&bytes.escape_ascii().to_string()),
        }
    }
    let _ = writeln!(out, "\n{}", timeline.ending.name());
    out
}
