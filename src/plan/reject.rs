//! Why a request is refused, before any dialect has a word for it.
//!
//! Status, headers and layout are a dialect's business. The words of the validator are here, since
//! Azure passes OpenAI's on.
//!
//! # Evidence
//!
//! Each text says how it is known: C a recorded exchange, I a body pasted into a public issue, T
//! other public text, U not proven, made up in the same style.

use serde_json::Value;

/// Why a request is refused.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Reject {
    /// No fixture matches; how near the nearest came.
    Unmatched(String),
    /// No API key was sent.
    MissingKey,
    /// An API key that is not accepted; the key.
    WrongKey(String),
    /// A path that nothing serves.
    UnknownUrl,
    /// A path that is served, but not for this method.
    MethodNotAllowed {
        /// The methods that are, as in the `allow` header.
        allow: &'static str,
    },
    /// The body did not arrive in time.
    Timeout,
    /// The body is longer than the server reads.
    BodyTooLarge {
        /// The longest body read, in bytes.
        limit: usize,
    },
    /// The body is compressed; its content-encoding.
    CompressedBody(String),
    /// The body is not JSON, or no object.
    InvalidJson,
    /// Azure: an api-version that does not exist, or one where there is none.
    ApiVersion,
    /// No model is named.
    NoModel,
    /// The model does not exist; its name. On Azure's deployment path: the deployment.
    UnknownModel(String),
    /// What the validator says.
    Invalid(Violation),
}

/// What the validator says: a 400 (one of them is a 404) with `param` and `code`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Violation {
    /// The status code.
    pub status: u16,
    /// The message.
    pub message: String,
    /// The parameter at fault.
    pub param: Option<String>,
    /// The code.
    pub code: Option<&'static str>,
}

impl From<Violation> for Reject {
    fn from(violation: Violation) -> Self {
        Self::Invalid(violation)
    }
}

impl Violation {
    fn new(param: Option<&str>, code: Option<&'static str>, message: String) -> Self {
        Self { status: 400, message, param: param.map(str::to_owned), code }
    }

    /// A parameter that must be there. (C for `messages[1].content[0].type`)
    pub fn missing(param: &str) -> Self {
        Self::new(
            Some(param),
            Some("missing_required_parameter"),
            format!("Missing required parameter: '{param}'."),
        )
    }

    /// A parameter that the API does not know. (I)
    pub fn unknown(param: &str) -> Self {
        Self::new(Some(param), Some("unknown_parameter"), format!("Unknown parameter: '{param}'."))
    }

    /// A parameter that the API did not know yet; the words of the older validator. (T)
    pub fn unrecognized(param: &str) -> Self {
        Self::new(None, None, format!("Unrecognized request argument supplied: {param}"))
    }

    /// A value of another type; `expected` with its article. (I for `max_tokens` and `content`)
    pub fn wrong_type(param: &str, expected: &str, got: &Value) -> Self {
        let message =
            format!("Invalid type for '{param}': expected {expected}, but got {} instead.", kind(got));
        Self::new(Some(param), Some("invalid_type"), message)
    }

    /// `stream` that is no boolean; the older validator is still in front of the newer. (I)
    pub fn not_boolean(param: &str, got: &Value) -> Self {
        let got = match got {
            Value::String(text) => format!("'{text}'"),
            other => other.to_string(),
        };
        Self::new(None, None, format!("{got} is not of type 'boolean' - '{param}'"))
    }

    /// A value that is none of `supported`. (T)
    pub fn invalid_value(param: &str, got: &str, supported: &[&str]) -> Self {
        let message = format!("Invalid value: '{got}'. Supported values are: {}.", listing(supported));
        Self::new(Some(param), Some("invalid_value"), message)
    }

    /// A list without elements. (C for `messages`)
    pub fn empty_array(param: &str) -> Self {
        let message = format!(
            "Invalid '{param}': empty array. Expected an array with minimum length 1, but got an empty array instead."
        );
        Self::new(Some(param), Some("empty_array"), message)
    }

    /// A list with too many elements. (I for `tools`)
    pub fn long_array(param: &str, max: usize, got: usize) -> Self {
        let message = format!(
            "Invalid '{param}': array too long. Expected an array with maximum length {max}, but got an array with length {got} instead."
        );
        Self::new(Some(param), Some("array_above_max_length"), message)
    }

    /// An empty string. (T)
    pub fn short_string(param: &str) -> Self {
        let message = format!(
            "Invalid '{param}': empty string. Expected a string with minimum length 1, but got an empty string instead."
        );
        Self::new(Some(param), Some("empty_string"), message)
    }

    /// A string that is too long. (T)
    pub fn long_string(param: &str, max: usize, got: usize) -> Self {
        let message = format!(
            "Invalid '{param}': string too long. Expected a string with maximum length {max}, but got a string with length {got} instead."
        );
        Self::new(Some(param), Some("string_above_max_length"), message)
    }

    /// A string of other characters than allowed. (T)
    pub fn pattern(param: &str, pattern: &str) -> Self {
        let message = format!(
            "Invalid '{param}': string does not match pattern. Expected a string that matches the pattern '{pattern}'."
        );
        Self::new(Some(param), Some("invalid_value"), message)
    }

