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
use crate::plan::matcher::{Conditions, Matcher, View};
use crate::plan::set::{FixtureSet, Source};
use crate::plan::transcript::{RecordedRequest, Transcript};

mod asked;
mod differ;
mod entry;
mod group;
mod guess;
mod matching;
mod names;
mod prepare;
#[cfg(feature = "record")]
mod replace;
mod report;
mod text;

use asked::catches;
use group::Group;
use names::Names;
use prepare::{Made, Prepared};
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

    /// Whether there is a reply that was recorded for this request.
    pub fn answers(&self, request: &RecordedRequest) -> bool {
        let key = asked::request(request).map(|request| asked::key(&request));
        key.is_ok_and(|key| self.known().iter().any(|known| known.key == key))
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
                let request = transcript.and_then(|transcript| transcript.request.as_ref());
                if let Some(Ok(request)) = request.map(asked::request) {
                    known.push(Known { entry, key: asked::key(&request), request });
                }
            }
        }
        known
    }

    /// Puts the exchanges of a group where they are answered from.
    fn place(&mut self, group: &mut Group, report: &mut Report) {
        let matcher = serde_json::to_value(&group.matcher).unwrap_or_default();
        let mut target = group.target.as_ref().and_then(|name| self.position(name));
        target = target.or_else(|| self.entries.iter().position(|entry| entry.matcher == matcher));
        let path = target
            .and_then(|at| self.entries.get(at))
            .map_or(&matcher["path"], |entry| &entry.matcher["path"]);
        if !path.is_null() {
            for member in &mut group.members {
                let Some(made) = member.made.on_a_path() else { continue };
                member.made = made;
                let text = "kept as a transcript: its fixture has a `path`, and such a route has no form for an answer";
                report.note(&member.source, &member.place, text);
            }
        }
        // Who records the same exchange twice wants it twice, but not from each capture that has it.
        let mut is_added = vec![false; group.members.len()];
        for (index, member) in group.members.iter().enumerate() {
            let before = group.members[..index].iter().zip(&is_added);
            let same =
                before.filter(|(other, _)| other.source == member.source && other.made.is(&member.made));
            let (same, added): (Vec<_>, Vec<bool>) = same.unzip();
            let added = added.into_iter().filter(|added| *added).count();
            if self.count(member, &matcher).saturating_sub(added) > same.len() {
                report.known += 1;
                continue;
            }
            is_added[index] = true;
            if group.merged.contains(&index) {
                let text = "its request cannot be told from another one: they get their replies in turn";
                report.note(&member.source, &member.place, text);
            }
            let at = match target {
                Some(at) => at,
                None => self.insert(group, index, &matcher, report),
            };
            target = Some(at);
            let entry = &mut self.entries[at];
            if !std::mem::replace(&mut entry.is_touched, true) {
                if entry.is_new { report.fixtures += 1 } else { report.grown += 1 }
            }
            let reply = self.reply(member, report);
            if let Some(fixture) = self.fixtures_mut().get_mut(at) {
                entry::add_reply(fixture, reply);
            }
            self.is_changed = true;
        }
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.entries.iter().position(|entry| entry.name == name)
    }

    /// How often an exchange is among the replies to its request.
    fn count(&self, member: &Prepared, matcher: &Value) -> usize {
        let views: Vec<View<'_>> = member.requests().iter().map(View::new).collect();
        let answers = |entry: &Entry| match views.is_empty() {
            true => entry.matcher == *matcher,
            false => views.iter().all(|view| catches(&entry.conditions, view)),
        };
        let fixtures = self.entries.iter().zip(entry::fixtures(&self.tree));
        let fixtures = fixtures.filter(|(entry, _)| answers(entry));
        let replies = fixtures.flat_map(|(_, fixture)| entry::replies(fixture));
        replies.filter(|reply| is_reply(reply, &member.made, &self.transcripts)).count()
    }

    /// Makes a fixture without a reply, before the first one that would answer its requests; gives its place.
    fn insert(&mut self, group: &Group, member: usize, matcher: &Value, report: &mut Report) -> usize {
        let member = &group.members[member];
        let views: Vec<View<'_>> = group.requests().map(View::new).collect();
        let answers =
            |entry: &Entry| !entry.passes_on && views.iter().any(|view| catches(&entry.conditions, view));
        let before = self.entries.iter().position(answers);
        if let Some(other) = before.and_then(|before| self.entries.get(before)).filter(|other| !other.is_new)
        {
            let text = format!("its fixture is before {:?}, which would answer it, too", other.name);
            report.note(&member.source, &member.place, text);
        }
        let at = before.unwrap_or(self.entries.len());
        let name = self.taken.unique(&member.name);
        let mut fixture = json!({ "name": name });
        if group.matcher != Matcher::any() {
            fixture["match"] = matcher.clone();
        }
        self.entries.insert(at, Entry { is_new: true, ..Entry::read(&fixture) });
        self.fixtures_mut().insert(at, fixture);
        at
    }

    /// The reply that is written for an exchange, and its file.
    fn reply(&mut self, member: &Prepared, report: &mut Report) -> Value {
        let transcript = match &member.made {
            Made::Answer(reply, _) => {
                report.answers += 1;
                return reply.clone();
            }
            Made::Transcript(transcript) => transcript,
        };
        report.transcripts += 1;
        let path = format!("{TRANSCRIPTS}/{}.json", self.files.unique(&member.name));
        let text = text::pretty(&serde_json::to_value(transcript).unwrap_or_default());
        self.written.push((path.clone(), text));
        self.transcripts.insert(path.clone(), Arc::clone(transcript));
        json!({ "transcript": path })
    }

    fn fixtures_mut(&mut self) -> &mut Vec<Value> {
        let fixtures = self.tree.entry("fixtures").or_insert_with(|| json!([]));
        if !fixtures.is_array() {
            *fixtures = json!([]);
        }
        match fixtures {
            Value::Array(fixtures) => fixtures,
            _ => unreachable!("it was made an array"),
        }
    }

    /// Loads what is written, and tells which requests do not get to the fixture that was made for them.
    fn verify(&self, groups: &[Group], report: &mut Report) {
        let mut tree = self.tree.clone();
        for fixture in tree.get_mut("fixtures").and_then(Value::as_array_mut).into_iter().flatten() {
            let replies = entry::replies(fixture).into_iter();
            // What a transcript says has nothing to do with who answers.
            let replies = replies.map(|reply| match entry::transcript(&reply) {
                Some(_) => json!({ "script": ["done"] }),
                None => reply,
            });
            if let Some(members) = fixture.as_object_mut() {
                members.shift_remove("reply");
                members.insert("replies".to_owned(), replies.collect());
            }
        }
        let text = Value::Object(tree).to_string();
        let set = match FixtureSet::load(vec![Source::File { path: FIXTURES.into(), text }]) {
            Ok(set) => set,
            Err(errors) => {
                errors
                    .iter()
                    .for_each(|error| report.damage(FIXTURES, &error.pointer, error.message.clone()));
                return;
            }
        };
        let names: Vec<&str> = set.names().collect();
        for member in groups.iter().flat_map(|group| &group.members) {
            for request in member.requests() {
                let found = set.candidates(request).unwrap_or_default();
                let name = found.last().and_then(|index| names.get(*index)).copied().unwrap_or_default();
                let own = self.position(name).is_some_and(|at| self.answers_with(at, member));
                if !own {
                    let text =
                        format!("its request is answered by the fixture {name:?}, which is not its own");
                    report.note(&member.source, &member.place, text);
                    break;
                }
            }
        }
    }

    /// Whether an exchange is among the replies of a fixture.
    fn answers_with(&self, at: usize, member: &Prepared) -> bool {
        let replies = entry::fixtures(&self.tree).get(at).map(entry::replies).unwrap_or_default();
        replies.iter().any(|reply| is_reply(reply, &member.made, &self.transcripts))
    }
}

/// Whether a reply is what an exchange was made into.
fn is_reply(reply: &Value, made: &Made, transcripts: &BTreeMap<String, Arc<Transcript>>) -> bool {
    match made {
        Made::Answer(answer, _) => reply == answer,
        Made::Transcript(transcript) => {
            let other = entry::transcript(reply).and_then(|path| transcripts.get(path));
            other.is_some_and(|other| prepare::is_same(other, transcript))
        }
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
