//! A fault explained to people: one renderer for `llmirage faults` and docs/faults.md. Bytes are planned
//! as they are shown, so that none are out of date.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use http::Version;
use serde_json::{Value, json};

use super::alias::{ALIASES, Alias};
use super::catalogue::Expected;
use super::declare::{ArgumentKind, Entry, Parameter, Places};
use super::{Fault, Kind, Layer};
use crate::plan::load::words::nearest;
use crate::plan::scenario::Scenario;
use crate::plan::set::{FixtureSet, Hits, Source};
use crate::plan::timeline::{Ending, Event, EventKind, Timeline};
use crate::plan::{Occasion, Request, http1, plan};

/// Each fault and each scenario, in a table of 100 columns.
pub fn list() -> String {
    let mut out = String::new();
    for layer in Layer::ALL {
        push(&mut out, format_args!("{}: {}\n", layer.name(), layer.about()));
        for entry in of(layer) {
            let place = if entry.default.is_empty() { "-" } else { entry.default };
            let name = format!("{:<25} {place:<13}", entry.name);
            row(&mut out, &name, entry.expect, entry.about);
        }
        out.push('\n');
    }
    out += "scenarios: incidents that are built in\n";
    for scenario in Scenario::all() {
        row(&mut out, &scenario.to_string(), scenario.expect().code(), &scenario.about());
    }
    out += "\nThe columns: name, where it stands unless told, what a good client does, what it does; in each\n\
            layer those first that are met most often. llmirage faults NAME explains one.\n";
    out
}

/// A row of the list: the first sentence of `about` beside the rest.
fn row(out: &mut String, name: &str, expect: &str, about: &str) {
    let mut lead = format!("  {name:<40} {expect:<12}");
    let mut line = String::new();
    for word in first_sentence(about).split(' ') {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > WIDTH - LEAD {
            push(out, format_args!("{lead:<LEAD$}{line}\n"));
            lead.clear();
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line += word;
    }
    push(out, format_args!("{lead:<LEAD$}{line}\n"));
}

/// A fault by its name, an alias or its one-word form, or a scenario, with `scenario:` or without.
///
/// # Errors
///
/// What to write instead.
pub fn explain(name: &str) -> Result<String, String> {
    let about = |scenario| format!("{}```json\n{}```\n", self::scenario(scenario), scenario.text());
    if let Some(scenario) = name.strip_prefix("scenario:") {
        return Scenario::find(scenario).map(about);
    }
    if let Ok(scenario) = Scenario::find(name) {
        return Ok(about(scenario));
    }
    // Of a whole word, its name.
    let name = name.split([':', '@']).next().unwrap_or_default();
    let name = Alias::named(name).map_or(name, |alias| alias.fault);
    match Kind::entries().find(|entry| entry.name == name) {
        Some(entry) => Ok(fault(entry)),
        None => {
            let mut known: Vec<String> = Kind::entries().map(|entry| entry.name.to_owned()).collect();
            known.extend(Scenario::all().map(|scenario| scenario.name().to_owned()));
            let help = match nearest(name, &known) {
                Some(best) => format!("did you mean {best:?}?"),
                None => "`llmirage faults` lists them".to_owned(),
            };
            Err(format!("unknown fault {name:?}; {help}"))
        }
    }
}

/// Everything, as docs/faults.md.
pub fn document() -> String {
    let mut out = INTRODUCTION.to_owned();
    out += "## What a good client does\n\n| outcome | meaning |\n| --- | --- |\n";
    for outcome in Expected::ALL {
        push(&mut out, format_args!("| `{outcome}` | {} |\n", outcome.meaning()));
    }
    out.push('\n');
    out += CHECKLIST;
    out += "## The faults at a glance\n\n";
    out += "Tier 1 is met most often, tier 3 hardly ever.\n\n";
    for layer in Layer::ALL {
        push(&mut out, format_args!("Layer `{}`: {}.\n\n", layer.name(), layer.about()));
        out += "| fault | tier | stands at | good client | what it does |\n| --- | --- | --- | --- | --- |\n";
        for entry in of(layer) {
            let Entry { name, tier, default, expect, about, .. } = entry;
            let place = if default.is_empty() { String::new() } else { format!("`{default}`") };
            let about = first_sentence(about);
            push(
                &mut out,
                format_args!("| [`{name}`](#{name}) | {tier} | {place} | `{expect}` | {about} |\n"),
            );
        }
        out.push('\n');
    }
    out += SCENARIOS;
    out += "| scenario | good client | what happens |\n| --- | --- | --- |\n";
    for scenario in Scenario::all() {
        let (name, expect, about) = (scenario.name(), scenario.expect(), scenario.about());
        push(&mut out, format_args!("| [`{name}`](#{name}) | `{expect}` | {} |\n", first_sentence(&about)));
    }
    out.push('\n');
    for scenario in Scenario::all() {
        out += &self::scenario(scenario);
        let name = scenario.name();
        push(&mut out, format_args!("[Its fixtures](../fixtures/scenarios/{name}.json)\n\n"));
    }
    out += "## Each fault\n\n\
        The bytes are those of a small answer of an OpenAI model, with 20 ms between its events: when, and what. \
        `…` stands for what is the same without the fault, or is long.\n\n";
    for layer in Layer::ALL {
        of(layer).into_iter().for_each(|entry| out += &fault(entry));
    }
    out.truncate(out.trim_end().len());
    out + "\n"
}

/// The faults of a layer, those met most often first.
fn of(layer: Layer) -> Vec<&'static Entry> {
    let mut entries: Vec<_> = Kind::entries().filter(|entry| entry.layer == layer).collect();
    entries.sort_by_key(|entry| entry.tier);
    entries
}

