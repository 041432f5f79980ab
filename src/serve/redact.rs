//! What is secret: one registry, used both for what is accepted as a key and for what is blotted out
//! before a request is stored, so that the two cannot drift apart.

use std::borrow::Cow;

use http::header::{AUTHORIZATION, HeaderMap, HeaderValue};

/// The headers that may carry a client's key, in the order they are looked at: bearer tokens, and
/// Azure's own.
pub(crate) const KEYS: [&str; 2] = ["authorization", "api-key"];

/// Every header whose value is never stored; [`KEYS`] are part of it.
pub(crate) const SECRETS: [&str; 7] = [
    KEYS[0],
    KEYS[1],
    "x-api-key",
    "ocp-apim-subscription-key",
    "cookie",
    "set-cookie",
    "proxy-authorization",
];

/// The parameters of a query whose values are never stored.
const PARAMETERS: [&str; 5] = ["api-key", "api_key", "apikey", "key", "subscription-key"];

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

/// Blots out the secrets of a request's headers.
pub(crate) fn headers(headers: &mut HeaderMap) {
    for (name, value) in headers.iter_mut() {
        let secret = SECRETS.contains(&name.as_str());
        if secret || value.to_str().is_ok_and(|text| find_key(text).is_some()) {
            *value = HeaderValue::from_static(BLOT);
        }
    }
}

/// A query without the values of secret parameters.
pub(crate) fn query(query: &str) -> String {
    let parameter = |pair: &str| match pair.split_once('=') {
        Some((name, _)) if PARAMETERS.iter().any(|secret| name.eq_ignore_ascii_case(secret)) => {
            format!("{name}={BLOT}")
        }
        _ => text(pair).into_owned(),
    };
    query.split('&').map(parameter).collect::<Vec<_>>().join("&")
}

/// A text without what looks like a key of OpenAI's: `sk-` and at least 16 characters.
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

/// Where the first thing that looks like a key starts and ends.
fn find_key(text: &str) -> Option<(usize, usize)> {
    let mut from = 0;
    while let Some(found) = text[from..].find("sk-") {
        let start = from + found;
        let word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let len = text.as_bytes()[start..].iter().take_while(|byte| word(byte)).count();
        // "task-…" is a word, not a key.
        let alone = start == 0 || !text.as_bytes()[start - 1].is_ascii_alphanumeric();
        if alone && len >= 3 + MIN_KEY {
            return Some((start, start + len));
        }
        from = start + len.max(3);
    }
    None
}

/// How many characters after `sk-` make a key.
const MIN_KEY: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_secret_header_is_blotted_out_and_others_are_kept() {
        let mut map = HeaderMap::new();
        for name in SECRETS {
            map.append(name, HeaderValue::from_static("one"));
            map.append(name, HeaderValue::from_static("two"));
        }
        map.insert("user-agent", HeaderValue::from_static("OpenAI/Python 3.54.0"));
        map.insert("x-relayed-key", HeaderValue::from_static("sk-proj-0123456789abcdef"));
        headers(&mut map);
        let kept: Vec<_> = map.iter().filter(|(_, value)| *value != BLOT).collect();
        assert_eq!(kept.len(), 1, "{kept:?}");
        assert_eq!(map["user-agent"], "OpenAI/Python 3.54.0");
    }

    #[test]
    fn what_is_accepted_as_a_key_is_secret() {
        assert!(KEYS.iter().all(|name| SECRETS.contains(name)));
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
        let cases = [
            ("api-version=2024-06-01&api-key=abc", "api-version=2024-06-01&api-key=[redacted]"),
            ("API-KEY=", "API-KEY=[redacted]"),
            ("flag&x=sk-0123456789abcdef", "flag&x=[redacted]"),
        ];
        for (input, expected) in cases {
            assert_eq!(query(input), expected);
        }
    }
}
