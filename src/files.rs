//! Reading fixture files and the transcripts that they name: the only file I/O of loading.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::error::{LoadError, LoadErrors};
use crate::plan::load::{beside, is_transcript, names};
use crate::plan::set::Source;

#[cfg(feature = "import")]
pub mod folder;

/// Reads fixture files, and the `*.json` files of folders and the folders in them, in the order of
/// their names. Names that start with a dot are left out of folders, and so are transcripts.
///
/// The transcripts that the files name are read, too, each once. One that cannot be read is a
/// [`Source::Transcript`] that says why, so that it is told where it is named.
///
/// # Errors
///
/// Every path that is missing, unreadable, too large or not UTF-8, and folders without any fixture file.
pub fn read(paths: &[PathBuf]) -> Result<Vec<Source>, LoadErrors> {
    let mut reading = Reading::default();
    for path in paths {
        match fs::metadata(path) {
            Ok(kind) if kind.is_dir() => {
                let mut walk = Walk::default();
                walk.folder(path, 0);
                reading.folder(path, walk);
            }
            Ok(_) => match read_text(path) {
                Ok(text) => {
                    reading.name(path, &text);
                    reading.sources.push(Source::File { path: path.to_owned(), text });
                }
                Err(message) => reading.fail(path, message),
            },
            Err(error) => reading.fail(path, format!("cannot be read: {error}")),
        }
    }
    reading.transcripts();
    LoadErrors::new(reading.errors).map_or(Ok(reading.sources), Err)
}

#[derive(Default)]
struct Reading {
    sources: Vec<Source>,
    errors: Vec<LoadError>,
    /// The transcripts that the files name.
    named: BTreeSet<PathBuf>,
    /// What was found in folders and is no fixture file.
    others: BTreeMap<PathBuf, Result<String, String>>,
}

impl Reading {
    /// Takes what was found in a folder: a file that another one names as its transcript, or that is one, is no
    /// fixture file, even if it cannot be read.
    fn folder(&mut self, folder: &Path, walk: Walk) {
        for (path, text) in &walk.files {
            if let Ok(text) = text {
                self.name(path, text);
            }
        }
        let mut is_empty = true;
        let mut has_transcripts = false;
        for (path, text) in walk.files {
            match text {
                text if self.named.contains(&path) || text.as_deref().is_ok_and(is_transcript) => {
                    has_transcripts = true;
                    self.others.insert(path, text);
                    continue;
                }
                Ok(text) => self.sources.push(Source::File { path, text }),
                Err(message) => self.fail(&path, message),
            }
            is_empty = false;
        }
        match (is_empty, has_transcripts) {
            (true, true) => self.fail(
                folder,
                "no fixture file in this folder, only transcripts: name them in the replies of one, \
                 or make it with `llmirage import`",
            ),
            (true, false) => self.fail(folder, "no *.json file in this folder"),
            (false, _) => {}
        }
    }

    /// Notes the transcripts that a fixture file names.
    fn name(&mut self, file: &Path, text: &str) {
        self.named.extend(names(text).iter().map(|name| beside(file, name)));
    }

    /// Adds the transcripts that the files name, each read once.
    fn transcripts(&mut self) {
        for path in std::mem::take(&mut self.named) {
            let text = self.others.remove(&path).unwrap_or_else(|| read_text(&path));
            self.sources.push(Source::Transcript { path, text });
        }
    }

    fn fail(&mut self, path: &Path, message: impl Into<String>) {
        self.errors.push(LoadError {
            file: Some(path.to_owned()),
            fixture: None,
            place: None,
            pointer: String::new(),
            message: message.into(),
        });
    }
}

/// The files of a folder.
#[derive(Default)]
struct Walk {
    /// Each with its text, or why there is none; folders that cannot be read, too.
    files: Vec<(PathBuf, Result<String, String>)>,
}

impl Walk {
    fn folder(&mut self, path: &Path, depth: usize) {
        // Links may lead in circles, and the system only stops following after thousands of files.
        if depth > DEEPEST {
            self.fail(path, format!("more than {DEEPEST} folders deep; is there a link in a circle?"));
            return;
        }
        let entries = fs::read_dir(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let mut paths: Vec<PathBuf> = match entries {
            Ok(entries) => entries.into_iter().map(|entry| entry.path()).collect(),
            Err(error) => {
                self.fail(path, format!("cannot be read: {error}"));
                return;
            }
        };
        paths.sort();
        for path in paths {
            if path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".")) {
                continue;
            }
            if path.is_dir() {
                self.folder(&path, depth + 1);
            } else if path.extension().is_some_and(|extension| extension == "json") {
                self.files.push((path.clone(), read_text(&path)));
            }
        }
    }

    fn fail(&mut self, path: &Path, message: String) {
        self.files.push((path.to_owned(), Err(message)));
    }
}

fn read_text(path: &Path) -> Result<String, String> {
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(|error| format!("cannot be read: {error}"))?;
    let mut limited = file.take(LARGEST + 1);
    limited.read_to_end(&mut bytes).map_err(|error| format!("cannot be read: {error}"))?;
    if bytes.len() as u64 > LARGEST {
        return Err(format!("larger than {} MiB", LARGEST >> 20));
    }
    String::from_utf8(bytes).map_err(|error| {
        format!("not UTF-8 from byte {} on: save it as UTF-8", error.utf8_error().valid_up_to())
    })
}

/// Bytes that a fixture file or a transcript may have.
const LARGEST: u64 = 64 << 20;

/// Folders within folders that are walked.
const DEEPEST: usize = 32;
