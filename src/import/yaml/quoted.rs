//! Quoted scalars whose lines are indented less than YAML wants.
//!
//! libyaml takes them nonetheless, so cassettes that went through an editor or a formatter have them. What lines of a
//! quoted scalar are indented with is no part of it, so more of it changes nothing.

/// More than anything that contains a scalar is indented.
const INDENT: &str = "                                                                                ";

/// The text with the lines of the quoted scalar at this place indented, if one is there that has several lines.
///
/// The line is from one, the column, in characters, from zero.
pub(super) fn indented(text: &str, line: usize, column: usize) -> Option<String> {
    let start: usize = text.split_inclusive('\n').take(line.checked_sub(1)?).map(str::len).sum();
    let start = start + text[start..].char_indices().nth(column)?.0;
    let end = start + length(&text[start..])?;
    let scalar = &text[start..end];
    // A quote that is not closed ends at one of another interaction.
    if scalar.lines().any(|line| line.trim_start().starts_with("- request:")) {
        return None;
    }
    // Inside of it, an empty line is a line break, and has to stay empty.
    let lines = scalar.split_inclusive('\n').enumerate();
    let lines = lines.map(|(number, line)| match number == 0 || line.trim().is_empty() {
        true => line.to_owned(),
        false => format!("{INDENT}{line}"),
    });
    let lines: String = lines.collect();
    (lines.len() > scalar.len()).then(|| [&text[..start], &lines, &text[end..]].concat())
}

/// How long the quoted scalar is with which this text starts.
fn length(text: &str) -> Option<usize> {
    let quote = text.chars().next().filter(|quote| matches!(quote, '\'' | '"'))?;
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, char)) = chars.next() {
        if char == '\\' && quote == '"' {
            chars.next();
        } else if char == quote {
            match chars.peek() {
                Some((_, '\'')) if quote == '\'' => chars.next(),
                _ => return Some(at + 1),
            };
        }
    }
    None
}
