//! A request, read and routed: what matchers look at and what replies depend on.

use http::{HeaderMap, Method};
use serde_json::Value;

use super::dialect::{self, Dialect};
use super::fault::Fault;
use super::scenario::Scenario;
use super::value::field;

/// The head of a request and where it goes, known before the body is read.
#[derive(Clone, Debug)]
pub struct Call {
    /// The method.
    pub method: Method,
    /// The path below the scope, as sent.
    pub path: String,
    /// The query, without its `?`.
    pub query: Option<String>,
    /// The headers.
    pub headers: HeaderMap,
    /// The scope of the base URL or of the headers.
    pub scope: Scope,
    /// What the path asks for.
    pub route: Route,
}

/// What a base URL or the `x-llmirage-…` headers choose without the client's code knowing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scope {
    /// The session: hit counters and a journal view of its own. Empty is the common one.
    pub session: String,
    /// Faults for this request, beside the reply's own.
    pub faults: Vec<Fault>,
    /// What of the request's path is the scope, as sent.
    pub prefix: String,
    /// The scenario whose fixtures answer, instead of the server's.
    pub scenario: Option<&'static Scenario>,
}

/// Which provider's which endpoint a path is.
#[derive(Clone, Debug)]
pub struct Route {
    /// Who is spoken.
    pub(crate) dialect: &'static dyn Dialect,
    /// What is asked.
    pub endpoint: Endpoint,
    /// Azure's deployment, where the path names it.
    pub deployment: Option<String>,
    /// Azure's api-version, where the query gives it.
    pub api_version: Option<String>,
}

/// An endpoint of a provider.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Endpoint {
    /// `chat/completions`.
    ChatCompletions,
    /// The list of models.
    Models,
    /// One model.
    Model(String),
    /// A path that only a fixture with a `path` can serve.
    Other,
}

impl Endpoint {
    /// The name that matchers and the journal use.
    pub fn name(&self) -> &'static str {
        match self {
            Self::ChatCompletions => "chat.completions",
            Self::Models | Self::Model(_) => "models",
            Self::Other => "other",
        }
    }

    /// The methods it takes, as in an `allow` header; none where only a fixture can say.
    pub fn allow(&self) -> Option<&'static str> {
        match self {
            Self::ChatCompletions => Some("POST"),
            Self::Models | Self::Model(_) => Some("GET"),
            Self::Other => None,
        }
    }
}

impl Call {
    /// The head of a request, routed to the dialect whose path it is.
    pub fn new(
        method: Method,
        path: String,
        query: Option<String>,
        headers: HeaderMap,
        scope: Scope,
    ) -> Self {
        let mut routes = dialect::DIALECTS.iter();
        let route = routes.find_map(|dialect| dialect.claim(&path, query.as_deref()));
        let route = route.expect("the last dialect claims every path");
        Self { method, path, query, headers, scope, route }
    }

    /// The API key that the client shows: Azure's `api-key` header, else a bearer token.
    ///
    /// Some Azure clients send both, with the key in both. An empty one is none.
    pub fn key(&self) -> Option<&str> {
        let text = |name| self.headers.get(name).and_then(|value| value.to_str().ok());
        let own = text("api-key").map(str::trim).filter(|key| !key.is_empty());
        own.or_else(|| {
            let (scheme, token) = text("authorization")?.trim().split_once(' ')?;
            let token = token.trim();
            (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
        })
    }
}

/// A whole request. Its accessors are total: a body of any shape has an answer.
///
/// ```
/// use llmirage::plan::Request;
/// use serde_json::json;
///
/// let body = json!({ "messages": [{ "role": "user", "content": "hello" }] });
/// let request = Request::post("/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21", body);
/// assert_eq!(request.model(), "gpt-4o");
/// assert_eq!(request.user_text(), "hello");
/// ```
#[derive(Clone, Debug)]
pub struct Request {
    /// The head.
    pub call: Call,
    /// The body; `Null` where there is none.
    pub body: Value,
}

impl Request {
    /// A POST of a JSON body to a path with its query, without headers.
    pub fn post(target: &str, body: Value) -> Self {
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (target, None),
        };
        let call = Call::new(Method::POST, path.to_owned(), query, HeaderMap::new(), Scope::default());
        Self { call, body }
    }

