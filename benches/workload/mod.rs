//! What the benchmarks answer and ask: fixtures and requests of a size, the same on every machine.

use std::fmt;

use llmirage::plan::set::{FixtureSet, Hits, Source};
use llmirage::plan::{Occasion, Request, Timeline, plan};
use serde_json::{Value, json};

/// Lengths of streams, in events: the role, the content, the finish and `[DONE]`.
pub(crate) const EVENTS: [usize; 3] = [10, 100, 1000];

/// Sizes of sets, in fixtures.
pub(crate) const FIXTURES: [usize; 2] = [10, 1000];

/// A fixture file whose one answer is a stream of so many events.
pub(crate) fn stream_file(events: usize) -> String {
    let words = ["the", "of", "and", "to", "in", "is", "that", "for", "it", "as"];
    let text: Vec<&str> = words.iter().copied().cycle().take(events - 3).collect();
    json!({ "fixtures": [{ "name": "stream", "reply": text.join(" ") }] }).to_string()
}

/// A fixture file with so many fixtures, in turns for users who ask a question of its own among other things, and
/// for users who ask nothing else.
pub(crate) fn set_file(fixtures: usize) -> String {
    let fixture = |index| {
        let user = match index % 2 {
            0 => json!(question(index)),
            _ => json!({ "equals": question(index) }),
        };
        json!({
            "name": format!("fixture {index}"),
            "match": { "model": "gpt-4o", "user": user },
            "reply": format!("This is the answer to question number {index}."),
        })
    };
    json!({ "fixtures": (0..fixtures).map(fixture).collect::<Vec<Value>>() }).to_string()
}

/// The set of one file.
pub(crate) fn load(text: String) -> FixtureSet {
    FixtureSet::load(vec![Source::File { path: "bench.json".into(), text }]).expect("the fixtures are valid")
}

/// The body of a request, of an ordinary length.
pub(crate) fn body(user: &str, stream: bool) -> Value {
    json!({
        "model": "gpt-4o",
        "stream": stream,
        "temperature": 0.2,
        "messages": [
            { "role": "system", "content": "You are a helpful assistant. Answer in short sentences." },
            { "role": "user", "content": user },
        ],
    })
}

/// A request as a plan takes it.
pub(crate) fn request(user: &str, stream: bool) -> Request {
    Request::post("/v1/chat/completions", body(user, stream))
}

/// What a request of [`set_file`] is matched by.
#[derive(Clone, Copy, Debug)]
pub(crate) enum By {
    /// A part of what the user says.
    Part,
    /// All that the user says.
    Whole,
}

impl By {
    /// The request that the last fixture of [`set_file`] of this kind is for.
    pub(crate) fn request(self, fixtures: usize) -> Request {
        let user = match self {
            Self::Part => format!("Hello! I have a question: {} Thank you.", question(fixtures - 2)),
            Self::Whole => question(fixtures - 1),
        };
        request(&user, false)
    }
}

impl fmt::Display for By {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Part => "a part",
            Self::Whole => "the whole",
        })
    }
}

fn question(index: usize) -> String {
    format!("What is the answer to question number {index}?")
}

/// Finds the fixture, counts the hit and plans: what happens between a request read and a response played.
pub(crate) fn answer(set: &FixtureSet, request: &Request, hits: &mut Hits) -> Timeline {
    let candidates = set.candidates(request).expect("a fixture matches");
    let admission = set.admit(&candidates, hits).expect("no fixture is used up");
    let occasion = Occasion { fixture: admission.fixture, hit: admission.hit, ..Occasion::default() };
    plan(admission.reply, request, &occasion)
}
