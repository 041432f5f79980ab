//! What OpenAI's validator refuses of a chat completion, in its order and its words. Azure passes
//! them on.
//!
//! Only rules with evidence are here (see [`Violation`] for each text's), so a request that is let
//! through is not proven to be valid. Two requests that the real API refuses are let through on
//! purpose, since the official SDKs' own test suites send them and expect a completion:
//! `max_tokens` beside `max_completion_tokens` to a reasoning model, and `stream_options` beside an
//! explicit `"stream": false`.

use serde_json::{Map, Value};

use super::names::ModelClass;
use super::{messages, tools};
use crate::plan::reject::{Number, Violation};
use crate::plan::value::get;

/// Checks the body of a chat completion for `model`. `extra` are parameters of this provider alone.
///
/// The order is the recorded one as far as two faults in one request were ever recorded: what the
/// model does not take comes before ranges and before the content of messages.
pub(crate) fn chat(body: &Map<String, Value>, model: &str, extra: &[&str]) -> Result<(), Violation> {
    let class = ModelClass::of(model);
    if class == ModelClass::Completion {
        return Err(Violation::not_a_chat_model());
    }
    presence(body, extra)?;
    types(body)?;
    capabilities(body, model, class)?;
    messages::check(body, model, class)?;
    ranges(body)?;
    tools::check(body)?;
    relations(body)
}

/// A parameter that is there and not null, which means absent.
pub(super) fn given<'a>(body: &'a Map<String, Value>, param: &str) -> Option<&'a Value> {
    get(body, param).filter(|value| !value.is_null())
}

/// The place of a parameter among the documented ones.
fn place(param: &str) -> Option<usize> {
    PARAMETERS.binary_search_by_key(&param, |(name, _)| name).ok()
}

fn presence(body: &Map<String, Value>, extra: &[&str]) -> Result<(), Violation> {
    if !body.contains_key("messages") {
        return Err(Violation::missing("messages"));
    }
    let known = |param: &str| {
        matches!(param, "messages" | "model" | "stream") || place(param).is_some() || extra.contains(&param)
    };
    if let Some(param) = body.keys().find(|param| !known(param)) {
        return Err(Violation::unknown(param));
    }
    let options = given(body, "stream_options").and_then(Value::as_object);
    match options.and_then(|options| options.keys().find(|key| !STREAM_OPTIONS.contains(&key.as_str()))) {
        Some(key) => Err(Violation::unknown(&format!("stream_options.{key}"))),
        None => Ok(()),
    }
}

fn types(body: &Map<String, Value>) -> Result<(), Violation> {
    if let Some(stream) = given(body, "stream").filter(|stream| !stream.is_boolean()) {
        return Err(Violation::not_boolean("stream", stream));
    }
    let wrong = body.iter().filter_map(|(param, value)| {
        let place = place(param)?;
        (!value.is_null() && !PARAMETERS[place].1.holds(value)).then_some((place, value))
    });
    // The order is the validator's, whatever that of the body.
    match wrong.min_by_key(|(place, _)| *place) {
        Some((place, value)) => {
            let (param, kind) = PARAMETERS[place];
            Err(kind.violation(param, value))
        }
        None => Ok(()),
    }
}

/// What this model does not take at all.
fn capabilities(body: &Map<String, Value>, model: &str, class: ModelClass) -> Result<(), Violation> {
    if class.reasons()
        && given(body, "max_tokens").is_some()
        && given(body, "max_completion_tokens").is_none()
    {
        return Err(Violation::unsupported("max_tokens", Some("max_completion_tokens")));
    }
    // From gpt-5.1 on the default effort is none, and with none the sampling parameters work.
    let samples = class != ModelClass::OSeries && model != "gpt-5" && !model.starts_with("gpt-5-");
    match given(body, "temperature") {
        Some(value) if class.reasons() && !samples && value.as_f64() != Some(1.0) => {
            Err(Violation::only_default("temperature", value, "1"))
        }
        _ => Ok(()),
    }
}

fn ranges(body: &Map<String, Value>) -> Result<(), Violation> {
    for (param, number, min, max) in RANGES {
        let Some(value) = given(body, param) else {
            continue;
        };
        let bound = |text: &str| text.parse::<f64>().ok();
        let amount = value.as_f64();
        if amount.zip(bound(min)).is_some_and(|(amount, min)| amount < min) {
            return Err(Violation::below(param, *number, min, value));
        }
        if amount.zip(bound(max)).is_some_and(|(amount, max)| amount > max) {
            return Err(Violation::above(param, *number, max, value));
        }
    }
    Ok(())
}

/// Parameters that are only allowed beside others.
fn relations(body: &Map<String, Value>) -> Result<(), Violation> {
    if given(body, "stream_options").is_some() && given(body, "stream").is_none() {
        return Err(Violation::options_without_stream());
    }
    let asks = given(body, "top_logprobs").and_then(Value::as_u64).is_some_and(|count| count > 0);
    if asks && given(body, "logprobs") != Some(&Value::Bool(true)) {
        return Err(Violation::needs("top_logprobs", "'logprobs' is enabled"));
    }
    for (param, list) in
        [("tool_choice", "tools"), ("parallel_tool_calls", "tools"), ("function_call", "functions")]
    {
        if given(body, param).is_some() && given(body, list).is_none() {
            return Err(Violation::needs(param, &format!("'{list}' are specified")));
        }
    }
    Ok(())
}

/// The type of a parameter.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Boolean,
    Integer,
    Decimal,
    Text,
    Object,
    Objects,
    Strings,
    TextOrObject,
    TextOrStrings,
}

