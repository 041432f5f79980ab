//! The scope of a request: what its base URL, or its headers, choose without the client's code knowing.

use http::header::{HeaderMap, HeaderName};

use crate::plan::fault::combine;
pub(crate) use crate::plan::fault::percent::decode;
use crate::plan::request::Scope;
use crate::plan::scenario::Choice;

/// The scope of a request and the path below it.
///
/// The path may start with `/session/{name}` and any number of `/fault/{SPEC}`, in any order; the headers
/// `x-llmirage-session` and `x-llmirage-fault`, which may be there several times, say the same. A fault in
/// a header is instead of all those of the path.
///
/// # Errors
///
/// What is wrong with the faults, for the client to read.
pub(crate) fn split<'a>(path: &'a str, headers: &HeaderMap) -> Result<(Scope, &'a str), String> {
    let mut scope = Scope::default();
    let mut rest = path;
    let mut specs = Vec::new();
    loop {
        if let Some((name, after)) = segment(rest, "/session/") {
            scope.session = decode(name)?;
            rest = after;
        } else if let Some((spec, after)) = segment(rest, "/fault/") {
            specs.push(decode(spec)?);
            rest = after;
        } else {
            break;
        }
    }
    path[..path.len() - rest.len()].clone_into(&mut scope.prefix);
    if let Some(name) = headers.get(&SESSION) {
        let name = name.to_str().map_err(|_| format!("{SESSION} is not text"))?;
        name.clone_into(&mut scope.session);
    }
    let lines = headers.get_all(&FAULT).iter().map(|value| value.to_str());
    let lines: Vec<&str> = lines.collect::<Result<_, _>>().map_err(|_| format!("{FAULT} is not text"))?;
    if !lines.is_empty() {
        // Clients and proxies join lines of one name like this; a word has no white space.
        let words = lines.into_iter().flat_map(|line| line.split(", "));
        specs = words.map(|spec| spec.trim().to_owned()).collect();
    }
    let wrong: Vec<String> = specs.iter().filter_map(|spec| choose(&mut scope, spec).err()).collect();
    if !wrong.is_empty() {
        return Err(wrong.join("; "));
    }
    combine::check(&scope.faults)?;
    if scope.session.len() > MAX_SESSION {
        return Err(format!("a session's name has at most {MAX_SESSION} bytes"));
    }
    Ok((scope, if rest.is_empty() { "/" } else { rest }))
}

/// The path's first segment after `prefix`, and what follows it.
fn segment<'a>(path: &'a str, prefix: &str) -> Option<(&'a str, &'a str)> {
    let rest = path.strip_prefix(prefix)?;
    let end = rest.find('/').unwrap_or(rest.len());
    Some(rest.split_at(end)).filter(|(segment, _)| !segment.is_empty())
}

/// Adds a fault, or chooses a scenario.
fn choose(scope: &mut Scope, spec: &str) -> Result<(), String> {
    match spec.parse().map_err(|error| format!("fault {spec:?}: {error}"))? {
        Choice::Fault(fault) => scope.faults.push(fault),
        Choice::Scenario(scenario) => {
            if let Some(other) = scope.scenario.replace(scenario) {
                return Err(format!("one scenario answers a request: {scenario} does not go with {other}"));
            }
        }
    }
    Ok(())
}

const SESSION: HeaderName = HeaderName::from_static("x-llmirage-session");
const FAULT: HeaderName = HeaderName::from_static("x-llmirage-fault");

