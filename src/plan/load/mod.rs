//! Loading: texts and fixtures built in code become checked fixtures, or every problem with its
//! file, line, column, JSON pointer and the way out. Reading files is not done here.
//!
//! A text is parsed, then read into the types of the format, then checked. A problem
//! in one step does not hide those of the next. Nothing is ever loaded half.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::error::Category;

use crate::error::{LoadError, LoadErrors};

use super::fixture::{Fixture, FixtureFile};
use super::limits::{Limit, Rule};
use super::pacing::Pacing;
use super::set::Source;

mod check;
mod places;
pub(crate) mod problems;
mod read;
mod strict;
mod transcripts;
pub(crate) mod words;

pub(crate) use check::Checked;
pub(crate) use problems::escaped;
#[cfg(feature = "import")]
pub(crate) use transcripts::problems as transcript_problems;
pub(crate) use transcripts::{beside, is_transcript, names};

use places::Places;
use problems::{Part, Problem, Problems, below};
use read::Mended;
use transcripts::Transcripts;

/// The JSON Schema of fixture files, for editors.
pub fn schema() -> Value {
    let mut schema = schemars::schema_for!(FixtureFile).to_value();
    without_code(&mut schema);
    schema
}

/// Cuts examples in Rust off descriptions: they are for who builds a value in code, not for who writes JSON.
fn without_code(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            if let Some(Value::String(text)) = object.get_mut("description")
                && let Some((words, _)) = text.split_once("\n\n```")
            {
                *text = words.to_owned();
            }
            object.values_mut().for_each(without_code);
        }
        Value::Array(values) => values.iter_mut().for_each(without_code),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Reads a part of the format that stands at a pointer, as far as it can be, and checks it; what is wrong
/// with it is added to `problems`.
pub(crate) fn read_at<T: DeserializeOwned>(
    tree: Value,
    at: &str,
    problems: &mut Problems,
    check: impl FnOnce(&T, &mut Problems),
) -> Option<T> {
    let mended = Mended::read(tree, at, problems);
    let mut found = Problems::default();
    if let Some(value) = &mended.value {
        check(value, &mut found);
    }
    mended.add(found, problems);
    mended.value
}

/// Everything that was loaded.
#[derive(Clone, Debug, Default)]
pub(crate) struct Loaded {
    pub(crate) fixtures: Vec<(Checked, Spot)>,
    /// The models that exist, if any file restricts them.
    pub(crate) models: Option<Vec<String>>,
    /// The limits of all files.
    pub(crate) limits: Vec<Rule>,
}

/// Where something stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spot {
    pub(crate) file: Option<PathBuf>,
    /// The fixture's name, where there is no file.
    pub(crate) fixture: Option<String>,
    pub(crate) place: Option<(usize, usize)>,
    pub(crate) pointer: String,
}

/// Loads all sources, in order.
pub(crate) fn load(mut sources: Vec<Source>) -> Result<Loaded, LoadErrors> {
    let transcripts = Transcripts::take(&mut sources);
    let mut loading = Loading { transcripts, ..Loading::default() };
    for source in sources {
        match source {
            Source::File { path, text } => loading.file(path, &text),
            Source::Code(fixture) => loading.code(fixture),
            Source::Transcript { .. } => {}
        }
    }
    // Their problems were found with those of their files.
    loading.loaded.limits = check::limits(&loading.limits, &mut Problems::default());
    LoadErrors::new(loading.errors).map_or(Ok(loading.loaded), Err)
}

/// Checks limits built in code.
pub(crate) fn limits(limits: &[Limit]) -> Result<Vec<Rule>, LoadErrors> {
    let mut problems = Problems::default();
    let rules = check::limits(limits, &mut problems);
    let errors = problems.0.into_iter().map(|Problem { pointer, part: _, message }| LoadError {
        file: None,
        fixture: None,
        place: None,
        pointer,
        message,
    });
    LoadErrors::new(errors.collect()).map_or(Ok(rules), Err)
}

#[derive(Default)]
struct Loading {
    loaded: Loaded,
    /// Where each name was first used.
    names: BTreeMap<String, String>,
    limits: Vec<Limit>,
    transcripts: Transcripts,
    errors: Vec<LoadError>,
}

/// A fixture of a file, and its pointers as written.
struct Read {
    fixture: Mended<Fixture>,
    at: String,
}

impl Loading {
    fn file(&mut self, path: PathBuf, text: &str) {
        let text = transcripts::without_mark(text);
        let tree = match serde_json::from_str(text) {
            Ok(tree) => tree,
            Err(error) => {
                self.errors.push(syntax_error(path, text, &error));
                return;
            }
        };
        let places = Places::scan(text);
        let mut problems = Problems::default();
        check_duplicates(&places, &mut problems);
        let (file, fixtures) = split(tree, &mut problems);
        let defaults = file.as_ref().and_then(|file| file.defaults.pacing).unwrap_or_default();
        if let Some(file) = file {
            if let Some(models) = file.models {
                self.loaded.models.get_or_insert_default().extend(models);
            }
            self.limits.extend(file.limits.into_iter().flatten());
        }
        for Read { fixture, at } in fixtures {
            let spot = Spot {
                file: Some(path.clone()),
                fixture: None,
                place: Some(places.place(&at, Part::Value)),
                pointer: at,
            };
            self.fixture(fixture, spot, defaults, &mut problems);
        }
        let mut errors: Vec<LoadError> = problems
            .0
            .into_iter()
            .map(|Problem { pointer, part, message }| LoadError {
                file: Some(path.clone()),
                fixture: None,
                place: Some(places.place(&pointer, part)),
                pointer,
                message,
            })
            .collect();
        errors.sort_by_key(|error| error.place);
        self.errors.extend(errors);
        for (error, at) in std::mem::take(&mut self.transcripts.broken) {
            let (line, column) = places.place(&at, Part::Value);
            let message = format!("{} (named in {}:{line}:{column})", error.message, path.display());
            self.errors.push(LoadError { message, ..error });
        }
    }

