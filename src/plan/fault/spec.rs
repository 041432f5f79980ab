//! Faults as one word, for flags, base URLs and headers: `NAME[:key=value,…][@PLACE]`.

use std::fmt;
use std::str::FromStr;

use serde_json::Value;

use super::alias::Alias;
use super::declare::{Argument, Given};
use super::percent::{decode, encode};
use super::read::{Draft, Flaw, sentence};
use super::when::When;
use super::{At, Fault, Kind, Name};
use crate::plan::json::{Span, StringOr};
use crate::plan::load::problems::Problems;
use crate::plan::load::words::{did_you_mean, quoted};
use crate::plan::load::{self};
use crate::plan::matcher::{Comparison, Condition, Matcher};

/// `NAME[:key=value,…][@PLACE]`, as on the command line, in a base URL and in the header.
///
/// Keys are the fault's parameters and the selectors `attempt`, `first`, `every`, `probability`, `user` (a
/// part of the last user message), `model` and `match` (a matcher as JSON). Where a fault has a parameter of
/// a selector's name, that is meant, and the selector is `when.every`. In values `,`, `@`, `%` and white space are
/// percent-encoded; `none` is no value; a key without a value is `true`. PLACE is
///
/// * `head`: after the head, before the first event;
/// * `event:3`: after three events; `event:-1`: before the last one;
/// * `event:3,byte:12`: after three events and twelve bytes of the next;
/// * `role`, `first-content`, `finish`, `usage`, `done` (or `event:finish`): after that event;
/// * `byte:100`: after a hundred bytes of the body;
/// * `elapsed:1s`: once so much time has passed since the request was read;
/// * `end`: after everything, before the last chunk.
///
/// A fault about one event takes the event with that number or name: `duplicate-event@event:3` is about the
/// fourth. Without a place a fault stands at its own.
///
/// ```
/// use llmirage::{At, Fault, When};
///
/// let fault: Fault = "close-mid-stream:first=2@event:3".parse()?;
///
/// assert_eq!(fault, Fault::close(At::event(3)).when(When::first(2)));
/// assert_eq!(fault.to_string(), "close-mid-stream:first=2@event:3");
/// # Ok::<(), String>(())
/// ```
impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (what, place) = match text.split_once('@') {
            Some((what, place)) => (what, Some(place)),
            None => (text, None),
        };
        let (name, parameters) = what.split_once(':').unwrap_or((what, ""));
        let mut flaws = Vec::new();
        let at = place.and_then(|place| {
            place.parse().map_err(|message: String| flaws.push(Flaw::value("at", message))).ok()
        });
        let (given, when) = keys(name, parameters, &mut flaws);
        let draft = Draft { name, given, at, when, other_keys: &SELECTORS };
        let (fault, more) = draft.read();
        flaws.extend(more);
        match (fault, flaws.is_empty()) {
            (Some(fault), true) => Ok(fault),
            _ => Err(sentence(name, &flaws)),
        }
    }
}

/// The keys that choose requests.
pub(super) const SELECTORS: [&str; 7] =
    ["attempt", "first", "every", "probability", "user", "model", "match"];

/// Splits parameters from selectors.
fn keys(name: &str, text: &str, flaws: &mut Vec<Flaw>) -> (Vec<(String, Given)>, When) {
    let own = Kind::entry_named(Alias::named(name).map_or(name, |alias| alias.fault));
    let own: Vec<&str> = own
        .map_or_else(Vec::new, |entry| (entry.parameters)().iter().map(|parameter| parameter.name).collect());
    let (mut given, mut when, mut seen) = (Vec::new(), When::default(), Vec::new());
    for parameter in text.split(',').filter(|parameter| !parameter.is_empty()) {
        let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let value = match (value, decode(value)) {
            ("none", _) => Given::Nothing,
            (_, Ok(value)) => Given::Text(value),
            (_, Err(message)) => {
                flaws.push(Flaw::value(key, message));
                continue;
            }
        };
        let selector = key.strip_prefix("when.").or_else(|| Some(key).filter(|key| !own.contains(key)));
        match selector.and_then(|key| SELECTORS.into_iter().find(|known| *known == key)) {
            Some(key) if seen.contains(&key) => {
                flaws.push(Flaw::key(key, format!("the selector `{key}` of {name} is there twice")));
            }
            Some(key) => {
                seen.push(key);
                when = when.and(select(key, &value, flaws));
            }
            None => given.push((key.to_owned(), value)),
        }
    }
    (given, when)
}

