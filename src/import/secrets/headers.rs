//! Which headers a transcript keeps, by name: what makes a replay look like the service, or tells which client asked.

/// Whose headers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Side {
    /// The client's.
    Request,
    /// The server's.
    Response,
}

/// What clients say of themselves and of what they want. Not their host, which may name a resource, and nothing that
/// opens anything.
const REQUEST: &[&str] = &[
    "accept",
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "anthropic-beta",
    "anthropic-dangerous-direct-browser-access",
    "anthropic-version",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "idempotency-key",
    "last-event-id",
    "openai-beta",
    "pragma",
    "te",
    "transfer-encoding",
    "user-agent",
    "x-client-request-id",
    "x-goog-api-client",
    "x-ms-client-request-id",
    "x-ms-return-client-request-id",
    "x-ms-useragent",
    "x-request-id",
];

/// Beginnings of names in requests.
const REQUEST_FAMILIES: &[&str] = &["x-stainless-"];

/// What servers say, seen in recordings of OpenAI, Azure, Anthropic, Gemini and who imitates them.
const RESPONSE: &[&str] = &[
    "age",
    "allow",
    "alt-svc",
    "anthropic-version",
    "api-supported-versions",
    "apim-request-id",
    "azure-openai-data-collection",
    "cache-control",
    "cmp-upstream-response-duration",
    "connection",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-length",
    "content-security-policy",
    "content-type",
    "date",
    "deprecation",
    "etag",
    "expires",
    "inference-id",
    "keep-alive",
    "last-modified",
    "link",
    "location",
    "mistral-correlation-id",
    "ms-azureml-model-time",
    "nel",
    "num-chars",
    "num-tokens",
    "openai-model",
    "openai-processing-ms",
    "openai-version",
    "operation-location",
    "permissions-policy",
    "pragma",
    "prompt-token-len",
    "referrer-policy",
    "request-context",
    "request-id",
    "retry-after",
    "retry-after-ms",
    "sampling-token-len",
    "server",
    "server-timing",
    "skip-error-remapping",
    "strict-transport-security",
    "sunset",
    "traceresponse",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "vary",
    "via",
    "warning",
    "www-authenticate",
    "x-accel-buffering",
    "x-cache",
    "x-content-type-options",
    "x-ds-trace-id",
    "x-error-code",
    "x-frame-options",
    "x-inference-provider",
    "x-models-provider",
    "x-ms-client-request-id",
    "x-ms-cmp-host",
    "x-ms-deployment-name",
    "x-ms-error-code",
    "x-ms-is-spilled-over",
    "x-ms-oai-backend-host",
    "x-ms-oai-clip-host",
    "x-ms-rai-invoked",
    "x-ms-region",
    "x-ms-request-id",
    "x-ms-retry-after-ms",
    "x-ms-served-model",
    "x-openai-proxy-wasm",
    "x-powered-by",
    "x-ppl-region",
    "x-process-time",
    "x-request-id",
    "x-robots-tag",
    "x-should-retry",
    "x-xss-protection",
];

/// Beginnings of names in responses.
const RESPONSE_FAMILIES: &[&str] = &[
    "access-control-",
    "anthropic-fast-",
    "anthropic-priority-",
    "anthropic-ratelimit-",
    "azureml-",
    "cf-",
    "cross-origin-",
    "ratelimit-",
    "x-amz-cf-",
    "x-amzn-",
    "x-envoy-",
    "x-groq-",
    "x-kong-",
    "x-ratelimit-",
];

/// What names an organization or a project, which is replaced: that there is one matters.
const NAMES: &[&str] =
    &["anthropic-organization-id", "openai-organization", "openai-project", "x-databricks-org-id"];

/// The header of cookies, whose values are replaced.
const COOKIE: &str = "set-cookie";

/// Keeps the headers that may be written, in their order; the names of the others.
pub(super) fn keep(headers: &mut Vec<(String, String)>, side: Side) -> Vec<String> {
    let mut left_out = Vec::new();
    headers.retain(|(name, _)| {
        let kept = is_kept(name, side);
        if !kept {
            left_out.push(name.to_ascii_lowercase());
        }
        kept
    });
    left_out.dedup();
    left_out
}

/// Whether a header of this name is kept.
pub(super) fn is_kept(name: &str, side: Side) -> bool {
    let name = name.to_ascii_lowercase();
    let (names, families) = match side {
        Side::Request => (REQUEST, REQUEST_FAMILIES),
        Side::Response => (RESPONSE, RESPONSE_FAMILIES),
    };
    let is_cookie = side == Side::Response && is_cookie(&name);
    is_cookie
        || is_name(&name)
        || names.contains(&name.as_str())
        || families.iter().any(|family| name.starts_with(family))
}

/// Whether a header sets a cookie.
pub(super) fn is_cookie(name: &str) -> bool {
    name.eq_ignore_ascii_case(COOKIE)
}

/// Whether a header names an organization or a project.
pub(super) fn is_name(name: &str) -> bool {
    NAMES.iter().any(|known| name.eq_ignore_ascii_case(known))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::is_secret;

    #[test]
    fn names_are_in_order_and_small() {
        for names in [REQUEST, REQUEST_FAMILIES, RESPONSE, RESPONSE_FAMILIES, NAMES] {
            assert!(names.is_sorted_by(|one, other| one < other));
            assert!(names.iter().all(|name| name.to_ascii_lowercase() == *name));
        }
    }

    #[test]
    fn no_secret_of_a_request_is_kept() {
        for name in
            ["Authorization", "api-key", "x-api-key", "X-Goog-Api-Key", "cookie", "host", ":authority"]
        {
            assert!(!is_kept(name, Side::Request), "{name}");
        }
        assert!(
            REQUEST
                .iter()
                .chain(REQUEST_FAMILIES)
                .all(|name| !is_secret(name) || *name == "x-goog-api-client")
        );
    }

    #[test]
    fn order_and_case_and_repetition_survive() {
        let header = |name: &str| (name.to_owned(), String::new());
        let mut headers =
            ["Date", "X-Secret", "Set-Cookie", "x-secret", "Set-Cookie", "CF-Ray"].map(header).to_vec();
        assert_eq!(keep(&mut headers, Side::Response), ["x-secret"]);
        assert_eq!(headers, ["Date", "Set-Cookie", "Set-Cookie", "CF-Ray"].map(header));
    }
}