    /// The model asked for: Azure's deployment, else the body's `model`, else nothing.
    pub fn model(&self) -> &str {
        match &self.call.route.deployment {
            Some(deployment) => deployment,
            None => self.text("model").unwrap_or_default(),
        }
    }

    /// Whether a stream is asked for.
    pub fn stream(&self) -> bool {
        self.field("stream") == Some(&Value::Bool(true))
    }

    /// Whether the stream is to end with the token usage.
    pub fn include_usage(&self) -> bool {
        self.option("include_usage") == Some(&Value::Bool(true))
    }

    /// Whether the stream may carry `obfuscation`; it may unless the request says no.
    pub fn include_obfuscation(&self) -> bool {
        self.option("include_obfuscation") != Some(&Value::Bool(false))
    }

    /// Whether log probabilities are asked for.
    pub fn logprobs(&self) -> bool {
        self.field("logprobs") == Some(&Value::Bool(true))
    }

    /// How many likeliest tokens are asked for at each place.
    pub fn top_logprobs(&self) -> usize {
        let asked = self.field("top_logprobs").and_then(Value::as_u64);
        asked.map_or(0, |count| usize::try_from(count.min(20)).unwrap_or(20))
    }

    /// How many choices are asked for: 1 to 128.
    pub fn n(&self) -> usize {
        let asked = self.field("n").and_then(Value::as_u64).unwrap_or(1);
        usize::try_from(asked.clamp(1, 128)).unwrap_or(1)
    }

    /// Whether `tool_choice` names one function.
    pub fn forces_a_function(&self) -> bool {
        self.field("tool_choice").and_then(|choice| field(choice, "type")?.as_str()) == Some("function")
    }

    /// Whether only functions are offered, as before there were tools.
    pub fn offers_functions_only(&self) -> bool {
        self.field("functions").is_some_and(Value::is_array) && self.field("tools").is_none()
    }

    /// The messages; none where the body has none.
    pub fn messages(&self) -> &[Value] {
        self.field("messages").and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// The text of the last user message; the `prompt` of a completion, the `input` of others.
    pub fn user_text(&self) -> String {
        let last = self.messages().iter().rev().find(|message| role(message) == "user");
        match last {
            Some(message) => message_text(message),
            None => self.text("prompt").or_else(|| self.text("input")).unwrap_or_default().to_owned(),
        }
    }

    /// The text of the system and developer messages, joined by line feeds.
    pub fn system_text(&self) -> String {
        let system = self.messages().iter().filter(|message| matches!(role(message), "system" | "developer"));
        system.map(message_text).collect::<Vec<_>>().join("\n")
    }

    /// The text of the last tool message, or `None`.
    pub fn tool_result(&self) -> Option<String> {
        let last = self.messages().iter().rev().find(|message| matches!(role(message), "tool" | "function"));
        last.map(message_text)
    }

    /// Which turn of the conversation this is: 1 + the number of assistant messages.
    pub fn turn(&self) -> u64 {
        1 + self.messages().iter().filter(|message| role(message) == "assistant").count() as u64
    }

    /// The names of the tools and functions offered.
    pub fn tools(&self) -> impl Iterator<Item = &str> {
        let list = |key| self.field(key).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let tools = list("tools").iter().filter_map(|tool| field(field(tool, "function")?, "name"));
        let functions = list("functions").iter().filter_map(|function| field(function, "name"));
        tools.chain(functions).filter_map(Value::as_str)
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.field(key)?.as_str()
    }

    fn option(&self, key: &str) -> Option<&Value> {
        field(self.field("stream_options")?, key)
    }

    /// What the body has under a key.
    pub(crate) fn field(&self, key: &str) -> Option<&Value> {
        field(&self.body, key)
    }
}

fn role(message: &Value) -> &str {
    field(message, "role").and_then(Value::as_str).unwrap_or_default()
}

/// A message's text: its content, or its text parts joined.
fn message_text(message: &Value) -> String {
    match field(message, "content") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => {
            let texts = parts.iter().filter_map(|part| field(part, "text")?.as_str());
            texts.collect::<Vec<_>>().join("\n")
        }
        _ => String::new(),
    }
}
