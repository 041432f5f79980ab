//! Which fixture answers a request, with which reply, and what a request that none answers is told.

use http::{HeaderMap, HeaderValue, Method};
use llmirage::plan::request::{Call, Request, Scope};
use llmirage::plan::set::{FixtureSet, Hits, Source};
use serde_json::{Value, json};

fn set(fixtures: &Value) -> FixtureSet {
    let text = json!({ "fixtures": fixtures }).to_string();
    FixtureSet::load(vec![Source::File { path: "f.json".into(), text }]).unwrap()
}

fn request(body: Value) -> Request {
    Request::post("/v1/chat/completions", body)
}

/// A request with another head.
fn sent(method: Method, path: &str, headers: HeaderMap) -> Request {
    let call = Call::new(method, path.to_owned(), None, headers, Scope::default());
    Request { call, body: asks("x").body }
}

fn asks(user: &str) -> Request {
    request(json!({ "model": "gpt-4o", "messages": [{ "role": "user", "content": user }] }))
}

/// The names of the fixtures that answer, or why none does.
fn answered(set: &FixtureSet, request: &Request) -> Result<Vec<String>, String> {
    let names: Vec<&str> = set.names().collect();
    let found = set.candidates(request).map_err(|miss| miss.to_string())?;
    Ok(found.into_iter().map(|index| names[index].to_owned()).collect())
}

/// Expects that a matcher matches the request.
#[track_caller]
fn matches(matcher: Value, request: &Request) {
    let set = set(&json!([{ "name": "x", "match": matcher, "reply": "r" }]));
    assert_eq!(answered(&set, request), Ok(vec!["x".to_owned()]));
}

/// Expects that a matcher fails on a request, for this reason.
#[track_caller]
fn misses(matcher: Value, request: &Request, reason: &str) {
    let set = set(&json!([{ "name": "x", "match": matcher, "reply": "r" }]));
    let expected = format!("no fixture matches this request; nearest is \"x\" (f.json): {reason}");
    assert_eq!(answered(&set, request), Err(expected));
}

