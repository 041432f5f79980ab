//! `llmirage import`: captures of other tools become a folder of fixtures.

use std::fs;
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};

use super::args::{FormArg, FormatArg, ImportArgs};
use super::failure::{Failure, count};
use super::output::print;
use crate::files;
use crate::import::fixtures::{Folder, Form, Item, Kind, Report, TRANSCRIPTS, Told};
use crate::import::{self, Damage, Format};

/// Imports, and prints what was written and what is to be known of it.
pub(super) fn run(args: &ImportArgs) -> Result<(), Failure> {
    let folder = &args.output;
    let mut fixtures = files::open_folder(folder).map_err(|error| match error {
        files::FolderError::Read { path, source } => Failure::Read { path, source },
        files::FolderError::Load(errors) => Failure::Load(errors),
    })?;
    let mut read = Captures { folder: fs::canonicalize(folder).ok(), ..Captures::default() };
    for path in &args.captures {
        read.path(path)?;
    }
    let mut items = Vec::new();
    let mut told = read.told;
    for capture in read.captures {
        items.extend(capture.items(args.format.into(), &mut told));
    }
    let form = match args.form {
        FormArg::Transcript => Form::Transcript,
        FormArg::Answer => Form::Answer,
    };
    let report = fixtures.add(items, form);
    told.extend(report.told.iter().cloned());
    files::write_folder(folder, &fixtures.files())
        .map_err(|(path, source)| Failure::Write { path, source })?;
    say(&told);
    print(summary(folder, &report))?;
    match told.iter().filter(|told| told.kind == Kind::Damage).count() {
        0 => Ok(()),
        lost => Err(Failure::Imported { lost, of: report.exchanges + lost - report.damaged }),
    }
}

/// What was found at the paths of the command line.
#[derive(Default)]
struct Captures {
    captures: Vec<CaptureFile>,
    told: Vec<Told>,
    /// The folder that is written to, which is none to read from.
    folder: Option<PathBuf>,
}

/// A capture as it was read.
struct CaptureFile {
    /// Its path, for messages.
    source: String,
    /// Its name without folders.
    file: Option<String>,
    /// Whether it was named on the command line, and not found in a folder.
    is_named: bool,
    bytes: Vec<u8>,
}
