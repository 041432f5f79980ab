//! Sees every settled request: writes its line, and remembers what `--strict` complains about.

use std::sync::{Mutex, PoisonError};

use super::line::{self, Stamp, plain};
use super::log::{Log, Paint};
use crate::serve::Entry;

/// What is told of each settled request.
#[derive(Debug)]
pub(super) struct Observer {
    log: Log,
    stamp: Stamp,
    paint: Paint,
    /// No lines.
    quiet: bool,
    unmatched: Mutex<Vec<String>>,
}

impl Observer {
    /// One that writes to `log`, unless it is to be quiet.
    pub(super) fn new(log: Log, stamp: Stamp, quiet: bool) -> Self {
        Self { log, stamp, paint: Paint::of_stderr(), quiet, unmatched: Mutex::default() }
    }

    /// A request has got its outcome.
    pub(super) fn settled(&self, entry: &Entry) {
        if entry.unmatched {
            let mut unmatched = self.unmatched.lock().unwrap_or_else(PoisonError::into_inner);
            if unmatched.len() < REMEMBERED {
                let why = entry.refusal.as_deref().unwrap_or("no fixture matches this request");
                unmatched.push(format!("{} {}: {}", entry.method, plain(&entry.path), plain(why)));
            }
        }
        if !self.quiet {
            self.log.line(line::settled(entry, &self.stamp.of(entry), self.paint));
        }
    }

    /// The first unmatched requests, one line each; `total` is how many there were.
    pub(super) fn unmatched(&self, total: u64) -> Vec<String> {
        let mut lines = self.unmatched.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let more = total.saturating_sub(lines.len() as u64);
        if more > 0 {
            lines.push(format!("and {more} more unmatched"));
        }
        lines
    }
}

/// How many unmatched requests are told one by one: the first ones show what is wrong.
const REMEMBERED: usize = 20;
