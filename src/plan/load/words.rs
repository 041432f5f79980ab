//! The words of problems: what serde says of a value, said as an author of fixtures would.

use std::fmt::Write;

use serde_json::Value;

use super::problems::parent;

/// What went wrong, in our words.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) message: String,
    pub(super) what: What,
}

/// What is at fault.
#[derive(Debug)]
pub(super) enum What {
    /// The value at the pointer.
    Value,
    /// The key at the pointer, which may be meant for another one.
    UnknownKey { meant: Option<String> },
    /// The only key of the object at the pointer.
    UnknownVariant { key: String },
    /// This key is missing in the object at the pointer.
    Missing { key: String },
}

/// Rewrites what serde says of the value at `pointer`.
pub(super) fn say(serde: &str, pointer: &str, value: Option<&Value>) -> Said {
    if let Some((key, known)) = unknown(serde, "unknown field ") {
        let thing = thing(parent(pointer));
        let help = match thing {
            "a fixture" if OF_REPLIES.contains(&key.as_str()) => {
                format!("a reply has it: write {{\"reply\": {{…, {key:?}: …}}}}")
            }
            _ => did_you_mean(&key, &known),
        };
        let message = format!("unknown key {key:?} in {thing}; {help}");
        let meant = nearest(&key, &known).map(str::to_owned);
        return Said { message, what: What::UnknownKey { meant } };
    }
    if let Some((name, known)) = unknown(serde, "unknown variant ") {
        let message = format!("unknown {} {name:?}; {}", kind(pointer), did_you_mean(&name, &known));
        let what = match value {
            Some(Value::Object(_)) => What::UnknownVariant { key: name },
            _ => What::Value,
        };
        return Said { message, what };
    }
    if let Some(rest) = serde.strip_prefix("missing field ") {
        let key = rest.trim_matches('`').to_owned();
        let message = format!("missing key {key:?} in {}", thing(pointer));
        return Said { message, what: What::Missing { key } };
    }
    Said { message: wrong(serde, pointer, value), what: What::Value }
}

/// What serde says of a value of the wrong type or size.
fn wrong(serde: &str, pointer: &str, value: Option<&Value>) -> String {
    let mut leads = ["invalid type: ", "invalid value: ", "invalid length "].iter();
    let Some(rest) = leads.find_map(|lead| serde.strip_prefix(lead)) else {
        return serde.to_owned();
    };
    let Some((_, wanted)) = rest.rsplit_once(", expected ") else {
        return serde.to_owned();
    };
    match value {
        Some(Value::String(name)) if thing(pointer) == "a fault" => {
            format!("a fault is an object: write {{\"fault\": {}}}", quoted(name))
        }
        _ if wanted == "unit" => {
            let (_, word) = pointer.rsplit_once('/').unwrap_or_default();
            format!("{word:?} takes no value: write {word:?}")
        }
        _ if wanted == "map with a single key" && takes_values(pointer) => one_key(pointer, value),
        Some(Value::String(name)) if wanted.ends_with("variant") => {
            format!("the {} {name:?} needs a value, like {{{name:?}: …}}", kind(pointer))
        }
        Some(value) => format!("expected {}, got {}", want(wanted, pointer), short(value)),
        None => format!("expected {}", want(wanted, pointer)),
    }
}

/// `did you mean "user"?`, or what is known.
pub(crate) fn did_you_mean<S: AsRef<str>>(got: &str, known: &[S]) -> String {
    match nearest(got, known) {
        Some(best) => format!("did you mean {best:?}?"),
        None => {
            let known = known.iter().map(|known| format!("{:?}", known.as_ref()));
            format!("known: {}", known.collect::<Vec<_>>().join(", "))
        }
    }
}

/// The known name that a wrong one was probably meant for: a few letters away, or cut short.
pub(crate) fn nearest<'a, S: AsRef<str>>(got: &str, known: &'a [S]) -> Option<&'a str> {
    let got = got.to_lowercase();
    let names = known.iter().map(AsRef::as_ref);
    let by_distance = names.clone().map(|name| (strsim::damerau_levenshtein(&got, name), name));
    let (distance, name) = by_distance.min_by_key(|(distance, _)| *distance)?;
    if distance <= name.chars().count().max(3) / 3 {
        return Some(name);
    }
    let mut longer = names.filter(|name| got.chars().count() >= 3 && name.starts_with(&got));
    longer.next().filter(|_| longer.next().is_none())
}

