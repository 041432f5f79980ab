//! Finding lines in the bytes of an event, data in its lines, and text in its data.

use std::iter;
use std::ops::Range;

use bytes::{Bytes, BytesMut};

use crate::plan::timeline::EventKind;

/// A line of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// What it says.
    pub(super) content: Range<usize>,
    /// Where it ends, its LF, CR or CR LF included.
    pub(super) end: usize,
}

/// The lines of an event; the last may lack its end.
pub(super) fn lines(bytes: &[u8]) -> impl Iterator<Item = Line> + '_ {
    let mut start = 0;
    iter::from_fn(move || {
        let rest = bytes.get(start..).filter(|rest| !rest.is_empty())?;
        let length = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(rest.len());
        let terminator = match &rest[length..] {
            [b'\r', b'\n', ..] => 2,
            [_, ..] => 1,
            [] => 0,
        };
        let content = start..start + length;
        start += length + terminator;
        Some(Line { content, end: start })
    })
}

/// The value of a line of data, without the space before it.
pub(super) fn value(bytes: &[u8], line: &Line) -> Option<Range<usize>> {
    let content = &bytes[line.content.clone()];
    let value = content.strip_prefix(b"data: ").or_else(|| content.strip_prefix(b"data:"))?;
    Some(line.content.end - value.len()..line.content.end)
}

/// The data of an event, as far as its first line of it goes; all of a body that is not a stream.
pub(super) fn data(bytes: &[u8], kind: EventKind) -> Option<Range<usize>> {
    if kind == EventKind::Body {
        return Some(0..bytes.len());
    }
    lines(bytes).find_map(|line| value(bytes, &line))
}

/// Where the text is in JSON: the first string that says something under one of these keys, or else the
/// first that is empty.
pub(super) fn text(json: &[u8], keys: &[&str]) -> Option<Range<usize>> {
    let wanted = |key: &Range<usize>| keys.iter().any(|wanted| wanted.as_bytes() == &json[key.clone()]);
    let mut found = None;
    for (key, value) in members(json) {
        if wanted(&key) {
            match value.is_empty() {
                true => found = found.or(Some(value)),
                false => return Some(value),
            }
        }
    }
    found
}

/// The keys under which providers put what the model says, and their errors.
pub(super) const SPOKEN: &[&str] =
    &["content", "text", "delta", "refusal", "reasoning_content", "arguments", "message"];

/// The members of objects whose values are strings: keys and values without their quotes.
fn members(json: &[u8]) -> impl Iterator<Item = (Range<usize>, Range<usize>)> + '_ {
    let mut at = 0;
    let mut key = None;
    iter::from_fn(move || {
        while let Some(byte) = json.get(at) {
            match byte {
                b'"' => {
                    let string = string(json, at);
                    at = string.end + 1;
                    let colon =
                        json[at.min(json.len())..].iter().position(|byte| !byte.is_ascii_whitespace());
                    if colon.is_some_and(|colon| json[at + colon] == b':') {
                        key = Some(string);
                    } else if let Some(key) = key.take() {
                        return Some((key, string));
                    }
                }
                byte => {
                    if !byte.is_ascii_whitespace() && *byte != b':' {
                        key = None;
                    }
                    at += 1;
                }
            }
        }
        None
    })
}

/// What is between the quote at `open` and the one that closes it.
fn string(json: &[u8], open: usize) -> Range<usize> {
    let mut end = open + 1;
    while let Some(byte) = json.get(end) {
        match byte {
            b'"' => break,
            b'\\' => end += 2,
            _ => end += 1,
        }
    }
    open + 1..end.min(json.len())
}

/// The middle of the inside of a JSON string, or the place after it that is inside of no character.
pub(super) fn middle(string: &[u8]) -> usize {
    let mut at = 0;
    while at < string.len() / 2 {
        at += match &string[at..] {
            [b'\\', b'u', ..] => 6,
            [b'\\', ..] => 2,
            [first, ..] => char_length(*first),
            [] => 1,
        };
    }
    at.min(string.len())
}

/// How many bytes a character of UTF-8 has that begins so.
fn char_length(first: u8) -> usize {
    match first.leading_ones() {
        length @ 2..=4 => length as usize,
        _ => 1,
    }
}

/// The nearest place at or before `at` that is not inside of a character.
pub(super) fn floor(bytes: &[u8], at: usize) -> usize {
    let inside = |at: &usize| bytes.get(*at).is_some_and(|byte| byte & 0xC0 == 0x80);
    (at.saturating_sub(3)..=at).rev().find(|at| !inside(at)).unwrap_or(at)
}

/// The bytes with others in the place of a range.
pub(super) fn splice(bytes: &Bytes, range: Range<usize>, with: &[u8]) -> Bytes {
    let mut spliced = BytesMut::with_capacity(bytes.len() - range.len() + with.len());
    spliced.extend_from_slice(&bytes[..range.start]);
    spliced.extend_from_slice(with);
    spliced.extend_from_slice(&bytes[range.end..]);
    spliced.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_with_lf_cr_or_both() {
        let ends = |text: &str| {
            let lines = lines(text.as_bytes()).map(|line| (text[line.content].to_owned(), line.end));
            lines.collect::<Vec<_>>()
        };
        let line = |content: &str, end| (content.to_owned(), end);
        assert_eq!(ends("a\nb\r\n\rc"), [line("a", 2), line("b", 5), line("", 6), line("c", 7)]);
        assert_eq!(ends(""), []);
        assert_eq!(ends("\n\n"), [line("", 1), line("", 2)]);
    }

    #[track_caller]
    fn check(json: &str, expected: Option<&str>) {
        assert_eq!(text(json.as_bytes(), SPOKEN).map(|range| &json[range]), expected, "{json}");
    }

    #[test]
    fn text_is_the_first_string_that_says_something() {
        check(r#"{"object":"x","delta":{"content":"Hello"}}"#, Some("Hello"));
        check(r#"{"delta":{"content":"","arguments" : "{\"a\":1}"}}"#, Some(r#"{\"a\":1}"#));
        check(r#"{"delta":{"role":"assistant","content":""}}"#, Some(""));
        check(r#"{"content":null,"id":"content","x":["content","y"]}"#, None);
        check(r#"{"content":["Hello"]}"#, None);
        check("[DONE]", None);
    }

    #[test]
    fn json_that_is_cut_anywhere_is_no_trouble() {
        let json = r#"{"a":"b\"","content":"H\u00e9\\"}"#;
        let found = |end: usize| text(&json.as_bytes()[..end], SPOKEN).map(|range| &json[range]);
        let found: Vec<_> = (0..=json.len()).filter_map(found).collect();
        assert_eq!(
            found,
            [
                "",
                "H",
                r"H\",
                r"H\u",
                r"H\u0",
                r"H\u00",
                r"H\u00e",
                r"H\u00e9",
                r"H\u00e9\",
                r"H\u00e9\\",
                r"H\u00e9\\",
                r"H\u00e9\\"
            ]
        );
    }

    #[test]
    fn the_middle_of_a_text_is_inside_of_no_character_and_no_escape() {
        assert_eq!(middle(b""), 0);
        assert_eq!(middle(b"abcd"), 2);
        assert_eq!(middle("🌍".as_bytes()), 4);
        assert_eq!(middle(br"\u00e9a"), 6);
        assert_eq!(middle(br"a\"), 1);
    }
}
