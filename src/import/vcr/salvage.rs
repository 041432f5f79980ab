//! The interactions of a cassette in YAML, those behind a break included.
//!
//! A file is read as a whole, since an alias may stand for something of an earlier interaction. Where it breaks, the
//! rest is cut at the lines on which interactions start, and each is read by itself.

use std::io::BufRead as _;
use std::rc::Rc;

use super::{Cassette, Item, LISTS, no_cassette};
use crate::import::yaml::{self, Allowance, Broken, Documents, Node, Value};

/// Reads a cassette.
///
/// # Errors
///
/// In words, where the file is none, or where it is made to exhaust who reads it.
pub(super) fn read(capture: &[u8]) -> Result<Cassette, String> {
    let (text, is_text) = valid(capture);
    let Documents { roots, broken } = yaml::read(text, 1, &mut Allowance::default());
    if let Some(broken) = broken.as_ref().filter(|broken| broken.is_refused) {
        return Err(refused(broken));
    }
    let lists: Vec<_> = roots.iter().filter_map(list).collect();
    let mut cassette = Cassette {
        recorded_with: roots.iter().find_map(|root| root.get("recorded_with")?.text().map(str::to_owned)),
        ..Cassette::default()
    };
    let mut items: Vec<_> = lists.iter().flat_map(|list| list.items()).collect();
    // The parser takes the end of the text that is UTF-8 for the end of an interaction.
    let cut = items.pop_if(|item| item.is_cut || !is_text).map(|item| item.line);
    cassette.items.extend(items.into_iter().map(|item| Ok(Node::clone(item))));
    if broken.is_none() && is_text {
        return if lists.is_empty() { Err(no_cassette()) } else { Ok(cassette) };
    }
    let (line, reason) = match broken {
        Some(broken) => (broken.line, broken.reason),
        None => (text.lines().count(), not_text(text.lines().count())),
    };
    let (mut is_covered, mut is_damaged) = (false, false);
    let mut allowance = Allowance::default();
    for (first, chunk) in chunks(capture, cut.unwrap_or(line)) {
        let item = one(chunk, first, &mut allowance)?;
        is_covered |= (first..first + chunk.lines().count()).contains(&line);
        is_damaged |= item.is_err();
        cassette.items.push(item);
    }
    if lists.is_empty() && cassette.items.is_empty() {
        return Err(format!("{} ({reason})", no_cassette()));
    }
    // By itself, an interaction may be readable that was not as a part of the file.
    cassette.lost = (!is_covered && !is_damaged).then_some(reason);
    Ok(cassette)
}

/// The list of interactions of a document.
fn list(root: &Rc<Node>) -> Option<&Node> {
    let old = || {
        Some(&**root).filter(|root| root.items().first().is_some_and(|item| item.get("request").is_some()))
    };
    let list = LISTS.iter().find_map(|list| root.get(list));
    list.filter(|list| matches!(list.value, Value::List(_))).or_else(old)
}

/// The one interaction of a chunk that starts on this line.
///
/// # Errors
///
/// As [`read`] has them, for the file as a whole.
fn one(chunk: &[u8], line: usize, allowance: &mut Allowance) -> Result<Item, String> {
    let (text, is_text) = valid(chunk);
    if !is_text {
        return Ok(Err(not_text(line + text.lines().count().saturating_sub(1))));
    }
    let Documents { roots, broken } = yaml::read(text, line, allowance);
    match (broken, roots.first().and_then(|root| root.items().first())) {
        (Some(broken), _) if broken.is_refused => Err(refused(&broken)),
        (Some(broken), _) => Ok(Err(broken.reason)),
        (None, Some(item)) => Ok(Ok(Node::clone(item))),
        (None, None) => Ok(Err(format!("line {line}: no interaction"))),
    }
}

fn refused(broken: &Broken) -> String {
    format!("is not read: {}", broken.reason)
}

/// The interactions that start on a line of the file or after it, each with its line.
fn chunks(capture: &[u8], first: usize) -> Vec<(usize, &[u8])> {
    let mut indent = None;
    let mut chunks = Vec::new();
    let mut open: Option<(usize, usize)> = None;
    let mut start = 0;
    for (line, text) in (1..).zip(capture.split_inclusive(|byte| *byte == b'\n')) {
        let at = start;
        start += text.len();
        let spaces = text.iter().take_while(|byte| **byte == b' ').count();
        let content = text[spaces..].trim_ascii_end();
        let is_item = content.starts_with(b"- ") && *indent.get_or_insert(spaces) == spaces;
        // What is indented no deeper than an item, and is none, comes after the last one.
        let is_after = !content.is_empty() && indent.is_some_and(|indent| spaces <= indent);
        if is_item || is_after {
            chunks.extend(open.take().map(|(line, from)| (line, &capture[from..at])));
        }
        if is_item && line >= first {
            open = Some((line, at));
        }
    }
    chunks.extend(open.map(|(line, from)| (line, &capture[from..])));
    chunks
}

/// The text up to the first byte that is not UTF-8, and whether that is all.
fn valid(bytes: &[u8]) -> (&str, bool) {
    match bytes.utf8_chunks().next() {
        Some(chunk) => (chunk.valid(), chunk.invalid().is_empty()),
        None => ("", true),
    }
}

fn not_text(line: usize) -> String {
    format!("line {line}: not UTF-8; save the file as UTF-8 and import it again")
}
