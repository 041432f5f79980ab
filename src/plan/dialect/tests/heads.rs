//! Heads of successes and the bodies of the models API.

use super::*;

fn head(line: &str, headers: &[(&str, &str)], profile: &str, form: Form) -> String {
    let call = call(line, headers);
    let head = call.route.dialect.success(&facts(&call, "gpt-4o", profile), form);
    wire(&head, b"")
}

#[test]
fn openais_stream_of_march_2026() {
    assert_eq!(
        head(OPENAI, &[], "2026-03", Form::Stream),
        "\
200 OK
Date: Tue, 03 Mar 2026 11:47:17 GMT
Content-Type: text/event-stream; charset=utf-8
Transfer-Encoding: chunked
Connection: keep-alive
access-control-expose-headers: X-Request-ID
openai-organization: llmirage-tests
openai-processing-ms: 113
openai-project: proj_llmirage0000000000000000
openai-version: 2020-10-01
Server: cloudflare
x-ratelimit-limit-requests: 500
x-ratelimit-limit-tokens: 200000
x-ratelimit-remaining-requests: 499
x-ratelimit-remaining-tokens: 199993
x-ratelimit-reset-requests: 120ms
x-ratelimit-reset-tokens: 2ms
x-request-id: req_654ed0a15f361205bb0bfb7e7344d4ae
x-openai-proxy-wasm: v0.1
CF-Cache-Status: DYNAMIC
set-cookie: __cf_bm=GEg0waVkkrXlxFpCnhUGIdtmFfnoXcSvEbg30Y4n5vN-1772538437-1.0.1.1-sdwtiiRtJSVjdPfBc3U9vvcreYiOIIx3BUJL7imOmje1DOtfkz8vL1y0MdLKXpmQnNRzpgh4EWmsWxnJx4gTQg; HttpOnly; Secure; Path=/; Domain=api.openai.com; Expires=Tue, 03 Mar 2026 12:17:17 GMT
Strict-Transport-Security: max-age=31536000; includeSubDomains; preload
X-Content-Type-Options: nosniff
CF-Ray: 9d6867cfe785b832-LHR
alt-svc: h3=\":443\"; ma=86400

"
    );
}

#[test]
fn openais_json_is_chunked_but_for_the_first_weeks() {
    let lines = |profile: &str| {
        let head = head(OPENAI, &[], profile, Form::Json(323));
        head.lines().skip(2).take(2).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(lines("2026-08"), ["Content-Type: application/json", "Transfer-Encoding: chunked"]);
    assert_eq!(lines("2023-03-01"), ["Content-Type: application/json", "Content-Length: 323"]);
}

#[test]
fn azures_stream_of_2026_on_both_paths() {
    let start = "\
200 OK
Transfer-Encoding: chunked
Content-Type: text/event-stream; charset=utf-8
apim-request-id: 8d6e0233-d983-4e3b-aea2-5641baafdc68
Strict-Transport-Security: max-age=31536000; includeSubDomains; preload
x-content-type-options: nosniff
x-ms-region: East US 2
x-ratelimit-limit-requests: 120
x-ratelimit-remaining-requests: 119
x-ratelimit-renewalperiod-requests: 60
x-ratelimit-reset-requests: 500
x-ratelimit-limit-tokens: 120000
x-ratelimit-remaining-tokens: 119993
x-ratelimit-renewalperiod-tokens: 60
x-ratelimit-reset-tokens: 3
x-ratelimit-abusepenalty-active: False
x-accel-buffering: no
x-ms-rai-invoked: true
x-request-id: 654ed0a1-5f36-4205-9b0b-fb7e7344d4ae
x-ms-deployment-name: gpt-4o
x-ms-is-spilled-over: false
skip-error-remapping: true
azureml-model-session: d20260302204841-ba90b09e3778
";
    let end = "Date: Tue, 03 Mar 2026 11:47:17 GMT\n\n";
    assert_eq!(head(AZURE, &[], "2026-03", Form::Stream), format!("{start}{end}"));
    let unset = "x-ms-client-request-id: Not-Set\n";
    assert_eq!(head(AZURE_V1, &[], "2026-03", Form::Stream), format!("{start}{unset}{end}"));
}

#[test]
fn azures_stream_of_2024_is_not_cached() {
    assert_eq!(
        head(AZURE, &[], "2024-08", Form::Stream),
        "\
200 OK
Cache-Control: no-cache, must-revalidate
Transfer-Encoding: chunked
Content-Type: text/event-stream
access-control-allow-origin: *
apim-request-id: 8d6e0233-d983-4e3b-aea2-5641baafdc68
Strict-Transport-Security: max-age=31536000; includeSubDomains; preload
x-content-type-options: nosniff
x-ms-region: East US 2
x-ratelimit-remaining-requests: 119
x-ratelimit-remaining-tokens: 119993
x-accel-buffering: no
x-ms-rai-invoked: true
x-request-id: 654ed0a1-5f36-4205-9b0b-fb7e7344d4ae
azureml-model-session: d247-20260302204841
x-ms-client-request-id: 8d6e0233-d983-4e3b-aea2-5641baafdc68
Date: Tue, 03 Mar 2026 11:47:17 GMT

"
    );
}

#[test]
fn azure_echoes_the_clients_request_id() {
    for profile in ["2024-02", "2024-10", "2025-11", "2026-08"] {
        let head = head(AZURE, &[("x-ms-client-request-id", "mine")], profile, Form::Json(2));
        assert!(head.contains("\nx-ms-client-request-id: mine\n"), "{profile}: {head}");
    }
}

#[test]
fn processing_time_is_made_up_where_the_plan_says_none() {
    let call = call(OPENAI, &[]);
    let facts = Facts { processing: Duration::ZERO, ..facts(&call, "gpt-4o", "2026-08") };
    let head = call.route.dialect.success(&facts, Form::Stream);
    let value = head.header("openai-processing-ms").unwrap().to_str().unwrap().to_owned();
    assert!((100..300).contains(&value.parse().unwrap()), "{value}");
    let again = call.route.dialect.success(&facts, Form::Stream);
    assert_eq!(head, again);
}

#[test]
fn models_are_listed_and_shown() {
    let body = |line: &str| {
        let call = call(line, &[]);
        let body = call.route.dialect.models(&["gpt-4o-mini", "llama3"], &facts(&call, "", "2026-08"));
        String::from_utf8(body.to_vec()).unwrap()
    };
    let list = "{
  \"object\": \"list\",
  \"data\": [
    {
      \"id\": \"gpt-4o-mini\",
      \"object\": \"model\",
      \"created\": 1721260800,
      \"owned_by\": \"system\"
    },
    {
      \"id\": \"llama3\",
      \"object\": \"model\",
      \"created\": 1677610602,
      \"owned_by\": \"system\"
    }
  ]
}";
    assert_eq!(body("GET /v1/models"), list);
    assert_eq!(body("GET /openai/v1/models"), list);
    let one = "{\n  \"id\": \"llama3\",\n  \"object\": \"model\",\n  \"created\": 1677610602,\n  \"owned_by\": \"system\"\n}";
    assert_eq!(body("GET /models/llama3"), one);
}