#[test]
fn a_plain_string_is_a_part_of_what_is_said_and_the_whole_of_what_is_named() {
    let hello = asks("oh hello there");
    matches(json!({ "user": "hello" }), &hello);
    misses(json!({ "user": "bye" }), &hello, r#"user: expected to contain "bye", got "oh hello there""#);
    matches(json!({ "model": "gpt-4o" }), &hello);
    misses(json!({ "model": "gpt" }), &hello, r#"model: expected "gpt", got "gpt-4o""#);
}

#[test]
fn texts_are_compared_in_four_ways() {
    let hello = asks("hello");
    matches(json!({ "user": { "equals": "hello" } }), &hello);
    misses(json!({ "user": { "equals": "hell" } }), &hello, r#"user: expected "hell", got "hello""#);
    matches(json!({ "model": { "contains": "4" } }), &hello);
    misses(
        json!({ "model": { "contains": "5" } }),
        &hello,
        r#"model: expected to contain "5", got "gpt-4o""#,
    );
    matches(json!({ "user": { "regex": "^h.*o$" } }), &hello);
    misses(
        json!({ "user": { "regex": "^e" } }),
        &hello,
        r#"user: expected to match the regex "^e", got "hello""#,
    );
    matches(json!({ "model": { "glob": "gpt-*" } }), &hello);
    misses(
        json!({ "model": { "glob": "o?" } }),
        &hello,
        r#"model: expected to match the glob "o?", got "gpt-4o""#,
    );
}

#[test]
fn what_is_not_there_can_be_asked_for() {
    let absent = json!({ "absent": true });
    let plain = asks("x");
    matches(json!({ "body": { "/seed": absent }, "header": { "x-a": absent } }), &plain);
    matches(json!({ "query": { "beta": absent }, "tool": absent, "tool_result": absent }), &plain);
    matches(json!({ "api_version": absent }), &plain);
    misses(json!({ "body": { "/model": absent } }), &plain, r#"body /model: expected none, got "gpt-4o""#);
    let mut body = plain.body.clone();
    body["tools"] = json!([{ "type": "function", "function": { "name": "get_time" } }]);
    misses(json!({ "tool": absent }), &request(body), r#"tool: expected none, got "get_time""#);
    let headers = HeaderMap::from_iter([("x-a".parse().unwrap(), HeaderValue::from_static("1"))]);
    let sent = sent(Method::POST, "/v1/chat/completions", headers);
    misses(json!({ "header": { "x-a": absent } }), &sent, r#"header x-a: expected none, got "1""#);
}

#[test]
fn query_parameters_are_compared_decoded() {
    let asked = Request::post("/v1/chat/completions?beta=a%2Cb&x", asks("x").body);
    matches(json!({ "query": { "beta": "a,b", "x": "" } }), &asked);
    misses(json!({ "query": { "beta": "a" } }), &asked, r#"query beta: expected "a", got "a,b""#);
    misses(
        json!({ "query": { "gamma": { "glob": "*" } } }),
        &asked,
        r#"query gamma: expected to match the glob "*", got none"#,
    );
    misses(json!({ "query": { "x": { "absent": true } } }), &asked, r#"query x: expected none, got """#);
}

#[test]
fn a_conversation_is_matched_by_its_parts() {
    let request = request(json!({
        "model": "gpt-4o",
        "stream": true,
        "messages": [
            { "role": "system", "content": "You are a pirate." },
            { "role": "user", "content": "weather?" },
            { "role": "assistant", "tool_calls": [] },
            { "role": "tool", "content": "12 degrees" },
        ],
        "tools": [
            { "type": "function", "function": { "name": "get_weather" } },
            { "type": "function", "function": { "name": "get_time" } },
        ],
    }));
    matches(
        json!({ "system": "pirate", "turn": 2, "stream": true, "tool": "get_time", "tool_result": "12" }),
        &request,
    );
    misses(
        json!({ "system": "poet" }),
        &request,
        r#"system: expected to contain "poet", got "You are a pirate.""#,
    );
    misses(json!({ "turn": 1 }), &request, "turn: expected 1, got 2");
    misses(json!({ "stream": false }), &request, "stream: expected false, got true");
    misses(
        json!({ "tool": "search" }),
        &request,
        r#"tool: expected one called "search", got "get_weather", "get_time""#,
    );
    misses(
        json!({ "tool": { "regex": "^s" } }),
        &asks("x"),
        r#"tool: expected one that matches the regex "^s", got none"#,
    );
    misses(json!({ "tool_result": "12" }), &asks("x"), r#"tool_result: expected to contain "12", got none"#);
}

#[test]
fn header_names_have_no_case_and_any_value_may_match() {
    let mut headers = HeaderMap::new();
    for value in ["a", "b"] {
        headers.append("x-test", HeaderValue::from_static(value));
    }
    let request = sent(Method::POST, "/v1/chat/completions", headers);
    matches(json!({ "header": { "X-Test": "b" } }), &request);
    misses(json!({ "header": { "x-test": "c" } }), &request, r#"header x-test: expected "c", got "a""#);
    misses(json!({ "header": { "X-Other": "c" } }), &request, r#"header x-other: expected "c", got none"#);
}

#[test]
fn the_body_is_matched_by_pointers() {
    let request = request(json!({ "temperature": 1, "user": "me", "stop": ["a"], "x": { "contains": "y" } }));
    matches(json!({ "body": { "/temperature": 1.0, "/user": "me", "/stop": ["a"] } }), &request);
    matches(
        json!({ "body": { "/user": { "regex": "^m" }, "/stop/0": "a", "/temperature": { "equals": 1 } } }),
        &request,
    );
    matches(json!({ "body": { "/x": { "equals": { "contains": "y" } } } }), &request);
    misses(json!({ "body": { "/temperature": 0.5 } }), &request, "body /temperature: expected 0.5, got 1");
    misses(
        json!({ "body": { "/user": { "contains": "you" } } }),
        &request,
        r#"body /user: expected to contain "you", got "me""#,
    );
    misses(json!({ "body": { "/seed": 7 } }), &request, "body /seed: expected 7, got nothing");
    misses(
        json!({ "body": { "/stop": { "glob": "a" } } }),
        &request,
        r#"body /stop: expected to match the glob "a", got an array"#,
    );
}

#[test]
fn azure_is_matched_by_deployment_and_version() {
    let path = "/openai/deployments/my-gpt/chat/completions?api-version=2024-10-21";
    let request = Request::post(path, asks("x").body);
    matches(
        json!({ "dialect": "azure", "model": "my-gpt", "api_version": { "glob": "2024-*" }, "endpoint": "chat.completions" }),
        &request,
    );
    misses(json!({ "dialect": "openai" }), &request, r#"dialect: expected "openai", got "azure""#);
    misses(
        json!({ "api_version": "2024-02-01" }),
        &asks("x"),
        r#"api_version: expected "2024-02-01", got none"#,
    );
}

#[test]
fn long_values_are_cut_in_messages() {
    let expected = format!("user: expected to contain \"x\", got \"{}\"…", "月".repeat(60));
    misses(json!({ "user": "x" }), &asks(&"月".repeat(500)), &expected);
}

#[test]
fn the_nearest_miss_fails_in_fewest_conditions_and_has_most() {
    let set = set(&json!([
        { "name": "far", "match": { "user": "a", "turn": 2, "model": "m" }, "reply": "r" },
        { "name": "near", "match": { "user": "a" }, "reply": "r" },
        { "name": "nearest", "match": { "user": "a", "turn": 1 }, "reply": "r" },
        { "name": "as near", "match": { "user": "b", "turn": 1 }, "reply": "r" },
    ]));
    let expected = r#"no fixture matches this request; nearest is "nearest" (f.json): user: expected to contain "a", got "hi""#;
    assert_eq!(answered(&set, &asks("hi")), Err(expected.to_owned()));
}

#[test]
fn a_miss_counts_the_conditions_that_fail_beside_the_first() {
    let request = asks("hi");
    misses(
        json!({ "user": "a", "turn": 2 }),
        &request,
        "turn: expected 2, got 1; and one more condition fails",
    );
    misses(
        json!({ "user": "a", "turn": 2, "model": "m" }),
        &request,
        r#"model: expected "m", got "gpt-4o"; and 2 more conditions fail"#,
    );
}

#[test]
fn an_empty_set_matches_nothing() {
    let expected = "no fixture matches this request; none is loaded that could";
    assert_eq!(answered(&set(&json!([])), &asks("x")), Err(expected.to_owned()));
}

#[test]
fn a_path_is_served_only_by_fixtures_that_ask_for_it() {
    let set = set(&json!([
        { "name": "all", "reply": "r", "times": 1 },
        { "name": "events", "match": { "path": "/events", "method": "GET" }, "reply": { "script": ["done"] } },
        { "name": "files", "match": { "path": { "glob": "/files/*" } }, "reply": { "error": { "status": 404 } } },
    ]));
    let request = sent(Method::GET, "/events", HeaderMap::new());
    assert_eq!(answered(&set, &request), Ok(vec!["events".to_owned()]));
    let request = sent(Method::GET, "/files/a", HeaderMap::new());
    assert_eq!(answered(&set, &request), Ok(vec!["files".to_owned()]));
    assert!(set.serves(&Method::GET, "/events"));
    assert!(!set.serves(&Method::POST, "/events"));
    assert!(set.serves(&Method::DELETE, "/files/x"));
    assert!(!set.serves(&Method::POST, "/v1/chat/completions"));
}

/// Sends the same request again and again: the fixture, the hit and the status each time.
#[track_caller]
fn hits(fixtures: Value, expected: &[&str]) {
    let set = set(&fixtures);
    let request = asks("x");
    let candidates = set.candidates(&request).unwrap();
    let mut hits = Hits::default();
    let found = expected.iter().map(|_| match set.admit(&candidates, &mut hits) {
        Some(admission) => format!("{} {} {}", admission.fixture, admission.hit, mark(&admission)),
        None => set.used_up(&candidates),
    });
    assert_eq!(found.collect::<Vec<_>>(), expected);
}

/// What tells the replies of these tests apart: the header `n`.
fn mark(admission: &llmirage::plan::set::Admission<'_>) -> String {
    let reply = format!("{:?}", admission.reply);
    let (_, rest) = reply.split_once(r#"("n", Some(""#).unwrap();
    rest.split('"').next().unwrap().to_owned()
}

fn marked(mark: &str) -> Value {
    json!({ "answer": { "text": mark }, "headers": { "n": mark } })
}

#[test]
fn each_hit_gets_the_next_reply_and_the_last_one_repeats() {
    let replies = json!([marked("a"), marked("b")]);
    hits(json!([{ "name": "x", "replies": replies }]), &["x 1 a", "x 2 b", "x 3 b", "x 4 b"]);
}

#[test]
fn replies_can_cycle() {
    let replies = json!([marked("a"), marked("b")]);
    hits(
        json!([{ "name": "x", "replies": replies, "after_last": "cycle" }]),
        &["x 1 a", "x 2 b", "x 3 a", "x 4 b"],
    );
}

#[test]
fn a_fixture_that_passes_leaves_later_hits_to_later_fixtures() {
    hits(
        json!([
            { "name": "x", "replies": [marked("a"), marked("b")], "after_last": "pass" },
            { "name": "y", "reply": marked("c") },
        ]),
        &["x 1 a", "x 2 b", "y 1 c", "y 2 c"],
    );
}

#[test]
fn a_fixture_that_is_used_up_leaves_later_hits_to_later_fixtures() {
    hits(
        json!([
            { "name": "x", "reply": marked("a"), "times": 2 },
            { "name": "y", "reply": marked("b"), "times": 1 },
        ]),
        &["x 1 a", "x 2 a", "y 1 b", r#"the fixtures that match this request are used up: "x", "y""#],
    );
}

#[test]
fn fixtures_after_one_that_never_ends_are_no_candidates() {
    let set = set(&json!([
        { "name": "once", "reply": "r", "times": 1 },
        { "name": "always", "reply": "r" },
        { "name": "never", "reply": "r" },
    ]));
    assert_eq!(answered(&set, &asks("x")), Ok(vec!["once".to_owned(), "always".to_owned()]));
}

#[test]
fn expected_hits_that_did_not_come_are_named() {
    let set = set(&json!([
        { "name": "x", "reply": "r", "times": 2 },
        { "name": "y", "match": { "user": "never" }, "reply": "r", "times": 1 },
        { "name": "z", "reply": "r" },
    ]));
    let candidates = set.candidates(&asks("x")).unwrap();
    let mut hits = Hits::default();
    set.admit(&candidates, &mut hits).unwrap();
    assert_eq!(
        set.unmet(&hits),
        [r#"fixture "x": expected 2 hits, got 1"#, r#"fixture "y": expected 1 hit, got 0"#],
    );
    let mut sum = Hits::default();
    sum.add(&hits);
    sum.add(&hits);
    assert_eq!(sum.count("x"), 2);
}

#[test]
fn models_are_those_that_exist_or_those_that_fixtures_name() {
    let load = |text: &str| {
        let source = Source::File { path: "f.json".into(), text: text.to_owned() };
        FixtureSet::load(vec![source]).unwrap()
    };
    let named = load(
        r#"{"fixtures": [
            {"name": "a", "match": {"model": "m1"}, "reply": "r"},
            {"name": "b", "match": {"model": {"glob": "m*"}}, "reply": "r"},
            {"name": "c", "match": {"model": {"equals": "m2"}}, "reply": "r"},
            {"name": "d", "match": {"model": "m1", "turn": 3}, "reply": "r"}
        ]}"#,
    );
    assert_eq!(named.models(), None);
    assert_eq!(named.model_names(), ["m1", "m2"]);
    let restricted = load(r#"{"models": ["m3", "m1"], "fixtures": []}"#);
    assert_eq!(restricted.models(), Some(&["m3".to_owned(), "m1".to_owned()][..]));
    assert_eq!(restricted.model_names(), ["m3", "m1"]);
}
