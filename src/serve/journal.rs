//! The journal: what was asked, what answered, and how it ended. Bounded, without secrets.

use std::collections::VecDeque;
use std::fmt;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::Notify;

use super::clock;
use super::entry::{Entry, Outcome};
use super::lines::{Line, Lines};
use super::redact;
use crate::plan::timeline::Ending;

/// The requests a server answered, oldest first.
///
/// Cloning gives another handle to the same journal. It keeps the last 1,000 entries
/// ([`Builder::journal_limit`](super::Builder::journal_limit)), and fewer where those are larger than
/// 64 MiB together.
#[derive(Clone)]
pub struct Journal {
    shared: Arc<Shared>,
    /// Only entries of this session are seen; `None` sees all.
    session: Option<String>,
}

struct Shared {
    ring: Mutex<Ring>,
    limit: usize,
    /// The id of the last entry.
    last: AtomicU64,
    changed: Notify,
    on_settled: Option<OnSettled>,
}

/// What is called with each entry once it has its outcome.
pub(crate) type OnSettled = Box<dyn Fn(&Entry) + Send + Sync>;

/// The records, by their ids.
#[derive(Default)]
struct Ring {
    records: VecDeque<Record>,
    /// How many bytes they take.
    weight: usize,
}

/// An entry as it was when it began, and how it ended since. Cheap to clone, so that entries are
/// copied for readers without the lock.
#[derive(Clone)]
struct Record {
    entry: Arc<Entry>,
    weight: usize,
    end: Option<End>,
}

#[derive(Clone, Copy)]
struct End {
    outcome: Outcome,
    duration: Duration,
}

impl Journal {
    pub(crate) fn new(limit: usize, on_settled: Option<OnSettled>) -> Self {
        let (ring, last) = (Mutex::new(Ring::default()), AtomicU64::new(0));
        let shared = Shared { ring, limit: limit.max(1), last, changed: Notify::new(), on_settled };
        Self { shared: Arc::new(shared), session: None }
    }

    /// The same journal, showing only the requests of a session.
    #[must_use]
    pub fn session(&self, name: impl Into<String>) -> Self {
        // As entries have it.
        let name = redact::text(&name.into()).into_owned();
        Self { shared: Arc::clone(&self.shared), session: Some(name) }
    }

    /// All entries, oldest first, those still running included.
    pub fn entries(&self) -> Vec<Entry> {
        self.latest(usize::MAX, |_| true)
    }

