use std::time::Duration;

use proptest::prelude::*;

use super::printer::{Look, Wire, include, trace, verbose};
use super::*;
use crate::plan::transcript::RecordedEnding;

const EVENTS: [&str; 3] =
    ["data: {\"a\":\"é\"}\n\n", "data: {\"b\":\"HTTP/1.1 200 OK\"}\n\n", "data: [DONE]\n\n"];
const NO_REQUEST: &str = "the capture does not tell the request";
const NO_BODY: &str = "curl -v does not print what the request's body was: use --trace FILE";
const NO_TIMES: &str = "curl -v tells no times of events: use --trace FILE --trace-time";
const CUT: &str = "the last chunk is missing: the stream was cut there, and is replayed like that";

fn wire() -> Wire {
    Wire::chunked("text/event-stream", &EVENTS)
}

fn events(exchange: &Exchange) -> Vec<(String, Option<u128>)> {
    let event = |event: &crate::plan::transcript::RecordedEvent| {
        let raw = String::from_utf8(crate::plan::transcript::raw_bytes(&event.raw).to_vec()).unwrap();
        (raw, event.at.map(|at| at.0.as_millis()))
    };
    exchange.transcript.response.events.iter().flatten().map(event).collect()
}

fn untimed(events: &[&str]) -> Vec<(String, Option<u128>)> {
    events.iter().map(|event| ((*event).to_owned(), None)).collect()
}

#[track_caller]
fn all(capture: &[u8]) -> Vec<Result<Exchange, Damage>> {
    assert!(is(capture), "{}", String::from_utf8_lossy(capture));
    read(capture).unwrap()
}

#[track_caller]
fn only(capture: &[u8]) -> Exchange {
    let mut exchanges = all(capture);
    assert_eq!(exchanges.len(), 1, "{exchanges:#?}");
    exchanges.remove(0).unwrap()
}

#[track_caller]
fn damaged(capture: &[u8], expected: &str) {
    let mut exchanges = all(capture);
    assert_eq!(exchanges.len(), 1, "{exchanges:#?}");
    assert_eq!(exchanges.remove(0).unwrap_err().to_string(), expected);
}

#[test]
fn include_gives_head_and_events() {
    let exchange = only(&include(&wire(), EVENTS.concat().as_bytes()));
    assert_eq!(events(&exchange), untimed(&EVENTS));
    assert_eq!(exchange.place, "line 1");
    assert_eq!(exchange.notes, [NO_REQUEST]);
    let response = exchange.transcript.response;
    assert_eq!(response.status, 200);
    assert_eq!(response.headers[1], ("Transfer-Encoding".to_owned(), "chunked".to_owned()));
    assert_eq!(response.ending, RecordedEnding::Complete);
}

#[test]
fn lines_from_a_terminal_end_with_lf() {
    let text = include(&wire(), EVENTS.concat().as_bytes());
    let text = String::from_utf8(text).unwrap().replace("\r\n", "\n");
    assert_eq!(events(&only(text.as_bytes())), untimed(&EVENTS));
}

#[test]
fn raw_chunks_are_joined() {
    let wire = wire();
    assert_eq!(events(&only(&include(&wire, &wire.received()))), untimed(&EVENTS));
    let received = wire.received();
    let exchange = only(&include(&wire, &received[..received.len() - 7]));
    assert_eq!(exchange.notes, [CUT, NO_REQUEST]);
    assert_eq!(exchange.transcript.response.ending, RecordedEnding::Close);
    assert_eq!(events(&exchange), untimed(&EVENTS));
}

