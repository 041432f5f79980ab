//! The `llmirage` binary: parse, run, exit code. Everything else is in the library's `cli`.

use std::env;
use std::process::ExitCode;

use llmirage::cli;

fn main() -> ExitCode {
    match cli::parse(env::args_os()).and_then(cli::run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
