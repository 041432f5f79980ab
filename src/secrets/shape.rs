//! Shapes of what is secret: keys and ids that tell what they are by how they begin.

use std::ops::Range;

use super::noise::{is_mixed, is_noise, is_varied};

/// What is known by its shape.
struct Shape {
    /// What it looks like, for messages.
    looks_like: &'static str,
    /// How it begins.
    prefix: &'static str,
    /// How many bytes of the rest belong to it.
    tail: fn(&[u8]) -> usize,
    /// How many these are at least.
    least: usize,
    /// And at most.
    most: usize,
    kind: Kind,
    /// What leaves no doubt, where prefix and length do: `sk-` also begins the names of CSS classes.
    proof: fn(&[u8]) -> bool,
}

/// What a shape stands for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// What opens something.
    Key,
    /// Who somebody is.
    Id,
}

/// Something of a known shape.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Found {
    /// Where it starts.
    pub(crate) start: usize,
    /// Where that ends which is no secret of it: its prefix.
    pub(crate) tail: usize,
    /// Where it ends.
    pub(crate) end: usize,
    /// What it stands for.
    pub(crate) kind: Kind,
    /// What it looks like.
    pub(crate) looks_like: &'static str,
    /// Whether there is no doubt.
    pub(crate) is_certain: bool,
}

const fn key(
    looks_like: &'static str,
    prefix: &'static str,
    tail: fn(&[u8]) -> usize,
    least: usize,
) -> Shape {
    Shape { looks_like, prefix, tail, least, most: usize::MAX, kind: Kind::Key, proof: |_| true }
}

const fn exact(
    looks_like: &'static str,
    prefix: &'static str,
    tail: fn(&[u8]) -> usize,
    len: usize,
) -> Shape {
    Shape { most: len, ..key(looks_like, prefix, tail, len) }
}

const fn id(looks_like: &'static str, prefix: &'static str, least: usize) -> Shape {
    Shape { kind: Kind::Id, proof: is_mixed, ..key(looks_like, prefix, alphanumeric, least) }
}

/// Every known shape; of two that begin alike, the longer first.
const SHAPES: [Shape; 33] = [
    key("an OpenAI key", "sk-proj-", word, 16),
    key("an OpenAI key", "sk-svcacct-", word, 16),
    key("an OpenAI key", "sk-admin-", word, 16),
    key("an Anthropic key", "sk-ant-", word, 16),
    key("an OpenRouter key", "sk-or-v1-", alphanumeric, 32),
    Shape { proof: is_noise, ..key("an OpenAI key", "sk-", word, 16) },
    Shape { proof: is_mixed, ..key("an OpenAI session", "sess-", alphanumeric, 24) },
    exact("a Google key", "AIza", word, 35),
    key("a Google token", "ya29.", word, 24),
    key("a Groq key", "gsk_", alphanumeric, 32),
    key("an xAI key", "xai-", alphanumeric, 48),
    key("a Perplexity key", "pplx-", alphanumeric, 32),
    key("an NVIDIA key", "nvapi-", word, 32),
    key("a Cerebras key", "csk-", alphanumeric, 32),
    key("a Together key", "tgp_v1_", word, 32),
    exact("a Hugging Face token", "hf_", alphanumeric, 34),
    exact("a Replicate token", "r8_", alphanumeric, 37),
    key("a GitHub token", "github_pat_", word, 36),
    key("a GitHub token", "ghp_", alphanumeric, 36),
    key("a GitHub token", "gho_", alphanumeric, 36),
    key("a GitHub token", "ghu_", alphanumeric, 36),
    key("a GitHub token", "ghs_", alphanumeric, 36),
    key("a GitHub token", "ghr_", alphanumeric, 36),
    key("a GitLab token", "glpat-", word, 20),
    Shape { proof: is_mixed, ..key("a Slack token", "xoxb-", word, 24) },
    Shape { proof: is_mixed, ..key("a Slack token", "xoxp-", word, 24) },
    Shape { proof: is_varied, ..exact("an AWS key", "AKIA", capital, 16) },
    Shape { proof: is_varied, ..exact("an AWS key", "ASIA", capital, 16) },
    key("a JSON web token", "eyJ", jwt, 32),
    id("an organization id", "org-", 16),
    id("a project id", "proj_", 16),
    // What a personal account has for an organization.
    Shape { most: 24, ..id("a user id", "user-", 24) },
    Shape { most: 24, ..id("a user id", "user_", 24) },
];

