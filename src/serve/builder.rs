//! The builder of a server: every setting, its default, and what is refused at the start.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::clock::Clock;
use super::entry::Entry;
use super::forward::{Forward, Forwarding};
use super::journal::{Journal, OnSettled};
use super::service::Service;
use super::state::State;
#[cfg(feature = "tls")]
use super::tls::Tls;
use super::{MockServer, accept};
use crate::error::{LoadErrors, StartError};
use crate::files;
use crate::plan::fault::combine;
use crate::plan::scenario::Scenario;
use crate::plan::set::Source;
use crate::plan::{Fault, Fixture, FixtureSet, Limit, Pacing, Timeline};

/// What a server is made from.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use llmirage::{Fixture, Matcher, MockServer, Reply};
///
/// let server = MockServer::builder()
///     .seed(7)
///     .fixture(Fixture::named("greeting").when(Matcher::user_contains("hello")).reply(Reply::text("Hello!")))
///     .start()
///     .await?;
/// assert!(server.base_url().starts_with("http://127.0.0.1:"));
/// server.shutdown().await;
/// # Ok(())
/// # }
/// ```
#[must_use = "a builder does nothing until it is started"]
pub struct Builder {
    config: Config,
    sources: Vec<Source>,
    /// Replaces what `sources` say.
    fixtures: Option<FixtureSet>,
    listen: SocketAddr,
    journal_limit: usize,
    on_settled: Option<OnSettled>,
    #[cfg(feature = "tls")]
    tls: Option<Tls>,
}

/// The settings that the service reads.
#[derive(Clone)]
pub(crate) struct Config {
    pub(crate) seed: u64,
    pub(crate) clock: Clock,
    pub(crate) pacing: Pacing,
    pub(crate) time_scale: f64,
    pub(crate) faults: Vec<Fault>,
    pub(crate) limits: Vec<Limit>,
    pub(crate) scenario: Option<&'static Scenario>,
    pub(crate) unmatched: Unmatched,
    pub(crate) timeline: Option<Timeline>,
    pub(crate) forwarding: Option<Forwarding>,
    pub(crate) api_keys: Vec<String>,
    pub(crate) allow_hosts: Vec<String>,
    pub(crate) admin_token: Option<String>,
    pub(crate) max_body: usize,
    pub(crate) max_connections: usize,
    pub(crate) max_hold: Duration,
    pub(crate) grace: Duration,
}

/// What a request that no fixture matches gets.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Unmatched {
    /// A 404 in the provider's shape that names the nearest fixture.
    #[default]
    Error,
    /// The text of its last user message.
    Echo,
}

