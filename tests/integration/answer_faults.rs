//! Faults that decide what is answered, or under which head: every one as a golden file, per dialect.

use bytes::Bytes;
use http::header::HOST;
use jiff::{SignedDuration, Timestamp};
use llmirage::plan::set::{FixtureSet, Source};
use llmirage::{Fault, MockServer, Timeline};
use serde_json::{Value, json};

use crate::planning::golden::check;
use crate::raw::http_date;

const OPENAI: &str = "/v1/chat/completions";
const AZURE: &str = "/openai/deployments/gpt-4o-mini/chat/completions?api-version=2024-10-21";

/// The answer to a request below this scope, on a server called localhost:4010, and what its journal
/// says was broken.
fn planned(scope: &str, path: &str, body: &Value, reply: &Value) -> (Timeline, Vec<String>) {
    let file = json!({ "fixtures": [{ "name": "case", "reply": reply }] });
    let source = Source::File { path: "case.json".into(), text: file.to_string() };
    let set = FixtureSet::load(vec![source]).unwrap_or_else(|errors| panic!("{errors}"));
    let service = MockServer::builder().fixtures(set).service().unwrap();
    let method = if body.is_null() { "GET" } else { "POST" };
    let request = http::Request::builder().method(method).uri(format!("{scope}{path}"));
    let request = request.header(HOST, "localhost:4010").body(()).unwrap();
    let (timeline, entry) = service.foresee(request.into_parts().0, &Bytes::from(body.to_string()));
    (timeline, entry.map(|entry| entry.faults).unwrap_or_default())
}

/// The answer to a request for a stream, or for a JSON body, with a fault in the base URL.
fn answer(fault: &str, path: &str, stream: bool, reply: &Value) -> Timeline {
    planned(&format!("/fault/{}", fault.replace('/', "%2F")), path, &asked(stream), reply).0
}

fn asked(stream: bool) -> Value {
    json!({ "model": "gpt-4o-mini", "messages": [{ "role": "user", "content": "hello" }], "stream": stream })
}

/// The golden files of faults of the reply: what is answered then is of the fixture's own seed.
#[track_caller]
fn goldens(cases: &[(&str, &str)], stream: bool, reply: &Value) {
    for (name, fault) in cases {
        let reply = broken(fault, reply);
        for (dialect, path) in [("openai", OPENAI), ("azure", AZURE)] {
            check(&format!("fault-{dialect}-{name}"), &planned("", path, &asked(stream), &reply).0);
        }
    }
}

/// A reply with a fault.
fn broken(fault: &str, reply: &Value) -> Value {
    let fault: Fault = fault.parse().unwrap_or_else(|error| panic!("{fault}: {error}"));
    let mut reply = match reply {
        Value::String(text) => json!({ "answer": { "text": text } }),
        reply => reply.clone(),
    };
    reply["faults"] = json!([fault]);
    reply
}

#[test]
fn errors_in_the_dialects_words() {
    let cases = [
        ("rate-limit", "rate-limit"),
        ("rate-limit-tokens", "rate-limit:of=tokens,retry_after=30s,code=slow_down"),
        ("quota-exhausted", "quota-exhausted"),
        ("quota-exhausted-credit", "quota-exhausted:code=credit_balance_exhausted"),
        ("server-error", "server-error"),
        ("server-error-503", "server-error:status=503,retry_after=2s"),
        ("server-error-408", "server-error:status=408"),
        ("server-error-409", "server-error:status=409"),
        ("server-error-499", "server-error:status=499"),
        ("server-error-524", "server-error:status=524"),
        ("server-error-529", "server-error:status=529"),
        ("server-error-words", "server-error:status=522,code=gone,message=nobody home"),
        ("server-error-body", "server-error:status=520,body=<p>no</p>,retry_after=2s"),
        ("prompt-blocked", "prompt-blocked"),
        ("prompt-blocked-low", "prompt-blocked:category=self_harm,severity=low"),
        ("prompt-blocked-in-stream", "prompt-blocked:in_stream=true"),
    ];
    goldens(&cases, true, &json!("Hello!"));
}

#[test]
fn pages_of_proxies_and_portals() {
    let cases = [
        ("html-instead", "html-instead"),
        ("html-instead-nginx-502", "html-instead:status=502"),
        ("html-instead-awselb-503", "html-instead:status=503,vendor=awselb"),
        ("html-instead-cloudflare-524", "html-instead:status=524,vendor=cloudflare"),
        ("html-instead-cloudflare-403", "html-instead:status=403,vendor=cloudflare"),
        ("html-instead-login", "html-instead:vendor=login"),
    ];
    goldens(&cases, true, &json!("Hello!"));
}

#[test]
fn whole_answers_where_a_stream_was_asked_for() {
    let fault = [("json-instead-of-stream", "json-instead-of-stream")];
    goldens(&fault, true, &json!("Hello!"));
    let script = json!({ "script": [{ "role": "assistant" }, { "text": "Hel" }, { "text": "lo" }, { "finish": "stop" }, "done"] });
    let odd = [("json-instead-of-stream-script", "json-instead-of-stream:content_type=text/event-stream")];
    goldens(&odd, true, &script);
}

