//! The body of a timeline: bytes, or a pattern that many bodies share and what this one has in its gaps.

use std::fmt;
use std::ops::{Deref, Range};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use crate::plan::seed::{self, Stream};

/// A body. Its bytes are decided, but those of a pattern are written only when they are asked for: a slow stream
/// holds no more than it is about to send.
#[derive(Clone)]
pub struct Body(Form);

#[derive(Clone)]
enum Form {
    Bytes(Bytes),
    Filled(Box<Filled>),
}

#[derive(Clone)]
struct Filled {
    pattern: Arc<Pattern>,
    filling: Filling,
    whole: OnceLock<Bytes>,
}

/// What many bodies have in common.
#[derive(Debug)]
pub(crate) struct Pattern {
    /// One of these bodies.
    bytes: Bytes,
    /// Where the others differ, in order.
    gaps: Vec<Gap>,
}

/// A place where bodies of one pattern differ.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gap {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) with: With,
}

/// What a gap is filled with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum With {
    /// The text of this number.
    Text(usize),
    /// As many random characters as it is long.
    Noise,
}

/// What one body has in the gaps of its pattern.
#[derive(Clone)]
pub(crate) struct Filling {
    pub(crate) texts: Vec<String>,
    /// Where the random characters come from, from the first gap to the last.
    pub(crate) noise: Stream,
}

impl Pattern {
    /// The pattern of a body with these gaps, in order.
    pub(crate) fn new(bytes: Bytes, gaps: Vec<Gap>) -> Self {
        Self { bytes, gaps }
    }

    /// The body with this filling. Texts may be longer or shorter than those of the pattern.
    pub(crate) fn fill(&self, filling: &Filling) -> Bytes {
        let mut out = Vec::new();
        let mut noise = filling.noise.clone();
        self.write(&mut out, 0..self.bytes.len(), &self.gaps, &filling.texts, &mut noise);
        out.into()
    }

    /// Whether all texts are as long as those of the pattern.
    fn fits(&self, filling: &Filling) -> bool {
        self.gaps.iter().all(|gap| match gap.with {
            With::Text(index) => filling.texts[index].len() == gap.end - gap.start,
            With::Noise => true,
        })
    }

    /// Writes a part of the body that has these gaps, whole.
    fn write(
        &self,
        out: &mut Vec<u8>,
        part: Range<usize>,
        gaps: &[Gap],
        texts: &[String],
        noise: &mut Stream,
    ) {
        out.reserve(part.len() + SLACK);
        let mut at = part.start;
        for gap in gaps {
            out.extend_from_slice(&self.bytes[at..gap.start]);
            match gap.with {
                With::Text(index) => out.extend_from_slice(texts[index].as_bytes()),
                With::Noise => seed::noise(noise, gap.end - gap.start, out),
            }
            at = gap.end;
        }
        out.extend_from_slice(&self.bytes[at..part.end]);
    }
}

/// How much longer than its pattern a part becomes without growing again.
const SLACK: usize = 16;

impl Body {
    /// A body of this pattern.
    pub(crate) fn filled(pattern: &Arc<Pattern>, filling: Filling) -> Self {
        if !pattern.fits(&filling) {
            return pattern.fill(&filling).into();
        }
        let pattern = Arc::clone(pattern);
        Self(Form::Filled(Box::new(Filled { pattern, filling, whole: OnceLock::new() })))
    }

    /// All its bytes.
    pub fn bytes(&self) -> &Bytes {
        match &self.0 {
            Form::Bytes(bytes) => bytes,
            Form::Filled(filled) => filled.whole.get_or_init(|| filled.pattern.fill(&filled.filling)),
        }
    }

    /// How many bytes it has. Nothing is written for it.
    pub fn len(&self) -> usize {
        match &self.0 {
            Form::Bytes(bytes) => bytes.len(),
            Form::Filled(filled) => filled.pattern.bytes.len(),
        }
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reads it from its start.
    pub(crate) fn reader(self) -> Reader {
        let noise = match &self.0 {
            Form::Bytes(_) => None,
            Form::Filled(filled) => Some(filled.filling.noise.clone()),
        };
        Reader { body: self, at: 0, gap: 0, noise }
    }
}

/// Reads a body part by part.
pub(crate) struct Reader {
    body: Body,
    /// How far it was read.
    at: usize,
    /// How many gaps that were.
    gap: usize,
    /// The rest of the noise; `None` once the body is there as a whole.
    noise: Option<Stream>,
}

impl Reader {
    /// How many bytes the body has.
    pub(crate) fn len(&self) -> usize {
        self.body.len()
    }