impl Builder {
    pub(super) fn new() -> Self {
        Self {
            config: Config {
                seed: 0,
                clock: Clock::Frozen,
                pacing: Pacing::default(),
                time_scale: 1.0,
                faults: Vec::new(),
                limits: Vec::new(),
                scenario: None,
                unmatched: Unmatched::Error,
                timeline: None,
                forwarding: None,
                api_keys: Vec::new(),
                allow_hosts: Vec::new(),
                admin_token: None,
                max_body: 10 * 1024 * 1024,
                max_connections: 4096,
                max_hold: Duration::from_secs(60),
                grace: Duration::from_secs(5),
            },
            sources: Vec::new(),
            fixtures: None,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            journal_limit: 1000,
            on_settled: None,
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    /// The seed of identifiers, jitter and probabilities; 0 unless given.
    pub fn seed(mut self, seed: u64) -> Self {
        self.config.seed = seed;
        self
    }

    /// Where `created`, `Date` and identifiers take the time from; frozen unless given.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.config.clock = clock;
        self
    }

    /// Adds a fixture, after those that were added before. A server without any serves the set
    /// that is built in.
    pub fn fixture(mut self, fixture: Fixture) -> Self {
        self.sources.push(Source::Code(fixture));
        self
    }

    /// Adds the fixtures of a file, or of all `*.json` files of a folder and the folders in it.
    ///
    /// # Errors
    ///
    /// What cannot be read. What cannot be used is told by [`start`](Self::start), so that the
    /// problems of all files come together.
    pub fn fixtures_from(mut self, path: impl AsRef<Path>) -> Result<Self, LoadErrors> {
        self.sources.extend(files::read(&[path.as_ref().to_owned()])?);
        Ok(self)
    }

    /// Serves a loaded set instead of everything that was or will be added.
    pub fn fixtures(mut self, fixtures: FixtureSet) -> Self {
        self.fixtures = Some(fixtures);
        self
    }

    /// Adds a limit of requests or tokens a minute, beside those of files and those given before. Who is over it
    /// gets the provider's own 429, and every answer has rate-limit headers that agree with it.
    pub fn limit(mut self, limit: Limit) -> Self {
        self.config.limits.push(limit);
        self
    }

    /// Answers every API request with this timeline, whatever the fixtures say: to play one that was
    /// planned or built elsewhere. One that breaks the rules of [`Timeline`] is refused at the start.
    pub fn timeline(mut self, timeline: Timeline) -> Self {
        self.config.timeline = Some(timeline);
        self
    }

    /// Has someone else answer the requests that no fixture matches, or `always` all.
    #[cfg_attr(not(feature = "record"), expect(dead_code, reason = "only the recorder forwards"))]
    pub(crate) fn forward(mut self, to: Arc<dyn Forward>, always: bool) -> Self {
        self.config.forwarding = Some(Forwarding { to, always });
        self
    }

    /// The address to listen on; 127.0.0.1 and a free port unless given. Any but a loopback
    /// address needs an [`admin_token`](Self::admin_token).
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = address;
        self
    }

    /// Pacing over the fixtures' own, key by key.
    pub fn pacing(mut self, pacing: Pacing) -> Self {
        self.config.pacing = pacing;
        self
    }

    /// Multiplies every offset; 0 is no waiting.
    pub fn time_scale(mut self, factor: f64) -> Self {
        self.config.time_scale = factor;
        self
    }

    /// A fault for every answer, beside those that were given before. Those of a base URL or of a header go
    /// over it, and it goes over the replies' own, where only one of two can be.
    pub fn fault(mut self, fault: Fault) -> Self {
        self.config.faults.push(fault);
        self
    }

    /// Answers every request from a scenario, unless its base URL or a header chooses another; see
    /// [`Scenario::find`].
    ///
    /// ```
    /// use llmirage::MockServer;
    /// use llmirage::Scenario;
    ///
    /// let builder = MockServer::builder().scenario(Scenario::find("quota-wall")?);
    /// # Ok::<(), String>(())
    /// ```
    pub fn scenario(mut self, scenario: &'static Scenario) -> Self {
        self.config.scenario = Some(scenario);
        self
    }

    /// What a request that no fixture matches gets; an error unless given.
    pub fn unmatched(mut self, unmatched: Unmatched) -> Self {
        self.config.unmatched = unmatched;
        self
    }

    /// Accepts this key, and those given before, and no others. Without any, all requests pass.
    pub fn api_key(mut self, key: impl Into<String>) -> Self {
        self.config.api_keys.push(key.into());
        self
    }

