//! The processes that are measured: llmirage and the two limits.

use std::error::Error;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::args::Args;
use crate::machine;
use crate::section::Setup;

/// What serves.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Subject {
    Llmirage,
    Raw,
    Hyper,
}

impl Subject {
    pub(crate) const ALL: [Self; 3] = [Self::Llmirage, Self::Raw, Self::Hyper];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Llmirage => "llmirage",
            Self::Raw => "raw",
            Self::Hyper => "hyper",
        }
    }
}

/// The release build of llmirage, built if none is given.
pub(crate) fn built(args: &Args) -> Result<PathBuf, Box<dyn Error>> {
    if let Some(binary) = &args.binary {
        return Ok(binary.canonicalize().map_err(|error| format!("{}: {error}", binary.display()))?);
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let build = ["build", "--release", "--quiet", "--bin", "llmirage", "--manifest-path", manifest];
    if !Command::new(cargo).args(build).stdin(Stdio::null()).status()?.success() {
        return Err("llmirage does not build".into());
    }
    // This program is `TARGET/PROFILE/examples/load`.
    let own = std::env::current_exe()?;
    let target = own.ancestors().nth(3).ok_or("this program is not where Cargo puts it: say --binary")?;
    let binary = target.join("release").join("llmirage").with_extension(std::env::consts::EXE_EXTENSION);
    match binary.exists() {
        true => Ok(binary),
        false => Err(format!("no llmirage at {}: say --binary", binary.display()).into()),
    }
}

/// A server on a free port; ended when it is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    process: Child,
    pub(crate) address: SocketAddr,
    /// From the start of the process until it said that it accepts.
    pub(crate) ready_after: Duration,
}

impl Server {
    pub(crate) fn start(setup: &Setup, subject: Subject, args: &Args) -> Result<Self, Box<dyn Error>> {
        let ready = setup.folder.path().join("ready");
        // A file that is left from a server that was ended is not this one's.
        if ready.exists() {
            fs::remove_file(&ready)?;
        }
        let mut command = match subject {
            Subject::Llmirage => llmirage(setup, &ready, args),
            Subject::Raw | Subject::Hyper => limit(setup, &ready, subject)?,
        };
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let started = Instant::now();
        let process = machine::on_cores(&args.cores, || command.spawn())?;
        let mut server =
            Self { process, address: SocketAddr::from(([0; 4], 0)), ready_after: Duration::ZERO };
        let url = server.wait_for(&ready, started)?;
        server.ready_after = started.elapsed();
        server.address = url.trim().trim_start_matches("http://").parse()?;
        Ok(server)
    }

    /// The file's content, once there is one.
    fn wait_for(&mut self, ready: &Path, started: Instant) -> Result<String, Box<dyn Error>> {
        loop {
            match fs::read_to_string(ready) {
                Ok(url) => return Ok(url),
                Err(_) => std::thread::sleep(Duration::from_micros(100)),
            }
            if let Some(status) = self.process.try_wait()? {
                return Err(format!("the server ended before it accepted: {status}").into());
            }
            if started.elapsed() > READY_WITHIN {
                return Err(format!("the server does not accept within {READY_WITHIN:?}").into());
            }
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // What is measured is over, and a server that has ended already is as good.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn llmirage(setup: &Setup, ready: &Path, args: &Args) -> Command {
    let mut command = Command::new(&setup.binary);
    command.arg("serve").arg(&setup.fixtures).arg("--ready-file").arg(ready);
    command.args(["--listen", "127.0.0.1:0", "--quiet", "--max-connections", "20000"]).args(&args.serve);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("LLMIRAGE_")) {
        command.env_remove(name);
    }
    command
}

/// This program, as one of the limits.
fn limit(setup: &Setup, ready: &Path, subject: Subject) -> Result<Command, Box<dyn Error>> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--limit", subject.name()]);
    command.arg("--answer").arg(&setup.answer_file).arg("--ready").arg(ready);
    Ok(command)
}

const READY_WITHIN: Duration = Duration::from_secs(20);
