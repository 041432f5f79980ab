//! Acting: sockets, hyper, the player of timelines, the journal.
//!
//! What is sent, and when, is decided in [`plan`](mod@crate::plan). Here are the clock, the sockets and the
//! locks, each in one place:
//!
//! ```text
//! accept ─ connection ─ hyper ─ service ─► plan ─► Timeline ─► player, on the bare socket
//!             │                    │
//!         transport           state, journal
//! ```

use std::fmt;
use std::future::Future;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::plan::FixtureSet;

mod accept;
mod admin;
mod admit;
mod answer;
mod body;
mod bound;
mod builder;
pub(crate) mod clock;
mod connection;
mod cors;
mod door;
mod drain;
mod early;
mod echo;
mod entry;
mod exchange;
mod farewell;
#[cfg_attr(not(feature = "record"), expect(dead_code, reason = "only the recorder forwards"))]
pub(crate) mod forward;
mod head;
mod host;
mod journal;
mod lines;
mod player;
mod recall;
mod record;
pub(crate) mod redact;
mod scope;
mod service;
mod state;
#[cfg(feature = "tls")]
mod tls;
mod transport;
mod turns;

pub use builder::{Builder, Unmatched};
pub use clock::Clock;
pub use entry::{Entry, Outcome};
pub use journal::Journal;
pub use service::Service;
#[cfg(feature = "tls")]
pub use tls::Tls;

/// A running mock server.
///
/// Any number of them run in one process; they share nothing.
///
/// ```
/// # use llmirage::{At, Fault, Fixture, Matcher, MockServer, Outcome, Pacing, Reply};
/// # use std::time::Duration;
/// # use tokio::io::{AsyncReadExt, AsyncWriteExt};
/// # /// The application under test.
/// # async fn ask(base_url: &str, text: &str) -> std::io::Result<String> {
/// #     let address = base_url.trim_start_matches("http://");
/// #     let mut socket = tokio::net::TcpStream::connect(address).await?;
/// #     let message = format!(r#"{{"role":"user","content":"{text}"}}"#);
/// #     let body = format!(r#"{{"model":"gpt-4o","stream":true,"messages":[{message}]}}"#);
/// #     let head = format!("POST /v1/chat/completions HTTP/1.1\r\nhost: {address}\r\nconnection: close");
/// #     let request = format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
/// #     socket.write_all(request.as_bytes()).await?;
/// #     let mut answer = String::new();
/// #     socket.read_to_string(&mut answer).await?;
/// #     Ok(answer)
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let haiku = "An old silent pond";
/// let server = MockServer::builder()
///     .seed(7)
///     .fixture(
///         Fixture::named("flaky haiku")
///             .when(Matcher::user_contains("haiku"))
///             .reply(Reply::text(haiku).fault(Fault::close(At::event(2))))
///             .reply(Reply::text(haiku).pacing(Pacing::itl(Duration::from_millis(20)))),
///     )
///     .start()
///     .await?;
/// ask(server.base_url(), "write a haiku").await?;
/// ask(server.base_url(), "write a haiku").await?;
/// let calls = server.journal().settled(2).await;
/// assert!(matches!(calls[0].outcome, Outcome::Faulted { events: 2, .. }));
/// assert!(matches!(calls[1].outcome, Outcome::Completed { .. }));
/// # Ok(())
/// # }
/// ```
///
/// # Limitations
///
/// Dropping it stops accepting and cuts live streams, but cannot wait for either: the sockets are gone
/// once the runtime has run its tasks again. [`shutdown`](Self::shutdown) waits.
#[must_use = "a server that is dropped stops at once"]
pub struct MockServer {
    service: Service,
    address: SocketAddr,
    base_url: String,
    ca_pem: Option<String>,
    accepting: JoinHandle<()>,
}

impl MockServer {
    /// A builder with every setting at its default.
    pub fn builder() -> Builder {
        Builder::new()
    }

    #[cfg(not(feature = "tls"))]
    fn serve(service: Service, listener: TcpListener, address: SocketAddr) -> Self {
        let accepting = tokio::spawn(accept::run(listener, address, service.clone(), accept::Plain));
        Self { service, address, base_url: format!("http://{}", reachable(address)), ca_pem: None, accepting }
    }

    #[cfg(feature = "tls")]
    fn serve(
        service: Service,
        listener: TcpListener,
        address: SocketAddr,
        tls: Option<tls::Acceptor>,
    ) -> Self {
        let scheme = if tls.is_some() { "https" } else { "http" };
        let ca_pem = tls.as_ref().and_then(|tls| tls.ca_pem.clone());
        let accepting = match tls {
            Some(tls) => tokio::spawn(accept::run(listener, address, service.clone(), tls)),
            None => tokio::spawn(accept::run(listener, address, service.clone(), accept::Plain)),
        };
        Self { service, address, base_url: format!("{scheme}://{}", reachable(address)), ca_pem, accepting }
    }

    /// The address to give to a client as its base URL, like `http://127.0.0.1:4010`. OpenAI's SDKs
    /// take it with or without a `/v1` behind it, Azure's as the endpoint.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The address that is listened on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The CA that clients have to trust, in PEM; `None` unless the server made it itself.
    pub fn ca_pem(&self) -> Option<&str> {
        self.ca_pem.as_deref()
    }

    /// What was asked and how it ended.
    pub fn journal(&self) -> &Journal {
        self.service.journal()
    }

    /// Answers later requests from another set of fixtures. Hits stay; what is playing plays on.
    pub fn replace_fixtures(&self, fixtures: FixtureSet) {
        self.service.state.replace_fixtures(fixtures);
    }

    /// One fragment for each fixture whose `times` were not reached since the start, resets or not.
    pub fn unmet(&self) -> Vec<String> {
        self.service.state.unmet()
    }

    /// How many requests no fixture matched since the start, resets or not.
    pub fn unmatched_count(&self) -> u64 {
        self.service.state.unmatched()
    }

    /// Stops accepting, lets answers finish within the [grace](Builder::grace), then cuts them. Returns
    /// once every connection is gone and every request has its outcome.
    pub async fn shutdown(self) -> Summary {
        self.shutdown_until(std::future::pending()).await
    }

    /// The same; cuts at once when `hurry` is ready.
    pub(crate) async fn shutdown_until(mut self, hurry: impl Future<Output = ()>) -> Summary {
        self.accepting.abort();
        // The listener is gone with its task.
        let _ = (&mut self.accepting).await;
        let lines = &self.service.state.lines;
        lines.drain();
        let deadline = clock::now() + self.service.state.config.grace;
        let drained = tokio::select! {
            biased;
            drained = clock::before(deadline, lines.emptied()) => drained.is_some(),
            () = hurry => false,
        };
        if !drained {
            lines.cut();
            // Cut connections end when they are next polled; a runtime that does not poll them is gone.
            clock::before(clock::now() + CUT_LIMIT, lines.emptied()).await;
        }
        Summary { unmet: self.unmet(), unmatched: self.unmatched_count() }
    }
}

/// What a whole run did not get.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Summary {
    /// One fragment for each fixture whose `times` were not reached.
    pub unmet: Vec<String>,
    /// How many requests no fixture matched.
    pub unmatched: u64,
}

impl Drop for MockServer {
    fn drop(&mut self) {
        self.accepting.abort();
        self.service.state.lines.cut();
    }
}

impl fmt::Debug for MockServer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("MockServer").field("base_url", &self.base_url).finish_non_exhaustive()
    }
}

/// Where a client of this machine finds a server that listens on every address.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

/// How long `shutdown` waits for connections that were cut.
const CUT_LIMIT: Duration = Duration::from_secs(1);
