//! What the dialects make of requests: which route, which refusal, which header lines, to the byte.
//! No sockets: all of it is planned.

#![expect(
    clippy::needless_pass_by_value,
    clippy::print_stdout,
    reason = "helpers of tests; values are written where they are used, and who runs them sees what was skipped"
)]

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::{Value, json};

use super::{DIALECTS, Facts, Form};
use crate::plan::limits::Allowance;
use crate::plan::reject::Reject;
use crate::plan::reply::ErrorReply;
use crate::plan::request::{Call, Request, Scope};
use crate::plan::seed::Seed;
use crate::plan::timeline::Head;
use crate::plan::wire::Profile;

mod heads;
mod recorded;
mod refusals;
mod routes;
mod validation;

/// `POST /v1/chat/completions`, `Name: value` and so on.
fn call(line: &str, headers: &[(&str, &str)]) -> Call {
    let (method, target) = line.split_once(' ').unwrap();
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    let route = DIALECTS.iter().find_map(|dialect| dialect.claim(path, query)).unwrap();
    let line = |(name, value): &(&str, &str)| {
        (HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap())
    };
    Call {
        method: Method::from_bytes(method.as_bytes()).unwrap(),
        path: path.to_owned(),
        query: query.map(str::to_owned),
        headers: headers.iter().map(line).collect::<HeaderMap>(),
        scope: Scope::default(),
        route,
    }
}

fn facts<'a>(call: &'a Call, model: &'a str, profile: &str) -> Facts<'a> {
    Facts {
        call,
        model,
        seed: Seed::new(0).child("test"),
        now: 1_772_538_437,
        wall: 1_772_538_437,
        profile: profile.parse::<Profile>().unwrap(),
        processing: Duration::from_millis(113),
        tokens: 7,
        limits: Allowance::default(),
    }
}

/// Validates a request; the model names that exist are restricted where `models` says so.
fn validate(line: &str, body: Value, models: Option<&[&str]>) -> Result<(), Reject> {
    let request = Request { call: call(line, &[]), body };
    let models: Option<Vec<String>> =
        models.map(|models| models.iter().map(|model| (*model).to_owned()).collect());
    request.call.route.dialect.validate(&request, models.as_deref())
}

/// Status line, header lines and body, as they go out.
fn wire(head: &Head, body: &[u8]) -> String {
    let reason = head.reason.as_deref().or_else(|| head.status.canonical_reason()).unwrap_or_default();
    let mut text = format!("{} {reason}\n", head.status.as_u16());
    for header in &head.headers {
        text += &format!("{}: {}\n", header.name, header.value.to_str().unwrap());
    }
    text + "\n" + std::str::from_utf8(body).unwrap()
}

fn error_reply(error: Value) -> ErrorReply {
    serde_json::from_value(error).unwrap()
}

const OPENAI: &str = "POST /v1/chat/completions";
const AZURE: &str = "POST /openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21";
const AZURE_V1: &str = "POST /openai/v1/chat/completions";
