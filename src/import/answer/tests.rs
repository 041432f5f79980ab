use bytes::Bytes;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;

use super::search::said;
use super::{Regenerated, Transcript, Value, asked, reply as import, request as implied};
use crate::import::{RawExchange, RawRequest, RawResponse};
use crate::plan::transcript::{RecordedEnding, RecordedRequest};

/// What would be recorded of this exchange.
fn recording(request: &RecordedRequest, status: u16, body: Bytes) -> Transcript {
    let RecordedRequest { method, path, headers, body: asked } = request.clone();
    let asked = asked.map(|json| Bytes::from(json.to_string())).unwrap_or_default();
    let raw = RawExchange {
        request: Some(RawRequest { method, url: path, headers, body: asked }),
        response: RawResponse { status, body, ..RawResponse::default() },
        ..RawExchange::default()
    };
    raw.exchange().unwrap().transcript
}

fn post(path: &str, body: Value) -> RecordedRequest {
    RecordedRequest {
        method: "POST".to_owned(),
        path: path.to_owned(),
        headers: Vec::new(),
        body: Some(body),
    }
}

/// A body that asks for a stream with the usage.
fn streamed(model: &str) -> Value {
    json!({
        "model": model, "messages": [{ "role": "user", "content": "hello" }], "stream": true,
        "stream_options": { "include_usage": true },
    })
}

/// Records what a reply says, and imports that.
fn imported(request: &RecordedRequest, reply: &Value) -> Result<Regenerated, String> {
    let body = said(&asked::typed(request)?, reply)?;
    import(&recording(request, 200, body))
}

const OPENAI: &str = "/v1/chat/completions";
const AZURE: &str = "/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21";

#[test]
fn what_follows_by_rule_is_left_out() {
    let said = json!({ "answer": { "text": "Hello there, Sir." } });
    let Regenerated { reply, difference } = imported(&post(OPENAI, streamed("gpt-4o")), &said).unwrap();
    assert_eq!(difference, None);
    let wire = reply["wire"].as_object().unwrap();
    assert_eq!(reply["answer"], said["answer"]);
    assert_eq!(wire.keys().collect::<Vec<_>>(), ["id", "created", "system_fingerprint", "obfuscation"]);
    assert!(wire["obfuscation"].is_string(), "{wire:?}");
    assert_eq!(reply.as_object().unwrap().len(), 2, "{reply}");
}

#[test]
fn pieces_are_named_if_they_have_a_name() {
    let text = "Hello there, Sir.";
    let exact = json!({ "exact": ["He", "llo there,", " Sir."] });
    for chunking in [json!("word"), json!("char"), json!({ "chars": 3 }), exact] {
        let said = json!({ "answer": { "text": text, "chunking": chunking } });
        let Regenerated { reply, difference } = imported(&post(OPENAI, streamed("gpt-4o")), &said).unwrap();
        assert_eq!((&reply["answer"], difference), (&said["answer"], None));
    }
}

#[test]
fn calls_have_their_ids_and_arguments_that_can_be_edited() {
    let call = |city: &str, id: &str| json!({ "name": "weather", "arguments": { "city": city, "days": 2 }, "id": id });
    for calls in [vec![call("Paris", "call_1")], vec![call("Paris", "call_1"), call("Rome", "call_2")]] {
        let said = json!({ "answer": { "tool_calls": calls } });
        for (path, stream) in [(OPENAI, true), (OPENAI, false), (AZURE, true), (AZURE, false)] {
            let mut body = streamed("gpt-4o");
            if !stream {
                body = json!({ "model": "gpt-4o", "messages": body["messages"] });
            }
            let Regenerated { reply, difference } = imported(&post(path, body), &said).unwrap();
            assert_eq!((&reply["answer"], difference), (&said["answer"], None));
        }
    }
}

