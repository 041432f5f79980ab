//! A set of fixtures, ready to answer: which fixture, which hit, which reply.
//!
//! Matching needs no lock and depends on nothing but set and request. Only counting the hit does,
//! and takes a few instructions.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use http::Method;

use self::index::{Index, MANY};
use super::fault::Fault;
use super::fixture::{AfterLast, Fixture};
use super::limits::{Charge, Limit, Rule};
use super::load::{self, Checked, Spot};
use super::matcher::View;
use super::prompt::Prompts;
use super::reply::Prepared;
use super::request::{Endpoint, Request};
use crate::error::{LoadError, LoadErrors};

mod index;
mod lint;

macro_rules! embedded {
    ($name:literal) => {
        (
            concat!("default/", $name),
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/default/", $name)),
        )
    };
}

/// Where fixtures come from.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "few, short-lived, and a box would be in the way of callers")]
pub enum Source {
    /// A file that was read.
    File {
        /// Its path, for messages.
        path: PathBuf,
        /// Its content.
        text: String,
    },
    /// A transcript that a file names.
    Transcript {
        /// Its path: that in the file, below the folder of the file.
        path: PathBuf,
        /// Its content, or why it cannot be read.
        text: Result<String, String>,
    },
    /// A fixture built in code.
    Code(Fixture),
}

/// Fixtures that were checked, in the order in which they are tried. Immutable: servers share it.
///
/// ```
/// use llmirage::plan::set::{FixtureSet, Source};
///
/// let text = r#"{"fixtures": [{"name": "greeting", "reply": "Hello!"}]}"#.to_owned();
/// let set = FixtureSet::load(vec![Source::File { path: "greeting.json".into(), text }])?;
///
/// assert_eq!(set.names().collect::<Vec<_>>(), ["greeting"]);
/// # Ok::<(), llmirage::LoadErrors>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct FixtureSet {
    fixtures: Vec<Running>,
    index: Index,
    models: Option<Vec<String>>,
    limits: Vec<Rule>,
    /// Whether a fault in it asks which request of its kind it is for.
    selective: bool,
}

/// A checked fixture and its name in hit counters.
#[derive(Clone, Debug)]
struct Running {
    name: Arc<str>,
    fixture: Checked,
    spot: Spot,
}

/// How often each fixture was hit, by name: a reloaded set goes on counting.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hits(BTreeMap<Arc<str>, u64>);

/// A request admitted: its fixture, its hit, its reply.
#[derive(Clone, Copy, Debug)]
pub struct Admission<'a> {
    /// The fixture's name.
    pub fixture: &'a str,
    /// Which hit of the fixture this is, from 1.
    pub hit: u64,
    /// What is sent.
    pub reply: &'a Prepared,
}

/// Why no fixture matches: the one that came nearest, and the first of its conditions that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Miss {
    nearest: Option<Nearest>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Nearest {
    fixture: String,
    file: Option<PathBuf>,
    failure: String,
    /// How many conditions failed beside the first.
    more: usize,
}

impl FixtureSet {
    /// Checks fixtures; those of earlier sources are tried first.
    ///
    /// # Errors
    ///
    /// Every problem of every source.
    pub fn load(sources: Vec<Source>) -> Result<Self, LoadErrors> {
        let mut loaded = load::load(sources)?;
        let prompts = Arc::<Prompts>::default();
        for reply in loaded.fixtures.iter_mut().flat_map(|(fixture, _)| &mut fixture.replies) {
            reply.prompts = Arc::clone(&prompts);
        }
        let fixtures = loaded.fixtures.into_iter().map(|(fixture, spot)| Running {
            name: fixture.name.as_str().into(),
            fixture,
            spot,
        });
        let fixtures: Vec<Running> = fixtures.collect();
        let replies = fixtures.iter().flat_map(|running| &running.fixture.replies);
        let selective = replies.flat_map(|reply| &reply.faults).any(Fault::is_selective);
        let index = Index::of(fixtures.iter().map(|running| &running.fixture.conditions), MANY);
        let set = Self { fixtures, index, models: loaded.models, limits: Vec::new(), selective };
        Ok(set.with_rules(loaded.limits))
    }

    /// The set that is served where none is given: one fixture for each feature, and an answer for
    /// everything else.
    pub fn embedded() -> Self {
        let source = |(name, text): &(&str, &str)| Source::File {
            path: PathBuf::from(name),
            text: (*text).to_owned(),
        };
        let sources = EMBEDDED.iter().map(source).collect();
        Self::load(sources).expect("the embedded fixtures load: a test loads them")
    }

