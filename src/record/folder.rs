//! The folder of recordings: what is replayed of it, and how exchanges are added.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::builder::Mode;
use crate::error::StartError;
use crate::files;
use crate::files::folder::{Added, FixtureFolder, FolderError};
use crate::import::Exchange;
use crate::import::fixtures::{FIXTURES, Form, Item, Kind};
use crate::plan::FixtureSet;

/// A folder with `fixtures.json` and transcripts, or one that is to be.
#[derive(Debug)]
pub(super) struct Folder {
    folder: FixtureFolder,
    /// The requests whose older recordings are gone, where those are replaced.
    replaced: Option<BTreeSet<String>>,
}

/// What was written of an exchange.
#[derive(Debug)]
pub(super) struct Written {
    /// The path of the transcript in the folder.
    pub(super) file: Option<String>,
    /// What should be known of it.
    pub(super) notes: Vec<String>,
}

impl Folder {
    /// Opens a folder; and what of it is to be replayed, if there is any.
    pub(super) fn open(path: PathBuf, mode: Mode) -> Result<(Self, Option<FixtureSet>), StartError> {
        let has_fixtures = path.join(FIXTURES).exists();
        let known = match mode {
            Mode::Once | Mode::New if has_fixtures => {
                Some(FixtureSet::load(files::read(std::slice::from_ref(&path))?)?)
            }
            Mode::Once | Mode::New | Mode::All => None,
        };
        let folder = FixtureFolder::open(path).map_err(|error| match error {
            FolderError::Read { path, source } => StartError::Folder { path, source },
            FolderError::Load(errors) => StartError::Load(errors),
        })?;
        let replaced = (mode == Mode::All).then(BTreeSet::new);
        Ok((Self { folder, replaced }, known))
    }

    /// Adds an exchange, secrets and all; they are replaced before anything is written.
    ///
    /// # Errors
    ///
    /// In words, why it is not written.
    pub(super) fn add(&mut self, exchange: Exchange) -> Result<Written, String> {
        let item = Item { source: String::new(), file: None, is_alone: false, exchange: Ok(exchange) };
        let added = match &mut self.replaced {
            Some(replaced) => self.folder.replace(item, replaced),
            None => self.folder.add(vec![item], Form::Transcript),
        };
        let Added { report, files } = added.map_err(|error| format!("{error}: {}", error.source))?;
        let (mut damage, mut notes) = (Vec::new(), Vec::new());
        for told in report.told {
            match told.kind {
                Kind::Damage => damage.push(told.text),
                Kind::Note => notes.push(told.text),
            }
        }
        match damage.is_empty() {
            true => Ok(Written { file: files.into_iter().find(|file| file != FIXTURES), notes }),
            false => Err(damage.join("; ")),
        }
    }
}
