//! What of this layer does not need a fixture: who gets a fault, and what is wrong with one.

use serde_json::json;

use super::*;
use crate::plan::fault::when::Turn;
use crate::plan::request::Scope;
use crate::plan::say::{Occasion, plan_instead};

fn fault(text: &str) -> Fault {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn request(faults: &[&str]) -> Request {
    let body =
        json!({ "model": "gpt-4o", "stream": true, "messages": [{ "role": "user", "content": "hi" }] });
    let mut request = Request::post("/v1/chat/completions", body);
    request.call.scope =
        Scope { faults: faults.iter().map(|text| fault(text)).collect(), ..Scope::default() };
    request
}

#[test]
fn only_the_first_so_many_attempts_get_a_fault_with_times() {
    for (attempt, expected) in [(1, true), (2, true), (3, false), (u64::MAX, false)] {
        let occasion = Occasion { turn: Turn { attempt, ..Turn::default() }, ..Occasion::default() };
        let instead = plan_instead(&request(&["rate-limit:times=2"]), &occasion);
        assert_eq!(instead.is_some(), expected, "attempt {attempt}");
        let always = plan_instead(&request(&["rate-limit"]), &occasion);
        assert!(always.is_some(), "attempt {attempt}");
    }
}

#[test]
fn an_answer_that_needs_no_reply_is_planned_without_one() {
    let instead = |faults: &[&str], server: &[Fault]| {
        let occasion = Occasion { faults: server, ..Occasion::default() };
        plan_instead(&request(faults), &occasion)
    };
    for (faults, status) in [
        (&["rate-limit"][..], 429),
        (&["quota-exhausted"], 429),
        (&["server-error:status=503"], 503),
        (&["prompt-blocked"], 400),
        (&["prompt-blocked:in_stream=true"], 200),
        (&["html-instead"], 200),
        (&["redirect"], 307),
        (&["early-response"], 413),
        (&["retry-after:form=junk", "server-error"], 500),
    ] {
        let timeline = instead(faults, &[]).unwrap_or_else(|| panic!("{faults:?}"));
        assert_eq!(timeline.head.status, status, "{faults:?}");
        assert_eq!(timeline.faults.len(), faults.len());
    }
    for faults in [
        &[][..],
        &["json-instead-of-stream"],
        &["retry-after"],
        &["content-type-wrong"],
        &["close-mid-stream"],
    ] {
        assert_eq!(instead(faults, &[]), None, "{faults:?}");
    }
    let server = [fault("rate-limit")];
    assert_eq!(instead(&["close-mid-stream@byte:3"], &server).unwrap().body.len(), 3);
}

#[test]
fn what_is_wrong_with_a_parameter_is_told() {
    let check = |fault: AnswerFault, expected: &[(&str, &str)]| {
        let problems = fault.problems();
        let problems: Vec<_> = problems.iter().map(|(name, problem)| (*name, problem.as_str())).collect();
        assert_eq!(problems, expected);
    };
    let server_error = |status, retry_after: &str| AnswerFault::ServerError {
        status,
        code: None,
        message: None,
        body: None,
        retry_after: Some(retry_after.to_owned()),
        times: None,
    };
    check(server_error(400, "2s"), &[]);
    check(
        server_error(600, "2\r\ns"),
        &[
            ("status", "expected the status of an error, 400 to 599, got 600"),
            ("retry_after", r#"expected visible ASCII, as in a header, got "2\r\ns""#),
        ],
    );
    let html = |status| AnswerFault::HtmlInstead { status, vendor: Vendor::Nginx, times: None };
    check(html(200), &[]);
    for status in [0, 199, 204, 304, 600, u64::MAX] {
        let problem = format!("expected a status with a body, 200 to 599, got {status}");
        check(html(status), &[("status", &problem)]);
    }
    let redirect = |status| AnswerFault::Redirect { status, to: Target::Same, times: None };
    check(redirect(303), &[]);
    check(redirect(304), &[("status", "expected 301, 302, 303, 307 or 308, got 304")]);
    let retry = |status, value: &str| AnswerFault::RetryAfter {
        form: RetryForm::Int,
        value: Some(value.to_owned()),
        status,
        should_retry: None,
        times: None,
    };
    check(retry(429, "1e99"), &[]);
    check(
        retry(200, "é"),
        &[
            ("status", "expected the status of an error, 400 to 599, got 200"),
            ("value", r#"expected visible ASCII, as in a header, got "é""#),
        ],
    );
    let json =
        |content_type: &str| AnswerFault::JsonInsteadOfStream { content_type: content_type.to_owned() };
    check(json("text/event-stream"), &[]);
    check(json("a\nb"), &[("content_type", r#"expected visible ASCII, as in a header, got "a\nb""#)]);
}

#[test]
fn no_parameter_is_too_odd_to_plan() {
    for status in [0, 7, 100, 199, 204, 304, 600, 999, 65_736, u64::MAX] {
        for kind in [
            AnswerFault::HtmlInstead { status, vendor: Vendor::Cloudflare, times: None },
            AnswerFault::Redirect { status, to: Target::Loop, times: None },
            AnswerFault::RetryAfter {
                form: RetryForm::AzureText,
                value: Some("-1e400".to_owned()),
                status,
                should_retry: None,
                times: None,
            },
        ] {
            // The time to wait needs an error to stand on.
            let mut request = request(if kind.replaces() { &[] } else { &["server-error"] });
            request.call.scope.faults.push(Fault::new(kind));
            let timeline = plan_instead(&request, &Occasion::default()).unwrap();
            assert!((200..600).contains(&timeline.head.status.as_u16()), "{status}");
        }
    }
}
