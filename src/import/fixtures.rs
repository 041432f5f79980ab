//! From exchanges to the files of a folder that `llmirage` serves: `fixtures.json`, whose fixtures match the requests
//! that were recorded, and a transcript for each response. Pure: texts in, texts out.
//!
//! ```text
//! exchange ─ secrets replaced ─ the same requests together ─ a matcher for each ─ into fixtures.json
//! ```
//!
//! A matcher starts with what people would write (`model`, `user`, `turn`, `stream`; on routes that are no chat
//! `method` and `path`), and gets as many more conditions as it takes to match no other request that is known, be
//! it new or of a transcript that is there already. So the order of fixtures does not matter, with two exceptions:
//! a fixture by hand, or made when fewer requests were known, may match more than its own. What it would answer,
//! too, is placed before it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::exchange::{Damage, Exchange};
use crate::error::LoadErrors;
use crate::plan::Request;
use crate::plan::matcher::Conditions;
use crate::plan::set::{FixtureSet, Source};
use crate::plan::transcript::Transcript;

mod asked;
mod differ;
mod entry;
mod group;
mod guess;
mod matching;
mod names;
mod place;
mod prepare;
#[cfg(feature = "record")]
mod replace;
mod report;
mod text;
mod verify;

use names::Names;
use prepare::Prepared;
pub use report::{Kind, Report, Told};

/// What an exchange becomes.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Form {
    /// A transcript: the recorded bytes at the recorded times.
    #[default]
    Transcript,
    /// An answer that is said again in the same bytes, to be edited.
    Answer,
}

/// An exchange of a capture, and where it is from.
#[derive(Clone, Debug)]
pub struct Item {
    /// The capture, for messages: its path.
    pub source: String,
    /// The name of its file, without folders; kept in the transcript.
    pub file: Option<String>,
    /// Whether it is the only one of its capture, so that the file's name is its name.
    pub is_alone: bool,
    /// The exchange, or why there is none.
    pub exchange: Result<Exchange, Damage>,
}

/// A folder of fixtures, as far as importing looks at it: what is there, and what is added.
///
/// ```
/// use std::path::Path;
///
/// use llmirage::import::fixtures::{Folder, Form, Item};
/// use llmirage::import::{RawExchange, RawRequest, RawResponse};
///
/// let exchange = RawExchange {
///     place: "entry 1".to_owned(),
///     request: Some(RawRequest {
///         method: "POST".to_owned(),
///         url: "https://api.openai.com/v1/chat/completions".to_owned(),
///         headers: Vec::new(),
///         body: r#"{"model":"gpt-4o","messages":[{"role":"user","content":"hi"}]}"#.into(),
///     }),
///     response: RawResponse { status: 200, body: "{}".into(), ..RawResponse::default() },
///     ..RawExchange::default()
/// };
/// let item = Item { source: "a.har".to_owned(), file: None, is_alone: false, exchange: exchange.exchange() };
///
/// let mut folder = Folder::open(Path::new("fixtures.json"), None, [])?;
/// let report = folder.add(vec![item], Form::Transcript);
/// assert_eq!(report.fixtures, 1);
/// let names: Vec<String> = folder.files().into_iter().map(|(name, _)| name).collect();
/// assert_eq!(names, ["transcripts/hi.json", "fixtures.json"]);
/// # Ok::<(), llmirage::LoadErrors>(())
/// ```
#[derive(Clone, Debug)]
pub struct Folder {
    /// `fixtures.json`.
    tree: Map<String, Value>,
    /// What is needed of each of its fixtures, in their order.
    entries: Vec<Entry>,
    /// The transcripts of the folder that can be read, by their path in it.
    transcripts: BTreeMap<String, Arc<Transcript>>,
    /// Names of fixtures, and of transcripts without `.json`.
    taken: Names,
    files: Names,
    /// The models that exist, if they are restricted.
    models: Option<Vec<String>>,
    /// What is not written yet: transcripts, and whether `fixtures.json` changed.
    written: Vec<(String, String)>,
    is_changed: bool,
}

/// What importing needs of a fixture.
#[derive(Clone, Debug)]
struct Entry {
    name: String,
    matcher: Value,
    conditions: Conditions,
    /// Whether later fixtures get its requests once it is used up.
    passes_on: bool,
    /// Whether it was made by this import.
    is_new: bool,
    /// Whether this import gave it replies.
    is_touched: bool,
}

/// A request that is known from a transcript, and the fixture that answers with it.
struct Known {
    entry: usize,
    key: String,
    request: Request,
}

