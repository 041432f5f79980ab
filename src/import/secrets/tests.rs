use bytes::Bytes;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::import::{RawExchange, RawRequest, RawResponse};
use crate::plan::transcript::raw_bytes;

/// Letters and digits as keys have them; made up.
const NOISE: &str = "t7Gq2LmZ9xB4vKc8RwN1pYh5sDf3jUa6QeX0oTiE7kMg2VbS4nCz9HrW1lPy8Ju5dT2wXq8F6bNv3ZsK5mRj";
/// As many characters as `NOISE` has, filled.
const FILLED: &str = "maskedmaskedmaskedmaskedmaskedmaskedmaskedmaskedmaskedmaskedmaskedmaskedmaskedmasked";
const HEX: &str = "8f14e45fceea167a5a36dedd4bea2543";

fn headers(headers: &[(&str, &str)]) -> Vec<(String, String)> {
    headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// An exchange of which only the body of the response is of interest.
fn answer(kind: &str, body: &str) -> Exchange {
    let response = RawResponse {
        status: 200,
        headers: headers(&[("content-type", kind)]),
        body: Bytes::copy_from_slice(body.as_bytes()),
        ..RawResponse::default()
    };
    RawExchange { response, ..RawExchange::default() }.exchange().unwrap()
}

fn asked(url: &str, given: &[(&str, &str)], body: &str) -> Exchange {
    let request = RawRequest {
        method: "POST".to_owned(),
        url: url.to_owned(),
        headers: headers(given),
        body: Bytes::copy_from_slice(body.as_bytes()),
    };
    let response = RawResponse { status: 200, ..RawResponse::default() };
    RawExchange { request: Some(request), response, ..RawExchange::default() }.exchange().unwrap()
}

fn said(exchange: &Exchange) -> String {
    String::from_utf8(exchange.transcript.response.bytes().to_vec()).unwrap()
}

fn told(transcript: &Transcript) -> Vec<String> {
    smells(transcript).iter().map(Smell::to_string).collect()
}

const NOTHING: [&str; 0] = [];

/// Checks what becomes of a body, and that nothing of it smells then.
#[track_caller]
fn check(body: &str, expected: &str) {
    let mut exchange = answer("application/json", body);
    scrub(&mut exchange);
    assert_eq!(said(&exchange), expected);
    assert_eq!(expected.len(), body.len());
    assert_eq!(told(&exchange.transcript), NOTHING);
    assert_eq!(exchange.notes.is_empty(), body == expected, "{:?}", exchange.notes);
}

/// A body that is to stay as it is.
#[track_caller]
fn check_stays(body: &str) {
    check(body, body);
}

/// `count` characters of a filling.
fn filled(count: usize) -> &'static str {
    &FILLED[..count]
}