#[test]
fn what_the_filter_says_is_kept_as_it_is_where_no_rule_says_it() {
    let odd = json!({ "hate": { "filtered": false, "severity": "safe" }, "jailbreak": { "detected": true } });
    let filters = json!({
        "results": odd,
        "prompt_results": [{ "prompt_index": 0, "content_filter_result": {} }],
        "chunks": [{ "chunk": 1, "results": {} }, { "chunk": -1, "results": null }],
    });
    let said = json!({ "answer": { "text": "One two three four." }, "filters": filters });
    let Regenerated { reply, difference } = imported(&post(AZURE, streamed("gpt-4o")), &said).unwrap();
    assert_eq!((&reply["filters"], difference), (&filters, None));
}

#[test]
fn what_the_asynchronous_filter_says_is_kept_with_its_place() {
    let offsets = json!({ "check_offset": 65, "start_offset": 65, "end_offset": 222 });
    let annotation = |after: Option<u64>, name: &str| {
        let results = json!({ name: { "detected": false, "filtered": false } });
        let mut annotation = json!({ "offsets": offsets, "results": results });
        after.into_iter().for_each(|after| annotation["after"] = json!(after));
        annotation
    };
    let mut filters = json!({
        "mode": "asynchronous",
        "annotations": [annotation(Some(3), "protected_material_text"), annotation(None, "protected_material_code")],
    });
    let said = json!({ "answer": { "text": "One two three four." }, "filters": filters });
    let Regenerated { mut reply, difference } =
        imported(&post(AZURE, streamed("gpt-6-luna")), &said).unwrap();
    assert_eq!(difference, None);
    for annotations in [&mut reply["filters"], &mut filters].map(|filters| &mut filters["annotations"]) {
        annotations.as_array_mut().unwrap().iter_mut().for_each(|annotation| annotation.sort_all_objects());
    }
    assert_eq!(reply["filters"], filters);
}

#[test]
fn chunks_of_several_choices_come_in_the_recorded_order() {
    let said = json!({
        "answer": { "choices": [{ "text": "One two." }, { "text": "Three." }] },
        "wire": { "interleave": [1, 1, 0, 0, 1, 1, 0, 0, 0, 0] },
    });
    let mut body = streamed("gpt-4o");
    body["n"] = json!(2);
    for path in [OPENAI, AZURE] {
        let Regenerated { reply, difference } = imported(&post(path, body.clone()), &said).unwrap();
        assert_eq!(difference, None);
        let order = reply["wire"]["interleave"].as_array().unwrap();
        assert_eq!(order[..6], [1, 1, 0, 0, 1, 1].map(Value::from), "{order:?}");
    }
}

#[test]
fn a_difference_names_its_byte_and_both_sides() {
    let request = post(OPENAI, streamed("gpt-4o"));
    let said = json!({ "answer": { "text": "Hello there, Sir." } });
    let body = said_to(&request, &said).replace("\"index\":0,", "\"index\":0,\"x\":1,");
    let imported = import(&recording(&request, 200, Bytes::from(body.clone()))).unwrap();
    assert_eq!(imported.reply["answer"]["text"], "Hello there, Sir.");
    let difference = imported.difference.unwrap();
    assert_eq!(Some(difference.at), body.find("x\":1"));
    assert!(difference.recorded.contains("\"index\":0,\"x\":1,\"delta"), "{difference}");
    assert!(difference.said.contains("\"index\":0,\"delta"), "{difference}");
    assert!(difference.to_string().starts_with(&format!("differs at byte {}: says ", difference.at)));
}

/// Envelope and obfuscation still follow by rule, so that the script can be edited.
#[test]
fn a_stream_that_no_answer_says_is_a_script_of_its_deltas() {
    let request = post(OPENAI, streamed("gpt-4o"));
    let audio = json!({ "delta": { "audio": { "transcript": "Hello" } } });
    let said = json!({ "script": [
        { "delta": { "role": "assistant", "refusal": null } }, audio, { "text": "Hello" }, { "finish": "stop" },
        { "chunk": { "choices": [], "x": 1 } }, { "comment": "ping" }, "done",
    ] });
    let imported = imported(&request, &said).unwrap();
    assert_eq!(imported.difference, None);
    assert_eq!(imported.reply["script"], said["script"]);
    let keys: Vec<&String> = imported.reply["wire"].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["id", "created", "system_fingerprint", "obfuscation"]);
}

