//! JSON edited as text: whatever is not edited keeps its bytes. Key order, escapes, number forms, white
//! space, halves of surrogates and keys that are there twice all survive.
//!
//! Each function takes the text of one value and gives a new text, or `None` if the text is no JSON of that
//! shape or there is nothing to edit. Each is linear in the text, and values nested more than [`DEEPEST`]
//! levels deep are not looked at. Keys that are written with escapes are not recognized.

use std::ops::Range;

use crate::plan::dialect::chunk::Order;

/// How deep values may be nested.
const DEEPEST: usize = 128;

/// A member of an object.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Member {
    /// Its key, with the quotes.
    key: Range<usize>,
    value: Range<usize>,
}

/// The members of an object.
pub(super) fn members(object: &[u8]) -> Option<Vec<Member>> {
    let mut members = Vec::new();
    let start = space(object, 0);
    let end = list(object, start, b"{}", |at| {
        let (member, end) = member(object, at, 1)?;
        members.push(member);
        Some(end)
    })?;
    (space(object, end) == object.len()).then_some(members)
}

/// The items of an array.
pub(super) fn items(array: &[u8]) -> Option<Vec<Range<usize>>> {
    let mut items = Vec::new();
    let start = space(array, 0);
    let end = list(array, start, b"[]", |at| {
        let end = value(array, at, 1)?;
        items.push(at..end);
        Some(end)
    })?;
    (space(array, end) == array.len()).then_some(items)
}

/// The value of a key; of a key that is there twice the last, which is the one that readers keep.
pub(super) fn get<'a>(object: &'a [u8], key: &str) -> Option<&'a [u8]> {
    let members = members(object)?;
    let member = members.iter().rfind(|member| is(object, member, key))?;
    Some(&object[member.value.clone()])
}

/// The keys of an object, in its order.
pub(super) fn keys(object: &[u8]) -> Option<Vec<&[u8]>> {
    Some(members(object)?.iter().map(|member| name(object, member)).collect())
}

/// Edits the value of a key.
pub(super) fn edit(object: &[u8], key: &str, edit: impl FnOnce(&[u8]) -> Option<Vec<u8>>) -> Option<Vec<u8>> {
    let members = members(object)?;
    let Member { value, .. } = members.iter().rfind(|member| is(object, member, key))?;
    let new = edit(&object[value.clone()])?;
    Some(splice(object, value, &new))
}

/// Edits the items of an array; `None` if that changes none.
pub(super) fn edit_items(array: &[u8], mut edit: impl FnMut(&[u8]) -> Option<Vec<u8>>) -> Option<Vec<u8>> {
    let mut new = Vec::with_capacity(array.len());
    let (mut copied, mut changed) = (0, false);
    for item in items(array)? {
        if let Some(edited) = edit(&array[item.clone()]) {
            new.extend_from_slice(&array[copied..item.start]);
            new.extend_from_slice(&edited);
            (copied, changed) = (item.end, true);
        }
    }
    new.extend_from_slice(&array[copied..]);
    changed.then_some(new)
}

