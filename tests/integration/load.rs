//! What authors of fixtures are told: every problem at once, each with its file, line, column,
//! JSON pointer and the way out. The messages are an interface: they are pinned here, word for word.

use llmirage::LoadErrors;
use llmirage::plan::fixture::AfterLast;
use llmirage::plan::reply::{Answer, Chunking, ErrorReply, Step};
use llmirage::plan::set::{FixtureSet, Source};
use llmirage::{At, Fault, Fixture, Matcher, Pacing, Reply, When};

fn file(path: &str, text: &str) -> Source {
    Source::File { path: path.into(), text: text.to_owned() }
}

fn lines(errors: &LoadErrors) -> Vec<String> {
    errors.iter().map(ToString::to_string).collect()
}

/// Loads a file called `f.json` and expects these lines.
#[track_caller]
fn check(text: &str, expected: &[&str]) {
    let found = FixtureSet::load(vec![file("f.json", text)]).map_err(|errors| lines(&errors));
    assert_eq!(found.err().unwrap_or_default(), expected, "{text}");
}

/// Loads one fixture whose keys beside its name these are. Columns count from them.
#[track_caller]
fn check_fixture(keys: &str, expected: &[&str]) {
    check(&format!("{{\"fixtures\": [{{\"name\": \"x\",\n{keys}}}]}}"), expected);
}

#[test]
fn a_text_that_is_not_json_says_where_and_why() {
    check("", &[r#"f.json:1:1: the file is empty; the least is {"fixtures": []}"#]);
    check(
        r#"{"fixtures": [
  {"name": "a", "reply": "x",},
]}"#,
        &["f.json:2:30: not JSON: trailing comma"],
    );
    check(
        r#"{"fixtures": [
  // hello
]}"#,
        &["f.json:2:3: not JSON: expected value; JSON has no comments"],
    );
}