/// The bytes with which a shape begins: a look that costs less than looking for each.
const FIRST: [bool; 256] = {
    let mut first = [false; 256];
    let mut shape = 0;
    while shape < SHAPES.len() {
        first[SHAPES[shape].prefix.as_bytes()[0] as usize] = true;
        shape += 1;
    }
    first
};

/// How many bytes of a blob in base64url before what begins like a key make it a part of the blob.
const BLOB: usize = 20;

/// How long something of a known shape is at least.
const SHORTEST: usize = {
    let mut shortest = usize::MAX;
    let mut shape = 0;
    while shape < SHAPES.len() {
        let len = SHAPES[shape].prefix.len() + SHAPES[shape].least;
        shortest = if len < shortest { len } else { shortest };
        shape += 1;
    }
    shortest
};

/// The first thing of a known shape that `accept` takes.
pub(crate) fn find(text: &[u8], accept: impl Fn(&Found) -> bool) -> Option<Found> {
    let mut from = 0;
    while let Some(run) = run(text, from) {
        from = run.end;
        if let Some(found) = run.into_iter().find_map(|start| at(text, start).filter(&accept)) {
            return Some(found);
        }
    }
    None
}

/// The next run of bytes that could be something of a known shape: long enough, and of nothing else. Most words are
/// shorter, so that most bytes of a text are not even looked at.
fn run(text: &[u8], mut from: usize) -> Option<Range<usize>> {
    loop {
        let (least, rest) = text.get(from..)?.split_at_checked(SHORTEST)?;
        match least.iter().rposition(|byte| !INSIDE[usize::from(*byte)]) {
            Some(other) => from += other + 1,
            None => {
                let more = rest.iter().take_while(|byte| INSIDE[usize::from(**byte)]).count();
                return Some(from..from + SHORTEST + more);
            }
        }
    }
}

/// What starts at `start`, if it is of a known shape.
pub(crate) fn at(text: &[u8], start: usize) -> Option<Found> {
    if !FIRST[usize::from(text[start])] || !is_alone(&text[..start]) {
        return None;
    }
    let found = |shape: &Shape| {
        let rest = text[start..].strip_prefix(shape.prefix.as_bytes())?;
        let len = (shape.tail)(rest);
        let tail = start + shape.prefix.len();
        let Shape { looks_like, kind, .. } = *shape;
        let is_certain = (shape.proof)(&rest[..len]);
        let found = Found { start, tail, end: tail + len, kind, looks_like, is_certain };
        (shape.least..=shape.most).contains(&len).then_some(found)
    };
    SHAPES.iter().find_map(found)
}

/// Whether what comes after these bytes is not the rest of something longer: "task-…" is a word, not a key.
fn is_alone(before: &[u8]) -> bool {
    match before.last() {
        Some(byte) if byte.is_ascii_alphanumeric() => false,
        Some(b'-' | b'_') => before.iter().rev().take(BLOB).take_while(|byte| is_word(byte)).count() < BLOB,
        _ => true,
    }
}

/// The bytes that prefix or tail of any shape has.
const INSIDE: [bool; 256] = {
    let mut inside = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        inside[byte as usize] = is_word(&byte) || byte == b'.';
        byte += 1;
    }
    inside
};

