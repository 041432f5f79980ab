//! Which `Host` names are answered: those that only this machine resolves to this machine.
//!
//! A page on another site can make a browser resolve the site's own name to 127.0.0.1 (DNS rebinding)
//! and then read what it likes; its requests carry that name in `Host`. So every route checks it.

use std::net::IpAddr;

use http::{HeaderMap, Uri, header};

/// Whether a request names this machine, or one of the names allowed beside.
pub(crate) fn is_allowed(headers: &HeaderMap, uri: &Uri, allowed: &[String]) -> bool {
    // A request with an absolute URI has its authority there, and two must not differ.
    let mut names = headers.get_all(header::HOST).iter().map(|value| value.to_str().ok());
    let named = match (names.next(), names.next()) {
        (Some(host), None) => host,
        // HTTP/1.0 has no Host, and browsers do not speak it.
        (None, _) => {
            return uri.authority().is_none_or(|authority| is_local(authority.as_str(), allowed));
        }
        (Some(_), Some(_)) => None,
    };
    let authority = uri.authority().is_none_or(|authority| is_local(authority.as_str(), allowed));
    authority && named.is_some_and(|host| is_local(host, allowed))
}

/// Whether an origin (`http://localhost:3000`) is on this machine.
fn is_local(host: &str, allowed: &[String]) -> bool {
    let name = without_port(host);
    if let Ok(ip) = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        return is_loopback(ip) || allowed.iter().any(|other| same(other, name));
    }
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost") || allowed.iter().any(|other| same(other, &name))
}

/// The name before `:port`.
fn without_port(host: &str) -> &str {
    match host.rfind(']') {
        Some(end) => &host[..=end],
        None => host.split(':').next().unwrap_or(host),
    }
}

fn is_loopback(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_loopback(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.to_ipv4_mapped().is_some_and(|ip| ip.is_loopback()),
    }
}

/// Whether a Host names what is allowed, with or without a port.
fn same(allowed: &str, name: &str) -> bool {
    without_port(allowed).eq_ignore_ascii_case(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(host: Option<&str>, uri: &str, expected: bool) {
        let mut headers = HeaderMap::new();
        if let Some(host) = host {
            headers.insert(header::HOST, host.parse().unwrap());
        }
        let allowed = ["mock.test".to_owned(), "10.0.0.7".to_owned()];
        assert_eq!(is_allowed(&headers, &uri.parse().unwrap(), &allowed), expected, "{host:?} {uri}");
    }

    #[test]
    fn only_loopback_names_and_allowed_ones_pass() {
        for host in [
            "localhost",
            "LOCALHOST:80",
            "api.localhost:4010",
            "127.0.0.1",
            "127.8.9.1:1",
            "[::1]",
            "[::1]:4010",
        ] {
            check(Some(host), "/", true);
        }
        for host in ["mock.test", "Mock.Test:4010", "localhost.", "10.0.0.7:80"] {
            check(Some(host), "/", true);
        }
        for host in [
            "evil.test",
            "localhost.evil.test",
            "127.0.0.1.evil.test",
            "10.0.0.8",
            "[::2]:80",
            "",
            "[",
            "0.0.0.0",
        ] {
            check(Some(host), "/", false);
        }
    }

    #[test]
    fn a_request_without_a_host_is_no_browsers() {
        check(None, "/", true);
        check(None, "http://evil.test/", false);
        check(Some("localhost"), "http://evil.test/", false);
        check(Some("localhost"), "http://localhost/", true);
    }

    #[test]
    fn two_hosts_are_none() {
        let mut headers = HeaderMap::new();
        headers.append(header::HOST, "localhost".parse().unwrap());
        headers.append(header::HOST, "localhost".parse().unwrap());
        assert!(!is_allowed(&headers, &"/".parse().unwrap(), &[]));
    }
}