/// The section of a fault.
fn fault(entry: &Entry) -> String {
    let words = entry.words();
    let mut out = format!("### `{}`\n\n{}\n\n", entry.name, sentence(entry.about));
    push(&mut out, format_args!("Layer `{}`, tier {}. {}\n", entry.layer.name(), entry.tier, places(entry)));
    let aliases = ALIASES.iter().filter(|alias| alias.fault == entry.name);
    let aliases: Vec<String> = aliases.map(|alias| format!("`{}`", alias.name)).collect();
    if !aliases.is_empty() {
        push(&mut out, format_args!("Accepted names of other tools: {}.\n", aliases.join(", ")));
    }
    let parameters = (entry.parameters)();
    if !parameters.is_empty() {
        out += "\n| parameter | value | default | |\n| --- | --- | --- | --- |\n";
        for parameter in &parameters {
            let Parameter { name, kind, default, about, .. } = parameter;
            let default = default.as_ref().map(|default| format!("`{}`", bare(default))).unwrap_or_default();
            let (kind, about) = (type_of(*kind), sentence(about));
            push(&mut out, format_args!("| `{name}` | {kind} | {default} | {about} |\n"));
        }
        out += &words_of(&parameters);
    }
    let example = example(entry);
    let given = serde_json::to_string(&example).unwrap_or_default();
    push(&mut out, format_args!("\nAs one word `{example}`; in a fixture `{given}`.\n"));
    push(&mut out, format_args!("\n`{}` alone sends:\n\n```text\n{}```\n\n", entry.name, bytes(entry)));
    push(&mut out, format_args!("Who breaks on it: {}\n\n", words.breaks));
    let (expect, meaning) = (entry.expect, entry.outcome().meaning());
    push(&mut out, format_args!("A good client (`{expect}`: {meaning}): {}\n\n", words.client));
    push(&mut out, format_args!("Seen: {}.\n\n", words.seen));
    out
}

/// What the words of parameters mean, a line for each parameter whose words need it.
fn words_of(parameters: &[Parameter]) -> String {
    let mut out = String::new();
    for Parameter { name, kind, meanings, .. } in parameters {
        let ArgumentKind::Words(words) = kind else { continue };
        let about = |about: &str| sentence(about).trim_end_matches('.').to_owned();
        let told: Vec<(&str, String)> =
            words.iter().copied().zip(meanings.iter().copied().map(about)).collect();
        if told.iter().all(|(word, about)| about.eq_ignore_ascii_case(word)) {
            continue;
        }
        let told: Vec<String> = told.iter().map(|(word, about)| format!("`{word}`: {about}")).collect();
        push(&mut out, format_args!("\n* `{name}`: {}.", told.join("; ")));
    }
    if !out.is_empty() {
        out.push('\n');
    }
    out
}

