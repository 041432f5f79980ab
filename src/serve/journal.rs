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
use super::entry::{Entry, Kept, Outcome, Told};
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

/// What an entry is made from once it is read. Cheap to clone, so that readers copy it without the lock.
#[derive(Clone)]
struct Record {
    id: u64,
    kept: Arc<Kept>,
    told: Arc<Told>,
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
        self.records(usize::MAX, |_| true)
    }

    /// The entry with this id, unless it was forgotten.
    pub fn entry(&self, id: u64) -> Option<Entry> {
        let record = {
            let ring = self.ring();
            let index = ring.find(id)?;
            ring.records[index].clone()
        };
        self.shows(&record.kept).then(|| record.to_entry())
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
            let settled = |record: &&Record| record.end.is_some() && self.shows(&record.kept);
            let count = self.ring().records.iter().filter(settled).count();
            if count >= n {
                return self.records(usize::MAX, |record| record.end.is_some());
            }
            changed.await;
        }
    }

    /// The last `limit` entries that `wanted` picks, oldest first.
    pub(crate) fn latest(&self, limit: usize, wanted: impl Fn(&Told) -> bool) -> Vec<Entry> {
        self.records(limit, |record| wanted(&record.told))
    }

    fn records(&self, limit: usize, wanted: impl Fn(&Record) -> bool) -> Vec<Entry> {
        let records: Vec<_> = {
            let ring = self.ring();
            let shown = ring.records.iter().rev().filter(|record| self.shows(&record.kept));
            shown.filter(|record| wanted(record)).take(limit).cloned().collect()
        };
        records.iter().rev().map(Record::to_entry).collect()
    }

    /// Forgets all entries that it shows. Those still running get their outcome nonetheless: who
    /// listens is told.
    pub(crate) fn clear(&self) {
        let mut ring = self.ring();
        ring.records.retain(|record| !self.shows(&record.kept));
        ring.weight = ring.records.iter().map(Record::weight).sum();
    }

    /// The id of an entry to come.
    pub(crate) fn next_id(&self) -> u64 {
        self.shared.last.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// The entry of a request that was read `at` this time from the start of the server, whose answer is being
    /// decided. Whatever happens, it will be in the journal.
    pub(crate) fn draft(&self, kept: Arc<Kept>, at: Duration, lines: Arc<Lines>) -> Draft {
        Draft { journal: self.clone(), lines, at, kept: Some(kept) }
    }

    fn store(&self, record: Record) {
        let forgotten = self.ring().insert(record, self.shared.limit);
        // What it takes to drop them, nobody else waits for.
        drop(forgotten);
    }

    fn settle(&self, record: &Record) {
        {
            let mut ring = self.ring();
            if let Some(index) = ring.find(record.id) {
                ring.records[index].end = record.end;
            }
        }
        self.shared.changed.notify_waiters();
        if let Some(call) = &self.shared.on_settled {
            call(&record.to_entry());
        }
    }

    fn shows(&self, kept: &Kept) -> bool {
        self.session.as_ref().is_none_or(|session| *session == kept.session)
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.shared.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
    /// Inserts a record, and takes out the oldest ones beyond the limits.
    fn insert(&mut self, record: Record, limit: usize) -> Vec<Record> {
        self.weight += record.weight();
        // Ids are given at admission, so that the journal has the order in which fixtures were hit.
        match self.records.back() {
            Some(last) if record.id < last.id => {
                let place = self.records.partition_point(|before| before.id < record.id);
                self.records.insert(place, record);
            }
            _ => self.records.push_back(record),
        }
        let mut forgotten = Vec::new();
        while self.records.len() > limit || self.weight > MAX_WEIGHT {
            let Some(oldest) = self.records.pop_front() else { break };
            self.weight -= oldest.weight();
            forgotten.push(oldest);
        }
        forgotten
    }

    fn find(&self, id: u64) -> Option<usize> {
        self.records.binary_search_by_key(&id, |record| record.id).ok()
    }
}

impl Record {
    /// About how many bytes it takes. What it shares with others counts as its own.
    fn weight(&self) -> usize {
        self.kept.weight + self.told.weight()
    }

    fn to_entry(&self) -> Entry {
        let mut entry = Entry::running(&self.kept, &self.told);
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
    at: Duration,
    kept: Option<Arc<Kept>>,
}

impl Draft {
    /// Stores the entry, with what the answer with this id turned out to be.
    pub(crate) fn begin(mut self, id: u64, ending: Ending, complete: impl FnOnce(&mut Told)) -> Settlement {
        let kept = self.kept.take().expect("a draft begins once");
        let mut told = Told::nothing(id, self.at);
        complete(&mut told);
        self.open(kept, told, ending)
    }

    fn open(&self, kept: Arc<Kept>, told: Told, ending: Ending) -> Settlement {
        let record = Record { id: told.id, kept, told: Arc::new(told), end: None };
        self.journal.store(record.clone());
        Settlement {
            journal: self.journal.clone(),
            lines: Arc::clone(&self.lines),
            line: None,
            ending,
            record,
            began: clock::now(),
            events: 0,
        }
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if let Some(kept) = self.kept.take() {
            let told = Told::nothing(self.journal.next_id(), self.at);
            self.open(kept, told, Ending::Complete).settle(Outcome::Failed { events: 0 });
        }
    }
}

/// Gives an entry its outcome, exactly once: by a method, or by being dropped, which means that the
/// client left, that it stalled, or that the server was stopped.
///
/// It has the record itself: the journal may have forgotten it by then.
pub(crate) struct Settlement {
    journal: Journal,
    lines: Arc<Lines>,
    line: Option<Arc<Line>>,
    ending: Ending,
    record: Record,
    began: tokio::time::Instant,
    events: usize,
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
        self.settle(self.planned());
        Entry { duration: Some(Duration::ZERO), ..self.record.to_entry() }
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
        self.record.end = Some(End { outcome, duration: clock::now() - self.began });
        self.journal.settle(&self.record);
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
        if self.record.end.is_none() {
            self.settle(self.broken());
        }
    }
}

impl fmt::Debug for Settlement {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Settlement")
            .field("id", &self.record.id)
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

    /// What is kept of a request with a body of this length.
    fn kept(body: usize) -> Arc<Kept> {
        let (head, ()) = http::Request::post("/v1/chat/completions").body(()).unwrap().into_parts();
        let scope = crate::plan::request::Scope::default();
        let call = crate::plan::request::Call::new(head.method, "/".to_owned(), None, head.headers, scope);
        let request = crate::plan::Request { call, body: serde_json::Value::Null };
        Arc::new(record::kept(&request, &Bytes::from("x".repeat(body)), false))
    }

    #[test]
    fn a_panic_before_an_answer_is_planned_leaves_an_entry_that_failed() {
        let journal = Journal::new(10, None);
        let panicking = AssertUnwindSafe(|| {
            let _draft = journal.draft(kept(0), Duration::ZERO, Arc::default());
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
        for _ in 0..1200 {
            drop(journal.draft(kept(70_000), Duration::ZERO, Arc::default()));
        }
        let weight: usize = journal.ring().records.iter().map(Record::weight).sum();
        let bodies: usize = journal.entries().iter().map(|entry| entry.body.len()).sum();
        assert!(bodies < weight && weight == journal.ring().weight);
        assert!(weight <= MAX_WEIGHT && weight > MAX_WEIGHT - 100_000, "{weight}");
        journal.clear();
        assert_eq!(journal.ring().weight, 0);
    }
}
