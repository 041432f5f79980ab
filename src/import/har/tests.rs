use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// An archive of these entries.
fn archive(entries: &[Value]) -> Vec<u8> {
    json!({"log": {
        "version": "1.2", "creator": {"name": "WebInspector", "version": "537.36"}, "pages": [{"id": "page_1"}],
        "entries": entries,
    }})
    .to_string()
    .into_bytes()
}

/// An entry as Chrome writes it, of a call that was answered with JSON.
fn entry() -> Value {
    json!({
        "_initiator": {"type": "script"}, "_priority": "High", "_resourceType": "fetch", "cache": {}, "pageref": "page_1",
        "connection": "1", "serverIPAddress": "127.0.0.1", "startedDateTime": "2026-01-02T03:04:05.678Z", "time": 900.5,
        "request": {
            "method": "POST", "url": "https://api.example.com/v1/chat/completions?a=b#c", "httpVersion": "http/2.0",
            "headers": [
                {"name": ":authority", "value": "api.example.com"},
                {"name": "content-type", "value": "application/json"},
            ],
            "queryString": [], "cookies": [], "headersSize": -1, "bodySize": 18,
            "postData": {"mimeType": "application/json", "text": "{\"model\":\"gpt-4o\"}"},
        },
        "response": {
            "status": 200, "statusText": "", "httpVersion": "http/2.0",
            "headers": [
                {"name": "Content-Type", "value": "application/json"},
                {"name": "content-encoding", "value": "br"},
                {"name": "set-cookie", "value": "a=1\nb=2"},
            ],
            "cookies": [], "content": {"size": 13, "mimeType": "application/json", "text": "{\"ok\": \"\u{fc}\"}"},
            "redirectURL": "", "headersSize": -1, "bodySize": -1, "_transferSize": 300, "_error": null,
        },
        "timings": {"blocked": 1.5, "dns": -1, "ssl": -1, "connect": -1, "send": 0.25, "wait": 350.125, "receive": 500.5},
    })
}

/// The entry with something else at this pointer.
fn with(pointer: &str, value: Value) -> Value {
    let mut entry = entry();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    entry.pointer_mut(parent).unwrap()[key] = value;
    entry
}

/// The entry, of a stream that has this content.
fn stream(content: Value) -> Value {
    let mut entry = with("/response/content", content);
    entry["response"]["headers"] = json!([{"name": "content-type", "value": "text/event-stream"}]);
    entry
}

/// What an archive of these entries is read as.
fn exchanges(entries: &[Value]) -> Vec<Result<Exchange, Damage>> {
    read(&archive(entries)).unwrap()
}

fn exchange(entry: Value) -> Exchange {
    exchanges(&[entry]).remove(0).unwrap()
}

/// The body of an entry, and what is said of it.
#[track_caller]
fn check(entry: Value, body: &str, notes: &[&str]) {
    let exchange = exchange(entry);
    assert_eq!(exchange.transcript.response.bytes(), body);
    assert_eq!(exchange.notes, notes);
}

#[track_caller]
fn check_damage(entry: Value, reason: &str) {
    assert_eq!(exchanges(&[entry])[0].as_ref().unwrap_err().to_string(), format!("entry 1: {reason}"));
}

#[test]
fn an_entry_becomes_a_transcript() {
    assert!(is(&archive(&[entry()])));
    let exchange = exchange(entry());
    assert_eq!(
        serde_json::to_value(&exchange.transcript).unwrap(),
        json!({
            "request": {
                "method": "POST", "path": "/v1/chat/completions?a=b",
                "headers": [["content-type", "application/json"]], "body": {"model": "gpt-4o"},
            },
            "response": {
                "at": "350125us", "status": 200,
                "headers": [
                    ["Content-Type", "application/json"], ["content-encoding", "br"], ["set-cookie", "a=1"],
                    ["set-cookie", "b=2"],
                ],
                "body": "{\"ok\": \"ü\"}", "ends_at": "850625us",
            },
            "recorded": {"date": "2026-01-02T03:04:05.678Z", "tool": "WebInspector 537.36"},
        })
    );
    assert_eq!((exchange.place.as_str(), exchange.host.as_deref()), ("entry 1", Some("api.example.com")));
    assert_eq!(exchange.notes, [""; 0]);
}