/// What a selector says.
fn select(key: &str, value: &Given, flaws: &mut Vec<Flaw>) -> When {
    let mut wrong = |message| {
        flaws.push(Flaw::value(format!("when/{key}"), message));
        When::default()
    };
    let text = value.text().unwrap_or_default();
    match key {
        "attempt" => u64::read(value).map_or_else(&mut wrong, When::attempt),
        "first" => u64::read(value).map_or_else(&mut wrong, When::first),
        "every" => u64::read(value).map_or_else(&mut wrong, When::every),
        "probability" => match text.parse() {
            Ok(probability) => When::probability(probability),
            Err(_) => wrong(format!("expected a number from 0 to 1, got {value}")),
        },
        "user" => When::matching(Matcher::user(text)),
        "model" => When::matching(Matcher::model(text)),
        _ => match serde_json::from_str::<Value>(text) {
            Ok(tree) => {
                let mut problems = Problems::default();
                let matcher = load::read_at::<Matcher>(tree, "/when/match", &mut problems, |_, _| {});
                flaws.extend(problems.0.into_iter().map(|problem| Flaw {
                    key: problem.pointer.trim_start_matches('/').to_owned(),
                    part: problem.part,
                    message: problem.message,
                }));
                matcher.map(When::matching).unwrap_or_default()
            }
            Err(_) => wrong(format!("expected a matcher as JSON, percent-encoded, got {}", quoted(text))),
        },
    }
}

/// The form that parses back.
impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.kind.name())?;
        let parameters = (self.kind.entry().parameters)();
        let mut separator = ':';
        for ((name, value), parameter) in self.kind.arguments().into_iter().zip(&parameters) {
            if value == parameter.default {
                continue;
            }
            let text = match value {
                None => "none".to_owned(),
                Some(Value::String(text)) if text == "none" && parameter.optional => "%6Eone".to_owned(),
                Some(Value::String(text)) => encode(&text),
                Some(value) => value.to_string(),
            };
            write!(out, "{separator}{name}={text}")?;
            separator = ',';
        }
        for (name, text) in self.when.words() {
            let prefix = match parameters.iter().any(|parameter| parameter.name == name) {
                true => "when.",
                false => "",
            };
            write!(out, "{separator}{prefix}{name}={text}")?;
            separator = ',';
        }
        match self.at {
            None => Ok(()),
            Some(at) => write!(out, "@{at}"),
        }
    }
}

