//! Many clients at once, on real sockets and several threads: nobody is lost, nothing is counted twice, nothing is
//! early.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::AddAssign;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use llmirage::plan::fixture::AfterLast;
use llmirage::plan::limits::Per;
use llmirage::plan::timeline::Ending;
use llmirage::serve::{Builder, Entry, Outcome};
use llmirage::{Fixture, Limit, Matcher, MockServer, Pacing, Reply};
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::raw::{self, Answer, chat, get, stream};

/// How many connections may be opened at once, at most `wanted`. Each is two files here, and other tests have some.
fn room(wanted: usize) -> usize {
    #[cfg(target_os = "linux")]
    let files = {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

        let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
        // What is not allowed is not needed everywhere.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
        getrlimit(Resource::Nofile)
            .current
            .and_then(|files| usize::try_from(files).ok())
            .unwrap_or(usize::MAX)
    };
    #[cfg(not(target_os = "linux"))]
    let files = 1024;
    wanted.min(files.saturating_sub(500) / 2)
}

/// Asks for a stream of events `<`, and checks that none comes before its time; how many came.
async fn play(mut client: TcpStream, times: &[u64]) -> usize {
    let asked = Instant::now();
    client
        .write_all(raw::ask().replace("Content-Length", "Connection: close\r\nContent-Length").as_bytes())
        .await
        .unwrap();
    let (mut events, mut buffer) = (0, [0; 4096]);
    loop {
        let len = client.read(&mut buffer).await.unwrap();
        let elapsed = asked.elapsed();
        for _ in buffer[..len].iter().filter(|byte| **byte == b'<') {
            assert!(elapsed >= Duration::from_millis(times[events]), "event {events} after {elapsed:?}");
            events += 1;
        }
        if len == 0 {
            return events;
        }
    }
}

/// Connects, says something only when all have connected, and is answered.
async fn check_burst(streams: usize, connects: usize) {
    let times: Vec<u64> = (0..40).map(|index| index * 25).collect();
    let events: Vec<_> = times.iter().map(|at| (*at, "<")).collect();
    let server = MockServer::builder()
        .timeline(stream(&events, Ending::Complete))
        .max_connections(streams + connects + 1)
        .start()
        .await
        .unwrap();
    let address = server.address();
    let connect = move || tokio::spawn(TcpStream::connect(address));
    let mut playing = Vec::new();
    for _ in 0..streams {
        let (client, times) = (connect().await.unwrap().unwrap(), times.clone());
        playing.push(tokio::spawn(async move { play(client, &times).await }));
    }
    let connecting: Vec<_> = (0..connects).map(|_| connect()).collect();
    let mut clients = Vec::new();
    for connecting in connecting {
        clients.push(connecting.await.unwrap().unwrap());
    }
    for client in &mut clients {
        client.write_all(get("/health").as_bytes()).await.unwrap();
    }
    for mut client in clients {
        assert_eq!(raw::answer(&mut BufReader::new(&mut client), false).await.status(), 200);
    }
    for playing in playing {
        assert_eq!(playing.await.unwrap(), times.len());
    }
    let entries = server.journal().settled(streams).await;
    assert_eq!(entries.len(), streams);
    assert!(entries.iter().all(|entry| entry.outcome == Outcome::Completed { events: times.len() }));
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_crowd_that_connects_at_once_is_let_in_while_streams_play() {
    check_burst(200, room(3200) - 200).await;
}

/// The users' own runtimes often have one thread.
#[tokio::test]
async fn a_crowd_is_let_in_by_one_thread_too() {
    check_burst(50, room(500) - 50).await;
}

const CLIENTS: usize = 32;
const REQUESTS: usize = 200;
const SESSIONS: usize = 8;

/// What a client does.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Act {
    /// Asks for what is answered thrice in a session, and then by another fixture.
    Few { streamed: bool },
    /// Asks for one of three texts, in turns.
    Turns { streamed: bool },
    /// Asks for what is always answered alike.
    Same { streamed: bool },
    /// Asks for a stream that takes minutes, and leaves it.
    Leave,
    /// Asks for a model that is limited.
    Limited,
    /// Asks for what no fixture matches.
    Unmatched,
    /// Asks for the models.
    Models,
}

