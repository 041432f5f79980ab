//! Finding secrets in a text.

use std::collections::BTreeMap;

use super::looks::{is_filled, is_placeholder};
use super::places::Rule;
use super::view::View;
use crate::secrets::{self, is_noise, is_parameter, is_secret};

mod host;
mod login;

/// A secret in a text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Find {
    /// Where it starts.
    pub(super) start: usize,
    /// Where what is replaced starts.
    pub(super) tail: usize,
    /// Where it ends.
    pub(super) end: usize,
    /// What it looks like.
    pub(super) looks_like: &'static str,
}

impl Find {
    /// A secret without a prefix that tells what it is.
    pub(super) fn whole(start: usize, end: usize, looks_like: &'static str) -> Self {
        Self { start, tail: start, end, looks_like }
    }
}

/// Checks that one secret is found in a text, this one, or none.
#[cfg(test)]
#[track_caller]
fn check_only(all: fn(&[u8]) -> Vec<Find>, text: &str, expected: Option<&str>) {
    let finds: Vec<&str> = all(text.as_bytes()).iter().map(|find| &text[find.start..find.end]).collect();
    assert_eq!(finds, Vec::from_iter(expected), "{text}");
}

/// Every secret in a text, none of which has a character of another; what only stands for one is left out.
pub(super) fn all(rule: Rule, view: &View) -> Vec<Find> {
    let text = view.plain();
    let ruled = match rule {
        Rule::Text => Vec::new(),
        Rule::Target => parameters(view),
        Rule::Cookie => cookies(text),
        Rule::Name => name(text),
        Rule::Secret => vec![Find::whole(0, text.len(), "a secret, by its name")],
    };
    let known = shapes(text).into_iter().chain(named(text)).chain(host::all(text)).chain(login::all(text));
    let is_open =
        |find: &Find| !is_filled(&text[find.tail..find.end]) && !is_placeholder(&text[find.start..find.end]);
    apart(ruled.into_iter().chain(known).filter(is_open))
}

/// Those that have no character of one before them, in the order in which they stand.
pub(super) fn apart(finds: impl Iterator<Item = Find>) -> Vec<Find> {
    let mut apart: BTreeMap<usize, Find> = BTreeMap::new();
    for find in finds {
        let before = apart.range(..find.end).next_back();
        if before.is_none_or(|(_, before)| before.end <= find.start) {
            apart.insert(find.start, find);
        }
    }
    apart.into_values().collect()
}

/// Keys and ids of a known shape.
pub(super) fn shapes(text: &[u8]) -> Vec<Find> {
    let mut finds = Vec::new();
    let mut at = 0;
    while at < text.len() {
        match secrets::at(text, at).filter(|found| found.is_certain) {
            Some(secrets::Found { start, tail, end, looks_like, .. }) => {
                finds.push(Find { start, tail, end, looks_like });
                at = end;
            }
            None => at += 1,
        }
    }
    finds
}

/// Values at random whose name says that they are secret: `"api_key": "…"`, `token=…`, `Bearer …`.
fn named(text: &[u8]) -> Vec<Find> {
    let named = |(start, end)| {
        let (name, between) = before(text, start)?;
        let assigned = between.iter().any(|byte| matches!(byte, b':' | b'=' | b'>'));
        let looks_like = match name.eq_ignore_ascii_case("bearer") {
            true => "a bearer token",
            false if assigned && is_secret(name) => "a secret, by its name",
            false => return None,
        };
        is_random(&text[start..end]).then(|| Find::whole(start, end, looks_like))
    };
    runs(text).filter_map(named).collect()
}

/// Runs of characters that are long enough for a secret, and may be one.
pub(super) fn runs(text: &[u8]) -> impl Iterator<Item = (usize, usize)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            at += text[at..].iter().position(|byte| is_value(*byte))?;
            let start = at;
            at += text[start..].iter().take_while(|byte| is_value(**byte)).count();
            let dots = text[start..at].iter().rev().take_while(|byte| **byte == b'.').count();
            if at - dots - start >= LEAST {
                return Some((start, at - dots));
            }
        }
    })
}

fn is_value(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_' | b'.' | b'~')
}

