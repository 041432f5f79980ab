//! The folder of recordings: what is in it at the start, and how exchanges are added.

use std::path::PathBuf;

use super::builder::Mode;
use crate::error::StartError;
use crate::files;
use crate::import::Exchange;
use crate::plan::FixtureSet;

/// A folder with `fixtures.json` and transcripts, or one that is to be.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    mode: Mode,
}

impl Folder {
    /// Opens a folder; its fixtures, if it has any that may be replayed.
    pub(super) fn open(path: PathBuf, mode: Mode) -> Result<(Self, Option<FixtureSet>), StartError> {
        let fixtures = path.join(FIXTURES);
        let known = match mode {
            Mode::Once | Mode::New if fixtures.exists() => Some(FixtureSet::load(files::read(&[fixtures])?)?),
            Mode::Once | Mode::New | Mode::All => None,
        };
        Ok((Self { path, mode }, known))
    }

    /// Adds an exchange; the name of its file.
    pub(super) fn add(&mut self, exchange: &Exchange) -> Result<String, String> {
        Err(format!("{:?} {:?} {:?}", self.path, self.mode, exchange.place))
    }
}

/// The file that says which request each transcript answers.
const FIXTURES: &str = "fixtures.json";