#[test]
fn redirects() {
    let cases = [
        ("redirect", "redirect"),
        ("redirect-301", "redirect:status=301"),
        ("redirect-cross-origin", "redirect:to=cross-origin"),
        ("redirect-loop", "redirect:to=loop,status=308"),
    ];
    for (name, fault) in cases {
        for (dialect, path) in [("openai", OPENAI), ("azure", AZURE)] {
            check(&format!("fault-{dialect}-{name}"), &answer(fault, path, true, &json!("Hello!")));
        }
    }
}

#[test]
fn times_to_wait() {
    let cases = [
        ("retry-after", "retry-after"),
        ("retry-after-ms", "retry-after:form=ms,should_retry=true"),
        ("retry-after-azure-text", "retry-after:form=azure-text"),
        ("retry-after-503", "retry-after:form=float,status=503,should_retry=false"),
    ];
    goldens(&cases, true, &json!("Hello!"));
    let over = [("retry-after-over-an-error", "retry-after:form=azure-text,value=61")];
    goldens(&over, true, &json!({ "error": { "status": 503, "retry_after": "2s" } }));
}

#[test]
fn content_types() {
    let cases = [
        ("content-type-wrong", "content-type-wrong"),
        ("content-type-missing", "content-type-wrong:form=missing"),
        ("content-type-charset", "content-type-wrong:form=charset"),
    ];
    goldens(&cases, false, &json!("Hello!"));
    goldens(&[("content-type-charset-stream", "content-type-wrong:form=charset")], true, &json!("Hello!"));
}

#[test]
fn each_form_of_the_time_to_wait_is_alone_under_its_head() {
    let forms = [
        ("int", Some(("retry-after", "1"))),
        ("float", Some(("retry-after", "1.5"))),
        ("negative", Some(("retry-after", "-1"))),
        ("junk", Some(("retry-after", "soon"))),
        ("huge", Some(("retry-after", "86400"))),
        ("ms", Some(("retry-after-ms", "1500"))),
        ("ms-negative", Some(("retry-after-ms", "-5"))),
        ("absent", None),
        ("azure-text", Some(("retry-after", "86400"))),
    ];
    let error = json!({ "error": { "status": 503, "retry_after": "7s" } });
    let ways = [
        ("", json!("Hello!"), 429),
        ("/fault/rate-limit", json!("Hello!"), 429),
        ("/fault/server-error:status=502", json!("Hello!"), 502),
        ("/fault/html-instead:status=504", json!("Hello!"), 504),
        ("/fault/quota-exhausted", json!("Hello!"), 429),
        ("", error, 503),
    ];
    for (form, header) in forms {
        for (scope, reply, status) in &ways {
            for path in [OPENAI, AZURE] {
                let scope = format!("{scope}/fault/retry-after:form={form}");
                let (timeline, faults) = planned(&scope, path, &asked(true), reply);
                assert_eq!(timeline.head.status, *status, "{scope}");
                let headers = timeline.head.headers.iter();
                let found =
                    headers.map(|header| (header.name.to_ascii_lowercase(), header.value.to_str().unwrap()));
                let found: Vec<_> = found.filter(|(name, _)| name.contains("retry-after")).collect();
                let wanted = header.map(|(name, value)| (name.to_owned(), value));
                assert_eq!(found, Vec::from_iter(wanted), "{scope}{path}");
                assert!(faults.iter().any(|fault| fault.starts_with("retry-after")), "{faults:?}");
                length_is_right(&timeline);
            }
        }
    }
}

#[test]
fn a_date_to_wait_for_counts_from_the_clock_that_clients_have() {
    for (form, ahead) in [("date", 2), ("past-date", -60)] {
        for path in [OPENAI, AZURE] {
            let timeline = answer(&format!("retry-after:form={form}"), path, true, &json!("Hello!"));
            let date = |name| http_date(timeline.head.header(name).unwrap().to_str().unwrap());
            let (date, until) = (date("date"), date("retry-after"));
            assert_eq!(until.duration_since(date), SignedDuration::from_secs(ahead), "{form}");
            let age = Timestamp::now().duration_since(date);
            assert!(age.abs() < SignedDuration::from_secs(60), "{form}: dated {date}");
            let own = answer(&format!("retry-after:form={form},value=x"), path, true, &json!("Hello!"));
            assert_eq!(own.head.header("date").unwrap(), "Thu, 01 Jan 2026 00:00:00 GMT", "{form}");
        }
    }
}

#[track_caller]
fn length_is_right(timeline: &Timeline) {
    if let Some(length) = timeline.head.header("content-length") {
        assert_eq!(length.to_str().unwrap(), timeline.body.len().to_string());
    }
}

