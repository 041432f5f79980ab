//! OpenAI's refusals: which server refuses, with which words, in which layout.
//!
//! The gateway knows keys, models and limits; it prints with four spaces. The backend validates; it
//! prints with two spaces and sends every header of a success. (C 19 of 19)

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use serde_json::Value;

use super::super::Facts;
use super::super::layout::{ErrorObject, Layout};
use super::super::limits::{Bucket, whole_millis};
use super::super::retry::RetryAfter;
use super::duration::GoDuration;
use super::headers::{Answer, Family, Limits, ORGANIZATION_ID, request_id};
use super::shown;
use crate::plan::fault::answer::Quantity;
use crate::plan::limits::Limited;
use crate::plan::reject::Reject;
use crate::plan::reply::ErrorReply;
use crate::plan::request::Endpoint;
use crate::plan::timeline::{Head, Header};
use crate::plan::wire::Profile;

/// A request that is refused.
pub(super) fn reject(reject: &Reject, facts: &Facts<'_>) -> (Head, Bytes) {
    let plain = |message: String| ErrorObject::invalid_request(message, None, None);
    let (status, family, error) = match reject {
        Reject::Unmatched(miss) => {
            (404, Family::Chat, ErrorObject::invalid_request(miss, None, Some("fixture_not_found")))
        }
        Reject::MissingKey => (401, Family::Gateway, plain(missing_key(facts.profile))),
        Reject::WrongKey(key) => (
            401,
            Family::Gateway,
            ErrorObject::invalid_request(wrong_key(key), None, Some("invalid_api_key")),
        ),
        Reject::UnknownUrl => {
            let message = format!("Invalid URL ({} {})", facts.call.method, shown(facts.call));
            (404, Family::Chat, plain(message))
        }
        Reject::MethodNotAllowed { allow } => {
            let message = format!("Only {allow} requests are accepted.");
            (405, Family::Chat, ErrorObject::invalid_request(message, None, Some("method_not_supported")))
        }
        Reject::Timeout => (408, Family::Chat, plain(TIMEOUT.to_owned())),
        Reject::BodyTooLarge { limit } => {
            (413, Family::Chat, plain(format!("Request body too large. The maximum size is {limit} bytes.")))
        }
        Reject::CompressedBody(coding) => (
            415,
            Family::Chat,
            plain(format!("Unsupported content encoding: '{coding}'. Send the body uncompressed.")),
        ),
        Reject::InvalidJson | Reject::ApiVersion => (400, Family::Chat, plain(NOT_JSON.to_owned())),
        Reject::NoModel => (400, Family::Chat, plain("you must provide a model parameter".to_owned())),
        Reject::UnknownModel(model) => unknown_model(model, facts),
        Reject::Invalid(violation) => {
            let error =
                ErrorObject::invalid_request(&violation.message, violation.param.clone(), violation.code);
            (violation.status, Family::Chat, error)
        }
    };
    let body = error.print(layout(family, facts.profile));
    let status = StatusCode::from_u16(status).expect("the table has status codes only");
    let mut head = answer(family, body.len(), facts).lines(facts).head(status);
    if let Reject::MethodNotAllowed { allow } = reject {
        head.headers.push(Header::new("allow", allow));
    }
    (head, body)
}

/// The prompt is refused for what it says, as reasoning models do; no verdicts are told.
/// (I pal-mcp-server#178, codex#7250)
pub(super) fn prompt_blocked(facts: &Facts<'_>) -> (Head, Bytes) {
    let error = ErrorObject::invalid_request(BLOCKED, None, Some("invalid_prompt"));
    let body = error.print(layout(Family::Chat, facts.profile));
    (answer(Family::Chat, body.len(), facts).lines(facts).head(StatusCode::BAD_REQUEST), body)
}

/// An error of a fixture.
pub(super) fn reply(reply: &ErrorReply, facts: &Facts<'_>) -> (Head, Bytes) {
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let code = reply.code.as_ref().and_then(Value::as_str);
    let family = match status.as_u16() {
        401 | 403 | 429 => Family::Gateway,
        404 if code.is_none_or(|code| code == "model_not_found") => Family::Gateway,
        _ => Family::Chat,
    };
    let retry_after = reply.retry_after.as_deref().map(RetryAfter::new);
    let wait = retry_after.as_ref().and_then(RetryAfter::wait);
    let defaults = Defaults::of(reply, code, wait, facts);
    let body = match &reply.body {
        Some(Value::String(body)) => Bytes::copy_from_slice(body.as_bytes()),
        Some(body) => layout(family, facts.profile).print(body),
        None => {
            let error = ErrorObject {
                message: reply.message.clone().unwrap_or(defaults.message),
                kind: reply.kind.clone().map_or_else(|| defaults.kind.into(), Value::String),
                param: reply.param.clone(),
                code: reply.code.clone().unwrap_or_else(|| defaults.code.into()),
            };
            error.print(layout(family, facts.profile))
        }
    };
    let header = retry_after.as_ref().map(RetryAfter::header);
    let answer = answer(family, body.len(), facts);
    let limits = defaults.limits.or(answer.limits);
    (Answer { limits, retry_after: header.as_deref(), ..answer }.lines(facts).head(status), body)
}