fn said_to(request: &RecordedRequest, reply: &Value) -> String {
    String::from_utf8(said(&asked::typed(request).unwrap(), reply).unwrap().to_vec()).unwrap()
}

#[test]
fn what_no_answer_says_is_told_with_the_way_out() {
    let request = post(OPENAI, streamed("gpt-4o"));
    let chat = said_to(&request, &json!({ "answer": { "text": "Hello." } }));
    let cut = chat.trim_end_matches("data: [DONE]\n\n").to_owned();
    for (body, reason) in [
        (
            "event: response.created\ndata: {}\n\n",
            "event 0 has a name, as in other protocols than chat completions",
        ),
        ("data: {\"type\":\"ping\"}\n\n", "event 0 is no chunk of a chat completion"),
        ("data: oops\n\n", "event 0 is not the JSON of a chunk"),
        ("data: [DONE]\n\n", "it has no chunk of a chat completion"),
        (&cut, "it ends without [DONE]"),
        ("<html>", "its body is not JSON"),
        ("{}", "its body is no chat completion"),
    ] {
        let told = import(&recording(&request, 200, Bytes::from(body.to_owned()))).unwrap_err();
        assert_eq!(told, format!("{reason}, which an answer does not say: keep it as a transcript"));
    }
    let elsewhere = post("/v1/responses", json!({}));
    let told = import(&recording(&elsewhere, 200, Bytes::from(chat.clone()))).unwrap_err();
    assert!(told.starts_with("\"/v1/responses\" is not the path of chat completions"), "{told}");
    let refused = post(OPENAI, json!({ "model": "gpt-4o", "stream": true }));
    let told = import(&recording(&refused, 200, Bytes::from(chat.clone()))).unwrap_err();
    assert!(told.starts_with("its request is refused by llmirage with 400: "), "{told}");
    let mut left = recording(&request, 200, Bytes::from(chat));
    left.response.ending = RecordedEnding::ClientLeft;
    let told = import(&left).unwrap_err();
    assert!(told.starts_with("the client left before its end, which"), "{told}");
}

#[test]
fn errors_say_as_little_as_gives_them_again() {
    let request = post(OPENAI, streamed("gpt-4o"));
    for error in [
        json!({ "status": 429 }),
        json!({ "status": 429, "code": "insufficient_quota" }),
        json!({ "status": 503, "body": "<html>Bad</html>" }),
    ] {
        let body = said_to(&request, &json!({ "error": error }));
        let imported = import(&recording(
            &request,
            u16::try_from(error["status"].as_u64().unwrap()).unwrap(),
            body.into(),
        ));
        assert_eq!(imported.unwrap(), Regenerated { reply: json!({ "error": error }), difference: None });
    }
}

#[test]
fn recorded_times_are_a_pace() {
    use crate::plan::json::Span;
    use std::time::Duration;

    let request = post(OPENAI, streamed("gpt-4o"));
    let body = said_to(&request, &json!({ "answer": { "text": "One two three four." } }));
    let mut transcript = recording(&request, 200, body.into());
    transcript.response.at = Some(Span(Duration::from_millis(80)));
    let times = [90, 250, 270, 290, 330, 350];
    for (event, at) in transcript.response.events.iter_mut().flatten().zip(times) {
        event.at = Some(Span(Duration::from_millis(at)));
    }
    let imported = import(&transcript).unwrap();
    assert_eq!(imported.reply["pacing"], json!({ "head": "80ms", "ttft": "250ms", "itl": "20ms" }));
    assert_eq!(imported.difference, None);
}

