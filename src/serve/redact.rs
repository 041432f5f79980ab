//! What a request tells of a client's secrets: the keys that it carries, and what is blotted out before it is stored.

use std::borrow::Cow;

use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

use super::scope;
use crate::secrets::{self, KEYS, Kind, is_parameter, is_secret};

/// What stands for a secret.
pub(crate) const BLOT: &str = "[redacted]";

/// The keys that a request carries: bearer tokens and `api-key` values.
pub(crate) fn keys(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values =
        KEYS.into_iter().flat_map(|name| headers.get_all(name).iter().map(move |value| (name, value)));
    let keys = values.filter_map(|(name, value)| {
        let value = value.to_str().ok()?;
        if name == AUTHORIZATION.as_str() { bearer(value) } else { Some(value.trim()) }
    });
    keys.filter(|key| !key.is_empty())
}

/// The token of a bearer authorization.
pub(crate) fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Whether two secrets are equal, in a time that does not tell where they differ.
pub(crate) fn same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let differences = one.iter().zip(other).fold(0, |sum, (a, b)| sum | (a ^ b));
    one.len() == other.len() && differences == 0
}

/// The value of a header without what is secret in it; URLs keep their path.
pub(crate) fn header(name: &HeaderName, value: &HeaderValue) -> HeaderValue {
    let blot = HeaderValue::from_static(BLOT);
    if is_secret(name.as_str()) {
        return blot;
    }
    let text = String::from_utf8_lossy(value.as_bytes());
    let clean = match text.split_once('?') {
        Some((path, query)) => target(path, Some(query)),
        None => self::text(&text).into_owned(),
    };
    match clean == text {
        true => value.clone(),
        false => HeaderValue::from_str(&clean).unwrap_or(blot),
    }
}

/// A path and its query without what is secret in them.
pub(crate) fn target(path: &str, query: Option<&str>) -> String {
    let plain = decoded(path);
    let path = match find_key(&plain) {
        Some(_) => text(&plain),
        None => Cow::Borrowed(path),
    };
    let Some(query) = query else {
        return path.into_owned();
    };
    let parameter = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let plain = decoded_name(name);
        if is_parameter(&plain) || find_key(&decoded(value)).is_some() {
            return format!("{}={BLOT}", text(name));
        }
        match find_key(&plain) {
            Some(_) => BLOT.to_owned(),
            None => pair.to_owned(),
        }
    };
    format!("{path}?{}", query.split('&').map(parameter).collect::<Vec<_>>().join("&"))
}

fn decoded_name(name: &str) -> String {
    decoded(name).to_ascii_lowercase().replace('+', " ")
}

/// A part of a URL without percent-encoding; as it is, where that makes no text.
fn decoded(text: &str) -> Cow<'_, str> {
    match text.contains('%') {
        true => scope::decode(text).map_or(Cow::Borrowed(text), Cow::Owned),
        false => Cow::Borrowed(text),
    }
}

/// A JSON text and its value, without what is secret in it. It stays as it was written, if nothing is.
pub(crate) fn json<'a>(raw: &'a [u8], value: &Value) -> Cow<'a, str> {
    // A key may be written with escapes, which only parsing undoes.
    match (blotted(value, false), std::str::from_utf8(raw)) {
        (None, Ok(raw)) => text(raw),
        (None, Err(_)) => Cow::Owned(value.to_string()),
        (Some(clean), _) => Cow::Owned(clean.to_string()),
    }
}

/// A value without its secrets, which is one itself where its key says so; `None` where there are none:
/// most requests have none, and need no copy.
fn blotted(value: &Value, secret: bool) -> Option<Value> {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
        Value::String(string) => {
            let clean = match secret {
                true if string.is_empty() => return None,
                true => BLOT.to_owned(),
                false => embedded(string).or_else(|| match text(string) {
                    Cow::Borrowed(_) => None,
                    Cow::Owned(clean) => Some(clean),
                })?,
            };
            (clean != *string).then_some(Value::String(clean))
        }
        Value::Array(values) => {
            let found = values.iter().enumerate();
            let found: Vec<(usize, Value)> =
                found.filter_map(|(at, value)| Some((at, blotted(value, secret)?))).collect();
            if found.is_empty() {
                return None;
            }
            let mut clean = values.clone();
            found.into_iter().for_each(|(at, value)| clean[at] = value);
            Some(Value::Array(clean))
        }
        Value::Object(object) => {
            let found = object.iter();
            let found: Vec<(&String, Value)> =
                found.filter_map(|(key, value)| Some((key, blotted(value, is_secret(key))?))).collect();
            let in_keys = object.keys().any(|key| find_key(key).is_some());
            if found.is_empty() && !in_keys {
                return None;
            }
            let mut clean = object.clone();
            found.into_iter().for_each(|(key, value)| clean[key] = value);
            if in_keys {
                clean = clean.into_iter().map(|(key, value)| (text(&key).into_owned(), value)).collect();
            }
            Some(Value::Object(clean))
        }
    }
}