impl When {
    /// The selectors as keys and encoded values.
    fn words(&self) -> Vec<(&'static str, String)> {
        let count = |key, count: Option<u64>| count.map(|count| (key, count.to_string()));
        let counts = [count("attempt", self.attempt), count("first", self.first), count("every", self.every)];
        let mut words: Vec<(&'static str, String)> = counts.into_iter().flatten().collect();
        words.extend(self.probability.map(|probability| ("probability", probability.to_string())));
        if let Some(matching) = &self.matching {
            words.extend(short(&matching.matcher).unwrap_or_else(|| {
                let json = serde_json::to_string(&matching.matcher).unwrap_or_default();
                vec![("match", encode(&json))]
            }));
        }
        words
    }
}

/// A matcher as `user` and `model`, if it is no more.
fn short(matcher: &Matcher) -> Option<Vec<(&'static str, String)>> {
    let user = |condition: &Condition| match condition {
        StringOr::Text(text)
        | StringOr::Object(Comparison {
            contains: Some(text),
            equals: None,
            regex: None,
            glob: None,
            absent: None,
        }) => Some(text.clone()),
        StringOr::Object(_) => None,
    };
    let model = |condition: &Condition| match condition {
        StringOr::Text(text)
        | StringOr::Object(Comparison {
            equals: Some(text),
            contains: None,
            regex: None,
            glob: None,
            absent: None,
        }) => Some(text.clone()),
        StringOr::Object(_) => None,
    };
    let rest = Matcher { user: None, model: None, ..matcher.clone() };
    if rest != Matcher::default() || matcher == &rest {
        return None;
    }
    let user = matcher.user.as_ref().map(user);
    let model = matcher.model.as_ref().map(model);
    let mut words = Vec::new();
    if let Some(text) = user {
        words.push(("user", encode(&text?)));
    }
    if let Some(text) = model {
        words.push(("model", encode(&text?)));
    }
    Some(words)
}

/// The PLACE of a [`Fault`]'s one-word form.
impl FromStr for At {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "head" => return Ok(Self::Head),
            "end" => return Ok(Self::End),
            "idle" => return Ok(Self::Idle),
            "next-request" => return Ok(Self::NextRequest),
            _ => {}
        }
        if let Some(name) = Name::parse(text) {
            return Ok(Self::Named(name));
        }
        let (first, second) = match text.split_once(',') {
            Some((first, second)) => (first, Some(second)),
            None => (text, None),
        };
        match (first.split_once(':'), second.map(|second| second.split_once(':'))) {
            (Some(("byte", byte)), None) => Ok(Self::Byte(number(byte)?)),
            (Some(("event", event)), None) => match event.parse() {
                Ok(index) => Ok(Self::event(index)),
                Err(_) => match Name::parse(event) {
                    Some(name) => Ok(Self::Named(name)),
                    None => Err(Name::unknown(event)),
                },
            },
            (Some(("event", event)), Some(Some(("byte", byte)))) => match event.parse() {
                Ok(index) => Ok(Self::event_byte(index, number(byte)?)),
                Err(_) => Err(format!("expected an event's number before `byte`, got {}", quoted(event))),
            },
            (Some(("elapsed", time)), None) => Ok(Self::Elapsed(time.parse::<Span>()?.0)),
            _ => Err(unknown_place(text)),
        }
    }
}

/// The form that parses back.
impl fmt::Display for At {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Head => out.write_str("head"),
            Self::End => out.write_str("end"),
            Self::Idle => out.write_str("idle"),
            Self::NextRequest => out.write_str("next-request"),
            Self::Elapsed(time) => {
                let time = serde_json::to_value(Span(*time)).unwrap_or_default();
                write!(out, "elapsed:{}", time.as_str().unwrap_or_default())
            }
            Self::Event { index, byte: 0 } => write!(out, "event:{index}"),
            Self::Event { index, byte } => write!(out, "event:{index},byte:{byte}"),
            Self::Named(name) => out.write_str(name.as_str()),
            Self::Byte(byte) => write!(out, "byte:{byte}"),
        }
    }
}

fn number(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| format!("expected a number of bytes, got {}", quoted(text)))
}

fn unknown_place(text: &str) -> String {
    let mut known = vec!["head", "end", "idle", "next-request", "event", "byte", "elapsed"];
    known.extend(Name::ALL.map(|(name, _)| name));
    let guess = did_you_mean(text, &known);
    let place = quoted(text);
    if guess.starts_with("did you mean") {
        return format!("unknown place {place}; {guess}");
    }
    format!(
        "unknown place {place}; a place is like event:3, event:-1, event:3,byte:12, byte:100, finish, \
         elapsed:1s, head or end"
    )
}

#[cfg(test)]
mod tests;
