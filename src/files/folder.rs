//! The folder that imports and recordings are written to: read once, then only written.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::error::LoadErrors;
use crate::import::fixtures::{FIXTURES, Folder, Form, Item, Report, TRANSCRIPTS};
use crate::plan::set::Source;

/// A folder with `fixtures.json` and `transcripts`, or one that is to be.
///
/// ```
/// use llmirage::files::folder::FixtureFolder;
/// use llmirage::import::fixtures::{Form, Item};
/// use llmirage::import;
///
/// let root = tempfile::tempdir()?;
/// let capture = import::read(b"data: {\"id\":\"1\"}\n\n", None)?;
/// let exchanges = capture.exchanges.into_iter();
/// let items = exchanges.map(|exchange| Item {
///     source: "captures/hello.sse".to_owned(),
///     file: Some("hello.sse".to_owned()),
///     is_alone: true,
///     exchange,
/// });
///
/// let added = FixtureFolder::open(root.path().join("recorded"))?.add(items.collect(), Form::Transcript)?;
/// assert_eq!(added.files, ["transcripts/hello.json", "fixtures.json"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct FixtureFolder {
    path: PathBuf,
    folder: Folder,
}

/// What was added to a folder.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Added {
    /// What came of the exchanges.
    pub report: Report,
    /// The files that were written: their paths in the folder, with slashes; `fixtures.json` is the last.
    pub files: Vec<String>,
}

/// Why nothing can be added to a folder.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// A file cannot be read.
    #[error("cannot read {}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// `fixtures.json` does not load; it is left as it is.
    #[error("{}", FIXTURES)]
    Load(#[from] LoadErrors),
}

/// A file that cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}", .path.display())]
pub struct WriteError {
    /// The file.
    pub path: PathBuf,
    /// What the system says.
    pub source: io::Error,
}

impl FixtureFolder {
    /// Reads what a folder has; one that is not there is empty.
    ///
    /// # Errors
    ///
    /// A file that cannot be read, and every problem of `fixtures.json`.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, FolderError> {
        let path = path.into();
        let fixtures = path.join(FIXTURES);
        let text = match fs::read_to_string(&fixtures) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(source) => return Err(FolderError::Read { path: fixtures, source }),
        };
        let mut folder = Folder::open(&fixtures, text.as_deref(), transcripts(&path.join(TRANSCRIPTS))?)?;
        // Names are unique in all files of a set, and the whole folder may be served.
        if path.is_dir() {
            for source in super::read(std::slice::from_ref(&path)).unwrap_or_default() {
                match source {
                    Source::File { path, text } if path != fixtures => folder.reserve(&text),
                    _ => {}
                }
            }
        }
        Ok(Self { path, folder })
    }

    /// Adds exchanges and writes the files that changed. Each appears whole (it is written aside and renamed) and
    /// can be read by its owner alone.
    ///
    /// # Errors
    ///
    /// The first file that cannot be written; what was written before it is taken back.
    pub fn add(&mut self, items: Vec<Item>, form: Form) -> Result<Added, WriteError> {
        let before = self.folder.clone();
        let report = self.folder.add(items, form);
        self.write(before, report)
    }

    /// Adds an exchange in the place of those that were recorded before of the same request, unless that is among
    /// `replaced`. What is replaced is gone once the rest is written.
    ///
    /// # Errors
    ///
    /// As with [`add`](Self::add).
    #[cfg(feature = "record")]
    pub(crate) fn replace(
        &mut self,
        item: Item,
        replaced: &mut std::collections::BTreeSet<String>,
    ) -> Result<Added, WriteError> {
        let before = self.folder.clone();
        let (report, old) = self.folder.replace(item, Form::Transcript, replaced);
        let added = self.write(before, report)?;
        for name in old {
            // One that somebody has deleted meanwhile is gone, too.
            let _ = fs::remove_file(self.path.join(name));
        }
        Ok(added)
    }

    /// Writes what has changed, or goes back to what was before.
    fn write(&mut self, before: Folder, report: Report) -> Result<Added, WriteError> {
        let mut files = Vec::new();
        for (name, text) in self.folder.files() {
            let path = name.split('/').fold(self.path.clone(), |path, part| path.join(part));
            if let Err(source) = write(&path, text.as_bytes()) {
                for name in files {
                    // It was not there before: `fixtures.json` is the last.
                    let _ = fs::remove_file(self.path.join(name));
                }
                self.folder = before;
                return Err(WriteError { path, source });
            }
            files.push(name);
        }
        Ok(Added { report, files })
    }
}

/// The files of the folder of transcripts, by the path that fixtures name them by. One that is no text is there
/// without one: its name is taken.
fn transcripts(folder: &Path) -> Result<Vec<(String, String)>, FolderError> {
    let failed = |source| FolderError::Read { path: folder.to_owned(), source };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(failed(source)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed)?;
        if let Ok(name) = entry.file_name().into_string() {
            found.push((
                format!("{TRANSCRIPTS}/{name}"),
                fs::read_to_string(entry.path()).unwrap_or_default(),
            ));
        }
    }
    found.sort();
    Ok(found)
}

