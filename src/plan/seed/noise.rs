//! Noise: random characters that nobody reads.

use super::{BASE62, Label, Seed, mix};

/// Characters of [0-9A-Za-z] without end.
///
/// They are read from one strip, beginning where the seed says: a stream of a hundred events has a thousand of them, and
/// to draw each took longer than everything else of its answer together.
#[derive(Clone, Debug)]
pub(crate) struct Noise {
    /// What was not read yet of the strip, which then begins again.
    rest: &'static [u8],
}

impl Noise {
    /// The noise of a response with this seed.
    pub(crate) const fn of(seed: Seed) -> Self {
        let [low, high, ..] = seed.below(Label::new("obfuscation")).0.to_le_bytes();
        let start = u16::from_le_bytes([low, high]) as usize % STRIP.len();
        Self { rest: STRIP.split_at(start).1 }
    }

    /// Appends the next `len` characters.
    pub(crate) fn write(&mut self, len: usize, out: &mut Vec<u8>) {
        let start = out.len();
        out.resize(start + len, 0);
        self.fill(&mut out[start..]);
    }

    /// Fills a place with the next characters.
    pub(crate) fn fill(&mut self, mut place: &mut [u8]) {
        while place.len() > self.rest.len() {
            let (now, later) = place.split_at_mut(self.rest.len());
            now.copy_from_slice(self.rest);
            (place, self.rest) = (later, STRIP);
        }
        let (now, later) = self.rest.split_at(place.len());
        place.copy_from_slice(now);
        self.rest = later;
    }
}

const STRIP: &[u8] = &{
    let (mut strip, mut at) = ([0; 16 * 1024], 0);
    // A `for` is none in what is known at compile time.
    while at < strip.len() {
        let [index, ..] = (mix(at as u64) % BASE62.len() as u64).to_le_bytes();
        strip[at] = BASE62[index as usize];
        at += 1;
    }
    strip
};

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(seed: u64) -> Noise {
        Noise::of(Seed::new(seed))
    }

    fn read(mut noise: Noise, lengths: &[usize]) -> String {
        let mut read = vec![0; lengths.iter().sum()];
        let mut place = &mut read[..];
        for length in lengths {
            let (now, later) = place.split_at_mut(*length);
            noise.fill(now);
            place = later;
        }
        String::from_utf8(read).unwrap()
    }

    #[test]
    fn a_seed_means_the_same_noise_for_ever() {
        assert_eq!(read(noise(7), &[24]), "rCrXMjv0OAgCeSeWLwotMdrW");
        assert_ne!(read(noise(7), &[24]), read(noise(8), &[24]));
    }

    #[test]
    fn the_strip_begins_again_wherever_a_place_ends() {
        let strip = read(noise(7), &[STRIP.len()]);
        let twice = strip.repeat(2);
        for lengths in
            [&[2 * STRIP.len()][..], &[STRIP.len() - 1, 3, STRIP.len() - 2], &[0, STRIP.len(), 0, 7]]
        {
            let expected = &twice[..lengths.iter().sum()];
            assert!(read(noise(7), lengths) == expected, "{lengths:?}");
        }
    }

    #[test]
    fn every_character_comes_about_as_often() {
        for character in BASE62 {
            let count = STRIP.iter().filter(|other| *other == character).count();
            let expected = STRIP.len() / BASE62.len();
            assert!(count.abs_diff(expected) < expected / 4, "{character} {count}");
        }
    }
}
