//! Azure's refusals: each server on the way prints its own way, down to single spaces.
//! (C 13 of 13)

use bytes::Bytes;
use http::StatusCode;
use serde::Serialize;
use serde_json::Value;

use super::super::Facts;
use super::super::head::{Lines, http_date};
use super::super::layout::{Envelope, ErrorObject, Layout};
use super::super::retry::RetryAfter;
use super::headers::{NAMED, apim_request_id, client_request_id, limits, model, service};
use super::throttle::Throttle;
use crate::plan::limits::Limited;
use crate::plan::reject::Reject;
use crate::plan::reply::ErrorReply;
use crate::plan::request::Endpoint;
use crate::plan::timeline::{Head, Header};
use crate::plan::wire::Profile;

/// A request that is refused.
pub(super) fn reject(reject: &Reject, facts: &Facts<'_>) -> (Head, Bytes) {
    let plain = |message: &str| backend(400, ErrorObject::invalid_request(message, None, None), facts);
    match reject {
        Reject::Unmatched(miss) => {
            backend(404, ErrorObject::invalid_request(miss, None, Some("fixture_not_found")), facts)
        }
        Reject::MissingKey | Reject::WrongKey(_) => denied(facts),
        Reject::UnknownUrl => not_found(facts),
        Reject::MethodNotAllowed { allow } => {
            let (mut head, body) = gateway(405, "405", "Method not allowed", facts);
            head.headers.push(Header::new("allow", allow));
            (head, body)
        }
        Reject::Timeout => gateway(408, "Timeout", TIMEOUT, facts),
        Reject::BodyTooLarge { limit } => {
            gateway(413, "413", &format!("Request body too large. The maximum size is {limit} bytes."), facts)
        }
        Reject::CompressedBody(coding) => {
            let message = format!("Unsupported content encoding: '{coding}'. Send the body uncompressed.");
            gateway(415, "415", &message, facts)
        }
        Reject::InvalidJson => plain(NOT_JSON),
        Reject::ApiVersion => gateway(400, "BadRequest", "API version not supported", facts),
        Reject::NoModel => plain("you must provide a model parameter"),
        Reject::UnknownModel(name) => match (&facts.call.route.endpoint, &facts.call.route.deployment) {
            (Endpoint::Model(_), _) => not_found(facts),
            (_, Some(_)) => no_deployment(facts),
            (_, None) => unknown_model(name, facts),
        },
        Reject::Invalid(violation) => {
            let error =
                ErrorObject::invalid_request(&violation.message, violation.param.clone(), violation.code);
            backend(violation.status, error, facts)
        }
    }
}

/// An error of a fixture.
///
/// One that says no more than a status, or a code that names a recorded refusal, is that refusal.
/// Anything else is printed as the gateway or the backend would, by its status.
pub(super) fn reply(reply: &ErrorReply, facts: &Facts<'_>) -> (Head, Bytes) {
    let retry_after = reply.retry_after.as_deref().map(RetryAfter::new);
    if let Some(answer) = recorded(reply, facts).filter(|_| retry_after.is_none()) {
        return answer;
    }
    if let Some(answer) = exhausted(reply, facts) {
        return answer;
    }
    let throttle =
        (reply.status == 429).then(|| Throttle::new(reply.kind.as_deref(), retry_after.as_ref(), facts));
    let by_gateway = throttle.is_some()
        || matches!(reply.status, 401 | 403 | 404 | 408) && reply.kind.is_none() && reply.param.is_none();
    let body = match &reply.body {
        Some(Value::String(body)) => Bytes::copy_from_slice(body.as_bytes()),
        Some(body) => Layout::Compact.print(body),
        None => match &throttle {
            Some(throttle) => throttle.body(reply.code.as_ref(), reply.message.as_deref(), facts),
            None if by_gateway => {
                let code = reply.code.clone().unwrap_or_else(|| default_code(reply.status).into());
                let message = reply.message.clone().unwrap_or_else(|| usual(reply.status));
                Layout::Compact.print(&Envelope { error: Short { code, message } })
            }
            None => {
                let kind = if reply.status < 500 { "invalid_request_error" } else { "server_error" };
                let error = ErrorObject {
                    message: reply.message.clone().unwrap_or_else(|| usual(reply.status)),
                    kind: reply.kind.clone().unwrap_or_else(|| kind.to_owned()).into(),
                    param: reply.param.clone(),
                    code: reply.code.clone().unwrap_or_default(),
                };
                error.print(Layout::Backend)
            }
        },
    };
    let mut lines = started(&body);
    match (&throttle, &retry_after) {
        (Some(throttle), _) => throttle.lines(&mut lines, facts),
        (None, Some(retry_after)) => retry_after.add(&mut lines),
        (None, None) => {}
    }
    if throttle.is_none() {
        service(&mut lines, facts);
    }
    if !by_gateway {
        limits(&mut lines, facts);
        model(&mut lines, facts);
    }
    lines.add("Date", http_date(facts.now));
    (lines.head(status(reply.status)), body)
}

