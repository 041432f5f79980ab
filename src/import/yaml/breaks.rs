//! Line breaks of YAML 1.1 that are none in YAML 1.2: NEL, LS and PS.
//!
//! PyYAML and libyaml (Ruby) follow 1.1: where a text has such a character, they write it as a line break, and then
//! the indentation. Our parser follows 1.2 and would take that for text. So each gets a line break behind it, with a
//! mark by which it is found again.

use std::borrow::Cow;

use saphyr_parser::ScalarStyle;

/// The breaks, and the private characters that stand for them while the text is parsed.
const MARKS: [(char, char); 3] =
    [('\u{85}', '\u{10fe85}'), ('\u{2028}', '\u{10fe28}'), ('\u{2029}', '\u{10fe29}')];

/// A text in which every line break is one of YAML 1.2.
#[derive(Debug)]
pub(super) struct Source<'a> {
    pub(super) text: Cow<'a, str>,
    /// The lines, from one, that are none in the original: they start behind a mark.
    more: Vec<usize>,
}

impl<'a> Source<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        let has = |pick: fn(&(char, char)) -> char| text.contains(MARKS.each_ref().map(pick));
        if !has(|(original, _)| *original) || has(|(_, mark)| *mark) {
            return Self { text: Cow::Borrowed(text), more: Vec::new() };
        }
        let (mut broken, mut more, mut line) = (String::with_capacity(text.len()), Vec::new(), 1);
        let is_after_mark = |text: &str| text.chars().rev().nth(1) == Some('\n');
        for char in text.chars() {
            let mark = MARKS.iter().find(|(original, _)| *original == char).map(|(_, mark)| *mark);
            broken.push(mark.unwrap_or(char));
            match mark {
                // Of several, all stand on the line that the first one ends.
                Some(mark) if more.last() == Some(&line) && is_after_mark(&broken) => {
                    broken.truncate(broken.len() - mark.len_utf8() - 1);
                    broken.extend([mark, '\n']);
                }
                Some(_) => {
                    broken.push('\n');
                    line += 1;
                    more.push(line);
                }
                None => line += usize::from(char == '\n'),
            }
        }
        Self { text: Cow::Owned(broken), more }
    }

    /// The line of the original that a line of the text is in.
    pub(super) fn line(&self, line: usize) -> usize {
        line - self.more.partition_point(|more| *more <= line)
    }

    /// A scalar as it is in the original. A line break behind a mark is left over in a block, and is folded to a
    /// space elsewhere.
    pub(super) fn restored(&self, text: String, style: ScalarStyle) -> String {
        if self.more.is_empty() || !text.contains(MARKS.map(|(_, mark)| mark)) {
            return text;
        }
        let left = if style == ScalarStyle::Literal { '\n' } else { ' ' };
        MARKS.iter().fold(text, |text, (original, mark)| {
            let text = text.replace(&format!("{mark}{left}"), &original.to_string());
            text.replace(*mark, &original.to_string())
        })
    }
}
