//! The ready file: the base URL, there once connections are accepted and gone at shutdown.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::failure::Failure;

/// A ready file; dropping it removes the file.
#[derive(Debug)]
#[must_use = "dropping it removes the file"]
pub(super) struct ReadyFile {
    path: PathBuf,
}

impl ReadyFile {
    /// Removes what an earlier run left behind: whoever waits for the file waits for this run.
    pub(super) fn claim(path: PathBuf) -> Result<Self, Failure> {
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(Failure::Write { path, source }),
            _ => Ok(Self { path }),
        }
    }

    /// Writes the URL. The file appears whole: it is written aside and renamed.
    pub(super) fn write(&self, url: &str) -> Result<(), Failure> {
        let aside = aside(&self.path);
        let written = fs::write(&aside, url).and_then(|()| fs::rename(&aside, &self.path));
        written.map_err(|source| {
            let _ = fs::remove_file(&aside);
            Failure::Write { path: self.path.clone(), source }
        })
    }
}

impl Drop for ReadyFile {
    fn drop(&mut self) {
        // It may be gone already; nothing depends on it any more.
        let _ = fs::remove_file(&self.path);
    }
}

/// A name in the same folder, since a rename works only within a file system.
fn aside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_file_is_gone_before_and_ours_after() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("url");
        fs::write(&path, "stale").unwrap();

        let ready = ReadyFile::claim(path.clone()).unwrap();
        assert!(!path.exists());
        ready.write("http://127.0.0.1:1").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "http://127.0.0.1:1");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        drop(ready);
        assert!(!path.exists());
    }
}
