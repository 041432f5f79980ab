//! Captures that were damaged in every way: no importer panics, none takes long, and what is read is consistent.

use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::Index;

use super::curl::printer::{Look, Wire, include, trace, verbose};
use super::{Format, read};
use crate::plan::transcript::raw_bytes;

/// A capture of each form.
fn captures() -> Vec<Vec<u8>> {
    let events = [
        "data: {\"id\":\"a\",\"x\":\"é\"}\n\n",
        "event: e\r\ndata: {\"id\":\"b\"}\r\n\r\n",
        "data: [DONE]\n\n",
    ];
    let wire = Wire::chunked("text/event-stream", &events);
    let sent = Some(Duration::from_secs(86_399));
    let body = events.concat();
    let json = serde_json::json!({
        "request": {"method": "POST", "url": "https://h/v1", "headers": {"a": ["b"]}, "body": {"model": "m"}},
        "response": {"status": 200, "headers": [["content-encoding", "gzip"]], "body": {"base64": "H4sIAAAAAAAAA0tJLEm0UjDk4gIAzs14VAkAAAA="}},
    });
    let own = serde_json::json!({
        "response": {"status": 200, "at": "1ms", "events": [{"at": "2ms", "raw": "data: 1\n\n"}], "ends_at": "3ms"},
    });
    let har = serde_json::json!({"log": {"version": "1.2", "entries": [{
        "startedDateTime": "2026-01-01T00:00:00.000Z", "time": 5,
        "request": {"method": "POST", "url": "https://h/v1", "headers": [], "postData": {"mimeType": "application/json", "text": "{}"}},
        "response": {"status": 200, "statusText": "OK", "headers": [{"name": "content-type", "value": "text/event-stream"}],
            "content": {"size": 9, "mimeType": "text/event-stream", "text": "ZGF0YTogMQoK", "encoding": "base64"}},
        "timings": {"send": 0, "wait": 3, "receive": 2},
    }]}});
    let vcr = "version: 1\ninteractions:\n- request:\n    body: '{\"model\":\"m\"}'\n    headers: &h\n      accept:\n      - '*/*'\n    \
        method: POST\n    uri: https://h/v1\n  response:\n    body:\n      string: \"data: 1\\n\\n\"\n    headers: *h\n    status:\n      \
        code: 200\n      message: OK\n";
    let ruby = "---\nhttp_interactions:\n- request:\n    method: post\n    uri: https://h/v1\n    body:\n      encoding: UTF-8\n      \
        string: '{}'\n    headers: {}\n  response:\n    status:\n      code: 200\n      message: OK\n    headers:\n      a:\n      - b\n    \
        body:\n      encoding: ASCII-8BIT\n      string: !binary |-\n        ZGF0YTogMQoK\n  recorded_at: Thu, 01 Jan 2026 00:00:00 GMT\n\
        recorded_with: VCR 6.2.0\n";
    vec![
        body.clone().into_bytes(),
        [body.as_bytes(), b"{\"error\":{\"code\":\"x\"}}"].concat(),
        include(&wire, body.as_bytes()),
        [include(&wire, &wire.received()), include(&wire, body.as_bytes())].concat(),
        verbose(&wire, body.as_bytes(), sent),
        trace(&wire, Look { sent, ..Look::default() }),
        trace(&wire, Look { sent, transfer: Some(1), is_new: true, ..Look::default() }),
        trace(&wire, Look { is_ascii: true, ..Look::default() }),
        json.to_string().into_bytes(),
        own.to_string().into_bytes(),
        har.to_string().into_bytes(),
        vcr.as_bytes().to_vec(),
        ruby.as_bytes().to_vec(),
    ]
}

/// What happens to a capture on its way.
#[derive(Clone, Debug)]
enum Harm {
    Cut(Index),
    Flip(Index, u8),
    Remove(Index, usize),
    Insert(Index, Vec<u8>),
    Repeat(Index, usize),
    Glue(Index),
    Lines(bool),
}