#[test]
fn a_stream_is_cut_into_its_events_which_have_no_times() {
    let text = "data: {}\n\ndata: [DONE]\n\n";
    let exchange = exchange(stream(json!({"size": 24, "mimeType": "text/event-stream", "text": text})));
    let response = exchange.transcript.response;
    let events = response.events.unwrap();
    assert_eq!(
        serde_json::to_value(events).unwrap(),
        json!([{"raw": "data: {}\n\n"}, {"raw": "data: [DONE]\n\n"}])
    );
}

#[test]
fn what_is_no_call_of_an_api_is_left_out() {
    let page = |kind: &str| {
        let mut entry = with("/request", json!({"method": "GET", "url": "https://h/", "headers": []}));
        entry["response"]["content"] = json!({"size": 5, "mimeType": kind, "text": "x"});
        entry["response"]["headers"] = json!([]);
        entry
    };
    let mut header = page("x-unknown");
    header["response"]["headers"] = json!([{"name": "Content-Type", "value": "application/json"}]);
    let mut kept = vec![
        page("application/json; charset=utf-8"),
        page("text/event-stream"),
        page("application/x-ndjson"),
    ];
    // An answer in HTML to a call is what a gateway says.
    kept.extend([header, with("/response/content/mimeType", json!("text/html"))]);
    let left = [
        page("text/html"),
        page("image/png"),
        page("application/javascript"),
        page("application/manifest+json"),
        with("/request/method", json!("OPTIONS")),
        with("/request/method", json!("CONNECT")),
        with("/request/url", json!("data:application/json,{}")),
        with("/request/url", json!("chrome-extension://x/y.json")),
        with("/_resourceType", json!("websocket")),
        with("/response/status", json!(101)),
    ];
    let all: Vec<_> = left.iter().zip(&kept).flat_map(|(left, kept)| [left.clone(), kept.clone()]).collect();
    let places: Vec<_> = exchanges(&all).into_iter().map(|exchange| exchange.unwrap().place).collect();
    assert_eq!(places, ["entry 2", "entry 4", "entry 6", "entry 8", "entry 10"]);
    assert_eq!(
        read(&archive(&left)).unwrap_err(),
        "has 10 entries, but no call of an API: none that sends JSON or is answered with JSON or an event stream"
    );
}

#[test]
fn other_files_are_no_archives() {
    for text in ["{\"log\": {}}", "[]", "{\"log\": 1}", "data: {\"log\": {\"entries\": []}}\n\n", ""] {
        assert!(!is(text.as_bytes()), "{text}");
    }
    assert_eq!(read(b"{\"log\": {}}").unwrap_err(), "is no HAR: it has no `log.entries`");
    assert_eq!(
        read(b"{\"log\": {").unwrap_err(),
        "is no HAR: it has no `log.entries` (not JSON: EOF while parsing an object at line 1 column 9)"
    );
    assert_eq!(read(&archive(&[])).unwrap_err(), "has no entries");
}

#[test]
fn a_body_that_was_not_exported_is_told_with_the_way_out() {
    let way = "record the call with `llmirage record` or `curl -i -N`, or export \"with content\"";
    let fetch = "browsers and proxies keep no body of many streams";
    let forgotten = "browsers forget bodies of pages that were left, and export none with \"sanitized\" or without content";
    for content in [
        json!({"size": 120, "mimeType": "text/event-stream"}),
        json!({"size": 0, "mimeType": "text/event-stream", "text": ""}),
        json!({}),
    ] {
        check_damage(stream(content), &format!("the export has no body of it ({fetch}); {way}"));
    }
    let content = json!({"size": 13, "mimeType": "application/json"});
    check_damage(
        with("/response/content", content),
        &format!("the export has no body of it ({forgotten}); {way}"),
    );
    let content = json!({"size": 13, "mimeType": "application/json", "_file": "0123.json"});
    check_damage(
        with("/response/content", content),
        "its body is in a file of its own; record the HAR with `content: 'embed'` (Playwright)",
    );
    // Some responses have no body.
    for (pointer, value) in [
        ("/response/content", json!({"size": 0, "mimeType": "application/json"})),
        ("/response/content", json!({"size": -1, "mimeType": "application/json", "text": ""})),
        ("/response/status", json!(304)),
        ("/response/status", json!(204)),
        ("/request/method", json!("HEAD")),
    ] {
        check(with(pointer, value), "", &[]);
    }
}

