//! What is cast is what is planned, and molds exist where they should.

use std::time::Duration;

use http::Version;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::Mold;
use crate::plan::fault::when::Turn;
use crate::plan::http1::{self, Peer};
use crate::plan::limits::{Allowance, Level};
use crate::plan::ready::tests::{load, reply, request};
use crate::plan::reply::Prepared;
use crate::plan::say::{Occasion, plan};
use crate::plan::set::{FixtureSet, Hits};
use crate::plan::timeline::Headers;
use crate::plan::{Fault, Pacing, Request, Timeline};

fn admitted<'a>(set: &'a FixtureSet, request: &Request) -> &'a Prepared {
    let candidates = set.candidates(request).unwrap();
    set.admit(&candidates, &mut Hits::default()).unwrap().reply
}

/// What clients get, of either version, on a connection that stays or ends.
fn bytes(timeline: &Timeline) -> Vec<http1::Wire> {
    let versions = [Version::HTTP_10, Version::HTTP_11].into_iter();
    let peers = versions.flat_map(|version| [true, false].map(|keep_alive| Peer { version, keep_alive }));
    let sent = |peer: Peer| {
        let mut timeline = timeline.clone();
        http1::fit(&mut timeline.head, peer);
        http1::wire(&timeline, peer.version)
    };
    peers.map(sent).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn what_is_cast_is_what_is_planned(
        mut reply in reply(),
        mut request in request(),
        session in "[a-z]{0,4}",
        own in prop::option::of(Just(json!({ "X-Request-Id": "1", "Server": null, "x-own": "mine" }))),
        status in prop::option::weighted(0.1, prop::sample::select(vec![201, 404])),
        sent in any::<bool>(),
        (seed, later, scale) in (any::<u64>(), 0..1_000_000_000_u64, prop::sample::select(vec![0.0, 0.5, 1.0])),
        hits in prop::collection::vec(any::<u64>(), 4),
    ) {
        if let Some(own) = own {
            reply["headers"] = own;
        }
        if let Some(status) = status {
            reply["status"] = json!(status);
        }
        let set = load(&reply);
        request.call.scope.session = session;
        if sent {
            request.call.headers.insert("x-ms-client-request-id", "mine".parse().unwrap());
        }
        let reply = admitted(&set, &request);
        let max_hold = Duration::from_millis(30);
        let now = 1_677_225_600 + later;
        let occasion = |hit| Occasion {
            fixture: "a", hit, now, seed, wall: hit, max_hold, time_scale: scale, ..Occasion::default()
        };
        if let Some(mold) = Mold::of(reply, &request, &occasion(hits[0])) {
            for hit in hits {
                prop_assert!(mold.fits(&occasion(hit)));
                let (cast, planned) = (mold.cast(hit), plan(reply, &request, &occasion(hit)));
                let lines = Headers::from(cast.head.headers.to_vec());
                prop_assert_eq!(cast.head.headers.framed(), lines.framed());
                prop_assert_eq!(cast.head.headers.written(), lines.written());
                prop_assert_eq!(bytes(&cast), bytes(&planned));
                prop_assert_eq!(cast, planned);
            }
        }
    }
}

fn ask(path: &str, stream: bool) -> Request {
    let body =
        json!({ "model": "gpt-4o", "stream": stream, "messages": [{ "role": "user", "content": "hi" }] });
    Request::post(path, body)
}

const OPENAI: &str = "/v1/chat/completions";
const AZURE: &str = "/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21";

#[track_caller]
fn check(reply: &Value, request: &Request, expected: bool) {
    let set = load(reply);
    let mold = Mold::of(admitted(&set, request), request, &Occasion::default());
    assert_eq!(mold.is_some(), expected, "{reply} {}", request.call.path);
}

#[test]
fn there_is_a_mold_for_every_date_and_form() {
    let months = (2023..=2026).flat_map(|year| (1..=12).map(move |month| format!("{year}-{month:02}-15")));
    for date in months.filter(|date| ("2023-03".."2026-10").contains(&date.as_str())) {
        for (path, stream) in [OPENAI, AZURE].into_iter().flat_map(|path| [(path, false), (path, true)]) {
            check(
                &json!({ "answer": { "text": "Hello." }, "wire": { "profile": date } }),
                &ask(path, stream),
                true,
            );
        }
    }
}

#[test]
fn there_is_a_mold_for_calls_of_tools_and_every_steady_pace() {
    let call = json!({ "name": "f", "arguments": {} });
    let given = json!({ "name": "f", "arguments": {}, "id": "call_1" });
    for (path, stream) in [OPENAI, AZURE].into_iter().flat_map(|path| [(path, false), (path, true)]) {
        check(&json!({ "answer": { "tool_calls": [call] } }), &ask(path, stream), true);
        check(&json!({ "answer": { "tool_calls": [given, call, call] } }), &ask(path, stream), true);
        let pacing = json!({ "ttft": "250ms", "itl": "20ms", "head": "10ms" });
        check(&json!({ "answer": { "text": "Hello there." }, "pacing": pacing }), &ask(path, stream), true);
    }
}

#[test]
fn there_is_none_where_hits_differ_in_more_than_what_they_draw() {
    let request = ask(OPENAI, true);
    for reply in [
        json!({ "answer": { "text": "Hello {{ hit }}.", "template": true } }),
        json!({ "answer": { "text": "Hello." }, "pacing": { "itl": "20ms", "jitter": { "uniform": 0.2 } } }),
        json!({ "answer": { "text": "Hello." }, "faults": [{ "fault": "stall", "when": { "first": 1 } }] }),
        json!({ "script": [{ "text": "Hello." }] }),
        json!({ "error": { "status": 500 } }),
    ] {
        check(&reply, &request, false);
    }
    let hello = json!("Hello.");
    for (key, value) in [("n", json!(2)), ("logprobs", json!(true))] {
        let mut request = request.clone();
        request.body[key] = value;
        check(&hello, &request, false);
    }
    let mut broken = request;
    broken.call.scope.faults = vec![Fault::rate_limit()];
    check(&hello, &broken, false);
}

#[test]
fn other_occasions_are_planned() {
    let (set, request) = (load(&json!("Hello.")), ask(OPENAI, true));
    let (reply, own) = (admitted(&set, &request), Occasion { fixture: "a", ..Occasion::default() });
    let mold = Mold::of(reply, &request, &own).unwrap();
    let turn = Turn { attempt: 2, count: 2, print: 2 };
    assert!(mold.fits(&Occasion { fixture: "", hit: 9, wall: 9, turn, ..own }));
    let level = Level { limit: 2, remaining: 1, full_in: Duration::ZERO };
    let (limits, faults) = (Allowance { requests: Some(level), tokens: None }, [Fault::rate_limit()]);
    for other in [
        Occasion { seed: 9, ..own },
        Occasion { now: own.now + 1, ..own },
        Occasion { pacing: Pacing::itl(Duration::from_millis(1)), ..own },
        Occasion { time_scale: 0.5, ..own },
        Occasion { max_hold: Duration::ZERO, ..own },
        Occasion { faults: &faults, ..own },
        Occasion { limits, ..own },
    ] {
        assert!(!mold.fits(&other), "{other:?}");
        let of = Mold::of(reply, &request, &other).is_some();
        assert_eq!(of, other.faults.is_empty() && other.limits == own.limits, "{other:?}");
    }
}