/// A request that is over a limit of the fixtures.
pub(super) fn limited(limited: &Limited, facts: &Facts<'_>) -> (Head, Bytes) {
    let throttle = Throttle::limited(limited);
    let body = throttle.body(None, None, facts);
    let mut lines = started(&body);
    throttle.lines(&mut lines, facts);
    lines.add("Date", http_date(facts.now));
    (lines.head(StatusCode::TOO_MANY_REQUESTS), body)
}

/// The recorded refusal that an error is, which adds nothing of its own to it.
fn recorded(reply: &ErrorReply, facts: &Facts<'_>) -> Option<(Head, Bytes)> {
    let own =
        reply.message.is_some() || reply.kind.is_some() || reply.param.is_some() || reply.body.is_some();
    let code = reply.code.as_ref().map(|code| code.as_str().unwrap_or_default());
    match (reply.status, code) {
        _ if own => None,
        (401, None | Some("401")) => Some(denied(facts)),
        (404, None | Some("404")) => Some(not_found(facts)),
        (404, Some("DeploymentNotFound")) => Some(no_deployment(facts)),
        (400, Some("content_filter")) => Some(prompt_blocked(SOME_VERDICTS.as_bytes(), facts)),
        _ => None,
    }
}

/// The quota of the account is used up, which no waiting mends: no time is named, and no limit. The
/// words are OpenAI's; Azure's are not known. (U)
fn exhausted(reply: &ErrorReply, facts: &Facts<'_>) -> Option<(Head, Bytes)> {
    let exhausted = reply.status == 429
        && reply.kind.as_deref() == Some("insufficient_quota")
        && reply.retry_after.is_none()
        && reply.body.is_none();
    exhausted.then(|| {
        let code = reply.code.as_ref().and_then(Value::as_str).unwrap_or("insufficient_quota");
        gateway(429, code, reply.message.as_deref().unwrap_or(QUOTA), facts)
    })
}

/// The prompt is blocked by the content filter: a 400 with an inner error, also where a stream was
/// asked for. `verdicts` is the JSON object of the verdicts. (C chat-json-gpt-4o-mini-202511-err400)
pub(super) fn prompt_blocked(verdicts: &[u8], facts: &Facts<'_>) -> (Head, Bytes) {
    let start = format!(
        r#"{{"error":{{"message":"{BLOCKED}","type":null,"param":"prompt","code":"content_filter","status":400,"innererror":{{"code":"ResponsibleAIPolicyViolation","content_filter_result":"#
    );
    let body = Bytes::from([start.as_bytes(), verdicts, b"}}}"].concat());
    let mut lines = started(&body);
    service(&mut lines, facts);
    limits(&mut lines, facts);
    lines.add("x-ms-rai-invoked", "true").add_if(
        facts.profile >= NAMED,
        "x-ms-deployment-name",
        facts.model.to_owned(),
    );
    client_request_id(&mut lines, facts);
    lines.add("Date", http_date(facts.now));
    (lines.head(StatusCode::BAD_REQUEST), body)
}

/// No key or a wrong one. Four lines are all there are. (C)
fn denied(facts: &Facts<'_>) -> (Head, Bytes) {
    let body = Bytes::from_static(DENIED.as_bytes());
    let mut lines = started(&body);
    lines.add("apim-request-id", apim_request_id(facts)).add("Date", http_date(facts.now));
    (Head { reason: Some("PermissionDenied".into()), ..lines.head(StatusCode::UNAUTHORIZED) }, body)
}

/// No such path, or no api-version. The region is not named. (C)
fn not_found(facts: &Facts<'_>) -> (Head, Bytes) {
    let body = Bytes::from_static(NOT_FOUND.as_bytes());
    let mut lines = started(&body);
    service(&mut lines, facts);
    lines.add("Date", http_date(facts.now));
    let mut head = lines.head(StatusCode::NOT_FOUND);
    head.headers.retain(|header| header.name != "x-ms-region");
    (Head { reason: Some("Resource Not Found".into()), ..head }, body)
}

