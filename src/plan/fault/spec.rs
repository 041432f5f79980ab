//! Faults as one word, for flags, base URLs and headers: `NAME[:key=value,…][@PLACE]`.

use std::fmt;
use std::str::FromStr;

use super::declare::{Arguments, Given};
use super::when::When;
use super::{At, Fault, Kind, Name};
use crate::plan::json::Span;
use crate::plan::load::words::did_you_mean;

/// `NAME[:key=value,…][@PLACE]`, where PLACE is
///
/// * `head`: after the head, before the first event;
/// * `event:3`: after three events; `event:-1`: before the last one;
/// * `event:3,byte:12`: after three events and twelve bytes of the next;
/// * `role`, `first-content`, `finish`, `usage`, `done` (or `event:finish`): after that event;
/// * `byte:100`: after a hundred bytes of the body;
/// * `end`, or no place at all: after everything, before the last chunk.
///
/// ```
/// use llmirage::{At, Fault};
///
/// let fault: Fault = "close-mid-stream@event:3".parse()?;
///
/// assert_eq!(fault, Fault::close(At::event(3)));
/// assert_eq!(fault.to_string(), "close-mid-stream@event:3");
/// # Ok::<(), String>(())
/// ```
impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (what, at) = match text.split_once('@') {
            Some((what, place)) => (what, Some(place.parse()?)),
            None => (text, None),
        };
        let (name, parameters) = what.split_once(':').unwrap_or((what, ""));
        let given = parameters.split(',').filter(|parameter| !parameter.is_empty()).map(|parameter| {
            let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            (key.to_owned(), Given::Text(value.to_owned()))
        });
        Self::read(name, given.collect(), at)
    }
}

impl Fault {
    /// The fault called `name`, with what was given for its parameters and selectors.
    ///
    /// # Errors
    ///
    /// Everything that is wrong, in a sentence.
    pub(crate) fn read(name: &str, given: Vec<(String, Given)>, at: Option<At>) -> Result<Self, String> {
        let mut arguments = Arguments::new(given);
        let when = When {
            attempt: arguments.take("attempt", || None),
            first: arguments.take("first", || None),
            every: arguments.take("every", || None),
            probability: None,
        };
        let Some(kind) = Kind::build(name, &mut arguments) else {
            let known: Vec<&str> = Kind::entries().map(|entry| entry.name).collect();
            return Err(format!("unknown fault {name:?}; {}", did_you_mean(name, &known)));
        };
        if let Some((key, problem)) = arguments.problems.first() {
            return Err(format!("`{key}` of {name}: {problem}"));
        }
        let parameters = (kind.entry().parameters)();
        if let Some(key) = arguments.rest().next() {
            let known: Vec<&str> = parameters.iter().map(|parameter| parameter.name).collect();
            return Err(match known.is_empty() {
                true => format!("{name} takes no parameter {key:?}, only a place, like {name}@event:3"),
                false => format!("{name} takes no parameter {key:?}; {}", did_you_mean(&key, &known)),
            });
        }
        Ok(Self { kind, at, when })
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
            let Some(value) = value else { continue };
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            write!(out, "{separator}{name}={text}")?;
            separator = ',';
        }
        match self.at {
            None => Ok(()),
            Some(at) => write!(out, "@{at}"),
        }
    }
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
                Err(_) => Err(format!("expected an event's number before `byte`, got {event:?}")),
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
    text.parse().map_err(|_| format!("expected a number of bytes, got {text:?}"))
}

fn unknown_place(text: &str) -> String {
    let mut known = vec!["head", "end", "idle", "next-request", "event", "byte", "elapsed"];
    known.extend(Name::ALL.map(|(name, _)| name));
    let guess = did_you_mean(text, &known);
    if guess.starts_with("did you mean") {
        return format!("unknown place {text:?}; {guess}");
    }
    format!(
        "unknown place {text:?}; a place is like event:3, event:-1, event:3,byte:12, byte:100, finish, head or end"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_parses_and_is_written_back() {
        let forms = [
            ("close-mid-stream", At::End),
            ("close-mid-stream@head", At::Head),
            ("close-mid-stream@event:3", At::event(3)),
            ("close-mid-stream@event:-1", At::event(-1)),
            ("close-mid-stream@event:3,byte:12", At::event_byte(3, 12)),
            ("close-mid-stream@byte:100", At::Byte(100)),
            ("close-mid-stream@role", At::Named(Name::Role)),
            ("close-mid-stream@first-content", At::Named(Name::FirstContent)),
            ("close-mid-stream@finish", At::Named(Name::Finish)),
            ("close-mid-stream@usage", At::Named(Name::Usage)),
            ("close-mid-stream@done", At::Named(Name::Done)),
        ];
        for (text, at) in forms {
            assert_eq!(text.parse(), Ok(Fault::close(at)), "{text}");
            assert_eq!(Fault::close(at).to_string(), text);
        }
    }

    #[test]
    fn longer_spellings_parse_too() {
        let finish = Ok(Fault::close(At::Named(Name::Finish)));
        assert_eq!("close-mid-stream@event:finish".parse(), finish);
        assert_eq!("close-mid-stream@end".parse(), Ok(Fault::close(At::End)));
        assert_eq!("close-mid-stream:@end".parse(), Ok(Fault::close(At::End)));
    }

    #[test]
    fn a_word_that_is_no_fault_says_what_would_be() {
        let table = [
            (
                "close-mid-steam@event:3",
                r#"unknown fault "close-mid-steam"; did you mean "close-mid-stream"?"#,
            ),
            ("", r#"unknown fault ""; known: "close-mid-stream""#),
            (
                "close-mid-stream:hold=5s@event:3",
                r#"close-mid-stream takes no parameter "hold", only a place, like close-mid-stream@event:3"#,
            ),
            ("close-mid-stream@finsh", r#"unknown place "finsh"; did you mean "finish"?"#),
            (
                "close-mid-stream@5",
                r#"unknown place "5"; a place is like event:3, event:-1, event:3,byte:12, byte:100, finish, head or end"#,
            ),
            (
                "close-mid-stream@event:x",
                r#"expected an event's number, or one of "role", "first-content", "finish", "usage", "done", got "x""#,
            ),
            ("close-mid-stream@byte:-1", r#"expected a number of bytes, got "-1""#),
            (
                "close-mid-stream@event:finish,byte:2",
                r#"expected an event's number before `byte`, got "finish""#,
            ),
            (
                "close-mid-stream@elapsed:1s",
                r#"the place `elapsed` is not supported yet: use an event, a byte, "head" or "end""#,
            ),
        ];
        for (text, expected) in table {
            assert_eq!(text.parse::<Fault>(), Err(expected.to_owned()), "{text}");
        }
    }
}