/// The section of a scenario.
fn scenario(scenario: &Scenario) -> String {
    let (name, about, expect) = (scenario.name(), scenario.about(), scenario.expect());
    let (what, check) = about.split_once(" Check").unwrap_or((&about, ""));
    let mut out = format!("### `{name}`\n\n{what}\n\n");
    push(&mut out, format_args!("A good client: `{expect}`, {}.\n", expect.meaning()));
    if !check.is_empty() {
        push(&mut out, format_args!("\nCheck{check}\n"));
    }
    push(&mut out, format_args!("\nBase URL: `http://127.0.0.1:4010/fault/scenario:{name}/v1`\n\n"));
    out
}

fn places(entry: &Entry) -> String {
    let default = entry.default;
    match entry.places {
        Places::Whole => "It is about the whole response and takes no place.".to_owned(),
        Places::Anywhere => format!("It stands at any place, at `{default}` unless told."),
        Places::Event => format!("It is about one event, `{default}` unless told."),
        Places::Events => {
            "It is about every event that it can be about, or about the one at its place.".to_owned()
        }
        Places::Idle => "It stands at `idle`: after the response, while nothing is asked.".to_owned(),
        Places::NextRequest => {
            "It stands at `next-request`: when another request comes on the connection.".to_owned()
        }
    }
}

fn type_of(kind: ArgumentKind) -> String {
    match kind {
        ArgumentKind::Flag => "`true` or `false`".to_owned(),
        ArgumentKind::Count => "a number, 0 or more".to_owned(),
        ArgumentKind::Integer => "a whole number".to_owned(),
        ArgumentKind::Duration => "a duration: `250ms`, `1.5s`".to_owned(),
        ArgumentKind::Text => "a text".to_owned(),
        ArgumentKind::Words(words) => {
            words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
        }
    }
}

/// The fault with one parameter and its place said, to show how that is done.
fn example(entry: &Entry) -> Fault {
    let parameters = (entry.parameters)();
    let value = |parameter: &Parameter| {
        let Parameter { name, kind, default, .. } = parameter;
        match (kind, default) {
            // Not each number is a status.
            _ if *name == "status" => None,
            (ArgumentKind::Words(words), default) => words
                .iter()
                .find(|word| **word != "right" && default.as_ref().is_none_or(|default| default != **word))
                .map(|word| (*word).to_owned()),
            (ArgumentKind::Flag, default) => Some((default != &Some(Value::Bool(true))).to_string()),
            (ArgumentKind::Count, Some(Value::Number(number))) => Some((number.as_u64()? * 2).to_string()),
            (ArgumentKind::Count, _) => Some("2".to_owned()),
            (ArgumentKind::Integer, _) => Some("-10".to_owned()),
            (ArgumentKind::Duration, _) => Some("250ms".to_owned()),
            (ArgumentKind::Text, _) => None,
        }
    };
    let given = parameters.iter().find_map(|parameter| Some((parameter.name, value(parameter)?)));
    let mut text = entry.name.to_owned();
    if let Some((name, value)) = given {
        push(&mut text, format_args!(":{name}={value}"));
    }
    if !entry.default.is_empty() {
        push(&mut text, format_args!("@{}", entry.default));
    }
    text.parse().expect("the examples are faults: a test parses each")
}