/// A value as short JSON.
pub(crate) fn short(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        Value::Array(_) => "an array".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

/// A text in quotes, cut at a character where it is long.
pub(crate) fn quoted(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

/// Splits serde's "unknown … `a`, expected one of `b`, `c`".
fn unknown(serde: &str, lead: &str) -> Option<(String, Vec<String>)> {
    let rest = serde.strip_prefix(lead)?.strip_prefix('`')?;
    let (name, known) = rest.rsplit_once("`, expected ")?;
    let known = known.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    Some((name.to_owned(), known))
}

/// What stands in replies only, and is often written beside them.
const OF_REPLIES: [&str; 8] =
    ["answer", "script", "error", "faults", "pacing", "headers", "status", "filters"];

/// What the value at a pointer is called, with its article.
fn thing(pointer: &str) -> &'static str {
    match last_key(pointer) {
        ("", _) => "a fixture file",
        ("fixtures", true) => "a fixture",
        ("limits", true) => "a limit",
        ("match", false) => "a matcher",
        ("replies", true) | ("reply", false) => "a reply",
        ("answer", false) => "an answer",
        ("choices", true) => "a choice",
        ("tool_calls", true) => "a tool call",
        ("tool_call", false) => "a tool call step",
        ("logprobs" | "top_logprobs", true) => "a log probability",
        ("script", true) => "a step",
        ("event", false) if pointer.contains("/script/") => "an event step",
        ("content_filter", false) => "a content filter step",
        ("raw", false) => "raw bytes",
        ("error", false) => "an error",
        ("faults", true) | ("fault", false) => "a fault",
        ("transcript", false) => "a transcript",
        ("request", false) if in_transcript(pointer) => "a recorded request",
        ("response", false) if in_transcript(pointer) => "a recorded response",
        ("events", true) if in_transcript(pointer) => "a recorded event",
        ("recorded", false) if in_transcript(pointer) => "the origin of a recording",
        ("at", false) => "a place",
        ("when", false) => "a selector",
        ("pacing", false) => "pacing",
        ("lognormal", false) => "percentiles",
        ("wire", false) => "the wire",
        ("filters", false) => "filters",
        ("prompt" | "completion" | "results" | "prompt_filter", false) => "verdicts",
        ("usage", false) => "usage",
        ("defaults", false) => "defaults",
        _ if in_matcher(pointer) => "a condition",
        _ => "this object",
    }
}

/// What a name at a pointer is the name of.
fn kind(pointer: &str) -> &'static str {
    match last_key(pointer) {
        ("script", true) => "step",
        ("fault", false) => "fault",
        ("jitter", false) => "jitter",
        ("chunking", false) => "chunking",
        ("mode", false) => "mode",
        ("after_last", false) => "`after_last`",
        ("per", false) => "`per`",
        ("ending", false) => "ending",
        ("hate" | "self_harm" | "sexual" | "violence", false) => "severity",
        _ => "word",
    }
}

/// The last key of a pointer, and whether an element of its array is meant.
fn last_key(pointer: &str) -> (&str, bool) {
    let (rest, last) = pointer.rsplit_once('/').unwrap_or(("", ""));
    if !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit()) {
        return (rest.rsplit_once('/').map_or("", |(_, key)| key), true);
    }
    (last, false)
}

/// Whether words at a pointer can have a value, so that an object may stand there.
fn takes_values(pointer: &str) -> bool {
    matches!(kind(pointer), "step" | "jitter" | "chunking")
}

fn in_transcript(pointer: &str) -> bool {
    pointer.contains("/transcript/")
}

fn in_matcher(pointer: &str) -> bool {
    pointer.split('/').nth(3) == Some("match") || pointer.contains("/when/match/")
}

/// What serde expected, in words that do not know Rust.
fn want(wanted: &str, pointer: &str) -> String {
    let words = match wanted {
        "a boolean" => "true or false",
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u64" | "usize" => "a whole number, 0 or more",
        "i64" => "a whole number",
        "f64" => "a number",
        "a sequence" => "an array",
        "a tuple of size 2" => r#"a header, ["name", "value"]"#,
        "a map" => "an object",
        "string or map" | "map with a single key" => match kind(pointer) {
            "step" => r#"a step, like {"text": "…"} or "done""#,
            "jitter" => r#"jitter, like {"uniform": 0.2} or "exponential""#,
            "chunking" => r#"chunking, like "token" or {"chars": 4}"#,
            _ => "a word",
        },
        wanted if wanted.starts_with("struct ") => "an object",
        other => other,
    };
    words.to_owned()
}

fn one_key(pointer: &str, value: Option<&Value>) -> String {
    let mut message = format!("a {} is an object with exactly one key", kind(pointer));
    if let Some(object) = value.and_then(Value::as_object) {
        let keys: Vec<String> = object.keys().map(|key| format!("{key:?}")).collect();
        let got = if keys.is_empty() { "none".to_owned() } else { keys.join(", ") };
        write!(message, ", got {got}").expect("a string takes any text");
    }
    message
}

/// Characters of a text that messages show.
const LONGEST: usize = 60;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_word_is_suggested_and_a_far_one_gets_the_list() {
        let known = ["user", "system", "model"];
        assert_eq!(did_you_mean("usr", &known), r#"did you mean "user"?"#);
        assert_eq!(did_you_mean("User", &known), r#"did you mean "user"?"#);
        assert_eq!(did_you_mean("temperature", &known), r#"known: "user", "system", "model""#);
    }

    #[test]
    fn long_texts_are_cut_at_a_character() {
        let text = "月".repeat(61);
        assert_eq!(quoted(&text), format!("\"{}\"…", "月".repeat(60)));
        assert_eq!(quoted(&text[..180]), format!("\"{}\"", "月".repeat(60)));
    }

    #[test]
    fn a_key_with_backquotes_is_still_found() {
        let (key, known) = unknown("unknown field `a`b`, expected `c`", "unknown field ").unwrap();
        assert_eq!((key.as_str(), known), ("a`b", vec!["c".to_owned()]));
    }
}
