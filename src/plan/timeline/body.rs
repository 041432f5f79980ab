//! The body of a timeline: bytes, or a pattern that many bodies share and what this one has in its gaps.

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use super::{Filling, Pattern, Texts};
use crate::plan::seed::Noise;

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
    filling: Arc<Filling>,
    whole: OnceLock<Bytes>,
}

impl Body {
    /// The body of this pattern with these texts.
    pub(crate) fn of(pattern: &Arc<Pattern>, texts: Texts, noise: Noise) -> Self {
        match pattern.fits(&texts) {
            true => Self::filled(pattern, Filling::of(texts, noise)),
            false => pattern.stretch(&texts, noise).into(),
        }
    }

    /// The body of this pattern with this filling.
    pub(crate) fn filled(pattern: &Arc<Pattern>, filling: impl Into<Arc<Filling>>) -> Self {
        let (pattern, filling) = (Arc::clone(pattern), filling.into());
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
            Form::Filled(filled) => filled.pattern.len(),
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
            Form::Filled(filled) => Some(filled.filling.noise()),
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
    noise: Option<Noise>,
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
            let gaps = filled.pattern.gaps_until(self.gap, end);
            self.gap += gaps.len();
            if gaps.last().is_none_or(|gap| gap.end <= end) {
                filled.pattern.write(out, start..end, gaps, &filled.filling, noise);
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
    use crate::plan::timeline::{Gap, With};

    /// `a=1 b=xxxx a=1 c=yy`, with gaps where the values are.
    fn pattern() -> Arc<Pattern> {
        let gap = |start, end, with| Gap { start, end, with };
        let gaps = vec![
            gap(2, 3, With::Text(0)),
            gap(6, 10, With::Noise),
            gap(13, 14, With::Text(0)),
            gap(17, 19, With::Noise),
        ];
        Arc::new(Pattern::new(Bytes::from_static(b"a=1 b=xxxx a=1 c=yy"), gaps, &texts("1")))
    }

    fn texts(text: &str) -> Texts {
        let mut texts = Texts::with_capacity(1, text.len());
        texts.add(text.as_bytes());
        texts
    }

    fn body(text: &str) -> Body {
        Body::of(&pattern(), texts(text), Noise::of(Seed::new(7)))
    }

    #[test]
    fn gaps_are_filled_in_order_and_the_rest_is_the_patterns() {
        let mut drawn = [0; 6];
        Noise::of(Seed::new(7)).fill(&mut drawn);
        let noise = str::from_utf8(&drawn).unwrap();
        let expected = format!("a=2 b={} a=2 c={}", &noise[..4], &noise[4..]);
        assert_eq!(body("2"), expected.as_str());
        let longer = body("two");
        assert_eq!(longer, expected.replace('2', "two").as_str());
        assert_eq!(longer.len(), 23);
    }

    #[test]
    fn wherever_it_is_read_in_parts_the_parts_are_the_whole() {
        let whole = body("2");
        for first in 0..=whole.len() {
            for second in first..=whole.len() {
                let mut reader = body("2").reader();
                let mut read = Vec::new();
                [first, second, whole.len()].iter().for_each(|end| reader.write_until(*end, &mut read));
                assert_eq!(whole, read, "{first} {second}");
            }
        }
    }

    #[test]
    fn what_is_read_part_by_part_is_never_held_as_a_whole() {
        let mut reader = body("2").reader();
        for end in [4, 11, 15, 19] {
            reader.write_until(end, &mut Vec::new());
        }
        let Form::Filled(filled) = &reader.body.0 else { panic!("it fits") };
        assert!(filled.whole.get().is_none());
    }
}
