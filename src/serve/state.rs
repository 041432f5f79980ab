//! What the connections of one server share.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use tokio::time::Instant;

use super::builder::Config;
use super::clock;
use super::journal::Journal;
use super::lines::Lines;
use super::recall::Recall;
use super::turns::Turns;
use crate::plan::fault::when::Turn;
use crate::plan::limits::{Allowance, Buckets, Charge, Limited};
use crate::plan::request::Call;
use crate::plan::scenario::{Scenario, Scenarios};
use crate::plan::set::Hits;
use crate::plan::{Fault, FixtureSet};

/// The state of one server; there is none that servers share.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) config: Config,
    pub(crate) journal: Journal,
    pub(crate) lines: Arc<Lines>,
    pub(crate) recall: Recall,
    pub(crate) started: Instant,
    fixtures: RwLock<Arc<FixtureSet>>,
    scenarios: Scenarios,
    sessions: Mutex<Sessions>,
    turns: Turns,
    buckets: Mutex<Buckets>,
    unmatched: AtomicU64,
}

/// What is counted of each session.
#[derive(Debug, Default)]
struct Sessions {
    known: BTreeMap<String, Session>,
    /// Counts admissions, to find the session that was idle longest.
    time: u64,
    /// The hits of sessions that were forgotten: `--strict` asks about the whole run.
    forgotten: Hits,
}

#[derive(Debug, Default)]
struct Session {
    hits: Hits,
    /// How many responses were no fixture's: refusals, lists of models.
    other: u64,
    used: u64,
}

impl State {
    pub(crate) fn new(config: Config, fixtures: FixtureSet, journal: Journal) -> Self {
        Self {
            config,
            journal,
            lines: Arc::default(),
            recall: Recall::default(),
            started: clock::now(),
            fixtures: RwLock::new(Arc::new(fixtures)),
            scenarios: Scenarios::default(),
            sessions: Mutex::default(),
            turns: Turns::default(),
            buckets: Mutex::default(),
            unmatched: AtomicU64::new(0),
        }
    }

