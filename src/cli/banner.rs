//! What to try: the lines on stdout after the URL, made to work as they are pasted.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::plan::{FixtureSet, Request};

/// What the lines depend on beside the URL.
#[derive(Debug)]
pub(super) struct Banner {
    /// A key that is accepted.
    pub(super) key: String,
    /// What to ask.
    pub(super) question: Question,
    /// The certificate that clients have to trust, for https.
    pub(super) authority: Option<PathBuf>,
    /// Whether `/__admin` asks for a token.
    pub(super) guarded: bool,
}

/// A question that fixtures have an answer to.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Question {
    /// The model to ask.
    pub(super) model: String,
    /// What the user says.
    pub(super) user: String,
}

impl Question {
    /// "hello", if that is answered; else what the first fixture asks for that is answered so.
    pub(super) fn for_set(set: &FixtureSet) -> Self {
        let model = set.models().and_then(|models| models.first());
        let model = model.map_or("gpt-4o", String::as_str);
        let question = |model: &str, user: &str| Self { model: model.to_owned(), user: user.to_owned() };
        let usual = question(model, "hello");
        let wishes = set.wishes();
        let own = wishes.map(|(own, user)| question(own.unwrap_or(model), user.unwrap_or("hello")));
        let mut all = std::iter::once(usual.clone()).chain(own);
        all.find(|question| question.is_answered(set)).unwrap_or(usual)
    }

    fn is_answered(&self, set: &FixtureSet) -> bool {
        !set.matching(&Request::post("/v1/chat/completions", self.body())).is_empty()
    }

    fn body(&self) -> Value {
        let message = json!([{ "role": "user", "content": self.user }]);
        json!({ "model": self.model, "stream": true, "messages": message })
    }
}

impl Banner {
    /// The lines, for a base URL.
    pub(super) fn text(&self, url: &str) -> String {
        let Self { key, question, .. } = self;
        let (deployment, body) = (segment(&question.model), question.body());
        let openai =
            self.curl(&format!("{url}/v1/chat/completions"), &format!("authorization: Bearer {key}"), &body);
        let azure = self.curl(
            &format!("{url}/openai/deployments/{deployment}/chat/completions?api-version=2024-10-21"),
            &format!("api-key: {key}"),
            &body,
        );
        let token = if self.guarded { " (with the admin token)" } else { "" };
        let mut text = format!(
            "\n\
             Try it:\n  {openai}\n\n\
             As Azure OpenAI:\n  {azure}\n\n\
             SDKs: base URL {url}/v1; for Azure the endpoint {url}\n\
             To break it: base URL {url}/fault/close-mid-stream@event:3/v1; `llmirage faults` has the rest\n\
             What was asked{token}: {url}/__admin/requests\n"
        );
        if let Some(authority) = &self.authority {
            text.push_str(&format!("Certificate to trust: {}\n", authority.display()));
        }
        text
    }

    fn curl(&self, url: &str, header: &str, body: &Value) -> String {
        let trust =
            self.authority.as_ref().map(|path| format!(" --cacert {}", quoted(&path.display().to_string())));
        format!(
            "curl -N{} {} -H {} -H 'content-type: application/json' -d {}",
            trust.unwrap_or_default(),
            quoted(url),
            quoted(header),
            quoted(&body.to_string())
        )
    }
}

/// A name as one segment of a path.
fn segment(name: &str) -> String {
    let mut segment = String::new();
    for byte in name.bytes() {
        match byte {
            b'-' | b'.' | b'_' | b'~' | b':' => segment.push(char::from(byte)),
            plain if plain.is_ascii_alphanumeric() => segment.push(char::from(plain)),
            other => segment.push_str(&format!("%{other:02X}")),
        }
    }
    segment
}

/// A word as a shell reads it back.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::set::Source;

    fn banner() -> Banner {
        Banner {
            key: "sk-test".to_owned(),
            question: Question { model: "gpt-4o".to_owned(), user: "hello".to_owned() },
            authority: None,
            guarded: false,
        }
    }

    #[test]
    fn the_lines_are_complete() {
        assert_eq!(
            banner().text("http://127.0.0.1:4010"),
            r#"
Try it:
  curl -N 'http://127.0.0.1:4010/v1/chat/completions' -H 'authorization: Bearer sk-test' -H 'content-type: application/json' -d '{"model":"gpt-4o","stream":true,"messages":[{"role":"user","content":"hello"}]}'

As Azure OpenAI:
  curl -N 'http://127.0.0.1:4010/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21' -H 'api-key: sk-test' -H 'content-type: application/json' -d '{"model":"gpt-4o","stream":true,"messages":[{"role":"user","content":"hello"}]}'

SDKs: base URL http://127.0.0.1:4010/v1; for Azure the endpoint http://127.0.0.1:4010
To break it: base URL http://127.0.0.1:4010/fault/close-mid-stream@event:3/v1; `llmirage faults` has the rest
What was asked: http://127.0.0.1:4010/__admin/requests
"#
        );
    }

    #[test]
    fn https_names_the_certificate_and_quotes_survive_the_shell() {
        let banner = Banner { key: "it's".to_owned(), authority: Some("/tmp/ca.pem".into()), ..banner() };
        let text = banner.text("https://127.0.0.1:1");
        assert!(text.contains("curl -N --cacert '/tmp/ca.pem' 'https://127.0.0.1:1/v1"), "{text}");
        assert!(text.contains(r"-H 'authorization: Bearer it'\''s'"), "{text}");
        assert!(text.ends_with("Certificate to trust: /tmp/ca.pem\n"), "{text}");
    }

    #[test]
    fn a_model_with_a_slash_is_one_segment_of_the_path() {
        assert_eq!(segment("meta/llama-3.1 月"), "meta%2Fllama-3.1%20%E6%9C%88");
    }

    #[track_caller]
    fn check(fixtures: &str, model: &str, user: &str) {
        let path = "f.json".into();
        let text = format!(r#"{{ "fixtures": [{fixtures}] }}"#);
        let set = FixtureSet::load(vec![Source::File { path, text }]).unwrap();
        let expected = Question { model: model.to_owned(), user: user.to_owned() };
        assert_eq!(Question::for_set(&set), expected);
    }

    #[test]
    fn the_question_is_one_that_is_answered() {
        check(r#"{ "name": "a", "reply": "A." }"#, "gpt-4o", "hello");
        check(r#"{ "name": "a", "match": { "user": "hell" }, "reply": "A." }"#, "gpt-4o", "hello");
        check(r#"{ "name": "a", "match": { "user": "moon" }, "reply": "A." }"#, "gpt-4o", "moon");
        check(
            r#"{ "name": "a", "match": { "model": "m", "user": { "equals": "x" } }, "reply": "A." }"#,
            "m",
            "x",
        );
        let two = r#"{ "name": "a", "match": { "user": "moon", "stream": false }, "reply": "A." },
                     { "name": "b", "match": { "model": "m" }, "reply": "B." }"#;
        check(two, "m", "hello");
        check(
            r#"{ "name": "a", "match": { "user": { "regex": "^x+$" } }, "reply": "A." }"#,
            "gpt-4o",
            "hello",
        );
    }
}