    /// The largest body of a request, in bytes; 10 MiB unless given.
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.config.max_body = bytes;
        self
    }

    /// How many connections may be open; 4,096 unless given. One more is accepted and closed at
    /// once, so that the client sees it and does not hang in the queue of the listener.
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.config.max_connections = connections;
        self
    }

    /// The longest that anything is held back; 60 s unless given.
    pub fn max_hold(mut self, hold: Duration) -> Self {
        self.config.max_hold = hold;
        self
    }

    /// How many requests the journal keeps; 1,000 unless given, at least 1.
    pub fn journal_limit(mut self, entries: usize) -> Self {
        self.journal_limit = entries;
        self
    }

    /// How long [`shutdown`](MockServer::shutdown) lets streams finish; 5 s unless given.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.config.grace = grace;
        self
    }

    /// Answers to this `Host`, beside loopback names and addresses.
    pub fn allow_host(mut self, name: impl Into<String>) -> Self {
        self.config.allow_hosts.push(name.into());
        self
    }

    /// The bearer token that the admin API wants.
    pub fn admin_token(mut self, token: impl Into<String>) -> Self {
        self.config.admin_token = Some(token.into());
        self
    }

    /// Serves https.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Calls `call` with each journal entry once it has its outcome. It is called on the connection's
    /// task and must not block.
    pub fn on_settled(mut self, call: impl Fn(&Entry) + Send + Sync + 'static) -> Self {
        self.on_settled = Some(Box::new(call));
        self
    }

    /// Listens and serves, until the server is shut down or dropped.
    ///
    /// # Errors
    ///
    /// [`StartError`]: fixtures that do not load, a timeline that cannot be played, faults that make no sense, an address that cannot be listened on, an address
    /// open to the network without an admin token, a certificate that cannot be used.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime with I/O and time.
    pub async fn start(mut self) -> Result<MockServer, StartError> {
        let address = self.listen;
        if !address.ip().is_loopback() && self.config.admin_token.is_none() {
            return Err(StartError::Exposed { address });
        }
        #[cfg(feature = "tls")]
        let tls = self.tls.take().map(|tls| tls.acceptor()).transpose()?;
        #[cfg(not(feature = "tls"))]
        let _ = &mut self;
        let service = self.service()?;
        let listening = accept::listen(address).and_then(|listener| Ok((listener.local_addr()?, listener)));
        let (local, listener) = listening.map_err(|source| StartError::Listen { address, source })?;
        #[cfg(feature = "tls")]
        return Ok(MockServer::serve(service, listener, local, tls));
        #[cfg(not(feature = "tls"))]
        Ok(MockServer::serve(service, listener, local))
    }

    /// The server without its sockets.
    ///
    /// # Errors
    ///
    /// [`StartError::Load`]: fixtures that do not load. [`StartError::Timeline`]: a timeline that cannot
    /// be played. [`StartError::Fault`]: a fault that makes no sense, or two that do not go together.
    pub fn service(self) -> Result<Service, StartError> {
        self.config.timeline.as_ref().map_or(Ok(()), check).map_err(StartError::Timeline)?;
        self.config.faults.iter().try_for_each(Fault::check).map_err(StartError::Fault)?;
        combine::check(&self.config.faults).map_err(StartError::Fault)?;
        let fixtures = match self.fixtures {
            Some(fixtures) => fixtures,
            None if self.sources.is_empty() => FixtureSet::embedded(),
            None => FixtureSet::load(self.sources)?,
        };
        let fixtures = fixtures.with_limits(&self.config.limits)?;
        let journal = Journal::new(self.journal_limit, self.on_settled);
        Ok(Service { state: Arc::new(State::new(self.config, fixtures, journal)) })
    }
}

/// Whether a timeline keeps its own rules, and which it does not.
fn check(timeline: &Timeline) -> Result<(), &'static str> {
    let ends = timeline.events.iter().map(|event| event.end);
    let end = timeline.events.last().map_or(0, |event| event.end);
    if !ends.is_sorted() || end != timeline.body.len() {
        return Err("its events do not cover its body in order");
    }
    let times = std::iter::once(timeline.head.at).chain(timeline.events.iter().map(|event| event.at));
    if !times.is_sorted() {
        return Err("it goes back in time");
    }
    Ok(())
}

/// Without the settings: keys and tokens are among them.
impl fmt::Debug for Builder {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Builder").field("listen", &self.listen).finish_non_exhaustive()
    }
}

/// Without keys and tokens.
impl fmt::Debug for Config {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Config").field("seed", &self.seed).finish_non_exhaustive()
    }
}
