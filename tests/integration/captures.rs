//! What real programs print is imported: `tests/captures`, and recordings of others where they are.

use std::fs;
use std::path::{Path, PathBuf};

use llmirage::import::{self, Capture, Exchange, Format};
use llmirage::plan::transcript::RecordedEvent;
use serde_json::Value;

use crate::planning::shared;

fn capture(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures").join(name)).unwrap()
}

#[track_caller]
fn only(name: &str, format: Format) -> Exchange {
    let Capture { format: found, mut exchanges } = import::read(&capture(name), None).unwrap();
    assert_eq!(found, format, "{name}");
    assert_eq!(exchanges.len(), 1, "{name}");
    exchanges.remove(0).unwrap()
}

fn times(exchange: &Exchange) -> Vec<Option<u128>> {
    let at = |event: &RecordedEvent| event.at.map(|at| at.0.as_micros());
    exchange.transcript.response.events.iter().flatten().map(at).collect()
}

#[test]
fn whatever_curl_prints_of_a_stream_gives_its_bytes() {
    let stream = capture("curl-7.88-stream.txt");
    assert_eq!(only("curl-7.88-stream.txt", Format::Sse).transcript.response.bytes(), stream);
    for name in ["include", "include-raw", "verbose", "trace"] {
        let exchange = only(&format!("curl-7.88-{name}.txt"), Format::Curl);
        let response = &exchange.transcript.response;
        assert_eq!(response.bytes(), stream, "{name}");
        assert_eq!(response.events.as_ref().unwrap().len(), 7, "{name}");
        assert_eq!(response.header("X-Request-ID").unwrap().len(), 36, "{name}");
        assert_eq!(exchange.transcript.recorded.date.as_deref(), Some("2026-01-01T00:00:00Z"));
    }
}

#[test]
fn a_trace_of_curl_tells_request_and_times() {
    let exchange = only("curl-7.88-trace.txt", Format::Curl);
    let request = exchange.transcript.request.as_ref().unwrap();
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/v1/chat/completions"));
    assert_eq!(request.body.as_ref().unwrap()["messages"][0]["content"], "hello");
    assert_eq!(exchange.notes, [""; 0]);
    let read = [26_838, 26_838, 41_374, 58_534, 74_656, 74_656, 74_656].map(Some);
    assert_eq!(times(&exchange), read);

    let exchange = only("curl-7.88-trace-http2.txt", Format::Curl);
    assert_eq!(
        exchange.transcript.response.bytes(),
        "data: {\"id\":\"a\",\"text\":\"Grüße\"}\n\ndata: [DONE]\n\n"
    );
    // The first event came in two reads.
    assert_eq!(times(&exchange), [Some(65_160), Some(77_449)]);
}

#[test]
fn a_trace_in_ascii_is_damage_with_the_way_out() {
    let capture = import::read(&capture("curl-7.88-trace-ascii.txt"), None).unwrap();
    let damage = capture.exchanges[0].as_ref().unwrap_err();
    assert_eq!(
        damage.to_string(),
        "line 3: --trace-ascii shows line ends and all that is not ASCII as dots: record with --trace FILE"
    );
}

fn files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            self::files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "json") {
            files.push(path);
        }
    }
}

#[test]
fn recordings_of_others_are_imported_without_loss() {
    let Some(folder) = shared("transcripts") else { return };
    let mut paths = Vec::new();
    files(&folder, &mut paths);
    assert_eq!(paths.len(), 402);
    for path in paths {
        let text = fs::read(&path).unwrap();
        let json: Value = serde_json::from_slice(&text).unwrap();
        let capture =
            import::read(&text, None).unwrap_or_else(|problem| panic!("{}: {problem}", path.display()));
        assert_eq!((capture.format, capture.exchanges.len()), (Format::Json, 1), "{}", path.display());
        let exchange =
            capture.exchanges[0].as_ref().unwrap_or_else(|damage| panic!("{}: {damage}", path.display()));
        let response = &exchange.transcript.response;
        assert_eq!(response.bytes(), json["response"]["body"].as_str().unwrap(), "{}", path.display());
        assert_eq!(response.is_stream(), json["meta"]["streaming"], "{}", path.display());
        assert_eq!(u64::from(response.status), json["response"]["status"], "{}", path.display());
        assert_eq!(
            serde_json::to_value(&response.headers).unwrap(),
            json["response"]["headers"],
            "{}",
            path.display()
        );
        assert_eq!(exchange.notes, [""; 0], "{}", path.display());
    }
}
