//! Paths of the providers' endpoints, taken apart.

use crate::plan::request::Endpoint;

/// The segments of a path, percent-decoded. Empty ones are dropped, so that `//openai/…` and a
/// trailing slash mean the same as without. A double slash is recorded of Azure (C); what the real
/// services do with a trailing slash is not (U), and clients with a base URL that ends in one are
/// served.
pub(crate) fn segments(path: &str) -> Vec<String> {
    path.split('/').filter(|segment| !segment.is_empty()).map(decode).collect()
}

/// The endpoint that the segments after `/v1` or after a deployment name.
pub(crate) fn endpoint(segments: &[&str]) -> Endpoint {
    match segments {
        ["chat", "completions"] => Endpoint::ChatCompletions,
        ["models"] => Endpoint::Models,
        ["models", id] => Endpoint::Model((*id).to_owned()),
        _ => Endpoint::Other,
    }
}

/// The value of a query parameter, percent-decoded; its first where it comes twice.
pub(crate) fn query_value(query: Option<&str>, name: &str) -> Option<String> {
    let mut pairs = query?.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs
        .find(|(key, _)| decode(key).eq_ignore_ascii_case(name))
        .map(|(_, value)| decode(&value.replace('+', " ")))
}

/// Percent-decoding; what is no escape stays, what is no UTF-8 becomes U+FFFD.
fn decode(text: &str) -> String {
    if !text.contains('%') {
        return text.to_owned();
    }
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let hex = bytes.get(at + 1..at + 3).and_then(|hex| std::str::from_utf8(hex).ok());
        let escape = hex.filter(|hex| hex.bytes().all(|digit| digit.is_ascii_hexdigit()));
        match escape.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(escaped) if *byte == b'%' => {
                decoded.push(escaped);
                at += 3;
            }
            _ => {
                decoded.push(*byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_decoded_and_anything_else_stays() {
        for (text, decoded) in [
            ("ft%3Agpt", "ft:gpt"),
            ("a%2Fb", "a/b"),
            ("100%", "100%"),
            ("%zz", "%zz"),
            ("%+1", "%+1"),
            ("%E6%9C%88", "月"),
            ("%ff", "\u{fffd}"),
        ] {
            assert_eq!(decode(text), decoded, "{text}");
        }
    }

    #[test]
    fn query_values_are_found_in_any_place() {
        for (query, value) in [
            (None, None),
            (Some(""), None),
            (Some("api-version=2024-10-21"), Some("2024-10-21")),
            (Some("a=1&api-version=2024%2D10-21&api-version=x"), Some("2024-10-21")),
            (Some("api-version"), Some("")),
            (Some("API-Version=v1"), Some("v1")),
        ] {
            assert_eq!(query_value(query, "api-version").as_deref(), value, "{query:?}");
        }
    }

    #[test]
    fn empty_segments_do_not_count() {
        assert_eq!(segments("//openai//v1/"), ["openai", "v1"]);
        assert!(segments("/").is_empty());
    }
}
