//! The journal: what was asked, what answered, and how it ended. Bounded, without secrets.

use std::collections::VecDeque;
use std::fmt;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::clock;
use super::entry::{Entry, Outcome};
use super::lines::Lines;
use crate::plan::timeline::Ending;

/// The requests a server answered, oldest first.
///
/// Cloning gives another handle to the same journal. It keeps the last 1,000 entries
/// ([`Builder::journal_limit`](super::Builder::journal_limit)).
#[derive(Clone)]
pub struct Journal {
    shared: Arc<Shared>,
    /// Only entries of this session are seen; `None` sees all.
    session: Option<String>,
}

struct Shared {
    ring: Mutex<Ring>,
    limit: usize,
    changed: Notify,
    on_settled: Option<OnSettled>,
}

/// What is called with each entry once it has its outcome.
pub(crate) type OnSettled = Box<dyn Fn(&Entry) + Send + Sync>;

#[derive(Default)]
struct Ring {
    entries: VecDeque<Entry>,
    /// The id of the last entry.
    last: u64,
}

impl Journal {
    pub(crate) fn new(limit: usize, on_settled: Option<OnSettled>) -> Self {
        let ring = Mutex::new(Ring::default());
        let shared = Shared { ring, limit: limit.max(1), changed: Notify::new(), on_settled };
        Self { shared: Arc::new(shared), session: None }
    }

    /// The same journal, showing only the requests of a session.
    #[must_use]
    pub fn session(&self, name: impl Into<String>) -> Self {
        Self { shared: Arc::clone(&self.shared), session: Some(name.into()) }
    }

    /// All entries, oldest first, those still running included.
    pub fn entries(&self) -> Vec<Entry> {
        self.ring().entries.iter().filter(|entry| self.shows(entry)).cloned().collect()
    }

    /// The entry with this id, unless it was forgotten.
    pub fn entry(&self, id: u64) -> Option<Entry> {
        let ring = self.ring();
        ring.entries.iter().rev().find(|entry| entry.id == id && self.shows(entry)).cloned()
    }

    /// Waits until `n` requests have ended, and returns all that have, oldest first.
    ///
    /// The journal forgets entries beyond its limit; an `n` above the limit counts as the limit.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing: the entries stay in the journal.
    pub async fn settled(&self, n: usize) -> Vec<Entry> {
        let n = n.min(self.shared.limit);
        loop {
            let mut changed = pin!(self.shared.changed.notified());
            changed.as_mut().enable();
            let settled = self.settled_now();
            if settled.len() >= n {
                return settled;
            }
            changed.await;
        }
    }

    /// Forgets all entries that it shows.
    pub(crate) fn clear(&self) {
        self.ring().entries.retain(|entry| !self.shows(entry));
    }

    /// The id of an entry to come.
    pub(crate) fn next_id(&self) -> u64 {
        let mut ring = self.ring();
        ring.last += 1;
        ring.last
    }

    /// Stores an entry and returns what settles it.
    pub(crate) fn begin(&self, entry: Entry, lines: Arc<Lines>, ending: Ending) -> Settlement {
        let settlement = Settlement {
            journal: self.clone(),
            lines,
            ending,
            id: entry.id,
            began: clock::now(),
            events: 0,
            open: true,
        };
        let mut ring = self.ring();
        // Ids are given at admission, so that the journal has the order in which fixtures were hit.
        let place = ring.entries.iter().rposition(|before| before.id < entry.id).map_or(0, |index| index + 1);
        ring.entries.insert(place, entry);
        if ring.entries.len() > self.shared.limit {
            ring.entries.pop_front();
        }
        settlement
    }

    fn settle(&self, id: u64, outcome: Outcome, duration: Duration) {
        let settled = {
            let mut ring = self.ring();
            // An entry that was forgotten meanwhile has nobody to tell.
            let Ok(index) = ring.entries.binary_search_by_key(&id, |entry| entry.id) else {
                return;
            };
            let entry = &mut ring.entries[index];
            entry.events_sent = outcome.events();
            entry.duration = Some(duration);
            entry.outcome = Some(outcome);
            self.shared.on_settled.as_ref().map(|_| entry.clone())
        };
        self.shared.changed.notify_waiters();
        if let (Some(call), Some(entry)) = (&self.shared.on_settled, settled) {
            call(&entry);
        }
    }

    fn settled_now(&self) -> Vec<Entry> {
        let ring = self.ring();
        let settled = ring.entries.iter().filter(|entry| self.shows(entry) && entry.outcome.is_some());
        settled.cloned().collect()
    }

    fn shows(&self, entry: &Entry) -> bool {
        self.session.as_ref().is_none_or(|session| *session == entry.session)
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.shared.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ring = self.ring();
        out.debug_struct("Journal")
            .field("session", &self.session)
            .field("entries", &ring.entries.len())
            .finish()
    }
}

/// Gives an entry its outcome, exactly once: by a method, or by being dropped, which means that the
/// client left or that the server was stopped.
pub(crate) struct Settlement {
    journal: Journal,
    lines: Arc<Lines>,
    ending: Ending,
    id: u64,
    began: tokio::time::Instant,
    events: usize,
    open: bool,
}

impl Settlement {
    /// How many events are out.
    pub(crate) fn progress(&mut self, events: usize) {
        self.events = events;
    }

    /// The id of the entry.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Everything that was planned is out, and the response ends as planned.
    pub(crate) fn complete(mut self) {
        let events = self.events;
        self.settle(match self.ending {
            Ending::Complete => Outcome::Completed { events },
            ending => Outcome::Faulted { events, ending },
        });
    }

    fn settle(&mut self, outcome: Outcome) {
        self.open = false;
        self.journal.settle(self.id, outcome, clock::now() - self.began);
    }
}

impl Drop for Settlement {
    fn drop(&mut self) {
        if self.open {
            let events = self.events;
            self.settle(match self.lines.is_cut() {
                true => Outcome::Cut { events },
                false => Outcome::ClientLeft { events },
            });
        }
    }
}

impl fmt::Debug for Settlement {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Settlement")
            .field("id", &self.id)
            .field("events", &self.events)
            .finish_non_exhaustive()
    }
}