    /// The entry with this id, unless it was forgotten.
    pub fn entry(&self, id: u64) -> Option<Entry> {
        let record = {
            let ring = self.ring();
            let index = ring.find(id)?;
            ring.records[index].clone()
        };
        self.shows(&record.entry).then(|| record.to_entry())
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
            let settled = |record: &&Record| record.end.is_some() && self.shows(&record.entry);
            let count = self.ring().records.iter().filter(settled).count();
            if count >= n {
                return self.records(usize::MAX, |record| record.end.is_some());
            }
            changed.await;
        }
    }

    /// The last `limit` entries that `wanted` picks, oldest first.
    pub(crate) fn latest(&self, limit: usize, wanted: impl Fn(&Entry) -> bool) -> Vec<Entry> {
        self.records(limit, |record| wanted(&record.entry))
    }

    fn records(&self, limit: usize, wanted: impl Fn(&Record) -> bool) -> Vec<Entry> {
        let records: Vec<_> = {
            let ring = self.ring();
            let shown = ring.records.iter().rev().filter(|record| self.shows(&record.entry));
            shown.filter(|record| wanted(record)).take(limit).cloned().collect()
        };
        records.iter().rev().map(Record::to_entry).collect()
    }

    /// Forgets all entries that it shows. Those still running get their outcome nonetheless: who
    /// listens is told.
    pub(crate) fn clear(&self) {
        let mut ring = self.ring();
        ring.records.retain(|record| !self.shows(&record.entry));
        ring.weight = ring.records.iter().map(|record| record.weight).sum();
    }

    /// The id of an entry to come.
    pub(crate) fn next_id(&self) -> u64 {
        self.shared.last.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// An entry that is not complete yet. Whatever happens, it will be in the journal.
    pub(crate) fn draft(&self, entry: Entry, lines: Arc<Lines>) -> Draft {
        Draft { journal: self.clone(), lines, entry: Some(entry) }
    }

    fn store(&self, entry: &Arc<Entry>) {
        let record = Record { entry: Arc::clone(entry), weight: entry.weight(), end: None };
        let forgotten = self.ring().insert(record, self.shared.limit);
        // What it takes to drop them, nobody else waits for.
        drop(forgotten);
    }

    fn settle(&self, entry: &Arc<Entry>, end: End) {
        {
            let mut ring = self.ring();
            if let Some(index) = ring.find(entry.id) {
                ring.records[index].end = Some(end);
            }
        }
        self.shared.changed.notify_waiters();
        if let Some(call) = &self.shared.on_settled {
            call(&Record { entry: Arc::clone(entry), weight: 0, end: Some(end) }.to_entry());
        }
    }

    fn shows(&self, entry: &Entry) -> bool {
        self.session.as_ref().is_none_or(|session| *session == entry.session)
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.shared.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
    /// Inserts a record, and takes out the oldest ones beyond the limits.
    fn insert(&mut self, record: Record, limit: usize) -> Vec<Record> {
        // Ids are given at admission, so that the journal has the order in which fixtures were hit.
        let place = self.records.partition_point(|before| before.entry.id < record.entry.id);
        self.weight += record.weight;
        self.records.insert(place, record);
        let mut forgotten = Vec::new();
        while self.records.len() > limit || self.weight > MAX_WEIGHT {
            let Some(oldest) = self.records.pop_front() else { break };
            self.weight -= oldest.weight;
            forgotten.push(oldest);
        }
        forgotten
    }

    fn find(&self, id: u64) -> Option<usize> {
        self.records.binary_search_by_key(&id, |record| record.entry.id).ok()
    }
}

impl Record {
    fn to_entry(&self) -> Entry {
        let mut entry = Entry::clone(&self.entry);
        if let Some(End { outcome, duration }) = self.end {
            entry.events_sent = outcome.events();
            entry.duration = Some(duration);
            entry.outcome = outcome;
        }
        entry
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ring = self.ring();
        out.debug_struct("Journal")
            .field("session", &self.session)
            .field("entries", &ring.records.len())
            .finish()
    }
}

/// An entry whose answer is being decided. Dropped before it begins, which only a panic does, it
/// settles as failed.
pub(crate) struct Draft {
    journal: Journal,
    lines: Arc<Lines>,
    entry: Option<Entry>,
}

impl Draft {
    /// Stores the entry, with what the answer turned out to be.
    pub(crate) fn begin(mut self, ending: Ending, complete: impl FnOnce(&mut Entry)) -> Settlement {
        let mut entry = self.entry.take().expect("a draft begins once");
        complete(&mut entry);
        self.open(entry, ending)
    }

    fn open(&self, entry: Entry, ending: Ending) -> Settlement {
        let entry = Arc::new(entry);
        self.journal.store(&entry);
        Settlement {
            journal: self.journal.clone(),
            lines: Arc::clone(&self.lines),
            line: None,
            ending,
            entry,
            began: clock::now(),
            events: 0,
            open: true,
        }
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if let Some(mut entry) = self.entry.take() {
            entry.id = self.journal.next_id();
            self.open(entry, Ending::Complete).settle(Outcome::Failed { events: 0 });
        }
    }
}

/// Gives an entry its outcome, exactly once: by a method, or by being dropped, which means that the
/// client left, that it stalled, or that the server was stopped.
///
/// It has the entry itself: the journal may have forgotten it by then.
pub(crate) struct Settlement {
    journal: Journal,
    lines: Arc<Lines>,
    line: Option<Arc<Line>>,
    ending: Ending,
    entry: Arc<Entry>,
    began: tokio::time::Instant,
    events: usize,
    open: bool,
}

impl Settlement {
    /// Says on which connection the answer goes out.
    pub(crate) fn go_out_on(&mut self, line: &Arc<Line>) {
        self.line = Some(Arc::clone(line));
    }

    /// How many events are out.
    pub(crate) fn progress(&mut self, events: usize) {
        self.events = events;
    }

    /// The entry, settled as if everything that was planned had gone out.
    pub(crate) fn foreseen(mut self, events: usize) -> Entry {
        self.progress(events);
        let (entry, outcome) = (Arc::clone(&self.entry), self.planned());
        self.settle(outcome);
        Record { entry, weight: 0, end: Some(End { outcome, duration: Duration::ZERO }) }.to_entry()
    }

    /// Everything that was planned is out, and the response ends as planned.
    pub(crate) fn complete(mut self) {
        self.settle(self.planned());
    }

    fn planned(&self) -> Outcome {
        let events = self.events;
        match self.ending {
            Ending::Complete => Outcome::Completed { events },
            ending => Outcome::Faulted { events, ending },
        }
    }

    fn settle(&mut self, outcome: Outcome) {
        self.open = false;
        self.journal.settle(&self.entry, End { outcome, duration: clock::now() - self.began });
    }

    /// Why the answer did not go out.
    fn broken(&self) -> Outcome {
        let events = self.events;
        // First, since a test that panics drops its server, too.
        if self.lines.is_cut() {
            return Outcome::Cut { events };
        }
        if thread::panicking() {
            return Outcome::Failed { events };
        }
        match self.line.as_ref().is_some_and(|line| line.is_stalled()) {
            true => Outcome::Stalled { events },
            false => Outcome::ClientLeft { events },
        }
    }
}

impl Drop for Settlement {
    fn drop(&mut self) {
        if self.open {
            self.settle(self.broken());
        }
    }
}

impl fmt::Debug for Settlement {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Settlement")
            .field("id", &self.entry.id)
            .field("events", &self.events)
            .finish_non_exhaustive()
    }
}

