//! Cassettes: what vcrpy (and pytest-recording, which is vcrpy), Ruby's VCR and their like have kept, as YAML or JSON.
//!
//! They agree on pairs of `request` and `response` and on little else; so whatever a key may hold in one of them is
//! read wherever it stands. Nobody keeps times. Most decode bodies and keep the header that says otherwise.

use std::borrow::Cow;

use bytes::Bytes;

use super::elements::Text;
use super::encoding;
use super::exchange::{Budget, Damage, Exchange};
use super::yaml::Node;

mod body;
mod interaction;
mod salvage;

/// What the list of interactions is called: by vcrpy and Go's go-vcr, by the VCRs of Ruby and R.
const LISTS: [&str; 2] = ["interactions", "http_interactions"];

/// How much of a file tells whether it is a cassette.
const HEAD: usize = 64 << 10;

/// An interaction, or why there is none.
type Item = Result<Node, String>;

/// Whether this looks like a cassette.
pub(super) fn is(capture: &[u8]) -> bool {
    let Ok(capture) = unzip(capture) else { return false };
    let head = String::from_utf8_lossy(&capture[..capture.len().min(HEAD)]);
    let head = head.trim_start_matches('\u{feff}');
    if head.trim_start().starts_with('{') {
        // What a body of another capture says is not at the root.
        let text = Text::of(&capture);
        return LISTS.iter().any(|list| head.contains(list) && text.list(&[list]).is_there);
    }
    let starts = ["interactions:", "http_interactions:", "- request:", "- !ruby/struct:VCR::HTTPInteraction"];
    let is_start = |line: &str| {
        let line = line.replace(['"', '\''], "");
        starts.iter().any(|start| line.starts_with(start))
    };
    head.lines().any(is_start)
}

/// The exchanges of a cassette, in recorded order.
///
/// # Errors
///
/// In words, where the file is no cassette.
pub(super) fn read(capture: &[u8]) -> Result<Vec<Result<Exchange, Damage>>, String> {
    let capture = unzip(capture)?;
    let first = capture.iter().find(|byte| !byte.is_ascii_whitespace() && !b"\xef\xbb\xbf".contains(byte));
    let cassette = match first {
        // A mapping of YAML may be in braces, too.
        Some(b'{' | b'[') => match json(&capture) {
            Ok(cassette) if cassette.lost.is_none() => cassette,
            broken => salvage::read(&capture).ok().filter(|yaml| yaml.lost.is_none()).map_or(broken, Ok)?,
        },
        _ => salvage::read(&capture)?,
    };
    if cassette.items.is_empty() && cassette.lost.is_none() {
        return Err("has no interactions".to_owned());
    }
    let tool = cassette.recorded_with;
    let (mut budget, mut exchanges) = (Budget::default(), Vec::new());
    for (number, item) in (1..).zip(cassette.items) {
        let place = format!("interaction {number}");
        exchanges.push(match item {
            Ok(node) => interaction::read(&node, &place, tool.as_deref(), &mut budget),
            Err(reason) => Err(Damage { place, reason }),
        });
    }
    let rest = |reason| Err(Damage { place: "the rest of the file".to_owned(), reason });
    exchanges.extend(cassette.lost.map(rest));
    Ok(exchanges)
}

/// What a file holds.
#[derive(Default)]
struct Cassette {
    items: Vec<Item>,
    recorded_with: Option<String>,
    /// Why there may be more than these items.
    lost: Option<String>,
}

/// Some projects keep their cassettes compressed as a whole.
fn unzip(capture: &[u8]) -> Result<Cow<'_, [u8]>, String> {
    if !capture.starts_with(&[0x1f, 0x8b]) {
        return Ok(Cow::Borrowed(capture));
    }
    let decoded = encoding::decode(Bytes::copy_from_slice(capture), "gzip");
    let decoded = decoded.map_err(|reason| format!("is not read: of the file itself, {reason}"))?;
    Ok(Cow::Owned(decoded.body.into()))
}

fn json(capture: &[u8]) -> Result<Cassette, String> {
    let text = Text::of(capture);
    let mut lists = LISTS.iter().map(|list| text.list(&[list])).chain([text.list(&[])]);
    let found = lists.find(|found| found.is_there).ok_or_else(no_cassette)?;
    Ok(Cassette {
        items: found.raw.iter().map(|raw| text.element(raw).map(Node::from)).collect(),
        recorded_with: found.beside.get("recorded_with").and_then(|tool| tool.as_str()).map(str::to_owned),
        lost: found.broken,
    })
}

fn no_cassette() -> String {
    "is no cassette: it has neither `interactions` (vcrpy) nor `http_interactions` (VCR)".to_owned()
}

#[cfg(test)]
mod tests;
