//! A matcher that runs: conditions whose patterns are compiled, over a request that is looked at
//! once for all fixtures.

use std::borrow::Cow;
use std::cell::OnceCell;

use http::{HeaderName, Method};
use serde_json::Value;

use super::Matcher;
use super::subject::Subject;
use super::text::{ABSENT, KINDS, NEVER_FALSE, Test};
use crate::plan::dialect::query_value;
use crate::plan::json::Map;
use crate::plan::load::problems::{Problems, below};
use crate::plan::load::words::{nearest, quoted, short};
use crate::plan::request::{Call, Request};

mod fixed;

pub(crate) use fixed::Fixed;

/// Conditions on a request, cheap ones first.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Conditions {
    all: Vec<Check>,
}

/// One condition.
#[derive(Clone, Debug, PartialEq)]
enum Check {
    Text(Subject, Test),
    Turn(u64),
    Stream(bool),
    Header(HeaderName, Test),
    Query(String, Test),
    BodyText(String, Test),
    Body(String, Value),
}

/// A request as conditions see it; texts are gathered once, when first asked for.
#[derive(Debug)]
pub(crate) struct View<'a> {
    pub(crate) request: &'a Request,
    user: OnceCell<String>,
    system: OnceCell<String>,
    tool_result: OnceCell<Option<String>>,
}

impl Conditions {
    /// Checks and compiles a matcher that stands at a pointer.
    pub(crate) fn compile(matcher: &Matcher, at: &str, problems: &mut Problems) -> Self {
        let mut all = Vec::new();
        for subject in Subject::ALL {
            let Some(condition) = subject.of(matcher) else {
                continue;
            };
            let at = below(at, subject.key());
            if let Some(test) = Test::compile(condition, subject.is_substring(), &at, problems) {
                subject.check(&test, &at, problems);
                all.push(Check::Text(subject, test));
            }
        }
        if let Some(turn) = matcher.turn {
            if turn == 0 {
                problems.value(below(at, "turn"), "turns count from 1");
            }
            all.push(Check::Turn(turn));
        }
        all.extend(matcher.stream.map(Check::Stream));
        for (name, condition) in matcher.header.iter().flat_map(|Map(pairs)| pairs) {
            let at = below(&below(at, "header"), name);
            let test = Test::compile(condition, false, &at, problems);
            match (HeaderName::from_bytes(name.as_bytes()), test) {
                (Ok(name), Some(test)) => all.push(Check::Header(name, test)),
                (Ok(_), None) => {}
                (Err(_), _) => problems.key(at, format!("{name:?} is not a header name")),
            }
        }
        for (name, condition) in matcher.query.iter().flat_map(|Map(pairs)| pairs) {
            let at = below(&below(at, "query"), name);
            let test = Test::compile(condition, false, &at, problems);
            all.extend(test.map(|test| Check::Query(name.clone(), test)));
        }
        for (pointer, value) in matcher.body.iter().flat_map(|Map(pairs)| pairs) {
            let at = below(&below(at, "body"), pointer);
            if !is_pointer(pointer) {
                problems.key(
                    at,
                    format!(
                        "{pointer:?} is not a JSON pointer; it is empty or starts with a slash, \
                         like \"/messages/0/role\""
                    ),
                );
                continue;
            }
            all.extend(body_check(pointer, value, &at, problems));
        }
        // Comparing numbers is cheaper than searching texts, so that most fixtures fail early.
        all.sort_by_key(Check::cost);
        Self { all }
    }

    /// Whether every condition holds.
    pub(crate) fn hold(&self, view: &View<'_>) -> bool {
        self.all.iter().all(|check| check.holds(view))
    }

    /// Whether every condition holds of a request whose body was not read: none that is about the body does.
    pub(crate) fn hold_without_body(&self, call: &Call) -> bool {
        let request = Request { call: call.clone(), body: Value::Null };
        let view = View::new(&request);
        self.all.iter().all(|check| !check.needs_body(call) && check.holds(&view))
    }

    /// How many conditions fail.
    pub(crate) fn failures(&self, view: &View<'_>) -> usize {
        self.all.iter().filter(|check| !check.holds(view)).count()
    }

    /// The first condition that fails, in words.
    pub(crate) fn first_failure(&self, view: &View<'_>) -> Option<String> {
        let first = self.all.iter().find(|check| !check.holds(view))?;
        Some(first.failure(view))
    }

    /// How many conditions there are.
    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether every request that matches `other` matches these: all of these are among `other`'s.
    pub(crate) fn cover(&self, other: &Self) -> bool {
        self.serve_a_path() == other.serve_a_path() && self.all.iter().all(|check| other.all.contains(check))
    }

