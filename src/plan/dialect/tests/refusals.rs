//! Refusals and fixtures' errors as whole answers: status line, header lines, body.

use super::*;

/// A refusal of a request for gpt-4o, in the shape of `profile`.
fn refused(line: &str, profile: &str, reject: &Reject) -> String {
    let call = call(line, &[]);
    let (head, body) = call.route.dialect.reject(reject, &facts(&call, "gpt-4o", profile));
    wire(&head, &body)
}

/// A fixture's error to a request for gpt-4o with the key `invalid-key-12345`.
fn erred(line: &str, profile: &str, error: Value) -> String {
    let call = call(line, &[("authorization", "Bearer invalid-key-12345")]);
    let (head, body) = call.route.dialect.error(&error_reply(error), &facts(&call, "gpt-4o", profile));
    wire(&head, &body)
}

/// Status line and body of an answer, without its header lines.
fn bare(answer: &str) -> (&str, &str) {
    let (head, body) = answer.split_once("\n\n").unwrap();
    (head.lines().next().unwrap(), body)
}

/// The header lines of an answer whose names start with `prefix`.
fn lines<'a>(answer: &'a str, prefix: &str) -> Vec<&'a str> {
    let (head, _) = answer.split_once("\n\n").unwrap();
    head.lines().filter(|line| line.to_ascii_lowercase().starts_with(prefix)).collect()
}

/// An error object in the layout of OpenAI's backend, with a message and what follows it.
fn backend(message: &str, rest: &str) -> String {
    format!("{{\n  \"error\": {{\n    \"message\": {},\n    {rest}\n  }}\n}}", Value::from(message))
}

const PLAIN: &str = "\"type\": \"invalid_request_error\",\n    \"param\": null,\n    \"code\": null";

#[test]
fn openais_gateway_prints_with_four_spaces_and_sends_no_openai_lines() {
    let wrong = Reject::WrongKey("invalid-key-12345".to_owned());
    assert_eq!(
        refused(OPENAI, "2026-08", &wrong),
        "\
401 Unauthorized
Date: Tue, 03 Mar 2026 11:47:17 GMT
Content-Type: application/json; charset=utf-8
Content-Length: 267
Connection: keep-alive
Vary: Origin
Server: cloudflare
x-request-id: req_654ed0a15f361205bb0bfb7e7344d4ae
x-openai-proxy-wasm: v0.1
CF-Cache-Status: DYNAMIC
set-cookie: __cf_bm=GEg0waVkkrXlxFpCnhUGIdtmFfnoXcSvEbg30Y4n5vN-1772538437-1.0.1.1-sdwtiiRtJSVjdPfBc3U9vvcreYiOIIx3BUJL7imOmje1DOtfkz8vL1y0MdLKXpmQnNRzpgh4EWmsWxnJx4gTQg; HttpOnly; SameSite=None; Secure; Path=/; Domain=api.openai.com; Expires=Tue, 03 Mar 2026 12:17:17 GMT
Strict-Transport-Security: max-age=31536000; includeSubDomains; preload
X-Content-Type-Options: nosniff
CF-Ray: 9d6867cfe785b832-LHR
alt-svc: h3=\":443\"; ma=86400

{
    \"error\": {
        \"message\": \"Incorrect API key provided: invalid-*****2345. You can find your API key at https://platform.openai.com/account/api-keys.\",
        \"type\": \"invalid_request_error\",
        \"param\": null,
        \"code\": \"invalid_api_key\"
    }
}
"
    );
    assert_eq!(
        bare(&refused(OPENAI, "2026-08", &Reject::UnknownModel("x".to_owned()))),
        (
            "404 Not Found",
            "{\n    \"error\": {\n        \"message\": \"The model `x` does not exist or you do not have access to it.\",\n        \"type\": \"invalid_request_error\",\n        \"param\": null,\n        \"code\": \"model_not_found\"\n    }\n}\n"
        ),
    );
    let missing = refused(OPENAI, "2026-08", &Reject::MissingKey);
    assert!(bare(&missing).1.contains("if you're accessing the API from your browser"));
    assert!(bare(&missing).1.ends_with("\"code\": null\n    }\n}\n"));
}

