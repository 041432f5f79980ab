//! What faults make of events, in golden files: one for each dialect and kind of answer. An event that is as
//! in the healthy answer is told by its number there.

use std::fmt::Write as _;

use llmirage::Timeline;
use serde_json::{Value, json};

use crate::planning::golden::check_text;
use crate::planning::planned;

const DIALECTS: [(&str, &str); 2] =
    [("openai", "/v1/chat/completions"), ("azure", "/openai/v1/chat/completions")];

/// Faults that break an answer with text.
const TEXT: &[&str] = &[
    "azure-prompt-filter-chunk",
    "azure-prompt-filter-chunk:key=prompt_annotations,empty_ids=false",
    "azure-async-filter-chunk",
    "azure-async-filter-chunk:delta=null,offsets=false@event:2",
    "filter-service-error",
    "content-filter-finish",
    "content-filter-finish:category=self_harm,severity=high@first-content",
    "role-anomaly",
    "role-anomaly:form=missing",
    "role-anomaly:form=empty",
    "content-null",
    "content-null:form=absent@first-content",
    "content-null:form=reasoning-only@first-content",
    "finish-with-content",
    "finish-stop-with-tools:inverse=true",
    "finish-unknown",
    "finish-unknown:value=sensitive",
    "finish-missing",
    "finish-missing:value=absent",
    "chunk-after-finish",
    "chunk-after-finish:what=empty",
    "chunk-after-finish:what=usage",
    "usage-chunk",
    "usage-chunk:choices=absent",
    "usage-chunk:choices=null",
    "usage-chunk:unsolicited=false",
    "envelope-missing@first-content",
    "envelope-missing:drop=object+choices,add=cost@finish",
    "surrogate-split",
    "unicode-separators",
    "event-oversize:bytes=2000",
    "duplicate-event:times=2",
    "error-in-stream",
    "error-in-stream:shape=flat,then=end@event:0",
    "error-in-stream:shape=string,then=close",
    "error-in-stream:shape=anthropic,code=overloaded_error@role",
    "stream-truncated",
    "stream-truncated@event:2,byte:40",
    "stream-truncated:keep_done=true",
];

/// Faults that break tool calls.
const TOOLS: &[&str] = &[
    "tool-args-truncated",
    "tool-args-truncated:byte=4,finish=length",
    "tool-args-truncated:byte=0,finish=none",
    "tool-call-identity",
    "tool-call-identity:index=zero",
    "tool-call-identity:index=from-one",
    "tool-call-identity:index=right,id=missing,type=missing,name=empty",
    "tool-call-identity:index=right,id=empty",
    "tool-call-identity:index=right,id=repeated",
    "finish-stop-with-tools",
];

/// Faults that break answers with several choices.
const CHOICES: &[&str] =
    &["choices-interleaved", "choices-interleaved:order=grouped", "choices-interleaved:order=shuffled"];

#[test]
fn events_say_what_the_fault_says() {
    let paced = |answer: Value| json!({ "answer": answer, "pacing": { "ttft": "100ms", "itl": "10ms" } });
    let text = paced(json!({ "text": "Hello, 望月!" }));
    let tools = paced(json!({ "tool_calls": [
        { "name": "get_weather", "arguments": { "city": "Köln" } },
        { "name": "get_time", "arguments": {} },
    ] }));
    let choices = paced(json!({ "choices": [{ "text": "One, two." }, { "text": "Un, deux." }] }));
    let declared = json!([tool("get_weather"), tool("get_time")]);
    let cases = [
        ("text", TEXT, json!({}), text),
        ("tools", TOOLS, json!({ "tools": declared }), tools),
        ("choices", CHOICES, json!({ "n": 2 }), choices),
    ];
    for (name, faults, body, reply) in cases {
        for (dialect, path) in DIALECTS {
            let mut stream = body.clone();
            stream["stream"] = json!(true);
            check_text(&format!("event-faults-{dialect}-{name}"), &broken(path, faults, &stream, &reply));
            check_text(&format!("event-faults-{dialect}-{name}-json"), &broken(path, faults, &body, &reply));
        }
    }
}

/// The healthy answer, and what each fault makes of it.
fn broken(path: &str, faults: &[&str], body: &Value, reply: &Value) -> String {
    let healthy = planned(path, body, reply);
    let mut out = String::from("healthy\n");
    for index in 0..healthy.events.len() {
        let _ = writeln!(out, "{index} {}", event(&healthy, index));
    }
    for fault in faults {
        let timeline = planned(&format!("/fault/{fault}{path}"), body, reply);
        let _ = writeln!(out, "\n{fault}");
        if timeline == (Timeline { faults: timeline.faults.clone(), ..healthy.clone() }) {
            out.push_str("as it was\n");
            continue;
        }
        assert_eq!(timeline.head.status, healthy.head.status);
        let headers = timeline.head.headers.iter().zip(&healthy.head.headers);
        for (header, _) in headers.filter(|(header, old)| header != old) {
            let _ = writeln!(out, "{}: {}", header.name, String::from_utf8_lossy(header.value.as_bytes()));
        }
        let mut same = String::new();
        for index in 0..timeline.events.len() {
            let shown = event(&timeline, index);
            match (0..healthy.events.len()).find(|old| event(&healthy, *old) == shown) {
                Some(old) => {
                    let _ = write!(same, " {old}");
                }
                None => {
                    flush(&mut out, &mut same);
                    let _ = writeln!(out, "+ {shown}");
                }
            }
        }
        flush(&mut out, &mut same);
        let _ = writeln!(out, "{} @{:?}", timeline.ending.name(), timeline.ends_at);
    }
    out
}

/// Writes the numbers of the events that are as they were.
fn flush(out: &mut String, same: &mut String) {
    if !same.is_empty() {
        let _ = writeln!(out, "={same}");
        same.clear();
    }
}

/// An event in a line, but for its own line feeds.
fn event(timeline: &Timeline, index: usize) -> String {
    let bytes = timeline.event_bytes(index);
    let event = timeline.events[index];
    let mut text = String::from_utf8_lossy(&bytes).replace(&"x".repeat(100), "(100 x)");
    for separator in ['\u{2028}', '\u{2029}', '\u{85}'] {
        text = text.replace(separator, &format!("(U+{:04X})", u32::from(separator)));
    }
    format!("@{:?} {:?} {text}", event.at, event.kind)
}

fn tool(name: &str) -> Value {
    json!({ "type": "function", "function": { "name": name, "parameters": { "type": "object", "properties": {} } } })
}