    /// The same fixtures under longer names, for hit counters and the journal.
    #[must_use]
    pub(crate) fn below(mut self, prefix: &str) -> Self {
        for running in &mut self.fixtures {
            running.name = format!("{prefix}/{}", running.name).into();
        }
        self
    }

    /// The fixtures that match a request, in order, up to the first that is never used up.
    ///
    /// # Errors
    ///
    /// The nearest miss, where none matches.
    pub fn candidates(&self, request: &Request) -> Result<Vec<usize>, Miss> {
        let found = self.matching(request);
        if found.is_empty() { Err(self.miss(request)) } else { Ok(found) }
    }

    /// The [`candidates`](Self::candidates), if any: for whom the nearest miss, which takes a look at every
    /// fixture, is of no use.
    pub(crate) fn matching(&self, request: &Request) -> Vec<usize> {
        let view = View::new(request);
        let mut found = Vec::new();
        for index in self.index.candidates(&view) {
            let Some(running) = self.fixtures.get(index) else { continue };
            if running.can_answer(request) && running.fixture.conditions.hold(&view) {
                found.push(index);
                if !running.fixture.is_exhaustible() {
                    break;
                }
            }
        }
        found
    }

    /// The set with these limits beside its own.
    ///
    /// # Errors
    ///
    /// Every problem of the limits.
    pub(crate) fn with_limits(self, limits: &[Limit]) -> Result<Self, LoadErrors> {
        Ok(self.with_rules(load::limits(limits)?))
    }

    fn with_rules(mut self, rules: Vec<Rule>) -> Self {
        rules.into_iter().for_each(|rule| rule.join(&mut self.limits));
        self
    }

    /// The buckets that a request counts in: those of every limit whose conditions hold.
    pub(crate) fn charges(&self, request: &Request) -> Vec<Charge> {
        if self.limits.is_empty() {
            return Vec::new();
        }
        let view = View::new(request);
        self.limits.iter().filter_map(|rule| rule.charge(request, &view)).collect()
    }

    /// Whether a fault in it asks which request of its kind it is for.
    pub(crate) fn is_selective(&self) -> bool {
        self.selective
    }

    /// Counts a hit of the first candidate that is not used up. Where all are, `None`; see
    /// [`used_up`](Self::used_up).
    pub fn admit(&self, candidates: &[usize], hits: &mut Hits) -> Option<Admission<'_>> {
        candidates.iter().find_map(|index| {
            let running = self.fixtures.get(*index)?;
            let so_far = hits.0.get(&running.name).copied().unwrap_or(0);
            let reply = running.fixture.reply(so_far)?;
            hits.0.insert(Arc::clone(&running.name), so_far + 1);
            Some(Admission { fixture: &running.name, hit: so_far + 1, reply })
        })
    }

    /// Whether a fixture gives every hit the same reply, for ever.
    pub(crate) fn is_constant(&self, index: usize) -> bool {
        let fixture = self.fixtures.get(index).map(|running| &running.fixture);
        fixture.is_some_and(|fixture| fixture.replies.len() == 1 && !fixture.is_exhaustible())
    }

    /// Why no candidate was admitted, for the client.
    pub fn used_up(&self, candidates: &[usize]) -> String {
        let names = candidates.iter().filter_map(|index| self.fixtures.get(*index));
        let names: Vec<String> = names.map(|running| format!("{:?}", running.name)).collect();
        match names.len() {
            1 => format!("the fixture that matches this request is used up: {}", names[0]),
            _ => format!("the fixtures that match this request are used up: {}", names.join(", ")),
        }
    }

    /// The models that exist, if they are restricted.
    pub fn models(&self) -> Option<&[String]> {
        self.models.as_deref()
    }

    /// What the models endpoint lists: the models that exist, else those that fixtures name.
    pub fn model_names(&self) -> Vec<&str> {
        let all: Vec<&str> = match &self.models {
            Some(models) => models.iter().map(String::as_str).collect(),
            None => {
                let fixtures = self.fixtures.iter();
                fixtures.filter_map(|running| running.fixture.conditions.model()).collect()
            }
        };
        let mut names = Vec::new();
        for name in all {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// What each fixture asks of model and user text, where it spells that out; for examples.
    pub fn wishes(&self) -> impl Iterator<Item = (Option<&str>, Option<&str>)> {
        let conditions = self.fixtures.iter().map(|running| &running.fixture.conditions);
        conditions.map(|conditions| (conditions.model(), conditions.user()))
    }

    /// The fixtures' names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.fixtures.iter().map(|running| &*running.name)
    }

    /// Each fixture whose `times` are not met, in words.
    pub fn unmet(&self, hits: &Hits) -> Vec<String> {
        let unmet = |running: &Running| {
            let expected = running.fixture.times?;
            let got = hits.count(&running.name);
            let name = &running.name;
            let noun = if expected == 1 { "hit" } else { "hits" };
            (got < expected).then(|| format!("fixture {name:?}: expected {expected} {noun}, got {got}"))
        };
        self.fixtures.iter().filter_map(unmet).collect()
    }

    /// Whether a fixture serves this path itself.
    pub fn serves(&self, method: &Method, path: &str) -> bool {
        let mut serving = self.index.serving(path).filter_map(|index| self.fixtures.get(index));
        serving.any(|running| running.fixture.conditions.serve(method, path))
    }

    /// What loads but is probably a mistake: a fixture that nothing reaches, a model that does not
    /// exist.
    pub fn lints(&self) -> Vec<LoadError> {
        lint::lints(self)
    }

    /// Why nothing matches: the fixture with the fewest failures; of those, the one with the most conditions.
    pub(crate) fn miss(&self, request: &Request) -> Miss {
        let view = &View::new(request);
        let nearest = self
            .fixtures
            .iter()
            .filter(|running| running.can_answer(request))
            .map(|running| (running.fixture.conditions.failures(view), running))
            .min_by_key(|(failures, running)| (*failures, Reverse(running.fixture.conditions.len())));
        let nearest = nearest.and_then(|(failures, running)| {
            Some(Nearest {
                fixture: running.name.to_string(),
                file: running.spot.file.clone(),
                failure: running.fixture.conditions.first_failure(view)?,
                more: failures.saturating_sub(1),
            })
        });
        Miss { nearest }
    }
}

