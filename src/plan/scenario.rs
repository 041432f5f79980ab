//! Scenarios: incidents as sets of fixtures that are built in, each under a name.
//!
//! `/fault/scenario:NAME/` in a base URL, the header `x-llmirage-fault: scenario:NAME` and
//! `--fault scenario:NAME` answer from them instead of the server's fixtures.

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};

use super::fault::Fault;
use super::fault::catalogue::Expected;
use super::fixture::FixtureFile;
use super::load::words::did_you_mean;
use super::set::{FixtureSet, Source};

macro_rules! shipped {
    ($($name:literal,)+) => {
        /// The files of `fixtures/scenarios`, in the order of their names.
        const ALL: &[Scenario] = &[
            $(
                Scenario {
                    name: $name,
                    text: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/scenarios/", $name, ".json")),
                },
            )+
        ];
    };
}

shipped![
    "azure-content-filter-mid-stream",
    "azure-retry-after-a-day",
    "clean-cut",
    "deploy-roll",
    "disconnect-and-replay",
    "edge-timeout-524",
    "gateway-injects-error",
    "half-emoji",
    "half-emoji-surrogates",
    "heartbeat-stall",
    "idle-socket-blackhole",
    "idle-socket-reset",
    "idle-socket-roulette",
    "login-page-200",
    "overloaded-at-once",
    "overloaded-mid-stream",
    "parallel-tools-one-index",
    "proxy-502-html",
    "quota-wall",
    "rate-limit-storm-then-recover",
    "relay-soup",
    "silent-stall",
    "truncated-tool-call",
];

/// An incident that is built in.
///
/// ```
/// use llmirage::plan::scenario::Scenario;
///
/// let scenario: &Scenario = Scenario::find("quota-wall")?;
/// assert_eq!(scenario.expect().to_string(), "fail-fast");
/// # Ok::<(), String>(())
/// ```
pub struct Scenario {
    name: &'static str,
    text: &'static str,
}

impl Scenario {
    /// Every scenario, in the order of their names.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        ALL.iter()
    }

    /// The scenario called `name`.
    ///
    /// # Errors
    ///
    /// What to write instead.
    pub fn find(name: &str) -> Result<&'static Self, String> {
        ALL.iter().find(|scenario| scenario.name == name).ok_or_else(|| {
            let known: Vec<&str> = ALL.iter().map(|scenario| scenario.name).collect();
            if let Some((known, _)) = name.split_once([':', '@']).filter(|(name, _)| known.contains(name)) {
                return format!("a scenario takes no parameters and no place: write {PREFIX}{known}");
            }
            format!("unknown scenario {name:?}; {}", did_you_mean(name, &known))
        })
    }

    /// The name, without `scenario:`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Its fixture file.
    pub fn text(&self) -> &'static str {
        self.text
    }

    /// What happens, and what to check.
    pub fn about(&self) -> String {
        self.file().about.unwrap_or_default()
    }

    /// What a good client makes of it.
    pub fn expect(&self) -> Expected {
        self.file().expect.unwrap_or_default()
    }

    /// Its fixtures, under names like `scenario:quota-wall/no-quota`.
    pub fn fixtures(&self) -> FixtureSet {
        let path = format!("scenarios/{}.json", self.name).into();
        let source = Source::File { path, text: self.text.to_owned() };
        let set = FixtureSet::load(vec![source]).expect("scenarios load: a test loads them all");
        set.below(&self.to_string())
    }

    fn file(&self) -> FixtureFile {
        serde_json::from_str(self.text).expect("scenarios load: a test loads them all")
    }
}

/// As it is chosen: `scenario:quota-wall`.
impl fmt::Display for Scenario {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{PREFIX}{}", self.name)
    }
}

impl fmt::Debug for Scenario {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

impl PartialEq for Scenario {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// What is before a scenario's name where faults are told, too.
const PREFIX: &str = "scenario:";

/// What a base URL, a header or a flag chooses: a fault, or a scenario.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "few, short-lived, and a box would be in the way of callers")]
pub enum Choice {
    /// A fault over what is answered.
    Fault(Fault),
    /// Who answers.
    Scenario(&'static Scenario),
}

/// The form that parses back.
impl fmt::Display for Choice {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fault(fault) => fault.fmt(out),
            Self::Scenario(scenario) => scenario.fmt(out),
        }
    }
}

/// `scenario:NAME`, or a [`Fault`] as one word.
impl FromStr for Choice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_prefix(PREFIX) {
            Some(name) => Scenario::find(name).map(Self::Scenario),
            None => text.parse().map(Self::Fault),
        }
    }
}

/// The fixtures of the scenarios that one server was asked for, each loaded on its first request.
#[derive(Debug)]
pub(crate) struct Scenarios(Vec<OnceLock<Arc<FixtureSet>>>);

impl Default for Scenarios {
    fn default() -> Self {
        Self(ALL.iter().map(|_| OnceLock::new()).collect())
    }
}

impl Scenarios {
    /// The fixtures of a scenario.
    pub(crate) fn fixtures(&self, scenario: &Scenario) -> Arc<FixtureSet> {
        let index = ALL.iter().position(|other| other == scenario).expect("ALL lists every scenario");
        Arc::clone(self.0[index].get_or_init(|| Arc::new(scenario.fixtures())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_loads_and_says_what_it_is_and_what_to_expect() {
        for scenario in Scenario::all() {
            let file: FixtureFile =
                serde_json::from_str(scenario.text).unwrap_or_else(|error| panic!("{scenario}: {error}"));
            assert!(file.expect.is_some(), "{scenario} expects something");
            assert!(file.about.is_some_and(|about| about.len() > 80), "{scenario} says what it is about");
            let prefix = format!("{scenario}/");
            let lints = scenario.fixtures().lints();
            assert!(lints.is_empty(), "{scenario}: {lints:?}");
            assert!(scenario.fixtures().names().all(|name| name.starts_with(&prefix)), "{scenario}");
        }
    }

    #[test]
    fn a_choice_is_a_scenario_or_a_fault() {
        let wall = Scenario::find("quota-wall").unwrap();
        assert_eq!("scenario:quota-wall".parse(), Ok(Choice::Scenario(wall)));
        let close: Fault = "close-mid-stream@event:3".parse().unwrap();
        assert_eq!("close-mid-stream@event:3".parse(), Ok(Choice::Fault(close)));
        assert_eq!(
            "scenario:quota-wal".parse::<Choice>(),
            Err(r#"unknown scenario "quota-wal"; did you mean "quota-wall"?"#.to_owned())
        );
        for text in ["scenario:quota-wall:first=2", "scenario:quota-wall@head"] {
            let error = text.parse::<Choice>().unwrap_err();
            assert_eq!(error, "a scenario takes no parameters and no place: write scenario:quota-wall");
        }
    }
}