#[test]
fn openais_backend_prints_with_two_spaces_and_sends_all_lines() {
    assert_eq!(
        refused(OPENAI, "2026-03", &Reject::UnknownUrl),
        "\
404 Not Found
Date: Tue, 03 Mar 2026 11:47:17 GMT
Content-Type: application/json
Content-Length: 151
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

{
  \"error\": {
    \"message\": \"Invalid URL (POST /v1/chat/completions)\",
    \"type\": \"invalid_request_error\",
    \"param\": null,
    \"code\": null
  }
}"
    );
    for (reject, status, message, rest) in [
        (Reject::NoModel, "400 Bad Request", "you must provide a model parameter", PLAIN),
        (
            Reject::MethodNotAllowed { allow: "POST" },
            "405 Method Not Allowed",
            "Only POST requests are accepted.",
            "\"type\": \"invalid_request_error\",\n    \"param\": null,\n    \"code\": \"method_not_supported\"",
        ),
        (
            Reject::Unmatched("no fixture matches \"this\"".to_owned()),
            "404 Not Found",
            "no fixture matches \"this\"",
            "\"type\": \"invalid_request_error\",\n    \"param\": null,\n    \"code\": \"fixture_not_found\"",
        ),
        (Reject::Timeout, "408 Request Timeout", "Request timed out.", PLAIN),
        (
            Reject::BodyTooLarge { limit: 10 },
            "413 Payload Too Large",
            "Request body too large. The maximum size is 10 bytes.",
            PLAIN,
        ),
        (
            Reject::CompressedBody("gzip".to_owned()),
            "415 Unsupported Media Type",
            "Unsupported content encoding: 'gzip'. Send the body uncompressed.",
            PLAIN,
        ),
    ] {
        let answer = refused(OPENAI, "2026-08", &reject);
        assert_eq!(bare(&answer), (status, backend(message, rest).as_str()), "{reject:?}");
    }
    let json = refused(OPENAI, "2026-08", &Reject::InvalidJson);
    assert!(bare(&json).1.contains("We could not parse the JSON body of your request. (HINT: "));
    assert_eq!(
        lines(&refused(OPENAI, "2026-08", &Reject::MethodNotAllowed { allow: "POST" }), "allow"),
        ["allow: POST"]
    );
}

#[test]
fn the_models_api_has_words_of_its_own() {
    let answer = refused("GET /v1/models/x", "2026-08", &Reject::UnknownModel("x".to_owned()));
    let rest =
        "\"type\": \"invalid_request_error\",\n    \"param\": \"model\",\n    \"code\": \"model_not_found\"";
    assert_eq!(
        bare(&answer),
        ("404 Not Found", format!("{}\n", backend("The model 'x' does not exist", rest)).as_str())
    );
    assert_eq!(lines(&answer, "x-ratelimit"), Vec::<&str>::new());
}