/// A text that is a JSON object with secrets, as the arguments of a tool call may be, without them.
fn embedded(text: &str) -> Option<String> {
    let value = serde_json::from_str(text.trim_start().starts_with('{').then_some(text)?).ok()?;
    blotted(&value, false).map(|clean| clean.to_string())
}

/// A text without what looks like a key.
pub(crate) fn text(text: &str) -> Cow<'_, str> {
    let Some(_) = find_key(text) else {
        return Cow::Borrowed(text);
    };
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((start, end)) = find_key(rest) {
        clean.push_str(&rest[..start]);
        clean.push_str(BLOT);
        rest = &rest[end..];
    }
    clean.push_str(rest);
    Cow::Owned(clean)
}

/// Where the first thing that looks like a key starts and ends. One that only might be a key counts, too: who reads
/// the journal loses less by a blot than by a key.
fn find_key(text: &str) -> Option<(usize, usize)> {
    let found = secrets::find(text.as_bytes(), |found| found.kind == Kind::Key)?;
    Some((found.start, found.end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_header(name: &'static str, value: &'static str, expected: &str) {
        let value = header(&HeaderName::from_static(name), &HeaderValue::from_static(value));
        assert_eq!(value, expected, "{name}");
    }

    #[test]
    fn secret_headers_are_blotted_out() {
        for name in KEYS {
            check_header(name, "anything", BLOT);
        }
        for name in [
            "x-api-key",
            "x-goog-api-key",
            "xi-api-key",
            "openai-api-key",
            "ocp-apim-subscription-key",
            "x-functions-key",
            "x-auth-token",
            "x-access-token",
            "x-amz-security-token",
            "private-token",
            "cookie",
            "set-cookie",
            "proxy-authorization",
            "x-forwarded-authorization",
            "x-client-secret",
        ] {
            check_header(name, "anything", BLOT);
        }
        check_header("x-relayed", "sk-proj-0123456789abcdef", BLOT);
        check_header("referer", "http://a.test/b?x=1&api-key=abc", "http://a.test/b?x=1&api-key=[redacted]");
    }

    #[test]
    fn other_headers_are_kept() {
        for name in [
            "user-agent",
            "content-type",
            "idempotency-key",
            "x-stainless-retry-count",
            "x-stainless-runtime-version",
            "x-llmirage-session",
            "x-ms-client-request-id",
            "authority",
            "openai-organization",
        ] {
            check_header(name, "as it was?", "as it was?");
        }
    }

    #[test]
    fn keys_are_read_from_both_headers() {
        let mut map = HeaderMap::new();
        map.insert(AUTHORIZATION, HeaderValue::from_static("bearer  one "));
        map.insert("api-key", HeaderValue::from_static("two"));
        assert_eq!(keys(&map).collect::<Vec<_>>(), ["one", "two"]);
        map.insert(AUTHORIZATION, HeaderValue::from_static("Basic b25l"));
        assert_eq!(keys(&map).collect::<Vec<_>>(), ["two"]);
        map.insert("api-key", HeaderValue::from_static(" "));
        assert_eq!(keys(&map).count(), 0);
    }

    #[test]
    fn equal_secrets_are_the_same_and_others_are_not() {
        for (one, other) in [("abc", "abd"), ("abc", "ab"), ("", "a")] {
            assert!(same(one, one));
            assert!(!same(one, other));
            assert!(!same(other, one));
        }
    }

    #[test]
    fn keys_are_found_in_text() {
        let cases = [
            ("sk-0123456789abcdef", BLOT.to_owned()),
            ("{\"key\":\"sk-proj-0123456789_abc-def\"} sk-", format!("{{\"key\":\"{BLOT}\"}} sk-")),
            ("a sk-0123456789abcdef, sk-0123456789abcdef!", format!("a {BLOT}, {BLOT}!")),
            ("sk-short task-0123456789abcdef", "sk-short task-0123456789abcdef".to_owned()),
            ("望sk-0123456789abcdef月", format!("望{BLOT}月")),
        ];
        for (input, expected) in cases {
            assert_eq!(text(input), expected, "{input}");
        }
    }

    #[test]
    fn secret_parameters_are_blotted_out() {
        for name in ["api-key", "API-KEY", "api%2Dkey", "apikey", "key", "subscription-key", "access_token"] {
            assert_eq!(target("/a", Some(&format!("{name}=abc"))), format!("/a?{name}=[redacted]"));
        }
        let cases = [
            ("token=a&sig=b&code=c", "token=[redacted]&sig=[redacted]&code=[redacted]"),
            (
                "api-version=2024-06-01&author=me&limit=3&design=x",
                "api-version=2024-06-01&author=me&limit=3&design=x",
            ),
            ("flag&x=sk-0123456789abcdef", "flag&x=[redacted]"),
            ("x=s%6b-0123456789abcdef&sk-0123456789abcdef", "x=[redacted]&[redacted]"),
        ];
        for (input, expected) in cases {
            assert_eq!(target("/a", Some(input)), format!("/a?{expected}"));
        }
        assert_eq!(target("/m/s%6B-0123456789abcdef", None), "/m/[redacted]");
        assert_eq!(target("/a%20b", None), "/a%20b");
    }

    fn clean(body: &str) -> String {
        json(body.as_bytes(), &serde_json::from_str(body).unwrap()).into_owned()
    }

    #[test]
    fn what_is_no_text_is_kept_as_json() {
        assert_eq!(json(b"\"\xff\"", &Value::from("x")), "\"x\"");
    }

    #[test]
    fn an_ordinary_chat_body_stays_as_it_was_written() {
        let body = r#"{ "model": "gpt-4o", "max_tokens": 5, "max_completion_tokens": 10, "logprobs": true,
            "top_logprobs": 2, "prompt_cache_key": "user-7", "safety_identifier": "abc", "user": "u-1",
            "logit_bias": {"1734": -100}, "metadata": {"author": "me", "tokenizer": "o200k", "total_tokens": "3"},
            "messages": [{"role": "user", "content": "what is a token? \u6708"},
                {"role": "assistant", "tool_calls": [{"id": "call_1", "type": "function",
                    "function": {"name": "get_secret_key", "arguments": "{\"city\":\"Rome\"}"}}]},
                {"role": "tool", "tool_call_id": "call_1", "content": "42"}],
            "tools": [{"type": "function", "function": {"name": "get_token", "parameters": {"type": "object",
                "properties": {"key": {"type": "string", "description": "which"}}, "required": ["key"]}}}],
            "tool_choice": "auto", "stream_options": {"include_usage": true} }"#;
        assert_eq!(clean(body), body);
    }

    #[test]
    fn secrets_in_json_are_blotted_out_however_they_are_written() {
        let cases = [
            (r#"{"a":"s\u006b-0123456789abcdef"}"#, r#"{"a":"[redacted]"}"#),
            (
                r#"{"apiKey":"x","a":{"client_secret":"y"},"b":1}"#,
                r#"{"apiKey":"[redacted]","a":{"client_secret":"[redacted]"},"b":1}"#,
            ),
            (
                r#"{"tokens":3,"passwd":["a","b"],"password":""}"#,
                r#"{"tokens":3,"passwd":["[redacted]","[redacted]"],"password":""}"#,
            ),
            (r#"{"arguments":"{\"api_key\":\"x\"}"}"#, r#"{"arguments":"{\"api_key\":\"[redacted]\"}"}"#),
            (r#"{"sk-0123456789abcdef":1}"#, r#"{"[redacted]":1}"#),
        ];
        for (input, expected) in cases {
            assert_eq!(clean(input), expected);
        }
    }
}
