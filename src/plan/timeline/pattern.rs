//! Patterns: what many heads or bodies have in common, and what one of them has in its gaps.

use std::ops::Range;

use bytes::Bytes;

use crate::plan::seed::Noise;

/// What many heads or bodies have in common.
#[derive(Debug)]
pub(crate) struct Pattern {
    /// One of them.
    bytes: Bytes,
    /// Where the others differ, in order.
    gaps: Vec<Gap>,
    /// Where each text begins in a filling that fits, and where the last ends.
    bounds: Vec<usize>,
}

/// A place where those of one pattern differ.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gap {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) with: With,
}

impl Gap {
    /// The same in a text before which something stands.
    pub(crate) fn later(self, offset: usize) -> Self {
        Self { start: self.start + offset, end: self.end + offset, ..self }
    }
}

/// What a gap is filled with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum With {
    /// The text of this number.
    Text(usize),
    /// As many random characters as it is long.
    Noise,
}

/// What one head or body has in the gaps of its pattern.
#[derive(Clone, Debug)]
pub(crate) struct Filling {
    /// The texts, one after the other, of the lengths of the pattern's own.
    texts: Vec<u8>,
    /// Where the random characters come from, from the first gap to the last.
    noise: Noise,
}

/// Texts for gaps, one after the other.
#[derive(Clone, Debug)]
pub(crate) struct Texts {
    bytes: Vec<u8>,
    /// Where each begins, and where the last ends.
    bounds: Vec<usize>,
}

impl Texts {
    /// None yet, and room for so many, of so many bytes.
    pub(crate) fn with_capacity(texts: usize, bytes: usize) -> Self {
        let mut bounds = Vec::with_capacity(texts + 1);
        bounds.push(0);
        Self { bytes: Vec::with_capacity(bytes), bounds }
    }

    /// Adds a text.
    pub(crate) fn add(&mut self, text: &[u8]) {
        self.bytes.extend_from_slice(text);
        self.bounds.push(self.bytes.len());
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.bounds.len() - 1
    }

    /// The text of this number.
    pub(crate) fn get(&self, number: usize) -> &[u8] {
        &self.bytes[self.bounds[number]..self.bounds[number + 1]]
    }
}

impl Filling {
    /// A filling of these texts, one after the other.
    pub(crate) fn new(texts: Vec<u8>, noise: Noise) -> Self {
        Self { texts, noise }
    }

    /// A filling of these texts.
    pub(crate) fn of(texts: Texts, noise: Noise) -> Self {
        Self::new(texts.bytes, noise)
    }

    /// Where the random characters come from.
    pub(crate) fn noise(&self) -> Noise {
        self.noise.clone()
    }
}

impl Pattern {
    /// The pattern of one of them with these gaps, in order, filled with such texts.
    pub(crate) fn new(bytes: Bytes, gaps: Vec<Gap>, texts: &Texts) -> Self {
        Self { bytes, gaps, bounds: texts.bounds.clone() }
    }

    /// How many bytes those have whose texts are as long as its own.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// About how many bytes it takes.
    pub(crate) fn weight(&self) -> usize {
        size_of::<Self>() + self.bytes.len() + size_of_val(&*self.gaps)
    }

    /// Whether all texts are as long as its own.
    pub(crate) fn fits(&self, texts: &Texts) -> bool {
        self.bounds == texts.bounds
    }

    /// The one with this filling.
    pub(crate) fn fill(&self, filling: &Filling) -> Bytes {
        let mut out = Vec::new();
        self.write_all(&mut out, filling);
        out.into()
    }

    /// The gaps from the one of this number on that begin before `end`.
    pub(crate) fn gaps_until(&self, first: usize, end: usize) -> &[Gap] {
        let rest = &self.gaps[first..];
        &rest[..rest.partition_point(|gap| gap.start < end)]
    }

    /// Appends the one with a filling.
    pub(crate) fn write_all(&self, out: &mut Vec<u8>, filling: &Filling) {
        self.write(out, 0..self.len(), &self.gaps, filling, &mut filling.noise());
    }

    /// Writes a part that has these gaps, whole, with a filling.
    pub(crate) fn write(
        &self,
        out: &mut Vec<u8>,
        part: Range<usize>,
        gaps: &[Gap],
        filling: &Filling,
        noise: &mut Noise,
    ) {
        let (start, offset) = (out.len(), part.start);
        out.extend_from_slice(&self.bytes[part]);
        let written = &mut out[start..];
        for gap in gaps {
            let place = &mut written[gap.start - offset..gap.end - offset];
            match gap.with {
                With::Text(number) => {
                    let start = self.bounds[number];
                    place.copy_from_slice(&filling.texts[start..start + place.len()]);
                }
                With::Noise => noise.fill(place),
            }
        }
    }

    /// The one with texts that may be longer or shorter than its own.
    pub(crate) fn stretch(&self, texts: &Texts, mut noise: Noise) -> Bytes {
        let mut out = Vec::with_capacity(self.len() + SLACK);
        let mut at = 0;
        for gap in &self.gaps {
            out.extend_from_slice(&self.bytes[at..gap.start]);
            match gap.with {
                With::Text(number) => out.extend_from_slice(texts.get(number)),
                With::Noise => noise.write(gap.end - gap.start, &mut out),
            }
            at = gap.end;
        }
        out.extend_from_slice(&self.bytes[at..]);
        out.into()
    }
}

/// How much longer than its pattern something becomes without growing again.
const SLACK: usize = 16;
