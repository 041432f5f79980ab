//! Line breaks of YAML 1.1 that are none in YAML 1.2: NEL, LS and PS.
//!
//! PyYAML and libyaml (Ruby) follow 1.1: where a text has such a character, they write it as it is and then, as
//! after every line break, the indentation. Our parser follows 1.2 and takes that indentation for text.

use saphyr_parser::ScalarStyle;

/// Knows the indentation of every line, if the text has such characters at all.
#[derive(Default)]
pub(super) struct Breaks<'a> {
    lines: Vec<&'a str>,
}

const BREAKS: [char; 3] = ['\u{85}', '\u{2028}', '\u{2029}'];

impl<'a> Breaks<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        let lines = if text.contains(BREAKS) { text.lines().collect() } else { Vec::new() };
        Self { lines }
    }

    /// The text of a scalar that starts on this line, without the indentation that is none of it.
    pub(super) fn mend(&self, text: String, style: ScalarStyle, line: usize) -> String {
        if self.lines.is_empty() || !text.contains(BREAKS) {
            return text;
        }
        let indent = match style {
            // Escaped there, or put there by another writer.
            ScalarStyle::DoubleQuoted => return text,
            // A space beside a break is never written in these styles.
            ScalarStyle::Plain | ScalarStyle::SingleQuoted => usize::MAX,
            ScalarStyle::Literal | ScalarStyle::Folded => self.indent(line),
        };
        let mut mended = String::with_capacity(text.len());
        let mut rest = text.as_str();
        while let Some(at) = rest.find(BREAKS) {
            let after = at + rest[at..].chars().next().map_or(1, char::len_utf8);
            mended.push_str(&rest[..after]);
            rest = &rest[after..];
            rest = &rest[spaces(rest).min(indent)..];
        }
        mended.push_str(rest);
        mended
    }

    /// The indentation of a block scalar whose header is on this line or after it: what the header says, counted
    /// from its key, or that of the first line with text.
    fn indent(&self, line: usize) -> usize {
        let mut lines =
            self.lines.iter().skip(line.saturating_sub(1)).skip_while(|line| indicator(line).is_none());
        let Some(header) = lines.next() else { return 0 };
        match indicator(header) {
            Some(Some(more)) => {
                let key = header.trim_start_matches(' ').trim_start_matches("- ");
                header.len() - key.len() + more
            }
            _ => lines.find(|line| !line.trim().is_empty()).map_or(0, |line| spaces(line)),
        }
    }
}

/// The indentation that the header of a block scalar names, if this line ends with a header, and if it names one.
fn indicator(line: &str) -> Option<Option<usize>> {
    let line = line.trim_end();
    let start = line.rfind(['|', '>'])?;
    let header = &line[start + 1..];
    let more = header.trim_matches(['+', '-']);
    match more.parse() {
        Ok(more) if header.len() < 3 => Some(Some(more)),
        _ if more.is_empty() => Some(None),
        _ => None,
    }
}

fn spaces(text: &str) -> usize {
    text.len() - text.trim_start_matches(' ').len()
}
