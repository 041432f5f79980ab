//! Paths: whose they are, and what they ask for.

use super::*;

/// Dialect, endpoint, deployment and api-version of a target.
fn check(target: &str, expected: (&str, &str, Option<&str>, Option<&str>)) {
    let route = call(&format!("POST {target}"), &[]).route;
    let endpoint = format!("{:?}", route.endpoint);
    let got =
        (route.dialect.name(), endpoint.as_str(), route.deployment.as_deref(), route.api_version.as_deref());
    assert_eq!(got, expected, "{target}");
}

#[test]
fn openai_is_served_with_and_without_v1() {
    for target in
        ["/v1/chat/completions", "/chat/completions", "/v1/chat/completions/", "//v1/chat/completions"]
    {
        check(target, ("openai", "ChatCompletions", None, None));
    }
    check("/v1/models", ("openai", "Models", None, None));
    check("/models", ("openai", "Models", None, None));
    check("/models/ft%3Agpt-4o%3Aacme", ("openai", "Model(\"ft:gpt-4o:acme\")", None, None));
    check("/v1/models/org%2Fmodel", ("openai", "Model(\"org/model\")", None, None));
}

#[test]
fn what_nobody_knows_is_openais_other() {
    for target in [
        "/",
        "",
        "/v1",
        "/v1/chat/completions/chatcmpl-1",
        "/_stainless_unknown_path",
        "/v1/v1/models",
        "/v2/models",
    ] {
        check(target, ("openai", "Other", None, None));
    }
}

#[test]
fn everything_below_openai_is_azures() {
    let deployment = "/openai/deployments/gpt-4o/chat/completions";
    check(deployment, ("azure", "ChatCompletions", Some("gpt-4o"), None));
    check(
        "/openai/deployments/my%20model/chat/completions?api-version=2024-10-21",
        ("azure", "ChatCompletions", Some("my model"), Some("2024-10-21")),
    );
    check(
        "//openai/deployments/gpt-4o/chat/completions?x=1&api-version=2024-02-01",
        ("azure", "ChatCompletions", Some("gpt-4o"), Some("2024-02-01")),
    );
    check("/openai/v1/chat/completions", ("azure", "ChatCompletions", None, None));
    check(
        "/openai/v1/chat/completions?api-version=preview",
        ("azure", "ChatCompletions", None, Some("preview")),
    );
    check("/openai/models?api-version=2024-10-21", ("azure", "Models", None, Some("2024-10-21")));
    check("/openai/v1/models/gpt-4o", ("azure", "Model(\"gpt-4o\")", None, None));
    for target in
        ["/openai", "/openai/chat/completions", "/openai/deployments/x/models", "/openai/deployments"]
    {
        check(target, ("azure", "Other", None, None));
    }
}

#[test]
fn the_key_is_azures_header_or_a_bearer_token() {
    for (headers, key) in [
        (&[][..], None),
        (&[("authorization", "Bearer sk-1")][..], Some("sk-1")),
        (&[("authorization", "bearer  sk-1 ")][..], Some("sk-1")),
        (&[("authorization", "Bearer ")][..], None),
        (&[("authorization", "Basic c2s=")][..], None),
        (&[("api-key", "a")][..], Some("a")),
        (&[("api-key", "a"), ("authorization", "Bearer b")][..], Some("a")),
        (&[("api-key", ""), ("authorization", "Bearer b")][..], Some("b")),
    ] {
        assert_eq!(call(OPENAI, headers).key(), key, "{headers:?}");
    }
}

#[test]
fn methods_are_those_of_the_api() {
    for (target, allow) in [
        ("/v1/chat/completions", Some("POST")),
        ("/v1/models", Some("GET")),
        ("/openai/v1/models/x", Some("GET")),
        ("/anything", None),
    ] {
        assert_eq!(call(&format!("GET {target}"), &[]).route.endpoint.allow(), allow, "{target}");
    }
}
