//! One exchange as a capture has it, and the transcript that is made of it.

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use serde_json::Value;

use super::{MAX_TOTAL, encoding};
use crate::plan::load::transcript_problems;
use crate::plan::transcript::{
    self, Recorded, RecordedEnding, RecordedEvent, RecordedRequest, RecordedResponse, Transcript, split,
};

/// An exchange as a capture has it: nothing decoded, nothing left out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawExchange {
    /// Where it stands in the capture: `interaction 3`, `entry 5`, `line 120`.
    pub place: String,
    /// What the client asked; `None` where the capture does not tell.
    pub request: Option<RawRequest>,
    /// What the server sent.
    pub response: RawResponse,
    /// Where it is from.
    pub recorded: Recorded,
}

/// The request of a [`RawExchange`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawRequest {
    /// The method.
    pub method: String,
    /// The URL as captured: absolute, or a path.
    pub url: String,
    /// The headers, in order.
    pub headers: Vec<(String, String)>,
    /// The body, content encoding included.
    pub body: Bytes,
}

/// The response of a [`RawExchange`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawResponse {
    /// The status code.
    pub status: u16,
    /// The reason phrase, if there is one.
    pub reason: Option<String>,
    /// The headers, in the order in which they came, all of them.
    pub headers: Vec<(String, String)>,
    /// The body without transfer encoding.
    pub body: Bytes,
    /// Whether `body` is still in the content encoding that the headers name; many recorders decode and keep the
    /// header.
    pub is_encoded: bool,
    /// When the head came, counted from the moment the request was sent.
    pub head_at: Option<Duration>,
    /// What was read when: (how much of `body` had come, when), both growing. Empty: nobody knows.
    pub reads: Vec<(usize, Duration)>,
    /// How it ended.
    pub ending: RecordedEnding,
    /// When it ended; `None`: with the last read.
    pub ends_at: Option<Duration>,
}

/// An exchange that can be written: its transcript, secrets still in it, and what is to be told of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Exchange {
    /// Where it stands in the capture.
    pub place: String,
    /// The host that was asked, for names and messages only.
    pub host: Option<String>,
    /// The exchange.
    pub transcript: Transcript,
    /// What is doubtful about it, in sentences without a full stop.
    pub notes: Vec<String>,
}

/// An exchange of a capture that cannot be used, and why.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{place}: {reason}")]
pub struct Damage {
    /// Where it stands in the capture.
    pub place: String,
    /// What is wrong with it, and what to do.
    pub reason: String,
}

/// How many events a stream may have.
pub const MAX_EVENTS: usize = 1 << 20;

/// How much the exchanges of one capture may still hold: a small file can name large bodies many times.
pub(super) struct Budget(usize);

impl Default for Budget {
    fn default() -> Self {
        Self(MAX_TOTAL)
    }
}

impl Budget {
    /// The exchange as a transcript, if there is room for it.
    pub(super) fn exchange(&mut self, raw: RawExchange) -> Result<Exchange, Damage> {
        let exchange = raw.exchange()?;
        let response = &exchange.transcript.response;
        let events = response.events.iter().flatten().map(|event| transcript::raw_bytes(&event.raw).len());
        let body = response.body.iter().map(|body| transcript::raw_bytes(body).len());
        match self.0.checked_sub(events.chain(body).sum()) {
            Some(left) => self.0 = left,
            None => {
                return Err(Damage {
                    place: exchange.place,
                    reason: format!(
                        "the bodies up to here have more than {} MiB together: split the capture",
                        MAX_TOTAL >> 20
                    ),
                });
            }
        }
        Ok(exchange)
    }
}

impl RawExchange {
    /// The exchange as a transcript: the body without content encoding and cut into its events, each with the time
    /// of the read that brought its last byte. All headers are still there, and all secrets.
    ///
    /// # Errors
    ///
    /// Where the response is none, or its body cannot be decoded.
    pub fn exchange(self) -> Result<Exchange, Damage> {
        let Self { place, request, response, recorded } = self;
        let host = request.as_ref().and_then(RawRequest::host);
        let damage = |reason| Damage { place: place.clone(), reason };
        let mut notes = Vec::new();
        let request = request.map(|request| request.recorded(&mut notes)).transpose().map_err(damage)?;
        let response = response.recorded(&mut notes).map_err(damage)?;
        let transcript = Transcript { request, response, recorded };
        playable(&transcript).map_err(damage)?;
        Ok(Exchange { place, host, transcript, notes })
    }
}

