//! The builder of a recorder: every setting, its default, and what is refused at the start.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::Recorder;
use super::folder::Folder;
use super::keeper::{Keeper, OnRelayed, Relayed};
use super::relay::Relay;
use super::upstream::{Authority, Dial, Dialer, Upstream};
use crate::error::StartError;
use crate::plan::FixtureSet;
#[cfg(test)]
use crate::serve::Service;
use crate::serve::{self, Entry, MockServer};

/// Which requests go to the service, in the words of VCR.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Mode {
    /// All, into a folder that has no recordings yet. With recordings: none; those are replayed, and a request that
    /// none of them answers is refused.
    #[default]
    Once,
    /// Those that no recording answers: what is in the folder at the start is replayed, the rest recorded.
    New,
    /// All. The first time that a request is made, its recording replaces those in the folder.
    All,
}

/// Called with the journal entry of each request that was answered here.
type OnReplayed = Box<dyn Fn(&Entry) + Send + Sync>;

/// What a recorder is made from.
#[must_use = "a builder does nothing until it is started"]
pub struct Builder {
    server: serve::Builder,
    upstream: String,
    folder: Option<PathBuf>,
    mode: Mode,
    ca: Vec<Authority>,
    max_body: usize,
    on_relayed: Option<OnRelayed>,
    on_replayed: Option<OnReplayed>,
}

impl Builder {
    pub(super) fn new() -> Self {
        Self {
            server: MockServer::builder(),
            upstream: String::new(),
            folder: None,
            mode: Mode::Once,
            ca: Vec::new(),
            max_body: 64 << 20,
            on_relayed: None,
            on_replayed: None,
        }
    }

    /// The address of the real service, `https://` or `http://`. A path in it stands before the path of every
    /// request.
    pub fn upstream(mut self, url: impl Into<String>) -> Self {
        self.upstream = url.into();
        self
    }

    /// Where recordings are: `fixtures.json` and a folder of transcripts. It is made with the first of them.
    /// Without a folder nothing is written or replayed; see [`Recorder::transcripts`].
    pub fn folder(mut self, path: impl AsRef<Path>) -> Self {
        self.folder = Some(path.as_ref().to_owned());
        self
    }

    /// Which requests go to the service; [`Mode::Once`] unless given.
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// Trusts the authorities of this PEM, too, beside the system's.
    pub fn trust_pem(mut self, pem: impl Into<String>) -> Self {
        self.ca.push(Authority::Pem(pem.into()));
        self
    }

    /// Trusts the authorities of this PEM file, too, beside the system's.
    pub fn trust_file(mut self, path: impl AsRef<Path>) -> Self {
        self.ca.push(Authority::File(path.as_ref().to_owned()));
        self
    }

    /// The address to listen on; 127.0.0.1 and a free port unless given. Any but a loopback address needs an
    /// [`admin_token`](Self::admin_token).
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.server = self.server.listen(address);
        self
    }

    /// Answers to this `Host`, beside loopback names and addresses.
    pub fn allow_host(mut self, name: impl Into<String>) -> Self {
        self.server = self.server.allow_host(name);
        self
    }

    /// The bearer token that the admin API wants.
    pub fn admin_token(mut self, token: impl Into<String>) -> Self {
        self.server = self.server.admin_token(token);
        self
    }

    /// The largest body, in bytes; 64 MiB unless given. A request that has a larger one is refused; a response is
    /// relayed and not recorded.
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self
    }

    /// How many connections may be open; 4,096 unless given.
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.server = self.server.max_connections(connections);
        self
    }

    /// How long [`shutdown`](Recorder::shutdown) lets exchanges end; 5 s unless given.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.server = self.server.grace(grace);
        self
    }

    /// Calls `call` with each exchange that was relayed, once it is written or will not be. It is called on the
    /// thread that writes.
    pub fn on_relayed(mut self, call: impl Fn(&Relayed) + Send + Sync + 'static) -> Self {
        self.on_relayed = Some(Box::new(call));
        self
    }

    /// Calls `call` with the journal entry of each request that was answered here, from a recording or with a
    /// refusal. It is called on the connection's task and must not block.
    pub fn on_replayed(mut self, call: impl Fn(&Entry) + Send + Sync + 'static) -> Self {
        self.on_replayed = Some(Box::new(call));
        self
    }

    /// Listens and relays, until the recorder is shut down or dropped.
    ///
    /// # Errors
    ///
    /// [`StartError`]: an address of the service that is none, certificates that cannot be used, recordings that do
    /// not load, an address that cannot be listened on or is open to the network without an admin token.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime with I/O and time.
    pub async fn start(mut self) -> Result<Recorder, StartError> {
        let upstream = self.read_upstream()?;
        let dial = Dialer::new(upstream.clone(), &self.ca)?;
        let Parts { server, keeper, replayed, known } = self.parts(upstream, Box::new(dial))?;
        let server = server.start().await?;
        Ok(Recorder { server, keeper, replayed, known })
    }

    fn read_upstream(&self) -> Result<Upstream, StartError> {
        Upstream::read(&self.upstream).map_err(StartError::Upstream)
    }

    /// The server that relays, and what it shares with the recorder.
    fn parts(&mut self, upstream: Upstream, dial: Box<dyn Dial>) -> Result<Parts, StartError> {
        let server = std::mem::replace(&mut self.server, MockServer::builder()).max_body(self.max_body);
        let recorded = self.folder.take().map(|path| Folder::open(path, self.mode)).transpose()?;
        let (folder, fixtures) = recorded.unzip();
        let fixtures = fixtures.flatten();
        let known = fixtures.as_ref().map(|fixtures| fixtures.names().count());
        let replayed = Arc::new(AtomicU64::new(0));
        let (counted, told) = (Arc::clone(&replayed), self.on_replayed.take());
        let server = server.on_settled(move |entry| {
            if entry.fixture.is_some() {
                counted.fetch_add(1, Ordering::Relaxed);
            }
            if let Some(told) = &told {
                told(entry);
            }
        });
        let keeper = Keeper::start(folder, self.max_body, self.on_relayed.take())?;
        let relay = Arc::new(Relay { upstream, dial, keeper: Arc::clone(&keeper) });
        let server = match (fixtures, self.mode) {
            (Some(fixtures), Mode::Once) => server.fixtures(fixtures),
            (Some(fixtures), Mode::New) => server.fixtures(fixtures).forward(relay, false),
            (_, Mode::All) | (None, Mode::Once | Mode::New) => {
                server.fixtures(FixtureSet::load(Vec::new())?).forward(relay, true)
            }
        };
        Ok(Parts { server, keeper, replayed, known })
    }

    /// The recorder without its sockets, and with connections to the service that a test makes.
    #[cfg(test)]
    pub(super) fn service(mut self, dial: Box<dyn Dial>) -> Result<(Service, Arc<Keeper>), StartError> {
        let upstream = self.read_upstream()?;
        let Parts { server, keeper, .. } = self.parts(upstream, dial)?;
        Ok((server.service()?, keeper))
    }
}

struct Parts {
    server: serve::Builder,
    keeper: Arc<Keeper>,
    replayed: Arc<AtomicU64>,
    known: Option<usize>,
}

/// Without the settings: a token is among them.
impl fmt::Debug for Builder {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Builder").field("upstream", &self.upstream).finish_non_exhaustive()
    }
}
