//! Recording: a proxy to the real service that keeps what it sent, with its timing.
//!
//! A [`Recorder`] is a mock server that gives the requests that no fixture answers to the real service. Its answer
//! goes to the client as it comes, and what came when becomes a [transcript](crate::plan::transcript):
//!
//! ```text
//! client ─ serve ─► relay ──► call ─ tap ─ TLS ─► the service       forwards, and passes each part on as it comes
//!                     └► kept ──► keeper ──► folder                  a thread: transcript, secrets, files
//! ```

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::plan::transcript::Transcript;
use crate::serve::MockServer;

mod builder;
mod call;
mod folder;
mod head;
mod keeper;
mod kept;
mod relay;
mod tap;
mod upstream;

#[cfg(test)]
mod tests;

pub use builder::{Builder, Mode};
pub use keeper::{Fate, Relayed};

use keeper::Keeper;

/// A running recorder.
///
/// ```no_run
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use llmirage::Recorder;
///
/// let recorder =
///     Recorder::builder().upstream("https://api.openai.com").folder("tests/recorded").start().await?;
/// println!("ask {}/v1 once", recorder.base_url());
/// recorder.settled(1).await;
/// let transcript = recorder.transcripts().remove(0);
/// assert_eq!(transcript.response.status, 200);
/// recorder.shutdown().await;
/// # Ok(())
/// # }
/// ```
///
/// # Limitations
///
/// Dropping it stops accepting and cuts what is being relayed, as with a [`MockServer`]; what has ended is still
/// written. [`shutdown`](Self::shutdown) waits.
#[must_use = "a recorder that is dropped stops at once"]
pub struct Recorder {
    server: MockServer,
    keeper: Arc<Keeper>,
    replayed: Arc<AtomicU64>,
    /// How many fixtures are replayed; `None` where none are.
    known: Option<usize>,
}

/// What a whole run of a recorder did.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Summary {
    /// How many exchanges were recorded.
    pub recorded: usize,
    /// How many were relayed and not recorded.
    pub not_kept: usize,
    /// How many requests were answered from what was recorded before.
    pub replayed: u64,
    /// How many requests were refused since nothing answers them.
    pub unmatched: u64,
}

impl Recorder {
    /// A builder with every setting at its default.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// The address to give to a client as its base URL, in the place of the service's.
    pub fn base_url(&self) -> &str {
        self.server.base_url()
    }

    /// The address that is listened on.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// What was recorded so far, without secrets, in the order in which the exchanges ended. The oldest are
    /// forgotten once all together have 256 MiB.
    pub fn transcripts(&self) -> Vec<Transcript> {
        self.keeper.transcripts()
    }

    /// How many fixtures are replayed; `None` where all requests go to the service.
    pub fn known(&self) -> Option<usize> {
        self.known
    }

    /// Waits until so many exchanges were relayed since the start, and what is to be written of them is.
    pub async fn settled(&self, exchanges: usize) {
        self.keeper.settled(exchanges).await;
    }

    /// Stops accepting, lets exchanges end within the [grace](Builder::grace), then cuts them. Returns once
    /// everything that ended is written.
    pub async fn shutdown(self) -> Summary {
        self.shutdown_until(std::future::pending()).await
    }

    /// The same; cuts at once when `hurry` is ready.
    pub(crate) async fn shutdown_until(self, hurry: impl Future<Output = ()>) -> Summary {
        let unmatched = self.server.shutdown_until(hurry).await.unmatched;
        self.keeper.stop().await;
        let (recorded, not_kept) = self.keeper.counts();
        Summary { recorded, not_kept, replayed: self.replayed.load(Ordering::Relaxed), unmatched }
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Recorder").field("base_url", &self.base_url()).finish_non_exhaustive()
    }
}