/// Where nobody recorded a request, the response tells what was asked.
#[test]
fn a_response_without_a_request_is_imported_for_one_that_asks_for_it() {
    let mut body = streamed("gpt-4o");
    body["n"] = json!(2);
    body["logprobs"] = json!(true);
    body["top_logprobs"] = json!(3);
    for path in [OPENAI, "/openai/v1/chat/completions"] {
        let request = post(path, body.clone());
        let body = said_to(&request, &json!({ "answer": { "text": "Hello there." } }));
        let mut transcript = recording(&request, 200, body.into());
        transcript.request = None;
        assert_eq!(import(&transcript).unwrap().difference, None);
        let implied = implied(&transcript).unwrap();
        assert_eq!((implied.path.as_str(), &implied.body.unwrap()["n"]), (path, &json!(2)));
    }
}

/// A text with what is hard about texts.
fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[ -~]{1,40}", "([a-zA-Z]{1,9} ){1,12}", "[a-z\\n\\t\"\\\\ éß望月👩\u{200d}\u{2028}]{1,20}",]
}

fn chunking() -> impl Strategy<Value = Option<Value>> {
    let kinds = [
        None,
        None,
        Some(json!("token")),
        Some(json!("word")),
        Some(json!("char")),
        Some(json!({ "chars": 4 })),
    ];
    select(kinds.to_vec())
}

fn calls() -> impl Strategy<Value = Value> {
    let arguments = prop_oneof![
        "[a-z]{0,9}"
            .prop_map(|value| json!({ "city": value, "days": 3, "more": [1.5, null, { "a": true }] })),
        Just(json!({})),
        "[ -~]{0,30}".prop_map(Value::from),
    ];
    let call = ("[a-z_]{1,12}", arguments, any::<bool>()).prop_map(|(name, arguments, given)| {
        let mut call = json!({ "name": name, "arguments": arguments });
        if given {
            call["id"] = json!("call_of_mine");
        }
        call
    });
    prop::collection::vec(call, 1..4).prop_map(Value::from)
}

/// One answer: a text, a refusal, calls, or a text and calls.
fn choice() -> impl Strategy<Value = Value> {
    let finish = select(vec![None, None, None, Some("length"), Some("content_filter")]);
    let content = prop_oneof![
        text().prop_map(|text| json!({ "text": text })),
        text().prop_map(|text| json!({ "refusal": text })),
        calls().prop_map(|calls| json!({ "tool_calls": calls })),
        (text(), calls()).prop_map(|(text, calls)| json!({ "text": text, "tool_calls": calls })),
    ];
    (content, chunking(), finish).prop_map(|(mut answer, chunking, finish)| {
        chunking.into_iter().for_each(|chunking| answer["chunking"] = chunking);
        finish.into_iter().for_each(|finish| answer["finish_reason"] = json!(finish));
        answer
    })
}

fn filters() -> impl Strategy<Value = Value> {
    let verdicts = || {
        select(vec![
            json!({}),
            json!({ "violence": "low" }),
            json!({ "protected_material_text": "detected" }),
            json!({ "violence": "medium" }),
            json!({ "custom_blocklists": ["mine"] }),
        ])
    };
    let prompt = select(vec![json!({}), json!({ "hate": "low" }), json!({ "jailbreak": "detected" })]);
    let mode = select(vec!["default", "default", "asynchronous", "off"]);
    (mode, prompt, verdicts(), 0usize..6).prop_map(|(mode, prompt, completion, after)| {
        let ends = completion.to_string().contains("medium") || completion.to_string().contains("mine");
        let mut filters = json!({ "mode": mode, "prompt": prompt, "completion": completion });
        if ends && after > 0 {
            filters["after"] = json!(after);
        }
        filters
    })
}

fn wire() -> impl Strategy<Value = Value> {
    let date = (2023u32..=2026, 3u32..=9, any::<bool>()).prop_map(|(year, month, day)| match day {
        true => format!("{year}-{month:02}-14"),
        false => format!("{year}-{month:02}"),
    });
    let tier = select(vec![None, None, Some(json!("flex")), Some(Value::Null)]);
    let fingerprint = select(vec![None, None, Some(json!("fp_mine")), Some(Value::Null)]);
    let hidden =
        select(vec![None, None, Some(json!(false)), Some(json!(true)), Some(json!(["a", "bc", ""]))]);
    let created = 1_680_000_000u64..1_790_000_000;
    (prop::option::of(date), tier, fingerprint, hidden, prop::option::of(created)).prop_map(
        |(profile, tier, fingerprint, hidden, created)| {
            let given = [
                ("profile", profile.map(Value::from)),
                ("service_tier", tier),
                ("system_fingerprint", fingerprint),
                ("obfuscation", hidden),
                ("created", created.map(Value::from)),
            ];
            given.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
        },
    )
}

