//! The machine: which cores are whose, how many files may be open, what a process used. Linux tells all of it;
//! elsewhere figures are missing, and the table says so.

use std::fs;
use std::thread;

use serde_json::{Value, json};

use crate::args::Args;
use crate::section::Section;

/// What is known about the machine, and what could be arranged on it.
#[derive(Debug)]
pub(crate) struct Machine {
    cores: usize,
    /// The cores of the servers, if they have their own.
    server_cores: Option<Vec<usize>>,
    files: Option<u64>,
    /// How much else ran before.
    busy: Option<f64>,
}

impl Machine {
    /// Looks around, takes other cores than the servers', and may open as many files as it can.
    pub(crate) fn prepare(args: &Args) -> Self {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let busy = fs::read_to_string("/proc/loadavg").ok();
        let busy = busy.and_then(|line| line.split(' ').next()?.parse().ok());
        let server_cores = apart(&args.cores).then(|| args.cores.clone());
        Self { cores, server_cores, files: open_files(), busy }
    }

    /// Why a section cannot be measured here, and the way out.
    pub(crate) fn refuses(&self, section: Section) -> Option<String> {
        let needed = section.sockets() as u64 + 100;
        let files = self.files.filter(|files| *files < needed)?;
        Some(format!(
            "{needed} files must be open at once, and {files} may be: raise it with `ulimit -Hn {needed}`"
        ))
    }

    /// How busy the machine was, where that spoils figures.
    pub(crate) fn noise(&self) -> Option<f64> {
        self.busy.filter(|busy| *busy > 0.5)
    }

    /// The machine in one line.
    pub(crate) fn line(&self) -> String {
        let cores = match &self.server_cores {
            Some(server) => {
                let server: Vec<String> = server.iter().map(usize::to_string).collect();
                format!("servers on core {}, the client on the others", server.join(", "))
            }
            None => "servers and client share them".to_owned(),
        };
        let system = match (first_line("/proc/sys/kernel/ostype"), first_line("/proc/sys/kernel/osrelease")) {
            (Some(name), Some(release)) => format!("{name} {release}"),
            _ => std::env::consts::OS.to_owned(),
        };
        let cpu = model().map(|model| format!(" ({model})")).unwrap_or_default();
        format!("{} {} cores{cpu}, {cores}; {system}", self.cores, std::env::consts::ARCH)
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "line": self.line(),
            "cores": self.cores,
            "server_cores": self.server_cores,
            "load_average_before": self.busy,
        })
    }
}

/// Nanoseconds of CPU that all threads of a process used.
pub(crate) fn cpu(process: u32) -> Option<u64> {
    let threads = fs::read_dir(format!("/proc/{process}/task")).ok()?;
    threads.map(|thread| scheduled(&thread.ok()?.path().join("schedstat").to_string_lossy())).sum()
}

/// Nanoseconds of CPU that this thread used.
pub(crate) fn own_cpu() -> Option<u64> {
    scheduled("/proc/thread-self/schedstat")
}

fn scheduled(path: &str) -> Option<u64> {
    first_line(path)?.split(' ').next()?.parse().ok()
}

/// Bytes of memory that a process holds.
pub(crate) fn memory(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

fn first_line(path: &str) -> Option<String> {
    Some(fs::read_to_string(path).ok()?.lines().next()?.to_owned())
}

fn model() -> Option<String> {
    let cpus = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = cpus.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(": ")?.1.to_owned())
}

/// Leaves these cores to the servers; false where that is not possible, and then nothing has changed.
#[cfg(target_os = "linux")]
fn apart(servers: &[usize]) -> bool {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

    let Ok(all) = sched_getaffinity(None) else { return false };
    if !servers.iter().all(|core| *core < CpuSet::MAX_CPU && all.is_set(*core)) {
        return false;
    }
    let mut own = all;
    servers.iter().for_each(|core| own.unset(*core));
    own.count() > 0 && sched_setaffinity(None, &own).is_ok()
}

/// Does something on other cores: what it starts stays there.
#[cfg(target_os = "linux")]
pub(crate) fn on_cores<T>(cores: &[usize], task: impl FnOnce() -> T) -> T {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

    let before = sched_getaffinity(None);
    let mut theirs = CpuSet::new();
    cores.iter().filter(|core| **core < CpuSet::MAX_CPU).for_each(|core| theirs.set(*core));
    // Where `apart` could not be, the own cores are all there are, these among them.
    let moved = before.is_ok_and(|own| cores.iter().all(|core| !own.is_set(*core)))
        && sched_setaffinity(None, &theirs).is_ok();
    let done = task();
    if let (true, Ok(own)) = (moved, before) {
        // It was allowed before.
        let _ = sched_setaffinity(None, &own);
    }
    done
}

/// How many files this process and those it starts may open, once that is raised as far as it goes.
#[cfg(target_os = "linux")]
fn open_files() -> Option<u64> {
    use rustix::process::{Resource, getrlimit, setrlimit};

    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // The soft limit remains where that fails.
    let _ = setrlimit(Resource::Nofile, limit);
    getrlimit(Resource::Nofile).current
}

#[cfg(not(target_os = "linux"))]
fn apart(_servers: &[usize]) -> bool {
    false
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn on_cores<T>(_cores: &[usize], task: impl FnOnce() -> T) -> T {
    task()
}

#[cfg(not(target_os = "linux"))]
fn open_files() -> Option<u64> {
    None
}
