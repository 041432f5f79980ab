//! Secrets: what of an exchange may be written to a file, and what stands there instead of the rest.
//!
//! Headers are kept by name; whatever else is secret is replaced by characters of the same number, so that a replay has
//! the lengths, the events and the padding of the recording. The same secret always gives the same characters. What
//! cannot be replaced, since it is not one piece of text, only [smells], and is for people to take out.

use std::collections::BTreeSet;
use std::fmt;

mod doubt;
mod find;
mod headers;
mod looks;
mod pieces;
mod places;
mod view;

use find::Find;
use places::Rule;
use view::View;

use super::Exchange;
use crate::plan::transcript::Transcript;

/// What is left of a secret in a transcript, or may be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Smell {
    /// Where it is in the transcript: a JSON pointer.
    pub pointer: String,
    /// What it looks like.
    pub looks_like: String,
    /// Its first characters, few enough to be no secret.
    pub hint: String,
}

impl fmt::Display for Smell {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pointer, looks_like, hint } = self;
        write!(
            out,
            "{pointer}: looks like {looks_like} ({hint}…), which is not written to a file: put other characters in \
             its place where it was sent or captured, or leave the exchange out"
        )
    }
}

/// Takes out of an exchange what must not be written: headers that are not known to be harmless are left out, secrets
/// everywhere replaced. What is said in a body is only changed where it is a secret; a note tells where that was.
///
/// Scrubbing a second time changes nothing.
pub fn scrub(exchange: &mut Exchange) {
    let transcript = &mut exchange.transcript;
    if let Some(request) = &mut transcript.request {
        headers::keep(&mut request.headers, headers::Side::Request);
    }
    let left_out = headers::keep(&mut transcript.response.headers, headers::Side::Response);
    if !left_out.is_empty() {
        let note = format!(
            "response headers that are not known to be harmless are left out: {}",
            left_out.join(", ")
        );
        exchange.notes.push(note);
    }
    places::each(transcript, &mut |place, text| {
        let replaced = replace(place.rule, text);
        if place.is_body {
            let note = |looks_like| format!("{}: {looks_like} was replaced", place.pointer);
            exchange.notes.extend(replaced.into_iter().map(note));
        }
    });
    if let Some(host) = &mut exchange.host {
        let mut text = std::mem::take(host).into_bytes();
        replace(Rule::Text, &mut text);
        *host = String::from_utf8_lossy(&text).into_owned();
    }
}

/// What in a transcript looks like a secret; nothing, if it may be written. Whatever [`scrub`] would replace is told,
/// and what it cannot replace: a private key, a key in base64, a key in the pieces of a stream, and what only might be
/// a secret, because of what is said before it.
pub fn smells(transcript: &Transcript) -> Vec<Smell> {
    let mut smells = Vec::new();
    places::each(&mut transcript.clone(), &mut |place, text| {
        let view = View::of(place.rule, text);
        let finds = suspects(place.rule, &view);
        let smell =
            |find: &Find| smell(place.pointer.clone(), find, find.looks_like.to_owned(), view.plain());
        smells.extend(finds.iter().map(smell));
    });
    smells.extend(pieces::smells(&transcript.response));
    smells
}

/// What is a secret in a text, or may be one.
fn suspects(rule: Rule, view: &View) -> Vec<Find> {
    find::apart(find::all(rule, view).into_iter().chain(doubt::all(view.plain())))
}

/// Replaces the secrets of a text; what they looked like.
fn replace(rule: Rule, text: &mut [u8]) -> BTreeSet<&'static str> {
    let mut replaced = BTreeSet::new();
    // What was replaced may show what was hidden behind it, or be an escape with a backslash before it; there is an end
    // to that, but nobody has to rely on it.
    for _ in 0..ROUNDS {
        let mut view = View::of(rule, text);
        let finds = find::all(rule, &view);
        if finds.is_empty() {
            break;
        }
        for find in finds {
            view.fill(text, find.tail..find.end);
            replaced.insert(find.looks_like);
        }
    }
    replaced
}

/// How often is looked again: oftener than any text was seen to need.
const ROUNDS: usize = 8;

fn smell(pointer: String, find: &Find, looks_like: String, plain: &[u8]) -> Smell {
    let shown = (find.end - find.start).min(HINT * HINT) / HINT;
    let hint = String::from_utf8_lossy(&plain[find.start..find.start + shown]).into_owned();
    Smell { pointer, looks_like, hint }
}

/// How many characters of a secret are shown, and of how many these may be one.
const HINT: usize = 4;

#[cfg(test)]
mod tests;
