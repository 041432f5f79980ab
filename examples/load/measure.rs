//! One measurement: a fresh server, one load, what came of it.

use std::error::Error;
use std::time::{Duration, Instant};

use crate::args::Args;
use crate::client::{Client, Closed, Paced};
use crate::machine;
use crate::section::{Load, Setup};
use crate::server::{Server, Subject};

/// A row of the table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Metric {
    pub(crate) name: &'static str,
    /// Decimals that mean something.
    pub(crate) decimals: usize,
    /// Whether it is compared with the limits.
    pub(crate) compared: bool,
}

/// What one measurement found, in the order of the rows.
pub(crate) type Found = Vec<(Metric, f64)>;

const fn compared(name: &'static str, decimals: usize) -> Metric {
    Metric { name, decimals, compared: true }
}

const fn alone(name: &'static str, decimals: usize) -> Metric {
    Metric { name, decimals, compared: false }
}

const READY: Metric = compared("ready after, ms", 1);
const IDLE: Metric = compared("idle memory, MiB", 1);
pub(crate) const BINARY: Metric = alone("binary, MiB", 1);
const ANSWERS: Metric = compared("answers/s", 0);
const EVENTS: Metric = compared("events/s", 0);
const CPU_ANSWER: Metric = compared("CPU per answer, µs", 1);
const CPU_EVENT: Metric = compared("CPU per event, µs", 2);
const LATE: [(Metric, f64); 4] = [
    (compared("late p50, ms", 2), 0.5),
    (compared("late p99, ms", 2), 0.99),
    (compared("late p99.9, ms", 2), 0.999),
    (compared("late max, ms", 2), 1.0),
];
const DRIFT: Metric = alone("drift over a stream, ms", 2);
const MEMORY: Metric = compared("memory per stream, KiB", 1);
pub(crate) const EARLY: Metric = alone("events early", 0);
pub(crate) const FAILED: Metric = alone("failed", 0);
pub(crate) const CLIENT: Metric = alone("client's core busy, %", 0);

/// Measures once. What is no figure here, because the system does not tell, is left out.
pub(crate) fn measure(setup: &Setup, subject: Subject, args: &Args) -> Result<Found, Box<dyn Error>> {
    let server = Server::start(setup, subject, args)?;
    let found = match setup.section.load() {
        Load::None => start(setup, subject, &server),
        Load::Closed { connections } => {
            setup.answer.check(server.address, subject != Subject::Llmirage)?;
            closed(setup, &server, connections, args.window())?
        }
        Load::Paced { streams } => {
            setup.answer.check(server.address, subject != Subject::Llmirage)?;
            paced(setup, &server, streams)?
        }
    };
    Ok(found)
}

fn start(setup: &Setup, subject: Subject, server: &Server) -> Found {
    // What it does after it accepts is part of what it holds when idle.
    std::thread::sleep(SETTLING);
    let mut found = vec![(READY, server.ready_after.as_secs_f64() * 1e3)];
    found.extend(machine::memory(server.id()).map(|bytes| (IDLE, float(bytes) / MIB)));
    if subject == Subject::Llmirage {
        let size = std::fs::metadata(&setup.binary).map(|file| file.len());
        found.extend(size.ok().map(|bytes| (BINARY, float(bytes) / MIB)));
    }
    found
}

fn closed(
    setup: &Setup,
    server: &Server,
    connections: usize,
    window: Duration,
) -> Result<Found, Box<dyn Error>> {
    let mut client = Client::connect(server.address, connections, &setup.answer)?;
    let mut used = Vec::with_capacity(2);
    let Closed { responses, failures, elapsed } =
        client.closed(window, || used.push((machine::cpu(server.id()), machine::own_cpu())))?;
    let rate = float(responses) / elapsed.as_secs_f64();
    let mut found = vec![(ANSWERS, rate)];
    let events = setup.answer.events.len() as u64;
    if events > 1 {
        found.push((EVENTS, rate * float(events)));
    }
    let [(server_before, own_before), (server_after, own_after)] = used[..] else {
        return Err("the window has a beginning and an end".into());
    };
    found
        .extend(spent(server_before, server_after).map(|nanos| (CPU_ANSWER, nanos / 1e3 / float(responses))));
    found.push((FAILED, float(failures)));
    found.extend(spent(own_before, own_after).map(|nanos| (CLIENT, share(nanos, elapsed))));
    Ok(found)
}

fn paced(setup: &Setup, server: &Server, streams: usize) -> Result<Found, Box<dyn Error>> {
    let id = server.id();
    let memory_before = machine::memory(id);
    let mut client = Client::connect(server.address, streams, &setup.answer)?;
    let (cpu_before, own_before, begun) = (machine::cpu(id), machine::own_cpu(), Instant::now());
    let mut memory_open = None;
    let mut seen = client.paced(|| memory_open = machine::memory(id))?;
    let busy = begun.elapsed();
    let Paced { late, drift, early, failures, elapsed } = &mut seen;
    late.sort_by(f64::total_cmp);
    drift.sort_by(f64::total_cmp);
    let events = float(late.len() as u64);
    let mut found = vec![(EVENTS, events / elapsed.as_secs_f64())];
    found.extend(LATE.iter().filter_map(|(metric, share)| Some((*metric, quantile(late, *share)? / 1e3))));
    found.extend(quantile(drift, 0.5).map(|micros| (DRIFT, micros / 1e3)));
    found.push((EARLY, float(*early)));
    found.push((FAILED, float(*failures)));
    found.extend(spent(cpu_before, machine::cpu(id)).map(|nanos| (CPU_EVENT, nanos / 1e3 / events)));
    // Of a few streams it is what a page is rounded to.
    if let (true, Some(before), Some(open)) = (streams >= 1000, memory_before, memory_open) {
        found.push((MEMORY, (float(open) - float(before)) / 1024.0 / float(streams as u64)));
    }
    found.extend(spent(own_before, machine::own_cpu()).map(|nanos| (CLIENT, share(nanos, busy))));
    Ok(found)
}

/// The value that this share of all sorted values does not exceed.
fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let rank = (share * float(sorted.len() as u64)).ceil();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rank among as many values"
    )]
    let index = (rank as usize).saturating_sub(1);
    sorted.get(index).copied()
}

fn spent(before: Option<u64>, after: Option<u64>) -> Option<f64> {
    Some(float(after?.saturating_sub(before?)))
}

fn share(nanos: f64, elapsed: Duration) -> f64 {
    nanos / 1e9 / elapsed.as_secs_f64() * 100.0
}

#[expect(clippy::cast_precision_loss, reason = "counts and bytes below 2^53")]
pub(crate) fn float(count: u64) -> f64 {
    count as f64
}

const MIB: f64 = 1024.0 * 1024.0;

/// How long a server that was just started is left alone.
const SETTLING: Duration = Duration::from_millis(200);
