//! Which `Host` names are answered: those that only this machine resolves to this machine.
//!
//! A page on another site can make a browser resolve the site's own name to 127.0.0.1 (DNS rebinding)
//! and then read what it likes; its requests carry that name in `Host`. So every route checks it.

use std::net::IpAddr;

use http::uri::Authority;
use http::{HeaderMap, Uri, Version, header};

/// What a request says about the host it is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Named {
    /// This machine, or one of the names allowed beside.
    Allowed,
    /// Another one, or something that names none.
    Refused,
    /// Nothing, which HTTP/1.1 forbids.
    Nothing,
}

/// What a request says about the host it is for.
pub(crate) fn named(version: Version, headers: &HeaderMap, uri: &Uri, allowed: &[String]) -> Named {
    // A request with an absolute URI has an authority there, too, and both must be right.
    let absolute = uri.authority().is_none_or(|authority| is_allowed(authority.as_str(), allowed));
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().is_ok_and(|host| is_allowed(host, allowed)),
        (Some(_), Some(_)) => false,
        // HTTP/1.0 has no Host, and browsers do not speak it.
        (None, _) if version < Version::HTTP_11 => true,
        (None, _) => return Named::Nothing,
    };
    if absolute && host { Named::Allowed } else { Named::Refused }
}

/// Whether `host` or `host:port` is a name or address of this machine, or one that is allowed.
fn is_allowed(host: &str, allowed: &[String]) -> bool {
    let Some(name) = without_port(host) else {
        return false;
    };
    let same = |other: &String| without_port(other).is_some_and(|other| other == name);
    if allowed.iter().any(same) {
        return true;
    }
    let address = || name.trim_start_matches('[').trim_end_matches(']').parse();
    name == "localhost" || name.ends_with(".localhost") || address().is_ok_and(is_loopback)
}

/// The name before the port in lower case; `None` for what is no host: a user before it, a port that is
/// none.
fn without_port(host: &str) -> Option<String> {
    let authority: Authority = host.parse().ok()?;
    let name = authority.host();
    let port = authority.as_str().strip_prefix(name)?;
    let is_port = port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok());
    let name = name.strip_suffix('.').unwrap_or(name);
    (is_port && !name.is_empty()).then(|| name.to_ascii_lowercase())
}

fn is_loopback(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_loopback(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.to_ipv4_mapped().is_some_and(|ip| ip.is_loopback()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(host: Option<&str>, uri: &str, expected: Named) {
        let mut headers = HeaderMap::new();
        if let Some(host) = host {
            headers.insert(header::HOST, host.parse().unwrap());
        }
        let allowed = ["Mock.test".to_owned(), "10.0.0.7".to_owned(), "port.test:80".to_owned()];
        let named = named(Version::HTTP_11, &headers, &uri.parse().unwrap(), &allowed);
        assert_eq!(named, expected, "{host:?} {uri}");
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
            check(Some(host), "/", Named::Allowed);
        }
        for host in ["mock.test", "Mock.Test:4010", "localhost.", "10.0.0.7:80", "port.test:81"] {
            check(Some(host), "/", Named::Allowed);
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
            "localhost@evil.test",
            "evil.test@localhost",
            "localhost:80@evil.test",
            "localhost:",
            "localhost:x",
            "localhost:99999",
            "localhost:1:2",
            "localhost/",
            "[::1",
            "[::1]x",
            ".",
        ] {
            check(Some(host), "/", Named::Refused);
        }
    }

    #[test]
    fn an_absolute_uri_is_checked_too() {
        check(None, "http://localhost/", Named::Nothing);
        check(Some("localhost"), "http://evil.test/", Named::Refused);
        check(Some("localhost"), "http://localhost/", Named::Allowed);
    }

    #[test]
    fn a_request_without_a_host_is_no_browsers_if_it_is_http_1_0() {
        let check = |version, uri: &str, expected| {
            assert_eq!(named(version, &HeaderMap::new(), &uri.parse().unwrap(), &[]), expected);
        };
        check(Version::HTTP_11, "/", Named::Nothing);
        check(Version::HTTP_10, "/", Named::Allowed);
        check(Version::HTTP_10, "http://evil.test/", Named::Refused);
    }

    #[test]
    fn two_hosts_are_none() {
        let mut headers = HeaderMap::new();
        headers.append(header::HOST, "localhost".parse().unwrap());
        headers.append(header::HOST, "localhost".parse().unwrap());
        assert_eq!(named(Version::HTTP_11, &headers, &"/".parse().unwrap(), &[]), Named::Refused);
    }
}
