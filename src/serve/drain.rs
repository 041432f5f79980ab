//! How many of the bytes written to a socket are still in this machine's send queue.
//!
//! The only file that depends on the platform: Linux tells, in `/proc/net/tcp`. Reading that takes time, so
//! it is read only when a connection is about to be given up, and before a RST, which destroys what is
//! queued. A FIN needs none of it: it follows the queued bytes.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::SockRef;

use super::clock;
use super::lines::Lines;

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

impl Queue {
    /// How many bytes were not acknowledged yet; `None` where nobody knows.
    pub(crate) fn unsent(&self) -> Option<u64> {
        match self {
            Self::Tcp { local, peer } => platform::unsent(*local, *peer),
            Self::Unknown => None,
            #[cfg(test)]
            Self::Told(bytes) => Some(bytes.load(std::sync::atomic::Ordering::Relaxed)),
        }
    }

    /// Waits until the peer has acknowledged every byte; whether it has. A peer that takes nothing for
    /// [`STANDSTILL`] is not waited for, nor is anything for longer than `most`, or than a moment once the
    /// server stops. Where nobody knows, the bytes get [`BLIND`].
    pub(crate) async fn drained(&self, most: Duration, lines: &Lines) -> bool {
        if let Self::Unknown = self {
            return true;
        }
        let end = clock::now() + most;
        let mut standstill = clock::now() + STANDSTILL;
        let mut hurry = None;
        let mut pause = SHORTEST;
        let mut least = u64::MAX;
        loop {
            let Some(unsent) = self.unsent() else {
                clock::until(end.min(clock::now() + BLIND)).await;
                return true;
            };
            if unsent == 0 {
                return true;
            }
            let now = clock::now();
            if unsent < least {
                (least, pause, standstill) = (unsent, SHORTEST, now + STANDSTILL);
            }
            if lines.is_draining() {
                hurry.get_or_insert(now + HURRY);
            }
            let limit = end.min(standstill).min(hurry.unwrap_or(end));
            if now >= limit {
                return false;
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
    use std::fmt::Write as _;
    use std::net::{IpAddr, SocketAddr};

    /// The `tx_queue` of the connection's line in `/proc/net/tcp` or `tcp6`.
    pub(super) fn unsent(local: SocketAddr, peer: SocketAddr) -> Option<u64> {
        let table = match local {
            SocketAddr::V4(_) => "/proc/net/tcp",
            SocketAddr::V6(_) => "/proc/net/tcp6",
        };
        let table = std::fs::read_to_string(table).ok()?;
        find(&table, &format!(" {} {} ", hex(local), hex(peer)))
    }

    /// Lines look like `0: 0100007F:0FAA 0100007F:8D5C 01 00000000:00000000 …`: addresses, state,
    /// `tx_queue:rx_queue`.
    fn find(table: &str, addresses: &str) -> Option<u64> {
        let line = table.lines().find(|line| line.contains(addresses))?;
        let (_, rest) = line.split_once(addresses)?;
        let queues = rest.split_whitespace().nth(1)?;
        let (unsent, _) = queues.split_once(':')?;
        u64::from_str_radix(unsent, 16).ok()
    }

    /// An address as the kernel prints it: 32-bit words in the machine's byte order.
    fn hex(address: SocketAddr) -> String {
        let octets = match address.ip() {
            IpAddr::V4(ip) => ip.octets().to_vec(),
            IpAddr::V6(ip) => ip.octets().to_vec(),
        };
        let mut text = String::new();
        for word in octets.chunks_exact(4) {
            let word = u32::from_ne_bytes(word.try_into().expect("a chunk has four bytes"));
            write!(text, "{word:08X}").expect("a string takes everything");
        }
        format!("{text}:{:04X}", address.port())
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn the_queue_is_read_from_the_connections_own_line() {
            let table = "  sl  local_address rem_address   st tx_queue rx_queue\n   \
                0: 0100007F:0FAA 0100007F:0001 01 00000010:00000000 00:00000000 00000000\n   \
                1: 0100007F:0FAA 0100007F:0002 01 0000002A:00000001 00:00000000 00000000\n";
            assert_eq!(find(table, " 0100007F:0FAA 0100007F:0002 "), Some(42));
            assert_eq!(find(table, " 0100007F:0FAA 0100007F:0003 "), None);
        }

        #[test]
        #[cfg(target_endian = "little")]
        fn addresses_are_written_as_the_kernel_does() {
            assert_eq!(hex("127.0.0.1:4010".parse().unwrap()), "0100007F:0FAA");
            assert_eq!(hex("[::1]:80".parse().unwrap()), "00000000000000000000000001000000:0050");
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod platform {
    use std::net::SocketAddr;

    /// Nobody knows.
    pub(super) fn unsent(_: SocketAddr, _: SocketAddr) -> Option<u64> {
        None
    }
}