/// No such deployment: of 2023 and 2024, compact but for one space; since then pretty, in another
/// order, chunked, and of no content type. (C)
fn no_deployment(facts: &Facts<'_>) -> (Head, Bytes) {
    let old = facts.profile < Profile::new(2026, 1, 1);
    let (mut lines, body) = if old {
        let text = format!(r#"{{"error":{{"code":"DeploymentNotFound", "message":"{NO_DEPLOYMENT}"}}}}"#);
        let body = Bytes::from(text);
        (started(&body), body)
    } else {
        let error =
            Typed { kind: "invalid_request_error", code: "DeploymentNotFound", message: NO_DEPLOYMENT };
        let mut lines = Lines::default();
        lines.add("Transfer-Encoding", "chunked");
        (lines, Layout::Backend.print(&Envelope { error }))
    };
    service(&mut lines, facts);
    lines.add("Date", http_date(facts.now));
    (lines.head(StatusCode::NOT_FOUND), body)
}

/// A model that does not exist, on the v1 path: a 400. (C)
fn unknown_model(name: &str, facts: &Facts<'_>) -> (Head, Bytes) {
    let message = format!("Unknown model: {name}");
    let error = Detailed { code: "unknown_model", message: &message, details: &message };
    let mut lines = Lines::default();
    lines.add("Transfer-Encoding", "chunked").add("Content-Type", "application/json; charset=utf-8");
    lines.add("request-context", "appId=");
    service(&mut lines, facts);
    lines.add("Date", http_date(facts.now));
    (lines.head(StatusCode::BAD_REQUEST), Layout::Compact.print(&Envelope { error }))
}

/// A refusal of the gateway: a code and a message.
fn gateway(code: u16, name: &str, message: &str, facts: &Facts<'_>) -> (Head, Bytes) {
    let error = Short { code: name.into(), message: message.to_owned() };
    let body = Layout::Compact.print(&Envelope { error });
    let mut lines = started(&body);
    service(&mut lines, facts);
    lines.add("Date", http_date(facts.now));
    (lines.head(status(code)), body)
}

/// A refusal of the backend, which is OpenAI's: its layout, with all lines of a success. (C layout)
fn backend(code: u16, error: ErrorObject, facts: &Facts<'_>) -> (Head, Bytes) {
    let body = error.print(Layout::Backend);
    let mut lines = started(&body);
    service(&mut lines, facts);
    limits(&mut lines, facts);
    model(&mut lines, facts);
    lines.add("Date", http_date(facts.now));
    (lines.head(status(code)), body)
}

/// The first lines of a JSON body that is not chunked.
fn started(body: &Bytes) -> Lines {
    let mut lines = Lines::default();
    lines.add("Content-Length", body.len().to_string()).add("Content-Type", "application/json");
    lines
}

fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// The code of a gateway's error that has none: the status, but for a timeout. (I rivet#344)
fn default_code(status: u16) -> String {
    if status == 408 { "Timeout".to_owned() } else { status.to_string() }
}

/// The usual words for a status. (500 and 408 I, the rest U)
fn usual(code: u16) -> String {
    match code {
        401 => "Access denied due to invalid subscription key or wrong API endpoint.".to_owned(),
        408 => TIMEOUT.to_owned(),
        500 => FAILED.to_owned(),
        _ => status(code).canonical_reason().unwrap_or("Unknown error").to_owned(),
    }
}

#[derive(Debug, Serialize)]
pub(super) struct Short {
    pub(super) code: Value,
    pub(super) message: String,
}

#[derive(Debug, Serialize)]
struct Typed {
    #[serde(rename = "type")]
    kind: &'static str,
    code: &'static str,
    message: &'static str,
}

#[derive(Debug, Serialize)]
struct Detailed<'a> {
    code: &'static str,
    message: &'a str,
    details: &'a str,
}

/// (C azure/chat-json-gpt-4-1-202508-err401)
const DENIED: &str = r#"{"error":{"code":"401","message":"Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an active subscription and use a correct regional API endpoint for your resource."}}"#;

/// With one space. (C, kept elsewhere)
const NOT_FOUND: &str = r#"{"error":{"code":"404","message": "Resource not found"}}"#;

/// (C azure/chat-json-not-found-model-202410-err404)
const NO_DEPLOYMENT: &str = "The API deployment for this resource does not exist. If you created the deployment within the last 5 minutes, please wait a moment and try again.";

/// (C azure/chat-json-gpt-4o-mini-202511-err400)
const BLOCKED: &str = "The response was filtered due to the prompt triggering Azure OpenAI's content management policy. Please modify your prompt and retry. To learn more about our content filtering policies please read our documentation: https://go.microsoft.com/fwlink/?linkid=2198766";

/// The verdicts of an error that is the content filter's but names none.
const SOME_VERDICTS: &str = r#"{"hate":{"filtered":false,"severity":"safe"},"jailbreak":{"filtered":false,"detected":false},"self_harm":{"filtered":true,"severity":"medium"},"sexual":{"filtered":false,"severity":"safe"},"violence":{"filtered":false,"severity":"safe"}}"#;

/// (I Ironclad/rivet#344)
const TIMEOUT: &str = "The operation was timeout.";

/// (I continuedev/continue#11707)
const FAILED: &str = "The server had an error while processing your request. Sorry about that!";

/// OpenAI's words. (U)
const QUOTA: &str = "You exceeded your current quota, please check your plan and billing details. For more information on this error, read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors.";

/// OpenAI's words; Azure's are not known. (U)
const NOT_JSON: &str = "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP library correctly. The OpenAI API expects a JSON payload, but what was sent was not valid JSON. If you have trouble figuring out how to fix this, please contact us through our help center at help.openai.com.)";
