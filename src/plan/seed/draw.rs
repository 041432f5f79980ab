//! Draws: what every hit has of its own, and all of one length.

use super::{BASE62, HEX, Label, Seed, Stream, draw};

/// A text that is drawn from a hit's own seed. It has as many bytes for each.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Draw {
    label: Label,
    len: usize,
    kind: Kind,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Base62,
    Hex,
    Uuid,
    Made(Make),
}

/// Fills a place from a stream, at a time in Unix seconds.
type Make = fn(&mut Stream, u64, &mut [u8]);

impl Draw {
    /// So many characters of [0-9A-Za-z].
    pub(crate) const fn base62(label: &str, len: usize) -> Self {
        Self { label: Label::new(label), len, kind: Kind::Base62 }
    }

    /// So many lower-case hexadecimal digits.
    pub(crate) const fn hex(label: &str, len: usize) -> Self {
        Self { label: Label::new(label), len, kind: Kind::Hex }
    }

    /// A version 4 UUID.
    pub(crate) const fn uuid(label: &str) -> Self {
        Self { label: Label::new(label), len: UUID, kind: Kind::Uuid }
    }

    /// What `make` writes, which is ASCII.
    pub(crate) const fn made(label: &str, len: usize, make: Make) -> Self {
        Self { label: Label::new(label), len, kind: Kind::Made(make) }
    }

    /// How long its texts are.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// The text of the hit with this seed, at this time.
    pub(crate) fn text(&self, seed: Seed, now: u64) -> String {
        let mut text = vec![0; self.len];
        self.write(seed, now, &mut text);
        String::from_utf8(text).expect("it is ASCII")
    }

    /// Writes it to a place of its length.
    pub(crate) fn write(&self, seed: Seed, now: u64, place: &mut [u8]) {
        let mut stream = seed.labelled(self.label);
        match self.kind {
            Kind::Base62 => draw(BASE62, &mut stream, place),
            Kind::Hex => draw(HEX, &mut stream, place),
            Kind::Uuid => {
                let mut hex = [0; 32];
                draw(HEX, &mut stream, &mut hex);
                // The version, and the variant.
                hex[12] = b'4';
                draw(b"89ab", &mut seed.labelled(self.label), &mut hex[16..17]);
                hyphenate(&hex, place);
            }
            Kind::Made(make) => make(&mut stream, now, place),
        }
    }
}

/// Writes the digits of a UUID in its groups.
fn hyphenate(hex: &[u8; 32], place: &mut [u8]) {
    place.fill(b'-');
    let mut from = 0;
    for group in [0..8, 9..13, 14..18, 19..23, 24..UUID] {
        let to = from + group.len();
        place[group].copy_from_slice(&hex[from..to]);
        from = to;
    }
}

/// How long a UUID is.
const UUID: usize = 36;