#[test]
fn openais_errors_of_fixtures_say_what_the_real_ones_say() {
    for (error, status, message, kind, param, code) in [
        (
            json!({"status": 429, "code": "rate_limit_exceeded", "retry_after": "1s"}),
            "429 Too Many Requests",
            "Rate limit reached for gpt-4o in organization org-llmirage0000000000000000 on requests per min (RPM): Limit 500, Used 500, Requested 1. Please try again in 1s. Visit https://platform.openai.com/account/rate-limits to learn more.",
            "requests",
            None,
            json!("rate_limit_exceeded"),
        ),
        (
            json!({"status": 429, "type": "tokens", "retry_after": "9525ms"}),
            "429 Too Many Requests",
            "Rate limit reached for gpt-4o in organization org-llmirage0000000000000000 on tokens per min (TPM): Limit 200000, Used 200000, Requested 7. Please try again in 9.525s. Visit https://platform.openai.com/account/rate-limits to learn more.",
            "tokens",
            None,
            json!("rate_limit_exceeded"),
        ),
        (
            json!({"status": 429, "code": "insufficient_quota"}),
            "429 Too Many Requests",
            "You exceeded your current quota, please check your plan and billing details. For more information on this error, read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors.",
            "insufficient_quota",
            None,
            json!("insufficient_quota"),
        ),
        (
            json!({"status": 401}),
            "401 Unauthorized",
            "Incorrect API key provided: invalid-*****2345. You can find your API key at https://platform.openai.com/account/api-keys.",
            "invalid_request_error",
            None,
            json!("invalid_api_key"),
        ),
        (
            json!({"status": 403}),
            "403 Forbidden",
            "You are not allowed to sample from this model",
            "invalid_request_error",
            None,
            json!(null),
        ),
        (
            json!({"status": 404}),
            "404 Not Found",
            "The model `gpt-4o` does not exist or you do not have access to it.",
            "invalid_request_error",
            None,
            json!("model_not_found"),
        ),
        (json!({"status": 409}), "409 Conflict", "Conflict", "invalid_request_error", None, json!(null)),
        (
            json!({"status": 422}),
            "422 Unprocessable Entity",
            "Unprocessable Entity",
            "invalid_request_error",
            None,
            json!(null),
        ),
        (
            json!({"status": 500}),
            "500 Internal Server Error",
            "The server had an error while processing your request. Sorry about that!",
            "server_error",
            None,
            json!(null),
        ),
        (
            json!({"status": 503}),
            "503 Service Unavailable",
            "Our servers are currently overloaded. Please try again later.",
            "service_unavailable_error",
            None,
            json!("server_is_overloaded"),
        ),
        (
            json!({"status": 400, "message": "m", "type": "t", "param": "p", "code": 7}),
            "400 Bad Request",
            "m",
            "t",
            Some("p"),
            json!(7),
        ),
    ] {
        let answer = erred(OPENAI, "2026-08", error.clone());
        let (line, body) = bare(&answer);
        let body: Value = serde_json::from_str(body).unwrap();
        assert_eq!(line, status);
        assert_eq!(
            body,
            json!({"error": {"message": message, "type": kind, "param": param, "code": code}}),
            "{error}"
        );
        let keys: Vec<&String> = body["error"].as_object().unwrap().keys().collect();
        assert_eq!(keys, ["message", "type", "param", "code"]);
    }
}

#[test]
fn openais_limits_agree_with_the_message() {
    let answer = erred(OPENAI, "2026-08", json!({"status": 429, "retry_after": "1200ms"}));
    assert!(bare(&answer).1.contains("Please try again in 1.2s."));
    assert_eq!(lines(&answer, "retry-after"), ["retry-after: 2"]);
    assert_eq!(
        lines(&answer, "x-ratelimit-re"),
        [
            "x-ratelimit-remaining-requests: 0",
            "x-ratelimit-remaining-tokens: 199993",
            "x-ratelimit-reset-requests: 1.2s",
            "x-ratelimit-reset-tokens: 2ms",
        ]
    );
    let quota = erred(OPENAI, "2026-08", json!({"status": 429, "code": "insufficient_quota"}));
    assert_eq!(lines(&quota, "x-ratelimit"), Vec::<&str>::new());
    let unsaid = erred(OPENAI, "2026-08", json!({"status": 429}));
    assert!(bare(&unsaid).1.contains("Please try again in 120ms."));
    assert_eq!(lines(&unsaid, "retry-after"), Vec::<&str>::new());
    let raw = erred(OPENAI, "2026-08", json!({"status": 503, "retry_after": "soon"}));
    assert_eq!(lines(&raw, "retry-after"), ["retry-after: soon"]);
}

#[test]
fn a_body_replaces_the_body() {
    for (line, error, body) in [
        (OPENAI, json!({"status": 502, "body": "<html>"}), "<html>"),
        (OPENAI, json!({"status": 422, "body": {"z": 1, "a": []}}), "{\n  \"z\": 1,\n  \"a\": []\n}"),
        (OPENAI, json!({"status": 429, "body": {"a": 1}}), "{\n    \"a\": 1\n}\n"),
        (AZURE, json!({"status": 404, "body": {"z": 1, "a": []}}), "{\"z\":1,\"a\":[]}"),
        (AZURE, json!({"status": 429, "body": ""}), ""),
    ] {
        let answer = erred(line, "2026-08", error.clone());
        assert_eq!(bare(&answer).1, body, "{error}");
        assert_eq!(lines(&answer, "content-length"), [format!("Content-Length: {}", body.len())]);
    }
}