impl Folder {
    /// A folder with this `fixtures.json`, if it has one, and these files in its `transcripts` (paths as fixtures
    /// name them). `path` is for messages.
    ///
    /// # Errors
    ///
    /// Every problem of `fixtures.json`: nothing is added to what does not load.
    pub fn open(
        path: &Path,
        fixtures: Option<&str>,
        transcripts: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, LoadErrors> {
        let mut tree = Map::from_iter([("fixtures".to_owned(), json!([]))]);
        if let Some(text) = fixtures {
            let text = text.strip_prefix('\u{feff}').unwrap_or(text);
            check(path, text)?;
            // What loads is an object.
            if let Ok(loaded) = serde_json::from_str(text) {
                tree = loaded;
            }
        }
        let mut files = Names::default();
        let mut readable = BTreeMap::new();
        for (path, text) in transcripts {
            let name = path.rsplit('/').next().unwrap_or(&path);
            files.take(name.strip_suffix(".json").unwrap_or(name));
            if let Ok(transcript) = serde_json::from_str(&text) {
                readable.insert(path, Arc::new(transcript));
            }
        }
        let models = tree.get("models").and_then(|models| serde_json::from_value(models.clone()).ok());
        let mut folder = Self {
            tree,
            entries: Vec::new(),
            transcripts: readable,
            taken: Names::default(),
            files,
            models,
            written: Vec::new(),
            is_changed: false,
        };
        folder.entries = entry::fixtures(&folder.tree).iter().map(Entry::read).collect();
        folder.entries.iter().for_each(|entry| folder.taken.take(&entry.name));
        Ok(folder)
    }

    /// Takes the names of the fixtures of another file, that is served together with this one.
    pub(crate) fn reserve(&mut self, fixtures: &str) {
        let tree: Value = serde_json::from_str(fixtures).unwrap_or_default();
        let fixtures = tree["fixtures"].as_array().into_iter().flatten();
        let names = fixtures.filter_map(|fixture| fixture["name"].as_str());
        names.for_each(|name| self.taken.take(name));
    }

    /// Adds exchanges, in recorded order. Those of the same request are replies of one fixture; one that is there
    /// already changes nothing.
    pub fn add(&mut self, items: Vec<Item>, form: Form) -> Report {
        let mut report = Report { exchanges: items.len(), ..Report::default() };
        for entry in &mut self.entries {
            (entry.is_new, entry.is_touched) = (false, false);
        }
        let prepared: Vec<Prepared> =
            items.into_iter().filter_map(|item| prepare::prepare(item, form, &mut report)).collect();
        let mut groups = group::groups(prepared);
        group::matchers(&mut groups, &self.known(), &self.entries, self.models.as_deref());
        // What only the response tells is general, and goes last.
        groups.sort_by_key(|group| group.requests().next().is_none());
        for group in &mut groups {
            self.place(group, &mut report);
        }
        self.verify(&groups, &mut report);
        report
    }

    /// The files that are to be written since the last call: their paths in the folder, with slashes, and texts.
    /// `fixtures.json` comes last, so that whoever looks finds what it names.
    pub fn files(&mut self) -> Vec<(String, String)> {
        let mut files = std::mem::take(&mut self.written);
        if std::mem::take(&mut self.is_changed) {
            files.push((FIXTURES.to_owned(), text::pretty(&Value::Object(self.tree.clone()))));
        }
        files
    }

    /// The requests of the transcripts that fixtures answer with.
    fn known(&self) -> Vec<Known> {
        let mut known = Vec::new();
        for (entry, fixture) in entry::fixtures(&self.tree).iter().enumerate() {
            for reply in entry::replies(fixture) {
                let transcript = entry::transcript(&reply).and_then(|path| self.transcripts.get(path));
                let Some(recorded) = transcript.and_then(|transcript| transcript.request.as_ref()) else {
                    continue;
                };
                if let Ok(request) = asked::request(recorded)
                    && !asked::lacks_body(recorded, &request)
                {
                    known.push(Known { entry, key: asked::key(&request), request });
                }
            }
        }
        known
    }
}

/// Checks what is in a `fixtures.json`. That a transcript is gone is for who serves it to say.
fn check(path: &Path, text: &str) -> Result<(), LoadErrors> {
    let source = Source::File { path: path.to_owned(), text: text.to_owned() };
    let Err(errors) = FixtureSet::load(vec![source]) else {
        return Ok(());
    };
    let others = errors.iter().filter(|error| !error.pointer.ends_with("/transcript"));
    LoadErrors::new(others.cloned().collect()).map_or(Ok(()), Err)
}

/// The file with the fixtures.
pub const FIXTURES: &str = "fixtures.json";

/// The folder with the transcripts.
pub const TRANSCRIPTS: &str = "transcripts";

#[cfg(test)]
mod tests;
