//! The forms in which recorders keep a body, a status and headers.

use super::*;

#[test]
fn a_body_is_read_from_whatever_key_it_is_under() {
    for body in [
        "{string: '{\"ok\":1}'}",
        "'{\"ok\":1}'",
        "|-\n      {\"ok\":1}",
        "!!binary |\n      eyJvayI6\n      MX0=",
        "{string: !!binary eyJvayI6MX0=}",
        "{encoding: ASCII-8BIT, string: !binary eyJvayI6MX0=}",
        "{encoding: ASCII-8BIT, base64_string: 'eyJvayI6MX0='}",
        "{string: !!python/unicode '{\"ok\":1}'}",
        "{string: ['{\"ok\"', ':1}']}",
        "{string: !ruby/string:Text {str: '{\"ok\":1}', encoding: UTF-8}}",
        "!!python/object/new:_io.BytesIO\n      state: !!python/tuple\n      - !!binary eyJvayI6MX0=\n      - 0\n      - null",
    ] {
        check(body, "{\"ok\":1}", &[]);
    }
    for body in
        ["null", "~", "", "''", "{}", "{string: null}", "{string: ''}", "{encoding: UTF-8, string: ''}"]
    {
        check(body, "", &[]);
    }
    for (body, text) in
        [("123", "123"), ("{string: on}", "on"), ("{string: 1.50}", "1.50"), ("'null'", "null")]
    {
        check(body, text, &[]);
    }
    check(&format!("{{raw_gzip: {}}}", STANDARD.encode(gzip("{}"))), "{}", &[]);
}

#[test]
fn what_ruby_has_turned_into_characters_becomes_bytes_again() {
    check("{encoding: ISO-8859-1, string: \"\\xC3\\xBC\"}", "ü", &[]);
    check("{encoding: ISO-8859-1, string: \"\\u2026\\xE4\"}", [0x85, 0xe4], &[]);
    check("{encoding: ISO-8859-1, string: \"\\u65E5\"}", "日", &[]);
    check("{encoding: UTF-8, string: \"\\xFC\"}", "ü", &[]);
}

