//! Finds one connection among all of them, in `/proc/net/tcp`: it costs some milliseconds.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

use super::Unsent;

/// The `tx_queue` of the connection's line in `/proc/net/tcp` or `tcp6`.
pub(super) fn unsent(local: SocketAddr, peer: SocketAddr) -> Unsent {
    let table = match local {
        SocketAddr::V4(_) => "/proc/net/tcp",
        SocketAddr::V6(_) => "/proc/net/tcp6",
    };
    let table = std::fs::read_to_string(table).unwrap_or_default();
    let bytes = find(&table, &format!(" {} {} ", hex(local), hex(peer)));
    bytes.map_or(Unsent::Unknown, Unsent::Bytes)
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
