//! Why a command did not do what it was asked to: what is printed, once, and the exit code.

use std::error::Error;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use crate::error::{LoadErrors, StartError};

/// Why a command did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The command line is wrong, or asks for help or the version.
    #[error("{0}")]
    Arguments(clap::Error),
    /// The flags are right one by one but not together.
    #[error("{0}")]
    Usage(String),
    /// The fixtures do not load.
    #[error("{}", count(.0.iter().count(), "problem"))]
    Load(LoadErrors),
    /// `check` found problems, and has printed them.
    #[error("{0}")]
    Checked(String),
    /// A file named on the command line cannot be read.
    #[error("cannot read {}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The ready file or the certificate cannot be written.
    #[error("cannot write {}", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Some exchanges of captures were not imported; why was printed.
    #[error("{} of {} not imported", lost, count(*of, "exchange"))]
    Imported {
        /// How many.
        lost: usize,
        /// Of how many.
        of: usize,
    },
    /// The server does not start.
    #[error(transparent)]
    Start(StartError),
    /// The system refuses threads, signals or file events.
    #[error("cannot {task}")]
    System {
        /// What was to be done.
        task: &'static str,
        /// What the system says.
        source: Box<dyn Error + Send + Sync>,
    },
    /// stdout cannot be written.
    #[error("cannot write to stdout")]
    Output(#[from] io::Error),
    /// `--strict`: what was expected and did not happen, or the other way round.
    #[error("--strict: {}", missed(.0))]
    Strict(Vec<String>),
}

impl Failure {
    /// Prints the failure and gives the exit code. A reader of stdout that left is no failure.
    pub fn report(&self) -> ExitCode {
        match self {
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                return ExitCode::SUCCESS;
            }
            Self::Arguments(error) => return report_arguments(error),
            Self::Load(errors) => say(&errors.to_string()),
            _ => {}
        }
        say(&format!("llmirage: {}", chain(self)));
        ExitCode::from(self.code())
    }

    /// 1: failed at run time; 2: the command line or the fixtures are wrong.
    fn code(&self) -> u8 {
        match self {
            Self::Arguments(_) | Self::Usage(_) | Self::Load(_) | Self::Checked(_) | Self::Read { .. } => 2,
            Self::Start(
                StartError::Load(_)
                | StartError::Exposed { .. }
                | StartError::Tls { .. }
                | StartError::Fault(_)
                | StartError::Upstream(_)
                | StartError::Folder { .. },
            ) => 2,
            Self::Start(_)
            | Self::Write { .. }
            | Self::Imported { .. }
            | Self::System { .. }
            | Self::Output(_)
            | Self::Strict(_) => 1,
        }
    }
}

/// An error and what caused it: `cannot read a.json: No such file or directory`.
pub(super) fn chain(error: &dyn Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| Error::source(*cause));
    std::iter::once(error).chain(causes).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// `1 problem`, `2 problems`.
pub(super) fn count(number: usize, noun: &str) -> String {
    match number {
        1 => format!("1 {noun}"),
        _ => format!("{number} {noun}s"),
    }
}

/// What `--strict` complains about, one thing a line.
fn missed(missed: &[String]) -> String {
    let lines: String = missed.iter().map(|line| format!("\n  {line}")).collect();
    match missed.len() {
        1 => format!("1 expectation was not met{lines}"),
        many => format!("{many} expectations were not met{lines}"),
    }
}

/// clap's own words, but in our name.
fn report_arguments(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        // Help and the version: what was asked for, with colours where stdout shows them.
        return match error.print() {
            Err(failed) if failed.kind() != io::ErrorKind::BrokenPipe => Failure::Output(failed).report(),
            _ => ExitCode::SUCCESS,
        };
    }
    let text = error.render().to_string();
    say(format!("llmirage: {}", text.strip_prefix("error: ").unwrap_or(&text)).trim_end());
    ExitCode::from(2)
}

/// Writes a line to stderr. Nobody is left to be told when that fails.
pub(super) fn say(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chain_of_causes_is_printed_once() {
        let source = io::Error::new(io::ErrorKind::NotFound, "gone");
        let failure = Failure::Read { path: "a.json".into(), source };
        assert_eq!(chain(&failure), "cannot read a.json: gone");
    }

    #[test]
    fn counts_have_a_plural() {
        assert_eq!([count(0, "file"), count(1, "file"), count(2, "file")], ["0 files", "1 file", "2 files"]);
    }
}