/// What is answered with the fault, as far as it differs from what is answered without.
fn bytes(entry: &Entry) -> String {
    let fault = Fault { kind: kind(entry), at: None, when: super::when::When::default() };
    let (reply, body) = demonstration(entry.name);
    let file = json!({ "fixtures": [{ "name": "demonstration", "reply": reply }] });
    let source = Source::File { path: "demonstration".into(), text: file.to_string() };
    let set = FixtureSet::load(vec![source]).expect("the demonstrations load: a test plans each");
    let request = Request::post("/v1/chat/completions", body);
    let planned = |faults: &[Fault]| {
        let candidates = set.candidates(&request).unwrap_or_default();
        let admission = set.admit(&candidates, &mut Hits::default()).expect("it is never used up");
        let occasion = Occasion { fixture: admission.fixture, faults, ..Occasion::default() };
        plan(admission.reply, &request, &occasion)
    };
    let (healthy, broken) = (planned(&[]), planned(&[fault]));
    Excerpt::new(&healthy).of(&broken, entry.layer == Layer::Transport)
}

fn kind(entry: &Entry) -> Kind {
    let fault: Result<Fault, String> = entry.name.parse();
    fault.expect("every fault can be told by its name alone").kind
}

/// A reply and a request that show a fault: what it is about must be there.
fn demonstration(name: &str) -> (Value, Value) {
    let tools = json!([
        { "name": "get_weather", "arguments": "{\"city\":\"Paris\"}", "id": "call_1", "chunking": { "chars": 8 } },
        { "name": "get_weather", "arguments": "{\"city\":\"Oslo\"}", "id": "call_2", "chunking": { "chars": 8 } },
    ]);
    let text = |text: &str| json!({ "text": text, "chunking": "word" });
    let mut answer = match name {
        "tool-args-truncated" | "tool-call-identity" | "finish-stop-with-tools" => {
            json!({ "tool_calls": tools })
        }
        "choices-interleaved" => json!({ "choices": [text("One two."), text("Eins zwei.")] }),
        "char-split" => text("你好 Hello."),
        _ => text("Hello there, traveller."),
    };
    answer["usage"] = json!({ "prompt_tokens": 9, "completion_tokens": 5 });
    let n = if name == "choices-interleaved" { 2 } else { 1 };
    let reply = json!({
        "answer": answer,
        "wire": { "obfuscation": false },
        "pacing": { "ttft": "100ms", "itl": "20ms" },
    });
    let body = json!({
        "model": "gpt-4o",
        "stream": true,
        "n": n,
        "messages": [{ "role": "user", "content": "Hello" }],
    });
    (reply, body)
}

/// What is known of the healthy answer.
struct Excerpt {
    /// The lines of its head but for the first.
    head: BTreeSet<String>,
    /// What is before the choices of each chunk.
    envelope: Option<String>,
    pieces: Vec<Piece>,
}

/// Something that is sent at one time, on one line or more.
type Piece = (Duration, Vec<String>);

impl Excerpt {
    fn new(healthy: &Timeline) -> Self {
        let wire = http1::wire(healthy, Version::HTTP_11);
        let head = wire.segments.first().map_or(0, |segment| segment.end);
        let head = String::from_utf8_lossy(&wire.bytes[..head]).into_owned();
        let first = String::from_utf8_lossy(&healthy.event_bytes(0)).into_owned();
        let envelope = first.find("\"choices\":").map(|end| first["data: {".len()..end].to_owned());
        let head = head.split("\r\n").skip(1).map(str::to_owned).collect();
        let mut this = Self { head, envelope, pieces: Vec::new() };
        this.pieces = this.pieces(healthy, false);
        this
    }

    /// A response, `raw` as HTTP frames it.
    fn of(&self, timeline: &Timeline, raw: bool) -> String {
        let wire = http1::wire(timeline, Version::HTTP_11);
        let head = wire.segments.first().map_or(0, |segment| segment.end);
        let mut lines = Lines::default();
        if head > 0 {
            self.head(&mut lines, timeline.head.at, &wire.bytes[..head]);
        }
        let pieces = self.pieces(timeline, raw);
        let known = |index: usize| pieces.get(index) == self.pieces.get(index);
        let first = (0..pieces.len()).find(|index| !known(*index)).unwrap_or(pieces.len());
        for (index, (at, piece)) in pieces.iter().enumerate() {
            let is_near = index + 2 >= first && index < first + 8;
            if is_near || index + 2 >= pieces.len() {
                lines.piece(*at, piece);
            } else {
                lines.left_out();
            }
        }
        lines.piece(timeline.ends_at, &[end(timeline.ending)]);
        lines.0
    }

