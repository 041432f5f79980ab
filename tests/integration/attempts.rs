//! Which attempt of a request a fault is for: counted in a session and a fault scope, or told by the SDK.

use bytes::Bytes;
use http::request::Parts;
use llmirage::serve::Service;
use llmirage::{Fault, Fixture, MockServer, Reply};

use crate::raw::{self, chat, get, once};

const PATH: &str = "/v1/chat/completions";
const FIRST_TWO: &str = "close-mid-stream:first=2@event:1";

fn builder() -> llmirage::Builder {
    MockServer::builder().fixture(Fixture::named("any").reply(Reply::text("One two three.")))
}

fn service() -> Service {
    builder().service().unwrap()
}

fn head(path: &str, headers: &[(&str, &str)]) -> Parts {
    let mut request = http::Request::post(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

/// Whether something breaks in the answer to each request: its path, headers and body.
fn broken<'a>(
    service: &Service,
    requests: impl IntoIterator<Item = (&'a str, &'a [(&'a str, &'a str)], &'a str)>,
) -> Vec<bool> {
    let requests = requests.into_iter();
    let foreseen = requests.map(|(path, headers, body)| {
        let (timeline, entry) = service.foresee(head(path, headers), &Bytes::from(body.to_owned()));
        assert_eq!(entry.unwrap().faults.is_empty(), timeline.faults.is_empty());
        !timeline.faults.is_empty()
    });
    foreseen.collect()
}

#[test]
fn the_first_attempts_of_each_request_are_counted_by_themselves() {
    let service = service();
    let scope = format!("/fault/{FIRST_TWO}{PATH}");
    let other = raw::ASK.replace("hi", "ho");
    let requests = [raw::ASK, raw::ASK, &other, raw::ASK, &other, &other];
    let requests = requests.map(|body| (scope.as_str(), &[][..], body));
    assert_eq!(broken(&service, requests), [true, true, true, false, true, false]);
}

#[test]
fn a_session_and_a_fault_scope_start_anew() {
    let service = service();
    let paths = [
        format!("/fault/{FIRST_TWO}{PATH}"),
        format!("/session/a/fault/{FIRST_TWO}{PATH}"),
        format!("/fault/{FIRST_TWO}/session/a{PATH}"),
        format!("/fault/close-mid-stream:first=1@event:1{PATH}"),
    ];
    let ask = |path: usize| (paths[path].as_str(), &[][..], raw::ASK);
    let requests = [ask(0), ask(0), ask(0), ask(1), ask(2), ask(1), ask(3), ask(3), ask(0)];
    assert_eq!(
        broken(&service, requests),
        [true, true, false, true, true, false, true, false, false],
        "the order of the parts of a base URL does not matter"
    );
}

#[test]
fn the_sdks_own_count_of_retries_goes_before() {
    let service = service();
    let scope = format!("/fault/{FIRST_TWO}{PATH}");
    let retry = |count: &'static str| [("x-stainless-retry-count", count)];
    let (first, second, third, junk) = (retry("0"), retry("1"), retry("2"), retry("x"));
    let requests = [&third, &first, &second, &third, &first, &junk];
    let requests = requests.map(|headers| (scope.as_str(), &headers[..], raw::ASK));
    assert_eq!(broken(&service, requests), [false, true, true, false, true, false]);
}

#[test]
fn every_nth_time_is_counted_whatever_the_sdk_says() {
    let service = service();
    let scope = format!("/fault/close-mid-stream:every=3@event:1{PATH}");
    let headers = [("x-stainless-retry-count", "0")];
    let requests = [(); 7].map(|()| (scope.as_str(), &headers[..], raw::ASK));
    assert_eq!(broken(&service, requests), [false, false, true, false, false, true, false]);
}

#[test]
fn a_reset_starts_attempts_anew() {
    let fault: Fault = "close-mid-stream:attempt=1@event:1".parse().unwrap();
    let service = builder().fault(fault).service().unwrap();
    let in_session = format!("/session/a{PATH}");
    let ask = |path| broken(&service, [(path, &[][..], raw::ASK)])[0];
    let reset = |query| {
        let head = head(&format!("/__admin/reset{query}"), &[]);
        assert_eq!(service.foresee(head, &Bytes::new()).0.head.status, 200);
    };
    assert_eq!((ask(PATH), ask(PATH), ask(&in_session), ask(&in_session)), (true, false, true, false));
    reset("?session=a");
    assert_eq!((ask(PATH), ask(&in_session)), (false, true));
    reset("");
    assert_eq!((ask(PATH), ask(&in_session)), (true, true));
}

#[test]
fn refusals_and_lists_of_models_are_counted_too() {
    let fault: Fault = "close-mid-stream:first=1@end".parse().unwrap();
    let service = builder().fault(fault).service().unwrap();
    let invalid = [(PATH, &[][..], "{}"), (PATH, &[][..], "{}")];
    assert_eq!(broken(&service, invalid), [true, false]);
    let faults = |_| {
        let head = http::Request::get("/v1/models").body(()).unwrap().into_parts().0;
        !service.foresee(head, &Bytes::new()).0.faults.is_empty()
    };
    assert_eq!([(), ()].map(faults), [true, false]);
}

#[tokio::test(start_paused = true)]
async fn over_a_connection_it_is_the_same() {
    let service = service();
    let scope = format!("/fault/close-mid-stream:attempt=2@end{PATH}");
    for _ in 0..3 {
        let ask = chat(&scope, "", &raw::ASK.replace("true", "false"));
        let mut client = raw::connect(&service, 64 * 1024);
        tokio::io::AsyncWriteExt::write_all(&mut client, ask.as_bytes()).await.unwrap();
        raw::answer(&mut client, true).await;
        drop(client);
    }
    once(&service, &get("/health")).await;
    let faults = service.journal().entries().iter().map(|entry| entry.faults.len()).collect::<Vec<_>>();
    assert_eq!(faults, [0, 1, 0]);
}