/// A request and a reply, of either provider, streamed or not.
fn exchange() -> impl Strategy<Value = (RecordedRequest, Value)> {
    let path = select(vec![
        OPENAI,
        AZURE,
        "/openai/v1/chat/completions",
        "/openai/deployments/gpt-4o/chat/completions?api-version=2023-05-15",
    ]);
    let model = select(vec!["gpt-4o-mini", "gpt-3.5-turbo", "gpt-5-mini", "gpt-4.1", "gpt-6-luna"]);
    let asked = (any::<bool>(), any::<bool>(), select(vec![None, Some(0), Some(2)]), 1usize..4);
    let answers = prop::collection::vec(choice(), 1..3);
    (path, model, asked, answers, wire(), filters()).prop_map(
        |(path, model, asked, answers, wire, filters)| {
            let (stream, usage, logprobs, n) = asked;
            let mut body =
                json!({ "model": model, "messages": [{ "role": "user", "content": "hello" }], "n": n });
            if stream {
                body["stream"] = json!(true);
            }
            if stream && usage {
                body["stream_options"] = json!({ "include_usage": true });
            }
            if let Some(top) = logprobs.filter(|_| !model.starts_with("gpt-5") && !model.starts_with("gpt-6"))
            {
                body["logprobs"] = json!(true);
                body["top_logprobs"] = json!(top);
            }
            let mut answers = json!(answers);
            // Bodies did not show refusals at first, so nothing of them can be heard.
            if !stream && (path.ends_with("2023-05-15") || wire["profile"].as_str() < Some("2025")) {
                for answer in answers.as_array_mut().unwrap().iter_mut().filter_map(Value::as_object_mut) {
                    let refusal = answer.remove("refusal");
                    answer.extend(refusal.map(|refusal| ("text".to_owned(), refusal)));
                }
            }
            let mut reply = json!({ "answer": { "choices": answers }, "wire": wire });
            if path != OPENAI {
                reply["filters"] = filters;
                // The first bodies did not show verdicts.
                if wire["profile"].as_str().is_some_and(|profile| profile < "2023-07") {
                    reply["filters"]["completion"] = json!({});
                    reply["filters"].as_object_mut().unwrap().remove("after");
                }
                // Whether a call that was cut off was one of several cannot be heard.
                if reply["answer"].to_string().contains("tool_calls") {
                    reply["filters"].as_object_mut().unwrap().remove("after");
                }
            }
            (post(path, body), reply)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Whatever our own servers say is imported as a fixture that says it again.
    #[test]
    fn what_is_said_here_is_said_again((request, reply) in exchange()) {
        let typed = asked::typed(&request).unwrap();
        let body = said(&typed, &reply).unwrap();
        // A backend of an earlier date refuses what it did not know.
        prop_assume!(!body.starts_with(b"{\"error\"") && !body.starts_with(b"{\n  \"error\""));
        prop_assume!(!body.starts_with(b"{\n    \"error\""));
        let imported = import(&recording(&request, 200, body)).map_err(TestCaseError::fail)?;
        prop_assert_eq!(&imported.difference, &None, "{}", imported.reply);
    }

    #[test]
    fn no_damage_is_too_much((request, reply) in exchange(), cuts in prop::collection::vec((any::<prop::sample::Index>(), 0usize..60, ".{0,6}"), 1..4)) {
        let mut body = said_to(&request, &reply).into_bytes();
        for (at, len, instead) in cuts {
            let start = at.index(body.len().max(1)).min(body.len());
            let end = (start + len).min(body.len());
            body.splice(start..end, instead.bytes());
        }
        let _ = import(&recording(&request, 200, body.into()));
    }
}