    /// The head, without the lines that every head has.
    fn head(&self, lines: &mut Lines, at: Duration, bytes: &[u8]) {
        let text = shown(bytes);
        let mut at = Some(at);
        for (index, text) in text.split_terminator("\\r\\n").enumerate() {
            let is_usual = self.head.contains(text) || text.starts_with("openai-processing-ms");
            match index > 0 && is_usual {
                true if text.is_empty() => {}
                true => lines.left_out(),
                false => lines.line(at.take(), &short(text, LONGEST)),
            }
        }
    }

    /// The events, or, if it is HTTP that is shown, its chunks.
    fn pieces(&self, timeline: &Timeline, raw: bool) -> Vec<Piece> {
        let shown = |bytes: &[u8], longest| {
            let mut text = shown(bytes);
            if let Some(envelope) = &self.envelope {
                text = text.replace(envelope.as_str(), "…");
            }
            short(&text, longest)
        };
        if raw {
            let wire = http1::wire(timeline, Version::HTTP_11);
            let pairs = wire.segments.windows(2);
            let piece = |start: usize, end: usize| vec![shown(&wire.bytes[start..end], 2 * LONGEST)];
            return pairs.map(|pair| (pair[1].at, piece(pair[0].end, pair[1].end))).collect();
        }
        let events = timeline.events.iter().enumerate();
        let piece = |(index, event): (usize, &Event)| {
            let bytes = timeline.event_bytes(index);
            let lines = match event.kind == EventKind::Body {
                true => bytes.split(|byte| *byte == b'\n').map(|line| shown(line, LONGEST)).collect(),
                false => vec![shown(&bytes, LONGEST)],
            };
            (event.at, lines)
        };
        events.map(piece).collect()
    }
}

/// What is shown: a time, and a text.
#[derive(Default)]
struct Lines(String);

impl Lines {
    fn line(&mut self, at: Option<Duration>, text: &str) {
        let at = at.map(offset).unwrap_or_default();
        push(&mut self.0, format_args!("{}\n", format!("{at:>9}  {text}").trim_end()));
    }

    fn piece(&mut self, at: Duration, texts: &[String]) {
        let mut at = Some(at);
        let texts: Vec<&String> = texts.iter().filter(|text| !text.is_empty()).collect();
        for (index, text) in texts.iter().enumerate() {
            if index < MOST_LINES || index + 2 >= texts.len() {
                self.line(at.take(), text);
            } else {
                self.left_out();
            }
        }
    }

    /// Says once that something is not shown.
    fn left_out(&mut self) {
        if !self.0.ends_with(" …\n") {
            self.line(None, "…");
        }
    }
}

/// How a response ends, in words.
fn end(ending: Ending) -> String {
    let text = match ending {
        Ending::Complete => "the body ends as HTTP wants it",
        Ending::Close => "FIN",
        Ending::Reset { drain: true } => "RST, once the peer has acknowledged everything",
        Ending::Reset { drain: false } => "RST at once",
        Ending::Abandon => "the connection is closed at once, whatever the client still sends",
        Ending::HalfClose => "the connection is closed; until then, what the client sends is read",
        Ending::Blackhole => "FIN; until then nothing is read",
        Ending::Idle { after, reset } => {
            let what = if reset { "RST" } else { "FIN" };
            return format!("(the body ends as HTTP wants it; {what} after {} idle)", offset(after));
        }
        Ending::Reuse(_) => "the body ends as HTTP wants it; the next request on the connection fails",
        Ending::Refuse { refuse, complete } => {
            let body = if complete { "the body ends as HTTP wants it; " } else { "" };
            return format!("({body}FIN; new connections are refused for {})", offset(refuse));
        }
    };
    format!("({text})")
}

/// An offset in milliseconds.
fn offset(at: Duration) -> String {
    format!("{} ms", at.as_micros().div_ceil(1000))
}