impl Running {
    /// Whether it can answer a request at all: a path that is no API's is only for fixtures that serve it
    /// themselves.
    fn can_answer(&self, request: &Request) -> bool {
        request.call.route.endpoint == Endpoint::ChatCompletions || self.fixture.conditions.serve_a_path()
    }
}

impl Checked {
    /// Whether it can be used up.
    fn is_exhaustible(&self) -> bool {
        self.times.is_some() || self.after_last == AfterLast::Pass
    }

    /// The reply to the hit after so many; `None` once used up.
    fn reply(&self, so_far: u64) -> Option<&Prepared> {
        if self.times.is_some_and(|times| so_far >= times) {
            return None;
        }
        let count = self.replies.len() as u64;
        let index = match self.after_last {
            _ if so_far < count => so_far,
            AfterLast::Repeat => count.checked_sub(1)?,
            AfterLast::Cycle => so_far.checked_rem(count)?,
            AfterLast::Pass => return None,
        };
        self.replies.get(usize::try_from(index).ok()?)
    }
}

impl Hits {
    /// How often a fixture was hit.
    pub fn count(&self, fixture: &str) -> u64 {
        self.0.get(fixture).copied().unwrap_or(0)
    }

    /// Adds the hits of another session.
    pub fn add(&mut self, other: &Self) {
        for (name, count) in &other.0 {
            *self.0.entry(Arc::clone(name)).or_default() += count;
        }
    }
}

/// For the client: `no fixture matches this request; nearest is "greeting" (fixtures/a.json): user:
/// expected to contain "hello", got "hi"`.
impl fmt::Display for Miss {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("no fixture matches this request")?;
        let Some(nearest) = &self.nearest else {
            return out.write_str("; none is loaded that could");
        };
        write!(out, "; nearest is {:?}", nearest.fixture)?;
        if let Some(file) = &nearest.file {
            write!(out, " ({})", file.display())?;
        }
        write!(out, ": {}", nearest.failure)?;
        match nearest.more {
            0 => Ok(()),
            1 => out.write_str("; and one more condition fails"),
            more => write!(out, "; and {more} more conditions fail"),
        }
    }
}

/// The files of `fixtures/default`, in the order in which they are tried.
const EMBEDDED: &[(&str, &str)] = &[
    embedded!("10-tool-call.json"),
    embedded!("15-refusal.json"),
    embedded!("20-flaky.json"),
    embedded!("25-quota.json"),
    embedded!("27-limits.json"),
    embedded!("30-content-filter.json"),
    embedded!("35-script.json"),
    embedded!("40-template.json"),
    embedded!("45-choices.json"),
    embedded!("50-pacing.json"),
    embedded!("55-cut.json"),
    embedded!("60-reasoning.json"),
    embedded!("65-logprobs.json"),
    embedded!("70-dotnet-sample.json"),
    embedded!("75-own-route.json"),
    embedded!("80-greeting.json"),
    embedded!("99-anything-else.json"),
];