/// Sets a member. A new one stands where `order` and `known`, the usual order of the keys by hand, have it:
/// by name, or after the last of those that stand before it there. A key that `known` lacks stands last.
pub(super) fn set(object: &[u8], key: &str, value: &str, order: Order, known: &[&str]) -> Option<Vec<u8>> {
    let members = members(object)?;
    if let Some(member) = members.iter().rfind(|member| is(object, member, key)) {
        return Some(splice(object, &member.value, value.as_bytes()));
    }
    let rank = known.iter().position(|other| *other == key);
    let before = |member: &Member| match (order, rank) {
        (Order::Sorted, _) => name(object, member) < key.as_bytes(),
        (Order::Hand, Some(rank)) => known[..rank].iter().any(|other| is(object, member, other)),
        (Order::Hand, None) => true,
    };
    let Some(first) = members.first() else {
        let brace = space(object, 0) + 1;
        return Some(splice(object, &(brace..brace), format!("\"{key}\":{value}").as_bytes()));
    };
    let layout = |index: usize| {
        let Member { key, value } = &members[index];
        let lead = object[..key.start].iter().rposition(|byte| !byte.is_ascii_whitespace());
        let lead = &object[lead.map_or(0, |at| at + 1)..key.start];
        (String::from_utf8_lossy(lead), String::from_utf8_lossy(&object[key.end..value.start]))
    };
    Some(match members.iter().rposition(before) {
        Some(last) => {
            let (lead, colon) = layout(last);
            let at = members[last].value.end;
            splice(object, &(at..at), format!(",{lead}\"{key}\"{colon}{value}").as_bytes())
        }
        None => {
            let (lead, colon) = layout(0);
            let at = first.key.start;
            splice(object, &(at..at), format!("\"{key}\"{colon}{value},{lead}").as_bytes())
        }
    })
}

/// Gives a member another key.
pub(super) fn rename(object: &[u8], key: &str, to: &str) -> Option<Vec<u8>> {
    let members = members(object)?;
    let member = members.iter().rfind(|member| is(object, member, key))?;
    Some(splice(object, &member.key, format!("\"{to}\"").as_bytes()))
}

/// Removes every member with one of these keys; `None` if there is none.
pub(super) fn remove(object: &[u8], keys: &[&str]) -> Option<Vec<u8>> {
    let members = members(object)?;
    let goes: Vec<bool> =
        members.iter().map(|member| keys.iter().any(|key| is(object, member, key))).collect();
    let (first, last) = (members.first()?, members.last()?);
    if !goes.contains(&true) {
        return None;
    }
    let Some(kept) = goes.iter().position(|goes| !goes) else {
        let (open, close) = (space(object, 0) + 1, space(object, last.value.end));
        return Some(splice(object, &(open..close), b""));
    };
    // What stays of the list: from the first that is kept, each with the comma and the space before it.
    let mut new = object[..first.key.start].to_vec();
    new.extend_from_slice(&object[members[kept].key.start..members[kept].value.end]);
    for index in kept + 1..members.len() {
        if !goes[index] {
            new.extend_from_slice(&object[members[index - 1].value.end..members[index].value.end]);
        }
    }
    new.extend_from_slice(&object[last.value.end..]);
    Some(new)
}

/// What is between the quotes of a string.
pub(super) fn inside(string: &[u8]) -> Option<&[u8]> {
    let inside = string.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    (text(string, 0)? == string.len()).then_some(inside)
}

/// How many bytes the text of a string has, without its escapes.
pub(super) fn length(string: &[u8]) -> Option<usize> {
    let inside = inside(string)?;
    let (mut at, mut length) = (0, 0);
    while at < inside.len() {
        let (next, bytes) = character(inside, at);
        (at, length) = (next, length + bytes);
    }
    Some(length)
}

/// The string with no more than so many bytes of its text; no character and no escape is cut.
pub(super) fn cut(string: &[u8], bytes: usize) -> Option<Vec<u8>> {
    let inside = inside(string)?;
    let (mut at, mut left) = (0, bytes);
    while at < inside.len() {
        let (next, bytes) = character(inside, at);
        match left.checked_sub(bytes) {
            Some(rest) => (at, left) = (next, rest),
            None => break,
        }
    }
    Some([b"\"", &inside[..at], b"\""].concat())
}

/// The text with another in place of a range of it.
pub(super) fn splice(text: &[u8], range: &Range<usize>, new: &[u8]) -> Vec<u8> {
    [&text[..range.start], new, &text[range.end..]].concat()
}

fn is(object: &[u8], member: &Member, key: &str) -> bool {
    name(object, member) == key.as_bytes()
}

fn name<'a>(object: &'a [u8], member: &Member) -> &'a [u8] {
    &object[member.key.start + 1..member.key.end - 1]
}

