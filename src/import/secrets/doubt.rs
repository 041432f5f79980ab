//! What may be a secret, or hides one, and cannot be replaced without doubt.

use base64::Engine;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::find::{self, Find};
use super::looks::is_placeholder;
use crate::secrets::is_secret;

/// What smells in a text, beside what is surely a secret.
pub(super) fn all(text: &[u8]) -> Vec<Find> {
    let mut finds = private_keys(text);
    finds.extend(encoded(text));
    finds.extend(told(text));
    finds.retain(|find| !is_placeholder(&text[find.start..find.end]));
    finds
}

/// Private keys in PEM. Only to say `-----BEGIN PRIVATE KEY-----` is no secret.
fn private_keys(text: &[u8]) -> Vec<Find> {
    let mut finds = Vec::new();
    let mut from = 0;
    while let Some(start) = position(&text[from..], BEGIN).map(|start| from + start) {
        let label = start + BEGIN.len();
        from = label;
        let Some(body) =
            position(&text[label..text.len().min(label + LABEL)], KEY).map(|end| label + end + KEY.len())
        else {
            continue;
        };
        let in_key = |byte: &&u8| is_base64(**byte) || matches!(byte, b'=' | b' ' | b'\n' | b'\r');
        let end = body + text[body..].iter().take_while(in_key).count();
        if end - body >= SHORTEST {
            finds.push(Find::whole(start, end, "a private key"));
        }
        from = end;
    }
    finds
}

const BEGIN: &[u8] = b"-----BEGIN ";
const KEY: &[u8] = b"PRIVATE KEY-----";
/// How far from the one the other is at most.
const LABEL: usize = 32;
/// How many characters the shortest key has.
const SHORTEST: usize = 48;

fn position(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

/// Keys and logins in base64.
fn encoded(text: &[u8]) -> Vec<Find> {
    let mut finds = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let len = text[at..].iter().take_while(|byte| is_base64(**byte)).count();
        let end = at + len;
        let run = &text[at..end];
        let is_basic = || find::before(text, at).is_some_and(|(name, _)| name.eq_ignore_ascii_case("basic"));
        if let Some(said) = decode(run) {
            if !find::shapes(&said).is_empty() {
                finds.push(Find::whole(at, end, "a key in base64"));
            } else if is_basic() && said.contains(&b':') && !is_placeholder(&said) {
                finds.push(Find::whole(at, end, "a login in base64"));
            }
        }
        at = end + 1;
    }
    finds
}

/// What a run in base64 says, if that is a text.
fn decode(run: &[u8]) -> Option<Vec<u8>> {
    let alphabet = if run.contains(&b'-') || run.contains(&b'_') { &URL_SAFE } else { &STANDARD };
    let engine = GeneralPurpose::new(alphabet, CONFIG);
    // An image is told by its first bytes, however long it is.
    let head = engine.decode(run.get(..LOOK)?).ok()?;
    let is_text = |bytes: &[u8]| bytes.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\n' | b'\r' | b'\t'));
    is_text(&head).then(|| engine.decode(run).ok()).flatten().filter(|said| is_text(said))
}

const CONFIG: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_allow_trailing_bits(true)
    .with_decode_padding_mode(DecodePaddingMode::Indifferent);

/// How much of a run is looked at first; what is shorter hides nothing.
const LOOK: usize = 16;

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_')
}

/// What a sentence calls secret: `the key is …`.
fn told(text: &[u8]) -> Vec<Find> {
    let told = |(start, end)| {
        let is_told = find::is_random(&text[start..end]) && !text[start..].starts_with(b"//");
        (is_told && calls_secret(&text[..start]))
            .then(|| Find::whole(start, end, "a secret, by the words before it"))
    };
    find::runs(text).filter_map(told).collect()
}

/// Whether the last words of a text say that something secret comes.
fn calls_secret(before: &[u8]) -> bool {
    let separator = |byte: &&u8| matches!(byte, b' ' | b':' | b'=' | b'"' | b'\'' | b'`' | b'(' | b'\n');
    let gap = before.iter().rev().take(GAP).take_while(separator).count();
    let before = &before[..before.len() - gap];
    let word = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b' ' | b'-' | b'_');
    let len = before.iter().rev().take(SENTENCE).take_while(word).count();
    let words = String::from_utf8_lossy(&before[before.len() - len..]);
    gap > 0 && words.split(' ').any(is_secret)
}

const GAP: usize = 4;
/// How many characters before a value are read.
const SENTENCE: usize = 24;
