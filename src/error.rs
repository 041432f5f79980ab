//! What can go wrong, one type per audience: [`LoadErrors`] for authors of fixtures,
//! [`StartError`] for whoever starts a server. Clients are told in their API's own words
//! ([`Reject`](crate::plan::reject::Reject)).

use std::error::Error;
use std::fmt;
use std::path::PathBuf;

/// Every problem of a fixture set, in the order of files and places.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.listing())]
pub struct LoadErrors(Vec<LoadError>);

/// One problem of a fixture set: where, what, and the way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadError {
    /// The file; `None` for fixtures built in code.
    pub file: Option<PathBuf>,
    /// The name of a fixture built in code.
    pub fixture: Option<String>,
    /// Line and column, from 1; `None` where there is no text.
    pub place: Option<(usize, usize)>,
    /// The JSON pointer of the value at fault.
    pub pointer: String,
    /// What is wrong and what would be right, a lower-case fragment.
    pub message: String,
}

impl LoadErrors {
    /// The problems; `None` where there are none.
    pub fn new(errors: Vec<LoadError>) -> Option<Self> {
        (!errors.is_empty()).then_some(Self(errors))
    }

    /// The problems, at least one.
    pub fn iter(&self) -> impl Iterator<Item = &LoadError> {
        self.0.iter()
    }

    fn listing(&self) -> String {
        self.0.iter().map(LoadError::to_string).collect::<Vec<_>>().join("\n")
    }
}

/// `file:line:column: pointer: message`, without what is unknown.
impl fmt::Display for LoadError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(out, "{}:", file.display())?;
            if let Some((line, column)) = self.place {
                write!(out, "{line}:{column}:")?;
            }
            out.write_str(" ")?;
        }
        if let Some(fixture) = &self.fixture {
            write!(out, "fixture {fixture:?}: ")?;
        }
        if !self.pointer.is_empty() {
            write!(out, "{}: ", self.pointer)?;
        }
        out.write_str(&self.message)
    }
}

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The fixtures do not load.
    #[error("the fixtures do not load")]
    Load(#[from] LoadErrors),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address asked for.
        address: std::net::SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// A non-loopback address without the means to protect the admin API.
    #[error("{address} is open to the network: give an admin token, or listen on a loopback address")]
    Exposed {
        /// The address asked for.
        address: std::net::SocketAddr,
    },
    /// The certificate or key cannot be used.
    #[error("cannot use the TLS certificate{}", .file.as_ref().map(|file| format!(": {}", file.display())).unwrap_or_default())]
    Tls {
        /// The file at fault; `None` where it is not one alone.
        file: Option<PathBuf>,
        /// What is wrong with it.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The address of the service to record is none.
    #[error("{0}")]
    Upstream(String),
    /// The folder of recordings cannot be read.
    #[error("cannot read {}", .path.display())]
    Folder {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The system refuses a thread.
    #[error("cannot start a thread")]
    Thread(#[source] std::io::Error),
    /// A fault that was given makes no sense, or does not go with another.
    #[error("{0}")]
    Fault(String),
    /// The timeline that was given breaks its own rules.
    #[error("the timeline cannot be played: {0}")]
    Timeline(&'static str),
}
