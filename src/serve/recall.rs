//! Recall: what a request meant that comes again, byte for byte.
//!
//! Most requests of a load test are the same, and many of a test suite. The same bytes mean the same: who is asked
//! for what, whether that is valid, which fixture matches. So of a request that came twice it is kept how it is
//! answered, and from the third time on nobody reads it. Of its bytes only a print is kept: there are keys in them.

use std::fmt;
use std::hash::{DefaultHasher, Hasher};
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::Method;

use super::entry::Kept;
use super::exchange::{Exchange, USUAL};
use super::lines::Line;
use super::player::Player;
use super::record;
use super::service::Service;
use crate::plan::FixtureSet;
use crate::plan::mold::Mold;
use crate::plan::scenario::Scenario;

/// How a request is answered that came before.
#[derive(Debug)]
pub(crate) struct Known {
    /// The fixtures it was matched with; with others it may mean something else.
    pub(crate) fixtures: Arc<FixtureSet>,
    /// Which of them answers. It has one reply, and cannot be used up.
    pub(crate) fixture: usize,
    pub(crate) mold: Mold,
    pub(crate) session: String,
    pub(crate) scenario: Option<&'static Scenario>,
    pub(crate) kept: Arc<Kept>,
}

/// What requests meant that came before.
#[derive(Default)]
pub(crate) struct Recall(Mutex<Slots>);

#[derive(Default)]
struct Slots {
    /// Sets of [`WAYS`], the latest first; there are none before the first request.
    all: Vec<Slot>,
    /// About how many bytes all that is known takes.
    weight: usize,
}

/// What tells a request from all others: of two that differ, it would be the same once in 2^128 times.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Print([u64; 2]);

#[derive(Clone, Debug, Default)]
struct Slot {
    print: Print,
    /// The time that it was seen at, in Unix seconds. At another, an answer has other dates.
    now: u64,
    sight: Sight,
}

/// What is known of a request that came before.
#[derive(Clone, Debug, Default)]
pub(crate) enum Sight {
    /// Nothing: this is the first time in this second, as far as it is remembered.
    #[default]
    First,
    /// That it came, but not yet how it is answered.
    Again,
    /// That each hit of it is planned anew.
    Each,
    /// How it is answered.
    Known(Arc<Known>),
}

impl Recall {
    /// What is known of a request of these bytes; from now on, that it came.
    fn see(&self, request: &[u8], now: u64) -> (Print, Sight) {
        let print = Print::of(request);
        let mut slots = self.slots();
        if let Some(slot) = slots.set(print).iter().find(|slot| slot.print == print && slot.now == now) {
            return (print, slot.sight.clone());
        }
        let before = slots.put(Slot { print, now, sight: Sight::Again });
        drop(slots);
        // What it takes to drop it, nobody else waits for.
        drop(before);
        (print, Sight::First)
    }

    /// Keeps how a request is answered, which came again; `None`, if each hit is planned anew.
    fn keep(&self, print: Print, now: u64, known: Option<Box<Known>>) {
        let sight = known.map_or(Sight::Each, |known| Sight::Known(Arc::from(known)));
        let mut slots = self.slots();
        let before = slots.put(Slot { print, now, sight });
        let all = match slots.weight > MOST_WEIGHT {
            true => mem::take(&mut *slots),
            false => Slots::default(),
        };
        drop(slots);
        drop((before, all));
    }

    /// Knows nothing any more.
    pub(crate) fn forget(&self) {
        drop(mem::take(&mut *self.slots()));
    }

    fn slots(&self) -> MutexGuard<'_, Slots> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slots {
    /// The only slots in which a print may be.
    fn set(&mut self, print: Print) -> &mut [Slot] {
        if self.all.is_empty() {
            self.all.resize(MOST, Slot::default());
        }
        &mut self.all[print.place()..][..WAYS]
    }

    /// Puts a slot in its set; whose place it takes. Those that are not known go first: most come once.
    fn put(&mut self, slot: Slot) -> Slot {
        self.weight += slot.sight.weight();
        let set = self.set(slot.print);
        let own = set.iter().position(|other| other.print == slot.print);
        let unknown = || set.iter().rposition(|slot| !matches!(slot.sight, Sight::Known(_)));
        let place = own.or_else(unknown).unwrap_or(WAYS - 1);
        set[..=place].rotate_right(1);
        let before = mem::replace(&mut set[0], slot);
        self.weight -= before.sight.weight();
        before
    }
}

impl Sight {
    fn weight(&self) -> usize {
        match self {
            Self::Known(known) => size_of::<Known>() + known.mold.weight() + known.kept.weight,
            Self::First | Self::Again | Self::Each => 0,
        }
    }
}

impl fmt::Debug for Recall {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Recall").finish_non_exhaustive()
    }
}

