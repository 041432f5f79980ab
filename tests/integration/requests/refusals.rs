//! Refusals and fixtures' errors as whole answers.

use super::*;

fn refused(line: &str, reject: &Reject) -> String {
    let call = call(line, &[]);
    let (head, body) = call.route.dialect.reject(reject, &facts(&call, "gpt-4o", "2026-08"));
    wire(&head, &body)
}

fn erred(line: &str, profile: &str, error: Value) -> String {
    let call = call(line, &[("authorization", "Bearer invalid-key-12345")]);
    let (head, body) = call.route.dialect.error(&error_reply(error), &facts(&call, "gpt-4o", profile));
    wire(&head, &body)
}

#[test]
fn print_all() {
    for (line, reject) in [
        (OPENAI, Reject::Unmatched("no fixture matches this request".to_owned())),
        (OPENAI, Reject::MissingKey),
        (OPENAI, Reject::UnknownUrl),
        (OPENAI, Reject::MethodNotAllowed { allow: "POST" }),
        (OPENAI, Reject::CompressedBody("gzip".into())),
        (OPENAI, Reject::InvalidJson),
        ("GET /v1/models/x", Reject::UnknownModel("x".into())),
        (AZURE, Reject::Unmatched("no fixture matches this request".to_owned())),
        (AZURE, Reject::UnknownUrl),
        (AZURE, Reject::ApiVersion),
        (AZURE, Reject::UnknownModel("x".into())),
        (AZURE, Reject::MethodNotAllowed { allow: "POST" }),
        (AZURE_V1, Reject::NoModel),
    ] { println!("{line} {reject:?}\n{}\n", refused(line, &reject)); }
    for (line, profile, error) in [
        (OPENAI, "2026-08", json!({"status": 429, "code": "rate_limit_exceeded", "retry_after": "1s"})),
        (OPENAI, "2026-08", json!({"status": 429})),
        (OPENAI, "2026-08", json!({"status": 429, "type": "tokens", "retry_after": "9525ms"})),
        (OPENAI, "2026-08", json!({"status": 429, "code": "insufficient_quota"})),
        (OPENAI, "2026-08", json!({"status": 401})),
        (OPENAI, "2026-08", json!({"status": 404})),
        (OPENAI, "2026-08", json!({"status": 503, "retry_after": "soon"})),
        (OPENAI, "2026-08", json!({"status": 400, "message": "m", "param": "p", "code": "c"})),
        (OPENAI, "2026-08", json!({"status": 422, "body": {"z": 1, "a": []}})),
        (OPENAI, "2026-08", json!({"status": 502, "body": "<html>"})),
        (AZURE, "2026-08", json!({"status": 429, "code": "rate_limit_exceeded", "retry_after": "1s"})),
        (AZURE, "2026-08", json!({"status": 429, "retry_after": "38s"})),
        (AZURE, "2024-08", json!({"status": 429, "retry_after": "38s"})),
        (AZURE, "2024-08", json!({"status": 429, "type": "requests"})),
        (AZURE, "2026-08", json!({"status": 408})),
        (AZURE, "2026-08", json!({"status": 500})),
        (AZURE, "2026-08", json!({"status": 401, "message": "no"})),
        (AZURE, "2026-08", json!({"status": 400, "message": "m", "code": "c"})),
        (AZURE, "2026-08", json!({"status": 404, "code": "DeploymentNotFound"})),
        (AZURE, "2026-08", json!({"status": 503, "retry_after": "2s"})),
    ] { println!("{line} {error}\n{}\n", erred(line, profile, error)); }
}
