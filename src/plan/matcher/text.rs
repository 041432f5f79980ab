//! A condition on one text, compiled.

use std::fmt::Write;

use regex::{Regex, RegexBuilder};

use super::{Comparison, Condition};
use crate::plan::json::StringOr;
use crate::plan::load::problems::{Problems, below};

/// The ways to compare, as fixtures name them.
pub(crate) const KINDS: [&str; 5] = ["equals", "contains", "regex", "glob", ABSENT];

/// The comparison that wants nothing to be there.
pub(super) const ABSENT: &str = "absent";

/// A test of a text.
#[derive(Clone, Debug)]
pub(crate) enum Test {
    Equals(String),
    Contains(String),
    Regex(Regex),
    Glob {
        glob: String,
        regex: Regex,
    },
    /// There is no text.
    Absent,
}

impl Test {
    /// Compiles a condition that stands at a pointer.
    pub(super) fn compile(
        condition: &Condition,
        substring: bool,
        at: &str,
        problems: &mut Problems,
    ) -> Option<Self> {
        let comparison = match condition {
            StringOr::Text(text) if substring => return Some(Self::Contains(text.clone())),
            StringOr::Text(text) => return Some(Self::Equals(text.clone())),
            StringOr::Object(comparison) => comparison,
        };
        let given: Vec<(&str, &String)> = comparison.given().collect();
        match (&given[..], comparison.absent) {
            ([(kind, text)], None) => return Self::of_kind(kind, text, &below(at, kind), problems),
            ([], Some(true)) => return Some(Self::Absent),
            ([], Some(false)) => {
                problems.value(below(at, ABSENT), NEVER_FALSE);
                return None;
            }
            _ => {}
        }
        let kinds = given.iter().map(|(kind, _)| *kind).chain(comparison.absent.map(|_| ABSENT));
        let kinds: Vec<String> = kinds.map(|kind| format!("`{kind}`")).collect();
        let got = if kinds.is_empty() { "none".to_owned() } else { kinds.join(" and ") };
        let message = "a condition needs exactly one of `equals`, `contains`, `regex`, `glob` and `absent`";
        problems.value(at, format!("{message}, got {got}"));
        None
    }

    /// Compiles one comparison; `kind` is one of [`KINDS`].
    pub(super) fn of_kind(kind: &str, text: &str, at: &str, problems: &mut Problems) -> Option<Self> {
        let compiled = match kind {
            "equals" => Ok(Self::Equals(text.to_owned())),
            "contains" => Ok(Self::Contains(text.to_owned())),
            "regex" => compile(text).map(Self::Regex),
            _ => glob(text).map(|regex| Self::Glob { glob: text.to_owned(), regex }),
        };
        match compiled {
            Ok(test) => Some(test),
            Err(message) => {
                problems.value(at, message);
                None
            }
        }
    }

    /// Whether it holds of a text, or of there being none.
    pub(super) fn holds_of(&self, text: Option<&str>) -> bool {
        match text {
            Some(text) => self.holds(text),
            None => matches!(self, Self::Absent),
        }
    }

    pub(super) fn holds(&self, text: &str) -> bool {
        match self {
            Self::Absent => false,
            Self::Equals(whole) => whole == text,
            Self::Contains(part) => text.contains(part),
            Self::Regex(regex) | Self::Glob { regex, .. } => regex.is_match(text),
        }
    }

    /// What is expected of a text, after "expected": `to contain "hello"`.
    pub(super) fn expected(&self) -> String {
        match self {
            Self::Equals(whole) => format!("{whole:?}"),
            Self::Contains(part) => format!("to contain {part:?}"),
            Self::Regex(regex) => format!("to match the regex {:?}", regex.as_str()),
            Self::Glob { glob, .. } => format!("to match the glob {glob:?}"),
            Self::Absent => "none".to_owned(),
        }
    }

    /// What is expected of one of several, after "expected one": `called "get_weather"`.
    pub(super) fn wanted(&self) -> String {
        match self {
            Self::Equals(whole) => format!("called {whole:?}"),
            Self::Contains(part) => format!("that contains {part:?}"),
            Self::Regex(regex) => format!("that matches the regex {:?}", regex.as_str()),
            Self::Glob { glob, .. } => format!("that matches the glob {glob:?}"),
            Self::Absent => "that is not there".to_owned(),
        }
    }
}

/// Tests are equal if they were written alike.
impl PartialEq for Test {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Equals(left), Self::Equals(right)) | (Self::Contains(left), Self::Contains(right)) => {
                left == right
            }
            (Self::Regex(left), Self::Regex(right))
            | (Self::Glob { regex: left, .. }, Self::Glob { regex: right, .. }) => {
                left.as_str() == right.as_str()
            }
            (Self::Absent, Self::Absent) => true,
            (Self::Equals(_) | Self::Contains(_) | Self::Regex(_) | Self::Glob { .. } | Self::Absent, _) => {
                false
            }
        }
    }
}