/// How many characters a secret has that only its name makes one.
const LEAST: usize = 20;

/// Whether somebody may have drawn these characters, and not to name something that is no secret.
pub(super) fn is_random(run: &[u8]) -> bool {
    is_noise(run) && !is_uuid(run)
}

fn is_uuid(run: &[u8]) -> bool {
    let parts = run.split(|byte| *byte == b'-').map(<[u8]>::len);
    run.iter().all(|byte| byte.is_ascii_hexdigit() || *byte == b'-') && parts.eq([8, 4, 4, 4, 12])
}

/// The name before a value, and what is between them.
pub(super) fn before(text: &[u8], value: usize) -> Option<(&str, &[u8])> {
    let between = |byte: &&u8| {
        matches!(
            byte,
            b' ' | b'\t' | b'\n' | b'"' | b'\'' | b'`' | b':' | b'=' | b'>' | b'(' | b'[' | b')' | b']'
        )
    };
    let gap = text[..value].iter().rev().take(BETWEEN).take_while(between).count();
    let end = value - gap;
    let word = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let len = text[..end].iter().rev().take(NAME).take_while(word).count();
    let name = std::str::from_utf8(&text[end - len..end]).ok()?;
    (gap > 0 && len > 0).then_some((name, &text[end..value]))
}

const BETWEEN: usize = 8;
const NAME: usize = 40;

/// The parameters of a query that are secret by their name.
fn parameters(view: &View) -> Vec<Find> {
    let text = view.plain();
    let is = |at: usize, byte: u8| text[at] == byte && view.is_literal(at);
    let Some(query) = (0..text.len()).find(|at| is(*at, b'?')) else {
        return Vec::new();
    };
    let mut finds = Vec::new();
    let mut start = query + 1;
    while start < text.len() {
        let end = (start..text.len()).find(|at| is(*at, b'&')).unwrap_or(text.len());
        let value = (start..end).find(|at| is(*at, b'=')).map_or(end, |equals| equals + 1);
        let name = String::from_utf8_lossy(&text[start..value]);
        if value < end && is_parameter(name.trim_end_matches('=')) {
            finds.push(Find::whole(value, end, "a secret, by its name"));
        }
        start = end + 1;
    }
    finds
}

/// The values of cookies, as a server sets them. Some captures join several with a comma.
fn cookies(text: &[u8]) -> Vec<Find> {
    let mut finds = Vec::new();
    let mut start = 0;
    let mut is_first = true;
    for part in text.split(|byte| matches!(byte, b';' | b'\n')) {
        let end = start + part.len();
        let next =
            part.windows(2).rposition(|pair| pair == b", ").filter(|comma| part[*comma..].contains(&b'='));
        let pair = match next {
            _ if is_first => Some(start),
            Some(comma) => Some(start + comma + 2),
            None if is_attribute(part) => None,
            None => Some(start),
        };
        let equals =
            pair.and_then(|pair| Some(pair + text[pair..end].iter().position(|byte| *byte == b'=')?));
        if let Some(equals) = equals.filter(|equals| equals + 1 < end) {
            finds.push(Find::whole(equals + 1, end, "a cookie"));
        }
        is_first = text.get(end) == Some(&b'\n');
        start = end + 1;
    }
    finds
}

/// Whether a part of a `set-cookie` tells how to keep the cookie.
fn is_attribute(part: &[u8]) -> bool {
    let name = part.split(|byte| *byte == b'=').next().unwrap_or_default().trim_ascii();
    ATTRIBUTES.iter().any(|attribute| name.eq_ignore_ascii_case(attribute.as_bytes()))
}

const ATTRIBUTES: [&str; 9] =
    ["domain", "expires", "httponly", "max-age", "partitioned", "path", "priority", "samesite", "secure"];

/// The name of an organization or a project; what says which of them it is stays.
fn name(text: &[u8]) -> Vec<Find> {
    let prefix = ["org-", "proj_", "user-"].into_iter().find(|prefix| text.starts_with(prefix.as_bytes()));
    let tail = prefix.map_or(0, str::len);
    vec![Find { start: 0, tail, end: text.len(), looks_like: "the name of an organization or a project" }]
}