/// Whether a transcript can be replayed: what would not load is not written.
pub(super) fn playable(transcript: &Transcript) -> Result<(), String> {
    let problems = transcript_problems(transcript);
    match problems.is_empty() {
        true => Ok(()),
        // The same thing may be wrong with each of many events.
        false => {
            let first: Vec<_> = problems.into_iter().take(3).collect();
            Err(format!("cannot be replayed: {}", first.join("; ")))
        }
    }
}

impl RawRequest {
    /// The host that was asked, as the URL or the headers have it.
    fn host(&self) -> Option<String> {
        let authority = match absolute(&self.url) {
            Some((authority, _)) => authority,
            None => header(&self.headers, "host").or_else(|| header(&self.headers, ":authority"))?,
        };
        let (_, host) = authority.rsplit_once('@').unwrap_or(("", authority));
        Some(host.trim().to_owned()).filter(|host| !host.is_empty())
    }

    fn recorded(self, notes: &mut Vec<String>) -> Result<RecordedRequest, String> {
        let Self { method, url, headers, body } = self;
        let path = path(&url);
        let body = decoded(body, &headers, "the request's body", notes)?;
        let json =
            serde_json::from_slice(&body).ok().filter(|json: &Value| json.is_object() || json.is_array());
        let body = match json {
            _ if body.is_empty() => None,
            Some(json) => Some(json),
            None => serde_json::to_value(transcript::raw(body)).ok(),
        };
        Ok(RecordedRequest { method, path, headers: real(headers), body })
    }
}

impl RawResponse {
    fn recorded(self, notes: &mut Vec<String>) -> Result<RecordedResponse, String> {
        let Self { status, reason, headers, body, is_encoded, head_at, reads, ending, ends_at } = self;
        if status < 200 {
            return Err(format!(
                "no answer came: its status is {status}, and those of answers are 200 to 999"
            ));
        }
        // In an encoding nobody can tell which read brought which event.
        let is_timed = !is_encoded || values(&headers, "content-encoding").is_empty();
        let plain = match is_encoded {
            true => decoded(body, &headers, "the body", notes)?,
            false => body,
        };
        if plain.len() > encoding::MAX_BODY {
            return Err(format!("its body has more than {} MiB", encoding::MAX_BODY >> 20));
        }
        let (head_at, reads, ends_at) = forward(head_at, reads, ends_at);
        let mut response = RecordedResponse {
            at: head_at.map(transcript::moment),
            status,
            reason: reason.filter(|reason| is_unusual(status, reason)),
            headers: real(headers),
            events: None,
            body: None,
            ending,
            ends_at: ends_at.map(transcript::moment),
        };
        if is_stream(response.header("content-type"), &plain) {
            let ends = split::ends(&plain);
            if ends.len() > MAX_EVENTS {
                return Err(format!("its stream has {} events; at most {MAX_EVENTS} are read", ends.len()));
            }
            let reads = if is_timed { reads } else { Vec::new() };
            response.events = Some(events(&plain, &ends, &reads));
        } else if !plain.is_empty() {
            response.body = Some(transcript::raw(plain));
        }
        Ok(response)
    }
}

/// When the head came, the reads, and when all ended.
type Times = (Option<Duration>, Vec<(usize, Duration)>, Option<Duration>);

/// The times with none before one that it follows: a clock may have been set back in between.
fn forward(head_at: Option<Duration>, mut reads: Vec<(usize, Duration)>, ends_at: Option<Duration>) -> Times {
    let (mut read, mut now) = (0, head_at.unwrap_or_default());
    for (known, at) in &mut reads {
        (read, now) = (read.max(*known), now.max(*at));
        (*known, *at) = (read, now);
    }
    let is_timed = !reads.is_empty();
    (head_at, reads, ends_at.map(|at| at.max(now)).or_else(|| is_timed.then_some(now)))
}

/// The events that end there, each with the time of the read that brought its last byte.
fn events(stream: &Bytes, ends: &[usize], reads: &[(usize, Duration)]) -> Vec<RecordedEvent> {
    let (mut start, mut later) = (0, reads.iter().peekable());
    let event = |&end: &usize| {
        while later.next_if(|(read, _)| *read < end).is_some() {}
        // Bytes that no read tells of came with the last one.
        let read = later.peek().copied().or_else(|| reads.last());
        let event = RecordedEvent {
            at: read.map(|(_, at)| transcript::moment(*at)),
            raw: transcript::raw(stream.slice(start..end)),
        };
        start = end;
        event
    };
    ends.iter().map(event).collect()
}