impl Act {
    const ALL: [Self; 12] = [
        Self::Few { streamed: true },
        Self::Turns { streamed: false },
        Self::Turns { streamed: true },
        Self::Same { streamed: true },
        Self::Leave,
        Self::Few { streamed: false },
        Self::Limited,
        Self::Turns { streamed: true },
        Self::Unmatched,
        Self::Turns { streamed: false },
        Self::Same { streamed: false },
        Self::Models,
    ];

    /// The n-th of a client.
    fn of(client: usize, number: usize) -> Self {
        Self::ALL[(client * 3 + number * 7) % Self::ALL.len()]
    }

    fn request(self, session: usize) -> String {
        let (model, streamed, user) = match self {
            Self::Few { streamed } => ("gpt-4o", streamed, "few"),
            Self::Turns { streamed } => ("gpt-4o", streamed, "turns"),
            Self::Same { streamed } => ("gpt-4o", streamed, "same"),
            Self::Leave => ("gpt-4o", true, "slow"),
            Self::Limited => ("limited", false, "turns"),
            Self::Unmatched => ("gpt-4o", true, "nothing"),
            Self::Models => return get(&format!("/session/s{session}/v1/models")),
        };
        let body = format!(
            r#"{{"model":"{model}","stream":{streamed},"messages":[{{"role":"user","content":"{user}"}}]}}"#
        );
        chat(&format!("/session/s{session}/v1/chat/completions"), "", &body)
    }
}

