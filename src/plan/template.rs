//! Templates over the request: the strings of an answer with `"template": true`.
//!
//! The language is minijinja's. A template sees `model`, `user`, `system`, `turn`, `hit`, `tools`,
//! `tool_result`, `body` (the whole JSON), `headers` and `session`; what is not there is empty.
//! The `engine` module bounds what a template may do.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::{BufMut, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use minijinja::value::Serde;
use minijinja::{Environment, ErrorKind, context};
use serde_json::{Value, json};

use super::reply::{Answer, Content, Prepared};
use super::request::{Call, Request, Scope};

mod engine;

use engine::{LONGEST, engine};

/// A template that compiles.
///
/// It keeps its source and is parsed again at each use, which takes microseconds: minijinja ties a
/// compiled template to the lifetime of its source, and its way out costs two more crates.
#[derive(Clone, Debug)]
pub struct Template {
    source: String,
    engine: Arc<Environment<'static>>,
}

impl Template {
    /// Checks that `source` compiles, and that what it uses exists.
    ///
    /// # Errors
    ///
    /// What does not compile or exist, and in which line.
    pub fn new(source: &str) -> Result<Self, String> {
        Self::with_engine(source, &Arc::new(engine()), &scene(&sample(), 1))
    }

    fn with_engine(
        source: &str,
        engine: &Arc<Environment<'static>>,
        sample: &minijinja::Value,
    ) -> Result<Self, String> {
        engine.template_from_str(source).map_err(|error| describe(&error))?;
        let template = Self { source: source.to_owned(), engine: Arc::clone(engine) };
        // Filters are looked up when they are used. What else fails may be due to the sample.
        match template.try_render(sample) {
            Err(error) if is_unknown(error.kind()) => Err(describe(&error)),
            Ok(_) | Err(_) => Ok(template),
        }
    }

    /// The text for a request.
    ///
    /// # Errors
    ///
    /// What failed, and in which line: a filter on the wrong type, or a template that runs on.
    pub fn render(&self, request: &Request, hit: u64) -> Result<String, String> {
        self.render_in(&scene(request, hit))
    }

    fn render_in(&self, scene: &minijinja::Value) -> Result<String, String> {
        self.try_render(scene).map_err(|error| describe(&error))
    }

    fn try_render(&self, scene: &minijinja::Value) -> Result<String, minijinja::Error> {
        let mut text = BytesMut::new().limit(LONGEST).writer();
        self.engine.template_from_str(&self.source)?.render_captured_to(scene, &mut text)?;
        // Only whole strings are written.
        Ok(String::from_utf8_lossy(text.get_ref().get_ref()).into_owned())
    }
}

/// The templates among the strings of an answer, in the order of [`strings`]; `None` for strings
/// that are plain text.
#[derive(Clone, Debug)]
pub(crate) struct Templates(Vec<Option<Template>>);

impl Templates {
    /// The templates of an answer with `"template": true`.
    ///
    /// # Errors
    ///
    /// For each string that does not compile, its pointer below the answer and what is wrong.
    pub(crate) fn new(answer: &Answer) -> Result<Self, Vec<(String, String)>> {
        let engine = Arc::new(engine());
        let sample = scene(&sample(), 1);
        let mut templates = Vec::new();
        let mut problems = Vec::new();
        // The walk hands out `&mut` strings; nothing is changed here.
        strings(&mut answer.clone(), "", &mut |pointer, text| {
            let plain = !["{{", "{%", "{#"].iter().any(|mark| text.contains(mark));
            match plain {
                true => templates.push(None),
                false => match Template::with_engine(text, &engine, &sample) {
                    Ok(template) => templates.push(Some(template)),
                    Err(problem) => problems.push((pointer.to_owned(), problem)),
                },
            }
        });
        if problems.is_empty() { Ok(Self(templates)) } else { Err(problems) }
    }

    fn render(&self, answer: &Answer, request: &Request, hit: u64) -> Result<Answer, String> {
        let scene = scene(request, hit);
        let mut answer = answer.clone();
        let mut templates = self.0.iter();
        let mut failure = None;
        strings(&mut answer, "", &mut |pointer, text| {
            let Some(Some(template)) = templates.next() else {
                return;
            };
            match template.render_in(&scene) {
                Ok(rendered) => *text = rendered,
                Err(problem) => failure = Some(format!("the template at {pointer}: {problem}")),
            }
        });
        failure.map_or(Ok(answer), Err)
    }
}

impl Prepared {
    /// The answer with its templates rendered; it says nothing where the reply is no answer.
    ///
    /// # Errors
    ///
    /// Which template failed, and why.
    pub(crate) fn answer(&self, request: &Request, hit: u64) -> Result<Cow<'_, Answer>, String> {
        match (&self.content, &self.templates) {
            (Content::Answer(answer), Some(templates)) => {
                templates.render(answer, request, hit).map(Cow::Owned)
            }
            (Content::Answer(answer), None) => Ok(Cow::Borrowed(answer)),
            (Content::Script(_) | Content::Error(_) | Content::Transcript(_), _) => {
                Ok(Cow::Owned(Answer::new()))
            }
        }
    }
}

