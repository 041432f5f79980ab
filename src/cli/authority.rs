//! The certificate of the authority that a server made for its run, where clients find it.

use std::env;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::failure::Failure;

/// A PEM file in the folder for temporary files; dropping it removes the file.
#[derive(Debug)]
#[must_use = "dropping it removes the file"]
pub(super) struct Authority {
    path: PathBuf,
}

impl Authority {
    /// Writes the certificate. The name follows from the port, so that a client's settings survive a
    /// restart of the server.
    pub(super) fn write(pem: &str, port: u16) -> Result<Self, Failure> {
        let path = env::temp_dir().join(format!("llmirage-ca-{port}.pem"));
        match replace(&path, pem) {
            Ok(()) => Ok(Self { path }),
            Err(source) => Err(Failure::Write { path, source }),
        }
    }

    /// Where the certificate is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        // It may be gone already; nothing depends on it any more.
        let _ = fs::remove_file(&self.path);
    }
}

/// The folder is everybody's: a file or link that is there already is not written through.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    OpenOptions::new().write(true).create_new(true).open(path)?.write_all(text.as_bytes())
}