/// How long a session's name may be.
const MAX_SESSION: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, session: &str, faults: &[&str], rest: &str) {
        let (scope, below) = split(path, &HeaderMap::new()).unwrap();
        let found: Vec<String> = scope.faults.iter().map(ToString::to_string).collect();
        assert_eq!((scope.session.as_str(), below), (session, rest), "{path}");
        assert_eq!(found, faults, "{path}");
    }

    #[test]
    fn scopes_stand_before_the_path_in_any_order() {
        check("/v1/chat/completions", "", &[], "/v1/chat/completions");
        check("/session/a/v1/models", "a", &[], "/v1/models");
        check("/session/a/fault/close-mid-stream@event:3/v1", "a", &["close-mid-stream@event:3"], "/v1");
        check(
            "/fault/close-mid-stream%40event%3A3/session/b%20c/v1",
            "b c",
            &["close-mid-stream@event:3"],
            "/v1",
        );
        check("/session/a/session/b", "b", &[], "/");
        check("/session//v1", "", &[], "/session//v1");
        check("/sessions/a/v1", "", &[], "/sessions/a/v1");
        check("/session/100%/v1", "100%", &[], "/v1");
        check("", "", &[], "/");
    }

    #[test]
    fn faults_of_a_path_compose() {
        check(
            "/fault/bom/session/a/fault/rate-limit:times=2/fault/stall@event:-1/v1",
            "a",
            &["bom", "rate-limit:times=2", "stall@event:-1"],
            "/v1",
        );
        // What is encoded once more is a value's own.
        check("/fault/stall-heartbeat:text=a%252Cb/v1", "", &["stall-heartbeat:text=a%2Cb"], "/v1");
    }

    #[test]
    fn headers_win_over_the_path() {
        let mut headers = HeaderMap::new();
        headers.insert("x-llmirage-session", "h".parse().unwrap());
        headers.insert("x-llmirage-fault", "close-mid-stream@event:1".parse().unwrap());
        headers.append("x-llmirage-fault", "bom".parse().unwrap());
        let (scope, rest) = split("/fault/stall/fault/gzip/session/a/v1", &headers).unwrap();
        assert_eq!((scope.session.as_str(), rest), ("h", "/v1"));
        assert_eq!(scope.faults, ["close-mid-stream@event:1", "bom"].map(|spec| spec.parse().unwrap()));
    }

    #[test]
    fn a_scenario_is_chosen_like_a_fault_and_goes_with_faults() {
        let path = "/fault/scenario:quota-wall/fault/close-mid-stream@event:3/session/a/v1";
        let (scope, rest) = split(path, &HeaderMap::new()).unwrap();
        assert_eq!((scope.scenario.map(|scenario| scenario.name()), rest), (Some("quota-wall"), "/v1"));
        assert_eq!((scope.faults.len(), scope.session.as_str()), (1, "a"));
        let mut headers = HeaderMap::new();
        headers.insert("x-llmirage-fault", "scenario:clean-cut".parse().unwrap());
        let (scope, _) = split("/v1", &headers).unwrap();
        assert_eq!(scope.scenario.map(|scenario| scenario.name()), Some("clean-cut"));
        let error = split("/fault/scenario:quota-wal/v1", &HeaderMap::new()).unwrap_err();
        assert!(error.ends_with("did you mean \"quota-wall\"?"), "{error}");
    }

    #[test]
    fn lines_of_a_header_may_be_joined() {
        let mut headers = HeaderMap::new();
        headers.insert(
            "x-llmirage-fault",
            "bom, stall:hold=1s,then=reset@event:3,byte:2, gzip".parse().unwrap(),
        );
        let (scope, _) = split("/v1", &headers).unwrap();
        let found: Vec<String> = scope.faults.iter().map(ToString::to_string).collect();
        assert_eq!(found, ["bom", "stall:hold=1s,then=reset@event:3,byte:2", "gzip"]);
    }

    #[test]
    fn a_scope_that_cannot_be_read_says_why() {
        let error = |path: &str| split(path, &HeaderMap::new()).unwrap_err();
        assert!(error("/fault/typo/v1").starts_with("fault \"typo\": "), "{}", error("/fault/typo/v1"));
        assert_eq!(
            error("/fault/stall/fault/close-mid-stream/v1"),
            "a response ends once: close-mid-stream does not go with stall; leave one out, or choose another \
             attempt for it"
        );
        assert_eq!(
            error("/fault/stal/fault/bom/fault/stall:hold=5/v1"),
            "fault \"stal\": unknown fault \"stal\"; did you mean \"stall\"?; fault \"stall:hold=5\": `hold` of stall: \
             expected a duration with a unit, like \"20ms\" or \"1.5s\", got \"5\""
        );
        assert_eq!(
            error("/fault/scenario:quota-wall/fault/scenario:clean-cut/v1"),
            "one scenario answers a request: scenario:clean-cut does not go with scenario:quota-wall"
        );
        assert!(error("/session/%ff/v1").contains("is not UTF-8"));
        assert!(error(&format!("/session/{}/v1", "a".repeat(300))).contains("at most 256 bytes"));
    }
}