impl Comparison {
    fn given(&self) -> impl Iterator<Item = (&'static str, &String)> {
        let values = [&self.equals, &self.contains, &self.regex, &self.glob];
        KINDS.into_iter().zip(values).filter_map(|(kind, text)| Some((kind, text.as_ref()?)))
    }
}

/// What `"absent": false` is told.
pub(super) const NEVER_FALSE: &str = "`absent` is true or left out; for any text write {\"regex\": \"\"}";

fn compile(regex: &str) -> Result<Regex, String> {
    let built = RegexBuilder::new(regex).size_limit(REGEX_SIZE).dfa_size_limit(REGEX_SIZE).build();
    built.map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => {
            "the regex is too large: repeat less, or match a shorter part".to_owned()
        }
        error => {
            // The regex crate draws the place over several lines; the last one says what it is.
            let text = error.to_string();
            let last = text.lines().next_back().unwrap_or_default();
            format!("not a regex: {}", last.trim_start_matches("error: "))
        }
    })
}

/// A glob as a regex over characters. (The globset crate is for paths: its `?` is one byte, and
/// backslashes mean something else on Windows.)
fn glob(glob: &str) -> Result<Regex, String> {
    let mut regex = r"(?s)\A".to_owned();
    let mut depth = 0_usize;
    let mut rest = glob.chars();
    while let Some(char) = rest.next() {
        match char {
            '*' => regex.push_str(".*"),
            '?' => regex.push('.'),
            '{' => {
                depth += 1;
                regex.push_str("(?:");
            }
            '}' if depth > 0 => {
                depth -= 1;
                regex.push(')');
            }
            ',' if depth > 0 => regex.push('|'),
            '[' => {
                let (class, after) =
                    rest.as_str().split_once(']').ok_or_else(|| "not a glob: `[` without `]`".to_owned())?;
                let (not, class) = match class.strip_prefix('!') {
                    Some(class) => ("^", class),
                    None => ("", class),
                };
                if class.is_empty() {
                    return Err("not a glob: `[]` has no characters".to_owned());
                }
                write!(regex, "[{not}{}]", escape_class(class)).expect("a string takes any text");
                rest = after.chars();
            }
            '\\' => match rest.next() {
                Some(literal) => regex.push_str(&regex::escape(literal.encode_utf8(&mut [0; 4]))),
                None => return Err("not a glob: it ends in `\\`".to_owned()),
            },
            literal => regex.push_str(&regex::escape(literal.encode_utf8(&mut [0; 4]))),
        }
    }
    if depth > 0 {
        return Err("not a glob: `{` without `}`".to_owned());
    }
    regex.push_str(r"\z");
    compile(&regex).map_err(|message| message.replace("a regex", "a glob").replace("the regex", "the glob"))
}

/// The inside of a class: ranges stay, everything else means itself.
fn escape_class(class: &str) -> String {
    let mut escaped = String::new();
    for char in class.chars() {
        if matches!(char, '\\' | '[' | ']' | '^' | '&' | '~') {
            escaped.push('\\');
        }
        escaped.push(char);
    }
    escaped
}

/// Bytes that a compiled regex may take.
const REGEX_SIZE: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn globs(pattern: &str, yes: &[&str], no: &[&str]) {
        let regex = glob(pattern).unwrap();
        for text in yes {
            assert!(regex.is_match(text), "{pattern} {text}");
        }
        for text in no {
            assert!(!regex.is_match(text), "{pattern} {text}");
        }
    }

    #[test]
    fn a_glob_matches_the_whole_text() {
        globs("gpt-4*", &["gpt-4", "gpt-4o-mini", "gpt-4\n/x"], &["my gpt-4", "gpt-3"]);
        globs("?月", &["望月"], &["月", "望望月"]);
        globs("[a-c]x", &["ax", "cx"], &["dx", "-x"]);
        globs("[!a]x", &["bx"], &["ax"]);
        globs("{gpt,o}-*", &["gpt-4", "o-1"], &["x-4"]);
        globs("a,b.c", &["a,b.c"], &["a", "a,bxc"]);
        globs(r"\*\{", &["*{"], &["x{"]);
        globs("", &[""], &["x"]);
    }

    #[test]
    fn a_pattern_that_is_none_says_why() {
        let table = [
            (glob("[a"), "not a glob: `[` without `]`"),
            (glob("{a"), "not a glob: `{` without `}`"),
            (glob("a\\"), "not a glob: it ends in `\\`"),
            (glob("[]"), "not a glob: `[]` has no characters"),
            (glob("[z-a]"), "not a glob: invalid character class range, the start must be <= the end"),
            (compile("(a"), "not a regex: unclosed group"),
            (compile("a{9999}{9999}"), "the regex is too large: repeat less, or match a shorter part"),
        ];
        for (result, expected) in table {
            assert_eq!(result.unwrap_err(), expected);
        }
    }
}