#[test]
fn limits_and_words_agree_with_the_time_to_wait() {
    let text = |timeline: &Timeline| String::from_utf8(timeline.body.to_vec()).unwrap();
    let header =
        |timeline: &Timeline, name: &str| timeline.head.header(name).unwrap().to_str().unwrap().to_owned();
    for fault in ["rate-limit:retry_after=90s", "retry-after:value=90"] {
        let openai = answer(fault, OPENAI, true, &json!("Hello!"));
        assert_eq!(header(&openai, "retry-after"), "90");
        assert_eq!(header(&openai, "x-ratelimit-reset-requests"), "1m30s");
        assert_eq!(header(&openai, "x-ratelimit-remaining-requests"), "0");
        assert!(text(&openai).contains("Please try again in 1m30s."));
        let azure = answer(fault, AZURE, true, &json!("Hello!"));
        assert_eq!(header(&azure, "retry-after"), "90");
        assert!(text(&azure).contains("Please retry after 90 seconds."));
    }
    let azure = answer("rate-limit:of=tokens,retry_after=90s", AZURE, true, &json!("Hello!"));
    assert_eq!(header(&azure, "x-ratelimit-reset-tokens"), "90");
}

#[test]
fn the_reply_has_no_say_in_what_a_fault_answers() {
    let reply = json!({
        "answer": { "text": "Hello!" }, "status": 203, "headers": { "x-extra": "1", "date": null },
        "pacing": { "head": "5s", "ttft": "9s" },
        "faults": [{ "fault": "rate-limit" }],
    });
    for path in [OPENAI, AZURE] {
        let (timeline, faults) = planned("", path, &asked(true), &reply);
        assert_eq!(timeline.head.status, 429);
        assert!(timeline.head.header("x-extra").is_none());
        assert!(timeline.head.header("date").is_some());
        assert!(timeline.ends_at.is_zero());
        assert_eq!(faults, ["rate-limit"]);
    }
}

#[test]
fn what_is_answered_instead_can_break_too() {
    for path in [OPENAI, AZURE] {
        let whole = answer("rate-limit", path, true, &json!("Hello!"));
        let scope = "/fault/close-mid-stream@byte:10/fault/rate-limit";
        let (cut, faults) = planned(scope, path, &asked(true), &json!("Hello!"));
        assert_eq!((cut.head, cut.body.as_ref()), (whole.head, &whole.body[..10]));
        assert_eq!(cut.ending.name(), "close");
        assert_eq!(faults, ["rate-limit", "close-mid-stream@byte:10"]);
    }
}

#[test]
fn a_request_that_is_refused_is_refused_still() {
    for path in [OPENAI, AZURE] {
        let (timeline, faults) = planned(
            "/fault/rate-limit/fault/content-type-wrong",
            path,
            &json!({ "model": "x" }),
            &json!("Hello!"),
        );
        assert_eq!(timeline.head.status, 400);
        assert_ne!(timeline.head.header("content-type").unwrap(), "text/plain");
        assert_eq!(faults, [""; 0]);
    }
}

#[test]
fn lists_of_models_are_answers_too() {
    let get =
        |fault: &str| planned(&format!("/fault/{fault}"), "/v1/models", &Value::Null, &json!("Hello!")).0;
    assert_eq!(get("rate-limit").head.status, 429);
    assert_eq!(get("retry-after:status=503").head.status, 503);
    assert_eq!(get("html-instead:vendor=login").head.status, 200);
    assert_eq!(get("redirect").head.header("location").unwrap(), "/v1/models");
    // There is no prompt in it.
    assert_eq!(get("prompt-blocked").head.status, 200);
}

#[test]
fn a_body_that_was_asked_for_is_no_fault() {
    for path in [OPENAI, AZURE] {
        for reply in [json!("Hello!"), json!({ "error": { "status": 500 } })] {
            let plain = planned("", path, &asked(false), &reply).0;
            let same = answer("json-instead-of-stream:content_type=text/html", path, false, &reply);
            assert_eq!((same.head, same.body), (plain.head, plain.body));
        }
        let error = json!({ "error": { "status": 500 } });
        let plain = planned("", path, &asked(true), &error).0;
        assert_eq!(
            answer("json-instead-of-stream:content_type=text/html", path, true, &error).head,
            plain.head
        );
    }
}

#[test]
fn a_redirect_keeps_the_session_and_drops_the_faults() {
    let scope = "/session/a%20b/fault/redirect/fault/close-mid-stream";
    let location = |to: &str| {
        let scope = scope.replace("redirect", &format!("redirect:to={to}"));
        let (timeline, _) = planned(&scope, AZURE, &asked(true), &json!("Hello!"));
        timeline.head.header("location").unwrap().to_str().unwrap().to_owned()
    };
    assert_eq!(location("same"), format!("/session/a%20b{AZURE}"));
    assert_eq!(location("cross-origin"), format!("//127.0.0.1:4010/session/a%20b{AZURE}"));
    assert_eq!(
        location("loop"),
        format!("/session/a%20b/fault/redirect:to=loop/fault/close-mid-stream{AZURE}")
    );
}
