//! The fixtures that a command was given: read, checked, and read again when files change.

use std::path::PathBuf;

use crate::error::{LoadError, LoadErrors};
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

/// What paths hold, as far as it can be read.
#[derive(Debug, Default)]
pub(super) struct Found {
    sources: Vec<Source>,
    unreadable: Vec<LoadError>,
}

/// Fixture files whose changes matter.
#[derive(Debug)]
pub(super) struct Live {
    paths: Vec<PathBuf>,
    seen: Seen,
    transcripts: Vec<PathBuf>,
}

/// What files said, transcripts among them: their texts, and why others could not be read.
type Seen = (Vec<(PathBuf, Result<String, String>)>, Vec<LoadError>);

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
        if paths.is_empty() { Self::Embedded } else { Self::Paths(paths) }
    }

    /// Reads and checks the fixtures.
    pub(super) fn load(&self) -> Result<FixtureSet, LoadErrors> {
        match self {
            Self::Embedded => Ok(FixtureSet::embedded()),
            Self::Paths(paths) => Found::read(paths).load(),
        }
    }
}

impl Found {
    /// Reads files and folders. A path that cannot be read does not hide the problems of others.
    pub(super) fn read(paths: &[PathBuf]) -> Self {
        let mut found = Self::default();
        for path in paths {
            match files::read(std::slice::from_ref(path)) {
                Ok(sources) => found.sources.extend(sources),
                Err(errors) => found.unreadable.extend(errors.iter().cloned()),
            }
        }
        found
    }

    /// How many fixture files were read.
    pub(super) fn files(&self) -> usize {
        self.sources.iter().filter(|source| matches!(source, Source::File { .. })).count()
    }

    /// The transcripts that they name, whether they could be read or not.
    pub(super) fn transcripts(&self) -> Vec<PathBuf> {
        let path = |source: &Source| match source {
            Source::Transcript { path, text: _ } => Some(path.clone()),
            Source::File { .. } | Source::Code(_) => None,
        };
        self.sources.iter().filter_map(path).collect()
    }

    /// Checks what was read.
    pub(super) fn load(self) -> Result<FixtureSet, LoadErrors> {
        let mut errors = self.unreadable;
        let set = FixtureSet::load(self.sources).map_err(|more| {
            errors.extend(more.iter().cloned());
        });
        match (set, LoadErrors::new(errors)) {
            (Ok(set), None) => Ok(set),
            (_, Some(errors)) => Err(errors),
            (Err(()), None) => unreachable!("a set that does not load has problems"),
        }
    }

    fn seen(&self) -> Seen {
        let text = |source: &Source| match source {
            Source::File { path, text } => Some((path.clone(), Ok(text.clone()))),
            Source::Transcript { path, text } => Some((path.clone(), text.clone())),
            Source::Code(_) => None,
        };
        let texts = self.sources.iter().filter_map(text).collect();
        (texts, self.unreadable.clone())
    }
}

impl Live {
    /// Reads and checks the files for the first time.
    pub(super) fn load(paths: Vec<PathBuf>) -> Result<(Self, FixtureSet), LoadErrors> {
        let found = Found::read(&paths);
        let (seen, transcripts) = (found.seen(), found.transcripts());
        Ok((Self { paths, seen, transcripts }, found.load()?))
    }

    /// The transcripts that the files name, wherever they are.
    pub(super) fn transcripts(&self) -> &[PathBuf] {
        &self.transcripts
    }

    /// Reads the files again and, if they say something new, checks them.
    pub(super) fn look(&mut self) -> Look {
        let found = Found::read(&self.paths);
        let seen = found.seen();
        if self.seen == seen {
            return Look::Same;
        }
        (self.seen, self.transcripts) = (seen, found.transcripts());
        let files = found.files();
        match found.load() {
            Ok(set) => Look::New(set, files),
            Err(errors) => Look::Broken(errors),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn only_news_is_checked_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        let write = |reply: &str| {
            let text = format!(r#"{{ "fixtures": [ {{ "name": "a", "reply": {reply} }} ] }}"#);
            fs::write(&path, text).unwrap();
        };
        write(r#""one""#);
        let (mut live, _) = Live::load(vec![path.clone()]).unwrap();
        assert!(matches!(live.look(), Look::Same));
        write("1");
        assert!(matches!(live.look(), Look::Broken(_)));
        assert!(matches!(live.look(), Look::Same));
        fs::remove_file(&path).unwrap();
        assert!(matches!(live.look(), Look::Broken(_)));
        assert!(matches!(live.look(), Look::Same));
        write(r#""two""#);
        assert!(matches!(live.look(), Look::New(_, 1)));
    }
}
