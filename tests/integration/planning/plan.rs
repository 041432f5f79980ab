//! Plans without a server: one fixture, one request.

use bytes::Bytes;
use llmirage::plan::set::{FixtureSet, Source};
use llmirage::{MockServer, Timeline};
use serde_json::{Value, json};

/// The first answer of a fixture with this reply to a POST of this body, seed 0.
///
/// A body without `messages` or `model` asks gpt-4o-mini "hello".
pub(crate) fn planned(target: &str, body: &Value, reply: &Value) -> Timeline {
    let file = json!({ "fixtures": [{ "name": "case", "reply": reply }] });
    let mut body = body.clone();
    for (key, value) in
        [("model", json!("gpt-4o-mini")), ("messages", json!([{ "role": "user", "content": "hello" }]))]
    {
        body.as_object_mut().expect("a body is an object").entry(key).or_insert(value);
    }
    let source = Source::File { path: "case.json".into(), text: file.to_string() };
    let set = FixtureSet::load(vec![source]).unwrap_or_else(|errors| panic!("{errors}"));
    let service = MockServer::builder().fixtures(set).service().expect("the service starts");
    let body = Bytes::from(body.to_string());
    let request = http::Request::post(target).body(()).expect("the target is a path");
    let (timeline, _) = service.foresee(request.into_parts().0, &body);
    timeline
}
