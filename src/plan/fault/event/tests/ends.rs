//! Usage, envelopes, how large and how often events are, and how streams end.

use super::*;

#[test]
fn the_usage_chunk_takes_its_form_or_is_added() {
    const SORTED: &str = r#""usage":{"completion_tokens":1,"completion_tokens_details":{"accepted_prediction_tokens":0,"audio_tokens":0,"reasoning_tokens":0,"rejected_prediction_tokens":0},"prompt_tokens":9,"prompt_tokens_details":{"audio_tokens":0,"cached_tokens":0},"total_tokens":10}}"#;
    changes(
        "usage-chunk:choices=absent",
        AZURE,
        AZURE_TEXT,
        4,
        &[
            &format!(
                r#"30 Usage {{"created":1,"id":"c","model":"m","obfuscation":"xy","object":"chat.completion.chunk",{SORTED}"#
            ),
            "30 Done [DONE]",
        ],
    );
    check("usage-chunk:unsolicited=false", AZURE, AZURE_TEXT, AZURE_TEXT);
    let own = r#"10 Usage {"id":"c","choices":[],"usage":{"total_tokens":3.0}}
        10 Done [DONE]"#;
    check("usage-chunk:choices=null", OPENAI, own, &own.replace("[]", "null"));
    check("usage-chunk:choices=absent", OPENAI, own, &own.replace(r#""choices":[],"#, ""));
    check("usage-chunk", OPENAI, own, own);
    check("usage-chunk:choices=null", OPENAI, BODY, BODY);
}

#[test]
fn envelopes_lack_keys_and_have_more() {
    let bare = |stream: &str| {
        short(
            &long(stream)
                .replace(r#""id":"c","object":"chat.completion.chunk","created":1,"model":"m","#, ""),
        )
    };
    check("envelope-missing", OPENAI, TEXT, &bare(TEXT));
    changes(
        "envelope-missing:drop=id+model,add=x@event:1",
        OPENAI,
        TEXT,
        1,
        &[
            r#"20 Content {"object":"chat.completion.chunk","created":1,"choices":[{"index":0,"delta":{"content":"Hé"},"finish_reason":null}],"obfuscation":"xy","x":{"unknown":[1,null]}}"#,
        ],
    );
    check(
        "envelope-missing:drop=,add=b\"",
        AZURE,
        BODY,
        &BODY.replace(r#"3}}"#, r#"3},"b\"":{"unknown":[1,null]}}"#),
    );
    check("envelope-missing:drop=usage", OPENAI, BODY, &BODY.replace(r#","usage":{"total_tokens":3}"#, ""));
}

#[test]
fn a_padded_event_has_its_length_and_its_text() {
    for (bytes, path, stream) in [(1000, OPENAI, TEXT), (70_001, AZURE, AZURE_TEXT)] {
        let broken = broken(&format!("event-oversize:bytes={bytes}"), path, stream);
        let target = |response: &Response| {
            response.pieces.iter().find(|piece| piece.kind == EventKind::Content).unwrap().clone()
        };
        assert_eq!(target(&broken).bytes.len(), bytes + 2, "the line, and two line feeds");
        let old = target(&response(stream));
        let new = edit::remove(chunk::json(&target(&broken)).unwrap(), &["padding"]);
        assert_eq!(new.as_deref(), chunk::json(&old));
    }
    check("event-oversize:bytes=5", OPENAI, TEXT, TEXT);
    check("event-oversize@done", OPENAI, TEXT, TEXT);
    assert_eq!(broken("event-oversize:bytes=5000", OPENAI, BODY).length(), 5000);
}

#[test]
fn an_event_comes_again_at_once() {
    let line = TEXT.lines().nth(2).unwrap().trim();
    changes("duplicate-event:times=2", OPENAI, TEXT, 1, &[line, line, line]);
    changes("duplicate-event@event:-1", OPENAI, TEXT, 4, &["40 Done [DONE]", "40 Done [DONE]"]);
    check("duplicate-event", OPENAI, BODY, BODY);
    assert_eq!(broken("duplicate-event:times=10000", OPENAI, TEXT).pieces.len(), 5 + 10_000);
}

#[test]
fn an_error_ends_the_stream() {
    const OPENAI_ERROR: &str = r#"{"error":{"message":"The server had an error while processing your request. Sorry about that!","type":"server_error","param":null,"code":"server_error"}}"#;
    let lines: Vec<&str> = TEXT.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    check(
        "error-in-stream@event:1",
        OPENAI,
        TEXT,
        &[lines[0], &format!("10 Other {OPENAI_ERROR}"), "10 Done [DONE]"].join("\n"),
    );
    check("error-in-stream:then=end@event:0", OPENAI, TEXT, &format!("0 Other {OPENAI_ERROR}"));
    check(
        "error-in-stream:shape=flat,code=x,message=No!,then=end@head",
        OPENAI,
        TEXT,
        r#"0 Other event: error|data: {"type":"error","code":"x","message":"No!","param":null}||"#,
    );
    check(
        "error-in-stream:shape=string,message=No!,event_name=oops,then=end@head",
        AZURE,
        TEXT,
        r#"0 Other event: oops|data: {"error":"No!"}||"#,
    );
    check(
        "error-in-stream:shape=anthropic,code=overloaded_error,then=end@head",
        AZURE,
        TEXT,
        r#"0 Other event: error|data: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}||"#,
    );
    let closed = broken("error-in-stream:then=close@role", OPENAI, TEXT);
    assert_eq!((closed.ending, closed.pieces.len()), (Ending::Close, 2));
    assert_eq!(broken("error-in-stream", OPENAI, TEXT).ending, Ending::Complete);
    check(
        "error-in-stream:code=x",
        OPENAI,
        BODY,
        &format!("10 Body {}", OPENAI_ERROR.replace(r#""code":"server_error""#, r#""code":"x""#)),
    );
    // An empty body that is no stream stays empty.
    let request = Request::post(OPENAI, Value::Null);
    let context = Context { seed: Seed::new(0), max_hold: Duration::ZERO, call: &request.call };
    let mut empty = response("");
    empty.head.headers.clear();
    "error-in-stream:then=close".parse::<Fault>().unwrap().apply(&mut empty, &context);
    assert_eq!((empty.pieces.len(), empty.ending), (0, Ending::Complete));
}

#[test]
fn a_truncated_stream_is_whole_http() {
    let lines: Vec<&str> = TEXT.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    check("stream-truncated@event:2", OPENAI, TEXT, &lines[..2].join("\n"));
    check(
        "stream-truncated:keep_done=true@event:2,byte:9",
        OPENAI,
        TEXT,
        &[lines[0], lines[1], "20 Done [DONE]"].join("\n"),
    );
    check("stream-truncated@finish", OPENAI, TEXT, &lines[..4].join("\n"));
    check("stream-truncated@event:0,byte:9", OPENAI, TEXT, "10 Role data: {\"i");
    assert_eq!(broken("stream-truncated@event:2", OPENAI, TEXT).ending, Ending::Complete);
}

#[test]
fn a_length_that_was_right_stays_right() {
    for fault in [
        "stream-truncated@event:3",
        "error-in-stream",
        "finish-unknown",
        "event-oversize",
        "role-anomaly:form=missing",
    ] {
        let broken = broken(fault, AZURE, BODY);
        let length = broken.head.header("content-length").unwrap().to_str().unwrap();
        assert_eq!(length, broken.length().to_string(), "{fault}");
        assert_ne!(length, response(BODY).length().to_string(), "{fault}");
    }
}

#[test]
fn an_error_at_a_time_comes_at_that_time() {
    let request = Request::post(OPENAI, Value::Null);
    let context = Context { seed: Seed::new(0), max_hold: Duration::ZERO, call: &request.call };
    let mut stream = response(TEXT);
    let at = At::Elapsed(Duration::from_millis(25));
    "error-in-stream".parse::<Fault>().unwrap().at(at).apply(&mut stream, &context);
    let times: Vec<_> = stream.pieces.iter().map(|piece| piece.at.as_millis()).collect();
    assert_eq!((times, stream.ends_at.as_millis()), (vec![10, 20, 25, 25], 25));
}