const fn is_word(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

fn word(text: &[u8]) -> usize {
    text.iter().take_while(|byte| is_word(byte)).count()
}

fn alphanumeric(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count()
}

/// Capital letters and digits, which no other letter follows.
fn capital(text: &[u8]) -> usize {
    let len = text.iter().take_while(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()).count();
    if text.get(len).is_some_and(u8::is_ascii_alphanumeric) { 0 } else { len }
}

/// The rest of a JSON web token: three parts, of which the second is an object, too.
fn jwt(text: &[u8]) -> usize {
    let header = word(text);
    let Some(rest) = text[header..].strip_prefix(b".eyJ") else {
        return 0;
    };
    let payload = word(rest);
    match &rest[payload..] {
        [b'.', signature @ ..] => header + 4 + payload + 1 + word(signature),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Letters and digits as a key has them; made up.
    const NOISE: &str = "t7Gq2LmZ9xB4vKc8RwN1pYh5sDf3jUa6QeX0oTiE7kMg2VbS4nCz9HrW1lPy8Ju5";

    #[track_caller]
    fn check(text: &str, expected: Option<(&str, &str)>) {
        let found = find(text.as_bytes(), |found| found.is_certain);
        assert_eq!(found.map(|found| (&text[found.start..found.end], found.looks_like)), expected, "{text}");
    }

    #[test]
    fn every_shape_finds_itself_in_a_sentence_and_in_nothing_shorter() {
        for shape in &SHAPES {
            if shape.prefix == "eyJ" {
                continue;
            }
            let tail: String = NOISE
                .chars()
                .filter(|c| c.is_ascii_digit() || c.is_uppercase())
                .cycle()
                .take(shape.least)
                .collect();
            let secret = format!("{}{tail}", shape.prefix);
            check(&format!("it is \"{secret}\"."), Some((&secret, shape.looks_like)));
            let short = &secret[..secret.len() - 1];
            assert_eq!(find(short.as_bytes(), |found| found.tail == shape.prefix.len()), None, "{short}");
            check(&format!("x{secret}"), None);
        }
    }

    #[test]
    fn what_is_only_like_a_key_is_not_certain() {
        for text in ["sk-toggleable__label-arrow", "sk-estimator-doc-link-12", "org-babelexecutesrcblock"] {
            assert!(find(text.as_bytes(), |_| true).is_some(), "{text}");
            check(text, None);
        }
    }

    #[test]
    fn no_shape_hides_behind_another() {
        for (i, shape) in SHAPES.iter().enumerate() {
            let hides = SHAPES[..i].iter().find(|other| shape.prefix.starts_with(other.prefix));
            assert!(hides.is_none(), "{} comes too late", shape.prefix);
        }
    }

    #[test]
    fn a_token_has_three_parts() {
        let token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2lnbmF0dXJlLW9mLXNvcnRz";
        check(&format!("Bearer {token} "), Some((token, "a JSON web token")));
        check("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0", None);
        check("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9eyJzdWIiOiIxMjM0NTY3ODkwIn0", None);
    }

    #[test]
    fn what_is_a_part_of_a_blob_is_no_key() {
        check(&format!("{NOISE}_sk-proj-{NOISE}"), None);
        check(&format!("{NOISE}-hf_{}", &NOISE[..34]), None);
        let key = format!("sk-proj-{NOISE}");
        check(&format!("OPENAI_{key}"), Some((&key, "an OpenAI key")));
        check(&format!("https://relay.test/a/long/way/to/the/key/{key}/v1"), Some((&key, "an OpenAI key")));
        check("AKIAAAAAAAAAAAAAAAAAAAAAAAAAA", None);
    }

    #[test]
    fn a_run_is_all_that_a_shape_has() {
        for shape in &SHAPES {
            assert!(shape.prefix.bytes().all(|byte| INSIDE[usize::from(byte)]), "{}", shape.prefix);
        }
    }

    /// Texts of what begins like a key, of runs about as long as one, and of what ends them.
    fn texts() -> impl Strategy<Value = String> {
        let prefixes: Vec<&str> = SHAPES.iter().map(|shape| shape.prefix).collect();
        let part = prop_oneof![
            proptest::sample::select(prefixes).prop_map(str::to_owned),
            "[a-zA-Z0-9_.-]{1,40}",
            "[A-Z0-9]{15,17}",
            "\\PC{0,3}",
            Just(" ".to_owned()),
            Just(".eyJ".to_owned()),
        ];
        proptest::collection::vec(part, 0..12).prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn what_is_found_in_long_runs_is_what_a_look_at_every_byte_finds(text in texts()) {
            let text = text.as_bytes();
            for certain in [false, true] {
                let accept = |found: &Found| found.is_certain || !certain;
                let all = (0..text.len()).find_map(|start| at(text, start).filter(accept));
                prop_assert_eq!(find(text, accept), all);
            }
        }
    }
}
