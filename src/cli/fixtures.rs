//! The fixtures that a command was given: read, checked, and read again when files change.

use std::path::PathBuf;

use crate::error::LoadErrors;
use crate::files;
use crate::plan::FixtureSet;
use crate::plan::set::Source;

/// Where fixtures come from.
#[derive(Clone, Debug)]
pub(super) enum Fixtures {
    /// The set that is built in.
    Embedded,
    /// Files and folders, at least one.
    Paths(Vec<PathBuf>),
}

/// Fixture files whose changes matter, and what they said last.
#[derive(Debug)]
pub(super) struct Live {
    paths: Vec<PathBuf>,
    /// `None` where they could not be read: whatever comes next is news.
    texts: Option<Vec<(PathBuf, String)>>,
}

/// What came of looking at the files again.
#[derive(Debug)]
pub(super) enum Look {
    /// They say what they said before.
    Same,
    /// A new set, and how many files it came from.
    New(FixtureSet, usize),
    /// They do not load.
    Broken(LoadErrors),
}

impl Fixtures {
    /// The paths given, or the embedded set for none.
    pub(super) fn new(paths: Vec<PathBuf>) -> Self {
        if paths.is_empty() {
            Self::Embedded
        } else {
            Self::Paths(paths)
        }
    }

    /// Reads and checks the fixtures.
    pub(super) fn load(&self) -> Result<FixtureSet, LoadErrors> {
        match self {
            Self::Embedded => Ok(FixtureSet::embedded()),
            Self::Paths(paths) => FixtureSet::load(files::read(paths)?),
        }
    }
}

impl Live {
    /// Files that nobody has looked at yet.
    pub(super) fn new(paths: Vec<PathBuf>) -> Self {
        Self { paths, texts: None }
    }

    /// Reads and checks the files for the first time.
    pub(super) fn load(&mut self) -> Result<FixtureSet, LoadErrors> {
        let sources = files::read(&self.paths)?;
        self.texts = Some(texts(&sources));
        FixtureSet::load(sources)
    }

    /// Reads the files again and, if they say something new, checks them.
    pub(super) fn look(&mut self) -> Look {
        let before = self.texts.take();
        let sources = match files::read(&self.paths) {
            Ok(sources) => sources,
            Err(errors) => return Look::Broken(errors),
        };
        self.texts = Some(texts(&sources));
        if self.texts == before {
            return Look::Same;
        }
        let files = sources.len();
        match FixtureSet::load(sources) {
            Ok(set) => Look::New(set, files),
            Err(errors) => Look::Broken(errors),
        }
    }
}

fn texts(sources: &[Source]) -> Vec<(PathBuf, String)> {
    let text = |source: &Source| match source {
        Source::File { path, text } => Some((path.clone(), text.clone())),
        Source::Code(_) => None,
    };
    sources.iter().filter_map(text).collect()
}
