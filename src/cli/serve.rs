//! `llmirage serve`: from options to a server that runs until it is told to stop.

use std::fs;
use std::path::PathBuf;

use tokio::runtime;

use super::banner::{self, Banner};
use super::failure::{Failure, count};
use super::line;
use super::log::{Log, Paint, Written};
use super::options::{Fixtures, Serve};
use super::output::print;
use super::ready::ReadyFile;
use super::signals::Signals;
use super::values::Certificate;
use super::watch::Watch;
use crate::error::LoadErrors;
use crate::serve::{MockServer, Tls};

/// Serves until a signal ends it.
pub(super) fn run(options: Serve) -> Result<(), Failure> {
    let threads = runtime::Builder::new_multi_thread().enable_all().build();
    let threads = threads.map_err(|source| Failure::System { task: "start threads", source: source.into() })?;
    let (log, written) = Log::start()?;
    let served = threads.block_on(serve(options, &log));
    // Connections that a second signal left behind end with their threads.
    threads.shutdown_background();
    log.finish(&written);
    served
}

async fn serve(options: Serve, log: &Log) -> Result<(), Failure> {
    // Caught before anything is announced: whoever reads the URL may signal at once.
    let signals = Signals::catch();
    let mut signals = signals.map_err(|source| Failure::System { task: "catch signals", source: source.into() })?;
    let fixtures = options.fixtures.load().map_err(Failure::Load)?;
    let ready = options.ready_file.map(ReadyFile::claim).transpose()?;
}
