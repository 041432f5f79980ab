//! Faults in fixtures: `{"fault": NAME, "at": POSITION, "when": SELECTOR, …parameters}`.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value, json};

use super::alias::{ALIASES, Alias};
use super::declare::{ArgumentKind, Entry, Given, Parameter, Places};
use super::read::{Draft, Flaw};
use super::spec::SELECTORS;
use super::when::When;
use super::{At, Fault, Kind};
use crate::plan::load::problems::{Problem, Problems, below};
use crate::plan::load::read_at;
use crate::plan::load::words::short;

/// A fault of a fixture: as its author wrote it, or built in code. What is wrong with it is told when
/// fixtures are checked, all of it at once.
#[derive(Clone, Debug, PartialEq)]
pub enum Written {
    /// As JSON.
    Json(Map<String, Value>),
    /// In code.
    Built(Fault),
}

impl Written {
    /// The fault that stands at a pointer, and what is wrong with it.
    pub(crate) fn read(&self, base: &str, problems: &mut Problems) -> Option<Fault> {
        let before = problems.0.len();
        let (fault, flaws) = match self {
            Self::Built(fault) => (Some(fault.clone()), fault.flaws()),
            Self::Json(object) => read(object.clone(), base, problems)?,
        };
        problems.0.extend(flaws.into_iter().map(|Flaw { key, part, message }| Problem {
            pointer: if key.is_empty() { base.to_owned() } else { format!("{base}/{key}") },
            part,
            message,
        }));
        fault.filter(|_| problems.0.len() == before)
    }

    /// Whether a place is given.
    pub(crate) fn has_place(&self) -> bool {
        match self {
            Self::Json(object) => object.contains_key("at"),
            Self::Built(fault) => fault.at.is_some(),
        }
    }
}

fn read(
    mut object: Map<String, Value>,
    base: &str,
    problems: &mut Problems,
) -> Option<(Option<Fault>, Vec<Flaw>)> {
    let name = object.shift_remove("fault");
    let at = object.shift_remove("at");
    let before = problems.0.len();
    let at = at.and_then(|at| read_at::<At>(at, &below(base, "at"), problems, |_, _| {}));
    let at = at.filter(|_| problems.0.len() == before);
    let when = object.shift_remove("when");
    let when_at = below(base, "when");
    let when = when.and_then(|when| {
        read_at(when, &when_at, problems, |when: &When, problems| {
            when.check(&when_at, problems);
        })
    });
    let name = match name {
        Some(Value::String(name)) => name,
        Some(other) => {
            problems.value(below(base, "fault"), format!("expected a fault's name, got {}", short(&other)));
            return None;
        }
        None => {
            problems.value(base, "missing key \"fault\" in a fault");
            return None;
        }
    };
    let own = Kind::entry_named(Alias::named(&name).map_or(&name, |alias| alias.fault));
    let own: Vec<&str> = own
        .map_or_else(Vec::new, |entry| (entry.parameters)().iter().map(|parameter| parameter.name).collect());
    let (mut given, mut misplaced) = (Vec::new(), Vec::new());
    for (key, value) in object {
        if SELECTORS[..4].contains(&key.as_str()) && !own.contains(&key.as_str()) {
            let message = format!("{key:?} chooses requests: write {{\"when\": {{{key:?}: …}}}}");
            misplaced.push(Flaw::key(key, message));
        } else {
            given.push((key, Given::Json(value)));
        }
    }
    let draft = Draft { name: &name, given, at, when: when.unwrap_or_default(), other_keys: &["at", "when"] };
    let (fault, mut flaws) = draft.read();
    // Those were told where what stands at `when` was read.
    flaws.retain(|flaw| !flaw.key.starts_with("when/"));
    flaws.extend(misplaced);
    Some((fault, flaws))
}

impl From<Fault> for Written {
    fn from(fault: Fault) -> Self {
        Self::Built(fault)
    }
}

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Map::deserialize(deserializer).map(Self::Json)
    }
}