    /// Whether there is a condition on the path.
    pub(crate) fn serve_a_path(&self) -> bool {
        self.all.iter().any(|check| matches!(check, Check::Text(Subject::Path, _)))
    }

    /// The one path that these conditions serve.
    pub(crate) fn path(&self) -> Option<&str> {
        self.all.iter().find_map(|check| match check {
            Check::Text(Subject::Path, Test::Equals(path)) => Some(path.as_str()),
            _ => None,
        })
    }

    /// Whether there is a condition on the path, and path and method hold.
    pub(crate) fn serve(&self, method: &Method, path: &str) -> bool {
        self.serve_a_path()
            && self.all.iter().all(|check| match check {
                Check::Text(Subject::Path, test) => test.holds(path),
                Check::Text(Subject::Method, test) => test.holds(method.as_str()),
                _ => true,
            })
    }

    /// The model that these conditions name.
    pub(crate) fn model(&self) -> Option<&str> {
        self.all.iter().find_map(|check| match check {
            Check::Text(Subject::Model, Test::Equals(name)) => Some(name.as_str()),
            _ => None,
        })
    }

    /// A text of the user that these conditions spell out.
    pub(crate) fn user(&self) -> Option<&str> {
        self.all.iter().find_map(|check| match check {
            Check::Text(Subject::User, Test::Equals(text) | Test::Contains(text)) => Some(text.as_str()),
            _ => None,
        })
    }
}

impl Check {
    /// Whether it is about the body.
    fn needs_body(&self, call: &Call) -> bool {
        match self {
            Self::Text(subject, _) => match subject {
                Subject::Path
                | Subject::Method
                | Subject::Dialect
                | Subject::Endpoint
                | Subject::ApiVersion => false,
                Subject::Model => call.route.deployment.is_none(),
                Subject::Tool | Subject::System | Subject::ToolResult | Subject::User => true,
            },
            Self::Header(..) | Self::Query(..) => false,
            Self::Turn(_) | Self::Stream(_) | Self::BodyText(..) | Self::Body(..) => true,
        }
    }

    fn holds(&self, view: &View<'_>) -> bool {
        match self {
            Self::Text(Subject::Tool, Test::Absent) => view.request.tools().next().is_none(),
            Self::Text(Subject::Tool, test) => view.request.tools().any(|tool| test.holds(tool)),
            Self::Text(subject, test) => test.holds_of(view.text(*subject).as_deref()),
            Self::Turn(turn) => view.request.turn() == *turn,
            Self::Stream(stream) => view.request.stream() == *stream,
            Self::Header(name, Test::Absent) => view.headers(name).next().is_none(),
            Self::Header(name, test) => view.headers(name).any(|value| test.holds(&value)),
            Self::Query(name, test) => test.holds_of(view.parameter(name).as_deref()),
            Self::BodyText(pointer, Test::Absent) => view.request.body.pointer(pointer).is_none(),
            Self::BodyText(pointer, test) => {
                let text = view.request.body.pointer(pointer).and_then(Value::as_str);
                text.is_some_and(|text| test.holds(text))
            }
            Self::Body(pointer, value) => {
                view.request.body.pointer(pointer).is_some_and(|found| same(found, value))
            }
        }
    }

    fn failure(&self, view: &View<'_>) -> String {
        match self {
            Self::Text(Subject::Tool, test) if *test != Test::Absent => {
                let tools: Vec<String> = view.request.tools().map(quoted).collect();
                let got = if tools.is_empty() { "none".to_owned() } else { tools.join(", ") };
                format!("tool: expected one {}, got {got}", test.wanted())
            }
            Self::Text(Subject::Tool, test) => {
                let tools: Vec<String> = view.request.tools().map(quoted).collect();
                format!("tool: expected {}, got {}", test.expected(), tools.join(", "))
            }
            Self::Text(subject, test) => {
                let got = view.text(*subject).map_or_else(|| "none".to_owned(), |text| quoted(&text));
                format!("{subject}: expected {}, got {got}", test.expected())
            }
            Self::Turn(turn) => format!("turn: expected {turn}, got {}", view.request.turn()),
            Self::Stream(stream) => {
                format!("stream: expected {stream}, got {}", view.request.stream())
            }
            Self::Header(name, test) => {
                let got = view.headers(name).next();
                let got = got.map_or_else(|| "none".to_owned(), |value| quoted(&value));
                format!("header {name}: expected {}, got {got}", test.expected())
            }
            Self::Query(name, test) => {
                let got = view.parameter(name).map_or_else(|| "none".to_owned(), |value| quoted(&value));
                format!("query {name}: expected {}, got {got}", test.expected())
            }
            Self::BodyText(pointer, test) => {
                let got = view.request.body.pointer(pointer).map_or_else(|| "nothing".to_owned(), short);
                format!("body {pointer}: expected {}, got {got}", test.expected())
            }
            Self::Body(pointer, value) => {
                let got = view.request.body.pointer(pointer).map_or_else(|| "nothing".to_owned(), short);
                format!("body {pointer}: expected {}, got {got}", short(value))
            }
        }
    }