#[test]
fn a_request_without_an_answer_is_told() {
    for (status, error, said) in [
        (json!(0), json!("net::ERR_BLOCKED_BY_CLIENT"), " (net::ERR_BLOCKED_BY_CLIENT)"),
        (json!(-1), json!(""), ""),
        (json!(null), json!(null), ""),
    ] {
        let mut entry = with("/response/status", status);
        entry["response"]["_error"] = error;
        check_damage(
            entry,
            &format!("it has no response{said}: the request was blocked, cancelled or not answered"),
        );
    }
    check_damage(with("/request/url", json!("")), "its request has no URL");
    check_damage(with("/request/method", json!(null)), "its request has no method");
}

#[test]
fn an_error_of_the_browser_is_the_ending() {
    for (error, ending) in [
        ("net::ERR_ABORTED", RecordedEnding::ClientLeft),
        ("NS_BINDING_ABORTED", RecordedEnding::ClientLeft),
        ("net::ERR_CONNECTION_RESET", RecordedEnding::Reset),
        ("net::ERR_INCOMPLETE_CHUNKED_ENCODING", RecordedEnding::Close),
        ("net::ERR_HTTP2_PROTOCOL_ERROR", RecordedEnding::Close),
        ("NS_ERROR_NET_PARTIAL_TRANSFER", RecordedEnding::Close),
    ] {
        assert_eq!(
            exchange(with("/response/_error", json!(error))).transcript.response.ending,
            ending,
            "{error}"
        );
    }
    let exchange = exchange(with("/response/_error", json!("net::ERR_FAILED")));
    assert_eq!(exchange.transcript.response.ending, RecordedEnding::Complete);
    assert_eq!(exchange.notes, ["the export says that it failed (net::ERR_FAILED)"]);
}

#[test]
fn base64_is_undone_and_compression_only_where_it_is_left() {
    let content = |text: &str, encoding: Value| json!({"mimeType": "application/json", "text": text, "encoding": encoding});
    let entry = |text: &str, encoding: Value| {
        let mut entry = with("/response/content", content(text, encoding));
        entry["response"]["headers"][1]["value"] = json!("gzip");
        entry
    };
    check(entry("eyJvayI6MX0=", json!("base64")), "{\"ok\":1}", &[]);
    // `{"a":1}`, gzipped: as bytes, and as Polly.js has them.
    let gzip = "H4sIAAAAAAAC/6tWSlSyMqwFAK+sG1YHAAAA";
    check(entry(gzip, json!("base64")), "{\"a\":1}", &[]);
    check(entry(&json!([&gzip[..16], &gzip[16..]]).to_string(), json!("base64")), "{\"a\":1}", &[]);
    check(
        entry("[\"1f8b08000000000002ffab56\", \"4a54b232ac0500afac1b5607000000\"]", json!(null)),
        "{\"a\":1}",
        &[],
    );
    check(entry("[\"a\", \"b\"]", json!(null)), "[\"a\", \"b\"]", &[]);
    check(entry("[\"a\", 1]", json!(null)), "[\"a\", 1]", &[]);
    let broken = gzip.replace("AK+sG", "AKAAA");
    check_damage(
        entry(&broken, json!("base64")),
        "the body is not gzip, which its content-encoding says it is",
    );
    check_damage(entry("a#b", json!("base64")), "the body is not base64: Invalid symbol 35, offset 1.");
}

#[test]
fn utf_8_that_was_read_as_windows_1252_is_mended_where_the_size_proves_it() {
    let content = |text: &str, size: u64| {
        let mut entry =
            with("/response/content", json!({"size": size, "mimeType": "application/json", "text": text}));
        entry["response"]["headers"].as_array_mut().unwrap().truncate(1);
        entry
    };
    let note = "the export has its UTF-8 as windows-1252; that was undone, and the size is right now";
    check(content("{\"a\":\"Ã¼â‚¬\"}", 13), "{\"a\":\"ü€\"}", &[note]);
    check(content("{\"a\":\"Ã¼\"}", 12), "{\"a\":\"Ã¼\"}", &[]);
    let cut = "the export says that its body has 99 bytes, but holds 12: it was cut or edited";
    check(content("{\"a\":\"Ã¼\"}", 99), "{\"a\":\"Ã¼\"}", &[cut]);
}