/// Visits the strings of an answer that can be templates, each with its pointer below the answer,
/// always in the same order.
fn strings(answer: &mut Answer, at: &str, visit: &mut dyn FnMut(&str, &mut String)) {
    let texts = [
        ("text", &mut answer.text),
        ("reasoning", &mut answer.reasoning),
        ("refusal", &mut answer.refusal),
        ("finish_reason", &mut answer.finish_reason),
    ];
    for (key, text) in texts {
        if let Some(text) = text {
            visit(&format!("{at}/{key}"), text);
        }
    }
    for (index, call) in answer.tool_calls.iter_mut().flatten().enumerate() {
        let at = format!("{at}/tool_calls/{index}");
        visit(&format!("{at}/name"), &mut call.name);
        if let Some(id) = &mut call.id {
            visit(&format!("{at}/id"), id);
        }
        leaves(&mut call.arguments, &format!("{at}/arguments"), visit);
    }
    for (index, choice) in answer.choices.iter_mut().flatten().enumerate() {
        strings(choice, &format!("{at}/choices/{index}"), visit);
    }
}

/// Visits the strings of a JSON value. Keys stay as they are.
fn leaves(value: &mut Value, at: &str, visit: &mut dyn FnMut(&str, &mut String)) {
    match value {
        Value::String(text) => visit(at, text),
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                leaves(item, &format!("{at}/{index}"), visit);
            }
        }
        Value::Object(object) => {
            for (key, item) in object {
                leaves(item, &format!("{at}/{}", super::load::escaped(key)), visit);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// What a template sees.
fn scene(request: &Request, hit: u64) -> minijinja::Value {
    let header = |(name, value): (&HeaderName, &HeaderValue)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        (name.to_string(), value)
    };
    let headers: BTreeMap<String, String> = request.call.headers.iter().map(header).collect();
    context! {
        model => request.model(),
        user => request.user_text(),
        system => request.system_text(),
        turn => request.turn(),
        hit => hit,
        tools => request.tools().map(str::to_owned).collect::<Vec<_>>(),
        tool_result => request.tool_result().unwrap_or_default(),
        body => minijinja::Value::from(Serde(request.body.clone())),
        headers => minijinja::Value::from(Serde(headers)),
        session => request.call.scope.session.clone(),
    }
}

/// A request like many, to try templates on before there is a real one.
fn sample() -> Request {
    let path = "/v1/chat/completions".to_owned();
    let call = Call::new(Method::POST, path, None, HeaderMap::new(), Scope::default());
    let body = json!({ "model": "gpt-4o", "messages": [{ "role": "user", "content": "Hello" }] });
    Request { call, body }
}

/// Whether a template uses what no request brings into being.
fn is_unknown(kind: ErrorKind) -> bool {
    use ErrorKind::{UnknownFilter, UnknownFunction, UnknownMethod, UnknownTest};
    matches!(kind, UnknownFilter | UnknownFunction | UnknownMethod | UnknownTest)
}

/// minijinja's error in one line, without the name it gives to templates without one.
fn describe(error: &minijinja::Error) -> String {
    let what = match error.kind() {
        ErrorKind::WriteFailure => engine::TOO_LONG.to_owned(),
        kind => error.detail().map_or_else(|| kind.to_string(), str::to_owned),
    };
    match error.line() {
        Some(line) => format!("{what} (line {line} of the template)"),
        None => what,
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, Method};
    use serde_json::json;

    use super::*;
    use crate::plan::dialect::DIALECTS;
    use crate::plan::request::{Call, Endpoint, Route, Scope};

    fn request() -> Request {
        let mut headers = HeaderMap::new();
        headers.insert("x-test", HeaderValue::from_static("yes"));
        let route = Route {
            dialect: DIALECTS[0],
            endpoint: Endpoint::ChatCompletions,
            deployment: None,
            api_version: None,
        };
        let call = Call {
            method: Method::POST,
            path: String::new(),
            query: None,
            headers,
            scope: Scope { session: "s1".to_owned(), ..Scope::default() },
            route,
        };
        let body = json!({
            "model": "gpt-4o",
            "messages": [
                { "role": "system", "content": "Be brief." },
                { "role": "user", "content": "<Tom & \"Ann\">" },
            ],
            "tools": [{ "type": "function", "function": { "name": "f" } }],
        });
        Request { call, body }
    }

    #[track_caller]
    fn check(source: &str, expected: Result<&str, &str>) {
        let rendered = Template::new(source).unwrap().render(&request(), 3);
        assert_eq!(rendered.as_deref().map_err(String::as_str), expected, "{source}");
    }

    #[test]
    fn a_template_sees_the_request() {
        check("{{ model }} {{ user }} {{ system }}", Ok("gpt-4o <Tom & \"Ann\"> Be brief."));
        check("{{ turn }} {{ hit }} {{ session }} {{ tools[0] }}", Ok("1 3 s1 f"));
        check("{{ body.messages[1].role }} {{ headers['x-test'] }}", Ok("user yes"));
        check("{{ user | upper }}{% if hit > 2 %}!{% endif %}", Ok("<TOM & \"ANN\">!"));
    }

    #[test]
    fn what_is_not_there_is_empty() {
        check("[{{ tool_result }}{{ nobody }}{{ body.metadata.id }}{{ headers.x }}]", Ok("[]"));
    }

    #[test]
    fn a_template_that_fails_says_why() {
        let failure = "tried to use + operator on unsupported types string and number";
        check("{{ user + 1 }}", Err(&format!("{failure} (line 1 of the template)")));
    }

    #[test]
    fn a_template_that_runs_on_is_stopped() {
        let source = "{% for i in range(9999) %}{% for j in range(9999) %}x{% endfor %}{% endfor %}";
        let rendered = Template::new(source).unwrap().render(&request(), 1);
        assert_eq!(rendered, Err("engine ran out of fuel (line 1 of the template)".to_owned()));
    }

    #[test]
    fn what_does_not_exist_is_found_before_a_request_comes() {
        let table = [
            ("{{ user | uper }}", "filter uper is unknown"),
            ("{% if user is wise %}x{% endif %}", "test wise is unknown"),
            ("{{ now() }}", "now is unknown"),
            ("{{ user.upper() }}", "string has no method named upper"),
            ("{{ user | indent(4) }}", "filter indent is unknown"),
        ];
        for (source, expected) in table {
            let found = Template::new(source).err().unwrap_or_default();
            assert_eq!(found, format!("{expected} (line 1 of the template)"), "{source}");
        }
    }

    /// None of these takes a noticeable amount of memory or time.
    #[test]
    fn a_text_that_grows_out_of_proportion_is_stopped() {
        let too_long = "the text is longer than 1 MiB";
        let table = [
            ("{{ 'x' * 10000000 }}", too_long),
            ("{{ 'x' * 9999999999 }}", "repeated string is too large"),
            ("{{ ['x'] * 99999999 }}", too_long),
            ("{{ (['x'] * 99999999) | list | length }}", too_long),
            ("{{ (['x'] * 99999999) | join }}", too_long),
            ("{{ range(99999999) | join }}", "range has too many elements"),
            ("{{ range(100000) | join('xxxxxxxxxxxx') }}", too_long),
            ("{{ range(99999) | join(',' * 999999) | length }}", too_long),
            ("{{ ('x' * 999999) | replace('x', 'x' * 999999) | length }}", too_long),
            ("{{ 'xx' | replace('', 'x' * 999999) | length }}", too_long),
            ("{{ range(9999) | map('replace', '', 'x' * 99999) | list | length }}", too_long),
            ("{{ (['x' * 999999] * 9999) | string | length }}", too_long),
            ("{{ body | tojson(indent=99999999) }}", too_long),
            ("{{ body | tojson(99999999) }}", too_long),
            ("{% for i in range(9999) %}{{ 'x' * 999 }}{% endfor %}", too_long),
            ("{% set t %}{% for i in range(9999) %}{{ 'x' * 999999 }}{% endfor %}{% endset %}", too_long),
        ];
        for (source, expected) in table {
            let rendered = Template::new(source).unwrap().render(&request(), 1);
            let said = rendered.unwrap_err();
            let (what, _) = said.split_once(" (line").unwrap_or((&said, ""));
            assert_eq!(what, expected, "{source}");
        }
    }

    #[test]
    fn what_fits_is_rendered_as_ever() {
        check("{{ tools | join(', ') }}{{ [1, 2] | join('-') }}", Ok("f1-2"));
        check("{{ 'a-b' | replace('-', '+') }}{{ 'x' * 3 }}", Ok("a+bxxx"));
        check("{{ body.tools | tojson }}", Ok(r#"[{"type": "function", "function": {"name": "f"}}]"#));
        check("{{ {'a': [1]} | tojson(indent=1) }}", Ok("{\n \"a\": [\n  1\n ]\n}"));
        check("{{ body.messages | map(attribute='role') | list | upper }}", Ok("['SYSTEM', 'USER']"));
    }

    #[test]
    fn only_strings_with_marks_are_templates_and_keys_stay() {
        let answer = Answer::new()
            .text("plain")
            .tool_call("f", json!({ "{{ hit }}": ["{{ hit }}", 7] }))
            .choice(Answer::new().text("hit {{ hit }}"));
        let templates = Templates::new(&answer).unwrap();
        let rendered = templates.render(&answer, &request(), 3).unwrap();
        let expected = json!({
            "text": "plain",
            "tool_calls": [{ "name": "f", "arguments": { "{{ hit }}": ["3", 7] } }],
            "choices": [{ "text": "hit 3" }],
        });
        assert_eq!(serde_json::to_value(rendered).unwrap(), expected);
    }
}
