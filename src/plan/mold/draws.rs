//! What is drawn for a hit, and where it stands in what was planned.

use std::cmp::Reverse;
use std::ops::Range;

use crate::plan::ready::places;
use crate::plan::seed::{Draw, Noise, Seed};
use crate::plan::timeline::{Filling, Gap, Texts, With};

/// What is drawn for each hit.
#[derive(Debug)]
pub(super) struct Draws {
    /// What the seeds of all hits come from.
    seed: Seed,
    now: u64,
    draws: Vec<Draw>,
    /// How long their texts are together.
    len: usize,
}

impl Draws {
    /// These draws, from below this seed, at this time.
    pub(super) fn new(seed: Seed, now: u64, draws: Vec<Draw>) -> Self {
        let len = draws.iter().map(Draw::len).sum();
        Self { seed, now, draws, len }
    }

    /// What a hit draws.
    pub(super) fn of(&self, hit: u64) -> Filling {
        let seed = self.seed.numbered(hit);
        let mut texts = vec![0; self.len];
        let mut rest = &mut texts[..];
        for draw in &self.draws {
            let (place, after) = rest.split_at_mut(draw.len());
            draw.write(seed, self.now, place);
            rest = after;
        }
        Filling::new(texts, Noise::of(seed))
    }

    /// The texts that a hit draws.
    pub(super) fn texts(&self, hit: u64) -> Texts {
        let seed = self.seed.numbered(hit);
        let mut texts = Texts::with_capacity(self.draws.len(), self.len);
        self.draws.iter().for_each(|draw| texts.add(draw.text(seed, self.now).as_bytes()));
        texts
    }

    /// Lets go of those that fill none of these gaps, and numbers the others anew.
    pub(super) fn keep_used(&mut self, gaps: &mut [&mut Vec<Gap>]) {
        let is_used =
            |number| gaps.iter().flat_map(|gaps| gaps.iter()).any(|gap| gap.with == With::Text(number));
        let used: Vec<usize> = (0..self.draws.len()).filter(|number| is_used(*number)).collect();
        *self = Self::new(self.seed, self.now, used.iter().map(|number| self.draws[*number]).collect());
        for gap in gaps.iter_mut().flat_map(|gaps| gaps.iter_mut()) {
            if let With::Text(number) = &mut gap.with {
                *number = used.partition_point(|used| used < number);
            }
        }
    }

    /// Finds the gaps for some of the draws in what was written for some hits: where the first has what is drawn for it,
    /// and each of the others has its own. `None` where all hits draw the same: it may stand anywhere.
    pub(super) fn find<T: AsRef<[u8]>>(&self, draws: Range<usize>, written: &[(u64, T)]) -> Option<Vec<Gap>> {
        let hits: Vec<_> = written.iter().map(|(hit, text)| (self.texts(*hit), text.as_ref())).collect();
        let ((own, text), others) = hits.split_first()?;
        let mut gaps = Vec::new();
        for number in draws {
            let drawn = own.get(number);
            if others.iter().all(|(other, _)| other.get(number) == drawn) {
                return None;
            }
            let all_have = |at: &usize| {
                let has = |(other, text): &(Texts, &[u8])| {
                    text.get(*at..).is_some_and(|rest| rest.starts_with(other.get(number)))
                };
                others.iter().all(has)
            };
            let found = places(text, drawn).filter(all_have);
            gaps.extend(found.map(|at| Gap { start: at, end: at + drawn.len(), with: With::Text(number) }));
        }
        // A draw may be part of another.
        gaps.sort_unstable_by_key(|gap| (gap.start, Reverse(gap.end)));
        let mut filled = 0;
        gaps.retain(|gap| {
            let free = gap.start >= filled;
            filled = filled.max(gap.end);
            free
        });
        Some(gaps)
    }
}