#[test]
fn several_responses_follow_one_another() {
    let stream = include(&wire(), EVENTS.concat().as_bytes());
    let json = b"HTTP/2 401 \r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{\"a\":\"}\"}";
    // Without a length, and without a line end before the next head.
    let bare = b"HTTP/1.1 200 OK\nContent-Type: application/json\n\n{\"c\":1}";
    let capture = [&stream[..], json, bare, &stream, b"\n", json].concat();
    let exchanges: Vec<_> = all(&capture).into_iter().map(Result::unwrap).collect();
    let found: Vec<_> = exchanges
        .iter()
        .map(|exchange| {
            let response = &exchange.transcript.response;
            (exchange.place.as_str(), response.status, String::from_utf8(response.bytes().to_vec()).unwrap())
        })
        .collect();
    let stream = EVENTS.concat();
    assert_eq!(
        found,
        [
            ("line 1", 200, stream.clone()),
            ("line 11", 401, "{\"a\":\"}\"}".to_owned()),
            ("line 15", 200, "{\"c\":1}".to_owned()),
            ("line 18", 200, stream + "\n"),
            ("line 29", 401, "{\"a\":\"}\"}".to_owned()),
        ]
    );
}

#[test]
fn heads_that_lead_to_the_next_are_left_out() {
    let last = include(&wire(), EVENTS.concat().as_bytes());
    for (before, notes) in [
        ("HTTP/1.1 100 Continue\r\n\r\n", vec![NO_REQUEST]),
        ("HTTP/1.1 200 Connection established\r\n\r\n", vec![NO_REQUEST]),
        (
            "HTTP/1.1 200 Connection established\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n",
            vec![NO_REQUEST],
        ),
        (
            "HTTP/1.1 307 Temporary Redirect\r\nlocation: /x\r\ncontent-length: 9\r\n\r\n",
            vec!["curl followed an answer with the status 307, which is left out", NO_REQUEST],
        ),
        (
            "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer\r\n\r\n",
            vec!["curl followed an answer with the status 401, which is left out", NO_REQUEST],
        ),
    ] {
        let exchange = only(&[before.as_bytes(), &last].concat());
        assert_eq!(events(&exchange), untimed(&EVENTS), "{before}");
        assert_eq!(exchange.notes, notes);
    }
    // Not followed: it is the answer.
    let exchange = only(b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer\r\n\r\n{}");
    assert_eq!(exchange.transcript.response.status, 401);
}

#[test]
fn what_curl_says_last_is_no_body_and_tells_the_ending() {
    for (word, ending) in [
        ("curl: (18) transfer closed with 9 bytes remaining to read\n", RecordedEnding::Close),
        ("curl: (56) Recv failure: Connection reset by peer\n", RecordedEnding::Reset),
        (
            "curl: (92) HTTP/2 stream 1 was not closed cleanly: INTERNAL_ERROR (err 2)\n",
            RecordedEnding::Close,
        ),
        (
            "curl: (28) Operation timed out after 1001 milliseconds with 20 bytes received\n",
            RecordedEnding::ClientLeft,
        ),
    ] {
        let capture = [&include(&wire(), b"data: 1\n\ndata: {\"b"), word.as_bytes()].concat();
        let exchange = only(&capture);
        assert_eq!(events(&exchange), untimed(&["data: 1\n\n", "data: {\"b"]));
        assert_eq!(exchange.transcript.response.ending, ending, "{word}");
    }
}

#[test]
fn a_body_that_is_too_short_was_cut() {
    let exchange =
        only(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 20\r\n\r\n{\"a\":1");
    assert_eq!(exchange.transcript.response.ending, RecordedEnding::Close);
    assert_eq!(exchange.notes, [NO_REQUEST, "the body ends after 6 of 20 bytes; it is replayed like that"]);
}

#[test]
fn what_curl_decoded_is_not_decoded_again() {
    let exchange = only(b"HTTP/2 200 \r\ncontent-encoding: gzip\r\ncontent-length: 55\r\n\r\n{\"a\":1}");
    assert_eq!(exchange.transcript.response.bytes(), "{\"a\":1}");
    assert_eq!(exchange.notes, [NO_REQUEST]);
    assert_eq!(exchange.transcript.response.ending, RecordedEnding::Complete);
    damaged(
        b"HTTP/2 200 \r\ncontent-encoding: gzip\r\n\r\n\x1f\x8b\xff\xff",
        "line 1: the body is not gzip, which its content-encoding says it is",
    );
}

#[test]
fn verbose_gives_request_and_response() {
    let exchange = only(&verbose(&wire(), EVENTS.concat().as_bytes(), None));
    assert_eq!(events(&exchange), untimed(&EVENTS));
    assert_eq!((exchange.place.as_str(), exchange.host.as_deref()), ("line 3", Some("h")));
    assert_eq!(exchange.notes, [NO_BODY]);
    let request = exchange.transcript.request.unwrap();
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/v1/chat/completions"));
    assert_eq!(request.headers[0], ("Host".to_owned(), "h".to_owned()));
    assert_eq!(exchange.transcript.response.at, None);
}

#[test]
fn verbose_with_stamps_tells_when_it_began_and_ended() {
    let capture = verbose(&wire(), EVENTS.concat().as_bytes(), Some(Duration::from_millis(86_399_990)));
    let exchange = only(&capture);
    assert_eq!(events(&exchange), untimed(&EVENTS));
    assert_eq!(exchange.notes, [NO_BODY, NO_TIMES]);
    let response = exchange.transcript.response;
    assert_eq!(response.at.unwrap().0, Duration::from_millis(5));
    assert_eq!(response.ends_at.unwrap().0, Duration::from_millis(50));
}

#[test]
fn verbose_over_tls_tells_of_data_from_the_first_line_on_and_within_the_body() {
    for stamp in ["", "12:34:56.000000 "] {
        let capture = format!(
            "{stamp}* ALPN: offers h2,http/1.1\n{stamp}}} [5 bytes data]\n{stamp}* TLSv1.3 (OUT), TLS handshake, Client hello (1):\n\
             {stamp}}} [512 bytes data]\n{stamp}> GET /v1/models HTTP/1.1\n{stamp}> Host: h\n{stamp}> \n\
             {stamp}{{ [5 bytes data]\n{stamp}< HTTP/1.1 200 OK\n{stamp}< Content-Type: application/json\n{stamp}< \n\
             {stamp}{{ [1369 bytes data]\n{{\"data\":{stamp}{{ [9 bytes data]\n[]}}{stamp}* Connection #0 to host h left intact\n"
        );
        let exchange = only(capture.as_bytes());
        assert_eq!(exchange.transcript.response.bytes(), "{\"data\":[]}", "{capture}");
    }
    let body = "< HTTP/1.1 200 OK\n< \n{ [no bytes data]\nx [5 bytes data]\n";
    assert_eq!(only(body.as_bytes()).transcript.response.bytes(), "{ [no bytes data]\nx [5 bytes data]\n");
}

#[test]
fn verbose_bodies_may_have_no_line_end() {
    let json = Wire::of("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n").read(b"{\"a\":1}", 10);
    for sent in [None, Some(Duration::from_secs(5))] {
        let one = verbose(&json, b"{\"a\":1}", sent);
        let exchanges = all(&[&one[..], &one].concat());
        let bodies: Vec<_> =
            exchanges.into_iter().map(|exchange| exchange.unwrap().transcript.response.bytes()).collect();
        assert_eq!(bodies, ["{\"a\":1}", "{\"a\":1}"]);
    }
}

#[test]
fn verbose_together_with_include_shows_the_head_twice() {
    let capture = String::from_utf8(verbose(&wire(), EVENTS.concat().as_bytes(), None)).unwrap();
    let doubled: String = capture
        .split_inclusive('\n')
        .map(|line| match line.strip_prefix("< ") {
            Some(head) => format!("{line}{head}"),
            None => line.to_owned(),
        })
        .collect();
    assert_eq!(events(&only(doubled.as_bytes())), untimed(&EVENTS));
}

#[test]
fn verbose_that_is_not_whole_is_damage_with_a_way_out() {
    damaged(
        &verbose(&wire(), b"", None),
        "line 3: its body is not in the capture, which is what curl -v prints beside it: join both (curl -sNv URL \
         >FILE 2>&1), or use --trace FILE",
    );
    let meter =
        b"  0     0    0     0    0     0      0      0 --:--:-- --:--:-- --:--:--     0\ndata: 1\n\n";
    damaged(
        &verbose(&wire(), meter, None),
        "line 3: curl's progress meter is mixed into it: record with -s, or use --trace FILE",
    );
    damaged(
        b"> POST /v1 HTTP/1.1\r\n> Host: h\r\n> \r\n",
        "line 1: no response came: curl printed only what it sent",
    );
}

#[test]
fn a_trace_gives_everything_with_its_times() {
    for is_new in [false, true] {
        let look = Look { sent: Some(Duration::from_millis(86_399_985)), is_new, ..Look::default() };
        let exchange = only(&trace(&wire(), look));
        let times = [Some(10), Some(20), Some(30)];
        let expected: Vec<_> = EVENTS.iter().map(|event| (*event).to_owned()).zip(times).collect();
        assert_eq!(events(&exchange), expected);
        assert_eq!(exchange.notes, [""; 0]);
        assert_eq!(exchange.host.as_deref(), Some("h"));
        assert_eq!(exchange.transcript.recorded.tool.as_deref(), Some("curl"));
        let request = exchange.transcript.request.unwrap();
        assert_eq!(request.body, Some(serde_json::json!({"model": "m"})));
        let response = exchange.transcript.response;
        assert_eq!(response.at.unwrap().0, Duration::from_millis(5));
        // With the last chunk, which has no bytes.
        assert_eq!(response.ends_at.unwrap().0, Duration::from_millis(40));
    }
}

#[test]
fn a_trace_without_stamps_has_no_times() {
    let exchange = only(&trace(&wire(), Look::default()));
    assert_eq!(events(&exchange), untimed(&EVENTS));
    assert_eq!((exchange.transcript.response.at, exchange.transcript.response.ends_at), (None, None));
}

#[test]
fn a_trace_of_http_2_has_no_chunks() {
    let wire = Wire::of(
        "HTTP/2 200 \r\ncontent-type: text/event-stream\r\ndate: Thu, 01 Jan 2026 00:00:00 GMT\r\n\r\n",
    )
    .read(b"data: 1\n\nda", 10)
    .read(b"ta: 2\n\n", 25);
    let look = Look { sent: Some(Duration::from_secs(9)), ..Look::default() };
    let exchange = only(&trace(&wire, look));
    assert_eq!(
        events(&exchange),
        [("data: 1\n\n".to_owned(), Some(10)), ("data: 2\n\n".to_owned(), Some(25))]
    );
    assert_eq!(exchange.transcript.recorded.date.as_deref(), Some("2026-01-01T00:00:00Z"));
}

#[test]
fn transfers_that_are_mixed_are_told_apart_by_their_ids() {
    let trace = |transfer| {
        let look = Look { transfer: Some(transfer), sent: Some(Duration::ZERO), ..Look::default() };
        let text = String::from_utf8(trace(&wire(), look)).unwrap();
        let mut sections: Vec<String> = Vec::new();
        for line in text.split_inclusive('\n') {
            match line.starts_with("00:00") {
                true => sections.push(line.to_owned()),
                false => sections.last_mut().unwrap().push_str(line),
            }
        }
        sections
    };
    let mixed: String = trace(0).into_iter().zip(trace(1)).flat_map(|(one, other)| [one, other]).collect();
    let exchanges = all(mixed.as_bytes());
    assert_eq!(exchanges.len(), 2);
    for exchange in exchanges {
        assert_eq!(events(&exchange.unwrap()).len(), 3);
    }
}

#[test]
fn interim_heads_and_tunnels_are_no_answers() {
    let trace = |wire: &Wire| trace(wire, Look::default());
    let mut tunnel = Wire::of("HTTP/1.1 200 Connection established\r\n\r\n");
    tunnel.request = "CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n".to_owned();
    tunnel.request_body.clear();
    let mut wire = wire();
    wire.head.insert_str(0, "HTTP/1.1 100 Continue\r\n\r\n");
    assert_eq!(events(&only(&[trace(&tunnel), trace(&wire)].concat())), untimed(&EVENTS));
    let verbose = |wire: &Wire, body: &str| verbose(wire, body.as_bytes(), None);
    let both = [verbose(&tunnel, ""), verbose(&wire, &EVENTS.concat())].concat();
    assert_eq!(events(&only(&both)), untimed(&EVENTS));
}

#[test]
fn a_trace_in_ascii_keeps_heads_but_no_dots() {
    let look = Look { is_ascii: true, ..Look::default() };
    damaged(
        &trace(&wire(), look),
        "line 3: --trace-ascii shows line ends and all that is not ASCII as dots: record with --trace FILE",
    );
    let long = "x".repeat(200);
    let exact = format!("{{\"a\":\"{long}\"}}\r\n");
    let head =
        format!("HTTP/1.1 200 OK\r\nX-Long: {}\r\ncontent-type: application/json\r\n\r\n", "v.".repeat(60));
    let exchange = only(&trace(&Wire::of(&head).read(exact.as_bytes(), 10), look));
    assert_eq!(exchange.transcript.response.bytes(), exact);
    assert_eq!(exchange.transcript.response.headers[0].1, "v.".repeat(60));
}

#[test]
fn a_trace_that_was_changed_is_damage() {
    let text = String::from_utf8(trace(&wire(), Look::default())).unwrap();
    let changed = text.replacen("0d 0a 64 61 74 61", "0d 0a 64 61 74 XX", 1);
    assert_ne!(changed, text);
    damaged(
        changed.as_bytes(),
        "line 3: the bytes shown after line 23 are not as many as it says: the trace was changed or cut off",
    );
    let cut = &text[..text.find("<= Recv data").unwrap()];
    assert_eq!(only(cut.as_bytes()).transcript.response.bytes(), "");
    let no_head = &text[..text.find("<= Recv header").unwrap()];
    damaged(no_head.as_bytes(), "line 3: no response came, or its head is not whole");
}

#[test]
fn what_curl_did_not_print_is_refused() {
    assert!(!is(b"hello\n> POST /v1 HTTP/1.1\n"));
    assert_eq!(
        read(b"hello").unwrap_err(),
        "is nothing that curl prints: expected a response with its head (curl -i), or what curl -v or curl --trace prints"
    );
}

proptest! {
    /// Whatever the events, and however they are read: what curl prints of them gives them back.
    #[test]
    fn what_curl_prints_comes_back(
        texts in proptest::collection::vec("[ -~é\u{1F600}]{0,40}", 1..8),
        cuts in proptest::collection::vec((any::<prop::sample::Index>(), 0u64..40), 0..6),
    ) {
        let stream: String = texts.iter().map(|text| format!("data: {}\n\n", serde_json::json!({"text": text}))).collect();
        let plain = "HTTP/2 200 \r\ncontent-type: text/event-stream\r\n\r\n";
        let mut ends: Vec<_> = cuts.iter().map(|(cut, _)| cut.index(stream.len())).chain([stream.len()]).collect();
        ends.sort_unstable();
        let (mut wire, mut start, mut at) = (Wire::of(plain), 0, 5);
        let mut chunks: Vec<&str> = Vec::new();
        for (end, gap) in ends.iter().zip(cuts.iter().map(|(_, gap)| *gap).chain([7])) {
            at += gap;
            wire = wire.read(&stream.as_bytes()[start..*end], at);
            if stream.is_char_boundary(start) && stream.is_char_boundary(*end) {
                chunks.push(&stream[start..*end]);
            }
            start = *end;
        }
        let expected: Vec<_> = texts.iter().map(|text| format!("data: {}\n\n", serde_json::json!({"text": text}))).collect();
        let raw = |exchange: &Exchange| events(exchange).into_iter().map(|(raw, _)| raw).collect::<Vec<_>>();
        prop_assert_eq!(raw(&only(&include(&wire, stream.as_bytes()))), expected.clone());
        prop_assert_eq!(raw(&only(&verbose(&wire, stream.as_bytes(), None))), expected.clone());
        let look = Look { sent: Some(Duration::from_secs(86_399)), ..Look::default() };
        let traced = only(&trace(&wire, look));
        prop_assert_eq!(raw(&traced), expected.clone());
        prop_assert_eq!(traced.transcript.response.ends_at.unwrap().0, Duration::from_millis(at));
        if chunks.concat() == stream {
            let wire = Wire::chunked("text/event-stream", &chunks);
            prop_assert_eq!(raw(&only(&trace(&wire, look))), expected.clone());
            prop_assert_eq!(raw(&only(&include(&wire, &wire.received()))), expected);
        }
    }
}