/// Where the character or escape at `at` of a string ends, and how many bytes of UTF-8 it stands for.
fn character(inside: &[u8], at: usize) -> (usize, usize) {
    let unit = |at: usize| {
        let digits = inside.get(at..at + 6)?.strip_prefix(b"\\u")?;
        u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    let bounded = |next: usize| next.min(inside.len());
    match inside[at] {
        b'\\' => match (unit(at), unit(at + 6)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => (bounded(at + 12), 4),
            (Some(0..=0x7f), _) => (bounded(at + 6), 1),
            (Some(0x80..=0x7ff), _) => (bounded(at + 6), 2),
            (Some(_), _) => (bounded(at + 6), 3),
            (None, _) => (bounded(at + 2), 1),
        },
        lead => {
            let width = match lead {
                0xc0..=0xdf => 2,
                0xe0..=0xef => 3,
                0xf0..=0xf7 => 4,
                _ => 1,
            };
            let rest = inside[at + 1..].iter().take(width - 1).take_while(|byte| **byte & 0xc0 == 0x80);
            let width = 1 + rest.count();
            (at + width, width)
        }
    }
}

/// Where the white space at `at` ends.
fn space(text: &[u8], at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    at + rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')).count()
}

/// Where the list between these brackets at `at` ends. `item` says where the item at a place ends.
fn list(
    text: &[u8],
    at: usize,
    brackets: &[u8; 2],
    mut item: impl FnMut(usize) -> Option<usize>,
) -> Option<usize> {
    if text.get(at) != Some(&brackets[0]) {
        return None;
    }
    let mut at = space(text, at + 1);
    if text.get(at) == Some(&brackets[1]) {
        return Some(at + 1);
    }
    loop {
        at = space(text, item(at)?);
        match text.get(at)? {
            b',' => at = space(text, at + 1),
            byte if *byte == brackets[1] => return Some(at + 1),
            _ => return None,
        }
    }
}

fn member(object: &[u8], at: usize, depth: usize) -> Option<(Member, usize)> {
    let key = at..text(object, at)?;
    let colon = space(object, key.end);
    if object.get(colon) != Some(&b':') {
        return None;
    }
    let start = space(object, colon + 1);
    let end = value(object, start, depth)?;
    Some((Member { key, value: start..end }, end))
}

/// Where the value at `at` ends.
fn value(bytes: &[u8], at: usize, depth: usize) -> Option<usize> {
    if depth > DEEPEST {
        return None;
    }
    let word = |word: &[u8]| bytes[at..].starts_with(word).then(|| at + word.len());
    match bytes.get(at)? {
        b'{' => list(bytes, at, b"{}", |at| Some(member(bytes, at, depth + 1)?.1)),
        b'[' => list(bytes, at, b"[]", |at| value(bytes, at, depth + 1)),
        b'"' => text(bytes, at),
        b't' => word(b"true"),
        b'f' => word(b"false"),
        b'n' => word(b"null"),
        _ => number(bytes, at),
    }
}

/// Where the string at `at` ends. Any bytes may be in it.
fn text(bytes: &[u8], at: usize) -> Option<usize> {
    if bytes.get(at) != Some(&b'"') {
        return None;
    }
    let mut at = at + 1;
    loop {
        let rest = bytes.get(at..)?;
        at += rest.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
        match bytes[at] {
            b'"' => return Some(at + 1),
            _ => at += 2,
        }
    }
}

fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let digits = |at: usize| {
        let rest = bytes.get(at..).unwrap_or_default();
        let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        (count > 0).then_some(at + count)
    };
    let after =
        |at: usize, signs: &[u8]| at + usize::from(bytes.get(at).is_some_and(|byte| signs.contains(byte)));
    let mut end = digits(after(at, b"-"))?;
    if bytes.get(end) == Some(&b'.') {
        end = digits(end + 1)?;
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        end = digits(after(end + 1, b"+-"))?;
    }
    Some(end)
}

#[cfg(test)]
mod tests;
