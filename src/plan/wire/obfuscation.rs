//! The field `obfuscation`: whether it is sent, and whose characters it has.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserializer, SeqAccess, Visitor};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

/// Whether chunks carry `obfuscation`, and with which characters.
#[derive(Clone, Debug, PartialEq)]
pub enum Obfuscation {
    /// Whether they carry it, with characters from the seed.
    Sent(bool),
    /// They carry these characters, in turn; how many a chunk has follows from its length. When they are
    /// used up, the seed's come.
    Characters(Arc<str>),
    /// They carry these texts, in turn, whatever their lengths; then the rule holds.
    Texts(Arc<[String]>),
}

impl Obfuscation {
    /// Whether chunks carry the field.
    pub(crate) fn is_sent(&self) -> bool {
        *self != Self::Sent(false)
    }
}

/// Written out, not `#[serde(untagged)]`, for an error that says what is expected.
impl<'de> Deserialize<'de> for Obfuscation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Given;
        impl<'de> Visitor<'de> for Given {
            type Value = Obfuscation;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("true, false, a string of characters, or a list of texts")
            }

            fn visit_bool<E: de::Error>(self, sent: bool) -> Result<Obfuscation, E> {
                Ok(Obfuscation::Sent(sent))
            }

            fn visit_str<E: de::Error>(self, characters: &str) -> Result<Obfuscation, E> {
                Ok(Obfuscation::Characters(characters.into()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Obfuscation, A::Error> {
                let mut texts = Vec::new();
                while let Some(text) = list.next_element::<String>()? {
                    texts.push(text);
                }
                Ok(Obfuscation::Texts(texts.into()))
            }
        }
        deserializer.deserialize_any(Given)
    }
}

impl Serialize for Obfuscation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Sent(sent) => serializer.serialize_bool(*sent),
            Self::Characters(characters) => serializer.serialize_str(characters),
            Self::Texts(texts) => serializer.collect_seq(texts.iter()),
        }
    }
}

impl JsonSchema for Obfuscation {
    fn schema_name() -> Cow<'static, str> {
        "Obfuscation".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Whether chunks carry `obfuscation`; or its characters, used in turn, while the number in \
                            each chunk follows from its length; or the texts of the chunks, whatever their lengths.",
            "anyOf": [
                { "type": "boolean" },
                { "type": "string", "pattern": "^[0-9A-Za-z]*$" },
                { "type": "array", "items": { "type": "string", "pattern": "^[0-9A-Za-z]*$" } },
            ],
        })
    }
}