impl Print {
    fn of(request: &[u8]) -> Self {
        let hash = |salt| {
            let mut hasher = DefaultHasher::new();
            hasher.write_u64(salt);
            hasher.write(request);
            hasher.finish()
        };
        Self([hash(0), hash(1)])
    }

    /// Where its set begins.
    fn place(self) -> usize {
        let [low, high, ..] = self.0[0].to_le_bytes();
        usize::from(u16::from_le_bytes([low, high])) % MOST / WAYS * WAYS
    }
}

impl Service {
    /// What is known of a request of these bytes; from now on, that it came.
    pub(crate) fn see(&self, request: &[u8]) -> (Print, Sight) {
        self.state.recall.see(request, self.state.config.clock.unix())
    }

    /// Keeps how a request is answered, which came again; `None`, if each hit is planned anew.
    pub(crate) fn remember(&self, print: Print, known: Option<Box<Known>>) {
        let known = known.filter(|known| self.is_valid(known));
        self.state.recall.keep(print, self.state.config.clock.unix(), known);
    }

    /// Whether a request still means what it meant: the fixtures are the same, and so is the time.
    fn is_valid(&self, known: &Known) -> bool {
        let fixtures = self.state.fixtures_for(known.scenario);
        Arc::ptr_eq(&known.fixtures, &fixtures) && known.mold.fits(&self.occasion("", 0))
    }

    /// Who plays the answer to a request that came before; `None` where it means something else now.
    pub(crate) fn answer_again(&self, known: &Known, line: &Arc<Line>) -> Option<Box<Player>> {
        if !self.is_valid(known) {
            return None;
        }
        let state = &self.state;
        let exchange = Exchange::begin(state, line, Method::POST, USUAL);
        let at = exchange.start - state.started;
        let draft = state.journal.draft(Arc::clone(&known.kept), at, Arc::clone(&state.lines));
        let admitted = state.admit(&known.session, |hits| known.fixtures.admit(&[known.fixture], hits));
        let (admission, id) = admitted.expect("it cannot be used up");
        let timeline = known.mold.cast(admission.hit);
        let settlement = draft.begin(id, timeline.ending, |told| {
            record::planned(told, &timeline);
            told.fixture = Some((admission.fixture.to_owned(), admission.hit));
        });
        Some(exchange.player(timeline, Some(settlement)))
    }
}

/// How many requests are remembered.
const MOST: usize = 1024;

/// How many of them may have prints that begin alike.
const WAYS: usize = 4;