#[test]
fn keys_in_a_body_are_replaced_wherever_they_stand() {
    check(
        &format!(r#"{{"text":"it is sk-proj-{NOISE}."}}"#),
        &format!(r#"{{"text":"it is sk-proj-{FILLED}."}}"#),
    );
    check(&format!("\"sk-ant-api03-{NOISE}AA\""), &format!("\"sk-ant-{FILLED}maskedma\""));
    let (key, blank) = (&NOISE[..48], filled(48));
    check(&format!(r#"{{"a":"say:\nsk-{key}\n"}}"#), &format!(r#"{{"a":"say:\nsk-{blank}\n"}}"#));
    check(&format!(r"[\u0022sk\u002d{key}]"), &format!(r"[\u0022sk\u002d{blank}]"));
    check(
        &format!(r#"{{"arguments":"{{\"k\":\"\\nsk-{key}\"}}"}}"#),
        &format!(r#"{{"arguments":"{{\"k\":\"\\nsk-{blank}\"}}"}}"#),
    );
}

#[test]
fn what_is_named_a_secret_and_looks_like_one_is_replaced() {
    let blank = filled(32);
    for named in [
        r#"{"api-key":"VALUE"}"#,
        r#"{"apiKey": "VALUE"}"#,
        r"curl -H 'api-key: VALUE' https://a.test",
        r"https:\/\/a.test\/b?api_key=VALUE&c=d",
        r#"{"code":"os.environ[\"AZURE_KEY\"] = \"VALUE\""}"#,
        r"Authorization: Bearer VALUE",
        "<key>VALUE</key>",
    ] {
        check(&named.replace("VALUE", HEX), &named.replace("VALUE", blank));
        // As Azure's longer keys.
        check(&named.replace("VALUE", NOISE), &named.replace("VALUE", FILLED));
    }
}

#[test]
fn ids_hosts_and_passwords_are_replaced() {
    let id = &NOISE[..24];
    check(
        &format!("in organization org-{id} on tokens per min, proj_{id}"),
        &format!("in organization org-{0} on tokens per min, proj_{0}", filled(24)),
    );
    check(r#""https:\/\/acme-prod.openai.azure.com\/""#, r#""https:\/\/maskedmas.openai.azure.com\/""#);
    check(
        r#""\u6708acme.openai.azure.com %e6acme.openai.azure.com""#,
        r#""\u6708mask.openai.azure.com %e6mask.openai.azure.com""#,
    );
    check("postgres://me:hunter2-x7@db.test/a", "postgres://me:maskedmask@db.test/a");
}

#[test]
fn what_models_say_stays() {
    for text in [
        r#"{"id":"chatcmpl-92hQAu8N0u2x61gAyi8B4C0jc2nSl","system_fingerprint":"fp_68a7d165bf","created":1710430594}"#,
        r#"{"id":"call_7KowxRhncpXrPLQpuAMemn0y","request_id":"req_011CWuF4PVeUU8XuYtDxwRLh"}"#,
        r#"{"arguments":"{\"password\": \"mellon\"}","name":"secret_retrieval_tool"}"#,
        r#"{"logprobs":{"content":[{"token":"sk","bytes":[115,107]},{"token":" encryption_key_2048","bytes":null}]}}"#,
        r#"{"usage":{"prompt_tokens":14},"x":"the token count is 8f14e45fceea167a"}"#,
        "<div class=\\\"sk-folding-cube sk-estimator-doc-link-12\\\"> task-0123456789abcdef org-babel-execute-src-block",
        "Set OPENAI_API_KEY=sk-your-key-goes-here-0123456789, or Bearer $OPENAI_API_KEY, or api_key=\\\"<YOUR_API_KEY>\\\"",
        "https://YOUR-RESOURCE.openai.azure.com https://user:password@localhost/ -----BEGIN PRIVATE KEY-----\\n...",
        "sha256:8f14e45fceea167a5a36dedd4bea25438f14e45fceea167a5a36dedd4bea2543, 123e4567-e89b-12d3-a456-426614174000",
        "{\"key\":\"123e4567-e89b-12d3-a456-426614174000\",\"prompt_cache_key\":\"8f14e45fceea167a5a36dedd4bea2543\"}",
        "Incorrect API key provided: sk-proj-************************abcd. You can find your API key at https://a.test.",
        "{\"token\":\"maskedmaskedmaskedmasked\", \"secret\":\"REDACTED\"} me@example.test 100% \\u6708 望月 \\",
    ] {
        check_stays(text);
    }
    let blob = NOISE.repeat(40);
    check_stays(&format!(
        r#"{{"encrypted_content":"gAAAAA{blob}_sk-proj-{blob}==","obfuscation":"{NOISE}"}}"#
    ));
    check_stays(&format!(r#"{{"url":"data:image/png;base64,{blob}","embedding":"{blob}"}}"#));
}

#[test]
fn a_body_that_was_changed_is_told() {
    let mut exchange = answer("text/event-stream", &format!("data: a\n\ndata: \"sk-proj-{NOISE}\"\n\n"));
    scrub(&mut exchange);
    assert_eq!(exchange.notes, ["/response/events/1/raw: an OpenAI key was replaced"]);
}

#[test]
fn of_a_request_what_tells_the_client_is_kept_and_nothing_that_opens_anything() {
    let body = json!({
        "messages": [{"role": "user", "content": format!("my key: \"{HEX}\"")}],
        "extra": {"api_key": HEX, format!("sk-proj-{NOISE}"): 1, "1/~": [format!("sk-proj-{NOISE}")]},
    });
    let url = format!("https://acme.openai.azure.com/v1/chat?key=a%26b&alt=sse&x=%73k-proj-{NOISE}&code=1");
    let given = [
        ("Host", "acme.openai.azure.com"),
        ("Authorization", "Bearer abc"),
        ("api-key", HEX),
        ("Cookie", "a=b"),
        ("User-Agent", "OpenAI/Python 2.1"),
        ("X-Stainless-Lang", "python"),
        ("OpenAI-Organization", "org-acme"),
        ("x-internal-host", "db7.acme.test"),
        ("Content-Type", "application/json"),
    ];
    let mut exchange = asked(&url, &given, &body.to_string());
    scrub(&mut exchange);
    assert_eq!(exchange.host.as_deref(), Some("mask.openai.azure.com"));
    let request = exchange.transcript.request.as_ref().unwrap();
    assert_eq!(request.path, format!("/v1/chat?key=m%61s&alt=sse&x=%73k-proj-{FILLED}&code=m"));
    let kept = [
        ("User-Agent", "OpenAI/Python 2.1"),
        ("X-Stainless-Lang", "python"),
        ("OpenAI-Organization", "org-mask"),
        ("Content-Type", "application/json"),
    ];
    assert_eq!(request.headers, headers(&kept));
    let blank = filled(32);
    let expected = json!({
        "messages": [{"role": "user", "content": format!("my key: \"{blank}\"")}],
        "extra": {"api_key": blank, format!("sk-proj-{FILLED}"): 1, "1/~": [format!("sk-proj-{FILLED}")]},
    });
    assert_eq!(request.body, Some(expected));
    let places = [
        "messages/0/content",
        "extra/api_key",
        &format!("extra/sk-proj-{}…", &FILLED[..56]),
        "extra/1~1~0/0",
    ];
    let told: Vec<_> = exchange.notes.iter().map(|note| note.split_once(": ").unwrap().0).collect();
    assert_eq!(told, places.map(|place| format!("/request/body/{place}")));
    assert_eq!(smells(&exchange.transcript), []);
}

#[test]
fn headers_of_a_response_keep_their_set_and_order() {
    let mut exchange = answer("application/json", "");
    let given = [
        ("Date", "Tue, 03 Mar 2026 11:47:17 GMT"),
        ("openai-organization", "acme-corp"),
        ("openai-project", "proj_abcdefgh"),
        ("x-account", "17"),
        ("x-ms-oai-backend-host", "https://aoai-sp-4om.westus3.inference.ml.azure.com"),
        (
            "Set-Cookie",
            "__cf_bm=a.b/c=d; path=/; expires=Tue, 03-Mar-26 12:17:17 GMT; domain=.a.test; HttpOnly",
        ),
        ("Set-Cookie", "_cfuvid=abc; path=/, other=defg; SameSite=None; more=hi"),
        ("set-cookie", "a=b\nc=d; Secure"),
        ("CF-RAY", "9e4f9c1c4d1ed88b-LHR"),
    ];
    exchange.transcript.response.headers = headers(&given);
    scrub(&mut exchange);
    let expected = [
        ("Date", "Tue, 03 Mar 2026 11:47:17 GMT"),
        ("openai-organization", "maskedmas"),
        ("openai-project", "proj_maskedma"),
        ("x-ms-oai-backend-host", "https://maskedmaske.westus3.inference.ml.azure.com"),
        (
            "Set-Cookie",
            "__cf_bm=m.a/ske; path=/; expires=Tue, 03-Mar-26 12:17:17 GMT; domain=.a.test; HttpOnly",
        ),
        ("Set-Cookie", "_cfuvid=mas; path=/, other=mask; SameSite=None; more=ma"),
        ("set-cookie", "a=m\nc=m; Secure"),
        ("CF-RAY", "9e4f9c1c4d1ed88b-LHR"),
    ];
    assert_eq!(exchange.transcript.response.headers, headers(&expected));
    assert_eq!(
        exchange.notes,
        ["response headers that are not known to be harmless are left out: x-account"]
    );
    assert_eq!(smells(&exchange.transcript), []);
}

#[test]
fn what_nobody_scrubbed_smells() {
    let mut transcript = asked(
        &format!("https://a.test/v1?key={HEX}"),
        &[("authorization", "Basic x"), ("x-other", "1"), ("openai-organization", "acme")],
        "",
    )
    .transcript;
    transcript.response.headers = headers(&[("set-cookie", "a=bcdefghijkl; path=/")]);
    let way_out = "which is not written to a file: put other characters in its place where it was sent or captured, \
                   or leave the exchange out";
    let expected = [
        format!("/request/path: looks like a secret, by its name (8f14…), {way_out}"),
        format!("/request/headers/0/1: looks like a secret, by its name (B…), {way_out}"),
        format!("/request/headers/2/1: looks like the name of an organization or a project (a…), {way_out}"),
        format!("/response/headers/0/1: looks like a cookie (bc…), {way_out}"),
    ];
    assert_eq!(told(&transcript), expected);
}

#[track_caller]
fn check_smells(body: &str, expected: &[(&str, &str)]) {
    let mut exchange = answer("text/event-stream", body);
    scrub(&mut exchange);
    assert_eq!(said(&exchange), body);
    let smells = smells(&exchange.transcript);
    let found: Vec<_> =
        smells.iter().map(|smell| (smell.pointer.as_str(), smell.looks_like.as_str())).collect();
    assert_eq!(found, expected, "{body}");
}

#[test]
fn what_cannot_be_replaced_smells() {
    let place = "/response/events/0/raw";
    let pem =
        format!("data: \"-----BEGIN RSA PRIVATE KEY-----\\n{NOISE}\\n-----END RSA PRIVATE KEY-----\"\n\n");
    check_smells(&pem, &[(place, "a private key")]);
    // "Bearer sk-proj-Abcdefgh0123456789" and "me:hunter2-hunter2".
    let bearer = "data: \"QmVhcmVyIHNrLXByb2otQWJjZGVmZ2gwMTIzNDU2Nzg5\"\n\n";
    check_smells(bearer, &[(place, "a key in base64")]);
    check_smells("data: Basic bWU6aHVudGVyMi1odW50ZXIy\n\n", &[(place, "a login in base64")]);
    check_smells(&format!("data: the key is {HEX}.\n\n"), &[(place, "a secret, by the words before it")]);
}

/// A chunk of a chat whose answer of this index says `text`.
fn chunk(index: usize, text: &str) -> String {
    let chunk = json!({"choices": [{"index": index, "delta": {"content": text}}]});
    format!("data: {chunk}\n\n")
}

#[test]
fn a_key_in_pieces_smells_though_other_answers_come_between() {
    let body: String = [
        chunk(0, "a key: "),
        chunk(1, "sk"),
        chunk(0, "sk-"),
        chunk(1, "iing"),
        chunk(0, "proj-t7Gq2LmZ"),
        chunk(0, "9xB4vKc8RwN1pYh5."),
    ]
    .concat();
    let expected = [("/response/events/2/raw", "an OpenAI key in pieces, up to /response/events/5")];
    check_smells(&body, &expected);
    let other = json!({"type": "response.output_text.delta", "item_id": "msg_1", "delta": "no key"});
    check_smells(&format!("event: a\ndata: {other}\n\ndata: {other}\n\ndata: [DONE]\n\n"), &[]);
}

#[test]
fn a_body_that_is_no_text_is_looked_at_too() {
    let mut exchange = answer("application/octet-stream", "");
    let body = [&b"\xff\xfe "[..], format!("sk-proj-{NOISE}").as_bytes()].concat();
    exchange.transcript.response.body = Some(crate::plan::transcript::raw(Bytes::from(body.clone())));
    let mut asked = asked("/a", &[], "x");
    asked.transcript.request.as_mut().unwrap().body =
        Some(serde_json::to_value(crate::plan::transcript::raw(Bytes::from(body))).unwrap());
    scrub(&mut exchange);
    scrub(&mut asked);
    let expected = [&b"\xff\xfe "[..], format!("sk-proj-{FILLED}").as_bytes()].concat();
    assert_eq!(raw_bytes(exchange.transcript.response.body.as_ref().unwrap()), expected);
    let said = asked.transcript.request.unwrap().body.unwrap();
    assert_eq!(said, serde_json::to_value(crate::plan::transcript::raw(Bytes::from(expected))).unwrap());
}

/// Words of text and of secrets, in any order.
/// Each of these once took time or memory that grows with the square of its length.
#[test]
fn what_is_long_and_odd_is_done_in_time() {
    let long = 1 << 17;
    let key = |at: usize| format!("sk-proj-{at:016} ");
    let texts = [
        "\\".repeat(long),
        "a.openai.azure.com.".repeat(long / 19),
        (0..long / 25).map(key).collect(),
        json!({ "k".repeat(long): vec!["x"; long / 4] }).to_string(),
        json!({ "index": "k".repeat(long), "a": vec!["x"; long / 4] }).to_string(),
    ];
    for text in texts {
        let start: String = text.chars().take(20).collect();
        let mut exchange = answer("text/event-stream", &format!("data: {text}\n\n"));
        if let Some(request) = &mut exchange.transcript.request {
            request.body = Some(serde_json::from_str(&text).unwrap_or_else(|_| json!(text)));
        }
        scrub(&mut exchange);
        assert_eq!(told(&exchange.transcript), [""; 0], "{start}");
    }
}

#[test]
fn a_filler_after_a_backslash_is_no_escape_that_hides_the_rest() {
    check(r"\usk-.openai.azure.com", r"\mask.openai.azure.com");
}

/// Notes and smells are printed, so what they name a place by is not the secret itself.
#[test]
fn a_key_that_is_a_secret_is_not_shown() {
    let body = r#"{"sk-proj-t7Gq2LmZ9xB4vKc8":{"a":"sk-proj-t7Gq2LmZ9xB4vKc8"}}"#;
    let mut exchange = asked("http://a.test/v1/x", &[("content-type", "application/json")], body);
    let smells = smells(&exchange.transcript);
    scrub(&mut exchange);
    let notes = [
        "/request/body/sk-proj-maskedmaskedmask: an OpenAI key was replaced",
        "/request/body/sk-proj-maskedmaskedmask/a: an OpenAI key was replaced",
    ];
    assert_eq!(exchange.notes, notes);
    assert!(smells.iter().all(|smell| !smell.to_string().contains("t7Gq")), "{smells:?}");
    assert_eq!(smells.len(), 2);
}

fn words() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        Just("sk-".to_owned()),
        Just("sk-proj-".to_owned()),
        Just("AIza".to_owned()),
        Just("org-".to_owned()),
        Just("eyJ".to_owned()),
        Just("api_key".to_owned()),
        Just("Bearer ".to_owned()),
        Just("https://".to_owned()),
        Just(".openai.azure.com".to_owned()),
        Just("-----BEGIN PRIVATE KEY-----".to_owned()),
        "[\"'=:;,.?&@ %\\\\\n-]{1,2}",
        "\\\\[nu\"/]",
        "[a-zA-Z0-9]{1,40}",
        "[a-f0-9]{32}",
        "(masked){1,4}",
        ".",
    ];
    proptest::collection::vec(word, 0..12).prop_map(|words| words.concat())
}

proptest! {
    #[test]
    fn scrubbing_again_changes_nothing_and_leaves_nothing_that_it_knows(
        body in words(),
        query in words(),
        cookie in words(),
        organization in words(),
    ) {
        let mut exchange = asked(&format!("/v1?{query}"), &[("openai-organization", &organization)], &body);
        exchange.transcript.response = answer("text/event-stream", &format!("data: {body}\n\n")).transcript.response;
        exchange.transcript.response.headers = headers(&[("set-cookie", &cookie)]);
        let before = exchange.transcript.response.bytes();
        scrub(&mut exchange);
        let once = exchange.clone();
        prop_assert_eq!(once.transcript.response.bytes().len(), before.len());
        places::each(&mut exchange.transcript, &mut |place, text| {
            assert_eq!(find::all(place.rule, &View::of(place.rule, text)), [], "{place:?} {}", String::from_utf8_lossy(text));
        });
        exchange.notes.clear();
        scrub(&mut exchange);
        prop_assert_eq!(&exchange.transcript, &once.transcript);
        prop_assert_eq!(exchange.notes.len(), 0);
        smells(&exchange.transcript);
    }

    #[test]
    fn json_stays_json(text in words()) {
        let body = json!({"api_key": text, "b": [text]}).to_string();
        let mut exchange = answer("application/json", &body);
        scrub(&mut exchange);
        let said: serde_json::Value = serde_json::from_str(&said(&exchange)).unwrap();
        prop_assert!(said["b"][0].is_string());
    }

    #[test]
    fn a_text_without_secrets_stays_as_it_was(text in "([a-zA-Z]{1,12}[ .,:=\"'\\\\/{}%\n-]{1,3}){0,30}") {
        let mut exchange = answer("text/plain", &text);
        scrub(&mut exchange);
        prop_assert_eq!(said(&exchange), text);
    }
}