/// Whether a body is to be cut into events: if its type says so, or if there is none that denies it and it looks so.
fn is_stream(kind: Option<&str>, body: &[u8]) -> bool {
    let kind = kind.map(|kind| kind.split([';', ',']).next().unwrap_or_default().trim().to_ascii_lowercase());
    let looks = |fields: &[&[u8]]| {
        let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii_start();
        fields.iter().any(|field| body.starts_with(field))
    };
    match kind.as_deref() {
        Some("text/event-stream") => true,
        None | Some("") => looks(&[b"data:", b"event:", b"id:", b"retry:", b":"]),
        // Careless servers send streams under any name; no JSON and no page begins like this.
        Some(_) => looks(&[b"data:", b"event:"]),
    }
}

fn is_unusual(status: u16, reason: &str) -> bool {
    let usual = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    !reason.is_empty() && usual != Some(reason)
}

/// A body without its content encodings; what is cut is noted.
fn decoded(
    body: Bytes,
    headers: &[(String, String)],
    whose: &str,
    notes: &mut Vec<String>,
) -> Result<Bytes, String> {
    let encodings = values(headers, "content-encoding");
    let decoded =
        encoding::decode(body, &encodings).map_err(|problem| match problem.strip_prefix("the body") {
            Some(problem) => format!("{whose}{problem}"),
            None => format!("{whose}: {problem}"),
        })?;
    if let Some(encoding) = decoded.cut {
        notes.push(format!("{whose} is cut off in its {encoding} encoding; what decodes is kept"));
    }
    Ok(decoded.body)
}

/// The value of the first header of this name.
fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

/// The values of all headers of this name, as one.
fn values(headers: &[(String, String)], name: &str) -> String {
    let values = headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
    values.map(|(_, value)| value.as_str()).collect::<Vec<_>>().join(", ")
}

/// The headers without those that HTTP/2 has for the request line and the status.
fn real(mut headers: Vec<(String, String)>) -> Vec<(String, String)> {
    headers.retain(|(name, _)| !name.starts_with(':'));
    headers
}

/// The authority of an absolute URL, and what comes after it.
fn absolute(url: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    let is_scheme = !scheme.is_empty()
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    is_scheme.then(|| rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len())))
}