fn harm() -> impl Strategy<Value = Harm> {
    let pieces = prop::sample::select(vec![
        "\n",
        "\r\n",
        "\n\n",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/2 404 \r\n\r\n",
        "data:",
        "{",
        "}",
        "[",
        "\"",
        "> ",
        "< ",
        "* ",
        "0\r\n\r\n",
        "ffffffffffffffff\r\n",
        "<= Recv data, 18446744073709551615 bytes (0x0)\n",
        "ffffffffffffffff: ",
        "0000: ",
        "content-length: 18446744073709551615\r\n",
        "transfer-encoding: chunked\r\n",
        "content-encoding: br\r\n",
        "99:99:99.999999 ",
        "[0-0] ",
        "\0",
        "\u{feff}",
        "&a [*a, *a]",
        "curl: (18) transfer closed with",
    ]);
    prop_oneof![
        any::<Index>().prop_map(Harm::Cut),
        (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Harm::Flip(at, byte)),
        (any::<Index>(), 1..80usize).prop_map(|(at, length)| Harm::Remove(at, length)),
        (any::<Index>(), pieces).prop_map(|(at, piece)| Harm::Insert(at, piece.as_bytes().to_vec())),
        (any::<Index>(), prop::collection::vec(any::<u8>(), 1..9))
            .prop_map(|(at, junk)| Harm::Insert(at, junk)),
        (any::<Index>(), 1..40usize).prop_map(|(at, times)| Harm::Repeat(at, times)),
        any::<Index>().prop_map(Harm::Glue),
        any::<bool>().prop_map(Harm::Lines),
    ]
}

fn harmed(mut capture: Vec<u8>, harm: &Harm) -> Vec<u8> {
    let place = |at: &Index| at.index(capture.len() + 1);
    match harm {
        Harm::Cut(at) => capture.truncate(place(at)),
        Harm::Flip(at, byte) => {
            let at = place(at);
            capture.iter_mut().skip(at).take(1).for_each(|known| *known ^= byte);
        }
        Harm::Remove(at, length) => {
            let start = place(at);
            let end = capture.len().min(start + length);
            capture.drain(start..end);
        }
        Harm::Insert(at, bytes) => {
            let at = place(at);
            capture.splice(at..at, bytes.iter().copied());
        }
        Harm::Repeat(at, times) => {
            let end = capture[place(at)..].to_vec();
            (0..*times).for_each(|_| capture.extend_from_slice(&end));
        }
        Harm::Glue(which) => {
            capture.extend(which.get(&captures()).clone());
        }
        Harm::Lines(is_crlf) => {
            let text: Vec<_> = capture.iter().copied().filter(|byte| *byte != b'\r').collect();
            let line = |byte| if byte == b'\n' && *is_crlf { vec![b'\r', b'\n'] } else { vec![byte] };
            capture = text.into_iter().flat_map(line).collect();
        }
    }
    capture
}

#[test]
fn the_captures_are_read_as_they_are() {
    for capture in captures() {
        let Ok(found) = read(&capture, None) else {
            panic!("{}", String::from_utf8_lossy(&capture));
        };
        assert!(!found.exchanges.is_empty());
    }
}

proptest! {
    #[test]
    fn no_capture_is_too_damaged_to_be_looked_at(
        which in any::<Index>(), harms in prop::collection::vec(harm(), 0..5), format in prop::option::of(0..5usize),
    ) {
        let capture = harms.iter().fold(which.get(&captures()).clone(), harmed);
        let Ok(found) = read(&capture, format.map(|format| Format::ALL[format])) else { return Ok(()) };
        for exchange in found.exchanges.into_iter().flatten() {
            let response = exchange.transcript.response;
            prop_assert!((200..=999).contains(&response.status));
            prop_assert!(response.events.is_none() || response.body.is_none());
            let events = response.events.iter().flatten();
            prop_assert!(events.clone().all(|event| !raw_bytes(&event.raw).is_empty()) || found.format == Format::Json);
            let times = [response.at].into_iter().chain(events.map(|event| event.at)).chain([response.ends_at]);
            prop_assert!(times.flatten().map(|at| at.0).is_sorted());
        }
    }
}