    fn cost(&self) -> u8 {
        match self {
            Self::Text(Subject::Path | Subject::Method, _) => 0,
            Self::Text(Subject::Dialect | Subject::Endpoint | Subject::Model, _) => 1,
            Self::Text(Subject::ApiVersion, _) | Self::Stream(_) => 2,
            Self::BodyText(_, Test::Absent) => 2,
            Self::Turn(_) | Self::Header(..) | Self::Query(..) | Self::Body(..) => 3,
            Self::Text(Subject::Tool, _) => 4,
            Self::BodyText(..) => 5,
            Self::Text(Subject::System | Subject::ToolResult, _) => 6,
            Self::Text(Subject::User, _) => 7,
        }
    }
}

impl<'a> View<'a> {
    pub(crate) fn new(request: &'a Request) -> Self {
        Self { request, user: OnceCell::new(), system: OnceCell::new(), tool_result: OnceCell::new() }
    }

    /// A text of the request, if it is there.
    pub(crate) fn text(&self, subject: Subject) -> Option<Cow<'_, str>> {
        let route = &self.request.call.route;
        let text = match subject {
            Subject::Path => &self.request.call.path,
            Subject::Method => self.request.call.method.as_str(),
            Subject::Dialect => route.dialect.name(),
            Subject::Endpoint => route.endpoint.name(),
            Subject::Model => self.request.model(),
            Subject::ApiVersion => route.api_version.as_deref()?,
            Subject::System => self.system.get_or_init(|| self.request.system_text()),
            Subject::User => self.user.get_or_init(|| self.request.user_text()),
            Subject::ToolResult => self.tool_result.get_or_init(|| self.request.tool_result()).as_deref()?,
            // Any of several names may match: see `Check::holds`.
            Subject::Tool => self.request.tools().next()?,
        };
        Some(Cow::Borrowed(text))
    }

    fn parameter(&self, name: &str) -> Option<String> {
        query_value(self.request.call.query.as_deref(), name)
    }

    fn headers(&self, name: &HeaderName) -> impl Iterator<Item = Cow<'_, str>> {
        let values = self.request.call.headers.get_all(name).iter();
        values.map(|value| String::from_utf8_lossy(value.as_bytes()))
    }
}

/// A value of `body`: an object with one of the five comparisons as its only key is a condition,
/// everything else is the value expected, but for a key that is a misspelt comparison. So `{"equals": {"contains": 1}}` expects the object
/// `{"contains": 1}`.
fn body_check(pointer: &str, value: &Value, at: &str, problems: &mut Problems) -> Option<Check> {
    let pointer = pointer.to_owned();
    let key = match value.as_object() {
        Some(object) if object.len() == 1 => object.keys().next(),
        _ => None,
    };
    let Some(key) = key.filter(|key| KINDS.contains(&key.as_str())) else {
        if let Some((key, meant)) = key.and_then(|key| Some((key, nearest(key, &KINDS)?))) {
            problems.key(
                below(at, key),
                format!(
                    "{key:?} is no comparison; did you mean {meant:?}? \
                     Where the body has this object, write {{\"equals\": {{{key:?}: …}}}}"
                ),
            );
            return None;
        }
        return Some(Check::Body(pointer, value.clone()));
    };
    match (key.as_str(), &value[key]) {
        ("equals", value) => Some(Check::Body(pointer, value.clone())),
        (ABSENT, Value::Bool(true)) => Some(Check::BodyText(pointer, Test::Absent)),
        (ABSENT, Value::Bool(false)) => {
            problems.value(below(at, ABSENT), NEVER_FALSE);
            None
        }
        (ABSENT, other) => {
            problems.value(below(at, ABSENT), format!("expected true, got {}", short(other)));
            None
        }
        (kind, Value::String(text)) => {
            Some(Check::BodyText(pointer, Test::of_kind(kind, text, &below(at, kind), problems)?))
        }
        (kind, other) => {
            problems.value(below(at, kind), format!("expected a string, got {}", short(other)));
            None
        }
    }
}

/// Equality of JSON values that takes 1 for 1.0.
fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => {
            left == right || (left.is_f64() || right.is_f64()) && left.as_f64() == right.as_f64()
        }
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left.iter().all(|(key, value)| right.get(key).is_some_and(|other| same(value, other)))
        }
        (left, right) => left == right,
    }
}

fn is_pointer(text: &str) -> bool {
    let escapes = text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
    (text.is_empty() || text.starts_with('/')) && escapes
}