/// A request that is over a limit of the fixtures. The message, `retry-after` and `retry-after-ms` name the
/// same time; the bucket's reset is, as ever, the time until it is full. (C, I)
pub(super) fn limited(limited: &Limited, facts: &Facts<'_>) -> (Head, Bytes) {
    let Limited { of, level, asked, wait, .. } = *limited;
    let (unit, kind) = match of {
        Quantity::Requests => ("requests per min (RPM)", "requests"),
        Quantity::Tokens => ("tokens per min (TPM)", "tokens"),
    };
    let wait = wait.map(|wait| whole_millis(wait, true));
    let message = match wait {
        Some(wait) => reached(facts.model, unit, [level.limit, level.used(), asked], wait),
        None => format!(
            "Request too large for {} in organization {ORGANIZATION_ID} on {unit}: Limit {}, Requested {asked}. The input or output tokens must be reduced in order to run successfully. Visit https://platform.openai.com/account/rate-limits to learn more.",
            facts.model, level.limit,
        ),
    };
    let error = ErrorObject { message, kind: kind.into(), param: None, code: "rate_limit_exceeded".into() };
    let body = error.print(layout(Family::Gateway, facts.profile));
    let mut limits = Limits::of(facts);
    // Rounded up, as the time to wait is: who waits until the bucket is full is not too early either.
    let reset = Some(whole_millis(level.full_in, true));
    match of {
        Quantity::Requests => limits.requests_reset = reset,
        Quantity::Tokens => limits.tokens_reset = reset,
    }
    let retry_after = wait.map(|wait| RetryAfter::Wait(wait).header());
    let answer = Answer {
        limits: Some(limits),
        retry_after: retry_after.as_deref(),
        retry_after_ms: wait.map(|wait| wait.as_millis()),
        ..answer(Family::Gateway, body.len(), facts)
    };
    (answer.lines(facts).head(StatusCode::TOO_MANY_REQUESTS), body)
}

/// The message of a bucket that has too little left: how much it holds, how much is used, and how much is
/// asked for.
fn reached(model: &str, unit: &str, [limit, used, requested]: [u64; 3], wait: Duration) -> String {
    format!(
        "Rate limit reached for {model} in organization {ORGANIZATION_ID} on {unit}: Limit {limit}, Used {used}, Requested {requested}. Please try again in {}. Visit https://platform.openai.com/account/rate-limits to learn more.",
        GoDuration(wait),
    )
}

/// What an error says where its fixture does not.
#[derive(Debug)]
struct Defaults {
    message: String,
    kind: &'static str,
    code: Option<&'static str>,
    limits: Option<Limits>,
}

impl Defaults {
    fn of(reply: &ErrorReply, code: Option<&str>, wait: Option<Duration>, facts: &Facts<'_>) -> Self {
        let invalid =
            |message: String, code| Self { message, kind: "invalid_request_error", code, limits: None };
        match (reply.status, code) {
            (401, Some("invalid_api_key") | None) => match facts.call.key() {
                Some(key) => invalid(wrong_key(key), Some("invalid_api_key")),
                None => invalid(missing_key(facts.profile), None),
            },
            (403, _) => invalid("You are not allowed to sample from this model".to_owned(), None),
            (404, Some("model_not_found") | None) => {
                invalid(unknown_model(facts.model, facts).2.message, Some("model_not_found"))
            }
            (408, _) => invalid(TIMEOUT.to_owned(), None),
            // There are more codes of an account without money, and one type.
            (429, code) if code == Some(NO_QUOTA) || reply.kind.as_deref() == Some(NO_QUOTA) => {
                Self { message: QUOTA.to_owned(), kind: NO_QUOTA, code: Some(NO_QUOTA), limits: None }
            }
            (429, _) => Self::limited(reply.kind.as_deref() == Some("tokens"), wait, facts),
            (503, _) => Self::overloaded(facts),
            (500..=599, _) => {
                Self { message: FAILED.to_owned(), kind: "server_error", code: None, limits: None }
            }
            (status, _) => invalid(usual(status), None),
        }
    }

    /// A bucket of the rate limiter is empty. The message and the headers name the same time. (C, I)
    fn limited(tokens: bool, wait: Option<Duration>, facts: &Facts<'_>) -> Self {
        let mut limits = Limits::of(facts);
        let bucket = if tokens { &mut limits.tokens } else { &mut limits.requests };
        let requested = bucket.used.max(1);
        let wait = wait.unwrap_or_else(|| Bucket::new(bucket.limit, requested).reset());
        *bucket = bucket.emptied();
        let limit = bucket.limit;
        let (unit, kind) = if tokens {
            limits.tokens_reset = Some(wait);
            ("tokens per min (TPM)", "tokens")
        } else {
            limits.requests_reset = Some(wait);
            ("requests per min (RPM)", "requests")
        };
        let message = reached(facts.model, unit, [limit, limit, requested], wait);
        Self { message, kind, code: Some("rate_limit_exceeded"), limits: Some(limits) }
    }

