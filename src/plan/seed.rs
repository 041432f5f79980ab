//! Randomness that repeats: every random choice draws from a named stream of one seed.
//!
//! The generators and the distributions built on them are value-stable and use no platform
//! floating-point library, so a seed means the same bytes everywhere.

use rand::{Rng, RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

pub(crate) use self::draw::Draw;
pub(crate) use self::noise::Noise;

mod draw;
mod noise;

/// The source of all randomness in a plan.
///
/// ```
/// use llmirage::plan::seed::Seed;
///
/// let seed = Seed::new(7).child("fixture greeting").child("hit 1");
/// assert_eq!(seed.base62("id", 24), seed.base62("id", 24));
/// assert_ne!(seed.base62("id", 24), seed.base62("call 0", 24));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed(u64);

/// A stream of random numbers.
pub type Stream = Xoshiro256PlusPlus;

/// What tells one thing below a seed from another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Label(u64);

impl Label {
    /// The label of this name.
    pub(crate) const fn new(name: &str) -> Self {
        Self(fnv1a(name.as_bytes()))
    }
}

impl Seed {
    /// The root, as given by `--seed`.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A seed of its own for everything below `label`.
    #[must_use]
    pub fn child(self, label: &str) -> Self {
        self.below(Label::new(label))
    }

    /// The child whose label is the number in digits.
    pub(crate) fn numbered(self, number: u64) -> Self {
        self.below(Label(fnv1a(Digits::of(number).as_bytes())))
    }

    const fn below(self, Label(label): Label) -> Self {
        Self(mix(self.0 ^ label))
    }

    /// The stream of random numbers called `label`; the same every time it is asked for.
    pub fn stream(self, label: &str) -> Stream {
        self.labelled(Label::new(label))
    }

    /// The stream of this label.
    pub(crate) fn labelled(self, label: Label) -> Stream {
        // As `seed_from_u64` spreads a number over the state, which takes ten times as long.
        let mut seed = [0; 32];
        let mut state = self.below(label).0;
        for part in seed.chunks_exact_mut(8) {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            part.copy_from_slice(&mix(state).to_le_bytes());
        }
        Stream::from_seed(seed)
    }

    /// `len` characters of [0-9A-Za-z].
    pub fn base62(self, label: &str, len: usize) -> String {
        Draw::base62(label, len).text(self, 0)
    }

    /// `len` lower-case hexadecimal digits.
    pub fn hex(self, label: &str, len: usize) -> String {
        Draw::hex(label, len).text(self, 0)
    }

    /// A number from 0 up to 1, evenly spread.
    pub fn fraction(self, label: &str) -> f64 {
        self.stream(label).random_range(0.0..1.0)
    }

    /// A number that inputs of the same bytes have in common, and others hardly ever.
    pub(crate) fn print(bytes: &[u8]) -> u64 {
        mix(fnv1a(bytes))
    }

    /// A version 4 UUID.
    pub fn uuid(self, label: &str) -> String {
        Draw::uuid(label).text(self, 0)
    }
}

/// Fills a place with some of these characters, as `random_range` draws them, which takes three times as long: an answer
/// has hundreds.
fn draw<const N: usize>(of: &[u8; N], stream: &mut Stream, place: &mut [u8]) {
    #[expect(clippy::cast_possible_truncation, reason = "the lower half is wanted, and N is small")]
    let wide = |number: u32| {
        let product = u64::from(number) * N as u64;
        ((product >> 32) as usize, product as u32)
    };
    for character in place {
        let (mut index, rest) = wide(stream.next_u32());
        // What is left over decides rarely, with the next number, whether the index is one more.
        if u64::from(rest) + N as u64 > 1 << 32 {
            let (more, _) = wide(stream.next_u32());
            index += usize::from(u64::from(rest) + more as u64 >= 1 << 32);
        }
        *character = of[index];
    }
}

/// A number in digits.
pub(crate) struct Digits {
    all: [u8; 20],
    start: usize,
}

impl Digits {
    /// The digits of this number.
    pub(crate) fn of(mut number: u64) -> Self {
        let mut digits = Self { all: [b'0'; 20], start: 20 };
        while digits.start == 20 || number > 0 {
            digits.start -= 1;
            digits.all[digits.start] += (number % 10) as u8;
            number /= 10;
        }
        digits
    }

    /// They as ASCII.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.all[self.start..]
    }

    /// The last `N` of them, with zeros before them if there are fewer.
    pub(crate) fn last<const N: usize>(&self) -> &[u8] {
        &self.all[20 - N..]
    }
}

/// The digits of OpenAI's identifiers: 0-9, A-Z, a-z, in this order.
pub(crate) const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

const HEX: &[u8; 16] = b"0123456789abcdef";

const fn fnv1a(bytes: &[u8]) -> u64 {
    let (mut hash, mut at) = (0xcbf2_9ce4_8422_2325, 0);
    // A `for` is none in what is known at compile time.
    while at < bytes.len() {
        hash = (hash ^ bytes[at] as u64).wrapping_mul(0x0100_0000_01b3);
        at += 1;
    }
    hash
}

/// The finalizer of splitmix64: FNV alone leaves labels that differ in one digit too close.
const fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_means_the_same_characters_for_ever() {
        let seed = Seed::new(0).child("fixture greeting").child("hit 1");
        assert_eq!(seed.base62("id", 24), "h9J2LAicILGLoAZlUmA4bFIc");
        assert_eq!(seed.uuid("request"), "e7b4520c-013b-48c9-b8bd-8eda0bb77c41");
    }

    #[test]
    fn characters_are_drawn_as_random_range_draws() {
        let seed = Seed::new(7);
        let (mut fast, mut slow) = (seed.stream("noise"), Stream::seed_from_u64(seed.child("noise").0));
        for len in [0, 1, 17, 1_000_000] {
            let mut drawn = vec![0; len];
            draw(BASE62, &mut fast, &mut drawn);
            let expected = (0..len).map(|_| BASE62[slow.random_range(0..BASE62.len())]);
            assert!(drawn.iter().copied().eq(expected), "{len}");
        }
    }

    #[test]
    fn a_number_is_a_label_of_its_digits() {
        for number in [0, 1, 9, 10, 1_234_567_890, u64::MAX] {
            assert_eq!(Seed::new(7).numbered(number), Seed::new(7).child(&number.to_string()), "{number}");
        }
    }

    #[test]
    fn labels_are_independent_streams() {
        let seed = Seed::new(7);
        assert_ne!(seed.hex("a", 32), seed.hex("b", 32));
        assert_ne!(seed.child("hit 1").hex("a", 32), seed.child("hit 2").hex("a", 32));
    }
}