/// Writes a file aside, readable by its owner alone, and puts it in its place.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // Where a link stands, what it leads to is replaced.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut aside = path.clone().into_os_string();
    aside.push(format!(".{}.tmp", std::process::id()));
    // One that a process left behind, or a link that somebody put there, is not written to.
    let _ = fs::remove_file(&aside);
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(&aside).and_then(|mut file| file.write_all(bytes));
    written.and_then(|()| fs::rename(&aside, &path)).inspect_err(|_| {
        let _ = fs::remove_file(&aside);
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::{RawExchange, RawRequest, RawResponse};

    fn item(user: &str) -> Item {
        let body = format!(r#"{{"model":"m","messages":[{{"role":"user","content":"{user}"}}]}}"#);
        let exchange = RawExchange {
            request: Some(RawRequest {
                method: "POST".to_owned(),
                url: "http://x/v1/chat/completions".to_owned(),
                headers: Vec::new(),
                body: body.into(),
            }),
            response: RawResponse { status: 200, body: "{}".into(), ..RawResponse::default() },
            ..RawExchange::default()
        };
        Item { source: "a.har".to_owned(), file: None, is_alone: false, exchange: exchange.exchange() }
    }

    fn names(folder: &Path) -> Vec<String> {
        let names =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }

    #[test]
    fn a_folder_is_made_and_added_to() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a/b");
        let added = FixtureFolder::open(&path).unwrap().add(vec![item("hello")], Form::Transcript).unwrap();
        assert_eq!(added.files, ["transcripts/hello.json", "fixtures.json"]);
        fs::write(path.join("more.json"), r#"{ "fixtures": [ { "name": "bye", "reply": "x" } ] }"#).unwrap();
        let mut folder = FixtureFolder::open(&path).unwrap();
        let added = folder.add(vec![item("hello"), item("bye")], Form::Transcript).unwrap();
        assert_eq!((added.report.known, added.report.fixtures), (1, 1));
        assert_eq!(names(&path), ["fixtures.json", "more.json", "transcripts"]);
        assert_eq!(names(&path.join("transcripts")), ["bye.json", "hello.json"]);
        let text = fs::read_to_string(path.join("fixtures.json")).unwrap();
        assert!(text.contains("\"name\": \"bye-2\""), "the other file has a \"bye\": {text}");
        assert_eq!(folder.add(vec![item("bye")], Form::Transcript).unwrap().files, [""; 0]);
    }

    #[cfg(unix)]
    #[test]
    fn files_are_their_owners_alone() {
        use std::os::unix::fs::PermissionsExt;
        let root = tempfile::tempdir().unwrap();
        let added =
            FixtureFolder::open(root.path()).unwrap().add(vec![item("hello")], Form::Transcript).unwrap();
        for name in added.files {
            let mode = fs::metadata(root.path().join(&name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn what_lies_where_files_are_written_aside_is_not_written_to() {
        use std::os::unix::fs::PermissionsExt;
        let root = tempfile::tempdir().unwrap();
        let other = root.path().join("other.txt");
        fs::write(&other, "mine").unwrap();
        let aside = |name: &str| root.path().join(format!("{name}.{}.tmp", std::process::id()));
        std::os::unix::fs::symlink(&other, aside("link.json")).unwrap();
        fs::write(aside("left.json"), "old and long").unwrap();
        for name in ["link.json", "left.json"] {
            write(&root.path().join(name), b"new").unwrap();
            assert_eq!(fs::read(root.path().join(name)).unwrap(), b"new", "{name}");
            let mode = fs::symlink_metadata(root.path().join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o177_777, 0o100_600, "{name}");
        }
        assert_eq!(names(root.path()), ["left.json", "link.json", "other.txt"]);
        assert_eq!(fs::read_to_string(other).unwrap(), "mine");
    }

    #[test]
    fn what_was_written_is_taken_back_if_the_rest_cannot_be() {
        let root = tempfile::tempdir().unwrap();
        let mut folder = FixtureFolder::open(root.path()).unwrap();
        // A folder in the place of the file, with something in it, cannot be replaced.
        fs::create_dir_all(root.path().join("fixtures.json/x")).unwrap();
        let error = folder.add(vec![item("hello")], Form::Transcript).unwrap_err();
        assert_eq!(error.path, root.path().join("fixtures.json"));
        assert_eq!(names(&root.path().join("transcripts")), [""; 0]);
        fs::remove_dir_all(root.path().join("fixtures.json")).unwrap();
        assert_eq!(folder.add(vec![item("hello")], Form::Transcript).unwrap().report.fixtures, 1);
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("fixtures.json"), b"\xff").unwrap();
        let error = FixtureFolder::open(root.path()).unwrap_err();
        assert!(matches!(error, FolderError::Read { path, .. } if path.ends_with("fixtures.json")));
    }
}
