//! The elements of a list in a JSON file, one by one: those before a break are read although the rest is lost, and
//! one that is not readable costs no other.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// What was found of a list.
#[derive(Debug, Default)]
pub(super) struct Elements<'a> {
    /// Whether there is such a list.
    pub(super) is_there: bool,
    /// Its elements, not yet parsed.
    pub(super) raw: Vec<&'a RawValue>,
    /// What stands beside the list and beside what contains it.
    pub(super) beside: Map<String, Value>,
    /// Why reading ended before the end of the file.
    pub(super) broken: Option<String>,
}

/// A file that is taken for JSON.
#[derive(Debug)]
pub(super) struct Text<'a>(Cow<'a, str>);

impl<'a> Text<'a> {
    /// The text of a file, whatever its bytes.
    pub(super) fn of(file: &'a [u8]) -> Self {
        Self(String::from_utf8_lossy(file.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file)))
    }

    /// The list at this path of keys.
    pub(super) fn list(&self, path: &[&str]) -> Elements<'_> {
        let mut found = Elements::default();
        let mut reader = serde_json::Deserializer::from_str(&self.0);
        let end = Step { path, found: &mut found }.deserialize(&mut reader).and_then(|()| reader.end());
        found.broken = end.err().map(|error| format!("not JSON: {error}"));
        found
    }

    /// An element as JSON. One that has bytes which are not UTF-8 is not what was recorded.
    ///
    /// # Errors
    ///
    /// In words, where it cannot be read.
    pub(super) fn element(&self, raw: &RawValue) -> Result<Value, String> {
        if matches!(self.0, Cow::Owned(_)) && raw.get().contains(char::REPLACEMENT_CHARACTER) {
            return Err("it is not UTF-8; save the file as UTF-8 and import it again".to_owned());
        }
        serde_json::from_str(raw.get()).map_err(|error| format!("not JSON: {error}"))
    }
}

struct Step<'s, 'a> {
    path: &'s [&'s str],
    found: &'s mut Elements<'a>,
}

impl<'a> DeserializeSeed<'a> for Step<'_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Step<'_, 'a> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.first() {
            Some(key) => write!(formatter, "an object with {key:?}"),
            None => formatter.write_str("a list"),
        }
    }

    fn visit_map<M: MapAccess<'a>>(self, mut map: M) -> Result<(), M::Error> {
        while let Some(key) = map.next_key::<String>()? {
            match self.path.split_first() {
                Some((first, path)) if **first == key => {
                    map.next_value_seed(Step { path, found: self.found })?;
                }
                // A list may be long, and is not what anybody wants to know of the file.
                _ => match map.next_value::<&RawValue>()? {
                    list if list.get().starts_with('[') => {}
                    other => {
                        self.found.beside.insert(key, serde_json::from_str(other.get()).unwrap_or_default());
                    }
                },
            }
        }
        Ok(())
    }

    fn visit_seq<S: SeqAccess<'a>>(self, mut list: S) -> Result<(), S::Error> {
        if !self.path.is_empty() {
            while list.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(());
        }
        self.found.is_there = true;
        while let Some(element) = list.next_element()? {
            self.found.raw.push(element);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(json: &str, elements: &[&str], broken: Option<&str>) {
        let text = Text::of(json.as_bytes());
        let found = text.list(&["log", "entries"]);
        assert_eq!(found.raw.iter().map(|raw| raw.get()).collect::<Vec<_>>(), elements, "{json}");
        assert_eq!(found.broken.as_deref(), broken, "{json}");
    }

    #[test]
    fn the_elements_come_as_they_are_written() {
        check(
            r#"{"log": {"version": "1.2", "entries": [{"a": 1.0}, 2], "x": 1}, "y": []}"#,
            &[r#"{"a": 1.0}"#, "2"],
            None,
        );
        check("\u{feff}{\"log\":{\"entries\":[]}}", &[], None);
    }

    #[test]
    fn what_is_beside_the_list_is_kept() {
        let text = Text::of(br#"{"log": {"creator": {"name": "a"}, "entries": [], "pages": [1]}, "x": "y"}"#);
        let found = text.list(&["log", "entries"]);
        assert!(found.is_there);
        assert_eq!(Value::Object(found.beside), serde_json::json!({"creator": {"name": "a"}, "x": "y"}));
    }

    #[test]
    fn elements_before_a_break_are_read() {
        check(
            r#"{"log": {"entries": [{"a": 1}, {"b": "#,
            &[r#"{"a": 1}"#],
            Some("not JSON: EOF while parsing a value at line 1 column 37"),
        );
        check(
            "{\"log\": {\"entries\": [{\"a\": 1},\n{\"b\" 1}, 3]}}",
            &[r#"{"a": 1}"#],
            Some("not JSON: expected `:` at line 2 column 6"),
        );
    }

    #[test]
    fn other_json_has_no_such_list() {
        for json in ["[1, 2]", r#"{"log": 1}"#, "1", r#"{"entries": []}"#] {
            assert!(!Text::of(json.as_bytes()).list(&["log", "entries"]).is_there, "{json}");
        }
        assert!(Text::of(b"[1]").list(&[]).is_there);
    }
}
