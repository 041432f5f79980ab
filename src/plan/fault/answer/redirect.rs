//! Redirects: where to, and the page that says so.

use bytes::Bytes;
use http::StatusCode;
use http::header::HOST;

use super::{Target, Vendor, pages};
use crate::plan::dialect::Facts;
use crate::plan::request::Call;
use crate::plan::timeline::{Head, Header};

/// A redirect as nginx sends it.
pub(super) fn redirect(status: StatusCode, to: Target, facts: &Facts<'_>) -> (Head, Bytes) {
    let (mut head, body) = pages::page(Vendor::Nginx, status, facts);
    head.headers.push(Header::new("Location", location(facts.call, to)));
    (head, body)
}

/// The URL that a request is sent to.
fn location(call: &Call, to: Target) -> String {
    let prefix = &call.scope.prefix;
    match to {
        Target::Same => target(call, &without_faults(prefix)),
        Target::Loop => target(call, prefix),
        Target::CrossOrigin => {
            let host = call.headers.get(HOST).and_then(|host| host.to_str().ok());
            let origin = host.map(other_name).unwrap_or_default();
            origin + &target(call, &without_faults(prefix))
        }
    }
}

/// Path and query, with one slash at the start: two would name another host.
fn target(call: &Call, prefix: &str) -> String {
    let path = format!("{prefix}{}", call.path);
    let path = path.trim_start_matches('/');
    match &call.query {
        Some(query) => format!("/{path}?{query}"),
        None => format!("/{path}"),
    }
}

/// The scope of a URL without its faults: the names of sessions stay.
fn without_faults(prefix: &str) -> String {
    let segments: Vec<&str> = prefix.split('/').skip(1).collect();
    let kept = segments.chunks(2).filter(|pair| pair.first() != Some(&"fault"));
    kept.flatten().map(|segment| format!("/{segment}")).collect()
}

/// The server's other name, with the same scheme and port.
fn other_name(host: &str) -> String {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if let Ok(port) = port.parse::<u16>() => (name, Some(port)),
        _ => (host, None),
    };
    let other = if name.eq_ignore_ascii_case("localhost") { "127.0.0.1" } else { "localhost" };
    port.map_or_else(|| format!("//{other}"), |port| format!("//{other}:{port}"))
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, Method};

    use super::*;
    use crate::plan::request::Scope;

    #[track_caller]
    fn check(prefix: &str, path: &str, host: Option<&str>, to: Target, expected: &str) {
        let mut headers = HeaderMap::new();
        if let Some(host) = host {
            headers.insert(HOST, host.parse().unwrap());
        }
        let scope = Scope { prefix: prefix.to_owned(), ..Scope::default() };
        let query = Some("api-version=1".to_owned());
        let call = Call::new(Method::POST, path.to_owned(), query, headers, scope);
        assert_eq!(location(&call, to), format!("{expected}?api-version=1"), "{prefix}{path}");
    }

    const SCOPED: &str = "/session/a%20b/fault/redirect:to=same/fault/stall/session/c";

    #[test]
    fn the_same_url_has_its_session_but_no_fault() {
        check("", "/v1/x", None, Target::Same, "/v1/x");
        check(SCOPED, "/v1/x", None, Target::Same, "/session/a%20b/session/c/v1/x");
        check("/fault/redirect", "/v1/x", None, Target::Same, "/v1/x");
    }

    #[test]
    fn a_loop_leads_to_the_url_as_it_was_asked() {
        check(SCOPED, "/v1/x", None, Target::Loop, &format!("{SCOPED}/v1/x"));
        check("", "/v1/x", None, Target::Loop, "/v1/x");
    }

    #[test]
    fn another_origin_is_the_other_name_of_this_server() {
        for (host, origin) in [
            ("localhost:4010", "//127.0.0.1:4010"),
            ("LOCALHOST", "//127.0.0.1"),
            ("127.0.0.1:4010", "//localhost:4010"),
            ("[::1]:4010", "//localhost:4010"),
            ("[::1]", "//localhost"),
            ("evil.example:99999", "//localhost"),
        ] {
            check("/fault/redirect", "/v1/x", Some(host), Target::CrossOrigin, &format!("{origin}/v1/x"));
        }
        check("/fault/redirect", "/v1/x", None, Target::CrossOrigin, "/v1/x");
    }

    #[test]
    fn no_path_names_another_host() {
        check("", "//evil.example/v1", None, Target::Same, "/evil.example/v1");
        check("/fault/redirect", "//evil.example/v1", None, Target::Same, "/evil.example/v1");
        check("", "//evil.example/v1", None, Target::Loop, "/evil.example/v1");
    }
}
