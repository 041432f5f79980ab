//! What Azure's content filter puts into streams.

use super::*;

#[test]
fn azures_first_chunk_comes_first_or_is_changed() {
    let first = TEXT.lines().nth(1).unwrap().trim();
    changes(
        "azure-prompt-filter-chunk",
        OPENAI,
        TEXT,
        0,
        &[
            r#"0 Preamble {"id":"","object":"","created":0,"model":"","choices":[],"prompt_filter_results":PROMPT}"#,
            first,
        ],
    );
    changes(
        "azure-prompt-filter-chunk:empty_ids=false,key=prompt_annotations",
        OPENAI,
        TEXT,
        0,
        &[r#"0 Preamble <o ],"prompt_annotations":PROMPT}"#, first],
    );
    check("azure-prompt-filter-chunk", AZURE, AZURE_TEXT, AZURE_TEXT);
    changes(
        "azure-prompt-filter-chunk:empty_ids=false,key=prompt_annotations",
        AZURE,
        AZURE_TEXT,
        0,
        &[
            r#"10 Preamble <a ],"created":1,"id":"c","model":"m","object":"chat.completion.chunk","prompt_annotations":PROMPT}"#,
        ],
    );
    check(
        "azure-prompt-filter-chunk",
        OPENAI,
        BODY,
        &BODY.replace(r#"3}}"#, r#"3},"prompt_filter_results":PROMPT}"#),
    );
}

#[test]
fn the_asynchronous_filters_chunk_has_no_delta_and_counts_the_text_before_it() {
    changes(
        "azure-async-filter-chunk",
        AZURE,
        AZURE_TEXT,
        4,
        &[
            r#"30 Filter <a {"content_filter_offsets":{"check_offset":44,"start_offset":44,"end_offset":46},"content_filter_results":SAFE,"finish_reason":null,"index":0}],"created":0,"id":"","model":"","object":""}"#,
            "30 Done [DONE]",
        ],
    );
    changes(
        "azure-async-filter-chunk:delta=null,offsets=false@event:2",
        AZURE,
        AZURE_TEXT,
        2,
        &[
            r#"10 Filter <a {"content_filter_results":SAFE,"delta":null,"finish_reason":null,"index":0}],"created":0,"id":"","model":"","object":""}"#,
            AZURE_TEXT.lines().nth(3).unwrap().trim(),
        ],
    );
    changes(
        "azure-async-filter-chunk@first-content",
        OPENAI,
        TEXT,
        2,
        &[
            r#"20 Filter {"id":"","object":"","created":0,"model":"","choices":[{"index":0,"finish_reason":null,"content_filter_results":SAFE,"content_filter_offsets":{"check_offset":44,"start_offset":44,"end_offset":46}}]}"#,
            TEXT.lines().nth(3).unwrap().trim(),
        ],
    );
    check("azure-async-filter-chunk", AZURE, BODY, BODY);
}

#[test]
fn the_filters_own_failure_takes_the_place_of_its_verdict() {
    const ERROR: &str = r#""content_filter_result":{"error":{"code":"content_filter_error","message":"The contents are not filtered"}}"#;
    changes(
        "filter-service-error",
        AZURE,
        AZURE_TEXT,
        2,
        &[&format!(
            r#"20 Content <a {{{ERROR},"delta":{{"content":"Hi"}},"finish_reason":null,"index":0}} a>"#
        )],
    );
    changes(
        "filter-service-error@event:2",
        OPENAI,
        TEXT,
        2,
        &[&format!(
            r#"30 Content <o {{"index":0,"delta":{{"content":"llo"}},"finish_reason":null,{ERROR}}} o>"#
        )],
    );
    check("filter-service-error", OPENAI, BODY, &BODY.replace("\"stop\"", &format!("\"stop\",{ERROR}")));
}

#[test]
fn the_filter_ends_the_stream_and_nothing_follows_but_done() {
    let hit = SAFE.replace(
        r#""violence":{"filtered":false,"severity":"safe"}"#,
        r#""violence":{"filtered":true,"severity":"medium"}"#,
    );
    check(
        "content-filter-finish@event:2",
        AZURE,
        AZURE_TEXT,
        &format!(
            r#"{}
        10 Finish <a {{"content_filter_results":{hit},"delta":{{}},"finish_reason":"content_filter","index":0}} a>
        10 Done [DONE]"#,
            AZURE_TEXT.lines().take(3).collect::<Vec<_>>().join("\n")
        ),
    );
    check(
        "content-filter-finish@event:2",
        OPENAI,
        TEXT,
        &format!(
            r#"{}
        20 Finish <o {{"index":0,"delta":{{}},"finish_reason":"content_filter"}} o>
        20 Done [DONE]"#,
            TEXT.lines().take(3).collect::<Vec<_>>().join("\n")
        ),
    );
    // A place after the finish is at the finish.
    check(
        "content-filter-finish@event:99",
        OPENAI,
        TEXT,
        &TEXT.replace("40 ", "30 ").replace("stop", "content_filter"),
    );
    check("content-filter-finish", OPENAI, BODY, &BODY.replace("\"stop\"", "\"content_filter\""));
    check(
        "content-filter-finish:category=hate,severity=high",
        AZURE,
        BODY,
        &BODY.replace(
            "\"stop\"",
            &format!(
                r#""content_filter","content_filter_results":{}"#,
                SAFE.replacen(
                    r#"{"filtered":false,"severity":"safe"}"#,
                    r#"{"filtered":true,"severity":"high"}"#,
                    1
                )
            ),
        ),
    );
    // What else the filter says of the choice stays.
    let verdicts = BODY.replace(
        "\"stop\"",
        r#""stop","content_filter_results":{"hate":{"filtered":false,"severity":"safe"},"x":1}"#,
    );
    let hit = verdicts
        .replace("stop", "content_filter")
        .replace(r#"false,"severity":"safe""#, r#"true,"severity":"medium""#);
    check("content-filter-finish:category=hate", AZURE, &verdicts, &hit);
}
