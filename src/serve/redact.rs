//! What a request tells of a client's secrets: the keys that it carries, and what is blotted out before it is stored.

use std::borrow::Cow;
use std::mem;

use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

use super::scope;
use crate::secrets::{self, KEYS, Kind, is_hinted, is_parameter, is_secret};

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

/// The value of a header without what is secret in it; `None` where nothing is. URLs keep their path.
pub(crate) fn header(name: &HeaderName, value: &HeaderValue) -> Option<HeaderValue> {
    let blot = HeaderValue::from_static(BLOT);
    // Nearly every request has one of these, which needs no closer look.
    if KEYS.contains(&name.as_str()) || is_secret(name.as_str()) {
        return Some(blot);
    }
    let text = String::from_utf8_lossy(value.as_bytes());
    let clean = match text.split_once('?') {
        Some((path, query)) => Cow::Owned(target(path, Some(query))),
        None => self::text(&text),
    };
    (clean != text).then(|| HeaderValue::from_str(&clean).unwrap_or(blot))
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
    if is_clean(value, false) {
        return str::from_utf8(raw).map_or_else(|_| Cow::Owned(value.to_string()), text);
    }
    let mut value = value.clone();
    blot(&mut value, false);
    Cow::Owned(value.to_string())
}

/// Whether nothing in a value is secret; `secret` is what its key says. Most requests are, and need no copy.
fn is_clean(value: &Value, secret: bool) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => true,
        Value::String(string) if secret => string.is_empty() || string == BLOT,
        Value::String(string) => find_key(string).is_none() && embedded(string).is_none(),
        Value::Array(values) => values.iter().all(|value| is_clean(value, secret)),
        Value::Object(object) => {
            object.iter().all(|(key, value)| find_key(key).is_none() && is_clean(value, is_secret(key)))
        }
    }
}

/// Blots out what is secret in a value.
fn blot(value: &mut Value, secret: bool) {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
        Value::String(string) if secret && string.is_empty() => {}
        Value::String(string) if secret => BLOT.clone_into(string),
        Value::String(string) => *string = embedded(string).unwrap_or_else(|| text(string).into_owned()),
        Value::Array(values) => values.iter_mut().for_each(|value| blot(value, secret)),
        Value::Object(object) => {
            let clean = mem::take(object).into_iter().map(|(key, mut value)| {
                blot(&mut value, is_secret(&key));
                (text(&key).into_owned(), value)
            });
            *object = clean.collect();
        }
    }
}

/// A text that is a JSON object with secrets, as the arguments of a tool call may be, without them.
fn embedded(text: &str) -> Option<String> {
    // Without a name and without escapes, nothing is secret in it that is not seen from outside.
    let hides = || is_hinted(text) || text.contains('\\') || find_key(text).is_some();
    (text.trim_start().starts_with('{') && hides()).then(|| parsed(text))?
}

/// A JSON text with secrets without them.
fn parsed(text: &str) -> Option<String> {
    let mut value = serde_json::from_str(text).ok()?;
    if is_clean(&value, false) {
        return None;
    }
    blot(&mut value, false);
    Some(value.to_string())
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
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check_header(name: &'static str, value: &'static str, expected: &str) {
        let value = HeaderValue::from_static(value);
        let kept = header(&HeaderName::from_static(name), &value).unwrap_or(value);
        assert_eq!(kept, expected, "{name}");
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

    const TEXTS: [&str; 7] =
        ["", "hi", BLOT, "sk-0123456789abcdef", "a sk-0123456789abcdef.", " {\"token\":\"x\"}", "{}"];

    /// Values with keys and texts that are secret, that are not, and that hide others.
    fn values() -> impl Strategy<Value = Value> {
        let texts = || proptest::sample::select(&TEXTS[..]).prop_map(str::to_owned);
        let names = proptest::sample::select(&["content", "apiKey", "max_tokens", "arguments"][..]);
        let keys = prop_oneof![texts(), names.prop_map(str::to_owned)];
        let leaf =
            prop_oneof![Just(Value::Null), any::<i8>().prop_map(Value::from), texts().prop_map(Value::from)];
        leaf.prop_recursive(3, 24, 4, move |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::vec((keys.clone(), inner.clone()), 0..4).prop_map(Value::from_iter),
                // As the arguments of a tool call.
                inner.prop_map(|value| Value::from(value.to_string())),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_value_is_clean_if_there_is_nothing_to_blot_out(value in values()) {
            let mut blotted = value.clone();
            blot(&mut blotted, false);
            prop_assert_eq!(is_clean(&value, false), blotted == value);
            prop_assert!(is_clean(&blotted, false), "{}", blotted);
        }

        #[test]
        fn a_text_that_is_not_parsed_has_no_secrets(value in values()) {
            if value.is_object() {
                prop_assert_eq!(embedded(&value.to_string()), parsed(&value.to_string()));
            }
        }
    }
}
