//! Places as JSON: `"head"`, `{"event": 3}`, `{"event": 3, "byte": 12}`, `{"byte": 100}`, `"end"`.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, MapAccess, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::json;

use super::{At, Name};
use crate::plan::json::Span;

impl Name {
    pub(super) fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().find(|(name, _)| *name == text).map(|(_, name)| *name)
    }

    pub(super) fn unknown(text: &str) -> String {
        let names = Self::ALL.map(|(name, _)| format!("{name:?}"));
        format!("expected an event's number, or one of {}, got {text:?}", names.join(", "))
    }
}

/// The long form of a place.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Place {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    event: Option<Which>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    byte: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    elapsed: Option<Span>,
}

/// An event by number or by name.
enum Which {
    Index(i64),
    Name(Name),
}

impl<'de> Deserialize<'de> for At {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = At;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(r#"a place, like "head", {"event": 3}, {"byte": 100} or "end""#)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<At, E> {
                match text {
                    "head" => Ok(At::Head),
                    "end" => Ok(At::End),
                    "idle" => Ok(At::Idle),
                    "next-request" => Ok(At::NextRequest),
                    other => Err(E::custom(format!(
                        r#"expected a place, like "head", {{"event": 3}}, {{"byte": 100}} or "end", got {other:?}"#
                    ))),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<At, A::Error> {
                let place = Place::deserialize(MapAccessDeserializer::new(map))?;
                match (place.event, place.byte) {
                    (event, byte) if let Some(Span(time)) = place.elapsed => match (event, byte) {
                        (None, None) => Ok(At::Elapsed(time)),
                        _ => Err(de::Error::custom("`elapsed` goes with neither `event` nor `byte`")),
                    },
                    (Some(Which::Index(index)), byte) => Ok(At::Event { index, byte: byte.unwrap_or(0) }),
                    (Some(Which::Name(name)), None) => Ok(At::Named(name)),
                    (Some(Which::Name(_)), Some(_)) => {
                        Err(de::Error::custom("`byte` goes with an event's number, not with its name"))
                    }
                    (None, Some(byte)) => Ok(At::Byte(byte)),
                    (None, None) => Err(de::Error::custom(
                        r#"a place needs `event`, `byte` or both, like {"event": 3, "byte": 12}"#,
                    )),
                }
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl Serialize for At {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let place = |event, byte| Place { event, byte, elapsed: None };
        match *self {
            Self::Head => serializer.serialize_str("head"),
            Self::End => serializer.serialize_str("end"),
            Self::Idle => serializer.serialize_str("idle"),
            Self::NextRequest => serializer.serialize_str("next-request"),
            Self::Elapsed(time) => {
                Place { event: None, byte: None, elapsed: Some(Span(time)) }.serialize(serializer)
            }
            Self::Event { index, byte: 0 } => place(Some(Which::Index(index)), None).serialize(serializer),
            Self::Event { index, byte } => place(Some(Which::Index(index)), Some(byte)).serialize(serializer),
            Self::Named(name) => place(Some(Which::Name(name)), None).serialize(serializer),
            Self::Byte(byte) => place(None, Some(byte)).serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Which {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl Visitor<'_> for Either {
            type Value = Which;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an event's number or name")
            }

            fn visit_i64<E: de::Error>(self, index: i64) -> Result<Which, E> {
                Ok(Which::Index(index))
            }

            fn visit_u64<E: de::Error>(self, index: u64) -> Result<Which, E> {
                Ok(Which::Index(i64::try_from(index).unwrap_or(i64::MAX)))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Which, E> {
                Name::parse(text).map(Which::Name).ok_or_else(|| E::custom(Name::unknown(text)))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl Serialize for Which {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Index(index) => serializer.serialize_i64(*index),
            Self::Name(name) => serializer.serialize_str(name.as_str()),
        }
    }
}

impl JsonSchema for At {
    fn schema_name() -> Cow<'static, str> {
        "At".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let names = Name::ALL.map(|(name, _)| name);
        json_schema!({
            "description": "A place in a response.",
            "anyOf": [
                {
                    "enum": ["head", "end", "idle", "next-request"],
                    "description": "After the head, before the first event; after everything; while the \
                        connection is idle after the response; when the next request comes on it.",
                },
                {
                    "type": "object",
                    "properties": {
                        "event": {
                            "description": "After so many events, counted from the end if negative; \
                                or after the event of this name.",
                            "anyOf": [{ "type": "integer" }, { "enum": names }],
                        },
                        "byte": {
                            "description": "After so many bytes of the next event; without \
                                `event`, of the body.",
                            "type": "integer",
                            "minimum": 0,
                        },
                        "elapsed": {
                            "description": "Once so much time has passed since the request was read.",
                            "type": "string",
                            "examples": ["1s"],
                        },
                    },
                    "minProperties": 1,
                    "additionalProperties": false,
                },
            ],
            "examples": json!(["head", { "event": 3 }, { "event": -1 }, { "event": "finish" }]),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[track_caller]
    fn check(json: &Value, expected: At) {
        assert_eq!(serde_json::from_value::<At>(json.clone()).unwrap(), expected);
        assert_eq!(&serde_json::to_value(expected).unwrap(), json);
    }

    #[test]
    fn places_are_read_and_written_back() {
        check(&json!("head"), At::Head);
        check(&json!("end"), At::End);
        check(&json!({ "event": 3 }), At::event(3));
        check(&json!({ "event": -1 }), At::event(-1));
        check(&json!({ "event": 3, "byte": 12 }), At::event_byte(3, 12));
        check(&json!({ "byte": 100 }), At::Byte(100));
        check(&json!({ "elapsed": "1s" }), At::elapsed(std::time::Duration::from_secs(1)));
        check(&json!("idle"), At::Idle);
        check(&json!("next-request"), At::NextRequest);
        for (text, name) in Name::ALL {
            check(&json!({ "event": text }), At::Named(name));
        }
    }

    #[track_caller]
    fn refuses(json: Value, expected: &str) {
        assert_eq!(serde_json::from_value::<At>(json).unwrap_err().to_string(), expected);
    }

    #[test]
    fn a_place_that_is_none_says_what_would_be() {
        refuses(
            json!("tail"),
            r#"expected a place, like "head", {"event": 3}, {"byte": 100} or "end", got "tail""#,
        );
        refuses(json!({}), r#"a place needs `event`, `byte` or both, like {"event": 3, "byte": 12}"#);
        refuses(
            json!({ "event": "finsh" }),
            r#"expected an event's number, or one of "role", "first-content", "finish", "usage", "done", got "finsh""#,
        );
        refuses(
            json!({ "event": "finish", "byte": 2 }),
            "`byte` goes with an event's number, not with its name",
        );
        refuses(json!({ "elapsed": "1s", "byte": 2 }), "`elapsed` goes with neither `event` nor `byte`");
    }
}