impl Kind {
    fn holds(self, value: &Value) -> bool {
        let all =
            |kind: Self| value.as_array().is_some_and(|items| items.iter().all(|item| kind.holds(item)));
        match self {
            Self::Boolean => value.is_boolean(),
            Self::Integer => value.is_i64() || value.is_u64(),
            Self::Decimal => value.is_number(),
            Self::Text => value.is_string(),
            Self::Object => value.is_object(),
            Self::Objects => all(Self::Object),
            Self::Strings => all(Self::Text),
            Self::TextOrObject => value.is_string() || value.is_object(),
            Self::TextOrStrings => value.is_string() || all(Self::Text),
        }
    }

    /// What is wrong with a value that is not of this type: of a list, its first wrong item.
    fn violation(self, param: &str, value: &Value) -> Violation {
        let item = match self {
            Self::Objects => Some(Self::Object),
            Self::Strings | Self::TextOrStrings => Some(Self::Text),
            _ => None,
        };
        let items = value.as_array().map_or(&[][..], Vec::as_slice);
        let wrong = item.and_then(|kind| {
            let (index, item) = items.iter().enumerate().find(|(_, item)| !kind.holds(item))?;
            Some(Violation::wrong_type(&format!("{param}[{index}]"), kind.name(), item))
        });
        wrong.unwrap_or_else(|| Violation::wrong_type(param, self.name(), value))
    }

    /// The type in the validator's words, with its article.
    fn name(self) -> &'static str {
        match self {
            Self::Boolean => "a boolean",
            Self::Integer => "an integer",
            Self::Decimal => "a decimal",
            Self::Text => "a string",
            Self::Object => "an object",
            Self::Objects => "an array of objects",
            Self::Strings => "an array of strings",
            Self::TextOrObject => "one of a string or object",
            Self::TextOrStrings => "one of a string or array of strings",
        }
    }
}

/// What `stream_options` takes.
const STREAM_OPTIONS: &[&str] = &["include_obfuscation", "include_usage"];

/// The documented parameters of a chat completion, but for `messages`, `model` and `stream`, which
/// have checks of their own (openai-python 3.54.0). In the order of the alphabet, in which they are checked.
const PARAMETERS: &[(&str, Kind)] = &[
    ("audio", Kind::Object),
    ("frequency_penalty", Kind::Decimal),
    ("function_call", Kind::TextOrObject),
    ("functions", Kind::Objects),
    ("logit_bias", Kind::Object),
    ("logprobs", Kind::Boolean),
    ("max_completion_tokens", Kind::Integer),
    ("max_tokens", Kind::Integer),
    ("metadata", Kind::Object),
    ("modalities", Kind::Strings),
    ("moderation", Kind::Object),
    ("n", Kind::Integer),
    ("parallel_tool_calls", Kind::Boolean),
    ("prediction", Kind::Object),
    ("presence_penalty", Kind::Decimal),
    ("prompt_cache_key", Kind::Text),
    ("prompt_cache_options", Kind::Object),
    ("prompt_cache_retention", Kind::Text),
    ("reasoning_effort", Kind::Text),
    ("response_format", Kind::Object),
    ("safety_identifier", Kind::Text),
    ("seed", Kind::Integer),
    ("service_tier", Kind::Text),
    ("stop", Kind::TextOrStrings),
    ("store", Kind::Boolean),
    ("stream_options", Kind::Object),
    ("temperature", Kind::Decimal),
    ("tool_choice", Kind::TextOrObject),
    ("tools", Kind::Objects),
    ("top_logprobs", Kind::Integer),
    ("top_p", Kind::Decimal),
    ("user", Kind::Text),
    ("verbosity", Kind::Text),
    ("web_search_options", Kind::Object),
];

/// The ranges of numbers, as the validator prints their bounds; an empty bound is none.
const RANGES: &[(&str, Number, &str, &str)] = &[
    ("max_completion_tokens", Number::Integer, "0", ""),
    ("max_tokens", Number::Integer, "0", ""),
    ("n", Number::Integer, "1", "128"),
    ("frequency_penalty", Number::Decimal, "-2", "2"),
    ("presence_penalty", Number::Decimal, "-2", "2"),
    ("temperature", Number::Decimal, "0", "2"),
    ("top_logprobs", Number::Integer, "0", "20"),
    ("top_p", Number::Decimal, "0", "1"),
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn every_parameter_has_its_place() {
        for (at, (param, _)) in PARAMETERS.iter().enumerate() {
            assert_eq!(place(param), Some(at), "{param}");
        }
    }

    /// Bodies with parameters in any order, each with a value of any type.
    fn bodies() -> impl Strategy<Value = Map<String, Value>> {
        let params: Vec<&str> =
            PARAMETERS.iter().map(|(param, _)| *param).chain(["messages", "foo"]).collect();
        let values = vec![
            json!(null),
            json!(true),
            json!(1),
            json!(0.5),
            json!("a"),
            json!({}),
            json!(["a"]),
            json!([{}]),
        ];
        let pair = (proptest::sample::select(params), proptest::sample::select(values));
        proptest::collection::vec(pair, 0..12)
            .prop_map(|pairs| pairs.into_iter().map(|(param, value)| (param.to_owned(), value)).collect())
    }

    proptest! {
        #[test]
        fn types_are_checked_in_the_validators_order_whatever_that_of_the_body(body in bodies()) {
            let first = PARAMETERS.iter().find_map(|(param, kind)| {
                let value = body.get(*param).filter(|value| !value.is_null() && !kind.holds(value))?;
                Some(kind.violation(param, value))
            });
            prop_assert_eq!(types(&body).err(), first);
        }
    }
}
