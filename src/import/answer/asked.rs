//! The request that an answer was recorded for, or one that asks for what the response shows.

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::{Value, json};

use super::heard::Heard;
use crate::plan::Occasion;
use crate::plan::request::{Call, Endpoint, Request, Scope};
use crate::plan::say::plan_reject;
use crate::plan::transcript::{RecordedRequest, Transcript};

/// The recorded request; where its body was not recorded, one that asks for what the response shows.
///
/// # Errors
///
/// In words, where the response is no chat completion.
pub fn request(transcript: &Transcript) -> Result<RecordedRequest, String> {
    let recorded = transcript.request.as_ref();
    if let Some(request) = recorded.filter(|request| request.body.as_ref().is_some_and(Value::is_object)) {
        return Ok(request.clone());
    }
    let heard =
        Heard::of(transcript, &transcript.response.bytes()).map_err(|reason| super::unsaid(&reason))?;
    Ok(implied(recorded, &heard))
}

/// The request of an error: the recorded one, or any that is answered.
pub(super) fn of_error(transcript: &Transcript) -> RecordedRequest {
    let recorded = transcript.request.clone();
    let mut request = recorded.unwrap_or_else(|| RecordedRequest {
        method: "POST".to_owned(),
        path: "/v1/chat/completions".to_owned(),
        ..RecordedRequest::default()
    });
    let any = || json!({ "model": "gpt-4o-mini", "messages": [{ "role": "user", "content": "Hello" }] });
    request.body.get_or_insert_with(any);
    request
}

/// The request to plan for.
pub(super) fn asked(transcript: &Transcript, heard: &Heard) -> Result<Request, String> {
    let request = match &transcript.request {
        Some(request) if request.body.as_ref().is_some_and(Value::is_object) => request.clone(),
        recorded => implied(recorded.as_ref(), heard),
    };
    let request = typed(&request)?;
    if request.call.route.endpoint != Endpoint::ChatCompletions {
        return Err(format!("{:?} is not the path of chat completions", request.call.path));
    }
    match request.call.route.dialect.validate(&request, None) {
        Ok(()) => Ok(request),
        Err(reject) => {
            let refusal = plan_reject(&reject, &request.call, &Occasion::default());
            let why = String::from_utf8_lossy(&refusal.body).trim_end().to_owned();
            Err(format!("its request is refused by llmirage with {}: {why}", refusal.head.status.as_u16()))
        }
    }
}

/// A recorded request, read and routed.
pub(super) fn typed(request: &RecordedRequest) -> Result<Request, String> {
    let RecordedRequest { method, path, headers, body } = request;
    let method = Method::from_bytes(method.as_bytes()).map_err(|_| format!("{method:?} is no method"))?;
    let (path, query) = match path.split_once('?') {
        Some((path, query)) => (path, Some(query.to_owned())),
        None => (path.as_str(), None),
    };
    let headers: HeaderMap = headers
        .iter()
        .filter_map(|(name, value)| {
            Some((HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_str(value).ok()?))
        })
        .collect();
    let call = Call::new(method, path.to_owned(), query, headers, Scope::default());
    Ok(Request { call, body: body.clone().unwrap_or_default() })
}

/// A request that asks for what was heard, at the recorded path if there is one.
fn implied(recorded: Option<&RecordedRequest>, heard: &Heard) -> RecordedRequest {
    let model = heard.envelope.get("model").and_then(Value::as_str).unwrap_or_default();
    let model = if model.is_empty() { "gpt-4o-mini" } else { model };
    let mut body = json!({ "model": model, "messages": [{ "role": "user", "content": "Hello" }] });
    let mut set = |key: &str, value: Value| body[key] = value;
    if heard.is_stream {
        set("stream", json!(true));
        // Before March 2024 Azure had the key without being asked.
        if heard.asks_usage && (heard.usage.is_some() || heard.prompt_results.is_none() || is_sorted(heard)) {
            set("stream_options", json!({ "include_usage": true }));
        }
    }
    if heard.choices.len() > 1 {
        set("n", json!(heard.choices.len()));
    }
    let logprobs = || heard.choices.iter().flat_map(|choice| &choice.logprobs);
    if logprobs().next().is_some() {
        let top =
            logprobs().filter_map(|entry| entry.get("top_logprobs").and_then(Value::as_array)).map(Vec::len);
        set("logprobs", json!(true));
        set("top_logprobs", json!(top.max().unwrap_or_default().min(20)));
    }
    if let Some(call) =
        heard.choices.iter().find(|choice| choice.is_function).and_then(|choice| choice.calls.first())
    {
        set("functions", json!([{ "name": call.name }]));
    }
    let is_filtered =
        heard.prompt_results.is_some() || heard.results.iter().any(|(results, _)| results.is_some());
    let path = match recorded {
        Some(request) => request.path.clone(),
        None if is_filtered => "/openai/v1/chat/completions".to_owned(),
        // Azure sorts keys; only its first api-versions have no filter.
        None if is_sorted(heard) => {
            format!("/openai/deployments/{model}/chat/completions?api-version=2023-05-15")
        }
        None => "/v1/chat/completions".to_owned(),
    };
    let headers = recorded.map(|request| request.headers.clone()).unwrap_or_default();
    RecordedRequest { method: "POST".to_owned(), path, headers, body: Some(body) }
}

/// Whether the keys of the envelope are sorted.
fn is_sorted(heard: &Heard) -> bool {
    heard.envelope.as_object().and_then(|envelope| envelope.keys().next()).is_some_and(|key| key == "choices")
}
