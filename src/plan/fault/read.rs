//! Reading a fault, however it is written: its name, parameters, place and selectors, and everything that
//! is wrong with them.

use super::alias::{ALIASES, Alias};
use super::declare::{Arguments, Entry, Given, Places};
use super::when::When;
use super::{At, Fault, Kind};
use crate::plan::load::problems::{Part, Problem, Problems, escaped};
use crate::plan::load::words::{did_you_mean, nearest};
use crate::plan::scenario::Scenario;

/// Something wrong with a fault.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Flaw {
    /// The JSON pointer from the fault, without its slash: a parameter, `fault`, `at`, `when/first`;
    /// nothing for the fault as a whole.
    pub(crate) key: String,
    pub(crate) part: Part,
    pub(crate) message: String,
}

/// A fault as it is written.
#[derive(Debug)]
pub(crate) struct Draft<'a> {
    pub(crate) name: &'a str,
    pub(crate) given: Vec<(String, Given)>,
    pub(crate) at: Option<At>,
    pub(crate) when: When,
    /// What else may stand where the parameters do.
    pub(crate) other_keys: &'static [&'static str],
}

impl Flaw {
    pub(crate) fn value(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self { key: key.into(), part: Part::Value, message: message.into() }
    }

    pub(crate) fn key(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self { key: key.into(), part: Part::Key, message: message.into() }
    }
}

impl Draft<'_> {
    /// The fault, as far as it can be read, and what is wrong with it.
    pub(crate) fn read(self) -> (Option<Fault>, Vec<Flaw>) {
        let mut flaws = Vec::new();
        let (name, given, at) = match Alias::named(self.name) {
            None => (self.name, self.given, self.at),
            Some(alias) => {
                let meant = alias.translate(self.given);
                flaws.extend(meant.problems.into_iter().map(|(key, message)| Flaw::value(key, message)));
                if let (Some(_), Some(at)) = (meant.at, self.at) {
                    let (key, _) =
                        alias.parameters.first().copied().unwrap_or(("", super::alias::Means::Byte));
                    flaws.push(Flaw::key(
                        "at",
                        format!("{} says where with `{key}`: leave out @{at}", self.name),
                    ));
                }
                (meant.fault, meant.given, meant.at.or(self.at))
            }
        };
        let mut arguments = Arguments::new(given);
        let Some(kind) = Kind::build(name, &mut arguments) else {
            flaws.push(Flaw::value("fault", unknown(name)));
            return (None, flaws);
        };
        let entry = kind.entry();
        let wrong = std::mem::take(&mut arguments.problems);
        let fault = Fault { kind, at, when: self.when };
        flaws.extend(fault.flaws().into_iter().filter(|flaw| !wrong.iter().any(|(key, _)| *key == flaw.key)));
        flaws.extend(wrong.into_iter().map(|(key, message)| Flaw::value(key, message)));
        let written = written(self.name, entry.name);
        flaws.extend(arguments.rest().map(|key| {
            let message = no_parameter(&written, entry, &key, self.other_keys);
            Flaw::key(escaped(&key), message)
        }));
        (Some(fault), flaws)
    }
}

impl Fault {
    /// What is wrong with it, beyond the types of its parameters.
    pub(crate) fn flaws(&self) -> Vec<Flaw> {
        let mut flaws: Vec<Flaw> =
            self.kind.problems().into_iter().map(|(key, message)| Flaw::value(key, message)).collect();
        let entry = self.kind.entry();
        if let Some(at) = self.at
            && !entry.places.take(at)
        {
            flaws.push(Flaw::value("at", format!("{} {}", entry.name, entry.places.but(at))));
        }
        let mut problems = Problems::default();
        self.when.check("when", &mut problems);
        let when = problems.0.into_iter();
        flaws.extend(when.map(|Problem { pointer, part, message }| Flaw { key: pointer, part, message }));
        flaws
    }

    /// What is wrong with it, in one sentence.
    ///
    /// # Errors
    ///
    /// That sentence.
    pub(crate) fn check(&self) -> Result<(), String> {
        let flaws = self.flaws();
        match flaws.is_empty() {
            true => Ok(()),
            false => Err(sentence(self.kind.name(), &flaws)),
        }
    }
}