/// What clients saw, in each session.
#[derive(Debug, Default, Eq, PartialEq)]
struct Seen(BTreeMap<(usize, &'static str), usize>);

impl Seen {
    fn count(&mut self, session: usize, what: &'static str) {
        self.0.entry((session, what)).or_default().add_assign(1);
    }

    fn get(&self, session: usize, what: &'static str) -> usize {
        self.0.get(&(session, what)).copied().unwrap_or_default()
    }
}

/// What an answer says.
fn said(answer: &Answer) -> &'static str {
    let texts = ["Red", "Blue", "Green", "Few", "Many", "Same"];
    match answer.status() {
        200 if answer.body.contains(r#""object":"list""#) || answer.body.contains(r#""object": "list""#) => {
            "models"
        }
        200 => texts
            .into_iter()
            .find(|text| answer.body.contains(&format!("{text:?}")))
            .unwrap_or_else(|| panic!("{answer:?}")),
        404 => "unmatched",
        429 => "limited",
        _ => panic!("{answer:?}"),
    }
}

async fn be_a_client(address: SocketAddr, index: usize) -> Seen {
    let (session, mut seen) = (index % SESSIONS, Seen::default());
    let connect = async || BufReader::new(TcpStream::connect(address).await.unwrap());
    let mut client = connect().await;
    for number in 0..REQUESTS {
        let act = Act::of(index, number);
        let request = act.request(session);
        if act == Act::Leave {
            client.write_all(request.as_bytes()).await.unwrap();
            raw::until(&mut client, "\r\n\r\n").await;
            client = connect().await;
            seen.count(session, "left");
        } else {
            seen.count(session, said(&raw::exchange(&mut client, &request).await));
        }
    }
    seen
}

fn fixtures(builder: Builder) -> Builder {
    let user = |text: &str| Matcher::user_equals(text);
    builder
        .fixture(Fixture::named("few").when(user("few")).reply(Reply::text("Few")).times(3))
        .fixture(Fixture::named("many").when(user("few")).reply(Reply::text("Many")).times(1_000_000))
        .fixture(
            Fixture::named("turns")
                .when(user("turns"))
                .reply(Reply::text("Red"))
                .reply(Reply::text("Blue"))
                .reply(Reply::text("Green"))
                .after_last(AfterLast::Cycle),
        )
        .fixture(Fixture::named("same").when(user("same")).reply(Reply::text("Same")))
        .fixture(
            Fixture::named("slow")
                .when(user("slow"))
                .reply(Reply::text("Slow and slower").pacing(Pacing::itl(Duration::from_secs(50)))),
        )
        .limit(Limit::per(Per::Session).when(Matcher::model("limited")).requests_per_minute(5))
}

/// The hits of a fixture in a session, as the journal has them.
fn hits(entries: &[Entry], session: usize, fixture: &str) -> Vec<u64> {
    let name = format!("s{session}");
    let of = |entry: &&Entry| entry.session == name && entry.fixture.as_deref() == Some(fixture);
    entries.iter().filter(of).map(|entry| entry.hit.unwrap()).collect()
}

/// Every number from 1, once, in the order of the journal.
fn numbers(count: usize) -> Vec<u64> {
    (1..=count as u64).collect()
}

/// What all clients ask for.
fn expected() -> Seen {
    let mut expected = Seen::default();
    for (index, number) in (0..CLIENTS).flat_map(|index| (0..REQUESTS).map(move |number| (index, number))) {
        let what = match Act::of(index, number) {
            Act::Few { .. } => "few",
            Act::Turns { .. } => "turns",
            Act::Same { .. } => "same",
            Act::Leave => "left",
            Act::Limited => "limited",
            Act::Unmatched => "unmatched",
            Act::Models => "models",
        };
        expected.count(index % SESSIONS, what);
    }
    expected
}

/// No request is lost, none is there twice, and each has ended as it should.
fn check_outcomes(entries: &[Entry], told: &BTreeMap<u64, usize>) {
    let all = numbers(CLIENTS * REQUESTS);
    assert_eq!(entries.iter().map(|entry| entry.id).collect::<Vec<_>>(), all);
    assert_eq!(told.keys().copied().collect::<Vec<_>>(), all);
    assert!(told.values().all(|times| *times == 1));
    for entry in entries {
        let left = entry.fixture.as_deref() == Some("slow");
        match entry.outcome {
            Outcome::ClientLeft { .. } => assert!(left, "{entry:?}"),
            Outcome::Completed { events } => assert!(!left && events == entry.events_planned, "{entry:?}"),
            _ => panic!("{entry:?}"),
        }
    }
}

/// Each fixture was hit as often as it was asked for, and each hit had its own reply; the limit let five through,
/// and as many more as were refilled.
fn check_session(entries: &[Entry], session: usize, seen: &Seen, refilled: usize) {
    let (expected, seen) = (expected(), |what| seen.get(session, what));
    let expected = |what| expected.get(session, what);
    for what in ["left", "unmatched", "models"] {
        assert_eq!(seen(what), expected(what), "{what} in {session}");
    }
    let admitted = expected("limited") - seen("limited");
    assert!((5..=5 + refilled).contains(&admitted), "{admitted} of {} in {session}", expected("limited"));
    // Who was let through has asked for turns, too.
    let turns = expected("turns") + admitted;
    let each = [turns.div_ceil(3), (turns + 1) / 3, turns / 3];
    assert_eq!([seen("Red"), seen("Blue"), seen("Green")], each, "in {session}");
    let many = expected("few") - 3;
    assert_eq!([seen("Few"), seen("Many")], [3, many], "in {session}");
    assert_eq!(seen("Same"), expected("same"), "in {session}");
    let (same, left) = (expected("same"), expected("left"));
    let fixtures = [("few", 3), ("many", many), ("turns", turns), ("same", same), ("slow", left)];
    for (fixture, count) in fixtures {
        assert_eq!(hits(entries, session, fixture), numbers(count), "{fixture} in {session}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whatever_the_crowd_each_hit_is_given_once_and_each_request_has_one_outcome() {
    let told = Arc::new(Mutex::new(BTreeMap::<u64, usize>::new()));
    let telling = Arc::clone(&told);
    let server = fixtures(MockServer::builder())
        .journal_limit(2 * CLIENTS * REQUESTS)
        .on_settled(move |entry| telling.lock().unwrap().entry(entry.id).or_default().add_assign(1))
        .start()
        .await
        .unwrap();
    let (start, address) = (Instant::now(), server.address());
    let clients: Vec<_> = (0..CLIENTS).map(|index| tokio::spawn(be_a_client(address, index))).collect();
    let mut seen = Seen::default();
    for client in clients {
        for (what, count) in client.await.unwrap().0 {
            seen.0.entry(what).or_default().add_assign(count);
        }
    }
    let entries = server.journal().settled(CLIENTS * REQUESTS).await;
    let refilled = usize::try_from(start.elapsed().as_secs()).unwrap() * 5 / 60 + 1;
    check_outcomes(&entries, &told.lock().unwrap());
    for session in 0..SESSIONS {
        check_session(&entries, session, &seen, refilled);
    }
    let all = |what| (0..SESSIONS).map(|session| expected().get(session, what)).sum::<usize>();
    let summary = server.shutdown().await;
    assert_eq!(summary.unmatched, all("unmatched") as u64);
    let many = all("few") - 3 * SESSIONS;
    assert_eq!(summary.unmet, [format!("fixture \"many\": expected 1000000 hits, got {many}")]);
}