    /// (I of 2023 and, for another API, of 2026)
    fn overloaded(facts: &Facts<'_>) -> Self {
        if facts.profile < Profile::new(2026, 1, 1) {
            let message = format!(
                "That model is currently overloaded with other requests. You can retry your request, or contact us through our help center at help.openai.com if the error persists. (Please include the request ID {} in your message.)",
                request_id(facts),
            );
            return Self { message, kind: "server_error", code: None, limits: None };
        }
        Self {
            message: "Our servers are currently overloaded. Please try again later.".to_owned(),
            kind: "service_unavailable_error",
            code: Some("server_is_overloaded"),
            limits: None,
        }
    }
}

/// A model that does not exist, in the words of the gateway or of the models API. (C)
fn unknown_model(model: &str, facts: &Facts<'_>) -> (u16, Family, ErrorObject) {
    let code = Some("model_not_found");
    if matches!(facts.call.route.endpoint, Endpoint::Model(_)) {
        let message = format!("The model '{model}' does not exist");
        return (404, Family::Models, ErrorObject::invalid_request(message, Some("model".to_owned()), code));
    }
    let message = format!("The model `{model}` does not exist or you do not have access to it.");
    (404, Family::Gateway, ErrorObject::invalid_request(message, None, code))
}

/// The header lines of an error as they are where nothing else is said: the gateway names no limits.
fn answer(family: Family, length: usize, facts: &Facts<'_>) -> Answer<'static> {
    let gateway = family == Family::Gateway;
    let content_type = if gateway { "application/json; charset=utf-8" } else { "application/json" };
    let limits = (family == Family::Chat).then(|| Limits::of(facts));
    Answer { content_type, length: Some(length), family, limits, retry_after: None, retry_after_ms: None }
}

fn layout(family: Family, age: Profile) -> Layout {
    match family {
        Family::Gateway => Layout::Gateway,
        Family::Models => Layout::BackendLine,
        Family::Chat if age < Profile::new(2024, 1, 1) => Layout::BackendLine,
        Family::Chat => Layout::Backend,
    }
}

fn wrong_key(key: &str) -> String {
    let key = masked(key);
    format!(
        "Incorrect API key provided: {key}. You can find your API key at https://platform.openai.com/account/api-keys."
    )
}

/// A key as the gateway shows it: the first eight characters and the last four, with a star for each
/// one between; a key of up to twelve has none between and is shown whole. (C `test_api_key`,
/// `invalid-*****2345`, `not-a-re**************************ized`)
fn masked(key: &str) -> Cow<'_, str> {
    let chars: Vec<char> = key.chars().collect();
    let Some(hidden) = chars.len().checked_sub(12).filter(|hidden| *hidden > 0) else {
        return Cow::Borrowed(key);
    };
    let (first, last) = (&chars[..8], &chars[chars.len() - 4..]);
    Cow::Owned(first.iter().chain(&vec!['*'; hidden]).chain(last).collect())
}

/// No key. (T, with a misspelling that was there in 2023)
fn missing_key(age: Profile) -> String {
    let accessing = if age < Profile::new(2024, 1, 1) { "accesing" } else { "accessing" };
    format!(
        "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY), or as the password field (with blank username) if you're {accessing} the API from your browser and are prompted for a username and password. You can obtain an API key from https://platform.openai.com/account/api-keys."
    )
}

/// The usual words for a status. (U)
fn usual(status: u16) -> String {
    let reason = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    reason.unwrap_or("Unknown error").to_owned()
}

/// (I NextChat#4064)
const NOT_JSON: &str = "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP library correctly. The OpenAI API expects a JSON payload, but what was sent was not valid JSON. If you have trouble figuring out how to fix this, please contact us through our help center at help.openai.com.)";

/// (I pal-mcp-server#178)
const BLOCKED: &str = "Invalid prompt: your prompt was flagged as potentially violating our usage policy. Please try again with a different prompt: https://platform.openai.com/docs/guides/reasoning#advice-on-prompting";

/// The type, and mostly the code, of an account whose quota is used up.
const NO_QUOTA: &str = "insufficient_quota";

/// (I sep#2)
const QUOTA: &str = "You exceeded your current quota, please check your plan and billing details. For more information on this error, read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors.";

/// (C openai/chat-store-json-202510-err500)
const FAILED: &str = "The server had an error while processing your request. Sorry about that!";

/// (U)
const TIMEOUT: &str = "Request timed out.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_masked_as_recorded_ones_are() {
        for (key, shown) in [
            ("test", "test"),
            ("test-key", "test-key"),
            ("test_api_key", "test_api_key"),
            ("invalid-key-12345", "invalid-*****2345"),
            ("not-a-real-api-key-but-sanitized-ized!", "not-a-re**************************zed!"),
            ("ключ-ключ-ключ", "ключ-клю**ключ"),
        ] {
            assert_eq!(masked(key), shown);
        }
    }
}