#[test]
fn a_request_is_read_from_text_base64_or_parameters() {
    let body = |data: Value, size: i64| {
        let mut entry = with("/request/postData", data);
        entry["request"]["bodySize"] = json!(size);
        let exchange = exchange(entry);
        (exchange.transcript.request.unwrap().body, exchange.notes)
    };
    assert_eq!(body(json!({"text": "e30=", "encoding": "base64"}), 2), (Some(json!({})), vec![]));
    let form = json!({"mimeType": "application/x-www-form-urlencoded; charset=UTF-8", "params": [
        {"name": "a b", "value": "ü&"}, {"name": "c"},
    ]});
    assert_eq!(body(form, 9), (Some(json!("a+b=%C3%BC%26&c=")), vec![]));
    let parts = json!({"mimeType": "multipart/form-data", "params": [{"name": "file", "fileName": "a.wav"}]});
    let note = "the export has no body of its request, so any matches".to_owned();
    assert_eq!(body(parts, 100), (None, vec![note]));
    assert_eq!(body(json!(null), 0), (None, vec![]));
}

#[test]
fn times_that_nobody_knows_are_none() {
    let times = |timings: Value| times(&timings);
    let ms = |ms| Some(Duration::from_millis(ms));
    assert_eq!(times(json!({"wait": 5, "receive": 7})), (ms(5), ms(12)));
    assert_eq!(times(json!({"wait": 5, "receive": 0})), (ms(5), ms(5)));
    assert_eq!(times(json!({"wait": 5, "receive": -1})), (ms(5), None));
    for timings in [
        json!({"wait": -1, "receive": -1}),
        json!({"wait": 0, "receive": 0}),
        json!({"wait": 0}),
        json!({"wait": "5", "receive": 1e300}),
        json!(null),
    ] {
        assert_eq!(times(timings), (None, None));
    }
}

#[test]
fn a_damaged_entry_costs_no_other() {
    let good = entry();
    let archive = String::from_utf8(archive(&[
        good.clone(),
        with("/request/url", json!("https://h/DAMAGE")),
        good.clone(),
    ]))
    .unwrap();
    let parts = |bytes: &[u8]| -> Vec<String> {
        let part = |exchange: Result<Exchange, Damage>| {
            exchange.map_or_else(|damage| damage.to_string(), |good| good.place)
        };
        read(bytes).unwrap().into_iter().map(part).collect()
    };
    let surrogate = archive.replace("DAMAGE", "\\ud83d");
    assert_eq!(
        parts(surrogate.as_bytes()),
        ["entry 1", "entry 2: not JSON: unexpected end of hex escape at line 1 column 261", "entry 3"]
    );
    let latin: Vec<u8> =
        archive.replace("DAMAGE", "\u{0}").bytes().map(|byte| if byte == 0 { 0xfc } else { byte }).collect();
    assert_eq!(
        parts(&latin),
        ["entry 1", "entry 2: it is not UTF-8; save the file as UTF-8 and import it again", "entry 3"]
    );
    let cut = &archive.as_bytes()[..archive.find("DAMAGE").unwrap()];
    let said = parts(cut);
    assert_eq!(said[0], "entry 1");
    assert_eq!(
        said[1],
        format!("the rest of the file: not JSON: EOF while parsing a string at line 1 column {}", cut.len())
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_damage_makes_it_panic(at in 0_usize..2000, length in 0_usize..40, junk in proptest::collection::vec(any::<u8>(), 0..6)) {
        let mut damaged = archive(&[entry(), entry()]);
        let at = at % damaged.len();
        damaged.splice(at..(at + length).min(damaged.len()), junk);
        let _ = (is(&damaged), read(&damaged));
    }

    /// Whatever stands where a string, a number or a list is expected.
    #[test]
    fn no_type_makes_it_panic(pointer in 0_usize..9, value in 0_usize..6) {
        let pointers = [
            "/request", "/response", "/timings", "/response/content", "/response/headers", "/request/postData",
            "/response/status", "/response/content/size", "/startedDateTime",
        ];
        let values = [json!(null), json!(1e99), json!("x"), json!([{"name": 1}]), json!({"a": []}), json!(true)];
        let _ = read(&archive(&[with(pointers[pointer], values[value].clone())]));
    }
}
