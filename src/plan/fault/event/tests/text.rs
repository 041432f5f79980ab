//! Roles, text and finish reasons.

use super::*;

#[test]
fn roles_are_repeated_missing_or_empty() {
    check(
        "role-anomaly",
        OPENAI,
        TEXT,
        &TEXT
            .replace(r#"{"content":"Hé"#, r#"{"role":"assistant","content":"Hé"#)
            .replace(r#"{"content":"ll"#, r#"{"role":"assistant","content":"ll"#)
            .replace(r#""delta":{}"#, r#""delta":{"role":"assistant"}"#),
    );
    check(
        "role-anomaly",
        AZURE,
        AZURE_TEXT,
        &AZURE_TEXT
            .replace(r#"{"content":"Hi""#, r#"{"content":"Hi","role":"assistant""#)
            .replace(r#""delta":{}"#, r#""delta":{"role":"assistant"}"#),
    );
    check("role-anomaly:form=missing", OPENAI, TEXT, &TEXT.replace(r#""role":"assistant","#, ""));
    check("role-anomaly:form=empty", AZURE, AZURE_TEXT, &AZURE_TEXT.replace("\"assistant\"", "\"\""));
    check("role-anomaly:form=missing", OPENAI, BODY, &BODY.replace(r#""role":"assistant","#, ""));
}

#[test]
fn content_is_null_absent_or_reasoning() {
    check(
        "content-null",
        OPENAI,
        TEXT,
        &TEXT.replace("\"\"", "null").replace("\"Hé\"", "null").replace("\"llo\"", "null"),
    );
    check("content-null@event:2", OPENAI, TEXT, &TEXT.replace("\"llo\"", "null"));
    check(
        "content-null:form=absent@first-content",
        AZURE,
        AZURE_TEXT,
        &AZURE_TEXT.replace(r#""content":"Hi""#, ""),
    );
    check("content-null:form=reasoning-only", OPENAI, BODY, &BODY.replace("content", "reasoning_content"));
}

#[test]
fn finish_reasons_come_with_text_or_are_wrong_or_missing() {
    let lines: Vec<&str> = TEXT.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    check(
        "finish-with-content",
        OPENAI,
        TEXT,
        &[
            lines[0],
            lines[1],
            &lines[2].replace("Content", "Finish").replace(":null", r#":"stop""#),
            lines[4],
        ]
        .join("\n"),
    );
    check("finish-with-content", OPENAI, BODY, BODY);
    check(
        "finish-stop-with-tools",
        OPENAI,
        TOOLS,
        &TOOLS
            .replace("\"tool_calls\"}", "X")
            .replace("\"finish_reason\":\"tool_calls\"", "\"finish_reason\":\"stop\"")
            .replace('X', "\"stop\"}"),
    );
    check("finish-stop-with-tools", OPENAI, TEXT, TEXT);
    check("finish-stop-with-tools:inverse=true", OPENAI, TEXT, &TEXT.replace("stop", "tool_calls"));
    check("finish-stop-with-tools", OPENAI, TOOL_BODY, &TOOL_BODY.replace("\"tool_calls\"}", "\"stop\"}"));
    check("finish-unknown", AZURE, AZURE_TEXT, &AZURE_TEXT.replace("stop", "network_error"));
    check("finish-unknown:value=a\"b", OPENAI, BODY, &BODY.replace("stop", "a\\\"b"));
    check("finish-missing", OPENAI, TEXT, &TEXT.replace("\"stop\"", "null"));
    check("finish-missing:value=empty", OPENAI, TEXT, &TEXT.replace("stop", ""));
    check(
        "finish-missing:value=absent",
        AZURE,
        AZURE_TEXT,
        &AZURE_TEXT.replace(r#""finish_reason":"stop","#, ""),
    );
    check("finish-missing", OPENAI, BODY, &BODY.replace("\"stop\"", "null"));
}

#[test]
fn something_follows_the_finish() {
    let after = |fault: &str, path: &str, stream: &str, expected: &str| {
        let at = stream.lines().rfind(|line| line.contains("Done")).unwrap().trim().to_owned();
        changes(fault, path, stream, 4, &[expected, &at]);
    };
    after(
        "chunk-after-finish",
        OPENAI,
        TEXT,
        r#"40 Content <o {"index":0,"delta":{"content":" (late)"},"finish_reason":null} o>"#,
    );
    after(
        "chunk-after-finish",
        AZURE,
        AZURE_TEXT,
        r#"30 Content <a {"content_filter_results":SAFE,"delta":{"content":" (late)"},"finish_reason":null,"index":0} a>"#,
    );
    after(
        "chunk-after-finish:what=empty",
        AZURE,
        AZURE_TEXT,
        r#"30 Other <a {"content_filter_results":{},"delta":{},"finish_reason":null,"index":0} a>"#,
    );
    after(
        "chunk-after-finish:what=usage",
        OPENAI,
        TEXT,
        r#"40 Usage <o ],"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}},"obfuscation":"xy"}"#,
    );
    check("chunk-after-finish", OPENAI, BODY, BODY);
}

#[test]
fn halves_of_a_character_are_two_events() {
    changes(
        "surrogate-split",
        OPENAI,
        TEXT,
        1,
        &[
            r#"10 Content <o {"index":0,"delta":{"content":"\ud83d"},"finish_reason":null} o>"#,
            r#"10 Content <o {"index":0,"delta":{"content":"\ude00"},"finish_reason":null} o>"#,
            TEXT.lines().nth(2).unwrap().trim(),
        ],
    );
    check("surrogate-split", OPENAI, BODY, BODY);
    check("surrogate-split", OPENAI, TOOLS, TOOLS);
}

#[test]
fn separators_are_raw() {
    check("unicode-separators", OPENAI, TEXT, &TEXT.replace("Hé", "Hé\u{2028}\u{2029}\u{85}"));
    check("unicode-separators:char=2029@event:2", OPENAI, TEXT, &TEXT.replace("llo", "llo\u{2029}"));
    check("unicode-separators:char=0085", AZURE, BODY, &BODY.replace("Hé", "Hé\u{85}"));
}
