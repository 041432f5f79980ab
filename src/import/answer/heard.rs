//! What a recorded stream or body says, taken apart.

use serde_json::{Map, Value, json};

use crate::plan::transcript::{Transcript, raw_bytes};

/// What was recorded, taken apart.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// Whether it is a stream.
    pub(super) is_stream: bool,
    /// What each choice says.
    pub(super) choices: Vec<Choice>,
    /// The first chunk with an envelope of its own, or the body.
    pub(super) envelope: Value,
    /// The token usage.
    pub(super) usage: Option<Map<String, Value>>,
    /// Whether the request asked for the usage.
    pub(super) asks_usage: bool,
    /// The `obfuscation` of each chunk that has one.
    pub(super) obfuscation: Vec<String>,
    /// Azure's `latency_checkpoint` and `routing`.
    pub(super) telemetry: Map<String, Value>,
    /// The choice of each chunk that has one.
    pub(super) order: Vec<usize>,
    /// Azure's list of verdicts on the prompt.
    pub(super) prompt_results: Option<Vec<Value>>,
    /// Each chunk with a choice, or each choice of a body: its verdicts, and whether it has text.
    pub(super) results: Vec<(Option<Value>, bool)>,
    /// The chunks of the asynchronous filter: after how many chunks with a choice, and the choice in them.
    pub(super) annotations: Vec<(usize, Value)>,
}

/// What one choice says.
#[derive(Debug, Default)]
pub(super) struct Choice {
    /// The text, in pieces.
    pub(super) text: Vec<String>,
    /// The refusal, in pieces.
    pub(super) refusal: Vec<String>,
    /// What the model thought, as relays send it.
    pub(super) reasoning: String,
    /// The calls.
    pub(super) calls: Vec<Call>,
    /// Whether the call is a function's, as before there were tools.
    pub(super) is_function: bool,
    /// Why it ended.
    pub(super) finish: Option<String>,
    /// The log probabilities.
    pub(super) logprobs: Vec<Value>,
}

/// A call of a choice.
#[derive(Debug, Default)]
pub(super) struct Call {
    pub(super) id: Option<String>,
    pub(super) name: String,
    pub(super) arguments: Vec<String>,
}

/// As many choices or calls as a request can ask for; a number beyond is damage, not a reason to make room.
const MOST: usize = 128;

impl Heard {
    /// Takes a response apart.
    ///
    /// # Errors
    ///
    /// In words, where it is no chat completion.
    pub(super) fn of(transcript: &Transcript, body: &[u8]) -> Result<Self, String> {
        let mut heard = Self { is_stream: transcript.response.is_stream(), ..Self::default() };
        let Some(events) = &transcript.response.events else {
            let body: Value = serde_json::from_slice(body).map_err(|_| "its body is not JSON".to_owned())?;
            heard.body(&body)?;
            return Ok(heard);
        };
        let mut is_done = false;
        for (index, event) in events.iter().enumerate() {
            let raw = String::from_utf8_lossy(raw_bytes(&event.raw));
            match data(&raw) {
                Some("[DONE]") => is_done = true,
                Some(data) => {
                    let chunk = serde_json::from_str(data);
                    let chunk = chunk.map_err(|_| format!("event {index} is not the JSON of a chunk"))?;
                    heard.chunk(&chunk).map_err(|reason| format!("event {index} {reason}"))?;
                }
                None if raw.lines().any(|line| line.starts_with("event:")) => {
                    return Err(format!(
                        "event {index} has a name, as in other protocols than chat completions"
                    ));
                }
                // A comment: what is said does not depend on it, and the comparison will tell.
                None => {}
            }
        }
        match () {
            () if heard.choices.is_empty() => Err("it has no chunk of a chat completion".to_owned()),
            () if !is_done => Err("it ends without [DONE]".to_owned()),
            () => Ok(heard),
        }
    }

    fn body(&mut self, body: &Value) -> Result<(), String> {
        let choices = body.get("choices").and_then(Value::as_array);
        let choices = choices.filter(|choices| !choices.is_empty() && choices.len() <= MOST);
        let choices = choices.ok_or_else(|| "its body is no chat completion".to_owned())?;
        for (index, choice) in choices.iter().enumerate() {
            let said = room(&mut self.choices, index).ok_or_else(|| "has too many choices".to_owned())?;
            let message = choice.get("message").filter(|message| message.is_object());
            said.add(message.ok_or_else(|| "its body is no chat completion".to_owned())?);
            said.end(choice);
            self.results.push((choice.get("content_filter_results").cloned(), !said.text.is_empty()));
        }
        self.envelope(body);
        Ok(())
    }