    /// Appends the next bytes, up to `end`.
    pub(crate) fn write_until(&mut self, end: usize, out: &mut Vec<u8>) {
        let start = std::mem::replace(&mut self.at, end);
        if let (Form::Filled(filled), Some(noise)) = (&self.body.0, &mut self.noise) {
            let rest = &filled.pattern.gaps[self.gap..];
            let gaps = &rest[..rest.iter().take_while(|gap| gap.start < end).count()];
            self.gap += gaps.len();
            if gaps.last().is_none_or(|gap| gap.end <= end) {
                filled.pattern.write(out, start..end, gaps, &filled.filling.texts, noise);
                return;
            }
        }
        // It ends in a gap, which is not written twice.
        self.noise = None;
        out.extend_from_slice(&self.body.bytes()[start..end]);
    }
}

impl Deref for Body {
    type Target = Bytes;

    fn deref(&self) -> &Bytes {
        self.bytes()
    }
}

impl<T: Into<Bytes>> From<T> for Body {
    fn from(bytes: T) -> Self {
        Self(Form::Bytes(bytes.into()))
    }
}

impl AsRef<[u8]> for Body {
    fn as_ref(&self) -> &[u8] {
        self.bytes()
    }
}

impl Default for Body {
    fn default() -> Self {
        Bytes::new().into()
    }
}

/// Bodies are equal if their bytes are.
impl PartialEq for Body {
    fn eq(&self, other: &Self) -> bool {
        self.bytes() == other.bytes()
    }
}

impl Eq for Body {}

impl<T> PartialEq<T> for Body
where
    Bytes: PartialEq<T>,
{
    fn eq(&self, other: &T) -> bool {
        self.bytes() == other
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.bytes().fmt(out)
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Reader").field("len", &self.len()).field("at", &self.at).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::seed::Seed;

    /// `a=1 b=xxxx a=1 c=yy`, with gaps where the values are.
    fn pattern() -> Arc<Pattern> {
        let gap = |start, end, with| Gap { start, end, with };
        let gaps = vec![
            gap(2, 3, With::Text(0)),
            gap(6, 10, With::Noise),
            gap(13, 14, With::Text(0)),
            gap(17, 19, With::Noise),
        ];
        Arc::new(Pattern::new(Bytes::from_static(b"a=1 b=xxxx a=1 c=yy"), gaps))
    }

    fn filling(text: &str) -> Filling {
        Filling { texts: vec![text.to_owned()], noise: Seed::new(7).stream("noise") }
    }

    #[test]
    fn gaps_are_filled_in_order_and_the_rest_is_the_patterns() {
        let mut noise = Vec::new();
        seed::noise(&mut Seed::new(7).stream("noise"), 6, &mut noise);
        let noise = String::from_utf8(noise).unwrap();
        let expected = format!("a=2 b={} a=2 c={}", &noise[..4], &noise[4..]);
        assert_eq!(Body::filled(&pattern(), filling("2")), expected.as_str());
        let longer = Body::filled(&pattern(), filling("two"));
        assert_eq!(longer, expected.replace('2', "two").as_str());
        assert_eq!(longer.len(), 23);
    }

    #[test]
    fn wherever_it_is_read_in_parts_the_parts_are_the_whole() {
        let body = Body::filled(&pattern(), filling("2"));
        for first in 0..=body.len() {
            for second in first..=body.len() {
                let mut reader = Body::filled(&pattern(), filling("2")).reader();
                let mut read = Vec::new();
                [first, second, body.len()].iter().for_each(|end| reader.write_until(*end, &mut read));
                assert_eq!(body, read, "{first} {second}");
            }
        }
    }

    #[test]
    fn what_is_read_part_by_part_is_never_held_as_a_whole() {
        let mut reader = Body::filled(&pattern(), filling("2")).reader();
        for end in [4, 11, 15, 19] {
            reader.write_until(end, &mut Vec::new());
        }
        let Form::Filled(filled) = &reader.body.0 else { panic!("it fits") };
        assert!(filled.whole.get().is_none());
    }
}