#[test]
fn azures_gateway_has_a_form_for_every_occasion() {
    assert_eq!(
        refused(AZURE, "2026-08", &Reject::MissingKey),
        "\
401 PermissionDenied
Content-Length: 224
Content-Type: application/json
apim-request-id: 8d6e0233-d983-4e3b-aea2-5641baafdc68
Date: Tue, 03 Mar 2026 11:47:17 GMT

{\"error\":{\"code\":\"401\",\"message\":\"Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an active subscription and use a correct regional API endpoint for your resource.\"}}"
    );
    assert_eq!(
        refused(AZURE, "2026-08", &Reject::UnknownUrl),
        "\
404 Resource Not Found
Content-Length: 56
Content-Type: application/json
apim-request-id: 8d6e0233-d983-4e3b-aea2-5641baafdc68
Strict-Transport-Security: max-age=31536000; includeSubDomains; preload
x-content-type-options: nosniff
Date: Tue, 03 Mar 2026 11:47:17 GMT

{\"error\":{\"code\":\"404\",\"message\": \"Resource not found\"}}"
    );
    let deployment = Reject::UnknownModel("x".to_owned());
    assert_eq!(
        refused(AZURE, "2026-08", &deployment),
        "\
404 Not Found
Transfer-Encoding: chunked
apim-request-id: 8d6e0233-d983-4e3b-aea2-5641baafdc68
Strict-Transport-Security: max-age=31536000; includeSubDomains; preload
x-content-type-options: nosniff
x-ms-region: East US 2
Date: Tue, 03 Mar 2026 11:47:17 GMT

{
  \"error\": {
    \"type\": \"invalid_request_error\",
    \"code\": \"DeploymentNotFound\",
    \"message\": \"The API deployment for this resource does not exist. If you created the deployment within the last 5 minutes, please wait a moment and try again.\"
  }
}"
    );
    for (line, profile, reject, status, body) in [
        (
            AZURE,
            "2024-09",
            deployment.clone(),
            "404 Not Found",
            "{\"error\":{\"code\":\"DeploymentNotFound\", \"message\":\"The API deployment for this resource does not exist. If you created the deployment within the last 5 minutes, please wait a moment and try again.\"}}",
        ),
        (
            AZURE_V1,
            "2026-08",
            deployment,
            "400 Bad Request",
            "{\"error\":{\"code\":\"unknown_model\",\"message\":\"Unknown model: x\",\"details\":\"Unknown model: x\"}}",
        ),
        (
            AZURE,
            "2026-08",
            Reject::ApiVersion,
            "400 Bad Request",
            "{\"error\":{\"code\":\"BadRequest\",\"message\":\"API version not supported\"}}",
        ),
        (
            AZURE,
            "2026-08",
            Reject::MethodNotAllowed { allow: "POST" },
            "405 Method Not Allowed",
            "{\"error\":{\"code\":\"405\",\"message\":\"Method not allowed\"}}",
        ),
        (
            AZURE,
            "2026-08",
            Reject::Timeout,
            "408 Request Timeout",
            "{\"error\":{\"code\":\"Timeout\",\"message\":\"The operation was timeout.\"}}",
        ),
    ] {
        assert_eq!(bare(&refused(line, profile, &reject)), (status, body), "{reject:?}");
    }
}

#[test]
fn azure_passes_on_what_openais_validator_says() {
    let body = json!({"messages": [{"role": "user", "content": "hi"}], "foo": 1});
    let reject = validate(AZURE, body, None).unwrap_err();
    let answer = refused(AZURE, "2026-08", &reject);
    let rest =
        "\"type\": \"invalid_request_error\",\n    \"param\": \"foo\",\n    \"code\": \"unknown_parameter\"";
    assert_eq!(bare(&answer), ("400 Bad Request", backend("Unknown parameter: 'foo'.", rest).as_str()));
    assert_eq!(lines(&answer, "x-request-id"), ["x-request-id: 654ed0a1-5f36-4205-9b0b-fb7e7344d4ae"]);
}

#[test]
fn azures_rate_limiter_says_the_same_time_in_words_and_lines() {
    assert_eq!(
        erred(AZURE, "2026-08", json!({"status": 429, "retry_after": "38s"})),
        "\
429 Too Many Requests
Content-Length: 373
Content-Type: application/json
retry-after: 38
retry-after-ms: 38000
x-ratelimit-limit-requests: 120
x-ratelimit-limit-tokens: 120000
x-ratelimit-remaining-requests: 119
x-ratelimit-remaining-tokens: 0
x-ratelimit-renewalperiod-requests: 60
x-ratelimit-renewalperiod-tokens: 60
x-ratelimit-reset-requests: 1
x-ratelimit-reset-tokens: 38
x-ratelimit-type: Tokens
apim-request-id: 8d6e0233-d983-4e3b-aea2-5641baafdc68
Strict-Transport-Security: max-age=31536000; includeSubDomains; preload
x-content-type-options: nosniff
x-ms-region: East US 2
Date: Tue, 03 Mar 2026 11:47:17 GMT

{\"error\":{\"code\":\"RateLimitReached\",\"message\":\"Your requests to gpt-4o for gpt-4o in East US 2 have exceeded the token rate limit for your current AIServices S0 pricing tier. This request was for ChatCompletions_Create under Azure OpenAI API version 2024-10-21. Please retry after 38 seconds. To increase your default rate limit, visit: https://aka.ms/oai/quotaincrease.\"}}"
    );
    let old = erred(AZURE, "2024-08", json!({"status": 429, "type": "requests", "retry_after": "1s"}));
    assert_eq!(
        bare(&old).1,
        "{\"error\":{\"code\":\"429\",\"message\": \"Requests to the ChatCompletions_Create Operation under Azure OpenAI API version 2024-10-21 have exceeded call rate limit of your current OpenAI S0 pricing tier. Please retry after 1 second. Please go here: https://aka.ms/oai/quotaincrease if you would like to further increase the default rate limit.\"}}"
    );
    assert_eq!(lines(&old, "x-ratelimit-reset"), ["x-ratelimit-reset-requests: 1"]);
    assert_eq!(lines(&old, "policy-id"), ["policy-id: DeploymentRatelimit-Call"]);
    let own = erred(
        AZURE,
        "2026-08",
        json!({"status": 429, "code": "rate_limit_exceeded", "message": "slow down", "retry_after": "-1"}),
    );
    assert_eq!(bare(&own).1, "{\"error\":{\"code\":\"rate_limit_exceeded\",\"message\":\"slow down\"}}");
    assert_eq!(lines(&own, "retry-after"), ["retry-after: -1"]);
}

#[test]
fn azures_errors_of_fixtures_follow_from_status_and_code() {
    for (error, status, body) in [
        (
            json!({"status": 401, "message": "no"}),
            "401 Unauthorized",
            "{\"error\":{\"code\":\"401\",\"message\":\"no\"}}".to_owned(),
        ),
        (
            json!({"status": 404}),
            "404 Resource Not Found",
            "{\"error\":{\"code\":\"404\",\"message\": \"Resource not found\"}}".to_owned(),
        ),
        (
            json!({"status": 408}),
            "408 Request Timeout",
            "{\"error\":{\"code\":\"Timeout\",\"message\":\"The operation was timeout.\"}}".to_owned(),
        ),
        (
            json!({"status": 500}),
            "500 Internal Server Error",
            backend(
                "The server had an error while processing your request. Sorry about that!",
                "\"type\": \"server_error\",\n    \"param\": null,\n    \"code\": null",
            ),
        ),
        (
            json!({"status": 400, "message": "m", "param": "p", "code": "c"}),
            "400 Bad Request",
            backend("m", "\"type\": \"invalid_request_error\",\n    \"param\": \"p\",\n    \"code\": \"c\""),
        ),
    ] {
        assert_eq!(bare(&erred(AZURE, "2026-08", error.clone())), (status, body.as_str()), "{error}");
    }
}
