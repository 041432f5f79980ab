//! The admin API, below `/__admin`, and `/health`.
//!
//! Pages on other sites must not steer a developer's mock: there is no CORS here, a foreign `Origin` or
//! `Sec-Fetch-Site` is refused, and a body has to be `application/json`, which a page cannot send
//! without asking first.

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, HeaderValue, ORIGIN};
use http::{Method, StatusCode, request};
use serde::Serialize;
use serde_json::json;

use super::answer;
use super::entry::{Entry, Told};
use super::redact;
use super::state::State;
use crate::plan::Timeline;

/// Where the admin API is.
pub(crate) const PREFIX: &str = "/__admin";

/// What its paths start with.
pub(crate) const BELOW: &str = "/__admin/";

/// How large its requests may be.
pub(crate) const MAX_BODY: usize = 1024 * 1024;

/// Answers a request to the admin API or to `/health`. A session in the base URL is what `?session=`
/// is elsewhere.
pub(crate) fn answer(
    state: &State,
    parts: &request::Parts,
    path: &str,
    session: &str,
    body: &Bytes,
) -> Timeline {
    if path == "/health" {
        return match parts.method {
            Method::GET | Method::HEAD => health(),
            _ => answer::not_allowed("GET, HEAD"),
        };
    }
    if let Some(refusal) = refuse(state, &parts.headers, body) {
        return refusal;
    }
    let query = match Query::parse(parts.uri.query().unwrap_or_default(), session) {
        Ok(query) => query,
        Err(message) => return answer::refusal(StatusCode::BAD_REQUEST, "bad_query", &message),
    };
    match (path.strip_prefix(BELOW).unwrap_or_default(), &parts.method) {
        ("requests", &Method::GET) => requests(state, &query),
        ("requests", _) => answer::not_allowed("GET"),
        ("reset", &Method::POST) => reset(state, &query),
        ("reset", _) => answer::not_allowed("POST"),
        _ => {
            let message = format!("there is no {path}; there are {BELOW}requests and {BELOW}reset");
            answer::refusal(StatusCode::NOT_FOUND, "not_found", &message)
        }
    }
}

fn health() -> Timeline {
    answer::json(StatusCode::OK, &json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") }))
}

fn requests(state: &State, query: &Query) -> Timeline {
    let journal = match &query.session {
        Some(name) => state.journal.session(name),
        None => state.journal.clone(),
    };
    let wanted = |told: &Told| query.unmatched.is_none_or(|unmatched| told.unmatched == unmatched);
    let requests = journal.latest(query.limit.unwrap_or(usize::MAX), wanted);
    answer::json(StatusCode::OK, &Listing { requests })
}

#[derive(Serialize)]
struct Listing {
    requests: Vec<Entry>,
}

fn reset(state: &State, query: &Query) -> Timeline {
    state.reset(query.session.as_deref());
    answer::json(StatusCode::OK, &json!({ "status": "reset" }))
}

/// Why a request is none that the owner of this machine meant.
fn refuse(state: &State, headers: &HeaderMap, body: &Bytes) -> Option<Timeline> {
    let foreign_origin = headers.get_all(ORIGIN).iter().any(|origin| !is_own(origin.to_str().ok(), headers));
    // Browsers say so of requests without an `Origin`, too; `none` is the address bar.
    let sites = headers.get_all("sec-fetch-site").iter();
    let foreign_site = sites.map(HeaderValue::as_bytes).any(|site| site != b"same-origin" && site != b"none");
    if foreign_origin || foreign_site {
        let message = "the admin API is not for pages of other origins";
        return Some(answer::refusal(StatusCode::FORBIDDEN, "foreign_origin", message));
    }
    if let Some(token) = &state.config.admin_token {
        let given = headers.get(AUTHORIZATION).and_then(|value| redact::bearer(value.to_str().ok()?));
        if !given.is_some_and(|given| redact::same(given, token)) {
            let message = "the admin API wants the admin token: authorization: Bearer …";
            return Some(answer::refusal(StatusCode::UNAUTHORIZED, "admin_token", message));
        }
    }
    // A form without fields has an empty body.
    if (!body.is_empty() || headers.contains_key(CONTENT_TYPE)) && !is_json(headers) {
        let message = "a body has to be application/json";
        return Some(answer::refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_json", message));
    }
    None
}

/// Whether an origin is the server itself, as the request names it.
fn is_own(origin: Option<&str>, headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let authority = origin.and_then(|origin| origin.split_once("://")).map(|(_, authority)| authority);
    matches!((authority, host), (Some(authority), Some(host)) if authority.eq_ignore_ascii_case(host))
}

fn is_json(headers: &HeaderMap) -> bool {
    let mut kinds = headers.get_all(CONTENT_TYPE).iter();
    let (Some(kind), None) = (kinds.next(), kinds.next()) else {
        return false;
    };
    let kind = kind.to_str().unwrap_or_default();
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

/// What the query of an admin request may say.
#[derive(Debug, Default)]
struct Query {
    session: Option<String>,
    unmatched: Option<bool>,
    limit: Option<usize>,
}

impl Query {
    fn parse(text: &str, session: &str) -> Result<Self, String> {
        let mut query =
            Self { session: Some(session.to_owned()).filter(|name| !name.is_empty()), ..Self::default() };
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let wrong = |wanted: &str| format!("{name} is {wanted}, not {value:?}");
            match name {
                "session" => query.session = Some(super::scope::decode(value)?),
                "unmatched" if value.is_empty() => query.unmatched = Some(true),
                "unmatched" => {
                    query.unmatched = Some(value.parse().map_err(|_| wrong("true or false"))?);
                }
                "limit" => query.limit = Some(value.parse().map_err(|_| wrong("a number"))?),
                _ => {
                    return Err(format!(
                        "there is no parameter {name:?}; there are session, unmatched and limit"
                    ));
                }
            }
        }
        Ok(query)
    }
}
