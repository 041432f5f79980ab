//! The transcripts that fixture files name: each read and checked once, however many replies send it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::places::Places;
use super::problems::{Problem, Problems};
use super::{LoadError, check, read_at, syntax_error};
use crate::plan::set::Source;
use crate::plan::transcript::{Recording, Transcript};

/// The transcripts of a set, by their paths.
#[derive(Debug, Default)]
pub(super) struct Transcripts {
    texts: BTreeMap<PathBuf, Result<String, String>>,
    read: BTreeMap<PathBuf, Option<Arc<Recording>>>,
    /// What is wrong in transcripts, and where the reply stands that named them first.
    pub(super) broken: Vec<(LoadError, String)>,
}

impl Transcripts {
    /// Takes the transcripts out of what was read.
    pub(super) fn take(sources: &mut Vec<Source>) -> Self {
        let mut texts = BTreeMap::new();
        sources.retain_mut(|source| match source {
            Source::Transcript { path, text } => {
                let text = std::mem::replace(text, Ok(String::new()));
                texts.insert(std::mem::take(path), text);
                false
            }
            Source::File { .. } | Source::Code(_) => true,
        });
        Self { texts, ..Self::default() }
    }

    /// The recording that a reply of `file` names at the pointer `at`; `None` where there is a problem with it, of
    /// which the reply's share is added to `problems`.
    pub(super) fn named(
        &mut self,
        name: &str,
        file: Option<&Path>,
        at: &str,
        problems: &mut Problems,
    ) -> Option<Arc<Recording>> {
        let path = file.map(|file| beside(file, name)).unwrap_or_default();
        let text = match self.texts.get(&path) {
            Some(Ok(text)) => text,
            Some(Err(why)) => {
                problems.value(at, format!("the transcript {}: {why}", path.display()));
                return None;
            }
            None => {
                problems.value(
                    at,
                    "no file is read from here: write the transcript itself in the place of its path, \
                     {\"transcript\": {\"response\": {…}}}",
                );
                return None;
            }
        };
        if let Some(known) = self.read.get(&path) {
            return known.clone();
        }
        let (recording, errors) = read(&path, text);
        self.broken.extend(errors.into_iter().map(|error| (error, at.to_owned())));
        let recording = recording.map(Arc::new);
        self.read.insert(path, recording.clone());
        recording
    }
}

/// Where a file finds what it names.
pub(crate) fn beside(file: &Path, name: &str) -> PathBuf {
    file.parent().map_or_else(|| PathBuf::from(name), |folder| folder.join(name))
}

/// The transcripts that the text of a fixture file names. A text that cannot be read names none.
pub(crate) fn names(text: &str) -> Vec<String> {
    // Most files name none, and are not to be read twice.
    if !text.contains("\"transcript\"") {
        return Vec::new();
    }
    let tree: Value = serde_json::from_str(without_mark(text)).unwrap_or_default();
    let fixtures = tree.get("fixtures").and_then(Value::as_array).into_iter().flatten();
    let replies = fixtures.flat_map(|fixture| {
        let many = fixture.get("replies").and_then(Value::as_array).into_iter().flatten();
        fixture.get("reply").into_iter().chain(many)
    });
    let names = replies.filter_map(|reply| reply.get("transcript")?.as_str());
    names.map(str::to_owned).collect()
}

/// Whether a text is a transcript, or was meant to be one, and no fixture file.
pub(crate) fn is_transcript(text: &str) -> bool {
    #[derive(Deserialize)]
    struct Keys {
        response: Option<IgnoredAny>,
        fixtures: Option<IgnoredAny>,
    }
    let keys: Result<Keys, _> = serde_json::from_str(without_mark(text));
    keys.is_ok_and(|keys| keys.response.is_some() && keys.fixtures.is_none())
}

/// A text without the byte order mark that some editors on Windows start files with.
pub(super) fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// Reads and checks the text of a transcript.
fn read(path: &Path, text: &str) -> (Option<Recording>, Vec<LoadError>) {
    let text = without_mark(text);
    let tree: Value = match serde_json::from_str(text) {
        Ok(tree) => tree,
        Err(error) => {
            let mut error = syntax_error(path.to_owned(), text, &error);
            if text.trim().is_empty() {
                error.message =
                    "the file is empty; the least is {\"response\": {\"status\": 200}}".to_owned();
            }
            return (None, vec![error]);
        }
    };
    let places = Places::scan(text);
    let mut problems = Problems::default();
    super::check_duplicates(&places, &mut problems);
    let mut recording = None;
    let mut inside = Problems::default();
    read_at(tree, ROOT, &mut inside, |transcript: &Transcript, problems| {
        recording = check::transcript(transcript, ROOT, problems);
    });
    problems.0.extend(inside.0.into_iter().map(|problem| {
        let pointer = problem.pointer.strip_prefix(ROOT).unwrap_or(&problem.pointer).to_owned();
        Problem { pointer, ..problem }
    }));
    let error = |Problem { pointer, part, message }| LoadError {
        file: Some(path.to_owned()),
        fixture: None,
        place: Some(places.place(&pointer, part)),
        pointer,
        message,
    };
    let mut errors: Vec<LoadError> = problems.0.into_iter().map(error).collect();
    errors.sort_by_key(|error| error.place);
    (recording.filter(|_| errors.is_empty()), errors)
}

/// What would be wrong with a transcript if it were loaded, each with its JSON pointer.
#[cfg(feature = "import")]
pub(crate) fn problems(transcript: &Transcript) -> Vec<String> {
    let mut problems = Problems::default();
    check::check_transcript(transcript, "", &mut problems);
    problems.0.into_iter().map(|Problem { pointer, message, .. }| format!("{pointer}: {message}")).collect()
}

/// Where a transcript would stand in a reply: its problems are told in the same words, whether it is written there
/// or has a file of its own.
const ROOT: &str = "/transcript";