/// The path of a URL, with its query, as it is sent.
fn path(url: &str) -> String {
    let (_, path) = absolute(url).unwrap_or(("", url));
    let path = path.split('#').next().unwrap_or_default();
    let mut sent = if path.starts_with('/') { String::new() } else { "/".to_owned() };
    for char in path.chars() {
        match char {
            // Recorders keep URLs as programs wrote them; clients do not send them so.
            char if char.is_whitespace() || char.is_control() => {
                sent.extend(char.encode_utf8(&mut [0; 4]).bytes().map(|byte| format!("%{byte:02X}")));
            }
            char => sent.push(char),
        }
    }
    sent
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pairs(headers: &[(&str, &str)]) -> Vec<(String, String)> {
        headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn stream(body: &str) -> RawResponse {
        let headers = pairs(&[("content-type", "text/event-stream")]);
        RawResponse { status: 200, headers, body: body.to_owned().into(), ..RawResponse::default() }
    }

    fn recorded(response: RawResponse) -> Result<Exchange, Damage> {
        RawExchange { place: "entry 1".to_owned(), response, ..RawExchange::default() }.exchange()
    }

    fn asked(url: &str, headers: &[(&str, &str)], body: &str) -> Exchange {
        let request = RawRequest {
            method: "POST".to_owned(),
            url: url.to_owned(),
            headers: pairs(headers),
            body: body.to_owned().into(),
        };
        let response = RawResponse { status: 200, ..RawResponse::default() };
        RawExchange { request: Some(request), response, ..RawExchange::default() }.exchange().unwrap()
    }

    #[test]
    fn a_url_gives_its_path_and_its_host() {
        #[track_caller]
        fn check(url: &str, path: &str, host: Option<&str>) {
            let exchange = asked(url, &[], "");
            assert_eq!(exchange.transcript.request.unwrap().path, path, "{url}");
            assert_eq!(exchange.host.as_deref(), host, "{url}");
        }
        check("https://api.openai.com/v1/chat/completions", "/v1/chat/completions", Some("api.openai.com"));
        check("https://h//v1//chat?a=b#c", "//v1//chat?a=b", Some("h"));
        check("https://h:8080", "/", Some("h:8080"));
        check("https://h?a=/b", "/?a=/b", Some("h"));
        check("https://h#a/b", "/", Some("h"));
        check("http://[::1]:4010/v1", "/v1", Some("[::1]:4010"));
        check("http://user:p@ss@h/v1", "/v1", Some("h"));
        check("/v1/models?next=http://h/x", "/v1/models?next=http://h/x", None);
        check("//v1/models", "//v1/models", None);
        check("v1/models", "/v1/models", None);
        check("https://h/a b?c=\u{3000}", "/a%20b?c=%E3%80%80", Some("h"));
        check("", "/", None);
    }

    #[test]
    fn the_host_of_a_path_is_in_the_headers() {
        assert_eq!(asked("/v1", &[("Host", " h:1 ")], "").host.as_deref(), Some("h:1"));
        assert_eq!(asked("/v1", &[(":authority", "h")], "").host.as_deref(), Some("h"));
        assert_eq!(asked("https://a/v1", &[("host", "b")], "").host.as_deref(), Some("a"));
    }

    #[test]
    fn a_request_keeps_json_as_json_and_text_as_text() {
        let body = |text| asked("/", &[], text).transcript.request.unwrap().body;
        assert_eq!(body(r#"{"model":"m"}"#), Some(serde_json::json!({"model": "m"})));
        assert_eq!(body("[1]"), Some(serde_json::json!([1])));
        assert_eq!(body("17"), Some(serde_json::json!("17")));
        assert_eq!(body("a=b"), Some(serde_json::json!("a=b")));
        assert_eq!(body(""), None);
    }

    #[test]
    fn what_http_2_has_for_the_first_line_is_no_header() {
        let headers = [(":method", "POST"), ("accept", "*/*")];
        assert_eq!(asked("/", &headers, "").transcript.request.unwrap().headers, pairs(&[("accept", "*/*")]));
    }

    #[test]
    fn a_stream_is_what_says_so_or_looks_so() {
        #[track_caller]
        fn check(kind: Option<&str>, body: &str, is_stream: bool) {
            let headers: Vec<_> =
                kind.into_iter().map(|kind| ("Content-Type".to_owned(), kind.to_owned())).collect();
            let response = RawResponse { headers, ..stream(body) };
            let response = recorded(response).unwrap().transcript.response;
            assert_eq!(response.is_stream(), is_stream, "{kind:?} {body:?}");
            assert_eq!(response.bytes(), body);
        }
        check(Some("text/event-stream"), "data: 1\n\n", true);
        check(Some(" Text/Event-Stream ;charset=utf-8"), "data: 1\n\n", true);
        check(Some("text/event-stream, text/event-stream"), "data: 1\n\n", true);
        check(Some("text/event-stream"), "", true);
        check(Some("text/event-streams"), "{}", false);
        check(Some("application/x-ndjson"), "{\"a\":1}\n{\"a\":2}\n", false);
        check(Some("application/json"), "{\"data\":1}", false);
        check(Some("application/octet-stream"), "data: 1\n\n", true);
        check(Some("text/plain"), ":) not SSE", false);
        check(None, ": keep-alive\n\ndata: 1\n\n", true);
        check(None, "\u{feff}data: 1\n\n", true);
        check(None, "{}", false);
        check(None, "", false);
    }

    #[test]
    fn a_stream_that_was_compressed_is_still_looked_at() {
        use std::io::Write;
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(b"data: 1\n\ndata: 2\n\n").unwrap();
        let mut encoded = encoder.finish().unwrap();
        let headers = pairs(&[("Content-Encoding", "gzip")]);
        let reads = vec![(encoded.len(), Duration::from_millis(5))];
        let response =
            RawResponse { headers, body: encoded.clone().into(), is_encoded: true, reads, ..stream("") };
        let exchange = recorded(response.clone()).unwrap();
        let events = exchange.transcript.response.events.unwrap();
        assert_eq!(events.len(), 2);
        assert!(events.iter().all(|event| event.at.is_none()));
        assert_eq!(exchange.transcript.response.ends_at.unwrap().0, Duration::from_millis(5));
        encoded.truncate(encoded.len() - 4);
        let exchange = recorded(RawResponse { body: encoded.into(), ..response.clone() }).unwrap();
        assert_eq!(exchange.notes, ["the body is cut off in its gzip encoding; what decodes is kept"]);
        let damage =
            recorded(RawResponse { body: Bytes::from_static(b"data: 1\n\n"), ..response }).unwrap_err();
        assert_eq!(
            damage.to_string(),
            "entry 1: the body is not gzip, which its content-encoding says it is"
        );
    }

    #[test]
    fn times_never_go_back() {
        let ms = Duration::from_millis;
        let response = RawResponse {
            head_at: Some(ms(5)),
            reads: vec![(9, ms(4)), (18, ms(9)), (27, ms(7))],
            ends_at: Some(ms(8)),
            ..stream("data: 1\n\ndata: 2\n\ndata: 3\n\n")
        };
        let response = recorded(response).unwrap().transcript.response;
        let events: Vec<_> = response.events.iter().flatten().map(|event| event.at.unwrap().0).collect();
        assert_eq!(events, [ms(5), ms(9), ms(9)]);
        assert_eq!(response.ends_at.unwrap().0, ms(9));
    }

    #[test]
    fn what_has_no_status_is_no_answer() {
        let damage = recorded(RawResponse { status: 0, ..stream("") }).unwrap_err();
        let expected = "entry 1: no answer came: its status is 0, and those of answers are 200 to 999";
        assert_eq!(damage.to_string(), expected);
    }

    #[test]
    fn what_would_not_load_is_damage() {
        let headers = pairs(&[("content-type", "text/event-stream"), ("a b", "c"), ("d", "e\nf")]);
        let damage = recorded(RawResponse { headers, ..stream("data: 1\n\n") }).unwrap_err();
        assert_eq!(
            damage.to_string(),
            "entry 1: cannot be replayed: /response/headers/1/0: \"a b\" is not a header name; /response/headers/2/1: \
             a header value is one line, got \"e\\nf\""
        );
        let damage = recorded(RawResponse { status: 204, ..stream("data: 1\n\n") }).unwrap_err();
        assert_eq!(
            damage.to_string(),
            "entry 1: cannot be replayed: /response/events: a response with the status 204 has no body: leave it out"
        );
    }

    #[test]
    fn only_an_unusual_reason_is_kept() {
        let reason = |reason: &str| {
            let response = RawResponse { reason: Some(reason.to_owned()), ..stream("") };
            recorded(response).unwrap().transcript.response.reason
        };
        assert_eq!(reason("OK"), None);
        assert_eq!(reason(""), None);
        assert_eq!(reason("Fine"), Some("Fine".to_owned()));
    }

    proptest! {
        /// However a stream is split into reads, the events are the same, and each came with its last byte.
        #[test]
        fn any_split_into_reads_records_the_same_events(
            body in proptest::collection::vec("(data: [a-zé]{0,9}|: c|event: e|)(\n|\r\n|\r)", 0..30),
            cuts in proptest::collection::vec((any::<prop::sample::Index>(), 0u64..50), 0..20),
        ) {
            let body = body.concat();
            let whole = recorded(stream(&body)).unwrap().transcript.response.events.unwrap();
            let mut reads: Vec<_> = cuts.iter().map(|(cut, _)| cut.index(body.len() + 1)).collect();
            reads.push(body.len());
            reads.sort_unstable();
            let mut now = Duration::ZERO;
            let gaps = cuts.iter().map(|(_, gap)| *gap).chain([1]);
            let reads: Vec<_> = reads.into_iter().zip(gaps).map(|(read, gap)| {
                now += Duration::from_millis(gap);
                (read, now)
            }).collect();
            let split = RawResponse { reads: reads.clone(), ..stream(&body) };
            let split = recorded(split).unwrap().transcript.response;
            prop_assert_eq!(split.ends_at.unwrap().0, now);
            let split = split.events.unwrap();
            prop_assert_eq!(split.len(), whole.len());
            let mut end = 0;
            for (split, whole) in split.iter().zip(&whole) {
                prop_assert_eq!(&split.raw, &whole.raw);
                end += transcript::raw_bytes(&whole.raw).len();
                // By another way: the first read after which the event was there.
                let first = reads.iter().find(|(read, _)| *read >= end).unwrap().1;
                prop_assert_eq!(split.at.unwrap().0, first);
            }
            prop_assert_eq!(end, body.len());
        }
    }
}
