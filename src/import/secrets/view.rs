//! A text as its reader sees it, although it was written with escapes.

use std::ops::Range;

use super::looks;
use super::places::Rule;

/// A text without the escapes of JSON, at whatever depth, and of URLs; every character still knows which bytes it was
/// written with. An escape both hides a secret and, as in `\nsk-…`, seems to be a part of it.
#[derive(Debug)]
pub(super) struct View {
    plain: Vec<u8>,
    /// The characters that were written with an escape, in their order: there are few.
    escapes: Vec<Escape>,
}

/// A character that was written with an escape.
#[derive(Debug)]
struct Escape {
    /// Which character it is.
    at: usize,
    /// Where it was written.
    start: usize,
    end: usize,
}

impl View {
    /// What `written` says in a place where `rule` holds.
    pub(super) fn of(rule: Rule, written: &[u8]) -> Self {
        let character = match rule {
            Rule::Text => either,
            Rule::Target => percent,
            Rule::Cookie | Rule::Name | Rule::Secret => itself,
        };
        let mut view = Self { plain: Vec::with_capacity(written.len()), escapes: Vec::new() };
        let mut start = 0;
        while start < written.len() {
            let (byte, len) = character(&written[start..]);
            if len > 1 {
                view.escapes.push(Escape { at: view.plain.len(), start, end: start + len });
            }
            view.plain.push(byte);
            start += len;
        }
        view
    }

    /// The characters.
    pub(super) fn plain(&self) -> &[u8] {
        &self.plain
    }

    /// Whether a character was written as itself.
    pub(super) fn is_literal(&self, at: usize) -> bool {
        self.written(at).len() == 1
    }

    /// Where a character starts in what was written.
    pub(super) fn start(&self, at: usize) -> usize {
        self.written(at).start
    }

    /// Fills a range of characters, in what was written, too, whose length stays the same.
    pub(super) fn fill(&mut self, written: &mut [u8], range: Range<usize>) {
        let mut index = 0;
        for at in range {
            if looks::stays(self.plain[at]) {
                continue;
            }
            let byte = looks::filler(index);
            index += 1;
            let unit = &mut written[self.written(at)];
            let [high, low] = hex(byte);
            match unit {
                [one] => *one = byte,
                [b'%', first, second] => (*first, *second) = (high, low),
                [b'\\', .., b'u', b'0', b'0', first, second] => (*first, *second) = (high, low),
                // A quote or a line break: no secret has one.
                _ => continue,
            }
            self.plain[at] = byte;
        }
    }

    fn written(&self, at: usize) -> Range<usize> {
        let next = self.escapes.partition_point(|escape| escape.at <= at);
        match next.checked_sub(1).map(|last| &self.escapes[last]) {
            None => at..at + 1,
            Some(escape) if escape.at == at => escape.start..escape.end,
            Some(escape) => {
                let start = escape.end + (at - escape.at - 1);
                start..start + 1
            }
        }
    }
}

/// The first character of a text that is not empty, and how many bytes it was written with.
fn either(written: &[u8]) -> (u8, usize) {
    match written[0] {
        b'\\' => backslash(written),
        _ => percent(written),
    }
}

/// The same, where there are no escapes.
fn itself(written: &[u8]) -> (u8, usize) {
    (written[0], 1)
}

/// The same, where only URLs have escapes.
fn percent(written: &[u8]) -> (u8, usize) {
    let escaped = match written {
        [b'%', high, low, ..] => digits(&[*high, *low]),
        _ => None,
    };
    escaped.map_or_else(|| itself(written), |byte| (byte, 3))
}

/// The character that starts with a backslash; in a string in a string there are several.
fn backslash(written: &[u8]) -> (u8, usize) {
    let depth = written.iter().take(DEEPEST).take_while(|byte| **byte == b'\\').count();
    match &written[depth..] {
        [b'u', b'0', b'0', high, low, ..] => match digits(&[*high, *low]) {
            Some(byte) => (byte, depth + 5),
            None => (b'\\', 1),
        },
        [byte @ (b'"' | b'/'), ..] => (*byte, depth + 1),
        [b'n' | b'r' | b't', ..] => (b'\n', depth + 1),
        _ => (b'\\', 1),
    }
}

/// How many backslashes one escape has at most, which is a string six deep in others: a run without an end is not to be
/// counted anew from each of its characters.
const DEEPEST: usize = 64;

/// The character that two hexadecimal digits stand for, if it can be seen.
fn digits(hex: &[u8; 2]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let byte = u8::try_from(digit(hex[0])? * 16 + digit(hex[1])?).ok()?;
    matches!(byte, b' '..=b'~').then_some(byte)
}

fn hex(byte: u8) -> [u8; 2] {
    let digit = |value: u8| b"0123456789abcdef"[usize::from(value)];
    [digit(byte >> 4), digit(byte & 15)]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escapes_are_undone_at_every_depth() {
        let cases = [
            (r"s\u006b-\u006F", "sk-o"),
            (r#"{\"a\":\"s\\u006b\",\\\"b\\\"}"#, r#"{"a":"sk","b"}"#),
            (r"a\nsk \\nsk", "a\nsk \nsk"),
            (r"https:\/\/a.test%2Fb%3Fc", "https://a.test/b?c"),
            (r"100%, %zz %", "100%, %zz %"),
            (r"\u6708 \x \", r"\u6708 \x \"),
            ("望月", "望月"),
        ];
        for (written, expected) in cases {
            assert_eq!(
                String::from_utf8_lossy(View::of(Rule::Text, written.as_bytes()).plain()),
                expected,
                "{written}"
            );
        }
    }

    #[test]
    fn what_is_filled_has_the_length_it_had() {
        let mut written = r"a\u0062%63\/d.e".as_bytes().to_vec();
        let mut view = View::of(Rule::Text, &written);
        let all = 0..view.plain().len();
        view.fill(&mut written, all);
        assert_eq!(String::from_utf8_lossy(&written), r"r\u0065%64\/a.c");
        assert_eq!(view.plain(), b"red/a.c");
    }

    proptest! {
        #[test]
        fn any_text_has_a_view_and_every_part_of_it_can_be_filled(text in r#"[a\\u0/"%\n]{0,40}"#, from: usize, to: usize) {
            let mut written = text.clone().into_bytes();
            let mut view = View::of(Rule::Text, &written);
            let mut ends = [from, to].map(|end| end % (view.plain().len() + 1));
            ends.sort_unstable();
            view.fill(&mut written, ends[0]..ends[1]);
            prop_assert_eq!(written.len(), text.len());
        }
    }
}
