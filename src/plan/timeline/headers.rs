//! The header lines of a head: a list, or a pattern that many heads share and what this one has in its gaps.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, OnceLock};

use http::HeaderValue;

use super::Header;
use super::framed::Framed;
use super::pattern::{Filling, Gap, Pattern, Texts};

/// Header lines. They are decided, but those of a pattern become a list only when somebody looks at single ones.
#[derive(Clone)]
pub struct Headers(Form);

#[derive(Clone)]
enum Form {
    Lines(Vec<Header>),
    Filled(Box<Filled>),
}

#[derive(Clone)]
struct Filled {
    pattern: Arc<HeadPattern>,
    filling: Arc<Filling>,
    lines: OnceLock<Vec<Header>>,
}

/// What the header lines of many heads have in common.
#[derive(Debug)]
pub(crate) struct HeadPattern {
    /// Those of one of them.
    lines: Vec<Header>,
    /// The same as they are written.
    pattern: Pattern,
    framed: Framed,
}

impl HeadPattern {
    /// About how many bytes it takes.
    pub(crate) fn weight(&self) -> usize {
        size_of_val(&*self.lines) + self.pattern.weight()
    }

    /// The pattern of these lines, with these gaps in what is written of them, each within a value that says nothing
    /// about framing. The gaps are filled with such texts.
    pub(crate) fn new(headers: &Headers, gaps: Vec<Gap>, texts: &Texts) -> Self {
        let pattern = Pattern::new(headers.written().into(), gaps, texts);
        Self { lines: headers.to_vec(), pattern, framed: headers.framed() }
    }

    fn lines(&self, filling: &Filling) -> Vec<Header> {
        let bytes = self.pattern.fill(filling);
        let mut at = 0;
        let line = |Header { name, value }: &Header| {
            let start = at + BEFORE.len() + name.len() + BETWEEN.len();
            at = start + value.len();
            let value = HeaderValue::from_maybe_shared(bytes.slice(start..at));
            Header { name: name.clone(), value: value.expect("what is drawn is visible ASCII") }
        };
        self.lines.iter().map(line).collect()
    }
}

impl Headers {
    /// The header lines of this pattern, with a filling that fits.
    pub(crate) fn filled(pattern: &Arc<HeadPattern>, filling: &Arc<Filling>) -> Self {
        let (pattern, filling) = (Arc::clone(pattern), Arc::clone(filling));
        Self(Form::Filled(Box::new(Filled { pattern, filling, lines: OnceLock::new() })))
    }

    /// What they say about where the body ends, and about the connection.
    pub(crate) fn framed(&self) -> Framed {
        match &self.0 {
            Form::Lines(lines) => Framed::of(lines),
            Form::Filled(filled) => filled.pattern.framed,
        }
    }

    /// They as they are sent.
    pub(crate) fn written(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out);
        out
    }

    /// Appends them as they are sent, each after the end of the line before it.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        match &self.0 {
            Form::Lines(lines) => {
                let mut write = |parts: [&[u8]; 4]| parts.iter().for_each(|part| out.extend_from_slice(part));
                for Header { name, value } in lines {
                    write([BEFORE, name.as_bytes(), BETWEEN, value.as_bytes()]);
                }
            }
            Form::Filled(filled) => filled.pattern.pattern.write_all(out, &filled.filling),
        }
    }
}

/// What is written before the name of a header, and after it.
const BEFORE: &[u8] = b"\r\n";
const BETWEEN: &[u8] = b": ";

impl Deref for Headers {
    type Target = Vec<Header>;

    fn deref(&self) -> &Vec<Header> {
        match &self.0 {
            Form::Lines(lines) => lines,
            Form::Filled(filled) => filled.lines.get_or_init(|| filled.pattern.lines(&filled.filling)),
        }
    }
}

impl DerefMut for Headers {
    fn deref_mut(&mut self) -> &mut Vec<Header> {
        if let Form::Filled(_) = self.0 {
            self.0 = Form::Lines(self.to_vec());
        }
        match &mut self.0 {
            Form::Lines(lines) => lines,
            Form::Filled(_) => unreachable!("it was made a list"),
        }
    }
}

impl From<Vec<Header>> for Headers {
    fn from(lines: Vec<Header>) -> Self {
        Self(Form::Lines(lines))
    }
}

impl FromIterator<Header> for Headers {
    fn from_iter<I: IntoIterator<Item = Header>>(lines: I) -> Self {
        lines.into_iter().collect::<Vec<_>>().into()
    }
}

impl<'a> IntoIterator for &'a Headers {
    type Item = &'a Header;
    type IntoIter = std::slice::Iter<'a, Header>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl IntoIterator for Headers {
    type Item = Header;
    type IntoIter = std::vec::IntoIter<Header>;

    fn into_iter(mut self) -> Self::IntoIter {
        std::mem::take(&mut *self).into_iter()
    }
}

impl Default for Headers {
    fn default() -> Self {
        Vec::new().into()
    }
}

/// Headers are equal if their lines are.
impl PartialEq for Headers {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Headers {}

impl fmt::Debug for Headers {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(out)
    }
}