    fn chunk(&mut self, chunk: &Value) -> Result<(), String> {
        let choices = chunk.get("choices").and_then(Value::as_array);
        let choices = match choices {
            Some(choices) => choices.as_slice(),
            None if chunk.get("object") == Some(&json!("chat.completion.chunk")) => &[],
            None => return Err("is no chunk of a chat completion".to_owned()),
        };
        if self.envelope.is_null() && chunk.get("id").and_then(Value::as_str).is_some_and(|id| !id.is_empty())
        {
            self.envelope(chunk);
        } else {
            self.prompt(chunk);
            self.usage(chunk);
        }
        self.obfuscation.extend(text(chunk, "obfuscation"));
        for key in ["latency_checkpoint", "routing"] {
            if let Some(value) = chunk.get(key) {
                self.telemetry.insert(key.to_owned(), value.clone());
            }
        }
        for choice in choices {
            let index = choice.get("index").and_then(Value::as_u64).unwrap_or_default();
            let index = usize::try_from(index).unwrap_or(usize::MAX);
            if choice.get("content_filter_offsets").is_some() {
                self.annotations.push((self.order.len(), choice.clone()));
                continue;
            }
            let said = room(&mut self.choices, index).ok_or_else(|| "has too many choices".to_owned())?;
            let delta = choice.get("delta").unwrap_or(&Value::Null);
            said.add(delta);
            said.end(choice);
            let speaks = ["content", "refusal"].into_iter().filter_map(|key| text(delta, key));
            let speaks = speaks.into_iter().any(|piece| !piece.is_empty());
            self.order.push(index);
            self.results.push((choice.get("content_filter_results").cloned(), speaks));
        }
        Ok(())
    }

    /// Keeps what is said about the whole answer.
    fn envelope(&mut self, chunk: &Value) {
        self.envelope = chunk.clone();
        self.prompt(chunk);
        self.usage(chunk);
    }

    fn prompt(&mut self, chunk: &Value) {
        let results = chunk.get("prompt_filter_results").or_else(|| chunk.get("prompt_annotations"));
        if let Some(results) = results.and_then(Value::as_array) {
            self.prompt_results = Some(results.clone());
        }
    }

    fn usage(&mut self, chunk: &Value) {
        match chunk.get("usage") {
            Some(Value::Object(usage)) => {
                self.usage = Some(usage.clone());
                self.asks_usage = true;
            }
            Some(Value::Null) if text(chunk, "id").is_some_and(|id| !id.is_empty()) => self.asks_usage = true,
            _ => {}
        }
    }
}

impl Choice {
    /// Adds what a delta or a message says.
    fn add(&mut self, delta: &Value) {
        let pieces = |key| text(delta, key).filter(|piece| !piece.is_empty());
        self.text.extend(pieces("content"));
        self.refusal.extend(pieces("refusal"));
        for key in ["reasoning_content", "reasoning"] {
            self.reasoning += &pieces(key).unwrap_or_default();
        }
        for (place, call) in
            delta.get("tool_calls").and_then(Value::as_array).into_iter().flatten().enumerate()
        {
            let index = call.get("index").and_then(Value::as_u64);
            let index = index.map_or(place, |index| usize::try_from(index).unwrap_or(usize::MAX));
            let Some(said) = room(&mut self.calls, index) else {
                continue;
            };
            said.id = said.id.take().or_else(|| text(call, "id"));
            said.add(call.get("function").unwrap_or(&Value::Null));
        }
        if let Some(function) = delta.get("function_call").filter(|function| function.is_object()) {
            self.is_function = true;
            if let Some(said) = room(&mut self.calls, 0) {
                said.add(function);
            }
        }
    }

    /// Adds what stands beside the delta or the message.
    fn end(&mut self, choice: &Value) {
        self.finish = self.finish.take().or_else(|| text(choice, "finish_reason"));
        for key in ["content", "refusal"] {
            let list =
                choice.get("logprobs").and_then(|logprobs| logprobs.get(key)).and_then(Value::as_array);
            self.logprobs.extend(list.into_iter().flatten().cloned());
        }
    }
}

impl Call {
    fn add(&mut self, function: &Value) {
        self.name += &text(function, "name").unwrap_or_default();
        self.arguments.extend(text(function, "arguments").filter(|piece| !piece.is_empty()));
    }
}

/// The data of an event that is one line of it.
fn data(raw: &str) -> Option<&str> {
    let line = raw.trim_matches(['\r', '\n']);
    let data = line.strip_prefix("data:")?;
    (!data.contains(['\r', '\n'])).then(|| data.strip_prefix(' ').unwrap_or(data))
}

/// The element at an index, made if need be.
fn room<T: Default>(list: &mut Vec<T>, index: usize) -> Option<&mut T> {
    if index >= MOST {
        return None;
    }
    if list.len() <= index {
        list.resize_with(index + 1, T::default);
    }
    list.get_mut(index)
}

fn text(object: &Value, key: &str) -> Option<String> {
    object.get(key).and_then(Value::as_str).map(str::to_owned)
}
