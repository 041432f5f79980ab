//! Between YAML and JSON: cassettes are written in both, and some recorders keep a JSON body as YAML.

use std::rc::Rc;

use serde_json::{Map, Number, Value as Json};

use super::{Node, Value};

impl From<Json> for Node {
    fn from(json: Json) -> Self {
        let value = match json {
            Json::Null => Value::Scalar("null".to_owned(), true),
            Json::Bool(truth) => Value::Scalar(truth.to_string(), true),
            Json::Number(number) => Value::Scalar(number.to_string(), true),
            Json::String(text) => Value::Scalar(text, false),
            Json::Array(items) => Value::List(items.into_iter().map(|item| Rc::new(item.into())).collect()),
            Json::Object(pairs) => Value::Map(
                pairs
                    .into_iter()
                    .map(|(key, value)| (Rc::new(Json::from(key).into()), Rc::new(value.into())))
                    .collect(),
            ),
        };
        Self::new(0, String::new(), value)
    }
}

impl Node {
    /// The JSON that this node says, by the rules of YAML 1.1, which PyYAML and Ruby follow.
    pub(in crate::import) fn to_json(&self) -> Json {
        match &self.value {
            Value::Scalar(text, true) if self.tag.is_empty() => plain(text),
            Value::Scalar(text, _) => match self.tag.as_str() {
                "int" | "float" | "bool" | "null" => plain(text),
                _ => Json::from(text.as_str()),
            },
            Value::List(items) => items.iter().map(|item| item.to_json()).collect(),
            Value::Map(pairs) => {
                let pair = |(key, value): &(Rc<Self>, Rc<Self>)| (key.key(), value.to_json());
                Json::Object(pairs.iter().map(pair).collect::<Map<_, _>>())
            }
        }
    }

    fn key(&self) -> String {
        self.text().map_or_else(|| self.to_json().to_string(), str::to_owned)
    }
}

fn plain(text: &str) -> Json {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Json::Null,
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => return Json::Bool(true),
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => return Json::Bool(false),
        _ => {}
    }
    number(text).map_or_else(|| Json::from(text), Json::Number)
}

/// A number as YAML writes it, if it is one.
fn number(text: &str) -> Option<Number> {
    let digits = text.trim_start_matches(['+', '-']);
    // `inf`, `e5` and `1e5` are words in YAML 1.1: a float has a point.
    if text.len() - digits.len() > 1
        || !digits.starts_with(|first: char| first.is_ascii_digit() || first == '.')
    {
        return None;
    }
    let text = text.replace('_', "");
    let text = text.trim_start_matches('+');
    if let Ok(number) = text.parse::<i64>() {
        return Some(number.into());
    }
    if let Ok(number) = text.parse::<u64>() {
        return Some(number.into());
    }
    if let Some(hex) = digits.strip_prefix("0x") {
        return i64::from_str_radix(hex, 16).ok().map(Number::from);
    }
    let is_float = text.contains('.')
        && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'-' | b'+' | b'e' | b'E'));
    text.parse().ok().filter(|_| is_float).and_then(Number::from_f64)
}