/// Flaws of a fault in one line.
pub(super) fn sentence(name: &str, flaws: &[Flaw]) -> String {
    let told = flaws.iter().map(|Flaw { key, part, message }| match (part, key.as_str()) {
        (Part::Value, "" | "at" | "fault") | (Part::Key, _) => message.clone(),
        (Part::Value, key) => {
            let key = key.strip_prefix("when/").unwrap_or(key);
            format!("`{key}` of {name}: {message}")
        }
    });
    told.collect::<Vec<_>>().join("; ")
}

impl Places {
    /// Whether a fault can stand there.
    pub(crate) fn take(self, at: At) -> bool {
        match (self, at) {
            (Self::Whole, _) => false,
            (Self::Anywhere, At::Idle | At::NextRequest) => false,
            (Self::Anywhere, _) => true,
            (Self::Event | Self::Events, At::Head | At::Event { index: _, byte: 0 } | At::Named(_)) => true,
            (Self::Event | Self::Events, _) => false,
            (Self::Idle, at) => at == At::Idle,
            (Self::NextRequest, at) => at == At::NextRequest,
        }
    }

    /// What it takes, where it was given another place.
    fn but(self, at: At) -> String {
        match self {
            Self::Whole => format!("is about the whole response and takes no place, got {at}"),
            Self::Anywhere => {
                format!("stands at the head, at an event, a byte, a time (elapsed) or the end, not at {at}")
            }
            Self::Event | Self::Events => {
                format!("is about an event and takes its number, its name, or head, not {at}")
            }
            Self::Idle => format!("takes no place but idle, not {at}"),
            Self::NextRequest => format!("takes no place but next-request, not {at}"),
        }
    }
}

/// The name as it was written, and the fault's own where that is another.
fn written(name: &str, own: &str) -> String {
    if name == own { own.to_owned() } else { format!("{name} ({own})") }
}

fn unknown(name: &str) -> String {
    let names = Kind::entries().map(|entry| entry.name).chain(ALIASES.iter().map(|alias| alias.name));
    let known: Vec<&str> = names.collect();
    match nearest(name, &known) {
        Some(best) => format!("unknown fault {name:?}; did you mean {best:?}?"),
        None => format!("unknown fault {name:?}; {}", hint(name)),
    }
}

/// What helps with a name that is like none.
fn hint(name: &str) -> String {
    if let Ok(scenario) = Scenario::find(name.strip_prefix("scenario:").unwrap_or(name)) {
        return format!("{scenario} is a scenario: a flag, a base URL or a header chooses it by that name");
    }
    // Of a word, only the name comes here.
    let word = name.contains([':', '@']).then(|| name.parse::<Fault>().ok()).flatten();
    if let Some(json) = word.and_then(|fault| serde_json::to_string(&fault).ok()) {
        return format!("that is one word for flags and URLs; here it is {json}");
    }
    match name.split_once([',', '=']) {
        Some(_) => format!("parameters stand after the name, as in stall:hold=5s; {LISTED}"),
        None => LISTED.to_owned(),
    }
}

const LISTED: &str = "`llmirage faults` lists them";

fn no_parameter(written: &str, entry: &Entry, key: &str, other_keys: &[&str]) -> String {
    let own: Vec<&str> = (entry.parameters)().iter().map(|parameter| parameter.name).collect();
    if own.contains(&key) {
        return format!("the parameter `{key}` of {written} is there twice");
    }
    let all: Vec<&str> = own.iter().chain(other_keys).copied().collect();
    let in_json = other_keys.contains(&"at");
    match (key, nearest(key, &all), own.is_empty()) {
        ("event" | "byte" | "elapsed", None, _) if in_json => {
            format!("{key:?} says where: write {{\"at\": {{{key:?}: …}}}}")
        }
        ("at" | "event" | "byte" | "elapsed", None, _) => {
            format!(
                "{written} has no parameter {key:?}: a place stands at the end, as in {}@event:3",
                entry.name
            )
        }
        ("when", _, _) if !in_json => {
            format!("{written} has no parameter \"when\": selectors are keys, as in {}:first=2", entry.name)
        }
        (_, None, true) => format!("{written} has no parameters, got {key:?}"),
        (_, Some(_), _) => format!("{written} has no parameter {key:?}; {}", did_you_mean(key, &all)),
        (_, None, false) => format!("{written} has no parameter {key:?}; {}", did_you_mean(key, &own)),
    }
}