#[test]
fn a_file_of_another_shape_says_what_it_should_be() {
    check("[]", &[r#"f.json:1:1: expected an object, got an array; wrap it: {"fixtures": […]}"#]);
    check("5", &["f.json:1:1: expected an object, got 5"]);
    check(
        r#"{"fixture": []}"#,
        &[r#"f.json:1:2: /fixture: unknown key "fixture" in a fixture file; did you mean "fixtures"?"#],
    );
    check(r#"{"fixtures": {}}"#, &["f.json:1:14: /fixtures: expected an array, got an object"]);
}

#[test]
fn what_a_later_version_does_is_not_called_misspelt() {
    check(
        r#"{"fixtures": [], "defaults": {"pacing": {"ttft": "20", "tps": 5, "itl": "1ms"}}, "fixtures": []}"#,
        &[
            r#"f.json:1:50: /defaults/pacing/ttft: expected a duration with a unit, like "20ms" or "1.5s", got "20""#,
            "f.json:1:56: /defaults/pacing/tps: `tps` and `itl` are two words for one thing: give one",
            r#"f.json:1:82: /fixtures: the key "fixtures" is there twice, first in line 1: leave one out"#,
        ],
    );
    check_fixture(
        r#""match": {"dialect": "azur", "endpoint": "embeddings"}, "reply": "x""#,
        &[
            r#"f.json:2:22: /fixtures/0/match/dialect: unknown dialect "azur"; did you mean "azure"?"#,
            r#"f.json:2:42: /fixtures/0/match/endpoint: the endpoint "embeddings" is not supported yet: "chat.completions" is the only one"#,
        ],
    );
}

#[test]
fn a_limit_is_checked_as_the_rest_is() {
    check(
        r#"{"fixtures": [], "limits": [
{"per": "keys", "requests_per_minute": 3},
{"match": {"usr": "x"}, "requests_per_minute": 3},
{"per": "model"},
{"per": "key", "requests_per_minute": 0, "tokens_per_minute": 18446744073709551615},
{"per": "session", "tokens_per_minute": -1},
{"per": "key", "request_per_minute": 3},
{"per": "key", "tokens_per_minute": 5, "match": {"method": "POST", "user": {"regex": "("}}},
[]]}"#,
        &[
            r#"f.json:2:9: /limits/0/per: unknown `per` "keys"; did you mean "key"?"#,
            r#"f.json:3:1: /limits/1: missing key "per" in a limit"#,
            r#"f.json:3:12: /limits/1/match/usr: unknown key "usr" in a matcher; did you mean "user"?"#,
            "f.json:4:1: /limits/2: a limit needs `requests_per_minute` or `tokens_per_minute`",
            "f.json:5:39: /limits/3/requests_per_minute: a limit of 0 lets nothing through, however long one waits: leave it out, or make it 1 or more",
            "f.json:5:63: /limits/3/tokens_per_minute: a limit is at most 2^53, 9007199254740992, got 18446744073709551615",
            "f.json:6:41: /limits/4/tokens_per_minute: expected a whole number, 0 or more, got -1",
            r#"f.json:7:16: /limits/5/request_per_minute: unknown key "request_per_minute" in a limit; did you mean "requests_per_minute"?"#,
            "f.json:8:50: /limits/6/match/method: `method` goes with `path`: a limit without one counts chat completions, always POST",
            "f.json:8:86: /limits/6/match/user/regex: not a regex: unclosed group",
            "f.json:9:1: /limits/7: expected an object, got an array",
        ],
    );
}

#[test]
fn a_broken_fixture_hides_none_of_the_others() {
    check(
        r#"{"fixtures": [5, {"reply": "x"}, {"nam": "y", "reply": "z"}, {"name": 7, "reply": 8}]}"#,
        &[
            "f.json:1:15: /fixtures/0: expected an object, got 5",
            r#"f.json:1:18: /fixtures/1: missing key "name" in a fixture"#,
            r#"f.json:1:35: /fixtures/2/nam: unknown key "nam" in a fixture; did you mean "name"?"#,
            "f.json:1:71: /fixtures/3/name: expected a string, got 7",
            "f.json:1:83: /fixtures/3/reply: expected a string or an object, got 8",
        ],
    );
}

#[test]
fn a_key_that_is_there_twice_is_refused() {
    check(
        r#"{"fixtures": [{"name": "a", "reply": "x", "name": "b", "match": {"user": "q", "user": "r"}}]}"#,
        &[
            r#"f.json:1:43: /fixtures/0/name: the key "name" is there twice, first in line 1: leave one out"#,
            r#"f.json:1:79: /fixtures/0/match/user: the key "user" is there twice, first in line 1: leave one out"#,
        ],
    );
}

#[test]
fn names_are_unique_and_not_empty() {
    check(
        r#"{"fixtures": [{"name": "a", "reply": "x"}, {"name": "a", "reply": "y"}, {"name": " ", "reply": "y"}]}"#,
        &[
            r#"f.json:1:53: /fixtures/1/name: the name "a" is taken by the fixture at f.json:1:15: names are unique"#,
            "f.json:1:82: /fixtures/2/name: a fixture needs a name that is not empty",
        ],
    );
}

#[test]
fn unknown_keys_get_a_suggestion_or_the_list() {
    check_fixture(
        r#""match": {"usr": "hello", "tools": "x", "zzz": 1}, "reply": "x""#,
        &[
            r#"f.json:2:11: /fixtures/0/match/usr: unknown key "usr" in a matcher; did you mean "user"?"#,
            r#"f.json:2:27: /fixtures/0/match/tools: unknown key "tools" in a matcher; did you mean "tool"?"#,
            r#"f.json:2:41: /fixtures/0/match/zzz: unknown key "zzz" in a matcher; known: "dialect", "endpoint", "model", "user", "system", "turn", "tool", "tool_result", "stream", "header", "query", "body", "api_version", "method", "path""#,
        ],
    );
    check_fixture(
        r#""match": {"user": {"regexp": "x"}}, "reply": "x""#,
        &[
            r#"f.json:2:20: /fixtures/0/match/user/regexp: unknown key "regexp" in a condition; did you mean "regex"?"#,
        ],
    );
}

#[test]
fn values_of_the_wrong_type_say_what_is_expected() {
    check_fixture(
        r#""match": {"user": 5, "turn": -1, "stream": "yes", "header": []}, "reply": "x""#,
        &[
            "f.json:2:19: /fixtures/0/match/user: expected a string or an object, got 5",
            "f.json:2:30: /fixtures/0/match/turn: expected a whole number, 0 or more, got -1",
            r#"f.json:2:44: /fixtures/0/match/stream: expected true or false, got "yes""#,
            "f.json:2:61: /fixtures/0/match/header: expected an object, got an array",
        ],
    );
}

/// serde would take an array for any object, as its fields in order.
#[test]
fn an_array_is_no_object() {
    check(
        r#"{"defaults": [], "fixtures": [["a", {}, "x"]]}"#,
        &[
            "f.json:1:14: /defaults: expected an object, got an array",
            "f.json:1:31: /fixtures/0: expected an object, got an array",
        ],
    );
    check(
        r#"{"defaults": {"pacing": ["1s"]}, "fixtures": []}"#,
        &["f.json:1:25: /defaults/pacing: expected an object, got an array"],
    );
    for of in ["[]", r#"["openai"]"#] {
        check_fixture(
            &format!(r#""match": {of}, "reply": "x""#),
            &["f.json:2:10: /fixtures/0/match: expected an object, got an array"],
        );
    }
    check_fixture(
        r#""match": {"user": ["a"]}, "replies": [["x"], {"answer": ["hello"]}, {"answer": {"text": "x", "usage": [1, 2, 3], "tool_calls": [["f"]], "logprobs": [["x", -1]]}}]"#,
        &[
            "f.json:2:19: /fixtures/0/match/user: expected a string or an object, got an array",
            "f.json:2:39: /fixtures/0/replies/0: expected a string or an object, got an array",
            "f.json:2:57: /fixtures/0/replies/1/answer: expected an object, got an array",
            "f.json:2:103: /fixtures/0/replies/2/answer/usage: expected an object, got an array",
            "f.json:2:129: /fixtures/0/replies/2/answer/tool_calls/0: expected an object, got an array",
            "f.json:2:150: /fixtures/0/replies/2/answer/logprobs/0: expected an object, got an array",
        ],
    );
    check_fixture(
        r#""replies": [{"answer": {"text": "x"}, "pacing": ["1s", "2s"], "wire": [], "filters": ["off"], "faults": [["close-mid-stream"]]}, {"error": [429, "code"]}, {"answer": {"text": "x"}, "pacing": {"jitter": {"lognormal": ["1s", "2s"]}}}]"#,
        &[
            "f.json:2:49: /fixtures/0/replies/0/pacing: expected an object, got an array",
            "f.json:2:71: /fixtures/0/replies/0/wire: expected an object, got an array",
            "f.json:2:86: /fixtures/0/replies/0/filters: expected an object, got an array",
            "f.json:2:106: /fixtures/0/replies/0/faults/0: expected an object, got an array",
            "f.json:2:140: /fixtures/0/replies/1/error: expected an object, got an array",
            "f.json:2:217: /fixtures/0/replies/2/pacing/jitter/lognormal: expected an object, got an array",
        ],
    );
    check_fixture(
        r#""reply": {"script": [{"event": ["n"]}, {"usage": []}, {"tool_call": [0]}, {"fault": ["close-mid-stream"]}, {"raw": ["eA=="]}]}"#,
        &[
            "f.json:2:32: /fixtures/0/reply/script/0/event: expected an object, got an array",
            "f.json:2:50: /fixtures/0/reply/script/1/usage: expected an object, got an array",
            "f.json:2:69: /fixtures/0/reply/script/2/tool_call: expected an object, got an array",
            "f.json:2:85: /fixtures/0/reply/script/3/fault: expected an object, got an array",
            "f.json:2:116: /fixtures/0/reply/script/4/raw: expected a string or an object, got an array",
        ],
    );
}

#[test]
fn a_word_that_takes_no_value_stands_alone() {
    check_fixture(
        r#""replies": [{"answer": {"text": "x", "chunking": {"token": 1}}, "pacing": {"jitter": {"exponential": 1}}}, {"script": [{"done": true}, {"done": null}]}], "after_last": {"pass": 1}"#,
        &[
            r#"f.json:2:60: /fixtures/0/replies/0/answer/chunking/token: "token" takes no value: write "token""#,
            r#"f.json:2:102: /fixtures/0/replies/0/pacing/jitter/exponential: "exponential" takes no value: write "exponential""#,
            r#"f.json:2:129: /fixtures/0/replies/1/script/0/done: "done" takes no value: write "done""#,
            r#"f.json:2:145: /fixtures/0/replies/1/script/1/done: "done" takes no value: write "done""#,
            r#"f.json:2:178: /fixtures/0/after_last/pass: "pass" takes no value: write "pass""#,
        ],
    );
    check_fixture(
        r#""after_last": {}, "reply": "x""#,
        &["f.json:2:15: /fixtures/0/after_last: expected a word, got an object"],
    );
}

#[test]
fn a_condition_has_exactly_one_comparison() {
    check_fixture(
        r#""match": {"user": {}, "model": {"equals": "a", "glob": "b"}}, "reply": "x""#,
        &[
            "f.json:2:19: /fixtures/0/match/user: a condition needs exactly one of `equals`, `contains`, `regex`, `glob` and `absent`, got none",
            "f.json:2:32: /fixtures/0/match/model: a condition needs exactly one of `equals`, `contains`, `regex`, `glob` and `absent`, got `equals` and `glob`",
        ],
    );
}

#[test]
fn absent_is_true_and_of_what_can_be_missing() {
    check_fixture(
        r#""match": {"user": {"absent": true}, "header": {"x": {"absent": false}}, "body": {"/a": {"absent": false}, "/b": {"absent": 1}}}, "reply": "x""#,
        &[
            r#"f.json:2:19: /fixtures/0/match/user: every request has a `user`; for an empty one write {"equals": ""}"#,
            r#"f.json:2:64: /fixtures/0/match/header/x/absent: `absent` is true or left out; for any text write {"regex": ""}"#,
            r#"f.json:2:99: /fixtures/0/match/body/~1a/absent: `absent` is true or left out; for any text write {"regex": ""}"#,
            r#"f.json:2:124: /fixtures/0/match/body/~1b/absent: expected true, got 1"#,
        ],
    );
}

#[test]
fn patterns_that_do_not_compile_are_refused() {
    check_fixture(
        r#""match": {"user": {"regex": "(a"}, "model": {"glob": "[a"}, "system": {"regex": "a{9999}{9999}"}}, "reply": "x""#,
        &[
            "f.json:2:29: /fixtures/0/match/user/regex: not a regex: unclosed group",
            "f.json:2:54: /fixtures/0/match/model/glob: not a glob: `[` without `]`",
            "f.json:2:81: /fixtures/0/match/system/regex: the regex is too large: repeat less, or match a shorter part",
        ],
    );
}

#[test]
fn conditions_that_cannot_hold_are_refused() {
    check_fixture(
        r#""match": {"turn": 0, "header": {"a b": "x"}, "body": {"temperature": 1, "/x": {"regex": "("}, "/y": {"contains": 5}}}, "reply": "x""#,
        &[
            "f.json:2:19: /fixtures/0/match/turn: turns count from 1",
            r#"f.json:2:33: /fixtures/0/match/header/a b: "a b" is not a header name"#,
            r#"f.json:2:55: /fixtures/0/match/body/temperature: "temperature" is not a JSON pointer; it is empty or starts with a slash, like "/messages/0/role""#,
            "f.json:2:89: /fixtures/0/match/body/~1x/regex: not a regex: unclosed group",
            "f.json:2:114: /fixtures/0/match/body/~1y/contains: expected a string, got 5",
        ],
    );
    check_fixture(
        r#""match": {"endpoint": "chat.completion", "method": "post"}, "reply": "x""#,
        &[
            r#"f.json:2:23: /fixtures/0/match/endpoint: unknown endpoint "chat.completion"; did you mean "chat.completions"?"#,
            "f.json:2:42: /fixtures/0/match/method: `method` goes with `path`: a fixture without one answers chat completions, always POST",
            r#"f.json:2:52: /fixtures/0/match/method: methods are written in capitals: "POST""#,
        ],
    );
    check_fixture(
        r#""match": {"path": "v1/x", "method": "post"}, "replies": ["x", {"answer": {"text": "y"}}]"#,
        &[
            r#"f.json:2:19: /fixtures/0/match/path: a path starts with a slash: "/v1/x""#,
            r#"f.json:2:37: /fixtures/0/match/method: methods are written in capitals: "POST""#,
            "f.json:2:58: /fixtures/0/replies/0: a fixture with a `path` serves a `script`, a `transcript` or an `error`: only chat endpoints have a form for an answer",
            "f.json:2:74: /fixtures/0/replies/1/answer: a fixture with a `path` serves a `script`, a `transcript` or an `error`: only chat endpoints have a form for an answer",
        ],
    );
}

#[test]
fn a_fixture_has_reply_or_replies_and_answers_at_least_once() {
    check_fixture(
        r#""times": 0"#,
        &[
            "f.json:1:15: /fixtures/0: a fixture needs `reply` or `replies`",
            "f.json:2:10: /fixtures/0/times: a fixture that answers 0 times never answers; leave `times` out, or make it 1 or more",
        ],
    );
    check_fixture(
        r#""reply": "x", "replies": ["y"]"#,
        &["f.json:2:15: /fixtures/0/replies: a fixture has `reply` or `replies`, not both"],
    );
    check_fixture(
        r#""replies": []"#,
        &["f.json:2:12: /fixtures/0/replies: `replies` is empty: give at least one reply"],
    );
}

#[test]
fn a_reply_has_exactly_one_content() {
    check_fixture(
        r#""replies": [5, {"anser": {"text": "x"}}, {"answer": 5}, {"answer": {"txt": "x"}, "pacing": {"itl": 20}}]"#,
        &[
            "f.json:2:13: /fixtures/0/replies/0: expected a string or an object, got 5",
            r#"f.json:2:17: /fixtures/0/replies/1/anser: unknown key "anser" in a reply; did you mean "answer"?"#,
            "f.json:2:53: /fixtures/0/replies/2/answer: expected an object, got 5",
            r#"f.json:2:69: /fixtures/0/replies/3/answer/txt: unknown key "txt" in an answer; did you mean "text"?"#,
            r#"f.json:2:100: /fixtures/0/replies/3/pacing/itl: expected a duration with a unit, like "20ms" or "1.5s", got 20"#,
        ],
    );
    check_fixture(
        r#""reply": {"answer": {"text": "x"}, "error": {"status": 429}}"#,
        &["f.json:2:36: /fixtures/0/reply/error: a reply has exactly one content, got `answer` and `error`"],
    );
    check_fixture(
        r#""reply": {}"#,
        &["f.json:2:10: /fixtures/0/reply: a reply needs `answer`, `script`, `transcript` or `error`"],
    );
}

#[test]
fn errors_have_an_error_status() {
    check_fixture(
        r#""reply": {"error": {}}"#,
        &[r#"f.json:2:20: /fixtures/0/reply/error: missing key "status" in an error"#],
    );
    check_fixture(
        r#""reply": {"error": {"status": 200, "code": {}, "retry_after": "a\nb"}}"#,
        &[
            "f.json:2:31: /fixtures/0/reply/error/status: an error's status is 400 to 599, got 200",
            "f.json:2:44: /fixtures/0/reply/error/code: expected a string, a number or null, got an object",
            r#"f.json:2:63: /fixtures/0/reply/error/retry_after: a header value is visible ASCII in one line, got "a\nb""#,
        ],
    );
    check_fixture(
        r#""reply": {"error": {"status": 70000}}"#,
        &["f.json:2:31: /fixtures/0/reply/error/status: expected a whole number from 0 to 65535, got 70000"],
    );
}

#[test]
fn status_and_headers_are_what_http_allows() {
    check_fixture(
        r#""reply": {"answer": {"text": "x"}, "status": 42, "headers": {"a b": "x", "x-a": "a\nb", "X-A": "c", "content-length": "5"}}"#,
        &[
            "f.json:2:46: /fixtures/0/reply/status: expected a status from 200 to 999, got 42",
            r#"f.json:2:62: /fixtures/0/reply/headers/a b: "a b" is not a header name"#,
            r#"f.json:2:81: /fixtures/0/reply/headers/x-a: a header value is visible ASCII in one line, got "a\nb""#,
            "f.json:2:89: /fixtures/0/reply/headers/X-A: the header x-a is there twice; case makes no difference",
            "f.json:2:101: /fixtures/0/reply/headers/content-length: content-length frames the body: the server sets it",
        ],
    );
}

#[test]
fn pacing_is_possible() {
    check_fixture(
        r#""reply": {"answer": {"text": "x"}, "pacing": {"itl": "fast", "jitter": {"uniform": 2}, "burst": 0, "scale": -1, "tps": 0}}"#,
        &[
            r#"f.json:2:54: /fixtures/0/reply/pacing/itl: expected a duration with a unit, like "20ms" or "1.5s", got "fast""#,
            "f.json:2:84: /fixtures/0/reply/pacing/jitter/uniform: expected 0 to 1, got 2",
            "f.json:2:97: /fixtures/0/reply/pacing/burst: a burst has at least 1 event",
            "f.json:2:100: /fixtures/0/reply/pacing/scale: `scale` is about the gaps of a transcript: leave it out",
            "f.json:2:109: /fixtures/0/reply/pacing/scale: expected 0 or more, got -1",
            "f.json:2:120: /fixtures/0/reply/pacing/tps: expected a number above 0, got 0",
        ],
    );
    check_fixture(
        r#""reply": {"answer": {"text": "x"}, "pacing": {"jitter": "gaussian"}}"#,
        &[
            r#"f.json:2:57: /fixtures/0/reply/pacing/jitter: unknown jitter "gaussian"; known: "uniform", "normal", "lognormal", "exponential""#,
        ],
    );
    check_fixture(
        r#""reply": {"answer": {"text": "x"}, "pacing": {"jitter": {"lognormal": {"p50": "20ms"}}}}"#,
        &[r#"f.json:2:71: /fixtures/0/reply/pacing/jitter/lognormal: missing key "p95" in percentiles"#],
    );
    check_fixture(
        r#""reply": {"answer": {"text": "x"}, "pacing": {"jitter": {"lognormal": {"p50": "20ms", "p95": "10ms"}}, "itl": "5ms"}}"#,
        &[
            "f.json:2:71: /fixtures/0/reply/pacing/jitter/lognormal: `lognormal` gives the time between events itself: leave `itl` and `tps` out",
            "f.json:2:94: /fixtures/0/reply/pacing/jitter/lognormal/p95: `p95` is not less than `p50`",
        ],
    );
}

#[test]
fn chunking_fits_the_text() {
    check_fixture(
        r#""reply": {"answer": {"text": "x", "chunking": "tokens"}}"#,
        &[
            r#"f.json:2:47: /fixtures/0/reply/answer/chunking: unknown chunking "tokens"; did you mean "token"?"#,
        ],
    );
    check_fixture(
        r#""reply": {"answer": {"text": "x", "chunking": "chars"}}"#,
        &[
            r#"f.json:2:47: /fixtures/0/reply/answer/chunking: the chunking "chars" needs a value, like {"chars": …}"#,
        ],
    );
    check_fixture(
        r#""reply": {"answer": {"text": "xyz", "chunking": {"exact": ["x", "y"]}}}"#,
        &[
            r#"f.json:2:59: /fixtures/0/reply/answer/chunking/exact: the pieces join to "xy", the text is "xyz""#,
        ],
    );
    check_fixture(
        r#""reply": {"answer": {"text": "x", "chunking": {"chars": 0}}}"#,
        &["f.json:2:57: /fixtures/0/reply/answer/chunking/chars: a piece has at least 1 character"],
    );
    check_fixture(
        r#""reply": {"answer": {"text": "x", "chunking": {"chars": 3, "exact": []}}}"#,
        &[
            r#"f.json:2:47: /fixtures/0/reply/answer/chunking: a chunking is an object with exactly one key, got "chars", "exact""#,
        ],
    );
}

#[test]
fn choices_say_what_each_says() {
    check_fixture(
        r#""reply": {"answer": {"text": "x", "choices": [{"text": "a", "usage": {}, "template": true, "choices": []}]}}"#,
        &[
            "f.json:2:22: /fixtures/0/reply/answer/text: with `choices`, each choice has its own `text`",
            "f.json:2:61: /fixtures/0/reply/answer/choices/0/usage: `usage` is the whole answer's, not a choice's",
            "f.json:2:74: /fixtures/0/reply/answer/choices/0/template: `template` is the whole answer's, not a choice's",
            "f.json:2:92: /fixtures/0/reply/answer/choices/0/choices: `choices` is the whole answer's, not a choice's",
        ],
    );
}

#[test]
fn templates_compile() {
    check_fixture(
        r#""reply": {"answer": {"text": "{{ user", "tool_calls": [{"name": "", "arguments": {"a": ["{% if %}"]}}], "template": true}}"#,
        &[
            "f.json:2:30: /fixtures/0/reply/answer/text: not a template: unexpected end of input, expected end of variable block (line 1 of the template)",
            "f.json:2:65: /fixtures/0/reply/answer/tool_calls/0/name: a tool call needs the tool's name",
            "f.json:2:89: /fixtures/0/reply/answer/tool_calls/0/arguments/a/0: not a template: unexpected end of block (line 1 of the template)",
        ],
    );
}

#[test]
fn templates_use_what_exists() {
    check_fixture(
        r#""reply": {"answer": {"text": "{{ user | uper }}", "choices": null, "tool_calls": [{"name": "f", "arguments": {"a": "{{ now() }}"}}], "template": true}}"#,
        &[
            "f.json:2:30: /fixtures/0/reply/answer/text: not a template: filter uper is unknown (line 1 of the template)",
            "f.json:2:116: /fixtures/0/reply/answer/tool_calls/0/arguments/a: not a template: now is unknown (line 1 of the template)",
        ],
    );
}

#[test]
fn tool_calls_and_log_probabilities_are_whole() {
    check_fixture(
        r#""reply": {"answer": {"tool_calls": [{"arguments": {}}, {"name": "f", "argumets": {}}], "logprobs": [{"token": "x", "logprob": 0.5}]}}"#,
        &[
            r#"f.json:2:37: /fixtures/0/reply/answer/tool_calls/0: missing key "name" in a tool call"#,
            r#"f.json:2:70: /fixtures/0/reply/answer/tool_calls/1/argumets: unknown key "argumets" in a tool call; did you mean "arguments"?"#,
            "f.json:2:127: /fixtures/0/reply/answer/logprobs/0/logprob: a logarithm of a probability is 0 or less, got 0.5",
        ],
    );
}

#[test]
fn steps_have_one_key_and_a_fitting_value() {
    check_fixture(
        r#""reply": {"script": [{"txt": "x"}, "text", "don", {"text": 5}, {"text": "a", "role": "b"}, {}, 7, {"wait": "2"}, "done"]}"#,
        &[
            r#"f.json:2:23: /fixtures/0/reply/script/0/txt: unknown step "txt"; did you mean "text"?"#,
            r#"f.json:2:36: /fixtures/0/reply/script/1: the step "text" needs a value, like {"text": …}"#,
            r#"f.json:2:44: /fixtures/0/reply/script/2: unknown step "don"; did you mean "done"?"#,
            "f.json:2:60: /fixtures/0/reply/script/3/text: expected a string, got 5",
            r#"f.json:2:64: /fixtures/0/reply/script/4: a step is an object with exactly one key, got "text", "role""#,
            "f.json:2:92: /fixtures/0/reply/script/5: a step is an object with exactly one key, got none",
            r#"f.json:2:96: /fixtures/0/reply/script/6: expected a step, like {"text": "…"} or "done", got 7"#,
            r#"f.json:2:108: /fixtures/0/reply/script/7/wait: expected a duration with a unit, like "20ms" or "1.5s", got "2""#,
        ],
    );
    check_fixture(
        r#""reply": {"script": [{"delta": []}, {"event": {}}, {"event": {"event": "a\nb"}}, {"comment": "a\nb"}, {"raw": {"base64": "!"}}, {"tool_call": {"index": 0}}, {"fault": {"fault": "close-mid-stream", "at": "head"}}, {"fault": {"fault": "close-mid-stream"}}]}"#,
        &[
            "f.json:2:32: /fixtures/0/reply/script/0/delta: expected an object, got an array; `event` and `raw` send anything",
            "f.json:2:47: /fixtures/0/reply/script/1/event: an event needs `event`, `id`, `retry` or `data`",
            r#"f.json:2:72: /fixtures/0/reply/script/2/event/event: an event's name is one line, got "a\nb"; `raw` sends anything"#,
            r#"f.json:2:94: /fixtures/0/reply/script/3/comment: a comment is one line, got "a\nb"; `raw` sends anything"#,
            r#"f.json:2:122: /fixtures/0/reply/script/4/raw/base64: expected base64 (standard alphabet, padded), got "!""#,
            "f.json:2:143: /fixtures/0/reply/script/5/tool_call: a piece of a tool call has `id` and `name`, `arguments`, or all of them",
            "f.json:2:198: /fixtures/0/reply/script/6/fault/at: a fault in a script happens where it stands: leave `at` out",
            "f.json:2:224: /fixtures/0/reply/script/7/fault: a response ends once: close-mid-stream@event:6 does not go with close-mid-stream@event:6; leave one out, or choose another attempt for it",
        ],
    );
}

/// Loads an answer with these faults. Columns count from `"reply"`.
#[track_caller]
fn check_faults(faults: &str, expected: &[&str]) {
    check_fixture(&format!(r#""reply": {{"answer": {{"text": "x"}}, "faults": {faults}}}"#), expected);
}

#[test]
fn faults_and_their_places_exist() {
    check_faults(
        r#"[{"fault": "close-mid-steam"}, {"fault": "stall", "hold": "5s"}, {"fault": 7, "at": "tail"}, {"at": {"event": "finsh"}}, {"fault": "explode"}]"#,
        &[
            r#"f.json:2:57: /fixtures/0/reply/faults/0/fault: unknown fault "close-mid-steam"; did you mean "close-mid-stream"?"#,
            r#"f.json:2:121: /fixtures/0/reply/faults/2/fault: expected a fault's name, got 7"#,
            r#"f.json:2:130: /fixtures/0/reply/faults/2/at: expected a place, like "head", {"event": 3}, {"byte": 100} or "end", got "tail""#,
            r#"f.json:2:139: /fixtures/0/reply/faults/3: missing key "fault" in a fault"#,
            r#"f.json:2:156: /fixtures/0/reply/faults/3/at/event: expected an event's number, or one of "role", "first-content", "finish", "usage", "done", got "finsh""#,
            r#"f.json:2:177: /fixtures/0/reply/faults/4/fault: unknown fault "explode"; `llmirage faults` lists them"#,
        ],
    );
    check_faults(
        r#"[{"fault": "close-mid-stream", "at": {"evnt": 1}}, {"fault": "close-mid-stream", "at": {"event": 1.5, "byte": -1}}]"#,
        &[
            r#"f.json:2:84: /fixtures/0/reply/faults/0/at/evnt: unknown key "evnt" in a place; did you mean "event"?"#,
            "f.json:2:143: /fixtures/0/reply/faults/1/at/event: expected an event's number or name, got 1.5",
            "f.json:2:156: /fixtures/0/reply/faults/1/at/byte: expected a whole number, 0 or more, got -1",
        ],
    );
    check_faults(
        r#"[{"fault": "close-mid-stream", "at": "idle"}, {"fault": "bom", "at": "head"}, {"fault": "duplicate-event", "at": {"elapsed": "1s"}}]"#,
        &[
            "f.json:2:83: /fixtures/0/reply/faults/0/at: close-mid-stream stands at the head, at an event, a byte, a time (elapsed) or the end, not at idle",
            "f.json:2:115: /fixtures/0/reply/faults/1/at: bom is about the whole response and takes no place, got head",
            "f.json:2:159: /fixtures/0/reply/faults/2/at: duplicate-event is about an event and takes its number, its name, or head, not elapsed:1s",
        ],
    );
}

#[test]
fn parameters_of_faults_exist_and_have_their_type() {
    check_faults(
        r#"[{"fault": "stall", "hold": 5, "then": "explode", "hodl": 1, "a/b": 2}, {"fault": "bom", "x": 1}, {"fault": "stream-truncated", "keep_done": "yes"}, {"fault": "bandwidth", "bytes_per_s": -1}]"#,
        &[
            r#"f.json:2:74: /fixtures/0/reply/faults/0/hold: expected a duration with a unit, like "20ms" or "1.5s", got 5"#,
            r#"f.json:2:85: /fixtures/0/reply/faults/0/then: expected "close" or "reset" or "resume", got "explode""#,
            r#"f.json:2:96: /fixtures/0/reply/faults/0/hodl: stall has no parameter "hodl"; did you mean "hold"?"#,
            r#"f.json:2:107: /fixtures/0/reply/faults/0/a~1b: stall has no parameter "a/b"; known: "hold", "then""#,
            r#"f.json:2:135: /fixtures/0/reply/faults/1/x: bom has no parameters, got "x""#,
            r#"f.json:2:187: /fixtures/0/reply/faults/2/keep_done: expected true or false, got "yes""#,
            "f.json:2:233: /fixtures/0/reply/faults/3/bytes_per_s: expected a whole number, 0 or more, got -1",
        ],
    );
    check_faults(
        r#"[{"fault": "rate-limit", "retry_after": null, "times": 2}, {"fault": "limit_data", "bytes": 9}]"#,
        &[],
    );
}

#[test]
fn selectors_choose_something() {
    check_faults(
        r#"[{"fault": "bom", "when": {"attempt": 0, "probability": 1.5, "frist": 1}}, {"fault": "bom", "when": 5}, {"fault": "bom", "first": 1}, {"fault": "bom", "when": {"match": {"usr": "x", "turn": 0}}}, {"fault": "bom", "when": {"match": {"user": {"regex": "("}}}}]"#,
        &[
            "f.json:2:84: /fixtures/0/reply/faults/0/when/attempt: it counts from 1, got 0",
            "f.json:2:102: /fixtures/0/reply/faults/0/when/probability: expected a number from 0 to 1, got 1.5",
            r#"f.json:2:107: /fixtures/0/reply/faults/0/when/frist: unknown key "frist" in a selector; did you mean "first"?"#,
            "f.json:2:146: /fixtures/0/reply/faults/1/when: expected an object, got 5",
            r#"f.json:2:167: /fixtures/0/reply/faults/2/first: "first" chooses requests: write {"when": {"first": …}}"#,
            r#"f.json:2:216: /fixtures/0/reply/faults/3/when/match/usr: unknown key "usr" in a matcher; did you mean "user"?"#,
            "f.json:2:236: /fixtures/0/reply/faults/3/when/match/turn: turns count from 1",
            "f.json:2:296: /fixtures/0/reply/faults/4/when/match/user/regex: not a regex: unclosed group",
        ],
    );
}

#[test]
fn a_fault_that_is_written_as_elsewhere_is_told_how_it_is_written_here() {
    check_faults(
        r#"["stall", {"fault": "stall:hold=5s@event:3"}, {"fault": "scenario:quota-wall"}, {"fault": "stall", "event": 3}]"#,
        &[
            r#"f.json:2:47: /fixtures/0/reply/faults/0: a fault is an object: write {"fault": "stall"}"#,
            r#"f.json:2:66: /fixtures/0/reply/faults/1/fault: unknown fault "stall:hold=5s@event:3"; that is one word for flags and URLs; here it is {"fault":"stall","at":{"event":3},"hold":"5s"}"#,
            r#"f.json:2:102: /fixtures/0/reply/faults/2/fault: unknown fault "scenario:quota-wall"; scenario:quota-wall is a scenario: a flag, a base URL or a header chooses it by that name"#,
            r#"f.json:2:145: /fixtures/0/reply/faults/3/event: "event" says where: write {"at": {"event": …}}"#,
        ],
    );
    check_fixture(
        r#""faults": [{"fault": "stall"}], "reply": "x""#,
        &[
            r#"f.json:2:1: /fixtures/0/faults: unknown key "faults" in a fixture; a reply has it: write {"reply": {…, "faults": …}}"#,
        ],
    );
}

#[test]
fn faults_of_a_reply_go_together() {
    let both = |first: &str, second: &str| {
        format!(r#"[{{"fault": "stall"{first}}}, {{"fault": "close-mid-stream"{second}}}]"#)
    };
    check_faults(
        &both("", r#", "at": {"event": 1}"#),
        &[
            "f.json:2:67: /fixtures/0/reply/faults/1: a response ends once: close-mid-stream@event:1 does not go with stall; leave one out, or choose another attempt for it",
        ],
    );
    check_faults(&both(r#", "when": {"attempt": 1}"#, r#", "when": {"attempt": 2}"#), &[]);
    check_faults(&both(r#", "when": {"every": 2}"#, ""), &[]);
    check_faults(&both(r#", "when": {"match": {"stream": true}}"#, ""), &[]);
    check_faults(
        &both("", r#", "when": {"every": 2}"#),
        &[
            "f.json:2:67: /fixtures/0/reply/faults/1: a response ends once: close-mid-stream:every=2 does not go with stall; leave one out, or put it first",
        ],
    );
    check_fixture(
        r#""reply": {"script": ["done", {"fault": {"fault": "stall"}}], "faults": [{"fault": "empty-response"}]}"#,
        &[
            "f.json:2:40: /fixtures/0/reply/script/1/fault: a response ends once: stall@event:1 does not go with empty-response; leave one out, or choose another attempt for it",
        ],
    );
}

#[test]
fn wire_filters_and_usage_are_checked() {
    check_fixture(
        r#""reply": {"answer": {"text": "x"}, "wire": {"profile": "2024", "created": "now"}, "filters": {"mode": "async", "prompt": {"violence": "hi"}, "after": 3}}"#,
        &[
            r#"f.json:2:56: /fixtures/0/reply/wire/profile: expected a date like "2025-08" or "2025-08-07", from 2023-03 on, got "2024""#,
            r#"f.json:2:75: /fixtures/0/reply/wire/created: expected a whole number, 0 or more, got "now""#,
            r#"f.json:2:103: /fixtures/0/reply/filters/mode: unknown mode "async"; did you mean "asynchronous"?"#,
            r#"f.json:2:135: /fixtures/0/reply/filters/prompt/violence: unknown severity "hi"; known: "safe", "low", "medium", "high""#,
            r#"f.json:2:151: /fixtures/0/reply/filters/after: `after` says where a filtered completion ends: filter it, like {"completion": {"violence": "medium"}}"#,
        ],
    );
    check_fixture(
        r#""reply": {"answer": {"text": "x", "usage": {"prompt_tokens": 1.5, "completion_tokens_details": {"reasoning": 5}}}}"#,
        &[
            "f.json:2:62: /fixtures/0/reply/answer/usage/prompt_tokens: expected a whole number, 0 or more, got 1.5",
            r#"f.json:2:97: /fixtures/0/reply/answer/usage/completion_tokens_details/reasoning: unknown key "reasoning" in this object; did you mean "reasoning_tokens"?"#,
        ],
    );
}

#[test]
fn what_is_given_as_it_is_on_the_wire_can_be_there() {
    check_fixture(
        r#""reply": {"answer": {"text": "x"}, "wire": {"obfuscation": ["ab", "a b"], "latency_checkpoint": 1, "routing": null, "interleave": [0, 128]}}"#,
        &[
            r#"f.json:2:67: /fixtures/0/reply/wire/obfuscation/1: `obfuscation` has letters and digits of ASCII, got ' ' in "a b""#,
            "f.json:2:97: /fixtures/0/reply/wire/latency_checkpoint: expected an object or null, got 1",
            "f.json:2:135: /fixtures/0/reply/wire/interleave/1: a choice has a number from 0 to 127, got 128",
        ],
    );
    check_fixture(
        r#""reply": {"answer": {"text": "x"}, "wire": {"obfuscation": 3}}"#,
        &[
            "f.json:2:60: /fixtures/0/reply/wire/obfuscation: expected true, false, a string of characters, or a list of texts, got 3",
        ],
    );
    check_fixture(
        r#""reply": {"answer": {"text": "x"}, "filters": {"results": 1, "prompt_results": [2], "chunks": [{"chunk": 1}], "annotations": [{"choice": 500, "offsets": {"check_offset": 1, "start_offset": 1, "end_offset": 1}, "results": {}}]}}"#,
        &[
            "f.json:2:59: /fixtures/0/reply/filters/results: expected an object, got 1",
            "f.json:2:81: /fixtures/0/reply/filters/prompt_results/0: expected an object, got 2",
            r#"f.json:2:96: /fixtures/0/reply/filters/chunks/0: missing key "results" in this object"#,
            r#"f.json:2:111: /fixtures/0/reply/filters/annotations: only the asynchronous filter sends annotations: add "mode": "asynchronous""#,
            "f.json:2:138: /fixtures/0/reply/filters/annotations/0/choice: a choice has a number from 0 to 127, got 500",
        ],
    );
}

#[test]
fn token_counts_are_exact_in_every_client() {
    check_fixture(
        r#""reply": {"answer": {"text": "x", "usage": {"prompt_tokens": 9007199254740992, "completion_tokens": 9007199254740993, "total_tokens": 18446744073709551615, "completion_tokens_details": {"reasoning_tokens": 9007199254740993}}}}"#,
        &[
            "f.json:2:101: /fixtures/0/reply/answer/usage/completion_tokens: a token count is at most 2^53, 9007199254740992, got 9007199254740993",
            "f.json:2:135: /fixtures/0/reply/answer/usage/total_tokens: a token count is at most 2^53, 9007199254740992, got 18446744073709551615",
            "f.json:2:207: /fixtures/0/reply/answer/usage/completion_tokens_details/reasoning_tokens: a token count is at most 2^53, 9007199254740992, got 9007199254740993",
        ],
    );
    check_fixture(
        r#""reply": {"script": [{"usage": {"prompt_tokens_details": {"cached_tokens": 9007199254740993}}}]}"#,
        &[
            "f.json:2:76: /fixtures/0/reply/script/0/usage/prompt_tokens_details/cached_tokens: a token count is at most 2^53, 9007199254740992, got 9007199254740993",
        ],
    );
}

#[test]
fn a_refusal_stands_alone() {
    check_fixture(
        r#""replies": [{"answer": {"refusal": "No.", "text": "x"}}, {"answer": {"choices": [{"refusal": "No.", "tool_calls": [{"name": "f"}]}]}}]"#,
        &[
            "f.json:2:43: /fixtures/0/replies/0/answer/text: a refusal stands alone: leave `text` out",
            "f.json:2:101: /fixtures/0/replies/1/answer/choices/0/tool_calls: a refusal stands alone: leave `tool_calls` out",
        ],
    );
}

#[test]
fn a_script_frames_no_event_by_accident() {
    check_fixture(
        r#""reply": {"script": [{"event": {"data": "a\r\nb"}}, {"comment": "a\rb"}, {"raw": ""}, {"raw": {"base64": ""}}, {"event": {"data": "a\nb"}}, {"event": {"data": {"a": "\r"}}}]}"#,
        &[
            r#"f.json:2:41: /fixtures/0/reply/script/0/event/data: lines of data end in "\n" alone, got "a\r\nb"; `raw` sends anything"#,
            r#"f.json:2:65: /fixtures/0/reply/script/1/comment: a comment is one line, got "a\rb"; `raw` sends anything"#,
            "f.json:2:82: /fixtures/0/reply/script/2/raw: `raw` sends at least one byte: leave the step out",
            "f.json:2:95: /fixtures/0/reply/script/3/raw: `raw` sends at least one byte: leave the step out",
        ],
    );
}

#[test]
fn a_status_goes_with_what_is_sent() {
    check_fixture(
        r#""replies": [{"answer": {"text": "x"}, "status": 204}, {"script": ["done"], "status": 304}, {"script": [{"wait": "1s"}], "status": 204}, {"error": {"status": 429}, "status": 500}]"#,
        &[
            "f.json:2:49: /fixtures/0/replies/0/status: a response with the status 204 has no body: send another one, or an empty `script`",
            "f.json:2:86: /fixtures/0/replies/1/status: a response with the status 304 has no body: send another one, or an empty `script`",
            "f.json:2:164: /fixtures/0/replies/3/status: an error has a `status` of its own: leave this one out",
        ],
    );
}

#[test]
fn header_values_are_ascii() {
    check_fixture(
        r#""replies": [{"answer": {"text": "x"}, "headers": {"x-a": "é"}}, {"error": {"status": 429, "retry_after": "zwei"}}, {"error": {"status": 429, "retry_after": "drei Häuser"}}, {"error": {"status": 429, "retry_after": " "}}]"#,
        &[
            r#"f.json:2:58: /fixtures/0/replies/0/headers/x-a: a header value is visible ASCII in one line, got "é""#,
            r#"f.json:2:157: /fixtures/0/replies/2/error/retry_after: a header value is visible ASCII in one line, got "drei Häuser""#,
            "f.json:2:215: /fixtures/0/replies/3/error/retry_after: `retry_after` is empty: give a duration or a header's value, or leave it out",
        ],
    );
}

#[test]
fn a_profile_is_a_day_that_was() {
    for (day, ok) in [("2024-02-29", true), ("2025-02", true), ("2025-02-29", false), ("2025-04-31", false)] {
        let message = format!(
            r#"f.json:2:56: /fixtures/0/reply/wire/profile: expected a date like "2025-08" or "2025-08-07", from 2023-03 on, got "{day}""#
        );
        let expected: &[&str] = if ok { &[] } else { &[&message] };
        check_fixture(
            &format!(r#""reply": {{"answer": {{"text": "x"}}, "wire": {{"profile": "{day}"}}}}"#),
            expected,
        );
    }
}

#[test]
fn a_path_is_one_that_requests_can_reach() {
    for (path, reason) in [
        ("/health", "the server answers it itself"),
        ("/__admin", "the server answers it itself"),
        ("/__admin/requests", "the server answers it itself"),
        ("/session/a/events", r#"/session/a chooses a session, the path is "/events""#),
        ("/fault/close-mid-stream", r#"/fault/close-mid-stream chooses a fault, the path is "/""#),
        ("/events?a=b", "a path is what comes before the query"),
        ("/my events", "requests have its white space percent-encoded"),
    ] {
        let expected = format!(
            "f.json:2:19: /fixtures/0/match/path: no request reaches a fixture at {path:?}: {reason}"
        );
        check_fixture(&format!(r#""match": {{"path": "{path}"}}, "reply": {{"script": []}}"#), &[&expected]);
    }
    for path in ["/healthy", "/__administer", "/session", "/session/", "/faults/a"] {
        check_fixture(&format!(r#""match": {{"path": "{path}"}}, "reply": {{"script": []}}"#), &[]);
    }
}

#[test]
fn a_misspelt_comparison_is_not_taken_for_a_value_of_the_body() {
    check_fixture(
        r#""match": {"body": {"/x": {"contians": "x"}, "/y": {"equals": {"contians": "x"}}, "/z": {"city": "x"}}}, "reply": "x""#,
        &[
            r#"f.json:2:27: /fixtures/0/match/body/~1x/contians: "contians" is no comparison; did you mean "contains"? Where the body has this object, write {"equals": {"contians": …}}"#,
        ],
    );
}

#[test]
fn models_have_names() {
    check(
        r#"{"models": [], "fixtures": []}"#,
        &["f.json:1:12: /models: `models` is empty, so that no model exists: leave it out, or name some"],
    );
    check(
        r#"{"models": [5, "a", "", "b", "a"], "fixtures": []}"#,
        &[
            "f.json:1:13: /models/0: expected a string, got 5",
            "f.json:1:21: /models/2: a model needs a name that is not empty",
            r#"f.json:1:30: /models/4: the model "a" is there twice: leave one out"#,
        ],
    );
}

#[test]
fn pacing_says_nothing_in_vain() {
    check_fixture(
        r#""replies": [{"answer": {"text": "x"}, "pacing": {"scale": 0.5, "recorded": true}}, {"answer": {"text": "x"}, "pacing": {"jitter": {"uniform": 0.2}, "ttft": "1s"}}, {"answer": {"text": "x"}, "pacing": {"head": "1500ms", "ttft": "1s"}}]"#,
        &[
            "f.json:2:50: /fixtures/0/replies/0/pacing/scale: `scale` is about the gaps of a transcript: leave it out",
            "f.json:2:64: /fixtures/0/replies/0/pacing/recorded: `recorded` is about the gaps of a transcript: leave it out",
            "f.json:2:131: /fixtures/0/replies/1/pacing/jitter: `jitter` varies the time between events: give it, with `itl` or `tps`",
            "f.json:2:210: /fixtures/0/replies/2/pacing/head: the head goes out before the first event: 1.5s is later than `ttft`, 1s",
        ],
    );
    check(
        r#"{"defaults": {"pacing": {"itl": "1ms", "ttft": "1s"}}, "fixtures": [{"name": "x", "replies": [
{"answer": {"text": "x"}, "pacing": {"jitter": "exponential"}},
{"answer": {"text": "x"}, "pacing": {"head": "2s"}}]}]}"#,
        &[
            "f.json:3:46: /fixtures/0/replies/1/pacing/head: the head goes out before the first event: 2s is later than `ttft`, 1s",
        ],
    );
    check(
        r#"{"defaults": {"pacing": {"head": "2s", "ttft": "1s"}}, "fixtures": []}"#,
        &[
            "f.json:1:34: /defaults/pacing/head: the head goes out before the first event: 2s is later than `ttft`, 1s",
        ],
    );
}

#[test]
fn what_follows_the_last_reply_is_one_of_three() {
    check_fixture(
        r#""after_last": "loop", "reply": "x""#,
        &[
            r#"f.json:2:15: /fixtures/0/after_last: unknown `after_last` "loop"; known: "repeat", "cycle", "pass""#,
        ],
    );
}

#[test]
fn a_null_is_an_absent_key_and_two_comparisons_are_a_value_of_the_body() {
    check_fixture(
        r#""match": {"user": null, "body": {"/a": {"contains": "a", "equals": "b"}}}, "reply": "x""#,
        &[],
    );
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_text() {
    check("\u{feff}{\"fixtures\": []}", &[]);
}

#[test]
fn all_files_are_loaded_before_anything_is_reported() {
    let errors = FixtureSet::load(vec![
        file("a.json", r#"{"fixtures": [{"name": "x", "reply": "a"}, {"name": "y"}]}"#),
        file("b.json", "{"),
        file("c.json", r#"{"fixtures": [{"name": "x", "reply": "c"}]}"#),
        Source::Code(Fixture::named("x").reply(Reply::text("code"))),
        Source::Code(Fixture::named("z").when(Matcher::user_matches("("))),
    ]);
    let expected = [
        "a.json:1:44: /fixtures/1: a fixture needs `reply` or `replies`",
        "b.json:1:2: not JSON: EOF while parsing an object",
        r#"c.json:1:24: /fixtures/0/name: the name "x" is taken by the fixture at a.json:1:15: names are unique"#,
        r#"fixture "x": /name: the name "x" is taken by the fixture at a.json:1:15: names are unique"#,
        r#"fixture "z": /match/user/regex: not a regex: unclosed group"#,
        r#"fixture "z": a fixture needs `reply` or `replies`"#,
    ];
    assert_eq!(lines(&errors.unwrap_err()), expected);
}

#[test]
fn fixtures_built_in_code_are_checked_like_those_in_files() {
    #[track_caller]
    fn check(fixture: Fixture, expected: &[&str]) {
        let found = FixtureSet::load(vec![Source::Code(fixture)]).map_err(|errors| lines(&errors));
        assert_eq!(found.err().unwrap_or_default(), expected);
    }
    check(
        Fixture::named("x").reply(Reply::text("a").status(1).header("a b", "c")),
        &[
            r#"fixture "x": /reply/status: expected a status from 200 to 999, got 1"#,
            r#"fixture "x": /reply/headers/a b: "a b" is not a header name"#,
        ],
    );
    check(
        Fixture::named("x").reply(
            Reply::text("a")
                .fault(Fault::close(At::Idle))
                .fault(Fault::rate_limit().when(When::probability(2.0)))
                .fault(Fault::stall(At::Head))
                .fault(Fault::reset(At::End)),
        ),
        &[
            r#"fixture "x": /reply/faults/0/at: close-mid-stream stands at the head, at an event, a byte, a time (elapsed) or the end, not at idle"#,
            r#"fixture "x": /reply/faults/1/when/probability: expected a number from 0 to 1, got 2"#,
            r#"fixture "x": /reply/faults/3: a response ends once: reset-mid-stream@end does not go with stall@head; leave one out, or choose another attempt for it"#,
        ],
    );
    check(
        Fixture::named("x")
            .reply(Reply::error(200))
            .reply(Reply::text("a").pacing(Pacing::tps(f64::NAN)))
            .reply(Reply::answer(Answer::new().text("ab").chunking(Chunking::Exact(vec![])))),
        &[
            r#"fixture "x": /replies/0/error/status: an error's status is 400 to 599, got 200"#,
            r#"fixture "x": /replies/1/pacing/tps: expected a number above 0, got NaN"#,
            r#"fixture "x": /replies/2/answer/chunking/exact: the pieces join to "", the text is "ab""#,
        ],
    );
    check(
        Fixture::named("x")
            .when(Matcher::user("hi").and(Matcher::turn(2)))
            .reply(Reply::error(ErrorReply::new(429).retry_after("2s")))
            .reply(Reply::script([Step::role("assistant"), Step::Done]))
            .reply(Reply::text("a").fault(Fault::close(At::event(-1))))
            .after_last(AfterLast::Cycle)
            .times(9),
        &[],
    );
}

#[test]
fn a_built_fixture_is_what_a_file_would_say() {
    let fixture = Fixture::named("flaky")
        .when(Matcher::user_contains("haiku").and(Matcher::header("X-A", "b")))
        .reply(Reply::error(503).header("retry-after", "1"))
        .reply(Reply::text("Waves").fault(Fault::close(At::event(2))))
        .reply(Reply::tool_call("f", serde_json::json!({ "a": 1 })));
    let expected = serde_json::json!({
        "name": "flaky",
        "match": { "user": { "contains": "haiku" }, "header": { "X-A": "b" } },
        "replies": [
            { "error": { "status": 503 }, "headers": { "retry-after": "1" } },
            {
                "answer": { "text": "Waves" },
                "faults": [{ "fault": "close-mid-stream", "at": { "event": 2 } }],
            },
            { "answer": { "tool_calls": [{ "name": "f", "arguments": { "a": 1 } }] } },
        ],
    });
    assert_eq!(serde_json::to_value(&fixture).unwrap(), expected);
    let again: Fixture = serde_json::from_value(expected.clone()).unwrap();
    assert_eq!(serde_json::to_value(&again).unwrap(), expected);
}

#[test]
fn no_number_of_problems_is_too_many() {
    let fixture = r#"{"nam": "x", "replly": {"answr": 1}, "match": {"usr": 5}},"#;
    let text = format!("{{\"fixtures\": [{}{{\"name\": \"y\", \"reply\": \"z\"}}]}}", fixture.repeat(300));
    let errors = FixtureSet::load(vec![file("f.json", &text)]).unwrap_err();
    assert_eq!(errors.iter().count(), 3 * 300);
}

#[test]
fn lints_name_what_loads_but_cannot_work() {
    let text = r#"{"models": ["gpt-4o"], "fixtures": [
        {"name": "a", "match": {"user": "hi"}, "reply": "a"},
        {"name": "b", "match": {"user": "hi", "turn": 1}, "reply": "b"},
        {"name": "c", "match": {"model": "gpt-4"}, "reply": "c"},
        {"name": "d", "match": {"turn": 2}, "times": 2, "after_last": "pass", "reply": "d"},
        {"name": "e", "match": {"turn": 2}, "reply": {"script": [{"fault": {"fault": "close-mid-stream"}}, "done"]}},
        {"name": "f", "match": {"path": "/x"}, "reply": {"script": []}},
        {"name": "g", "reply": "g"},
        {"name": "h", "reply": "h"}
    ]}"#;
    let set = FixtureSet::load(vec![file("f.json", text)]).unwrap();
    let expected = [
        r#"f.json:3:9: /fixtures/1: never reached: "a" before it answers every request that it would"#,
        r#"f.json:4:9: /fixtures/2/match/model: never reached: "gpt-4" is not among the `models` that exist"#,
        "f.json:5:9: /fixtures/3/times: never met: it passes after 1 of 2 hits",
        "f.json:6:9: /fixtures/4: steps of its script after a fault are never sent",
        r#"f.json:9:9: /fixtures/7: never reached: "g" before it answers every request that it would"#,
    ];
    let found: Vec<String> = set.lints().iter().map(ToString::to_string).collect();
    assert_eq!(found, expected);
}

#[test]
fn lints_name_faults_that_do_nothing_where_they_stand() {
    let text = r#"{"fixtures": [
        {"name": "a", "match": {"user": "a"}, "reply": {"error": {"status": 500}, "faults": [{"fault": "finish-missing"}, {"fault": "stall"}, {"fault": "gzip"}]}},
        {"name": "b", "match": {"user": "b"}, "reply": {"answer": {"text": "b"}, "faults": [{"fault": "early-response"}]}},
        {"name": "c", "match": {"user": "c"}, "reply": {"script": [{"fault": {"fault": "bom"}}, {"fault": {"fault": "stall", "then": "resume", "hold": "1s"}}, "done"]}},
        {"name": "d", "match": {"user": "d"}, "reply": {"script": [{"fault": {"fault": "stall", "when": {"first": 1}}}, "done"]}},
        {"name": "e", "match": {"user": "e"}, "reply": {"script": [{"fault": {"fault": "truncate_after_frames"}}, "done"]}},
        {"name": "f", "match": {"user": "f"}, "reply": {"error": {"status": 500}, "faults": [{"fault": "line-ending"}, {"fault": "events-glued"}, {"fault": "event-oversize"}]}}
    ]}"#;
    let set = FixtureSet::load(vec![file("f.json", text)]).unwrap();
    let expected = [
        "f.json:2:9: /fixtures/0/reply: finish-missing does nothing here: an error has no events",
        "f.json:3:9: /fixtures/1/reply: early-response meets a request before its body is read; of a fixture it comes after that. With --fault or in the base URL it is early",
        "f.json:6:9: /fixtures/4: steps of its script after a fault are never sent",
        "f.json:7:9: /fixtures/5/reply: line-ending does nothing here: an error has no events",
    ];
    let found: Vec<String> = set.lints().iter().map(ToString::to_string).collect();
    assert_eq!(found, expected);
}

#[test]
fn lints_name_waits_that_are_cut_and_log_probabilities_of_another_text() {
    let text = r#"{"defaults": {"pacing": {"ttft": "61s"}}, "fixtures": [
        {"name": "a", "match": {"user": "a"}, "reply": {"script": [{"wait": "60s"}, {"wait": "2m"}], "pacing": {"ttft": "60s"}}},
        {"name": "b", "match": {"user": "b"}, "replies": ["b", {"answer": {"text": "b"}, "pacing": {"tps": 0.01, "ttft": "0s"}}]},
        {"name": "c", "match": {"user": "c"}, "reply": {"pacing": {"ttft": "0s"}, "answer": {"choices": [
            {"text": "ab", "logprobs": [{"token": "ab", "logprob": -1}]},
            {"text": "ab", "logprobs": [{"token": "a", "logprob": -1}]},
            {"text": "ab", "logprobs": [{"token": "ab", "logprob": -1}], "chunking": {"exact": ["a", "b"]}},
            {"text": "月", "logprobs": [{"token": "\\xe6", "logprob": -1, "bytes": [230]}]}
        ]}}}
    ]}"#;
    let set = FixtureSet::load(vec![file("f.json", text)]).unwrap();
    let cut = "servers cut it at 60s, unless --max-hold allows more";
    let expected = [
        format!("f.json:2:9: /fixtures/0/reply/script/1/wait: a wait of 120s: {cut}"),
        format!("f.json:3:9: /fixtures/1/replies/0: `ttft` asks for a wait of 61s: {cut}"),
        format!("f.json:3:9: /fixtures/1/replies/1: `tps` asks for a wait of 100s: {cut}"),
        "f.json:4:9: /fixtures/2/reply/answer/choices/1/logprobs: their tokens do not join to the text".to_owned(),
        "f.json:4:9: /fixtures/2/reply/answer/choices/2/logprobs: the text is sent in 2 pieces, `logprobs` has 1".to_owned(),
    ];
    let found: Vec<String> = set.lints().iter().map(ToString::to_string).collect();
    assert_eq!(found, expected);
}

#[test]
fn lints_name_what_is_half_said() {
    let text = r#"{"fixtures": [
        {"name": "a", "match": {"user": "a"}, "reply": {"answer": {"text": "b"}, "pacing": {"burst": 2}}},
        {"name": "b", "match": {"user": "b"}, "replies": ["{{ user }}", {"answer": {"text": "{{ user }}", "template": false}}]}
    ]}"#;
    let set = FixtureSet::load(vec![file("f.json", text)]).unwrap();
    let expected = [
        "f.json:2:9: /fixtures/0/reply: `burst` without `itl` or `tps`: everything goes out at once anyway",
        r#"f.json:3:9: /fixtures/1/replies/0/answer/text: it has {{ and }}, and is sent as it is: say "template": true, if it is a template"#,
    ];
    let found: Vec<String> = set.lints().iter().map(ToString::to_string).collect();
    assert_eq!(found, expected);
}
