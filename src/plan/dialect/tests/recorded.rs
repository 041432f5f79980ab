//! Refusals and heads against recorded exchanges, where the folder with them is there.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::*;

/// One recorded exchange.
struct Recorded {
    status: u16,
    reason: String,
    headers: Vec<(String, String)>,
    body: String,
    exact: bool,
    ordered: bool,
}

/// The exchange in a file; `None`, and a word about it, where there are no transcripts.
fn recorded(file: &str) -> Option<Recorded> {
    let folder = std::env::var_os("LLMIRAGE_SHARED")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let folder = folder.join("transcripts");
    if !folder.is_dir() {
        println!("skipped: no transcripts");
        return None;
    }
    let text = std::fs::read_to_string(folder.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
    let exchange: Value = serde_json::from_str(&text).unwrap();
    let response = &exchange["response"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let headers = response["headers"].as_array().unwrap().iter();
    Some(Recorded {
        status: response["status"].as_u64().unwrap().try_into().unwrap(),
        reason: text(&response["reason"]),
        headers: headers.map(|pair| (text(&pair[0]), text(&pair[1]))).collect(),
        body: text(&response["body"]),
        exact: exchange["meta"]["body_fidelity"].as_str().unwrap().starts_with("exact"),
        ordered: exchange["meta"]["response_header_order"] == "wire-order",
    })
}

/// Compares a refusal with a recorded one: the reason and the body exactly; the names of the header
/// lines but for `but`, which depend on the account or the recorder.
fn check(file: &str, (head, body): (Head, bytes::Bytes), but: &[&str]) {
    let Some(recorded) = recorded(file) else {
        return;
    };
    assert_eq!(head.status.as_u16(), recorded.status, "{file}");
    if !matches!(recorded.reason.as_str(), "" | "Error" | "None" | "NOT FOUND") {
        let reason = head.reason.as_deref().or_else(|| head.status.canonical_reason()).unwrap();
        assert_eq!(reason, recorded.reason, "{file}");
    }
    let body = std::str::from_utf8(&body).unwrap();
    if recorded.exact {
        assert_eq!(body, recorded.body, "{file}");
    } else {
        let json = |text: &str| serde_json::from_str::<BTreeMap<String, Value>>(text).unwrap();
        assert_eq!(json(body), json(&recorded.body), "{file}");
    }
    names(file, &head, &recorded, but);
}

/// Compares the names of header lines, in order where it was kept.
fn names(file: &str, head: &Head, recorded: &Recorded, but: &[&str]) {
    let counts = |name: &str| !but.contains(&name);
    let lower = head.headers.iter().map(|header| header.name.to_ascii_lowercase());
    let mut ours: Vec<String> = lower.filter(|name| counts(name)).collect();
    let theirs = recorded.headers.iter().map(|(name, _)| name.to_ascii_lowercase());
    let mut theirs: Vec<String> = theirs.filter(|name| counts(name)).collect();
    if !recorded.ordered {
        ours.sort_unstable();
        theirs.sort_unstable();
    }
    assert_eq!(ours, theirs, "{file}");
}

fn refused(line: &str, model: &str, profile: &str, reject: &Reject) -> (Head, bytes::Bytes) {
    let call = call(line, &[]);
    call.route.dialect.reject(reject, &facts(&call, model, profile))
}

#[test]
fn openais_gateway_refuses_as_recorded() {
    let wrong = |key: &str| Reject::WrongKey(key.to_owned());
    let unknown = |model: &str| Reject::UnknownModel(model.to_owned());
    for (file, profile, reject, but) in [
        ("openai/chat-json-gpt-3-5-turbo-202508-err401.json", "2025-08-17", wrong("test_api_key"), &[][..]),
        ("openai/chat-json-gpt-4o-202512-err401.json", "2025-12", wrong("invalid-key-12345"), &[][..]),
        ("openai/chat-json-gpt-4o-mini-202604-err401.json", "2026-04-09", wrong("test-key"), &[][..]),
        (
            "openai/chat-json-this-model-does-not-exist-12345-202512-err404.json",
            "2025-12",
            unknown("this-model-does-not-exist-12345"),
            // Compressed on the wire.
            &["content-encoding", "content-length", "transfer-encoding"][..],
        ),
        (
            "openai/chat-json-not-found-model-202410-err404.json",
            "2024-10",
            unknown("not-found-model"),
            &["transfer-encoding", "set-cookie", "openai-organization"][..],
        ),
    ] {
        let but = [but, &["x-envoy-upstream-service-time"]].concat();
        check(file, refused(OPENAI, "gpt-4o", profile, &reject), &but);
    }
}

#[test]
fn openais_backend_refuses_as_recorded() {
    let account = ["openai-organization", "openai-project", "set-cookie", "x-envoy-upstream-service-time"];
    let compressed = ["content-encoding", "content-length", "transfer-encoding"];
    for (file, profile, body, but) in [
        (
            "openai/chat-json-gpt-4o-mini-202503-err400.json",
            "2025-03",
            json!({"model": "gpt-4o-mini", "messages": [{"role": "system", "content": "x"}, {"role": "user", "content": [{"role": "x"}]}]}),
            &[][..],
        ),
        (
            "openai/chat-json-gpt-3-5-turbo-instruct-202507-err404.json",
            "2025-07",
            json!({"model": "gpt-3.5-turbo-instruct", "messages": [{"role": "user", "content": "x"}]}),
            &compressed[..],
        ),
        (
            "openai/chat-json-gpt-5-nano-202508-err400.json",
            "2025-08-14",
            json!({"model": "gpt-5-nano", "messages": []}),
            &["connection"][..],
        ),
        (
            "openai/chat-json-gpt-5-nano-202508-err400-2.json",
            "2025-08-14",
            json!({"model": "gpt-5-nano", "max_tokens": 0, "temperature": -0.5, "messages": [{"role": "user", "content": null}]}),
            &["connection"][..],
        ),
    ] {
        let reject = validate(OPENAI, body, None).unwrap_err();
        check(file, refused(OPENAI, "gpt-4o", profile, &reject), &[but, &account].concat());
    }
    let unknown = Reject::UnknownModel("ft:123".to_owned());
    let answer = refused("DELETE /v1/models/ft:123", "", "2025-03", &unknown);
    let other = ["openai-organization", "access-control-allow-origin", "content-length", "transfer-encoding"];
    check("openai/models-json-ft-202503-err404.json", answer, &other);
    check(
        "openai/chat-json-cushman-codex-202303-err404.json",
        refused(OPENAI, "", "2023-03", &Reject::UnknownUrl),
        &["cache-control", "openai-model", "openai-organization"],
    );
}

#[test]
fn azure_refuses_as_recorded() {
    let unknown = |model: &str| Reject::UnknownModel(model.to_owned());
    for (file, line, profile, reject) in [
        ("azure/chat-json-gpt-4-1-202508-err401.json", AZURE, "2025-08", Reject::MissingKey),
        ("azure/chat-json-kimi-k2-5-202603-err401.json", AZURE, "2026-03", Reject::WrongKey("x".to_owned())),
        ("azure/chat-json-not-found-model-202410-err404.json", AZURE, "2024-10", unknown("gpt-4o")),
        ("azure/chat-json-gpt-5-nano-202603-err404.json", AZURE, "2026-03", unknown("gpt-4o")),
        (
            "azure/chat-json-this-model-does-not-exist-12345-202601-err400.json",
            AZURE_V1,
            "2026-01",
            unknown("this-model-does-not-exist-12345"),
        ),
    ] {
        check(file, refused(line, "gpt-4o", profile, &reject), &[]);
    }
    for (file, line, profile) in [
        ("azure/chat-json-gpt-4o-mini-202511-err400.json", AZURE, "2025-11"),
        ("azure/chat-json-gpt-5-mini-202512-err400-2.json", AZURE_V1, "2025-12"),
    ] {
        let call = call(line, &[]);
        let blocked = error_reply(json!({"status": 400, "code": "content_filter"}));
        check(file, call.route.dialect.error(&blocked, &facts(&call, "gpt-4o-mini", profile)), &[]);
    }
}

#[test]
fn heads_of_successes_have_the_recorded_lines() {
    let compressed = ["content-encoding", "content-length", "transfer-encoding"];
    let scrubbed = ["set-cookie", "openai-organization", "openai-project"];
    for (file, line, model, profile, but) in [
        ("openai/chat-json-gpt-3-5-turbo-0301-202303.json", OPENAI, "gpt-3.5-turbo", "2023-03-01", &[][..]),
        ("openai/chat-sse-gpt-3-5-turbo-0301-202304.json", OPENAI, "gpt-3.5-turbo", "2023-04-25", &[][..]),
        ("openai/chat-sse-gpt-4-0314-202305.json", OPENAI, "gpt-4", "2023-05-15", &[][..]),
        ("openai/chat-json-gpt-3-5-turbo-0613-202310.json", OPENAI, "gpt-3.5-turbo", "2023-10-31", &[][..]),
        ("openai/chat-sse-gpt-3-5-turbo-0613-202311-2.json", OPENAI, "gpt-3.5-turbo", "2023-11-26", &[][..]),
        (
            "openai/chat-sse-gpt-3-5-turbo-0613-202402.json",
            OPENAI,
            "gpt-3.5-turbo",
            "2024-02-12",
            &["connection"][..],
        ),
        (
            "openai/chat-json-gpt-3-5-turbo-202404.json",
            OPENAI,
            "gpt-3.5-turbo",
            "2024-04-22",
            &compressed[..],
        ),
        (
            "openai/chat-sse-gpt-3-5-turbo-0125-202407-tool.json",
            OPENAI,
            "gpt-3.5-turbo",
            "2024-07-01",
            &[][..],
        ),
        (
            "openai/chat-sse-gpt-4o-mini-2024-07-18-202410-partools-3.json",
            OPENAI,
            "gpt-4o-mini",
            "2024-10-08",
            &["alt-svc"][..],
        ),
        (
            "openai/chat-sse-gpt-3-5-turbo-0125-202508-logprobs-3.json",
            OPENAI,
            "gpt-3.5-turbo",
            "2025-08-11",
            &[][..],
        ),
        (
            "openai/chat-sse-gpt-4o-2024-08-06-202512-tool-usage.json",
            OPENAI,
            "gpt-4o",
            "2025-12-18",
            &["set-cookie"][..],
        ),
        ("openai/chat-sse-gpt-5-2025-08-07-202603-usage.json", OPENAI, "gpt-5", "2026-03-03", &[][..]),
        (
            "openai/chat-json-gpt-5-nano-2025-08-07-202603-partools.json",
            OPENAI,
            "gpt-5-nano",
            "2026-03-03",
            &[][..],
        ),
        (
            "openai/chat-sse-gpt-5-4-2026-03-05-202605-tool-usage.json",
            OPENAI,
            "gpt-5.4",
            "2026-05-06",
            &["x-request-id"][..],
        ),
        (
            "openai/chat-json-gpt-4-1-nano-2025-04-14-202608-partools.json",
            OPENAI,
            "gpt-4.1-nano",
            "2026-08-02",
            &["content-encoding", "transfer-encoding", "connection"][..],
        ),
        ("openai/models-json-202412.json", "GET /v1/models", "", "2025-04", &[][..]),
        ("azure/chat-json-gpt-35-turbo-202403.json", AZURE, "gpt-35-turbo", "2024-03-14", &[][..]),
        ("azure/chat-sse-gpt-35-turbo-202404-3.json", AZURE, "gpt-35-turbo", "2024-04-25", &[][..]),
        ("azure/chat-sse-gpt-4o-mini-202410.json", AZURE, "gpt-4o-mini", "2024-10-03", &[][..]),
        ("azure/chat-json-gpt-4o-mini-202410-tool.json", AZURE, "gpt-4o-mini", "2024-10-03", &[][..]),
        (
            "azure/chat-sse-gpt-4-32k-202411-usage.json",
            AZURE,
            "gpt-4-32k",
            "2024-11-13",
            &["x-envoy-upstream-service-time"][..],
        ),
        ("azure/chat-json-gpt-5-nano-2025-08-07-202510.json", AZURE, "gpt-5-nano", "2025-10-02", &[][..]),
        (
            "azure/chat-sse-gpt-4o-mini-2024-07-18-202511-length.json",
            AZURE,
            "gpt-4o-mini",
            "2025-11-04",
            &[][..],
        ),
        (
            "azure/chat-sse-gpt-5-mini-2025-08-07-202601-usage-5.json",
            AZURE_V1,
            "gpt-5-mini",
            "2026-01-27",
            &[][..],
        ),
        ("azure/chat-sse-gpt-4-1-mini-2025-04-14-202603.json", AZURE, "gpt-4.1-mini", "2026-03-31", &[][..]),
        ("azure/chat-json-gpt-4-1-mini-2025-04-14-202603.json", AZURE, "gpt-4.1-mini", "2026-03-31", &[][..]),
    ] {
        let Some(recorded) = recorded(file) else {
            return;
        };
        let call = call(line, &[]);
        let form = if file.contains("-sse-") { Form::Stream } else { Form::Json(866) };
        let head = call.route.dialect.success(&facts(&call, model, profile), form);
        let scrubbed =
            if file.starts_with("openai") && file > "openai/chat-json-gpt-4" { &scrubbed[..] } else { &[] };
        names(file, &head, &recorded, &[but, scrubbed].concat());
    }
}