    /// A number below the least. (C for `max_tokens`)
    pub fn below(param: &str, number: Number, min: &str, got: &Value) -> Self {
        let (word, code) = match number {
            Number::Integer => ("integer", "integer_below_min_value"),
            Number::Decimal => ("decimal", "decimal_below_min_value"),
        };
        let message = format!(
            "Invalid '{param}': {word} below minimum value. Expected a value >= {min}, but got {got} instead."
        );
        Self::new(Some(param), Some(code), message)
    }

    /// A number above the greatest. (I for `n`)
    pub fn above(param: &str, number: Number, max: &str, got: &Value) -> Self {
        let (word, code) = match number {
            Number::Integer => ("integer", "integer_above_max_value"),
            Number::Decimal => ("decimal", "decimal_above_max_value"),
        };
        let message = format!(
            "Invalid '{param}': {word} above maximum value. Expected a value <= {max}, but got {got} instead."
        );
        Self::new(Some(param), Some(code), message)
    }

    /// A parameter that this model does not take. (C for `max_tokens`)
    pub fn unsupported(param: &str, instead: Option<&str>) -> Self {
        let hint = instead.map(|instead| format!(" Use '{instead}' instead.")).unwrap_or_default();
        let message = format!("Unsupported parameter: '{param}' is not supported with this model.{hint}");
        Self::new(Some(param), Some("unsupported_parameter"), message)
    }

    /// A value that this model takes in no other form than the default. (I for `temperature`)
    pub fn only_default(param: &str, got: &Value, default: &str) -> Self {
        let message = format!(
            "Unsupported value: '{param}' does not support {got} with this model. Only the default ({default}) value is supported."
        );
        Self::new(Some(param), Some("unsupported_value"), message)
    }

    /// A role that this model does not take. (C for `developer` with o1-mini)
    pub fn unsupported_role(param: &str, role: &str) -> Self {
        let message = format!("Unsupported value: '{param}' does not support '{role}' with this model.");
        Self::new(Some(param), Some("unsupported_value"), message)
    }

    /// `stream_options` without a stream. (I)
    pub fn options_without_stream() -> Self {
        let message = "The 'stream_options' parameter is only allowed when 'stream' is enabled.";
        Self::new(Some("stream_options"), None, message.to_owned())
    }

    /// A message whose content is null, though its role needs one. (I)
    pub fn null_content(index: usize) -> Self {
        let message = "Invalid value for 'content': expected a string, got null.";
        Self::new(Some(&format!("messages.[{index}].content")), None, message.to_owned())
    }

    /// A parameter that needs another beside it. (T for `tool_choice`, I for `function_call`)
    pub fn needs(param: &str, condition: &str) -> Self {
        Self::new(
            Some(param),
            None,
            format!("Invalid value for '{param}': '{param}' is only allowed when {condition}."),
        )
    }

    /// A tool message that answers no call. The spelling is the real one. (I)
    pub fn stray_tool_message(index: usize) -> Self {
        let message = "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.";
        Self::new(Some(&format!("messages.[{index}].role")), None, message.to_owned())
    }

    /// A tool message that answers a call which the message before does not have. (T)
    pub fn unknown_call(index: usize, id: &str) -> Self {
        let message = format!(
            "Invalid parameter: 'tool_call_id' of '{id}' not found in 'tool_calls' of previous message."
        );
        Self::new(Some(&format!("messages.[{index}].tool_call_id")), None, message)
    }

    /// Tool calls without a tool message for each. `index` is that of the message which comes
    /// instead. (I)
    pub fn unanswered_calls(index: usize, ids: &[&str]) -> Self {
        let message = format!(
            "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The following tool_call_ids did not have response messages: {}",
            ids.join(", ")
        );
        Self::new(Some(&format!("messages.[{index}].role")), None, message)
    }

    /// A model of the legacy completions endpoint. (C)
    pub fn not_a_chat_model() -> Self {
        let message = "This is not a chat model and thus not supported in the v1/chat/completions endpoint. Did you mean to use v1/completions?";
        Self { status: 404, ..Self::new(Some("model"), None, message.to_owned()) }
    }
}

/// How the validator calls a number.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Number {
    /// `max_tokens`, `n`.
    Integer,
    /// `temperature`, `top_p`.
    Decimal,
}

/// How the validator calls the type of a value. (I for "a decimal number", "an object", "an array")
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(number) if number.is_f64() => "a decimal number",
        Value::Number(_) => "an integer",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// `'a', 'b', and 'c'`.
fn listing(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
    match quoted.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [one, two] => format!("{one} and {two}"),
        [most @ .., last] => format!("{}, and {last}", most.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn types_are_called_what_the_validator_calls_them() {
        for (value, word) in [
            (json!(null), "null"),
            (json!(true), "a boolean"),
            (json!(1.5), "a decimal number"),
            (json!(-1), "an integer"),
            (json!("x"), "a string"),
            (json!([]), "an array"),
            (json!({}), "an object"),
        ] {
            assert_eq!(kind(&value), word);
        }
    }

    #[test]
    fn values_are_listed_with_a_serial_comma() {
        assert_eq!(listing(&["a"]), "'a'");
        assert_eq!(listing(&["a", "b"]), "'a' and 'b'");
        assert_eq!(listing(&["a", "b", "c"]), "'a', 'b', and 'c'");
    }
}