/// How many bytes may be known of them together; then everything is forgotten.
const MOST_WEIGHT: usize = 16 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::plan::limits::Per;
    use crate::plan::reply::Answer;
    use crate::plan::set::Source;
    use crate::serve::Builder;
    use crate::{Fixture, Limit, Matcher, MockServer, Reply};

    const CHAT: &str = "/v1/chat/completions";

    fn request(path: &str, extra: &str, stream: bool) -> String {
        let message = json!({ "role": "user", "content": "hi" });
        let body = json!({ "model": "gpt-4o", "stream": stream, "messages": [message] }).to_string();
        let length = body.len();
        format!("POST {path} HTTP/1.1\r\nHost: localhost\r\n{extra}Content-Length: {length}\r\n\r\n{body}")
    }

    /// Sends a request, and reads what comes until the connection was idle for too long.
    async fn ask(service: &Service, request: &str) -> String {
        let (mut client, server) = tokio::io::duplex(1 << 16);
        let talk = async {
            client.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            client.read_to_string(&mut answer).await.unwrap();
            answer
        };
        tokio::join!(talk, service.serve_connection(server)).0
    }

    /// What is known of a request once it came twice.
    async fn sight(builder: Builder, request: &str) -> &'static str {
        let service = builder.service().unwrap();
        ask(&service, request).await;
        ask(&service, request).await;
        word(&service, request)
    }

    fn word(service: &Service, request: &str) -> &'static str {
        match service.see(request.as_bytes()).1 {
            Sight::First => "first",
            Sight::Again => "again",
            Sight::Each => "each",
            Sight::Known(_) => "known",
        }
    }

    fn says(text: &str) -> Builder {
        MockServer::builder().fixture(Fixture::named("a").reply(Reply::text(text)))
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_is_known_once_it_came_twice() {
        let azure = "/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21";
        for path in [CHAT, azure, "/session/s/v1/chat/completions"] {
            for stream in [true, false] {
                assert_eq!(
                    sight(says("Hello."), &request(path, "", stream)).await,
                    "known",
                    "{path} {stream}"
                );
            }
        }
        let service = says("Hello.").service().unwrap();
        let request = request(CHAT, "", true);
        ask(&service, &request).await;
        assert_eq!(word(&service, &request), "again");
        assert_eq!(word(&service, "GET / HTTP/1.1\r\n\r\n"), "first");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_the_same_each_time_is_planned_each_time() {
        let plain = request(CHAT, "", true);
        let fixture = || Fixture::named("a").reply(Reply::text("Hello."));
        let fixtures = [
            fixture().times(5),
            fixture().reply(Reply::text("Then.")),
            Fixture::named("a").reply(Reply::error(503)),
            Fixture::named("a").reply(Reply::answer(Answer::new().text("{{ hit }}").template())),
            Fixture::named("a")
                .reply(Reply::text("Hello.").fault("close-mid-stream:attempt=2".parse().unwrap())),
        ];
        for fixture in fixtures {
            let text = format!("{fixture:?}");
            assert_eq!(sight(MockServer::builder().fixture(fixture), &plain).await, "each", "{text}");
        }
        let limit = Limit::per(Per::Session).requests_per_minute(100);
        assert_eq!(sight(says("Hello.").limit(limit), &plain).await, "each");
        for extra in ["Origin: http://localhost\r\n", "Connection: close\r\n", "Expect: 100-continue\r\n"] {
            assert_eq!(sight(says("Hello."), &request(CHAT, extra, true)).await, "each", "{extra}");
        }
        for path in ["/fault/close-mid-stream/v1/chat/completions", "/v1/other", "/health"] {
            assert_eq!(sight(says("Hello."), &request(path, "", true)).await, "each", "{path}");
        }
        let other = plain.replace("HTTP/1.1", "HTTP/1.0");
        assert_eq!(sight(says("Hello."), &other).await, "each");
        let unmatched = MockServer::builder()
            .fixture(Fixture::named("a").when(Matcher::model("x")).reply(Reply::text("")));
        assert_eq!(sight(unmatched, &plain).await, "each");
    }

    #[tokio::test(start_paused = true)]
    async fn other_fixtures_answer_at_once() {
        let service = says("Before.").service().unwrap();
        let request = request(CHAT, "", false);
        for _ in 0..3 {
            assert!(ask(&service, &request).await.contains("Before."));
        }
        let text = json!({ "fixtures": [{ "name": "a", "reply": "After." }] }).to_string();
        let after = FixtureSet::load(vec![Source::File { path: "a.json".into(), text }]).unwrap();
        service.state.replace_fixtures(after);
        for _ in 0..3 {
            assert!(ask(&service, &request).await.contains("After."));
        }
        assert_eq!(word(&service, &request), "known");
    }

    #[test]
    fn what_was_seen_at_another_time_was_not_seen() {
        let recall = Recall::default();
        let see = |now| matches!(recall.see(b"request", now).1, Sight::Again);
        assert_eq!([1, 1, 2, 2, 1].map(see), [false, true, false, true, false]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_is_there_when_the_server_stops_is_answered_known_or_not() {
        for times in 0..4 {
            let service = says("Hello.").service().unwrap();
            let request = request(CHAT, "", false);
            for _ in 0..times {
                ask(&service, &request).await;
            }
            service.state.lines.drain();
            let answer = ask(&service, &request).await;
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{times}: {answer}");
            assert!(answer.contains("\r\nConnection: close\r\n"), "{times}: {answer}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_known_outlives_a_flood_of_what_comes_once() {
        let service = says("Hello.").service().unwrap();
        let request = request(CHAT, "", false);
        for _ in 0..2 {
            ask(&service, &request).await;
        }
        for number in 0..10_000_u32 {
            assert!(matches!(service.see(&number.to_le_bytes()).1, Sight::First));
        }
        assert_eq!(word(&service, &request), "known");
    }

    #[tokio::test(start_paused = true)]
    async fn everything_is_forgotten_once_it_is_too_much() {
        let service = says(&"Hello. ".repeat(40_000)).service().unwrap();
        let requests: Vec<_> = (0..64).map(|n| request(&format!("/session/{n}{CHAT}"), "", false)).collect();
        for request in &requests {
            ask(&service, request).await;
            ask(&service, request).await;
            let weight = service.state.recall.slots().weight;
            assert!(weight <= MOST_WEIGHT, "{weight}");
        }
        let known = requests.iter().filter(|request| word(&service, request) == "known").count();
        assert!((1..10).contains(&known), "{known}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_goes_on_after_its_first_bytes_is_not_known_by_them() {
        let service = says("Hello.").service().unwrap();
        let whole = request(CHAT, "", false);
        let (first, last) = whole.split_at(whole.len() - 3);
        for _ in 0..3 {
            let (mut client, server) = tokio::io::duplex(1 << 16);
            let talk = async {
                client.write_all(first.as_bytes()).await.unwrap();
                tokio::task::yield_now().await;
                client.write_all(last.as_bytes()).await.unwrap();
                client.read_to_end(&mut Vec::new()).await.unwrap();
            };
            tokio::join!(talk, service.serve_connection(server));
        }
        assert_eq!(word(&service, first), "each");
    }
}
