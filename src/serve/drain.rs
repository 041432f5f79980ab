//! How many of the bytes written to a socket are still in this machine's send queue.
//!
//! The only place that depends on the platform: Linux tells. It is asked only when a connection is about to
//! be given up, and before a RST, which destroys what is queued. A FIN needs none of it: it follows the
//! queued bytes.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::SockRef;

use super::clock;
use super::lines::Lines;

#[cfg(target_os = "linux")]
mod diag;
#[cfg(target_os = "linux")]
mod table;

/// What is below a byte stream.
pub(crate) struct Socket<I> {
    /// The send queue.
    pub(crate) queue: Queue,
    /// The TCP socket, if there is one.
    pub(crate) raw: fn(&I) -> Option<SockRef<'_>>,
}

impl<I> Socket<I> {
    /// Nothing.
    pub(crate) fn none() -> Self {
        Self { queue: Queue::Unknown, raw: |_| None }
    }

    /// Ends the connection with a RST, without anything of TLS; other streams are dropped. What the peer
    /// has not acknowledged is lost.
    pub(crate) fn reset(&self, io: I) {
        if let Some(socket) = (self.raw)(&io) {
            // It fails for a connection that is already gone.
            let _ = socket.set_linger(Some(Duration::ZERO));
        }
        drop(io);
    }
}

impl<I> fmt::Debug for Socket<I> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Socket").field("queue", &self.queue).finish_non_exhaustive()
    }
}

/// The send queue of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Queue {
    /// Of a TCP connection between these addresses.
    Tcp {
        /// This end.
        local: SocketAddr,
        /// The other end.
        peer: SocketAddr,
    },
    /// Of something that cannot tell.
    Unknown,
    /// What a test says.
    #[cfg(test)]
    Told(&'static std::sync::atomic::AtomicU64),
}

/// How much of what was written the peer has not acknowledged.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "only Linux tells"))]
pub(crate) enum Unsent {
    /// So many bytes.
    Bytes(u64),
    /// The connection is no more: the peer has broken it.
    Gone,
    /// Nobody knows.
    Unknown,
}

/// How the wait for a peer that is to acknowledge every byte has ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Drained {
    /// It has.
    Taken,
    /// It has broken the connection.
    Gone,
    /// It did not, for too long.
    Stuck,
}

impl Queue {
    /// How much was not acknowledged yet.
    pub(crate) fn unsent(&self) -> Unsent {
        match self {
            Self::Tcp { local, peer } => platform::unsent(*local, *peer),
            Self::Unknown => Unsent::Unknown,
            #[cfg(test)]
            Self::Told(bytes) => Unsent::Bytes(bytes.load(std::sync::atomic::Ordering::Relaxed)),
        }
    }

    /// Waits until the peer has acknowledged every byte. A peer that takes nothing for [`STANDSTILL`] is not
    /// waited for, nor is anything for longer than `most`, or than a moment once the server stops. Where
    /// nobody knows, the bytes get [`BLIND`].
    pub(crate) async fn drained(&self, most: Duration, lines: &Lines) -> Drained {
        if let Self::Unknown = self {
            return Drained::Taken;
        }
        let end = clock::now() + most;
        let mut standstill = clock::now() + STANDSTILL;
        let mut hurry = None;
        let mut pause = SHORTEST;
        let mut least = u64::MAX;
        loop {
            let unsent = match self.unsent() {
                Unsent::Bytes(0) => return Drained::Taken,
                Unsent::Bytes(unsent) => unsent,
                Unsent::Gone => return Drained::Gone,
                Unsent::Unknown => {
                    clock::until(end.min(clock::now() + BLIND)).await;
                    return Drained::Taken;
                }
            };
            let now = clock::now();
            if unsent < least {
                (least, pause, standstill) = (unsent, SHORTEST, now + STANDSTILL);
            }
            if lines.is_draining() {
                hurry.get_or_insert(now + HURRY);
            }
            let limit = end.min(standstill).min(hurry.unwrap_or(end));
            if now >= limit {
                return Drained::Stuck;
            }
            clock::until(limit.min(now + pause)).await;
            pause = (pause * 2).min(LONGEST);
        }
    }
}

/// How long a peer may take nothing before a RST goes out nonetheless.
const STANDSTILL: Duration = Duration::from_secs(10);

/// How long it may take for all of it where the server is stopping.
pub(crate) const HURRY: Duration = Duration::from_millis(250);

/// How long the bytes before a RST have where the platform does not tell when they are through.
const BLIND: Duration = Duration::from_millis(200);

/// The shortest pause between two looks at the queue.
const SHORTEST: Duration = Duration::from_millis(1);

/// The longest.
const LONGEST: Duration = Duration::from_millis(32);

#[cfg(target_os = "linux")]
mod platform {
    use std::net::SocketAddr;

    use super::{Unsent, diag, table};

    /// What netlink says; some sandboxes have no more than `/proc`.
    pub(super) fn unsent(local: SocketAddr, peer: SocketAddr) -> Unsent {
        match diag::unsent(local, peer) {
            Unsent::Unknown => table::unsent(local, peer),
            known @ (Unsent::Bytes(_) | Unsent::Gone) => known,
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod platform {
    use std::net::SocketAddr;

    use super::Unsent;

    /// Nobody knows.
    pub(super) fn unsent(_: SocketAddr, _: SocketAddr) -> Unsent {
        Unsent::Unknown
    }
}
