//! Faults in fixtures: `{"fault": NAME, "at": POSITION, "when": SELECTOR, …parameters}`.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::declare::Given;
use super::{At, Fault, Kind};

impl<'de> Deserialize<'de> for Fault {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut object = serde_json::Map::deserialize(deserializer)?;
        let Some(Value::String(name)) = object.remove("fault") else {
            return Err(D::Error::missing_field("fault"));
        };
        let at = object.remove("at").map(At::deserialize).transpose().map_err(D::Error::custom)?;
        let given = object.into_iter().map(|(key, value)| (key, Given::Json(value))).collect();
        Self::read(&name, given, at).map_err(D::Error::custom)
    }
}

impl Serialize for Fault {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("fault", self.kind.name())?;
        if let Some(at) = self.at {
            map.serialize_entry("at", &at)?;
        }
        let parameters = (self.kind.entry().parameters)();
        for ((name, value), parameter) in self.kind.arguments().into_iter().zip(&parameters) {
            if value != parameter.default {
                map.serialize_entry(name, &value)?;
            }
        }
        map.end()
    }
}

impl JsonSchema for Fault {
    fn schema_name() -> Cow<'static, str> {
        "Fault".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let names: Vec<&str> = Kind::entries().map(|entry| entry.name).collect();
        json_schema!({
            "description": "Something that breaks in a response.",
            "type": "object",
            "properties": { "fault": { "enum": names } },
            "required": ["fault"],
        })
    }
}