#[test]
fn a_body_that_the_recorder_parsed_is_written_anew_and_said_to_be() {
    let note =
        "the recorder kept parsed JSON: its values are as sent, the order of its keys and its spaces are not";
    check(
        "{choices: [{index: 0, text: 'on', logprobs: null}], ok: true}", // what PyYAML writes for them
        r#"{"choices":[{"index":0,"text":"on","logprobs":null}],"ok":true}"#,
        &[note],
    );
    check("{content: [{text: hi}], str: a}", r#"{"content":[{"text":"hi"}],"str":"a"}"#, &[note]);
    check("[{a: 1.5}]", r#"[{"a":1.5}]"#, &[note]);
    let cassette =
        one("    parsed_body: {model: gpt-4o, temperature: 0.5}\n", "    parsed_body:\n      a: 1\n");
    let exchange = &exchanges(&cassette)[0];
    assert_eq!(exchange.transcript.response.bytes(), r#"{"a":1}"#);
    assert_eq!(
        exchange.transcript.request.as_ref().unwrap().body,
        Some(json!({"model": "gpt-4o", "temperature": 0.5}))
    );
    assert_eq!(exchange.notes, [format!("of its request, {note}"), note.to_owned()]);
}

#[test]
fn whether_a_body_is_compressed_is_told_by_its_bytes() {
    let header = "    headers: {content-encoding: [gzip], content-type: [text/event-stream]}\n";
    let stream = "data: {}\n\ndata: [DONE]\n\n";
    for body in [
        format!("    body: {{string: !!binary {}}}\n", STANDARD.encode(gzip(stream))),
        "    body: {string: \"data: {}\\n\\ndata: [DONE]\\n\\n\"}\n".to_owned(),
    ] {
        let exchange = &exchanges(one("", &format!("{header}{body}")))[0];
        assert_eq!(exchange.transcript.response.bytes(), stream);
        assert_eq!(exchange.transcript.response.events.as_ref().unwrap().len(), 2);
    }
    let body = format!("    body: {{string: !!binary {}}}\n", STANDARD.encode([0xff, 0xfe, 0]));
    assert_eq!(bodies(one("", &format!("{header}{body}")))[0].0, &[0xff, 0xfe, 0][..]);
    // A request's body, too.
    for body in ["'{}'".to_owned(), format!("!!binary {}", STANDARD.encode(gzip("{}")))] {
        let request = format!("    headers: {{content-encoding: gzip}}\n    body: {body}\n");
        let exchange = &exchanges(one(&request, "    headers: {}\n"))[0];
        assert_eq!(exchange.transcript.request.as_ref().unwrap().body, Some(json!({})));
    }
}

#[test]
fn a_length_that_does_not_fit_is_told() {
    let response = "    headers: {content-length: ['9']}\n    body: {string: '{\"ok\":1}'}\n";
    assert_eq!(
        bodies(one("", response))[0].1,
        ["its content-length says 9 bytes, but 8 are recorded: the body was cut or edited"]
    );
}

#[test]
fn a_status_is_read_from_whatever_says_it() {
    for (status, code, reason) in [
        ("status: {code: 429, message: Slow Down}", 429, Some("Slow Down")),
        ("status: {code: 200, message: null}", 200, None),
        ("status: 404", 404, None),
        ("{status: 503 Gone Fishing, code: 503}", 503, None),
        ("status: 503 Gone Fishing", 503, Some("Gone Fishing")),
        ("status_code: 201", 201, None),
        ("status: !ruby/struct:VCR::ResponseStatus {code: 200, message: OK}", 200, None),
    ] {
        let status = status.trim_matches(['{', '}']).replace(", code: 5", "\n    code: 5");
        let status =
            if status.contains(": {") || status.contains(" {") { format!("{status}}}") } else { status };
        let cassette = one("", "    headers: {}\n").replace("status: {code: 200, message: OK}", &status);
        let response = &exchanges(&cassette)[0].transcript.response;
        assert_eq!((response.status, response.reason.as_deref()), (code, reason), "{status}");
    }
}

#[test]
fn headers_are_read_in_their_order_from_whatever_holds_them() {
    for headers in [
        "{B: [x], a: ['1', '2'], c: y}",
        "[[B, x], [a, '1'], [a, '2'], [c, y]]",
        "[\"B: x\\r\\n\", \"a: 1\\r\\n\", \"a: 2\\r\\n\", \"c: y\\r\\n\"]",
        "!!python/object/apply:__builtin__.frozenset [[!!python/tuple [B, x], !!python/tuple [a, '1'], \
         !!python/tuple [a, '2'], !!python/tuple [c, y]]]",
        "{B: [!!binary eA==], a: ['1', '2'], c: y, d: null}",
        "{:B: x, a: ['1', '2'], c: y}",
    ] {
        let headers = headers.replace(":B:", "!ruby/sym ':B':");
        let response = &exchanges(one("", &format!("    headers: {headers}\n")))[0].transcript.response;
        let expected = [("B", "x"), ("a", "1"), ("a", "2"), ("c", "y")];
        assert_eq!(
            response.headers,
            expected.map(|(name, value)| (name.to_owned(), value.to_owned())),
            "{headers}"
        );
    }
}

#[test]
fn the_oldest_layouts_are_read() {
    let vcrpy = "- request: !!python/object:vcr.request.Request\n    body: null\n    headers: !!python/object/apply:\
                 __builtin__.frozenset\n    - - !!python/tuple [accept, '*/*']\n    host: h\n    method: GET\n    \
                 path: /v1/models?a=1\n    port: 8443\n    protocol: https\n  response:\n    body: {string: '{}'}\n    \
                 headers: [\"content-type: application/json\\r\\n\"]\n    status: {code: 200, message: OK}\n";
    let exchange = &exchanges(vcrpy)[0];
    let request = exchange.transcript.request.as_ref().unwrap();
    assert_eq!((request.path.as_str(), exchange.host.as_deref()), ("/v1/models?a=1", Some("h:8443")));
    assert_eq!(request.headers, [("accept".to_owned(), "*/*".to_owned())]);

    let ruby = "---\n- !ruby/struct:VCR::HTTPInteraction\n  request: !ruby/struct:VCR::Request\n    method: :post\n    \
                uri: http://h:80/v1/x\n    body: a=b\n    headers:\n      accept:\n      - \"*/*\"\n  \
                response: !ruby/struct:VCR::Response\n    status: !ruby/struct:VCR::ResponseStatus\n      code: 200\n      \
                message: OK\n    headers: {}\n    body: '{}'\n    http_version: '1.1'\n";
    let exchange = &exchanges(ruby)[0];
    assert_eq!(exchange.transcript.request.as_ref().unwrap().method, "POST");
    assert_eq!(exchange.transcript.response.bytes(), "{}");

    let httpx =
        one("    body: '{}'\n", "    content: '{\"ok\":1}'\n    http_version: HTTP/1.1\n    headers: {}\n")
            .replace("status: {code: 200, message: OK}", "status_code: 200");
    assert_eq!(bodies(httpx)[0].0, "{\"ok\":1}");
}

#[test]
fn what_go_and_r_write_is_read() {
    let go = "---\nversion: 2\ninteractions:\n    - id: 0\n      request:\n        proto: HTTP/1.1\n        body: '{}'\n        \
              headers: {Accept: ['*/*']}\n        url: https://h/v1/x\n        method: POST\n      response:\n        \
              body: '{\"ok\":1}'\n        headers: {}\n        status: 200 OK\n        code: 200\n        duration: 1.2s\n";
    let exchange = &exchanges(go)[0];
    assert_eq!(exchange.transcript.response.bytes(), "{\"ok\":1}");
    assert_eq!(exchange.transcript.request.as_ref().unwrap().path, "/v1/x");

    let r = "http_interactions:\n- request:\n    method: POST\n    uri: https://h/v1/x\n    body:\n      string: '{}'\n  \
             response:\n    status: 200\n    headers:\n      date: Sun, 02 Aug 2026 22:26:49 GMT\n    body:\n      string: '{}'\n  \
             recorded_at: 2026-08-02 22:26:49\nrecorded_with: VCR-vcr/2.0.0\n";
    let recorded = &exchanges(r)[0].transcript.recorded;
    assert_eq!(recorded.date.as_deref(), Some("2026-08-02"));
    assert_eq!(recorded.tool.as_deref(), Some("VCR-vcr/2.0.0"));
}

#[test]
fn a_request_whose_body_is_lost_costs_no_response() {
    let request = "    body: !!python/object:aiohttp.FormData {fields: []}\n";
    assert_eq!(
        bodies(one(request, "    headers: {}\n    body: '{}'\n")),
        [(
            "{}".into(),
            strings(&[
                "its request was kept without a body: the body is an object of Python (`python/object:aiohttp.FormData`), \
                 not its bytes"
            ])
        )]
    );
}
