//! CORS for the API routes, so that a page on another origin can stream from here.
//!
//! Only requests with an `Origin` see any of it: what SDKs get is what was planned, to the byte.

use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, HeaderName, HeaderValue, ORIGIN, VARY,
};
use http::{Method, StatusCode};

use crate::plan::Timeline;
use crate::plan::timeline::{Head, Header};

/// The answer to a preflight; `None` where the request is none.
///
/// It echoes what is asked for: a `*` would not cover `authorization`.
pub(crate) fn preflight(method: &Method, headers: &HeaderMap) -> Option<Timeline> {
    let origin = headers.get(ORIGIN).filter(|_| *method == Method::OPTIONS)?;
    let asked = headers.get(ACCESS_CONTROL_REQUEST_METHOD)?;
    let mut lines = vec![
        line(&ACCESS_CONTROL_ALLOW_ORIGIN, origin),
        line(&VARY, &HeaderValue::from_static("Origin")),
        line(&ACCESS_CONTROL_ALLOW_METHODS, asked),
    ];
    if let Some(names) = headers.get(ACCESS_CONTROL_REQUEST_HEADERS) {
        lines.push(line(&ACCESS_CONTROL_ALLOW_HEADERS, names));
    }
    lines.push(line(&ACCESS_CONTROL_MAX_AGE, &HeaderValue::from_static("600")));
    let head =
        Head { at: Duration::ZERO, status: StatusCode::NO_CONTENT, reason: None, headers: lines.into() };
    Some(Timeline::whole(head, Bytes::new(), Vec::new()))
}

/// Lets the page of `origin` read a response. OpenAI's own headers of this kind are replaced.
pub(crate) fn allow(head: &mut Head, origin: &HeaderValue) {
    let replaced = [ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS];
    let is = |header: &Header, name: &HeaderName| header.name.eq_ignore_ascii_case(name.as_str());
    head.headers.retain(|header| !replaced.iter().any(|name| is(header, name)));
    let exposed: Vec<_> = head.headers.iter().filter_map(exposed).collect();
    let varies = head.headers.iter().any(|header| is(header, &VARY) && header.value == "Origin");
    head.headers.push(line(&ACCESS_CONTROL_ALLOW_ORIGIN, origin));
    if !varies {
        head.headers.push(line(&VARY, &HeaderValue::from_static("Origin")));
    }
    let exposed = HeaderValue::from_str(&exposed.join(", "));
    if let Some(exposed) = exposed.ok().filter(|value| !value.is_empty()) {
        head.headers.push(line(&ACCESS_CONTROL_EXPOSE_HEADERS, &exposed));
    }
}

/// The header's name in lower case, if a page may want to read it.
fn exposed(header: &Header) -> Option<String> {
    let name = header.name.to_ascii_lowercase();
    let known = ["x-request-id", "apim-request-id", "retry-after", "retry-after-ms", "x-should-retry"];
    let wanted =
        known.contains(&name.as_str()) || name.starts_with("x-ratelimit-") || name.starts_with("openai-");
    wanted.then_some(name)
}

fn line(name: &HeaderName, value: &HeaderValue) -> Header {
    // Names of the `http` crate's constants are static; cloning a `HeaderName` would not show it.
    Header { name: name.as_str().to_owned().into(), value: value.clone() }
}
