//! JSON values of requests, read at little cost: what an object has without hashing, how long a value is without
//! writing it.

use std::fmt::{self, Write as _};

use serde_json::{Map, Value};

/// What an object has under a key. Most have a few keys, and comparing those takes less than hashing one.
pub(crate) fn get<'a>(object: &'a Map<String, Value>, key: &str) -> Option<&'a Value> {
    const FEW: usize = 16;
    match object.len() {
        0..=FEW => object.iter().find_map(|(name, value)| (name == key).then_some(value)),
        _ => object.get(key),
    }
}

/// What a value has under a key; nothing, if it is no object.
pub(crate) fn field<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    get(value.as_object()?, key)
}

/// How many bytes a value has as JSON, without white space.
pub(crate) fn length(value: &Value) -> u64 {
    let between = |count: usize| count.saturating_sub(1) as u64;
    match value {
        Value::Null | Value::Bool(true) => 4,
        Value::Bool(false) => 5,
        Value::Number(number) => {
            let mut length = Length(0);
            let _ = write!(length, "{number}");
            length.0
        }
        Value::String(text) => quoted(text),
        Value::Array(items) => 2 + between(items.len()) + items.iter().map(length).sum::<u64>(),
        Value::Object(object) => {
            let pairs = object.iter().map(|(key, value)| quoted(key) + 1 + length(value));
            2 + between(object.len()) + pairs.sum::<u64>()
        }
    }
}

/// How many bytes a text has in quotation marks.
fn quoted(text: &str) -> u64 {
    let escape = |byte: u8| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 1,
        0..0x20 => 5,
        _ => 0,
    };
    2 + text.len() as u64 + text.bytes().map(escape).sum::<u64>()
}

/// How many bytes were written; they are not kept.
struct Length(u64);

impl fmt::Write for Length {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 += text.len() as u64;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_key_is_found_among_few_and_among_many() {
        for count in [0, 1, 16, 17, 100] {
            let object: Value = (0..count).map(|key| (key.to_string(), json!(key))).collect();
            for key in [0, 15, 16, 99, 100] {
                assert_eq!(field(&object, &key.to_string()), (key < count).then(|| json!(key)).as_ref());
            }
        }
        assert_eq!(field(&json!(["a"]), "0"), None);
    }

    fn values() -> impl Strategy<Value = Value> {
        let text = prop_oneof![any::<String>(), "[\\x00-\\x7f]{0,8}"];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            text.clone().prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, move |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::vec((text.clone(), inner), 0..4).prop_map(Value::from_iter),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_length_is_that_of_what_would_be_written(value in values()) {
            prop_assert_eq!(length(&value), value.to_string().len() as u64);
        }
    }
}