    /// The fixtures now; a request keeps what it started with.
    pub(crate) fn fixtures(&self) -> Arc<FixtureSet> {
        Arc::clone(&self.fixtures.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Who answers a request: the scenario that it or the server chose, else the server's fixtures.
    pub(crate) fn fixtures_for(&self, scenario: Option<&'static Scenario>) -> Arc<FixtureSet> {
        match scenario.or(self.config.scenario) {
            Some(scenario) => self.scenarios.fixtures(scenario),
            None => self.fixtures(),
        }
    }

    /// Answers later requests from another set. Hits stay, and so do the buckets of limits that are in both.
    pub(crate) fn replace_fixtures(&self, fixtures: FixtureSet) {
        let fixtures = fixtures.with_limits(&self.config.limits).expect("they were checked at the start");
        *self.fixtures.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(fixtures);
        // What was matched with the others is of no use, and holds them.
        self.recall.forget();
    }

    /// Counts a hit: gives `admit` the hits of a session, and the entry its id under the same lock, so
    /// that the journal's order is the order of hits. The journal has a lock of its own for its entries.
    pub(crate) fn admit<T>(
        &self,
        session: &str,
        admit: impl FnOnce(&mut Hits) -> Option<T>,
    ) -> Option<(T, u64)> {
        let mut sessions = self.sessions();
        let admitted = admit(&mut sessions.session(session).hits)?;
        Some((admitted, self.journal.next_id()))
    }

    /// Which request of its kind this is. It is counted only where a fault could ask.
    pub(crate) fn turn(&self, call: &Call, fixtures: &FixtureSet, body: &[u8]) -> Turn {
        let mut faults = call.scope.faults.iter().chain(&self.config.faults);
        match fixtures.is_selective() || faults.any(Fault::is_selective) {
            true => self.turns.next(call, body),
            false => Turn::default(),
        }
    }

    /// Takes a request of so many tokens from the buckets that it counts in. `at` is when it was read, from
    /// the start of the server.
    ///
    /// # Errors
    ///
    /// A bucket has too little left; then nothing is taken.
    pub(crate) fn charge(&self, charges: &[Charge], tokens: u64, at: Duration) -> Result<Allowance, Limited> {
        if charges.is_empty() { Ok(Allowance::default()) } else { self.buckets().charge(charges, tokens, at) }
    }

    /// What is left of the buckets that a request counts in.
    pub(crate) fn left(&self, charges: &[Charge], at: Duration) -> Allowance {
        if charges.is_empty() { Allowance::default() } else { self.buckets().left(charges, at) }
    }

    /// Forgets hits and journal of one session, or of all: fixtures, attempts and buckets start anew; of one
    /// session only the buckets that are its own. What was expected of the whole run is not forgotten.
    pub(crate) fn reset(&self, session: Option<&str>) {
        self.turns.reset(session);
        self.buckets().reset(session);
        let mut sessions = self.sessions();
        match session {
            None => {
                sessions.forget(|_, _| true);
                self.journal.clear();
            }
            Some(name) => {
                sessions.forget(|known, _| known == name);
                self.journal.session(name).clear();
            }
        }
    }

    /// What `times` expect and all sessions since the start did not get together.
    pub(crate) fn unmet(&self) -> Vec<String> {
        let hits = {
            let sessions = self.sessions();
            let mut hits = sessions.forgotten.clone();
            for session in sessions.known.values() {
                hits.add(&session.hits);
            }
            hits
        };
        self.fixtures().unmet(&hits)
    }

    /// Numbers a response of a session that is no fixture's, from 1: what a hit is to the others.
    pub(crate) fn next_other(&self, session: &str) -> u64 {
        let mut sessions = self.sessions();
        let session = sessions.session(session);
        session.other += 1;
        session.other
    }

    /// Counts a request that no fixture matched.
    pub(crate) fn count_unmatched(&self) {
        self.unmatched.fetch_add(1, Ordering::Relaxed);
    }

    /// How many requests no fixture matched since the start.
    pub(crate) fn unmatched(&self) -> u64 {
        self.unmatched.load(Ordering::Relaxed)
    }

    fn buckets(&self) -> MutexGuard<'_, Buckets> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sessions(&self) -> MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sessions {
    fn session(&mut self, name: &str) -> &mut Session {
        self.time += 1;
        if !self.known.contains_key(name) {
            self.make_room();
            self.known.insert(name.to_owned(), Session::default());
        }
        let session = self.known.get_mut(name).expect("it was just inserted");
        session.used = self.time;
        session
    }

    /// Forgets the sessions that were idle longest, a tenth at once, so that one request in a
    /// thousand pays for it. The common session stays.
    fn make_room(&mut self) {
        if self.known.len() < MAX_SESSIONS {
            return;
        }
        let mut used: Vec<_> = self.known.values().map(|session| session.used).collect();
        used.sort_unstable();
        let oldest = used[MAX_SESSIONS / 10];
        self.forget(|name, session| !name.is_empty() && session.used <= oldest);
    }

    /// Forgets sessions, but not that their hits were.
    fn forget(&mut self, which: impl Fn(&str, &Session) -> bool) {
        self.known.retain(|name, session| {
            let forgotten = which(name, session);
            if forgotten {
                self.forgotten.add(&session.hits);
            }
            !forgotten
        });
    }
}

/// How many sessions' hits are kept; then those idle longest are forgotten.
const MAX_SESSIONS: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_idle_longest_are_forgotten_but_never_the_common_one() {
        let mut sessions = Sessions::default();
        sessions.session("");
        for index in 0..MAX_SESSIONS + 5 {
            sessions.session(&index.to_string());
            sessions.session("busy");
        }
        assert!(sessions.known.len() <= MAX_SESSIONS);
        let kept = |name: &str| sessions.known.contains_key(name);
        assert!(kept("") && kept("busy") && kept(&(MAX_SESSIONS + 4).to_string()));
        assert!(!kept("0") && !kept("900"));
    }

    #[test]
    fn a_response_without_a_fixture_is_numbered_in_its_session() {
        let service = crate::MockServer::builder().service().unwrap();
        let numbers = ["a", "b", "b", "a", "", "b"].map(|session| service.state.next_other(session));
        assert_eq!(numbers, [1, 1, 2, 2, 1, 3]);
        service.state.reset(Some("b"));
        assert_eq!(["a", "b"].map(|session| service.state.next_other(session)), [3, 1]);
    }

    #[test]
    fn hits_of_forgotten_sessions_still_count_for_the_whole_run() {
        let fixture = crate::Fixture::named("once").reply(crate::Reply::text("Hi.")).times(1);
        let service = crate::MockServer::builder().fixture(fixture).service().unwrap();
        let state = &service.state;
        assert_eq!(state.unmet().len(), 1);
        for forget in [Some("a"), None] {
            let fixtures = state.fixtures();
            let session = forget.unwrap_or("b");
            assert!(
                state
                    .admit(session, |hits| fixtures.admit(&[0], hits).map(|admitted| admitted.hit))
                    .is_some()
            );
            state.reset(forget);
            assert_eq!(state.unmet(), [""; 0]);
        }
    }
}