    fn code(&mut self, fixture: Fixture) {
        let name = fixture.name.clone();
        let spot = Spot { fixture: Some(name.clone()), ..Spot::default() };
        let mut problems = Problems::default();
        self.fixture(Mended::whole(fixture), spot, Pacing::default(), &mut problems);
        let errors = problems.0.into_iter().map(|Problem { pointer, part: _, message }| LoadError {
            file: None,
            fixture: Some(name.clone()),
            place: None,
            pointer,
            message,
        });
        self.errors.extend(errors);
    }

    fn fixture(
        &mut self,
        mut fixture: Mended<Fixture>,
        spot: Spot,
        defaults: Pacing,
        problems: &mut Problems,
    ) {
        let Some(value) = fixture.value.take() else {
            return;
        };
        let mut found = Problems::default();
        let around =
            check::Around { file: spot.file.as_deref(), defaults, transcripts: &mut self.transcripts };
        let checked = check::fixture(value, &spot.pointer, around, &mut found);
        let here = match (&spot.file, spot.place) {
            (Some(file), Some((line, column))) => format!("at {}:{line}:{column}", file.display()),
            _ => "built in code".to_owned(),
        };
        if let Some(other) = self.names.get(&checked.name) {
            let name = &checked.name;
            found.value(
                below(&spot.pointer, "name"),
                format!("the name {name:?} is taken by the fixture {other}: names are unique"),
            );
        } else {
            self.names.insert(checked.name.clone(), here);
        }
        fixture.add(found, problems);
        self.loaded.fixtures.push((checked, spot));
    }
}

/// Reads the file's own keys, and each of its fixtures by itself, so that a problem in one costs
/// no second reading of all.
fn split(mut tree: Value, problems: &mut Problems) -> (Option<FixtureFile>, Vec<Read>) {
    if let Value::Array(_) = tree {
        problems.value("", "expected an object, got an array; wrap it: {\"fixtures\": […]}");
        return (None, Vec::new());
    }
    if tree.get("response").is_some() && tree.get("fixtures").is_none() {
        problems.value(
            "",
            "this is a transcript, not a fixture file: name it in a reply, {\"reply\": {\"transcript\": …}}, \
             or make a fixture for it with `llmirage import`",
        );
        return (None, Vec::new());
    }
    let fixtures = match tree.get_mut("fixtures") {
        Some(Value::Array(fixtures)) => std::mem::take(fixtures),
        _ => Vec::new(),
    };
    let mut file = Mended::<FixtureFile>::read(tree, "", problems);
    let mut found = Problems::default();
    if let Some(value) = &file.value {
        check::file(value, &mut found);
    }
    file.add(found, problems);
    let read = |(index, tree)| {
        let at = format!("/fixtures/{index}");
        Read { fixture: Mended::read(tree, &at, problems), at }
    };
    (file.value.take(), fixtures.into_iter().enumerate().map(read).collect())
}

/// Keys that are there twice.
fn check_duplicates(places: &Places<'_>, problems: &mut Problems) {
    for twice in &places.duplicates {
        let (line, _) = places.line_column(twice.first);
        let key = twice.pointer.rsplit('/').next().unwrap_or_default();
        problems.key(
            twice.pointer.clone(),
            format!("the key {key:?} is there twice, first in line {line}: leave one out"),
        );
    }
}

/// serde_json's words, and the place in characters where it counts bytes.
fn syntax_error(file: PathBuf, text: &str, error: &serde_json::Error) -> LoadError {
    let lines: Vec<&str> = text.split('\n').collect();
    let (line, bytes) = match error.classify() {
        Category::Eof => (lines.len(), usize::MAX),
        Category::Io | Category::Syntax | Category::Data => (error.line(), error.column()),
    };
    let content = lines.get(line.saturating_sub(1)).copied().unwrap_or_default();
    let before = content.get(..bytes.saturating_sub(1)).unwrap_or(content);
    let said = error.to_string();
    let said = said.rsplit_once(" at line ").map_or(said.as_str(), |(said, _)| said);
    let hint = match content[before.len()..].chars().next() {
        Some('/' | '#') => "; JSON has no comments",
        Some('\'') => "; strings are in double quotes",
        _ => "",
    };
    let message = match text.trim().is_empty() {
        true => "the file is empty; the least is {\"fixtures\": []}".to_owned(),
        false => format!("not JSON: {said}{hint}"),
    };
    LoadError {
        file: Some(file),
        fixture: None,
        place: Some((line.max(1), before.chars().count() + 1)),
        pointer: String::new(),
        message,
    }
}