/// Bytes on one line: control characters escaped, what is no UTF-8 as `\x..`.
fn shown(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\n' | '\r' | '\t' => text.extend(character.escape_default()),
                control if control.is_ascii_control() => {
                    push(&mut text, format_args!("\\x{:02x}", control as u32));
                }
                '\u{80}'..='\u{9f}' => text.extend(character.escape_unicode()),
                '\u{2028}' | '\u{2029}' | '\u{feff}' => text.extend(character.escape_unicode()),
                plain => text.push(plain),
            }
        }
        for byte in chunk.invalid() {
            push(&mut text, format_args!("\\x{byte:02x}"));
        }
    }
    text
}

/// A text of one line, its middle left out if it is long.
fn short(text: &str, longest: usize) -> String {
    let count = text.chars().count();
    if count <= longest {
        return text.to_owned();
    }
    let start: String = text.chars().take(longest * 2 / 3).collect();
    let end: String = text.chars().skip(count - longest / 4).collect();
    format!("{start}…{end}")
}

/// How wide the list is, and what is left of the last column of it.
const WIDTH: usize = 100;
const LEAD: usize = 55;

/// The longest line of bytes that is shown whole, in characters.
const LONGEST: usize = 180;

/// The most lines of a body that are shown whole.
const MOST_LINES: usize = 12;

/// A comment of the table as a sentence.
fn sentence(about: &str) -> String {
    about.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn first_sentence(about: &str) -> String {
    let about = sentence(about);
    match about.find(". ") {
        Some(end) => about[..=end].to_owned(),
        None => about,
    }
}

/// A value as it is written in the one-word form.
fn bare(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn push(text: &mut String, part: std::fmt::Arguments<'_>) {
    text.write_fmt(part).expect("a String takes everything");
}

const INTRODUCTION: &str = include_str!("explain/introduction.md");
const CHECKLIST: &str = include_str!("explain/checklist.md");
const SCENARIOS: &str = include_str!("explain/scenarios.md");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_explained_with_its_bytes_and_an_example_that_parses_back() {
        for entry in Kind::entries() {
            let text = explain(entry.name).unwrap();
            assert!(text.starts_with(&format!("### `{}`\n", entry.name)), "{text}");
            let example = example(entry);
            assert_eq!(example.to_string().parse(), Ok(example.clone()), "{}", entry.name);
            let json = serde_json::to_value(&example).unwrap();
            assert_eq!(serde_json::from_value::<Fault>(json).unwrap(), example, "{}", entry.name);
            assert!(
                text.lines().all(|line| line.chars().count() < 1200),
                "{}: a line is too long",
                entry.name
            );
        }
    }

    #[test]
    fn a_fault_is_found_by_an_alias_and_an_unknown_one_is_guessed() {
        assert_eq!(explain("slow_close"), explain("slow-close"));
        assert_eq!(explain("stall:hold=5s@event:3"), explain("stall"));
        assert_eq!(explain("quota-wall"), explain("scenario:quota-wall"));
        assert_eq!(
            explain("timeout"),
            Err("unknown fault \"timeout\"; `llmirage faults` lists them".to_owned())
        );
        assert_eq!(
            explain("close-mid-steam"),
            Err(r#"unknown fault "close-mid-steam"; did you mean "close-mid-stream"?"#.to_owned())
        );
        assert_eq!(
            explain("scenario:quota-wal"),
            Err(r#"unknown scenario "quota-wal"; did you mean "quota-wall"?"#.to_owned())
        );
    }

    #[test]
    fn the_list_has_every_fault_and_scenario_on_a_line() {
        let list = list();
        let names = Kind::entries().map(|entry| entry.name.to_owned());
        for name in names.chain(Scenario::all().map(ToString::to_string)) {
            let lines = list.lines().filter(|line| line.trim_start().split(' ').next() == Some(&name));
            assert_eq!(lines.count(), 1, "{name}");
        }
        assert!(list.lines().all(|line| line.chars().count() <= WIDTH), "{list}");
    }
}
