//! `llmirage import`: captures of other tools become a folder of fixtures.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::args::{FormArg, FormatArg, ImportArgs};
use super::failure::{Failure, count, say};
use super::output::print;
use crate::files::folder::{Added, FixtureFolder, FolderError};
use crate::import::fixtures::{FIXTURES, Form, Item, Report};
use crate::import::{self, Damage, Format, MAX_CAPTURE};

/// Imports, and prints what was written and what is to be known of it.
pub(super) fn run(args: &ImportArgs) -> Result<(), Failure> {
    let mut folder = FixtureFolder::open(&args.output).map_err(|error| match error {
        FolderError::Read { path, source } => Failure::Read { path, source },
        FolderError::Load(errors) => Failure::Load(errors),
    })?;
    let mut captures = Captures::new(args);
    for path in &args.captures {
        captures.add(path)?;
    }
    let form = match args.form {
        FormArg::Transcript => Form::Transcript,
        FormArg::Answer => Form::Answer,
    };
    let added = folder.add(captures.items, form);
    let Added { report, files } =
        added.map_err(|error| Failure::Write { path: error.path, source: error.source })?;
    report.told.iter().for_each(|told| say(&told.to_string()));
    print(summary(&args.output, &report, &files))?;
    match report.damaged {
        0 => Ok(()),
        lost => Err(Failure::Imported { lost, of: report.exchanges }),
    }
}

/// The exchanges of all captures, in order.
struct Captures {
    format: Option<Format>,
    /// The folder that is written to: nothing in it is a capture.
    output: Option<PathBuf>,
    items: Vec<Item>,
}

impl Captures {
    fn new(args: &ImportArgs) -> Self {
        let format = match args.format {
            FormatArg::Auto => None,
            FormatArg::Sse => Some(Format::Sse),
            FormatArg::Curl => Some(Format::Curl),
            FormatArg::Har => Some(Format::Har),
            FormatArg::Vcr => Some(Format::Vcr),
            FormatArg::Json => Some(Format::Json),
        };
        Self { format, output: fs::canonicalize(&args.output).ok(), items: Vec::new() }
    }

    /// Reads a path of the command line.
    fn add(&mut self, path: &Path) -> Result<(), Failure> {
        if path == Path::new("-") {
            let bytes = read(io::stdin().lock()).map_err(|source| unreadable(path, source))?;
            self.capture("stdin", None, &bytes);
            return Ok(());
        }
        if path.is_dir() {
            let before = self.items.len();
            self.folder(path, 0)?;
            if self.items.len() == before {
                self.lost(
                    path,
                    "has no file with an exchange in a format that is read; name a file to be told why",
                );
            }
            return Ok(());
        }
        let bytes = fs::File::open(path).and_then(read).map_err(|source| unreadable(path, source))?;
        self.capture(&path.display().to_string(), Some(path), &bytes);
        Ok(())
    }

    /// Reads the captures of a folder and the folders in it. Names that start with a dot are left out, and so are
    /// files in no format that is known.
    fn folder(&mut self, folder: &Path, depth: usize) -> Result<(), Failure> {
        // Links may lead in circles.
        if depth > DEEPEST || fs::canonicalize(folder).ok() == self.output && self.output.is_some() {
            return Ok(());
        }
        let entries = fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let entries = entries.map_err(|source| unreadable(folder, source))?;
        let mut paths: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths {
            if path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".")) {
                continue;
            }
            if path.is_dir() {
                self.folder(&path, depth + 1)?;
                continue;
            }
            let bytes = fs::File::open(&path).and_then(read).map_err(|source| unreadable(&path, source))?;
            if self.format.is_some() || import::is_known(&bytes) {
                self.capture(&path.display().to_string(), Some(&path), &bytes);
            }
        }
        Ok(())
    }

    /// Takes a path for a damaged exchange.
    fn lost(&mut self, path: &Path, reason: &str) {
        let damage = Damage { place: String::new(), reason: reason.to_owned() };
        let source = path.display().to_string();
        self.items.push(Item { source, file: None, is_alone: false, exchange: Err(damage) });
    }

    /// Takes the exchanges of a capture; one that cannot be read is a damaged exchange.
    fn capture(&mut self, source: &str, path: Option<&Path>, bytes: &[u8]) {
        let file = path.and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
        let exchanges = match import::read(bytes, self.format) {
            Ok(capture) => capture.exchanges,
            Err(reason) => vec![Err(Damage { place: String::new(), reason })],
        };
        let is_alone = exchanges.len() == 1;
        self.items.extend(exchanges.into_iter().map(|exchange| Item {
            source: source.to_owned(),
            file: file.clone(),
            is_alone,
            exchange,
        }));
    }
}

/// Reads a capture, and a byte more than one may have.
fn read(from: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(MAX_CAPTURE as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn unreadable(path: &Path, source: io::Error) -> Failure {
    Failure::Read { path: path.to_owned(), source }
}

/// What was written, and what to do with it.
fn summary(folder: &Path, report: &Report, files: &[String]) -> String {
    let mut lines = String::new();
    let written = [(report.transcripts, "transcript"), (report.answers, "answer")];
    let written = written.into_iter().filter(|(number, _)| *number > 0);
    let written: Vec<String> = written.map(|(number, noun)| count(number, noun)).collect();
    let fixtures = [(report.fixtures, "new"), (report.grown, "with more replies")];
    let fixtures = fixtures.into_iter().filter(|(number, _)| *number > 0);
    let fixtures: Vec<String> = fixtures.map(|(number, what)| format!("{number} {what}")).collect();
    if !fixtures.is_empty() {
        let place = folder.join(FIXTURES);
        lines.push_str(&format!(
            "{}: fixtures: {}; {}\n",
            place.display(),
            fixtures.join(", "),
            written.join(", ")
        ));
    }
    if report.known > 0 {
        lines.push_str(&format!("{} there already\n", count(report.known, "exchange")));
    }
    if !files.is_empty() {
        lines.push_str(&format!("try: llmirage {}\n", folder.display()));
    }
    lines
}

/// Folders within folders that are walked.
const DEEPEST: usize = 32;
