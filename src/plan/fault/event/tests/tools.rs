//! Tool calls, and choices in another order.

use super::*;

#[test]
fn arguments_end_between_two_characters_and_the_finish_is_told() {
    let lines: Vec<&str> = TOOLS.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let whole = r#"{\"é\": "#;
    let with = |arguments: &str| lines[1].replace(whole, arguments);
    // Half of 12 bytes.
    let half = with(r#"{\"é\":"#);
    let kept = [lines[0], &half, lines[3], lines[4], lines[5]].join("\n");
    check("tool-args-truncated", OPENAI, TOOLS, &kept);
    // In the middle of `é`, which goes.
    let (three, length) = (with(r#"{\""#), lines[4].replace("tool_calls", "length"));
    let kept = [lines[0], &three, lines[3], &length, lines[5]].join("\n");
    check("tool-args-truncated:byte=3,finish=length", OPENAI, TOOLS, &kept);
    // Nothing is left of them but the event that names the call.
    let kept = [lines[0], lines[3], lines[5]].join("\n");
    check("tool-args-truncated:byte=0,finish=none", OPENAI, TOOLS, &kept);
    check("tool-args-truncated:byte=99", OPENAI, TOOLS, TOOLS);
    check("tool-args-truncated", OPENAI, TEXT, TEXT);
    check("tool-args-truncated:byte=4", OPENAI, TOOL_BODY, &TOOL_BODY.replace(r#"{\"a\":1}"#, r#"{\"a\""#));
    check(
        "tool-args-truncated:byte=0,finish=none",
        OPENAI,
        TOOL_BODY,
        &TOOL_BODY.replace(r#"{\"a\":1}"#, "").replace("\"tool_calls\"}]", "null}]"),
    );
}

#[test]
fn the_arguments_of_a_function_call_end_early_too() {
    let stream = r#"10 Role <o {"index":0,"delta":{"role":"assistant","function_call":{"name":"f","arguments":""}},"finish_reason":null} o>
        20 Content <o {"index":0,"delta":{"function_call":{"arguments":"{\"a\":"}},"finish_reason":null} o>
        30 Content <o {"index":0,"delta":{"function_call":{"arguments":"1}"}},"finish_reason":null} o>
        30 Finish <o {"index":0,"delta":{},"finish_reason":"stop"} o>"#;
    let lines: Vec<&str> = stream.lines().collect();
    let finish = lines[3].replace("stop", "function_call");
    let kept = [lines[0], &lines[1].replace(r#"\"a\":"#, r#"\"a"#), &finish].join("\n");
    check("tool-args-truncated", OPENAI, stream, &kept);
}

#[test]
fn tool_calls_lose_what_tells_them_apart() {
    check(
        "tool-call-identity",
        OPENAI,
        TOOLS,
        &TOOLS.replace(r#"[{"index":0,"#, "[{").replace(r#"[{"index":1,"#, "[{"),
    );
    check(
        "tool-call-identity:index=zero",
        OPENAI,
        TOOLS,
        &TOOLS.replace(r#"[{"index":1,"#, r#"[{"index":0,"#),
    );
    check(
        "tool-call-identity:index=from-one",
        OPENAI,
        TOOLS,
        &TOOLS.replace(r#"[{"index":1,"#, r#"[{"index":2,"#).replace(r#"[{"index":0,"#, r#"[{"index":1,"#),
    );
    check(
        "tool-call-identity:id=missing,type=missing,name=empty",
        OPENAI,
        TOOLS,
        &TOOLS
            .replace(r#""id":"c1","type":"function","#, "")
            .replace(r#""id":"c2","type":"function","#, "")
            .replace(r#""name":"f""#, r#""name":"""#)
            .replace(r#""name":"g""#, r#""name":"""#),
    );
    check(
        "tool-call-identity:index=missing,type=missing",
        OPENAI,
        TOOLS,
        &TOOLS
            .replace(r#"[{"index":0,"#, "[{")
            .replace(r#"[{"index":1,"#, "[{")
            .replace(r#""type":"function","#, ""),
    );
    check(
        "tool-call-identity:id=empty",
        OPENAI,
        TOOLS,
        &TOOLS.replace(r#""id":"c1""#, r#""id":"""#).replace(r#""id":"c2""#, r#""id":"""#),
    );
    check(
        "tool-call-identity:index=right,id=repeated",
        OPENAI,
        TOOLS,
        &TOOLS.replace(r#"[{"index":0,"function""#, r#"[{"index":0,"id":"c1","function""#),
    );
    let sorted = r#"10 Content <a {"delta":{"tool_calls":[{"function":{"arguments":"","name":"f"},"id":"c1","index":0,"type":"function"}]},"finish_reason":null,"index":0} a>
        20 Content <a {"delta":{"tool_calls":[{"function":{"arguments":"{}"},"index":0}]},"finish_reason":null,"index":0} a>"#;
    check(
        "tool-call-identity:index=right,id=repeated",
        AZURE,
        sorted,
        &sorted.replace(r#""{}"},"#, r#""{}"},"id":"c1","#),
    );
    check("tool-call-identity:id=empty", OPENAI, TOOL_BODY, &TOOL_BODY.replace("\"c1\"", "\"\""));
}

#[test]
fn choices_come_in_another_order_at_the_same_times() {
    let event = |at: usize, choice: u32, text: &str| {
        format!(
            r#"{at} Content <o {{"index":{choice},"delta":{{"content":"{text}"}},"finish_reason":null}} o>"#
        )
    };
    let stream = [
        event(10, 0, "a"),
        event(20, 0, "b"),
        event(30, 1, "c"),
        event(40, 1, "d"),
        event(50, 1, "e"),
        "60 Done [DONE]".to_owned(),
    ]
    .join("\n");
    let expected = |order: &[(u32, &str)]| {
        let events =
            order.iter().enumerate().map(|(slot, (choice, text))| event(10 + 10 * slot, *choice, text));
        events.chain(["60 Done [DONE]".to_owned()]).collect::<Vec<_>>().join("\n")
    };
    check(
        "choices-interleaved",
        OPENAI,
        &stream,
        &expected(&[(1, "c"), (0, "a"), (1, "d"), (0, "b"), (1, "e")]),
    );
    check(
        "choices-interleaved:order=grouped",
        OPENAI,
        &expected(&[(1, "c"), (0, "a"), (1, "d"), (0, "b"), (1, "e")]),
        &stream,
    );
    let long = expected(&[(0, "a"), (0, "b"), (0, "c"), (0, "d"), (1, "e"), (1, "f"), (1, "g"), (1, "h")]);
    let shuffled =
        expected(&[(0, "a"), (0, "b"), (0, "c"), (1, "e"), (0, "d"), (1, "f"), (1, "g"), (1, "h")]);
    check("choices-interleaved:order=shuffled", OPENAI, &long, &shuffled);
    check("choices-interleaved", OPENAI, TEXT, TEXT);
    check(
        "choices-interleaved",
        OPENAI,
        r#"10 Body {"choices":[{"index":0}, {"index":1}]}"#,
        r#"10 Body {"choices":[{"index":1}, {"index":0}]}"#,
    );
}