/// How many bytes the entries may take together.
const MAX_WEIGHT: usize = 64 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use bytes::Bytes;

    use super::*;
    use crate::MockServer;
    use crate::plan::Timeline;
    use crate::plan::timeline::{Event, EventKind};
    use crate::serve::record;

    /// An entry, with a body of this length.
    fn entry(body: usize) -> Entry {
        let (head, ()) = http::Request::post("/v1/chat/completions").body(()).unwrap().into_parts();
        let scope = crate::plan::request::Scope::default();
        let call = crate::plan::request::Call::new(head.method, "/".to_owned(), None, head.headers, scope);
        let request = crate::plan::Request { call, body: serde_json::Value::Null };
        record::entry(&request, &Bytes::from("x".repeat(body)), false, Duration::ZERO)
    }

    #[test]
    fn a_panic_before_an_answer_is_planned_leaves_an_entry_that_failed() {
        let journal = Journal::new(10, None);
        let panicking = AssertUnwindSafe(|| {
            let _draft = journal.draft(entry(0), Arc::default());
            panic!("planning failed");
        });
        assert!(catch_unwind(panicking).is_err());
        let entries = journal.entries();
        assert_eq!((entries.len(), entries[0].id), (1, 1));
        assert_eq!(entries[0].outcome, Outcome::Failed { events: 0 });
    }

    #[tokio::test(start_paused = true)]
    async fn a_panic_while_an_answer_goes_out_is_no_client_that_left() {
        let whole = crate::serve::answer::json(http::StatusCode::OK, &());
        let mut service = MockServer::builder().timeline(whole.clone()).service().unwrap();
        let event = Event { at: Duration::ZERO, end: 99, kind: EventKind::Body };
        let mut broken = Timeline::whole(whole.head, Bytes::new(), vec![event]);
        broken.ending = Ending::Close;
        // A builder would refuse it.
        Arc::get_mut(&mut service.state).unwrap().config.timeline = Some(broken);
        let (mut client, server) = tokio::io::duplex(1024);
        let serving = service.clone();
        let serving = tokio::spawn(async move { serving.serve_connection(server).await });
        let request = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n";
        tokio::io::AsyncWriteExt::write_all(&mut client, request).await.unwrap();
        assert!(serving.await.unwrap_err().is_panic());
        assert_eq!(service.journal().settled(1).await[0].outcome, Outcome::Failed { events: 0 });
    }

    #[test]
    fn the_oldest_entries_are_forgotten_once_all_are_too_large() {
        let journal = Journal::new(100_000, None);
        for id in 1..=1200 {
            drop(journal.draft(Entry { id, ..entry(70_000) }, Arc::default()));
        }
        let weight: usize = journal.entries().iter().map(Entry::weight).sum();
        assert!(weight <= MAX_WEIGHT && weight > MAX_WEIGHT - 100_000, "{weight}");
        journal.clear();
        assert_eq!(journal.ring().weight, 0);
    }
}
