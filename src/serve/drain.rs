//! How many of the bytes written to a socket are still in this machine's send queue.
//!
//! The only file that depends on the platform: Linux tells, in `/proc/net/tcp`. Reading that takes time, so
//! it is read only when a connection is about to be given up. A FIN needs none of it: it follows the
//! queued bytes.

use std::net::SocketAddr;

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
}

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