impl Serialize for Written {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Json(object) => object.serialize(serializer),
            Self::Built(fault) => fault.serialize(serializer),
        }
    }
}

impl JsonSchema for Written {
    fn schema_name() -> Cow<'static, str> {
        Fault::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        Fault::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Fault::json_schema(generator)
    }
}

impl<'de> Deserialize<'de> for Fault {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut problems = Problems::default();
        let fault = Written::deserialize(deserializer)?.read("", &mut problems);
        let told = problems.0.iter().map(|Problem { pointer, part: _, message }| match pointer.as_str() {
            "" => message.clone(),
            pointer => format!("{pointer}: {message}"),
        });
        let told: Vec<String> = told.collect();
        fault.filter(|_| told.is_empty()).ok_or_else(|| D::Error::custom(told.join("; ")))
    }
}

impl Serialize for Fault {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("fault", self.kind.name())?;
        if let Some(at) = self.at {
            map.serialize_entry("at", &at)?;
        }
        if self.when != When::default() {
            map.serialize_entry("when", &self.when)?;
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

/// One alternative for each fault, told apart by its name.
impl JsonSchema for Fault {
    fn schema_name() -> Cow<'static, str> {
        "Fault".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let at = generator.subschema_for::<At>().to_value();
        let when = generator.subschema_for::<When>().to_value();
        let mut kinds: Vec<Value> = Kind::entries().map(|entry| kind_schema(entry, &at, &when)).collect();
        let aliases: Vec<&str> = ALIASES.iter().map(|alias| alias.name).collect();
        kinds.push(json!({
            "description": "Names of other tools, understood as a fault of this list.",
            "type": "object",
            "properties": { "fault": { "enum": aliases }, "at": at, "when": when },
            "required": ["fault"],
        }));
        json_schema!({
            "description": "Something that breaks in a response.",
            "anyOf": kinds,
        })
    }
}

fn kind_schema(entry: &Entry, at: &Value, when: &Value) -> Value {
    let mut properties = Map::new();
    properties.insert("fault".to_owned(), json!({ "const": entry.name }));
    let place = match entry.places {
        Places::Whole => None,
        Places::Anywhere | Places::Event | Places::Events => {
            let default: Option<At> = entry.default.parse().ok();
            let mut place = json!({ "description": "Where.", "anyOf": [at] });
            if let Some(default) = default {
                place["default"] = json!(default);
            }
            Some(place)
        }
        Places::Idle => Some(json!({ "const": "idle" })),
        Places::NextRequest => Some(json!({ "const": "next-request" })),
    };
    properties.extend(place.map(|place| ("at".to_owned(), place)));
    let when = json!({ "description": "For which requests.", "anyOf": [when] });
    properties.insert("when".to_owned(), when);
    for parameter in (entry.parameters)() {
        properties.insert(parameter.name.to_owned(), parameter_schema(&parameter));
    }
    json!({
        "description": entry.about.trim(),
        "type": "object",
        "properties": properties,
        "required": ["fault"],
        "additionalProperties": false,
    })
}

fn parameter_schema(parameter: &Parameter) -> Value {
    let mut schema = match parameter.kind {
        ArgumentKind::Flag => json!({ "type": "boolean" }),
        ArgumentKind::Count => json!({ "type": "integer", "minimum": 0 }),
        ArgumentKind::Integer => json!({ "type": "integer" }),
        ArgumentKind::Duration => json!({ "type": "string", "examples": ["20ms", "1.5s"] }),
        ArgumentKind::Text => json!({ "type": "string" }),
        ArgumentKind::Words(words) => json!({ "enum": words }),
    };
    if parameter.optional {
        match &mut schema["enum"] {
            Value::Array(words) => words.push(Value::Null),
            _ => {
                schema.as_object_mut().map(|schema| schema.shift_remove("enum"));
                schema["type"] = json!([schema["type"], "null"]);
            }
        }
    }
    schema["description"] = Value::from(parameter.about.trim());
    if let Some(default) = &parameter.default {
        schema["default"] = default.clone();
    }
    schema
}
