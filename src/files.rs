//! Reading fixture files and the transcripts that they name: the only file I/O of loading.

use std::collections::BTreeSet;
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
                Ok(text) => reading.sources.push(Source::File { path: path.to_owned(), text }),
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
}

impl Reading {
    /// Takes what was found in a folder: a file that another one names as its transcript, or that is one, is no
    /// fixture file, even if it cannot be read.
    fn folder(&mut self, folder: &Path, walk: Walk) {
        let mut files = Vec::new();
        let mut named = BTreeSet::new();
        for (path, text) in walk.files {
            let found = text.as_ref().map_or_else(|_| Vec::new(), |text| names(text));
            named.extend(found.iter().map(|name| beside(&path, name)));
            files.push((path, text));
        }
        let (mut fixtures, mut transcripts) = (0, 0);
        for (path, text) in files {
            match text {
                _ if named.contains(&path) => transcripts += 1,
                Ok(text) if is_transcript(&text) => transcripts += 1,
                Ok(text) => {
                    fixtures += 1;
                    self.sources.push(Source::File { path, text });
                }
                Err(message) => {
                    fixtures += 1;
                    self.fail(&path, message);
                }
            }
        }
        if fixtures == 0 {
            self.fail(
                folder,
                match transcripts {
                    0 => "no *.json file in this folder",
                    _ => {
                        "no fixture file in this folder, only transcripts: name them in the replies of one, \
                         or make it with `llmirage import`"
                    }
                },
            );
        }
    }

    /// Reads the transcripts that the files name.
    fn transcripts(&mut self) {
        let files = self.sources.iter().filter_map(|source| match source {
            Source::File { path, text } => Some((path, text)),
            Source::Transcript { .. } | Source::Code(_) => None,
        });
        let named = files.flat_map(|(path, text)| names(text).into_iter().map(|name| beside(path, &name)));
        let named: BTreeSet<PathBuf> = named.collect();
        let read = named.into_iter().map(|path| Source::Transcript { text: read_text(&path), path });
        self.sources.extend(read);
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
