//! The command line: what was typed ([`args`]), what it means (`options`), and one file per command.
//!
//! The only part of the package that prints, reads the environment or listens to signals. It is not
//! part of the library's interface.

use std::ffi::OsString;

pub mod args;
mod authority;
mod banner;
mod check;
mod failure;
mod faults;
mod fixtures;
mod import;
mod line;
mod log;
mod observer;
mod options;
mod output;
mod plan;
mod ready;
mod record;
mod request;
mod schema;
mod serve;
mod signals;
mod values;
mod watch;

pub use args::{Command, LowArgs};
pub use failure::Failure;

/// Reads a command line, the program's name first.
///
/// # Errors
///
/// When it is not one of ours, and when it asks for help or the version.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Command, Failure> {
    LowArgs::read(args).map_err(Failure::Arguments)
}

/// Does what the command line asks for.
///
/// # Errors
///
/// When it cannot be done; [`Failure::report`] says so and gives the exit code.
pub fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Serve(args) => serve::run(options::Serve::new(*args)?),
        Command::Check(args) => check::run(&args),
        Command::Plan(args) => plan::run(&args),
        Command::Import(args) => import::run(&args),
        Command::Record(args) => record::run(*args),
        Command::Faults(args) => faults::run(&args),
        Command::Schema => schema::run(),
    }
}
