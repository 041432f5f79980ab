//! Line breaks of YAML 1.1 that are none in YAML 1.2: NEL, LS and PS.
//!
//! PyYAML and libyaml (Ruby) follow 1.1: where a text has such a character, they write it as it is and then, as
//! after every line break, the indentation. Our parser follows 1.2 and takes that indentation for text.

use saphyr_parser::ScalarStyle;

const BREAKS: [char; 3] = ['\u{85}', '\u{2028}', '\u{2029}'];

/// The text of a scalar that starts in this column, without the indentation that is none of it.
pub(super) fn mend(text: String, style: ScalarStyle, column: usize) -> String {
    let indent = match style {
        // Escaped there, or put there by another writer.
        ScalarStyle::DoubleQuoted => return text,
        // A space beside a break is never written in these styles.
        ScalarStyle::Plain | ScalarStyle::SingleQuoted => usize::MAX,
        ScalarStyle::Literal | ScalarStyle::Folded => column,
    };
    if !text.contains(BREAKS) {
        return text;
    }
    let mut mended = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(at) = rest.find(BREAKS) {
        let after = at + rest[at..].chars().next().map_or(1, char::len_utf8);
        mended.push_str(&rest[..after]);
        rest = &rest[after..];
        let spaces = rest.len() - rest.trim_start_matches(' ').len();
        rest = &rest[spaces.min(indent)..];
    }
    mended.push_str(rest);
    mended
}
