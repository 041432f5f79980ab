//! The validator: what is refused, in which words, and what is let through.

use super::*;

/// A valid body with some keys replaced; `null` in `with` removes one.
fn body(with: Value) -> Value {
    let mut body = json!({"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]});
    for (key, value) in with.as_object().unwrap() {
        match value {
            Value::Null => drop(body.as_object_mut().unwrap().shift_remove(key)),
            value => body[key] = value.clone(),
        }
    }
    body
}

/// Message, param and code of what is wrong with a body.
fn check(with: Value, message: &str, param: Option<&str>, code: Option<&str>) {
    let body = body(with);
    match validate(OPENAI, body.clone(), None) {
        Err(Reject::Invalid(violation)) => {
            let got = (violation.message.as_str(), violation.param.as_deref(), violation.code);
            assert_eq!(got, (message, param, code), "{body}");
        }
        other => panic!("expected {message:?}, got {other:?} for {body}"),
    }
}

fn messages(messages: Value, message: &str, param: &str, code: Option<&str>) {
    check(json!({"messages": messages}), message, Some(param), code);
}

#[test]
fn parameters_of_the_wrong_type_are_refused() {
    let invalid_type = Some("invalid_type");
    for (param, value, message) in [
        (
            "messages",
            json!("hi"),
            "Invalid type for 'messages': expected an array of objects, but got a string instead.",
        ),
        (
            "temperature",
            json!("hot"),
            "Invalid type for 'temperature': expected a decimal, but got a string instead.",
        ),
        (
            "max_tokens",
            json!(10.5),
            "Invalid type for 'max_tokens': expected an integer, but got a decimal number instead.",
        ),
        (
            "stream_options",
            json!(true),
            "Invalid type for 'stream_options': expected an object, but got a boolean instead.",
        ),
        (
            "logprobs",
            json!(1),
            "Invalid type for 'logprobs': expected a boolean, but got an integer instead.",
        ),
        (
            "stop",
            json!({}),
            "Invalid type for 'stop': expected one of a string or array of strings, but got an object instead.",
        ),
        ("model", json!(4), "Invalid type for 'model': expected a string, but got an integer instead."),
    ] {
        check(json!({ param: value }), message, Some(param), invalid_type);
    }
    check(json!({"stream": "false"}), "'false' is not of type 'boolean' - 'stream'", None, None);
    check(json!({"stream": {}}), "{} is not of type 'boolean' - 'stream'", None, None);
}

#[test]
fn missing_and_unknown_parameters_are_refused() {
    let missing = Some("missing_required_parameter");
    check(json!({"messages": null}), "Missing required parameter: 'messages'.", Some("messages"), missing);
    check(json!({"foo": 1}), "Unknown parameter: 'foo'.", Some("foo"), Some("unknown_parameter"));
    check(
        json!({"data_sources": []}),
        "Unknown parameter: 'data_sources'.",
        Some("data_sources"),
        Some("unknown_parameter"),
    );
    for model in [json!(null), json!("")] {
        assert_eq!(validate(OPENAI, body(json!({ "model": model })), None), Err(Reject::NoModel));
    }
    for no_object in [json!(null), json!([]), json!("hi"), json!(1)] {
        assert_eq!(validate(OPENAI, no_object, None), Err(Reject::InvalidJson));
    }
}

#[test]
fn numbers_out_of_range_are_refused() {
    for (param, value, message, code) in [
        (
            "max_tokens",
            json!(-1),
            "Invalid 'max_tokens': integer below minimum value. Expected a value >= 0, but got -1 instead.",
            "integer_below_min_value",
        ),
        (
            "n",
            json!(0),
            "Invalid 'n': integer below minimum value. Expected a value >= 1, but got 0 instead.",
            "integer_below_min_value",
        ),
        (
            "n",
            json!(130),
            "Invalid 'n': integer above maximum value. Expected a value <= 128, but got 130 instead.",
            "integer_above_max_value",
        ),
        (
            "temperature",
            json!(-0.5),
            "Invalid 'temperature': decimal below minimum value. Expected a value >= 0, but got -0.5 instead.",
            "decimal_below_min_value",
        ),
        (
            "temperature",
            json!(3),
            "Invalid 'temperature': decimal above maximum value. Expected a value <= 2, but got 3 instead.",
            "decimal_above_max_value",
        ),
        (
            "top_p",
            json!(1.1),
            "Invalid 'top_p': decimal above maximum value. Expected a value <= 1, but got 1.1 instead.",
            "decimal_above_max_value",
        ),
        (
            "frequency_penalty",
            json!(-2.5),
            "Invalid 'frequency_penalty': decimal below minimum value. Expected a value >= -2, but got -2.5 instead.",
            "decimal_below_min_value",
        ),
        (
            "top_logprobs",
            json!(21),
            "Invalid 'top_logprobs': integer above maximum value. Expected a value <= 20, but got 21 instead.",
            "integer_above_max_value",
        ),
    ] {
        check(json!({ param: value }), message, Some(param), Some(code));
    }
}

#[test]
fn the_item_of_a_list_that_is_wrong_is_named() {
    check(
        json!({"tools": [{"type": "function", "function": {"name": "f"}}, 5]}),
        "Invalid type for 'tools[1]': expected an object, but got an integer instead.",
        Some("tools[1]"),
        Some("invalid_type"),
    );
}

#[test]
fn unknown_stream_options_and_endless_model_names_are_refused() {
    check(
        json!({"stream": true, "stream_options": {"foo": 1}}),
        "Unknown parameter: 'stream_options.foo'.",
        Some("stream_options.foo"),
        Some("unknown_parameter"),
    );
    check(
        json!({"model": "m".repeat(300)}),
        "Invalid 'model': string too long. Expected a string with maximum length 256, but got a string with length 300 instead.",
        Some("model"),
        Some("string_above_max_length"),
    );
}

#[test]
fn parameters_that_need_another_are_refused_without() {
    check(
        json!({"stream_options": {"include_usage": true}}),
        "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
        Some("stream_options"),
        None,
    );
    for (param, value, condition) in [
        ("top_logprobs", json!(3), "'logprobs' is enabled"),
        ("tool_choice", json!("auto"), "'tools' are specified"),
        ("parallel_tool_calls", json!(true), "'tools' are specified"),
        ("function_call", json!("auto"), "'functions' are specified"),
    ] {
        let message = format!("Invalid value for '{param}': '{param}' is only allowed when {condition}.");
        check(json!({ param: value }), &message, Some(param), None);
    }
}

#[test]
fn models_refuse_what_they_do_not_take() {
    let unsupported = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.";
    for model in ["gpt-5-nano", "o3-mini", "gpt-5.4", "o1-2024-12-17"] {
        check(
            json!({"model": model, "max_tokens": 5}),
            unsupported,
            Some("max_tokens"),
            Some("unsupported_parameter"),
        );
    }
    for model in ["gpt-5-mini", "o4-mini"] {
        check(
            json!({"model": model, "temperature": 0.1}),
            "Unsupported value: 'temperature' does not support 0.1 with this model. Only the default (1) value is supported.",
            Some("temperature"),
            Some("unsupported_value"),
        );
    }
    for role in ["system", "developer"] {
        check(
            json!({"model": "o1-mini", "messages": [{"role": role, "content": "x"}]}),
            &format!("Unsupported value: 'messages[0].role' does not support '{role}' with this model."),
            Some("messages[0].role"),
            Some("unsupported_value"),
        );
    }
    let legacy = validate(OPENAI, body(json!({"model": "gpt-3.5-turbo-instruct"})), None);
    assert!(matches!(legacy, Err(Reject::Invalid(violation)) if violation.status == 404));
}

#[test]
fn what_the_model_does_not_take_comes_before_content_and_ranges() {
    let recorded = json!({"model": "gpt-5-nano", "max_tokens": 0, "temperature": -0.5, "messages": [{"role": "user", "content": null}]});
    let refused = validate(OPENAI, recorded, None);
    assert!(
        matches!(refused, Err(Reject::Invalid(violation)) if violation.param.as_deref() == Some("max_tokens"))
    );
}

#[test]
fn messages_are_checked_one_by_one() {
    let missing = Some("missing_required_parameter");
    let invalid_type = Some("invalid_type");
    let invalid_value = Some("invalid_value");
    messages(
        json!([]),
        "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead.",
        "messages",
        Some("empty_array"),
    );
    messages(
        json!(["hi"]),
        "Invalid type for 'messages[0]': expected an object, but got a string instead.",
        "messages[0]",
        invalid_type,
    );
    messages(
        json!([{"content": "x"}]),
        "Missing required parameter: 'messages[0].role'.",
        "messages[0].role",
        missing,
    );
    messages(
        json!([{"role": "user"}]),
        "Missing required parameter: 'messages[0].content'.",
        "messages[0].content",
        missing,
    );
    messages(
        json!([{"role": "bot", "content": "x"}]),
        "Invalid value: 'bot'. Supported values are: 'system', 'assistant', 'user', 'function', 'tool', and 'developer'.",
        "messages[0].role",
        invalid_value,
    );
    messages(
        json!([{"role": "user", "content": null}]),
        "Invalid value for 'content': expected a string, got null.",
        "messages.[0].content",
        None,
    );
    messages(
        json!([{"role": "user", "content": {"text": "x"}}]),
        "Invalid type for 'messages[0].content': expected one of a string or array of objects, but got an object instead.",
        "messages[0].content",
        invalid_type,
    );
    messages(
        json!([{"role": "system", "content": "x"}, {"role": "user", "content": [{"role": "system", "content": "x"}]}]),
        "Missing required parameter: 'messages[1].content[0].type'.",
        "messages[1].content[0].type",
        missing,
    );
    messages(
        json!([{"role": "user", "content": [{"type": "input_text", "text": "x"}]}]),
        "Invalid value: 'input_text'. Supported values are: 'text', 'image_url', 'input_audio', 'refusal', 'audio', and 'file'.",
        "messages[0].content[0].type",
        invalid_value,
    );
    messages(
        json!([{"role": "user", "content": [{"type": "text"}]}]),
        "Missing required parameter: 'messages[0].content[0].text'.",
        "messages[0].content[0].text",
        missing,
    );
}

#[test]
fn tool_calls_and_tool_messages_belong_together() {
    let user = json!({"role": "user", "content": "hi"});
    let call = |id: &str| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let calls = json!({"role": "assistant", "content": null, "tool_calls": [call("call_a"), call("call_b")]});
    let answer = |id: &str| json!({"role": "tool", "tool_call_id": id, "content": "1"});
    messages(
        json!([user, answer("call_a")]),
        "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.",
        "messages.[1].role",
        None,
    );
    messages(
        json!([user, calls, answer("call_a"), user]),
        "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The following tool_call_ids did not have response messages: call_b",
        "messages.[3].role",
        None,
    );
    messages(
        json!([user, calls]),
        "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The following tool_call_ids did not have response messages: call_a, call_b",
        "messages.[1].role",
        None,
    );
    messages(
        json!([user, calls, answer("call_x")]),
        "Invalid parameter: 'tool_call_id' of 'call_x' not found in 'tool_calls' of previous message.",
        "messages.[2].tool_call_id",
        None,
    );
    messages(
        json!([{"role": "assistant", "tool_calls": []}]),
        "Invalid 'messages[0].tool_calls': empty array. Expected an array with minimum length 1, but got an empty array instead.",
        "messages[0].tool_calls",
        Some("empty_array"),
    );
    let whole = json!([user, calls, answer("call_b"), answer("call_a"), user]);
    assert_eq!(validate(OPENAI, body(json!({ "messages": whole })), None), Ok(()));
}

#[test]
fn tools_have_a_type_and_a_function_with_a_name() {
    let missing = Some("missing_required_parameter");
    let named = |name: &str| json!([{"type": "function", "function": {"name": name}}]);
    for (tools, message, param, code) in [
        (
            json!([]),
            "Invalid 'tools': empty array. Expected an array with minimum length 1, but got an empty array instead.",
            "tools",
            Some("empty_array"),
        ),
        (json!([{}]), "Missing required parameter: 'tools[0].type'.", "tools[0].type", missing),
        (
            json!([{"type": "web_search_preview"}]),
            "Invalid value: 'web_search_preview'. Supported values are: 'function' and 'custom'.",
            "tools[0].type",
            Some("invalid_value"),
        ),
        (
            json!([{"type": "function"}]),
            "Missing required parameter: 'tools[0].function'.",
            "tools[0].function",
            missing,
        ),
        (
            json!([{"type": "function", "function": {}}]),
            "Missing required parameter: 'tools[0].function.name'.",
            "tools[0].function.name",
            missing,
        ),
        (
            named("get weather"),
            "Invalid 'tools[0].function.name': string does not match pattern. Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'.",
            "tools[0].function.name",
            Some("invalid_value"),
        ),
        (
            named(&"f".repeat(65)),
            "Invalid 'tools[0].function.name': string too long. Expected a string with maximum length 64, but got a string with length 65 instead.",
            "tools[0].function.name",
            Some("string_above_max_length"),
        ),
        (
            Value::Array(vec![json!({}); 129]),
            "Invalid 'tools': array too long. Expected an array with maximum length 128, but got an array with length 129 instead.",
            "tools",
            Some("array_above_max_length"),
        ),
    ] {
        check(json!({ "tools": tools }), message, Some(param), code);
    }
    check(
        json!({"tools": named("f"), "tool_choice": "always"}),
        "Invalid value: 'always'. Supported values are: 'none', 'auto', and 'required'.",
        Some("tool_choice"),
        Some("invalid_value"),
    );
    check(
        json!({"tools": named("f"), "tool_choice": {"type": "function"}}),
        "Missing required parameter: 'tool_choice.function'.",
        Some("tool_choice.function"),
        missing,
    );
    check(
        json!({"response_format": {"type": "json"}}),
        "Invalid value: 'json'. Supported values are: 'json_object', 'json_schema', and 'text'.",
        Some("response_format.type"),
        Some("invalid_value"),
    );
}

/// The bodies that the suites of openai-python 3.54.0 and openai-node send.
#[test]
fn the_suites_of_the_official_sdks_are_let_through() {
    let mut all: Value = serde_json::from_str(
        r#"{
        "messages": [{"content": "string", "role": "developer", "name": "name"}],
        "model": "gpt-6-astra",
        "audio": {"format": "wav", "voice": "alloy"},
        "frequency_penalty": -2, "function_call": "none",
        "functions": [{"name": "name", "description": "description", "parameters": {"foo": "bar"}}],
        "logit_bias": {"foo": 0}, "logprobs": true, "max_completion_tokens": 0, "max_tokens": 0,
        "metadata": {"foo": "string"}, "modalities": ["text"],
        "moderation": {"model": "model", "policy": {"input": {"mode": "score"}, "output": {"mode": "score"}}},
        "n": 1, "parallel_tool_calls": true, "prediction": {"content": "string", "type": "content"},
        "presence_penalty": -2, "prompt_cache_key": "prompt-cache-key-1234",
        "prompt_cache_options": {"mode": "implicit", "ttl": "30m"}, "prompt_cache_retention": "in_memory",
        "reasoning_effort": "none", "response_format": {"type": "text"},
        "safety_identifier": "safety-identifier-1234", "seed": -9007199254740991, "service_tier": "auto",
        "stop": "\n", "store": true, "stream": false,
        "stream_options": {"include_obfuscation": true, "include_usage": true},
        "temperature": 1, "tool_choice": "none",
        "tools": [{"function": {"name": "name", "description": "description", "parameters": {"foo": "bar"}, "strict": true}, "type": "function"}],
        "top_logprobs": 0, "top_p": 1, "user": "user-1234", "verbosity": "low",
        "web_search_options": {"search_context_size": "low", "user_location": {"approximate": {"city": "city"}, "type": "approximate"}}
        }"#,
    )
    .unwrap();
    for model in ["gpt-6-astra", "gpt-5.4", "gpt-4o", "o3"] {
        for stream in [false, true] {
            all["model"] = json!(model);
            all["stream"] = json!(stream);
            assert_eq!(validate(OPENAI, all.clone(), None), Ok(()), "{model} {stream}");
        }
    }
    for absent in ["temperature", "stop", "n", "tools", "logprobs", "metadata"] {
        let mut body = body(json!({}));
        body[absent] = Value::Null;
        assert_eq!(validate(OPENAI, body, None), Ok(()), "{absent}: null");
    }
}

#[test]
fn models_exist_unless_they_are_restricted() {
    let asks = |model: &str| body(json!({ "model": model }));
    let restricted = Some(&["gpt-4o", "llama3"][..]);
    assert_eq!(validate(OPENAI, asks("llama3"), None), Ok(()));
    assert_eq!(validate(OPENAI, asks("llama3"), restricted), Ok(()));
    let unknown = Err(Reject::UnknownModel("gpt-4".to_owned()));
    assert_eq!(validate(OPENAI, asks("gpt-4"), restricted), unknown);
    assert_eq!(validate(AZURE_V1, asks("gpt-4"), restricted), unknown);
    assert_eq!(validate("GET /v1/models/gpt-4", Value::Null, restricted), unknown);
    assert_eq!(validate("GET /v1/models/gpt-4o", Value::Null, restricted), Ok(()));
    assert_eq!(validate("GET /v1/models", Value::Null, restricted), Ok(()));
    let invalid = json!({"model": "gpt-4", "messages": 1});
    assert_eq!(validate(OPENAI, invalid, restricted), unknown, "the gateway asks before the validator");
}

#[test]
fn azure_asks_for_an_api_version_first() {
    let deployment = "/openai/deployments/gpt-4o/chat/completions";
    for (line, expected) in [
        (format!("POST {deployment}"), Err(Reject::UnknownUrl)),
        (format!("POST {deployment}?api-version="), Err(Reject::UnknownUrl)),
        (format!("POST {deployment}?api-version=2024-10-21"), Ok(())),
        (format!("POST {deployment}?api-version=2024-12-01-preview"), Ok(())),
        (format!("POST {deployment}?api-version=2022-12-01"), Err(Reject::ApiVersion)),
        (format!("POST {deployment}?api-version=latest"), Err(Reject::ApiVersion)),
        (AZURE_V1.to_owned(), Ok(())),
        (format!("{AZURE_V1}?api-version=preview"), Ok(())),
        (format!("{AZURE_V1}?api-version=v1"), Ok(())),
        (format!("{AZURE_V1}?api-version=2024-10-21"), Err(Reject::ApiVersion)),
        ("GET /openai/models".to_owned(), Err(Reject::UnknownUrl)),
        ("GET /openai/v1/models".to_owned(), Ok(())),
        ("POST /openai/deployments/x/unknown?api-version=2024-10-21".to_owned(), Err(Reject::UnknownUrl)),
    ] {
        assert_eq!(validate(&line, body(json!({})), None), expected, "{line}");
    }
}

#[test]
fn azure_ignores_the_bodys_model_beside_a_deployment() {
    for model in [json!("unused"), json!(null), json!(4)] {
        assert_eq!(validate(AZURE, body(json!({ "model": model })), Some(&["gpt-4o"])), Ok(()));
    }
    assert_eq!(
        validate(AZURE, body(json!({})), Some(&["x"])),
        Err(Reject::UnknownModel("gpt-4o".to_owned()))
    );
    assert_eq!(validate(AZURE_V1, body(json!({"model": null})), None), Err(Reject::NoModel));
    assert_eq!(validate(AZURE, body(json!({"data_sources": []})), None), Ok(()));
    let reasoning = validate(
        "POST /openai/deployments/my-gpt-5-mini/chat/completions?api-version=2025-01-01-preview",
        body(json!({"max_tokens": 1})),
        None,
    );
    assert!(matches!(reasoning, Err(Reject::Invalid(_))), "{reasoning:?}");
}

#[test]
fn backends_of_an_earlier_date_do_not_know_stream_options() {
    let late = |line: &str, profile: &str| {
        let body = body(json!({"stream": true, "stream_options": {"include_usage": true}}));
        let request = Request { call: call(line, &[]), body };
        let refused = request.call.route.dialect.too_new(&request, profile.parse().unwrap());
        refused.map(|reject| match reject {
            Reject::Invalid(violation) => violation.message,
            other => panic!("{other:?}"),
        })
    };
    assert_eq!(late(AZURE, "2024-08").as_deref(), Some("Unknown parameter: 'stream_options'."));
    assert_eq!(late(AZURE, "2024-10"), None);
    assert_eq!(
        late(OPENAI, "2024-04").as_deref(),
        Some("Unrecognized request argument supplied: stream_options")
    );
    assert_eq!(late(OPENAI, "2024-06"), None);
}
