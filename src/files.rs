//! Reading fixture files: the only file I/O of loading.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::error::{LoadError, LoadErrors};
use crate::plan::set::Source;

/// Reads fixture files, and the `*.json` files of folders and the folders in them, in the order of
/// their names. Names that start with a dot are left out of folders.
///
/// # Errors
///
/// Every path that is missing, unreadable, too large or not UTF-8, and folders without any file.
pub fn read(paths: &[PathBuf]) -> Result<Vec<Source>, LoadErrors> {
    let mut reading = Reading::default();
    for path in paths {
        match fs::metadata(path) {
            Ok(kind) if kind.is_dir() => {
                let before = reading.found;
                reading.folder(path, 0);
                if reading.found == before {
                    reading.fail(path, "no *.json file in this folder");
                }
            }
            Ok(_) => reading.file(path),
            Err(error) => reading.fail(path, format!("cannot be read: {error}")),
        }
    }
    LoadErrors::new(reading.errors).map_or(Ok(reading.sources), Err)
}

#[derive(Default)]
struct Reading {
    sources: Vec<Source>,
    errors: Vec<LoadError>,
    /// How many files and unreadable folders were seen.
    found: usize,
}

impl Reading {
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
                self.file(&path);
            }
        }
    }

    fn file(&mut self, path: &Path) {
        self.found += 1;
        match read_text(path) {
            Ok(text) => self.sources.push(Source::File { path: path.to_owned(), text }),
            Err(message) => self.fail(path, message),
        }
    }

    fn fail(&mut self, path: &Path, message: impl Into<String>) {
        self.found += 1;
        self.errors.push(LoadError {
            file: Some(path.to_owned()),
            fixture: None,
            place: None,
            pointer: String::new(),
            message: message.into(),
        });
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

/// Bytes that a fixture file may have.
const LARGEST: u64 = 64 << 20;

/// Folders within folders that are walked.
const DEEPEST: usize = 32;
